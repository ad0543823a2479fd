//! Misbehaviour of peers: counted per device and kind, never answered by more than the standard asks.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms, query, query_as};

/// How often a device misbehaved in one way.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct MisbehaviourRow {
    pub(crate) kind: String,
    pub(crate) count: i64,
    pub(crate) last_at: i64,
}

impl Store {
    /// Counts one misbehaviour; kinds are names of ours, so that their number is bounded.
    pub(crate) async fn count_misbehaviour(
        &self,
        identity: String,
        kind: &'static str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { count(tx, &identity, kind, ms(now)).await })).await
    }

    /// How a device misbehaved.
    pub(crate) async fn misbehaviour(&self, identity: &str) -> Result<Vec<MisbehaviourRow>, StoreError> {
        let query =
            query_as("SELECT kind, count, last_at FROM misbehaviour WHERE identity = $1 ORDER BY kind");
        Ok(query.bind(identity).fetch_all(&self.reads).await?)
    }
}

/// Counts one.
pub(super) async fn count(tx: &mut Tx, identity: &str, kind: &str, now: i64) -> Result<(), StoreError> {
    query(
        "INSERT INTO misbehaviour (identity, kind, count, last_at) VALUES ($1, $2, 1, $3) \
         ON CONFLICT (identity, kind) DO UPDATE SET count = misbehaviour.count + 1, last_at = excluded.last_at",
    )
    .bind(identity)
    .bind(kind)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}
