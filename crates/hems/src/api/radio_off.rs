//! `/api/v1/radio-off`: emergencies, in which devices go off the air whatever else is desired, and the proof of it.
//!
//! No budget, no freeze and no second person holds one back. A device counts as off when a session that began after the
//! order saw it so.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Limit, Object, PAGE_MAX, Page, Path, Problem, Tagged, reason, time};
use crate::{
    filter::Filter,
    inventory::Roll,
    people::Caller,
    store::{Condition, EmergencyRow, ShutRow},
};

/// An emergency with how far it is.
#[derive(Serialize, JsonSchema)]
pub(super) struct EmergencyView {
    id: i64,
    filter: String,
    author: String,
    reason: String,
    ordered_at: String,
    lifted_by: Option<String>,
    lifted_at: Option<String>,
    /// When its last device was named. Without it they are being named, or that was cut off: then order it again.
    listed_at: Option<String>,
    /// How many are named.
    devices: i64,
    /// How many of them were seen off the air since.
    off: i64,
    /// Whether all are named, and all of these off.
    is_complete: bool,
}

/// A device that one concerns.
#[derive(Serialize, JsonSchema)]
pub(super) struct ShutView {
    identity: String,
    off_at: Option<String>,
}

/// Who goes off the air.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    filter: String,
    reason: String,
}

/// Which of its devices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    #[serde(default)]
    off: bool,
    limit: Option<Limit>,
    #[serde(default)]
    page_token: String,
}

impl From<EmergencyRow> for EmergencyView {
    fn from(row: EmergencyRow) -> Self {
        Self {
            id: row.id,
            filter: row.filter,
            author: row.author,
            reason: row.reason,
            ordered_at: time(row.at),
            lifted_by: row.lifted_by,
            lifted_at: row.lifted_at.map(time),
            listed_at: row.listed_at.map(time),
            devices: row.devices,
            off: row.off,
            is_complete: row.listed_at.is_some() && row.off == row.devices,
        }
    }
}

impl From<ShutRow> for ShutView {
    fn from(row: ShutRow) -> Self {
        Self { identity: row.identity, off_at: row.off_at.map(time) }
    }
}

/// Lists them, the newest first.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<EmergencyView>> {
    let rows = api.hems.store.emergencies(PAGE_MAX).await?;
    Ok(Json(Page { items: rows.into_iter().map(EmergencyView::from).collect(), next_page_token: None }))
}

/// Shows one.
pub(super) async fn show(
    State(api): State<Api>,
    Path(id): Path<i64>,
) -> Result<Tagged<EmergencyView>, Problem> {
    let row = find(&api, id).await?;
    Ok(Tagged::new(&row.clone(), row.into()))
}

async fn find(api: &Api, id: i64) -> Result<EmergencyRow, Problem> {
    let row = api.hems.store.emergency(id).await?;
    row.ok_or_else(|| Problem::not_found("there is no such emergency"))
}

/// Orders the devices of a filter off the air, those that are there now.
pub(super) async fn order(
    State(api): State<Api>,
    caller: Caller,
    Object(Order { filter, reason }): Object<Order>,
) -> Result<(StatusCode, Json<EmergencyView>), Problem> {
    let parsed = Filter::parse(&filter).map_err(|error| Problem::invalid(error.to_string()))?;
    parsed.walks().map_err(|error| Problem::invalid(error.to_string()))?;
    let (store, now) = (&api.hems.store, api.hems.now());
    let act = caller.act(&reason::reason(&reason)?, now)?;
    let mut roll = Roll::begin(store, &parsed, now).await?;
    let mut identities = roll.next().await?;
    // That no cell is on the air would prove nothing of those that were meant.
    if identities.is_empty() {
        return Err(Problem::conflict("the filter holds for no admitted device"));
    }
    let id = store.order_radio_off(filter, act).await?;
    while !identities.is_empty() {
        store.shut(id, identities).await?;
        identities = roll.next().await?;
    }
    store.listed(id, api.hems.now()).await?;
    Ok((StatusCode::CREATED, Json(find(&api, id).await?.into())))
}

/// The devices that are not off yet, or with `off=true` those that are.
pub(super) async fn devices(
    State(api): State<Api>,
    Path(id): Path<i64>,
    query: Result<Query<Which>, QueryRejection>,
) -> Answer<Page<ShutView>> {
    let Query(Which { off, limit, page_token }) = query?;
    find(&api, id).await?;
    let limit = Limit::of(limit, PAGE_MAX);
    let rows = api.hems.store.shut_devices(id, off, &page_token, limit).await?;
    let is_full = rows.len() == limit as usize;
    let next_page_token = rows.last().filter(|_| is_full).map(|row| row.identity.clone());
    Ok(Json(Page { items: rows.into_iter().map(ShutView::from).collect(), next_page_token }))
}

/// Lifts it: what is desired counts again.
pub(super) async fn lift(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<i64>,
    condition: Condition,
) -> Result<Tagged<EmergencyView>, Problem> {
    find(&api, id).await?;
    if !api.hems.store.lift_radio_off(id, caller.act("", api.hems.now())?, condition).await? {
        return Err(Problem::conflict("it was lifted before"));
    }
    show(State(api), Path(id)).await
}
