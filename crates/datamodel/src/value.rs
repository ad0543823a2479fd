//! When a text is a value: the one place where what a definition says is applied.
//!
//! [`Parameter::canonical`] gives the one spelling of a value: what it returns is what is stored and sent, so that `1`
//! and `true` are equal for everybody behind it. Its errors say what would be right.
//!
//! ```text
//!   text ─▶ list? split ─▶ kind: its one spelling ─▶ size ─▶ range ─▶ word or pattern ─▶ value
//! ```

use std::fmt;

use regex_lite::Regex;

use crate::{
    Kind, Parameter,
    definition::{Range, Type},
};

/// Most characters of a value for which the model names no bound: no such value of the standard needs a tenth of it.
const VALUE_CHARACTERS: u32 = 32 * 1024;

/// A time that never comes. (TR-106 3.2.1)
const INFINITE: &str = "9999-12-31T23:59:59Z";

/// What is wrong with a value that somebody wants to set; reads as "… is right".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The type on the wire is another one. (fault 9006)
    #[error("the type {expected} is right, not {found}")]
    Type {
        /// What the data model says.
        expected: &'static str,
        /// What the message said.
        found: &'static str,
    },
    /// The text is no value of this type. (fault 9007)
    #[error("{0} is right")]
    Form(&'static str),
    /// A number outside all ranges. (fault 9007)
    #[error("a number in {0} is right")]
    Range(String),
    /// A word that is not of the enumeration, or one that only the device says. (fault 9007)
    #[error("one of {0} is right")]
    Word(String),
    /// A text that no pattern matches. (fault 9007)
    #[error("a text of the form {0} is right")]
    Pattern(String),
    /// Too many or too few characters or octets. (fault 9007)
    #[error("{0} are right")]
    Length(String),
    /// Too many or too few items of a list. (fault 9007)
    #[error("{0} are right")]
    Items(String),
}

impl Parameter {
    /// The one spelling of a value that the definition allows.
    ///
    /// # Errors
    /// Says what would be right.
    pub fn canonical(&self, text: &str) -> Result<String, ValueError> {
        let item = &self.syntax.item;
        let Some(list) = &self.syntax.list else { return item.canonical(text) };
        if text.is_empty() {
            return Ok(String::new());
        }
        let items: Result<Vec<String>, ValueError> =
            text.split(',').map(|one| item.canonical(one.trim_matches(' '))).collect();
        let items = items?;
        // An empty list is not finished yet, and that is no fault of a write; one that has items has enough of them.
        within(items.len(), list.items, "items").map_err(ValueError::Items)?;
        let joined = items.join(",");
        within(joined.chars().count(), list.characters, "characters").map_err(ValueError::Length)?;
        Ok(joined)
    }

    /// The one spelling of a value that the ACS may write: some words are the device's alone.
    ///
    /// # Errors
    /// Says what would be right.
    pub fn written(&self, text: &str) -> Result<String, ValueError> {
        let value = self.canonical(text)?;
        let words = &self.syntax.item.words;
        let mut said = value.split(',').filter(|_| !words.is_empty());
        let is_devices = |item: &str| words.iter().any(|word| word.is_read_only && word.text == item);
        if said.any(is_devices) {
            Err(ValueError::Word(self.syntax.item.writable_words()))
        } else {
            Ok(value)
        }
    }

    /// What a parameter holds before anybody wrote it: empty, false, the smallest number that is allowed.
    #[must_use]
    pub fn initial(&self) -> String {
        let default = self.syntax.default.as_deref().and_then(|text| self.canonical(text).ok());
        if let Some(default) = default {
            return default;
        }
        if self.is_list() {
            return String::new();
        }
        let item = &self.syntax.item;
        let nothing = match self.kind() {
            Kind::String | Kind::Base64 | Kind::HexBinary => "",
            Kind::Boolean => "false",
            Kind::DateTime => "0001-01-01T00:00:00Z",
            Kind::Int | Kind::UnsignedInt | Kind::Long | Kind::UnsignedLong | Kind::Decimal => "0",
        };
        if self.canonical(nothing).is_ok() {
            return nothing.to_owned();
        }
        if let Some(word) = item.words.first() {
            return word.text.clone();
        }
        let smallest = item.ranges.first().and_then(|range| range.from.or(range.to));
        smallest.map_or_else(|| nothing.to_owned(), |number| number.to_string())
    }
}

impl Type {
    fn canonical(&self, text: &str) -> Result<String, ValueError> {
        let value = self.kind.canonical(text)?;
        self.check_size(&value)?;
        self.check_range(&value)?;
        if !self.words.is_empty() && self.words.iter().all(|word| word.text != value) {
            // A type may have patterns beside its words: either will do.
            return if self.matches(&value) { Ok(value) } else { Err(ValueError::Word(self.all_words())) };
        }
        if self.words.is_empty() && !self.patterns.is_empty() && !self.matches(&value) {
            return Err(ValueError::Pattern(self.patterns.join(" or ")));
        }
        Ok(value)
    }

