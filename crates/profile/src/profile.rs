//! The clause as a table: which versions and suites a listener or a cell may ever negotiate. (TS 33.320 8.3.4)
//!
//! One row per suite of RFC 5246 A.5 that encrypts, authenticates by certificate and is not RC4. Everything
//! else in this crate derives from the rows: what is offered, what is accepted, and what is checked again after
//! the handshake. [`Profile::breaches`] reads the rows beside the rules, so that a new row cannot break one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version of TLS that the clause permits. (P-03, P-04)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// TLS 1.1, "shall". (P-03)
    Tls11,
    /// TLS 1.2, "should". (P-04)
    Tls12,
}

impl Version {
    /// The number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
        }
    }

    /// The spelling that evidence and reports use, which is also the engine's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
        }
    }
}

/// One row of the table: a cipher suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// The code point on the wire.
    pub code: u16,
    /// The name in RFC 5246 A.5.
    pub standard_name: &'static str,
    /// The engine's name for it.
    pub engine_name: &'static str,
    /// The lowest version that knows it: the SHA-256 suites came with TLS 1.2. (T-04)
    pub since: Version,
    /// Whether a stolen key of the server opens no recorded session.
    pub is_forward_secret: bool,
    /// Whether it is offered at all; a row that is off documents a decision.
    pub is_offered: bool,
}

/// Which suites come first. (T-03)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuiteOrder {
    /// DHE first: forward secrecy before speed. The default.
    #[default]
    FsFirst,
    /// Static RSA first: three times the handshakes on OpenSSL 3.0, and no forward secrecy.
    FastFirst,
}

impl fmt::Display for SuiteOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FsFirst => "fs-first",
            Self::FastFirst => "fast-first",
        })
    }
}

impl FromStr for SuiteOrder {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        match text {
            "fs-first" => Ok(Self::FsFirst),
            "fast-first" => Ok(Self::FastFirst),
            _ => Err(ProfileError::UnknownOrder),
        }
    }
}

/// Every TLS rule of one release of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The name that configuration and reports use.
    pub name: &'static str,
    /// The lowest version ever negotiated.
    pub min_version: Version,
    /// The highest version ever negotiated.
    pub max_version: Version,
    /// The rows, forward-secret ones first and the mandatory one last. (T-03)
    pub suites: &'static [Suite],
    /// The smallest RSA key and DH group, in bits. (A-09, T-05)
    pub min_rsa_bits: u32,
}

const fn suite(code: u16, standard_name: &'static str, engine_name: &'static str, since: Version) -> Suite {
    Suite { code, standard_name, engine_name, since, is_forward_secret: false, is_offered: true }
}

const fn forward_secret(suite: Suite) -> Suite {
    Suite { is_forward_secret: true, ..suite }
}

const fn off(suite: Suite) -> Suite {
    Suite { is_offered: false, ..suite }
}

/// The suite that both ends must have. (TS 33.320 8.3.4, P-12)
pub const MANDATORY_SUITE: u16 = 0x002F;

impl Profile {
    /// Every profile, one row each. (P-22)
    pub const ALL: &'static [Self] = &[Self::TS33320];

