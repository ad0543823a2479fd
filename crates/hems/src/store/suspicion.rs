//! Suspicions that one identity is two cells. What raises one is [`clones`](crate::clones)' business.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms, query, query_as};

/// The suspicion that rests on one identity.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct SuspicionRow {
    pub(crate) identity: String,
    pub(crate) kind: String,
    pub(crate) detail: String,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) count: i64,
}

impl Store {
    /// Raises a suspicion, or adds to the one that is there.
    pub(crate) async fn suspect(
        &self,
        identity: String,
        kind: &'static str,
        detail: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| Box::pin(async move { suspect(tx, &identity, kind, &detail, ms(now)).await }))
            .await
    }

    /// Clears what an operator looked into; whether there was something.
    pub(crate) async fn clear_suspicion(&self, identity: String) -> Result<bool, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { clear(tx, &identity).await })).await
    }

    /// The suspicion of one identity.
    pub(crate) async fn suspicion(&self, identity: &str) -> Result<Option<SuspicionRow>, StoreError> {
        let query = query_as("SELECT * FROM suspicion WHERE identity = $1").bind(identity);
        Ok(query.fetch_optional(&self.reads).await?)
    }
}

async fn suspect(tx: &mut Tx, identity: &str, kind: &str, detail: &str, now: i64) -> Result<(), StoreError> {
    query(
        "INSERT INTO suspicion (identity, kind, detail, first_at, last_at, count) VALUES ($1, $2, $3, $4, $4, 1) \
         ON CONFLICT (identity) DO UPDATE SET kind = excluded.kind, detail = excluded.detail, \
         last_at = excluded.last_at, count = suspicion.count + 1",
    )
    .bind(identity)
    .bind(kind)
    .bind(detail)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

async fn clear(tx: &mut Tx, identity: &str) -> Result<bool, StoreError> {
    let query = query("DELETE FROM suspicion WHERE identity = $1").bind(identity);
    Ok(query.execute(tx).await?.rows_affected() > 0)
}
