//! The certificate rules that the engine lacks or cannot name: usage, identity, realm, key and signature.
//!
//! The engine builds the chain and checks signatures, dates and constraints; [`leaf_rules`] reads the leaf
//! again with another parser, in the handshake (so that the peer gets an alert) and once more after it. What
//! two parsers could read in two ways is refused. (TS 33.320 8.3.3, A-07 to A-10, I-01 to I-04)

use std::net::IpAddr;

use jiff::Timestamp;
use openssl::asn1::Asn1Object;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName};
use x509_parser::prelude::{FromDer, X509Certificate};

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

/// Reads DER as exactly one certificate.
pub(crate) fn read(der: &[u8]) -> Result<X509Certificate<'_>, Refusal> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(Refusal::new(Reason::MalformedCertificate, "bytes follow the certificate")),
        Err(error) => Err(Refusal::new(Reason::MalformedCertificate, error.to_string())),
    }
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

/// What the engine checks in a CA between leaf and root, said again because it says it in full handshakes only.
pub(crate) fn authority_rules(
    certificate: &X509Certificate<'_>,
    depth: usize,
    trial: &mut Trial<'_>,
) -> Result<(), Refusal> {
    strength(certificate, trial).map_err(|refusal| {
        let detail = format!("{}{}", refusal.detail, whose(certificate, depth));
        Refusal::new(refusal.reason, detail)
    })
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

/// Extended key usage may be absent; where it is there it names the role.
///
/// The wake role is the exception: nobody has it by saying nothing, and who has it is no TLS server.
fn purpose(certificate: &X509Certificate<'_>, role: Role) -> Result<(), Refusal> {
    let extended = certificate.extended_key_usage().map_err(malformed)?.map(|extended| extended.value);
    let (named, missing) = match (role, extended) {
        (Role::Henb | Role::Hems | Role::Listener, None) => return Ok(()),
        (Role::Henb, Some(usage)) => (usage.client_auth || usage.any, "extended key usage lacks clientAuth"),
        (Role::Hems | Role::Listener, Some(usage)) => {
            (usage.server_auth || usage.any, "extended key usage lacks serverAuth")
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
mod tests {
    use openssl::x509::X509;

    use super::*;
    use crate::pki::{Authority, Digest, Key, LeafOrder, Purpose, Usage, Validity};
    use crate::profile::Profile;

    const NAME: &str = "00005e005301.hnb.example";

    fn henb() -> LeafOrder {
        LeafOrder::henb(&Identity::parse(NAME).unwrap())
    }

    fn der(order: &LeafOrder, key: &Key) -> Vec<u8> {
        let pem = Authority::self_signed(order, key).unwrap().pem().unwrap();
        X509::from_pem(&pem).unwrap().to_der().unwrap()
    }

    fn trial(role: Role) -> Trial<'static> {
        Trial::plain(role, &Profile::TS33320, Timestamp::now())
    }

    fn reason(order: &LeafOrder, key: &Key, role: Role) -> Option<Reason> {
        let der = der(order, key);
        leaf_rules(&read(&der).unwrap(), &mut trial(role)).err().map(|refusal| refusal.reason)
    }

    #[test]
    fn a07_a08_usage_names_the_role() {
        let key = Key::generate(2048).unwrap();
        let hems = LeafOrder::hems("hems.example");
        let usages = |order: LeafOrder, usages: &[Usage]| order.usages(usages);
        for (order, role, expected) in [
            (henb(), Role::Henb, None),
            (henb(), Role::Hems, Some(Reason::ExtendedKeyUsage)),
            (hems.clone(), Role::Hems, None),
            (hems.clone(), Role::Henb, Some(Reason::ExtendedKeyUsage)),
            (henb().purposes(&[]), Role::Henb, None),
            (henb().purposes(&[Purpose::CodeSigning]), Role::Henb, Some(Reason::ExtendedKeyUsage)),
            (usages(henb(), &[]), Role::Henb, Some(Reason::KeyUsage)),
            (usages(henb(), &[Usage::KeyEncipherment]), Role::Henb, Some(Reason::KeyUsage)),
            (usages(hems.clone(), &[Usage::KeyEncipherment]), Role::Hems, None),
            (usages(hems.clone(), &[Usage::KeyCertSign]), Role::Hems, Some(Reason::KeyUsage)),
            (LeafOrder::wake("hems.example"), Role::Wake, None),
            (LeafOrder::wake("hems.example").purposes(&[]), Role::Wake, Some(Reason::ExtendedKeyUsage)),
            (henb(), Role::Wake, Some(Reason::ExtendedKeyUsage)),
            (hems.clone(), Role::Wake, Some(Reason::ExtendedKeyUsage)),
            (
                hems.purposes(&[Purpose::ServerAuth, Purpose::Wake]),
                Role::Wake,
                Some(Reason::ExtendedKeyUsage),
            ),
            (LeafOrder::wake("hems.example"), Role::Hems, Some(Reason::ExtendedKeyUsage)),
            (LeafOrder::signer("example"), Role::Wake, Some(Reason::ExtendedKeyUsage)),
            (LeafOrder::listener(&Identity::parse(NAME).unwrap()), Role::Listener, None),
            (
                LeafOrder::listener(&Identity::parse(NAME).unwrap()),
                Role::Henb,
                Some(Reason::ExtendedKeyUsage),
            ),
            (henb(), Role::Listener, Some(Reason::ExtendedKeyUsage)),
            (henb().as_ca(), Role::Henb, Some(Reason::CaCertificate)),
        ] {
            assert_eq!(reason(&order, &key, role), expected, "{order:?}");
        }
    }

    #[test]
    fn a08_key_usage_that_is_not_critical_is_refused() {
        let key = Key::generate(2048).unwrap();
        for (order, role) in [(henb(), Role::Henb), (LeafOrder::hems("hems.example"), Role::Hems)] {
            let der = der(&order.uncritical_usage(), &key);
            let refusal = leaf_rules(&read(&der).unwrap(), &mut trial(role)).unwrap_err();
            assert_eq!(refusal.to_string(), "key_usage: key usage is not critical", "{role:?}");
        }
    }

    #[test]
    fn a09_weak_keys_and_signatures_are_refused() {
        let key = Key::generate(2048).unwrap();
        let small = Key::generate(1024).unwrap();
        let odd = Key::generate(2047).unwrap();
        assert_eq!(reason(&henb(), &small, Role::Henb), Some(Reason::WeakKey));
        assert_eq!(reason(&henb(), &odd, Role::Henb), Some(Reason::WeakKey));
        assert_eq!(reason(&henb(), &Key::generate_ec().unwrap(), Role::Henb), Some(Reason::KeyType));
        for digest in [Digest::Md5, Digest::Sha1] {
            assert_eq!(reason(&henb().digest(digest), &key, Role::Henb), Some(Reason::WeakSignature));
        }
    }

    #[test]
    fn p18_the_private_key_usage_period_counts() {
        let key = Key::generate(2048).unwrap();
        let hour = jiff::SignedDuration::from_hours(1);
        let now = Timestamp::now();
        let period = |not_before, not_after| henb().key_period(Validity { not_before, not_after });
        assert_eq!(reason(&period(now - hour, now + hour), &key, Role::Henb), None);
        assert_eq!(reason(&period(now - hour * 2, now - hour), &key, Role::Henb), Some(Reason::KeyPeriod));
        assert_eq!(reason(&period(now + hour, now + hour * 2), &key, Role::Henb), Some(Reason::KeyPeriod));
    }

    #[test]
    fn p18_a_period_that_cannot_be_read_is_no_period() {
        let time = b"20260601000000Z";
        let one = |tag: u8| [&[0x30, 17, tag, 15], time.as_slice()].concat();
        assert!(matches!(read_period(&one(0x80)), Some((Some(_), None))));
        assert!(matches!(read_period(&one(0x81)), Some((None, Some(_)))));
        assert!(matches!(read_period(&[0x30, 0]), Some((None, None))));
        let short = [0x30, 3, 0x80, 15, 0x32];
        for bad in [one(0x82).as_slice(), &short, &[], &[0x30], &[0x30, 0x82, 0, 0], &[0x30, 2, 0x80, 0]] {
            assert_eq!(read_period(bad), None, "{bad:?}");
        }
    }

    #[expect(clippy::unwrap_in_result, reason = "a test's own certificate can be read")]
    fn identity(order: &LeafOrder, key: &Key) -> Result<String, Reason> {
        let der = der(order, key);
        identity_of(&read(&der).unwrap())
            .map(|identity| identity.to_string())
            .map_err(|refusal| refusal.reason)
    }

    #[test]
    fn p20_i01_i04_a_certificate_has_one_identity() {
        let key = Key::generate(2048).unwrap();
        let names = |names: &[&str]| identity(&henb().dns_names(names), &key);
        assert_eq!(names(&["00005E005301.HNB.example"]), Ok(NAME.to_owned()));
        assert_eq!(names(&[NAME, "cell.example"]), Ok(NAME.to_owned()));
        assert_eq!(names(&[NAME, "00005E005301.hnb.example"]), Ok(NAME.to_owned()));
        assert_eq!(names(&[NAME, "00005e005302.hnb.example"]), Err(Reason::SeveralIdentities));
        assert_eq!(names(&[NAME, "00005efffe005301.hnb.example"]), Err(Reason::SeveralIdentities));
        assert_eq!(names(&[]), Err(Reason::NotAnIdentity));
        assert_eq!(names(&["cell.hnb.example"]), Err(Reason::NotAnIdentity));
        assert_eq!(names(&["*.hnb.example"]), Err(Reason::NotAnIdentity));
        assert_eq!(names(&[NAME, "00005e005302.local"]), Err(Reason::NotAnIdentity));
        assert_eq!(names(&["00005e005301.hnb.example."]), Err(Reason::HostileName));
        assert_eq!(names(&["00005e005301.hnb.example\0.evil.example"]), Err(Reason::HostileName));
        assert_eq!(names(&["00005e005301.hnb.example", "x\ny"]), Err(Reason::HostileName));
        assert_eq!(names(&[" 00005e005301.hnb.example"]), Err(Reason::HostileName));
    }

    #[test]
    fn a02_a_name_that_is_no_ascii_is_refused_and_not_guessed() {
        let key = Key::generate(2048).unwrap();
        let order = henb().dns_names(&[b"00005e005301.hnb.ex\xE4mple".as_slice()]);
        assert!(matches!(
            identity(&order, &key),
            Err(Reason::MalformedCertificate | Reason::HostileName | Reason::NotAnIdentity)
        ));
    }

    /// Reads whatever it is given as far as it goes.
    fn judge(der: &[u8]) {
        let Ok(certificate) = read(der) else {
            return;
        };
        crate::certificate::CertificateFacts::read(der).unwrap();
        is_for_host(&certificate, "hems.example").ok();
        for role in [Role::Henb, Role::Hems, Role::Wake, Role::Listener] {
            leaf_rules(&certificate, &mut trial(role)).ok();
            authority_rules(&certificate, 1, &mut trial(role)).ok();
            dates(&certificate, 1, Timestamp::now()).ok();
        }
        identity_of(&certificate).ok();
        common_name_identity(&certificate);
        suite_usage(&certificate, true).ok();
    }

    #[test]
    fn no_damaged_certificate_stops_us() {
        let now = Timestamp::now();
        let order = henb().key_period(Validity { not_before: now, not_after: now });
        let good = der(&order, &Key::generate(2048).unwrap());
        for at in 0..good.len() {
            judge(&good[..at]);
            for value in [0x00, 0x01, 0x7F, 0x80, 0x84, 0xFF, good[at] ^ 0x01, good[at].wrapping_add(1)] {
                let mut damaged = good.clone();
                damaged[at] = value;
                judge(&damaged);
            }
        }
    }
}
