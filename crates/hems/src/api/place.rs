//! `/api/v1/devices/IDENTITY/place`: at which site a device stands, and its tags and labels.

use axum::extract::State;

use super::{Api, Object, Path, Problem, Tagged, devices};
use crate::{
    desire,
    inventory::{Device, Place},
    people::Caller,
    store::{Condition, DeviceRow, Move},
    template::Subject,
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
    if !api.hems.store.place(move_of(&api, &row, place.clone(), condition).await?).await? {
        return Err(Problem::not_found("there is no such device"));
    }
    Ok(Tagged::new(&place.clone(), place))
}

/// The move of a device. One that serves, and of which something else is desired there, is a changed cell of the budget:
/// else whoever may move devices could change all of them at once. (decision 20)
pub(super) async fn move_of(
    api: &Api,
    row: &DeviceRow,
    place: Place,
    condition: Condition,
) -> Result<Move, Problem> {
    let (store, at) = (&api.hems.store, api.hems.now());
    let here = row.place()?;
    let subject = Subject::of(row, here.clone()).filter(|_| row.in_service_at.is_some() && here != place);
    let is_changed = match subject {
        Some(subject) => desire::is_other_at(store, &subject, &place, &api.hems.model).await?,
        None => false,
    };
    let spends = if is_changed { Some((api.hems.changes, store.count_admitted().await?)) } else { None };
    Ok(Move { identity: row.identity.clone(), place, condition, spends, at })
}
