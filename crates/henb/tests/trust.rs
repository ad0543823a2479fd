//! The cell's clock and its trust against a H(e)MS over real TLS: what is signed, what is refused, what is told.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};

use cwmp::{
    AcsMethod, CpeMethod, CpeResponse, Download, FaultCode, FromCpe, GetParameterValues, Inform,
    ParameterValueStruct, SetParameterValues, Text, Value,
};
use henb::{
    Alarm, TunnelEnd,
    config::{Care, RecoveryEndpoint},
    device::{CLOCK_CORRECTION, TRUST_BUNDLE, path},
};
use hyper::{Method, header};
use jiff::{SignedDuration, Timestamp};
use profile::{
    CertificateFacts, ClockCorrection, FixedClock, HemsUrl, Identity, KeyPair, RootCertificate, SystemClock,
    TransportMode, TrustBundle, pki,
};
use scripted::{Acs, IDENTITY, World, set};
use tokio::net::UdpSocket;

fn days(number: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * number)
}

fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn download(url: String, file_type: &'static str) -> CpeMethod {
    Download {
        command_key: "fetch".into(),
        file_type: file_type.into(),
        url: url.into(),
        username: Text::new(),
        password: Text::new(),
        file_size: 0,
        target_file_name: Text::new(),
        delay_seconds: 0,
        success_url: Text::new(),
        failure_url: Text::new(),
    }
    .into()
}

fn read(name: &str) -> CpeMethod {
    GetParameterValues { parameter_names: vec![name.to_owned().into()] }.into()
}

/// The codes that TransferComplete told, in their order.
fn told(acs: &Acs) -> Vec<u32> {
    let posts = acs.posts();
    let messages = posts.iter().filter(|post| post.method == Method::POST).map(scripted::Post::message);
    messages
        .filter_map(|message| match message {
            FromCpe::Call(AcsMethod::TransferComplete(call)) => Some(call.fault_struct.fault_code.0),
            FromCpe::Call(_) | FromCpe::Response(_) | FromCpe::Fault(_) | FromCpe::Empty => None,
        })
        .collect()
}

fn operator(pki: &Path) -> pki::Authority {
    let pair = |name: &str| pki.join("operator").join(name);
    pki::Authority::load(&KeyPair { chain: pair("localhost.pem"), key: pair("localhost.key") }).unwrap()
}

/// A H(e)MS certificate whose key may be used for so many days only.
fn short_lived(pki: &Path, most_days: i64) -> KeyPair {
    let now = Timestamp::now();
    let period = pki::Validity { not_before: now - days(1), not_after: now + days(most_days) };
    let key = pki::Key::generate(2048).unwrap();
    let order = pki::LeafOrder::hems("localhost").key_period(period);
    operator(pki).issue(&order, &key).unwrap().write(pki, "short", &key).unwrap()
}

fn bundle(sequence: u64, roots: &[&[u8]], signer: &KeyPair) -> Vec<u8> {
    let now = Timestamp::now();
    let roots = RootCertificate::read_all(&roots.concat()).unwrap();
    // The cell's clock stands at its build time until it is synchronised.
    TrustBundle { sequence, not_before: now - days(30), not_after: now + days(30), roots }
        .seal(signer)
        .unwrap()
}

/// Runs one cell through one download and gives the code that it told.
async fn fetch(world: &World, file: &[u8], file_type: &'static str) -> u32 {
    let before = told(&world.acs).len();
    world.acs.file(file);
    world.acs.script_once(vec![download(format!("{}file", world.acs.url()), file_type)]);
    let mut cell = world.start();
    // What is not answered is told again: the second session has to end.
    cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    *told(&world.acs).get(before).unwrap()
}

