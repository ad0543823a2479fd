//! Conditional requests, over every resource that is edited: shown with a tag, unchanged, overtaken, made once. (O-12)
//!
//! ```text
//!  first  ── GET ─ tag ─────────────────────────── PUT, If-Match: tag ─▶ 412, and what the second wrote is there
//!  second ── GET ─ tag ─ PUT, If-Match: tag ─▶ 200
//! ```

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{World, identity};

/// Something that is edited: its path, and three states that it can be brought to.
struct Edited {
    path: String,
    states: [Value; 3],
}

async fn edited(world: &World) -> Vec<Edited> {
    let device = json!({"identity": identity(1), "oui": "00005E", "product_class": "C", "serial": "x"});
    world.ask(Method::POST, "/api/v1/devices", Some(device)).await;
    let account = json!({"name": "ann", "role": "viewer", "password": "correct horse battery"});
    let (status, problem) = world.ask(Method::POST, "/api/v1/accounts", Some(account)).await;
    assert_eq!(status, StatusCode::CREATED, "{problem}");
    let device = format!("/api/v1/devices/{}", identity(1));
    let of = |value: &str| json!({"values": {"Device.X_A": value}});
    let edited = |path: &str, states| Edited { path: path.to_owned(), states };
    vec![
        edited("/api/v1/templates/lab", ["a", "b", "c"].map(of)),
        edited("/api/v1/pools/tac", [7, 8, 9].map(|last| json!({"first": 1, "last": last}))),
        edited("/api/v1/freeze", ["storm", "flood", "fire"].map(|why| json!({"reason": why}))),
        edited("/api/v1/accounts/ann", ["viewer", "operator", "admin"].map(|role| json!({"role": role}))),
        edited(&format!("{device}/place"), ["north", "south", "west"].map(|site| json!({"site": site}))),
        edited(&format!("{device}/values"), ["a", "b", "c"].map(of)),
    ]
}

#[tokio::test]
async fn o12_of_two_writers_who_read_the_same_one_is_told() {
    let world = World::new().await;
    for Edited { path, states } in edited(&world).await {
        let put = async |tag: Option<&str>, state: &Value| {
            world.request(Method::PUT, &path, tag, state.to_string()).await
        };
        let [before, first, second] = &states;
        assert_eq!(put(None, before).await.0, StatusCode::OK, "{path}");
        let (_, tag, _) = world.request(Method::GET, &path, None, String::new()).await;
        let (one, other) = tokio::join!(put(tag.as_deref(), first), put(tag.as_deref(), second));
        let mut statuses = [one.0, other.0];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::PRECONDITION_FAILED], "{path}");
        let (status, _, problem) = put(Some("\"none\""), first).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::PRECONDITION_FAILED, &json!("changed")),
            "{path}"
        );
        let (_, now, _) = world.request(Method::GET, &path, None, String::new()).await;
        let named = now.unwrap().split('.').next().unwrap().to_owned();
        assert!(problem["detail"].as_str().unwrap().contains(&named), "{path}: {problem}");
        assert_eq!(problem["tag"], format!("{named}\""), "{path}");
        assert_eq!(put(Some(&format!("{named}\"")), second).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn o12_what_a_reader_has_is_not_sent_again() {
    let world = World::new().await;
    for Edited { path, states } in edited(&world).await {
        world.put(&path, states[0].clone()).await;
        let (_, tag, _) = world.request(Method::GET, &path, None, String::new()).await;
        let tag = tag.unwrap();
        let get = async |known: &str| {
            world.conditional(Method::GET, &path, ("if-none-match", known), String::new()).await
        };
        for known in [tag.clone(), "*".to_owned(), format!("\"x\", W/{tag}")] {
            let (status, again, body) = get(&known).await;
            assert_eq!(
                (status, again.as_ref(), body),
                (StatusCode::NOT_MODIFIED, Some(&tag), Value::Null),
                "{path}"
            );
        }
        let (status, ..) = world.request(Method::PUT, &path, Some(&tag), states[1].to_string()).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let (status, next, _) = get(&tag).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_ne!(next, Some(tag), "{path}");
    }
}

#[tokio::test]
async fn o12_a_condition_may_ask_that_there_is_none_and_that_there_is_one() {
    let world = World::new().await;
    for Edited { path, states } in edited(&world).await {
        let say =
            async |condition| world.conditional(Method::PUT, &path, condition, states[0].to_string()).await;
        let put = async |condition| say(condition).await.0;
        let was_there = world.ask(Method::GET, &path, None).await.0 == StatusCode::OK;
        if !was_there {
            assert_eq!(put(("if-match", "*")).await, StatusCode::PRECONDITION_FAILED, "{path}");
            assert_eq!(put(("if-none-match", "*")).await, StatusCode::OK, "{path}");
        }
        let (status, _, problem) = say(("if-none-match", "*")).await;
        assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{path}");
        assert!(problem["detail"].as_str().unwrap().starts_with("it exists already"), "{path}: {problem}");
        assert!(problem["tag"].as_str().unwrap().starts_with('"'), "{path}: {problem}");
        assert_eq!(put(("if-match", "*")).await, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn o12_of_two_people_who_take_an_alarm_one_is_told() {
    let world = World::new().await;
    for number in [1, 2] {
        let device =
            json!({"identity": identity(number), "oui": "00005E", "product_class": "C", "serial": "x"});
        world.ask(Method::POST, "/api/v1/devices", Some(device)).await;
    }
    let path = format!("/api/v1/alarms/{}", world.alarms().await["items"][0]["id"]);
    let (_, tag, _) = world.request(Method::GET, &path, None, String::new()).await;
    let say = async |what: &str, tag: Option<&str>| {
        world.request(Method::POST, &format!("{path}/{what}"), tag, "{}".to_owned()).await
    };
    let (one, other) = tokio::join!(say("acknowledge", tag.as_deref()), say("acknowledge", tag.as_deref()));
    let mut statuses = [one.0, other.0];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::PRECONDITION_FAILED]);
    let (status, _, problem) = say("unacknowledge", tag.as_deref()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PRECONDITION_FAILED, &json!("changed")), "{problem}");
    let (status, next, _) = say("unacknowledge", problem["tag"].as_str()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(say("acknowledge", next.as_deref()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn o12_what_is_taken_away_is_what_was_read() {
    let world = World::new().await;
    let (status, file) =
        world.upload(Method::POST, "/api/v1/files?kind=configuration&name=a", "text".to_owned()).await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    let things = edited(&world).await;
    let order = json!({"filter": format!("identity = \"{}\"", identity(1)), "reason": "fire"});
    let (status, emergency) = world.ask(Method::POST, "/api/v1/radio-off", Some(order)).await;
    assert_eq!(status, StatusCode::CREATED, "{emergency}");
    let mut paths: Vec<String> = Vec::new();
    for Edited { path, states } in things {
        world.put(&path, states[0].clone()).await;
        paths.push(path);
    }
    paths.retain(|path| !path.contains("pools") && !path.ends_with("place"));
    paths.push(format!("/api/v1/files/{}", file["id"]));
    paths.push(format!("/api/v1/radio-off/{}", emergency["id"]));
    for path in paths {
        let delete = async |tag: &str| world.request(Method::DELETE, &path, Some(tag), String::new()).await;
        assert_eq!(delete("\"none\"").await.0, StatusCode::PRECONDITION_FAILED, "{path}");
        let (_, tag, _) = world.request(Method::GET, &path, None, String::new()).await;
        let (status, _, problem) = delete(&tag.unwrap()).await;
        assert!(status.is_success(), "{path}: {status} {problem}");
    }
}
