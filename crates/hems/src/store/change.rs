//! Changes under way: which devices were released, and what became of them.
//!
//! A release is written before the device is told anything new, by the one writer, so that no two nodes spend the
//! same budget. What a session then shows is settled with its outcome, in the same transaction.

mod action;
mod release;

use jiff::Timestamp;
use sqlx::FromRow;

pub(crate) use action::NewAction;
pub(super) use release::{settle, spend};

use super::{
    Act, Condition, Edited, Flag, Store, StoreError, Tag, Tx, Whose, json, ms, outbox, parse, query,
    query_as, template,
};
use crate::{
    call,
    change::{Bounds, Budget, Spent, State, Tally},
    event::Kind,
    template::{Template, Wanted},
};

/// An hour in milliseconds.
const HOUR: i64 = 3_600_000;
/// Changes kept that are over.
const KEPT: i64 = 1_000;
/// A day in milliseconds.
const DAY: i64 = 24 * HOUR;
/// How long those that a change did not reach are counted when they come.
const LATE: i64 = 90 * DAY;

/// A change with how far it is.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ChangeRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) identity: Option<String>,
    pub(crate) from_version: i64,
    pub(crate) to_version: i64,
    pub(crate) state: String,
    pub(crate) author: String,
    pub(crate) reason: String,
    pub(crate) at: i64,
    pub(crate) approver: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) fleet: i64,
    pub(crate) matched: i64,
    pub(crate) released: i64,
    pub(crate) fine: i64,
    pub(crate) faulted: i64,
    pub(crate) fell: i64,
    pub(crate) lost: i64,
    pub(crate) days: i64,
    pub(crate) unreached: i64,
    pub(crate) late: i64,
    /// What is asked of many, as JSON; nothing where versions change.
    pub(crate) action: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) body: Option<String>,
}

/// A change as it concerns one device.
#[derive(Clone, Debug)]
pub(crate) struct UnderWay {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// What was desired before, where something was.
    pub(crate) from: Option<Template>,
    /// What is desired then, where something is.
    pub(crate) to: Option<Template>,
    pub(crate) state: State,
    /// Whether this device may follow.
    pub(crate) is_released: bool,
}

/// A change to begin.
#[derive(Clone, Debug)]
pub(crate) struct NewChange {
    pub(crate) whose: Whose,
    /// 0 takes away what applies.
    pub(crate) to: i64,
    pub(crate) fleet: i64,
    pub(crate) matched: i64,
    pub(crate) bounds: Bounds,
    /// Days without a further device after which it ends.
    pub(crate) days: i64,
    pub(crate) act: Act,
    /// What is expected of the template.
    pub(crate) condition: Condition,
}

/// Why a change does not begin, or does not go the way that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// To what it should lead is not there.
    #[error("there is no such version")]
    NoVersion,
    /// It is not there itself.
    #[error("there is no such change")]
    NoChange,
    /// Another one has begun.
    #[error("change {0} of it is under way: withdraw or finish it first")]
    UnderWay(i64),
    /// It would be one cell too many.
    #[error(transparent)]
    Budget(#[from] Spent),
    /// Another request had the same key.
    #[error("the idempotency key was used for another request")]
    OtherRequest,
    /// In this state nobody decides that.
    #[error("the change is {0}")]
    State(&'static str),
    /// Two people are asked for.
    #[error("somebody else than its author approves a change")]
    SamePerson,
}

/// What somebody does to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Approve,
    Stop,
    Resume,
    /// The rest follows when it calls.
    Finish,
    /// Who was released goes back.
    Withdraw,
}

impl Edited for ChangeRow {
    fn tag(&self) -> Tag {
        Tag::of((&self.state, &self.approver))
    }
}

impl ChangeRow {
    /// How far it is.
    pub(crate) fn state(&self) -> State {
        State::read(&self.state)
    }

    /// Whether it is an action that changes nothing on a device: no budget holds it back.
    pub(crate) fn is_harmless(&self) -> bool {
        self.method.as_ref().is_some_and(|method| !call::is_change(method))
    }

    /// How many devices went which way.
    pub(crate) fn tally(&self) -> Tally {
        let Self { matched, released, fine, faulted, fell, lost, unreached, late, .. } = *self;
        Tally { matched, released, fine, faulted, fell, lost, unreached, late }
    }
}

