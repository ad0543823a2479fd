//! The profiles as tables: which versions and suites a listener or a cell may ever negotiate. (TS 33.320 8.3.4)
//!
//! One row per suite. Everything else in this crate derives from the rows: what is offered, what is accepted,
//! and what is checked again after the handshake. `ts33320` is the clause to the letter; `ts33210` is what TS
//! 33.210 6.2 made of it later, and the clause's rules do not hold there: it claims no conformity to them.
//! [`Profile::breaches`] reads the rows beside the rules, so that a new row cannot break one. (T-01, P-22)

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version of TLS that a profile permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// TLS 1.1, "shall" in the clause. (P-03)
    Tls11,
    /// TLS 1.2, "should" in the clause. (P-04)
    Tls12,
    /// TLS 1.3, in the later profile only. (T-12)
    Tls13,
}

impl Version {
    const ALL: [Self; 3] = [Self::Tls11, Self::Tls12, Self::Tls13];

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    /// The spelling that evidence and reports use, which is also the engine's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// How a suite agrees on its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// The client encrypts a secret to the server's certificate: no forward secrecy.
    Rsa,
    /// Diffie-Hellman in a group of the server's choice.
    Dhe,
    /// Diffie-Hellman on a curve.
    Ecdhe,
    /// What TLS 1.3 does, whatever the suite.
    Tls13,
}

impl Exchange {
    /// Whether a stolen key of the server opens no recorded session.
    pub const fn is_forward_secret(self) -> bool {
        !matches!(self, Self::Rsa)
    }

    fn of(standard_name: &str) -> Self {
        match standard_name.split('_').nth(1) {
            Some("RSA") => Self::Rsa,
            Some("DHE") => Self::Dhe,
            Some("ECDHE") => Self::Ecdhe,
            Some(_) | None => Self::Tls13,
        }
    }
}

/// One row of the table: a cipher suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// The code point on the wire.
    pub code: u16,
    /// The name that the standard gives it.
    pub standard_name: &'static str,
    /// The engine's name for it.
    pub engine_name: &'static str,
    /// The lowest version that knows it: the SHA-256 suites came with TLS 1.2. (T-04)
    pub since: Version,
    /// Whether it is offered at all; a row that is off documents a decision.
    pub is_offered: bool,
}

impl Suite {
    /// How it agrees on its keys, which its name says.
    pub fn exchange(&self) -> Exchange {
        Exchange::of(self.standard_name)
    }

    /// The highest version that knows it: TLS 1.3 has suites of its own.
    fn until(&self) -> Version {
        if self.exchange() == Exchange::Tls13 { Version::Tls13 } else { Version::Tls12 }
    }
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

/// A kind of key that a certificate may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// RSA, of [`Profile::min_rsa_bits`] at least.
    Rsa,
    /// The curve secp256r1.
    P256,
    /// The curve secp384r1.
    P384,
}

impl KeyKind {
    /// The name that certificates are described with.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::P256 => "ECDSA P-256",
            Self::P384 => "ECDSA P-384",
        }
    }
}

/// Which rules the suites of a profile keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Clause 8.3.4: only RFC 5246 A.5, encrypting, by certificate, no RC4; 002F always. (P-12 to P-16)
    Clause,
    /// TS 33.210 6.2: only forward secrecy with authenticated encryption, no TLS 1.1. (T-01, T-12)
    Later,
}

/// Every TLS rule of one release of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The name that configuration and reports use.
    pub name: &'static str,
    /// Which rules its rows keep.
    pub rules: Rules,
    /// The lowest version ever negotiated.
    pub min_version: Version,
    /// The highest version ever negotiated.
    pub max_version: Version,
    /// The rows in the order of preference.
    pub suites: &'static [Suite],
    /// The smallest RSA key and DH group, in bits. (A-09, T-05)
    pub min_rsa_bits: u32,
    /// The kinds of key that certificates may hold. (T-14)
    pub keys: &'static [KeyKind],
    /// The signatures of a handshake, in the engine's words; TLS 1.1 has a fixed form that no list reaches. (T-11)
    pub signatures: &'static str,
    /// The curves, in the engine's words; none where no suite uses one.
    pub groups: Option<&'static str>,
    /// Whether TLS 1.2 needs the extended master secret. (RFC 7627)
    pub needs_extended_master_secret: bool,
}

macro_rules! suites {
    ($( $code:literal $standard:ident $engine:literal $since:ident $offered:literal )*) => {
        &[$( Suite {
            code: $code,
            standard_name: stringify!($standard),
            engine_name: $engine,
            since: Version::$since,
            is_offered: $offered,
        } ),*]
    };
}

