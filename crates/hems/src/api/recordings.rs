//! `/api/v1/devices/{identity}/recording` and `/api/v1/sessions/{id}/recording`: what is said in sessions, where somebody
//! asks for it beforehand.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, As, Object, Path, Problem, calls,
    describe::{Gives, Sketch, any},
    devices, time,
};
use crate::{
    people::Caller,
    recording::{HOURS_MAX, Message, Recording, SESSIONS_MAX, trace},
    store::{NewOrder, OrderRow, RecordingRow},
};

/// How many sessions shall be recorded, and until when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    sessions: u32,
    hours: u32,
}

/// What is ordered of a device.
#[derive(Serialize, JsonSchema)]
pub(super) struct OrderView {
    /// Sessions that will still be recorded.
    sessions: i64,
    until: String,
    author: String,
    ordered_at: String,
}

/// That a session was recorded.
#[derive(Serialize, JsonSchema)]
pub(super) struct RecordingView {
    messages: i64,
    /// Bytes in the store.
    bytes: i64,
    expires_at: String,
}

/// What was said in a session.
#[derive(Serialize, JsonSchema)]
pub(super) struct RecordingDetail {
    session: i64,
    identity: String,
    #[serde(flatten)]
    recording: RecordingView,
    items: Vec<Message>,
    /// Messages beyond what a recording has room for.
    left_out: usize,
    /// Whether it can be replayed: what was known at its beginning was not too much to keep.
    is_replayable: bool,
}

impl From<OrderRow> for OrderView {
    fn from(row: OrderRow) -> Self {
        let OrderRow { sessions, until_at, author, at } = row;
        Self { sessions, until: time(until_at), author, ordered_at: time(at) }
    }
}

impl RecordingView {
    fn of(api: &Api, row: &RecordingRow) -> Self {
        let keeps = i64::try_from(api.hems.keeps_recordings.as_millis()).unwrap_or(i64::MAX);
        let expires_at = time(row.at.saturating_add(keeps));
        Self { messages: row.messages, bytes: row.bytes, expires_at }
    }
}

/// Shows what is ordered of a device.
pub(super) async fn order(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Answer<OrderView> {
    let device = devices::find(&api, &caller, &identity).await?;
    let order = api.hems.store.recording_order(&device.identity, api.hems.now()).await?;
    order.map(|row| Json(row.into())).ok_or_else(|| Problem::not_found("no session of it shall be recorded"))
}

/// Has the next sessions of a device recorded.
pub(super) async fn record(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    Object(Order { sessions, hours }): Object<Order>,
) -> Result<(StatusCode, Json<OrderView>), Problem> {
    if !(1..=SESSIONS_MAX).contains(&sessions) || !(1..=HOURS_MAX).contains(&hours) {
        let right = format!("`sessions` is 1 to {SESSIONS_MAX}, `hours` 1 to {HOURS_MAX}");
        return Err(Problem::invalid(right));
    }
    let device = calls::admitted(&api, &caller, &identity).await?;
    let at = api.hems.now();
    let until = at + SignedDuration::from_hours(hours.into());
    let order =
        NewOrder { identity: device.identity.clone(), sessions, until, author: caller.name.clone(), at };
    if !api.hems.store.order_recording(order).await? {
        return Err(Problem::too_many("as many devices wait to be recorded as may at a time"));
    }
    let order = api.hems.store.recording_order(&device.identity, at).await?;
    let view = order.map(OrderView::from).ok_or_else(|| Problem::not_found("the order is over already"))?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Takes an order back; what was recorded stays.
pub(super) async fn stop(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Result<StatusCode, Problem> {
    let device = devices::find(&api, &caller, &identity).await?;
    api.hems.store.withdraw_recording(device.identity).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was said, in one of its forms.
pub(super) struct Said;

impl Gives for Said {
    fn gives(sketch: &mut Sketch) {
        Json::<RecordingDetail>::gives(sketch);
        any(sketch, &["text/plain"], serde_json::json!({"type": "string"}));
    }
}

/// Shows what was said in a session: as JSON, or as a text for people where that is accepted.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<As<Said>, Problem> {
    let (row, recording) = whole(&api, &caller, id).await?;
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.starts_with("text/plain")) {
        let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Ok((kind, trace(id, &row.identity, &recording)).into_response().into());
    }
    let detail = RecordingDetail {
        session: id,
        recording: RecordingView::of(&api, &row),
        identity: row.identity,
        left_out: recording.left_out,
        is_replayable: recording.start.is_some(),
        items: recording.messages,
    };
    Ok(Json(detail).into_response().into())
}

/// Removes what was said in a session.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let row = find(&api, &caller, id).await?;
    api.hems.store.forget_recording(row.session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a session was recorded.
pub(super) async fn of(api: &Api, session: i64) -> Result<Option<RecordingView>, Problem> {
    let row = recorded(api, session).await?;
    Ok(row.map(|row| RecordingView::of(api, &row)))
}

/// A recording of a device that the caller sees, with what was said.
pub(super) async fn whole(
    api: &Api,
    caller: &Caller,
    session: i64,
) -> Result<(RecordingRow, Recording), Problem> {
    let row = find(api, caller, session).await?;
    let recording = api.hems.store.recorded(session).await?.ok_or_else(nothing)?;
    Ok((row, recording))
}

async fn find(api: &Api, caller: &Caller, session: i64) -> Result<RecordingRow, Problem> {
    let row = recorded(api, session).await?.ok_or_else(nothing)?;
    devices::seen(api, caller, &row.identity).await?.map(|_| row).ok_or_else(nothing)
}

/// One that is over is gone, whether it was removed yet or not.
async fn recorded(api: &Api, session: i64) -> Result<Option<RecordingRow>, Problem> {
    let since = api.hems.now() - api.hems.keeps_recordings;
    Ok(api.hems.store.recording(session, since).await?)
}

fn nothing() -> Problem {
    Problem::not_found("this session was not recorded, or its recording is gone")
}
