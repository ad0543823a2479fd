//! The TLS listeners of a running H(e)MS: profiles side by side, files that change, sessions that resume.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use cwmp::EventCode;
use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use profile::{
    Connector, KeyPair, Profile, Reason, SystemClock, Terms,
    pki::{self, Validity},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    cell::Cell,
    world::{REALM, World, identity},
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn terms(profile: &'static Profile) -> Terms {
    Terms { profile, lab: true, ..Terms::new(Arc::new(SystemClock)) }
}

fn connector(world: &World, profile: &'static Profile, own: &KeyPair) -> Connector {
    Connector::new(&terms(profile), own, &world.pki().join("operator.pem")).unwrap()
}

async fn call(connector: &Connector, address: SocketAddr) -> Result<profile::Evidence, Reason> {
    ask(connector, address, "localhost").await
}

async fn ask(connector: &Connector, address: SocketAddr, host: &str) -> Result<profile::Evidence, Reason> {
    let tcp = TcpStream::connect(address).await.unwrap();
    let connected = connector.connect(tcp, host).await;
    connected.map(|(_, peer)| peer.evidence).map_err(|refusal| refusal.reason)
}

#[tokio::test]
async fn s14_t01_t12_both_profiles_stand_side_by_side_and_never_mix() {
    let world = World::with_later().await;
    let own = world.certificate(1);
    let [clause, later] =
        [&Profile::TS33320, &Profile::TS33210].map(|profile| connector(&world, profile, &own));
    let newer = world.more[0];
    assert_eq!(call(&clause, world.cwmp).await.unwrap().tls_version, "TLSv1.2");
    assert_eq!(ask(&later, newer, "later.localhost").await.unwrap().tls_version, "TLSv1.3");
    assert!(ask(&clause, newer, "later.localhost").await.is_err());
    assert!(call(&later, world.cwmp).await.is_err());
}

#[tokio::test]
async fn t08_a_cell_resumes_and_a_restarted_node_goes_on_with_its_keys() {
    let world = World::new().await;
    let own = world.certificate(1);
    let connector = connector(&world, &Profile::TS33320, &own);
    let mut resumed = Vec::new();
    for _ in 0..2 {
        resumed.push(call(&connector, world.cwmp).await.unwrap().resumed);
    }
    let world = world.restart().await;
    // The new process has not verified this chain yet, and makes one full handshake; the keys are the same.
    for _ in 0..2 {
        resumed.push(call(&connector, world.cwmp).await.unwrap().resumed);
    }
    assert_eq!(resumed, [false, true, false, true]);
}

#[tokio::test]
async fn a_changed_file_counts_within_seconds_and_a_bad_one_changes_nothing() {
    let world = World::new().await;
    let own = world.certificate(1);
    let before = call(&connector(&world, &Profile::TS33320, &own), world.cwmp).await.unwrap().certificate;
    let mut held = world.connect(&own).await;
    std::fs::write(world.pki().join("hems/localhost.pem"), "no certificate").unwrap();
    (world.reload)();
    let same = call(&connector(&world, &Profile::TS33320, &own), world.cwmp).await.unwrap().certificate;
    assert_eq!(same, before);
    for file in ["hems/localhost.pem", "hems/localhost.key"] {
        std::fs::remove_file(world.pki().join(file)).unwrap();
    }
    pki::issue_hems(&world.pki(), "localhost").unwrap();
    // Nobody says that it changed: the files are watched, and looked at each second.
    let changed = async {
        while call(&connector(&world, &Profile::TS33320, &own), world.cwmp).await.unwrap().certificate
            == before
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), changed).await.expect("a new certificate in time");
    held.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 8];
    held.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1", "what was open before goes on");
}

/// What the H(e)MS shows once the open connection of cell 1 is refused after all.
async fn until_parted(world: &World, reason: &str) {
    let path = format!("/api/v1/sessions?identity={}", identity(1));
    world.until(&path, |list| list["items"][0]["outcome"] == "trust_gone").await;
    // Where two cells are cut, the row shows the certificate of the one that was written last.
    let cells = [identity(1), identity(2)];
    let is_it = |row: &serde_json::Value| {
        let shown = &row["certificate"]["dns_names"][0];
        row["reason"] == reason && cells.iter().any(|cell| shown == cell.as_str())
    };
    world.until("/api/v1/refusals", |list| list["items"].as_array().unwrap().iter().any(is_it)).await;
}

