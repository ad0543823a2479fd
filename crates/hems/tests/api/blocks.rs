//! `/api/v1/blocks`: who is shut out, at once and everywhere.

use std::time::{Duration, Instant};

use cwmp::EventCode;
use hyper::{Method, StatusCode};
use profile::KeyPair;
use serde_json::{Value, json};

use crate::{
    cell::{Cell, Tree},
    world::{World, identity},
};

/// Blocks, and says how it went.
pub(crate) async fn block(world: &World, kind: &str, value: &str) -> (StatusCode, Value) {
    let body = json!({"kind": kind, "value": value, "reason": "stolen"});
    world.ask(Method::POST, "/api/v1/blocks", Some(body)).await
}

fn query(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Whether a certificate still gets a session.
pub(crate) async fn is_served(world: &World, pair: &KeyPair) -> bool {
    let Ok(stream) = world.try_connect(pair).await else { return false };
    let mut cell = Cell::over(stream, 1).await;
    cell.try_post("").await.is_ok()
}

#[tokio::test]
async fn i12_each_kind_of_block_refuses_the_handshake_until_it_is_removed() {
    let world = World::new().await;
    let pair = world.certificate(1);
    Cell::over(world.connect(&pair).await, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let facts = world.device(1).await["certificate"].clone();
    let text = |key: &str| facts[key].as_str().unwrap().to_owned();
    let (serial, issuer) = (text("serial"), text("issuer"));
    let refusals = |list: &Value| -> i64 {
        let rows = list["items"].as_array().unwrap().iter().filter(|row| row["reason"] == "blocked");
        rows.map(|row| row["count"].as_i64().unwrap()).sum()
    };
    for (count, (kind, value)) in (1..).zip([
        ("identity", identity(1).to_uppercase()),
        ("certificate", text("fingerprint_sha256")),
        ("key", text("public_key_sha256")),
        ("issuer", issuer.clone()),
        ("serials", format!("{serial}-{serial}@{issuer}")),
    ]) {
        assert!(is_served(&world, &pair).await, "{kind}");
        let (status, shown) = block(&world, kind, &value).await;
        assert_eq!((status, &shown["by"]), (StatusCode::CREATED, &json!("local")), "{shown}");
        assert_eq!(block(&world, kind, &value).await.0, StatusCode::OK, "it is there already");
        assert!(!is_served(&world, &pair).await, "{kind}");
        let list = world.until("/api/v1/refusals", |list| refusals(list) == count).await;
        let row = list["items"].as_array().unwrap().iter().find(|row| row["reason"] == "blocked").unwrap();
        assert_eq!(row["certificate"]["dns_names"][0], identity(1));
        assert!(row["detail"].as_str().unwrap().starts_with(&format!("its {kind} is blocked")), "{row}");
        assert!(world.get("/api/v1/blocks").await["items"][0]["reason"] == "stolen");
        let path = format!("/api/v1/blocks?kind={kind}&value={}", query(&value));
        assert_eq!(world.ask(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
        assert_eq!(world.ask(Method::DELETE, &path, None).await.0, StatusCode::NOT_FOUND);
    }
    assert!(is_served(&world, &pair).await);
}

#[tokio::test]
async fn i12_a_block_ends_an_open_connection_and_its_session_within_a_second() {
    let world = World::new().await;
    let mut blocked = Cell::connect(&world, 1).await;
    let mut other = Cell::connect(&world, 2).await;
    for cell in [&mut blocked, &mut other] {
        assert_eq!(cell.inform(&[EventCode::BOOTSTRAP]).await.status, StatusCode::OK);
    }
    let began = Instant::now();
    assert_eq!(block(&world, "identity", &identity(1)).await.0, StatusCode::CREATED);
    assert!(blocked.try_post("").await.is_err(), "the connection is closed");
    let path = format!("/api/v1/sessions?identity={}", identity(1));
    world.until(&path, |list| list["items"][0]["outcome"] == "blocked").await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(other.empty().await.status.is_success(), "nobody else notices");
    assert!(world.device(1).await["blocked"].as_str().unwrap().contains(&identity(1)));
}

#[tokio::test]
async fn i12_a_block_holds_after_a_restart() {
    let world = World::new().await;
    let pair = world.certificate(1);
    block(&world, "identity", &identity(1)).await;
    let world = world.restart().await;
    assert!(!is_served(&world, &pair).await);
}

#[tokio::test]
async fn a_block_that_names_nothing_is_refused_and_says_what_would() {
    let world = World::new().await;
    for (kind, value) in
        [("identity", "cell"), ("key", "ab"), ("issuer", ""), ("serials", "1-2"), ("colour", "red")]
    {
        let (status, problem) = block(&world, kind, value).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid")),
            "{kind}"
        );
    }
    let body = json!({"kind": "identity", "value": identity(1), "reason": " "});
    let (status, problem) = world.ask(Method::POST, "/api/v1/blocks", Some(body)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
}
