//! `/api/v1/pools`.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use cwmp::EventCode;

use crate::{
    cell::{Cell, PCI, Tree},
    devices::configure,
    world::{World, identity},
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

const DRAWS: &str = "/api/v1/pools/pci/draws";

fn draw(number: u8) -> String {
    format!("{DRAWS}/{}", identity(number))
}

/// Who holds what, as far as the first page says it.
async fn held(world: &World) -> Vec<(i64, String)> {
    let page = world.get(DRAWS).await;
    let row = |row: &Value| (row["value"].as_i64().unwrap(), row["identity"].as_str().unwrap().to_owned());
    page["items"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn o03_who_holds_which_number_is_listed_page_by_page() {
    let world = World::new().await;
    world.put("/api/v1/pools/pci", json!({"first": 10, "last": 14})).await;
    for (number, value) in [(1, 14), (2, 10), (3, 12)] {
        let (status, drawn) = world.ask(Method::PUT, &draw(number), Some(json!({"value": value}))).await;
        assert_eq!((status, &drawn["value"]), (StatusCode::OK, &json!(value)), "{drawn}");
    }
    let expected = [(10, identity(2)), (12, identity(3)), (14, identity(1))];
    assert_eq!(held(&world).await, expected);
    let first = world.get(&format!("{DRAWS}?limit=2")).await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let token = first["next_page_token"].as_str().unwrap();
    let last = world.get(&format!("{DRAWS}?limit=2&page_token={token}")).await;
    assert_eq!((&last["items"][0]["value"], &last["next_page_token"]), (&json!(14), &Value::Null), "{last}");
    let (status, _) = world.ask(Method::GET, "/api/v1/pools/none/draws", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = world.ask(Method::GET, &format!("{DRAWS}?page_token=x"), None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn o03_a_reserved_number_is_the_one_that_its_device_draws() {
    let world = World::new().await;
    configure(&world).await;
    let reserve = async |number: u8, value: i64| {
        let (status, answer) = world.ask(Method::PUT, &draw(number), Some(json!({"value": value}))).await;
        (status.as_u16(), answer["detail"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(reserve(1, 10).await.0, 200);
    let (status, detail) = reserve(1, 11).await;
    assert_eq!((status, detail.contains("holds 10")), (409, true), "{detail}");
    assert_eq!(world.ask(Method::DELETE, &draw(1), None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(reserve(1, 11).await.0, 200);
    assert_eq!(reserve(1, 11).await.0, 200, "the same again");
    let (status, detail) = reserve(2, 11).await;
    assert_eq!((status, detail.contains(&identity(1))), (409, true), "{detail}");
    let (status, detail) = reserve(2, 12).await;
    assert_eq!((status, detail.contains("10 to 11")), (422, true), "{detail}");
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    assert_eq!(tree.values[PCI].0, "11");
    let (status, detail) = reserve(1, 10).await;
    assert_eq!((status, detail.contains("holds 11")), (409, true), "{detail}");
    let nowhere = format!("/api/v1/pools/none/draws/{}", identity(1));
    assert_eq!(world.ask(Method::PUT, &nowhere, Some(json!({"value": 1}))).await.0, StatusCode::NOT_FOUND);
    let nobody = format!("{DRAWS}/no%20name");
    let (status, _) = world.ask(Method::PUT, &nobody, Some(json!({"value": 10}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn o03_a_number_is_released_once_nothing_draws_it_again() {
    let world = World::new().await;
    configure(&world).await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let release = async |path: String| world.ask(Method::DELETE, &path, None).await;
    assert_eq!(release(draw(2)).await.0, StatusCode::NOT_FOUND, "it holds nothing");
    let (status, problem) = release(draw(1)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("draw again"), "{problem}");
    let admission = format!("/api/v1/devices/{}/admission", identity(1));
    world.ask(Method::DELETE, &admission, None).await;
    assert_eq!(held(&world).await, [(10, identity(1))], "it may still be on the air");
    assert_eq!(release(draw(1)).await.0, StatusCode::NO_CONTENT);
    assert_eq!((held(&world).await, release(draw(1)).await.0), (vec![], StatusCode::NOT_FOUND));

    let mut tree = Tree::new();
    Cell::connect(&world, 2).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    assert_eq!(tree.values[PCI].0, "10", "who comes next draws it");
    let own = format!("/api/v1/devices/{}/values", identity(2));
    world.put(&own, json!({"values": {PCI: "7"}})).await;
    Cell::connect(&world, 2).await.session(&[EventCode::PERIODIC], &mut tree).await;
    assert_eq!(release(draw(2)).await.0, StatusCode::NO_CONTENT, "its own value stands above the draw");
}

#[tokio::test]
async fn a_pool_is_deleted_once_nobody_holds_a_number_and_nothing_draws_from_it() {
    let world = World::new().await;
    configure(&world).await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let path = "/api/v1/pools/pci";
    let refused = async || {
        let (status, problem) = world.ask(Method::DELETE, path, None).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    };
    assert!(refused().await.contains(&identity(1)), "who holds a number is named");
    let admission = format!("/api/v1/devices/{}/admission", identity(1));
    world.ask(Method::DELETE, &admission, None).await;
    assert_eq!(world.ask(Method::DELETE, &draw(1), None).await.0, StatusCode::NO_CONTENT);
    let templates = world.get("/api/v1/templates").await["items"].clone();
    let draws = |one: &&Value| one["values"].to_string().contains("{\"pool\":\"pci\"}");
    let name = templates.as_array().unwrap().iter().find(draws).unwrap()["name"].as_str().unwrap().to_owned();
    assert!(refused().await.contains(&format!("`{name}`")), "and what draws");
    world.ask(Method::DELETE, &format!("/api/v1/templates/{name}"), None).await;
    let own = format!("/api/v1/devices/{}/values", identity(1));
    world.put(&own, json!({"values": {"Device.X_A": {"expression": "pool.pci", "draws": ["pci"]}}})).await;
    assert!(refused().await.contains(&identity(1)), "and whose own values do");
    world.put(&own, json!({"values": {"Device.X_A": "pci"}})).await;
    let (status, tag, _) = world.request(Method::GET, path, None, String::new()).await;
    assert_eq!(status, StatusCode::OK);
    let delete = async |tag: &str| world.request(Method::DELETE, path, Some(tag), String::new()).await.0;
    assert_eq!(delete("\"0.0\"").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(delete(&tag.unwrap()).await, StatusCode::NO_CONTENT);
    assert_eq!(delete("*").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(world.ask(Method::DELETE, path, None).await.0, StatusCode::NOT_FOUND);
}
