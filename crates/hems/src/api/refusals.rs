//! `/api/v1/refusals`: who was turned away, why, and what would help. Certificate text is hostile data: it is shown
//! as JSON strings and nothing else. (decision 21)

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use profile::Reason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, Limit, PAGE, Page, Problem, json,
    offer::{self, Offer},
    time,
};
use crate::store::RefusalRow;

/// Refusals of one kind.
#[derive(Serialize, JsonSchema)]
pub(super) struct RefusalView {
    reason: String,
    clause: &'static str,
    remedy: &'static str,
    /// The section of the documentation about the reason.
    help: String,
    /// What can be done about it at once; absent where nothing can.
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<Offer>,
    issuer: String,
    network: String,
    first_at: String,
    last_at: String,
    count: i64,
    detail: String,
    certificate: Option<serde_json::Value>,
}

impl RefusalView {
    async fn of(api: &Api, row: RefusalRow) -> Result<Self, Problem> {
        let reason: Option<Reason> = row.reason.parse().ok();
        let facts = row.certificate.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let offer = match reason {
            Some(reason) => offer::offer(api, reason, facts.as_ref()).await?,
            None => None,
        };
        Ok(Self {
            help: offer::help(&row.reason),
            offer,
            clause: reason.map_or("", Reason::clause),
            remedy: reason.map_or("", Reason::remedy),
            reason: row.reason,
            issuer: row.issuer,
            network: row.network,
            first_at: time(row.first_at),
            last_at: time(row.last_at),
            count: row.count,
            detail: row.detail,
            certificate: row.certificate.as_deref().map(json),
        })
    }
}

/// How many.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Newest {
    limit: Option<Limit>,
}

/// Lists the newest refusals.
pub(super) async fn list(
    State(api): State<Api>,
    newest: Result<Query<Newest>, QueryRejection>,
) -> Answer<Page<RefusalView>> {
    let Query(Newest { limit }) = newest?;
    let rows = api.hems.store.refusals(Limit::of(limit, PAGE)).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(RefusalView::of(&api, row).await?);
    }
    Ok(Json(Page { items, next_page_token: None }))
}
