//! The certificate rules that the engine lacks or cannot name: usage, identity, realm, key and signature.
//!
//! The engine builds the chain and checks signatures, dates and constraints; [`leaf_rules`] reads the leaf
//! again with another parser, in the handshake (so that the peer gets an alert) and once more after it. What
//! two parsers could read in two ways is refused. (TS 33.320 8.3.3, A-07 to A-10, I-01 to I-04)

use std::net::IpAddr;

use jiff::Timestamp;
use openssl::asn1::Asn1Object;
use x509_parser::asn1_rs::Any;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName};
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate, X509Version};

use crate::certificate::{dns_names, has_strong_signature, key_kind, rsa_bits};
use crate::identity::{Identity, is_eui};
use crate::profile::KeyKind;
use crate::refusal::{Reason, Refusal};
use crate::trust::Trial;
use crate::url::address_literal;

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Henb,
    Hems,
    /// A H(e)MS that sends Connection Requests. (Decision 5)
    Wake,
    /// The listener for them on a H(e)NB.
    Listener,
}

/// Reads DER as exactly one certificate of X.509 v3 that no two readers read in two ways.
pub(crate) fn read(der: &[u8]) -> Result<X509Certificate<'_>, Refusal> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => well_formed(&certificate).map(|()| certificate),
        Ok(_) => Err(Refusal::new(Reason::MalformedCertificate, "bytes follow the certificate")),
        Err(error) => Err(Refusal::new(Reason::MalformedCertificate, error.to_string())),
    }
}

/// The extensions that decide something here: subjectAltName, key usage, extended key usage, basic constraints.
const DECISIVE: [&str; 4] = ["2.5.29.17", "2.5.29.15", "2.5.29.37", "2.5.29.19"];

/// Version 3, and of each extension one, whole and not empty. (RFC 5280 4.1.2.1, 4.2)
fn well_formed(certificate: &X509Certificate<'_>) -> Result<(), Refusal> {
    if certificate.version() != X509Version::V3 {
        let number = certificate.version().0.saturating_add(1);
        return Err(malformed(format!("it is X.509 v{number} and not v3")));
    }
    let mut seen = Vec::new();
    for extension in certificate.extensions() {
        let oid = extension.oid.to_id_string();
        if seen.contains(&oid) {
            return Err(malformed(format!("the extension {oid} is there twice")));
        }
        let is_one = matches!(Any::from_der(extension.value), Ok(([], _)));
        let parsed = extension.parsed_extension();
        let is_empty = matches!(parsed, ParsedExtension::SubjectAlternativeName(names) if names.general_names.is_empty())
            || matches!(parsed, ParsedExtension::KeyUsage(usage) if usage.flags == 0);
        if DECISIVE.contains(&oid.as_str()) && (!is_one || is_empty) {
            let what = if is_one { "says nothing" } else { "is not one DER value" };
            return Err(malformed(format!("the extension {oid} {what}")));
        }
        seen.push(oid);
    }
    Ok(())
}

/// Every rule for the peer's own certificate but its dates and its place in a chain.
pub(crate) fn leaf_rules(certificate: &X509Certificate<'_>, trial: &mut Trial<'_>) -> Result<(), Refusal> {
    strength(certificate, trial)?;
    no_ca(certificate)?;
    trial.excuse(usage(certificate, trial.role))?;
    trial.excuse(purpose(certificate, trial.role))?;
    key_period(certificate, trial.now)?;
    no_hostile_names(certificate)
}

/// What a CA between leaf and root has to be; the engine asks for less, and in full handshakes only. Of a root, which
/// the operator chose, [`context::roots`](crate::context) asks when it is loaded.
pub(crate) fn authority_rules(
    certificate: &X509Certificate<'_>,
    depth: usize,
    trial: &mut Trial<'_>,
) -> Result<(), Refusal> {
    strength(certificate, trial).and_then(|()| says_ca(certificate)).map_err(|refusal| {
        let detail = format!("{}{}", refusal.detail, whose(certificate, depth));
        Refusal::new(refusal.reason, detail)
    })
}

