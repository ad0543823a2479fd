//! `/api/v1/changes`: what is on its way to the devices, how far it is, and what people decide about it.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Object, Page, Paging, Path, Problem, Tagged, json, time};
use crate::{
    change::{Budget, State as Stage, Tally},
    people::Caller,
    store::{ChangeRow, Condition, Decision},
};

/// A change with how far it is.
#[derive(Serialize, JsonSchema)]
pub(super) struct ChangeView {
    id: i64,
    /// The template, where it is the fleet's.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    /// The device, where it concerns one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// What is asked of the devices of a filter, where it is an action.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    from_version: i64,
    to_version: i64,
    state: Stage,
    author: String,
    reason: String,
    begun_at: String,
    approver: Option<String>,
    note: Option<String>,
    ended_at: Option<String>,
    /// Days without a further device after which it ends by itself.
    finish_days: i64,
    /// Devices that were admitted when it began.
    fleet: i64,
    /// What the budget has for further devices, while it runs and is held by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetView>,
    #[serde(flatten)]
    tally: Tally,
}

/// What is left of the cells that may be changed within an hour, by all changes together.
#[derive(Serialize, JsonSchema)]
pub(super) struct BudgetView {
    per_hour: i64,
    left: i64,
    /// When there is one again, where none is left.
    next_at: Option<String>,
}

/// Why somebody decides.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    #[serde(default)]
    pub(super) reason: String,
}

impl From<Budget> for BudgetView {
    fn from(budget: Budget) -> Self {
        let Budget { per_hour, left, next_at } = budget;
        Self { per_hour, left, next_at: next_at.map(|at| at.to_string()) }
    }
}

impl From<ChangeRow> for ChangeView {
    fn from(row: ChangeRow) -> Self {
        let (state, tally) = (row.state(), row.tally());
        Self {
            id: row.id,
            template: (row.identity.is_none() && row.action.is_none()).then_some(row.name),
            identity: row.identity,
            action: row.action.as_deref().map(json),
            filter: row.filter,
            from_version: row.from_version,
            to_version: row.to_version,
            state,
            author: row.author,
            reason: row.reason,
            begun_at: time(row.at),
            approver: row.approver,
            note: row.note,
            ended_at: row.ended_at.map(time),
            finish_days: row.days,
            fleet: row.fleet,
            budget: None,
            tally,
        }
    }
}

/// Lists the changes, the newest first.
pub(super) async fn list(
    State(api): State<Api>,
    query: Result<Query<Paging>, QueryRejection>,
) -> Answer<Page<ChangeView>> {
    let Query(paging) = query?;
    let before = paging.before()?;
    let rows = api.hems.store.changes(before, paging.limit()).await?;
    let is_full = rows.len() == paging.limit() as usize;
    let next_page_token = rows.last().filter(|_| is_full).map(|row| row.id.to_string());
    Ok(Json(Page { items: views(&api, rows).await?, next_page_token }))
}

/// Changes with what is left of the budget, which is asked for once where several have the same.
async fn views(api: &Api, rows: Vec<ChangeRow>) -> Result<Vec<ChangeView>, Problem> {
    let (mut budgets, mut views) = (BTreeMap::new(), Vec::with_capacity(rows.len()));
    for row in rows {
        let is_held = row.state() == Stage::Running && !row.is_harmless();
        let per_hour = is_held.then(|| api.hems.changes.per_hour(row.fleet));
        if let Some(per_hour) = per_hour.filter(|per_hour| !budgets.contains_key(per_hour)) {
            budgets.insert(per_hour, api.hems.store.budget(per_hour, api.hems.now()).await?);
        }
        let budget = per_hour.and_then(|per_hour| budgets.get(&per_hour).copied());
        views.push(ChangeView { budget: budget.map(BudgetView::from), ..row.into() });
    }
    Ok(views)
}

async fn tagged(api: &Api, row: ChangeRow) -> Result<Tagged<ChangeView>, Problem> {
    let view = views(api, vec![row.clone()]).await?.pop();
    view.map(|view| Tagged::new(&row, view)).ok_or_else(Problem::internal)
}

/// Shows one.
pub(super) async fn show(State(api): State<Api>, Path(id): Path<i64>) -> Result<Tagged<ChangeView>, Problem> {
    let row = api.hems.store.change(id).await?;
    tagged(&api, row.ok_or_else(|| Problem::not_found("there is no such change"))?).await
}

/// Approves a large one, as a second person.
pub(super) async fn approve(
    api: State<Api>,
    caller: Caller,
    id: Path<i64>,
    when: Condition,
    body: Body,
) -> Decided {
    decide((api.0, caller), id.0, when, body, Decision::Approve).await
}

/// Lets nobody follow any more, for now.
pub(super) async fn stop(
    api: State<Api>,
    caller: Caller,
    id: Path<i64>,
    when: Condition,
    body: Body,
) -> Decided {
    decide((api.0, caller), id.0, when, body, Decision::Stop).await
}

/// Lets others follow again; what fell before counts no more.
pub(super) async fn resume(
    api: State<Api>,
    caller: Caller,
    id: Path<i64>,
    when: Condition,
    body: Body,
) -> Decided {
    decide((api.0, caller), id.0, when, body, Decision::Resume).await
}

/// Makes it the rule: whoever did not follow yet does when it calls.
pub(super) async fn finish(
    api: State<Api>,
    caller: Caller,
    id: Path<i64>,
    when: Condition,
    body: Body,
) -> Decided {
    decide((api.0, caller), id.0, when, body, Decision::Finish).await
}

/// Takes it back: whoever followed goes back when it calls.
pub(super) async fn withdraw(
    api: State<Api>,
    caller: Caller,
    id: Path<i64>,
    when: Condition,
    body: Body,
) -> Decided {
    decide((api.0, caller), id.0, when, body, Decision::Withdraw).await
}

type Body = Object<Because>;
type Decided = Result<Tagged<ChangeView>, Problem>;

async fn decide(
    (api, caller): (Api, Caller),
    id: i64,
    condition: Condition,
    body: Body,
    decision: Decision,
) -> Decided {
    let act = caller.act(&body.0.reason, api.hems.now())?;
    tagged(&api, api.hems.store.decide(id, decision, act, condition).await??).await
}
