//! `/api/v1/refusals`: who was turned away, why, and what would help. Certificate text is hostile data: it is shown
//! as JSON strings and nothing else. (decision 21)

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use profile::Reason;
use serde::Serialize;

use super::{Answer, Api, Page, Paging, json, time};
use crate::store::RefusalRow;

/// Refusals of one kind.
#[derive(Serialize)]
pub(super) struct RefusalView {
    reason: String,
    clause: &'static str,
    remedy: &'static str,
    issuer: String,
    network: String,
    first_at: String,
    last_at: String,
    count: i64,
    detail: String,
    certificate: Option<serde_json::Value>,
}

impl From<RefusalRow> for RefusalView {
    fn from(row: RefusalRow) -> Self {
        let reason: Option<Reason> = row.reason.parse().ok();
        Self {
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
        }
    }
}

/// Lists refusals, newest first.
pub(super) async fn list(
    State(api): State<Api>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<Page<RefusalView>> {
    let Query(paging) = paging?;
    let rows = api.hems.store.refusals(paging.limit()).await?;
    Ok(Json(Page { items: rows.into_iter().map(RefusalView::from).collect(), next_page_token: None }))
}
