//! Which devices a template is for: a filter over what a device is, not over how it is doing. (decision 14)
//!
//! What a template sets must not change whom it is for, and neither must the time of day: a device would swing
//! between two configurations. So a selector asks only for fields that the table of fields marks so.

use jiff::Timestamp;
use profile::Identity;
use serde::{Deserialize, Serialize};

use crate::{
    filter::{Facts, Field, Filter, FilterError, Flag, Moment, State, Text},
    inventory::Place,
    store::{Binding, DeviceRow},
};

/// A filter that may choose devices for a template; empty is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Selector(Filter);

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectorError {
    #[error("the selector: {0}")]
    Filter(#[from] FilterError),
    #[error(
        "the selector asks for `{term}`, which changes while a device is managed; it may ask for {}",
        Field::names(Field::selects)
    )]
    Unsteady { term: String },
}

/// What a selector is asked about.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) identity: Identity,
    pub(crate) binding: Binding,
    pub(crate) place: Place,
    /// Whether it ever served: one that did not follows changes at once.
    pub(crate) has_served: bool,
}

impl Selector {
    /// Whether it selects this device.
    pub(crate) fn selects(&self, subject: &Subject) -> bool {
        self.0.holds(subject, Timestamp::UNIX_EPOCH)
    }
}

impl Selector {
    /// Whether it selects every device.
    pub(crate) fn selects_all(&self) -> bool {
        self.0 == Filter::default()
    }

    /// As a filter.
    pub(crate) fn filter(&self) -> &Filter {
        &self.0
    }
}

impl Subject {
    /// An admitted device; nothing for one whose DeviceId is not settled.
    pub(crate) fn of(row: &DeviceRow, place: Place) -> Option<Self> {
        let identity = Identity::parse(&row.identity).ok()?;
        Some(Self { identity, binding: row.binding()?, place, has_served: row.in_service_at.is_some() })
    }
}

impl Facts for Subject {
    fn texts(&self, field: Text) -> Vec<&str> {
        match field {
            Text::Identity => vec![self.identity.as_str()],
            Text::Realm => vec![self.identity.realm()],
            Text::Oui => vec![&self.binding.oui],
            Text::ProductClass => vec![&self.binding.product_class],
            Text::Serial => vec![&self.binding.serial],
            Text::Site => self.place.site.as_deref().into_iter().collect(),
            Text::Tag => self.place.tags.iter().map(String::as_str).collect(),
            Text::Software | Text::Plmn | Text::Tac | Text::Pci | Text::TlsVersion | Text::Suite => {
                Vec::new()
            }
        }
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.place.labels.get(name).map(String::as_str)
    }

    fn flag(&self, _: Flag) -> Option<bool> {
        None
    }

    fn time(&self, _: Moment) -> Option<i64> {
        None
    }

    fn state(&self, _: Timestamp) -> Option<State> {
        None
    }
}

impl TryFrom<String> for Selector {
    type Error = SelectorError;

    fn try_from(text: String) -> Result<Self, SelectorError> {
        let filter = Filter::parse(&text)?;
        match filter.terms().into_iter().find(|term| !term.question.field().selects()) {
            Some(term) => Err(SelectorError::Unsteady { term: term.to_string() }),
            None => Ok(Self(filter)),
        }
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        let binding = Binding {
            oui: "00005E".to_owned(),
            product_class: "SimulatedCell".to_owned(),
            serial: "S1".to_owned(),
        };
        let place =
            serde_json::from_str(r#"{"site": "North", "tags": ["lab"], "labels": {"rack": "7"}}"#).unwrap();
        let identity = Identity::parse("00005e005301.hnb.example").unwrap();
        Subject { identity, binding, place, has_served: false }
    }

    fn selector(text: &str) -> Result<Selector, String> {
        Selector::try_from(text.to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_selector_selects_by_what_a_device_is() {
        for (text, expected) in [
            ("", true),
            ("realm = \"HNB.example\"", true),
            ("realm=\"hnb.example\" AND oui = \"00005e\" and serial=\"S1\"", true),
            ("serial : s OR oui = x", true),
            ("site = north AND tag = lab AND label.rack = 7", true),
            ("tag = field", false),
            ("realm = \"hnb.example\" AND NOT serial = \"S1\"", false),
        ] {
            assert_eq!(selector(text).unwrap().selects(&subject()), expected, "{text}");
        }
    }

    #[test]
    fn a_selector_asks_for_nothing_that_moves() {
        for text in ["in_service = true", "last_inform < now-1d", "oui = x AND NOT pci = 5", "software = 2"] {
            let message = selector(text).unwrap_err();
            assert!(
                message.contains("changes while a device is managed; it may ask for identity"),
                "{message}"
            );
        }
        assert!(selector("colour = red").unwrap_err().contains("the selector: a filter has no field"));
    }
}
