//! What a certificate says, as plain data that is safe to show, log and store. (A-20, decision 21)
//!
//! Everything here was written by whoever made the certificate: text is escaped and bounded, names are counted,
//! and a certificate that cannot be read gives no facts instead of wrong ones.

use jiff::Timestamp;
use openssl::hash::{MessageDigest, hash};
use serde::{Deserialize, Serialize};
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{AlgorithmIdentifier, FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::time::ASN1Time;

use crate::profile::KeyKind;

/// The longest text of a stranger that is kept: enough for any honest name, and small beside a database page.
pub const MAX_TEXT: usize = 256;
/// The most names of one certificate that are kept.
pub const MAX_NAMES: usize = 16;

/// The facts of one certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// Who it is about.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The serial number in hexadecimal.
    pub serial: String,
    /// SHA-256 of the whole certificate in hexadecimal.
    pub fingerprint_sha256: String,
    /// SHA-256 of its SubjectPublicKeyInfo in hexadecimal: the same in every certificate for one key.
    #[serde(default)]
    pub public_key_sha256: String,
    /// The first moment of its validity.
    pub not_before: Timestamp,
    /// The last moment of its validity.
    pub not_after: Timestamp,
    /// The dNSNames of its subjectAltName.
    pub dns_names: Vec<String>,
    /// The kind and size of the key: `RSA 2048`.
    pub key: String,
    /// The algorithm of its signature.
    pub signature: String,
}

impl CertificateFacts {
    /// Reads the facts from DER; none where it is no certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self::of(&certificate, der))
    }

    /// Reads the facts of the first certificate of a PEM file; none where there is none.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        let (_, first) = x509_parser::pem::parse_x509_pem(pem).ok()?;
        Self::read(&first.contents)
    }

    pub(crate) fn of(certificate: &X509Certificate<'_>, der: &[u8]) -> Self {
        let names = dns_names(certificate);
        Self {
            subject: bounded(&certificate.subject().to_string(), MAX_TEXT),
            issuer: bounded(&certificate.issuer().to_string(), MAX_TEXT),
            serial: bounded(&hex(certificate.raw_serial()), MAX_TEXT),
            fingerprint_sha256: sha256(der),
            public_key_sha256: sha256(certificate.public_key().raw),
            not_before: timestamp(certificate.validity().not_before),
            not_after: timestamp(certificate.validity().not_after),
            dns_names: names.iter().take(MAX_NAMES).map(|name| bounded(name, MAX_TEXT)).collect(),
            key: key_name(certificate),
            signature: signature_name(certificate),
        }
    }
}

/// Whether a text can be the subject of a certificate, as [`CertificateFacts::subject`] has it: `TYPE=value`, each part
/// after a comma and a blank. RFC 4514 and `openssl` write names otherwise.
#[must_use]
pub fn is_subject(text: &str) -> bool {
    // A value may have a comma of its own; only one before a type ends it, and then a blank follows.
    let is_run_together = || text.split(',').skip(1).any(|part| attribute(part).is_some());
    let parts = || text.split(", ").flat_map(|part| part.split(" + "));
    let has_value = |part: &str| attribute(part).is_none_or(|value| !value.is_empty());
    attribute(text).is_some() && !is_run_together() && parts().all(has_value)
}

/// The value of a part that begins with a type as subjects write it.
fn attribute(part: &str) -> Option<&str> {
    let (kind, value) = part.split_once('=')?;
    let registry = oid_registry();
    let is_known = || registry.iter().any(|(oid, _)| oid2abbrev(oid, registry) == Ok(kind));
    let number = kind.strip_prefix("OID(").and_then(|rest| rest.strip_suffix(')'));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_numbered = number.is_some_and(|oid| oid.contains('.') && oid.split('.').all(is_number));
    (is_numbered || is_known()).then_some(value)
}

