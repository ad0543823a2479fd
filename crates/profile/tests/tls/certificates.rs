//! The corpus of bad certificates, as cells would bring them: one row each, with the reason that the listener
//! reports and the alert that the cell hears, at TLS 1.1 and 1.2. (TS 33.320 8.3.3 and 8.3.4; A, I, P-18, P-21)
//!
//! A row without a verdict is good: it stands beside its bad neighbours to show where the line is drawn. The same
//! rules for a H(e)MS certificate, seen by a cell, are in `mirror.rs`.

use audit::{Call, Credentials, TLS11, TLS12};
use jiff::{SignedDuration, Timestamp};
use profile::Reason;
use profile::pki::{
    Authority, AuthorityOrder, Defect, Digest, Issued, Key, LeafOrder, Purpose, Usage, Validity,
};

use crate::world::{CELL, World, future, identity, past};

/// One certificate: what is odd about it, what becomes of it.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) chain: Vec<u8>,
    /// Where the clock stands; at the present unless said otherwise.
    pub(crate) at: Option<Timestamp>,
    /// The reason, and the number of the alert. (RFC 5246 7.2)
    pub(crate) verdict: Option<(Reason, u8)>,
}

pub(crate) fn bad(name: impl Into<String>, issued: &Issued, reason: Reason, alert: u8) -> Row {
    Row { name: name.into(), chain: issued.pem().unwrap(), at: None, verdict: Some((reason, alert)) }
}

pub(crate) fn good(name: impl Into<String>, issued: &Issued) -> Row {
    Row { name: name.into(), chain: issued.pem().unwrap(), at: None, verdict: None }
}

impl Row {
    pub(crate) fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }
}

fn henb() -> LeafOrder {
    LeafOrder::henb(&identity())
}

/// Names. The CA may sign any: what an anchor may vouch for is the listener's to know. (I-01, I-02, A-01, A-02)
fn names(world: &World) -> Vec<Row> {
    let issue = |order: &LeafOrder| world.manufacturer.issue(order, &world.key).unwrap();
    let named = |names: &[&str]| issue(&henb().dns_names(names));
    let no_identity = |name: &str, dns: &str| bad(name, &named(&[dns]), Reason::NotAnIdentity, 40);
    let address = "192.0.2.1".parse().unwrap();
    vec![
        no_identity("EUI of 11 digits", "00005e00530.hnb.example"),
        no_identity("EUI of 13 digits", "00005e0053011.hnb.example"),
        no_identity("EUI of 15 digits", "00005efffe00530.hnb.example"),
        no_identity("EUI of 17 digits", "00005efffe0053011.hnb.example"),
        no_identity("EUI with hyphens", "00-00-5e-00-53-01.hnb.example"),
        no_identity("EUI with colons", "00:00:5e:00:53:01.hnb.example"),
        no_identity("EUI with a letter that is no digit", "00005e00530g.hnb.example"),
        no_identity("EUI without a realm", "00005e005301"),
        no_identity("EUI behind another label", "cell.00005e005301.hnb.example"),
        no_identity("no EUI", "cell.hnb.example"),
        no_identity("wildcard", "*.hnb.example"),
        no_identity("realm with an underscore", "00005e005301.hnb_x.example"),
        bad("common name only", &named(&[]), Reason::NotAnIdentity, 40),
        bad(
            "address only",
            &issue(&henb().dns_names::<&str>(&[]).addresses(&[address])),
            Reason::NotAnIdentity,
            40,
        ),
        bad("two EUIs", &named(&[CELL, "00005e005302.hnb.example"]), Reason::SeveralIdentities, 40),
        bad(
            "EUI-48 and its EUI-64",
            &named(&[CELL, "00005efffe005301.hnb.example"]),
            Reason::SeveralIdentities,
            40,
        ),
        bad("two realms", &named(&[CELL, "00005e005301.other.example"]), Reason::SeveralIdentities, 40),
        bad("NUL", &named(&["00005e005301.hnb.example\0.evil.example"]), Reason::HostileName, 40),
        bad("trailing dot", &named(&["00005e005301.hnb.example."]), Reason::HostileName, 40),
        bad("line feed", &named(&[CELL, "x\ny"]), Reason::HostileName, 40),
        bad("leading space", &named(&[" 00005e005301.hnb.example"]), Reason::HostileName, 40),
        bad("realm of nobody", &named(&["00005e005301.evil.example"]), Reason::RealmNotOfAnchor, 40),
        bad("realm below ours", &named(&["00005e005301.sub.hnb.example"]), Reason::RealmNotOfAnchor, 40),
        bad("realm of another anchor", &named(&["00005e005301.other.example"]), Reason::RealmNotOfAnchor, 40),
        good("upper case", &named(&["00005E005301.HNB.Example"])),
        good("the same name twice", &named(&[CELL, "00005E005301.hnb.example"])),
        good("EUI-64", &named(&["00005efffe005301.hnb.example"])),
        good("another name beside", &named(&[CELL, "cell.hnb.example"])),
        good("another common name", &issue(&henb().common_name("whatever"))),
    ]
}

