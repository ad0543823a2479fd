//! The path of a parameter or an object, parsed once. (TR-106 3.2)
//!
//! A path that ends in a dot names an object and everything below it; the empty path is the root above all of
//! them. Instance numbers are compared as numbers, so row 10 stands behind row 2, and all that lies below an object
//! is contiguous in a sorted map. A schema path carries `{i}` where a concrete one carries instance numbers.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Longest path that a message may carry. (TR-069 A.3.2)
pub const PATH_CHARACTERS: usize = 256;

/// Why a text is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Longer than any path of the data model can be.
    #[error("the path is longer than {PATH_CHARACTERS} characters")]
    TooLong,
    /// Two dots in a row, or a dot in front.
    #[error("the path has an empty name between its dots")]
    EmptySegment,
    /// A character that no name has.
    #[error("the path has a character that names do not have: letters, digits, '-', '_' and '.' are right")]
    Character,
    /// An instance number with a leading zero, zero itself, or too large.
    #[error("an instance number counts from 1 and has no leading zero")]
    InstanceNumber,
}

/// A full parameter path, or a partial path that ends in a dot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Path(Arc<str>);

impl Path {
    /// Reads a path; the empty text is the root.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > PATH_CHARACTERS {
            return Err(PathError::TooLong);
        }
        if !text.is_empty() {
            text.strip_suffix('.').unwrap_or(text).split('.').try_for_each(check_segment)?;
        }
        Ok(Self(text.into()))
    }

    /// Above everything.
    #[must_use]
    pub fn root() -> Self {
        Self("".into())
    }

    /// The text as a message carries it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for an object path, and for the root.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.0.is_empty() || self.0.ends_with('.')
    }

    /// True when `{i}` stands somewhere: the path of a definition, not of a value.
    #[must_use]
    pub fn is_schema(&self) -> bool {
        self.segments().any(|segment| segment == "{i}")
    }

    /// The names and instance numbers between the dots.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('.').filter(|segment| !segment.is_empty())
    }

    /// The last name or instance number; empty for the root.
    #[must_use]
    pub fn last(&self) -> &str {
        self.segments().last().unwrap_or_default()
    }

    /// The row number when this is the path of a row of a table.
    #[must_use]
    pub fn instance(&self) -> Option<u32> {
        if self.is_partial() { self.last().parse().ok() } else { None }
    }

    /// All instance numbers, outermost first.
    #[must_use]
    pub fn instances(&self) -> Vec<u32> {
        self.segments().filter_map(|segment| segment.parse().ok()).collect()
    }

    /// The object that this parameter or object stands in; the root for a top object.
    #[must_use]
    pub fn parent(&self) -> Self {
        let text = self.0.strip_suffix('.').unwrap_or(&self.0);
        let end = text.rfind('.').map_or(0, |dot| dot + 1);
        Self(text.get(..end).unwrap_or_default().into())
    }

    /// The objects that this stands in, nearest first; tables are there by their rows alone.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + use<> {
        let above = |path: &Self| {
            let is_row = path.last() == "{i}" || path.instance().is_some();
            let parent = if is_row { path.parent().parent() } else { path.parent() };
            Some(parent).filter(|parent| !parent.0.is_empty())
        };
        std::iter::successors(above(self), above)
    }

    /// This object's row with that number.
    #[must_use]
    pub fn row(&self, number: u32) -> Self {
        Self(format!("{}{number}.", self.0).into())
    }

    /// The same path with `{i}` for every instance number.
    #[must_use]
    pub fn schema(&self) -> Self {
        if !self.segments().any(is_number) {
            return self.clone();
        }
        let names: Vec<&str> =
            self.segments().map(|segment| if is_number(segment) { "{i}" } else { segment }).collect();
        let dot = if self.is_partial() { "." } else { "" };
        Self(format!("{}{dot}", names.join(".")).into())
    }

    /// True when `other` is this path, or lies below this object.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        if self.is_partial() { other.0.starts_with(&*self.0) } else { self == other }
    }
}

fn is_number(segment: &str) -> bool {
    segment.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_segment(segment: &str) -> Result<(), PathError> {
    if segment.is_empty() {
        return Err(PathError::EmptySegment);
    }
    if segment == "{i}" {
        return Ok(());
    }
    if is_number(segment) {
        let is_instance = !segment.starts_with('0') && segment.parse::<u32>().is_ok();
        return if is_instance { Ok(()) } else { Err(PathError::InstanceNumber) };
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if segment.bytes().all(allowed) { Ok(()) } else { Err(PathError::Character) }
}

/// Where two names differ: numbers count as numbers.
fn compare_names(left: &[u8], right: &[u8]) -> Ordering {
    let is_number = |name: &[u8]| name.iter().all(u8::is_ascii_digit);
    // No instance number has a leading zero, so the longer one is the greater one.
    let by_length =
        if is_number(left) && is_number(right) { left.len().cmp(&right.len()) } else { Ordering::Equal };
    by_length.then_with(|| left.cmp(right))
}

/// The name that begins there.
fn name_at(path: &[u8], start: usize) -> &[u8] {
    path.get(start..).and_then(|rest| rest.split(|byte| *byte == b'.').next()).unwrap_or_default()
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.0.as_bytes(), other.0.as_bytes());
        let Some(at) = left.iter().zip(right).position(|(left, right)| left != right) else {
            return left.len().cmp(&right.len());
        };
        let same = left.get(..at).unwrap_or_default();
        let start = same.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
        compare_names(name_at(left, start), name_at(right, start))
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn what_no_path_looks_like_is_refused() {
        let check = |text: &str, expected| assert_eq!(Path::parse(text), Err(expected), "{text}");
        check("Device..URL", PathError::EmptySegment);
        check(".", PathError::EmptySegment);
        check(".Device", PathError::EmptySegment);
        check("Device.Ti me", PathError::Character);
        check("Device.[alias].", PathError::Character);
        check("Device.Services.FAPService.01.", PathError::InstanceNumber);
        check("Device.Services.FAPService.0.", PathError::InstanceNumber);
        check("Device.Services.FAPService.4294967296.", PathError::InstanceNumber);
        check(&"D".repeat(257), PathError::TooLong);
    }

    #[test]
    fn h27_a_path_of_256_characters_is_right() {
        assert!(Path::parse(&"D".repeat(256)).is_ok());
    }

    #[test]
    fn rows_are_ordered_by_number_and_what_lies_below_is_contiguous() {
        let mut paths: Vec<Path> =
            ["A.10.X", "A.2.X", "A.", "", "A.2.", "AB.X", "A.Z"].iter().map(|text| path(text)).collect();
        paths.sort();
        let texts: Vec<&str> = paths.iter().map(Path::as_str).collect();
        assert_eq!(texts, ["", "A.", "A.2.", "A.2.X", "A.10.X", "A.Z", "AB.X"]);
    }

    #[test]
    fn parent_row_and_schema_belong_together() {
        let plmn = path("Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.3.PLMNID");
        assert_eq!(plmn.parent().instance(), Some(3));
        assert_eq!(plmn.parent().parent().row(3), plmn.parent());
        assert_eq!(
            plmn.schema().as_str(),
            "Device.Services.FAPService.{i}.CellConfig.LTE.EPC.PLMNList.{i}.PLMNID"
        );
        assert!(plmn.schema().is_schema() && !plmn.is_schema());
        assert_eq!(plmn.instances(), [1, 3]);
        assert!(plmn.parent().contains(&plmn) && path("").contains(&plmn) && !plmn.contains(&plmn.parent()));
        assert_eq!(path("Device.").parent(), path(""));
    }
}