/// Critical basic constraints, and critical key usage with keyCertSign. (A-10; TS 33.310 6.1.4)
fn says_ca(certificate: &X509Certificate<'_>) -> Result<(), Refusal> {
    let bad = |detail: &str| Err(Refusal::new(Reason::BadChain, detail));
    let constraints = certificate.basic_constraints().map_err(malformed)?;
    if !constraints.is_some_and(|constraints| constraints.critical && constraints.value.ca) {
        return bad("there are no critical basic constraints that say CA:TRUE");
    }
    let usage = certificate.key_usage().map_err(malformed)?;
    if !usage.is_some_and(|usage| usage.critical && usage.value.key_cert_sign()) {
        return bad("there is no critical key usage with keyCertSign");
    }
    Ok(())
}

/// Which certificate of a chain a complaint is about: nothing for the leaf.
pub(crate) fn whose(certificate: &X509Certificate<'_>, depth: usize) -> String {
    if depth == 0 {
        return String::new();
    }
    let name = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok());
    format!(", for the CA \"{}\" {depth} above the leaf", name.unwrap_or_default())
}

/// The validity, both ends included. (RFC 5280 4.1.2.5, P-18)
pub(crate) fn dates(certificate: &X509Certificate<'_>, depth: usize, now: Timestamp) -> Result<(), Refusal> {
    let (now, validity) = (now.as_second(), certificate.validity());
    let reason = match () {
        () if now < validity.not_before.timestamp() => Reason::CertificateNotYetValid,
        () if now > validity.not_after.timestamp() => Reason::CertificateExpired,
        () => return Ok(()),
    };
    let words = if reason == Reason::CertificateExpired { "has expired" } else { "is not yet valid" };
    Err(Refusal::new(reason, format!("the certificate {words}{}", whose(certificate, depth))))
}

fn malformed(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::MalformedCertificate, error.to_string())
}

/// Key and signature.
pub(crate) fn strength(certificate: &X509Certificate<'_>, trial: &mut Trial<'_>) -> Result<(), Refusal> {
    let kind = key_kind(certificate).filter(|kind| trial.keys.contains(kind));
    let Some(kind) = kind else {
        let kinds: Vec<&str> = trial.keys.iter().map(|kind| kind.name()).collect();
        let detail = format!("the key is not one of: {}", kinds.join(", "));
        return Err(Refusal::new(Reason::KeyType, detail));
    };
    let bits = rsa_bits(certificate).filter(|_| kind == KeyKind::Rsa);
    if let Some(bits) = bits.filter(|bits| *bits < trial.min_rsa_bits) {
        let detail = format!("the RSA key has {bits} bits, fewer than {}", trial.min_rsa_bits);
        trial.excuse(Err(Refusal::new(Reason::WeakKey, detail)))?;
    }
    if !has_strong_signature(certificate) {
        let detail = "the certificate is not signed with SHA-256 or better";
        trial.excuse(Err(Refusal::new(Reason::WeakSignature, detail)))?;
    }
    Ok(())
}

///
fn no_ca(certificate: &X509Certificate<'_>) -> Result<(), Refusal> {
    let constraints = certificate.basic_constraints().map_err(malformed)?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err(Refusal::new(
            Reason::CaCertificate,
            "the certificate is a CA's (basicConstraints CA:TRUE)",
        ));
    }
    let usage = certificate.key_usage().map_err(malformed)?;
    if usage.is_some_and(|usage| usage.value.key_cert_sign()) {
        return Err(Refusal::new(Reason::CaCertificate, "the certificate may sign others (keyCertSign)"));
    }
    Ok(())
}

/// Which key usages a certificate permits: signing a handshake, and decrypting a premaster secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permits {
    pub(crate) digital_signature: bool,
    pub(crate) key_encipherment: bool,
}

/// Key usage, which has to be there and critical.
pub(crate) fn permits(certificate: &X509Certificate<'_>) -> Result<Permits, Refusal> {
    let extension = certificate.key_usage().map_err(malformed)?;
    let Some(usage) = extension else {
        return Err(Refusal::new(Reason::KeyUsage, "the certificate has no key usage"));
    };
    if !usage.critical {
        return Err(Refusal::new(Reason::KeyUsage, "key usage is not critical"));
    }
    Ok(Permits {
        digital_signature: usage.value.digital_signature(),
        key_encipherment: usage.value.key_encipherment(),
    })
}

