//! Lists in pages: how long one may be, and where the next begins.
//!
//! A token of a list that a scope narrows is sealed: it names the last row that was looked at, and the scope may have
//! left that row out.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use profile::Seal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Unexpected, Visitor},
};
use sha2::{Digest, Sha256};

use super::Problem;

/// Rows of one page, where nobody asks for less.
pub(super) const PAGE: u32 = 100;
/// Rows of the longest page.
pub(super) const PAGE_MAX: u32 = 1000;

/// One page of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Opaque; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<String>,
}

/// What a list may be asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    pub(super) limit: Option<Limit>,
    pub(super) page_token: Option<String>,
    pub(super) identity: Option<String>,
}

impl Paging {
    pub(super) fn limit(&self) -> u32 {
        Limit::of(self.limit, PAGE)
    }

    /// Where a list by numbers goes on, the newest first.
    pub(super) fn before(&self) -> Result<i64, Problem> {
        match &self.page_token {
            Some(token) => token.parse().map_err(|_| Problem::invalid("`page_token` is none of ours")),
            None => Ok(i64::MAX),
        }
    }
}

/// Seals and opens page tokens, on every node by the same key.
pub(crate) struct Pages(Seal);

impl Pages {
    /// By what the nodes agreed on.
    pub(crate) fn new(agreed: &str) -> Self {
        Self(<[u8; 32]>::from(Sha256::digest(agreed)).into())
    }

    /// The token of a position in a list of this name.
    pub(super) fn seal(&self, list: &str, position: &str) -> Result<String, Problem> {
        let sealed = self.0.seal(list.as_bytes(), position.as_bytes()).map_err(|_| Problem::internal())?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The position; nothing where we gave no such token for this list.
    pub(super) fn open(&self, list: &str, token: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        String::from_utf8(self.0.open(list.as_bytes(), &sealed)?).ok()
    }
}

/// Rows that a page has at most: from 1 to [`PAGE_MAX`], and anything else is refused, so that nobody takes a page that
/// was cut for all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit(u32);

impl Limit {
    /// What was asked for, or what is usual.
    pub(super) fn of(asked: Option<Self>, usual: u32) -> u32 {
        asked.map_or(usual, |limit| limit.0)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Rows)
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": PAGE_MAX})
    }
}

/// A number in a body, or its digits in a query.
struct Rows;

impl Visitor<'_> for Rows {
    type Value = Limit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 1 to {PAGE_MAX}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Limit, E> {
        let rows = u32::try_from(number).ok().filter(|rows| (1..=PAGE_MAX).contains(rows));
        rows.map(Limit).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Limit, E> {
        let digits = || text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse().ok().filter(|_| digits()) {
            Some(number) => self.visit_u64(number),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{IntoDeserializer, value};

    use super::*;

    #[test]
    fn a_limit_is_1_to_1000_in_digits_or_as_a_number() {
        let digits = |text: &str| {
            let text: value::StrDeserializer<'_, value::Error> = text.into_deserializer();
            Limit::deserialize(text).map(|limit| limit.0).map_err(|error| error.to_string())
        };
        assert_eq!((digits("1"), digits("1000")), (Ok(1), Ok(1000)));
        for text in ["0", "1001", "-1", "+1", "", "ten", "1.5", "99999999999999999999"] {
            let message = digits(text).unwrap_err();
            assert!(message.ends_with("expected a whole number from 1 to 1000"), "{message}");
        }
        assert!(serde_json::from_str::<Limit>("50").is_ok() && serde_json::from_str::<Limit>("0").is_err());
    }
}
