//! `/api/v1/pools`.

use hyper::{Method, StatusCode};
use serde_json::json;

use cwmp::EventCode;

use crate::{
    cell::{Cell, Tree},
    devices::configure,
    world::World,
};

#[tokio::test]
async fn a_pool_is_saved_shown_and_checked() {
    let world = World::new().await;
    world.put("/api/v1/pools/tac", json!({"first": 1, "last": 9})).await;
    assert_eq!(
        world.get("/api/v1/pools/tac").await,
        json!({"name": "tac", "first": 1, "last": 9, "drawn": 0})
    );
    assert_eq!(world.get("/api/v1/pools").await["items"][0]["name"], "tac");
    for (path, body) in [
        ("/api/v1/pools/tac", json!({"first": 9, "last": 1})),
        ("/api/v1/pools/tac", json!({"first": 9})),
        ("/api/v1/pools/No%20Name", json!({"first": 1, "last": 2})),
    ] {
        let (status, problem) = world.ask(Method::PUT, path, Some(body)).await;
        assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid")));
    }
    let (status, _) = world.ask(Method::GET, "/api/v1/pools/pci", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_pool_does_not_shrink_below_what_a_cell_holds() {
    let world = World::new().await;
    configure(&world).await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let narrow = json!({"first": 11, "last": 12});
    let (status, problem) = world.ask(Method::PUT, "/api/v1/pools/pci", Some(narrow)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("conflict")), "{problem}");
    assert_eq!(world.get("/api/v1/pools/pci").await["last"], 11);
    world.put("/api/v1/pools/pci", json!({"first": 10, "last": 10})).await;
}
