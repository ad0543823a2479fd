//! `/api/v1/templates`.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_template_is_saved_shown_listed_and_deleted() {
    let world = World::new().await;
    let template = json!({
        "selector": "realm = \"hnb.example\"",
        "priority": 3,
        "values": {"Device.X_A": "x", "Device.X_B": {"pool": "pci"}},
        "objects": [],
    });
    let (status, problem) = world.ask(Method::PUT, "/api/v1/templates/lab", Some(template.clone())).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["errors"][0]["message"], "there is no pool `pci`");
    world.put("/api/v1/pools/pci", json!({"first": 0, "last": 503})).await;
    world.put("/api/v1/templates/lab", template.clone()).await;
    let mut shown = world.get("/api/v1/templates/lab").await;
    assert_eq!(shown["name"], "lab");
    shown.as_object_mut().unwrap().remove("name");
    assert_eq!(shown, template);
    assert_eq!(world.get("/api/v1/templates").await["items"].as_array().unwrap().len(), 1);
    let (status, _) = world.ask(Method::DELETE, "/api/v1/templates/lab", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = world.ask(Method::DELETE, "/api/v1/templates/lab", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn p07_p11_a_template_with_a_password_or_a_plain_url_is_refused_with_its_place() {
    let world = World::new().await;
    let template = json!({"values": {
        "Device.ManagementServer.URL": "http://hems.example/",
        "Device.ManagementServer.Password": "secret",
    }});
    let (status, problem) = world.ask(Method::PUT, "/api/v1/templates/bad", Some(template)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid")));
    let places: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["place"].clone()).collect();
    assert_eq!(places, ["Device.ManagementServer.Password", "Device.ManagementServer.URL"]);
}

#[tokio::test]
async fn what_is_no_template_is_refused_with_a_reason() {
    let world = World::new().await;
    for body in [json!({"colour": 1}), json!({"selector": "colour = \"red\""}), json!("text")] {
        let (status, problem) = world.ask(Method::PUT, "/api/v1/templates/bad", Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|text| text.len() > 10), "{problem}");
    }
    let huge = json!({"selector": "x".repeat(5 << 20)});
    let (status, _) = world.ask(Method::PUT, "/api/v1/templates/bad", Some(huge)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
