//! Who is turned away by a running H(e)MS, and what the operator then sees.
//!
//! The other end is `openssl s_client` with certificates that no CA should have issued. One rule for
//! all: no HTTP answer, one row with its reason, the certificate's facts and a remedy, nothing else.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use e2e::{OPERATOR_REALM, SClient, World};
use jiff::{SignedDuration, Timestamp};
use profile::{
    Identity, KeyPair,
    pki::{Authority, AuthorityOrder, Digest, Key, LeafOrder, Purpose, Usage, Validity},
};
use serde_json::Value;

const SUITE: [&str; 3] = ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"];

fn identity() -> Identity {
    Identity::parse("00005e005301.hnb.example").unwrap()
}

fn days(from: i64, to: i64) -> Validity {
    let at = |days: i64| Timestamp::now() + SignedDuration::from_hours(24 * days);
    Validity { not_before: at(from), not_after: at(to) }
}

fn manufacturer(world: &World) -> Authority {
    let file = |extension| world.pki().join(format!("manufacturer/{OPERATOR_REALM}.{extension}"));
    Authority::load(&KeyPair { chain: file("pem"), key: file("key") }).unwrap()
}

fn leaf(world: &World, name: &str, order: &LeafOrder, bits: u32) -> KeyPair {
    let key = Key::generate(bits).unwrap();
    manufacturer(world).issue(order, &key).unwrap().write(world.dir(), name, &key).unwrap()
}

fn turned_away(world: &World, pair: &KeyPair, reason: &str, count: u64) -> Value {
    let status = SClient::new(world.cwmp(), &SUITE).with(pair).post_nothing();
    assert_eq!(status, None, "an HTTP answer where `{reason}` was to be");
    world.wait_refusal(reason, count)
}

#[test]
fn p08_p18_a08_a09_a02_bad_certificates_are_rows_with_a_reason() {
    let world = World::new("refusals");
    let _cell = world.cell(1);
    let _hems = world.serve();
    let good = LeafOrder::henb(&identity());
    let cases = [
        ("certificate_expired", good.clone().valid(days(-20, -1)), 2048),
        ("certificate_not_yet_valid", good.clone().valid(days(1, 20)), 2048),
        ("key_usage", good.clone().usages(&[Usage::KeyEncipherment]), 2048),
        ("extended_key_usage", good.clone().purposes(&[Purpose::CodeSigning]), 2048),
        ("weak_key", good.clone(), 1024),
        ("weak_signature", good.clone().digest(Digest::Sha1), 2048),
        ("not_an_identity", good.clone().dns_names(&["cell-one.hnb.example"]), 2048),
        ("ca_certificate", good.clone().as_ca(), 2048),
    ];
    for (reason, order, bits) in cases {
        let pair = leaf(&world, reason, &order, bits);
        let row = turned_away(&world, &pair, reason, 1);
        assert!(row.get("remedy").and_then(Value::as_str).is_some_and(|remedy| !remedy.is_empty()), "{row}");
        assert!(row.get("certificate").is_some_and(Value::is_object), "{row}");
    }
    let md5 = leaf(&world, "md5", &good.digest(Digest::Md5), 2048);
    turned_away(&world, &md5, "weak_signature", 2);
    assert_eq!(world.get("/api/v1/sessions?limit=10").get("items"), Some(&Value::Array(Vec::new())));
}

#[test]
fn p08_a04_no_certificate_and_unknown_issuers_are_told_apart() {
    let world = World::new("issuers");
    let _hems = world.serve();
    assert_eq!(SClient::new(world.cwmp(), &SUITE).post_nothing(), None);
    world.wait_refusal("no_client_certificate", 1);
    let stranger = Authority::create(&AuthorityOrder::lab("a stranger", OPERATOR_REALM)).unwrap();
    let key = Key::generate(2048).unwrap();
    let order = LeafOrder::henb(&identity());
    let pair = stranger.issue(&order, &key).unwrap().write(world.dir(), "stranger", &key).unwrap();
    let row = turned_away(&world, &pair, "unknown_issuer", 1);
    assert!(row.to_string().contains("a stranger"), "{row}");
    let own = Authority::self_signed(&order, &key).unwrap().write(world.dir(), "own", &key).unwrap();
    turned_away(&world, &own, "self_signed", 1);
}

#[test]
fn p02_p03_p04_p06_p12_p13_openssl_gets_an_answer_with_the_profile_only() {
    let world = World::new("openssl");
    let spare = world.cell(0xff);
    let _hems = world.serve();
    let post = |arguments: &[&str]| SClient::new(world.cwmp(), arguments).with(&spare.pair).post_nothing();
    assert!(post(&SUITE).is_some(), "TLS 1.2");
    assert!(post(&["-tls1_1", "-cipher", "AES128-SHA:@SECLEVEL=0"]).is_some(), "TLS 1.1");
    assert_eq!(post(&["-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"]), None, "TLS 1.0");
    assert_eq!(post(&["-tls1_3"]), None, "TLS 1.3");
    assert_eq!(post(&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]), None, "ECDHE");
    assert_eq!(post(&["-tls1_2", "-cipher", "AES128-GCM-SHA256"]), None, "GCM");
    assert_eq!(post(&["-tls1_2", "-cipher", "NULL-SHA:@SECLEVEL=0"]), None, "NULL");
    assert_eq!(post(&["-tls1_2", "-cipher", "ADH-AES128-SHA:@SECLEVEL=0"]), None, "anonymous");
    assert_eq!(post(&["-tls1_2", "-psk", "00ff", "-cipher", "PSK-AES128-CBC-SHA:@SECLEVEL=0"]), None, "PSK");
    world.wait_refusal("protocol_version", 2);
    world.wait_refusal("no_common_suite", 5);
}

#[test]
fn p18_a_cell_that_refuses_us_is_a_row_expired_and_not_yet_valid_told_apart() {
    let built = profile::build_time();
    let day = SignedDuration::from_hours(24);
    let cases = [
        ("peer_refuses_us_expired", Validity { not_before: built - day * 60, not_after: built - day }),
        (
            "peer_refuses_us_not_yet_valid",
            Validity { not_before: built + day * 3650, not_after: built + day * 4000 },
        ),
    ];
    for (reason, validity) in cases {
        let world = World::new("refused");
        let file = |extension| world.pki().join(format!("operator/localhost.{extension}"));
        let operator = Authority::load(&KeyPair { chain: file("pem"), key: file("key") }).unwrap();
        let key = Key::generate(2048).unwrap();
        let order = LeafOrder::hems("localhost").valid(validity);
        operator.issue(&order, &key).unwrap().write(&world.pki().join("hems"), "localhost", &key).unwrap();
        let cell = world.cell(1);
        let (_hems, _henbd) = (world.serve(), world.henbd(&cell));
        world.wait_refusal(reason, 1);
    }
}
