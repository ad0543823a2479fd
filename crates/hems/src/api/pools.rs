//! `/api/v1/pools`: ranges of numbers that devices draw from.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, Api, Object, Page, Path, Problem, Tagged};
use crate::{pool::Pool, store::Condition, template::is_name};

/// A pool with its name.
#[derive(Serialize, JsonSchema)]
pub(super) struct PoolView {
    name: String,
    first: i64,
    last: i64,
    drawn: i64,
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
