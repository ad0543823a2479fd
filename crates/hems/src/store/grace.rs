//! What operators decided about stale revocation lists: nothing of it is ever changed or forgotten. (A-11, decision 8)

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms, query, query_as};

/// One act: from then on the lists of an anchor count until that time.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct GraceRow {
    pub(crate) anchor: String,
    pub(crate) until_at: i64,
    pub(crate) reason: String,
    pub(crate) made_by: String,
    pub(crate) made_at: i64,
}

impl GraceRow {
    /// An act of this moment.
    pub(crate) fn new(
        anchor: String,
        until: Timestamp,
        reason: String,
        made_by: &str,
        now: Timestamp,
    ) -> Self {
        Self { anchor, until_at: ms(until), reason, made_by: made_by.to_owned(), made_at: ms(now) }
    }
}

impl Store {
    /// Every act, the newest first.
    pub(crate) async fn graces(&self) -> Result<Vec<GraceRow>, StoreError> {
        Ok(query_as("SELECT * FROM grace ORDER BY made_at DESC, anchor").fetch_all(&self.reads).await?)
    }

    /// Puts an act on record.
    pub(crate) async fn extend_grace(&self, row: GraceRow) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { record(tx, &row).await })).await
    }
}

/// Two acts of one moment are one: the later says what counts.
async fn record(tx: &mut Tx, row: &GraceRow) -> Result<(), StoreError> {
    query(
        "INSERT INTO grace (anchor, until_at, reason, made_by, made_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (anchor, made_at) DO UPDATE SET until_at = excluded.until_at, reason = excluded.reason",
    )
    .bind(&row.anchor)
    .bind(row.until_at)
    .bind(&row.reason)
    .bind(&row.made_by)
    .bind(row.made_at)
    .execute(tx)
    .await?;
    Ok(())
}
