//! Devices that are asked for a session: each by one node, and what is written late changes nothing.

use jiff::SignedDuration;

use super::*;
use crate::{call::WAKE, wake::Next};

fn wake(identity: String) -> NewCall {
    let (method, body) = (WAKE.to_owned(), String::new());
    NewCall { method, command_key: String::new(), body, wakes: true, ..reboot(&identity) }
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// The state and the outcome of the only open call of a device.
async fn open(store: &Store, identity: &str) -> Option<(String, Option<String>)> {
    let calls = store.open_calls(identity).await.unwrap();
    assert!(calls.len() < 2, "{calls:?}");
    calls.into_iter().next().map(|call| (call.state, call.outcome))
}

#[tokio::test(flavor = "multi_thread")]
async fn r10_of_many_nodes_one_asks_a_device() {
    on_both(async |world| {
        let nodes = [world.open().await, world.open().await, world.open().await];
        for number in 0..30 {
            nodes[0].queue_call(wake(format!("cell {number}"))).await.unwrap().unwrap();
        }
        let claims: Vec<_> = (0..12)
            .map(|number: usize| {
                let node = nodes[number % 3].clone();
                tokio::spawn(async move { node.claim_wakes(now(), later(60), 4).await.unwrap() })
            })
            .collect();
        let mut claimed = Vec::new();
        for claim in claims {
            claimed.extend(claim.await.unwrap());
        }
        // Whoever had to wait for another's rows has fewer, and they stay due.
        while nodes[0].is_wake_due(now()).await.unwrap() {
            claimed.extend(nodes[0].claim_wakes(now(), later(60), 4).await.unwrap());
        }
        let mut names: Vec<_> = claimed.iter().map(|row| row.identity.clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!((claimed.len(), names.len()), (30, 30), "each once");
        assert!(claimed.iter().all(|row| row.attempts == 1));
        assert_eq!(open(&nodes[1], "cell 7").await, Some(("sent".to_owned(), None)));
    })
    .await;
}

#[tokio::test]
async fn r10_a_late_word_about_a_device_changes_nothing() {
    on_both(async |world| {
        let store = world.open().await;
        store.queue_call(wake("a".to_owned())).await.unwrap().unwrap();
        let first = store.claim_wakes(now(), later(60), 9).await.unwrap().remove(0);
        let second = store.claim_wakes(later(60), later(120), 9).await.unwrap().remove(0);
        assert_eq!((first.attempts, second.attempts), (1, 2), "the claim of a node that died runs out");
        store.settle_wake(first, Next::Over("1".to_owned()), now()).await.unwrap();
        assert_eq!(open(&store, "a").await, Some(("sent".to_owned(), None)));
        let next = Next::Again(later(200), "2".to_owned());
        store.settle_wake(second.clone(), next, now()).await.unwrap();
        assert_eq!(open(&store, "a").await, Some(("queued".to_owned(), Some("2".to_owned()))));
        assert!(store.claim_wakes(later(199), later(300), 9).await.unwrap().is_empty());
        let third = store.claim_wakes(later(200), later(300), 9).await.unwrap().remove(0);
        store.settle_wake(third.clone(), Next::Over("3".to_owned()), now()).await.unwrap();
        assert_eq!(open(&store, "a").await, None);
        assert!(!store.is_wake_due(later(1000)).await.unwrap());
        // Another wish is another row, which the old claim does not know.
        store.queue_call(wake("a".to_owned())).await.unwrap().unwrap();
        store.settle_wake(third, Next::Over("4".to_owned()), now()).await.unwrap();
        assert_eq!(open(&store, "a").await, Some(("queued".to_owned(), None)));
    })
    .await;
}

#[tokio::test]
async fn r10_a_call_that_wakes_has_one_wake_beside_it_and_repeated_wakes_share_one_row() {
    on_both(async |world| {
        let store = world.open().await;
        let reboot = || NewCall { method: "Reboot".to_owned(), ..wake("a".to_owned()) };
        for _ in 0..2 {
            store.queue_call(reboot()).await.unwrap().unwrap();
        }
        store.queue_call(wake("a".to_owned())).await.unwrap().unwrap();
        let methods = |calls: Vec<CallRow>| calls.into_iter().map(|call| call.method).collect::<Vec<_>>();
        assert_eq!(methods(store.open_calls("a").await.unwrap()), ["Reboot", WAKE, "Reboot", WAKE]);
        let claimed = store.claim_wakes(now(), later(60), 9).await.unwrap();
        assert_eq!(claimed.len(), 1);
        store.settle_wake(claimed[0].clone(), Next::Over("0".to_owned()), now()).await.unwrap();
        assert_eq!(methods(store.open_calls("a").await.unwrap()), ["Reboot", "Reboot"], "they wait on");
    })
    .await;
}

#[tokio::test]
async fn r10_a_device_is_asked_as_long_as_a_call_wants_it() {
    on_both(async |world| {
        let store = world.open().await;
        let act = || Act { author: "ann".to_owned(), reason: String::new(), at: now() };
        let first = store.queue_call(wake("a".to_owned())).await.unwrap().unwrap();
        store.claim_wakes(now(), later(60), 9).await.unwrap();
        let second = store.queue_call(wake("a".to_owned())).await.unwrap().unwrap();
        let sent = store.cancel_call("a".to_owned(), first, act()).await.unwrap();
        assert_eq!(sent.unwrap_err(), CancelError::State("sent".to_owned()));
        store.cancel_call("a".to_owned(), second, act()).await.unwrap().unwrap();
        assert!(store.is_wake_due(later(60)).await.unwrap(), "the first still wants it");
        let claimed = store.claim_wakes(later(60), later(120), 9).await.unwrap().remove(0);
        let next = Next::Again(later(200), "1".to_owned());
        store.settle_wake(claimed, next, later(61)).await.unwrap();
        let row = store.cancel_call("a".to_owned(), first, act()).await.unwrap().unwrap();
        assert_eq!(row.outcome.as_deref(), Some(r#"{"CancelledBy":"ann"}"#));
        assert!(!store.is_wake_due(later(1000)).await.unwrap());
    })
    .await;
}
