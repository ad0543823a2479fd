//! What is known of who a device is: its certificate, its clock, and what speaks against it.
//!
//! Claims are what cells said of themselves: hostile text, shown as JSON strings and never believed. (decision 21)

use profile::Identity;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Api, Problem, devices, json, time};
use crate::{
    people::Caller,
    store::{Binding, ClaimRow, DeviceRow, SuspicionRow},
};

/// The part of a device's page about its identity.
#[derive(Serialize, JsonSchema)]
pub(super) struct Evidence {
    /// The facts of the certificate of its last session.
    certificate: Option<serde_json::Value>,
    /// What its clock said, and when.
    cell_clock: Option<String>,
    cell_clock_at: Option<String>,
    downgraded_at: Option<String>,
    suspicion: Option<SuspicionView>,
    /// The identities that were admitted with the same DeviceId; null for one that is beyond the caller's scope.
    disputed_with: Vec<Option<String>>,
    /// What it claimed to be against its binding.
    claims: Vec<ClaimView>,
    /// Who claimed to be it; whoever is beyond the caller's scope is not named.
    claimed_by: Vec<ClaimView>,
}

/// Why one identity seems to be two cells.
#[derive(Serialize, JsonSchema)]
struct SuspicionView {
    kind: String,
    detail: String,
    first_at: String,
    last_at: String,
    count: i64,
}

#[derive(Serialize, JsonSchema)]
struct ClaimView {
    identity: Option<String>,
    #[serde(flatten)]
    claimed: Binding,
    certificate_sha256: Option<String>,
    first_at: String,
    last_at: String,
    count: i64,
}

impl From<SuspicionRow> for SuspicionView {
    fn from(row: SuspicionRow) -> Self {
        let (first_at, last_at) = (time(row.first_at), time(row.last_at));
        Self { kind: row.kind, detail: row.detail, first_at, last_at, count: row.count }
    }
}

impl From<ClaimRow> for ClaimView {
    fn from(row: ClaimRow) -> Self {
        Self {
            identity: Some(row.identity),
            claimed: Binding { oui: row.oui, product_class: row.product_class, serial: row.serial },
            certificate_sha256: Some(row.fingerprint),
            first_at: time(row.first_at),
            last_at: time(row.last_at),
            count: row.count,
        }
    }
}

impl ClaimView {
    /// Without who it was, where that is beyond a caller's scope.
    async fn narrowed(self, api: &Api, caller: &Caller) -> Result<Self, Problem> {
        let is_seen = match &self.identity {
            Some(identity) => is_seen(api, caller, identity).await?,
            None => false,
        };
        Ok(if is_seen { self } else { Self { identity: None, certificate_sha256: None, ..self } })
    }
}

async fn is_seen(api: &Api, caller: &Caller, identity: &str) -> Result<bool, Problem> {
    Ok(caller.is_everywhere() || devices::seen(api, caller, identity).await?.is_some())
}

impl Evidence {
    /// Gathers what a caller may know of a device that he sees.
    pub(super) async fn of(api: &Api, caller: &Caller, row: &DeviceRow) -> Result<Self, Problem> {
        let store = &api.hems.store;
        let claimants = match row.bound_to() {
            Some(binding) => store.claimants_of(&row.identity, &binding).await?,
            None => Vec::new(),
        };
        let mut claimed_by = Vec::new();
        for claimant in claimants {
            claimed_by.push(ClaimView::from(claimant).narrowed(api, caller).await?);
        }
        let mut disputed_with = Vec::new();
        for rival in store.rivals(&row.identity).await? {
            disputed_with.push(is_seen(api, caller, &rival).await?.then_some(rival));
        }
        Ok(Self {
            certificate: row.certificate.as_deref().map(json),
            cell_clock: row.cell_clock.map(time),
            cell_clock_at: row.cell_clock_at.map(time),
            downgraded_at: row.downgraded_at.map(time),
            suspicion: store.suspicion(&row.identity).await?.map(SuspicionView::from),
            disputed_with,
            claims: store.claims_of(&row.identity).await?.into_iter().map(ClaimView::from).collect(),
            claimed_by,
        })
    }
}

/// The rule that shuts a device out by its identity or by the certificate that it came with last.
pub(super) fn blocked(api: &Api, row: &DeviceRow) -> Option<String> {
    let facts = row.certificate.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let identity = Identity::parse(&row.identity).ok()?;
    api.hems.blocks.blocked(&identity, &facts.into_iter().collect::<Vec<_>>())
}

/// How far a cell's clock is behind ours, in seconds; negative where it is ahead.
pub(super) fn clock_offset(ours: i64, cell: i64) -> i64 {
    ours.saturating_sub(cell) / 1000
}
