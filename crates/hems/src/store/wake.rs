//! Devices that are asked for a session until one comes: one row of each, which ends with the session.
//!
//! ```text
//!  a call [`WAKE`](call::WAKE) is queued ─▶ row ─▶ claimed: the calls are `sent` ─┬─ its session ─▶ gone, calls done
//!                                            ▲                                    └─ next ─▶ gone, calls failed
//!                                            └──────── calls `queued` ◀── again ──────┘
//! ```
//!
//! A claim is a number of attempts: what is written late, after a session or after another claim, changes nothing.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Progress, Store, StoreError, Tx, call, ms, query, query_as};
use crate::{call::WAKE, wake::Next};

/// A device that is asked, and how often it was, this time included.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct WakeRow {
    pub(crate) id: i64,
    pub(crate) identity: String,
    pub(crate) attempts: i64,
}

impl Store {
    /// Whether any device is to be asked now.
    pub(crate) async fn is_wake_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        let query = query_as("SELECT 1 FROM wake WHERE next_at <= $1 LIMIT 1").bind(ms(now));
        let rows: Vec<()> = query.fetch_all(&self.reads).await?;
        Ok(!rows.is_empty())
    }

    /// Takes devices to ask, until `until`: no other node takes them before.
    pub(crate) async fn claim_wakes(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<WakeRow>, StoreError> {
        self.writer
            .commit(move |tx| Box::pin(async move { claim(tx, (ms(now), ms(until)), limit).await }))
            .await
    }

    /// Writes what became of a claim, unless it is another's by now or the device called.
    pub(crate) async fn settle_wake(
        &self,
        row: WakeRow,
        next: Next,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { settle(tx, &row, &next, ms(now)).await })).await
    }
}

/// Has a device asked as soon as may be, unless it is being asked already.
pub(super) async fn want(tx: &mut Tx, identity: &str, now: i64) -> Result<(), StoreError> {
    let query = query(
        "INSERT INTO wake (identity, next_at, attempts) VALUES ($1, $2, 0) ON CONFLICT (identity) DO NOTHING",
    );
    query.bind(identity).bind(now).execute(tx).await?;
    Ok(())
}

/// A call asks for a session no longer; with the last of a device its row ends.
pub(super) async fn over(tx: &mut Tx, identity: &str) -> Result<(), StoreError> {
    query(
        "DELETE FROM wake WHERE identity = $1 AND NOT EXISTS \
         (SELECT 1 FROM call WHERE identity = $1 AND method = $2 AND state IN ('queued', 'sent'))",
    )
    .bind(identity)
    .bind(WAKE)
    .execute(tx)
    .await?;
    Ok(())
}

async fn claim(tx: &mut Tx, (now, until): (i64, i64), limit: u32) -> Result<Vec<WakeRow>, StoreError> {
    // Said twice, because another node may have claimed the row while this statement waited for it.
    let query = query_as(
        "UPDATE wake SET next_at = $2, attempts = attempts + 1 WHERE next_at <= $1 AND id IN \
         (SELECT id FROM wake WHERE next_at <= $1 ORDER BY next_at, id LIMIT $3) RETURNING id, identity, attempts",
    );
    let rows: Vec<WakeRow> = query.bind(now).bind(until).bind(limit).fetch_all(&mut *tx).await?;
    for row in &rows {
        call::waking(tx, &row.identity, &Progress::Sent, now).await?;
    }
    Ok(rows)
}

async fn settle(tx: &mut Tx, row: &WakeRow, next: &Next, now: i64) -> Result<(), StoreError> {
    let (next_at, progress) = match next {
        Next::Awaited(until) => (Some(ms(*until)), None),
        Next::Again(at, said) => (Some(ms(*at)), Some(Progress::Waiting(said.clone()))),
        Next::Over(said) => (None, Some(Progress::Failed(said.clone()))),
    };
    // The last act of a claim that is over ends its row with its calls.
    let query = query("UPDATE wake SET next_at = COALESCE($3, next_at) WHERE id = $1 AND attempts = $2");
    let done = query.bind(row.id).bind(row.attempts).bind(next_at).execute(&mut *tx).await?;
    match progress {
        Some(progress) if done.rows_affected() > 0 => {
            call::waking(tx, &row.identity, &progress, now).await?;
            if next_at.is_none() { over(tx, &row.identity).await } else { Ok(()) }
        }
        _ => Ok(()),
    }
}
