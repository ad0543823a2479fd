//! `/api/v1/devices`: from the first Inform to being in service, as an operator sees it.

use cwmp::{EventCode, FromAcs, FromCpe};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::{
    cell::{Cell, PCI, PLMN_LIST, TAC, Tree},
    world::{World, identity, serial},
};

/// What the tests want of every cell.
pub(crate) async fn configure(world: &World) {
    let admin = "Device.Services.FAPService.1.FAPControl.LTE.AdminState";
    world.put("/api/v1/pools/pci", json!({"first": 10, "last": 11})).await;
    let template = json!({
        "values": {TAC: "7", PCI: {"pool": "pci"}, admin: "true"},
        "objects": [{"object": PLMN_LIST, "key": "PLMNID", "rows": [{"PLMNID": "99970", "Enable": "true"}]}],
    });
    world.put("/api/v1/templates/all", template).await;
}

#[tokio::test]
async fn s07_a_cell_that_speaks_cwmp_1_1_and_nothing_later_comes_into_service() {
    let world = World::new().await;
    configure(&world).await;
    let (mut cell, mut tree) = (Cell::connect(&world, 1).await, Tree::new());
    let mut reply = cell.inform(&[EventCode::BOOTSTRAP]).await;
    for id in 0..100 {
        if reply.text.is_empty() {
            break;
        }
        let namespaces = reply.text.matches("urn:dslforum-org:cwmp-1-").count();
        let of_1_1 = reply.text.matches("urn:dslforum-org:cwmp-1-1\"").count();
        assert_eq!((namespaces, of_1_1), (1, 1), "{}", reply.text);
        for later in ["SessionTimeout", "SupportedCWMPVersions", "UseCWMPVersion"] {
            assert!(!reply.text.contains(later), "{}", reply.text);
        }
        reply = match reply.message() {
            FromAcs::Call(method) => {
                assert!(
                    matches!(
                        method.name(),
                        "GetRPCMethods"
                            | "GetParameterNames"
                            | "GetParameterValues"
                            | "SetParameterValues"
                            | "AddObject"
                            | "DeleteObject"
                    ),
                    "{method:?}"
                );
                cell.post(&id.to_string(), FromCpe::Response(tree.execute(&method).unwrap())).await
            }
            FromAcs::Response(_) => cell.empty().await,
            other @ (FromAcs::Fault(_) | FromAcs::Empty) => panic!("{other:?}"),
        };
    }
    assert_eq!(world.device(1).await["in_service"], true);
}

#[tokio::test]
async fn o01_a_page_of_more_rows_than_there_may_be_is_refused_and_not_cut() {
    let world = World::new().await;
    for list in ["devices", "sessions", "refusals", "changes", "dead-letters", "alarms", "files", "audit-log"]
    {
        for limit in ["0", "1001", "-1", "ten", ""] {
            let path = format!("/api/v1/{list}?limit={limit}");
            let (status, problem) = world.ask(Method::GET, &path, None).await;
            assert_eq!(
                (status, &problem["code"]),
                (StatusCode::BAD_REQUEST, &json!("invalid")),
                "{path}: {problem}"
            );
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.contains("limit") && detail.contains("a whole number from 1 to 1000"),
                "{path}: {detail}"
            );
        }
        world.get(&format!("/api/v1/{list}?limit=1000")).await;
    }
}

