//! `/api/v1/actions`: one action for every device of a filter. It is a [change](super::changes): held by the same budget,
//! freeze and second person, stopped by the same faults, and its progress is shown there.
//!
//! ```text
//!  filter ─▶ devices now ─▶ tried on the first ─▶ dry run: count, first devices
//!                                              └▶ listed ─▶ each is asked in its next session
//! ```

use axum::{Json, extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Api, Object, Problem,
    actions::{self, Action},
    calls::{self, Key},
    changes::ChangeView,
    templates,
};
use crate::{
    call,
    change::State as Stage,
    filter::Filter,
    hex, inventory,
    people::Caller,
    store::{ChangeRow, DeviceRow, NewAction},
};

/// Devices that an action is tried on before it is ordered, and that a dry run names.
const TRIALS: usize = 10;
/// Devices listed by one commit.
const BATCH: usize = 1_000;

/// What is asked of whom.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    filter: String,
    action: Action,
    #[serde(default)]
    reason: String,
    finish_days: Option<u32>,
    /// Only says what would be.
    #[serde(default)]
    dry_run: bool,
}

/// What would be.
#[derive(Serialize, JsonSchema)]
pub(super) struct Trial {
    /// Devices for which the filter holds, as far as they were counted.
    count: i64,
    is_complete: bool,
    /// How the action would begin.
    state: Stage,
    /// The first of them.
    items: Vec<String>,
}

/// The change that the action is, or what a dry run says of it.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Ordered {
    Change(Box<ChangeView>),
    Trial(Trial),
}

/// Orders an action, or says of how many it would be.
pub(super) async fn order(
    State(api): State<Api>,
    caller: Caller,
    Key(key): Key,
    Object(order): Object<Order>,
) -> Result<(StatusCode, Json<Ordered>), Problem> {
    let action = serde_json::to_string(&order.action).unwrap_or_default();
    // What was ordered stays so, whatever else would be said of it by now.
    let before = api.hems.store.ordered_before(&key, (&action, &order.filter)).await??;
    if let Some(change) = before.filter(|_| !order.dry_run) {
        return Ok((StatusCode::OK, changed(change)));
    }
    let filter = Filter::parse(&order.filter).map_err(|error| Problem::invalid(error.to_string()))?;
    let first = first(&api, &filter).await?;
    let name = format!("action-{}", hex::random::<8>().ok_or_else(Problem::internal)?);
    let (method, body) = tried(&api, &caller, (&order.action, &name), &first).await?;
    if order.dry_run {
        return preview(&api, &filter, &method, &first).await;
    }
    let (hems, now) = (&api.hems, api.hems.now());
    let new = NewAction {
        action,
        filter: order.filter,
        method,
        body,
        name: name.clone(),
        key,
        fleet: hems.store.count_admitted().await?,
        days: templates::days_of(&hems.changes, order.finish_days)?,
        act: caller.act(&order.reason, now)?,
    };
    let change = hems.store.prepare_action(new).await??;
    if change.name != name {
        return Ok((StatusCode::OK, changed(change)));
    }
    list(&api, change.id, &filter).await?;
    let change = hems.store.begin_action(change.id, hems.changes, now).await??;
    tracing::info!(change = change.id, matched = change.matched, "an action was ordered");
    Ok((StatusCode::CREATED, changed(change)))
}

fn changed(change: ChangeRow) -> Json<Ordered> {
    Json(Ordered::Change(Box::new(change.into())))
}

/// The first admitted devices for which the filter holds.
async fn first(api: &Api, filter: &Filter) -> Result<Vec<DeviceRow>, Problem> {
    let (mut first, mut token) = (Vec::new(), None);
    loop {
        let page = inventory::page(&api.hems.store, filter, token.as_deref(), TRIALS, api.hems.now()).await?;
        let rows = page.devices.into_iter().map(|device| device.row);
        first.extend(rows.filter(|row| row.binding().is_some()));
        token = page.next;
        if token.is_none() || first.len() >= TRIALS {
            first.truncate(TRIALS);
            return Ok(first);
        }
    }
}

/// The method's name, and the method as JSON where it is one, once nothing is wrong with it for the first devices.
async fn tried(
    api: &Api,
    caller: &Caller,
    (action, name): (&Action, &str),
    first: &[DeviceRow],
) -> Result<(String, String), Problem> {
    if matches!(action, Action::Download { .. } | Action::Upload { .. }) {
        return Err(Problem::invalid("files move to and from one device at a time: their URLs are its own"));
    }
    if *action == (Action::Wake {}) {
        return Err(Problem::invalid("many are asked when they call: wake one device at a time"));
    }
    let mut found = None;
    for device in first {
        let (method, _) = actions::call(api, caller, device, action).await?;
        found = found.or(Some(method));
    }
    let Some(method) = found else {
        return Err(Problem::conflict("the filter holds for no admitted device"));
    };
    let Some(mut method) = method else {
        let name = if *action == (Action::Lock {}) { call::LOCK } else { call::UNLOCK };
        return Ok((name.to_owned(), String::new()));
    };
    calls::permit(caller, method.name())?;
    // By it a later report is known for this action's, among the calls of its device.
    if let Some(key) = call::command_key(&mut method) {
        *key = name.to_owned().into();
    }
    Ok((method.name().to_owned(), serde_json::to_string(&method).unwrap_or_default()))
}

async fn preview(
    api: &Api,
    filter: &Filter,
    method: &str,
    first: &[DeviceRow],
) -> Result<(StatusCode, Json<Ordered>), Problem> {
    let (count, is_complete) = inventory::count(&api.hems.store, filter, api.hems.now()).await?;
    let matched = i64::try_from(count).unwrap_or(i64::MAX);
    let state = if call::is_change(method) { api.hems.changes.begin(matched) } else { Stage::Running };
    let items = first.iter().map(|device| device.identity.clone()).collect();
    let trial = Trial { count: matched, is_complete, state, items };
    Ok((StatusCode::OK, Json(Ordered::Trial(trial))))
}

/// Lists the admitted devices for which the filter holds now.
async fn list(api: &Api, id: i64, filter: &Filter) -> Result<(), Problem> {
    let (store, now) = (&api.hems.store, api.hems.now());
    let mut token = None;
    loop {
        let page = inventory::page(store, filter, token.as_deref(), BATCH, now).await?;
        let admitted = page.devices.into_iter().filter(|device| device.row.state == "admitted");
        store.list_for_action(id, admitted.map(|device| device.row.identity).collect()).await?;
        match page.next {
            Some(next) => token = Some(next),
            None => return Ok(()),
        }
    }
}
