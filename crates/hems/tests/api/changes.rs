//! `/api/v1/changes`, `freeze` and `radio-off`: how far one change reaches, as cells see it.
//!
//! ```text
//!  three serving cells ─▶ a change ─▶ which of them get it, and when
//! ```

use cwmp::EventCode;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cell::{CONTROL, Cell, TAC, Tree},
    devices::configure,
    world::{World, identity},
};

/// Cells that serve.
pub(crate) async fn serving(world: &World, count: u8) -> Vec<Tree> {
    configure(world).await;
    world.put("/api/v1/pools/pci", json!({"first": 10, "last": 20})).await;
    let mut trees = Vec::new();
    for number in 1..=count {
        let mut tree = Tree::new();
        Cell::connect(world, number).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
        assert_eq!(world.device(number).await["in_service"], true);
        trees.push(tree);
    }
    trees
}

pub(crate) async fn call(world: &World, number: u8, tree: &mut Tree) -> Vec<&'static str> {
    Cell::connect(world, number).await.session(&[EventCode::PERIODIC], tree).await
}

/// Wants another tracking area of all, above what `configure` wants.
async fn want(world: &World, tac: &str) -> Value {
    let template = json!({"priority": 5, "values": {TAC: tac}});
    let (status, view) = world.ask(Method::PUT, "/api/v1/templates/tac", Some(template)).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    view["change"].clone()
}

pub(crate) async fn decide(world: &World, change: &Value, what: &str) -> (StatusCode, Value) {
    let path = format!("/api/v1/changes/{}/{what}", change["id"]);
    world.ask(Method::POST, &path, Some(json!({"reason": "because"}))).await
}

pub(crate) async fn shown(world: &World, change: &Value) -> Value {
    world.get(&format!("/api/v1/changes/{}", change["id"])).await
}

#[tokio::test]
async fn o04_a_change_reaches_as_many_cells_as_its_budget_allows() {
    let world = World::with("[changes]\ncells_per_hour = 1\n").await;
    let mut trees = serving(&world, 2).await;
    let change = want(&world, "9").await;
    assert_eq!((&change["state"], &change["matched"]), (&json!("running"), &json!(2)));
    call(&world, 1, &mut trees[0]).await;
    let untouched = call(&world, 2, &mut trees[1]).await;
    assert_eq!((trees[0].values[TAC].0.as_str(), trees[1].values[TAC].0.as_str()), ("9", "7"));
    assert_eq!(untouched, Vec::<&str>::new());
    let now = shown(&world, &change).await;
    assert_eq!((&now["state"], &now["released"], &now["fine"]), (&json!("running"), &json!(1), &json!(1)));
    let again = call(&world, 1, &mut trees[0]).await;
    assert_eq!(again, Vec::<&str>::new(), "who followed stays there");
    let (status, done) = decide(&world, &change, "finish").await;
    assert_eq!((status, &done["state"]), (StatusCode::OK, &json!("done")));
    assert_eq!((&done["unreached"], &done["late"], &done["finish_days"]), (&json!(1), &json!(0), &json!(7)));
    for (number, tree) in (1..).zip(&mut trees) {
        call(&world, number, tree).await;
        assert_eq!(tree.values[TAC].0, "9");
    }
    assert_eq!(shown(&world, &change).await["late"], 1, "who comes after the end is counted");
}

