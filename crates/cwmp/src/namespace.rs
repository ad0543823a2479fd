//! The namespaces of a CWMP envelope, and which prefix means which.
//!
//! One rule: names are compared by namespace, never by prefix, and an undeclared prefix is an
//! error. CWMP 1.2 to 1.4 share the namespace `cwmp-1-2`. (TR-069 3.5)

use serde::{Deserialize, Serialize};

/// Which CWMP namespace an envelope speaks; replies mirror it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Version {
    /// CWMP 1.0.
    V1_0,
    /// CWMP 1.1, the baseline of the H(e)NB specifications. (TS 32.593, S-07)
    #[default]
    V1_1,
    /// CWMP 1.2 and everything after it.
    V1_2,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::V1_0, Self::V1_1, Self::V1_2];

    /// The namespace's URN.
    #[must_use]
    pub fn urn(self) -> &'static str {
        match self {
            Self::V1_0 => "urn:dslforum-org:cwmp-1-0",
            Self::V1_1 => "urn:dslforum-org:cwmp-1-1",
            Self::V1_2 => "urn:dslforum-org:cwmp-1-2",
        }
    }
}

pub(crate) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(crate) const ENCODING: &str = "http://schemas.xmlsoap.org/soap/encoding/";
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
pub(crate) const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// What a name's namespace is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namespace {
    None,
    Soap,
    Cwmp(Version),
    Encoding,
    Xsi,
    Other,
}

impl Namespace {
    fn of(uri: &str) -> Self {
        match uri {
            "" => Self::None,
            SOAP => Self::Soap,
            ENCODING => Self::Encoding,
            XSI | "http://www.w3.org/1999/XMLSchema-instance" => Self::Xsi,
            _ => {
                Version::ALL.into_iter().find(|version| version.urn() == uri).map_or(Self::Other, Self::Cwmp)
            }
        }
    }

    pub(crate) fn is_cwmp(self) -> bool {
        matches!(self, Self::Cwmp(_))
    }
}

/// The prefix bindings in force, innermost last.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    bindings: Vec<(usize, Box<str>, Namespace)>,
}

impl Scopes {
    /// How many bindings may be in force at once: real envelopes declare five.
    pub(crate) const MOST: usize = 64;

    /// Binds `prefix` (empty for the default) from `depth` inwards; false when there are too many.
    pub(crate) fn bind(&mut self, depth: usize, prefix: &str, uri: &str) -> bool {
        self.bindings.push((depth, prefix.into(), Namespace::of(uri)));
        self.bindings.len() <= Self::MOST
    }

    /// Forgets what was bound at `depth` or deeper.
    pub(crate) fn leave(&mut self, depth: usize) {
        while self.bindings.last().is_some_and(|(at, _, _)| *at >= depth) {
            self.bindings.pop();
        }
    }

    /// The namespace of `prefix`, or nothing when it is undeclared.
    pub(crate) fn resolve(&self, prefix: &str) -> Option<Namespace> {
        let bound = self.bindings.iter().rev().find(|(_, known, _)| **known == *prefix);
        match bound {
            Some((_, _, namespace)) => Some(*namespace),
            None if prefix.is_empty() => Some(Namespace::None),
            None if prefix == "xml" => Some(Namespace::Other),
            None => None,
        }
    }
}
