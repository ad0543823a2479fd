//! What our listener gives away by its answers: nothing. (Trap 3 of RSA key exchange and CBC; `audit::probe`)
//!
//! A listener that does give something away stands beside it, so that a silent probe means something.

use std::net::SocketAddr;

use audit::probe::{self, Findings};
use audit::{Credentials, Script, TLS11, TLS12, read_record, record};
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{World, credentials};

/// No case was taken for good, and none that differs inside was answered in its own way.
fn silent(findings: &Findings) {
    let oracles = findings.oracles();
    assert!(oracles.is_empty(), "{oracles:#?}, beside {:?}", findings.reference);
}

#[tokio::test]
async fn t17_p05_a_bad_premaster_secret_is_answered_like_a_wrong_one() {
    let world = World::new();
    let server = world.server().await;
    let own = credentials(&world.henb);
    for (version, suite) in [(TLS11, 0x002F), (TLS12, 0x002F), (TLS12, 0x003D)] {
        let findings = probe::bleichenbacher(server.address, &own, version, suite).await.unwrap();
        assert_eq!(findings.reference.alert, Some(20), "bad_record_mac: Finished cannot be read");
        silent(&findings);
    }
}

#[tokio::test]
async fn t17_bad_padding_is_answered_like_a_bad_mac() {
    let world = World::new();
    let server = world.server().await;
    let own = credentials(&world.henb);
    for (version, suite) in [(TLS11, 0x002F), (TLS11, 0x0035), (TLS12, 0x002F), (TLS12, 0x003D)] {
        let findings = probe::padding(server.address, &own, version, suite).await.unwrap();
        assert_eq!(findings.reference.alert, Some(20), "bad_record_mac");
        silent(&findings);
    }
}

#[tokio::test]
async fn t05_a_share_outside_the_group_is_refused() {
    let world = World::new();
    let server = world.server().await;
    let own = credentials(&world.henb);
    for (version, suite) in [(TLS11, 0x0033), (TLS12, 0x0067)] {
        silent(&probe::diffie_hellman(server.address, &own, version, suite).await.unwrap());
    }
}

/// A listener that says whether the first bytes of the padding were right, as many did in 1998.
async fn leaky(world: &World) -> SocketAddr {
    let key = Rsa::private_key_from_pem(&std::fs::read(&world.hems.key).unwrap()).unwrap();
    let own = Credentials::without_key(&std::fs::read(&world.hems.chain).unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let (_, random) = audit::ClientHello::read(&mut tcp).await.unwrap();
            tcp.write_all(&Script::new(TLS12, 0x002F).flight(&own, random).unwrap()).await.unwrap();
            let alert = if is_padded(&mut tcp, &key).await { 20 } else { 47 };
            tcp.write_all(&record(21, TLS12, &[2, alert])).await.unwrap();
            tcp.shutdown().await.unwrap();
            while read_record(&mut tcp).await.is_ok_and(|record| record.is_some()) {}
        }
    });
    address
}

/// Reads up to ChangeCipherSpec and looks into the premaster secret on the way.
async fn is_padded(tcp: &mut TcpStream, key: &Rsa<Private>) -> bool {
    let mut verdict = false;
    while let Ok(Some(record)) = read_record(tcp).await {
        if record.kind == 20 {
            break;
        }
        if let [16, _, _, _, _, _, secret @ ..] = record.body.as_slice() {
            let mut block = vec![0; 256];
            let is_read = key.private_decrypt(secret, &mut block, Padding::NONE).is_ok();
            verdict = is_read && block.starts_with(&[0, 2]);
        }
    }
    verdict
}

#[tokio::test]
async fn t17_a_listener_that_tells_good_padding_from_bad_is_found() {
    let world = World::new();
    let address = leaky(&world).await;
    let findings = probe::bleichenbacher(address, &credentials(&world.henb), TLS12, 0x002F).await.unwrap();
    let found: Vec<&str> = findings.oracles().iter().map(|case| case.name).collect();
    let expected = [
        "begins with 1",
        "begins with 127",
        "is of block type 0",
        "is of block type 1",
        "is of block type 3",
        "is zero but for its last byte",
    ];
    assert_eq!(found, expected);
}
