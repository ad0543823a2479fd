//! The store's promises, on both databases.

mod changes;
mod commits;
mod events;
mod files;
mod leases;
mod listings;
mod network;
mod nodes;
mod orders;
mod people;
mod reads;
mod recordings;
mod schemas;
mod swaps;
mod wakes;
mod world;

use std::{collections::BTreeMap, fs::Permissions, os::unix::fs::PermissionsExt};

use cwmp::ValueKind;
use profile::Identity;

use super::{session::Opening, *};
use crate::{
    plan::{Change, Known, Verdict},
    pool::Pool,
};
use world::{World, on_both};

fn now() -> Timestamp {
    at(1_700_000_000_000)
}

fn identity(number: u8) -> Identity {
    Identity::parse(&format!("00005e0053{number:02x}.hnb.example")).unwrap()
}

fn binding(serial: &str) -> Binding {
    Binding { oui: "00005E".to_owned(), product_class: "C".to_owned(), serial: serial.to_owned() }
}

fn opening(identity: &Identity) -> Opening {
    Opening {
        identity: identity.to_string(),
        at: now(),
        tls: Some(TlsFacts {
            version: "TLSv1.2".to_owned(),
            suite: "TLS_RSA_WITH_AES_128_CBC_SHA".to_owned(),
            resumed: false,
            fingerprint: "ab".to_owned(),
            not_after: now(),
        }),
        voucher: None,
        ike_sa: None,
        peer: "127.0.0.1:5".to_owned(),
        events: "[]".to_owned(),
        traces: Traces::default(),
        is_bootstrap: false,
        claimed: None,
        stored: None,
        lesson: Some(Lesson::default()),
    }
}

/// A call that is queued for a device; each test says what is another.
fn reboot(identity: &str) -> NewCall {
    NewCall {
        identity: identity.to_owned(),
        method: "Reboot".to_owned(),
        command_key: "k".to_owned(),
        body: "{}".to_owned(),
        author: String::new(),
        action: None,
        url: None,
        key: None,
        spends: None,
        wakes: false,
        at: now(),
    }
}