#[tokio::test]
async fn o04_a_running_change_says_what_the_budget_has_left_and_when_there_is_one_again() {
    let world = World::with("[changes]\ncells_per_hour = 2\n").await;
    let mut trees = serving(&world, 3).await;
    let change = want(&world, "9").await;
    let before = shown(&world, &change).await["budget"].clone();
    assert_eq!(before, json!({"per_hour": 2, "left": 2, "next_at": null}));
    call(&world, 1, &mut trees[0]).await;
    assert_eq!(shown(&world, &change).await["budget"], json!({"per_hour": 2, "left": 1, "next_at": null}));
    call(&world, 2, &mut trees[1]).await;
    let spent = shown(&world, &change).await["budget"].clone();
    assert_eq!((&spent["per_hour"], &spent["left"]), (&json!(2), &json!(0)));
    let begun: jiff::Timestamp = change["begun_at"].as_str().unwrap().parse().unwrap();
    let next: jiff::Timestamp = spent["next_at"].as_str().unwrap().parse().unwrap();
    let wait = next.duration_since(begun).as_secs();
    assert!((3600..3660).contains(&wait), "an hour after the first of the two: {wait}");
    assert_eq!(world.get("/api/v1/changes").await["items"][0]["budget"], spent);

    let own = format!("/api/v1/devices/{}/values", identity(3));
    let (status, problem) = world.ask(Method::PUT, &own, Some(json!({"values": {TAC: "12"}}))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(problem["detail"].as_str().unwrap().ends_with(spent["next_at"].as_str().unwrap()), "{problem}");
    assert!((3540..=3600).contains(&problem["retry_after"].as_i64().unwrap()), "{problem}");
    let reset = json!({"action": "factory_reset"});
    let actions = format!("/api/v1/devices/{}/actions", identity(3));
    let (status, refused) = world.ask(Method::POST, &actions, Some(reset)).await;
    assert_eq!((status, &refused["detail"]), (StatusCode::TOO_MANY_REQUESTS, &problem["detail"]));

    let (_, stopped) = decide(&world, &change, "stop").await;
    assert_eq!(stopped["budget"], Value::Null, "nobody follows");
    let (_, running) = decide(&world, &change, "resume").await;
    assert_eq!(running["budget"], spent);
}

#[tokio::test]
async fn o04_a_serving_cell_that_takes_the_place_of_another_is_a_cell_of_the_budget() {
    let world = World::with("[changes]\ncells_per_hour = 1\n").await;
    serving(&world, 2).await;
    let path = |number: u8| format!("/api/v1/devices/{}", identity(number));
    let admission = json!({"identity": identity(9), "oui": "00005E", "product_class": "C", "serial": "9"});
    let (status, _) = world.ask(Method::POST, "/api/v1/devices", Some(admission)).await;
    assert_eq!(status, StatusCode::CREATED);
    world.put(&format!("{}/place", path(9)), json!({"site": "north"})).await;
    let swap = async |from: u8, to: u8| {
        let body = Some(json!({"to": identity(to)}));
        world.ask(Method::POST, &format!("{}/swap", path(from)), body).await
    };
    world.put(&format!("{}/values", path(1)), json!({"values": {TAC: "12"}})).await;
    let (status, problem) = swap(9, 2).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{problem}");
    assert!(problem["retry_after"].is_i64(), "{problem}");
    assert_eq!(world.get(&format!("{}/place", path(2))).await["site"], Value::Null, "nothing of it");
    assert_ne!(world.get(&path(9)).await["state"], "blocked");
    let (status, problem) = swap(2, 9).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "one that never served has nothing to lose: {problem}");
}

#[tokio::test]
async fn o04_a_change_says_for_how_long_it_waits_for_a_further_cell() {
    let world = World::with("[changes]\nfinish_days = 3\n").await;
    serving(&world, 1).await;
    assert_eq!(want(&world, "9").await["finish_days"], 3);
    let path = "/api/v1/templates/tac?finish_days=";
    let body = || Some(json!({"priority": 5, "values": {TAC: "8"}}));
    let (status, view) = world.ask(Method::PUT, &format!("{path}30"), body()).await;
    assert_eq!((status, &view["change"]["finish_days"]), (StatusCode::OK, &json!(30)), "{view}");
    let (status, problem) = world.ask(Method::PUT, &format!("{path}366"), body()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().unwrap().contains("1 to 365"), "{problem}");
}

#[tokio::test]
async fn o04_a_change_is_done_when_all_followed() {
    let world = World::new().await;
    let mut trees = serving(&world, 2).await;
    let change = want(&world, "9").await;
    for (number, tree) in (1..).zip(&mut trees) {
        assert_eq!(shown(&world, &change).await["state"], "running");
        call(&world, number, tree).await;
        assert_eq!(tree.values[TAC].0, "9");
    }
    let done = shown(&world, &change).await;
    assert_eq!((&done["state"], &done["fine"]), (&json!("done"), &json!(2)));
    assert_eq!(world.get("/api/v1/templates/tac").await["applied_version"], 1);
}

