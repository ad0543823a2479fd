//! A CA that issues what it is ordered to, also what no honest CA would: tests need the odd ones.

mod request;

use std::path::Path;

use jiff::{Timestamp, ToSpan};
use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509NameRef};

pub use super::order::{AuthorityOrder, Defect, LeafOrder};
use super::{LAB_MARKER, PkiError, der, files};
use crate::clock::build_time;
use crate::context::KeyPair;
use crate::statement::STATEMENT_PURPOSE;
use crate::verify::WAKE_PURPOSE;
pub use request::request;

/// The longest common name that X.520 has.
const MAX_COMMON_NAME: usize = 64;
/// An extension that no reader knows, under the number that RFC 5612 keeps for examples.
const NOBODYS_EXTENSION: &str = "1.3.6.1.4.1.32473.1";
/// How far lab certificates are dated back: cells with restored clocks shall accept them. (K-06)
const DATED_BACK_HOURS: i64 = 30 * 24;

/// A private key. An RSA key may stand under several certificates: a fleet shares one, since each costs 40 ms.
#[derive(Debug, Clone)]
pub struct Key(pub(crate) PKey<Private>);

impl Key {
    /// A fresh RSA key.
    pub fn generate(bits: u32) -> Result<Self, PkiError> {
        Ok(Self(PKey::from_rsa(Rsa::generate(bits)?)?))
    }

    /// A fresh key on P-256: what `ts33320` refuses.
    pub fn generate_ec() -> Result<Self, PkiError> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Ok(Self(PKey::from_ec_key(EcKey::generate(&group)?)?))
    }

    /// Reads a PEM file.
    pub fn load(path: &Path) -> Result<Self, PkiError> {
        // An encrypted key would make the engine ask on the terminal: the callback says that nobody answers.
        let key = PKey::private_key_from_pem_callback(&files::read(path)?, |_| Ok(0));
        let wanted = "an unencrypted private key";
        Ok(Self(key.map_err(|_| PkiError::Pem { path: path.into(), wanted })?))
    }

    /// PKCS #8 in PEM.
    pub fn pem(&self) -> Result<Vec<u8>, PkiError> {
        Ok(self.0.private_key_to_pem_pkcs8()?)
    }
}

/// The digest under a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// Broken since 2004; for tests.
    Md5,
    /// Broken since 2017; for tests.
    Sha1,
    /// What the lab uses.
    Sha256,
}

impl Digest {
    pub(super) fn engine(self) -> MessageDigest {
        match self {
            Self::Md5 => MessageDigest::md5(),
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha256 => MessageDigest::sha256(),
        }
    }
}

/// From when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: Timestamp,
    /// The last moment.
    pub not_after: Timestamp,
}

impl Validity {
    /// From 30 days before the build or `now`, whichever is earlier, until `years` after the later of them.
    pub fn lab(now: Timestamp, years: i32) -> Self {
        let begin = now.min(build_time()).checked_sub(DATED_BACK_HOURS.hours());
        let end = now.max(build_time()).checked_add((i64::from(years) * 365 * 24).hours());
        Self { not_before: begin.unwrap_or(Timestamp::UNIX_EPOCH), not_after: end.unwrap_or(Timestamp::MAX) }
    }
}

/// A bit of key usage. (RFC 5280 4.2.1.3)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Signs handshakes.
    DigitalSignature,
    /// Takes part in static RSA key exchange.
    KeyEncipherment,
    /// Signs certificates.
    KeyCertSign,
}

/// A purpose of extended key usage. (RFC 5280 4.2.1.12)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A TLS server.
    ServerAuth,
    /// A TLS client.
    ClientAuth,
    /// Neither.
    CodeSigning,
    /// An OCSP responder that the issuer trusts.
    OcspSigning,
    /// Signs statements for cells. (Decision 28)
    Statements,
    /// Sends Connection Requests. (Decision 5)
    Wake,
}

/// A certificate with the CAs that belong to its chain.
#[derive(Debug, Clone)]
pub struct Issued {
    pub(super) certificate: X509,
    pub(super) above: Vec<X509>,
}

impl Issued {
    /// The chain in PEM, leaf first, without the root.
    pub fn pem(&self) -> Result<Vec<u8>, PkiError> {
        let mut pem = self.certificate.to_pem()?;
        for certificate in &self.above {
            pem.extend(certificate.to_pem()?);
        }
        Ok(pem)
    }

    /// Writes `<name>.pem` and `<name>.key`, the key for its owner only.
    pub fn write(&self, dir: &Path, name: &str, key: &Key) -> Result<KeyPair, PkiError> {
        let pair = KeyPair { chain: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) };
        files::replace(&pair.key, &key.pem()?, files::SECRET)?;
        files::replace(&pair.chain, &self.pem()?, files::PUBLIC)?;
        Ok(pair)
    }
}

