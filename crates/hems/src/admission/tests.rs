//! Lists of identities against a real store.

use std::sync::Arc;

use super::*;

const HEADER: &str = "identity,oui,product_class,serial\n";
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

async fn store(folder: &tempfile::TempDir) -> Store {
    Store::open(&crate::store::Place::File(folder.path().join("db")), Arc::new(())).await.unwrap()
}

async fn take(store: &Store, lines: &str, strict: bool) -> Summary {
    let text = format!("{HEADER}{lines}");
    import(store, text.as_bytes(), Policies::default(), strict, NOW).await.unwrap()
}

fn by_ann() -> crate::store::Act {
    crate::store::Act { author: "ann".to_owned(), reason: String::new(), at: NOW }
}

async fn is_admitted(store: &Store, identity: &str) -> bool {
    store.device(identity).await.unwrap().is_some_and(|row| row.binding().is_some())
}

#[tokio::test]
async fn i12_the_roster_is_imported_again_only_when_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let path = folder.path().join("identities.csv");
    let first = "00005e005301.hnb.example,00005E,C,1\nnonsense,00005E,C,2\n";
    std::fs::write(&path, format!("{HEADER}{first}")).unwrap();
    let roster = Roster::new(Some(path.clone()));
    let policies = Policies::default();
    assert!(roster.refresh(&store, policies, NOW).await.unwrap());
    assert!(!roster.refresh(&store, policies, NOW).await.unwrap());
    assert_eq!(store.every_device().await.len(), 1);
    std::fs::write(&path, format!("{HEADER}{first}00005e005303.hnb.example,00005e,C,3\n")).unwrap();
    assert!(roster.refresh(&store, policies, NOW).await.unwrap());
    let devices = store.every_device().await;
    assert_eq!(devices.len(), 2);
    assert_eq!(devices[1].oui.as_deref(), Some("00005E"));
}

#[tokio::test]
async fn i07_a_device_id_that_is_admitted_twice_stops_both_until_one_is_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let [one, two] = ["00005e005301.hnb.example", "00005e005302.hnb.example"];
    assert_eq!(take(&store, &format!("{one},00005E,C,1\n"), false).await.admitted, 1);
    let summary = take(&store, &format!("{two},00005E,C,1\n"), false).await;
    assert!(summary.conflicts[0].message.contains(one), "{summary:?}");
    assert_eq!(summary.stopped.len(), 2);
    assert!(!is_admitted(&store, one).await && !is_admitted(&store, two).await);
    assert_eq!(store.rivals(one).await.unwrap(), [two]);
    assert_eq!(store.rivals(two).await.unwrap(), [one]);
    let again = take(&store, &format!("{one},00005E,C,1\n"), false).await;
    assert_eq!((again.same, again.conflicts.len()), (0, 1), "the first is no better than the second");

    assert!(store.withdraw(one.to_owned(), by_ann()).await.unwrap());
    assert!(!is_admitted(&store, one).await && is_admitted(&store, two).await);
    assert!(store.rivals(two).await.unwrap().is_empty());
    assert!(!store.withdraw(one.to_owned(), by_ann()).await.unwrap(), "there is nothing left to withdraw");
    assert!(store.withdraw(two.to_owned(), by_ann()).await.unwrap());
    assert_eq!(take(&store, &format!("{one},00005E,C,1\n"), false).await.admitted, 1);
}

#[tokio::test]
async fn i12_a_strict_import_is_whole_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let good = "00005e005301.hnb.example,00005E,C,1\n00005e005302.hnb.example,00005E,C,2\n";
    for bad in [
        "nobody,00005E,C,3\n",
        "00005e005303.hnb.example,00005E,C,2\n",
        "00005e005301.hnb.example,00005E,C,4\n",
    ] {
        let summary = take(&store, &format!("{good}{bad}"), true).await;
        assert_eq!(summary.errors.len() + summary.conflicts.len(), 1, "{bad} {summary:?}");
        assert_eq!((summary.admitted, summary.stopped.len()), (0, 0), "{bad}");
        assert!(store.every_device().await.is_empty(), "{bad}");
    }
    assert_eq!(take(&store, good, true).await.admitted, 2);
    assert_eq!(take(&store, good, true).await.same, 2);
}

#[tokio::test]
async fn i12_a_strict_import_names_what_contradicts_beside_what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let lines =
        "nobody,00005E,C,3\n00005e005301.hnb.example,00005E,C,1\n00005e005302.hnb.example,00005E,C,1\n";
    let summary = take(&store, lines, true).await;
    assert_eq!((summary.errors[0].place.as_str(), summary.conflicts[0].place.as_str()), ("line 2", "line 4"));
    assert_eq!((summary.admitted, summary.stopped.len()), (0, 0), "{summary:?}");
    assert!(store.every_device().await.is_empty(), "it was a rehearsal");
}

#[tokio::test]
async fn i01_an_eui_48_and_the_eui_64_made_from_it_are_two_devices() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let lines = "00005e005301.hnb.example,00005E,C,1\n00005efffe005301.hnb.example,00005E,C,2\n";
    assert_eq!(take(&store, lines, true).await.admitted, 2);
    assert_eq!(store.every_device().await.len(), 2);
}

#[tokio::test]
async fn i05_another_oui_than_the_euis_is_admitted_or_refused_as_the_operator_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let text = format!("{HEADER}00005e005301.hnb.example,0000AA,C,1\n");
    let strict = Policies { refuses_other_oui: true, ..Policies::default() };
    let refused = import(&store, text.as_bytes(), strict, false, NOW).await.unwrap();
    assert!(refused.errors[0].message.contains("oui_mismatch"), "{refused:?}");
    let taken = import(&store, text.as_bytes(), Policies::default(), false, NOW).await.unwrap();
    assert_eq!(taken.admitted, 1);
}

#[tokio::test]
async fn i12_a_list_of_thousands_with_doubles_is_counted_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let line = |number: u32, serial: u32| format!("00005e{number:06x}.hnb.example,00005E,C,{serial}\n");
    let mut lines: String = (0..2_300).map(|number| line(number, number)).collect();
    lines += &line(7, 7);
    lines += &line(8, 9_999);
    lines += &line(9_000, 9);
    let summary = take(&store, &lines, false).await;
    assert_eq!((summary.admitted, summary.same, summary.conflicts.len()), (2_300, 1, 2), "{summary:?}");
    let stopped: Vec<_> = summary.stopped.iter().map(ToString::to_string).collect();
    assert_eq!(stopped, ["00005e000009.hnb.example", "00005e002328.hnb.example"]);
    let again = take(&store, &lines, true).await;
    assert_eq!((again.admitted, again.conflicts.len()), (0, 3), "{again:?}");
}
