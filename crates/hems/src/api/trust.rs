//! `/api/v1/trust`: which cells would refuse a certificate of ours, and whose own certificate ends soon.

use axum::{
    Json,
    body::Bytes,
    extract::{
        Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
};
use jiff::SignedDuration;
use profile::{Candidate, CertificateFacts, Profile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, PAGE_MAX, Problem, json, time};
use crate::{
    Hems,
    store::DeviceRow,
    trust::{self, Forecast},
};

/// The days that the report of ends looks ahead, where nobody says.
const DAYS: u32 = 90;
/// The most: a century.
const DAYS_MAX: u32 = 36_500;

/// What cells would make of a certificate.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TrustPreview")]
pub(super) struct Preview {
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    chain: Vec<CertificateFacts>,
    /// The moments between which the whole chain is valid.
    valid_from: String,
    valid_until: String,
    #[serde(flatten)]
    forecast: Forecast,
}

/// Whose certificate ends soon.
#[derive(Serialize, JsonSchema)]
pub(super) struct Expiry {
    /// Our own.
    own: Option<Ending>,
    within_days: u32,
    items: Vec<Ending>,
}

/// A certificate and its end.
#[derive(Serialize, JsonSchema)]
struct Ending {
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    not_after: String,
    days_left: i64,
    certificate: serde_json::Value,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ahead {
    within_days: Option<u32>,
}

/// For which listener a certificate is meant.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Meant {
    listener: Option<String>,
}

/// Judges a chain in PEM, leaf first, as the cells of a listener would.
pub(super) async fn preview(
    State(api): State<Api>,
    meant: Result<Query<Meant>, QueryRejection>,
    pem: Result<Bytes, BytesRejection>,
) -> Answer<Preview> {
    let listener = meant?.0.listener;
    let profile = profile(&api.hems, listener.as_deref())?;
    let candidate = Candidate::read(&pem?, &api.hems.url, profile)
        .map_err(|error| Problem::invalid(error.to_string()))?;
    let (begin, end) = candidate.validity();
    Ok(Json(Preview {
        chain: candidate.chain().to_vec(),
        valid_from: begin.to_string(),
        valid_until: end.to_string(),
        forecast: forecast(&api.hems, &candidate, present(&api.hems, listener.as_deref()).await.as_ref())
            .await?,
    }))
}

async fn forecast(
    hems: &Hems,
    candidate: &Candidate,
    present: Option<&Candidate>,
) -> Result<Forecast, Problem> {
    let cells = hems.store.cell_clocks().await?;
    Ok(trust::forecast(candidate, present, &cells, hems.now()))
}

async fn present(hems: &Hems, listener: Option<&str>) -> Option<Candidate> {
    let doors = hems.doors.as_ref()?;
    let pem = tokio::fs::read(doors.chain(listener)?).await.ok()?;
    Candidate::read(&pem, &hems.url, doors.profile(listener)?).ok()
}

/// The rules that a certificate for that listener is under; the clause's where there is no TLS.
fn profile(hems: &Hems, listener: Option<&str>) -> Result<&'static Profile, Problem> {
    let Some(doors) = &hems.doors else { return Ok(&Profile::TS33320) };
    doors
        .profile(listener)
        .ok_or_else(|| Problem::invalid(format!("`listener` is one of: {}", doors.names().join(", "))))
}

/// Lists the cells whose certificate ends within `within_days`, the nearest end first.
pub(super) async fn expiry(
    State(api): State<Api>,
    ahead: Result<Query<Ahead>, QueryRejection>,
) -> Answer<Expiry> {
    let within_days = ahead?.0.within_days.unwrap_or(DAYS).min(DAYS_MAX);
    let now = api.hems.now();
    let left = |end: jiff::Timestamp| end.duration_since(now).as_hours().div_euclid(24);
    let before = now + SignedDuration::from_hours(i64::from(within_days) * 24);
    let ending = |row: DeviceRow| {
        let end = row.certificate_not_after?;
        Some(Ending {
            identity: Some(row.identity),
            not_after: time(end),
            days_left: left(crate::store::at(end)),
            certificate: row.certificate.as_deref().map(json)?,
        })
    };
    let rows = api.hems.store.devices_expiring(before.as_millisecond(), PAGE_MAX).await?;
    let own = api.hems.doors.as_ref().and_then(|doors| doors.certificate());
    let own = own.map(|own| Ending {
        identity: None,
        not_after: own.not_after.to_string(),
        days_left: left(own.not_after),
        certificate: serde_json::to_value(own).unwrap_or_default(),
    });
    Ok(Json(Expiry { own, within_days, items: rows.into_iter().filter_map(ending).collect() }))
}