/// A H(e)NB signs; what a H(e)MS needs depends on the suite, which [`suite_usage`] knows after the handshake.
fn usage(certificate: &X509Certificate<'_>, role: Role) -> Result<(), Refusal> {
    let permits = permits(certificate)?;
    let enough = match role {
        Role::Henb | Role::Wake | Role::Listener => permits.digital_signature,
        Role::Hems => permits.digital_signature || permits.key_encipherment,
    };
    if enough { Ok(()) } else { Err(Refusal::new(Reason::KeyUsage, "key usage lacks digitalSignature")) }
}

/// Whether a H(e)MS certificate permits what the negotiated suite did with its key. (RFC 5246 7.4.2)
pub(crate) fn suite_usage(certificate: &X509Certificate<'_>, is_forward_secret: bool) -> Result<(), Refusal> {
    let permits = permits(certificate)?;
    match (is_forward_secret, permits.digital_signature, permits.key_encipherment) {
        (true, true, _) | (false, _, true) => Ok(()),
        (true, false, _) => Err(Refusal::new(Reason::KeyUsage, "a DHE suite needs digitalSignature")),
        (false, _, false) => Err(Refusal::new(Reason::KeyUsage, "a static RSA suite needs keyEncipherment")),
    }
}

/// Extended key usage may be absent; where it is there it names the role, which anyExtendedKeyUsage does not.
///
/// The wake role is the exception: nobody has it by saying nothing, and who has it is no TLS server.
fn purpose(certificate: &X509Certificate<'_>, role: Role) -> Result<(), Refusal> {
    let extended = certificate.extended_key_usage().map_err(malformed)?.map(|extended| extended.value);
    let (named, missing) = match (role, extended) {
        (Role::Henb | Role::Hems | Role::Listener, None) => return Ok(()),
        (Role::Henb, Some(usage)) => (usage.client_auth, "extended key usage lacks clientAuth"),
        (Role::Hems | Role::Listener, Some(usage)) => {
            (usage.server_auth, "extended key usage lacks serverAuth")
        }
        (Role::Wake, usage) => {
            let wakes = usage.is_some_and(|usage| names_purpose(usage, WAKE_PURPOSE) && !usage.server_auth);
            (wakes, "extended key usage does not name the wake role alone")
        }
    };
    if named { Ok(()) } else { Err(Refusal::new(Reason::ExtendedKeyUsage, missing)) }
}

/// The extended key usage of a H(e)MS that sends Connection Requests; an identifier of its own, from a UUID.
/// (X.667 6.3)
pub const WAKE_PURPOSE: &str = "2.25.19695848434456463019426568005907135246";

/// Whether a purpose that the parser has no name for is among those of a certificate.
pub(crate) fn names_purpose(extended: &ExtendedKeyUsage<'_>, purpose: &str) -> bool {
    let wanted = Asn1Object::from_str(purpose);
    wanted.is_ok_and(|wanted| extended.other.iter().any(|oid| oid.as_bytes() == wanted.as_slice()))
}

/// Whether a certificate is for this host, by subjectAltName alone and without wildcards.
pub(crate) fn is_for_host(certificate: &X509Certificate<'_>, host: &str) -> Result<(), Refusal> {
    let names = certificate.subject_alternative_name().map_err(malformed)?;
    let mut names = names.into_iter().flat_map(|names| &names.value.general_names);
    let is_named = match address_literal(host) {
        Some(IpAddr::V4(address)) => names.any(|name| *name == GeneralName::IPAddress(&address.octets())),
        Some(IpAddr::V6(address)) => names.any(|name| *name == GeneralName::IPAddress(&address.octets())),
        None => dns_names(certificate).iter().any(|name| name.eq_ignore_ascii_case(host)),
    };
    if is_named {
        return Ok(());
    }
    let names = dns_names(certificate).join(", ");
    Err(Refusal::new(Reason::WrongName, format!("the certificate is for \"{names}\", the H(e)MS is {host}")))
}

/// A time field beside the validity. (P-18; RFC 3280 4.2.1.4)
const PRIVATE_KEY_USAGE_PERIOD: &str = "2.5.29.16";

