//! Files and the URLs that give and take them, on both databases.

use super::*;

fn call(url: NewUrl) -> NewCall {
    NewCall {
        identity: identity(1).to_string(),
        method: "Download".to_owned(),
        command_key: "k".to_owned(),
        body: "{}".to_owned(),
        author: String::new(),
        action: None,
        url: Some(url),
        key: None,
        spends: None,
        wakes: false,
        at: now(),
    }
}

fn url(file: Option<i64>) -> NewUrl {
    NewUrl {
        token: "t".to_owned(),
        method: "GET",
        kind: "configuration",
        file,
        size_max: 0,
        expires_at: at(ms(now()) + 1000),
    }
}

async fn kept(store: &Store, content: &str) -> Option<i64> {
    let file = NewFile {
        content: content.to_owned(),
        kind: "configuration",
        name: "a".to_owned(),
        origin: None,
        size: 10,
        sha256: String::new(),
        manifest: None,
        author: String::new(),
        at: now(),
    };
    store.keep(file).await.unwrap()
}

async fn reserved(store: &Store, content: &str, size: i64) -> Result<(), Full> {
    let stray = Stray { content: content.to_owned(), identity: None, size, at: now() };
    store.reserve(stray, Quota { device: 100, all: 100 }).await.unwrap()
}

#[tokio::test]
async fn g12_a_url_is_worth_something_for_one_identity_until_its_call_or_its_time_is_over() {
    on_both(async |world| {
        let store = world.open().await;
        let id = store.queue_call(call(url(Some(1)))).await.unwrap().unwrap();
        let session = store.open_session(opening(&identity(1))).await.unwrap();
        let worth =
            async |identity: &Identity, now| store.file_url("t", identity.as_str(), now).await.unwrap();
        assert_eq!(worth(&identity(1), now()).await.unwrap().file, Some(1));
        assert!(worth(&identity(2), now()).await.is_none(), "another cell's");
        assert!(worth(&identity(1), at(ms(now()) + 1000)).await.is_none(), "over");
        for (progress, is_worth) in [
            (Progress::Sent, true),
            (Progress::Accepted("{}".to_owned()), true),
            (Progress::Unknown("no answer"), true),
            (Progress::Done("{}".to_owned()), false),
        ] {
            store.advance_calls(session, vec![(id, progress.clone())], now()).await.unwrap();
            assert_eq!(worth(&identity(1), now()).await.is_some(), is_worth, "{progress:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn g12_what_is_reserved_counts_until_it_is_known_how_much_came() {
    on_both(async |world| {
        let store = world.open().await;
        assert_eq!(reserved(&store, "a", 60).await, Ok(()));
        assert_eq!(reserved(&store, "b", 60).await, Err(Full::All));
        let file = kept(&store, "a").await.unwrap();
        assert_eq!(reserved(&store, "b", 90).await, Ok(()), "ten came");
        assert_eq!(kept(&store, "c").await, None, "nobody reserved that");
        store.queue_call(call(url(Some(file)))).await.unwrap().unwrap();
        assert_eq!(store.remove_file(file, now(), Condition::default()).await.unwrap(), Removal::InUse);
        let later = at(ms(now()) + 1000);
        assert_eq!(
            store.remove_file(file, later, Condition::default()).await.unwrap(),
            Removal::Done("a".to_owned())
        );
        assert_eq!(store.remove_file(file, later, Condition::default()).await.unwrap(), Removal::None);
        assert_eq!(reserved(&store, "d", 1).await, Err(Full::All), "its content is there still");
        assert_eq!(store.strays(now()).await.unwrap(), ["a"]);
        store.forget("a".to_owned()).await.unwrap();
        assert_eq!(reserved(&store, "d", 10).await, Ok(()));
        assert!(store.files(i64::MAX, Some("log"), None, 9).await.unwrap().is_empty());
    })
    .await;
}
