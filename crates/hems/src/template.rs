//! Templates: what is desired of the devices that a selector names. (decision 14)
//!
//! Where two templates name the same parameter or table, the higher priority wins, then the name that comes
//! first; what is wanted of one device alone stands above all. A value is literal, drawn from a pool, or worked out
//! by an expression. Everything is checked when it is saved, so that a session never meets a template that it cannot
//! use.

mod check;
mod expression;
mod selector;

use std::collections::{BTreeMap, BTreeSet};

use datamodel::Model;
use serde::{Deserialize, Serialize};

pub(crate) use check::{Complaint, Pools, check, check_text, filled, is_name};
pub(crate) use expression::{Expression, ExpressionError};
pub(crate) use selector::{Selector, Subject};

use crate::{
    plan::{Desired, DesiredObject, Software},
    radio,
};

/// What is desired of the devices that the selector names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// The version of the software that shall run; an image of it for each product is among the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) software: Option<String>,
}

/// A value that is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(
    untagged,
    expecting = "a value is a text, a whole number, true, false, {\"pool\": …} or {\"expression\": …}"
)]
pub(crate) enum Wanted {
    /// This text.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// This number.
    Number(i64),
    /// A number of its own for each device.
    Draw(Draw),
    /// Worked out for each device.
    Expression(Expression),
}

/// `{"pool": "pci"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draw {
    pub(crate) pool: String,
}

/// A table, told apart by a key column, with all its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
    software: Option<&'t str>,
}

/// Why nothing can be said of what is desired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Absent {
    #[error("nothing is drawn from the pool `{0}` yet")]
    Draw(String),
    #[error("{place}: {error}")]
    Expression { place: String, error: ExpressionError },
}

/// What values are made of.
#[derive(Clone, Copy)]
struct Sources<'s> {
    subject: &'s Subject,
    draws: &'s BTreeMap<String, i64>,
    model: &'s Model,
}

impl Wanted {
    /// The pools that it draws from.
    fn pools(&self) -> &[String] {
        match self {
            Self::Draw(draw) => std::slice::from_ref(&draw.pool),
            Self::Expression(expression) => &expression.draws,
            Self::Text(_) | Self::Boolean(_) | Self::Number(_) => &[],
        }
    }

    /// The text, where it is the same for every device.
    pub(crate) fn literal(&self) -> Option<String> {
        Some(match self {
            Self::Text(text) => text.clone(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Draw(_) | Self::Expression(_) => return None,
        })
    }

    fn text(&self, place: &str, sources: Sources<'_>) -> Result<String, Absent> {
        let drawn = |pool: &String| {
            sources.draws.get(pool).map(i64::to_string).ok_or_else(|| Absent::Draw(pool.clone()))
        };
        match self {
            Self::Draw(draw) => drawn(&draw.pool),
            Self::Expression(expression) => {
                expression.draws.iter().try_for_each(|pool| drawn(pool).map(drop))?;
                let value = expression.value(sources.subject, sources.draws).and_then(|text| {
                    let checked = check_text(place, "it gives", &text, sources.model);
                    checked.map(|()| text).map_err(ExpressionError::Value)
                });
                value.map_err(|error| Absent::Expression { place: place.to_owned(), error })
            }
            Self::Text(_) | Self::Boolean(_) | Self::Number(_) => Ok(self.literal().unwrap_or_default()),
        }
    }
}

impl Template {
    /// Every value that it names.
    fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        let rows = self.objects.iter().flat_map(|object| object.rows.iter().flat_map(BTreeMap::values));
        self.values.values().chain(rows)
    }

    /// Whether something of it is worked out for each device.
    pub(crate) fn has_expressions(&self) -> bool {
        self.wanted().any(|wanted| matches!(wanted, Wanted::Expression(_)))
    }

    /// Whether something of it draws from a pool.
    pub(crate) fn draws_from(&self, pool: &str) -> bool {
        self.wanted().any(|wanted| wanted.pools().iter().any(|one| one == pool))
    }

    /// What would go wrong with it for a device, where each pool gives its first number.
    pub(crate) fn trial(&self, subject: &Subject, pools: &Pools, model: &Model) -> Option<Complaint> {
        let draws = pools.iter().map(|(name, pool)| (name.clone(), pool.first)).collect();
        let layers = Layers::of(std::iter::empty(), Some(self), subject);
        match layers.desired(subject, &draws, model) {
            Err(Absent::Expression { place, error }) => {
                Some(Complaint { place, message: format!("for {}: {error}", subject.identity) })
            }
            Ok(_) | Err(Absent::Draw(_)) => None,
        }
    }
}

