//! Who is meant by a filter is listed as it was at one moment, and the list says when it is whole.

use super::*;
use crate::{filter::Filter, inventory::Roll};

/// More than one commit takes.
const CELLS: usize = 1_203;

async fn run(store: &Store, sql: &'static str) {
    let done =
        store.writer.commit(move |tx| Box::pin(async move { Ok(query(sql).execute(tx).await.map(drop)?) }));
    done.await.unwrap();
}

/// Cells that called one after the other within the last minutes.
async fn calling(store: &Store) {
    let rows = (0..CELLS).map(|number| {
        let identity = Identity::parse(&format!("{number:012x}.hnb.example")).unwrap();
        (identity, binding(&number.to_string()))
    });
    store.admit(rows.collect(), true, now()).await.unwrap();
    let called = "UPDATE device SET software = '1.' || serial, \
                  last_inform_at = 1699999000000 + CAST(serial AS BIGINT)";
    run(store, called).await;
}

#[tokio::test]
async fn o05_a_roll_has_each_device_once_that_was_meant_whoever_calls_meanwhile() {
    on_both(async |world| {
        let store = world.open().await;
        for text in ["last_inform > now-1h", "software : \"1.\""] {
            run(&store, "DELETE FROM device").await;
            calling(&store).await;
            let filter = Filter::parse(text).unwrap();
            let mut roll = Roll::begin(&store, &filter, now()).await.unwrap();
            let mut met = roll.next().await.unwrap();
            assert!((1_000..CELLS).contains(&met.len()), "{}", met.len());
            // Half of them move ahead on their way, or behind it, and the others leave.
            let calls = "UPDATE device SET last_inform_at = last_inform_at + 500, \
                         software = CASE WHEN software < '1.5' THEN '1.99' ELSE '1.0' END \
                         WHERE CAST(serial AS BIGINT) % 2 = 0";
            run(&store, calls).await;
            let leaves = "UPDATE device SET last_inform_at = 0, software = '2' \
                          WHERE CAST(serial AS BIGINT) % 2 = 1";
            run(&store, leaves).await;
            met.extend(roll.next().await.unwrap());
            assert!(roll.next().await.unwrap().is_empty());
            met.sort();
            let expected: Vec<_> = (0..CELLS).map(|number| format!("{number:012x}.hnb.example")).collect();
            assert_eq!(met, expected, "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn o05_a_device_is_named_once_and_an_emergency_is_listed_when_somebody_says_so() {
    on_both(async |world| {
        let store = world.open().await;
        let act = Act { author: "ann".to_owned(), reason: "smoke".to_owned(), at: now() };
        let id = store.order_radio_off(String::new(), act).await.unwrap();
        let shown = async || store.emergency(id).await.unwrap().unwrap();
        assert_eq!((shown().await.devices, shown().await.listed_at), (0, None));
        let one = |number| identity(number).to_string();
        store.shut(id, vec![one(1), one(2), one(1)]).await.unwrap();
        store.shut(id, vec![one(2), one(3)]).await.unwrap();
        assert_eq!((shown().await.devices, shown().await.listed_at), (3, None));
        store.listed(id, now()).await.unwrap();
        assert_eq!(shown().await.listed_at, Some(ms(now())));
    })
    .await;
}

#[tokio::test]
async fn o04_devices_of_an_action_are_listed_once_and_none_after_it_began() {
    on_both(async |world| {
        let store = world.open().await;
        let new = NewAction {
            action: "{}".to_owned(),
            filter: String::new(),
            method: "Reboot".to_owned(),
            body: String::new(),
            name: "action-1".to_owned(),
            key: None,
            fleet: 3,
            days: 7,
            act: Act { author: "ann".to_owned(), reason: String::new(), at: now() },
        };
        let prepared = store.prepare_action(new).await.unwrap().unwrap();
        let list = async |numbers: [u8; 2]| {
            let identities = numbers.map(|number| identity(number).to_string()).to_vec();
            store.list_for_action(prepared.id, identities).await.unwrap();
        };
        let begin =
            async || store.begin_action(prepared.id, crate::change::BOUNDS, now()).await.unwrap().unwrap();
        list([1, 2]).await;
        list([2, 3]).await;
        assert_eq!(begin().await.matched, 3);
        list([3, 4]).await;
        let query = query_as("SELECT count(*) FROM change_device");
        let listed: (i64,) = query.fetch_one(&store.reads).await.unwrap();
        assert_eq!((begin().await.matched, listed), (3, (3,)));
    })
    .await;
}
