//! `/api/v1/templates` and `/api/v1/devices/IDENTITY/values`: what is desired, of the fleet and of one device alone.
//!
//! Saving makes a version; applying one is a [change](super::changes) that reaches the devices within its budget.

use axum::{
    Json,
    extract::{FromRequest, Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
    response::IntoResponse,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Api, As, Object, Page, Path, Problem, Tagged,
    changes::ChangeView,
    describe::{Sketch, Takes},
    devices, object, time,
};
use crate::{
    change::{Bounds, DAYS_MAX},
    desire,
    inventory::{self, Device},
    people::Caller,
    store::{ChangeError, ChangeRow, Condition, FileRow, Listed, NewChange, Tag, Whose},
    template::{Complaint, Selector, Subject, Template, check, filled, is_name},
};

/// Characters of a reason.
pub(super) const REASON_MAX: usize = 500;
/// Devices that an expression is tried on before it is saved.
const TRIALS: usize = 100;

/// A template with its name and its version.
#[derive(Serialize, JsonSchema)]
pub(super) struct TemplateView {
    name: String,
    version: i64,
    /// The version that applies; 0 is none yet.
    applied_version: i64,
    author: String,
    reason: String,
    saved_at: String,
    #[serde(flatten)]
    template: Template,
    /// What carries this version to the devices, where it was applied just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeView>,
}

/// A template as it was typed; a selector that is none hides nothing else that is wrong.
pub(super) struct Typed {
    template: Template,
    wrong: Option<Complaint>,
}

impl<S: Send + Sync> FromRequest<S> for Typed {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = object::bytes(request, state).await?;
        let unreadable = match object::read(&body) {
            Ok(template) => return Ok(Self { template, wrong: None }),
            Err(unreadable) => unreadable,
        };
        let Some((complaint, rest)) = without_selector(&body) else { return Err(unreadable.into()) };
        match object::read(&rest) {
            Ok(template) => Ok(Self { template, wrong: Some(complaint) }),
            Err(more) => Err(Problem::complaints(vec![complaint, more.into()])),
        }
    }
}

impl Takes for Typed {
    fn takes(sketch: &mut Sketch) {
        Object::<Template>::takes(sketch);
    }
}

/// What is wrong with a selector, and the template without it.
fn without_selector(body: &[u8]) -> Option<(Complaint, Vec<u8>)> {
    let mut fields: serde_json::Map<String, serde_json::Value> = object::read(body).ok()?;
    let selector = fields.shift_remove("selector")?;
    let message = serde_json::from_value::<Selector>(selector).err()?.to_string();
    let complaint = Complaint { place: "selector".to_owned(), message };
    Some((complaint, serde_json::to_vec(&fields).ok()?))
}

/// How a template is saved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Saving {
    #[serde(default)]
    reason: String,
    /// Whether it applies at once; it does where nothing is said.
    apply: Option<bool>,
    /// Days without a further device after which the change ends; those of the configuration where nothing is said.
    finish_days: Option<u32>,
}

/// Why a template goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    #[serde(default)]
    reason: String,
    /// Days without a further device after which the change ends.
    finish_days: Option<u32>,
}

/// Which version shall apply.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Applying {
    version: i64,
    #[serde(default)]
    reason: String,
    finish_days: Option<u32>,
}

impl From<Listed> for TemplateView {
    fn from(listed: Listed) -> Self {
        let Listed { name, newest, applied } = listed;
        Self {
            name,
            version: newest.version,
            applied_version: applied,
            author: newest.author,
            reason: newest.reason,
            saved_at: time(newest.at),
            template: newest.template,
            change: None,
        }
    }
}

impl TemplateView {
    /// What it says.
    pub(super) fn template(self) -> Template {
        self.template
    }

    fn tagged(self) -> Tagged<Self> {
        Tagged::new(&Tag::version(self.version), self)
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NoVersion | ChangeError::NoChange => Self::not_found(&error.to_string()),
            ChangeError::Budget(spent) => Self::over_budget(&spent),
            ChangeError::UnderWay(_)
            | ChangeError::State(_)
            | ChangeError::SamePerson
            | ChangeError::OtherRequest => Self::conflict(&error.to_string()),
        }
    }
}

