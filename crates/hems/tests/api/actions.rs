//! `/api/v1/devices/{identity}/actions`: what operators ask one cell to do, and what became of it.

use cwmp::{EventCode, ValueKind};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cell::{CONTROL, Cell, PCI, PLMN_LIST, TAC, Tree},
    devices::configure,
    world::{World, identity},
};

const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";

async fn ask(world: &World, action: Value) -> (StatusCode, Value) {
    world.ask(Method::POST, &format!("/api/v1/devices/{}/actions", identity(1)), Some(action)).await
}

async fn asked(world: &World, action: Value) -> Value {
    let (status, queued) = ask(world, action).await;
    assert_eq!((status, &queued["state"]), (StatusCode::CREATED, &json!("queued")), "{queued}");
    queued
}

/// The action of this number as it stands.
async fn shown(world: &World, action: &Value) -> Value {
    let calls = world.get(&format!("/api/v1/devices/{}/calls", identity(1))).await;
    calls["items"].as_array().unwrap().iter().find(|call| call["id"] == action["id"]).unwrap().clone()
}

async fn serving(world: &World) -> Tree {
    configure(world).await;
    let mut tree = Tree::new();
    tree.put(INTERVAL, "60", ValueKind::UnsignedInt);
    Cell::connect(world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    tree
}

async fn call(world: &World, tree: &mut Tree) -> Vec<&'static str> {
    Cell::connect(world, 1).await.session(&[EventCode::PERIODIC], tree).await
}

#[tokio::test]
async fn o03_a_value_is_set_once_and_known_afterwards() {
    let world = World::new().await;
    let mut tree = serving(&world).await;
    let action = asked(&world, json!({"action": "set", "values": {INTERVAL: 300}})).await;
    assert_eq!(call(&world, &mut tree).await, ["SetParameterValues"]);
    assert_eq!(tree.values[INTERVAL].0, "300");
    let done = shown(&world, &action).await;
    assert_eq!((&done["state"], &done["action"]["action"]), (&json!("done"), &json!("set")));
    let values = world.device(1).await["values"].clone();
    let known = values.as_array().unwrap().iter().find(|value| value["name"] == INTERVAL).unwrap();
    assert_eq!((&known["value"], &known["type"]), (&json!("300"), &json!("xsd:unsignedInt")));
}

#[tokio::test]
async fn o03_what_cannot_be_set_once_is_refused_with_its_reason() {
    let world = World::new().await;
    serving(&world).await;
    for (action, status, expected) in [
        (json!({"action": "set", "values": {INTERVAL: "soon"}}), 422, "the value is \"soon\""),
        (json!({"action": "set", "values": {}}), 422, "at least one"),
        (json!({"action": "set", "values": {"Device.ManagementServer.Password": "x"}}), 422, "shared secret"),
        (json!({"action": "set", "values": {PCI: "5"}}), 422, "belongs to the radio"),
        (json!({"action": "set", "values": {INTERVAL: {"pool": "pci"}}}), 422, "by templates only"),
        (json!({"action": "add", "object": PLMN_LIST}), 409, "change it there"),
        (json!({"action": "delete", "row": format!("{PLMN_LIST}1.")}), 409, "change it there"),
        (json!({"action": "add", "object": "Device.DeviceInfo."}), 422, "is a table"),
        (json!({"action": "add", "object": "Device.Users.User"}), 422, "is a table"),
        (json!({"action": "delete", "row": "Device.Users.User."}), 422, "`row` is one row"),
        (json!({"action": "delete", "row": "Users.User.1."}), 422, "`row` is one row"),
        (json!({"action": "delete", "row": "Device.Tme.1."}), 422, "`row` is one row"),
        (json!({"action": "refresh", "paths": []}), 422, "between 1 and"),
        (json!({"action": "refresh", "paths": ["Time."]}), 422, "begins with the root"),
        (json!({"action": "refresh", "paths": [INTERVAL, "Device.Time"]}), 422, "with a dot"),
        (json!({"action": "refresh", "paths": ["Device.Tme."]}), 422, "no such object"),
        (json!({"action": "set", "values": {"Device.Time.": "x"}}), 422, "no full path"),
        (json!({"action": "explode"}), 422, "unknown variant"),
    ] {
        let (answered, problem) = ask(&world, action.clone()).await;
        assert_eq!(answered.as_u16(), status, "{action}: {problem}");
        assert!(problem.to_string().contains(&expected.replace('"', "\\\"")), "{action}: {problem}");
    }
}

