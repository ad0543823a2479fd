//! Alarms as rows, and the steps of each. What should stand is [`alarm`](crate::alarm)'s to say.
//!
//! ```text
//!  raised ──▶ changed … ──▶ cleared           each step is a row, and an event in the same commit
//!     └─▶ acknowledged ⇄ unacknowledged       by whom, when, and with which note
//! ```

use jiff::Timestamp;
use serde_json::json;
use sqlx::FromRow;

use super::{Condition, Edited, Store, StoreError, Tag, Tx, link::Target, ms, outbox, query, query_as};
use crate::{
    alarm::{self, Alarm, Change, Facts, SOURCE, Severity, Standing},
    event::Kind,
};

/// Alarms that are kept after they cleared.
const HISTORY_MAX: i64 = 10_000;
/// Steps of one alarm that are kept.
const STEPS_MAX: i64 = 50;

/// An alarm.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct AlarmRow {
    pub(crate) id: i64,
    pub(crate) source: String,
    pub(crate) kind: String,
    pub(crate) object: String,
    pub(crate) event_type: String,
    pub(crate) probable_cause: String,
    pub(crate) severity: i64,
    pub(crate) detail: String,
    pub(crate) since: Option<i64>,
    pub(crate) raised_at: i64,
    pub(crate) changed_at: i64,
    pub(crate) cleared_at: Option<i64>,
    pub(crate) ack_by: Option<String>,
    pub(crate) ack_at: Option<i64>,
    pub(crate) ack_note: Option<String>,
}

/// One step of an alarm.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct AlarmStep {
    pub(crate) at: i64,
    pub(crate) what: String,
    pub(crate) severity: i64,
    pub(crate) who: Option<String>,
    pub(crate) note: Option<String>,
}

/// What somebody says of an alarm.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) who: String,
    pub(crate) note: Option<String>,
    pub(crate) at: Timestamp,
    /// Whether it is acknowledged from now on.
    pub(crate) is_seen: bool,
}

impl Store {
    /// Alarms that stand, the worst first, after a severity and a number.
    pub(crate) async fn standing_alarms(
        &self,
        severity: Option<Severity>,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<AlarmRow>, StoreError> {
        let query = query_as(
            "SELECT * FROM alarm WHERE cleared_at IS NULL AND ($1 IS NULL OR severity = $1) \
             AND (severity, id) > ($2, $3) ORDER BY severity, id LIMIT $4",
        );
        let query = query.bind(severity.map(Severity::rank)).bind(after.0).bind(after.1).bind(limit);
        Ok(query.fetch_all(&self.reads).await?)
    }

    /// Alarms that cleared, the newest first, before a number.
    pub(crate) async fn cleared_alarms(
        &self,
        severity: Option<Severity>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<AlarmRow>, StoreError> {
        let query = query_as(
            "SELECT * FROM alarm WHERE cleared_at IS NOT NULL AND ($1 IS NULL OR severity = $1) AND id < $2 \
             ORDER BY id DESC LIMIT $3",
        );
        let query = query.bind(severity.map(Severity::rank)).bind(before).bind(limit);
        Ok(query.fetch_all(&self.reads).await?)
    }

    /// One alarm with its steps, the oldest first.
    pub(crate) async fn alarm(&self, id: i64) -> Result<Option<(AlarmRow, Vec<AlarmStep>)>, StoreError> {
        let Some(row) = found(&self.reads, id).await? else { return Ok(None) };
        let steps =
            query_as("SELECT at, what, severity, who, note FROM alarm_step WHERE alarm = $1 ORDER BY id");
        Ok(Some((row, steps.bind(id).fetch_all(&self.reads).await?)))
    }

    /// How many alarms of each severity stand.
    pub(crate) async fn alarm_counts(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        let sql = "SELECT severity, count(*) FROM alarm WHERE cleared_at IS NULL GROUP BY severity";
        Ok(query_as(sql).fetch_all(&self.reads).await?)
    }

    /// Makes what stands of our own alarms what was found. Nothing is written where nothing changed.
    pub(crate) async fn change_alarms(
        &self,
        facts: &Facts,
        found: Vec<Alarm>,
    ) -> Result<Vec<Change>, StoreError> {
        let unjudged = if alarm::is_judged(facts, alarm::Kind::RefusalsAboveRate.name()) {
            None
        } else {
            Some(alarm::Kind::RefusalsAboveRate.name())
        };
        let is_judged = move |kind: &str| unjudged != Some(kind);
        let standing: Vec<StandingRow> = query_as(STANDING).bind(SOURCE).fetch_all(&self.reads).await?;
        let standing: Vec<_> = standing.into_iter().map(Standing::from).collect();
        if alarm::compare(&standing, &found, is_judged).is_empty() {
            return Ok(Vec::new());
        }
        let now = ms(facts.now);
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let standing: Vec<StandingRow> =
                        query_as(STANDING).bind(SOURCE).fetch_all(&mut *tx).await?;
                    let standing: Vec<_> = standing.into_iter().map(Standing::from).collect();
                    let changes = alarm::compare(&standing, &found, is_judged);
                    for change in &changes {
                        make(tx, change, now).await?;
                    }
                    trim(tx).await?;
                    Ok(changes)
                })
            })
            .await
    }

    /// Writes that somebody has seen an alarm, or has not. False where there is no such alarm that stands.
    pub(crate) async fn acknowledge(
        &self,
        id: i64,
        word: Word,
        condition: Condition,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    condition.check(found(&mut *tx, id).await?.as_ref())?;
                    acknowledge(tx, id, &word).await
                })
            })
            .await
    }
}