#[tokio::test]
async fn a_cell_comes_into_service_in_its_first_session() {
    let world = World::new().await;
    configure(&world).await;
    let mut tree = Tree::new();
    let called =
        Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP, EventCode::BOOT], &mut tree).await;
    assert_eq!(
        called,
        [
            "GetRPCMethods",
            "GetParameterNames",
            "GetParameterValues",
            "DeleteObject",
            "AddObject",
            "GetParameterValues",
            "SetParameterValues",
            "SetParameterValues",
            "GetParameterValues",
        ]
    );
    let list = world.get("/api/v1/devices").await;
    let device = &list["items"][0];
    assert_eq!(device["identity"], identity(1));
    assert_eq!(device["serial"], serial(1));
    assert_eq!((&device["in_service"], &device["state"]), (&json!(true), &json!("in_service")));
    assert_eq!(
        (&device["plmn"], &device["tac"], &device["pci"]),
        (&json!("99970"), &json!("7"), &json!("10"))
    );
    assert_eq!(device["software"], "1.2.3");
    assert!(device["tls_version"].as_str().unwrap().starts_with("TLSv1."));
    assert!(device["in_service_after"].as_f64().is_some(), "{device}");

    let detail = world.get(&format!("/api/v1/devices/{}", identity(1))).await;
    assert_eq!(detail["next_step"], json!(null));
    assert_eq!(detail["gate"]["passed"], true);
    assert_eq!(detail["gate"]["policy"], "accept-declared");
    let values = detail["values"].as_array().unwrap();
    let tac = values.iter().find(|value| value["name"] == TAC).unwrap();
    assert_eq!((&tac["value"], &tac["type"]), (&json!("7"), &json!("xsd:unsignedInt")));
    assert!(tac["age_seconds"].as_i64().unwrap() >= 0);
}

#[tokio::test]
async fn a_boot_is_asked_about_and_nothing_else_changes() {
    let world = World::new().await;
    configure(&world).await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let world = world.restart().await;
    let mut cell = Cell::connect(&world, 1).await;
    let reply = cell.inform(&[EventCode::BOOT]).await;
    assert_eq!(reply.status, StatusCode::OK);
    let path = format!("/api/v1/devices/{}", identity(1));
    assert_eq!(world.get(&path).await["in_service"], false, "after a boot it is not known to serve");
    drop(cell);
    let called = Cell::connect(&world, 1).await.session(&[EventCode::BOOT], &mut tree).await;
    assert_eq!(called, ["GetParameterValues"]);
    assert_eq!(world.get(&path).await["in_service"], true);
    let quiet = Cell::connect(&world, 1).await.session(&[EventCode::PERIODIC], &mut tree).await;
    assert_eq!(quiet, Vec::<&str>::new());
}

#[tokio::test]
async fn what_a_value_was_before_is_on_the_device_s_page_and_nothing_is_that_stayed() {
    let world = World::new().await;
    configure(&world).await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let path = format!("/api/v1/devices/{}/history", identity(1));
    let first = world.get(&path).await;
    let found = |list: &serde_json::Value, change: serde_json::Value| {
        let mut entries = list["items"].as_array().unwrap().iter();
        entries.any(|entry| entry["changes"].as_array().unwrap().contains(&change))
    };
    assert!(found(&first, json!({"path": TAC, "before": "1", "after": "7"})), "{first:#}");
    let mut inform = crate::cell::inform(&serial(1), &[EventCode::BOOT]);
    inform.parameter_list[0].value.text = "1.3.0".into();
    Cell::connect(&world, 1).await.session_of(inform, &mut tree).await;
    let device = world.get(&format!("/api/v1/devices/{}", identity(1))).await;
    let software = json!({"path": "Device.DeviceInfo.SoftwareVersion", "before": "1.2.3", "after": "1.3.0"});
    assert_eq!(device["history"][0]["changes"], json!([software]), "a boot alone changes nothing");
    assert_eq!(device["history"][0]["left_out"], 0);
    assert_eq!(
        world.get(&path).await["items"].as_array().unwrap().len(),
        first["items"].as_array().unwrap().len() + 1
    );
}

#[tokio::test]
async fn s09_a_bootstrap_provisions_from_scratch() {
    let world = World::new().await;
    configure(&world).await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let mut fresh = Tree::new();
    let called = Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut fresh).await;
    assert_eq!(called.len(), 9, "{called:?}");
    assert_eq!(fresh.values[PCI].0, "10", "a draw is for ever");
}