    /// Clause 8.3.4 to the letter. The 3DES rows are permitted by it and off because of their 64-bit blocks.
    pub const TS33320: Self = Self {
        name: "ts33320",
        min_version: Version::Tls11,
        max_version: Version::Tls12,
        suites: &[
            forward_secret(suite(
                0x0067,
                "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
                "DHE-RSA-AES128-SHA256",
                Version::Tls12,
            )),
            forward_secret(suite(
                0x006B,
                "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
                "DHE-RSA-AES256-SHA256",
                Version::Tls12,
            )),
            forward_secret(suite(
                0x0033,
                "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
                "DHE-RSA-AES128-SHA",
                Version::Tls11,
            )),
            forward_secret(suite(
                0x0039,
                "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",
                "DHE-RSA-AES256-SHA",
                Version::Tls11,
            )),
            suite(0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", Version::Tls12),
            suite(0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256", Version::Tls12),
            off(forward_secret(suite(
                0x0016,
                "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA",
                "DHE-RSA-DES-CBC3-SHA",
                Version::Tls11,
            ))),
            off(suite(0x000A, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA", Version::Tls11)),
            suite(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA", Version::Tls11),
            suite(MANDATORY_SUITE, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", Version::Tls11),
        ],
        min_rsa_bits: 2048,
    };

    /// The suites that are offered, in the order of preference.
    pub fn offered(&self, order: SuiteOrder) -> Vec<&'static Suite> {
        let mut offered: Vec<_> = self.suites.iter().filter(|suite| suite.is_offered).collect();
        if order == SuiteOrder::FastFirst {
            offered.reverse();
            offered.sort_by_key(|suite| suite.is_forward_secret);
        }
        offered
    }

    /// The row of a suite that may be negotiated at `version`; none means that the peer and the engine agreed
    /// on something outside the profile.
    pub fn permitted(&self, code: u16, version: Version) -> Option<&'static Suite> {
        let in_range = (self.min_version..=self.max_version).contains(&version);
        self.suites
            .iter()
            .find(|suite| in_range && suite.is_offered && suite.code == code && suite.since <= version)
    }

    /// The version with this spelling, where the profile permits it.
    pub fn version(&self, name: &str) -> Option<Version> {
        let known = [Version::Tls11, Version::Tls12];
        known.into_iter().find(|v| v.name() == name && (self.min_version..=self.max_version).contains(v))
    }

    /// Every rule of the clause that the table breaks; empty for a table that may be used.
    pub fn breaches(&self) -> Vec<ProfileError> {
        let mut breaches = Vec::new();
        for (at, suite) in self.suites.iter().enumerate() {
            breaches.extend(rules_of(suite));
            if self.suites.iter().take(at).any(|earlier| earlier.code == suite.code) {
                breaches.push(ProfileError::Twice(suite.code));
            }
        }
        if self.min_version > self.max_version {
            breaches.push(ProfileError::EmptyRange);
        }
        if self.permitted(MANDATORY_SUITE, self.max_version).is_none() {
            breaches.push(ProfileError::MandatoryMissing);
        }
        if self.min_rsa_bits < 2048 {
            breaches.push(ProfileError::SmallKeys(self.min_rsa_bits));
        }
        breaches
    }
}

/// The suites of RFC 5246 A.5, by code point. (P-13)
const RFC5246: [std::ops::RangeInclusive<u16>; 13] = [
    0x0000..=0x0002,
    0x0004..=0x0005,
    0x000A..=0x000A,
    0x000D..=0x000D,
    0x0010..=0x0010,
    0x0013..=0x0013,
    0x0016..=0x0016,
    0x0018..=0x0018,
    0x001B..=0x001B,
    0x002F..=0x003A,
    0x003B..=0x0040,
    0x0067..=0x006B,
    0x006C..=0x006D,
];

/// Suites of that list without encryption, without authentication, or with RC4. (P-14, P-16)
const UNUSABLE: [u16; 12] =
    [0x0000, 0x0001, 0x0002, 0x003B, 0x0004, 0x0005, 0x0018, 0x001B, 0x0034, 0x003A, 0x006C, 0x006D];

fn rules_of(suite: &Suite) -> Vec<ProfileError> {
    let mut breaches = Vec::new();
    if !RFC5246.iter().any(|range| range.contains(&suite.code)) {
        breaches.push(ProfileError::NotListed(suite.code));
    }
    if UNUSABLE.contains(&suite.code) {
        breaches.push(ProfileError::Unusable(suite.code));
    }
    if suite.standard_name.ends_with("_SHA256") && suite.since < Version::Tls12 {
        breaches.push(ProfileError::TooEarly(suite.code));
    }
    if suite.standard_name.starts_with("TLS_DHE_") != suite.is_forward_secret {
        breaches.push(ProfileError::Secrecy(suite.code));
    }
    breaches
}

/// A rule that a table breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// (P-13)
    #[error("suite {0:04x} is not in RFC 5246 A.5 (P-13)")]
    NotListed(u16),
    /// (P-14, P-16)
    #[error("suite {0:04x} does not encrypt, does not authenticate, or is RC4 (P-14, P-16)")]
    Unusable(u16),
    /// (T-04)
    #[error("suite {0:04x} needs TLS 1.2 (T-04)")]
    TooEarly(u16),
    /// The row's name and its secrecy column disagree.
    #[error("suite {0:04x} has the wrong forward secrecy in its row")]
    Secrecy(u16),
    /// Two rows have one code point.
    #[error("suite {0:04x} is in the table twice")]
    Twice(u16),
    /// (P-12)
    #[error("TLS_RSA_WITH_AES_128_CBC_SHA is missing (P-12)")]
    MandatoryMissing,
    /// No version is left.
    #[error("the lowest version is above the highest")]
    EmptyRange,
    ///
    #[error("{0} bits are too few for an RSA key (A-09)")]
    SmallKeys(u32),
    /// A suite order of another name.
    #[error("the suite order is \"fs-first\" or \"fast-first\"")]
    UnknownOrder,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p13_the_table_keeps_its_rules() {
        assert_eq!(Profile::TS33320.breaches(), []);
        assert_eq!(Profile::TS33320.offered(SuiteOrder::FsFirst).len(), 8);
    }

    #[test]
    fn p22_the_profiles_are_one_table_with_a_row_each_and_every_row_keeps_the_rules() {
        for (at, profile) in Profile::ALL.iter().enumerate() {
            let twin = Profile::ALL.iter().position(|other| other.name == profile.name);
            assert_eq!(twin, Some(at), "{} has one row", profile.name);
            assert_eq!(profile.breaches(), [], "{}", profile.name);
            for version in [profile.min_version, profile.max_version] {
                assert_eq!(profile.version(version.name()), Some(version));
            }
            for order in [SuiteOrder::FsFirst, SuiteOrder::FastFirst] {
                for suite in profile.offered(order) {
                    assert_eq!(profile.permitted(suite.code, profile.max_version), Some(suite));
                }
            }
        }
        assert!(Profile::ALL.contains(&Profile::TS33320));
    }

    #[test]
    fn p14_p16_a_bad_row_is_found() {
        const BAD: &[Suite] = &[
            suite(0x0005, "TLS_RSA_WITH_RC4_128_SHA", "RC4-SHA", Version::Tls11),
            suite(
                0xC02F,
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "ECDHE-RSA-AES128-GCM-SHA256",
                Version::Tls11,
            ),
        ];
        let breaches = Profile { suites: BAD, min_rsa_bits: 1024, ..Profile::TS33320 }.breaches();
        assert_eq!(
            breaches,
            [
                ProfileError::Unusable(5),
                ProfileError::NotListed(0xC02F),
                ProfileError::TooEarly(0xC02F),
                ProfileError::MandatoryMissing,
                ProfileError::SmallKeys(1024),
            ]
        );
    }

    #[test]
    fn t03_forward_secrecy_first_and_the_mandatory_suite_last_unless_said_otherwise() {
        let codes = |order| Profile::TS33320.offered(order).iter().map(|s| s.code).collect::<Vec<_>>();
        assert_eq!(codes(SuiteOrder::FsFirst), [0x67, 0x6B, 0x33, 0x39, 0x3C, 0x3D, 0x35, 0x2F]);
        assert_eq!(codes(SuiteOrder::FastFirst), [0x2F, 0x35, 0x3D, 0x3C, 0x39, 0x33, 0x6B, 0x67]);
    }

    #[test]
    fn t04_a_sha256_suite_needs_tls_12() {
        assert!(Profile::TS33320.permitted(0x3C, Version::Tls11).is_none());
        assert!(Profile::TS33320.permitted(0x3C, Version::Tls12).is_some());
        assert!(Profile::TS33320.permitted(0x0A, Version::Tls12).is_none());
    }

    #[test]
    fn the_order_is_read_as_it_is_written() {
        for order in [SuiteOrder::FsFirst, SuiteOrder::FastFirst] {
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        assert_eq!("fast".parse::<SuiteOrder>(), Err(ProfileError::UnknownOrder));
    }
}