#[tokio::test]
async fn a06_a_signed_bundle_changes_the_roots_and_locks_nobody_out() {
    let world = World::new().await;
    let signer = pki::issue_signer(&world.pki(), "localhost").unwrap();
    let old = std::fs::read(world.pki().join("operator.pem")).unwrap();
    let order = pki::AuthorityOrder::lab("next operator", "localhost");
    let new = pki::Authority::create(&order).unwrap().pem().unwrap();

    // Without the root of our own H(e)MS: on trial, and the old one stays.
    assert_eq!(fetch(&world, &bundle(1, &[&new], &signer), TRUST_BUNDLE).await, 0);
    let kept = world.state().trust;
    assert_eq!(kept.sequence, 1);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    assert_eq!(world.state().trust, kept);
    let anchors = || std::fs::read_to_string(world.config.state_dir.join("anchors.pem")).unwrap();
    assert_eq!(anchors().matches("BEGIN").count(), 2);

    // Side by side: the session that told of it has proven it.
    assert_eq!(fetch(&world, &bundle(2, &[&old, &new], &signer), TRUST_BUNDLE).await, 0);
    assert_eq!(world.state().trust.sequence, 2);
    assert_ne!(world.state().trust, kept);
    let again = world.start();
    again.stop().await;
    assert_eq!(anchors().matches("BEGIN").count(), 2);
}

#[tokio::test]
async fn a06_a_bundle_that_is_not_authentic_or_not_one_is_told_with_its_fault() {
    let world = World::new().await;
    let signer = pki::issue_signer(&world.pki(), "localhost").unwrap();
    let old = std::fs::read(world.pki().join("operator.pem")).unwrap();
    let hems = pki::issue_hems(&world.pki(), "localhost").unwrap();
    let (corrupted, not_authentic) = (FaultCode::FILE_CORRUPTED.0, FaultCode::FILE_AUTHENTICATION_FAILURE.0);
    assert_eq!((corrupted, not_authentic), (9018, 9019));
    assert_eq!(fetch(&world, &bundle(1, &[&old], &hems), TRUST_BUNDLE).await, not_authentic);
    assert_eq!(fetch(&world, b"no statement", TRUST_BUNDLE).await, corrupted);
    assert_eq!(fetch(&world, &bundle(3, &[&old], &signer), TRUST_BUNDLE).await, 0);
    assert_eq!(fetch(&world, &bundle(2, &[&old], &signer), TRUST_BUNDLE).await, not_authentic);
    assert_eq!(fetch(&world, &bundle(3, &[&old], &signer), TRUST_BUNDLE).await, 0);
    assert_eq!(fetch(&world, &bundle(4, &[&old], &signer), CLOCK_CORRECTION).await, corrupted);
    assert_eq!(world.state().trust.sequence, 3);
}

#[tokio::test]
async fn k02_a_signed_correction_sets_the_clock_back_once_and_is_told() {
    let world = World::new().await;
    let signer = pki::issue_signer(&world.pki(), "localhost").unwrap();
    world.start().stop().await;
    let wrong = Timestamp::now() + days(200);
    let state = henb::State { clock: wrong, ..world.state() };
    std::fs::write(world.state_path(), serde_json::to_vec(&state).unwrap()).unwrap();
    let correction = |sequence, cells: &[&str]| {
        let (clock_after, time) = (Timestamp::now() + days(100), Timestamp::now());
        let cells = cells.iter().map(|cell| (*cell).to_owned()).collect();
        ClockCorrection { sequence, clock_after, time, cells }.seal(&signer).unwrap()
    };
    let not_authentic = FaultCode::FILE_AUTHENTICATION_FAILURE.0;
    let strangers = correction(1, &["00005e005302.hnb.example"]);
    assert_eq!(fetch(&world, &strangers, CLOCK_CORRECTION).await, not_authentic);
    assert!(world.state().clock >= wrong);
    let ours = correction(2, &[IDENTITY]);
    assert_eq!(fetch(&world, &ours, CLOCK_CORRECTION).await, 0);
    assert!(world.state().clock < Timestamp::now() + days(1));
    assert_eq!(world.state().corrections, 2);
    let told = world.acs.informs().iter().any(|inform| {
        inform.parameter_list.iter().any(|entry| entry.value.text == Alarm::ClockCorrected.identifier())
    });
    assert!(told);
    // Again: done already. An older one, or one for clocks that are wrong: refused.
    assert_eq!(fetch(&world, &ours, CLOCK_CORRECTION).await, 0);
    assert_eq!(fetch(&world, &correction(1, &[]), CLOCK_CORRECTION).await, not_authentic);
    assert_eq!(fetch(&world, &correction(3, &[]), CLOCK_CORRECTION).await, not_authentic);
    assert_eq!(world.state().corrections, 2);
}

