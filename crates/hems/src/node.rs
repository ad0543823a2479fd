//! Which nodes live: this one says that it does, and listens to the others.
//!
//! ```text
//!   every BEAT: say "I live" ─┬─▶ who has not counted on for SILENCE, by our clock ─▶ dead: its sessions end
//!                             └─▶ take up what operators blocked elsewhere
//! ```
//!
//! A cell need not wait for that: where it comes, its session is taken over at once.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{Hems, store::StoreError};

/// How often a node says that it lives: each word is a flush to the disk.
const BEAT: Duration = Duration::from_secs(5);
/// For how long a node may say nothing: three words may be lost, and a commit may wait for its turn in between.
const SILENCE: Duration = Duration::from_secs(20);

/// What was heard of the other nodes: how far each has counted, and since when.
#[derive(Default)]
struct Others {
    heard: BTreeMap<i64, (i64, Instant)>,
}

impl Others {
    /// Takes in what is there now; gives those that stood still for too long.
    fn hear(&mut self, rows: &[(i64, i64)], now: Instant) -> Vec<(i64, i64)> {
        let since = |(node, beats): &(i64, i64)| match self.heard.get(node) {
            Some((before, since)) if before == beats => *since,
            _ => now,
        };
        self.heard = rows.iter().map(|row| (row.0, (row.1, since(row)))).collect();
        let silent = self.heard.iter().filter(|(_, (_, since))| now.duration_since(*since) >= SILENCE);
        silent.map(|(node, (beats, _))| (*node, *beats)).collect()
    }
}

/// Works until the server shuts down.
pub(crate) async fn run(hems: Arc<Hems>, mut shutdown: watch::Receiver<bool>) {
    let mut others = Others::default();
    loop {
        if let Err(error) = round(&hems, &mut others).await {
            tracing::warn!(%error, "the other nodes do not hear of this one");
        }
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            _ = shutdown.wait_for(|is_over| *is_over) => return,
        }
    }
}

async fn round(hems: &Hems, others: &mut Others) -> Result<(), StoreError> {
    let rows = hems.store.beat(hems.now()).await?;
    for (node, beats) in others.hear(&rows, Instant::now()) {
        if hems.store.bury(node, beats).await? {
            tracing::warn!(node, "a node is dead; its sessions are over");
        }
    }
    hems.reload_blocks().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_node_that_stands_still_is_silent_and_by_our_clock() {
        let (mut others, start) = (Others::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(others.hear(&[(1, 7), (2, 7)], start), []);
        assert_eq!(others.hear(&[(1, 7), (2, 8)], after(19)), []);
        assert_eq!(others.hear(&[(1, 7), (2, 9)], after(20)), [(1, 7)]);
        assert_eq!(others.hear(&[(1, 8), (2, 9)], after(39)), [], "it spoke after all");
        assert_eq!(others.hear(&[(2, 9)], after(60)), [(2, 9)]);
    }
}
