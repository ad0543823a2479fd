//! Bad certificates of clients, brought by Debian's client: each gets its reason, and no byte of data. (A, I, P-08)

use jiff::{SignedDuration, Timestamp};
use profile::pki::{Authority, AuthorityOrder, Digest, Key, LeafOrder, Purpose, Usage, Validity};
use profile::{Acceptor, CertificateFacts, KeyPair, Reason, Refusal};

use crate::world::{CELL, HOST, Server, World, call, identity, pinned, s_client};

const ANY: [&str; 3] = ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"];

pub(crate) fn past() -> Validity {
    let now = Timestamp::now();
    Validity {
        not_before: now - SignedDuration::from_hours(48),
        not_after: now - SignedDuration::from_hours(24),
    }
}

pub(crate) fn future() -> Validity {
    let now = Timestamp::now();
    Validity {
        not_before: now + SignedDuration::from_hours(24),
        not_after: now + SignedDuration::from_hours(48),
    }
}

/// Offers a certificate at both versions; no data may come back, and the reason has to be the same.
async fn refused(server: &mut Server, pair: &KeyPair, expected: Reason) -> CertificateFacts {
    *refusal_of(server, pair, expected)
        .await
        .certificate
        .expect("a refusal over a certificate carries its facts")
}

async fn refusal_of(server: &mut Server, pair: &KeyPair, expected: Reason) -> Refusal {
    let mut last = None;
    for version in ["-tls1_1", "-tls1_2"] {
        let heard = s_client(server.address, Some(pair), &pinned(version, "AES128-SHA:@SECLEVEL=0")).await;
        assert_eq!(heard, "", "{expected}");
        let refusal = server.outcome().await.unwrap_err();
        assert_eq!(refusal.reason, expected, "{refusal}");
        last = Some(refusal);
    }
    last.expect("there are two versions")
}

#[tokio::test]
async fn p08_no_certificate_no_data() {
    let mut server = World::new().server().await;
    for version in ["-tls1_1", "-tls1_2"] {
        assert_eq!(s_client(server.address, None, &pinned(version, "AES128-SHA:@SECLEVEL=0")).await, "");
        let refusal = server.outcome().await.unwrap_err();
        assert_eq!((refusal.reason, refusal.certificate), (Reason::NoClientCertificate, None));
    }
}

#[tokio::test]
async fn a04_an_unknown_issuer_and_a_self_signed_certificate_are_refused() {
    let world = World::new();
    let mut server = world.server().await;
    let stranger = Authority::create(&AuthorityOrder::lab("manufacturer", "hnb.example")).unwrap();
    let pair = world.cell("unknown", &stranger, &LeafOrder::henb(&identity()));
    let facts = refused(&mut server, &pair, Reason::UnknownIssuer).await;
    assert!(facts.issuer.contains("manufacturer"), "{facts:?}");
    assert_eq!(facts.dns_names, [CELL]);
    let own = Authority::self_signed(&LeafOrder::henb(&identity()), &world.key).unwrap();
    let pair = own.write(world.dir.path(), "own", &world.key).unwrap();
    refused(&mut server, &pair, Reason::SelfSigned).await;
}

#[tokio::test]
async fn a19_p18_p21_dates_count_by_our_clock() {
    let world = World::new();
    let mut server = world.server().await;
    let order = LeafOrder::henb(&identity());
    let expired = world.cell("expired", &world.manufacturer, &order.clone().valid(past()));
    let early = world.cell("early", &world.manufacturer, &order.valid(future()));
    let facts = refused(&mut server, &expired, Reason::CertificateExpired).await;
    assert!(facts.not_after < Timestamp::now());
    refused(&mut server, &early, Reason::CertificateNotYetValid).await;
    world.clock.set(past().not_before + SignedDuration::from_hours(1));
    let heard = s_client(server.address, Some(&expired), &ANY).await;
    assert!(heard.starts_with(CELL), "{heard}");
}

#[tokio::test]
async fn a07_a08_a10_p21_usage_and_ca_flag_count() {
    let world = World::new();
    let mut server = world.server().await;
    let order = LeafOrder::henb(&identity());
    for (name, order, reason) in [
        ("ku", order.clone().usages(&[Usage::KeyEncipherment]), Reason::KeyUsage),
        ("lax-ku", order.clone().uncritical_usage(), Reason::KeyUsage),
        ("no-ku", order.clone().usages(&[]), Reason::KeyUsage),
        ("eku", order.clone().purposes(&[Purpose::ServerAuth]), Reason::ExtendedKeyUsage),
        ("code", order.clone().purposes(&[Purpose::CodeSigning]), Reason::ExtendedKeyUsage),
        (
            "ca",
            order.clone().as_ca().usages(&[Usage::DigitalSignature, Usage::KeyCertSign]),
            Reason::CaCertificate,
        ),
        ("period", order.clone().key_period(past()), Reason::KeyPeriod),
    ] {
        let pair = world.cell(name, &world.manufacturer, &order);
        refused(&mut server, &pair, reason).await;
    }
    let pair = world.cell("bare", &world.manufacturer, &order.purposes(&[]));
    assert!(s_client(server.address, Some(&pair), &ANY).await.starts_with(CELL));
}

