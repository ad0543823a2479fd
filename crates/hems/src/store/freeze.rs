//! The freeze: while it lasts nothing changes anywhere, but for an emergency.

use sqlx::FromRow;

use super::{Act, Store, StoreError, Tx, ms, query, query_as};

/// Who froze everything, and why.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct FreezeRow {
    pub(crate) author: String,
    pub(crate) reason: String,
    pub(crate) at: i64,
}

impl Store {
    /// The freeze, where there is one.
    pub(crate) async fn freeze(&self) -> Result<Option<FreezeRow>, StoreError> {
        Ok(query_as("SELECT author, reason, at FROM frozen").fetch_optional(&self.reads).await?)
    }

    /// Begins it, or gives it another reason.
    pub(crate) async fn begin_freeze(&self, act: Act) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    query(
                        "INSERT INTO frozen (one, author, reason, at) VALUES (1, $1, $2, $3) ON CONFLICT (one) \
                         DO UPDATE SET author = excluded.author, reason = excluded.reason, at = excluded.at",
                    )
                    .bind(act.author)
                    .bind(act.reason)
                    .bind(ms(act.at))
                    .execute(tx)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Ends it; whether there was one.
    pub(crate) async fn end_freeze(&self) -> Result<bool, StoreError> {
        self.writer
            .commit(|tx| {
                Box::pin(
                    async move { Ok(query("DELETE FROM frozen").execute(tx).await?.rows_affected() > 0) },
                )
            })
            .await
    }
}

/// Whether nothing may change now.
pub(super) async fn is_frozen(tx: &mut Tx) -> Result<bool, StoreError> {
    let (count,): (i64,) = query_as("SELECT count(*) FROM frozen").fetch_one(tx).await?;
    Ok(count > 0)
}
