//! Claims about what a certificate must be, rule by rule.

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
        (usages(hems.clone(), &[Usage::KeyCertSign]), Role::Hems, Some(Reason::CaCertificate)),
        (LeafOrder::wake("hems.example"), Role::Wake, None),
        (LeafOrder::wake("hems.example").purposes(&[]), Role::Wake, Some(Reason::ExtendedKeyUsage)),
        (henb(), Role::Wake, Some(Reason::ExtendedKeyUsage)),
        (hems.clone(), Role::Wake, Some(Reason::ExtendedKeyUsage)),
        (hems.purposes(&[Purpose::ServerAuth, Purpose::Wake]), Role::Wake, Some(Reason::ExtendedKeyUsage)),
        (LeafOrder::wake("hems.example"), Role::Hems, Some(Reason::ExtendedKeyUsage)),
        (LeafOrder::signer("example"), Role::Wake, Some(Reason::ExtendedKeyUsage)),
        (LeafOrder::listener(&Identity::parse(NAME).unwrap()), Role::Listener, None),
        (LeafOrder::listener(&Identity::parse(NAME).unwrap()), Role::Henb, Some(Reason::ExtendedKeyUsage)),
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
    identity_of(&read(&der).unwrap()).map(|identity| identity.to_string()).map_err(|refusal| refusal.reason)
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
fn a09_what_follows_inside_an_extension_and_what_says_nothing_is_malformed() {
    let good = der(&henb(), &Key::generate(2048).unwrap());
    let at = |bytes: &[u8]| good.windows(bytes.len()).rposition(|window| window == bytes).unwrap();
    let [mut longer, mut empty] = [good.clone(), good.clone()];
    // The SEQUENCE of names ends a byte earlier than its OCTET STRING.
    let names = at(NAME.as_bytes()) - 4;
    longer[names + 1] -= 1;
    longer[names + 3] -= 1;
    // keyUsage: BIT STRING digitalSignature.
    let usage = at(&[0x03, 0x02, 0x07, 0x80]);
    empty[usage + 3] = 0;
    let reasons = [longer, empty].map(|der| read(&der).unwrap_err().reason);
    assert_eq!(reasons, [Reason::MalformedCertificate; 2]);
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