impl Store {
    /// Begins a change. One that nobody is concerned by is done at once.
    pub(crate) async fn begin_change(&self, change: NewChange) -> Result<ChangeRow, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { begin(tx, &change).await })).await
    }

    /// Saves a version and begins the change to it, both or neither; `change` says the rest.
    pub(crate) async fn save_and_begin(
        &self,
        template: &Template,
        change: NewChange,
    ) -> Result<ChangeRow, StoreError> {
        let body = json(template);
        self.writer.commit(move |tx| Box::pin(async move { save_and_begin(tx, &body, change).await })).await
    }

    /// Changes before a number, the newest first.
    pub(crate) async fn changes(&self, before: i64, limit: u32) -> Result<Vec<ChangeRow>, StoreError> {
        let query = query_as("SELECT * FROM change WHERE id < $1 ORDER BY id DESC LIMIT $2");
        Ok(query.bind(before).bind(limit).fetch_all(&self.reads).await?)
    }

    /// What is left of so many cells an hour.
    pub(crate) async fn budget(&self, per_hour: i64, now: Timestamp) -> Result<Budget, StoreError> {
        release::budget(&self.reads, per_hour, ms(now)).await
    }

    /// One change.
    pub(crate) async fn change(&self, id: i64) -> Result<Option<ChangeRow>, StoreError> {
        Ok(query_as("SELECT * FROM change WHERE id = $1").bind(id).fetch_optional(&self.reads).await?)
    }

    /// Does to a change what somebody decided.
    pub(crate) async fn decide(
        &self,
        id: i64,
        decision: Decision,
        act: Act,
        condition: Condition,
    ) -> Result<Result<ChangeRow, ChangeError>, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    condition.check(find(tx, id).await?.as_ref())?;
                    decide(tx, id, decision, &act).await
                })
            })
            .await
    }

    /// The changes that may concern a device: those under way, and those whose late devices are counted.
    pub(crate) async fn under_way(&self, identity: &str) -> Result<Vec<UnderWay>, StoreError> {
        let query = query_as(
            "SELECT c.id, c.name, c.state, f.body, t.body, CAST(\
             CASE WHEN r.identity IS NULL THEN 0 ELSE 1 END AS BIGINT) AS is_released FROM change c \
             LEFT JOIN template_version f ON f.name = c.name AND f.version = c.from_version \
             LEFT JOIN template_version t ON t.name = c.name AND t.version = c.to_version \
             LEFT JOIN released r ON r.change = c.id AND r.identity = $1 \
             WHERE c.id IN (SELECT id FROM change WHERE state IN ('waiting', 'running', 'stopped') \
             UNION ALL SELECT id FROM change WHERE late_until IS NOT NULL) \
             AND c.action IS NULL AND (c.identity IS NULL OR c.identity = $1) ORDER BY c.id",
        );
        type Columns = (i64, String, String, Option<String>, Option<String>, Flag);
        let rows: Vec<Columns> = query.bind(identity).fetch_all(&self.reads).await?;
        let read = |body: Option<String>| body.map(|body| parse("template", &body)).transpose();
        let change = |(id, name, state, from, to, is_released): Columns| {
            let (from, to) = (read(from)?, read(to)?);
            Ok(UnderWay { id, name, from, to, state: State::read(&state), is_released: is_released.into() })
        };
        rows.into_iter().map(change).collect()
    }

    /// Releases a device where the budget allows it; whether it may follow now.
    pub(crate) async fn release(
        &self,
        change: i64,
        identity: String,
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move { release::release(tx, change, &identity, &bounds, ms(now)).await })
            })
            .await
    }

    /// Counts a device that was not reached before a change ended and calls now, if it is one.
    pub(crate) async fn count_late(
        &self,
        change: i64,
        identity: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| Box::pin(async move { release::late(tx, change, &identity, ms(now)).await }))
            .await
    }

    /// Settles releases that are older than the time to settle: whoever does not serve fell, whoever does not call is
    /// lost. Changes that nobody asks to follow any more end.
    pub(crate) async fn settle_overdue(&self, bounds: Bounds, now: Timestamp) -> Result<(), StoreError> {
        let is_any = "SELECT id FROM change WHERE state IN ('running', 'stopped') \
                      UNION ALL SELECT id FROM change WHERE late_until IS NOT NULL LIMIT 1";
        let any: Option<(i64,)> = query_as(is_any).fetch_optional(&self.reads).await?;
        if any.is_none() {
            return Ok(());
        }
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    release::overdue(tx, &bounds, ms(now)).await?;
                    release::finish_idle(tx, ms(now)).await
                })
            })
            .await
    }
}

