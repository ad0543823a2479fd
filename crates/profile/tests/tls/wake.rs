//! A cell's listener for Connection Requests, as anybody sees it who finds the port. (decision 5, G-01)

use audit::{Accepted, TLS11, TLS12, scan};
use profile::pki::{Key, LeafOrder};
use profile::{Provision, WakeAcceptor};
use tokio::net::TcpListener;

use crate::world::{HOST, World, identity};

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