/// How bad it is and who looks after it is what people decide by.
impl Edited for AlarmRow {
    fn tag(&self) -> Tag {
        Tag::of((self.severity, self.cleared_at, &self.ack_by, self.ack_at, &self.ack_note))
    }
}

async fn found(target: impl Target, id: i64) -> Result<Option<AlarmRow>, StoreError> {
    Ok(query_as("SELECT * FROM alarm WHERE id = $1").bind(id).fetch_optional(target).await?)
}

const STANDING: &str =
    "SELECT id, kind, object, severity, detail FROM alarm WHERE source = $1 AND cleared_at IS NULL";

type StandingRow = (i64, String, String, i64, String);

impl From<StandingRow> for Standing {
    fn from((id, kind, object, severity, detail): StandingRow) -> Self {
        Self { id, kind, object, severity, detail }
    }
}

async fn make(tx: &mut Tx, change: &Change, now: i64) -> Result<(), StoreError> {
    match change {
        Change::Raise(alarm) => raise(tx, alarm, now).await,
        Change::Turn(id, alarm) => turn(tx, *id, alarm, now).await,
        Change::Reword(id, detail) => {
            let update = query("UPDATE alarm SET detail = $2 WHERE id = $1").bind(id).bind(detail);
            update.execute(tx).await?;
            Ok(())
        }
        Change::Clear(id) => {
            let update =
                query("UPDATE alarm SET cleared_at = $2, changed_at = $2 WHERE id = $1").bind(id).bind(now);
            update.execute(&mut *tx).await?;
            step(tx, *id, Kind::AlarmCleared, now, None).await
        }
    }
}

async fn raise(tx: &mut Tx, alarm: &Alarm, now: i64) -> Result<(), StoreError> {
    let (id,): (i64,) = query_as(
        "INSERT INTO alarm (source, kind, object, event_type, probable_cause, severity, detail, since, raised_at, \
         changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING id",
    )
    .bind(SOURCE)
    .bind(alarm.kind.name())
    .bind(&alarm.object)
    .bind(alarm.kind.event_type())
    .bind(alarm.kind.probable_cause())
    .bind(alarm.severity.rank())
    .bind(&alarm.detail)
    .bind(alarm.since)
    .bind(now)
    .fetch_one(&mut *tx)
    .await?;
    step(tx, id, Kind::AlarmRaised, now, None).await
}