#[tokio::test]
async fn t08_a04_an_anchor_that_goes_takes_open_connections_and_their_sessions_along() {
    let world = World::new().await;
    let mut idle = world.connect(&world.certificate(2)).await;
    let mut cell = Cell::connect(&world, 1).await;
    assert_eq!(cell.inform(&[EventCode::BOOTSTRAP]).await.status, StatusCode::OK);
    let other = pki::Authority::create(&pki::AuthorityOrder::lab("other", "hnb.example")).unwrap();
    std::fs::write(world.pki().join("manufacturer.pem"), other.pem().unwrap()).unwrap();
    (world.reload)();
    until_parted(&world, "unknown_issuer").await;
    assert!(cell.try_post("").await.is_err(), "nothing more is said");
    assert!(idle.read(&mut [0; 1]).await.map_or(true, |size| size == 0), "who says nothing is cut as well");
}

#[tokio::test]
async fn t08_a11_a_revocation_ends_the_open_session_of_the_cell() {
    let now = Timestamp::now();
    let valid = Validity { not_before: now - HOUR, not_after: now + HOUR };
    let world = crate::lists::world().await;
    let publish = || {
        pki::write_crls(&world.pki(), valid).unwrap();
        std::fs::copy(world.path("pki/manufacturer.crl.pem"), world.path("lists.pem")).unwrap();
        (world.reload)();
    };
    let own = world.certificate(1);
    publish();
    world.until("/api/v1/trust/lists", |lists| lists["items"][0]["standing"] == "current").await;
    let mut cell = Cell::over(world.connect(&own).await, 1).await;
    assert_eq!(cell.inform(&[EventCode::BOOTSTRAP]).await.status, StatusCode::OK);
    let stolen = pki::RevocationReason::named("keyCompromise").unwrap();
    pki::revoke(&world.pki(), &own.chain, stolen, valid).unwrap();
    publish();
    until_parted(&world, "certificate_revoked").await;
    assert!(cell.try_post("").await.is_err(), "nothing more is said");
}

#[tokio::test]
async fn t08_p18_a_connection_does_not_outlive_its_certificate() {
    let world = World::new().await;
    let own = world.certificate(1);
    let folder = world.pki().join("manufacturer");
    let [chain, key] = ["pem", "key"].map(|kind| folder.join(format!("{REALM}.{kind}")));
    let manufacturer = KeyPair { chain, key };
    let now = Timestamp::now();
    let valid = Validity { not_before: now - HOUR, not_after: now + SignedDuration::from_secs(4) };
    let order = pki::LeafOrder::henb(&profile::Identity::parse(&identity(1)).unwrap()).valid(valid);
    let authority = pki::Authority::load(&manufacturer).unwrap();
    let key = pki::Key::load(&own.key).unwrap();
    let short = authority.issue(&order, &key).unwrap().write(world.folder.path(), "short", &key).unwrap();
    let mut cell = Cell::over(world.connect(&short).await, 1).await;
    assert_eq!(cell.inform(&[EventCode::BOOTSTRAP]).await.status, StatusCode::OK);
    until_parted(&world, "certificate_expired").await;
    assert!(cell.try_post("").await.is_err());
}

#[test]
fn p18_a05_a_certificate_that_every_cell_would_refuse_is_said_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("pki");
    pki::init(&lab).unwrap();
    let own = pki::issue_hems(&lab, "localhost").unwrap();
    let operator = lab.join("operator");
    let [chain, key] = ["localhost.pem", "localhost.key"].map(|name| operator.join(name));
    let authority = pki::Authority::load(&KeyPair { chain, key }).unwrap();
    let key = pki::Key::load(&own.key).unwrap();
    let now = Timestamp::now();
    let (month, over) = (Validity { not_before: now - HOUR * 1000, not_after: now + HOUR }, now - HOUR * 900);
    for (host, valid, expected) in [
        ("localhost", month, None),
        ("localhost", Validity { not_after: over, ..month }, Some("certificate_expired")),
        ("sub.localhost", month, Some("wrong_name")),
    ] {
        let leaf = authority.issue(&pki::LeafOrder::hems(host).valid(valid), &key).unwrap();
        leaf.write(folder.path(), "own", &key).unwrap();
        let text = "lab = true\nstate_dir = \"state\"\n[cwmp]\nlisten = [\"127.0.0.1:0\"]\n\
                    certificate = \"own.pem\"\nkey = \"own.key\"\nurl = \"https://localhost:7547/\"\n\
                    [[cwmp.anchors]]\nname = \"m\"\ncertificates = \"pki/manufacturer.pem\"\nrealms = [\"a.example\"]\n\
                    [gate]\npolicy = \"accept-declared\"\n";
        let faults = hems::Config::parse(text, &folder.path().join("hems.toml")).unwrap().faults();
        assert_eq!(faults.len(), usize::from(expected.is_some()), "{host}: {faults:?}");
        assert!(faults.iter().all(|fault| fault.contains(expected.unwrap())), "{host}: {faults:?}");
    }
}