/// A CA with its key.
#[derive(Debug, Clone)]
pub struct Authority {
    pub(super) certificate: X509,
    pub(super) key: Key,
    /// The CAs between this one and the root, this one included; empty for a root.
    pub(super) below_root: Vec<X509>,
}

impl Authority {
    /// A self-signed CA.
    pub fn create(order: &AuthorityOrder) -> Result<Self, PkiError> {
        let key = Key::generate(order.bits)?;
        let subject = authority_name(order)?;
        let certificate = sign_authority(order, &key, &subject, None, &key)?;
        Ok(Self { certificate, key, below_root: Vec::new() })
    }

    /// A CA below this one.
    pub fn subordinate(&self, order: &AuthorityOrder) -> Result<Self, PkiError> {
        let key = Key::generate(order.bits)?;
        let subject = authority_name(order)?;
        let certificate = sign_authority(order, &key, &subject, Some(&self.certificate), &self.key)?;
        let below_root =
            std::iter::once(certificate.clone()).chain(self.below_root.iter().cloned()).collect();
        Ok(Self { certificate, key, below_root })
    }

    /// Reads a root CA and its key.
    pub fn load(pair: &KeyPair) -> Result<Self, PkiError> {
        let certificate = X509::from_pem(&files::read(&pair.chain)?)?;
        Ok(Self { certificate, key: Key::load(&pair.key)?, below_root: Vec::new() })
    }

    /// The CA's certificate in PEM.
    pub fn pem(&self) -> Result<Vec<u8>, PkiError> {
        Ok(self.certificate.to_pem()?)
    }

    /// The CA's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Issues what is ordered.
    pub fn issue(&self, order: &LeafOrder, key: &Key) -> Result<Issued, PkiError> {
        let certificate = sign_leaf(order, key, Some(&self.certificate), &self.key)?;
        Ok(Issued { certificate, above: self.below_root.clone() })
    }

    /// A certificate that is its own issuer.
    pub fn self_signed(order: &LeafOrder, key: &Key) -> Result<Issued, PkiError> {
        Ok(Issued { certificate: sign_leaf(order, key, None, key)?, above: Vec::new() })
    }
}

/// The organisation of everything that the lab issues; a request for a real certificate names none.
const LAB: &str = "Hearth lab";

fn authority_name(order: &AuthorityOrder) -> Result<X509Name, ErrorStack> {
    name(Some(LAB), order.is_lab.then_some(LAB_MARKER), &order.common_name)
}

fn name(organisation: Option<&str>, unit: Option<&str>, common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    if let Some(organisation) = organisation {
        name.append_entry_by_nid(Nid::ORGANIZATIONNAME, organisation)?;
    }
    if let Some(unit) = unit {
        name.append_entry_by_nid(Nid::ORGANIZATIONALUNITNAME, unit)?;
    }
    if !common_name.is_empty() {
        let short: String = common_name.chars().take(MAX_COMMON_NAME).collect();
        name.append_entry_by_nid(Nid::COMMONNAME, &short)?;
    }
    Ok(name.build())
}

/// What every certificate has, without extensions.
fn bare(
    subject: &X509NameRef,
    issuer: Option<&X509>,
    key: &Key,
    validity: Validity,
) -> Result<X509Builder, ErrorStack> {
    let mut serial = [0; 16];
    rand_bytes(&mut serial)?;
    // Positive and of full length.
    if let Some(top) = serial.first_mut() {
        *top = (*top & 0x7F) | 0x40;
    }
    let serial: Asn1Integer = BigNum::from_slice(&serial)?.to_asn1_integer()?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer.map_or(subject, |issuer| issuer.subject_name()))?;
    builder.set_not_before(Asn1Time::from_unix(validity.not_before.as_second())?.as_ref())?;
    builder.set_not_after(Asn1Time::from_unix(validity.not_after.as_second())?.as_ref())?;
    builder.set_pubkey(&key.0)?;
    Ok(builder)
}

fn start(
    subject: &X509NameRef,
    issuer: Option<&X509>,
    key: &Key,
    validity: Validity,
) -> Result<X509Builder, ErrorStack> {
    let mut builder = bare(subject, issuer, key, validity)?;
    let extension = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(extension)?;
    if let Some(issuer) = issuer {
        let extension =
            AuthorityKeyIdentifier::new().keyid(true).build(&builder.x509v3_context(Some(issuer), None))?;
        builder.append_extension(extension)?;
    }
    Ok(builder)
}

fn finish(mut builder: X509Builder, digest: Digest, signer: &Key) -> Result<X509, ErrorStack> {
    builder.sign(&signer.0, digest.engine())?;
    Ok(builder.build())
}

