//! What the data model says about one parameter or one object: a row of the table, parsed.
//!
//! [`Parameter::canonical`] is the one place where a text becomes a value: what it returns is what is stored and sent,
//! so that `1` and `true` are equal for everybody behind it. Its errors say what would be right.

use std::fmt;

use cwmp::ValueKind;

use crate::Path;

/// May the ACS write it (parameter), or add and delete rows (object)?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The device alone writes it.
    ReadOnly,
    /// The ACS may write it.
    ReadWrite,
}

/// The type of a value, or of an item where the value is a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Characters.
    String,
    /// 32 bits with a sign.
    Int,
    /// 32 bits without a sign.
    UnsignedInt,
    /// `true` or `false`; `1` and `0` on the wire are the same.
    Boolean,
    /// A point in time, relative or absolute. (TR-106 3.2.1)
    DateTime,
}

/// Whether a change by the device itself starts a session without anybody having asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notification {
    /// Not by default.
    Off,
    /// From the first start on. (TR-106, activeNotify)
    Active,
}

/// What is true of one path: an object or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// The path ends in a dot.
    Object(Object),
    /// The path carries a value.
    Parameter(Parameter),
}

/// An object, single or a table with rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The schema path; a table's ends in `{i}.`.
    pub path: Path,
    /// May the ACS add and delete rows?
    pub access: Access,
    /// Most rows that the table may have.
    pub most_rows: Option<u32>,
    /// The parameter beside the table that counts its rows. (M-02)
    pub count: Option<String>,
}

impl Object {
    /// True for an object that has rows.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.path.last() == "{i}"
    }
}

/// A parameter, with all that bounds its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The schema path.
    pub path: Path,
    /// May the ACS write it?
    pub access: Access,
    /// The type of the value or of the list's items.
    pub kind: Kind,
    /// The value is a list, its items separated by commas.
    pub is_list: bool,
    /// Fewest and most characters of a value or item.
    pub characters: (usize, Option<usize>),
    /// Most characters of a whole list.
    pub list_characters: Option<usize>,
    /// Inclusive ranges; a number must lie in one of them.
    pub ranges: Vec<(Option<i64>, Option<i64>)>,
    /// The words that are allowed; empty when all are.
    pub enumeration: Vec<String>,
    /// Belongs into every Inform. (C-04)
    pub is_forced_inform: bool,
    /// Whether the device tells of a change unasked. (C-18)
    pub notification: Notification,
    /// Reads as empty, always. (M-05)
    pub is_hidden: bool,
    /// Acts when written and reads false. (M-06)
    pub is_command: bool,
    /// What a new row starts with.
    pub default: Option<String>,
}

/// What is wrong with a value that somebody wants to set; reads as "… expected".
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
    /// A word that is not of the enumeration. (fault 9007)
    #[error("one of {0} is right")]
    Word(String),
    /// Too many or too few characters. (fault 9007)
    #[error("{least} to {most} characters are right")]
    Length {
        /// Fewest.
        least: usize,
        /// Most.
        most: usize,
    },
}

impl Parameter {
    /// The wire's name of the type: lists travel as strings.
    #[must_use]
    pub fn wire_kind(&self) -> ValueKind {
        if self.is_list { ValueKind::String } else { self.kind.wire() }
    }

    /// The one spelling of a value that the definition allows.
    ///
    /// # Errors
    /// Says what would be right.
    pub fn canonical(&self, text: &str) -> Result<String, ValueError> {
        if !self.is_list {
            return self.canonical_item(text);
        }
        if text.is_empty() {
            return Ok(String::new());
        }
        let items: Result<Vec<String>, ValueError> =
            text.split(',').map(|item| self.canonical_item(item.trim_matches(' '))).collect();
        let joined = items?.join(",");
        within(joined.chars().count(), 0, self.list_characters)?;
        Ok(joined)
    }

    fn canonical_item(&self, text: &str) -> Result<String, ValueError> {
        let item = self.kind.canonical(text)?;
        match self.kind {
            Kind::String => within(item.chars().count(), self.characters.0, self.characters.1)?,
            Kind::Int | Kind::UnsignedInt => self.check_range(&item)?,
            Kind::Boolean | Kind::DateTime => {}
        }
        if self.enumeration.is_empty() || self.enumeration.contains(&item) {
            Ok(item)
        } else {
            Err(ValueError::Word(self.enumeration.join(", ")))
        }
    }

    fn check_range(&self, item: &str) -> Result<(), ValueError> {
        let number: i64 = item.parse().map_err(|_| ValueError::Form("a whole number"))?;
        let inside = |(from, to): &(Option<i64>, Option<i64>)| {
            from.is_none_or(|from| from <= number) && to.is_none_or(|to| number <= to)
        };
        if self.ranges.is_empty() || self.ranges.iter().any(inside) {
            Ok(())
        } else {
            Err(ValueError::Range(self.ranges.iter().map(show_range).collect::<Vec<_>>().join(", ")))
        }
    }

    /// What a parameter holds before anybody wrote it: empty, false, the smallest number that is allowed.
    #[must_use]
    pub fn initial(&self) -> String {
        if let Some(default) = &self.default {
            return default.clone();
        }
        let nothing = match self.kind {
            _ if self.is_list => "",
            Kind::String => self.enumeration.first().map_or("", String::as_str),
            Kind::Int | Kind::UnsignedInt => "0",
            Kind::Boolean => "false",
            Kind::DateTime => "0001-01-01T00:00:00Z",
        };
        match self.ranges.first() {
            Some((Some(from), _)) if !self.is_list && self.canonical(nothing).is_err() => from.to_string(),
            _ => nothing.to_owned(),
        }
    }
}