/// The suite that both ends must have. (TS 33.320 8.3.4, P-12)
pub const MANDATORY_SUITE: u16 = 0x002F;

impl Profile {
    /// Every profile, one row each. (P-22)
    pub const ALL: &'static [Self] = &[Self::TS33320, Self::TS33210];

    /// Clause 8.3.4 to the letter. The 3DES rows are permitted by it and off because of their 64-bit blocks.
    pub const TS33320: Self = Self {
        name: "ts33320",
        rules: Rules::Clause,
        min_version: Version::Tls11,
        max_version: Version::Tls12,
        suites: suites! {
            0x0067 TLS_DHE_RSA_WITH_AES_128_CBC_SHA256 "DHE-RSA-AES128-SHA256" Tls12 true
            0x006B TLS_DHE_RSA_WITH_AES_256_CBC_SHA256 "DHE-RSA-AES256-SHA256" Tls12 true
            0x0033 TLS_DHE_RSA_WITH_AES_128_CBC_SHA    "DHE-RSA-AES128-SHA"    Tls11 true
            0x0039 TLS_DHE_RSA_WITH_AES_256_CBC_SHA    "DHE-RSA-AES256-SHA"    Tls11 true
            0x003C TLS_RSA_WITH_AES_128_CBC_SHA256     "AES128-SHA256"         Tls12 true
            0x003D TLS_RSA_WITH_AES_256_CBC_SHA256     "AES256-SHA256"         Tls12 true
            0x0016 TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA   "DHE-RSA-DES-CBC3-SHA"  Tls11 false
            0x000A TLS_RSA_WITH_3DES_EDE_CBC_SHA       "DES-CBC3-SHA"          Tls11 false
            0x0035 TLS_RSA_WITH_AES_256_CBC_SHA        "AES256-SHA"            Tls11 true
            0x002F TLS_RSA_WITH_AES_128_CBC_SHA        "AES128-SHA"            Tls11 true
        },
        min_rsa_bits: 2048,
        keys: &[KeyKind::Rsa],
        signatures: "RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512",
        groups: None,
        needs_extended_master_secret: false,
    };

    /// The later profile of 3GPP, for cells that know it: TLS 1.2 and 1.3, outside the clause's suite list.
    pub const TS33210: Self = Self {
        name: "ts33210",
        rules: Rules::Later,
        min_version: Version::Tls12,
        max_version: Version::Tls13,
        suites: suites! {
            0x1301 TLS_AES_128_GCM_SHA256                  "TLS_AES_128_GCM_SHA256"        Tls13 true
            0x1302 TLS_AES_256_GCM_SHA384                  "TLS_AES_256_GCM_SHA384"        Tls13 true
            0xC02B TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 "ECDHE-ECDSA-AES128-GCM-SHA256" Tls12 true
            0xC02C TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 "ECDHE-ECDSA-AES256-GCM-SHA384" Tls12 true
            0xC02F TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256   "ECDHE-RSA-AES128-GCM-SHA256"   Tls12 true
            0xC030 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384   "ECDHE-RSA-AES256-GCM-SHA384"   Tls12 true
            0x009E TLS_DHE_RSA_WITH_AES_128_GCM_SHA256     "DHE-RSA-AES128-GCM-SHA256"     Tls12 true
            0x009F TLS_DHE_RSA_WITH_AES_256_GCM_SHA384     "DHE-RSA-AES256-GCM-SHA384"     Tls12 true
        },
        min_rsa_bits: 2048,
        keys: &[KeyKind::Rsa, KeyKind::P256, KeyKind::P384],
        signatures: "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256:RSA+SHA384",
        groups: Some("X25519:P-256:P-384:ffdhe2048:ffdhe3072"),
        needs_extended_master_secret: true,
    };

