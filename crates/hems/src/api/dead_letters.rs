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
use crate::{
    hex::{hex, unhex},
    people::Caller,
    store::DeadLetter,
};

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
    let (identity, step) = paging.page_token.as_deref().map(position).transpose()?.unwrap_or_default();
    let (store, limit) = (&api.hems.store, paging.limit());
    let rows = match &paging.identity {
        Some(identity) => store.dead_letters_of(&identity.to_ascii_lowercase(), &step, limit).await?,
        None => store.dead_letters((&identity, &step), limit).await?,
    };
    let is_full = rows.len() == limit as usize;
    let next_page_token = rows.last().filter(|_| is_full).map(token);
    let rows = sessions::seen(&api, &caller, rows, |row| &row.identity).await?;
    Ok(Json(Page { items: rows.into_iter().map(DeadLetterView::from).collect(), next_page_token }))
}

fn token(last: &DeadLetter) -> String {
    let position = (&last.identity, &last.fault.step);
    hex(serde_json::to_string(&position).unwrap_or_default().as_bytes())
}

fn position(token: &str) -> Result<(String, String), Problem> {
    let text = unhex(token).and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    serde_json::from_str(&text).map_err(|_| Problem::invalid("`page_token` is none of ours"))
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
