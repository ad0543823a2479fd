//! `/api/v1/devices`: the cells, what is known of each with its age, and what the plan would do next.

use axum::{
    Json,
    extract::{Query, State as Extracted, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use profile::Identity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, As, Limit, Object, PAGE, Page, Path, Problem,
    calls::CallView,
    describe::{self, Gives, Sketch},
    evidence,
    evidence::Evidence,
    export::{self, Form},
    guard::About,
    history,
    history::EntryView,
    json,
    lock::LockView,
    time,
};
use crate::{
    admission, desire,
    filter::{Facts, Filter, Order, State},
    inventory::{self, Device, ListError, Place},
    people::Caller,
    plan::{self, Spared},
    quirk,
    session::{Outcome, software},
    store::{Admission, DeviceRow, FaultRow, MisbehaviourRow, Remembered, ReportRow},
    template::Subject,
    wake,
};

/// What its page tokens are bound to.
const LIST: &str = "devices";

/// A device in the list.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeviceView {
    identity: String,
    state: &'static str,
    #[serde(flatten)]
    place: Place,
    oui: Option<String>,
    product_class: Option<String>,
    serial: Option<String>,
    tls_version: Option<String>,
    suite: Option<String>,
    software: Option<String>,
    plmn: Option<String>,
    tac: Option<String>,
    pci: Option<String>,
    admin_state: Option<bool>,
    op_state: Option<bool>,
    rf_tx_status: Option<bool>,
    in_service: bool,
    /// Seconds from the first Inform to being in service.
    in_service_after: Option<f64>,
    first_seen: String,
    last_inform: Option<String>,
    certificate_not_after: Option<String>,
    /// Seconds by which the cell's clock was behind ours at its last session.
    clock_offset: Option<i64>,
    /// How often it came with a lower TLS version than before.
    downgrades: i64,
    /// Why it seems to be two cells.
    clone_suspicion: Option<String>,
    /// The block that shuts it out.
    blocked: Option<String>,
    /// What a quarantined device says it is; nothing of it is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed: Option<serde_json::Value>,
}

/// A device with everything known.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeviceDetail {
    #[serde(flatten)]
    device: DeviceView,
    #[serde(flatten)]
    evidence: Evidence,
    values: Vec<ValueView>,
    /// The latest changes of values; all that are kept are a resource of their own.
    history: Vec<EntryView>,
    methods: Option<serde_json::Value>,
    gate: Option<serde_json::Value>,
    faults: Vec<FaultView>,
    misbehaviour: Vec<MisbehaviourView>,
    /// The quirks of this product, by name.
    quirks: Vec<String>,
    /// What is desired, and left out because the product lacks it.
    left_out: Vec<String>,
    /// Whether it can be asked for a session.
    wake: WakeView,
    /// Who keeps it off the air by its own values.
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<LockView>,
    calls: Vec<CallView>,
    reports: Vec<ReportView>,
    /// What the plan would do next; absent where it has nothing to do.
    next_step: Option<serde_json::Value>,
}

