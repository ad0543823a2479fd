//! `/api/v1/devices/{identity}/actions`: what operators ask one device to do, in their words; each becomes a call whose
//! progress is among the device's calls.
//!
//! ```text
//!  refresh  set  add  delete  reboot  factory_reset ─▶ one call of the CPE, checked first
//!  download  upload ─▶ the same, with a URL of ours; see [`transfer`](super::transfer)
//!  lock  unlock ─▶ a value of the device's own; the plan does it, and the action is judged by what the cell says
//!  wake, and any of them with `"wake": true` ─▶ a Connection Request, and a call that is done when the device calls
//! ```

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use cwmp::{
    AddObject, CpeMethod, DeleteObject, FactoryReset, GetParameterValues, ParameterValueStruct, Reboot,
    SetParameterValues, Text, Value, ValueKind,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Api, Object, Path, Problem,
    calls::{self, Asked, CallView, Key},
    readable, templates, transfer,
};
use crate::{
    call, desire,
    files::Kind,
    people::Caller,
    plan::Desired,
    quirk, radio,
    store::{DeviceRow, Keyed, NewUrl, Whose},
    template::{Complaint, Subject, Template, Wanted},
    wake,
};

/// Travels with what is not the plan's. (TR-069 A.3.2.1)
const PARAMETER_KEY: &str = "action";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Action {
    /// Read parameters, or all below a path that ends in a dot.
    Refresh { paths: Vec<String> },
    /// Set what no template wants, once.
    Set { values: BTreeMap<String, Wanted> },
    /// Add a row to a table that no template fills.
    Add { object: String },
    /// Delete a row of such a table.
    Delete { row: String },
    /// Start again.
    Reboot {},
    /// Forget everything and start again.
    FactoryReset {},
    /// Fetch a file of ours and take it into use.
    Download { file: i64 },
    /// Send us its configuration or its log.
    Upload { kind: Kind },
    /// Go off the air, and stay so.
    Lock {},
    /// Go on the air, behind the gate.
    Unlock {},
    /// Call now.
    Wake {},
}

/// What is asked for, and whether at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Wish {
    #[serde(flatten)]
    action: Action,
    /// Whether the device is asked for a session now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    wake: bool,
}

/// Asks a device for something; it happens in its next session, which may be asked for as well.
pub(super) async fn act(
    State(api): State<Api>,
    caller: Caller,
    Path(identity): Path<String>,
    Key(key): Key,
    Object(wish): Object<Wish>,
) -> Result<(StatusCode, Json<CallView>), Problem> {
    let device = calls::admitted(&api, &caller, &identity).await?;
    let text = serde_json::to_string(&wish).unwrap_or_default();
    let key = key.map(|key| Keyed { key, request: text.clone() });
    if let Some(answer) = calls::repeated(&api, &caller, &device, key.as_ref()).await? {
        return Ok(answer);
    }
    let Wish { action, wake } = wish;
    let wakes = wake || action == Action::Wake {};
    if wakes {
        reach(&api, &device).await?;
    }
    let (method, url) = call(&api, &caller, &device, &action).await?;
    method.as_ref().map_or(Ok(()), |method| calls::permit(&caller, method.name()))?;
    let name = match action {
        Action::Lock {} => call::LOCK,
        Action::Unlock {} => call::UNLOCK,
        Action::Wake {} => call::WAKE,
        Action::Refresh { .. }
        | Action::Set { .. }
        | Action::Add { .. }
        | Action::Delete { .. }
        | Action::Reboot {}
        | Action::Download { .. }
        | Action::Upload { .. }
        | Action::FactoryReset {} => "",
    };
    calls::send(&api, &caller, &device, Asked { method, action: Some(text), name, url, key, wakes }).await
}

/// Whether a device can be asked for a session, as far as that is known before it is.
async fn reach(api: &Api, device: &DeviceRow) -> Result<(), Problem> {
    let known = api.hems.store.remembered(&device.identity).await?.known;
    let aimed = wake::aim(&api.hems, &device.identity, known.text(wake::URL)).await?;
    aimed.map(drop).map_err(|error| Problem::conflict(&format!("it cannot be woken: {error}")))
}

/// The call that does it, with the URL of ours that it names.
pub(super) async fn call(
    api: &Api,
    caller: &Caller,
    device: &DeviceRow,
    action: &Action,
) -> Result<(Option<CpeMethod>, Option<NewUrl>), Problem> {
    let (method, url) = match action {
        Action::Download { file } => transfer::download(api, caller, device, *file).await?,
        Action::Upload { kind } => transfer::upload(api, *kind)?,
        Action::Refresh { .. }
        | Action::Set { .. }
        | Action::Add { .. }
        | Action::Delete { .. }
        | Action::Reboot {}
        | Action::FactoryReset {}
        | Action::Lock {}
        | Action::Unlock {}
        | Action::Wake {} => return Ok((method(api, caller, device, action).await?, None)),
    };
    call::check(&method, api.hems.mode).map_err(|error| Problem::invalid(error.to_string()))?;
    Ok((Some(method), Some(url)))
}