    /// The profile of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|profile| profile.name == name)
    }

    /// The suites that are offered, in the order of preference.
    pub fn offered(&self, order: SuiteOrder) -> Vec<&'static Suite> {
        let mut offered: Vec<_> = self.suites.iter().filter(|suite| suite.is_offered).collect();
        if order == SuiteOrder::FastFirst && self.uses_static_rsa() {
            offered.reverse();
            offered.sort_by_key(|suite| suite.exchange().is_forward_secret());
        }
        offered
    }

    /// Whether a H(e)MS key has to decrypt, and so its certificate has to permit keyEncipherment. (T-14)
    pub fn uses_static_rsa(&self) -> bool {
        self.suites.iter().any(|suite| suite.is_offered && suite.exchange() == Exchange::Rsa)
    }

    /// The row of a suite that may be negotiated at `version`; none means that the peer and the engine agreed
    /// on something outside the profile.
    pub fn permitted(&self, code: u16, version: Version) -> Option<&'static Suite> {
        let in_range = (self.min_version..=self.max_version).contains(&version);
        self.suites.iter().find(|suite| {
            let is_known = (suite.since..=suite.until()).contains(&version);
            in_range && is_known && suite.is_offered && suite.code == code
        })
    }

    /// The version with this spelling, where the profile permits it.
    pub fn version(&self, name: &str) -> Option<Version> {
        let range = self.min_version..=self.max_version;
        Version::ALL.into_iter().find(|version| version.name() == name && range.contains(version))
    }

    /// Every rule that the table breaks; empty for a table that may be used.
    pub fn breaches(&self) -> Vec<ProfileError> {
        let mut breaches = Vec::new();
        for (at, suite) in self.suites.iter().enumerate() {
            breaches.extend(match self.rules {
                Rules::Clause => clause_rules(suite),
                Rules::Later => later_rules(suite),
            });
            if self.suites.iter().take(at).any(|earlier| earlier.code == suite.code) {
                breaches.push(ProfileError::Twice(suite.code));
            }
        }
        if self.min_version > self.max_version {
            breaches.push(ProfileError::EmptyRange);
        }
        breaches.extend(self.version_rules());
        if self.min_rsa_bits < 2048 {
            breaches.push(ProfileError::SmallKeys(self.min_rsa_bits));
        }
        breaches
    }

    fn version_rules(&self) -> Option<ProfileError> {
        match self.rules {
            Rules::Clause if self.permitted(MANDATORY_SUITE, self.max_version).is_none() => {
                Some(ProfileError::MandatoryMissing)
            }
            Rules::Clause if self.max_version > Version::Tls12 => Some(ProfileError::WrongVersion),
            Rules::Later if self.min_version < Version::Tls12 => Some(ProfileError::WrongVersion),
            Rules::Clause | Rules::Later => None,
        }
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

fn clause_rules(suite: &Suite) -> Vec<ProfileError> {
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
    breaches
}

fn later_rules(suite: &Suite) -> Vec<ProfileError> {
    let is_authenticated = suite.standard_name.contains("_GCM_");
    let is_good = is_authenticated && suite.exchange().is_forward_secret() && suite.since >= Version::Tls12;
    if is_good { Vec::new() } else { vec![ProfileError::NotLater(suite.code)] }
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
    /// (T-01)
    #[error(
        "suite {0:04x} lacks forward secrecy or authenticated encryption, which TS 33.210 asks for (T-01)"
    )]
    NotLater(u16),
    /// Two rows have one code point.
    #[error("suite {0:04x} is in the table twice")]
    Twice(u16),
    /// (P-12)
    #[error("TLS_RSA_WITH_AES_128_CBC_SHA is missing (P-12)")]
    MandatoryMissing,
    /// (T-12)
    #[error("the clause ends at TLS 1.2, and the later profile begins there (T-12)")]
    WrongVersion,
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
                    let version = suite.until().min(profile.max_version);
                    assert_eq!(profile.permitted(suite.code, version), Some(suite));
                }
            }
        }
        assert!(Profile::ALL.contains(&Profile::TS33320));
    }

    #[test]
    fn p14_p16_a_bad_row_is_found() {
        const BAD: &[Suite] = suites! {
            0x0005 TLS_RSA_WITH_RC4_128_SHA              "RC4-SHA"                     Tls11 true
            0xC02F TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 "ECDHE-RSA-AES128-GCM-SHA256" Tls11 true
        };
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
    fn t01_t12_the_later_profile_has_what_the_clause_lacks_and_nothing_that_it_has() {
        let (clause, later) = (Profile::TS33320, Profile::TS33210);
        assert!(later.suites.iter().all(|suite| clause.suites.iter().all(|other| other.code != suite.code)));
        assert_eq!(clause.version("TLSv1.3"), None);
        assert_eq!(later.version("TLSv1.1"), None);
        assert!(later.permitted(0x1301, Version::Tls13).is_some());
        assert!(later.permitted(0x1301, Version::Tls12).is_none());
        assert!(later.permitted(0xC02F, Version::Tls13).is_none());
        assert!(clause.uses_static_rsa() && !later.uses_static_rsa());
        assert_eq!(Profile { rules: Rules::Later, ..clause }.breaches().len(), clause.suites.len() + 1);
        let newer = Profile { max_version: Version::Tls13, ..clause };
        assert!(newer.breaches().contains(&ProfileError::MandatoryMissing));
        let older = Profile { min_version: Version::Tls11, ..later };
        assert_eq!(older.breaches(), [ProfileError::WrongVersion]);
        assert_eq!(Profile::named("ts33210"), Some(&later));
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
