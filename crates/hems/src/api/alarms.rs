//! `/api/v1/alarms`: what a person should look at, who has, and what became of it. (F-13)

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, Limit, Object, PAGE, Page, Path, Problem, Tagged,
    reason::{REASON_MAX, reason},
    time,
};
use crate::{
    alarm::{Severity, watch::Summary},
    people::Caller,
    store::{AlarmRow, AlarmStep, Condition, Word},
};

/// An alarm.
#[derive(Serialize, JsonSchema)]
pub(super) struct AlarmView {
    id: i64,
    source: String,
    kind: String,
    severity: Option<&'static str>,
    event_type: String,
    probable_cause: String,
    /// What it is about; absent where it is about all.
    #[serde(skip_serializing_if = "String::is_empty")]
    object: String,
    /// The cell that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    raised_at: String,
    changed_at: String,
    cleared_at: Option<String>,
    acknowledged: Option<Acknowledged>,
}

/// Who has seen it.
#[derive(Serialize, JsonSchema)]
struct Acknowledged {
    by: String,
    at: Option<String>,
    note: Option<String>,
}

/// An alarm with what became of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlarmDetail")]
pub(super) struct Detail {
    #[serde(flatten)]
    alarm: AlarmView,
    history: Vec<StepView>,
}

#[derive(Serialize, JsonSchema)]
struct StepView {
    at: String,
    what: String,
    severity: Option<&'static str>,
    by: Option<String>,
    note: Option<String>,
}

/// Which alarms.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    state: Option<String>,
    severity: Option<String>,
    limit: Option<Limit>,
    page_token: Option<String>,
}

/// What somebody has to say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    #[schemars(length(min = 1, max = REASON_MAX))]
    note: Option<String>,
}

impl From<AlarmRow> for AlarmView {
    fn from(row: AlarmRow) -> Self {
        let identity: Option<profile::Identity> = profile::Identity::parse(&row.object).ok();
        Self {
            id: row.id,
            source: row.source,
            kind: row.kind,
            severity: Severity::of(row.severity).map(Severity::name),
            event_type: row.event_type,
            probable_cause: row.probable_cause,
            identity: identity.map(|identity| identity.to_string()),
            object: row.object,
            detail: row.detail,
            since: row.since.map(time),
            raised_at: time(row.raised_at),
            changed_at: time(row.changed_at),
            cleared_at: row.cleared_at.map(time),
            acknowledged: row.ack_by.map(|by| Acknowledged {
                by,
                at: row.ack_at.map(time),
                note: row.ack_note,
            }),
        }
    }
}

impl From<AlarmStep> for StepView {
    fn from(step: AlarmStep) -> Self {
        let severity = Severity::of(step.severity).map(Severity::name);
        Self { at: time(step.at), what: step.what, severity, by: step.who, note: step.note }
    }
}

/// Lists the alarms that stand, the worst first, or those that cleared, the newest first.
pub(super) async fn list(
    State(api): State<Api>,
    which: Result<Query<Which>, QueryRejection>,
) -> Answer<Page<AlarmView>> {
    let Query(which) = which?;
    let severity = which.severity.as_deref().map(severity).transpose()?;
    let limit = Limit::of(which.limit, PAGE);
    let token = which.page_token.as_deref();
    let store = &api.hems.store;
    let rows = match which.state.as_deref() {
        None | Some("raised") => {
            let after = token.map(|token| pair(token).ok_or_else(no_token)).transpose()?.unwrap_or((0, 0));
            store.standing_alarms(severity, after, limit).await?
        }
        Some("cleared") => {
            let before = token.map(|token| token.parse().map_err(|_| no_token())).transpose()?;
            store.cleared_alarms(severity, before.unwrap_or(i64::MAX), limit).await?
        }
        Some(_) => return Err(Problem::invalid("`state` is raised or cleared")),
    };
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
    let token = |row: &AlarmRow| match row.cleared_at {
        None => format!("{}.{}", row.severity, row.id),
        Some(_) => row.id.to_string(),
    };
    let next_page_token = rows.last().filter(|_| is_full).map(token);
    Ok(Json(Page { items: rows.into_iter().map(AlarmView::from).collect(), next_page_token }))
}

fn severity(name: &str) -> Result<Severity, Problem> {
    let right = || Problem::invalid("`severity` is critical, major, minor or warning");
    Severity::named(name).ok_or_else(right)
}

fn no_token() -> Problem {
    Problem::invalid("`page_token` is none of ours")
}

fn pair(token: &str) -> Option<(i64, i64)> {
    let (severity, id) = token.split_once('.')?;
    Some((severity.parse().ok()?, id.parse().ok()?))
}

/// Shows one with what became of it.
pub(super) async fn show(State(api): State<Api>, Path(id): Path<String>) -> Result<Tagged<Detail>, Problem> {
    let (row, steps) = api.hems.store.alarm(number(&id)?).await?.ok_or_else(no_alarm)?;
    let history = steps.into_iter().map(StepView::from).collect();
    Ok(Tagged::new(&row.clone(), Detail { alarm: row.into(), history }))
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| no_alarm())
}

fn no_alarm() -> Problem {
    Problem::not_found("there is no such alarm")
}

/// Says that somebody looks after it.
pub(super) async fn acknowledge(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    condition: Condition,
    Object(said): Object<Note>,
) -> Result<Tagged<Detail>, Problem> {
    let note = said.note.as_deref().map(reason).transpose()?;
    say(api, caller, &id, (note, true, condition)).await
}

/// Takes that back.
pub(super) async fn unacknowledge(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    condition: Condition,
    Object(said): Object<Note>,
) -> Result<Tagged<Detail>, Problem> {
    let note = said.note.as_deref().map(reason).transpose()?;
    say(api, caller, &id, (note, false, condition)).await
}

async fn say(
    api: Api,
    caller: Caller,
    id: &str,
    (note, is_seen, condition): (Option<String>, bool, Condition),
) -> Result<Tagged<Detail>, Problem> {
    let id = number(id)?;
    let word = Word { who: caller.name, note, at: api.hems.now(), is_seen };
    if !api.hems.store.acknowledge(id, word, condition).await? {
        api.hems.store.alarm(id).await?.ok_or_else(no_alarm)?;
        return Err(Problem::conflict("it has cleared: there is nothing left to look after"));
    }
    show(State(api), Path(id.to_string())).await
}

/// Works all out at once, and says what changed.
pub(super) async fn evaluate(State(api): State<Api>) -> Answer<Summary> {
    Ok(Json(api.hems.alarms.evaluate(&api.hems).await?))
}
