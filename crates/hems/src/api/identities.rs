//! `/api/v1/identities`: lists of who is admitted, and the ways back from admission and suspicion. (I-12)

use axum::{
    Json,
    body::Bytes,
    extract::{
        Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Api, Path, Problem, devices};
use crate::{admission, admission::Summary, people::Caller, session::Outcome};

/// Rows of a list that is taken whole or not at all: it is one commit, for which all others wait, on every node. This
/// many take some seconds where each is looked at alone; a server is given thirty. (`store::writer`)
const STRICT_MAX: usize = 10_000;

/// How a list is imported, of identities or of places.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    #[serde(default)]
    pub(super) strict: bool,
}

impl How {
    /// Refuses more rows than are taken in this way.
    pub(super) fn takes<R>(&self, mut rows: impl Iterator<Item = R>) -> Result<(), Problem> {
        if !self.strict || rows.nth(STRICT_MAX).is_none() {
            return Ok(());
        }
        Err(Problem::invalid(format!(
            "with `strict=true` a list has at most {STRICT_MAX} rows, for all of it is one commit: send several lists, \
             or leave `strict` out, and what is good is taken in parts"
        )))
    }
}

/// How a list is answered: 422 where something is wrong with it and nothing of it was taken.
pub(super) fn answered(taken: usize, is_whole: bool) -> StatusCode {
    if taken == 0 && !is_whole { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
}

/// Admits a list in CSV or JSON; with `strict=true`, which takes at most 10000 rows, all of it or nothing.
///
/// What is wrong with which row is in the answer; 422 where nothing was taken because of it.
pub(super) async fn import(
    State(api): State<Api>,
    how: Result<Query<How>, QueryRejection>,
    list: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Summary>), Problem> {
    let (Query(how), list) = (how?, list?);
    how.takes(admission::read(&list))?;
    let hems = &api.hems;
    let summary = admission::import(&hems.store, &list, hems.policies, how.strict, hems.now()).await?;
    for identity in &summary.stopped {
        hems.cut(identity, Outcome::Disputed).await;
    }
    let status = answered(summary.admitted + summary.same, summary.is_whole());
    tracing::info!(admitted = summary.admitted, same = summary.same, "a list of identities was imported");
    Ok((status, Json(summary)))
}

/// Takes an admission back: the identity is unknown again, its queued calls are cancelled, and a dispute with one other
/// is settled for that one.
pub(super) async fn withdraw(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Result<StatusCode, Problem> {
    let row = devices::find(&api, &caller, &identity).await?;
    let act = caller.act("", api.hems.now())?;
    if !api.hems.store.withdraw(row.identity.clone(), act).await? {
        return Err(Problem::not_found("the device is not admitted"));
    }
    if let Ok(identity) = profile::Identity::parse(&row.identity) {
        api.hems.cut(&identity, Outcome::Quarantined).await;
    }
    tracing::info!(device = row.identity, "withdrawn from admission");
    Ok(StatusCode::NO_CONTENT)
}

/// Clears the suspicion that rests on a device.
pub(super) async fn clear(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Result<StatusCode, Problem> {
    let row = devices::find(&api, &caller, &identity).await?;
    if !api.hems.store.clear_suspicion(row.identity).await? {
        return Err(Problem::not_found("nothing is suspected of the device"));
    }
    Ok(StatusCode::NO_CONTENT)
}
