//! `/api/v1/devices/IDENTITY/place`: at which site a device stands, and its tags and labels.

use axum::extract::State;

use super::{Api, Object, Path, Problem, Tagged, devices};
use crate::{
    inventory::{Device, Place},
    people::Caller,
    store::Condition,
};

/// Shows it, with the tag that a change names.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Result<Tagged<Place>, Problem> {
    let place = devices::find(&api, &caller, &identity).await?.place()?;
    Ok(Tagged::new(&place.clone(), place))
}

/// Writes it.
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    condition: Condition,
    Object(place): Object<Place>,
) -> Result<Tagged<Place>, Problem> {
    let complaints = place.complaints();
    if !complaints.is_empty() {
        return Err(Problem::complaints(complaints));
    }
    let row = devices::find(&api, &caller, &identity).await?;
    let moved = Device { row: row.clone(), place: place.clone() };
    if !caller.sees(&moved) {
        return Err(Problem::invalid("the device would leave your scope: keep its tag or tenant"));
    }
    if !api.hems.store.place(row.identity, place.clone(), condition).await? {
        return Err(Problem::not_found("there is no such device"));
    }
    Ok(Tagged::new(&place.clone(), place))
}
