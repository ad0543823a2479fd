//! What somebody expects to find where he writes; asked inside the transaction that writes, so that nothing is lost
//! between the two. (RFC 9110 13.1)
//!
//! ```text
//!  ETag: "what is edited.what is shown"      7.5c0f…  a template in version 7, with everything else that its page says
//!           │                 └ If-None-Match of a read: is it what I have?
//!           └ If-Match, If-None-Match of a write: did anybody edit it? A counter that moved is no edit.
//! ```

use std::hash::{DefaultHasher, Hash, Hasher};

use super::StoreError;

/// Tells one state of what is edited from any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag(String);

/// Something that people edit.
pub(crate) trait Edited {
    /// The tag of its state.
    fn tag(&self) -> Tag;
}

/// Tags that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// `*`: whatever is there.
    Any,
    These(Vec<Tag>),
}

/// What has to be there, and what must not be; by default anything may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    if_match: Option<Named>,
    if_none_match: Option<Named>,
}

/// Something else is there than was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    present: Option<Tag>,
    /// Whether there should be none.
    is_one_too_many: bool,
}

impl Tag {
    /// Of the fields that are edited.
    pub(crate) fn of(fields: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        fields.hash(&mut hasher);
        Self(format!("{:016x}", hasher.finish()))
    }

    /// A version that is counted already.
    pub(crate) fn version(number: i64) -> Self {
        Self(number.to_string())
    }

    /// The entity tag of what is shown of it.
    pub(crate) fn shown(&self, shown: &[u8]) -> String {
        format!("\"{self}.{}\"", Self::of(shown))
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for Stale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.present {
            Some(tag) if self.is_one_too_many => {
                write!(
                    f,
                    "it exists already, with the tag \"{tag}\", and `If-None-Match` asks that it does not"
                )
            }
            Some(tag) => write!(
                f,
                "somebody changed it since you read it: what is there now has the tag \"{tag}\"; read it again"
            ),
            None => f.write_str("there is none that could be changed"),
        }
    }
}

impl Stale {
    /// What a further `If-Match` would name.
    pub(crate) fn tag(&self) -> Option<String> {
        self.present.as_ref().map(|tag| format!("\"{tag}\""))
    }
}

impl Named {
    /// Of a header's text. A weak tag is never what is edited.
    fn read(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        let tags = text.split(',').filter_map(|tag| {
            let tag = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
            Some(Tag(tag.split('.').next().unwrap_or(tag).to_owned()))
        });
        Self::These(tags.collect())
    }

    fn names(&self, present: &Tag) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.contains(present),
        }
    }
}

impl Condition {
    /// Of the headers `If-Match` and `If-None-Match`.
    pub(crate) fn new(if_match: Option<&str>, if_none_match: Option<&str>) -> Self {
        Self { if_match: if_match.map(Named::read), if_none_match: if_none_match.map(Named::read) }
    }

    /// That what is there is still this.
    pub(crate) fn unchanged(present: &impl Edited) -> Self {
        Self { if_match: Some(Named::These(vec![present.tag()])), if_none_match: None }
    }

    /// Whether there has to be one already, which its writer has read.
    pub(crate) fn expects_one(&self) -> bool {
        self.if_match.is_some()
    }

    /// Asks whether what is there is what was expected.
    pub(crate) fn check(&self, present: Option<&impl Edited>) -> Result<(), StoreError> {
        let present = present.map(Edited::tag);
        let is_there = |named: &Named| present.as_ref().is_some_and(|tag| named.names(tag));
        let is_expected = self.if_match.as_ref().is_none_or(is_there);
        let is_one_too_many = self.if_none_match.as_ref().is_some_and(is_there);
        if is_expected && !is_one_too_many {
            return Ok(());
        }
        Err(StoreError::Stale(Stale { present, is_one_too_many }))
    }

    /// Whether it asks for anything; else what is there need not be read.
    pub(crate) fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

impl Edited for Tag {
    fn tag(&self) -> Tag {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(condition: &Condition, present: Option<i64>) -> bool {
        condition.check(present.map(Tag::version).as_ref()).is_ok()
    }

    #[test]
    fn a_condition_holds_for_what_it_names() {
        for (if_match, if_none_match, holds) in [
            (None, None, [true, true, true]),
            (Some("\"1\""), None, [false, true, false]),
            (Some("\"1.0123456789abcdef\""), None, [false, true, false]),
            (Some("\"9\", \"2\""), None, [false, false, true]),
            (Some("*"), None, [false, true, true]),
            (Some("W/\"1\""), None, [false, false, false]),
            (Some("1"), None, [false, false, false]),
            (None, Some("*"), [true, false, false]),
            (None, Some("\"2\""), [true, true, false]),
        ] {
            let condition = Condition::new(if_match, if_none_match);
            let held = [None, Some(1), Some(2)].map(|present| passes(&condition, present));
            assert_eq!(held, holds, "{if_match:?} {if_none_match:?}");
            assert_eq!(condition.is_any(), if_match.or(if_none_match).is_none());
        }
    }

    #[test]
    fn what_is_there_is_named() {
        let stale = Condition::new(Some("\"1\""), None).check(Some(&Tag::version(7))).unwrap_err();
        assert!(
            stale.to_string().contains("changed it since you read it: what is there now has the tag \"7\"")
        );
        let stale = Condition::new(None, Some("*")).check(Some(&Tag::version(7))).unwrap_err();
        assert!(stale.to_string().contains("exists already, with the tag \"7\""), "{stale}");
        let stale = Condition::new(Some("*"), None).check(None::<&Tag>).unwrap_err();
        assert!(stale.to_string().contains("there is none"), "{stale}");
    }
}
