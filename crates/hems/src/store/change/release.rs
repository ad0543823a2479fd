//! Which devices follow a change, within one budget, and what became of them.

use super::{DAY, HOUR, end, find, set_state, tell};
use crate::{
    call,
    change::{Bounds, Budget, Outcome, Spent, State},
    event::Kind,
    software::ACTION,
    store::{Flag, StoreError, Tx, at, freeze, link::Target, query, query_as},
};

/// Seconds after which the session that followed is over, or was none.
const SESSION: u32 = 120;
/// Releases settled by one round of the clock.
const ROUND: i64 = 1_000;

pub(super) async fn release(
    tx: &mut Tx,
    id: i64,
    identity: &str,
    bounds: &Bounds,
    now: i64,
) -> Result<bool, StoreError> {
    let Some(change) = find(tx, id).await? else { return Ok(false) };
    if change.state() == State::Running {
        asked(tx, id, now).await?;
    }
    if change.state() != State::Running || freeze::is_frozen(tx).await? {
        return Ok(false);
    }
    if budget(&mut *tx, bounds.per_hour(change.fleet), now).await?.left == 0 {
        return Ok(false);
    }
    let done = query(
        "INSERT INTO released (change, identity, at, served) \
         SELECT $1, identity, $3, is_in_service FROM device WHERE identity = $2 ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(identity)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() > 0 {
        query("UPDATE change SET released = released + 1 WHERE id = $1").bind(id).execute(tx).await?;
    }
    Ok(true)
}

/// A device asked to follow, whether it may or must wait: the change is not over. An hour's precision is enough.
pub(super) async fn asked(tx: &mut Tx, id: i64, now: i64) -> Result<(), StoreError> {
    let query = query("UPDATE change SET asked_at = $2 WHERE id = $1 AND asked_at < $3");
    query.bind(id).bind(now).bind(now - HOUR).execute(tx).await?;
    Ok(())
}

/// Ends changes that no further device asked to follow for as long as each waits; not while everything is frozen. Late
/// devices are counted for a while only.
pub(super) async fn finish_idle(tx: &mut Tx, now: i64) -> Result<(), StoreError> {
    let over: Vec<(i64,)> = query_as(
        "UPDATE change SET late_until = NULL WHERE late_until IS NOT NULL AND late_until < $1 RETURNING id",
    )
    .bind(now)
    .fetch_all(&mut *tx)
    .await?;
    for (id,) in over {
        clear(tx, id, now).await?;
    }
    if freeze::is_frozen(tx).await? {
        return Ok(());
    }
    let idle: Vec<(i64, i64, i64)> = query_as(
        "SELECT id, days, matched - released FROM change WHERE state = 'running' AND asked_at + days * $2 < $1",
    )
    .bind(now)
    .bind(DAY)
    .fetch_all(&mut *tx)
    .await?;
    for (id, days, unreached) in idle {
        let note =
            format!("ended after {days} days without a further cell; {} were not reached", unreached.max(0));
        end(tx, id, State::Done, Some(&note), now).await?;
    }
    Ok(())
}

