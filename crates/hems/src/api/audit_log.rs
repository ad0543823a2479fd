//! `/api/v1/audit-log`: who changed what, and whether the log is whole.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Limit, PAGE, PAGE_MAX, Page, Problem};
use crate::people::audit::{self, AuditBreak, AuditChain, AuditLine};

/// Which lines.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    limit: Option<Limit>,
    page_token: Option<String>,
    /// Begins so many lines before the end.
    last: Option<u32>,
}

/// What following the chain found.
#[derive(Serialize, JsonSchema)]
pub(super) struct Verification {
    intact: bool,
    /// Lines that follow one another.
    lines: i64,
    /// The hash of the last of them: kept elsewhere, it proves later that nothing before was replaced.
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Broken>,
}

#[derive(Serialize, JsonSchema)]
struct Broken {
    number: i64,
    detail: String,
}

/// Lists lines, the earliest first, each with its hash.
pub(super) async fn list(
    State(api): State<Api>,
    which: Result<Query<Which>, QueryRejection>,
) -> Answer<Page<AuditLine>> {
    let Query(Which { limit, page_token, last }) = which?;
    let store = &api.hems.store;
    let after = match (page_token, last) {
        (Some(token), _) => token.parse().map_err(|_| Problem::invalid("`page_token` is none of ours"))?,
        (None, Some(last)) => store.audit_end().await?.number() - i64::from(last),
        (None, None) => 0,
    };
    let limit = Limit::of(limit, PAGE);
    let rows = store.audit_lines(after, limit).await?;
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next_page_token = rows.last().filter(|_| is_full).map(|(number, ..)| number.to_string());
    let items = rows.iter().map(|(_, line, hash)| audit::exported(line, hash)).collect();
    Ok(Json(Page { items, next_page_token }))
}

/// Follows the chain from its beginning to the end that it has now.
pub(super) async fn verify(State(api): State<Api>) -> Answer<Verification> {
    let end = api.hems.store.audit_end().await?;
    let mut chain = AuditChain::default();
    let broken = follow(&api, &mut chain, &end).await?;
    Ok(Json(Verification {
        intact: broken.is_none(),
        lines: chain.number(),
        hash: chain.hash().to_owned(),
        broken: broken.map(|broken| Broken { number: broken.number, detail: broken.to_string() }),
    }))
}

async fn follow(api: &Api, chain: &mut AuditChain, end: &AuditChain) -> Result<Option<AuditBreak>, Problem> {
    while chain.number() < end.number() {
        let before = chain.number();
        for (_, line, hash) in api.hems.store.audit_lines(before, PAGE_MAX).await? {
            if let Err(broken) = chain.follow_stored(&line, &hash) {
                return Ok(Some(broken));
            }
            if chain.number() == end.number() {
                break;
            }
        }
        if chain.number() == before {
            return Ok(Some(AuditBreak { number: before + 1, what: "is missing" }));
        }
    }
    let is_end = chain == end;
    Ok((!is_end).then_some(AuditBreak { number: end.number(), what: "is not the one that was written last" }))
}
