//! The listener for people, on the wire: which versions and suites it takes, and whom it knows.

use std::sync::Arc;

use audit::{Accepted, TLS12, TLS13, scan};
use profile::pki::{Key, LeafOrder};
use profile::{OwnCertificate, WebAcceptor, WebConnector, WebGuest, WebMaterials};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::world::{HOST, World};

fn materials(world: &World, has_anchors: bool) -> WebMaterials {
    let client_anchors = has_anchors.then(|| world.file("manufacturer.pem"));
    WebMaterials { own: OwnCertificate::from(&world.hems), client_anchors, lab: true }
}

/// A listener that tells who came and hangs up.
async fn listen(acceptor: WebAcceptor) -> (std::net::SocketAddr, mpsc::UnboundedReceiver<Option<WebGuest>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    let acceptor = Arc::new(acceptor);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (acceptor, tell) = (Arc::clone(&acceptor), tell.clone());
            tokio::spawn(async move {
                if let Ok((mut stream, guest)) = acceptor.accept(tcp).await {
                    let _ = stream.shutdown().await;
                    let _ = tell.send(guest);
                }
            });
        }
    });
    (address, told)
}

#[tokio::test]
async fn o12_people_are_served_by_tls_12_and_13_with_aead_suites_alone() {
    let world = World::new();
    let (address, _told) = listen(WebAcceptor::new(&materials(&world, false)).unwrap()).await;
    let tls12 = vec![0xC02F, 0xC030, 0xCCA8];
    let expected = Accepted([(TLS12, tls12), (TLS13, vec![0x1301, 0x1302, 0x1303])].into());
    assert_eq!(scan(address).await.unwrap(), expected);
}

#[tokio::test]
async fn o12_a_guest_s_certificate_is_told_and_so_is_whether_a_ca_vouches_for_it() {
    let world = World::new();
    let root = world.file("operator.pem");
    let own = OwnCertificate::from(&world.henb);
    for (has_anchors, shown, is_vouched_for) in
        [(true, Some(&own), Some(true)), (false, Some(&own), Some(false)), (true, None, None)]
    {
        let (address, mut told) = listen(WebAcceptor::new(&materials(&world, has_anchors)).unwrap()).await;
        let connector = WebConnector::new(Some(&root), shown).unwrap();
        connector.connect(TcpStream::connect(address).await.unwrap(), HOST).await.unwrap();
        let guest = told.recv().await.unwrap();
        assert_eq!(guest.map(|guest| guest.is_vouched_for), is_vouched_for);
    }
}

#[test]
fn o12_a_lab_s_certificate_serves_nobody_outside_a_lab() {
    let world = World::new();
    let wild = WebMaterials { lab: false, ..materials(&world, false) };
    let error = WebAcceptor::new(&wild).unwrap_err().to_string();
    assert!(error.contains("comes from a lab CA"), "{error}");
}

#[test]
fn o12_a_reload_takes_what_is_good_and_keeps_what_was() {
    let world = World::new();
    let acceptor = WebAcceptor::new(&materials(&world, false)).unwrap();
    let before = acceptor.certificate();
    let missing = WebMaterials { client_anchors: Some(world.file("none.pem")), ..materials(&world, false) };
    assert!(acceptor.reload(&missing).is_err());
    assert_eq!(acceptor.certificate(), before);
    let key = Key::generate(2048).unwrap();
    let next = world.operator.issue(&LeafOrder::hems(HOST), &key).unwrap();
    let next = next.write(world.dir.path(), "next", &key).unwrap();
    acceptor.reload(&WebMaterials { own: OwnCertificate::from(&next), ..missing.clone() }).unwrap_err();
    let good = WebMaterials { own: OwnCertificate::from(&next), ..materials(&world, false) };
    acceptor.reload(&good).unwrap();
    assert_ne!(acceptor.certificate(), before);
}
