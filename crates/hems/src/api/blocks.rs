//! `/api/v1/blocks`: who is shut out although the certificate is good. (I-12)
//!
//! A block holds from the answer on: handshakes are refused, and what is open ends.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, Object, Page, Problem,
    guard::About,
    reason::{REASON_MAX, reason},
    time,
};
use crate::{
    blocks::{Kind, Rule},
    people::Caller,
    store::{BlockRow, Blocking},
};

/// One block.
#[derive(Serialize, JsonSchema)]
pub(super) struct BlockView {
    kind: String,
    value: String,
    reason: String,
    by: String,
    at: String,
}

/// What shall be blocked, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBlock {
    kind: Kind,
    value: String,
    #[schemars(length(min = 1, max = REASON_MAX))]
    reason: String,
}

/// Which block shall go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    kind: Kind,
    value: String,
}

impl From<BlockRow> for BlockView {
    fn from(row: BlockRow) -> Self {
        Self { kind: row.kind, value: row.value, reason: row.reason, by: row.made_by, at: time(row.made_at) }
    }
}

fn rule(kind: Kind, value: &str) -> Result<Rule, Problem> {
    Rule::parse(kind, value).map_err(|error| Problem::invalid(error.to_string()))
}

/// Lists every block, by kind and value.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<BlockView>> {
    let rows = api.hems.store.blocks().await?;
    Ok(Json(Page { items: rows.into_iter().map(BlockView::from).collect(), next_page_token: None }))
}

/// Blocks something.
pub(super) async fn add(
    State(api): State<Api>,
    caller: Caller,
    Object(new): Object<NewBlock>,
) -> Result<(StatusCode, About, Json<BlockView>), Problem> {
    let rule = rule(new.kind, &new.value)?;
    let row = BlockRow::new(&rule, &reason(&new.reason)?, &caller.name, api.hems.now());
    let status = match api.hems.store.block(row.clone()).await? {
        Blocking::New => StatusCode::CREATED,
        Blocking::Same => StatusCode::OK,
        Blocking::Full => {
            return Err(Problem::too_many(
                "there are 10000 blocks; remove some, or take the CA off the anchors",
            ));
        }
    };
    api.hems.reload_blocks().await?;
    tracing::info!(kind = row.kind, value = row.value, reason = row.reason, "blocked");
    let about = About(format!("{} {}", row.kind, row.value));
    Ok((status, about, Json(row.into())))
}

/// Takes a block away.
pub(super) async fn remove(
    State(api): State<Api>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let Query(which) = which?;
    let rule = rule(which.kind, &which.value)?;
    if !api.hems.store.unblock(rule.kind().name(), rule.value().to_owned(), api.hems.now()).await? {
        return Err(Problem::not_found("there is no such block"));
    }
    api.hems.reload_blocks().await?;
    tracing::info!(kind = rule.kind().name(), value = rule.value(), "no longer blocked");
    Ok(StatusCode::NO_CONTENT)
}
