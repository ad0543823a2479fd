//! What the ACS wants to hear of, parameter by parameter, where that is not the model's own wish. (TR-069 A.3.2.4)
//!
//! Absent is the model's default: notification as the model says, and a subscriber may write. What the standard always
//! tells stays so, whatever is asked. (C-17, C-18)

use std::collections::BTreeMap;

use cwmp::{Fault, FaultCode, ParameterAttributeStruct, SetParameterAttributesStruct};
use datamodel::{Notification, Path, Tree};
use serde::{Deserialize, Serialize};

use super::path;

/// The only entity beside the ACS that an access list can name. (C-17)
const SUBSCRIBER: &str = "Subscriber";

/// How a change by the device itself is told. (TR-069 A.3.2.4)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    /// Not at all.
    Off,
    /// In the next Inform, whenever that is.
    Passive,
    /// By a session of its own.
    Active,
}

impl Notify {
    const ALL: [Self; 3] = [Self::Off, Self::Passive, Self::Active];
}

/// What an ACS changed of one parameter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// How a change is told, where it is not the model's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// Whether the ACS alone may write it.
    #[serde(default)]
    pub is_reserved: bool,
}

/// How a change of this parameter is told.
pub(super) fn notify(tree: &Tree, kept: &BTreeMap<Path, Attributes>, path: &Path) -> Notify {
    let asked = kept.get(path).and_then(|attributes| attributes.notify);
    match tree.parameter(path).map(|parameter| parameter.notification) {
        Some(Notification::AlwaysActive) => Notify::Active,
        Some(Notification::DefaultActive) => asked.unwrap_or(Notify::Active),
        Some(Notification::Normal | Notification::CanDeny) | None => asked.unwrap_or_else(|| of_events(path)),
    }
}

/// The rings of events are there to be told: at once, and with the next session. (F-06, F-07)
fn of_events(path: &Path) -> Notify {
    match path.as_str() {
        place if place.starts_with(path::EXPEDITED_EVENTS) => Notify::Active,
        place if place.starts_with(path::QUEUED_EVENTS) => Notify::Passive,
        _ => Notify::Off,
    }
}

/// The attributes at or below a path. (TR-069 A.3.2.5)
pub(super) fn get(
    tree: &Tree,
    kept: &BTreeMap<Path, Attributes>,
    path: &Path,
) -> Result<Vec<ParameterAttributeStruct>, Fault> {
    let one = |path: Path| {
        let is_reserved = kept.get(&path).is_some_and(|attributes| attributes.is_reserved);
        let notify = notify(tree, kept, &path);
        let number = Notify::ALL.iter().position(|one| *one == notify).and_then(|at| at.try_into().ok());
        ParameterAttributeStruct {
            name: path.to_string().into(),
            notification: number.unwrap_or_default(),
            access_list: (!is_reserved).then(|| SUBSCRIBER.into()).into_iter().collect(),
        }
    };
    Ok(parameters(tree, path)?.into_iter().map(one).collect())
}

/// Changes all entries or none. (TR-069 A.3.2.4)
pub(super) fn set(
    tree: &Tree,
    kept: &mut BTreeMap<Path, Attributes>,
    list: &[SetParameterAttributesStruct],
) -> Result<(), Fault> {
    let mut changed = kept.clone();
    for entry in list {
        let notify = if entry.notification_change { Some(read_notify(entry.notification)?) } else { None };
        let is_reserved =
            if entry.access_list_change { Some(read_access(&entry.access_list)?) } else { None };
        let path = Path::parse(&entry.name)
            .map_err(|error| Fault::new(FaultCode::INVALID_PARAMETER_NAME, error.to_string()))?;
        for path in parameters(tree, &path)? {
            let attributes = changed.entry(path).or_default();
            attributes.notify = notify.or(attributes.notify);
            attributes.is_reserved = is_reserved.unwrap_or(attributes.is_reserved);
        }
    }
    *kept = changed;
    Ok(())
}

/// The parameters at or below a path; below an object there may be none.
fn parameters(tree: &Tree, path: &Path) -> Result<Vec<Path>, Fault> {
    let values = tree.get(path)?;
    Ok(values.iter().filter_map(|value| Path::parse(&value.name).ok()).collect())
}

fn read_notify(number: u32) -> Result<Notify, Fault> {
    let found = usize::try_from(number).ok().and_then(|at| Notify::ALL.get(at));
    found.copied().ok_or_else(|| {
        let text = format!("Notification {number} is not offered here: 0, 1 and 2 are right");
        Fault::new(FaultCode::INVALID_ARGUMENTS, text)
    })
}

fn read_access(list: &[cwmp::Text]) -> Result<bool, Fault> {
    if list.iter().all(|entity| entity == SUBSCRIBER) {
        return Ok(list.is_empty());
    }
    Err(Fault::new(FaultCode::INVALID_ARGUMENTS, "an AccessList is empty or names Subscriber"))
}
