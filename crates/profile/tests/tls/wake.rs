//! A cell's listener for Connection Requests, as anybody sees it who finds the port, and who asks there. (decision 5, G-01)

use std::sync::Arc;

use audit::{Accepted, TLS11, TLS12, scan};
use profile::pki::{Authority, AuthorityOrder, Key, LeafOrder};
use profile::{
    Blocklist, CertificateFacts, ContextError, Identity, KeyPair, Materials, Provision, Reason, TrustAnchor,
    WakeAcceptor, WakeConnector,
};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{HOST, World, identity, past};

fn acceptor(world: &World) -> WakeAcceptor {
    let key = Key::generate(2048).unwrap();
    let issued = world.manufacturer.issue(&LeafOrder::listener(&identity()), &key).unwrap();
    let own = issued.write(world.dir.path(), "listener", &key).unwrap();
    let provision = Provision::new(&own, &world.file("operator.pem"));
    WakeAcceptor::new(&world.terms(), &provision, &world.connector()).unwrap()
}

#[tokio::test]
async fn g01_p02_p06_t02_the_listener_takes_the_dhe_rows_alone_of_all_code_points_at_all_versions() {
    let acceptor = acceptor(&World::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(tcp, HOST).await.is_ok() });
        }
    });
    let tls12 = vec![0x0033, 0x0039, 0x0067, 0x006B];
    let expected = Accepted([(TLS11, vec![0x0033, 0x0039]), (TLS12, tls12)].into());
    assert_eq!(scan(address).await.unwrap(), expected);
    server.abort();
}

/// A H(e)MS that sends Connection Requests and trusts these anchors.
fn connector(world: &World, anchors: &[TrustAnchor]) -> WakeConnector {
    connector_with(world, anchors, Arc::new(()))
}

fn connector_with(world: &World, anchors: &[TrustAnchor], blocks: Arc<dyn Blocklist>) -> WakeConnector {
    let key = Key::generate(2048).unwrap();
    let own = world.operator.issue(&LeafOrder::wake(HOST), &key).unwrap();
    let own = own.write(world.dir.path(), "wake", &key).unwrap();
    WakeConnector::new(&world.terms(), &Materials::new(&own, anchors), blocks).unwrap()
}

/// What becomes of a connection to a server of Debian's that shows this certificate.
async fn asked(world: &World, connector: &WakeConnector, shown: &KeyPair) -> Result<(), Reason> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut server = tokio::process::Command::new("openssl")
        .args(["s_server", "-quiet", "-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-Verify", "1", "-accept"])
        .arg(address.to_string())
        .arg("-CAfile")
        .arg(world.file("operator.pem"))
        .arg("-cert")
        .arg(&shown.chain)
        .arg("-key")
        .arg(&shown.key)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let tcp = loop {
        match TcpStream::connect(address).await {
            Ok(tcp) => break tcp,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let outcome = connector.connect(tcp, &identity()).await;
    server.kill().await.unwrap();
    outcome.map(drop).map_err(|refusal| refusal.reason)
}

#[tokio::test]
async fn g01_r05_both_ends_meet_and_each_knows_the_other() {
    let world = World::new();
    let acceptor = acceptor(&world);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let connector = connector(&world, &[world.anchor()]);
    let cell = identity();
    let (heard, asked) = tokio::join!(acceptor.accept(accepted, HOST), connector.connect(tcp, &cell));
    assert!(heard.is_ok(), "{heard:?}");
    assert!(asked.is_ok(), "{asked:?}");
}

#[tokio::test]
async fn g01_p20_only_the_listener_of_the_cell_that_is_meant_is_asked() {
    let world = World::new();
    let trusts = connector(&world, &[world.anchor()]);
    let issue = |authority: &Authority, order: &LeafOrder, name: &str| world.cell(name, authority, order);
    let other = Identity::parse("00005e005302.hnb.example").unwrap();
    let right = LeafOrder::listener(&identity());
    let stranger = Authority::create(&AuthorityOrder::lab("manufacturer", "hnb.example")).unwrap();
    let cases = [
        (Ok(()), issue(&world.manufacturer, &right, "right")),
        (Err(Reason::WrongName), issue(&world.manufacturer, &LeafOrder::listener(&other), "other")),
        (Err(Reason::ExtendedKeyUsage), issue(&world.manufacturer, &LeafOrder::henb(&identity()), "cell")),
        (Err(Reason::UnknownIssuer), issue(&world.operator, &right, "operators")),
        (Err(Reason::UnknownIssuer), issue(&stranger, &right, "strangers")),
        (Err(Reason::CertificateExpired), issue(&world.manufacturer, &right.clone().valid(past()), "past")),
    ];
    for (expected, shown) in cases {
        assert_eq!(asked(&world, &trusts, &shown).await, expected, "{}", shown.chain.display());
    }
    let shown = issue(&world.manufacturer, &right, "right");
    let elsewhere = connector(&world, &[world.anchor_of("manufacturer", &["another.example"])]);
    assert_eq!(asked(&world, &elsewhere, &shown).await, Err(Reason::RealmNotOfAnchor));
    let blocks = connector_with(&world, &[world.anchor()], Arc::new(Everybody));
    assert_eq!(asked(&world, &blocks, &shown).await, Err(Reason::Blocked));
}

#[derive(Debug)]
struct Everybody;

impl Blocklist for Everybody {
    fn blocked(&self, _: &Identity, _: &[CertificateFacts]) -> Option<String> {
        Some("everybody is".to_owned())
    }
}

#[test]
fn g01_without_the_wake_role_nobody_sends_connection_requests() {
    let world = World::new();
    let materials = Materials::new(&world.hems, &[world.anchor()]);
    let refused = WakeConnector::new(&world.terms(), &materials, Arc::new(())).unwrap_err();
    assert!(
        matches!(&refused, ContextError::Own { reason: Reason::ExtendedKeyUsage, .. }),
        "{refused}: the certificate of the listener for cells has another role"
    );
}