impl Kind {
    /// The type's name on the wire.
    #[must_use]
    pub fn wire(self) -> ValueKind {
        match self {
            Self::String => ValueKind::String,
            Self::Int => ValueKind::Int,
            Self::UnsignedInt => ValueKind::UnsignedInt,
            Self::Boolean => ValueKind::Boolean,
            Self::DateTime => ValueKind::DateTime,
        }
    }

    fn canonical(self, text: &str) -> Result<String, ValueError> {
        match self {
            Self::String => Ok(text.to_owned()),
            Self::Int => number::<i32>(text, "a whole number of 32 bits"),
            Self::UnsignedInt => number::<u32>(text, "a whole number of 32 bits, zero or more"),
            Self::Boolean => match text.trim() {
                "true" | "1" => Ok("true".to_owned()),
                "false" | "0" => Ok("false".to_owned()),
                _ => Err(ValueError::Form("true or false")),
            },
            Self::DateTime => date_time(text.trim()),
        }
    }
}

fn number<N: std::str::FromStr + fmt::Display>(
    text: &str,
    right: &'static str,
) -> Result<String, ValueError> {
    text.trim().parse::<N>().map(|number| number.to_string()).map_err(|_| ValueError::Form(right))
}

fn date_time(text: &str) -> Result<String, ValueError> {
    // Relative times (year 0001) and the unknown time are no points in time, and right all the same.
    let is_relative = text.starts_with("0001-01-0");
    if is_relative || cwmp::DateTime(text.to_owned().into()).timestamp().is_some() {
        Ok(text.to_owned())
    } else {
        Err(ValueError::Form("a dateTime such as 2026-11-23T19:00:00Z"))
    }
}

fn within(count: usize, least: usize, most: Option<usize>) -> Result<(), ValueError> {
    let most = most.unwrap_or(VALUE_CHARACTERS);
    if (least..=most).contains(&count) { Ok(()) } else { Err(ValueError::Length { least, most }) }
}

/// Most characters of a value for which the model names no bound: no such value of the table needs a tenth of it.
const VALUE_CHARACTERS: usize = 32 * 1024;

fn show_range((from, to): &(Option<i64>, Option<i64>)) -> String {
    let show = |bound: &Option<i64>| bound.map_or_else(String::new, |number| number.to_string());
    format!("{}..{}", show(from), show(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    fn check(path: &str, text: &str, expected: Result<&str, &str>) {
        let found = Model::cell().parameter(&Path::parse(path).unwrap()).unwrap().canonical(text);
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{path} = {text}");
    }

    const LTE: &str = "Device.Services.FAPService.1.";

    #[test]
    fn m03_values_have_one_spelling_and_errors_say_what_is_right() {
        let admin = format!("{LTE}FAPControl.LTE.AdminState");
        check(&admin, "1", Ok("true"));
        check(&admin, " false ", Ok("false"));
        check(&admin, "TRUE", Err("true or false is right"));
        let tac = format!("{LTE}CellConfig.LTE.EPC.TAC");
        check(&tac, "+007", Ok("7"));
        check(&tac, "65536", Err("a number in 0..65535 is right"));
        check(&tac, "-1", Err("a whole number of 32 bits, zero or more is right"));
        let mode = format!("{LTE}FAPControl.LTE.Gateway.S1ConnectionMode");
        check(&mode, "All", Ok("All"));
        check(&mode, "all", Err("one of One, All is right"));
        let plmn = format!("{LTE}CellConfig.LTE.EPC.PLMNList.1.PLMNID");
        check(&plmn, "0010123", Err("0 to 6 characters are right"));
        let bandwidth = format!("{LTE}CellConfig.LTE.RAN.RF.DLBandwidth");
        check(&bandwidth, "25, 50", Ok("25,50"));
        check(&bandwidth, "", Ok(""));
        check(&bandwidth, "26", Err("a number in 6..6, 15..15, 25..25, 50..50, 75..75, 100..100 is right"));
        check("Device.FAP.GPS.LockedLatitude", "-90000001", Err("a number in -90000000..90000000 is right"));
        check(
            "Device.ManagementServer.PeriodicInformTime",
            "0001-01-01T00:00:00Z",
            Ok("0001-01-01T00:00:00Z"),
        );
        check(
            "Device.ManagementServer.PeriodicInformTime",
            "2026-11-23T19:00:00Z",
            Ok("2026-11-23T19:00:00Z"),
        );
        let right = "a dateTime such as 2026-11-23T19:00:00Z is right";
        check("Device.ManagementServer.PeriodicInformTime", "yesterday", Err(right));
    }

    #[test]
    fn what_a_parameter_starts_with_is_a_value_of_it() {
        for definition in Model::cell().definitions() {
            let Definition::Parameter(parameter) = definition else { continue };
            let initial = parameter.initial();
            // An identity has a fixed length and no neutral value: the device puts it there at once.
            if parameter.characters.0 == 0 {
                assert_eq!(parameter.canonical(&initial).as_ref(), Ok(&initial), "{}", parameter.path);
            }
        }
    }
}
