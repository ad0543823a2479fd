//! The software that a template wants: fetched by the plan, and there when the cell says so.
//!
//! ```text
//!  template ─▶ session: Download ─▶ TransferComplete ─┬─ boots with it ──▶ in service, the change is fine
//!                                                     ├─ a fault ────────▶ back-off, dead letter
//!                                                     └─ as it was ──────▶ a fault, too
//! ```

use cwmp::{
    AcsMethod, CpeMethod, DateTime, Download, EventCode, FaultCode, FaultStruct, FromAcs, FromCpe, Inform,
    TransferComplete, ValueKind,
};
use hyper::{Method, StatusCode};
use profile::pki;
use serde_json::{Value, json};

use crate::{
    cell::{Cell, TAC, Tree, inform, parameter},
    changes::{serving, shown},
    files::signed,
    world::{World, identity, serial},
};

const PATH: &str = "/api/v1/templates/software";
const SOFTWARE: &str = "Device.DeviceInfo.SoftwareVersion";

/// A world with cells that serve, and version 2 of their software among its files.
async fn world(more: &str) -> (World, Tree) {
    let world = World::with(more).await;
    let tree = serving(&world, 1).await.remove(0);
    add(&world, "SimulatedCell", "2").await;
    (world, tree)
}

/// Adds an image of a version for a product, which runs on board 1; gives its number.
async fn add(world: &World, product_class: &str, version: &str) -> i64 {
    let signer = pki::issue_firmware_signer(&world.pki(), &format!("{product_class}{version}")).unwrap();
    let image = String::from_utf8(signed(&signer, product_class, version)).unwrap();
    let path = format!("/api/v1/files?kind=firmware&name={product_class}-{version}.img");
    let (status, file) = world.upload(Method::POST, &path, image).await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    file["id"].as_i64().unwrap()
}

/// Wants a version of everybody; gives the change.
async fn want(world: &World, version: &str) -> Value {
    let (status, view) = world.ask(Method::PUT, PATH, Some(json!({"software": version}))).await;
    assert_eq!((status, &view["software"]), (StatusCode::OK, &json!(version)), "{view}");
    view["change"].clone()
}

fn informs(version: &str, events: &[EventCode]) -> Inform {
    let parameter_list = vec![
        parameter(SOFTWARE, version, ValueKind::String),
        parameter("Device.DeviceInfo.HardwareVersion", "1", ValueKind::String),
    ];
    Inform { parameter_list, ..inform(&serial(1), events) }
}

/// A session on a software; gives what was called.
async fn session(world: &World, version: &str, event: EventCode, tree: &mut Tree) -> Vec<&'static str> {
    Cell::connect(world, 1).await.session_of(informs(version, &[event]), tree).await
}

/// A boot that reports the latest transfer; gives what was called then.
async fn report(world: &World, version: &str, fault: FaultStruct, tree: &mut Tree) -> Vec<&'static str> {
    let Some(CpeMethod::Download(Download { command_key, .. })) = tree.transfers.last().cloned() else {
        panic!("nothing was fetched")
    };
    let mut cell = Cell::connect(world, 1).await;
    let events = [EventCode::BOOT, EventCode::TRANSFER_COMPLETE];
    cell.post("i", FromCpe::Call(AcsMethod::Inform(informs(version, &events)))).await;
    let complete = TransferComplete {
        command_key,
        fault_struct: fault,
        start_time: DateTime::UNKNOWN,
        complete_time: DateTime::UNKNOWN,
    };
    let reply = cell.post("t", FromCpe::Call(AcsMethod::TransferComplete(complete))).await;
    assert!(matches!(reply.message(), FromAcs::Response(_)), "{reply:?}");
    cell.go_on(tree).await
}

fn failed() -> FaultStruct {
    FaultStruct { fault_code: FaultCode::FILE_CORRUPTED, fault_string: "damaged".into() }
}

async fn calls(world: &World) -> Vec<Value> {
    let calls = world.get(&format!("/api/v1/devices/{}/calls", identity(1))).await;
    calls["items"].as_array().unwrap().clone()
}

async fn faults(world: &World) -> Vec<Value> {
    world.device(1).await["faults"].as_array().unwrap().clone()
}