#[tokio::test]
async fn k10_a_certificate_that_the_new_time_ends_ends_the_session_and_the_next_is_refused() {
    let world = World::with(|pki| short_lived(pki, 20), Arc::new(SystemClock)).await;
    world.acs.header(header::DATE, &http_date(Timestamp::now() + days(40)));
    let mut cell = world.start();
    let failed = cell.until(|status| status.failures == 1).await;
    assert!(failed.last_failure.unwrap().contains("key_period"));
    cell.stop().await;
    assert!(world.state().alarms.has(Alarm::PeerOutOfDate));
    let posts = world.acs.posts().len();
    assert_eq!(posts, 1);
    let mut cell = world.start();
    let failed = cell.until(|status| status.failures == 1).await;
    assert!(failed.last_failure.unwrap().contains("the TLS profile refuses"));
    assert_eq!(world.acs.posts().len(), posts);
}

/// A server that answers one question with this time.
async fn answer_ntp(socket: UdpSocket, time: Timestamp) {
    let mut question = [0; 48];
    let (_, from) = socket.recv_from(&mut question).await.unwrap();
    let mut message = [0; 48];
    (message[0], message[1]) = (4 << 3 | 4, 2);
    message[24..32].copy_from_slice(&question[40..]);
    let seconds = u32::try_from(time.as_second() + 2_208_988_800).unwrap();
    message[40..44].copy_from_slice(&seconds.to_be_bytes());
    socket.send_to(&message, from).await.unwrap();
}

/// A cell in a tunnel that learns of this server in its first session, in which the H(e)MS gives no time.
async fn in_a_tunnel(mode: TransportMode, server: &UdpSocket) -> World {
    let mut world = World::with(|pki| short_lived(pki, 10), Arc::new(SystemClock)).await;
    world.config.mode = mode;
    world.config.tunnel = Some(TunnelEnd { address: "127.0.0.1".parse().unwrap(), interface: None });
    world.acs.header(header::DATE, &http_date(Timestamp::now() - days(400)));
    let address = Value::string(server.local_addr().unwrap().to_string());
    let entry = ParameterValueStruct::new(format!("{}1", path::NTP_SERVER), address);
    world.acs.script(vec![
        SetParameterValues { parameter_list: vec![entry], parameter_key: Text::new() }.into(),
        read(path::TIME_STATUS),
    ]);
    world
}

#[tokio::test]
async fn k03_k10_ntp_in_the_tunnel_sets_the_clock_and_the_last_peer_is_judged_again() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let world = in_a_tunnel(TransportMode::IpsecTls, &server).await;
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    answer_ntp(server, Timestamp::now() + days(20)).await;
    cell.until(|status| status.failures >= 1).await;
    cell.stop().await;
    assert!(world.state().clock > Timestamp::now() + days(19));
    assert!(world.state().alarms.has(Alarm::PeerOutOfDate));
    let status = world.acs.outcomes().remove(1).unwrap();
    let CpeResponse::GetParameterValues(values) = status else { panic!("{status:?}") };
    assert_eq!(values.parameter_list[0].value.text, "Error_FailedToSynchronize");
}

#[tokio::test]
async fn k03_without_a_tunnel_nobody_is_asked() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let world = in_a_tunnel(TransportMode::Public, &server).await;
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    cell.stop().await;
    // The end is orderly: whatever the cell wanted to ask was asked before.
    let mut question = [0; 48];
    assert!(server.try_recv(&mut question).is_err());
}

#[tokio::test]
async fn k01_k06_a_damaged_clock_file_is_told_and_the_cell_starts() {
    let world = World::new().await;
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    cell.stop().await;
    let saved = world.state().clock;
    std::fs::write(world.config.state_dir.join("clock"), [0xA5; 8192]).unwrap();
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    cell.stop().await;
    assert!(world.state().clock >= saved);
    let told = world.acs.informs().iter().any(|inform| {
        inform.parameter_list.iter().any(|entry| entry.value.text == Alarm::ClockFile.identifier())
    });
    assert!(told);
}

#[tokio::test]
async fn k01_the_clock_s_own_file_outlives_the_state() {
    let world = World::new().await;
    world.start().stop().await;
    let ahead = Timestamp::now() + days(100);
    let state = henb::State { clock: ahead, ..world.state() };
    std::fs::write(world.state_path(), serde_json::to_vec(&state).unwrap()).unwrap();
    world.start().stop().await;
    std::fs::remove_file(world.state_path()).unwrap();
    world.start().stop().await;
    assert!(world.state().clock >= ahead);
}

