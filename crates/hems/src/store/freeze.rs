//! The freeze: while it lasts nothing changes anywhere, but for an emergency.

use sqlx::FromRow;

use super::{Act, Condition, Edited, Store, StoreError, Tag, Tx, link::Target, ms, outbox, query, query_as};
use crate::event::Kind;

/// Who froze everything, and why.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct FreezeRow {
    pub(crate) author: String,
    pub(crate) reason: String,
    pub(crate) at: i64,
}

impl Edited for FreezeRow {
    fn tag(&self) -> Tag {
        Tag::of((&self.author, &self.reason, self.at))
    }
}

impl Store {
    /// The freeze, where there is one.
    pub(crate) async fn freeze(&self) -> Result<Option<FreezeRow>, StoreError> {
        found(&self.reads).await
    }

    /// Begins it, or takes the place of the one that its writer has read; gives the one that stands in the way.
    pub(crate) async fn begin_freeze(
        &self,
        act: Act,
        condition: Condition,
    ) -> Result<Option<FreezeRow>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { begin(tx, &act, &condition).await })).await
    }

    /// Ends it; whether there was one.
    pub(crate) async fn end_freeze(&self, act: Act, condition: Condition) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    condition.check(found(&mut *tx).await?.as_ref())?;
                    let ended = query("DELETE FROM frozen").execute(&mut *tx).await?.rows_affected() > 0;
                    if ended {
                        tell(tx, Kind::FreezeEnded, &act).await?;
                    }
                    Ok(ended)
                })
            })
            .await
    }
}

async fn begin(tx: &mut Tx, act: &Act, condition: &Condition) -> Result<Option<FreezeRow>, StoreError> {
    condition.check(found(&mut *tx).await?.as_ref())?;
    let sql = if condition.expects_one() {
        "INSERT INTO frozen (one, author, reason, at) VALUES (1, $1, $2, $3) ON CONFLICT (one) \
         DO UPDATE SET author = excluded.author, reason = excluded.reason, at = excluded.at"
    } else {
        "INSERT INTO frozen (one, author, reason, at) VALUES (1, $1, $2, $3) ON CONFLICT (one) DO NOTHING"
    };
    let query = query(sql).bind(&act.author).bind(&act.reason).bind(ms(act.at));
    if query.execute(&mut *tx).await?.rows_affected() == 0 {
        return found(tx).await;
    }
    tell(tx, Kind::FreezeBegun, act).await?;
    Ok(None)
}

async fn found(target: impl Target) -> Result<Option<FreezeRow>, StoreError> {
    Ok(query_as("SELECT author, reason, at FROM frozen").fetch_optional(target).await?)
}

async fn tell(tx: &mut Tx, kind: Kind, act: &Act) -> Result<(), StoreError> {
    let data = serde_json::json!({"author": act.author, "reason": act.reason});
    outbox::tell(tx, kind, "freeze", ms(act.at), &data).await
}

/// Whether nothing may change now.
pub(super) async fn is_frozen(tx: &mut Tx) -> Result<bool, StoreError> {
    let (count,): (i64,) = query_as("SELECT count(*) FROM frozen").fetch_one(tx).await?;
    Ok(count > 0)
}
