//! What strangers bring by Debian's client beyond the corpus of `certificates.rs`: each gets its reason, and no
//! byte of data. (P-08, A-04, T-11)

use profile::pki::{Authority, AuthorityOrder, Key, LeafOrder};
use profile::{Acceptor, KeyPair, Reason};

use crate::world::{HOST, Server, World, call, identity, pinned, s_client};

const ANY: [&str; 3] = ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"];

/// Offers a certificate at both versions; no data may come back, and the reason has to be the same.
async fn refused(server: &mut Server, pair: &KeyPair, expected: Reason) {
    for version in ["-tls1_1", "-tls1_2"] {
        let heard = s_client(server.address, Some(pair), &pinned(version, "AES128-SHA:@SECLEVEL=0")).await;
        assert_eq!(heard, "", "{expected}");
        let refusal = server.outcome().await.unwrap_err();
        assert_eq!(refusal.reason, expected, "{refusal}");
        assert!(refusal.certificate.is_some(), "{refusal}");
    }
}

#[tokio::test]
async fn s14_p08_a14_no_certificate_no_data_and_no_end_of_the_handshake() {
    let mut server = World::new().server().await;
    for version in ["-tls1_1", "-tls1_2"] {
        let arguments = [&pinned(version, "AES128-SHA:@SECLEVEL=0")[..], &["-msg"]].concat();
        let messages = s_client(server.address, None, &arguments).await;
        let from_server: Vec<&str> = messages.lines().filter(|line| line.starts_with("<<<")).collect();
        assert!(from_server.iter().any(|line| line.contains("CertificateRequest")), "{messages}");
        assert!(from_server.iter().any(|line| line.contains("fatal")), "{messages}");
        assert!(from_server.iter().all(|line| !line.contains("ChangeCipherSpec")), "{messages}");
        let refusal = server.outcome().await.unwrap_err();
        assert_eq!((refusal.reason, refusal.certificate), (Reason::NoClientCertificate, None));
    }
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
async fn t11_a_stranger_that_knows_only_sha_1_gets_nothing_at_tls_12() {
    let world = World::new();
    let mut server = world.server().await;
    let list = "DHE-RSA-AES128-SHA256:@SECLEVEL=0";
    let arguments = ["-tls1_2", "-cipher", list, "-sigalgs", "RSA+SHA1"];
    assert_eq!(s_client(server.address, Some(&world.henb), &arguments).await, "");
    assert_eq!(server.outcome().await.unwrap_err().reason, Reason::NoCommonSignature);
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
