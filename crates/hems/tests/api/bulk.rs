//! `/api/v1/actions`: one action for many cells, held by what holds changes, and asked once of each.
//!
//! ```text
//!  serving cells ─▶ an action for those of a filter ─▶ which of them are asked, and when
//! ```

use cwmp::ValueKind;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cell::{CONTROL, Refusal, TAC, Tree},
    changes::{call, decide, serving, shown},
    world::{World, identity},
};

const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
const ACTIONS: &str = "/api/v1/actions";
const ALL: &str = "in_service = true";

async fn cells(world: &World, count: u8) -> Vec<Tree> {
    let mut trees = serving(world, count).await;
    trees.iter_mut().for_each(|tree| tree.put(INTERVAL, "60", ValueKind::UnsignedInt));
    trees
}

async fn ask(world: &World, body: Value) -> (StatusCode, Value) {
    world.ask(Method::POST, ACTIONS, Some(body)).await
}

async fn order(world: &World, action: Value) -> Value {
    let (status, change) = ask(world, json!({"filter": ALL, "action": action, "reason": "why"})).await;
    assert_eq!(status, StatusCode::CREATED, "{change}");
    change
}

fn reboot() -> Value {
    json!({"action": "reboot"})
}

fn set() -> Value {
    json!({"action": "set", "values": {INTERVAL: 300}})
}

#[tokio::test]
async fn o04_an_action_for_many_is_asked_once_of_each_and_is_done_with_the_last() {
    let world = World::new().await;
    let mut trees = cells(&world, 2).await;
    let (status, preview) = ask(&world, json!({"filter": ALL, "action": reboot(), "dry_run": true})).await;
    assert_eq!(status, StatusCode::OK, "{preview}");
    let expected =
        json!({"count": 2, "is_complete": true, "state": "running", "items": [identity(1), identity(2)]});
    assert_eq!(preview, expected);
    assert_eq!(
        world.get("/api/v1/changes").await["items"][0].get("action"),
        None,
        "a dry run orders nothing"
    );

    let change = order(&world, reboot()).await;
    assert_eq!(
        (&change["state"], &change["matched"], &change["filter"], &change["action"]["action"]),
        (&json!("running"), &json!(2), &json!(ALL), &json!("reboot"))
    );
    assert_eq!(call(&world, 1, &mut trees[0]).await, ["Reboot"]);
    assert_eq!(call(&world, 1, &mut trees[0]).await, Vec::<&str>::new(), "once");
    let now = shown(&world, &change).await;
    assert_eq!((&now["state"], &now["released"], &now["fine"]), (&json!("running"), &json!(1), &json!(1)));
    assert_eq!(call(&world, 2, &mut trees[1]).await, ["Reboot"]);
    let done = shown(&world, &change).await;
    assert_eq!((&done["state"], &done["fine"], &done["unreached"]), (&json!("done"), &json!(2), &json!(0)));
    let calls = world.get(&format!("/api/v1/devices/{}/calls", identity(1))).await;
    let row = &calls["items"][0];
    assert_eq!(
        (&row["action"]["action"], &row["command_key"]),
        (&json!("reboot"), &json!(trees[0].reboots[0]))
    );
}

#[tokio::test]
async fn o04_an_action_that_comes_again_with_its_key_is_ordered_once() {
    let world = World::new().await;
    cells(&world, 1).await;
    let asked = async |body: Value| world.keyed(ACTIONS, "monday", body.to_string()).await;
    let keyed = async |action: Value| asked(json!({"filter": ALL, "action": action})).await;
    let (status, first) = keyed(reboot()).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    let (status, again) = keyed(reboot()).await;
    assert_eq!((status, &again["id"]), (StatusCode::OK, &first["id"]));
    assert_eq!(keyed(set()).await.0, StatusCode::CONFLICT);
    // Whatever else is wrong with it.
    for other in [
        json!({"filter": "colour = red", "action": reboot()}),
        json!({"filter": "site = nowhere", "action": reboot()}),
        json!({"filter": ALL, "action": {"action": "wake"}}),
        json!({"filter": ALL, "action": set(), "dry_run": true}),
    ] {
        let (status, problem) = asked(other.clone()).await;
        assert_eq!(status, StatusCode::CONFLICT, "{other}");
        assert!(problem["detail"].as_str().unwrap().contains("idempotency key"), "{other}: {problem}");
    }
    let admission = format!("/api/v1/devices/{}/admission", identity(1));
    world.ask(Method::DELETE, &admission, None).await;
    let (status, again) = keyed(reboot()).await;
    assert_eq!((status, &again["id"]), (StatusCode::OK, &first["id"]), "also where it would hold for nobody");
}