/// The times in a certificate, each to the second: both ends belong to it. (P-18, A-19; RFC 5280 4.1.2.5)
pub(crate) fn edges(issue: impl Fn(Validity) -> Issued, outside: [(Reason, u8); 2]) -> Vec<Row> {
    let second = SignedDuration::from_secs(1);
    let hour = SignedDuration::from_hours(1);
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let validity = Validity { not_before: now - hour, not_after: now + hour };
    let issued = issue(validity);
    let [(early, early_alert), (late, late_alert)] = outside;
    vec![
        bad("a second before it begins", &issued, early, early_alert).at(validity.not_before - second),
        good("the second when it begins", &issued).at(validity.not_before),
        good("the second when it ends", &issued).at(validity.not_after),
        bad("a second after it ended", &issued, late, late_alert).at(validity.not_after + second),
    ]
}

const OUTSIDE_VALIDITY: [(Reason, u8); 2] =
    [(Reason::CertificateNotYetValid, 42), (Reason::CertificateExpired, 45)];

fn dates(world: &World) -> Vec<Row> {
    let issue = |order: &LeafOrder| world.manufacturer.issue(order, &world.key).unwrap();
    let mut rows = edges(|validity| issue(&henb().valid(validity)), OUTSIDE_VALIDITY);
    rows.extend(edges(|validity| issue(&henb().key_period(validity)), [(Reason::KeyPeriod, 40); 2]));
    let usual = issue(&henb());
    rows.extend([
        bad("expired", &issue(&henb().valid(past())), Reason::CertificateExpired, 45),
        bad("not yet valid", &issue(&henb().valid(future())), Reason::CertificateNotYetValid, 42),
        bad("key period over", &issue(&henb().key_period(past())), Reason::KeyPeriod, 40),
        bad("clock at 1970", &usual, Reason::CertificateNotYetValid, 42).at(Timestamp::UNIX_EPOCH),
        bad("clock at 2040", &usual, Reason::CertificateExpired, 45)
            .at("2040-01-01T00:00:00Z".parse().unwrap()),
        bad("clock at 2099", &usual, Reason::CertificateExpired, 45)
            .at("2099-01-01T00:00:00Z".parse().unwrap()),
    ]);
    rows
}

/// What the key is for.
fn usages(world: &World) -> Vec<Row> {
    let issue = |order: LeafOrder| world.manufacturer.issue(&order, &world.key).unwrap();
    let any = henb().purposes(&[]).defective(Defect::AnyPurpose);
    let signs = henb().usages(&[Usage::DigitalSignature, Usage::KeyCertSign]);
    let signing_ca = henb().as_ca().usages(&[Usage::DigitalSignature, Usage::KeyCertSign]);
    vec![
        bad(
            "key usage for encipherment",
            &issue(henb().usages(&[Usage::KeyEncipherment])),
            Reason::KeyUsage,
            43,
        ),
        bad("key usage that is not critical", &issue(henb().uncritical_usage()), Reason::KeyUsage, 43),
        bad("no key usage", &issue(henb().usages(&[])), Reason::KeyUsage, 43),
        bad(
            "purpose of a server",
            &issue(henb().purposes(&[Purpose::ServerAuth])),
            Reason::ExtendedKeyUsage,
            43,
        ),
        bad(
            "purpose of code",
            &issue(henb().purposes(&[Purpose::CodeSigning])),
            Reason::ExtendedKeyUsage,
            43,
        ),
        bad("every purpose", &issue(any), Reason::ExtendedKeyUsage, 43),
        bad("certificates to sign", &issue(signs), Reason::CaCertificate, 40),
        bad("CA flag", &issue(signing_ca), Reason::CaCertificate, 40),
        good("no purposes", &issue(henb().purposes(&[]))),
        good("both purposes", &issue(henb().purposes(&[Purpose::ServerAuth, Purpose::ClientAuth]))),
        good("both usages", &issue(henb().usages(&[Usage::DigitalSignature, Usage::KeyEncipherment]))),
    ]
}

