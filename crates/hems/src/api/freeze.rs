//! `/api/v1/freeze`: while it lasts nothing changes anywhere, but for an emergency.

use axum::{extract::State, http::StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Api, Object, Problem, Tagged, changes::Because, time};
use crate::{
    people::Caller,
    store::{Condition, FreezeRow},
};

/// Who froze everything, and why.
#[derive(Serialize, JsonSchema)]
pub(super) struct FreezeView {
    author: String,
    reason: String,
    since: String,
}

impl From<FreezeRow> for FreezeView {
    fn from(row: FreezeRow) -> Self {
        Self { author: row.author, reason: row.reason, since: time(row.at) }
    }
}

/// Shows it.
pub(super) async fn show(State(api): State<Api>) -> Result<Tagged<FreezeView>, Problem> {
    let row = api.hems.store.freeze().await?;
    row.map(|row| Tagged::new(&row.clone(), row.into()))
        .ok_or_else(|| Problem::not_found("nothing is frozen"))
}

/// Begins it; one that is there stays, unless `If-Match` names it.
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    condition: Condition,
    Object(because): Object<Because>,
) -> Result<Tagged<FreezeView>, Problem> {
    let act = caller.act(&because.reason, api.hems.now())?;
    if let Some(FreezeRow { author, at, .. }) = api.hems.store.begin_freeze(act, condition).await? {
        let since = time(at);
        let detail =
            format!("{author} froze everything at {since}: end that first, or name it with `If-Match`");
        return Err(Problem::conflict(&detail));
    }
    show(State(api)).await
}

/// Ends it.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    condition: Condition,
) -> Result<StatusCode, Problem> {
    match api.hems.store.end_freeze(caller.act("", api.hems.now())?, condition).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("nothing is frozen")),
    }
}
