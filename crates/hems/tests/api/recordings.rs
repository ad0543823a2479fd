//! `/api/v1/devices/{identity}/recording` and `/api/v1/sessions/{id}`: what is kept of a session that somebody wants to see,
//! and what today's plan says of it.

use cwmp::{CpeMethod, EventCode, FromAcs, FromCpe, ValueKind};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cell::{CONTROL, Cell, TAC, Tree, inform, parameter},
    devices::configure,
    inventory::accepted,
    world::{World, identity, serial},
};

fn order_path(number: u8) -> String {
    format!("/api/v1/devices/{}/recording", identity(number))
}

async fn record(world: &World, sessions: u32) -> (StatusCode, Value) {
    world.ask(Method::POST, &order_path(1), Some(json!({"sessions": sessions, "hours": 1}))).await
}

/// A world with a cell that is known, and what is desired of it.
async fn prepared() -> (World, Tree) {
    let world = World::new().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    configure(&world).await;
    world.put("/api/v1/pools/pci", json!({"first": 10, "last": 20})).await;
    (world, tree)
}

async fn call(world: &World, tree: &mut Tree) -> Vec<&'static str> {
    Cell::connect(world, 1).await.session(&[EventCode::PERIODIC], tree).await
}

/// The number of the newest session.
async fn newest(world: &World) -> i64 {
    world.get("/api/v1/sessions?limit=1").await["items"][0]["id"].as_i64().unwrap()
}

fn session(id: i64) -> String {
    format!("/api/v1/sessions/{id}")
}