#[tokio::test]
async fn o05_a_cell_is_locked_and_unlocked_and_stays_so() {
    let world = World::new().await;
    let mut tree = serving(&world).await;
    let admin = format!("{CONTROL}AdminState");
    let lock = asked(&world, json!({"action": "lock"})).await;
    call(&world, &mut tree).await;
    assert_eq!(tree.values[&admin].0, "false");
    assert_eq!(shown(&world, &lock).await["state"], "done");
    assert_eq!(call(&world, &mut tree).await, ["GetParameterValues"]);
    assert_eq!(tree.values[&admin].0, "false", "no template switches it on again");
    let device = world.device(1).await;
    assert_eq!((&device["locked"]["by"], &device["locked"]["reason"]), (&json!("local"), &json!("Lock")));
    assert!(device["locked"]["at"].is_string(), "{device}");
    let other = json!({"values": {admin.as_str(): false, INTERVAL: 60}});
    world.put(&format!("/api/v1/devices/{}/values?reason=slower", identity(1)), other).await;
    assert_eq!(world.device(1).await["locked"], device["locked"], "another value is no other lock");
    let unlock = asked(&world, json!({"action": "unlock"})).await;
    call(&world, &mut tree).await;
    assert_eq!(
        (tree.values[&admin].0.as_str(), &shown(&world, &unlock).await["state"]),
        ("true", &json!("done"))
    );
    assert_eq!(world.device(1).await.get("locked"), None);
}

#[tokio::test]
async fn o05_a_switch_after_which_something_else_is_wanted_has_failed() {
    let world = World::new().await;
    let mut tree = serving(&world).await;
    let superseded = async |action: &Value| {
        let shown = shown(&world, action).await;
        shown["state"] == "failed"
            && shown["outcome"].as_str().is_some_and(|why| why.starts_with("superseded"))
    };
    let lock = asked(&world, json!({"action": "lock"})).await;
    let again = asked(&world, json!({"action": "lock"})).await;
    assert!(!superseded(&lock).await, "the second wants the same");
    let unlock = asked(&world, json!({"action": "unlock"})).await;
    assert!(superseded(&lock).await && superseded(&again).await);
    let values = format!("/api/v1/devices/{}/values", identity(1));
    world.put(&values, json!({"values": {format!("{CONTROL}AdminState"): true, INTERVAL: 60}})).await;
    assert_eq!(shown(&world, &unlock).await["state"], "queued", "it is what is wanted");
    let last = asked(&world, json!({"action": "lock"})).await;
    assert!(superseded(&unlock).await);
    world.put(&values, json!({"values": {INTERVAL: 60}})).await;
    assert!(superseded(&last).await, "nobody wants it any more");
    let done = asked(&world, json!({"action": "unlock"})).await;
    call(&world, &mut tree).await;
    assert_eq!(shown(&world, &done).await["state"], "done");
    assert!(superseded(&lock).await, "what failed stays so");
}

#[tokio::test]
async fn o05_an_unlock_fails_behind_a_closed_gate() {
    let world = World::new().await;
    configure(&world).await;
    let mut tree = Tree::new();
    for name in ["Latitude", "Longitude"] {
        tree.put(&format!("Device.FAP.GPS.Locked{name}"), "0", ValueKind::Int);
    }
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let unlock = asked(&world, json!({"action": "unlock"})).await;
    call(&world, &mut tree).await;
    let failed = shown(&world, &unlock).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["outcome"].as_str().unwrap().contains("gate"), "{failed}");
}