fn extension(oid: &str, critical: bool, content: &[u8]) -> Result<X509Extension, ErrorStack> {
    X509Extension::new_from_der(
        Asn1Object::from_str(oid)?.as_ref(),
        critical,
        Asn1OctetString::new_from_bytes(content)?.as_ref(),
    )
}

fn sign_authority(
    order: &AuthorityOrder,
    key: &Key,
    subject: &X509NameRef,
    issuer: Option<&X509>,
    signer: &Key,
) -> Result<X509, ErrorStack> {
    let mut builder = start(subject, issuer, key, order.validity)?;
    match order.defect {
        Some(Defect::NoConstraints) => {}
        Some(Defect::NotCa) => builder.append_extension(BasicConstraints::new().critical().build()?)?,
        Some(Defect::UncriticalConstraints) => {
            builder.append_extension(BasicConstraints::new().ca().pathlen(order.path_length).build()?)?;
        }
        _ => builder
            .append_extension(BasicConstraints::new().critical().ca().pathlen(order.path_length).build()?)?,
    }
    let mut usage = KeyUsage::new();
    usage.crl_sign();
    if order.defect != Some(Defect::UncriticalUsage) {
        usage.critical();
    }
    if order.defect != Some(Defect::NoCertSign) {
        usage.key_cert_sign();
    }
    if order.defect != Some(Defect::NoUsage) {
        builder.append_extension(usage.build()?)?;
    }
    if let Some(domain) = &order.domain {
        builder.append_extension(extension("2.5.29.30", true, &der::name_constraints(domain))?)?;
    }
    finish(builder, order.digest, signer)
}

fn sign_leaf(order: &LeafOrder, key: &Key, issuer: Option<&X509>, signer: &Key) -> Result<X509, ErrorStack> {
    let subject = name(Some(LAB), None, &order.common_name)?;
    let mut builder = start(subject.as_ref(), issuer, key, order.validity)?;
    if order.defect == Some(Defect::Version1) {
        let mut old = bare(subject.as_ref(), issuer, key, order.validity)?;
        old.set_version(0)?;
        return finish(old, order.digest, signer);
    }
    if order.defect == Some(Defect::Version4) {
        builder.set_version(3)?;
    }
    if order.defect == Some(Defect::AnyPurpose) {
        builder.append_extension(ExtendedKeyUsage::new().other("anyExtendedKeyUsage").build()?)?;
    }
    if order.defect == Some(Defect::UnknownCritical) {
        builder.append_extension(extension(NOBODYS_EXTENSION, true, &[5, 0])?)?;
    }
    let mut constraints = BasicConstraints::new();
    constraints.critical();
    if order.is_ca {
        constraints.ca();
    }
    builder.append_extension(constraints.build()?)?;
    if !order.usages.is_empty() {
        builder.append_extension(key_usage(order)?)?;
    }
    if !order.purposes.is_empty() {
        builder.append_extension(extended_key_usage(&order.purposes)?)?;
    }
    if !order.dns_names.is_empty() || !order.addresses.is_empty() {
        let names = der::alternative_names(&order.dns_names, &order.addresses);
        let times = if order.defect == Some(Defect::NamesTwice) { 2 } else { 1 };
        for _ in 0..times {
            builder.append_extension(extension("2.5.29.17", false, &names)?)?;
        }
    }
    if let Some(period) = order.key_period {
        let time = |at: Timestamp| at.strftime("%Y%m%d%H%M%SZ").to_string();
        let period = der::key_period(&time(period.not_before), &time(period.not_after));
        builder.append_extension(extension("2.5.29.16", false, &period)?)?;
    }
    finish(builder, order.digest, signer)
}

fn key_usage(order: &LeafOrder) -> Result<X509Extension, ErrorStack> {
    let mut extension = KeyUsage::new();
    if order.is_usage_critical {
        extension.critical();
    }
    for usage in &order.usages {
        match usage {
            Usage::DigitalSignature => extension.digital_signature(),
            Usage::KeyEncipherment => extension.key_encipherment(),
            Usage::KeyCertSign => extension.key_cert_sign(),
        };
    }
    extension.build()
}

fn extended_key_usage(purposes: &[Purpose]) -> Result<X509Extension, ErrorStack> {
    let mut extension = ExtendedKeyUsage::new();
    for purpose in purposes {
        match purpose {
            Purpose::ServerAuth => extension.server_auth(),
            Purpose::ClientAuth => extension.client_auth(),
            Purpose::CodeSigning => extension.code_signing(),
            Purpose::OcspSigning => extension.other("OCSPSigning"),
            Purpose::Statements => extension.other(STATEMENT_PURPOSE),
            Purpose::Wake => extension.other(WAKE_PURPOSE),
        };
    }
    extension.build()
}
