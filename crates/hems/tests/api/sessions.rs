//! `/api/v1/sessions`: the evidence of what was negotiated.

use cwmp::EventCode;
use serde_json::json;

use crate::{
    cell::{Cell, Tree},
    world::{World, identity},
};

#[tokio::test]
async fn s13_a_session_leaves_the_evidence_of_its_tls() {
    let world = World::new().await;
    for number in [1, 2] {
        Cell::connect(&world, number).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    }
    let list = world.get(&format!("/api/v1/sessions?identity={}", identity(2))).await;
    let session = &list["items"][0];
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(session["identity"], identity(2));
    assert_eq!(session["tls_version"], "TLSv1.2");
    assert!(session["suite"].as_str().unwrap().starts_with("TLS_"), "{session}");
    assert_eq!(session["certificate_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(session["events"], json!([{"code": "0 BOOTSTRAP", "command_key": ""}]));
    assert_eq!((&session["outcome"], &session["resumed"]), (&json!("completed"), &json!(false)));
    assert!(session["ended_at"].is_string() && session["messages"].as_i64().unwrap() >= 2, "{session}");
    let all = world.get("/api/v1/sessions?limit=1").await;
    let token = all["next_page_token"].as_str().unwrap();
    let rest = world.get(&format!("/api/v1/sessions?limit=1&page_token={token}")).await;
    assert_eq!(rest["items"][0]["identity"], identity(1));
}
