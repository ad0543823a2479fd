//! A chunk of values as the store keeps it: one read time, and for each value how far it is from that. (decision 22)
//!
//! ```text
//!  {"at":1764324000000,"values":{"TAC":["4711","xsd:unsignedInt",0]},"instances":[1,3]}
//! ```
//!
//! Text, because both databases show and search it; a third of what naming every field of every value took.
//! What was stored before looks otherwise and is read too.

use std::collections::{BTreeMap, BTreeSet};

use cwmp::ValueKind;
use serde::{Deserialize, Serialize, Serializer};

use super::{StoreError, at, json, ms, parse};
use crate::plan::{Chunk, Held};

/// With what a chunk of this form begins.
const MARK: &str = "{\"at\":";

/// A value, its type, and its age in milliseconds when the newest of the chunk was read.
type Kept = (String, ValueKind, i64);

#[derive(Deserialize)]
struct Compact {
    at: i64,
    #[serde(default)]
    values: BTreeMap<String, Kept>,
    #[serde(default)]
    instances: Option<BTreeSet<u32>>,
    #[serde(default)]
    fresh: BTreeSet<u32>,
    #[serde(default)]
    unlisted: BTreeSet<u32>,
    #[serde(default)]
    is_held_off: bool,
}

#[derive(Serialize)]
struct Written<'c> {
    at: i64,
    values: Values<'c>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instances: Option<&'c BTreeSet<u32>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    fresh: &'c BTreeSet<u32>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    unlisted: &'c BTreeSet<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_held_off: bool,
}

struct Values<'c> {
    at: i64,
    held: &'c BTreeMap<String, Held>,
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.held.iter().map(|(name, held)| (name, (&held.value, held.kind, self.at - ms(held.read_at)))),
        )
    }
}

/// As text.
pub(super) fn write(chunk: &Chunk) -> String {
    let at = chunk.read_at().map_or(0, ms);
    let values = Values { at, held: &chunk.values };
    let Chunk { instances, fresh, unlisted, is_held_off, .. } = chunk;
    let instances = instances.as_ref();
    json(&Written { at, values, instances, fresh, unlisted, is_held_off: *is_held_off })
}

/// From a text of this version or of an earlier one.
pub(super) fn read(text: &str) -> Result<Chunk, StoreError> {
    if !text.starts_with(MARK) {
        return parse("known chunk", text);
    }
    let compact: Compact = parse("known chunk", text)?;
    let held = |(name, (value, kind, age)): (String, Kept)| {
        (name, Held { value, kind, read_at: at(compact.at.saturating_sub(age)) })
    };
    Ok(Chunk {
        values: compact.values.into_iter().map(held).collect(),
        instances: compact.instances,
        fresh: compact.fresh,
        unlisted: compact.unlisted,
        is_held_off: compact.is_held_off,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = r#"{"values":{"A":{"value":"7","type":"xsd:unsignedInt","read_at":"2026-01-02T03:04:05Z"},
        "B":{"value":"\"","type":"xsd:string","read_at":"2026-01-02T03:04:06.5Z"}},"instances":[2,9],"fresh":[9]}"#;

    #[test]
    fn a_chunk_is_what_it_was_and_what_an_earlier_version_wrote_is_read() {
        let chunk = read(EARLIER).unwrap();
        assert_eq!(chunk.values["B"].value, "\"");
        let text = write(&chunk);
        assert_eq!(
            text,
            r#"{"at":1767323046500,"values":{"A":["7","xsd:unsignedInt",1500],"B":["\"","xsd:string",0]},"instances":[2,9],"fresh":[9]}"#
        );
        assert_eq!(read(&text).unwrap(), chunk);
        assert!(text.starts_with(MARK) && text.len() < EARLIER.len());
        let empty = Chunk { instances: Some(BTreeSet::new()), ..Chunk::default() };
        assert_eq!(read(&write(&empty)).unwrap(), empty);
    }

    #[test]
    fn what_is_no_chunk_is_said_to_be_none() {
        for text in ["", "{\"at\":1", "{\"at\":1,\"values\":{\"A\":[1,2,3]}}", "[]x"] {
            assert!(read(text).unwrap_err().to_string().starts_with("a stored known chunk"), "{text}");
        }
    }
}