#[tokio::test]
async fn a_pool_gives_each_cell_a_number_of_its_own_and_says_when_it_is_empty() {
    let world = World::new().await;
    configure(&world).await;
    let mut numbers = Vec::new();
    for number in 1..=3 {
        let mut tree = Tree::new();
        Cell::connect(&world, number).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
        numbers.push(tree.values[PCI].0.clone());
    }
    assert_eq!(numbers, ["10", "11", "0"], "the third cell is left alone");
    let third = world.get(&format!("/api/v1/devices/{}", identity(3))).await;
    assert_eq!(third["next_step"]["step"], "Draw");
    assert!(third["faults"][0]["text"].as_str().unwrap().contains("taken"), "{third}");
}

#[tokio::test]
async fn a_step_that_faults_is_seen_and_not_tried_for_ever() {
    let world = World::new().await;
    configure(&world).await;
    let mut tree = Tree::new();
    tree.refuses = Some("AddObject");
    for session in 0..5 {
        let events = if session == 0 { EventCode::BOOTSTRAP } else { EventCode::PERIODIC };
        let called = Cell::connect(&world, 1).await.session(&[events], &mut tree).await;
        let adds = called.iter().filter(|name| **name == "AddObject").count();
        assert_eq!(adds, usize::from(session == 0), "session {session}: {called:?}");
    }
    let device = world.get(&format!("/api/v1/devices/{}", identity(1))).await;
    assert_eq!((&device["faults"][0]["code"], &device["faults"][0]["count"]), (&json!(9001), &json!(1)));
    tree.refuses = None;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOT], &mut tree).await;
    assert_eq!(world.get(&format!("/api/v1/devices/{}", identity(1))).await["in_service"], true);
}