impl<'t> Layers<'t> {
    /// Lays the templates that select a device over one another, under what is wanted of it alone.
    pub(crate) fn of<'n>(
        templates: impl Iterator<Item = (&'n str, &'t Template)>,
        own: Option<&'t Template>,
        subject: &Subject,
    ) -> Self {
        let mut chosen: Vec<_> =
            templates.filter(|(_, template)| template.selector.selects(subject)).collect();
        chosen.sort_by(|(left, a), (right, b)| b.priority.cmp(&a.priority).then_with(|| left.cmp(right)));
        let mut layers = Self::default();
        for template in own.into_iter().chain(chosen.into_iter().map(|(_, template)| template)) {
            for (path, wanted) in &template.values {
                layers.values.entry(path).or_insert(wanted);
            }
            for object in &template.objects {
                layers.objects.entry(&object.object).or_insert(object);
            }
            layers.software = layers.software.or(template.software.as_deref());
        }
        layers
    }

    /// The values that count: the rows of a table that is filled are its own alone.
    fn counted(&self) -> impl Iterator<Item = (&'t str, &'t Wanted)> {
        let values = self.values.iter().filter(|(path, _)| self.table_of(path).is_none());
        values.map(|(path, wanted)| (*path, *wanted))
    }

    /// The values that do not, each with the table that is filled.
    pub(crate) fn overruled(&self) -> Vec<(String, String)> {
        let both = self.values.keys().filter_map(|path| Some((path, self.table_of(path)?)));
        both.map(|(path, table)| ((*path).to_owned(), table.to_owned())).collect()
    }

    fn table_of(&self, path: &str) -> Option<&'t str> {
        self.objects.keys().find(|table| is_cell(table, path)).copied()
    }

    /// The pools that must be drawn from.
    pub(crate) fn pools(&self) -> BTreeSet<&'t str> {
        let rows = self.objects.values().flat_map(|object| object.rows.iter().flat_map(BTreeMap::values));
        let wanted = self.counted().map(|(_, wanted)| wanted).chain(rows);
        wanted.flat_map(|wanted| wanted.pools().iter().map(String::as_str)).collect()
    }

    /// What is desired, once everything is drawn and worked out.
    pub(crate) fn desired(
        &self,
        subject: &Subject,
        draws: &BTreeMap<String, i64>,
        model: &Model,
    ) -> Result<Desired, Absent> {
        let sources = Sources { subject, draws, model };
        let mut values = texts("", self.counted(), sources)?;
        let admin_state = values.remove(radio::ADMIN_STATE).map(|text| text == "true" || text == "1");
        let objects =
            self.objects.values().map(|object| object.desired(sources)).collect::<Result<_, _>>()?;
        let software = self.software.map(|version| Software { version: version.to_owned(), image: None });
        Ok(Desired { values, objects, admin_state, software })
    }
}

/// Whether a path is that of a column in some row of a table.
fn is_cell(table: &str, path: &str) -> bool {
    let row = path.strip_prefix(table).and_then(|rest| rest.split_once('.'));
    row.is_some_and(|(number, column)| number.parse::<u32>().is_ok() && !column.contains('.'))
}

impl WantedObject {
    fn desired(&self, sources: Sources<'_>) -> Result<DesiredObject, Absent> {
        let row = format!("{}1.", self.object);
        let rows = self
            .rows
            .iter()
            .map(|wanted| texts(&row, wanted.iter().map(|(name, wanted)| (name.as_str(), wanted)), sources));
        Ok(DesiredObject {
            object: self.object.clone(),
            key: self.key.clone(),
            rows: rows.collect::<Result<_, _>>()?,
        })
    }
}

