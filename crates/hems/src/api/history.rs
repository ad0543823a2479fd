//! `/api/v1/devices/{identity}/history`: what a device's values were before, newest first.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, Api, Page, Path, devices, time};
use crate::people::Caller;
use crate::{plan::Change, store::Entry};

/// Entries on the device's own page.
pub(super) const SHOWN: u32 = 10;

/// Values that changed together.
#[derive(Serialize, JsonSchema)]
pub(super) struct EntryView {
    at: String,
    /// The session in which the device told them.
    session: i64,
    changes: Vec<Change>,
    /// How many more there were, beyond what an entry keeps.
    left_out: usize,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let Entry { session, at, changes, left_out } = entry;
        Self { at: time(at), session, changes, left_out }
    }
}

/// Lists everything that is kept of one device.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Answer<Page<EntryView>> {
    let row = devices::find(&api, &caller, &identity).await?;
    Ok(Json(Page { items: of(&api, &row.identity, u32::MAX).await?, next_page_token: None }))
}

/// The latest entries of a device.
pub(super) async fn of(api: &Api, identity: &str, limit: u32) -> Result<Vec<EntryView>, super::Problem> {
    let entries = api.hems.store.history(identity, limit).await?;
    Ok(entries.into_iter().map(EntryView::from).collect())
}