/// The dNSNames as they stand, hostile or not.
pub(crate) fn dns_names<'a>(certificate: &X509Certificate<'a>) -> Vec<&'a str> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names.filter_map(|name| if let GeneralName::DNSName(text) = name { Some(*text) } else { None }).collect()
}

/// The size of an RSA key in bits; none for another kind of key.
pub(crate) fn rsa_bits(certificate: &X509Certificate<'_>) -> Option<u32> {
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => {
            let modulus = key.modulus.iter().skip_while(|byte| **byte == 0);
            let mut bytes = modulus.copied();
            let top = bytes.next()?;
            u32::try_from(bytes.count()).ok()?.checked_mul(8)?.checked_add(8 - top.leading_zeros())
        }
        PublicKey::DSA(_)
        | PublicKey::EC(_)
        | PublicKey::GostR3410(_)
        | PublicKey::GostR3410_2012(_)
        | PublicKey::Unknown(_) => None,
    }
}

/// The curves by their object identifiers.
const CURVES: [(&str, KeyKind); 2] =
    [("1.2.840.10045.3.1.7", KeyKind::P256), ("1.3.132.0.34", KeyKind::P384)];

/// The kind of key; none for one that no profile knows.
pub(crate) fn key_kind(certificate: &X509Certificate<'_>) -> Option<KeyKind> {
    if rsa_bits(certificate).is_some() {
        return Some(KeyKind::Rsa);
    }
    let curve = certificate.public_key().algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
    CURVES.iter().find(|(id, _)| *id == curve).map(|(_, kind)| *kind)
}

fn key_name(certificate: &X509Certificate<'_>) -> String {
    if let Some(bits) = rsa_bits(certificate) {
        return format!("RSA {bits}");
    }
    key_kind(certificate).map_or_else(
        || bounded(&certificate.public_key().algorithm.algorithm.to_id_string(), MAX_TEXT),
        |kind| kind.name().to_owned(),
    )
}

/// The signature algorithms that may stand under a certificate.
const STRONG_SIGNATURES: [(&str, &str); 7] = [
    ("1.2.840.113549.1.1.11", "sha256WithRSAEncryption"),
    ("1.2.840.113549.1.1.12", "sha384WithRSAEncryption"),
    ("1.2.840.113549.1.1.13", "sha512WithRSAEncryption"),
    ("1.2.840.113549.1.1.10", "RSASSA-PSS"),
    ("1.2.840.10045.4.3.2", "ecdsa-with-SHA256"),
    ("1.2.840.10045.4.3.3", "ecdsa-with-SHA384"),
    ("1.2.840.10045.4.3.4", "ecdsa-with-SHA512"),
];

const WEAK_SIGNATURES: [(&str, &str); 3] = [
    ("1.2.840.113549.1.1.4", "md5WithRSAEncryption"),
    ("1.2.840.113549.1.1.5", "sha1WithRSAEncryption"),
    ("1.2.840.10045.4.1", "ecdsa-with-SHA1"),
];

/// The hashes that may stand in RSASSA-PSS, whose name does not say one. (RFC 4055 3.1)
const STRONG_HASHES: [&str; 3] =
    ["2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2", "2.16.840.1.101.3.4.2.3"];

pub(crate) fn has_strong_signature(certificate: &X509Certificate<'_>) -> bool {
    is_strong(&certificate.signature_algorithm)
}

/// Whether a signature is made with SHA-256 or better.
pub(crate) fn is_strong(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    let oid = algorithm.algorithm.to_id_string();
    let is_listed = STRONG_SIGNATURES.iter().any(|(strong, _)| *strong == oid);
    is_listed
        && match SignatureAlgorithm::try_from(algorithm) {
            Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => {
                STRONG_HASHES.contains(&parameters.hash_algorithm_oid().to_id_string().as_str())
            }
            Ok(_) => true,
            Err(_) => false,
        }
}

