//! Which texts a quirk means: names with `*` in them, and versions of software.
//!
//! One rule: a peer's text costs time in proportion to its length, whatever the pattern is.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

/// A text in which `*` stands for any text; letter case does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Default for Pattern {
    /// Any text.
    fn default() -> Self {
        Self("*".to_owned())
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Whether a text is meant.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.to_ascii_lowercase(), text.to_ascii_lowercase());
        let mut parts = pattern.split('*');
        let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }

    /// A text that is meant, for who plays the product.
    #[must_use]
    pub fn example(&self) -> String {
        self.0.replace('*', "")
    }

    /// Whether every text is meant.
    #[must_use]
    pub fn is_any(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte == b'*')
    }
}

/// Why a text names no versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `..` alone.
    #[error("a range has a bound on one side at least, such as 1.2..2.0, 1.2.. or ..2.0")]
    Boundless,
    /// The bounds are the wrong way round.
    #[error("the range is empty: the first bound comes before the second")]
    Empty,
}

/// Which versions of software a quirk means.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Versions {
    /// All, a version that is not known among them.
    #[default]
    Any,
    /// Those of a pattern.
    Like(Pattern),
    /// From one, which is meant, to another, which is not; numbers in them count as numbers.
    Range {
        /// The first that is meant; all before the other where it is absent.
        from: Option<String>,
        /// The first that is not meant any more; none where it is absent.
        before: Option<String>,
    },
}

impl TryFrom<String> for Versions {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        let Some((from, before)) = text.split_once("..") else {
            let pattern = Pattern(text);
            return Ok(if pattern.is_any() { Self::Any } else { Self::Like(pattern) });
        };
        let bound = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        match (bound(from), bound(before)) {
            (None, None) => Err(PatternError::Boundless),
            (Some(from), Some(before)) if compare(&from, &before) != Ordering::Less => {
                Err(PatternError::Empty)
            }
            (from, before) => Ok(Self::Range { from, before }),
        }
    }
}

impl From<Versions> for String {
    fn from(versions: Versions) -> Self {
        versions.to_string()
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Like(pattern) => pattern.fmt(f),
            Self::Range { from, before } => {
                write!(
                    f,
                    "{}..{}",
                    from.as_deref().unwrap_or_default(),
                    before.as_deref().unwrap_or_default()
                )
            }
        }
    }
}

impl Versions {
    /// Whether a version is meant; one that is not known is meant only where all are.
    #[must_use]
    pub fn matches(&self, version: Option<&str>) -> bool {
        match (self, version) {
            (Self::Any, _) => true,
            (_, None) => false,
            (Self::Like(pattern), Some(version)) => pattern.matches(version),
            (Self::Range { from, before }, Some(version)) => {
                from.as_ref().is_none_or(|from| compare(from, version) != Ordering::Greater)
                    && before.as_ref().is_none_or(|before| compare(version, before) == Ordering::Less)
            }
        }
    }

    /// A version that is meant, for who plays the product; nothing where any will do.
    #[must_use]
    pub fn example(&self) -> Option<String> {
        match self {
            Self::Any => None,
            Self::Like(pattern) => Some(pattern.example()),
            Self::Range { from, .. } => Some(from.clone().unwrap_or_else(|| "0".to_owned())),
        }
    }
}

/// Orders versions: runs of digits as numbers, runs of letters as words, whatever separates them.
fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (parts(left), parts(right));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => {
                let order = part_order(one, other);
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

/// The runs of digits and the runs of letters.
fn parts(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        text = text.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let is_number = text.starts_with(|letter: char| letter.is_ascii_digit());
        let ends = |letter: char| {
            if is_number { !letter.is_ascii_digit() } else { !letter.is_ascii_alphabetic() }
        };
        let (part, rest) = text.split_at_checked(text.find(ends).unwrap_or(text.len()))?;
        text = rest;
        (!part.is_empty()).then_some(part)
    })
}

/// A word comes before a number: `1.0rc` is older than `1.0.1`.
fn part_order(one: &str, other: &str) -> Ordering {
    let digits = |part: &str| part.starts_with(|letter: char| letter.is_ascii_digit());
    let value = |part: &str| part.trim_start_matches('0').to_owned();
    match (digits(one), digits(other)) {
        (true, true) => {
            let (one, other) = (value(one), value(other));
            one.len().cmp(&other.len()).then(one.cmp(&other))
        }
        (false, false) => one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase()),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn versions(text: &str) -> Versions {
        Versions::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_star_is_any_text_and_letter_case_does_not_count() {
        for (pattern, text, right) in [
            ("*", "", true),
            ("Acme", "acme", true),
            ("Acme", "acme ltd", false),
            ("P-26*", "P-2601HN", true),
            ("*cell*", "A Cell of theirs", true),
            ("a*b*b", "ab", false),
            ("a*b*b", "axbxb", true),
            ("", "x", false),
        ] {
            assert_eq!(Pattern(pattern.to_owned()).matches(text), right, "{pattern} {text}");
        }
    }

    #[test]
    fn versions_are_ordered_as_people_count() {
        let order = ["0.9", "1.0-beta", "1.0.0", "1.0.1", "1.2", "1.10", "V2", "V2.00(AACB.3)", "V10"];
        let numbers = &order[..6];
        for pair in numbers.windows(2).chain(order[6..].windows(2)) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("1.02", "1-2"), Ordering::Equal);
        assert_eq!(compare("99999999999999999999999", "1"), Ordering::Greater);
    }

    #[test]
    fn a_range_means_its_first_bound_and_not_its_second() {
        let range = versions("1.2..2.0");
        for (version, right) in
            [("1.1.9", false), ("1.2", true), ("1.9", true), ("2.0", false), ("10", false)]
        {
            assert_eq!(range.matches(Some(version)), right, "{version}");
        }
        assert!(versions("..2").matches(Some("1")) && versions("1..").matches(Some("7")));
        assert!(versions("*").matches(None) && !versions("1*").matches(None));
        for (text, error) in [("..", PatternError::Boundless), ("2.0..1.2", PatternError::Empty)] {
            assert_eq!(Versions::try_from(text.to_owned()), Err(error));
        }
    }

    proptest! {
        #[test]
        fn whoever_plays_a_product_is_taken_for_it(text in "[a-zA-Z0-9*. -]{1,20}", from in "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}") {
            let pattern = Pattern(text);
            prop_assert!(pattern.matches(&pattern.example()));
            for range in [format!("{from}.."), format!("{from}..9999"), format!("..1{from}")] {
                let range = versions(&range);
                prop_assert!(range.matches(range.example().as_deref()));
                prop_assert_eq!(versions(&range.to_string()), range);
            }
        }

        #[test]
        fn no_version_a_peer_sends_breaks_the_order(one: String, other: String) {
            prop_assert_eq!(compare(&one, &other), compare(&other, &one).reverse());
        }
    }
}
