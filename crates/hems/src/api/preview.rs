//! `/api/v1/…/preview`: what a template would change, before it does: the difference and the exact calls, device by
//! device and together. The plan's own function says it.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use cwmp::{CpeMethod, ValueKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Api, Limit, Object, Path, Problem, devices, templates};
use crate::{
    desire::{self, Supposed},
    files::{self, Kind},
    gate, inventory,
    people::Caller,
    plan::{self, Desired, Difference, Stage, Step},
    quirk,
    software::{self, Standing},
    store::{DeviceRow, Whose},
    template::{Subject, Template},
};

/// Stands in a URL for what nobody may guess.
const URL_TOKEN: &str = "TOKEN";

/// Devices of one page, where nobody asks for less.
const DEVICES: u32 = 50;

/// What shall be previewed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// The template as it would be; the saved one where it is left out, and none where it is null.
    #[serde(default, deserialize_with = "some")]
    template: Option<Option<Template>>,
    /// A version that was saved, to go back to or forward.
    version: Option<i64>,
    limit: Option<Limit>,
    page_token: Option<String>,
}

/// A field that is there and null is another thing than one that is not there.
pub(super) fn some<'d, D: serde::Deserializer<'d>>(
    deserializer: D,
) -> Result<Option<Option<Template>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What would become of a page of devices.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TemplatePreview")]
pub(super) struct Preview {
    /// The devices that would be changed, each with its calls, and those on which something counts for nothing.
    items: Vec<DevicePreview>,
    /// How many of this page's devices would be, would not, and could not be said.
    changed: usize,
    same: usize,
    failed: usize,
    /// What differs together: path and new value, and for how many of this page.
    totals: Vec<Total>,
    /// Whether everything is frozen, so that nothing of it happens before that ends.
    frozen: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Total {
    path: String,
    to: Option<String>,
    devices: usize,
}

/// What would become of one device.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DevicePreview {
    identity: String,
    differences: Vec<Difference>,
    calls: Vec<CallPreview>,
    /// What is desired, and left out because the product lacks it.
    left_out: Vec<String>,
    /// Values that count for nothing: a template fills their table.
    overruled: Vec<Overruled>,
    /// The numbers that it would draw from pools, as things are: by the pool's name.
    draws: BTreeMap<String, i64>,
    /// Whether everything is frozen, so that the calls that change something wait.
    frozen: bool,
    /// Why nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A value in a table that a template fills.
#[derive(Debug, Serialize, JsonSchema)]
struct Overruled {
    path: String,
    table: String,
}

/// A call that would come.
#[derive(Debug, Serialize, JsonSchema)]
struct CallPreview {
    method: &'static str,
    call: serde_json::Value,
    /// Whether it rests on something that was never read, and may come out otherwise.
    is_likely_only: bool,
}

/// Previews a template of the fleet on the devices that it selects, or did.
pub(super) async fn template(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Object(Request { template, version, limit, page_token }): Object<Request>,
) -> Answer<Preview> {
    let applied = api.hems.store.templates().await?.remove(&name);
    let typed = match (template, version) {
        (template, None) => template,
        (None, Some(version)) => Some(Some(templates::saved(&api, &name, version).await?)),
        (Some(_), Some(_)) => return Err(Problem::invalid("a `template` or a `version`, and not both")),
    };
    let to = supposed(&api, &caller, &name, typed).await?;
    let limit = Limit::of(limit, DEVICES) as usize;
    let both: Vec<&Template> = applied.iter().chain(&to).collect();
    let selectors: Vec<_> = both.iter().map(|template| &template.selector).collect();
    let filter = inventory::union(&selectors);
    let page =
        inventory::page(&api.hems.store, &filter, page_token.as_deref(), limit, api.hems.now()).await?;
    let mut preview = Preview {
        items: Vec::new(),
        changed: 0,
        same: 0,
        failed: 0,
        totals: Vec::new(),
        frozen: false,
        next_page_token: page.next,
    };
    let mut from = BTreeMap::new();
    for device in &page.devices {
        let Some(subject) = Subject::of(&device.row, device.place.clone()) else { continue };
        if both.iter().any(|template| template.selector.selects(&subject)) {
            let rules = (&api.hems.model, &from);
            let supposed = desire::suppose(&api.hems.store, &subject, (&name, to.as_ref()), rules).await?;
            // The next device would draw the next number.
            from.extend(supposed.draws.iter().map(|(pool, number)| (pool.clone(), number.saturating_add(1))));
            preview.frozen = supposed.is_frozen;
            preview.add(foresee(&api, &device.row, supposed).await?);
        }
    }
    preview.add_up();
    Ok(Json(preview))
}

/// The template as it would be: as it was typed, or as it was saved last.
pub(super) async fn supposed(
    api: &Api,
    caller: &Caller,
    name: &str,
    typed: Option<Option<Template>>,
) -> Result<Option<Template>, Problem> {
    let whose = Whose::Fleet(name.to_owned());
    let template = match typed {
        Some(template) => template,
        None => Some(templates::newest(api, &whose).await?.template()),
    };
    if let Some(template) = &template {
        let complaints = templates::complaints(api, (caller, &whose), template).await?;
        if !complaints.is_empty() {
            return Err(Problem::complaints(complaints));
        }
    }
    Ok(template)
}

/// What the next sessions would do with one device as things are.
pub(super) async fn device(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
) -> Answer<DevicePreview> {
    let row = devices::find(&api, &caller, &identity).await?;
    let place = row.place()?;
    let subject = Subject::of(&row, place)
        .ok_or_else(|| Problem::conflict("the device is not admitted, so nothing is desired of it"))?;
    let supposed = desire::preview(&api.hems.store, &subject, &api.hems.model).await?;
    Ok(Json(foresee(&api, &row, supposed).await?))
}

impl Preview {
    fn add(&mut self, device: DevicePreview) {
        match (&device.error, device.calls.is_empty()) {
            (Some(_), _) => self.failed += 1,
            (None, true) => self.same += 1,
            (None, false) => self.changed += 1,
        }
        if !device.is_same() {
            self.items.push(device);
        }
    }

