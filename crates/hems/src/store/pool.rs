//! Pools and who drew what of them. A draw is durable before anybody sees it, and unique both ways.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Condition, Edited, Store, StoreError, Tag, Tx, link::Target, ms, parse, query, query_as};
use crate::{pool::Pool, template::Template};

/// Devices that are named where their numbers hinder something.
const NAMED_MAX: i64 = 3;
/// Templates that are looked into at once.
const LOOKED_INTO: i64 = 100;

/// Why nothing could be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DrawError {
    /// Nobody made such a pool.
    #[error("there is no such pool")]
    NoPool,
    /// Every value is taken.
    #[error("every value of the pool is taken")]
    Exhausted,
}

/// Why a number is not reserved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReserveError {
    #[error("there is no such pool")]
    NoPool,
    #[error("`value` is in the pool: {} to {}", .0.first, .0.last)]
    Outside(Pool),
    #[error("{0} holds this number")]
    Taken(String),
    #[error("the device holds {0} of the pool: release that first")]
    Holds(i64),
}

/// Why a pool is not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InUse {
    #[error("numbers of the pool are held by {0}: release them first, see `hearth pool draws`")]
    Held(String),
    #[error("the template `{0}` draws from the pool: let it draw from another one first")]
    Template(String),
    #[error("what is wanted of {0} alone draws from the pool: change its values first")]
    Values(String),
}

/// Who holds a number of a pool.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct DrawRow {
    pub(crate) identity: String,
    pub(crate) value: i64,
    pub(crate) at: i64,
}

impl Store {
    /// All pools by name, each with the number of values drawn.
    pub(crate) async fn pools(&self) -> Result<Vec<(String, Pool, i64)>, StoreError> {
        let rows: Vec<(String, i64, i64, i64)> = query_as(
            "SELECT name, first, last, (SELECT count(*) FROM draw WHERE draw.pool = pool.name) FROM pool ORDER BY name",
        )
        .fetch_all(&self.reads)
        .await?;
        Ok(rows.into_iter().map(|(name, first, last, drawn)| (name, Pool { first, last }, drawn)).collect())
    }

    /// Saves a pool; false where a value drawn before would be outside, and then nothing changes.
    pub(crate) async fn put_pool(
        &self,
        name: String,
        pool: Pool,
        now: Timestamp,
        condition: Condition,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    condition.check(found(&mut *tx, &name).await?.as_ref())?;
                    let done = query(
                        "INSERT INTO pool (name, first, last, changed_at) SELECT $1, $2, $3, $4 \
                         WHERE NOT EXISTS (SELECT 1 FROM draw WHERE pool = $1 AND value NOT BETWEEN $2 AND $3) \
                         ON CONFLICT (name) DO UPDATE SET first = excluded.first, last = excluded.last, changed_at = excluded.changed_at",
                    )
                    .bind(name)
                    .bind(pool.first)
                    .bind(pool.last)
                    .bind(ms(now))
                    .execute(tx)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    /// Deletes a pool that nobody uses; whether there was one.
    pub(crate) async fn remove_pool(
        &self,
        name: String,
        condition: Condition,
    ) -> Result<Result<bool, InUse>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { remove(tx, &name, &condition).await })).await
    }

    /// Who holds which numbers of a pool beyond a number, the lowest first.
    pub(crate) async fn draws(&self, pool: &str, after: i64, limit: u32) -> Result<Vec<DrawRow>, StoreError> {
        let query = query_as(
            "SELECT identity, value, at FROM draw WHERE pool = $1 AND value > $2 ORDER BY value LIMIT $3",
        );
        Ok(query.bind(pool).bind(after).bind(limit).fetch_all(&self.reads).await?)
    }

    /// Makes the number of a device free again; whether it held one.
    pub(crate) async fn release_draw(&self, pool: String, identity: String) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let query = query("DELETE FROM draw WHERE pool = $1 AND identity = $2");
                    let done = query.bind(pool).bind(identity).execute(tx).await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    /// Draws a certain number for a device.
    pub(crate) async fn reserve_draw(
        &self,
        pool: String,
        row: DrawRow,
    ) -> Result<Result<DrawRow, ReserveError>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { reserve(tx, &pool, row).await })).await
    }

    /// What a device holds of a pool.
    pub(crate) async fn drawn(&self, pool: &str, identity: &str) -> Result<Option<i64>, StoreError> {
        holds(&self.reads, pool, identity).await
    }

    /// The lowest number that is free, from a certain one on where that is said.
    pub(crate) async fn next_free(
        &self,
        pool: &str,
        from: Option<i64>,
    ) -> Result<Result<i64, DrawError>, StoreError> {
        let Some(range) = found(&self.reads, pool).await? else { return Ok(Err(DrawError::NoPool)) };
        let range = Pool { first: from.unwrap_or(range.first).max(range.first), ..range };
        Ok(free(&self.reads, pool, range).await?.ok_or(DrawError::Exhausted))
    }

    /// Draws a value for a device, or gives the one that it holds.
    pub(crate) async fn draw(
        &self,
        pool: &str,
        identity: &str,
        now: Timestamp,
    ) -> Result<Result<i64, DrawError>, StoreError> {
        if let Some(value) = self.drawn(pool, identity).await? {
            return Ok(Ok(value));
        }
        let (pool, identity) = (pool.to_owned(), identity.to_owned());
        self.writer.commit(move |tx| Box::pin(async move { draw(tx, &pool, &identity, ms(now)).await })).await
    }
}

