//! Templates: what is desired of the devices that a selector names. (decision 14)
//!
//! Where two templates name the same parameter or table, the higher priority wins, then the name that comes
//! first. A value is literal or drawn from a pool. Everything is checked when it is saved, so that a session
//! never meets a template that it cannot use.

mod check;
mod selector;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(crate) use check::{Complaint, check, is_name};
pub(crate) use selector::{Selector, Subject};

use crate::{
    plan::{Desired, DesiredObject},
    radio,
};

/// What is desired of the devices that the selector names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    /// For which devices; empty is all.
    #[serde(default)]
    pub(crate) selector: Selector,
    /// The higher wins; 0 where it is left out.
    #[serde(default)]
    pub(crate) priority: i32,
    /// Path to value.
    #[serde(default)]
    pub(crate) values: BTreeMap<String, Wanted>,
    /// Tables with all their rows.
    #[serde(default)]
    pub(crate) objects: Vec<WantedObject>,
}

/// A value that is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Wanted {
    /// This text.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// This number.
    Number(i64),
    /// A number of its own for each device.
    Draw(Draw),
}

/// `{"pool": "pci"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draw {
    pub(crate) pool: String,
}

/// A table, told apart by a key column, with all its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedObject {
    pub(crate) object: String,
    pub(crate) key: String,
    pub(crate) rows: Vec<BTreeMap<String, Wanted>>,
}

/// The templates of one device, laid over one another.
#[derive(Debug, Default)]
pub(crate) struct Layers<'t> {
    values: BTreeMap<&'t str, &'t Wanted>,
    objects: BTreeMap<&'t str, &'t WantedObject>,
}

impl Wanted {
    fn pool(&self) -> Option<&str> {
        match self {
            Self::Draw(draw) => Some(&draw.pool),
            Self::Text(_) | Self::Boolean(_) | Self::Number(_) => None,
        }
    }

    fn text(&self, draws: &BTreeMap<String, i64>) -> Option<String> {
        Some(match self {
            Self::Text(text) => text.clone(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Draw(draw) => draws.get(&draw.pool)?.to_string(),
        })
    }
}

impl<'t> Layers<'t> {
    /// Lays the templates that select a device over one another.
    pub(crate) fn of(templates: &'t [(String, Template)], subject: &Subject) -> Self {
        let mut chosen: Vec<_> =
            templates.iter().filter(|(_, template)| template.selector.selects(subject)).collect();
        chosen.sort_by(|(left, a), (right, b)| b.priority.cmp(&a.priority).then_with(|| left.cmp(right)));
        let mut layers = Self::default();
        for (_, template) in chosen {
            for (path, wanted) in &template.values {
                layers.values.entry(path).or_insert(wanted);
            }
            for object in &template.objects {
                layers.objects.entry(&object.object).or_insert(object);
            }
        }
        layers
    }

    /// The pools that must be drawn from.
    pub(crate) fn pools(&self) -> BTreeSet<&'t str> {
        let rows = self.objects.values().flat_map(|object| object.rows.iter().flat_map(BTreeMap::values));
        self.values.values().copied().chain(rows).filter_map(Wanted::pool).collect()
    }

    /// What is desired, once everything is drawn; nothing where a draw is missing.
    pub(crate) fn desired(&self, draws: &BTreeMap<String, i64>) -> Option<Desired> {
        let mut values = texts(self.values.iter().map(|(path, wanted)| (*path, *wanted)), draws)?;
        let admin_state = values.remove(radio::ADMIN_STATE).map(|text| text == "true" || text == "1");
        let objects = self.objects.values().map(|object| object.desired(draws)).collect::<Option<_>>()?;
        Some(Desired { values, objects, admin_state })
    }
}

impl WantedObject {
    fn desired(&self, draws: &BTreeMap<String, i64>) -> Option<DesiredObject> {
        let rows = self
            .rows
            .iter()
            .map(|row| texts(row.iter().map(|(name, wanted)| (name.as_str(), wanted)), draws));
        Some(DesiredObject {
            object: self.object.clone(),
            key: self.key.clone(),
            rows: rows.collect::<Option<_>>()?,
        })
    }
}

fn texts<'t>(
    wanted: impl Iterator<Item = (&'t str, &'t Wanted)>,
    draws: &BTreeMap<String, i64>,
) -> Option<BTreeMap<String, String>> {
    wanted.map(|(name, wanted)| Some((name.to_owned(), wanted.text(draws)?))).collect()
}

#[cfg(test)]
mod tests {
    use profile::Identity;

    use super::*;
    use crate::store::Binding;

    fn template(json: &str) -> Template {
        serde_json::from_str(json).unwrap()
    }

    fn subject() -> Subject {
        let binding =
            Binding { oui: "00005E".to_owned(), product_class: "C".to_owned(), serial: "1".to_owned() };
        let identity = Identity::parse("00005e005301.hnb.example").unwrap();
        Subject { identity, binding, place: crate::inventory::Place::default() }
    }

    #[test]
    fn the_higher_priority_wins_parameter_by_parameter() {
        let templates = [
            ("all".to_owned(), template(r#"{"values": {"Device.A": "low", "Device.B": 2}}"#)),
            (
                "mine".to_owned(),
                template(r#"{"selector": "serial = \"1\"", "priority": 5, "values": {"Device.A": "high"}}"#),
            ),
            (
                "other".to_owned(),
                template(r#"{"selector": "serial = \"2\"", "priority": 9, "values": {"Device.A": "no"}}"#),
            ),
        ];
        let desired = Layers::of(&templates, &subject()).desired(&BTreeMap::new()).unwrap();
        assert_eq!(desired.values["Device.A"], "high");
        assert_eq!(desired.values["Device.B"], "2");
    }

    #[test]
    fn nothing_is_desired_before_everything_is_drawn() {
        let templates = [(
            "all".to_owned(),
            template(
                r#"{"objects": [{"object": "Device.T.", "key": "K", "rows": [{"K": {"pool": "pci"}}]}]}"#,
            ),
        )];
        let layers = Layers::of(&templates, &subject());
        assert_eq!(layers.pools(), BTreeSet::from(["pci"]));
        assert_eq!(layers.desired(&BTreeMap::new()), None);
        let desired = layers.desired(&BTreeMap::from([("pci".to_owned(), 17)])).unwrap();
        assert_eq!(desired.objects[0].rows[0]["K"], "17");
    }

    #[test]
    fn admin_state_is_a_wish_of_its_own() {
        let path = radio::ADMIN_STATE;
        let templates = [("all".to_owned(), template(&format!(r#"{{"values": {{"{path}": true}}}}"#)))];
        let desired = Layers::of(&templates, &subject()).desired(&BTreeMap::new()).unwrap();
        assert_eq!((desired.admin_state, desired.values.len()), (Some(true), 0));
    }
}
