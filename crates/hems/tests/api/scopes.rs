//! What somebody with a scope cannot learn of the devices beyond it, whatever he asks of his own.

use cwmp::{AcsMethod, EventCode, FromCpe};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cell::{Cell, Tree, inform},
    people::{Person, account, login},
    world::{World, identity, serial},
};

const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";

/// A world with two cells, and somebody who sees the second; the first comes before it in every list.
async fn scoped(role: &str) -> (World, Person) {
    let world = World::new().await;
    for number in [1, 2] {
        Cell::connect(&world, number).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    }
    world.put(&format!("/api/v1/devices/{}/place", identity(2)), json!({"tags": ["north"]})).await;
    account(&world, "ann", role, Some("tag=north")).await;
    let ann = login(&world, "ann").await;
    (world, ann)
}

fn path(below: &str) -> String {
    format!("/api/v1/devices/{}{below}", identity(2))
}

fn interval(expression: &str) -> Value {
    json!({ INTERVAL: {"expression": expression} })
}

#[tokio::test]
async fn an_expression_for_one_device_is_tried_on_that_device_alone() {
    let (world, ann) = scoped("engineer").await;
    let put = async |expression: &str| {
        let body = json!({ "values": interval(expression) });
        let (status, _, answer) = ann.ask(&world, Method::PUT, &path("/values"), body).await;
        (status, answer)
    };
    let (status, problem) = put("site + tags.join(',') + serial").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, problem_too) = put("'soon'").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let set = json!({"action": "set", "values": interval("'soon'")});
    let (status, refused) = ann.post(&world, &path("/actions"), set).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for said in [&problem, &problem_too, &refused] {
        let said = said.to_string();
        assert!(!said.contains(&identity(1)) && !said.contains(&serial(1)), "{said}");
    }
    assert!(problem_too.to_string().contains(&identity(2)), "{problem_too}");
    let (status, saved) = put(&format!("serial == '{}' ? 600 : 'soon'", serial(2))).await;
    assert_eq!(status, StatusCode::OK, "other devices have no say in it: {saved}");
}

#[tokio::test]
async fn who_disputes_or_claims_a_device_id_is_named_to_whoever_sees_him() {
    let (world, ann) = scoped("viewer").await;
    let pair = world.certificate(1);
    let lie = inform(&serial(2), &[EventCode::BOOTSTRAP]);
    let mut liar = Cell::over(world.connect(&pair).await, 1).await;
    liar.post("i", FromCpe::Call(AcsMethod::Inform(lie))).await;
    let rival = json!({"identity": identity(9), "oui": "00005E", "product_class": "SimulatedCell", "serial": serial(2)});
    assert_eq!(world.ask(Method::POST, "/api/v1/devices", Some(rival)).await.0, StatusCode::CONFLICT);
    let (whole, part) = (world.device(2).await, ann.get(&world, &path("")).await.1);
    let named = |device: &Value| {
        let claim = &device["claimed_by"][0];
        [&device["disputed_with"], &claim["identity"], &claim["certificate_sha256"]].map(Value::clone)
    };
    let sha256 = world.device(1).await["certificate"]["fingerprint_sha256"].clone();
    assert_eq!(named(&whole), [json!([identity(9)]), json!(identity(1)), sha256]);
    assert_eq!(named(&part), [json!([null]), Value::Null, Value::Null]);
    assert_eq!((&part["claimed_by"][0]["count"], &part["state"]), (&json!(1), &json!("disputed")), "{part}");
}

#[tokio::test]
async fn a_replay_says_nothing_of_templates_that_a_scope_does_not_show() {
    let (world, ann) = scoped("viewer").await;
    world.put("/api/v1/templates/all?apply=false", json!({"values": {"Device.X_A": "x"}})).await;
    let order = json!({"sessions": 1, "hours": 1});
    let (status, ordered) = world.ask(Method::POST, &path("/recording"), Some(order)).await;
    assert_eq!(status, StatusCode::CREATED, "{ordered}");
    Cell::connect(&world, 2).await.session(&[EventCode::PERIODIC], &mut Tree::new()).await;
    let id = world.get(&format!("/api/v1/sessions?identity={}", identity(2))).await["items"][0]["id"].clone();
    let replay = async |body: Value| {
        ann.post(&world, &format!("/api/v1/sessions/{id}/recording/replay"), body).await.0
    };
    assert_eq!(replay(json!({})).await, StatusCode::OK);
    for body in [
        json!({"name": "all"}),
        json!({"name": "none"}),
        json!({"name": "all", "template": {"values": interval("'soon'")}}),
    ] {
        assert_eq!(replay(body).await, StatusCode::FORBIDDEN);
    }
}
