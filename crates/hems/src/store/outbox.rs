//! The outbox: what happened, in the order in which it became true. What the types mean is [`event`](crate::event)'s.
//!
//! ```text
//!   trimmed ◀── gone ──┤ rows ├── newest         who has seen less than `trimmed` has missed something
//! ```
//!
//! Of the nodes one writes at a time, so that a number that is seen is never followed by a smaller one.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms, query, query_as};
use crate::event::Kind;

/// Rows that one trim removes: nobody waits for the writer longer than for a large commit.
const TRIM_MAX: i64 = 10_000;
/// The mark of the last event that is gone.
const TRIMMED: &str = "trimmed";

/// An event that is kept.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct OutboxRow {
    pub(crate) sequence: i64,
    #[sqlx(rename = "type")]
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) at: i64,
    /// JSON.
    pub(crate) body: String,
}

/// The ends of what is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The last event that is gone.
    pub(crate) trimmed: i64,
    /// The last event.
    pub(crate) newest: i64,
}

impl Store {
    /// Where the outbox begins and ends.
    pub(crate) async fn outbox_ends(&self) -> Result<Ends, StoreError> {
        let (trimmed, newest): (i64, i64) = query_as(
            "SELECT COALESCE((SELECT value FROM mark WHERE name = 'trimmed'), 0), \
             COALESCE((SELECT max(sequence) FROM outbox), 0)",
        )
        .fetch_one(&self.reads)
        .await?;
        Ok(Ends { trimmed, newest: newest.max(trimmed) })
    }

    /// The events after a number, the oldest first.
    pub(crate) async fn outbox_after(&self, after: i64, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        let query = query_as("SELECT * FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT $2");
        Ok(query.bind(after).bind(limit).fetch_all(&self.reads).await?)
    }

    /// Forgets events beyond a number of rows and before a time, a bounded number at once; how many are gone.
    pub(crate) async fn trim_outbox(&self, rows: i64, before: Timestamp) -> Result<i64, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { trim(tx, rows, ms(before)).await })).await
    }

    /// How far somebody has come; nothing where they never were there.
    pub(crate) async fn mark(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let query = query_as("SELECT value FROM mark WHERE name = $1").bind(name);
        Ok(query.fetch_optional(&self.reads).await?.map(|(value,): (i64,)| value))
    }

    /// Writes how far somebody has come.
    pub(crate) async fn set_mark(&self, name: &'static str, value: i64) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { set_mark(tx, name, value).await })).await
    }

    /// When the oldest event happened that some webhook, or NATS where it is on, has not been handed.
    pub(crate) async fn oldest_waiting(&self, has_nats: bool) -> Result<Option<i64>, StoreError> {
        let query = query_as(
            "SELECT at FROM outbox WHERE sequence > (SELECT min(position) FROM ( \
             SELECT position FROM webhook WHERE state = 'active' \
             UNION ALL SELECT COALESCE((SELECT value FROM mark WHERE name = 'nats'), 0) WHERE $1 <> 0) AS listeners) \
             ORDER BY sequence LIMIT 1",
        );
        Ok(query.bind(has_nats).fetch_optional(&self.reads).await?.map(|(at,): (i64,)| at))
    }
}

/// Writes an event beside the fact that it tells.
pub(super) async fn tell(
    tx: &mut Tx,
    kind: Kind,
    subject: &str,
    now: i64,
    data: &Value,
) -> Result<(), StoreError> {
    query("INSERT INTO outbox (type, subject, at, body) VALUES ($1, $2, $3, $4)")
        .bind(kind.name())
        .bind(subject)
        .bind(now)
        .bind(data.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

async fn trim(tx: &mut Tx, rows: i64, before: i64) -> Result<i64, StoreError> {
    let (oldest, newest, aged): (i64, i64, i64) = query_as(
        "SELECT COALESCE(min(sequence), 0), COALESCE(max(sequence), 0), \
         COALESCE((SELECT sequence FROM outbox WHERE at < $1 ORDER BY at DESC, sequence DESC LIMIT 1), 0) FROM outbox",
    )
    .bind(before)
    .fetch_one(&mut *tx)
    .await?;
    let last = newest.saturating_sub(rows).max(aged).min(oldest.saturating_add(TRIM_MAX - 1));
    if oldest == 0 || last < oldest {
        return Ok(0);
    }
    let gone = query("DELETE FROM outbox WHERE sequence <= $1").bind(last).execute(&mut *tx).await?;
    set_mark(tx, TRIMMED, last).await?;
    Ok(i64::try_from(gone.rows_affected()).unwrap_or(i64::MAX))
}

/// Who lost its turn and speaks late takes nothing back: a mark only moves on.
async fn set_mark(tx: &mut Tx, name: &str, value: i64) -> Result<(), StoreError> {
    query(
        "INSERT INTO mark (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE excluded.value > mark.value",
    )
    .bind(name)
    .bind(value)
    .execute(tx)
    .await?;
    Ok(())
}