/// Keys and signatures, of the leaf and above it. (A-09, T-14)
fn strengths(world: &World) -> Vec<Row> {
    let key = |key: &Key| world.manufacturer.issue(&henb(), key).unwrap();
    let digest = |digest| world.manufacturer.issue(&henb().digest(digest), &world.key).unwrap();
    vec![
        bad("RSA of 1024 bits", &key(&Key::generate(1024).unwrap()), Reason::WeakKey, 42),
        bad("RSA of 2040 bits", &key(&Key::generate(2040).unwrap()), Reason::WeakKey, 42),
        bad("curve", &key(&Key::generate_ec().unwrap()), Reason::KeyType, 42),
        bad("SHA-1", &digest(Digest::Sha1), Reason::WeakSignature, 42),
        bad("MD5", &digest(Digest::Md5), Reason::WeakSignature, 42),
    ]
}

fn between() -> AuthorityOrder {
    AuthorityOrder::lab("between", "hnb.example")
}

/// Chains through one CA between, which is wrong. (A-09, A-10, P-18)
fn chains(world: &World) -> Vec<Row> {
    let below = |order: &AuthorityOrder| {
        world.manufacturer.subordinate(order).unwrap().issue(&henb(), &world.key).unwrap()
    };
    let defective = |defect| below(&between().defective(defect));
    vec![
        good("a CA between", &below(&between())),
        bad("a CA of RSA with 1024 bits", &below(&between().bits(1024)), Reason::WeakKey, 42),
        bad("a CA signed with SHA-1", &below(&between().digest(Digest::Sha1)), Reason::WeakSignature, 42),
        bad("a CA signed with MD5", &below(&between().digest(Digest::Md5)), Reason::WeakSignature, 42),
        bad("a CA that expired", &below(&between().valid(past())), Reason::CertificateExpired, 45),
        bad(
            "a CA that is not yet valid",
            &below(&between().valid(future())),
            Reason::CertificateNotYetValid,
            42,
        ),
        bad("a CA without the flag", &defective(Defect::NotCa), Reason::BadChain, 48),
        bad("a CA without basic constraints", &defective(Defect::NoConstraints), Reason::BadChain, 48),
        bad("a CA that may not sign", &defective(Defect::NoCertSign), Reason::BadChain, 48),
        bad(
            "a CA that says so uncritically",
            &defective(Defect::UncriticalConstraints),
            Reason::BadChain,
            48,
        ),
        bad("a CA without key usage", &defective(Defect::NoUsage), Reason::BadChain, 48),
        bad("a CA with uncritical key usage", &defective(Defect::UncriticalUsage), Reason::BadChain, 48),
        bad("two CAs where one may be", &two_between(world), Reason::BadChain, 48),
    ]
}

fn two_between(world: &World) -> Issued {
    let first = world.manufacturer.subordinate(&between().path_length(1)).unwrap();
    // A CA of its issuer's name would not count. (RFC 5280 4.2.1.9)
    first
        .subordinate(&AuthorityOrder::lab("deeper", "hnb.example"))
        .unwrap()
        .issue(&henb(), &world.key)
        .unwrap()
}

/// Who signed.
fn issuers(world: &World) -> Vec<Row> {
    let stranger = Authority::create(&AuthorityOrder::lab("manufacturer", "hnb.example")).unwrap();
    let by = |authority: &Authority, order: &LeafOrder| authority.issue(order, &world.key).unwrap();
    let usual = |order: &LeafOrder| by(&world.manufacturer, order);
    let inner = world.manufacturer.subordinate(&between()).unwrap();
    let mut headless = good("", &by(&inner, &henb()));
    headless.chain.truncate(headless.chain.len() - inner.pem().unwrap().len());
    vec![
        bad("unknown CA of the same name", &by(&stranger, &henb()), Reason::UnknownIssuer, 48),
        bad("self-signed", &Authority::self_signed(&henb(), &world.key).unwrap(), Reason::SelfSigned, 48),
        bad("our own CA", &by(&world.operator, &henb()), Reason::UnknownIssuer, 48),
        Row { name: "CA between left out".into(), verdict: Some((Reason::UnknownIssuer, 48)), ..headless },
        bad("version 1", &usual(&henb().defective(Defect::Version1)), Reason::MalformedCertificate, 42),
        bad("version 4", &usual(&henb().defective(Defect::Version4)), Reason::MalformedCertificate, 42),
        bad("names twice", &usual(&henb().defective(Defect::NamesTwice)), Reason::MalformedCertificate, 42),
        bad(
            "unknown critical extension",
            &usual(&henb().defective(Defect::UnknownCritical)),
            Reason::CriticalExtension,
            46,
        ),
    ]
}

