//! A cell that takes another's place has everything of that place, on both databases, or nothing of it.

use super::*;
use crate::{
    blocks::{Kind, Rule},
    inventory::Place,
    store::swap::SwapError,
    template::Template,
};

fn act() -> Act {
    Act { author: "test".to_owned(), reason: String::new(), at: now() }
}

fn block(number: u8) -> BlockRow {
    let rule = Rule::parse(Kind::Identity, identity(number).as_str()).unwrap();
    BlockRow::new(&rule, "replaced", "test", now())
}

async fn own(store: &Store, number: u8) -> usize {
    store.versions(&Whose::Device(identity(number).to_string())).await.unwrap().len()
}

#[tokio::test]
async fn o02_a_swap_moves_place_values_and_draws_and_blocks_the_old_cell() {
    on_both(async |world| {
        let store = world.open().await;
        let (old, new) = (identity(1).to_string(), identity(2).to_string());
        let rows = vec![(identity(1), binding("S1")), (identity(2), binding("S2"))];
        store.admit(rows, false, now()).await.unwrap();
        let place = Place { site: Some("north".to_owned()), ..Place::default() };
        let place = Place {
            tags: ["roof".to_owned()].into(),
            labels: BTreeMap::from([("rack".to_owned(), "7".to_owned())]),
            ..place
        };
        let condition = Condition::default();
        let to = Move { identity: old.clone(), place: place.clone(), condition, spends: None, at: now() };
        assert!(store.place(to).await.unwrap());
        store
            .put_pool("pci".to_owned(), Pool { first: 5, last: 9 }, now(), Condition::default())
            .await
            .unwrap();
        assert_eq!(store.draw("pci", &old, now()).await.unwrap(), Ok(5));
        assert_eq!(store.draw("pci", &new, now()).await.unwrap(), Ok(6));
        let whose = Whose::Device(old.clone());
        store.save(whose, &Template::default(), act(), Condition::default()).await.unwrap();

        let lock = NewCall { method: "Lock".to_owned(), body: String::new(), ..reboot(&old) };
        store.queue_call(lock).await.unwrap().unwrap();

        store.swap(old.clone(), new.clone(), block(1), None).await.unwrap().unwrap();
        assert_eq!(store.calls(&old).await.unwrap()[0].state, "failed", "nobody carries it out");
        let moved = store.device(&new).await.unwrap().unwrap();
        let left = store.device(&old).await.unwrap().unwrap();
        assert_eq!((moved.place().unwrap(), left.place().unwrap()), (place, Place::default()));
        assert!(left.is_blocked && !moved.is_blocked);
        assert_eq!(store.drawn("pci", &new).await.unwrap(), Some(5));
        assert_eq!(store.drawn("pci", &old).await.unwrap(), None);
        assert_eq!((own(&store, 1).await, own(&store, 2).await), (0, 1));
        assert_eq!(
            store.draw("pci", "another", now()).await.unwrap(),
            Ok(6),
            "what the new cell had is free"
        );
    })
    .await;
}

#[tokio::test]
async fn o02_a_swap_that_cannot_be_changes_nothing() {
    on_both(async |world| {
        let store = world.open().await;
        let (old, new) = (identity(1).to_string(), identity(2).to_string());
        let rows = vec![(identity(1), binding("S1")), (identity(2), binding("S2"))];
        store.admit(rows, false, now()).await.unwrap();
        for whose in [&old, &new] {
            store
                .save(Whose::Device(whose.clone()), &Template::default(), act(), Condition::default())
                .await
                .unwrap();
        }
        let swapped = store.swap(old.clone(), new.clone(), block(1), None).await.unwrap();
        assert_eq!(swapped, Err(SwapError::HasValues));
        let swapped = store.swap(old.clone(), "nobody".to_owned(), block(1), None).await.unwrap();
        assert_eq!(swapped, Err(SwapError::Gone));
        assert!(store.blocks().await.unwrap().is_empty());
        assert_eq!((own(&store, 1).await, own(&store, 2).await), (1, 1));
    })
    .await;
}
