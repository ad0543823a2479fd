//! Jobs that one node does at a time: who has one, and until when. A node that dies loses it by time,
//! as the clock of whoever asks says: those of the nodes have to agree within some seconds.

use jiff::{SignedDuration, Timestamp};

use super::{Store, StoreError, Tx, ms, query};

impl Store {
    /// Takes or keeps a job until `span` from now; whether it is the holder's.
    pub(crate) async fn hold_job(
        &self,
        name: &'static str,
        holder: String,
        now: Timestamp,
        span: SignedDuration,
    ) -> Result<bool, StoreError> {
        let until = ms(now + span);
        self.writer
            .commit(move |tx| Box::pin(async move { hold(tx, name, &holder, ms(now), until).await }))
            .await
    }

    /// Gives a job up, so that the next node need not wait for its time.
    pub(crate) async fn leave_job(&self, name: &'static str, holder: String) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let query = query("DELETE FROM job WHERE name = $1 AND holder = $2").bind(name);
                    query.bind(holder).execute(tx).await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn hold(tx: &mut Tx, name: &str, holder: &str, now: i64, until: i64) -> Result<bool, StoreError> {
    let done = query(
        "INSERT INTO job (name, holder, until_at) VALUES ($1, $2, $4) ON CONFLICT (name) DO UPDATE \
         SET holder = excluded.holder, until_at = excluded.until_at \
         WHERE job.holder = excluded.holder OR job.until_at <= $3",
    )
    .bind(name)
    .bind(holder)
    .bind(now)
    .bind(until)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}