#[tokio::test]
async fn a19_the_end_of_the_cell_s_certificate_is_told_in_time() {
    for (warn_days, is_told) in [(30, true), (5, false)] {
        let mut world = World::new().await;
        let pair = |name: &str| world.pki().join("manufacturer").join(name);
        let ca = KeyPair { chain: pair("hnb.example.pem"), key: pair("hnb.example.key") };
        let key = pki::Key::generate(2048).unwrap();
        let (not_before, not_after) = (Timestamp::now() - days(30), Timestamp::now() + days(10));
        let order = pki::LeafOrder::henb(&Identity::parse(IDENTITY).unwrap())
            .valid(pki::Validity { not_before, not_after });
        let issued = pki::Authority::load(&ca).unwrap().issue(&order, &key).unwrap();
        world.config.identity = (&issued.write(&world.pki(), "ends", &key).unwrap()).into();
        world.config.trust.warn = Duration::from_secs(warn_days * 24 * 3600);
        let mut cell = world.start();
        cell.until(|status| status.sessions >= 1).await;
        cell.stop().await;
        assert_eq!(world.state().alarms.has(Alarm::CertificateEnds), is_told, "{warn_days} days");
        let told = world.acs.informs()[0]
            .parameter_list
            .iter()
            .any(|entry| entry.value.text == Alarm::CertificateEnds.identifier());
        assert_eq!(told, is_told, "{warn_days} days");
    }
}

#[tokio::test]
async fn a20_the_data_model_shows_the_certificates_as_they_are() {
    let world = World::new().await;
    world.acs.script(vec![read(path::CERTIFICATES), read("Device.Security.")]);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    cell.stop().await;
    let outcomes = world.acs.outcomes();
    let Ok(CpeResponse::GetParameterValues(values)) = &outcomes[0] else { panic!("{outcomes:?}") };
    let value = |row: usize, name: &str| {
        let path = format!("{}{row}.{name}", path::CERTIFICATES);
        values.parameter_list.iter().find(|entry| entry.name == path.as_str()).unwrap().value.text.to_string()
    };
    let mut expected: Vec<CertificateFacts> = Vec::new();
    for file in [&world.config.identity.chain, &world.config.anchors] {
        let roots = RootCertificate::read_all(&std::fs::read(file).unwrap()).unwrap();
        expected.extend(roots.iter().map(|root| root.facts().unwrap()));
    }
    assert_eq!(values.parameter_list.len(), expected.len() * 9);
    for (at, facts) in expected.iter().enumerate() {
        let row = at + 1;
        assert_eq!(value(row, "SerialNumber"), facts.serial);
        assert_eq!(value(row, "Issuer"), facts.issuer);
        assert_eq!(value(row, "Subject"), facts.subject);
        assert_eq!(value(row, "SubjectAlt"), facts.dns_names.join(","));
        assert_eq!(value(row, "SignatureAlgorithm"), facts.signature);
        assert_eq!(value(row, "NotBefore").parse::<Timestamp>().unwrap(), facts.not_before);
        assert_eq!(value(row, "NotAfter").parse::<Timestamp>().unwrap(), facts.not_after);
        assert_eq!(value(row, "Enable"), "true");
    }
}