#[tokio::test]
async fn an_operator_admits_a_quarantined_cell() {
    let world = World::new().await;
    let pair = world.unlisted_certificate(9);
    let mut cell = Cell::over(world.connect(&pair).await, 9).await;
    cell.inform(&[EventCode::BOOTSTRAP]).await;
    cell.empty().await;
    let path = format!("/api/v1/devices/{}", identity(9));
    let seen = world.get(&path).await;
    assert_eq!((&seen["state"], &seen["claimed"]["serial"]), (&json!("quarantined"), &json!(serial(9))));
    let body = json!({"identity": identity(9), "oui": "00005e", "product_class": "SimulatedCell", "serial": serial(9)});
    let (status, device) = world.ask(Method::POST, "/api/v1/devices", Some(body.clone())).await;
    assert_eq!((status, &device["state"]), (StatusCode::CREATED, &json!("provisioning")));
    let (status, _) = world.ask(Method::POST, "/api/v1/devices", Some(body)).await;
    assert_eq!(status, StatusCode::OK);
    let stolen = json!({"identity": identity(8), "oui": "00005E", "product_class": "SimulatedCell", "serial": serial(9)});
    let (status, problem) = world.ask(Method::POST, "/api/v1/devices", Some(stolen)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("conflict")));
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let world = World::new().await;
    for number in 1..=3 {
        let body = json!({"identity": identity(number), "oui": "00005E", "product_class": "C", "serial": number.to_string()});
        world.ask(Method::POST, "/api/v1/devices", Some(body)).await;
    }
    let first = world.get("/api/v1/devices?limit=2").await;
    let token = first["next_page_token"].as_str().unwrap();
    let second = world.get(&format!("/api/v1/devices?limit=2&page_token={token}")).await;
    assert_eq!(second["items"][0]["identity"], identity(3));
    assert_eq!(second["next_page_token"], json!(null));
    let (status, problem) = world.ask(Method::GET, "/api/v1/devices?colour=red", None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid")));
    let (status, _) = world.ask(Method::GET, "/api/v1/devices/nobody", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_cell_whose_new_rows_hold_factory_keys_comes_into_service() {
    let world = World::new().await;
    configure(&world).await;
    let mut tree = Tree::new();
    tree.factory_key = "00101";
    let called = Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    assert_eq!(called.iter().filter(|name| **name == "AddObject").count(), 1, "{called:?}");
    assert_eq!(world.get(&format!("/api/v1/devices/{}", identity(1))).await["in_service"], true);
}

/// Three devices that never called: the first two at a site, with tags and labels.
async fn placed() -> World {
    let world = World::new().await;
    let row = |number| json!({"identity": identity(number), "oui": "00005E", "product_class": "C", "serial": serial(number)});
    let list = json!([row(1), row(2), row(3)]).to_string();
    assert_eq!(world.upload(Method::POST, "/api/v1/identities", list).await.0, StatusCode::OK);
    for number in [1, 2] {
        let place = json!({"site": "North", "tags": ["lab"], "labels": {"rack": number.to_string()}});
        world.put(&format!("/api/v1/devices/{}/place", identity(number)), place).await;
    }
    world
}

#[tokio::test]
async fn o01_devices_are_found_by_site_tag_and_label() {
    let world = placed().await;
    let (one, two, three) = (identity(1), identity(2), identity(3));
    for (filter, expected) in [
        ("site%20%3D%20north", vec![&one, &two]),
        ("label.rack%20%3D%202", vec![&two]),
        ("state%20%3D%20never%20AND%20NOT%20tag%20%3D%20lab", vec![&three]),
        ("serial%20%3A%2000005E005303", vec![&three]),
    ] {
        let list = world.get(&format!("/api/v1/devices?filter={filter}")).await;
        let found: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| &item["identity"]).collect();
        assert_eq!(found, expected, "{filter}");
    }
    let first = world.get("/api/v1/devices?filter=tag%20%3D%20lab&limit=1").await;
    let token = first["next_page_token"].as_str().unwrap();
    let second =
        world.get(&format!("/api/v1/devices?filter=tag%20%3D%20lab&limit=1&page_token={token}")).await;
    assert_eq!(second["items"][0]["labels"], json!({"rack": "2"}));
    assert_eq!(second["next_page_token"], json!(null));
}

#[tokio::test]
async fn o01_a_filter_that_is_none_or_would_read_everything_is_refused_with_the_reason() {
    let world = placed().await;
    for (query, expected) in [
        ("filter=colour%20%3D%20red", "no field `colour`"),
        ("filter=suite%20%3D%20x", "would read every device"),
        ("page_token=zz", "page token"),
    ] {
        let (status, problem) = world.ask(Method::GET, &format!("/api/v1/devices?{query}"), None).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(expected), "{problem}");
    }
}

#[tokio::test]
async fn o02_a_place_is_changed_by_whoever_read_it_last() {
    let world = placed().await;
    let path = format!("/api/v1/devices/{}/place", identity(1));
    let (status, tag, place) = world.request(Method::GET, &path, None, String::new()).await;
    assert_eq!((status, &place["site"]), (StatusCode::OK, &json!("North")));
    let moved = json!({"site": "South", "tags": ["field"]}).to_string();
    let (status, other, _) = world.request(Method::PUT, &path, tag.as_deref(), moved.clone()).await;
    assert_eq!((status, other == tag), (StatusCode::OK, false));
    let (status, _, problem) = world.request(Method::PUT, &path, tag.as_deref(), moved).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PRECONDITION_FAILED, &json!("changed")));
    let list = world.get("/api/v1/devices?filter=site%20%3D%20south").await;
    assert_eq!(list["items"][0]["tags"], json!(["field"]));
    let wrong = json!({"site": "", "tags": ["A b"], "labels": {"x": "\u{7}"}}).to_string();
    let (status, _, problem) = world.request(Method::PUT, &path, None, wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let places: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| &error["place"]).collect();
    assert_eq!(places, ["site", "tags", "labels"]);
}
