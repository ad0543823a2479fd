//! What a radio counts: the content of a performance file before it is one. (TS 32.435)

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// A granularity period. (TS 32.435)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first moment, by the cell's clock.
    pub begin: Timestamp,
    /// The moment after its last.
    pub end: Timestamp,
}

/// What one counter of one object came to in a period: the file's measValue. (TS 32.435)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// The measured object's local name, such as `ENBFunction=1,EUtranGenericCell=1`.
    pub object: String,
    /// The counter, such as `RRC.ConnEstabAtt.Sum`. (TS 32.425)
    pub counter: String,
    /// A number as the file shall show it.
    #[serde(deserialize_with = "read_text")]
    pub value: String,
}

/// A value as JSON has it; the data model's spelling of numbers and booleans is JSON's.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Text(String),
    Truth(bool),
    Number(serde_json::Number),
}

impl Scalar {
    pub(super) fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Truth(truth) => truth.to_string(),
            Self::Number(number) => number.to_string(),
        }
    }
}

fn read_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Scalar::deserialize(deserializer).map(Scalar::text)
}