/// Whose template a name is, or an identity.
fn fleet(name: String) -> Result<Whose, Problem> {
    if is_name(&name) {
        return Ok(Whose::Fleet(name));
    }
    Err(Problem::invalid("a name has 1 to 64 of a-z, 0-9, - and _"))
}

async fn device(api: &Api, caller: &Caller, identity: &str) -> Result<Whose, Problem> {
    Ok(Whose::Device(devices::find(api, caller, identity).await?.identity))
}

/// Lists the fleet's templates.
pub(super) async fn list(State(api): State<Api>) -> Answer<Page<TemplateView>> {
    let items = api.hems.store.newest_templates().await?.into_iter().map(TemplateView::from).collect();
    Ok(Json(Page { items, next_page_token: None }))
}

/// Shows one in its newest version.
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Tagged<TemplateView>, Problem> {
    Ok(newest(&api, &fleet(name)?).await?.tagged())
}

/// Shows what is wanted of one device alone.
pub(super) async fn show_own(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Result<Tagged<TemplateView>, Problem> {
    Ok(newest(&api, &device(&api, &caller, &identity).await?).await?.tagged())
}

/// Every version, the newest first.
pub(super) async fn versions(State(api): State<Api>, Path(name): Path<String>) -> Answer<Page<TemplateView>> {
    all(&api, &fleet(name)?).await
}

/// Every version of what is wanted of one device alone.
pub(super) async fn own_versions(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Answer<Page<TemplateView>> {
    all(&api, &device(&api, &caller, &identity).await?).await
}

async fn all(api: &Api, whose: &Whose) -> Answer<Page<TemplateView>> {
    let versions = api.hems.store.versions(whose).await?;
    if versions.is_empty() {
        return Err(absent(whose));
    }
    Ok(Json(Page { items: versions.into_iter().map(TemplateView::from).collect(), next_page_token: None }))
}

pub(super) async fn newest(api: &Api, whose: &Whose) -> Result<TemplateView, Problem> {
    let versions = api.hems.store.versions(whose).await?;
    versions.into_iter().next().map(TemplateView::from).ok_or_else(|| absent(whose))
}

/// A version of a template of the fleet as it was saved.
pub(super) async fn saved(api: &Api, name: &str, version: i64) -> Result<Template, Problem> {
    let versions = api.hems.store.versions(&Whose::Fleet(name.to_owned())).await?;
    let found = versions.into_iter().find(|one| one.newest.version == version);
    found.map(|one| one.newest.template).ok_or_else(|| Problem::not_found("there is no such version"))
}

fn absent(whose: &Whose) -> Problem {
    Problem::not_found(match whose {
        Whose::Fleet(_) => "there is no such template",
        Whose::Device(_) => "nothing is wanted of this device alone",
    })
}

/// Saves a template, if nothing is wrong with it.
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    (condition, saving): (Condition, Result<Query<Saving>, QueryRejection>),
    typed: Typed,
) -> Result<Tagged<TemplateView>, Problem> {
    save(&api, &caller, fleet(name)?, typed, (saving?.0, condition)).await
}

/// Saves what is wanted of one device alone.
pub(super) async fn put_own(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    (condition, saving): (Condition, Result<Query<Saving>, QueryRejection>),
    typed: Typed,
) -> Result<Tagged<TemplateView>, Problem> {
    if (&typed.template.selector, typed.template.priority) != (&Selector::default(), 0)
        || typed.wrong.is_some()
    {
        return Err(Problem::invalid(
            "what is wanted of one device has `values`, `objects` and `software` only",
        ));
    }
    let row = devices::find(&api, &caller, &identity).await?;
    if let Some(subject) = Subject::of(&row, row.place()?) {
        let overruled = desire::overruled(&api.hems.store, &subject, &typed.template).await?;
        if !overruled.is_empty() {
            let complaint = |(place, table): (String, String)| Complaint { place, message: filled(&table) };
            return Err(Problem::complaints(overruled.into_iter().map(complaint).collect()));
        }
    }
    save(&api, &caller, Whose::Device(row.identity), typed, (saving?.0, condition)).await
}

async fn save(
    api: &Api,
    caller: &Caller,
    whose: Whose,
    Typed { template, wrong }: Typed,
    (saving, condition): (Saving, Condition),
) -> Result<Tagged<TemplateView>, Problem> {
    let complaints = all_complaints(api, (caller, &whose), &template, wrong).await?;
    if !complaints.is_empty() {
        return Err(Problem::complaints(complaints));
    }
    let store = &api.hems.store;
    let change = match saving.apply {
        Some(false) => {
            store
                .save(whose.clone(), &template, caller.act(&saving.reason, api.hems.now())?, condition)
                .await?;
            None
        }
        Some(true) | None => {
            let versions = store.versions(&whose).await?;
            let applied = versions.iter().find(|one| one.newest.version == one.applied);
            let concerned = applied.map(|one| &one.newest.template).into_iter().chain([&template]);
            let to = (0, saving.finish_days, condition);
            let new = change(api, caller, (&whose, concerned.collect()), to, &saving.reason).await?;
            Some(store.save_and_begin(&template, new).await?)
        }
    };
    let view = TemplateView { change: change.map(ChangeView::from), ..newest(api, &whose).await? };
    Ok(view.tagged())
}

/// Everything that is wrong with a template: in itself, and for whom it would be.
pub(super) async fn complaints(
    api: &Api,
    whose: (&Caller, &Whose),
    template: &Template,
) -> Result<Vec<Complaint>, Problem> {
    all_complaints(api, whose, template, None).await
}

/// The same, beside what is wrong already; where that is so, nobody knows on which devices it could be tried.
async fn all_complaints(
    api: &Api,
    whose: (&Caller, &Whose),
    template: &Template,
    wrong: Option<Complaint>,
) -> Result<Vec<Complaint>, Problem> {
    let hems = &api.hems;
    let pools = hems.store.pools().await?.into_iter().map(|(name, pool, _)| (name, pool)).collect();
    let mut complaints: Vec<_> = wrong.into_iter().collect();
    complaints.extend(check(template, hems.mode, &pools, &hems.model));
    if let Some(version) = &template.software {
        complaints.extend(lacks_image(api, version).await?);
    }
    if complaints.is_empty() && template.has_expressions() {
        let subjects = concerned(api, whose, &template.selector).await?;
        complaints.extend(subjects.iter().find_map(|one| template.trial(one, &pools, &hems.model)));
    }
    Ok(complaints)
}

/// The device itself, or the first that a selector selects: what goes wrong quotes them, so only those that the caller
/// sees.
async fn concerned(
    api: &Api,
    (caller, whose): (&Caller, &Whose),
    selector: &Selector,
) -> Result<Vec<Subject>, Problem> {
    let (store, now) = (&api.hems.store, api.hems.now());
    let devices = match whose {
        Whose::Device(identity) => {
            store.device(identity).await?.map(Device::of).transpose()?.into_iter().collect()
        }
        Whose::Fleet(_) => {
            let filter = caller.narrow(inventory::union(&[selector]));
            inventory::page(store, &filter, None, TRIALS, now).await?.devices
        }
    };
    let subjects = devices.into_iter().filter_map(|device| Subject::of(&device.row, device.place));
    Ok(subjects.filter(|subject| selector.selects(subject)).collect())
}

/// What is not among the files cannot be fetched by anybody.
async fn lacks_image(api: &Api, version: &str) -> Result<Option<Complaint>, Problem> {
    let files = api.hems.store.firmware().await?;
    let is_there = files.iter().filter_map(FileRow::firmware).any(|manifest| manifest.version == version);
    let message =
        format!("{version:.64} is the version of no image among the files: add one of each product first");
    Ok((!is_there).then(|| Complaint { place: "software".to_owned(), message }))
}

/// Versions are numbered from 1; to have none is to delete.
fn numbered(version: i64) -> Result<i64, Problem> {
    if version < 1 { Err(Problem::invalid("`version` is 1 or more")) } else { Ok(version) }
}

/// Makes a version the one that applies: the newest, or an old one to go back to.
pub(super) async fn apply(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Object(Applying { version, reason, finish_days }): Object<Applying>,
) -> Answer<ChangeView> {
    let to = (numbered(version)?, finish_days, any());
    Ok(Json(begin(&api, &caller, &fleet(name)?, to, &reason).await?.into()))
}

/// Makes a version of what is wanted of one device alone the one that applies.
pub(super) async fn apply_own(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    Object(Applying { version, reason, finish_days }): Object<Applying>,
) -> Answer<ChangeView> {
    let (whose, to) = (device(&api, &caller, &identity).await?, (numbered(version)?, finish_days, any()));
    Ok(Json(begin(&api, &caller, &whose, to, &reason).await?.into()))
}

/// Takes a template away; what it set stays set.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    condition: Condition,
    why: Result<Query<Because>, QueryRejection>,
) -> Result<Taken, Problem> {
    take_away(&api, &caller, &fleet(name)?, (why?.0, condition)).await
}