impl Edited for Pool {
    fn tag(&self) -> Tag {
        Tag::of((self.first, self.last))
    }
}

async fn found(target: impl Target, name: &str) -> Result<Option<Pool>, StoreError> {
    let query = query_as("SELECT first, last FROM pool WHERE name = $1");
    let row: Option<(i64, i64)> = query.bind(name).fetch_optional(target).await?;
    Ok(row.map(|(first, last)| Pool { first, last }))
}

async fn remove(tx: &mut Tx, name: &str, condition: &Condition) -> Result<Result<bool, InUse>, StoreError> {
    let pool = found(&mut *tx, name).await?;
    condition.check(pool.as_ref())?;
    if pool.is_none() {
        return Ok(Ok(false));
    }
    if let Some(in_use) = used(tx, name).await? {
        return Ok(Err(in_use));
    }
    query("DELETE FROM pool WHERE name = $1").bind(name).execute(tx).await?;
    Ok(Ok(true))
}

async fn used(tx: &mut Tx, name: &str) -> Result<Option<InUse>, StoreError> {
    let query = query_as("SELECT identity FROM draw WHERE pool = $1 ORDER BY value LIMIT $2");
    let holders: Vec<(String,)> = query.bind(name).bind(NAMED_MAX).fetch_all(&mut *tx).await?;
    if holders.is_empty() {
        return drawing(tx, name).await;
    }
    let query = query_as("SELECT count(*) FROM draw WHERE pool = $1");
    let (count,): (i64,) = query.bind(name).fetch_one(tx).await?;
    let named = holders.into_iter().map(|(identity,)| identity).collect::<Vec<_>>().join(", ");
    let more = if count > NAMED_MAX { format!(" and {} more", count - NAMED_MAX) } else { String::new() };
    Ok(Some(InUse::Held(named + &more)))
}

