//! Blocks: who is shut out, by whom and why. What a block means is [`blocks`](crate::blocks)' business.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms, outbox, query, query_as};
use crate::event::Kind;

/// Blocks kept: each is compared with every peer, and whoever blocks more than this wants another CA.
const BLOCKS_MAX: i64 = 10_000;

/// One block.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct BlockRow {
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) reason: String,
    pub(crate) made_by: String,
    pub(crate) made_at: i64,
}

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocking {
    /// It holds now.
    New,
    /// It held already, and stays as it was.
    Same,
    /// There are too many.
    Full,
}

impl Store {
    /// Every block, by kind and value.
    pub(crate) async fn blocks(&self) -> Result<Vec<BlockRow>, StoreError> {
        Ok(query_as("SELECT * FROM block ORDER BY kind, value").fetch_all(&self.reads).await?)
    }

    /// Blocks something.
    pub(crate) async fn block(&self, row: BlockRow) -> Result<Blocking, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { block(tx, &row).await })).await
    }

    /// Takes a block away; whether there was one.
    pub(crate) async fn unblock(
        &self,
        kind: &'static str,
        value: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { unblock(tx, kind, &value, ms(now)).await })).await
    }
}

impl BlockRow {
    /// A block that begins now.
    pub(crate) fn new(rule: &crate::blocks::Rule, reason: &str, made_by: &str, now: Timestamp) -> Self {
        Self {
            kind: rule.kind().name().to_owned(),
            value: rule.value().to_owned(),
            reason: reason.to_owned(),
            made_by: made_by.to_owned(),
            made_at: ms(now),
        }
    }
}

/// Writes a block, where there is room for one.
pub(super) async fn block(tx: &mut Tx, row: &BlockRow) -> Result<Blocking, StoreError> {
    let (count, same): (i64, i64) =
        query_as("SELECT count(*), count(CASE WHEN kind = $1 AND value = $2 THEN 1 END) FROM block")
            .bind(&row.kind)
            .bind(&row.value)
            .fetch_one(&mut *tx)
            .await?;
    if same > 0 || count >= BLOCKS_MAX {
        return Ok(if same > 0 { Blocking::Same } else { Blocking::Full });
    }
    query("INSERT INTO block (kind, value, reason, made_by, made_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(&row.kind)
        .bind(&row.value)
        .bind(&row.reason)
        .bind(&row.made_by)
        .bind(row.made_at)
        .execute(&mut *tx)
        .await?;
    let data = serde_json::json!({"kind": row.kind, "reason": row.reason, "by": row.made_by});
    outbox::tell(tx, Kind::BlockMade, &row.value, row.made_at, &data).await?;
    Ok(Blocking::New)
}

async fn unblock(tx: &mut Tx, kind: &str, value: &str, now: i64) -> Result<bool, StoreError> {
    let query = query("DELETE FROM block WHERE kind = $1 AND value = $2").bind(kind).bind(value);
    if query.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    outbox::tell(tx, Kind::BlockLifted, value, now, &serde_json::json!({"kind": kind})).await?;
    Ok(true)
}