/// Name constraints of the CA, which count beside the anchor's realms. (RFC 5280 4.2.1.10, A-10)
fn constraints(world: &World) -> Vec<Row> {
    let constrained = Authority::create(&AuthorityOrder::lab("constrained", "other.example")).unwrap();
    std::fs::write(world.file("manufacturer.pem"), constrained.pem().unwrap()).unwrap();
    let issue = |order: &LeafOrder| constrained.issue(order, &world.key).unwrap();
    let inside = issue(&henb().dns_names(&["00005e005301.other.example"]));
    let unconstrained = world.manufacturer.issue(&henb(), &world.key).unwrap();
    vec![
        bad("our realm outside the constraints", &issue(&henb()), Reason::BadChain, 48),
        bad("another realm inside the constraints", &inside, Reason::RealmNotOfAnchor, 40),
        bad("a CA that is an anchor no more", &unconstrained, Reason::UnknownIssuer, 48),
    ]
}

/// An address, which every lab CA excludes.
fn addresses(world: &World) -> Vec<Row> {
    let constrained = Authority::create(&AuthorityOrder::lab("constrained", "hnb.example")).unwrap();
    std::fs::write(world.file("manufacturer.pem"), constrained.pem().unwrap()).unwrap();
    let issue = |order: &LeafOrder| constrained.issue(order, &world.key).unwrap();
    let addressed = issue(&henb().addresses(&["192.0.2.1".parse().unwrap()]));
    vec![
        good("our realm inside the constraints", &issue(&henb())),
        bad("an address that the constraints exclude", &addressed, Reason::BadChain, 48),
    ]
}

/// A world whose manufacturer may sign any name and one CA below itself.
fn world() -> World {
    let mut world = World::new();
    let order = AuthorityOrder::lab("manufacturer", "hnb.example").unconstrained().path_length(1);
    world.manufacturer = Authority::create(&order).unwrap();
    std::fs::write(world.file("manufacturer.pem"), world.manufacturer.pem().unwrap()).unwrap();
    world
}

/// Brings every certificate to the listener, at both versions.
async fn judged(rows: fn(&World) -> Vec<Row>) {
    let world = world();
    let present = world.clock.clone();
    let now = Timestamp::now();
    let rows = rows(&world);
    let mut server = world.server().await;
    let mut wrong = Vec::new();
    for row in rows {
        present.set(row.at.unwrap_or(now));
        let own = Credentials::new(&row.chain, &world.key.pem().unwrap()).unwrap();
        for version in [TLS11, TLS12] {
            let answer = Call::new(version, 0x002F).make(server.address, &own).await.unwrap().refusal();
            let heard = answer.and_then(|farewell| farewell.alert);
            let refusal = server.outcome().await.err();
            let has_facts = refusal.as_ref().is_none_or(|refusal| refusal.certificate.is_some());
            let found = refusal.map(|refusal| (refusal.reason, heard.unwrap_or_default()));
            if found != row.verdict || !has_facts {
                wrong.push(format!("{} at {version:04x}: {found:?}, expected {:?}", row.name, row.verdict));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a01_a02_i01_i02_i03_i04_p20_p21_names_are_judged_by_the_table() {
    judged(names).await;
}

#[tokio::test]
async fn p18_t18_a19_k05_dates_are_judged_by_the_table() {
    judged(dates).await;
}

#[tokio::test]
async fn a07_a08_a10_p21_usages_are_judged_by_the_table() {
    judged(usages).await;
}

#[tokio::test]
async fn a09_t14_t17_p21_keys_and_signatures_are_judged_by_the_table() {
    judged(strengths).await;
}

#[tokio::test]
async fn a10_a09_p18_chains_are_judged_by_the_table() {
    judged(chains).await;
}

#[tokio::test]
async fn a04_p08_issuers_are_judged_by_the_table() {
    judged(issuers).await;
}

#[tokio::test]
async fn a10_name_constraints_are_judged_by_the_table() {
    judged(constraints).await;
    judged(addresses).await;
}