#[derive(Serialize, JsonSchema)]
struct WakeView {
    is_possible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct ValueView {
    name: String,
    value: String,
    #[serde(rename = "type")]
    #[schemars(with = "String")]
    kind: cwmp::ValueKind,
    read_at: String,
    age_seconds: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FaultView {
    step: String,
    /// What was wanted; absent where a deed wants nothing but itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    wanted: String,
    code: i64,
    text: String,
    parameters: serde_json::Value,
    count: i64,
    last_at: String,
    /// Absent for a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
}

/// What the device told of its own accord.
#[derive(Serialize, JsonSchema)]
struct ReportView {
    call: serde_json::Value,
    first_at: String,
    last_at: String,
    count: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct MisbehaviourView {
    kind: String,
    count: i64,
    last_at: String,
}

/// Who shall be admitted as what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDevice {
    identity: String,
    oui: String,
    product_class: String,
    serial: String,
}

impl DeviceView {
    /// What a list shows of a device.
    pub(super) fn of(api: &Api, device: Device) -> Self {
        let state = device.state(api.hems.now()).map_or("", State::name);
        let Device { row, place } = device;
        let boolean = |text: &Option<String>| text.as_deref().map(|text| text == "true" || text == "1");
        Self {
            state,
            place,
            blocked: evidence::blocked(api, &row),
            clock_offset: row
                .cell_clock
                .zip(row.cell_clock_at)
                .map(|(cell, at)| evidence::clock_offset(at, cell)),
            certificate_not_after: row.certificate_not_after.map(time),
            downgrades: row.downgrades,
            in_service_after: in_service_after(&row),
            admin_state: boolean(&row.admin_state),
            op_state: boolean(&row.op_state),
            rf_tx_status: boolean(&row.rf_tx_status),
            claimed: row.claimed.as_deref().filter(|_| row.state == "quarantined").map(json),
            in_service: row.is_in_service,
            first_seen: time(row.first_seen_at),
            last_inform: row.last_inform_at.map(time),
            clone_suspicion: row.suspicion,
            identity: row.identity,
            oui: row.oui,
            product_class: row.product_class,
            serial: row.serial,
            tls_version: row.tls_version,
            suite: row.suite,
            software: row.software,
            plmn: row.plmn,
            tac: row.tac,
            pci: row.pci,
        }
    }
}

fn in_service_after(row: &DeviceRow) -> Option<f64> {
    let ms = u32::try_from(row.in_service_at?.checked_sub(row.provisioning_since?)?).ok()?;
    Some(f64::from(ms) / 1000.0)
}

/// Finds a device by its identity in any letter case, if the caller sees it.
pub(super) async fn find(api: &Api, caller: &Caller, identity: &str) -> Result<DeviceRow, Problem> {
    seen(api, caller, identity).await?.ok_or_else(|| Problem::not_found("there is no such device"))
}

/// The same, where it is no error that there is none.
pub(super) async fn seen(api: &Api, caller: &Caller, identity: &str) -> Result<Option<DeviceRow>, Problem> {
    let Ok(identity) = Identity::parse(identity) else { return Ok(None) };
    let Some(row) = api.hems.store.device(identity.as_str()).await? else { return Ok(None) };
    let device = Device::of(row)?;
    Ok(caller.sees(&device).then_some(device.row))
}

/// Which devices to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    #[serde(default)]
    filter: String,
    /// By which field, with `-` before it for the other way; by what the filter asks for where nothing is said.
    sort: Option<String>,
    limit: Option<Limit>,
    page_token: Option<String>,
}

/// A page in JSON, or all of them in one of two other forms.
pub(super) struct List;

impl Gives for List {
    fn gives(sketch: &mut Sketch) {
        Json::<Page<DeviceView>>::gives(sketch);
        describe::any(sketch, &Form::ALL.map(Form::kind), serde_json::json!({"type": "string"}));
    }
}

/// Lists the devices for which a filter holds: in pages, or all of them where a file is accepted.
pub(super) async fn list(
    Extracted(api): Extracted<Api>,
    caller: Caller,
    headers: HeaderMap,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<As<List>, Problem> {
    let Query(Which { filter, sort, limit, page_token }) = query?;
    let asked = Filter::parse(&filter).map_err(|error| Problem::invalid(error.to_string()))?;
    let filter = caller.narrow(asked.clone());
    match Form::accepted(&headers) {
        Some(_) if limit.is_some() || page_token.is_some() || sort.is_some() => {
            return Err(Problem::invalid(
                "CSV and JSON lines have no pages and no order: leave `limit`, `page_token` and `sort` out",
            ));
        }
        Some(form) => return Ok(export::respond(api, filter, form).await?.into()),
        None => {}
    }
    let limit = Limit::of(limit, PAGE) as usize;
    let (store, now) = (&api.hems.store, api.hems.now());
    let token = page_token.map(|token| api.desk.pages.open(LIST, &token).ok_or(ListError::Token));
    let token = token.transpose()?;
    let token = token.as_deref();
    let page = match sort.as_deref().map(Order::parse).transpose().map_err(ListError::from)? {
        Some(order) => inventory::sorted(store, (&order, &asked, &filter), token, limit, now).await?,
        None => inventory::page(store, &filter, token, limit, now).await?,
    };
    let items = page.devices.into_iter().map(|device| DeviceView::of(&api, device)).collect();
    let next_page_token = page.next.map(|position| api.desk.pages.seal(LIST, &position)).transpose()?;
    Ok(Json(Page { items, next_page_token }).into_response().into())
}

/// How many there are.
#[derive(Serialize, JsonSchema)]
pub(super) struct Count {
    count: usize,
    /// Whether that is all; else there are more.
    is_complete: bool,
}

/// Which devices to count.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Filtered {
    #[serde(default)]
    filter: String,
}

/// Counts the devices for which a filter holds, up to a bound.
pub(super) async fn count(
    Extracted(api): Extracted<Api>,
    caller: Caller,
    query: Result<Query<Filtered>, QueryRejection>,
) -> Answer<Count> {
    let Query(Filtered { filter }) = query?;
    let filter = narrowed(&caller, &filter)?;
    let (count, is_complete) = inventory::count(&api.hems.store, &filter, api.hems.now()).await?;
    Ok(Json(Count { count, is_complete }))
}

/// What a filter means for a caller.
fn narrowed(caller: &Caller, filter: &str) -> Result<Filter, Problem> {
    let filter = Filter::parse(filter).map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(caller.narrow(filter))
}

/// Shows one device.
pub(super) async fn show(
    Extracted(api): Extracted<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Answer<DeviceDetail> {
    let row = find(&api, &caller, &identity).await?;
    let store = &api.hems.store;
    let remembered = store.remembered(&row.identity).await?;
    let misbehaviour = store.misbehaviour(&row.identity).await?;
    let calls = store.calls(&row.identity).await?;
    let reports = store.reports(&row.identity).await?;
    let outlook = outlook(&api, &row, &remembered).await?;
    let aimed = wake::aim(&api.hems, &row.identity, remembered.known.text(wake::URL)).await?;
    let detail = DeviceDetail {
        quirks: outlook.quirks,
        left_out: outlook.left_out,
        next_step: outlook.next_step,
        values: values(&api, &remembered),
        history: history::of(&api, &row.identity, history::SHOWN).await?,
        methods: row.methods.as_deref().map(json),
        gate: remembered.known.gate.as_ref().and_then(|verdict| serde_json::to_value(verdict).ok()),
        faults: remembered.faults.into_iter().map(FaultView::from).collect(),
        misbehaviour: misbehaviour.into_iter().map(MisbehaviourView::from).collect(),
        wake: WakeView { is_possible: aimed.is_ok(), why_not: aimed.err().map(|error| error.to_string()) },
        locked: LockView::of(&api, &row.identity).await?,
        calls: calls.into_iter().map(CallView::from).collect(),
        evidence: Evidence::of(&api, &caller, &row).await?,
        reports: reports.into_iter().map(ReportView::from).collect(),
        device: DeviceView::of(&api, Device::of(row)?),
    };
    Ok(Json(detail))
}

fn values(api: &Api, remembered: &Remembered) -> Vec<ValueView> {
    let now = api.hems.now();
    remembered
        .known
        .values()
        .map(|(name, held)| ValueView {
            name,
            value: held.value.clone(),
            kind: held.kind,
            read_at: held.read_at.to_string(),
            age_seconds: now.as_second() - held.read_at.as_second(),
        })
        .collect()
}

/// What the next session would leave alone.
pub(super) fn spared(api: &Api, remembered: &Remembered) -> Spared {
    let now = (software(&remembered.known), false, api.hems.now().as_millisecond());
    FaultRow::spared(&remembered.faults, now)
}

/// What the next session would make of a device.
#[derive(Default)]
struct Outlook {
    quirks: Vec<String>,
    left_out: Vec<String>,
    next_step: Option<serde_json::Value>,
}

/// Runs the plan on what is known, as the next session would, without drawing anything.
async fn outlook(api: &Api, row: &DeviceRow, remembered: &Remembered) -> Result<Outlook, Problem> {
    let Some(subject) = Subject::of(row, row.place()?) else { return Ok(Outlook::default()) };
    let quirks = quirk::of(&api.hems.quirks, &subject.binding, &remembered.known);
    let names = quirks.names().map(str::to_owned).collect();
    let supposed = desire::preview(&api.hems.store, &subject, &api.hems.model).await?;
    let desired = match supposed.desired {
        Ok(desired) => desired,
        Err(missing) => {
            let step = if missing.is_draw() { "Draw" } else { "Expression" };
            let next_step = Some(serde_json::json!({"step": step, "error": missing.to_string()}));
            return Ok(Outlook { quirks: names, next_step, ..Outlook::default() });
        }
    };
    let (desired, left_out) = quirk::fit(desired, &quirks);
    let spared = spared(api, remembered);
    let next_step = plan::next_without(&spared, &desired, &remembered.known, &quirks).map(|step| {
        let call = step.method(&quirks).and_then(|method| serde_json::to_value(method).ok());
        serde_json::json!({"step": step.name(), "call": call, "frozen": supposed.is_frozen && step.is_change()})
    });
    Ok(Outlook { quirks: names, left_out, next_step })
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Store(error) => error.into(),
            ListError::Unindexed(_) | ListError::Order(_) | ListError::Token => {
                Self::invalid(error.to_string())
            }
        }
    }
}