#[tokio::test]
async fn a09_p21_weak_keys_and_signatures_are_refused() {
    let world = World::new();
    let mut server = world.server().await;
    let order = LeafOrder::henb(&identity());
    for (bits, name) in [(1024, "small"), (2040, "nearly")] {
        let small = Key::generate(bits).unwrap();
        let pair =
            world.manufacturer.issue(&order, &small).unwrap().write(world.dir.path(), name, &small).unwrap();
        let facts = refused(&mut server, &pair, Reason::WeakKey).await;
        assert_eq!(facts.key, format!("RSA {bits}"));
    }
    for (digest, name) in [(Digest::Sha1, "sha1WithRSAEncryption"), (Digest::Md5, "md5WithRSAEncryption")] {
        let pair = world.cell(name, &world.manufacturer, &order.clone().digest(digest));
        let refusal = refusal_of(&mut server, &pair, Reason::WeakSignature).await;
        assert_eq!(refusal.detail, "the certificate is not signed with SHA-256 or better");
        assert_eq!(refusal.certificate.unwrap().signature, name);
    }
}

#[tokio::test]
async fn t14_a_certificate_of_another_kind_of_key_is_refused() {
    let world = World::new();
    let mut server = world.server().await;
    let key = Key::generate_ec().unwrap();
    let issued = world.manufacturer.issue(&LeafOrder::henb(&identity()), &key).unwrap();
    let pair = issued.write(world.dir.path(), "ec", &key).unwrap();
    assert_eq!(s_client(server.address, Some(&pair), &ANY).await, "");
    // A client that heeds the signature list sends no certificate at all.
    let refusal = server.outcome().await.unwrap_err();
    assert!(matches!(refusal.reason, Reason::KeyType | Reason::NoClientCertificate), "{refusal}");
}

#[tokio::test]
async fn p20_a02_i01_the_identity_comes_from_the_dns_name_alone() {
    let mut world = World::new();
    world.manufacturer =
        Authority::create(&AuthorityOrder::lab("manufacturer", "hnb.example").unconstrained()).unwrap();
    std::fs::write(world.file("manufacturer.pem"), world.manufacturer.pem().unwrap()).unwrap();
    let mut server = world.server().await;
    let order = LeafOrder::henb(&identity());
    let names = |names: &[&str]| order.clone().dns_names(names);
    for (name, order, reason) in [
        ("cn-only", names(&[]), Reason::NotAnIdentity),
        ("other", names(&["cell.hnb.example"]), Reason::NotAnIdentity),
        ("eleven", names(&["00005e00530.hnb.example"]), Reason::NotAnIdentity),
        ("two", names(&[CELL, "00005e005302.hnb.example"]), Reason::SeveralIdentities),
        ("nul", names(&["00005e005301.hnb.example\0.evil.example"]), Reason::HostileName),
        ("dot", names(&["00005e005301.hnb.example."]), Reason::HostileName),
        ("realm", names(&["00005e005301.evil.example"]), Reason::RealmNotOfAnchor),
    ] {
        let pair = world.cell(name, &world.manufacturer, &order);
        refused(&mut server, &pair, reason).await;
    }
    let pair = world.cell(
        "upper",
        &world.manufacturer,
        &names(&["00005E005301.HNB.Example"]).common_name("whatever"),
    );
    assert!(s_client(server.address, Some(&pair), &ANY).await.starts_with(CELL));
}

#[tokio::test]
async fn a04_an_anchor_vouches_for_its_own_realms_only() {
    let world = World::new();
    let other = Authority::create(&AuthorityOrder::lab("other", "other.example").unconstrained()).unwrap();
    std::fs::write(world.file("other.pem"), other.pem().unwrap()).unwrap();
    let anchors = [world.anchor(), world.anchor_of("other", &["other.example"])];
    let acceptor = Acceptor::new(&world.terms(), &world.hems, &anchors).unwrap();
    let mut server = Server::start(acceptor).await;
    let order = LeafOrder::henb(&identity());
    let astray = world.cell("astray", &other, &order);
    refused(&mut server, &astray, Reason::RealmNotOfAnchor).await;
    let honest = world.cell("honest", &other, &order.dns_names(&["00005e005301.other.example"]));
    assert!(s_client(server.address, Some(&honest), &ANY).await.starts_with("00005e005301.other.example"));
    assert_eq!(server.outcome().await.unwrap().anchor, "other");
}

