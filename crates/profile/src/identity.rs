//! The one name of a H(e)NB: `<EUI>.<realm>`, as its certificate carries it. (TS 23.003 4.10, I-01 to I-04)
//!
//! The first label is an EUI-48 or EUI-64 in hexadecimal with its leading zeros and no separators; the rest is
//! the realm. The canonical form is lower case. An EUI-48 and the EUI-64 made from it are two identities: they
//! are never merged.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name that the DNS has.
const MAX_NAME: usize = 253;
/// The longest label that the DNS has.
const MAX_LABEL: usize = 63;
/// A realm is a domain that somebody can own, so it has at least two labels. (I-03)
const MIN_REALM_LABELS: usize = 2;

/// Who a H(e)NB is; made only from a valid FQDN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identity(String);

impl Identity {
    /// Reads `<EUI>.<realm>` in any letter case.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let (eui, realm) = text.split_once('.').ok_or(IdentityError::NoRealm)?;
        if !is_eui(eui) {
            return Err(IdentityError::NotAnEui);
        }
        if text.len() > MAX_NAME {
            return Err(IdentityError::TooLong);
        }
        if realm.split('.').count() < MIN_REALM_LABELS {
            return Err(IdentityError::ShortRealm);
        }
        if !realm.split('.').all(is_label) {
            return Err(IdentityError::NotAName);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The identity of an EUI in a realm.
    pub fn new(eui: &str, realm: &str) -> Result<Self, IdentityError> {
        Self::parse(&format!("{eui}.{realm}"))
    }

    /// The whole name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The EUI as 12 or 16 lower-case hexadecimal digits.
    pub fn eui(&self) -> &str {
        self.0.split_once('.').map_or("", |(eui, _)| eui)
    }

    /// The realm: everything after the EUI.
    pub fn realm(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, realm)| realm)
    }

    /// The first 24 bits of the EUI in upper case, as DeviceId spells an OUI. (I-05)
    pub fn oui(&self) -> String {
        self.eui().chars().take(6).collect::<String>().to_ascii_uppercase()
    }
}

/// Whether a label is an EUI-48 or EUI-64. (I-01, I-02)
pub(crate) fn is_eui(label: &str) -> bool {
    matches!(label.len(), 12 | 16) && label.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a label of a host name has letters, digits and inner hyphens only.
pub(crate) fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Identity {
    type Error = IdentityError;

    fn try_from(text: String) -> Result<Self, IdentityError> {
        Self::parse(&text)
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.0
    }
}

impl std::str::FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        Self::parse(text)
    }
}

/// Why a text is not the identity of a H(e)NB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// There is no dot.
    #[error("there is no realm after the EUI (I-02)")]
    NoRealm,
    /// The first label has another length or other characters.
    #[error("the first label is not an EUI-48 or EUI-64 of 12 or 16 hexadecimal digits (I-01)")]
    NotAnEui,
    /// The realm is a single label.
    #[error("the realm has fewer than two labels (I-03)")]
    ShortRealm,
    /// A label of the realm is empty or has a character that no host name has.
    #[error("the realm is not a domain name")]
    NotAName,
    /// Longer than any name of the DNS.
    #[error("the name is longer than 253 characters")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i01_an_eui_48_and_an_eui_64_are_identities() {
        let short = Identity::parse("00005e005301.hnb.example").unwrap();
        let long = Identity::parse("00005efffe005301.hnb.example").unwrap();
        assert_eq!(
            (short.eui(), short.realm(), short.oui().as_str()),
            ("00005e005301", "hnb.example", "00005E")
        );
        assert_ne!(short, long);
    }

    #[test]
    fn i02_other_lengths_letters_and_separators_are_none() {
        for bad in [
            "00005e00530.hnb.example",
            "00005e0053011.hnb.example",
            "00005e005301123.hnb.example",
            "00005e00530112345.hnb.example",
            "00005e00530g.hnb.example",
            "00-00-5e-00-53-01.hnb.example",
            "00:00:5e:00:53:01.hnb.example",
            "*.hnb.example",
            "00005e005301",
            "",
            "00005e005301.",
            "00005e005301.hnb.example.",
            "00005e005301.hnb..example",
            "00005e005301.hnb.exam\0ple",
            "00005e005301.hnb.exämple",
            "00005e005301.hnb.-example",
            " 00005e005301.hnb.example",
            "00005e005301.localhost",
        ] {
            assert!(Identity::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Identity::new("00005e005301", &"a.".repeat(130)), Err(IdentityError::TooLong));
    }

    #[test]
    fn i03_a_realm_has_two_labels_or_more() {
        for realm in ["hnb.example", "hnb.vendor.example", "a.hnb.vendor.example"] {
            assert_eq!(Identity::new("00005e005301", realm).unwrap().realm(), realm);
        }
    }

    #[test]
    fn i04_letter_case_makes_no_difference() {
        let upper = Identity::parse("00005E0053AA.HNB.Example").unwrap();
        assert_eq!(upper, Identity::parse("00005e0053aa.hnb.example").unwrap());
        assert_eq!(upper.to_string(), "00005e0053aa.hnb.example");
    }

    #[test]
    fn i09_i10_i11_names_of_the_radio_of_http_and_of_the_hosting_party_are_none() {
        for other in [
            "100005E-0053010001@hnb.example",
            "100005E-0053010001@hnb.vendor.example",
            "0262010000000001@hnb.example",
            "00005E-SimulatedCell-00005E005301",
            "00005E-SimulatedCell-00005E005301.hnb.example",
            "0262010000000001.hnb.example@realm.example",
            "262010000000001.hnb.example",
            "262010000000001@nai.epc.mnc001.mcc262.3gppnetwork.org",
        ] {
            assert!(Identity::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_stored_identity_is_checked_when_it_is_read() {
        let identity = Identity::parse("00005e005301.hnb.example").unwrap();
        let json = serde_json::to_string(&identity).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&json).unwrap(), identity);
        assert!(serde_json::from_str::<Identity>("\"nobody\"").is_err());
    }
}