async fn save_and_begin(tx: &mut Tx, body: &str, change: NewChange) -> Result<ChangeRow, StoreError> {
    let NewChange { whose, act, condition, .. } = &change;
    let to = template::save(tx, whose, body, act, condition).await?;
    begin(tx, &NewChange { to, condition: Condition::default(), ..change }).await
}

/// Wants one value more, or another one, of one device alone: a version like any other that is saved and applied.
pub(super) async fn want(
    tx: &mut Tx,
    identity: &str,
    value: (&str, Wanted),
    (bounds, fleet): (Bounds, i64),
    act: Act,
) -> Result<(), StoreError> {
    let body = json(&template::with(tx, identity, value).await?);
    let whose = Whose::Device(identity.to_owned());
    let (days, condition) = (bounds.finish_days.into(), Condition::default());
    let change = NewChange { whose, to: 0, fleet, matched: 0, bounds, days, act, condition };
    save_and_begin(tx, &body, change).await.map(drop)
}

async fn find(tx: &mut Tx, id: i64) -> Result<Option<ChangeRow>, StoreError> {
    Ok(query_as("SELECT * FROM change WHERE id = $1").bind(id).fetch_optional(tx).await?)
}

async fn begin(tx: &mut Tx, new: &NewChange) -> Result<ChangeRow, StoreError> {
    let name = new.whose.name();
    template::check(tx, name, &new.condition).await?;
    let busy: Option<(i64,)> =
        query_as("SELECT id FROM change WHERE name = $1 AND state IN ('waiting', 'running', 'stopped')")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
    if let Some((id,)) = busy
        && !replaced(tx, id, ms(new.act.at)).await?
    {
        return Err(ChangeError::UnderWay(id).into());
    }
    let known: Option<(i64,)> = query_as(
        "SELECT template.version FROM template WHERE name = $1 AND ($2 = 0 OR EXISTS \
         (SELECT 1 FROM template_version v WHERE v.name = $1 AND v.version = $2))",
    )
    .bind(name)
    .bind(new.to)
    .fetch_optional(&mut *tx)
    .await?;
    let (from,) = known.ok_or(ChangeError::NoVersion)?;
    if let Some(identity) = new.whose.identity() {
        spend(tx, identity, &new.bounds, new.fleet, ms(new.act.at)).await?.map_err(ChangeError::from)?;
    }
    let id = insert(tx, new, from).await?;
    tell(tx, id, Kind::ChangeBegun, ms(new.act.at)).await?;
    if new.bounds.begin(new.matched) == State::Done {
        end(tx, id, State::Done, None, ms(new.act.at)).await?;
    }
    forget_old(tx, ms(new.act.at)).await?;
    Ok(find(tx, id).await?.ok_or(ChangeError::NoChange)?)
}

/// A change that released nobody yet gives way to the next one.
async fn replaced(tx: &mut Tx, id: i64, now: i64) -> Result<bool, StoreError> {
    let is_untouched = find(tx, id).await?.is_some_and(|change| change.released == 0);
    if is_untouched {
        end(tx, id, State::Withdrawn, Some("replaced by the next change"), now).await?;
    }
    Ok(is_untouched)
}

async fn insert(tx: &mut Tx, new: &NewChange, from: i64) -> Result<i64, StoreError> {
    let (id,): (i64,) = query_as(
        "INSERT INTO change (name, identity, from_version, to_version, state, author, reason, at, fleet, matched, \
         days, asked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $8) RETURNING id",
    )
    .bind(new.whose.name())
    .bind(new.whose.identity())
    .bind(from)
    .bind(new.to)
    .bind(new.bounds.begin(new.matched).name())
    .bind(&new.act.author)
    .bind(&new.act.reason)
    .bind(ms(new.act.at))
    .bind(new.fleet)
    .bind(new.matched)
    .bind(new.days)
    .fetch_one(tx)
    .await?;
    Ok(id)
}