/// Wants nothing of one device alone any more.
pub(super) async fn delete_own(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    condition: Condition,
    why: Result<Query<Because>, QueryRejection>,
) -> Result<Taken, Problem> {
    take_away(&api, &caller, &device(&api, &caller, &identity).await?, (why?.0, condition)).await
}

/// Nothing, or the change that takes it away.
type Taken = As<(StatusCode, Json<ChangeView>)>;

async fn take_away(
    api: &Api,
    caller: &Caller,
    whose: &Whose,
    (why, condition): (Because, Condition),
) -> Result<Taken, Problem> {
    newest(api, whose).await?;
    let change = begin(api, caller, whose, (0, why.finish_days, condition), &why.reason).await?;
    let response = match change.state().is_under_way() {
        true => (StatusCode::ACCEPTED, Json(ChangeView::from(change))).into_response(),
        false => StatusCode::NO_CONTENT.into_response(),
    };
    Ok(response.into())
}

/// Whatever is there.
fn any() -> Condition {
    Condition::default()
}

/// Begins the change to a version, with what it concerns counted now.
async fn begin(
    api: &Api,
    caller: &Caller,
    whose: &Whose,
    (to, days, condition): (i64, Option<u32>, Condition),
    reason: &str,
) -> Result<ChangeRow, Problem> {
    let store = &api.hems.store;
    let versions = store.versions(whose).await?;
    let concerned = versions.iter().filter(|one| [to, one.applied].contains(&one.newest.version));
    let concerned = concerned.map(|one| &one.newest.template).collect();
    let new = change(api, caller, (whose, concerned), (to, days, condition), reason).await?;
    Ok(store.begin_change(new).await?)
}

/// A change that concerns whom these templates select.
async fn change(
    api: &Api,
    caller: &Caller,
    (whose, concerned): (&Whose, Vec<&Template>),
    (to, days, condition): (i64, Option<u32>, Condition),
    reason: &str,
) -> Result<NewChange, Problem> {
    let (store, now) = (&api.hems.store, api.hems.now());
    let selectors: Vec<_> = concerned.iter().map(|template| &template.selector).collect();
    let matched = match whose {
        // It spends one cell of the budget, and there is nobody to hold back.
        Whose::Device(_) => 0,
        Whose::Fleet(_) => inventory::served(store, &selectors, now).await?,
    };
    let (bounds, act) = (api.hems.changes, caller.act(reason, now)?);
    let days = days_of(&bounds, days)?;
    let fleet = store.count_admitted().await?;
    Ok(NewChange { whose: whose.clone(), to, fleet, matched, bounds, days, act, condition })
}

/// For how many days a change waits for a further device.
pub(super) fn days_of(bounds: &Bounds, asked: Option<u32>) -> Result<i64, Problem> {
    bounds.days(asked).ok_or_else(|| Problem::invalid(format!("`finish_days` is 1 to {DAYS_MAX}")))
}
