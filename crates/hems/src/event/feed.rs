//! The feed of server-sent events: each listener reads the outbox at its own pace, and nothing is kept for it.
//!
//! ```text
//!  one look at the store's end, often ──▶ ends ──▶ listener: a page of rows ─▶ a few items ─▶ its connection
//! ```
//!
//! A listener that does not take an item in time is cut, and comes back with the last number that it saw. One whose
//! number is older than what is kept is told that there is a gap.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::timeout,
};

use super::Kind;
use crate::store::{Ends, OutboxRow, Store, StoreError};

/// How often the end of the outbox is looked at: what a person calls at once.
const LOOK: Duration = Duration::from_millis(250);
/// Listeners at a time: each costs a connection and a page of rows.
const LISTENERS_MAX: usize = 64;
/// Items that wait for one listener's connection.
const BUFFER: usize = 32;
/// Rows of one read.
const PAGE: u32 = 200;
/// How long a listener may take for one item.
const SLOW: Duration = Duration::from_secs(30);

/// What a listener gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// An event.
    Event(OutboxRow),
    /// Events after the listener's number are gone; it goes on after this one.
    Gap(i64),
}

/// What listeners are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sight {
    ends: Ends,
    is_over: bool,
}

/// The feed; clones share it.
#[derive(Clone)]
pub(crate) struct Feed {
    sight: watch::Sender<Sight>,
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Feed {
    fn default() -> Self {
        let (sight, places) = (watch::Sender::default(), Arc::new(Semaphore::new(LISTENERS_MAX)));
        Self { sight, places, patience: SLOW }
    }
}

impl Feed {
    /// Looks at the end of the outbox until the server shuts down; listeners end with it.
    pub(crate) async fn watch(self, store: Store, mut shutdown: watch::Receiver<bool>) {
        loop {
            match store.outbox_ends().await {
                Ok(ends) => self.see(ends),
                Err(error) => tracing::warn!(%error, "the feed of events rests"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = shutdown.wait_for(|is_over| *is_over) => break,
            }
        }
        self.sight.send_modify(|sight| sight.is_over = true);
    }

    fn see(&self, ends: Ends) {
        self.sight.send_if_modified(|sight| std::mem::replace(&mut sight.ends, ends) != ends);
    }

    /// The events after a number, or from now on; nothing where there are too many listeners.
    pub(crate) async fn listen(
        &self,
        store: Store,
        after: Option<i64>,
        kinds: BTreeSet<Kind>,
    ) -> Result<Option<mpsc::Receiver<Item>>, StoreError> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Ok(None) };
        let ends = store.outbox_ends().await?;
        self.see(ends);
        let names = kinds.iter().map(|kind| kind.name()).collect();
        let (items, taken) = mpsc::channel(BUFFER);
        let listener =
            Listener { store, position: after.unwrap_or(ends.newest), names, items, patience: self.patience };
        tokio::spawn(listener.serve(self.sight.subscribe(), place));
        Ok(Some(taken))
    }
}

/// One who listens.
struct Listener {
    store: Store,
    /// The last event that was seen, told or not.
    position: i64,
    /// The types that are told; empty for all.
    names: BTreeSet<&'static str>,
    items: mpsc::Sender<Item>,
    patience: Duration,
}

/// A listener that went, or is too slow.
struct Lost;

impl Listener {
    async fn serve(mut self, mut sight: watch::Receiver<Sight>, _place: OwnedSemaphorePermit) {
        loop {
            let seen = *sight.borrow_and_update();
            if seen.is_over || self.go_on(seen.ends).await.is_err() {
                return;
            }
            tokio::select! {
                changed = sight.changed() => if changed.is_err() { return },
                () = self.items.closed() => return,
            }
        }
    }

    /// Tells all up to the end.
    async fn go_on(&mut self, ends: Ends) -> Result<(), Lost> {
        if self.position > ends.newest {
            // The database is older than the listener: it was brought back from a backup.
            self.skip_to(ends.newest).await?;
        }
        while self.position < ends.newest {
            let rows = match self.store.outbox_after(self.position, PAGE).await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(%error, "a listener waits for events");
                    return Ok(());
                }
            };
            // After the rows, so that what is trimmed in between is not passed over in silence.
            let trimmed = self.store.outbox_ends().await.map_or(ends.trimmed, |ends| ends.trimmed);
            if self.position < trimmed {
                self.skip_to(trimmed).await?;
                continue;
            }
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                self.position = row.sequence;
                if self.names.is_empty() || self.names.contains(row.kind.as_str()) {
                    self.give(Item::Event(row)).await?;
                }
            }
        }
        Ok(())
    }

    async fn skip_to(&mut self, position: i64) -> Result<(), Lost> {
        self.position = position;
        self.give(Item::Gap(position)).await
    }

    async fn give(&self, item: Item) -> Result<(), Lost> {
        match timeout(self.patience, self.items.send(item)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Lost),
        }
    }
}

#[cfg(test)]
mod tests;