#[tokio::test]
async fn i07_a_binding_is_written_once_and_belongs_to_one_identity() {
    on_both(async |world| {
        let store = world.open().await;
        let rows = vec![
            (identity(1), binding("S1")),
            (identity(1), binding("S1")),
            (identity(1), binding("S2")),
            (identity(2), binding("S1")),
        ];
        let outcomes = store.admit(rows, false, now()).await.unwrap();
        use Admission::{ClaimedTwice, New, OtherBinding, Same};
        let other = ClaimedTwice(vec![identity(1).to_string()]);
        assert_eq!(outcomes, [New, Same, OtherBinding(binding("S1")), other]);
        let rows = store.every_device().await;
        assert!(
            rows.len() == 2 && rows.iter().all(|row| row.is_disputed && row.binding().is_none()),
            "{rows:#?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commits_share_a_transaction_and_each_is_answered_after_it() {
    on_both(async |world| {
        let (store, counter) = world.witnessed().await;
        let before = counter.numbers().len();
        let tasks: Vec<_> = (0..200)
            .map(|number: u8| {
                let store = store.clone();
                tokio::spawn(async move {
                    store
                        .admit(vec![(identity(number), binding(&number.to_string()))], false, now())
                        .await
                        .unwrap();
                    assert!(store.device(identity(number).as_str()).await.unwrap().is_some());
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let transactions = counter.numbers().len() - before;
        assert!(transactions < 200, "{transactions}");
        let numbers = counter.numbers();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_fails_takes_no_other_along() {
    on_both(async |world| {
        let store = world.open().await;
        let broken = store.writer.commit(|tx| {
            Box::pin(async move {
                query("INSERT INTO pool (name, first, last, changed_at) VALUES ('half', 1, 2, 3)")
                    .execute(&mut *tx)
                    .await?;
                query("INSERT INTO nowhere VALUES (1)").execute(tx).await?;
                Ok(())
            })
        });
        let fine =
            store.put_pool("whole".to_owned(), Pool { first: 1, last: 2 }, now(), Condition::default());
        let (broken, fine) = tokio::join!(broken, fine);
        assert!(broken.is_err() && fine.is_ok());
        let names: Vec<_> = store.pools().await.unwrap().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["whole"]);
    })
    .await;
}

#[tokio::test]
async fn a_draw_is_durable_and_unique_both_ways() {
    on_both(async |world| {
        let first = world.open().await;
        assert_eq!(first.draw("pci", "a", now()).await.unwrap(), Err(DrawError::NoPool));
        first
            .put_pool("pci".to_owned(), Pool { first: 5, last: 6 }, now(), Condition::default())
            .await
            .unwrap();
        let (a, b) = tokio::join!(first.draw("pci", "a", now()), first.draw("pci", "b", now()));
        let (a, b) = (a.unwrap().unwrap(), b.unwrap().unwrap());
        assert_ne!(a, b);
        assert_eq!(first.draw("pci", "c", now()).await.unwrap(), Err(DrawError::Exhausted));
        first.close().await;
        let second = world.open().await;
        assert_eq!(second.draw("pci", "a", now()).await.unwrap(), Ok(a));
    })
    .await;
}

#[tokio::test]
async fn what_is_known_survives_with_its_age() {
    on_both(async |world| {
        let first = world.open().await;
        first.admit(vec![(identity(1), binding("S1"))], false, now()).await.unwrap();
        let mut known = Known::default();
        known.learn("Device.A.B", "7", ValueKind::UnsignedInt, now());
        known.learn_instances("Device.T.", [1, 3]);
        let lesson = Lesson { changes: known.take_changed(), ..Lesson::default() };
        let opening = Opening { lesson: Some(lesson), ..opening(&identity(1)) };
        first.open_session(opening).await.unwrap();
        first.close().await;
        let second = world.open().await;
        let restored = second.remembered(identity(1).as_str()).await.unwrap().known;
        assert_eq!(restored, known);
        let sessions = second.sessions(None, i64::MAX, 10).await.unwrap();
        assert_eq!(sessions[0].outcome.as_deref(), Some("interrupted"));
    })
    .await;
}

#[tokio::test]
async fn s12_the_history_of_a_device_is_a_ring_and_an_entry_keeps_what_fits() {
    on_both(async |world| {
        let store = world.open().await;
        store.admit(vec![(identity(1), binding("S1"))], false, now()).await.unwrap();
        let change = |path: &str, bytes: usize| Change {
            path: path.to_owned(),
            before: "x".repeat(bytes),
            after: String::new(),
        };
        for number in 0..103 {
            let history = vec![change(&format!("Device.N{number}"), 1), change("Device.Long", 20_000)];
            let lesson = Lesson { history, ..Lesson::default() };
            let opening = Opening { lesson: Some(lesson), ..opening(&identity(1)) };
            store.open_session(opening).await.unwrap();
        }
        let history = store.history(identity(1).as_str(), 1000).await.unwrap();
        assert_eq!(history.len(), 100);
        let paths = [&history[0], &history[99]].map(|entry| (entry.changes[0].path.as_str(), entry.left_out));
        assert_eq!(paths, [("Device.N102", 1), ("Device.N3", 1)]);
    })
    .await;
}

#[tokio::test]
async fn what_a_session_begins_with_is_what_is_remembered() {
    on_both(async |world| {
        let store = world.open().await;
        assert!(store.recall("nobody").await.unwrap().is_none());
        store.admit(vec![(identity(1), binding("S1"))], false, now()).await.unwrap();
        let mut known = Known::default();
        known.learn("Device.A.B", "a \"quoted\"\n\u{1f}", ValueKind::String, now());
        known.learn("Device.A.C.D", "", ValueKind::UnsignedInt, at(1_600_000_000_000));
        known.learn_instances("Device.T.", [1, 3]);
        let is_taken = Known::default().learn("Device.\u{1e}.E", "", ValueKind::String, now());
        assert!(!is_taken, "no path is a separator");
        let (passed, policy) = (true, "accept-declared".to_owned());
        let verdict = Verdict { passed, policy, latitude: "1".into(), longitude: "2".into(), at: now() };
        let lesson = Lesson {
            changes: known.take_changed(),
            gate: Some(Some(verdict.clone())),
            methods: Some(Some(vec!["Reboot".to_owned()])),
            ..Lesson::default()
        };
        (known.gate, known.methods) = (Some(verdict), Some(vec!["Reboot".to_owned()]));
        let opening = Opening { lesson: Some(lesson), ..opening(&identity(1)) };
        let session = store.open_session(opening).await.unwrap();
        let intent = Intent {
            identity: identity(1).to_string(),
            session,
            step: "AddObject Device.T.".to_owned(),
            object: Some("Device.T.".to_owned()),
            call: None,
            at: now(),
        };
        store.intend(intent).await.unwrap();
        let recalled = store.recall(identity(1).as_str()).await.unwrap().unwrap();
        assert_eq!(recalled.remembered.known, known);
        assert_eq!((recalled.remembered.intents.len(), recalled.row.sessions), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn s10_an_intent_outlives_the_process_until_the_next_inform() {
    on_both(async |world| {
        let first = world.open().await;
        first.admit(vec![(identity(1), binding("S1"))], false, now()).await.unwrap();
        let session = first.open_session(opening(&identity(1))).await.unwrap();
        let intent = Intent {
            identity: identity(1).to_string(),
            session,
            step: "AddObject Device.T.".to_owned(),
            object: Some("Device.T.".to_owned()),
            call: None,
            at: now(),
        };
        first.intend(intent).await.unwrap();
        first.close().await;
        let second = world.open().await;
        let intents = second.remembered(identity(1).as_str()).await.unwrap().intents;
        assert_eq!(intents[0].object, "Device.T.");
        second.open_session(opening(&identity(1))).await.unwrap();
        assert!(second.remembered(identity(1).as_str()).await.unwrap().intents.is_empty());
    })
    .await;
}

#[tokio::test]
async fn refusals_are_aggregated_and_capped() {
    on_both(async |world| {
        let store = world.open().await;
        let entry = |issuer: String| RefusalEntry {
            reason: "unknown_issuer",
            issuer,
            network: "192.0.2.0/24".to_owned(),
            count: 2,
            detail: String::new(),
            certificate: None,
        };
        store.refuse(vec![entry("a".to_owned())], now()).await.unwrap();
        store.refuse(vec![entry("a".to_owned())], now()).await.unwrap();
        assert_eq!(store.refusals(10).await.unwrap()[0].count, 4);
        for number in 0..1100_i64 {
            let later = at(1_700_000_000_001 + number);
            store.refuse(vec![entry(format!("issuer {number}"))], later).await.unwrap();
        }
        let rows = store.refusals(5000).await.unwrap();
        assert_eq!(rows.len(), 1000);
        assert_eq!(rows[0].issuer, "issuer 1099");
    })
    .await;
}

#[tokio::test]
async fn misbehaviour_and_quarantine_are_counted_and_seen() {
    on_both(async |world| {
        let store = world.open().await;
        let quarantined = Opening { claimed: Some("{}".to_owned()), ..opening(&identity(9)) };
        store.open_session(quarantined).await.unwrap();
        let row = store.device(identity(9).as_str()).await.unwrap().unwrap();
        assert_eq!((row.state.as_str(), row.binding()), ("quarantined", None));
        for _ in 0..3 {
            store.count_misbehaviour(row.identity.clone(), "authorization", now()).await.unwrap();
        }
        assert_eq!(store.misbehaviour(&row.identity).await.unwrap()[0].count, 3);
        let outcomes = store.admit(vec![(identity(9), binding("S9"))], false, now()).await.unwrap();
        assert_eq!(outcomes, [Admission::New]);
        assert!(store.device(identity(9).as_str()).await.unwrap().unwrap().binding().is_some());
    })
    .await;
}

#[tokio::test]
async fn calls_wait_in_order_and_their_number_is_bounded() {
    on_both(async |world| {
        let store = world.open().await;
        let call = || reboot("a");
        let first = store.queue_call(call()).await.unwrap().unwrap();
        for _ in 1..64 {
            assert!(store.queue_call(call()).await.unwrap().is_ok());
        }
        assert_eq!(store.queue_call(call()).await.unwrap(), Err(QueueError::Full));
        let session = store.open_session(opening(&identity(1))).await.unwrap();
        let done = vec![(first, Progress::Done("{}".to_owned()))];
        store.advance_calls(session, done, now()).await.unwrap();
        let open = store.open_calls("a").await.unwrap();
        assert_eq!((open.len(), open[0].id), (63, first + 1));
        let by_state: BTreeMap<String, usize> =
            store.calls("a").await.unwrap().into_iter().fold(BTreeMap::new(), |mut map, call| {
                *map.entry(call.state).or_default() += 1;
                map
            });
        assert_eq!(by_state, BTreeMap::from([("done".to_owned(), 1), ("queued".to_owned(), 63)]));
    })
    .await;
}

#[tokio::test]
async fn the_database_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hearth.sqlite3");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&Place::File(path), Arc::new(())).await.unwrap();
    store.put_pool("pci".to_owned(), Pool { first: 1, last: 2 }, now(), Condition::default()).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}
