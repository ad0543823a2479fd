//! What sessions leave as evidence of who they were with, and what is read from it.

use cwmp::{AcsMethod, DateTime, EventCode, FromAcs, FromCpe, Inform, ValueKind};
use hyper::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use profile::KeyPair;
use serde_json::json;

use crate::{
    cell::{Cell, Tree, inform, parameter},
    world::{World, identity, serial},
};

/// An Inform of a cell with a clock and an up time.
fn told(clock: Timestamp, up_time: u32) -> Inform {
    let clock = DateTime::from(clock).0;
    let mut inform = inform(&serial(1), &[EventCode::PERIODIC]);
    inform.parameter_list.push(parameter("Device.Time.X_00005E_LocalClock", &clock, ValueKind::DateTime));
    let up_time = up_time.to_string();
    inform.parameter_list.push(parameter("Device.DeviceInfo.UpTime", &up_time, ValueKind::UnsignedInt));
    inform
}

async fn session(world: &World, pair: &KeyPair, inform: Inform) {
    Cell::over(world.connect(pair).await, 1).await.session_of(inform, &mut Tree::new()).await;
}

#[tokio::test]
async fn s13_x04_a_session_keeps_its_chain_its_anchor_and_how_far_the_cells_clock_was_off() {
    let world = World::new().await;
    let pair = world.certificate(1);
    session(&world, &pair, told(Timestamp::now() - SignedDuration::from_hours(1), 60)).await;
    let sessions = world.get("/api/v1/sessions").await;
    let shown = &sessions["items"][0];
    let chain = shown["chain"].as_array().unwrap();
    assert_eq!((chain.len(), &shown["anchor"]), (2, &json!("manufacturer")), "{shown}");
    assert_eq!(chain[0]["sha256"], shown["certificate_sha256"]);
    assert!((3600..3660).contains(&shown["clock_offset"].as_i64().unwrap()), "{shown}");
    assert_eq!(shown["protected_to"], "hems");
    assert_eq!((&shown["downgraded"], &shown["outside_profile"]), (&json!(false), &json!([])));
    let device = world.device(1).await;
    assert_eq!(device["clock_offset"], shown["clock_offset"]);
    assert_eq!(device["certificate_not_after"], shown["certificate_not_after"]);
}

#[tokio::test]
async fn p05_a_cell_that_was_seen_at_tls_1_2_and_comes_at_1_1_is_flagged_and_counted() {
    let world = World::new().await;
    let pair = world.certificate(1);
    session(&world, &pair, told(Timestamp::now(), 60)).await;
    let address = world.cwmp.to_string();
    let text = cwmp_text(&inform(&serial(1), &[EventCode::PERIODIC]));
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    let arguments =
        ["s_client", "-connect", &address, "-tls1_1", "-cipher", "AES128-SHA:@SECLEVEL=0", "-quiet"];
    let mut old = tokio::process::Command::new("openssl")
        .args(arguments)
        .arg("-cert")
        .arg(&pair.chain)
        .arg("-key")
        .arg(&pair.key)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut mouth = old.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut mouth, request.as_bytes()).await.unwrap();
    let sessions = world.until("/api/v1/sessions", |list| list["items"][0]["tls_version"] == "TLSv1.1").await;
    assert_eq!(sessions["items"][0]["downgraded"], true);
    assert_eq!(world.device(1).await["downgrades"], 1);
    let alarms = world.alarms().await;
    let alarm = alarms["items"].as_array().unwrap().iter().find(|alarm| alarm["kind"] == "tls_downgraded");
    assert_eq!(alarm.unwrap()["identity"], identity(1));
}

fn cwmp_text(inform: &Inform) -> String {
    let envelope = cwmp::Envelope {
        version: cwmp::Version::V1_1,
        header: cwmp::Header::with_id(Some("1".into())),
        body: FromCpe::Call(AcsMethod::Inform(inform.clone())),
    };
    envelope.encode()
}

#[tokio::test]
async fn p20_a_machine_that_was_started_before_the_one_seen_last_raises_a_suspicion() {
    let world = World::new().await;
    let pair = world.certificate(1);
    for up_time in [9000, 600, 9000] {
        session(&world, &pair, told(Timestamp::now(), up_time)).await;
    }
    let list = world.get("/api/v1/devices").await;
    assert_eq!(list["items"][0]["clone_suspicion"], "earlier_start");
    let device = world.device(1).await;
    assert_eq!((&device["suspicion"]["count"], &device["state"]), (&json!(1), &json!("provisioning")));
    let alarms = world.alarms().await;
    assert_eq!(alarms["items"][0]["kind"], "clone_suspected");
    let path = format!("/api/v1/devices/{}/suspicion", identity(1));
    assert_eq!(world.ask(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.device(1).await["suspicion"], json!(null));
    assert_eq!(world.ask(Method::DELETE, &path, None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn p20_i12_where_the_operator_wants_it_a_suspected_clone_is_blocked() {
    let world = World::new().await;
    let pair = world.certificate(1);
    std::fs::write(world.path("policies"), "clones = \"block\"\n").unwrap();
    let world = world.restart().await;
    for up_time in [9000, 600] {
        session(&world, &pair, told(Timestamp::now(), up_time)).await;
    }
    let mut copy = Cell::over(world.connect(&pair).await, 1).await;
    let envelope = cwmp_text(&told(Timestamp::now(), 9000));
    if let Ok(reply) = copy.try_post(envelope).await {
        assert!(matches!(reply.message(), FromAcs::Fault(_)), "{reply:?}");
    }
    let has = |reason: &'static str| {
        move |list: &serde_json::Value| {
            list["items"].as_array().unwrap().iter().any(|row| row["reason"] == reason)
        }
    };
    world.until("/api/v1/refusals", has("clone_suspected")).await;
    let blocks = world.get("/api/v1/blocks").await;
    assert_eq!(
        (&blocks["items"][0]["by"], &blocks["items"][0]["value"]),
        (&json!("admission.clones"), &json!(identity(1)))
    );
    let stream = world.try_connect(&pair).await;
    let is_silent = match stream {
        Ok(stream) => Cell::over(stream, 1).await.try_post("").await.is_err(),
        Err(_) => true,
    };
    assert!(is_silent, "both are shut out, whoever comes first");
    world.until("/api/v1/refusals", has("blocked")).await;
}