/// Changes that are over are kept for a while, and for an hour after the last that they released: that is what a budget
/// asks.
async fn forget_old(tx: &mut Tx, now: i64) -> Result<(), StoreError> {
    let forgotten: Vec<(i64,)> = query_as(
        "DELETE FROM change WHERE state IN ('done', 'withdrawn') \
         AND id <= (SELECT id FROM change ORDER BY id DESC LIMIT 1 OFFSET $1) \
         AND NOT EXISTS (SELECT 1 FROM released r WHERE r.change = change.id AND r.at > $2) RETURNING id",
    )
    .bind(KEPT)
    .bind(now - HOUR)
    .fetch_all(&mut *tx)
    .await?;
    for (id,) in forgotten {
        query("DELETE FROM released WHERE change = $1").bind(id).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Ends a change: done, its version applies; withdrawn, the one before still does.
async fn end(tx: &mut Tx, id: i64, state: State, note: Option<&str>, now: i64) -> Result<(), StoreError> {
    query("UPDATE change SET state = $2, note = COALESCE($3, note), ended_at = $4 WHERE id = $1")
        .bind(id)
        .bind(state.name())
        .bind(note)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    if state == State::Done
        && let Some(change) = find(tx, id).await?
    {
        // An action is over with its change; what is desired reaches devices later on too.
        if change.action.is_none() {
            template::apply(tx, &change.name, change.to_version, now).await?;
        }
        let unreached = (change.matched - change.released).max(0);
        let late_until = (unreached > 0 && change.action.is_none()).then_some(now + LATE);
        query("UPDATE change SET unreached = $2, late_until = $3 WHERE id = $1")
            .bind(id)
            .bind(unreached)
            .bind(late_until)
            .execute(&mut *tx)
            .await?;
    }
    action::strike(tx, id).await?;
    release::clear(tx, id, now).await?;
    tell(tx, id, Kind::ChangeEnded, now).await
}

async fn tell(tx: &mut Tx, id: i64, kind: Kind, now: i64) -> Result<(), StoreError> {
    let Some(change) = find(tx, id).await? else { return Ok(()) };
    let ChangeRow { name, from_version, to_version, state, author, note, action, .. } = change;
    let action: Option<serde_json::Value> = action.and_then(|action| serde_json::from_str(&action).ok());
    let data = serde_json::json!({
        "change": id, "from_version": from_version, "to_version": to_version, "state": state, "author": author,
        "note": note, "action": action,
    });
    outbox::tell(tx, kind, &name, now, &data).await
}

async fn decide(
    tx: &mut Tx,
    id: i64,
    decision: Decision,
    act: &Act,
) -> Result<Result<ChangeRow, ChangeError>, StoreError> {
    let Some(change) = find(tx, id).await? else { return Ok(Err(ChangeError::NoChange)) };
    let state = change.state();
    let next = match decision {
        Decision::Approve if state == State::Waiting && change.author == act.author => {
            return Ok(Err(ChangeError::SamePerson));
        }
        Decision::Approve if state == State::Waiting => State::Running,
        Decision::Stop if state == State::Running => State::Stopped,
        Decision::Resume if state == State::Stopped => State::Running,
        Decision::Finish if matches!(state, State::Running | State::Stopped) => State::Done,
        Decision::Withdraw if state.is_under_way() => State::Withdrawn,
        Decision::Approve | Decision::Stop | Decision::Resume | Decision::Finish | Decision::Withdraw => {
            return Ok(Err(ChangeError::State(state.name())));
        }
    };
    let note = format!("{} by {}: {}", next.name(), act.author, act.reason);
    if next == State::Running {
        release::asked(tx, id, ms(act.at)).await?;
    }
    if next.is_under_way() {
        set_state(tx, id, next, Some(&note)).await?;
        let kind = if next == State::Stopped { Kind::ChangeStopped } else { Kind::ChangeResumed };
        tell(tx, id, kind, ms(act.at)).await?;
    } else {
        end(tx, id, next, Some(&note), ms(act.at)).await?;
    }
    if decision == Decision::Approve {
        let query = query("UPDATE change SET approver = $2 WHERE id = $1").bind(id).bind(&act.author);
        query.execute(&mut *tx).await?;
    }
    if decision == Decision::Resume {
        forgive(tx, id).await?;
    }
    Ok(find(tx, id).await?.ok_or(ChangeError::NoChange))
}

/// Who resumes a change has seen what fell: it counts no more.
async fn forgive(tx: &mut Tx, id: i64) -> Result<(), StoreError> {
    let query = query(
        "UPDATE change SET fine = fine + faulted + fell + lost, faulted = 0, fell = 0, lost = 0 WHERE id = $1",
    );
    query.bind(id).execute(tx).await?;
    Ok(())
}

async fn set_state(tx: &mut Tx, id: i64, state: State, note: Option<&str>) -> Result<(), StoreError> {
    query("UPDATE change SET state = $2, note = COALESCE($3, note) WHERE id = $1")
        .bind(id)
        .bind(state.name())
        .bind(note)
        .execute(tx)
        .await?;
    Ok(())
}