/// Counts a device that served when a change began, was not released to it, and calls after its end.
pub(super) async fn late(tx: &mut Tx, id: i64, identity: &str, now: i64) -> Result<(), StoreError> {
    let done = query(
        "INSERT INTO released (change, identity, at, served, outcome) \
         SELECT c.id, d.identity, $3, d.is_in_service, 'late' FROM change c JOIN device d ON d.identity = $2 \
         WHERE c.id = $1 AND c.late_until IS NOT NULL AND d.in_service_at < c.at ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(identity)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    query(
        "UPDATE change SET late = late + 1, \
         late_until = CASE WHEN late + 1 < unreached THEN late_until END WHERE id = $1",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    clear(tx, id, now).await
}

/// Forgets who was released to a change that is over, but for the last hour, which is what a budget asks.
pub(super) async fn clear(tx: &mut Tx, id: i64, now: i64) -> Result<(), StoreError> {
    query(
        "DELETE FROM released WHERE change = $1 AND at < $2 \
         AND EXISTS (SELECT 1 FROM change WHERE id = $1 AND late_until IS NULL)",
    )
    .bind(id)
    .bind(now - HOUR)
    .execute(tx)
    .await?;
    Ok(())
}

/// What is left of so many cells an hour. Of the latest so many, the earliest makes room for the next.
pub(super) async fn budget(target: impl Target, per_hour: i64, now: i64) -> Result<Budget, StoreError> {
    let query = query_as(
        "SELECT count(*), min(at) FROM \
         (SELECT at FROM released WHERE at > $1 ORDER BY at DESC LIMIT $2) AS latest",
    );
    let (spent, earliest): (i64, Option<i64>) =
        query.bind(now - HOUR).bind(per_hour).fetch_one(target).await?;
    let left = per_hour - spent;
    Ok(Budget { per_hour, left, next_at: earliest.filter(|_| left == 0).map(|earliest| at(earliest + HOUR)) })
}

/// Counts a cell that is changed by itself, once an hour, where the budget has it.
pub(in crate::store) async fn spend(
    tx: &mut Tx,
    identity: &str,
    bounds: &Bounds,
    fleet: i64,
    now: i64,
) -> Result<Result<(), Spent>, StoreError> {
    let query_spent = query_as("SELECT at FROM released WHERE identity = $1 AND change = 0 AND at > $2");
    let spent: Option<(i64,)> = query_spent.bind(identity).bind(now - HOUR).fetch_optional(&mut *tx).await?;
    if spent.is_some() {
        return Ok(Ok(()));
    }
    if let Some(spent) = budget(&mut *tx, bounds.per_hour(fleet), now).await?.spent(at(now)) {
        return Ok(Err(spent));
    }
    query("DELETE FROM released WHERE change = 0 AND at < $1").bind(now - HOUR).execute(&mut *tx).await?;
    query(
        "INSERT INTO released (change, identity, at, served, outcome) VALUES (0, $1, $2, 1, 'fine') \
         ON CONFLICT (identity, change) DO UPDATE SET at = excluded.at",
    )
    .bind(identity)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(Ok(()))
}

/// Writes what a session showed of the releases of its device that are not settled.
pub(in crate::store) async fn settle(
    tx: &mut Tx,
    identity: &str,
    outcome: Outcome,
    bounds: &Bounds,
    now: i64,
) -> Result<(), StoreError> {
    let is_watched = outcome == Outcome::Fine;
    let settled_before = now - if is_watched { i64::from(bounds.settle_seconds) * 1_000 } else { 0 };
    let open: Vec<(i64,)> = query_as(
        "UPDATE released SET outcome = $2 WHERE identity = $1 AND outcome IS NULL AND at <= $3 RETURNING change",
    )
    .bind(identity)
    .bind(outcome.name())
    .bind(settled_before)
    .fetch_all(&mut *tx)
    .await?;
    for (change,) in open {
        count(tx, change, outcome, bounds, now).await?;
    }
    Ok(())
}

/// Counts an outcome, and stops or ends the change where that is due.
pub(super) async fn count(
    tx: &mut Tx,
    id: i64,
    outcome: Outcome,
    bounds: &Bounds,
    now: i64,
) -> Result<(), StoreError> {
    let sql = match outcome {
        Outcome::Fine | Outcome::Off => "UPDATE change SET fine = fine + 1 WHERE id = $1",
        Outcome::Faulted => "UPDATE change SET faulted = faulted + 1 WHERE id = $1",
        Outcome::Fell => "UPDATE change SET fell = fell + 1 WHERE id = $1",
        Outcome::Lost => "UPDATE change SET lost = lost + 1 WHERE id = $1",
    };
    query(sql).bind(id).execute(&mut *tx).await?;
    let Some(change) = find(tx, id).await? else { return Ok(()) };
    if change.state() != State::Running {
        return Ok(());
    }
    match bounds.next(&change.tally()) {
        (State::Done, note) => end(tx, id, State::Done, note.as_deref(), now).await,
        (State::Running, _) => Ok(()),
        (state, note) => {
            tracing::warn!(change = id, name = change.name, note, "a change stopped by itself");
            set_state(tx, id, state, note.as_deref()).await?;
            tell(tx, id, Kind::ChangeStopped, now).await
        }
    }
}

pub(super) async fn overdue(tx: &mut Tx, bounds: &Bounds, now: i64) -> Result<(), StoreError> {
    let settled_before = now - i64::from(bounds.settle_seconds.max(SESSION)) * 1_000;
    type Columns = (i64, String, Flag, Flag, Option<i64>, Option<String>);
    let rows: Vec<Columns> = query_as(
        "SELECT r.change, r.identity, r.served, d.is_in_service, d.due_at, c.method FROM released r \
         JOIN change c ON c.id = r.change JOIN device d ON d.identity = r.identity \
         WHERE c.state IN ('running', 'stopped') AND r.outcome IS NULL AND r.at < $1 \
         AND (d.due_at < $3 OR NOT EXISTS (SELECT 1 FROM call WHERE call.identity = r.identity \
         AND call.action LIKE $4 AND call.state IN ('queued', 'sent', 'accepted', 'unknown'))) \
         ORDER BY r.at LIMIT $2",
    )
    .bind(settled_before)
    .bind(ROUND)
    .bind(now)
    // Who fetches another software is not there yet.
    .bind(format!("{ACTION}%"))
    .fetch_all(&mut *tx)
    .await?;
    for (change, identity, served, serves, due_at, method) in rows {
        let outcome = match (bool::from(served), bool::from(serves)) {
            _ if due_at.is_some_and(|due| due < now) => Outcome::Lost,
            // Who is locked shall not serve.
            (true, false) if method.as_deref() != Some(call::LOCK) => Outcome::Fell,
            (true | false, _) => Outcome::Fine,
        };
        query("UPDATE released SET outcome = $3 WHERE change = $1 AND identity = $2")
            .bind(change)
            .bind(&identity)
            .bind(outcome.name())
            .execute(&mut *tx)
            .await?;
        count(tx, change, outcome, bounds, now).await?;
    }
    Ok(())
}
