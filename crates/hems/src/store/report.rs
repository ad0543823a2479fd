//! What devices told of their own accord: AutonomousTransferComplete and RequestDownload, for operators to see.
//!
//! A device that did not get our answer tells it again: the same message is the same row, and counted. (S-01)

use cwmp::AcsMethod;
use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, json, lease, ms, query, query_as};

/// Reports kept per device: more are those of months, or of a device that only makes work.
const KEPT: i64 = 100;

/// One report.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ReportRow {
    /// The call as JSON.
    pub(crate) body: String,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) count: i64,
}

impl Store {
    /// Writes a report, before it is answered.
    pub(crate) async fn report(
        &self,
        (identity, session): (String, i64),
        call: &AcsMethod,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let body = json(call);
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    lease::hold(tx, session).await?;
                    report(tx, &identity, &body, ms(now)).await
                })
            })
            .await
    }

    /// The reports of a device, newest first.
    pub(crate) async fn reports(&self, identity: &str) -> Result<Vec<ReportRow>, StoreError> {
        let query = query_as(
            "SELECT body, first_at, last_at, count FROM report WHERE identity = $1 ORDER BY last_at DESC, id DESC",
        );
        Ok(query.bind(identity).fetch_all(&self.reads).await?)
    }
}

async fn report(tx: &mut Tx, identity: &str, body: &str, now: i64) -> Result<(), StoreError> {
    let again = query("UPDATE report SET last_at = $3, count = count + 1 WHERE identity = $1 AND body = $2")
        .bind(identity)
        .bind(body)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    if again.rows_affected() > 0 {
        return Ok(());
    }
    query("INSERT INTO report (identity, body, first_at, last_at, count) VALUES ($1, $2, $3, $3, 1)")
        .bind(identity)
        .bind(body)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    query(
        "DELETE FROM report WHERE identity = $1 AND id <= \
         (SELECT id FROM report WHERE identity = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
    )
    .bind(identity)
    .bind(KEPT)
    .execute(tx)
    .await?;
    Ok(())
}
