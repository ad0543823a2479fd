//! Recordings and the orders for them: counted down with what was recorded, bounded, and gone in time.

use jiff::SignedDuration;

use super::*;
use crate::recording::{ORDERS_MAX, Recording};

fn order(identity: &str, sessions: u32) -> NewOrder {
    let until = now() + SignedDuration::from_hours(1);
    NewOrder { identity: identity.to_owned(), sessions, until, author: "ann".to_owned(), at: now() }
}

/// A recorded session of cell 1.
async fn record(store: &Store, text: &str) -> i64 {
    let session = store.open_session(opening(&identity(1))).await.unwrap();
    let mut recording = Recording::default();
    recording.add_garbled(now(), text);
    let closing = Closing {
        identity: identity(1).to_string(),
        session,
        at: now(),
        outcome: COMPLETED,
        messages: 1,
        misbehaviour: vec![],
        device: None,
        recording: Some(Box::new(recording)),
    };
    store.close_session(closing).await.unwrap();
    session
}

async fn sessions_left(store: &Store) -> Option<i64> {
    let order = store.recording_order(identity(1).as_str(), now()).await.unwrap();
    order.map(|order| order.sessions)
}

#[tokio::test]
async fn an_order_is_counted_down_by_what_is_recorded_and_only_so_many_devices_wait() {
    on_both(async |world| {
        let store = world.open().await;
        assert!(store.order_recording(order(identity(1).as_str(), 2)).await.unwrap());
        record(&store, "a").await;
        assert_eq!(sessions_left(&store).await, Some(1));
        record(&store, "b").await;
        assert_eq!(sessions_left(&store).await, None);
        for number in 0..ORDERS_MAX {
            assert!(store.order_recording(order(&format!("cell {number}"), 1)).await.unwrap());
        }
        assert!(!store.order_recording(order("one more", 1)).await.unwrap());
        assert!(store.order_recording(order("cell 7", 3)).await.unwrap(), "a newer order of the same device");
        store.withdraw_recording("cell 7".to_owned()).await.unwrap();
        assert!(store.order_recording(order("one more", 1)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_oldest_recordings_go_first_and_all_of_them_in_time() {
    on_both(async |world| {
        let store = world.open().await;
        let before = now() - SignedDuration::from_secs(1);
        let mut ids = Vec::new();
        for text in ["a", "b", "c", "d"] {
            ids.push(record(&store, text).await);
        }
        let bytes = store.recording(ids[0], before).await.unwrap().unwrap().bytes;
        let left = async |store: &Store| {
            let mut left = Vec::new();
            for id in &ids {
                left.push(store.recording(*id, before).await.unwrap().is_some());
            }
            left
        };
        store.trim_recordings(i64::MAX, 3).await.unwrap();
        assert_eq!(left(&store).await, [false, true, true, true]);
        store.trim_recordings(2 * bytes, i64::MAX).await.unwrap();
        assert_eq!(left(&store).await, [false, false, true, true]);
        let said = store.recorded(ids[3]).await.unwrap().unwrap();
        assert_eq!(said.messages[0].note.as_deref(), Some("no message: d"));
        assert!(store.recording(ids[3], now()).await.unwrap().is_none(), "it is over");
        store.sweep_recordings(now(), now()).await.unwrap();
        assert_eq!(left(&store).await, [false; 4]);
    })
    .await;
}
