//! Handshakes in progress, oldest first: when all places are taken, the oldest gives way, and nobody waits.
//!
//! A peer without a certificate may be silent for as long as a handshake may take; that costs memory, no time of a
//! core. A place that waited for its turn would let a few such strangers lock every cell out. A cell is done within
//! a few round trips, so to push it out somebody must open as many connections as there are places in that time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// The places of the handshakes.
pub(super) struct Queue {
    places: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    /// By number, so by age; who drops a sender asks its handshake to give way.
    handshakes: BTreeMap<u64, oneshot::Sender<()>>,
}

/// The place of one handshake; dropping it makes it free.
pub(super) struct Place<'q> {
    queue: &'q Queue,
    number: u64,
    given: oneshot::Receiver<()>,
}

impl Queue {
    /// A queue with so many places, at least one.
    pub(super) fn new(places: usize) -> Self {
        Self { places: places.max(1), taken: Mutex::default() }
    }

    /// Takes a place, the oldest one where none is free.
    pub(super) fn enter(&self) -> Place<'_> {
        let mut taken = self.taken();
        while taken.handshakes.len() >= self.places {
            taken.handshakes.pop_first();
        }
        let (sender, given) = oneshot::channel();
        let number = taken.next;
        taken.next += 1;
        taken.handshakes.insert(number, sender);
        Place { queue: self, number, given }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Ready once a newer handshake has this place.
    pub(super) async fn gave_way(&mut self) {
        let _ = (&mut self.given).await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.taken().handshakes.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_gives_way_and_the_others_stay() {
        let queue = Queue::new(2);
        let (mut first, mut second) = (queue.enter(), queue.enter());
        assert!(second.given.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        let _third = queue.enter();
        first.gave_way().await;
        assert!(second.given.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        drop(first);
        drop(second);
        let _fourth = queue.enter();
        assert_eq!(queue.taken().handshakes.len(), 2, "a place comes free by itself");
    }
}