/// One that became worse has not been seen by anybody.
async fn turn(tx: &mut Tx, id: i64, alarm: &Alarm, now: i64) -> Result<(), StoreError> {
    query(
        "UPDATE alarm SET ack_by = CASE WHEN $2 < severity THEN NULL ELSE ack_by END, \
         ack_at = CASE WHEN $2 < severity THEN NULL ELSE ack_at END, \
         ack_note = CASE WHEN $2 < severity THEN NULL ELSE ack_note END, \
         severity = $2, detail = $3, changed_at = $4 WHERE id = $1",
    )
    .bind(id)
    .bind(alarm.severity.rank())
    .bind(&alarm.detail)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    step(tx, id, Kind::AlarmChanged, now, None).await
}

async fn acknowledge(tx: &mut Tx, id: i64, word: &Word) -> Result<bool, StoreError> {
    let update = query(
        "UPDATE alarm SET ack_by = $2, ack_at = $3, ack_note = $4 WHERE id = $1 AND cleared_at IS NULL",
    );
    let done = update
        .bind(id)
        .bind(word.is_seen.then_some(word.who.as_str()))
        .bind(word.is_seen.then_some(ms(word.at)))
        .bind(word.note.as_deref().filter(|_| word.is_seen))
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let kind = if word.is_seen { Kind::AlarmAcknowledged } else { Kind::AlarmUnacknowledged };
    step(tx, id, kind, ms(word.at), Some(word)).await?;
    Ok(true)
}

/// Writes a step of an alarm as it is now, and tells it.
async fn step(tx: &mut Tx, id: i64, kind: Kind, now: i64, word: Option<&Word>) -> Result<(), StoreError> {
    let row: AlarmRow = query_as("SELECT * FROM alarm WHERE id = $1").bind(id).fetch_one(&mut *tx).await?;
    let what = kind.name().rsplit('.').next().unwrap_or_default();
    let (who, note) = (word.map(|word| word.who.as_str()), word.and_then(|word| word.note.as_deref()));
    query("INSERT INTO alarm_step (alarm, at, what, severity, who, note) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(id)
        .bind(now)
        .bind(what)
        .bind(row.severity)
        .bind(who)
        .bind(note)
        .execute(&mut *tx)
        .await?;
    query(
        "DELETE FROM alarm_step WHERE alarm = $1 AND id <= \
         (SELECT id FROM alarm_step WHERE alarm = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
    )
    .bind(id)
    .bind(STEPS_MAX)
    .execute(&mut *tx)
    .await?;
    let data = json!({
        "id": id,
        "source": row.source,
        "kind": row.kind,
        "object": row.object,
        "event_type": row.event_type,
        "probable_cause": row.probable_cause,
        "severity": Severity::of(row.severity).map(Severity::name),
        "detail": row.detail,
        "by": who,
        "note": note,
    });
    outbox::tell(tx, kind, &row.object, now, &data).await
}

async fn trim(tx: &mut Tx) -> Result<(), StoreError> {
    let last: Option<(i64,)> =
        query_as("SELECT id FROM alarm WHERE cleared_at IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET $1")
            .bind(HISTORY_MAX)
            .fetch_optional(&mut *tx)
            .await?;
    let Some((last,)) = last else { return Ok(()) };
    query("DELETE FROM alarm_step WHERE alarm IN (SELECT id FROM alarm WHERE cleared_at IS NOT NULL AND id <= $1)")
        .bind(last)
        .execute(&mut *tx)
        .await?;
    query("DELETE FROM alarm WHERE cleared_at IS NOT NULL AND id <= $1").bind(last).execute(tx).await?;
    Ok(())
}
