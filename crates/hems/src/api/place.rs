//! `/api/v1/devices/IDENTITY/place`: at which site a device stands, and its tags and labels.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, header},
    response::IntoResponse,
};

use super::{Api, Problem, devices};
use crate::{
    inventory::{Device, Place},
    people::Caller,
};

/// Shows it, with the tag that a change names.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let place = devices::find(&api, &caller, &identity).await?.place()?;
    Ok(([(header::ETAG, place.etag())], Json(place)))
}

/// Writes it, if it is still what `If-Match` names; without that header, whatever it is.
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Place>, JsonRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Json(place) = body?;
    let complaints = place.complaints();
    if !complaints.is_empty() {
        return Err(Problem::complaints(complaints));
    }
    let row = devices::find(&api, &caller, &identity).await?;
    let moved = Device { row: row.clone(), place: place.clone() };
    if !caller.sees(&moved) {
        return Err(Problem::invalid("the device would leave your scope: keep its tag or tenant"));
    }
    let expected =
        headers.get(header::IF_MATCH).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if !api.hems.store.place(row.identity, place.clone(), expected).await? {
        return Err(Problem::changed());
    }
    Ok(([(header::ETAG, place.etag())], Json(place)))
}
