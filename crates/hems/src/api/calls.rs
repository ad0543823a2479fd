//! `/api/v1/devices/{identity}/calls`: calls that an operator queues for a device, and what became of them.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
};
use cwmp::CpeMethod;
use serde::Serialize;

use super::{Answer, Api, Page, Problem, devices, json, time};
use crate::{
    call,
    people::{Caller, Right},
    store::{CallRow, NewCall},
};

/// A call and how far it is.
#[derive(Serialize)]
pub(super) struct CallView {
    id: i64,
    method: String,
    command_key: String,
    call: serde_json::Value,
    state: String,
    queued_at: String,
    sent_at: Option<String>,
    finished_at: Option<String>,
    outcome: Option<serde_json::Value>,
}

impl From<CallRow> for CallView {
    fn from(row: CallRow) -> Self {
        Self {
            id: row.id,
            method: row.method,
            command_key: row.command_key,
            call: json(&row.body),
            state: row.state,
            queued_at: time(row.queued_at),
            sent_at: row.sent_at.map(time),
            finished_at: row.finished_at.map(time),
            outcome: row.outcome.as_deref().map(json),
        }
    }
}

/// Lists the calls of a device, newest first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Answer<Page<CallView>> {
    let device = devices::find(&api, &caller, &identity).await?;
    let calls = api.hems.store.calls(&device.identity).await?;
    Ok(Json(Page { items: calls.into_iter().map(CallView::from).collect(), next_page_token: None }))
}

/// Queues a call; the device gets it in its next session, when its plan has nothing to do.
pub(super) async fn queue(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    body: Result<Json<CpeMethod>, JsonRejection>,
) -> Result<(StatusCode, Json<CallView>), Problem> {
    let Json(mut method) = body?;
    let device = devices::find(&api, &caller, &identity).await?;
    if changes(&method) && !caller.may(Right::Engineer) {
        let detail = format!("{} changes what is configured, which is for engineers", method.name());
        return Err(Problem::forbidden(detail));
    }
    if device.binding().is_none() {
        return Err(Problem::conflict("the device is quarantined: admit it first"));
    }
    call::check(&method, api.hems.mode).map_err(|error| Problem::invalid(error.to_string()))?;
    let command_key = keyed(&mut method)?;
    let call = NewCall {
        identity: device.identity.clone(),
        method: method.name().to_owned(),
        command_key,
        body: serde_json::to_string(&method).unwrap_or_default(),
        at: api.hems.now(),
    };
    let queued = api.hems.store.queue_call(call).await?;
    let id = queued.ok_or_else(|| Problem::too_many("too many calls wait for this device"))?;
    let calls = api.hems.store.calls(&device.identity).await?;
    let row = calls.into_iter().find(|row| row.id == id);
    row.map(|row| (StatusCode::CREATED, Json(row.into())))
        .ok_or_else(|| Problem::not_found("the call is gone"))
}

/// Whether a method changes the cell's configuration or software; operators look, fetch and restart.
fn changes(method: &CpeMethod) -> bool {
    let is_harmless = ["Get", "Reboot", "Upload"].iter().any(|name| method.name().starts_with(name));
    !is_harmless
}

/// A Reboot or a Download is recognised by its CommandKey later on, so it always has one.
fn keyed(method: &mut CpeMethod) -> Result<String, Problem> {
    let Some(key) = call::command_key(method) else { return Ok(String::new()) };
    if key.is_empty() {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|_| Problem::too_many("no random numbers; try again"))?;
        *key = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    }
    Ok(key.to_string())
}