/// The call that does it, once it was checked; nothing where the plan does it.
async fn method(
    api: &Api,
    caller: &Caller,
    device: &DeviceRow,
    action: &Action,
) -> Result<Option<CpeMethod>, Problem> {
    let checked = |method: CpeMethod| {
        call::check(&method, api.hems.mode).map_err(|error| Problem::invalid(error.to_string()))?;
        Ok(Some(method))
    };
    match action {
        Action::Refresh { paths } => {
            let known = api.hems.store.remembered(&device.identity).await?.known;
            let wrong = readable::complaints(paths, &known, &api.hems.model);
            if !wrong.is_empty() {
                return Err(Problem::complaints(wrong));
            }
            let parameter_names = paths.iter().map(|path| Text::from(path.clone())).collect();
            checked(CpeMethod::GetParameterValues(GetParameterValues { parameter_names }))
        }
        Action::Reboot {} => checked(CpeMethod::Reboot(Reboot { command_key: Text::new() })),
        Action::Set { values } => set(api, caller, device, values.clone()).await.map(Some),
        Action::Add { object } => {
            wants_nothing(api, device, object).await?;
            is_table(api, object)?;
            let (object_name, parameter_key) = (object.clone().into(), PARAMETER_KEY.into());
            Ok(Some(CpeMethod::AddObject(AddObject { object_name, parameter_key })))
        }
        Action::Delete { row } => {
            wants_nothing(api, device, row).await?;
            is_row(api, row)?;
            let (object_name, parameter_key) = (row.clone().into(), PARAMETER_KEY.into());
            checked(CpeMethod::DeleteObject(DeleteObject { object_name, parameter_key }))
        }
        Action::FactoryReset {} => checked(CpeMethod::FactoryReset(FactoryReset {})),
        Action::Lock {}
        | Action::Unlock {}
        | Action::Wake {}
        | Action::Download { .. }
        | Action::Upload { .. } => Ok(None),
    }
}

/// Values that the model allows and no template wants.
async fn set(
    api: &Api,
    caller: &Caller,
    device: &DeviceRow,
    values: BTreeMap<String, Wanted>,
) -> Result<CpeMethod, Problem> {
    let template = Template { values, ..Template::default() };
    let whose = Whose::Device(device.identity.clone());
    let mut complaints = templates::complaints(api, (caller, &whose), &template).await?;
    let complain =
        |path: &String, message: &str| Complaint { place: path.clone(), message: message.to_owned() };
    let radio = template.values.keys().filter(|path| path.starts_with(radio::SERVICE));
    complaints.extend(radio.map(|path| {
        complain(
            path,
            "belongs to the radio: put it into the device's values, and the plan locks the cell first",
        )
    }));
    let known = api.hems.store.remembered(&device.identity).await?.known;
    let mut parameter_list = Vec::new();
    for (path, wanted) in &template.values {
        match wanted.literal() {
            Some(text) => {
                let kind =
                    known.value(path).map(|held| held.kind).or_else(|| quirk::kind(&api.hems.model, path));
                let value = Value::new(kind.unwrap_or(ValueKind::String), text);
                parameter_list.push(ParameterValueStruct { name: path.clone().into(), value });
            }
            None => complaints.push(complain(path, "is drawn or worked out by templates only")),
        }
    }
    if parameter_list.is_empty() && complaints.is_empty() {
        return Err(Problem::invalid("`values` names at least one parameter"));
    }
    if !complaints.is_empty() {
        return Err(Problem::complaints(complaints));
    }
    for path in template.values.keys() {
        wants_nothing(api, device, path).await?;
    }
    Ok(CpeMethod::SetParameterValues(SetParameterValues {
        parameter_list,
        parameter_key: PARAMETER_KEY.into(),
    }))
}

/// What a template wants is the template's to change: anything else would be undone by the next session.
pub(super) async fn wants_nothing(api: &Api, device: &DeviceRow, path: &str) -> Result<(), Problem> {
    let Some(subject) = Subject::of(device, device.place()?) else { return Ok(()) };
    let supposed = desire::preview(&api.hems.store, &subject, &api.hems.model).await?;
    let is_wanted = |desired: &Desired| {
        desired.values.contains_key(path)
            || path == radio::ADMIN_STATE
            || path == radio::SOFTWARE && desired.software.is_some()
            || desired.objects.iter().any(|table| path.starts_with(&table.object))
    };
    if supposed.desired.is_ok_and(|desired| is_wanted(&desired)) {
        return Err(Problem::conflict(&format!(
            "a template or the device's values want {path:.256}: change it there, or the next session undoes this"
        )));
    }
    Ok(())
}

fn is_table(api: &Api, object: &str) -> Result<(), Problem> {
    let path = readable::concrete(object).ok().filter(datamodel::Path::is_partial);
    if path.is_some_and(|path| has_rows_of_ours(api, &path)) {
        return Ok(());
    }
    Err(Problem::invalid("`object` is a table to which rows can be added, such as Device.Users.User."))
}

fn is_row(api: &Api, row: &str) -> Result<(), Problem> {
    let path = readable::concrete(row).ok().filter(|path| path.is_partial() && path.instance().is_some());
    if path.is_some_and(|path| has_rows_of_ours(api, &path.parent())) {
        return Ok(());
    }
    Err(Problem::invalid(
        "`row` is one row of a table whose rows can be deleted, such as Device.Users.User.3.",
    ))
}

/// Whether rows of a table come and go by the H(e)MS, as far as the model knows it.
fn has_rows_of_ours(api: &Api, table: &datamodel::Path) -> bool {
    let known = api.hems.model.table(table);
    known.map_or_else(|| readable::is_vendors(table), |table| table.access != datamodel::Access::ReadOnly)
}