/// The texts by their names; `above` and the name is the place of each.
fn texts<'t>(
    above: &str,
    wanted: impl Iterator<Item = (&'t str, &'t Wanted)>,
    sources: Sources<'_>,
) -> Result<BTreeMap<String, String>, Absent> {
    let text = |(name, wanted): (&str, &Wanted)| {
        Ok((name.to_owned(), wanted.text(&format!("{above}{name}"), sources)?))
    };
    wanted.map(text).collect()
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
        Subject { identity, binding, place: crate::inventory::Place::default(), has_served: false }
    }

    fn named(templates: &[(String, Template)]) -> impl Iterator<Item = (&str, &Template)> {
        templates.iter().map(|(name, template)| (name.as_str(), template))
    }

    fn desired(
        templates: &[(String, Template)],
        own: Option<&Template>,
        draws: &BTreeMap<String, i64>,
    ) -> Result<Desired, Absent> {
        let subject = subject();
        Layers::of(named(templates), own, &subject).desired(&subject, draws, Model::standard())
    }

    #[test]
    fn what_is_wanted_of_one_device_alone_stands_above_all() {
        let templates = [(
            "all".to_owned(),
            template(r#"{"priority": 9, "values": {"Device.X_A": "all", "Device.B": 2}}"#),
        )];
        let own = template(r#"{"values": {"Device.X_A": {"expression": "'no ' + serial"}}}"#);
        let desired = desired(&templates, Some(&own), &BTreeMap::new()).unwrap();
        assert_eq!(
            (desired.values["Device.X_A"].as_str(), desired.values["Device.B"].as_str()),
            ("no 1", "2")
        );
    }

    #[test]
    fn the_rows_of_a_table_that_is_filled_are_its_own_alone() {
        let table = r#"{"objects": [{"object": "Device.X_T.", "key": "K", "rows": [{"K": "1"}]}]}"#;
        let templates = [("all".to_owned(), template(table))];
        let own = template(
            r#"{"values": {"Device.X_T.2.Enable": false, "Device.X_T.2.Sub.A": 1, "Device.X_A": 1}}"#,
        );
        let values = desired(&templates, Some(&own), &BTreeMap::new()).unwrap().values;
        assert_eq!(values.keys().collect::<Vec<_>>(), ["Device.X_A", "Device.X_T.2.Sub.A"]);
        let overruled = Layers::of(named(&templates), Some(&own), &subject()).overruled();
        assert_eq!(overruled, [("Device.X_T.2.Enable".to_owned(), "Device.X_T.".to_owned())]);
    }

    #[test]
    fn the_software_of_one_device_alone_stands_above_that_of_the_templates() {
        let named = |name: &str, body: &str| (name.to_owned(), template(body));
        let templates = [
            named("all", r#"{"software": "2.0"}"#),
            named("more", r#"{"priority": 1, "values": {"Device.X_A": 1}}"#),
        ];
        let version = |own: Option<&Template>| {
            desired(&templates, own, &BTreeMap::new()).unwrap().software.unwrap().version
        };
        assert_eq!(version(None), "2.0");
        assert_eq!(version(Some(&template(r#"{"software": "2.1"}"#))), "2.1");
    }

    #[test]
    fn nothing_is_desired_where_an_expression_gives_no_value_of_its_parameter() {
        for (path, text, expected) in [
            ("Device.X_A", "labels.rack", "Device.X_A: the expression fails"),
            ("Device.Time.Enable", "serial + ' or so'", "Device.Time.Enable: it gives \"1 or so\""),
        ] {
            let body = format!(r#"{{"values": {{"{path}": {{"expression": "{text}"}}}}}}"#);
            let absent = desired(&[("all".to_owned(), template(&body))], None, &BTreeMap::new());
            let message = absent.unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
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
        let desired = desired(&templates, None, &BTreeMap::new()).unwrap();
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
        let subject = subject();
        let layers = Layers::of(named(&templates), None, &subject);
        assert_eq!(layers.pools(), BTreeSet::from(["pci"]));
        assert_eq!(
            layers.desired(&subject, &BTreeMap::new(), Model::standard()),
            Err(Absent::Draw("pci".to_owned()))
        );
        let desired =
            layers.desired(&subject, &BTreeMap::from([("pci".to_owned(), 17)]), Model::standard()).unwrap();
        assert_eq!(desired.objects[0].rows[0]["K"], "17");
    }

    #[test]
    fn admin_state_is_a_wish_of_its_own() {
        let path = radio::ADMIN_STATE;
        let templates = [("all".to_owned(), template(&format!(r#"{{"values": {{"{path}": true}}}}"#)))];
        let desired = desired(&templates, None, &BTreeMap::new()).unwrap();
        assert_eq!((desired.admin_state, desired.values.len()), (Some(true), 0));
    }
}
