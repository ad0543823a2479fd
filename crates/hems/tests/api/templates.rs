//! `/api/v1/templates`.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::world::{World, identity};

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
    assert_eq!(
        (&shown["name"], &shown["version"], &shown["applied_version"]),
        (&json!("lab"), &json!(1), &json!(1))
    );
    shown.as_object_mut().unwrap().retain(|name, _| template.get(name).is_some());
    assert_eq!(shown, template);
    assert_eq!(world.get("/api/v1/templates").await["items"].as_array().unwrap().len(), 1);
    let (status, _) = world.ask(Method::DELETE, "/api/v1/templates/lab", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = world.ask(Method::DELETE, "/api/v1/templates/lab", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_version_is_kept_with_who_when_and_why_and_one_goes_back() {
    let world = World::new().await;
    let of = |value: &str| json!({"values": {"Device.X_A": value}});
    for (value, reason) in [("a", "first"), ("b", "second%20thoughts")] {
        world.put(&format!("/api/v1/templates/lab?reason={reason}"), of(value)).await;
    }
    let draft = world.ask(Method::PUT, "/api/v1/templates/lab?apply=false", Some(of("c"))).await.1;
    assert_eq!((&draft["version"], &draft["applied_version"]), (&json!(3), &json!(2)));
    let versions = world.get("/api/v1/templates/lab/versions").await;
    let said: Vec<_> =
        versions["items"].as_array().unwrap().iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(said, ["", "second thoughts", "first"]);
    assert!(versions["items"][0]["author"].as_str().is_some_and(|author| !author.is_empty()), "{versions}");
    let body = json!({"version": 1, "reason": "back"});
    let (status, change) = world.ask(Method::POST, "/api/v1/templates/lab/apply", Some(body)).await;
    assert_eq!(
        (status, &change["state"], &change["to_version"]),
        (StatusCode::OK, &json!("done"), &json!(1))
    );
    assert_eq!(world.get("/api/v1/templates/lab").await["applied_version"], 1);
    let (status, _) =
        world.ask(Method::POST, "/api/v1/templates/lab/apply", Some(json!({"version": 9}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_version_is_saved_over_the_one_that_was_read_only() {
    let world = World::new().await;
    let body = || json!({"values": {"Device.X_A": "x"}}).to_string();
    let path = "/api/v1/templates/lab";
    let (status, tag, _) = world.request(Method::PUT, path, None, body()).await;
    assert_eq!(status, StatusCode::OK);
    let (status, next, _) = world.request(Method::PUT, path, tag.as_deref(), body()).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _, problem) = world.request(Method::PUT, path, tag.as_deref(), body()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PRECONDITION_FAILED, &json!("changed")));
    assert!(problem["detail"].as_str().unwrap().contains("\"2\""), "{problem}");
    assert_ne!(next, tag);
    for (path, status) in
        [(path, StatusCode::PRECONDITION_FAILED), ("/api/v1/templates/next", StatusCode::OK)]
    {
        assert_eq!(world.conditional(Method::PUT, path, ("if-none-match", "*"), body()).await.0, status);
    }
}

#[tokio::test]
async fn an_expression_is_tried_on_the_devices_before_it_is_saved() {
    let world = World::new().await;
    let device = json!({"identity": identity(1), "oui": "00005E", "product_class": "C", "serial": "x"});
    world.ask(Method::POST, "/api/v1/devices", Some(device)).await;
    let template = |text: &str| json!({"values": {"Device.X_A": "x", "Device.ManagementServer.PeriodicInformInterval": {"expression": text}}});
    for (text, expected) in [
        ("60 +", "cannot be read"),
        ("colour", "asks for `colour`"),
        ("int(labels.minutes) * 60", "for 00005e005301.hnb.example: the expression fails"),
        ("'soon'", "for 00005e005301.hnb.example: it gives \"soon\""),
    ] {
        let (status, problem) = world.ask(Method::PUT, "/api/v1/templates/lab", Some(template(text))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        assert!(problem["errors"][0]["message"].as_str().unwrap().contains(expected), "{problem}");
    }
    world.put("/api/v1/templates/lab", template("'x' == serial ? 600 : 60")).await;
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
async fn a_bad_selector_hides_nothing_else_that_is_wrong() {
    let world = World::new().await;
    for (body, places) in [
        (
            json!({"selector": "colour = red", "values": {"Device.Tme.Enable": 1, "Device.X_A": {"pool": "none"}}}),
            vec!["selector", "Device.Tme.Enable", "Device.X_A"],
        ),
        (
            json!({"selector": 5, "objects": [{"object": "Device.Users.User."}]}),
            vec!["selector", "objects[0]"],
        ),
    ] {
        let (status, problem) = world.ask(Method::PUT, "/api/v1/templates/bad", Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        let found: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|error| &error["place"]).collect();
        assert_eq!(found, places, "{problem}");
    }
}

/// Method, path below the API, body; the status, and what the answer says.
const WRONG_BODIES: [(&str, &str, &str, u16, &str); 10] = [
    (
        "PUT",
        "templates/a",
        r#"{"values": {"Device.X_A": [1]}}"#,
        422,
        "`values.Device.X_A`: a value is a text",
    ),
    ("PUT", "templates/a", r#"{"prority": 1}"#, 422, "unknown field `prority`, expected one of `selector`"),
    (
        "PUT",
        "pools/a",
        r#"{"first": "1", "last": 2}"#,
        422,
        "`first`: invalid type: text \"1\", expected a whole number",
    ),
    ("POST", "devices", "{}", 422, "the body: missing field `identity`"),
    ("POST", "devices", "{\"identity\"", 400, "the body: EOF"),
    ("POST", "devices", "", 400, "the body: is empty"),
    (
        "PUT",
        "templates/a",
        r#"{"values": {"Device.X_A": 1, "Device.X_A": 2}}"#,
        400,
        "the key `Device.X_A` stands there twice",
    ),
    ("PUT", "pools/a", r#"{"first": 1, "first": 1, "last": 2}"#, 400, "the key `first` stands there twice"),
    (
        "POST",
        "identities",
        r#"[{"identity": "a", "identity": "b"}]"#,
        422,
        "the key `identity` stands there twice",
    ),
    (
        "POST",
        "places",
        r#"{"identity": "a", "labels": {"x": "1", "x": "2"}}"#,
        422,
        "the key `x` stands there twice",
    ),
];

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_with_its_place_and_what_would_be_right() {
    let world = World::new().await;
    let device = identity(1);
    for (method, path, body, status, says) in WRONG_BODIES {
        let method: Method = method.parse().unwrap();
        let (answered, problem) = world.upload(method, &format!("/api/v1/{path}"), body.to_owned()).await;
        assert_eq!(answered.as_u16(), status, "{path} {body} {problem}");
        let said = problem["detail"].as_str().or_else(|| problem["errors"][0]["message"].as_str()).unwrap();
        assert!(said.contains(says) && !said.contains("eserialize"), "{body}: {said}");
    }
    assert_eq!(
        world.ask(Method::GET, &format!("/api/v1/devices/{device}"), None).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_is_no_template_is_refused_with_a_reason() {
    let world = World::new().await;
    for body in [json!({"colour": 1}), json!({"selector": "colour = \"red\""}), json!("text")] {
        let (status, problem) = world.ask(Method::PUT, "/api/v1/templates/bad", Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        let message = problem["errors"][0]["message"].as_str().or_else(|| problem["detail"].as_str());
        assert!(message.is_some_and(|text| text.len() > 10 && !text.contains("deserialize")), "{problem}");
    }
    let huge = json!({"selector": "x".repeat(5 << 20)});
    let (status, _) = world.ask(Method::PUT, "/api/v1/templates/bad", Some(huge)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