#[tokio::test]
async fn g03_a_cell_that_refuses_its_hems_turns_to_the_recovery_endpoint_and_back() {
    let future = |pki: &Path| {
        let (not_before, not_after) = (Timestamp::now() + days(100), Timestamp::now() + days(500));
        let order = pki::LeafOrder::hems("localhost").valid(pki::Validity { not_before, not_after });
        let key = pki::Key::generate(2048).unwrap();
        operator(pki).issue(&order, &key).unwrap().write(pki, "future", &key).unwrap()
    };
    // The H(e)MS lives a hundred days from now, and this cell has lain in a drawer.
    let today = Timestamp::now() + days(101);
    let mut world = World::with(future, Arc::new(FixedClock::new(today))).await;
    let order = pki::AuthorityOrder::lab("recovery", "localhost");
    let authority = pki::Authority::create(&order.valid(pki::Validity::lab(Timestamp::now(), 30))).unwrap();
    let key = pki::Key::generate(2048).unwrap();
    let order = pki::LeafOrder::hems("localhost").valid(pki::Validity::lab(Timestamp::now(), 20));
    let pair = authority.issue(&order, &key).unwrap().write(&world.pki(), "recovery", &key).unwrap();
    let anchors = world.pki().join("recovery-anchors.pem");
    std::fs::write(&anchors, authority.pem().unwrap()).unwrap();
    let manufacturer = world.pki().join("manufacturer.pem");
    let recovery = Acs::start(&pair, &manufacturer, Arc::new(FixedClock::new(today))).await;
    for acs in [&recovery, &world.acs] {
        acs.header(header::DATE, &http_date(today));
    }
    let url = HemsUrl::parse(&recovery.url(), TransportMode::Public).unwrap();
    world.config.trust =
        Care { recovery: Some(RecoveryEndpoint { url, anchors, after: 1 }), ..Care::default() };
    let mut cell = world.start();
    // One refusal, the recovery endpoint, and back with the right time.
    let status = cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    assert_eq!(status.failures, 1);
    assert_eq!((recovery.informs().len(), !world.acs.informs().is_empty()), (1, true));
    assert!(world.state().clock >= today - days(1));
}

/// A process with its children, which end with it: faketime stands between.
struct Group(Child);

impl Group {
    fn start(command: &mut Command) -> Self {
        Self(command.process_group(0).spawn().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// Another folder with a cell's daemon in it, and its configuration.
fn daemon(world: &World, name: &str) -> std::path::PathBuf {
    let own = &world.config.identity;
    let text = format!(
        "lab = true\nstate_dir = \"daemon\"\n[hems]\nurl = {:?}\nanchors = {:?}\n[identity]\ncertificate = {:?}\nkey = {:?}\n",
        world.acs.url(),
        world.config.anchors,
        own.chain,
        own.key.to_string()
    );
    let folder = world.room(name);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("henbd.toml"), text).unwrap();
    folder.join("henbd.toml")
}

fn local_clock(inform: &Inform) -> Timestamp {
    let shown = inform.parameter_list.iter().find(|entry| entry.name == path::LOCAL_CLOCK).unwrap();
    shown.value.text.parse().unwrap()
}

#[tokio::test]
async fn g02_p17_p18_k05_a_system_clock_thirty_years_off_changes_nothing() {
    let world = World::new().await;
    for offset in ["-30y", "+30y"] {
        let before = world.acs.informs().len();
        let henbd = Group::start(
            Command::new("faketime")
                .args(["-f", offset, env!("CARGO_BIN_EXE_henbd"), "--config"])
                .arg(daemon(&world, offset)),
        );
        world.acs.until(|acs| acs.informs().len() > before).await;
        drop(henbd);
        let inform = world.acs.informs().remove(before);
        assert!(inform.current_time.since_boot().is_some(), "{offset}");
        let clock = local_clock(&inform);
        assert!(clock.as_second() >= profile::build_time().as_second(), "{offset}: {clock}");
        assert!(clock < Timestamp::now() + days(1), "{offset}: {clock}");
    }
}

#[tokio::test]
async fn p17_p18_k05_a_system_clock_that_jumps_while_the_cell_runs_changes_nothing() {
    let world = World::new().await;
    world.acs.script(vec![set(&[
        ("Device.ManagementServer.PeriodicInformInterval", Value::unsigned_int(1)),
        ("Device.ManagementServer.PeriodicInformEnable", Value::boolean(true)),
    ])]);
    let offset = world.room("offset");
    std::fs::write(&offset, "+0").unwrap();
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    assert!(Path::new(&library).exists(), "no {library}");
    let _henbd = Group::start(
        Command::new(env!("CARGO_BIN_EXE_henbd"))
            .arg("--config")
            .arg(daemon(&world, "jumps"))
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &offset)
            .envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]),
    );
    world.acs.until(|acs| !acs.informs().is_empty()).await;
    for jump in ["+20y", "-40y", "+0"] {
        std::fs::write(&offset, jump).unwrap();
        let before = world.acs.informs().len();
        // One may have been under way. The first session's date has set the clock by now.
        world.acs.until(|acs| acs.informs().len() > before + 1).await;
        let shown = local_clock(world.acs.informs().last().unwrap());
        let off = Timestamp::now().duration_since(shown).abs();
        assert!(off < SignedDuration::from_mins(1), "{jump}: {shown}");
    }
}
