//! The lease of a device: its open session. Of one identity one is open on all nodes together, and whatever a session
//! writes is written only while it still is.
//!
//! ```text
//!   open ──▶ held ─┬─▶ ended by itself
//!                  ├─▶ `replaced`: its cell came again, to whichever node
//!                  └─▶ `interrupted`: its node is dead, or forgot it
//! ```

use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms, outbox, query_as};
use crate::event::Kind;

/// A session that ended without its own word.
#[derive(FromRow)]
struct Ended {
    id: i64,
    identity: String,
    ended_at: i64,
    outcome: String,
}

impl Store {
    /// Ends whatever session of an identity is open, so that nothing of the device changes any more behind the back of
    /// the one that begins.
    pub(crate) async fn take_over(&self, identity: String, now: jiff::Timestamp) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { replace(tx, &identity, ms(now)).await })).await
    }
}

/// Whether the session still holds its device.
///
/// # Errors
/// [`StoreError::Overtaken`] where it does not.
pub(super) async fn hold(tx: &mut Tx, session: i64) -> Result<(), StoreError> {
    let query = query_as("SELECT id FROM session WHERE id = $1 AND ended_at IS NULL").bind(session);
    let held: Option<(i64,)> = query.fetch_optional(tx).await?;
    held.map(drop).ok_or(StoreError::Overtaken)
}

/// Ends the open session of an identity for a newer one.
pub(super) async fn replace(tx: &mut Tx, identity: &str, now: i64) -> Result<(), StoreError> {
    let query = query_as(
        "UPDATE session SET ended_at = $2, outcome = 'replaced' WHERE identity = $1 AND ended_at IS NULL \
         RETURNING id, identity, ended_at, outcome",
    );
    let ended = query.bind(identity).bind(now).fetch_all(&mut *tx).await?;
    tell(tx, ended).await
}

/// Ends the open sessions of a dead node. When each ended nobody knows: it counts from its beginning.
pub(super) async fn interrupt(tx: &mut Tx, node: i64) -> Result<(), StoreError> {
    let query = query_as(
        "UPDATE session SET ended_at = started_at, outcome = 'interrupted' WHERE node = $1 AND ended_at IS NULL \
         RETURNING id, identity, ended_at, outcome",
    );
    let ended = query.bind(node).fetch_all(&mut *tx).await?;
    tell(tx, ended).await
}

async fn tell(tx: &mut Tx, ended: Vec<Ended>) -> Result<(), StoreError> {
    for Ended { id, identity, ended_at, outcome } in ended {
        let data = serde_json::json!({"session": id, "outcome": outcome, "messages": 0});
        outbox::tell(tx, Kind::SessionClosed, &identity, ended_at, &data).await?;
    }
    Ok(())
}