async fn replay(world: &World, id: i64, body: Value) -> Value {
    let path = format!("{}/recording/replay", session(id));
    let (status, replayed) = world.ask(Method::POST, &path, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{replayed}");
    replayed
}

/// What is known of the cell and when it was read; only the age goes on.
async fn values(world: &World) -> Vec<[Value; 3]> {
    let values = world.device(1).await["values"].as_array().unwrap().clone();
    values.iter().map(|value| ["name", "value", "read_at"].map(|key| value[key].clone())).collect()
}

/// The likeness of each turn with its calls.
fn turns(replayed: &Value) -> Vec<(String, Option<String>, Option<String>)> {
    let method = |call: &Value| call.as_object().and_then(|call| call.keys().next()).cloned();
    let turn = |turn: &Value| {
        (turn["likeness"].as_str().unwrap().to_owned(), method(&turn["made"]), method(&turn["would"]))
    };
    replayed["turns"].as_array().unwrap().iter().map(turn).collect()
}

#[tokio::test]
async fn o10_the_next_sessions_are_recorded_as_often_as_asked_and_no_other() {
    let (world, mut tree) = prepared().await;
    let (status, order) = record(&world, 2).await;
    assert_eq!(
        (status, &order["sessions"], &order["author"]),
        (StatusCode::CREATED, &json!(2), &json!("local"))
    );
    let called = call(&world, &mut tree).await;
    let recorded = newest(&world).await;
    assert_eq!(world.get(&order_path(1)).await["sessions"], 1);
    let shown = world.get(&format!("{}/recording", session(recorded))).await;
    let items = shown["items"].as_array().unwrap();
    let said: Vec<_> =
        items.iter().map(|item| (item["from"].as_str().unwrap(), item["method"].as_str())).collect();
    assert_eq!(said[..2], [("device", Some("Inform")), ("hems", Some("InformResponse"))]);
    assert_eq!((said[2], said.last().unwrap()), (("device", None), &("hems", None)));
    let calls: Vec<_> =
        said.iter().skip(2).filter(|(from, _)| *from == "hems").filter_map(|(_, method)| *method).collect();
    assert_eq!(calls, called);
    assert!(items[0]["body"].as_str().unwrap().contains(&serial(1)) && items[0]["cut"] == 0, "{}", items[0]);
    assert_eq!((&shown["is_replayable"], &shown["left_out"]), (&json!(true), &json!(0)));
    call(&world, &mut tree).await;
    assert_ne!(world.get(&session(newest(&world).await)).await["recording"], Value::Null);
    call(&world, &mut tree).await;
    assert_eq!(world.get(&session(newest(&world).await)).await["recording"], Value::Null);
    assert_eq!(world.ask(Method::GET, &order_path(1), None).await.0, StatusCode::NOT_FOUND);
    let path = format!("{}/recording", session(recorded));
    assert_eq!(world.ask(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.ask(Method::GET, &path, None).await.0, StatusCode::NOT_FOUND);
    let log = world.get("/api/v1/audit-log?last=100").await.to_string();
    assert!(log.contains("record-sessions") && log.contains("delete-recording"), "{log}");
}

#[tokio::test]
async fn p07_what_a_recording_keeps_has_no_secret_and_no_header() {
    const PASSWORD: &str = "Device.ManagementServer.Password";
    let (world, mut tree) = prepared().await;
    tree.put("Device.X_TEST.IPsec.PreSharedKey", "hush-3", ValueKind::String);
    record(&world, 1).await;
    let get = json!({"GetParameterValues": {"ParameterNames": ["Device.X_TEST.IPsec.PreSharedKey"]}});
    let calls = format!("/api/v1/devices/{}/calls", identity(1));
    assert_eq!(world.ask(Method::POST, &calls, Some(get)).await.0, StatusCode::CREATED);
    let mut cell = Cell::connect(&world, 1).await;
    cell.headers.push(("authorization", "Basic aHVzaC0xOmh1c2gtMQ==".to_owned()));
    let mut told = inform(&serial(1), &[EventCode::PERIODIC]);
    told.parameter_list.push(parameter(PASSWORD, "hush-1", ValueKind::String));
    told.parameter_list.push(parameter(
        "Device.ManagementServer.URL",
        "https://u:hush-2@h/?k=hush-2",
        ValueKind::String,
    ));
    cell.session_of(told, &mut tree).await;
    let id = newest(&world).await;
    let shown = world.get(&format!("{}/recording", session(id))).await;
    let text = shown.to_string();
    assert!(text.contains("[redacted]") && !text.contains("hush") && !text.contains("aHVzaC0x"), "{text}");
    assert_eq!(shown["items"][0]["redacted"], 3, "{text}");
    assert!(text.contains("PreSharedKey"), "{text}");
    let replayed = replay(&world, id, json!({})).await;
    assert!(!replayed.to_string().contains("hush-1"), "{replayed}");
    assert_eq!(replayed["operators_calls"], 1);
}

#[tokio::test]
async fn s13_a_session_shows_what_came_of_it() {
    let (world, mut tree) = prepared().await;
    tree.refuses = Some("AddObject");
    let calls = format!("/api/v1/devices/{}/calls", identity(1));
    world.ask(Method::POST, &calls, Some(json!({"Reboot": {"CommandKey": "again"}}))).await;
    call(&world, &mut tree).await;
    let first = newest(&world).await;
    let shown = world.get(&session(first)).await;
    assert_eq!((&shown["id"], &shown["identity"]), (&json!(first), &json!(identity(1))));
    assert_eq!((&shown["tls_version"], &shown["outcome"]), (&json!("TLSv1.2"), &json!("completed")));
    assert!(shown["faults"][0]["step"].as_str().unwrap().starts_with("AddObject"), "{shown}");
    assert_eq!(
        (&shown["calls"][0]["method"], &shown["calls"][0]["state"]),
        (&json!("Reboot"), &json!("done"))
    );
    tree.refuses = None;
    let retry = format!("/api/v1/devices/{}/dead-letters/retry", identity(1));
    let (status, problem) = world.ask(Method::POST, &retry, Some(json!({}))).await;
    assert_eq!(status, StatusCode::OK, "{problem}");
    call(&world, &mut tree).await;
    let later = world.get(&session(newest(&world).await)).await;
    assert_eq!((&later["calls"], &later["faults"]), (&json!([]), &json!([])));
    let changes = later["changes"][0]["changes"].as_array().unwrap();
    assert!(changes.iter().any(|change| change["path"] == format!("{CONTROL}AdminState")), "{later}");
    assert_eq!(world.ask(Method::GET, &session(999_999), None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_recording_is_replayed_against_what_is_desired_now_or_would_be() {
    let (world, mut tree) = prepared().await;
    record(&world, 1).await;
    let called = call(&world, &mut tree).await;
    let id = newest(&world).await;
    let before = values(&world).await;
    let same = replay(&world, id, json!({})).await;
    let expected: Vec<_> = called
        .iter()
        .map(|name| ("same".to_owned(), Some((*name).to_owned()), Some((*name).to_owned())))
        .collect();
    assert_eq!(turns(&same), expected, "{same:#}");
    assert_eq!(
        (&same["end"]["in_service"], &same["end"]["differences"]),
        (&json!(true), &json!([])),
        "{same:#}"
    );

    let template = json!({"name": "tac", "template": {"priority": 5, "values": {TAC: "9"}}});
    let other = replay(&world, id, template).await;
    assert_eq!((&other["unanswered"], &other["error"]), (&json!(1), &Value::Null), "{other:#}");
    let turn =
        other["turns"].as_array().unwrap().iter().find(|turn| turn["likeness"] == "unanswered").unwrap();
    assert!(
        turn["would"].to_string().contains("\"9\"") && turn["made"].to_string().contains("\"7\""),
        "{turn}"
    );
    assert_eq!(values(&world).await, before, "nothing was changed by it");
    assert_eq!(call(&world, &mut tree).await, Vec::<&str>::new());
    for (body, status) in [
        (json!({"name": "none"}), StatusCode::NOT_FOUND),
        (json!({"template": {"values": {}}}), StatusCode::UNPROCESSABLE_ENTITY),
        (
            json!({"name": "x", "template": {"values": {"Device.None": "1"}}}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        let path = format!("{}/recording/replay", session(id));
        assert_eq!(world.ask(Method::POST, &path, Some(body)).await.0, status);
    }
}

#[tokio::test]
async fn an_order_is_bounded_and_can_be_taken_back() {
    let (world, mut tree) = prepared().await;
    for (sessions, hours) in [(0, 1), (21, 1), (1, 0), (1, 169)] {
        let body = json!({"sessions": sessions, "hours": hours});
        let (status, problem) = world.ask(Method::POST, &order_path(1), Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["detail"], "`sessions` is 1 to 20, `hours` 1 to 168");
    }
    let body = Some(json!({"sessions": 1, "hours": 1}));
    assert_eq!(world.ask(Method::POST, &order_path(9), body).await.0, StatusCode::NOT_FOUND);
    record(&world, 1).await;
    assert_eq!(world.ask(Method::DELETE, &order_path(1), None).await.0, StatusCode::NO_CONTENT);
    call(&world, &mut tree).await;
    assert_eq!(world.get(&session(newest(&world).await)).await["recording"], Value::Null);
}

#[tokio::test]
async fn what_is_no_message_is_noted_and_a_session_that_breaks_leaves_its_recording() {
    let (world, _) = prepared().await;
    record(&world, 1).await;
    let mut cell = Cell::connect(&world, 1).await;
    cell.inform(&[EventCode::PERIODIC]).await;
    let FromAcs::Call(CpeMethod::GetParameterNames(_)) = cell.empty().await.message() else {
        panic!("the plan asks for rows first")
    };
    assert_eq!(cell.try_post("<Password>hush").await.unwrap().status, StatusCode::BAD_REQUEST);
    let id = newest(&world).await;
    let path = session(id);
    world.until(&path, |session| session["outcome"] == "malformed").await;
    let shown = world.get(&format!("{path}/recording")).await;
    let last = shown["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["note"], &last["body"]),
        (&json!("no message: wrong_namespace"), &json!("")),
        "{shown:#}"
    );
    let replayed = replay(&world, id, json!({})).await;
    assert_eq!(replayed["turns"][0]["likeness"], "unanswered", "{replayed:#}");
    let mut again = Cell::connect(&world, 1).await;
    again.inform(&[EventCode::PERIODIC]).await;
    assert!(matches!(again.post("1", FromCpe::Empty).await.message(), FromAcs::Call(_)));
}

#[tokio::test]
async fn a_recording_is_a_trace_for_people_and_is_gone_when_it_is_over() {
    let (mut world, mut tree) = prepared().await;
    record(&world, 1).await;
    call(&world, &mut tree).await;
    let path = format!("{}/recording", session(newest(&world).await));
    let (_, trace) = accepted(&world, &path, "text/plain").await;
    assert!(trace.contains("device ▶  Inform, ") && trace.contains("◀ H(e)MS  InformResponse, "), "{trace}");
    assert!(trace.contains("\n<SerialNumber>"), "{trace}");
    let expires = world.get(&path).await["expires_at"].as_str().unwrap().to_owned();
    world = world.restart_with("[recordings]\nkeep_days = 90\n").await;
    assert!(world.get(&path).await["expires_at"].as_str().unwrap() > expires.as_str());
}
