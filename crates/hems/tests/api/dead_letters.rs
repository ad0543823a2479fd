//! Steps that fail: what goes on without them, when they are tried again, and what an operator does about dead letters.
//!
//! ```text
//!  a cell that refuses one thing ─▶ session, boot, session … ─▶ who is called with what, and what is shown
//! ```

use cwmp::{EventCode, Inform, ValueKind};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cell::{CONTROL, Cell, PLMN_LIST, Refusal, TAC, Tree, inform, parameter},
    devices::configure,
    people::{account, login},
    world::{World, identity, serial},
};

const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
const ENABLE: &str = "Device.ManagementServer.PeriodicInformEnable";
/// Faults after which a step is a dead letter.
const TRIES: usize = 8;

/// A H(e)MS that wants a period too, and a cell that has one.
async fn world() -> (World, Tree) {
    let world = World::new().await;
    configure(&world).await;
    want(&world, 300).await;
    let mut tree = Tree::new();
    tree.put(INTERVAL, "60", ValueKind::UnsignedInt);
    tree.put(ENABLE, "0", ValueKind::Boolean);
    (world, tree)
}

async fn want(world: &World, interval: u32) {
    let template = json!({"priority": 5, "values": {INTERVAL: interval, ENABLE: true}});
    world.put("/api/v1/templates/period", template).await;
}

async fn session(world: &World, event: EventCode, tree: &mut Tree) -> Vec<&'static str> {
    Cell::connect(world, 1).await.session(&[event], tree).await
}

async fn faults(world: &World) -> Vec<Value> {
    world.device(1).await["faults"].as_array().unwrap().clone()
}

async fn letters(world: &World) -> Vec<Value> {
    world.get("/api/v1/dead-letters").await["items"].as_array().unwrap().clone()
}

async fn retry(world: &World, body: Value) -> (StatusCode, Value) {
    let path = format!("/api/v1/devices/{}/dead-letters/retry", identity(1));
    world.ask(Method::POST, &path, Some(body)).await
}

/// Boots, each of which makes due what waits, until the step is a dead letter.
async fn die(world: &World, tree: &mut Tree) {
    session(world, EventCode::BOOTSTRAP, tree).await;
    for _ in 1..TRIES {
        assert_eq!(letters(world).await, Vec::<Value>::new());
        session(world, EventCode::BOOT, tree).await;
    }
    assert_eq!(letters(world).await.len(), 1);
}

fn is_tried(called: &[&str]) -> bool {
    called.contains(&"SetParameterValues")
}

#[tokio::test]
async fn o04_one_bad_parameter_holds_up_no_other() {
    for refusal in [Refusal::Named, Refusal::Silent] {
        let (world, mut tree) = world().await;
        tree.bad.insert(INTERVAL, refusal);
        session(&world, EventCode::BOOTSTRAP, &mut tree).await;
        let value = |path: &str| tree.values[path].0.clone();
        assert_eq!(
            (value(TAC).as_str(), value(ENABLE).as_str(), value(INTERVAL).as_str()),
            ("7", "true", "60")
        );
        assert_eq!(value(&format!("{CONTROL}AdminState")), "true", "what has failed is not the radio's");
        let faults = faults(&world).await;
        assert_eq!(faults.len(), 1, "{refusal:?}: {faults:?}");
        let fault = &faults[0];
        assert_eq!(
            (&fault["step"], &fault["wanted"], &fault["count"]),
            (&json!(format!("SetParameterValues {INTERVAL}")), &json!("300"), &json!(1))
        );
        assert!(fault["next_at"].as_str() > fault["last_at"].as_str(), "{fault}");
        let device = world.device(1).await;
        assert_eq!((&device["in_service"], &device["next_step"]), (&json!(false), &Value::Null));
        assert_eq!(
            session(&world, EventCode::PERIODIC, &mut tree).await,
            ["GetParameterValues"; 0],
            "it waits"
        );
        let called = session(&world, EventCode::BOOT, &mut tree).await;
        assert_eq!(called.iter().filter(|name| **name == "SetParameterValues").count(), 1, "{called:?}");
    }
}

#[tokio::test]
async fn o04_what_a_cell_cannot_read_holds_up_nothing_else() {
    let (world, mut tree) = world().await;
    tree.values.remove(INTERVAL);
    session(&world, EventCode::BOOTSTRAP, &mut tree).await;
    assert_eq!((tree.values[TAC].0.as_str(), tree.values[ENABLE].0.as_str()), ("7", "true"));
    let faults = faults(&world).await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(
        (&faults[0]["step"], &faults[0]["code"]),
        (&json!(format!("GetParameterValues {INTERVAL}")), &json!(9005))
    );
}