#[tokio::test]
async fn o04_a_change_stops_by_itself_and_is_withdrawn() {
    let world = World::with("[changes]\nstop_above = 0\nstop_percent = 0\n").await;
    let mut trees = serving(&world, 3).await;
    let change = want(&world, "9").await;
    call(&world, 1, &mut trees[0]).await;
    trees[1].refuses = Some("SetParameterValues");
    call(&world, 2, &mut trees[1]).await;
    let stopped = shown(&world, &change).await;
    assert_eq!((&stopped["state"], &stopped["faulted"]), (&json!("stopped"), &json!(1)));
    assert!(stopped["note"].as_str().unwrap().contains("1 faulted"), "{stopped}");
    call(&world, 3, &mut trees[2]).await;
    assert_eq!(trees[2].values[TAC].0, "7", "nobody follows a change that stopped");
    let (status, problem) =
        world.ask(Method::PUT, "/api/v1/templates/tac", Some(json!({"values": {TAC: "8"}}))).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let (status, withdrawn) = decide(&world, &change, "withdraw").await;
    assert_eq!((status, &withdrawn["state"]), (StatusCode::OK, &json!("withdrawn")));
    trees[1].refuses = None;
    for (number, tree) in (1..).zip(&mut trees) {
        call(&world, number, tree).await;
        assert_eq!(tree.values[TAC].0, "7", "cell {number}");
    }
    let (status, _) = decide(&world, &change, "resume").await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn o04_a_large_change_waits_for_a_second_person() {
    let world = World::with("[changes]\nsecond_person_above = 0\n").await;
    let mut trees = serving(&world, 1).await;
    let change = want(&world, "9").await;
    assert_eq!(change["state"], "waiting");
    call(&world, 1, &mut trees[0]).await;
    assert_eq!(trees[0].values[TAC].0, "7");
    let (status, problem) = decide(&world, &change, "approve").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem["detail"], "somebody else than its author approves a change");
}

#[tokio::test]
async fn o04_a_freeze_holds_everything_but_reading() {
    let world = World::with("[limits]\n").await;
    let mut trees = serving(&world, 1).await;
    let (status, _) = world.ask(Method::PUT, "/api/v1/freeze", Some(json!({"reason": "new year"}))).await;
    assert_eq!(status, StatusCode::OK);
    want(&world, "9").await;
    assert!(call(&world, 1, &mut trees[0]).await.iter().all(|name| name.starts_with("Get")));
    trees[0].put(TAC, "3", cwmp::ValueKind::UnsignedInt);
    assert!(call(&world, 1, &mut trees[0]).await.iter().all(|name| name.starts_with("Get")));
    assert_eq!(
        (&world.device(1).await["tac"], trees[0].values[TAC].0.as_str()),
        (&json!("3"), "3"),
        "drift is seen and stays"
    );
    let mut fresh = Tree::new();
    let called = Cell::connect(&world, 2).await.session(&[EventCode::BOOTSTRAP], &mut fresh).await;
    assert!(called.iter().all(|name| name.starts_with("Get")), "{called:?}");
    let (status, problem) = world.ask(Method::PUT, "/api/v1/freeze", Some(json!({"reason": "mine"}))).await;
    let freeze = world.get("/api/v1/freeze").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("local") && detail.contains(freeze["since"].as_str().unwrap()), "{problem}");
    assert_eq!((status, &freeze["reason"]), (StatusCode::CONFLICT, &json!("new year")), "it stays");
    let (status, _) = world.ask(Method::DELETE, "/api/v1/freeze", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    call(&world, 1, &mut trees[0]).await;
    assert_eq!(trees[0].values[TAC].0, "9");
}

