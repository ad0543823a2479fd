//! `/api/v1/dead-letters`: steps that failed on a device so often that they are not tried any more, and their retry.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, Object, Page, Paging, Path, Problem,
    devices::{self, FaultView},
    sessions,
};
use crate::{people::Caller, store::DeadLetter};

/// What its page tokens are bound to.
const LIST: &str = "dead letters";

/// A dead letter with its device.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeadLetterView {
    identity: String,
    #[serde(flatten)]
    fault: FaultView,
}

/// What shall be tried again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// One step; all that failed where it is left out.
    step: Option<String>,
}

/// How many steps will be tried again.
#[derive(Serialize, JsonSchema)]
pub(super) struct Retried {
    retried: u64,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(row: DeadLetter) -> Self {
        Self { identity: row.identity, fault: row.fault.into() }
    }
}

/// Lists them by device and step, of one `identity` or of all.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<Page<DeadLetterView>> {
    let Query(paging) = paging?;
    let after = paging.page_token.as_deref().map(|token| position(&api, token)).transpose()?;
    let (identity, step) = after.unwrap_or_default();
    let (store, limit) = (&api.hems.store, paging.limit());
    let rows = match &paging.identity {
        // That there is a next page would tell of a device that the caller does not see.
        Some(identity) => match devices::seen(&api, &caller, identity).await? {
            Some(device) => store.dead_letters_of(&device.identity, &step, limit).await?,
            None => Vec::new(),
        },
        None => store.dead_letters((&identity, &step), limit).await?,
    };
    let is_full = rows.len() == limit as usize;
    let next_page_token = rows.last().filter(|_| is_full).map(|last| token(&api, last)).transpose()?;
    let rows = sessions::seen(&api, &caller, rows, |row| &row.identity).await?;
    Ok(Json(Page { items: rows.into_iter().map(DeadLetterView::from).collect(), next_page_token }))
}

fn token(api: &Api, last: &DeadLetter) -> Result<String, Problem> {
    let position = (&last.identity, &last.fault.step);
    api.desk.pages.seal(LIST, &serde_json::to_string(&position).unwrap_or_default())
}

fn position(api: &Api, token: &str) -> Result<(String, String), Problem> {
    let position = api.desk.pages.open(LIST, token);
    let position = position.and_then(|position| serde_json::from_str(&position).ok());
    position.ok_or_else(|| Problem::invalid("`page_token` is none of ours"))
}

/// Has steps that failed on a device tried again in its next session: one, or all, dead or waiting.
pub(super) async fn retry(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    Object(Which { step }): Object<Which>,
) -> Answer<Retried> {
    let device = devices::find(&api, &caller, &identity).await?;
    match api.hems.store.retry(device.identity, step).await? {
        0 => Err(Problem::not_found("no such step failed on the device")),
        retried => Ok(Json(Retried { retried })),
    }
}
