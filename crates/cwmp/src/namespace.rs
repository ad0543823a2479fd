//! The namespaces of a CWMP envelope, and which prefix means which.
//!
//! One rule: names are compared by namespace, never by prefix, and an undeclared prefix is an
//! error. CWMP 1.2 to 1.4 share the namespace `cwmp-1-2`. (TR-069 3.5)

use serde::{Deserialize, Serialize};

use crate::Leniency;

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
/// What SOAP 1.2 has instead of the two.
const SOAP_1_2: [&str; 2] =
    ["http://www.w3.org/2003/05/soap-envelope", "http://www.w3.org/2003/05/soap-encoding"];
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
    Xsd,
    Other,
}

impl Namespace {
    /// What an address means, and what had to be forgiven to know it.
    fn of(uri: &str) -> (Self, Option<Leniency>) {
        let known = match uri {
            "" => Self::None,
            SOAP => Self::Soap,
            ENCODING => Self::Encoding,
            XSI => Self::Xsi,
            XSD => Self::Xsd,
            _ => match Version::ALL.into_iter().find(|version| version.urn() == uri) {
                Some(version) => Self::Cwmp(version),
                None => return Self::odd(uri),
            },
        };
        (known, None)
    }

    /// Addresses that devices in the field have instead.
    fn odd(uri: &str) -> (Self, Option<Leniency>) {
        let bare = uri.trim_ascii().trim_end_matches('/');
        let schema = ["/1999/XMLSchema", "/2000/10/XMLSchema", "/2001/XMLSchema"]
            .iter()
            .find_map(|path| bare.strip_prefix("http://www.w3.org")?.strip_prefix(path));
        let old = match (schema, bare) {
            (Some(""), _) => Self::Xsd,
            (Some("-instance"), _) => Self::Xsi,
            (_, bare) if SOAP.trim_end_matches('/') == bare => Self::Soap,
            (_, bare) if ENCODING.trim_end_matches('/') == bare => Self::Encoding,
            (_, bare) if SOAP_1_2[0] == bare => return (Self::Soap, Some(Leniency::SoapVersion)),
            (_, bare) if SOAP_1_2[1] == bare => return (Self::Encoding, Some(Leniency::SoapVersion)),
            (_, bare) => match cwmp_of(bare) {
                Some(Some(version)) => Self::Cwmp(version),
                Some(None) => return (Self::Cwmp(Version::V1_2), Some(Leniency::UnknownVersion)),
                None => return (Self::Other, None),
            },
        };
        (old, Some(Leniency::OldNamespace))
    }

    pub(crate) fn is_cwmp(self) -> bool {
        matches!(self, Self::Cwmp(_))
    }
}

/// The version that a namespace like CWMP's means, in whatever letters and under whichever name of the Forum; nothing
/// in it where no schema has that version.
fn cwmp_of(uri: &str) -> Option<Option<Version>> {
    let uri = uri.to_ascii_lowercase();
    let forum =
        uri.strip_prefix("urn:dslforum-org:").or_else(|| uri.strip_prefix("urn:broadband-forum-org:"))?;
    let number = forum.strip_prefix("cwmp").filter(|rest| rest.is_empty() || rest.starts_with('-'))?;
    Some(Version::ALL.into_iter().find(|version| version.urn().ends_with(number) && !number.is_empty()))
}

/// The prefix bindings in force, innermost last.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    bindings: Vec<(usize, Box<str>, Namespace)>,
    /// How many of them bind the default: mostly none, and most names have no prefix.
    defaults: usize,
}

impl Scopes {
    /// How many bindings may be in force at once: real envelopes declare five.
    pub(crate) const MOST: usize = 64;

    /// Binds `prefix` (empty for the default) from `depth` inwards, and says what was forgiven; nothing
    /// when there are too many.
    pub(crate) fn bind(&mut self, depth: usize, prefix: &str, uri: &str) -> Option<Option<Leniency>> {
        let (namespace, forgiven) = Namespace::of(uri);
        self.bindings.push((depth, prefix.into(), namespace));
        self.defaults += usize::from(prefix.is_empty());
        (self.bindings.len() <= Self::MOST).then_some(forgiven)
    }

    /// Forgets what was bound at `depth` or deeper.
    pub(crate) fn leave(&mut self, depth: usize) {
        while let Some((_, prefix, _)) = self.bindings.pop_if(|(at, _, _)| *at >= depth) {
            self.defaults -= usize::from(prefix.is_empty());
        }
    }

    /// The namespace of `prefix`, or nothing when it is undeclared.
    pub(crate) fn resolve(&self, prefix: &str) -> Option<Namespace> {
        if prefix.is_empty() && self.defaults == 0 {
            return Some(Namespace::None);
        }
        let bound = self.bindings.iter().rev().find(|(_, known, _)| **known == *prefix);
        match bound {
            Some((_, _, namespace)) => Some(*namespace),
            None if prefix.is_empty() => Some(Namespace::None),
            None if prefix == "xml" => Some(Namespace::Other),
            None => None,
        }
    }
}
