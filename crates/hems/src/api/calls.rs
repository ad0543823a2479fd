//! `/api/v1/devices/{identity}/calls`: calls that an operator queues for a device, and what became of them.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use cwmp::CpeMethod;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, Object, Page, Path, Problem,
    describe::{Sketch, Takes},
    devices, json, time,
};
use crate::{
    call, hex,
    people::{Caller, Right, secret},
    store::{CallRow, CancelError, DeviceRow, Keyed, NewCall, NewUrl, QueueError},
};

/// A call and how far it is.
#[derive(Serialize, JsonSchema)]
pub(super) struct CallView {
    id: i64,
    method: String,
    command_key: String,
    call: serde_json::Value,
    /// The action that it carries out, where it was asked for as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<serde_json::Value>,
    author: String,
    state: String,
    queued_at: String,
    sent_at: Option<String>,
    finished_at: Option<String>,
    outcome: Option<serde_json::Value>,
}

/// A method with its arguments, by their names in TR-069: `{"Reboot": {"CommandKey": "monday"}}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Method(#[schemars(schema_with = "one_method")] CpeMethod);

fn one_method(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "minProperties": 1, "maxProperties": 1})
}

impl From<CallRow> for CallView {
    fn from(row: CallRow) -> Self {
        Self {
            id: row.id,
            method: row.method,
            command_key: row.command_key,
            call: json(&row.body),
            action: row.action.as_deref().map(json),
            author: row.author,
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
    Key(key): Key,
    Object(Method(method)): Object<Method>,
) -> Result<(StatusCode, Json<CallView>), Problem> {
    let device = admitted(&api, &caller, &identity).await?;
    permit(&caller, method.name())?;
    call::check(&method, api.hems.mode).map_err(|error| Problem::invalid(error.to_string()))?;
    let key = key.map(|key| Keyed { key, request: secret::hash(&text(&method)) });
    let asked = Asked { method: Some(method), action: None, name: "", url: None, key, wakes: false };
    send(&api, &caller, &device, asked).await
}

/// An admitted device.
pub(super) async fn admitted(api: &Api, caller: &Caller, identity: &str) -> Result<DeviceRow, Problem> {
    let device = devices::find(api, caller, identity).await?;
    match device.binding() {
        Some(_) => Ok(device),
        None => Err(Problem::conflict("the device is quarantined: admit it first")),
    }
}

/// What somebody asked for.
pub(super) struct Asked {
    /// The method; nothing where the plan does it.
    pub(super) method: Option<CpeMethod>,
    /// The action as it was typed, as JSON.
    pub(super) action: Option<String>,
    /// The method's name where there is none.
    pub(super) name: &'static str,
    /// The URL of ours that the method names.
    pub(super) url: Option<NewUrl>,
    pub(super) key: Option<Keyed>,
    /// Whether the device is asked for a session now.
    pub(super) wakes: bool,
}

/// What came of a request before, where it came with its key: nothing else that could be said of it by now counts.
pub(super) async fn repeated(
    api: &Api,
    caller: &Caller,
    device: &DeviceRow,
    key: Option<&Keyed>,
) -> Result<Option<(StatusCode, Json<CallView>)>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let Some(row) = api.hems.store.queued_before(&device.identity, key).await?? else { return Ok(None) };
    if !row.body.is_empty() {
        permit(caller, &row.method)?;
    }
    Ok(Some((StatusCode::CREATED, Json(row.into()))))
}

fn text(method: &CpeMethod) -> String {
    serde_json::to_string(method).unwrap_or_default()
}

/// Queues what was checked.
pub(super) async fn send(
    api: &Api,
    caller: &Caller,
    device: &DeviceRow,
    asked: Asked,
) -> Result<(StatusCode, Json<CallView>), Problem> {
    let Asked { mut method, action, name, url, key, wakes } = asked;
    let command_key = method.as_mut().map(keyed).transpose()?.unwrap_or_default();
    let name = method.as_ref().map_or(name, CpeMethod::name);
    let is_change = name != call::WAKE && call::is_change(name);
    let fleet = if is_change { api.hems.store.count_admitted().await? } else { 0 };
    let call = NewCall {
        identity: device.identity.clone(),
        method: name.to_owned(),
        command_key,
        body: method.as_ref().map(text).unwrap_or_default(),
        author: caller.act("", api.hems.now())?.author,
        action,
        url,
        key,
        spends: is_change.then_some((api.hems.changes, fleet)),
        wakes,
        at: api.hems.now(),
    };
    let id = api.hems.store.queue_call(call).await??;
    let calls = api.hems.store.calls(&device.identity).await?;
    let row = calls.into_iter().find(|row| row.id == id);
    row.map(|row| (StatusCode::CREATED, Json(row.into())))
        .ok_or_else(|| Problem::not_found("the call is gone"))
}

/// Cancels a call that is queued; whoever may order it may. What it took of the budget stays taken.
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    Path((identity, id)): Path<(String, i64)>,
) -> Answer<CallView> {
    let device = devices::find(&api, &caller, &identity).await?;
    let row = api.hems.store.call(&device.identity, id).await?.ok_or(CancelError::NoCall)?;
    if call::wanted_state(&row.method).is_some() {
        let detail = format!("{} is a value of the device's own by now: change it there", row.method);
        return Err(Problem::conflict(&detail));
    }
    // What has no method asks for a session, which every operator may.
    if !row.body.is_empty() {
        permit(&caller, &row.method)?;
    }
    let act = caller.act("", api.hems.now())?;
    let row = api.hems.store.cancel_call(device.identity, id, act).await??;
    tracing::info!(call = id, "a call was cancelled");
    Ok(Json(row.into()))
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::NoCall => Self::not_found(&error.to_string()),
            CancelError::State(_) => Self::conflict(&error.to_string()),
        }
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Full => Self::too_many(&error.to_string()),
            QueueError::Budget(spent) => Self::over_budget(&spent),
            QueueError::OtherRequest => Self::conflict(&error.to_string()),
        }
    }
}

/// The header `Idempotency-Key`: a request that comes again with it is carried out once.
pub(super) struct Key(pub(super) Option<String>);

/// Characters of an idempotency key: a UUID has 36.
const KEY_MAX: usize = 128;

impl Takes for Key {
    fn takes(sketch: &mut Sketch) {
        sketch.header("Idempotency-Key", "What comes again with the same key is carried out once.");
        sketch.refusals.insert(422);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let text = value.to_str().ok().filter(|text| (1..=KEY_MAX).contains(&text.len()));
        let wrong = || Problem::invalid("`Idempotency-Key` has 1 to 128 ASCII characters");
        text.map(|text| Self(Some(text.to_owned()))).ok_or_else(wrong)
    }
}

/// Operators look, fetch and restart; what changes a cell's configuration or software is for engineers.
pub(super) fn permit(caller: &Caller, method: &str) -> Result<(), Problem> {
    let is_harmless = ["Get", "Reboot", "Upload"].iter().any(|name| method.starts_with(name));
    if is_harmless || caller.may(Right::Engineer) {
        return Ok(());
    }
    let detail = format!("{method} changes what is configured, which is for engineers");
    Err(Problem::forbidden(detail))
}

/// A Reboot or a Download is recognised by its CommandKey later on, so it always has one.
fn keyed(method: &mut CpeMethod) -> Result<String, Problem> {
    let Some(key) = call::command_key(method) else { return Ok(String::new()) };
    if key.is_empty() {
        let random = hex::random::<8>().ok_or_else(|| Problem::too_many("no random numbers; try again"))?;
        *key = random.into();
    }
    Ok(key.to_string())
}
