//! The nodes that serve one database, a row each while they run.
//!
//! ```text
//!   join ──▶ beat, beat, … ──┬─▶ leave                                 (it stopped)
//!                            └─▶ silence ──▶ bury, by any other node   (it died)
//! ```
//!
//! Whether a node lives goes by no clock that nodes share: a beat is a count, and who waits for the next one has a
//! clock of its own. Whose a [job](super::job) is does go by their clocks, which have to agree within some seconds. A
//! file belongs to one process, which finds there only the dead.

use jiff::Timestamp;

use super::{Place, Store, StoreError, Tx, lease, ms, query, query_as};

impl Store {
    /// Says that this node lives; gives the number and the count of every other.
    pub(crate) async fn beat(&self, now: Timestamp) -> Result<Vec<(i64, i64)>, StoreError> {
        let node = self.node;
        self.writer.commit(move |tx| Box::pin(async move { beat(tx, node, ms(now)).await })).await
    }

    /// Takes a node for dead unless it has counted on, and ends its sessions; whether it was so.
    pub(crate) async fn bury(&self, node: i64, beats: i64) -> Result<bool, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { bury(tx, node, beats).await })).await
    }

    /// Ends what this node has left open, and goes.
    pub(super) async fn leave(&self) -> Result<(), StoreError> {
        let node = self.node;
        self.writer.commit(move |tx| Box::pin(async move { remove(tx, node).await })).await
    }
}

/// A number for a node that starts.
pub(super) async fn join(tx: &mut Tx, place: &Place) -> Result<i64, StoreError> {
    if matches!(place, Place::File(_)) {
        let dead: Vec<(i64,)> = query_as("SELECT id FROM node").fetch_all(&mut *tx).await?;
        for (node,) in dead {
            remove(tx, node).await?;
        }
    }
    let (node,): (i64,) =
        query_as("INSERT INTO node (beats) VALUES (0) RETURNING id").fetch_one(&mut *tx).await?;
    Ok(node)
}

/// A node that was buried alive is there again with its next beat; the sessions that it had are over.
async fn beat(tx: &mut Tx, node: i64, now: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    query(
        "INSERT INTO node (id, beats, seen_at) VALUES ($1, 1, $2) \
         ON CONFLICT (id) DO UPDATE SET beats = node.beats + 1, seen_at = excluded.seen_at",
    )
    .bind(node)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    Ok(query_as("SELECT id, beats FROM node WHERE id <> $1 ORDER BY id").bind(node).fetch_all(tx).await?)
}

async fn bury(tx: &mut Tx, node: i64, beats: i64) -> Result<bool, StoreError> {
    let query = query_as("SELECT id FROM node WHERE id = $1 AND beats = $2").bind(node).bind(beats);
    let silent: Option<(i64,)> = query.fetch_optional(&mut *tx).await?;
    if silent.is_some() {
        remove(tx, node).await?;
    }
    Ok(silent.is_some())
}

async fn remove(tx: &mut Tx, node: i64) -> Result<(), StoreError> {
    lease::interrupt(tx, node).await?;
    query("DELETE FROM node WHERE id = $1").bind(node).execute(tx).await?;
    Ok(())
}