    fn check_size(&self, value: &str) -> Result<(), ValueError> {
        let (count, unit) = match self.kind {
            Kind::String => (value.chars().count(), "characters"),
            Kind::HexBinary => (value.len() / 2, "octets"),
            Kind::Base64 => (base64_octets(value), "octets"),
            Kind::Int | Kind::UnsignedInt | Kind::Long | Kind::UnsignedLong => return Ok(()),
            Kind::Decimal | Kind::Boolean | Kind::DateTime => return Ok(()),
        };
        let any = [(0, None)];
        let sizes = if self.sizes.is_empty() { &any[..] } else { &self.sizes };
        let mut wrong = Vec::new();
        for size in sizes {
            match within(count, *size, unit) {
                Ok(()) => return Ok(()),
                Err(right) => wrong.push(right),
            }
        }
        Err(ValueError::Length(wrong.join(" or ")))
    }

    fn check_range(&self, value: &str) -> Result<(), ValueError> {
        if self.ranges.is_empty() {
            return Ok(());
        }
        let number: f64 = value.parse().map_err(|_| ValueError::Form("a number"))?;
        if self.ranges.iter().any(|range| range.holds(number)) {
            return Ok(());
        }
        Err(ValueError::Range(self.ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
    }

    /// No table and no import lets a pattern in that cannot be read.
    fn matches(&self, value: &str) -> bool {
        self.patterns.iter().any(|pattern| compiled(pattern).is_ok_and(|regex| regex.is_match(value)))
    }

    fn all_words(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn writable_words(&self) -> String {
        let writable = self.words.iter().filter(|word| !word.is_read_only);
        writable.map(|word| word.text.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The expression that must match the whole value.
pub(crate) fn compiled(pattern: &str) -> Result<Regex, regex_lite::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

impl Range {
    fn holds(&self, number: f64) -> bool {
        let is_inside = self.from.is_none_or(|from| from <= number) && self.to.is_none_or(|to| number <= to);
        let start = self.from.unwrap_or(0.0);
        is_inside && self.step.is_none_or(|step| ((number - start) / step).fract() == 0.0)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |bound: Option<f64>| bound.map_or_else(String::new, |number| number.to_string());
        if self.from == self.to {
            return f.write_str(&show(self.from));
        }
        write!(f, "{}..{}", show(self.from), show(self.to))?;
        self.step.map_or(Ok(()), |step| write!(f, " by {step}"))
    }
}

impl Kind {
    fn canonical(self, text: &str) -> Result<String, ValueError> {
        match self {
            Self::String => Ok(text.to_owned()),
            Self::Int => number::<i32>(text, "a whole number of 32 bits"),
            Self::UnsignedInt => number::<u32>(text, "a whole number of 32 bits, zero or more"),
            Self::Long => number::<i64>(text, "a whole number of 64 bits"),
            Self::UnsignedLong => number::<u64>(text, "a whole number of 64 bits, zero or more"),
            Self::Decimal => decimal(text.trim()),
            Self::Boolean => match text.trim() {
                "true" | "1" => Ok("true".to_owned()),
                "false" | "0" => Ok("false".to_owned()),
                _ => Err(ValueError::Form("true or false")),
            },
            Self::DateTime => date_time(text.trim()),
            Self::Base64 => base64(text),
            Self::HexBinary => hex(text.trim()),
        }
    }
}

fn number<N: std::str::FromStr + fmt::Display>(
    text: &str,
    right: &'static str,
) -> Result<String, ValueError> {
    text.trim().parse::<N>().map(|number| number.to_string()).map_err(|_| ValueError::Form(right))
}

fn decimal(text: &str) -> Result<String, ValueError> {
    let digits = text.trim_start_matches(['-', '+']);
    let is_one =
        digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.parse::<f64>().is_ok();
    if is_one { Ok(text.to_owned()) } else { Err(ValueError::Form("a number such as 12.5")) }
}

fn date_time(text: &str) -> Result<String, ValueError> {
    // Relative times (year 0001), the unknown and the infinite time are no points in time, and right all the same.
    let is_none = text.starts_with("0001-01-0") || text == INFINITE;
    if is_none || cwmp::DateTime(text.to_owned().into()).timestamp().is_some() {
        Ok(text.to_owned())
    } else {
        Err(ValueError::Form("a dateTime such as 2026-11-23T19:00:00Z"))
    }
}

/// White space goes, as XML Schema lets it stand anywhere.
fn base64(text: &str) -> Result<String, ValueError> {
    let value: String = text.split_ascii_whitespace().collect();
    let digits = value.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let is_whole = value.len().is_multiple_of(4) && value.len() - digits.len() <= 2;
    if is_whole && digits.bytes().all(is_digit) { Ok(value) } else { Err(ValueError::Form("base 64")) }
}

fn base64_octets(value: &str) -> usize {
    value.trim_end_matches('=').len() * 3 / 4
}

fn hex(text: &str) -> Result<String, ValueError> {
    let is_one = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_one {
        Ok(text.to_ascii_uppercase())
    } else {
        Err(ValueError::Form("an even number of hexadecimal digits"))
    }
}

fn within(count: usize, (least, most): (u32, Option<u32>), unit: &str) -> Result<(), String> {
    let most = most.unwrap_or(VALUE_CHARACTERS);
    let is_inside = u32::try_from(count).is_ok_and(|count| (least..=most).contains(&count));
    let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
    if is_inside { Ok(()) } else { Err(format!("{range} {unit}")) }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
