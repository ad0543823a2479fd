//! New certificates, keys and anchors without a restart; what stands goes on, and what is wrong changes nothing.

use profile::pki::{Authority, AuthorityOrder, Key, LeafOrder};
use profile::{ContextError, Identity, Materials, Provision, Reason};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::world::{HOST, Server, World, call, identity};

#[tokio::test]
async fn a_reload_shows_the_new_certificate_and_leaves_open_connections_alone() {
    let world = World::new();
    let acceptor = world.acceptor();
    let mut server = Server::start(acceptor.clone()).await;
    let connector = world.connector();
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let (mut open, before) = connector.connect(tcp, HOST).await.unwrap();
    server.outcome().await.unwrap();

    let key = Key::generate(2048).unwrap();
    let renewed = world.operator.issue(&LeafOrder::hems(HOST), &key).unwrap();
    let renewed = renewed.write(world.dir.path(), "renewed", &key).unwrap();
    acceptor.reload(&Materials::new(&renewed, &[world.anchor()])).unwrap();
    let (after, _) = call(&connector, server.address, HOST).await.unwrap();
    assert_ne!(before.evidence.certificate, after.evidence.certificate);
    assert_eq!(after.evidence.certificate, acceptor.certificate());

    open.write_all(b"still here\n").await.unwrap();
    let mut reply = String::new();
    BufReader::new(open).read_line(&mut reply).await.unwrap();
    assert!(reply.starts_with(identity().as_str()), "{reply}");
}

#[tokio::test]
async fn a_reload_that_fails_says_why_and_changes_nothing() {
    let world = World::new();
    let acceptor = world.acceptor();
    let mut server = Server::start(acceptor.clone()).await;
    let before = acceptor.certificate();
    std::fs::write(world.file("broken.pem"), "no certificate").unwrap();
    let broken = profile::KeyPair { chain: world.file("broken.pem"), ..world.hems.clone() };
    assert!(matches!(
        acceptor.reload(&Materials::new(&broken, &[world.anchor()])),
        Err(ContextError::Pem { .. })
    ));
    assert!(matches!(acceptor.reload(&Materials::new(&world.hems, &[])), Err(ContextError::NoAnchors)));
    assert_eq!(acceptor.certificate(), before);
    call(&world.connector(), server.address, HOST).await.unwrap();
    server.outcome().await.unwrap();
}

#[tokio::test]
async fn a_cell_takes_over_new_anchors_and_never_another_identity() {
    let world = World::new();
    let connector = world.connector();
    let next = Authority::create(&AuthorityOrder::lab("next", "operator.example")).unwrap();
    let pair = next.issue(&LeafOrder::hems(HOST), &world.key).unwrap();
    let pair = pair.write(world.dir.path(), "next-hems", &world.key).unwrap();
    let acceptor = profile::Acceptor::new(&world.terms(), &pair, &[world.anchor()]).unwrap();
    let mut server = Server::start(acceptor).await;
    let refusal = call(&connector, server.address, HOST).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::UnknownIssuer);
    server.outcome().await.unwrap_err();

    // Old and new roots side by side.
    let both = [world.operator.pem().unwrap(), next.pem().unwrap()].concat();
    std::fs::write(world.file("both.pem"), both).unwrap();
    connector.reload(&Provision::new(&world.henb, &world.file("both.pem"))).unwrap();
    call(&connector, server.address, HOST).await.unwrap();
    server.outcome().await.unwrap();

    let other = Identity::parse("00005e005302.hnb.example").unwrap();
    let other = world.cell("other", &world.manufacturer, &LeafOrder::henb(&other));
    let error = connector.reload(&Provision::new(&other, &world.file("both.pem"))).unwrap_err();
    assert!(error.to_string().contains("00005e005302.hnb.example"), "{error}");
    assert_eq!(connector.identity(), &identity());
}