#[tokio::test]
async fn a10_a18_chains_with_a_ca_between_hold_within_the_path_length() {
    let world = World::new();
    let order = AuthorityOrder::lab("root", "hnb.example");
    let leaf = LeafOrder::henb(&identity());
    for (path_length, good) in [(1, true), (0, false)] {
        let root = Authority::create(&order.clone().path_length(path_length)).unwrap();
        let between = root.subordinate(&AuthorityOrder::lab("between", "hnb.example")).unwrap();
        std::fs::write(world.file("manufacturer.pem"), root.pem().unwrap()).unwrap();
        let pair = world.cell("chained", &between, &leaf);
        let mut server = world.server().await;
        if good {
            assert!(s_client(server.address, Some(&pair), &ANY).await.starts_with(CELL));
        } else {
            refused(&mut server, &pair, Reason::BadChain).await;
        }
    }
}

#[tokio::test]
async fn a09_p18_a_weak_or_outdated_ca_between_is_refused() {
    let world = World::new();
    let root = Authority::create(&AuthorityOrder::lab("root", "hnb.example").path_length(1)).unwrap();
    std::fs::write(world.file("manufacturer.pem"), root.pem().unwrap()).unwrap();
    let mut server = world.server().await;
    let order = AuthorityOrder::lab("between", "hnb.example");
    for (order, reason) in [
        (order.clone().bits(1024), Reason::WeakKey),
        (order.clone().digest(Digest::Sha1), Reason::WeakSignature),
        (order.clone().digest(Digest::Md5), Reason::WeakSignature),
        (order.clone().valid(past()), Reason::CertificateExpired),
        (order.valid(future()), Reason::CertificateNotYetValid),
    ] {
        let between = root.subordinate(&order).unwrap();
        let pair = world.cell("chained", &between, &LeafOrder::henb(&identity()));
        refused(&mut server, &pair, reason).await;
    }
}

#[tokio::test]
async fn t11_a_stranger_that_knows_only_sha_1_gets_nothing_at_tls_12() {
    let world = World::new();
    let mut server = world.server().await;
    let list = "DHE-RSA-AES128-SHA256:@SECLEVEL=0";
    let arguments = ["-tls1_2", "-cipher", list, "-sigalgs", "RSA+SHA1"];
    assert_eq!(s_client(server.address, Some(&world.henb), &arguments).await, "");
    assert_eq!(server.outcome().await.unwrap_err().reason, Reason::NoCommonSignature);
}

#[tokio::test]
async fn a10_name_constraints_hold() {
    let world = World::new();
    let mut server = world.server().await;
    let order = LeafOrder::henb(&identity()).dns_names(&["00005e005301.evil.example"]);
    let pair = world.cell("outside", &world.manufacturer, &order);
    let heard = s_client(server.address, Some(&pair), &ANY).await;
    let refusal = server.outcome().await.unwrap_err();
    assert_eq!(heard, "");
    assert!(matches!(refusal.reason, Reason::BadChain | Reason::RealmNotOfAnchor), "{refusal}");
}

/// A key with the public half of another: who has only seen a certificate can do no better.
fn hollow(key: &Key) -> Vec<u8> {
    let real = openssl::rsa::Rsa::private_key_from_pem(&key.pem().unwrap()).unwrap();
    let copy = |number: &openssl::bn::BigNumRef| number.to_owned().unwrap();
    let odd = || openssl::bn::BigNum::from_u32(3).unwrap();
    let rsa = openssl::rsa::RsaPrivateKeyBuilder::new(copy(real.n()), copy(real.e()), odd()).unwrap();
    let rsa = rsa.set_factors(copy(real.p().unwrap()), copy(real.q().unwrap())).unwrap();
    rsa.set_crt_params(odd(), odd(), copy(real.iqmp().unwrap()))
        .unwrap()
        .build()
        .private_key_to_pem()
        .unwrap()
}

#[tokio::test]
async fn p08_p19_a_certificate_without_its_key_is_worth_nothing() {
    let world = World::new();
    let mut server = world.server().await;
    std::fs::write(world.file("hollow.key"), hollow(&world.key)).unwrap();
    let stolen = KeyPair { chain: world.henb.chain.clone(), key: world.file("hollow.key") };
    for version in ["-tls1_1", "-tls1_2"] {
        let heard = s_client(server.address, Some(&stolen), &pinned(version, "AES128-SHA:@SECLEVEL=0")).await;
        assert_eq!(heard, "");
        assert_eq!(server.outcome().await.unwrap_err().reason, Reason::BadProof);
    }
    call(&world.connector(), server.address, HOST).await.unwrap();
}
