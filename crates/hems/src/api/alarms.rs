//! `/api/v1/alarms`: what a person should look at. (F-13)

use axum::{Json, extract::State};

use super::{Answer, Api, PAGE_MAX, Page, trust};
use crate::alarm::{self, Alarm, EXPIRY_WARNING, Facts};

/// Lists the alarms that are raised, the worst first.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<Alarm>> {
    let (hems, store) = (&api.hems, &api.hems.store);
    let now = hems.now();
    let soon = (now + EXPIRY_WARNING).as_millisecond();
    let doors = hems.doors.as_ref();
    let facts = Facts {
        now,
        own: doors.and_then(|doors| doors.certificate()),
        lists: doors.map(|doors| doors.lists()).unwrap_or_default(),
        troubles: doors.map(|doors| doors.troubles()).unwrap_or_default(),
        forecast: trust::forecast_of_present(hems).await?,
        suspicions: store.suspicions(PAGE_MAX).await?,
        expiring: store.devices_expiring(soon, PAGE_MAX).await?,
        disputed: store.devices_disputed(PAGE_MAX).await?,
        downgraded: store.devices_downgraded(PAGE_MAX).await?,
    };
    Ok(Json(Page { items: alarm::raised(&facts), next_page_token: None }))
}