/// What draws from a pool, of what applies or is on its way. A text that looks like the pool's name may be another's.
async fn drawing(tx: &mut Tx, pool: &str) -> Result<Option<InUse>, StoreError> {
    let mut after = (String::new(), 0_i64);
    loop {
        let mut rows: Vec<(String, i64, Option<String>, String)> = query_as(
            "SELECT v.name, v.version, t.identity, v.body FROM template_version v JOIN template t ON t.name = v.name \
             WHERE (v.name > $1 OR (v.name = $1 AND v.version > $4)) AND v.body LIKE $2 AND (v.version = t.version OR EXISTS (SELECT 1 FROM change c \
             WHERE c.name = v.name AND c.state IN ('waiting', 'running', 'stopped') \
             AND v.version IN (c.from_version, c.to_version))) ORDER BY v.name, v.version LIMIT $3",
        )
        .bind(&after.0)
        .bind(format!("%\"{pool}\"%"))
        .bind(LOOKED_INTO)
        .bind(after.1)
        .fetch_all(&mut *tx)
        .await?;
        for (name, _, identity, body) in &rows {
            if parse::<Template>("template", body)?.draws_from(pool) {
                let values = identity.clone().map(InUse::Values);
                return Ok(Some(values.unwrap_or_else(|| InUse::Template(name.clone()))));
            }
        }
        match rows.pop() {
            Some((name, version, ..)) => after = (name, version),
            None => return Ok(None),
        }
    }
}

async fn holds(target: impl Target, pool: &str, identity: &str) -> Result<Option<i64>, StoreError> {
    let query = query_as("SELECT value FROM draw WHERE pool = $1 AND identity = $2");
    let row: Option<(i64,)> = query.bind(pool).bind(identity).fetch_optional(target).await?;
    Ok(row.map(|(value,)| value))
}

/// Whoever has the number keeps it, and a device the one that it has.
async fn reserve(tx: &mut Tx, pool: &str, new: DrawRow) -> Result<Result<DrawRow, ReserveError>, StoreError> {
    let Some(range) = found(&mut *tx, pool).await? else { return Ok(Err(ReserveError::NoPool)) };
    if !(range.first..=range.last).contains(&new.value) {
        return Ok(Err(ReserveError::Outside(range)));
    }
    let query_held =
        query_as("SELECT identity, value, at FROM draw WHERE pool = $1 AND (identity = $2 OR value = $3)");
    let query_held = query_held.bind(pool).bind(&new.identity).bind(new.value);
    let held: Vec<DrawRow> = query_held.fetch_all(&mut *tx).await?;
    if let Some(other) = held.iter().find(|row| row.identity != new.identity) {
        return Ok(Err(ReserveError::Taken(other.identity.clone())));
    }
    if let Some(own) = held.into_iter().next() {
        return Ok(if own.value == new.value { Ok(own) } else { Err(ReserveError::Holds(own.value)) });
    }
    query("INSERT INTO draw (pool, value, identity, at) VALUES ($1, $2, $3, $4)")
        .bind(pool)
        .bind(new.value)
        .bind(&new.identity)
        .bind(new.at)
        .execute(tx)
        .await?;
    Ok(Ok(new))
}

/// The lowest number of a range that is free: the first, or the one after a taken one whose successor is not.
async fn free(target: impl Target, pool: &str, range: Pool) -> Result<Option<i64>, StoreError> {
    let free: Option<(i64,)> = query_as(
        "SELECT candidate FROM (SELECT $2 AS candidate \
         UNION SELECT value + 1 FROM draw WHERE pool = $1 AND value >= $2) AS candidates \
         WHERE candidate <= $3 AND NOT EXISTS (SELECT 1 FROM draw WHERE pool = $1 AND value = candidate) \
         ORDER BY candidate LIMIT 1",
    )
    .bind(pool)
    .bind(range.first)
    .bind(range.last)
    .fetch_optional(target)
    .await?;
    Ok(free.map(|(value,)| value))
}

/// What the device was given in the meantime, or the lowest value that is free.
async fn draw(
    tx: &mut Tx,
    pool: &str,
    identity: &str,
    now: i64,
) -> Result<Result<i64, DrawError>, StoreError> {
    if let Some(value) = holds(&mut *tx, pool, identity).await? {
        return Ok(Ok(value));
    }
    let Some(range) = found(&mut *tx, pool).await? else { return Ok(Err(DrawError::NoPool)) };
    let Some(value) = free(&mut *tx, pool, range).await? else { return Ok(Err(DrawError::Exhausted)) };
    query("INSERT INTO draw (pool, value, identity, at) VALUES ($1, $2, $3, $4)")
        .bind(pool)
        .bind(value)
        .bind(identity)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(Ok(value))
}
