//! Bad certificates of servers, brought by Debian's server: our cell refuses each with its reason.

use std::net::IpAddr;

use profile::pki::{Authority, AuthorityOrder, Digest, Key, LeafOrder, Purpose, Usage};
use profile::{KeyPair, Reason, Refusal};

use crate::clients::{future, past};
use crate::world::{HOST, World, call, s_server};

const LISTS: [[&str; 3]; 2] =
    [["-tls1_2", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_1", "-cipher", "AES128-SHA:@SECLEVEL=0"]];

fn issue(world: &World, authority: &Authority, order: &LeafOrder, key: &Key) -> KeyPair {
    authority.issue(order, key).unwrap().write(world.dir.path(), "server", key).unwrap()
}

async fn outcome(world: &World, pair: &KeyPair, host: &str, arguments: &[&str]) -> Result<String, Refusal> {
    let stranger = s_server(pair, arguments).await;
    call(&world.connector(), stranger.address, host).await.map(|(_, reply)| reply)
}

async fn refused(world: &World, order: &LeafOrder, expected: Reason) {
    for arguments in &LISTS {
        let pair = issue(world, &world.operator, order, &world.key);
        let refusal = outcome(world, &pair, HOST, arguments).await.unwrap_err();
        assert_eq!(refusal.reason, expected, "{refusal}");
        assert!(refusal.certificate.is_some(), "{refusal}");
    }
}

#[tokio::test]
async fn a05_a07_a08_a09_p18_our_cell_refuses_each_bad_server_with_its_reason() {
    let world = World::new();
    let order = LeafOrder::hems(HOST);
    for (order, reason) in [
        (order.clone().valid(past()), Reason::CertificateExpired),
        (order.clone().valid(future()), Reason::CertificateNotYetValid),
        (order.clone().key_period(past()), Reason::KeyPeriod),
        (order.clone().digest(Digest::Sha1), Reason::WeakSignature),
        (order.clone().purposes(&[Purpose::ClientAuth]), Reason::ExtendedKeyUsage),
        (order.clone().usages(&[Usage::KeyCertSign]), Reason::KeyUsage),
        (order.clone().usages(&[]), Reason::KeyUsage),
        (order.clone().uncritical_usage(), Reason::KeyUsage),
        (order.clone().dns_names(&["other.operator.example"]), Reason::WrongName),
        (order.clone().dns_names::<&str>(&[]), Reason::WrongName),
        (order.dns_names(&["hems.operator.example\0.evil.example"]), Reason::WrongName),
    ] {
        refused(&world, &order, reason).await;
    }
}

#[tokio::test]
async fn a06_our_cell_trusts_the_operator_s_roots_only() {
    let world = World::new();
    let stranger = Authority::create(&AuthorityOrder::lab("operator", HOST).unconstrained()).unwrap();
    let order = LeafOrder::hems(HOST);
    let unknown = issue(&world, &stranger, &order, &world.key);
    assert_eq!(outcome(&world, &unknown, HOST, &LISTS[0]).await.unwrap_err().reason, Reason::UnknownIssuer);
    let own = Authority::self_signed(&order, &world.key)
        .unwrap()
        .write(world.dir.path(), "own", &world.key)
        .unwrap();
    assert_eq!(outcome(&world, &own, HOST, &LISTS[0]).await.unwrap_err().reason, Reason::SelfSigned);
}

#[tokio::test]
async fn a09_t14_our_cell_refuses_weak_keys() {
    let world = World::new();
    let small = Key::generate(1024).unwrap();
    let pair = issue(&world, &world.operator, &LeafOrder::hems(HOST), &small);
    for arguments in &LISTS {
        assert_eq!(outcome(&world, &pair, HOST, arguments).await.unwrap_err().reason, Reason::WeakKey);
    }
}

#[tokio::test]
async fn a08_the_negotiated_suite_needs_the_matching_key_usage() {
    let world = World::new();
    let order = LeafOrder::hems(HOST).usages(&[Usage::DigitalSignature]);
    let pair = issue(&world, &world.operator, &order, &world.key);
    let dhe = ["-tls1_2", "-cipher", "DHE-RSA-AES128-SHA256:@SECLEVEL=0"];
    assert_eq!(outcome(&world, &pair, HOST, &dhe).await.unwrap(), "olleh\n");
    // A client of its own may stop earlier; what counts is that no data flows.
    assert!(outcome(&world, &pair, HOST, &LISTS[1]).await.is_err());
}

#[tokio::test]
async fn a05_wildcards_stand_for_one_whole_label() {
    let world = World::new();
    for (name, good) in
        [("*.operator.example", true), ("h*.operator.example", false), ("*.example", false), ("*", false)]
    {
        let order = LeafOrder::hems(HOST).dns_names(&[name]);
        let reply =
            outcome(&world, &issue(&world, &world.operator, &order, &world.key), HOST, &LISTS[0]).await;
        assert_eq!(reply.is_ok(), good, "{name}: {reply:?}");
    }
}

#[tokio::test]
async fn a05_an_address_is_met_by_an_address_only() {
    let world = World::new();
    let named = LeafOrder::hems("127.0.0.1");
    let pair = issue(&world, &world.operator, &named, &world.key);
    assert_eq!(outcome(&world, &pair, "127.0.0.1", &LISTS[0]).await.unwrap_err().reason, Reason::WrongName);
    let addressed = named.addresses(&["127.0.0.1".parse::<IpAddr>().unwrap()]);
    let pair = issue(&world, &world.operator, &addressed, &world.key);
    assert_eq!(outcome(&world, &pair, "127.0.0.1", &LISTS[0]).await.unwrap(), "olleh\n");
    assert_eq!(outcome(&world, &pair, "127.0.0.2", &LISTS[0]).await.unwrap_err().reason, Reason::WrongName);
}

#[tokio::test]
async fn p13_p14_our_cell_gets_nothing_from_a_server_with_other_suites() {
    let world = World::new();
    for list in ["ECDHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256", "NULL-SHA", "ADH-AES128-SHA"] {
        let list = format!("{list}:@SECLEVEL=0");
        let refusal = outcome(&world, &world.hems, HOST, &["-tls1_2", "-cipher", &list]).await.unwrap_err();
        assert_eq!((refusal.reason, refusal.alert), (Reason::PeerRefusesUs, Some(40)), "{refusal}");
    }
}