#[tokio::test]
async fn s10_a_request_that_comes_twice_with_its_key_is_carried_out_once() {
    let world = World::new().await;
    let mut tree = serving(&world).await;
    let path = format!("/api/v1/devices/{}/actions", identity(1));
    let reboot = json!({"action": "reboot"}).to_string();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (status, queued) = world.keyed(&path, "monday", reboot.clone()).await;
        assert_eq!(status, StatusCode::CREATED, "{queued}");
        ids.push(queued["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    let (status, problem) =
        world.keyed(&path, "monday", json!({"action": "factory_reset"}).to_string()).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert_eq!(call(&world, &mut tree).await, ["Reboot"]);
    let (_, again) = world.keyed(&path, "monday", reboot).await;
    assert_eq!((&again["id"], &again["state"]), (&ids[0], &json!("done")));
}

#[tokio::test]
async fn s10_a_lock_that_comes_again_with_its_key_locks_nothing_again() {
    let world = World::new().await;
    let mut tree = serving(&world).await;
    let path = format!("/api/v1/devices/{}/actions", identity(1));
    let lock = json!({"action": "lock"}).to_string();
    let (status, first) = world.keyed(&path, "monday", lock.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    call(&world, &mut tree).await;
    asked(&world, json!({"action": "unlock"})).await;
    let (status, again) = world.keyed(&path, "monday", lock).await;
    assert_eq!((status, &again["id"]), (StatusCode::CREATED, &first["id"]), "{again}");
    let (status, problem) = world.keyed(&path, "monday", json!({"action": "unlock"}).to_string()).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    call(&world, &mut tree).await;
    assert_eq!(tree.values[&format!("{CONTROL}AdminState")].0, "true");
    let versions = world.get(&format!("/api/v1/devices/{}/values/versions", identity(1))).await;
    assert_eq!(versions["items"].as_array().unwrap().len(), 2, "{versions}");
}

#[tokio::test]
async fn o05_values_that_are_put_while_somebody_locks_are_not_lost() {
    let world = World::new().await;
    serving(&world).await;
    let path = format!("/api/v1/devices/{}/values", identity(1));
    for seconds in 100..120 {
        let values = json!({"values": {INTERVAL: seconds}});
        let action = json!({"action": if seconds % 2 == 0 { "lock" } else { "unlock" }});
        let (put, (status, _)) =
            tokio::join!(world.ask(Method::PUT, &path, Some(values)), ask(&world, action));
        assert_eq!((put.0, status), (StatusCode::OK, StatusCode::CREATED), "{}", put.1);
        let shown = world.get(&path).await;
        assert_eq!(shown["values"][INTERVAL], json!(seconds), "{shown}");
        assert_eq!(shown["version"], shown["applied_version"]);
    }
}

#[tokio::test]
async fn o04_actions_spend_the_budget_and_wait_for_the_end_of_a_freeze() {
    let world = World::with("[changes]\ncells_per_hour = 1\n").await;
    let mut tree = serving(&world).await;
    world.put("/api/v1/freeze", json!({})).await;
    let reboot = asked(&world, json!({"action": "reboot"})).await;
    asked(&world, json!({"action": "refresh", "paths": [TAC]})).await;
    assert_eq!(call(&world, &mut tree).await, ["GetParameterValues"]);
    world.ask(Method::DELETE, "/api/v1/freeze", None).await;
    assert_eq!(call(&world, &mut tree).await, ["Reboot"]);
    assert_eq!(shown(&world, &reboot).await["state"], "done");
    asked(&world, json!({"action": "reboot"})).await;
    let device = json!({"identity": identity(2), "oui": "00005E", "product_class": "C", "serial": "2"});
    world.ask(Method::POST, "/api/v1/devices", Some(device)).await;
    let path = format!("/api/v1/devices/{}/actions", identity(2));
    let (status, problem) = world.ask(Method::POST, &path, Some(json!({"action": "reboot"}))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("budget"), "{problem}");
}