pub(crate) fn key_period(certificate: &X509Certificate<'_>, now: Timestamp) -> Result<(), Refusal> {
    let mut extensions = certificate.extensions().iter();
    let Some(extension) =
        extensions.find(|extension| extension.oid.to_id_string() == PRIVATE_KEY_USAGE_PERIOD)
    else {
        return Ok(());
    };
    let Some((not_before, not_after)) = read_period(extension.value) else {
        return Err(malformed("the private key usage period cannot be read"));
    };
    if not_before.is_some_and(|begin| now < begin) || not_after.is_some_and(|end| now > end) {
        return Err(Refusal::new(
            Reason::KeyPeriod,
            format!("the private key usage period does not cover {now}"),
        ));
    }
    Ok(())
}

/// `SEQUENCE { notBefore [0] GeneralizedTime OPTIONAL, notAfter [1] GeneralizedTime OPTIONAL }`.
fn read_period(der: &[u8]) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
    let [0x30, length, rest @ ..] = der else {
        return None;
    };
    if usize::from(*length) != rest.len() {
        return None;
    }
    let (not_before, rest) = read_time(0x80, rest)?;
    let (not_after, rest) = read_time(0x81, rest)?;
    rest.is_empty().then_some((not_before, not_after))
}

/// An optional GeneralizedTime under a context tag: the outer `None` is an error.
fn read_time(tag: u8, der: &[u8]) -> Option<(Option<Timestamp>, &[u8])> {
    match der {
        [found, length, rest @ ..] if *found == tag => {
            let (text, rest) = rest.split_at_checked(usize::from(*length))?;
            let text = std::str::from_utf8(text).ok()?;
            let (date, time) = text.split_at_checked(8)?;
            Some((Some(format!("{date}T{time}").parse().ok()?), rest))
        }
        _ => Some((None, der)),
    }
}

/// Names that one reader ends early, or that a resolver reads otherwise. (Decision 7)
fn no_hostile_names(certificate: &X509Certificate<'_>) -> Result<(), Refusal> {
    certificate.subject_alternative_name().map_err(malformed)?;
    for name in dns_names(certificate) {
        if name.chars().any(|character| !character.is_ascii_graphic()) || name.ends_with('.') {
            return Err(Refusal::new(
                Reason::HostileName,
                format!("the dNSName \"{name}\" can be read in two ways"),
            ));
        }
    }
    Ok(())
}

/// The one identity in a H(e)NB's certificate. (TS 33.320 8.3.4, P-20; I-01 to I-04)
pub(crate) fn identity_of(certificate: &X509Certificate<'_>) -> Result<Identity, Refusal> {
    no_hostile_names(certificate)?;
    let names = dns_names(certificate);
    let mut found: Vec<Identity> = Vec::new();
    for name in &names {
        let looks_like_one = name.split('.').next().is_some_and(is_eui);
        match Identity::parse(name) {
            Ok(identity) if !found.contains(&identity) => found.push(identity),
            Err(error) if looks_like_one => {
                return Err(Refusal::new(Reason::NotAnIdentity, format!("the dNSName \"{name}\": {error}")));
            }
            Ok(_) | Err(_) => {}
        }
    }
    match found.as_slice() {
        [identity] => Ok(identity.clone()),
        [] => Err(Refusal::new(Reason::NotAnIdentity, no_identity(certificate, &names))),
        several => {
            let list: Vec<&str> = several.iter().map(Identity::as_str).collect();
            Err(Refusal::new(Reason::SeveralIdentities, format!("the certificate names {}", list.join(", "))))
        }
    }
}

/// The identity in the common name, for fleets that an exception names.
pub(crate) fn common_name_identity(certificate: &X509Certificate<'_>) -> Option<Identity> {
    let mut names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let identity = Identity::parse(names.next()?).ok()?;
    names.next().is_none().then_some(identity)
}

fn no_identity(certificate: &X509Certificate<'_>, names: &[&str]) -> String {
    let mut common_names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    if names.is_empty() && common_names.any(|name| Identity::parse(name).is_ok()) {
        return "the identity stands in the common name only".to_owned();
    }
    match names {
        [] => "the certificate has no dNSName".to_owned(),
        names => format!("no dNSName has the form <EUI>.<realm>: {}", names.join(", ")),
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
