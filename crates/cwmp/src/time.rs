//! Times on the wire, kept as the device said them.
//!
//! One rule: the text is never rewritten. Unknown Time is `0001-01-01T00:00:00Z`, infinite time
//! `9999-12-31T23:59:59Z`, and a time in year 1 without zone counts from the boot. (TR-106, K-07, K-08)

use std::{fmt, time::Duration};

use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};

use crate::Text;

/// An XML Schema `dateTime`, lossless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DateTime(pub Text);

impl DateTime {
    /// The time that is not known. (TR-106)
    pub const UNKNOWN: Self = Self(Text::from_static("0001-01-01T00:00:00Z"));
    /// The time that never comes. (TR-106)
    pub const INFINITE: Self = Self(Text::from_static("9999-12-31T23:59:59Z"));

    /// Time since boot, for a CPE that does not know the absolute time. (TR-106, K-07)
    #[must_use]
    pub fn relative(since_boot: Duration) -> Self {
        let first = civil::date(1, 1, 1).at(0, 0, 0, 0);
        let whole = Duration::from_secs(since_boot.as_secs());
        let at = first.checked_add(whole).unwrap_or(civil::DateTime::MAX);
        Self(at.strftime("%Y-%m-%dT%H:%M:%S").to_string().into())
    }

    /// The point in time; nothing for unknown, relative or malformed times. A time without zone is UTC.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        let known = !self.0.starts_with("000");
        known.then(|| parse(&self.0)).flatten()
    }

    /// How long the CPE has been up, if this is a relative time. (TR-106, K-07)
    #[must_use]
    pub fn since_boot(&self) -> Option<Duration> {
        let at: civil::DateTime = self.0.parse().ok().filter(|_| !self.0.ends_with('Z'))?;
        let first = civil::date(1, 1, 1).at(0, 0, 0, 0);
        let is_relative = at.year() < 1000;
        is_relative.then(|| at.duration_since(first).unsigned_abs())
    }

    /// Whether XML Schema knows this form. (XML Schema 3.2.7)
    pub(crate) fn is_well_formed(&self) -> bool {
        let unsigned = self.0.strip_prefix('-').unwrap_or(&self.0);
        let Some((year, rest)) = unsigned.split_once('-') else { return false };
        let Some((date_and_time, rest)) = rest.split_at_checked(SHAPE.len()) else { return false };
        let has_shape = date_and_time.bytes().zip(SHAPE.bytes()).all(is_like);
        has_shape && is_date(year, date_and_time) && is_time(date_and_time) && is_end(rest)
    }
}

/// What stands behind the year.
const SHAPE: &str = "00-00T00:00:00";

/// A year of four digits, or of more that begin with another than 0; and a day that it has.
fn is_date(year: &str, rest: &str) -> bool {
    let is_year = year.len() >= 4
        && year.bytes().all(|byte| byte.is_ascii_digit())
        && year.bytes().any(|byte| byte != b'0')
        && (year.len() == 4 || !year.starts_with('0'));
    let last_four = year.len().checked_sub(4).and_then(|at| year.get(at..)?.parse::<i16>().ok());
    let part = |range: std::ops::Range<usize>| rest.get(range)?.parse::<i8>().ok();
    // The calendar repeats itself every 400 years.
    let day = || civil::Date::new(2000 + last_four? % 400, part(0..2)?, part(3..5)?).ok();
    is_year && day().is_some()
}

/// XML Schema has no leap second, but a 24:00:00.
fn is_time(rest: &str) -> bool {
    let time = rest.get(6..).unwrap_or_default();
    time == "24:00:00" || (time < "24" && time.get(3..) < Some("60") && time.get(6..) < Some("60"))
}

/// Whether a byte is a digit where the pattern has one, or the pattern's own.
fn is_like((byte, pattern): (u8, u8)) -> bool {
    if pattern == b'0' { byte.is_ascii_digit() } else { byte == pattern }
}

/// A fraction, if there is one, and a zone, if there is one.
fn is_end(text: &str) -> bool {
    let zone = match text.strip_prefix('.') {
        None => text,
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
    };
    let is_near = || zone.get(1..).is_some_and(|zone| zone <= "14:00" && zone.get(3..) < Some("60"));
    let has_offset = || zone.len() == 6 && zone.bytes().zip(*b"+00:00").skip(1).all(is_like) && is_near();
    zone.is_empty() || zone == "Z" || (zone.starts_with(['+', '-']) && has_offset())
}

fn parse(text: &str) -> Option<Timestamp> {
    let with_zone = text.parse::<Timestamp>().ok();
    with_zone.or_else(|| {
        let at: civil::DateTime = text.parse().ok()?;
        jiff::tz::Offset::UTC.to_timestamp(at).ok()
    })
}

impl From<Timestamp> for DateTime {
    fn from(at: Timestamp) -> Self {
        Self(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k08_unknown_time_is_no_point_in_time() {
        assert_eq!(DateTime::UNKNOWN.timestamp(), None);
        assert!(DateTime::UNKNOWN.is_well_formed());
        assert!(DateTime::INFINITE.is_well_formed());
    }

    #[test]
    fn k07_a_relative_time_counts_from_the_boot() {
        let up = Duration::from_secs(90_061);
        let said = DateTime::relative(up);
        assert_eq!(said.0, "0001-01-02T01:01:01");
        assert_eq!(said.since_boot(), Some(up));
        assert_eq!(said.timestamp(), None);
    }

    #[test]
    fn a_time_without_zone_is_utc() {
        let bare = DateTime("2026-11-23T10:00:00".into());
        let zulu = DateTime("2026-11-23T10:00:00Z".into());
        let zoned = DateTime("2026-11-23T11:00:00+01:00".into());
        assert_eq!(bare.timestamp(), zulu.timestamp());
        assert_eq!(zoned.timestamp(), zulu.timestamp());
        assert!(!DateTime("0000-00-00T00:00:00".into()).is_well_formed());
    }
}
