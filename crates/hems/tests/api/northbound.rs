//! The API with a certificate: TLS of its own, machines by certificate, and nothing shared with the cells' listener.

use std::{net::SocketAddr, path::Path, sync::Arc};

use hyper::{Method, StatusCode};
use profile::{Carrier, Connector, KeyPair, OwnCertificate, SystemClock, Terms, WebConnector, pki};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    people::Person,
    world::{REALM, World, send},
};

const HOST: &str = "api.localhost";
const ME: &str = "/api/v1/me";

async fn connect(world: &World, own: Option<&KeyPair>) -> std::io::Result<Box<dyn Carrier>> {
    let own = own.map(OwnCertificate::from);
    let connector = WebConnector::new(Some(&world.pki().join("operator.pem")), own.as_ref()).unwrap();
    connector.connect(TcpStream::connect(world.api).await.unwrap(), HOST).await
}

async fn ask(world: &World, own: Option<&KeyPair>, person: &Person, path: &str) -> (StatusCode, Value) {
    let stream = connect(world, own).await.unwrap();
    let (parts, value) = send(stream, person.request(Method::GET, path, &Value::Null)).await;
    (parts.status, value)
}

fn local(world: &World) -> Person {
    Person::with("authorization", format!("Bearer {}", world.token))
}

async fn post_machine(world: &World, body: &Value) -> (StatusCode, Value) {
    let stream = connect(world, None).await.unwrap();
    let request = local(world).request(Method::POST, "/api/v1/machines", body);
    let (parts, shown) = send(stream, request).await;
    (parts.status, shown)
}

async fn add_machine(world: &World, body: Value) {
    let (status, shown) = post_machine(world, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{shown}");
}

/// The facts of a certificate.
fn facts(pair: &KeyPair) -> profile::CertificateFacts {
    profile::CertificateFacts::from_pem(&std::fs::read(&pair.chain).unwrap()).unwrap()
}

#[tokio::test]
async fn o12_a_machine_is_known_by_its_certificate_or_by_a_subject_that_a_ca_vouches_for() {
    let world = World::northbound().await;
    let nobody = Person::default();
    let (first, second) = (world.certificate(1), world.certificate(2));
    assert_eq!(ask(&world, Some(&first), &nobody, ME).await.0, StatusCode::UNAUTHORIZED);
    let fingerprint = facts(&first).fingerprint_sha256.to_uppercase();
    add_machine(&world, json!({"name": "export", "role": "viewer", "fingerprint": fingerprint})).await;
    for garbage in ["garbage", "cn=noc", "/C=DE/CN=noc", "CN=noc,O=Acme"] {
        let machine = json!({"name": "noc", "role": "auditor", "subject": garbage});
        let (status, problem) = post_machine(&world, &machine).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{garbage}: {problem}");
    }
    add_machine(&world, json!({"name": "noc", "role": "auditor", "subject": facts(&second).subject})).await;
    for (pair, name, role) in [(&first, "export", "viewer"), (&second, "noc", "auditor")] {
        let (status, me) = ask(&world, Some(pair), &nobody, ME).await;
        assert_eq!((status, &me["name"], &me["roles"]), (StatusCode::OK, &json!(name), &json!([role])));
    }
    let elsewhere = tempfile::tempdir().unwrap();
    pki::init(elsewhere.path()).unwrap();
    let eui = facts(&second).dns_names[0].split('.').next().unwrap().to_owned();
    let forged = pki::issue_henb(elsewhere.path(), &eui, REALM, None).unwrap();
    assert_eq!(facts(&forged).subject, facts(&second).subject);
    assert_eq!(ask(&world, Some(&forged), &nobody, ME).await.0, StatusCode::UNAUTHORIZED, "nobody vouches");
    let wrong = Person::with("authorization", "Bearer 0");
    assert_eq!(ask(&world, Some(&first), &wrong, ME).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&world, None, &local(&world), ME).await.1["name"], "local");
}

#[tokio::test]
async fn o12_under_tls_the_cookie_is_for_this_host_alone() {
    let world = World::northbound().await;
    let link = std::fs::read_to_string(world.path("state/first-administrator.link")).unwrap();
    let (base, key) = link.trim().split_once('#').unwrap();
    assert!(base.starts_with("https://"), "{base}");
    let body = json!({"key": key, "name": "ann", "password": "correct horse battery"});
    let request = Person::default().request(Method::POST, "/api/v1/first-administrator", &body);
    let (parts, shown) = send(connect(&world, None).await.unwrap(), request).await;
    assert_eq!(parts.status, StatusCode::CREATED, "{shown}");
    let cookie = parts.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-hearth=") && cookie.ends_with("; Secure"), "{cookie}");
}

/// What a listener answers to a request, as text.
async fn said(mut stream: impl Carrier, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A listener may hang up on what it does not understand.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(line: &str, token: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn s16_o12_the_listeners_for_cells_and_for_operators_answer_nothing_of_each_other() {
    let world = World::northbound().await;
    let pair = world.certificate(1);
    let inform = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body/></soapenv:Envelope>";
    for line in ["GET /api/v1/me", "GET /api/v1/devices", "POST /api/v1/login", "DELETE /api/v1/accounts/ann"]
    {
        let answer = said(world.connect(&pair).await, &request(line, &world.token, "")).await;
        assert!(!answer.contains("json") && !answer.starts_with("HTTP/1.1 200"), "{line}: {answer}");
    }
    for path in ["/", "/acs", "/cwmp"] {
        let soap = request(&format!("POST {path}"), &world.token, inform);
        let answer = said(connect(&world, None).await.unwrap(), &soap).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn s16_o12_neither_side_s_clients_get_a_connection_at_the_other_listener() {
    let world = World::northbound().await;
    let pair = world.certificate(1);
    let terms = Terms { lab: true, ..Terms::new(Arc::new(SystemClock)) };
    let cell = Connector::new(&terms, &pair, &world.pki().join("operator.pem")).unwrap();
    let tcp = async |address: SocketAddr| TcpStream::connect(address).await.unwrap();
    cell.connect(tcp(world.cwmp).await, "localhost").await.unwrap();
    assert!(cell.connect(tcp(world.api).await, HOST).await.is_err(), "none of its suites is taken");
    let anchors: &Path = &world.pki().join("operator.pem");
    let person = WebConnector::new(Some(anchors), Some(&OwnCertificate::from(&pair))).unwrap();
    person.connect(tcp(world.api).await, HOST).await.unwrap();
    assert!(person.connect(tcp(world.cwmp).await, "localhost").await.is_err());
    assert!(person.connect(tcp(world.api).await, "localhost").await.is_err(), "it is another host");
    let strangers = WebConnector::new(Some(&world.pki().join("manufacturer.pem")), None).unwrap();
    assert!(strangers.connect(tcp(world.api).await, HOST).await.is_err(), "nobody whom it trusts says so");
}
