//! Recorded sessions, and the orders to record: both few, and gone after a while.
//!
//! ```text
//!  order (n sessions, until) ─▶ a session's closing commit: its recording, n − 1, and the oldest beyond the bounds go
//! ```

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, json, ms, parse, query, query_as};
use crate::recording::{ORDERS_MAX, RECORDINGS_MAX, Recording, STORE_BYTES_MAX};

/// An order to record the next sessions of a device.
#[derive(Clone, Debug)]
pub(crate) struct NewOrder {
    pub(crate) identity: String,
    pub(crate) sessions: u32,
    pub(crate) until: Timestamp,
    pub(crate) author: String,
    pub(crate) at: Timestamp,
}

/// An order as it stands.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct OrderRow {
    /// Sessions that it still records.
    pub(crate) sessions: i64,
    pub(crate) until_at: i64,
    pub(crate) author: String,
    pub(crate) at: i64,
}

/// A recording without what was said.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct RecordingRow {
    pub(crate) session: i64,
    pub(crate) identity: String,
    pub(crate) at: i64,
    pub(crate) messages: i64,
    pub(crate) bytes: i64,
}

impl Store {
    /// Orders that a device be recorded, instead of what was ordered before; false where too many devices wait.
    pub(crate) async fn order_recording(&self, order: NewOrder) -> Result<bool, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { place(tx, &order).await })).await
    }

    /// What is ordered of a device.
    pub(crate) async fn recording_order(
        &self,
        identity: &str,
        now: Timestamp,
    ) -> Result<Option<OrderRow>, StoreError> {
        let query = query_as("SELECT * FROM recording_order WHERE identity = $1 AND until_at > $2");
        Ok(query.bind(identity).bind(ms(now)).fetch_optional(&self.reads).await?)
    }

    /// Takes an order back.
    pub(crate) async fn withdraw_recording(&self, identity: String) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    query("DELETE FROM recording_order WHERE identity = $1")
                        .bind(identity)
                        .execute(tx)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// The recording of a session, where it ended after `since`.
    pub(crate) async fn recording(
        &self,
        session: i64,
        since: Timestamp,
    ) -> Result<Option<RecordingRow>, StoreError> {
        let query = query_as(
            "SELECT session, identity, at, messages, bytes FROM recording WHERE session = $1 AND at > $2",
        );
        Ok(query.bind(session).bind(ms(since)).fetch_optional(&self.reads).await?)
    }

    /// What was said in a session.
    pub(crate) async fn recorded(&self, session: i64) -> Result<Option<Recording>, StoreError> {
        let query = query_as("SELECT body FROM recording WHERE session = $1").bind(session);
        let row: Option<(String,)> = query.fetch_optional(&self.reads).await?;
        row.map(|(body,)| parse("recording", &body)).transpose()
    }

    /// Removes the recording of a session.
    pub(crate) async fn forget_recording(&self, session: i64) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    query("DELETE FROM recording WHERE session = $1").bind(session).execute(tx).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Removes recordings of sessions that ended before `before`, and orders that are over.
    pub(crate) async fn sweep_recordings(&self, now: Timestamp, before: Timestamp) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    query("DELETE FROM recording WHERE at <= $1").bind(ms(before)).execute(&mut *tx).await?;
                    let over = query("DELETE FROM recording_order WHERE until_at <= $1").bind(ms(now));
                    over.execute(tx).await?;
                    Ok(())
                })
            })
            .await
    }
}

#[cfg(test)]
impl Store {
    pub(super) async fn trim_recordings(&self, bytes: i64, recordings: i64) -> Result<(), StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { trim(tx, bytes, recordings).await })).await
    }
}

async fn place(tx: &mut Tx, order: &NewOrder) -> Result<bool, StoreError> {
    let done = query(
        "INSERT INTO recording_order (identity, sessions, until_at, author, at) SELECT $1, $2, $3, $4, $5 \
         WHERE (SELECT count(*) FROM recording_order WHERE identity <> $1 AND until_at > $5) < $6 \
         ON CONFLICT (identity) DO UPDATE SET sessions = excluded.sessions, until_at = excluded.until_at, \
         author = excluded.author, at = excluded.at",
    )
    .bind(&order.identity)
    .bind(order.sessions)
    .bind(ms(order.until))
    .bind(&order.author)
    .bind(ms(order.at))
    .bind(ORDERS_MAX)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Keeps what was said in a session, and as many of the earlier ones as there is room for.
pub(super) async fn keep(
    tx: &mut Tx,
    identity: &str,
    (session, now): (i64, i64),
    recording: &Recording,
) -> Result<(), StoreError> {
    let body = json(recording);
    query(
        "INSERT INTO recording (session, identity, at, messages, bytes, body) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(session)
    .bind(identity)
    .bind(now)
    .bind(i64::try_from(recording.messages.len()).unwrap_or(i64::MAX))
    .bind(i64::try_from(body.len()).unwrap_or(i64::MAX))
    .bind(body)
    .execute(&mut *tx)
    .await?;
    query("UPDATE recording_order SET sessions = sessions - 1 WHERE identity = $1")
        .bind(identity)
        .execute(&mut *tx)
        .await?;
    query("DELETE FROM recording_order WHERE identity = $1 AND sessions <= 0")
        .bind(identity)
        .execute(&mut *tx)
        .await?;
    trim(tx, STORE_BYTES_MAX, RECORDINGS_MAX).await
}

/// Removes the oldest beyond so many bytes and so many recordings.
async fn trim(tx: &mut Tx, bytes: i64, recordings: i64) -> Result<(), StoreError> {
    query(
        "DELETE FROM recording WHERE session IN (SELECT session FROM (SELECT session, \
         CAST(sum(bytes) OVER (ORDER BY session DESC) AS BIGINT) AS total, \
         row_number() OVER (ORDER BY session DESC) AS place FROM recording) AS newest \
         WHERE total > $1 OR place > $2)",
    )
    .bind(bytes)
    .bind(recordings)
    .execute(tx)
    .await?;
    Ok(())
}
