//! `/api/v1/trust/lists` and `/api/v1/trust/grace`: the revocation lists, and how long a stale one counts.
//!
//! A broken distribution point must not take a fleet down, and must not go unnoticed either: an extension is an act
//! with a reason and an end, stays on record, and counts from the answer on.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, Object, Page, Problem,
    guard::About,
    reason::{REASON_MAX, reason},
    time,
};
use crate::{
    doors::Doors,
    grace::{EXTENSION_MAX, ListFacts, Standing},
    people::Caller,
    store::GraceRow,
};

/// One list.
#[derive(Serialize, JsonSchema)]
pub(super) struct ListView {
    anchor: String,
    issuer: String,
    number: Option<String>,
    this_update: String,
    next_update: String,
    /// How many certificates it revokes.
    revoked: usize,
    /// Whether its signature was found good; it is looked at when a chain of its issuer comes.
    verified: bool,
    standing: Standing,
    /// From then on what its issuer issued is refused.
    counts_until: String,
}

impl ListView {
    fn new(facts: ListFacts, now: Timestamp) -> Self {
        Self {
            standing: facts.standing(now),
            anchor: facts.anchor,
            issuer: facts.list.issuer,
            number: facts.list.number,
            this_update: facts.list.this_update.to_string(),
            next_update: facts.list.next_update.to_string(),
            revoked: facts.list.revoked,
            verified: facts.list.is_verified,
            counts_until: facts.counts_until.to_string(),
        }
    }
}

/// One act about the grace of an anchor's lists.
#[derive(Serialize, JsonSchema)]
pub(super) struct GraceView {
    anchor: String,
    until: String,
    reason: String,
    by: String,
    at: String,
}

impl From<GraceRow> for GraceView {
    fn from(row: GraceRow) -> Self {
        let (until, at) = (time(row.until_at), time(row.made_at));
        Self { anchor: row.anchor, until, reason: row.reason, by: row.made_by, at }
    }
}

/// An extension: for which anchor, until when, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Extension {
    anchor: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    until: Timestamp,
    #[schemars(length(min = 1, max = REASON_MAX))]
    reason: String,
}

/// Whose extension shall end, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    anchor: String,
    #[schemars(length(min = 1, max = REASON_MAX))]
    reason: String,
}

/// Lists every revocation list in use.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<ListView>> {
    let now = api.hems.now();
    let lists = api.hems.doors.as_ref().map(|doors| doors.lists()).unwrap_or_default();
    let items = lists.into_iter().map(|facts| ListView::new(facts, now)).collect();
    Ok(Json(Page { items, next_page_token: None }))
}

/// Lists every act, the newest first.
pub(super) async fn history(State(api): State<Api>) -> Answer<Page<GraceView>> {
    let rows = api.hems.store.graces().await?;
    Ok(Json(Page { items: rows.into_iter().map(GraceView::from).collect(), next_page_token: None }))
}

/// Lets the lists of an anchor count for longer.
pub(super) async fn extend(
    State(api): State<Api>,
    caller: Caller,
    Object(new): Object<Extension>,
) -> Result<(StatusCode, About, Json<GraceView>), Problem> {
    let now = api.hems.now();
    if new.until <= now || new.until > now + EXTENSION_MAX {
        let days = EXTENSION_MAX.as_hours() / 24;
        return Err(Problem::invalid(format!("`until` is a time within the next {days} days")));
    }
    let row = act(&api, &caller, new.anchor, (new.until, &new.reason)).await?;
    Ok((StatusCode::CREATED, About(row.anchor.clone()), Json(row.into())))
}

/// Ends an extension: what counts from now on is the grace of the configuration.
pub(super) async fn end(
    State(api): State<Api>,
    caller: Caller,
    which: Result<Query<End>, QueryRejection>,
) -> Answer<GraceView> {
    let Query(which) = which?;
    let now = api.hems.now();
    Ok(Json(act(&api, &caller, which.anchor, (now, &which.reason)).await?.into()))
}

/// On record first, then in force.
async fn act(
    api: &Api,
    caller: &Caller,
    anchor: String,
    (until, why): (Timestamp, &str),
) -> Result<GraceRow, Problem> {
    let doors = doors(api)?;
    if !doors.anchors_with_lists().contains(&anchor) {
        let known = doors.anchors_with_lists().join(", ");
        return Err(Problem::invalid(format!("`anchor` is one that has revocation lists: {known}")));
    }
    let row = GraceRow::new(anchor, until, reason(why)?, &caller.name, api.hems.now());
    api.hems.store.extend_grace(row.clone()).await?;
    doors.share_graces(&api.hems.store).await?;
    tracing::warn!(anchor = row.anchor, %until, reason = row.reason, "stale revocation lists count until then");
    Ok(row)
}

fn doors(api: &Api) -> Result<&Doors, Problem> {
    api.hems.doors.as_deref().ok_or_else(|| {
        Problem::invalid("in mode `ipsec` there are no certificates, and so no revocation lists".to_owned())
    })
}
