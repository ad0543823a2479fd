//! Each key of a JSON document stands once: of two, one would be dropped without a word. (RFC 8259 4)
//!
//! In a list that is imported, keys of an export are passed over, and any other that is not asked for is a mistake.

use std::collections::HashSet;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// The keys of a device in an export.
pub(crate) const EXPORTED: [&str; 27] = [
    "identity",
    "state",
    "site",
    "tags",
    "labels",
    "oui",
    "product_class",
    "serial",
    "tls_version",
    "suite",
    "software",
    "plmn",
    "tac",
    "pci",
    "admin_state",
    "op_state",
    "rf_tx_status",
    "in_service",
    "in_service_after",
    "first_seen",
    "last_inform",
    "certificate_not_after",
    "clock_offset",
    "downgrades",
    "clone_suspicion",
    "blocked",
    "claimed",
];

/// Each line of JSON lines that is not empty, with its place.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = (String, serde_json::Result<Value>)> + Send + '_ {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.trim_ascii().is_empty()).map(|(index, line)| {
        let item = serde_json::from_slice(line).and_then(|Once| serde_json::from_slice(line));
        (format!("line {}", index + 1), item)
    })
}

/// An item without what an export has and nobody here asks for.
pub(crate) fn asked(mut item: Value, columns: &[&str]) -> Value {
    if let Value::Object(fields) = &mut item {
        fields.retain(|key, _| columns.contains(&key.as_str()) || !EXPORTED.contains(&key.as_str()));
    }
    item
}

/// A document of which nothing is kept.
pub(crate) struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

macro_rules! visit {
    ($($name:ident $kind:ty)*) => { $(
        fn $name<E: Error>(self, _: $kind) -> Result<Self, E> {
            Ok(Self)
        }
    )* };
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    visit!(visit_bool bool visit_i64 i64 visit_u64 u64 visit_f64 f64 visit_str &str);

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(Self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                let shown: String = key.chars().take(64).collect();
                return Err(Error::custom(format!("the key `{shown}` stands there twice, and may once")));
            }
            keys.insert(key);
            entries.next_value::<Self>()?;
        }
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_found_at_any_depth() {
        let read =
            |text: &str| serde_json::from_str::<Once>(text).map(drop).map_err(|error| error.to_string());
        assert_eq!(
            read(r#"{"a": [1, -1, 1.5, true, null, "x", {"a": {"a": 1}}, {"a": 2}], "b": 1e99}"#),
            Ok(())
        );
        for text in [r#"{"x": 1, "x": 1}"#, r#"[{"a": {"x": 1, "\u0078": 2}}]"#] {
            assert!(read(text).unwrap_err().contains("the key `x` stands there twice"), "{text}");
        }
    }
}