fn signature_name(certificate: &X509Certificate<'_>) -> String {
    let oid = certificate.signature_algorithm.algorithm.to_id_string();
    let known = STRONG_SIGNATURES.iter().chain(&WEAK_SIGNATURES).find(|(id, _)| *id == oid);
    known.map_or_else(|| bounded(&oid, MAX_TEXT), |(_, name)| (*name).to_owned())
}

pub(crate) fn timestamp(time: ASN1Time) -> Timestamp {
    let seconds = time.timestamp();
    let outside = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(seconds).unwrap_or(outside)
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hash(MessageDigest::sha256(), bytes).map(|digest| hex(&digest)).unwrap_or_default()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Escapes what could move a cursor, hide text or end a line, and cuts at `limit` bytes.
pub(crate) fn bounded(text: &str, limit: usize) -> String {
    let mut safe = String::new();
    for character in text.chars() {
        let plain = (character.is_alphanumeric() || character.is_ascii_graphic() || character == ' ')
            && character != '\\';
        let piece = if plain { character.to_string() } else { escape(character) };
        if safe.len() + piece.len() > limit {
            safe.push('…');
            break;
        }
        safe.push_str(&piece);
    }
    safe
}

fn escape(character: char) -> String {
    if character == '\\' { "\\\\".to_owned() } else { character.escape_unicode().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_and_cut() {
        assert_eq!(bounded("C=DE, O=Müller & Söhne", 64), "C=DE, O=Müller & Söhne");
        assert_eq!(bounded("a\0b\r\n\u{1b}[2J", 64), "a\\u{0}b\\u{d}\\u{a}\\u{1b}[2J");
        assert_eq!(bounded("a\\u{0}", 64), "a\\\\u{0}");
        assert_eq!(bounded("\u{202e}evil", 64), "\\u{202e}evil");
        assert_eq!(bounded(&"x".repeat(1000), 8), "xxxxxxxx…");
        assert_eq!(bounded("äääää", 5), "ää…");
    }

    #[test]
    fn a_subject_is_written_as_facts_show_it() {
        for right in [
            "CN=noc",
            "CN=noc, O=Acme",
            "C=DE, ST=Saxony, O=Acme, Inc., OU=a + OU=b, CN=noc, Email=a@b, serialNumber=5",
            "OID(1.2.3.4)=x, DC=example",
        ] {
            assert!(is_subject(right), "{right}");
        }
        for wrong in [
            "",
            "garbage",
            "noc, O=Acme",
            "CN = noc",
            "cn=noc",
            "/C=DE/CN=noc",
            "CN=",
            "CN=noc, O=",
            "CN=noc,O=Acme",
            "XX=noc",
            "OID()=x",
            "commonName=noc",
            "subject=CN=noc",
        ] {
            assert!(!is_subject(wrong), "{wrong}");
        }
    }

    #[test]
    fn a09_rsassa_pss_is_as_strong_as_its_hash() {
        let pss = |parameters: &[u8]| {
            let oid = [0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10];
            let content = [&oid, parameters].concat();
            let der = [&[0x30, u8::try_from(content.len()).unwrap()], content.as_slice()].concat();
            is_strong(&AlgorithmIdentifier::from_der(&der).unwrap().1)
        };
        let sha256 = [0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
        let sha1 = [0x06, 5, 0x2B, 0x0E, 3, 2, 0x1A];
        assert!(pss(&[&[0x30, 15, 0xA0, 13, 0x30, 11], sha256.as_slice()].concat()));
        assert!(!pss(&[&[0x30, 11, 0xA0, 9, 0x30, 7], sha1.as_slice()].concat()));
        assert!(!pss(&[0x30, 0]), "without parameters the hash is SHA-1");
        assert!(!pss(&[]));
    }

    #[test]
    fn garbage_gives_no_facts() {
        assert_eq!(CertificateFacts::read(b""), None);
        assert_eq!(CertificateFacts::read(&[0x30, 0x82, 0xff, 0xff, 0x00]), None);
    }
}
