//! Refusals: aggregated by reason, issuer and network, capped, and lossy by count. (decision 21)

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms, query, query_as};

/// Rows kept: a screenful per reason; whoever makes more drives out the oldest, not the disk.
const REFUSALS_MAX: i64 = 1000;

/// Refusals of one kind, as counted before they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusalEntry {
    pub(crate) reason: &'static str,
    pub(crate) issuer: String,
    pub(crate) network: String,
    pub(crate) count: i64,
    pub(crate) detail: String,
    /// The certificate's facts as JSON; hostile text.
    pub(crate) certificate: Option<String>,
}

/// Refusals of one kind.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct RefusalRow {
    pub(crate) reason: String,
    pub(crate) issuer: String,
    pub(crate) network: String,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) count: i64,
    pub(crate) detail: String,
    pub(crate) certificate: Option<String>,
}

impl Store {
    /// Adds refusals to what is counted.
    pub(crate) async fn refuse(&self, entries: Vec<RefusalEntry>, now: Timestamp) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { write(tx, &entries, ms(now)).await })).await
    }

    /// The refusals, newest first.
    pub(crate) async fn refusals(&self, limit: u32) -> Result<Vec<RefusalRow>, StoreError> {
        let query = query_as("SELECT * FROM refusal ORDER BY last_at DESC, reason, issuer, network LIMIT $1");
        Ok(query.bind(limit).fetch_all(&self.reads).await?)
    }
}

async fn write(tx: &mut Tx, entries: &[RefusalEntry], now: i64) -> Result<(), StoreError> {
    for entry in entries {
        query(
            "INSERT INTO refusal (reason, issuer, network, first_at, last_at, count, detail, certificate) \
             VALUES ($1, $2, $3, $4, $4, $5, $6, $7) \
             ON CONFLICT (reason, issuer, network) DO UPDATE SET last_at = excluded.last_at, \
             count = refusal.count + excluded.count, detail = excluded.detail, certificate = excluded.certificate",
        )
        .bind(entry.reason)
        .bind(&entry.issuer)
        .bind(&entry.network)
        .bind(now)
        .bind(entry.count)
        .bind(&entry.detail)
        .bind(&entry.certificate)
        .execute(&mut *tx)
        .await?;
    }
    query(
        "DELETE FROM refusal WHERE last_at < \
         (SELECT last_at FROM refusal ORDER BY last_at DESC LIMIT 1 OFFSET $1)",
    )
    .bind(REFUSALS_MAX - 1)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
