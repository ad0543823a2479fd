//! `/api/v1/pools`.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::world::World;

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