#[tokio::test]
async fn w02_a_template_brings_a_cell_to_another_software() {
    let (world, mut tree) = world("").await;
    let file = add(&world, "SimulatedCell", "2").await;
    add(&world, "OtherCell", "2").await;
    let change = want(&world, "2").await;
    assert_eq!(session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await, ["Download"]);
    let call = calls(&world).await.remove(0);
    assert_eq!(
        (&call["action"], &call["author"], &call["state"]),
        (&json!({"action": "software", "file": file, "version": "2"}), &json!("plan"), &json!("accepted"))
    );
    let download = &call["call"]["Download"];
    assert_eq!(
        (&download["FileType"], &download["Password"]),
        (&json!("1 Firmware Upgrade Image"), &json!(""))
    );
    let path = download["URL"].as_str().unwrap().strip_prefix("https://localhost:7547").unwrap();
    let fetched = Cell::connect(&world, 1).await.send("GET", path, bytes::Bytes::new()).await.unwrap();
    assert!(fetched.text.ends_with("0123456789"), "the image comes from the URL that was given");

    let between = session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await;
    assert_eq!(between, [""; 0], "one that is under way is not asked for again");
    let now = shown(&world, &change).await;
    assert_eq!((&now["released"], &now["fine"]), (&json!(1), &json!(0)), "it is not there yet");
    assert_eq!(world.device(1).await["in_service"], true, "and serves on as it is");

    let called = report(&world, "2", FaultStruct::success(), &mut tree).await;
    assert!(!called.contains(&"Download"), "{called:?}");
    let device = world.device(1).await;
    assert_eq!((&device["software"], &device["in_service"]), (&json!("2"), &json!(true)), "{device}");
    assert_eq!((calls(&world).await[0]["state"].as_str(), faults(&world).await), (Some("done"), vec![]));
    assert_eq!(shown(&world, &change).await["fine"], 1);
    assert_eq!(session(&world, "2", EventCode::PERIODIC, &mut tree).await, [""; 0]);
}

