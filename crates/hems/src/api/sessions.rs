//! `/api/v1/sessions`: who called, the evidence of what was negotiated, and what came of it. (S-13)

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Answer, Api, Page, Paging, Path, Problem,
    calls::CallView,
    devices::{self, FaultView, MisbehaviourView},
    evidence::clock_offset,
    history::EntryView,
    json,
    recordings::{self, RecordingView},
    time,
};
use crate::{inventory::Device, people::Caller, store::SessionRow};

/// A session.
#[derive(Serialize, JsonSchema)]
pub(super) struct SessionView {
    id: i64,
    identity: String,
    started_at: String,
    ended_at: Option<String>,
    /// `tls`, or `ipsec` where the tunnel alone vouched; then nothing of TLS is here.
    transport: String,
    /// How far the cell's messages were protected: to this `hems`, or to the security `gateway`.
    protected_to: &'static str,
    tls_version: Option<String>,
    suite: Option<String>,
    resumed: Option<bool>,
    certificate_sha256: Option<String>,
    certificate_not_after: Option<String>,
    /// Who vouched for the tunnel, `table` or `vici`, and the gateway's number of the IKE SA.
    voucher: Option<String>,
    ike_sa: Option<String>,
    peer: String,
    events: serde_json::Value,
    messages: i64,
    outcome: Option<String>,
    anchor: Option<String>,
    /// The verified chain, leaf first: `subject`, `sha256`.
    chain: Option<serde_json::Value>,
    /// The exceptions that let it in.
    outside_profile: Option<serde_json::Value>,
    /// What the cell's clock said, and the seconds by which it was behind ours.
    cell_clock: Option<String>,
    clock_offset: Option<i64>,
    /// Whether this device ever came with a higher TLS version.
    downgraded: bool,
}

/// A session with what came of it.
#[derive(Serialize, JsonSchema)]
pub(super) struct SessionDetail {
    #[serde(flatten)]
    session: SessionView,
    /// The values that the device told to be others than before.
    changes: Vec<EntryView>,
    /// The steps that failed in it, and in no later one.
    faults: Vec<FaultView>,
    /// The calls of operators that it sent, or that ended in it.
    calls: Vec<CallView>,
    /// How the device misbehaved in it, and in no later one.
    misbehaviour: Vec<MisbehaviourView>,
    /// What was said, where somebody asked for it.
    recording: Option<RecordingView>,
}

impl From<SessionRow> for SessionView {
    fn from(row: SessionRow) -> Self {
        let has_tls = row.transport == "tls";
        Self {
            id: row.id,
            identity: row.identity,
            started_at: time(row.started_at),
            ended_at: row.ended_at.map(time),
            tls_version: has_tls.then_some(row.tls_version),
            suite: has_tls.then_some(row.suite),
            resumed: has_tls.then_some(row.resumed),
            certificate_sha256: has_tls.then_some(row.fingerprint),
            certificate_not_after: has_tls.then(|| time(row.not_after)),
            protected_to: if has_tls { "hems" } else { "gateway" },
            transport: row.transport,
            voucher: row.voucher,
            ike_sa: row.ike_sa,
            peer: row.peer,
            events: json(&row.events),
            messages: row.messages,
            outcome: row.outcome,
            anchor: row.anchor,
            chain: row.chain.as_deref().map(json),
            outside_profile: row.outside_profile.as_deref().map(json),
            cell_clock: row.cell_clock.map(time),
            clock_offset: row.cell_clock.map(|cell| clock_offset(row.started_at, cell)),
            downgraded: row.downgraded,
        }
    }
}

/// Lists sessions, newest first, of one `identity` or of all.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<Page<SessionView>> {
    let Query(paging) = paging?;
    let before = paging.before()?;
    // That there is a next page would tell of a device that the caller does not see.
    let is_seen = match &paging.identity {
        Some(identity) if !caller.is_everywhere() => devices::seen(&api, &caller, identity).await?.is_some(),
        Some(_) | None => true,
    };
    let rows = match is_seen {
        true => api.hems.store.sessions(paging.identity.as_deref(), before, paging.limit()).await?,
        false => Vec::new(),
    };
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count == paging.limit());
    let next_page_token = rows.last().filter(|_| is_full).map(|row| row.id.to_string());
    let rows = seen(&api, &caller, rows, |row| &row.identity).await?;
    Ok(Json(Page { items: rows.into_iter().map(SessionView::from).collect(), next_page_token }))
}

/// Shows one session.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Answer<SessionDetail> {
    let row = find(&api, &caller, id).await?;
    let store = &api.hems.store;
    let changes = store.history_of_session(&row.identity, id).await?;
    let faults = store.remembered(&row.identity).await?.faults;
    let calls = store.calls(&row.identity).await?;
    let misbehaviour = store.misbehaviour(&row.identity).await?;
    let lasted = row.started_at..=row.ended_at.unwrap_or(i64::MAX);
    let is_in = |at: Option<i64>| at.is_some_and(|at| lasted.contains(&at));
    let calls = calls.into_iter().filter(|call| is_in(call.sent_at) || is_in(call.finished_at));
    Ok(Json(SessionDetail {
        changes: changes.into_iter().map(EntryView::from).collect(),
        faults: faults.into_iter().filter(|fault| is_in(Some(fault.last_at))).map(FaultView::from).collect(),
        calls: calls.map(CallView::from).collect(),
        misbehaviour: misbehaviour
            .into_iter()
            .filter(|row| is_in(Some(row.last_at)))
            .map(MisbehaviourView::from)
            .collect(),
        recording: recordings::of(&api, id).await?,
        session: row.into(),
    }))
}

/// A session of a device that the caller sees.
async fn find(api: &Api, caller: &Caller, id: i64) -> Result<SessionRow, Problem> {
    let nothing = || Problem::not_found("there is no such session, or not any more");
    let row = api.hems.store.session(id).await?.ok_or_else(nothing)?;
    devices::seen(api, caller, &row.identity).await?.map(|_| row).ok_or_else(nothing)
}

/// What is of devices that the caller sees; a page of a scope may be short, or empty, and have a next one.
pub(super) async fn seen<R>(
    api: &Api,
    caller: &Caller,
    rows: Vec<R>,
    whose: impl Fn(&R) -> &str,
) -> Result<Vec<R>, Problem> {
    if caller.is_everywhere() {
        return Ok(rows);
    }
    let mut known = BTreeMap::new();
    for identity in rows.iter().map(&whose) {
        if !known.contains_key(identity) {
            let device = api.hems.store.device(identity).await?.map(Device::of).transpose()?;
            known.insert(identity.to_owned(), device.is_some_and(|device| caller.sees(&device)));
        }
    }
    Ok(rows.into_iter().filter(|row| known.get(whose(row)).copied().unwrap_or(false)).collect())
}
