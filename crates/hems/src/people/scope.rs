//! Of which devices somebody's role is: those with one tag, or those of one tenant, which is the label `tenant`.
//!
//! A scope is a filter of one comparison that has an index, so that a scoped list costs no more than another.
//! Texts are compared as filters do, without regard to ASCII letter case.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    filter::{Filter, Question, Term, Test, Text},
    template::is_name,
};

/// The label that names a device's tenant.
const TENANT: &str = "tenant";
/// Characters of a label's value, as devices have them.
const VALUE_MAX: usize = 128;

/// Which devices: `tag=NAME` or `tenant=NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Scope {
    Tag(String),
    Tenant(String),
}

/// Why a text is no scope.
#[derive(Debug, thiserror::Error)]
#[error(
    "a scope is `tag=NAME` or `tenant=NAME`, such as `tag=north`; a tag's name has 1 to 64 of a-z, 0-9, - and _"
)]
pub(crate) struct NoScope;

impl Scope {
    /// The devices as a filter.
    pub(crate) fn filter(&self) -> Filter {
        let question = match self {
            Self::Tag(name) => Question::Text(Text::Tag, name.to_ascii_lowercase()),
            Self::Tenant(name) => Question::Label(TENANT.to_owned(), name.to_ascii_lowercase()),
        };
        Filter::Term(Term { test: Test::Is, question })
    }
}

impl TryFrom<String> for Scope {
    type Error = NoScope;

    fn try_from(text: String) -> Result<Self, NoScope> {
        let is_value =
            |value: &str| value.chars().count() <= VALUE_MAX && !value.chars().any(char::is_control);
        match text.split_once('=') {
            // A device's tags have no capitals, and letter case does not count.
            Some(("tag", name)) if is_name(&name.to_ascii_lowercase()) => {
                Ok(Self::Tag(name.to_ascii_lowercase()))
            }
            Some((TENANT, name)) if !name.is_empty() && is_value(name) => Ok(Self::Tenant(name.to_owned())),
            _ => Err(NoScope),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(name) => write!(f, "tag={name}"),
            Self::Tenant(name) => write!(f, "{TENANT}={name}"),
        }
    }
}
