//! The one filter language: which devices a list, a template, a script or a campaign means. (decision 14)
//!
//! ```text
//!  filter = and *("OR" and)                            site = "north" AND last_inform < now-1d
//!  and    = not *("AND" not)                           software = "2.1" AND NOT (tag = "lab" OR tag = "test")
//!  not    = ["NOT"] ( "(" filter ")" / term / word )   label.rack = "7" AND state = in_service
//!  term   = field ("=" / "!=" / "<" / "<=" / ">" / ">=" / ":") value
//! ```
//!
//! A value with blanks or signs in it stands in quotes, double or single ones. (AIP-160)
//! `:` asks for a beginning, and a word alone stands for `identity : word OR serial : word OR site : word`. Values
//! are typed by their field; texts are compared without regard to ASCII letter case, as both databases index them.
//! The empty filter means every device.
//! What a filter asks for is found by an index or refused ([`Filter::walks`]): nobody's question reads a million rows.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod field;
mod order;
mod parse;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use field::{Facts, Field, Flag, Moment, State, Text};
#[cfg(test)]
pub(crate) use order::SORTED;
pub(crate) use order::{Order, OrderError, Sorted};
pub(crate) use parse::FilterError;
pub(crate) use walk::Unindexed;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Filter {
    /// All of these; of nothing, true.
    All(Vec<Self>),
    /// At least one of these.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// One comparison.
    Term(Term),
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) test: Test,
    pub(crate) question: Question,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// `=`
    Is,
    /// `!=`
    IsNot,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `:`
    Begins,
}

/// What is compared with what; texts were folded to lower case when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Text(Text, String),
    Label(String, String),
    Flag(Flag, bool),
    State(State),
    Time(Moment, When),
}

/// A point in time, or one that moves with the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// This one.
    At(Timestamp),
    /// So many seconds from now; negative is past.
    FromNow(i64),
}

impl When {
    /// Milliseconds since 1970, for somebody who asks at `now`.
    pub(crate) fn at(self, now: Timestamp) -> i64 {
        match self {
            Self::At(at) => at.as_millisecond(),
            Self::FromNow(seconds) => now.as_millisecond().saturating_add(seconds.saturating_mul(1000)),
        }
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Filter {
    /// Reads a filter.
    pub(crate) fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// Whether it holds for a device. What is not known of it equals nothing.
    pub(crate) fn holds(&self, facts: &impl Facts, now: Timestamp) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(facts, now)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts, now)),
            Self::Not(part) => !part.holds(facts, now),
            Self::Term(term) => term.holds(facts, now),
        }
    }

    /// Every comparison in it.
    pub(crate) fn terms(&self) -> Vec<&Term> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::terms).collect(),
            Self::Not(part) => part.terms(),
            Self::Term(term) => vec![term],
        }
    }
}

impl Question {
    /// The field that it asks for.
    pub(crate) fn field(&self) -> Field {
        match self {
            Self::Text(field, _) => Field::Text(*field),
            Self::Label(name, _) => Field::Label(name.clone()),
            Self::Flag(field, _) => Field::Flag(*field),
            Self::State(_) => Field::State,
            Self::Time(field, _) => Field::Time(*field),
        }
    }
}

impl Term {
    /// Whether it holds for a device.
    pub(crate) fn holds(&self, facts: &impl Facts, now: Timestamp) -> bool {
        if self.test == Test::IsNot {
            return !Self { test: Test::Is, ..self.clone() }.holds(facts, now);
        }
        match &self.question {
            Question::Text(field, wanted) => {
                facts.texts(*field).iter().any(|text| self.test.admits(text, wanted))
            }
            Question::Label(name, wanted) => {
                facts.label(name).is_some_and(|text| self.test.admits(text, wanted))
            }
            Question::Flag(field, wanted) => facts.flag(*field) == Some(*wanted),
            Question::State(wanted) => facts.state(now) == Some(*wanted),
            Question::Time(field, when) => {
                facts.time(*field).is_some_and(|ms| self.test.orders(ms.cmp(&when.at(now))))
            }
        }
    }
}

impl Test {
    fn admits(self, text: &str, wanted: &str) -> bool {
        let text = text.to_ascii_lowercase();
        if self == Self::Begins { text.starts_with(wanted) } else { self.orders(text.as_str().cmp(wanted)) }
    }

    fn orders(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Is | Self::Begins => order.is_eq(),
            Self::IsNot => order.is_ne(),
            Self::Below => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Above => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }

    /// As it is written.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Begins => ":",
        }
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;

    fn try_from(text: String) -> Result<Self, FilterError> {
        Self::parse(&text)
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.to_string()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => write_joined(f, parts, " AND "),
            Self::Any(parts) => write_joined(f, parts, " OR "),
            Self::Not(part) => write!(f, "NOT {}", Inner(part)),
            Self::Term(term) => write!(f, "{term}"),
        }
    }
}

fn write_joined(f: &mut fmt::Formatter<'_>, parts: &[Filter], word: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        let between = if index == 0 { "" } else { word };
        write!(f, "{between}{}", Inner(part))?;
    }
    Ok(())
}

/// A part of a filter, in parentheses where it has parts itself.
struct Inner<'f>(&'f Filter);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Filter::All(_) | Filter::Any(_) => write!(f, "({})", self.0),
            Filter::Not(_) | Filter::Term(_) => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.question.field(), self.test.sign())?;
        match &self.question {
            Question::Text(_, text) | Question::Label(_, text) => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Question::Flag(_, flag) => write!(f, "{flag}"),
            Question::State(state) => f.write_str(state.name()),
            Question::Time(_, when) => write!(f, "{when}"),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "{at}"),
            Self::FromNow(0) => f.write_str("now"),
            Self::FromNow(seconds) => write!(f, "now{seconds:+}s"),
        }
    }
}
