//! `/api/v1/pools`: ranges of numbers that devices draw from, and who holds which.
//!
//! ```text
//!  free ── drawn by a session, or reserved ──▶ held ── released, once nothing draws it again ──▶ free
//! ```

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use profile::Identity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Limit, Object, PAGE, Page, Path, Problem, Tagged, time};
use crate::{
    desire,
    pool::Pool,
    store::{Condition, DrawRow, ReserveError},
    template::{Subject, is_name},
};

/// A pool with its name.
#[derive(Serialize, JsonSchema)]
pub(super) struct PoolView {
    name: String,
    first: i64,
    last: i64,
    drawn: i64,
}

/// A device with its number.
#[derive(Serialize, JsonSchema)]
pub(super) struct DrawView {
    identity: String,
    value: i64,
    drawn_at: String,
}

/// The number that a device shall have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Number {
    value: i64,
}

/// Which part of a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    limit: Option<Limit>,
    page_token: Option<String>,
}

impl From<DrawRow> for DrawView {
    fn from(row: DrawRow) -> Self {
        Self { identity: row.identity, value: row.value, drawn_at: time(row.at) }
    }
}

impl From<ReserveError> for Problem {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::NoPool => Self::not_found(&error.to_string()),
            ReserveError::Outside(_) => Self::invalid(error.to_string()),
            ReserveError::Taken(_) | ReserveError::Holds(_) => Self::conflict(&error.to_string()),
        }
    }
}

/// Lists all pools.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<PoolView>> {
    Ok(Json(Page { items: views(&api).await?, next_page_token: None }))
}

/// Shows one.
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Tagged<PoolView>, Problem> {
    let found = views(&api).await?.into_iter().find(|pool| pool.name == name);
    let tagged = |view: PoolView| Tagged::new(&Pool { first: view.first, last: view.last }, view);
    found.map(tagged).ok_or_else(|| Problem::not_found("there is no such pool"))
}

/// Saves one; values that are drawn stay drawn, and inside.
pub(super) async fn put(
    State(api): State<Api>,
    Path(name): Path<String>,
    condition: Condition,
    Object(pool): Object<Pool>,
) -> Result<Tagged<PoolView>, Problem> {
    if !is_name(&name) {
        return Err(Problem::invalid("a name has 1 to 64 of a-z, 0-9, - and _"));
    }
    let pool = pool.check().map_err(|error| Problem::invalid(error.to_string()))?;
    if !api.hems.store.put_pool(name.clone(), pool, api.hems.now(), condition).await? {
        return Err(Problem::conflict(
            "cells hold values outside this range; a pool cannot shrink below them",
        ));
    }
    show(State(api), Path(name)).await
}

/// Deletes one of which nobody holds a number, and from which nothing draws.
pub(super) async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
    condition: Condition,
) -> Result<StatusCode, Problem> {
    let deleted = api.hems.store.remove_pool(name, condition).await?;
    match deleted.map_err(|in_use| Problem::conflict(&in_use.to_string()))? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("there is no such pool")),
    }
}

/// Lists who holds which number, the lowest first.
pub(super) async fn draws(
    State(api): State<Api>,
    Path(name): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Answer<Page<DrawView>> {
    let Query(Which { limit, page_token }) = which?;
    let after = page_token.map_or(Ok(-1), |token| token.parse());
    let after = after.map_err(|_| Problem::invalid("`page_token` is none of ours"))?;
    show(State(api.clone()), Path(name.clone())).await?;
    let limit = Limit::of(limit, PAGE);
    let rows = api.hems.store.draws(&name, after, limit).await?;
    let is_full = rows.len() == limit as usize;
    let next_page_token = rows.last().filter(|_| is_full).map(|row| row.value.to_string());
    Ok(Json(Page { items: rows.into_iter().map(DrawView::from).collect(), next_page_token }))
}

/// Makes the number of a device free again, once nothing would draw it one more.
pub(super) async fn release(
    State(api): State<Api>,
    Path((name, identity)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let none = || Problem::not_found("the device holds nothing of such a pool");
    let identity = Identity::parse(&identity).map_err(|_| none())?;
    api.hems.store.drawn(&name, identity.as_str()).await?.ok_or_else(none)?;
    if draws_from(&api, &identity, &name).await? {
        let detail =
            "the device is admitted and what is desired of it draws from the pool: it would draw again";
        return Err(Problem::conflict(detail));
    }
    if !api.hems.store.release_draw(name.clone(), identity.to_string()).await? {
        return Err(none());
    }
    tracing::info!(device = %identity, pool = name, "a number is free again");
    Ok(StatusCode::NO_CONTENT)
}

/// Reserves a number for a device, which draws that one then; the device need not be known yet.
pub(super) async fn reserve(
    State(api): State<Api>,
    Path((name, identity)): Path<(String, String)>,
    Object(Number { value }): Object<Number>,
) -> Answer<DrawView> {
    let identity = Identity::parse(&identity).map_err(|error| Problem::invalid(error.to_string()))?;
    let row = DrawRow { identity: identity.to_string(), value, at: api.hems.now().as_millisecond() };
    let row = api.hems.store.reserve_draw(name, row).await??;
    Ok(Json(row.into()))
}

/// Whether a device is admitted, and what is desired of it draws from a pool.
async fn draws_from(api: &Api, identity: &Identity, pool: &str) -> Result<bool, Problem> {
    let Some(row) = api.hems.store.device(identity.as_str()).await? else { return Ok(false) };
    match Subject::of(&row, row.place()?) {
        Some(subject) => Ok(desire::pools(&api.hems.store, &subject).await?.contains(pool)),
        None => Ok(false),
    }
}

async fn views(api: &Api) -> Result<Vec<PoolView>, Problem> {
    let pools = api.hems.store.pools().await?;
    let view = |(name, pool, drawn): (String, Pool, i64)| PoolView {
        name,
        first: pool.first,
        last: pool.last,
        drawn,
    };
    Ok(pools.into_iter().map(view).collect())
}