#[tokio::test]
async fn o04_an_action_that_changes_cells_is_held_by_budget_freeze_and_a_second_person() {
    let world = World::with("[changes]\ncells_per_hour = 1\nsecond_person_above = 2\n").await;
    let mut trees = cells(&world, 2).await;
    let change = order(&world, set()).await;
    world.put("/api/v1/freeze", json!({})).await;
    assert_eq!(call(&world, 1, &mut trees[0]).await, Vec::<&str>::new());
    // What only reads is no change.
    let refresh = order(&world, json!({"action": "refresh", "paths": [INTERVAL]})).await;
    assert_eq!(call(&world, 1, &mut trees[0]).await, ["GetParameterValues"]);
    assert_eq!(shown(&world, &refresh).await["budget"], json!(null), "no budget holds it");
    assert_eq!(call(&world, 2, &mut trees[1]).await, ["GetParameterValues"]);
    assert_eq!(shown(&world, &refresh).await["state"], "done");
    world.ask(Method::DELETE, "/api/v1/freeze", None).await;
    assert_eq!(call(&world, 1, &mut trees[0]).await, ["SetParameterValues"]);
    assert_eq!(call(&world, 2, &mut trees[1]).await, Vec::<&str>::new(), "the hour's one cell is spent");
    let values = [0, 1].map(|cell: usize| trees[cell].values[INTERVAL].0.clone());
    assert_eq!(values, ["300", "60"]);
    let (_, over) = decide(&world, &change, "withdraw").await;
    assert_eq!((&over["state"], &over["released"]), (&json!("withdrawn"), &json!(1)));
    cells(&world, 3).await;
    let (_, large) = ask(&world, json!({"filter": ALL, "action": reboot()})).await;
    assert_eq!(large["state"], "waiting", "{large}");
    assert_eq!(call(&world, 2, &mut trees[1]).await, Vec::<&str>::new());
    assert_eq!(decide(&world, &large, "approve").await.0, StatusCode::CONFLICT, "by somebody else");
}

#[tokio::test]
async fn o04_an_action_stops_by_itself_where_cells_refuse_it() {
    let world = World::with("[changes]\nstop_above = 0\nstop_percent = 0\n").await;
    let mut trees = cells(&world, 2).await;
    let change = order(&world, set()).await;
    trees[0].bad.insert(INTERVAL, Refusal::Named);
    call(&world, 1, &mut trees[0]).await;
    let stopped = shown(&world, &change).await;
    assert_eq!((&stopped["state"], &stopped["faulted"]), (&json!("stopped"), &json!(1)), "{stopped}");
    assert_eq!(call(&world, 2, &mut trees[1]).await, Vec::<&str>::new());
    let (_, resumed) = decide(&world, &change, "resume").await;
    assert_eq!(resumed["state"], "running");
    assert_eq!(call(&world, 2, &mut trees[1]).await, ["SetParameterValues"]);
}

#[tokio::test]
async fn o05_many_cells_are_locked_and_unlocked() {
    let world = World::new().await;
    let mut trees = cells(&world, 2).await;
    let admin = format!("{CONTROL}AdminState");
    let lock = order(&world, json!({"action": "lock"})).await;
    for (number, tree) in (1..).zip(&mut trees) {
        call(&world, number, tree).await;
        assert_eq!(tree.values[&admin].0, "false", "cell {number}");
    }
    let calls = world.get(&format!("/api/v1/devices/{}/calls", identity(1))).await;
    assert_eq!((&calls["items"][0]["method"], &calls["items"][0]["state"]), (&json!("Lock"), &json!("done")));
    assert_eq!(shown(&world, &lock).await["released"], 2);
    let own = world.get(&format!("/api/v1/devices/{}/values", identity(2))).await;
    assert_eq!(own["values"][&admin], false, "{own}");
    let (status, change) =
        ask(&world, json!({"filter": "state = provisioning", "action": {"action": "unlock"}})).await;
    assert_eq!((status, &change["matched"]), (StatusCode::CREATED, &json!(2)), "{change}");
    for (number, tree) in (1..).zip(&mut trees) {
        call(&world, number, tree).await;
        assert_eq!(tree.values[&admin].0, "true", "cell {number}");
    }
}

#[tokio::test]
async fn o04_what_cannot_be_asked_of_many_is_refused_with_its_reason() {
    let world = World::new().await;
    cells(&world, 1).await;
    for (filter, action, status, expected) in [
        ("suite = x", reboot(), 422, "would read every device"),
        ("site =", reboot(), 422, "value"),
        ("site = nowhere", reboot(), 409, "no admitted device"),
        (ALL, json!({"action": "set", "values": {TAC: "5"}}), 422, "belongs to the radio"),
        (ALL, json!({"action": "download", "file": 1}), 422, "one device at a time"),
        (ALL, json!({"action": "wake"}), 422, "wake one device at a time"),
        (ALL, json!({"action": "explode"}), 422, "unknown variant"),
    ] {
        let (answered, problem) = ask(&world, json!({"filter": filter, "action": action})).await;
        assert_eq!(answered.as_u16(), status, "{filter} {action}: {problem}");
        assert!(problem.to_string().contains(expected), "{filter} {action}: {problem}");
    }
    let days = json!({"filter": ALL, "action": reboot(), "finish_days": 0});
    assert_eq!(ask(&world, days).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}