#[tokio::test]
async fn w02_o04_a_preview_shows_the_download_and_nothing_comes_of_it() {
    let (world, mut tree) = world("").await;
    let body = json!({"template": {"software": "2"}});
    let (status, preview) = world.ask(Method::POST, &format!("{PATH}/preview"), Some(body)).await;
    assert_eq!((status, &preview["changed"]), (StatusCode::OK, &json!(1)), "{preview}");
    let device = &preview["items"][0];
    assert_eq!(device["differences"], json!([{"path": SOFTWARE, "from": "1.2.3", "to": "2"}]));
    let download = &device["calls"][0]["call"]["Download"];
    assert_eq!(
        (&download["URL"], &download["TargetFileName"], device["calls"].as_array().unwrap().len()),
        (&json!("https://localhost:7547/files/TOKEN"), &json!("SimulatedCell-2.img"), 1)
    );
    assert_eq!(session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await, [""; 0]);
    assert_eq!(calls(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn w02_o04_a_transfer_that_fails_waits_and_is_a_dead_letter_in_the_end() {
    let (world, mut tree) = world("").await;
    let change = want(&world, "2").await;
    session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await;
    let called = report(&world, "1.2.3", failed(), &mut tree).await;
    assert!(!called.contains(&"Download"), "not twice in one session: {called:?}");
    let fault = faults(&world).await.remove(0);
    assert_eq!(
        (&fault["step"], &fault["wanted"], &fault["code"], &fault["count"]),
        (&json!("Software"), &json!("2"), &json!(9018), &json!(1))
    );
    assert_eq!(shown(&world, &change).await["faulted"], 1);
    assert_eq!(session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await, [""; 0], "it waits");
    for count in 2..=8 {
        let called = session(&world, "1.2.3", EventCode::BOOT, &mut tree).await;
        assert_eq!(called.last(), Some(&"Download"), "{count}: {called:?}");
        report(&world, "1.2.3", failed(), &mut tree).await;
        assert_eq!(faults(&world).await[0]["count"], count);
    }
    let letters = world.get("/api/v1/dead-letters").await;
    assert_eq!(letters["items"][0]["step"], "Software", "{letters}");
    let called = session(&world, "1.2.3", EventCode::BOOT, &mut tree).await;
    assert!(!called.contains(&"Download"), "{called:?}");

    let path = format!("/api/v1/devices/{}/dead-letters/retry", identity(1));
    assert_eq!(world.ask(Method::POST, &path, Some(json!({}))).await.0, StatusCode::OK);
    assert_eq!(session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await, ["Download"]);
    report(&world, "2", FaultStruct::success(), &mut tree).await;
    assert_eq!(faults(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn w02_o04_a_cell_that_takes_an_image_and_runs_the_old_one_has_failed() {
    let (world, mut tree) = world("").await;
    want(&world, "2").await;
    session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await;
    report(&world, "1.2.3", FaultStruct::success(), &mut tree).await;
    assert_eq!(faults(&world).await, Vec::<Value>::new(), "it may restart after its report");
    let called = session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await;
    assert_eq!(called, [""; 0]);
    let fault = faults(&world).await.remove(0);
    assert!(fault["text"].as_str().unwrap().contains("runs another software"), "{fault}");
    assert_eq!(calls(&world).await[0]["state"], "failed");
    let called = session(&world, "1.2.3", EventCode::BOOT, &mut tree).await;
    assert_eq!(called.last(), Some(&"Download"), "{called:?}");
}

#[tokio::test]
async fn w02_a_cell_that_refuses_the_download_has_the_rest_of_what_is_desired() {
    let (world, mut tree) = world("").await;
    tree.refuses = Some("Download");
    let body = json!({"software": "2", "priority": 5, "values": {TAC: "9"}});
    world.put(PATH, body).await;
    session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await;
    assert_eq!(tree.values[TAC].0, "9");
    let fault = faults(&world).await.remove(0);
    assert_eq!((&fault["step"], &fault["code"]), (&json!("Software"), &json!(FaultCode::REQUEST_DENIED.0)));
    assert_eq!(calls(&world).await[0]["state"], "failed");
    assert_eq!(world.device(1).await["in_service"], true);
}

#[tokio::test]
async fn w02_an_image_that_is_not_there_is_said_before_and_after() {
    let (world, mut tree) = world("").await;
    let (status, problem) = world.ask(Method::PUT, PATH, Some(json!({"software": "3"}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["errors"][0]["place"], "software", "{problem}");

    let other = add(&world, "OtherCell", "3").await;
    want(&world, "3").await;
    let preview = world.get(&format!("/api/v1/devices/{}/preview", identity(1))).await;
    assert_eq!(preview["error"], Value::Null, "it does not follow yet: {preview}");
    assert_eq!(session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await, [""; 0]);
    let preview = world.get(&format!("/api/v1/devices/{}/preview", identity(1))).await;
    assert!(preview["error"].as_str().unwrap().contains("version 3 for 00005E/SimulatedCell"), "{preview}");
    let fault = faults(&world).await.remove(0);
    assert!(fault["text"].as_str().unwrap().contains("version 3 for 00005E/SimulatedCell"), "{fault}");
    let asked = json!({"action": "download", "file": other});
    let (status, _) =
        world.ask(Method::POST, &format!("/api/v1/devices/{}/actions", identity(1)), Some(asked)).await;
    assert_eq!(status, StatusCode::CONFLICT);

    add(&world, "SimulatedCell", "3").await;
    assert_eq!(
        session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await,
        ["Download"],
        "no wait for it"
    );
    report(&world, "3", FaultStruct::success(), &mut tree).await;
    assert_eq!(faults(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn w02_o04_a_freeze_holds_another_software_and_an_operator_does_not_undo_it() {
    let (world, mut tree) = world("").await;
    let file = add(&world, "SimulatedCell", "2").await;
    let own = format!("/api/v1/devices/{}/values", identity(1));
    world.put(&own, json!({"software": "2"})).await;
    world.put("/api/v1/freeze", json!({"reason": "night"})).await;
    assert_eq!(session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await, [""; 0]);
    let asked = json!({"action": "download", "file": file});
    let (status, problem) =
        world.ask(Method::POST, &format!("/api/v1/devices/{}/actions", identity(1)), Some(asked)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert_eq!(world.ask(Method::DELETE, "/api/v1/freeze", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await, ["Download"]);
}

#[tokio::test]
async fn w02_s10_a_download_that_was_queued_before_a_crash_is_sent_once() {
    let (world, mut tree) = world("").await;
    want(&world, "2").await;
    let mut cell = Cell::connect(&world, 1).await;
    cell.post("i", FromCpe::Call(AcsMethod::Inform(informs("1.2.3", &[EventCode::PERIODIC])))).await;
    let reply = cell.empty().await;
    assert!(matches!(reply.message(), FromAcs::Call(CpeMethod::Download(_))), "{reply:?}");
    drop(cell);
    // Nobody knows whether the cell got it: it reports, or is asked again after a day.
    assert_eq!(session(&world, "1.2.3", EventCode::PERIODIC, &mut tree).await, [""; 0]);
    let calls = calls(&world).await;
    assert_eq!((calls.len(), &calls[0]["state"]), (1, &json!("unknown")), "{calls:?}");
}

#[tokio::test]
async fn w02_an_image_that_a_template_wants_stays_and_the_way_back_is_previewed() {
    let (world, _) = world("").await;
    let only = add(&world, "SimulatedCell", "3").await;
    want(&world, "3").await;
    want(&world, "2").await;
    let (status, _) = world.ask(Method::DELETE, &format!("/api/v1/files/{only}"), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "nobody wants that any more");
    let two = world.get("/api/v1/files?kind=firmware").await["items"][0]["id"].clone();
    let (status, problem) = world.ask(Method::DELETE, &format!("/api/v1/files/{two}"), None).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("`software` wants"), "{problem}");
    let preview = async |body: Value| world.ask(Method::POST, &format!("{PATH}/preview"), Some(body)).await;
    let (status, problem) = preview(json!({"version": 1})).await;
    assert_eq!(
        (status, &problem["errors"][0]["place"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("software"))
    );
    let (_, way) = preview(json!({"version": 2})).await;
    assert_eq!(way["items"][0]["differences"][0]["to"], "2", "{way}");
    assert_eq!(preview(json!({"version": 9})).await.0, StatusCode::NOT_FOUND);
}
