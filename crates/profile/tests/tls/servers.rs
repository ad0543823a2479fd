//! What needs a whole handshake with Debian's server; the corpus of bad certificates is in `mirror.rs`.
//! (A-05, A-08, P-13, T-05, T-07)

use profile::pki::{Authority, Key, LeafOrder, Usage};
use profile::{KeyPair, Reason, Refusal};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{HOST, World, asking_server, call, s_server};

const LISTS: [[&str; 3]; 2] =
    [["-tls1_2", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_1", "-cipher", "AES128-SHA:@SECLEVEL=0"]];

fn issue(world: &World, authority: &Authority, order: &LeafOrder, key: &Key) -> KeyPair {
    authority.issue(order, key).unwrap().write(world.dir.path(), "server", key).unwrap()
}

async fn outcome(world: &World, pair: &KeyPair, host: &str, arguments: &[&str]) -> Result<String, Refusal> {
    let stranger = s_server(pair, arguments).await;
    call(&world.connector(), stranger.address, host).await.map(|(_, reply)| reply)
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
async fn a05_an_address_is_met_by_an_address_only() {
    let world = World::new();
    let named = LeafOrder::hems(HOST).dns_names(&["127.0.0.1"]);
    let pair = issue(&world, &world.operator, &named, &world.key);
    assert_eq!(outcome(&world, &pair, "127.0.0.1", &LISTS[0]).await.unwrap_err().reason, Reason::WrongName);
    let addressed = LeafOrder::hems("127.0.0.1");
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

#[tokio::test]
async fn t07_a_server_that_renegotiates_for_the_certificate_hears_no_and_gets_nothing_more() {
    let world = World::new();
    let arguments = ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0", "-Verify", "1"];
    let (stranger, mut orders) = asking_server(&world.hems, &arguments).await;
    let tcp = TcpStream::connect(stranger.address).await.unwrap();
    let (mut stream, peer) = world.connector().connect(tcp, HOST).await.unwrap();
    assert_eq!(peer.evidence.suite_code, 0x002F);
    stream.write_all(b"before\n").await.unwrap();
    orders.write_all(b"R\n").await.unwrap();
    let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    let refusal = error.get_ref().unwrap().downcast_ref::<Refusal>().unwrap();
    assert_eq!(refusal.reason, Reason::Renegotiation, "{refusal}");
}

#[tokio::test]
async fn a14_a_server_that_does_not_ask_for_the_certificate_gets_an_alert_and_no_data() {
    let world = World::new();
    for list in [&LISTS[0], &LISTS[1]] {
        let (stranger, _orders) = asking_server(&world.hems, list).await;
        let refusal = call(&world.connector(), stranger.address, HOST).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::NoCertificateRequest, "{refusal}");
        assert!(refusal.certificate.is_some());
    }
}
