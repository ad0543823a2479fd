//! What a listener gets, and when it is cut. On a store of its own.

use profile::Identity;

use super::*;
use crate::store::{Act, Condition, Whose};
use crate::store::{Binding, Place};

struct World {
    store: Store,
    feed: Feed,
    _folder: tempfile::TempDir,
}

async fn world(patience: Duration) -> World {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("hearth.sqlite3"));
    let store = Store::open(&place, Arc::new(())).await.unwrap();
    World { store, feed: Feed { patience, ..Feed::default() }, _folder: folder }
}

impl World {
    /// Has `count` events happen.
    async fn happen(&self, count: usize) {
        for _ in 0..count {
            let template = crate::template::Template::default();
            let act = Act { author: String::new(), reason: String::new(), at: crate::store::at(5) };
            self.store
                .save(Whose::Fleet("t".to_owned()), &template, act, Condition::default())
                .await
                .unwrap();
        }
        self.feed.see(self.store.outbox_ends().await.unwrap());
    }

    async fn listen(&self, after: Option<i64>, kinds: &[Kind]) -> mpsc::Receiver<Item> {
        self.feed.listen(self.store.clone(), after, kinds.iter().copied().collect()).await.unwrap().unwrap()
    }
}

fn number(item: Option<Item>) -> Option<i64> {
    match item? {
        Item::Event(row) => Some(row.sequence),
        Item::Gap(after) => Some(-after),
    }
}

#[tokio::test]
async fn a_listener_hears_what_it_wants_from_where_it_was() {
    let world = world(SLOW).await;
    world.happen(2).await;
    let (mut late, mut new) = (world.listen(Some(1), &[]).await, world.listen(None, &[]).await);
    let mut picky = world.listen(Some(0), &[Kind::DeviceAdmitted]).await;
    assert_eq!(number(late.recv().await), Some(2));
    world.happen(1).await;
    assert_eq!((number(late.recv().await), number(new.recv().await)), (Some(3), Some(3)));
    let identity = Identity::parse("00005e005301.hnb.example").unwrap();
    let binding = Binding { oui: "00005E".to_owned(), product_class: "C".to_owned(), serial: "1".to_owned() };
    world.store.admit(vec![(identity, binding)], false, crate::store::at(6)).await.unwrap();
    world.happen(0).await;
    assert_eq!(number(picky.recv().await), Some(4));
}

#[tokio::test]
async fn who_comes_too_late_is_told_of_the_gap() {
    let world = world(SLOW).await;
    world.happen(5).await;
    assert_eq!(world.store.trim_outbox(2, crate::store::at(0)).await.unwrap(), 3);
    let mut late = world.listen(Some(1), &[]).await;
    let heard = [number(late.recv().await), number(late.recv().await), number(late.recv().await)];
    assert_eq!(heard, [Some(-3), Some(4), Some(5)]);
    let mut in_time = world.listen(Some(3), &[]).await;
    assert_eq!(number(in_time.recv().await), Some(4));
    // A number that nobody gave: the database was brought back from a backup.
    let mut ahead = world.listen(Some(900), &[]).await;
    assert_eq!(number(ahead.recv().await), Some(-5));
}

#[tokio::test]
async fn who_is_too_slow_is_cut_and_its_place_is_free() {
    let world = world(Duration::from_millis(1)).await;
    world.happen(BUFFER + 2).await;
    let mut slow = world.listen(Some(0), &[]).await;
    // The place comes back when the listener was given up, with nobody reading.
    let all = u32::try_from(LISTENERS_MAX).unwrap();
    drop(Arc::clone(&world.feed.places).acquire_many_owned(all).await.unwrap());
    let mut heard = 0;
    while slow.recv().await.is_some() {
        heard += 1;
    }
    assert_eq!(heard, BUFFER);
}

#[tokio::test]
async fn listeners_are_bounded_and_end_with_the_server() {
    let world = world(SLOW).await;
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS_MAX {
        listeners.push(world.listen(None, &[]).await);
    }
    assert!(world.feed.listen(world.store.clone(), None, BTreeSet::new()).await.unwrap().is_none());
    let (over, shutdown) = watch::channel(false);
    let watching = tokio::spawn(world.feed.clone().watch(world.store.clone(), shutdown));
    over.send_replace(true);
    watching.await.unwrap();
    for mut listener in listeners {
        assert_eq!(listener.recv().await, None);
    }
}