#[tokio::test]
async fn o05_an_emergency_takes_cells_off_the_air_and_proves_it() {
    let world = World::new().await;
    let mut trees = serving(&world, 3).await;
    world.put("/api/v1/freeze", json!({})).await;
    let filter = format!("identity = \"{}\" OR identity = \"{}\"", identity(1), identity(2));
    let order = json!({"filter": filter, "reason": "interference"});
    let (status, emergency) = world.ask(Method::POST, "/api/v1/radio-off", Some(order)).await;
    assert_eq!(
        (status, &emergency["devices"], &emergency["off"]),
        (StatusCode::CREATED, &json!(2), &json!(0))
    );
    let path = format!("/api/v1/radio-off/{}", emergency["id"]);
    let admin = format!("{CONTROL}AdminState");
    call(&world, 1, &mut trees[0]).await;
    call(&world, 3, &mut trees[2]).await;
    assert_eq!((trees[0].values[&admin].0.as_str(), trees[2].values[&admin].0.as_str()), ("false", "true"));
    let now = world.get(&path).await;
    assert_eq!((&now["off"], &now["is_complete"]), (&json!(1), &json!(false)));
    let left = world.get(&format!("{path}/devices")).await;
    assert_eq!(left["items"], json!([{"identity": identity(2), "off_at": null}]));
    call(&world, 2, &mut trees[1]).await;
    assert_eq!(world.get(&path).await["is_complete"], true);
    world.ask(Method::DELETE, "/api/v1/freeze", None).await;
    let (status, _) = world.ask(Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::OK);
    call(&world, 1, &mut trees[0]).await;
    assert_eq!(trees[0].values[&admin].0, "true");
}

#[tokio::test]
async fn o05_an_emergency_means_somebody_and_says_why() {
    let world = World::new().await;
    configure(&world).await;
    for (order, expected) in [
        (json!({"filter": "identity = \"nobody.example\"", "reason": "smoke"}), 409),
        (json!({"filter": "", "reason": " "}), 422),
        (json!({"filter": ""}), 422),
    ] {
        let (status, problem) = world.ask(Method::POST, "/api/v1/radio-off", Some(order)).await;
        assert_eq!(status.as_u16(), expected, "{problem}");
    }
    assert_eq!(world.get("/api/v1/radio-off").await["items"], json!([]));
}

