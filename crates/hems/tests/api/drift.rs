//! What other hands change at a cell, and what the plan leaves as it found it.
//!
//! ```text
//!  other hands ─▶ cell ─▶ session: reads again what is desired ─▶ seen, in the history, as desired again
//! ```

use cwmp::{EventCode, FromAcs, FromCpe, ValueKind};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cell::{CONTROL, Cell, PLMN_LIST, TAC, Tree},
    changes::{call, decide, serving},
    devices::configure,
    world::{World, identity},
};

/// As operators have it where they say nothing: each session reads again.
const AS_IT_COMES: &str = "[limits]\n";
const READS: [&str; 2] = ["GetParameterNames", "GetParameterValues"];

fn switch(name: &str) -> String {
    format!("{CONTROL}{name}")
}

/// A cell that was on the air before anybody managed it.
fn transmitting() -> Tree {
    let mut tree = Tree::new();
    for name in ["AdminState", "OpState", "RFTxStatus"] {
        tree.put(&switch(name), "1", ValueKind::Boolean);
    }
    tree
}

/// One to which a template says its area, and nothing of its transmitter.
async fn adopted(world: &World) -> Tree {
    let mut tree = transmitting();
    world.put("/api/v1/templates/area", json!({"values": {TAC: "7"}})).await;
    Cell::connect(world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    tree
}

fn is_on_air(tree: &Tree) -> bool {
    ["1", "true"].contains(&tree.values[&switch("AdminState")].0.as_str())
}

async fn is_in_history(world: &World, before: &str, after: &str) -> bool {
    let history = world.get(&format!("/api/v1/devices/{}/history", identity(1))).await;
    let change = json!({"path": TAC, "before": before, "after": after});
    let entries = history["items"].as_array().unwrap();
    entries.iter().any(|entry| entry["changes"].as_array().unwrap().contains(&change))
}

#[tokio::test]
async fn o03_drift_is_seen_in_each_session_and_set_right() {
    let world = World::with(AS_IT_COMES).await;
    let mut trees = serving(&world, 1).await;
    assert_eq!(call(&world, 1, &mut trees[0]).await, READS, "nothing differs");
    trees[0].put(TAC, "3", ValueKind::UnsignedInt);
    let called = call(&world, 1, &mut trees[0]).await;
    assert_eq!(
        called.iter().filter(|name| **name == "SetParameterValues").count(),
        3,
        "off, set, on: {called:?}"
    );
    assert!(trees[0].values[TAC].0 == "7" && is_on_air(&trees[0]));
    assert!(is_in_history(&world, "7", "3").await && is_in_history(&world, "3", "7").await);
    trees[0].put(&switch("AdminState"), "0", ValueKind::Boolean);
    call(&world, 1, &mut trees[0]).await;
    assert!(is_on_air(&trees[0]), "somebody had switched it off");
}

#[tokio::test]
async fn o03_rows_that_other_hands_added_or_deleted_are_as_desired_again() {
    let world = World::with(AS_IT_COMES).await;
    let mut trees = serving(&world, 1).await;
    let rows = |tree: &Tree| -> Vec<String> {
        let keys =
            tree.values.iter().filter(|(path, _)| path.starts_with(PLMN_LIST) && path.ends_with(".PLMNID"));
        keys.map(|(_, (text, _))| text.clone()).collect()
    };
    trees[0].put(&format!("{PLMN_LIST}77.PLMNID"), "26201", ValueKind::String);
    trees[0].put(&format!("{PLMN_LIST}77.Enable"), "1", ValueKind::Boolean);
    assert!(call(&world, 1, &mut trees[0]).await.contains(&"DeleteObject"));
    assert_eq!(rows(&trees[0]), ["99970"]);
    trees[0].values.retain(|path, _| !path.starts_with(PLMN_LIST));
    assert!(call(&world, 1, &mut trees[0]).await.contains(&"AddObject"));
    assert!(rows(&trees[0]) == ["99970"] && is_on_air(&trees[0]));
}

#[tokio::test]
async fn o04_a_cell_that_does_not_keep_a_value_is_not_taken_off_the_air_for_ever() {
    let world = World::with(AS_IT_COMES).await;
    let mut trees = serving(&world, 1).await;
    for is_set in [true, true, false, false] {
        trees[0].put(TAC, "3", ValueKind::UnsignedInt);
        let called = call(&world, 1, &mut trees[0]).await;
        assert_eq!(called.contains(&"SetParameterValues"), is_set, "{called:?}");
        assert!(is_on_air(&trees[0]));
    }
    let device = world.device(1).await;
    let fault = &device["faults"][0];
    assert!(fault["text"].as_str().unwrap().contains("another value now") && fault["count"] == 3, "{device}");
    assert_eq!((&device["in_service"], &device["faults"][1]), (&json!(false), &Value::Null));
    let retry = format!("/api/v1/devices/{}/dead-letters/retry", identity(1));
    world.ask(Method::POST, &retry, Some(json!({}))).await;
    assert!(call(&world, 1, &mut trees[0]).await.contains(&"SetParameterValues"));
    assert_eq!(call(&world, 1, &mut trees[0]).await, READS, "it stayed");
    assert_eq!(world.device(1).await["faults"], json!([]));
}

#[tokio::test]
async fn o03_what_was_read_is_believed_for_as_long_as_the_operator_says() {
    let world = World::new().await;
    let mut trees = serving(&world, 1).await;
    trees[0].put(TAC, "3", ValueKind::UnsignedInt);
    assert_eq!(call(&world, 1, &mut trees[0]).await, Vec::<&str>::new());
    let world = world.restart_with(AS_IT_COMES).await;
    call(&world, 1, &mut trees[0]).await;
    assert_eq!(trees[0].values[TAC].0, "7");
}

#[tokio::test]
async fn d13_a_cell_goes_on_the_air_again_where_no_template_speaks_of_it() {
    let world = World::new().await;
    let tree = adopted(&world).await;
    assert!(tree.values[TAC].0 == "7" && is_on_air(&tree));
    assert_eq!(world.device(1).await["in_service"], true, "so changes reach it within the budget");
    let mut dark = Tree::new();
    Cell::connect(&world, 2).await.session(&[EventCode::BOOTSTRAP], &mut dark).await;
    assert!(dark.values[TAC].0 == "7" && !is_on_air(&dark), "it was off, and stays so");
}

/// Plays a session until the cell was taken off the air, and ends there without a word.
async fn until_dark(world: &World, tree: &mut Tree) {
    let mut cell = Cell::connect(world, 1).await;
    cell.inform(&[EventCode::PERIODIC]).await;
    let mut reply = cell.empty().await;
    for id in 1.. {
        let FromAcs::Call(method) = reply.message() else { panic!("nothing took it off the air: {reply:?}") };
        let response = tree.execute(&method).unwrap();
        if !is_on_air(tree) {
            return;
        }
        reply = cell.post(&id.to_string(), FromCpe::Response(response)).await;
    }
}

#[tokio::test]
async fn d13_s10_a_session_that_breaks_off_leaves_no_cell_off_the_air() {
    let world = World::new().await;
    let mut tree = adopted(&world).await;
    let wanted = Some(json!({"values": {TAC: "8"}}));
    let (_, saved) = world.ask(Method::PUT, "/api/v1/templates/area", wanted).await;
    until_dark(&world, &mut tree).await;
    assert_eq!(decide(&world, &saved["change"], "withdraw").await.0, StatusCode::OK, "{saved}");
    let world = world.restart().await;
    call(&world, 1, &mut tree).await;
    assert!(tree.values[TAC].0 == "7" && is_on_air(&tree), "there was nothing to change any more");
}

#[tokio::test]
async fn o05_d13_an_emergency_that_is_lifted_leaves_no_cell_off_the_air() {
    let world = World::new().await;
    let mut tree = adopted(&world).await;
    let order = json!({"filter": "oui = 00005E", "reason": "fire"});
    let (_, order) = world.ask(Method::POST, "/api/v1/radio-off", Some(order)).await;
    call(&world, 1, &mut tree).await;
    assert!(!is_on_air(&tree), "{order}");
    let lift = format!("/api/v1/radio-off/{}", order["id"]);
    let (status, answer) = world.ask(Method::DELETE, &lift, None).await;
    assert!(status.is_success(), "{answer}");
    call(&world, 1, &mut tree).await;
    assert!(is_on_air(&tree));
}

#[tokio::test]
async fn o05_a_cell_that_is_locked_and_then_left_alone_stays_off_the_air() {
    let world = World::new().await;
    let mut tree = transmitting();
    configure(&world).await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let values: Value = json!({"values": {switch("AdminState"): "false"}});
    world.put(&format!("/api/v1/devices/{}/values", identity(1)), values).await;
    call(&world, 1, &mut tree).await;
    assert!(!is_on_air(&tree));
    let template = json!({"values": {TAC: "9"}});
    world.put("/api/v1/templates/all", template).await;
    let own = format!("/api/v1/devices/{}/values", identity(1));
    let (status, answer) = world.ask(Method::DELETE, &own, None).await;
    assert!(status.is_success(), "{answer}");
    call(&world, 1, &mut tree).await;
    assert!(tree.values[TAC].0 == "9" && !is_on_air(&tree));
}