    fn add_up(&mut self) {
        let mut counts: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
        let fine = self.items.iter().filter(|device| device.error.is_none());
        for one in fine.flat_map(|device| &device.differences) {
            *counts.entry((&one.path, one.to.as_deref())).or_default() += 1;
        }
        let total = |((path, to), devices): ((&str, Option<&str>), usize)| Total {
            path: path.to_owned(),
            to: to.map(str::to_owned),
            devices,
        };
        self.totals = counts.into_iter().map(total).collect();
    }
}

impl DevicePreview {
    fn new(identity: String, supposed: &Supposed) -> Self {
        let overruled = supposed.overruled.iter().cloned();
        Self {
            identity,
            differences: Vec::new(),
            calls: Vec::new(),
            left_out: Vec::new(),
            overruled: overruled.map(|(path, table)| Overruled { path, table }).collect(),
            draws: supposed.draws.clone(),
            frozen: supposed.is_frozen,
            error: None,
        }
    }

    /// Whether there is nothing to say of it.
    fn is_same(&self) -> bool {
        self.calls.is_empty() && self.left_out.is_empty() && self.overruled.is_empty() && self.error.is_none()
    }
}

/// Runs the plan on what is known of a device.
async fn foresee(api: &Api, row: &DeviceRow, supposed: Supposed) -> Result<DevicePreview, Problem> {
    let mut preview = DevicePreview::new(row.identity.clone(), &supposed);
    let (desired, binding) = match (supposed.desired, row.binding()) {
        (Ok(desired), Some(binding)) => (desired, binding),
        (desired, _) => {
            preview.error = desired.err().map(|missing| missing.to_string());
            return Ok(preview);
        }
    };
    let remembered = api.hems.store.remembered(&row.identity).await?;
    let (spared, known) = (&devices::spared(api, &remembered), remembered.known);
    let quirks = quirk::of(&api.hems.quirks, &binding, &known);
    let (mut desired, left_out) = quirk::fit(desired, &quirks);
    preview.left_out = left_out;
    preview.differences = plan::differences(&desired, &known);
    let now = api.hems.now();
    let whose = (row.identity.as_str(), &binding);
    match software::standing(&api.hems.store, whose, (&desired, &known), now).await? {
        Some(Standing::Ready(image)) => drop(desired.set_image(Some(image))),
        Some(Standing::Absent(_, why)) => preview.error = Some(why),
        Some(Standing::UnderWay | Standing::Failed(..)) | None => {}
    }
    let verdict = |latitude: &str, longitude: &str| gate::judge(api.hems.gate, latitude, longitude, now);
    let kind = &|path: &str| kind(api, path);
    let stage = Stage { quirks: &quirks, spared, kind, gate: &verdict, now };
    for foreseen in plan::rehearse(&desired, known, &stage) {
        let download = || download(api, &desired, &foreseen.step);
        let Some(method) = foreseen.step.method(&quirks).or_else(download) else { continue };
        preview.calls.push(CallPreview {
            method: method.name(),
            call: serde_json::to_value(&method).unwrap_or_default(),
            is_likely_only: foreseen.is_likely_only,
        });
    }
    Ok(preview)
}

/// The Download of a software, but for its URL, which is made for it when it is sent.
fn download(api: &Api, desired: &Desired, step: &Step) -> Option<CpeMethod> {
    let image =
        desired.software.as_ref()?.image.as_ref().filter(|_| matches!(step, Step::Software { .. }))?;
    let url = files::url(&api.hems.url, URL_TOKEN);
    Some(files::download(Kind::Firmware.to_download()?, url, (&image.name, image.size)))
}

/// The type of a parameter by the model.
pub(super) fn kind(api: &Api, path: &str) -> ValueKind {
    quirk::kind(&api.hems.model, path).unwrap_or(ValueKind::String)
}