#[tokio::test]
async fn o04_a_version_that_is_none_is_not_applied() {
    let world = World::new().await;
    want(&world, "9").await;
    for version in [0, -7] {
        let body = Some(json!({"version": version}));
        let (status, problem) = world.ask(Method::POST, "/api/v1/templates/tac/apply", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    }
}

#[tokio::test]
async fn o04_a_preview_says_the_difference_and_the_calls_and_a_session_does_them() {
    let world = World::new().await;
    let mut trees = serving(&world, 2).await;
    let body = json!({"template": {"priority": 5, "values": {TAC: "9"}}});
    let (status, preview) = world.ask(Method::POST, "/api/v1/templates/tac/preview", Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{preview}");
    assert_eq!(
        (&preview["changed"], &preview["same"], &preview["failed"]),
        (&json!(2), &json!(0), &json!(0))
    );
    assert_eq!(preview["totals"], json!([{"path": TAC, "to": "9", "devices": 2}]));
    let first = &preview["items"][0];
    assert_eq!(first["differences"], json!([{"path": TAC, "from": "7", "to": "9"}]));
    let foreseen: Vec<_> =
        first["calls"].as_array().unwrap().iter().map(|call| call["method"].as_str().unwrap()).collect();
    want(&world, "9").await;
    assert_eq!(call(&world, 1, &mut trees[0]).await, foreseen);
    let device = world.get(&format!("/api/v1/devices/{}/preview", identity(1))).await;
    assert_eq!((&device["calls"], &device["differences"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn o03_what_is_wanted_of_one_device_alone_stands_above_the_templates() {
    let world = World::new().await;
    let mut trees = serving(&world, 2).await;
    let path = format!("/api/v1/devices/{}/values", identity(1));
    let (status, _) = world.ask(Method::GET, &path, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, problem) = world.ask(Method::PUT, &path, Some(json!({"values": {TAC: "no"}}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["errors"][0]["place"], TAC);
    world.put(&path, json!({"values": {TAC: "12"}})).await;
    for (number, tree) in (1..).zip(&mut trees) {
        call(&world, number, tree).await;
    }
    assert_eq!((trees[0].values[TAC].0.as_str(), trees[1].values[TAC].0.as_str()), ("12", "7"));
    let (status, _) = world.ask(Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    call(&world, 1, &mut trees[0]).await;
    assert_eq!(trees[0].values[TAC].0, "7");
    let (status, _) = world.ask(Method::GET, &path, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let changes = world.get("/api/v1/changes").await;
    assert_eq!(changes["items"][0]["identity"], identity(1), "{changes}");
}

#[tokio::test]
async fn o04_a_version_that_cannot_apply_is_not_saved() {
    let world = World::with("[changes]\ncells_per_hour = 1\n").await;
    let mut trees = serving(&world, 2).await;
    want(&world, "9").await;
    call(&world, 1, &mut trees[0]).await;
    let path = "/api/v1/templates/tac";
    let (_, tag, before) = world.request(Method::GET, path, None, String::new()).await;
    let other = json!({"priority": 5, "values": {TAC: "11"}});
    let (status, problem) = world.ask(Method::PUT, path, Some(other.clone())).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let (_, after_tag, after) = world.request(Method::GET, path, None, String::new()).await;
    assert_eq!((tag, before), (after_tag, after));
    let own = format!("/api/v1/devices/{}/values", identity(2));
    let (status, problem) = world.ask(Method::PUT, &own, Some(json!({"values": {TAC: "12"}}))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{problem}");
    assert_eq!(world.ask(Method::GET, &own, None).await.0, StatusCode::NOT_FOUND, "nothing is left of it");
    let (status, draft) = world.ask(Method::PUT, &format!("{path}?apply=false"), Some(other)).await;
    assert_eq!((status, &draft["version"]), (StatusCode::OK, &json!(2)), "{draft}");
}

#[tokio::test]
async fn o04_a_change_that_switches_cells_off_has_not_made_them_fall() {
    let world = World::with("[changes]\nsettle_seconds = 1\nstop_above = 0\nstop_percent = 0\n").await;
    let mut trees = serving(&world, 1).await;
    let template = json!({"priority": 5, "values": {format!("{CONTROL}AdminState"): false}});
    let (status, view) = world.ask(Method::PUT, "/api/v1/templates/off", Some(template)).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    call(&world, 1, &mut trees[0]).await;
    assert_eq!(trees[0].values[&format!("{CONTROL}AdminState")].0, "false");
    let now = shown(&world, &view["change"]).await;
    assert_eq!((&now["fine"], &now["fell"], &now["state"]), (&json!(1), &json!(0), &json!("done")), "{now}");
}

#[tokio::test]
async fn o04_a_cell_that_moves_under_another_template_is_a_changed_one() {
    let world = World::with("[changes]\ncells_per_hour = 1\n").await;
    let mut trees = serving(&world, 2).await;
    let template = json!({"selector": "site = alpha", "priority": 5, "values": {TAC: "9"}});
    world.put("/api/v1/templates/alpha", template).await;
    let place = |number: u8| format!("/api/v1/devices/{}/place", identity(number));
    world.put(&place(1), json!({"site": "alpha"})).await;
    world.put(&place(2), json!({"site": "beta", "labels": {"rack": "7"}})).await;
    let (status, problem) = world.ask(Method::PUT, &place(2), Some(json!({"site": "alpha"}))).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{problem}");
    let list = format!("identity,site\n{},alpha\n", identity(2));
    let import =
        async |query: &str| world.upload(Method::POST, &format!("/api/v1/places{query}"), list.clone()).await;
    let (status, summary) = import("").await;
    assert_eq!((status, &summary["placed"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(0)), "{summary}");
    assert!(summary["errors"][0]["message"].as_str().unwrap().contains("budget"), "{summary}");
    assert_eq!(import("?strict=true").await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.get(&place(2)).await["site"], "beta");
    for (number, tree) in (1..).zip(&mut trees) {
        call(&world, number, tree).await;
    }
    assert_eq!((trees[0].values[TAC].0.as_str(), trees[1].values[TAC].0.as_str()), ("9", "7"));
}
