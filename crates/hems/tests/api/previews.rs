//! What a preview says beside differences and calls: that what it says is what a session does.
//!
//! ```text
//!  template, as it would be ─▶ preview ─▶ numbers, what counts for nothing, what waits ═ the next session
//! ```

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cell::{PCI, PLMN_LIST, TAC, Tree},
    changes::{call, serving},
    world::{World, identity},
};

async fn preview(world: &World, name: &str, template: Value) -> Value {
    let path = format!("/api/v1/templates/{name}/preview");
    let (status, preview) = world.ask(Method::POST, &path, Some(json!({"template": template}))).await;
    assert_eq!(status, StatusCode::OK, "{preview}");
    preview
}

#[tokio::test]
async fn o04_a_preview_says_which_values_count_for_nothing() {
    let world = World::new().await;
    serving(&world, 1).await;
    let rows =
        json!([{"object": PLMN_LIST, "key": "PLMNID", "rows": [{"PLMNID": "00101", "Enable": "true"}]}]);
    world.put("/api/v1/templates/operators", json!({"objects": rows})).await;
    let cell = format!("{PLMN_LIST}1.Enable");
    let body = json!({"template": {"priority": 5, "values": {cell.as_str(): "false"}}});
    let (_, preview) = world.ask(Method::POST, "/api/v1/templates/one/preview", Some(body)).await;
    assert_eq!((&preview["same"], &preview["items"][0]["calls"]), (&json!(1), &json!([])), "{preview}");
    assert_eq!(preview["items"][0]["overruled"], json!([{"path": cell, "table": PLMN_LIST}]));
}

#[tokio::test]
async fn o04_a_preview_names_the_numbers_that_would_be_drawn_and_draws_none() {
    let world = World::new().await;
    let mut trees = serving(&world, 2).await;
    world.put("/api/v1/pools/area", json!({"first": 100, "last": 101})).await;
    let template = json!({"priority": 5, "values": {TAC: {"pool": "area"}}});
    let shown = preview(&world, "areas", template.clone()).await;
    assert_eq!(shown["failed"], 0, "{shown}");
    let drawn: Vec<_> = (0..2).map(|at| shown["items"][at]["draws"]["area"].clone()).collect();
    assert_eq!(drawn, [json!(100), json!(101)]);
    let pools = world.get("/api/v1/pools").await;
    assert!(
        pools["items"].as_array().unwrap().iter().any(|pool| pool["name"] == "area" && pool["drawn"] == 0)
    );
    world.put("/api/v1/templates/areas", template).await;
    for (number, tree) in (1..).zip(&mut trees) {
        call(&world, number, tree).await;
    }
    let areas: Vec<_> = trees.iter().map(|tree| tree.values[TAC].0.as_str()).collect();
    assert_eq!(areas, ["100", "101"]);
}

#[tokio::test]
async fn o04_a_preview_of_one_template_leaves_alone_what_a_change_of_another_brought() {
    let world = World::new().await;
    let mut trees: Vec<Tree> = serving(&world, 2).await;
    world.put("/api/v1/templates/tac", json!({"priority": 5, "values": {TAC: "9"}})).await;
    call(&world, 1, &mut trees[0]).await;
    assert_eq!(world.get("/api/v1/changes/2").await["state"], "running");
    let shown = preview(&world, "pci", json!({"priority": 5, "values": {PCI: "33"}})).await;
    let paths: Vec<_> =
        shown["totals"].as_array().unwrap().iter().map(|total| total["path"].clone()).collect();
    assert_eq!(paths, [json!(PCI)], "{shown}");
}

#[tokio::test]
async fn o04_a_preview_says_that_everything_is_frozen() {
    let world = World::new().await;
    serving(&world, 1).await;
    world.put("/api/v1/templates/tac", json!({"priority": 5, "values": {TAC: "7"}})).await;
    world.put("/api/v1/freeze", json!({"reason": "new year"})).await;
    let shown = preview(&world, "tac", json!({"priority": 5, "values": {TAC: "9"}})).await;
    assert_eq!((&shown["frozen"], &shown["items"][0]["frozen"]), (&json!(true), &json!(true)), "{shown}");
    let own = format!("/api/v1/devices/{}/preview", identity(1));
    assert_eq!(world.get(&own).await["frozen"], true);
}
