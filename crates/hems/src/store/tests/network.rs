//! A database over a network: who asks for a password, and whom one believes.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use oracles::Postgres;
use profile::pki;

use super::*;

const PASSWORD: &str = "correct horse";
const SET_PASSWORD: &str = "ALTER ROLE hearth PASSWORD 'correct horse'";

/// A server for `localhost` with TLS, and its port.
fn server(folder: &Path) -> Option<(Postgres, u16)> {
    pki::init(folder).unwrap();
    let pair = pki::issue_hems(folder, "localhost").unwrap();
    let [chain, key] = [pair.chain, pair.key].map(|path| std::fs::read(path).unwrap());
    // The server cannot be told to take a free port.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let port_option = format!("port={port}");
    let options = [
        "listen_addresses=127.0.0.1",
        &port_option,
        "ssl=on",
        "ssl_cert_file=../tls.pem",
        "ssl_key_file=../tls.key",
    ];
    let server = Postgres::with("hems::store over TLS", &options, &[("tls.pem", &chain), ("tls.key", &key)])?;
    Some((server, port))
}

async fn open(url: &str, password: Option<&str>) -> Result<Store, StoreError> {
    Store::open(&Place::server(url, password).unwrap(), Arc::new(())).await
}

#[tokio::test]
async fn a_server_on_a_network_shows_a_certificate_and_asks_for_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let Some((server, port)) = server(folder.path()) else { return };
    let socket = Place::server(&format!("{}&port={port}", server.url()), None).unwrap();
    let mut connection = socket.connect().await.unwrap();
    connection.run(SET_PASSWORD).await.unwrap();
    let anchors = folder.path().join("operator.pem");
    let url =
        |host: &str| format!("postgres://hearth@{host}:{port}/postgres?sslrootcert={}", anchors.display());

    let store = open(&url("localhost"), Some(PASSWORD)).await.unwrap();
    let sql = "SELECT CAST(CASE WHEN ssl THEN 1 ELSE 0 END AS BIGINT) FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let encrypted: (i64,) = query_as(sql).fetch_one(&store.reads).await.unwrap();
    assert_eq!(encrypted, (1,));

    let refused = async |url: &str, password| open(url, password).await.err().unwrap().to_string();
    for password in [None, Some("wrong")] {
        let said = refused(&url("localhost"), password).await;
        assert!(said.contains("password"), "{said}");
    }
    let other_name = refused(&url("127.0.0.1"), Some(PASSWORD)).await;
    assert!(other_name.contains("IP address mismatch"), "{other_name}");
    let unknown = refused(&format!("postgres://hearth@localhost:{port}/postgres"), Some(PASSWORD)).await;
    assert!(unknown.contains("certificate verify failed"), "{unknown}");
}
