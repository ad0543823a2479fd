//! Who lost its device writes nothing.
//!
//! ```text
//!   old ── opens ─────────────── intend, advance, report, close ─▶ Overtaken, and nothing has changed
//!                └─ new opens ──▶ holds the device
//! ```

use super::*;

fn intent(session: i64, call: i64) -> Intent {
    Intent {
        identity: identity(1).to_string(),
        session,
        step: "Reboot".to_owned(),
        object: Some("Device.T.".to_owned()),
        call: Some(call),
        at: now(),
    }
}

fn closing(session: i64, call: i64) -> Closing {
    let progress = vec![(call, Progress::Done("{}".to_owned()))];
    Closing {
        identity: identity(1).to_string(),
        session,
        at: now(),
        outcome: COMPLETED,
        messages: 3,
        misbehaviour: vec!["second_inform"],
        device: Some(Lesson { progress, ..Lesson::default() }),
        recording: None,
    }
}

/// What stands of the sessions of cell 1, newest first.
async fn outcomes(store: &Store) -> Vec<Option<String>> {
    let rows = store.sessions(Some(identity(1).as_str()), i64::MAX, 10).await.unwrap();
    rows.into_iter().map(|row| row.outcome).collect()
}

/// Two nodes, a call, and the session of the first node.
async fn scene(world: &World) -> (Store, Store, i64, i64) {
    let (old, new) = (world.open().await, world.open().await);
    old.admit(vec![(identity(1), binding("S1"))], false, now()).await.unwrap();
    let call = old.queue_call(reboot(identity(1).as_str())).await.unwrap().unwrap();
    let session = old.open_session(opening(&identity(1))).await.unwrap();
    (old, new, call, session)
}

/// Every write of the session is refused and leaves no trace.
async fn assert_fenced(store: &Store, session: i64, call: i64) {
    let report = cwmp::AcsMethod::RequestDownload(cwmp::RequestDownload {
        file_type: "1 Firmware Upgrade Image".into(),
        file_type_arg: Vec::new(),
    });
    let done = vec![(call, Progress::Done("{}".to_owned()))];
    for refused in [
        store.intend(intent(session, call)).await.map(drop),
        store.advance_calls(session, done, now()).await,
        store.report((identity(1).to_string(), session), &report, now()).await,
        store.close_session(closing(session, call)).await,
    ] {
        assert!(matches!(refused, Err(StoreError::Overtaken)), "{refused:?}");
    }
    let remembered = store.remembered(identity(1).as_str()).await.unwrap();
    assert!(remembered.intents.is_empty());
    assert_eq!(store.calls(identity(1).as_str()).await.unwrap()[0].state, "queued");
    assert!(store.misbehaviour(identity(1).as_str()).await.unwrap().is_empty());
    assert!(store.reports(identity(1).as_str()).await.unwrap().is_empty());
}

#[tokio::test]
async fn s10_a_session_that_was_replaced_on_another_node_writes_nothing() {
    on_both(async |world| {
        let (old, new, call, session) = scene(world).await;
        let newer = new.open_session(opening(&identity(1))).await.unwrap();
        assert_eq!(outcomes(&new).await, [None, Some("replaced".to_owned())]);
        assert_fenced(&old, session, call).await;
        new.intend(intent(newer, call)).await.unwrap();
        new.close_session(closing(newer, call)).await.unwrap();
        assert_eq!(outcomes(&old).await, [Some(COMPLETED.to_owned()), Some("replaced".to_owned())]);
        assert_eq!(old.calls(identity(1).as_str()).await.unwrap()[0].state, "done");
    })
    .await;
}

#[tokio::test]
async fn s10_the_sessions_of_a_silent_node_end_and_a_late_word_of_it_is_void() {
    on_both(async |world| {
        let (old, new, call, session) = scene(world).await;
        old.beat(now()).await.unwrap();
        let others = new.beat(now()).await.unwrap();
        let (node, beats) = others.into_iter().find(|(node, _)| *node == old.node).unwrap();
        assert!(!new.bury(node, beats - 1).await.unwrap(), "it has counted on");
        assert_eq!(outcomes(&new).await, [None]);
        assert!(new.bury(node, beats).await.unwrap());
        assert!(!new.bury(node, beats).await.unwrap(), "it is done once");
        assert_eq!(outcomes(&new).await, [Some("interrupted".to_owned())]);
        assert_fenced(&old, session, call).await;
        old.beat(now()).await.unwrap();
        assert!(new.beat(now()).await.unwrap().iter().any(|(node, _)| *node == old.node), "it lives again");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_was_begun_with_what_another_has_changed_since_does_not_open() {
    on_both(async |world| {
        let (old, new, _, _) = scene(world).await;
        assert!(new.recall(identity(1).as_str()).await.unwrap().unwrap().is_held);
        new.take_over(identity(1).to_string(), now()).await.unwrap();
        let recalled = new.recall(identity(1).as_str()).await.unwrap().unwrap();
        assert!(!recalled.is_held);
        let stale = Opening { stored: Some(Box::new(recalled.row)), ..opening(&identity(1)) };
        old.open_session(opening(&identity(1))).await.unwrap();
        let refused = new.open_session(stale).await;
        assert!(matches!(refused, Err(StoreError::Overtaken)), "{refused:?}");
        assert_eq!(outcomes(&new).await, [None, Some("replaced".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_stops_leaves_nothing_open_and_no_other_node_s_session_ends() {
    let Some(world) = World::server() else { return };
    let (old, new, ..) = scene(&world).await;
    new.close().await;
    let third = world.open().await;
    assert_eq!(outcomes(&third).await, [None], "neither a stop nor a start is another node's end");
    old.close().await;
    assert_eq!(outcomes(&third).await, [Some("interrupted".to_owned())]);
    assert_eq!(third.beat(now()).await.unwrap(), [], "nobody else is there");
}
