//! A database that goes away and comes back: what operators and whoever watches the server see of it.
//!
//! ```text
//!  200 ─▶ the server dies ─▶ 503 with Retry-After, not ready, metrics from memory ─▶ it starts ─▶ 200
//! ```

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    admin::{judged, page},
    people::{LOGIN, PASSWORD, Person, account},
    world::World,
};

/// How long the server may take to be asked again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until the answer is this one.
async fn until(
    world: &World,
    person: &Person,
    (method, path, body): (Method, &str, Value),
    wanted: StatusCode,
) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, _, value) = person.ask(world, method.clone(), path, body.clone()).await;
        if status == wanted {
            return;
        }
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {value}");
        assert!(Instant::now() < deadline, "{path} stays {value}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn o12_a_database_that_is_away_is_unavailable_and_all_comes_back_with_it() {
    let Some(mut world) = World::on_server("o12_a_database_that_is_away").await else { return };
    account(&world, "ann", "viewer", None).await;
    let local = Person::with("authorization", format!("Bearer {}", world.token));
    let pool = json!({"first": 1, "last": 9});
    let login = json!({"name": "ann", "password": PASSWORD});
    assert!(page(&world, "/metrics").await.1.contains("\nhems_store_up 1\n"));
    assert_eq!(page(&world, "/readyz").await.0, 200);

    world.database().crash();
    let asked = [
        (Method::GET, "/api/v1/devices", Value::Null),
        (Method::GET, "/api/v1/alarms", Value::Null),
        (Method::PUT, "/api/v1/pools/pci", pool.clone()),
    ];
    // More logins than one may try wrongly: none of these was one.
    let logins = (0..7).map(|_| (Method::POST, LOGIN, login.clone()));
    for (method, path, body) in asked.into_iter().chain(logins) {
        let (status, headers, problem) = local.ask(&world, method, path, body).await;
        let code = &problem["code"];
        assert_eq!((status.as_u16(), code), (503, &json!("unavailable")), "{path}: {problem}");
        assert_eq!(headers["retry-after"], "5", "{path}");
    }
    let (status, text) = page(&world, "/readyz").await;
    assert!(status == 503 && text.contains("[-]database: "), "{text}");
    assert_eq!(page(&world, "/livez").await.0, 200);
    let (status, text) = page(&world, "/metrics").await;
    assert!(status == 200 && text.contains("\nhems_store_up 0\n"), "{text}");
    let refused = "hems_api_requests_total{method=\"POST\",operation=\"login\",status=\"5xx\"} 7";
    assert!(text.contains(refused) && text.contains("\nhems_outbox_lag_seconds "), "{text}");
    judged(&text);

    world.database().recover();
    until(&world, &local, (Method::GET, "/api/v1/devices", Value::Null), StatusCode::OK).await;
    until(&world, &local, (Method::PUT, "/api/v1/pools/pci", pool), StatusCode::OK).await;
    until(&world, &Person::default(), (Method::POST, LOGIN, login), StatusCode::OK).await;
    assert_eq!(page(&world, "/readyz").await, (200, "ok\n".to_owned()));
    assert!(page(&world, "/metrics").await.1.contains("\nhems_store_up 1\n"));
}
