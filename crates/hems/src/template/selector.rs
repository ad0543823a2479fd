//! Which devices a template is for: `field = "value" AND …`; empty is all of them.
//!
//! The grammar is the smallest part of the one filter language (decision 14): equality and AND. Values are
//! compared without regard to letter case, as identities and OUIs are.

use std::fmt;

use profile::Identity;
use serde::{Deserialize, Serialize};

use crate::store::Binding;

/// Characters of a selector: more fields than there are do not help anybody.
const CHARS_MAX: usize = 1024;

/// What a selector may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Identity,
    Realm,
    Oui,
    ProductClass,
    Serial,
}

/// Field names as they are written.
const FIELDS: [(&str, Field); 5] = [
    ("identity", Field::Identity),
    ("realm", Field::Realm),
    ("oui", Field::Oui),
    ("product_class", Field::ProductClass),
    ("serial", Field::Serial),
];

/// A parsed selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Selector {
    terms: Vec<(Field, String)>,
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectorError {
    /// No such field.
    #[error("the selector has no field `{0}`; it has identity, realm, oui, product_class and serial")]
    Field(String),
    /// Something else where the grammar has a token.
    #[error("the selector needs {0} at `{1}`; an example: realm = \"hnb.example\" AND oui = \"00005E\"")]
    Needs(&'static str, String),
    /// Too long to be meant.
    #[error("the selector is longer than {CHARS_MAX} characters")]
    TooLong,
}

/// What a selector is asked about.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) identity: Identity,
    pub(crate) binding: Binding,
}

impl Selector {
    /// Whether it selects this device.
    pub(crate) fn selects(&self, subject: &Subject) -> bool {
        self.terms.iter().all(|(field, value)| field.of(subject).eq_ignore_ascii_case(value))
    }

    fn parse(text: &str) -> Result<Self, SelectorError> {
        if text.len() > CHARS_MAX {
            return Err(SelectorError::TooLong);
        }
        let mut terms = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (term, after) = parse_term(rest)?;
            terms.push(term);
            rest = match after.split_at_checked(3) {
                Some((and, more)) if and.eq_ignore_ascii_case("and") && !more.trim().is_empty() => {
                    more.trim_start()
                }
                _ if after.is_empty() => after,
                _ => return Err(SelectorError::Needs("AND and another term", shown(after))),
            };
        }
        Ok(Self { terms })
    }
}

fn parse_term(text: &str) -> Result<((Field, String), &str), SelectorError> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let field = FIELDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, field)| *field);
    let field = field.ok_or_else(|| SelectorError::Field(shown(word)))?;
    let rest = expect(rest, '=', "`=`")?;
    let rest = expect(rest, '"', "a value in double quotes")?;
    let (value, rest) =
        rest.split_once('"').ok_or_else(|| SelectorError::Needs("a closing quote", shown(rest)))?;
    Ok(((field, value.to_owned()), rest.trim_start()))
}

fn expect<'t>(text: &'t str, token: char, name: &'static str) -> Result<&'t str, SelectorError> {
    let trimmed = text.trim_start();
    trimmed.strip_prefix(token).ok_or_else(|| SelectorError::Needs(name, shown(trimmed)))
}

fn shown(text: &str) -> String {
    text.chars().take(24).collect()
}

impl Field {
    fn of(self, subject: &Subject) -> &str {
        match self {
            Self::Identity => subject.identity.as_str(),
            Self::Realm => subject.identity.realm(),
            Self::Oui => &subject.binding.oui,
            Self::ProductClass => &subject.binding.product_class,
            Self::Serial => &subject.binding.serial,
        }
    }

    fn name(self) -> &'static str {
        FIELDS.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }
}

impl TryFrom<String> for Selector {
    type Error = SelectorError;

    fn try_from(text: String) -> Result<Self, SelectorError> {
        Self::parse(&text)
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (field, value)) in self.terms.iter().enumerate() {
            let and = if index == 0 { "" } else { " AND " };
            write!(f, "{and}{} = \"{value}\"", field.name())?;
        }
        Ok(())
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
        Subject { identity: Identity::parse("00005e005301.hnb.example").unwrap(), binding }
    }

    fn selects(text: &str) -> bool {
        Selector::parse(text).unwrap().selects(&subject())
    }

    #[test]
    fn a_selector_selects_by_equality_and_and() {
        assert!(selects(""));
        assert!(selects("realm = \"HNB.example\""));
        assert!(selects("realm=\"hnb.example\" AND oui = \"00005e\" and serial=\"S1\""));
        assert!(!selects("realm = \"hnb.example\" AND serial = \"S2\""));
    }

    #[test]
    fn a_selector_that_is_none_says_why() {
        for (text, expected) in [
            ("colour = \"red\"", "no field `colour`"),
            ("realm \"x\"", "needs `=`"),
            ("realm = x", "value in double quotes"),
            ("realm = \"x", "closing quote"),
            ("realm = \"x\" oui = \"y\"", "AND and another term"),
            ("realm = \"x\" AND", "AND and another term"),
        ] {
            let message = Selector::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn a_selector_is_written_as_it_is_read() {
        let selector = Selector::parse("serial=\"a\"   and oui=\"b\"").unwrap();
        assert_eq!(selector.to_string(), "serial = \"a\" AND oui = \"b\"");
        assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
    }
}