impl From<ReportRow> for ReportView {
    fn from(row: ReportRow) -> Self {
        Self {
            call: json(&row.body),
            first_at: time(row.first_at),
            last_at: time(row.last_at),
            count: row.count,
        }
    }
}

impl From<MisbehaviourRow> for MisbehaviourView {
    fn from(row: MisbehaviourRow) -> Self {
        Self { kind: row.kind, count: row.count, last_at: time(row.last_at) }
    }
}

impl From<FaultRow> for FaultView {
    fn from(row: FaultRow) -> Self {
        Self {
            step: row.step,
            wanted: row.wanted,
            code: row.code,
            text: row.text,
            parameters: json(&row.details),
            count: row.count,
            last_at: time(row.last_at),
            next_at: row.next_at.map(time),
        }
    }
}

/// Admits one device.
pub(super) async fn admit(
    Extracted(api): Extracted<Api>,
    caller: Caller,
    Object(new): Object<NewDevice>,
) -> Result<(StatusCode, About, Json<DeviceView>), Problem> {
    let row = admission::check(&new.identity, &new.oui, &new.product_class, &new.serial)
        .map_err(|error| Problem::invalid(error.to_string()))?;
    let hems = &api.hems;
    hems.policies.permits(&row.0, &row.1).map_err(|error| Problem::invalid(error.to_string()))?;
    let identity = row.0.clone();
    let outcomes = hems.store.admit(vec![row], false, hems.now()).await?;
    let outcome = outcomes.first().unwrap_or(&Admission::Same);
    if let Admission::ClaimedTwice(others) = outcome {
        for other in others.iter().filter_map(|other| Identity::parse(other).ok()) {
            hems.cut(&other, Outcome::Disputed).await;
        }
    }
    if outcome.is_conflict() {
        return Err(Problem::conflict(&admission::contradiction(outcome)));
    }
    let status = if *outcome == Admission::New { StatusCode::CREATED } else { StatusCode::OK };
    let row = find(&api, &caller, identity.as_str()).await?;
    let about = About(identity.as_str().to_owned());
    Ok((status, about, Json(DeviceView::of(&api, Device::of(row)?))))
}