#[tokio::test]
async fn o05_a_cell_whose_radio_is_not_as_desired_stays_off_the_air() {
    let (world, mut tree) = world().await;
    tree.bad.insert(TAC, Refusal::Named);
    session(&world, EventCode::BOOTSTRAP, &mut tree).await;
    assert_eq!(tree.values[&format!("{CONTROL}AdminState")].0, "0");
    assert_eq!(tree.values[&format!("{PLMN_LIST}2.PLMNID")].0, "99970", "the rest of the radio is");
    tree.bad.clear();
    session(&world, EventCode::BOOT, &mut tree).await;
    assert_eq!(tree.values[&format!("{CONTROL}AdminState")].0, "true");
    assert_eq!(faults(&world).await, Vec::<Value>::new(), "what went well is no fault any more");
}

#[tokio::test]
async fn o04_what_never_works_is_a_dead_letter_that_an_operator_sees_and_retries() {
    let (world, mut tree) = world().await;
    tree.bad.insert(INTERVAL, Refusal::Named);
    die(&world, &mut tree).await;
    assert!(!is_tried(&session(&world, EventCode::BOOT, &mut tree).await), "not for a mere boot");
    let letter = letters(&world).await.remove(0);
    assert_eq!(
        (&letter["identity"], &letter["code"], &letter["count"], letter.get("next_at")),
        (&json!(identity(1)), &json!(9003), &json!(TRIES), None),
    );
    assert_eq!(letter["parameters"][0]["FaultCode"], 9007, "{letter}");
    let one = world.get(&format!("/api/v1/dead-letters?identity={}&limit=1", identity(1))).await;
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    let found = world.get("/api/v1/devices?filter=dead_letter%3Dtrue").await;
    assert_eq!(found["items"][0]["identity"], identity(1));
    let alarms = world.alarms().await;
    assert!(
        alarms["items"].as_array().unwrap().iter().any(|alarm| alarm["kind"] == "cell_dead_letters"),
        "{alarms}"
    );

    assert_eq!(retry(&world, json!({"step": "AddObject Device.X."})).await.0, StatusCode::NOT_FOUND);
    let (status, retried) = retry(&world, json!({"step": letter["step"]})).await;
    assert_eq!((status, &retried["retried"]), (StatusCode::OK, &json!(1)));
    tree.bad.clear();
    assert!(is_tried(&session(&world, EventCode::PERIODIC, &mut tree).await));
    assert_eq!(tree.values[INTERVAL].0, "300");
    assert_eq!((faults(&world).await.len(), letters(&world).await.len()), (0, 0));
    let kinds = world.alarms().await.to_string();
    assert!(!kinds.contains("cell_dead_letters"), "{kinds}");
    assert_eq!(world.device(1).await["in_service"], true);
}

#[tokio::test]
async fn o04_another_value_or_another_software_is_another_chance() {
    let (world, mut tree) = world().await;
    tree.bad.insert(INTERVAL, Refusal::Named);
    die(&world, &mut tree).await;
    let newer = |event| Inform {
        parameter_list: vec![parameter("Device.DeviceInfo.SoftwareVersion", "2.0", ValueKind::String)],
        ..inform(&serial(1), &[event])
    };
    let called = Cell::connect(&world, 1).await.session_of(newer(EventCode::BOOT), &mut tree).await;
    assert!(is_tried(&called), "{called:?}");
    assert_eq!((letters(&world).await.len(), &faults(&world).await[0]["count"]), (0, &json!(1)));
    want(&world, 600).await;
    let called = Cell::connect(&world, 1).await.session_of(newer(EventCode::PERIODIC), &mut tree).await;
    assert!(is_tried(&called), "{called:?}");
    assert_eq!(
        (&faults(&world).await[0]["wanted"], &faults(&world).await[0]["count"]),
        (&json!("600"), &json!(1))
    );
    want(&world, 60).await;
    Cell::connect(&world, 1).await.session_of(newer(EventCode::PERIODIC), &mut tree).await;
    assert_eq!(faults(&world).await, Vec::<Value>::new(), "what it has already cannot fail");
}

#[tokio::test]
async fn o12_a_dead_letter_beyond_the_scope_shows_in_no_page_and_in_no_token() {
    let (world, mut tree) = world().await;
    tree.bad.insert(INTERVAL, Refusal::Named);
    die(&world, &mut tree).await;
    account(&world, "ann", "viewer", Some("tag=north")).await;
    let person = login(&world, "ann").await;
    let page = async |query: &str| {
        let path = format!("/api/v1/dead-letters?limit=1{query}");
        let (status, _, page) = person.ask(&world, Method::GET, &path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page
    };
    let first = page("").await;
    assert_eq!(first["items"], json!([]));
    let token = first["next_page_token"].as_str().unwrap();
    let pairs = token.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    let bytes: Vec<u8> = pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
    assert!(!String::from_utf8_lossy(&bytes).contains(&identity(1)), "{token}");
    assert_eq!(
        page(&format!("&page_token={token}")).await,
        json!({"items": []}),
        "it goes on after that one"
    );
    for path in ["/api/v1/dead-letters", "/api/v1/sessions"] {
        let of = async |number| {
            let path = format!("{path}?limit=1&identity={}", identity(number));
            person.ask(&world, Method::GET, &path, Value::Null).await.2
        };
        assert_eq!(of(1).await, of(9).await, "{path}: as if there were none");
    }
}
