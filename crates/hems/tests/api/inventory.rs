//! The inventory in and out, counted, and a cell that takes another's place.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cwmp::EventCode;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{
    cell::{Cell, PCI, Tree},
    devices::configure,
    people::{account, login},
    world::{World, identity, serial},
};

/// What the API answers to a GET that accepts this, as text.
pub(crate) async fn accepted(world: &World, path: &str, kind: &str) -> (StatusCode, String) {
    let tcp = TcpStream::connect(world.api).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .uri(path)
        .header("host", "localhost")
        .header("accept", kind)
        .header("authorization", format!("Bearer {}", world.token))
        .body(Full::<bytes::Bytes>::default())
        .unwrap();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    (parts.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

async fn admit(world: &World, count: u32) {
    let mut list = "identity,oui,product_class,serial\n".to_owned();
    (0..count).for_each(|number| list += &format!("{number:012x}.hnb.example,00005E,C,{number}\n"));
    let (status, summary) = world.upload(Method::POST, "/api/v1/identities", list).await;
    assert_eq!((status, &summary["admitted"]), (StatusCode::OK, &json!(count)), "{summary}");
}

async fn places(world: &World, query: &str, list: &str) -> (StatusCode, Value) {
    world.upload(Method::POST, &format!("/api/v1/places{query}"), list.to_owned()).await
}

#[tokio::test]
async fn o02_the_inventory_goes_out_whole_and_its_places_come_back() {
    let world = World::new().await;
    admit(&world, 1203).await;
    let (status, csv) = accepted(&world, "/api/v1/devices", "text/csv").await;
    assert_eq!((status, csv.lines().count()), (StatusCode::OK, 1204), "more than one page");
    let list = "identity,site,tags,labels\n\
                000000000001.hnb.example,north,roof spare,rack=7;tenant=a\n\
                000000000002.hnb.example,north,,\"{\"\"odd\"\": \"\"a;b\"\"}\"\n";
    let (status, summary) = places(&world, "", list).await;
    assert_eq!((status, &summary["placed"]), (StatusCode::OK, &json!(2)), "{summary}");
    let filter = "/api/v1/devices?filter=site%3Dnorth";
    let (_, csv) = accepted(&world, filter, "text/csv").await;
    let (_, lines) = accepted(&world, filter, "application/jsonl").await;
    let devices: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(devices.len(), 2);
    assert_eq!(
        (&devices[0]["labels"], &devices[1]["labels"]),
        (&json!({"rack": "7", "tenant": "a"}), &json!({"odd": "a;b"}))
    );
    let before = world.get(filter).await;
    assert_eq!(
        places(&world, "", "identity,site,tags,labels\n000000000001.hnb.example,,,\n").await.1["placed"],
        1
    );
    assert_eq!(world.get(filter).await["items"].as_array().unwrap().len(), 1);
    let (status, summary) = places(&world, "?strict=true", &csv).await;
    assert_eq!((status, &summary["placed"]), (StatusCode::OK, &json!(2)), "{summary}");
    assert_eq!(world.get(filter).await, before);
    let (status, _) = accepted(&world, "/api/v1/devices?limit=5", "text/csv").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn o02_what_goes_out_in_either_form_comes_back_into_another_inventory() {
    let (from, to) = (World::new().await, World::new().await);
    admit(&from, 4).await;
    let place = json!({"site": "north", "tags": ["roof"], "labels": {"rack": "7"}});
    from.put("/api/v1/devices/000000000001.hnb.example/place", place.clone()).await;
    let withdrawn = "/api/v1/devices/000000000003.hnb.example/admission";
    assert_eq!(from.ask(Method::DELETE, withdrawn, None).await.0, StatusCode::NO_CONTENT);
    for (kind, taken) in [("application/jsonl", "admitted"), ("text/csv", "same")] {
        let (_, list) = accepted(&from, "/api/v1/devices", kind).await;
        let (status, summary) = to.upload(Method::POST, "/api/v1/identities", list.clone()).await;
        assert_eq!((status, &summary[taken]), (StatusCode::OK, &json!(3)), "{kind}: {summary}");
        let wrong = &summary["errors"][0];
        assert_eq!(
            (&wrong["identity"], summary["errors"].as_array().unwrap().len()),
            (&json!("000000000003.hnb.example"), 1)
        );
        assert!(wrong["message"].as_str().unwrap().contains("not admitted"), "{kind}: {wrong}");
        let (status, summary) = places(&to, "", &list).await;
        assert_eq!((status, &summary["placed"], &summary["wrong"]), (StatusCode::OK, &json!(3), &json!(1)));
        assert_eq!(to.get("/api/v1/devices/000000000001.hnb.example/place").await, place, "{kind}");
        places(&to, "", "identity,site,tags,labels\n000000000001.hnb.example,,,\n").await;
        let (status, summary) = places(&from, "?strict=true", &list).await;
        assert_eq!((status, &summary["placed"]), (StatusCode::OK, &json!(4)), "{kind}: {summary}");
    }
    let (status, summary) =
        places(&from, "", "{\"identity\": \"000000000001.hnb.example\", \"tag\": []}").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{summary}");
    assert!(summary["errors"][0]["message"].as_str().unwrap().contains("`tag`"), "{summary}");
}

#[tokio::test]
async fn o02_an_export_begins_no_formula_and_gives_the_same_places_again() {
    let world = World::new().await;
    admit(&world, 6).await;
    let sites = ["=HYPERLINK(\"http://x\")", "+1", "-north", "@a", "'=already", "'tis"];
    for (number, site) in sites.iter().enumerate() {
        let place = json!({"site": site, "tags": ["-odd", "a"], "labels": {"-x": "=1"}});
        world.put(&format!("/api/v1/devices/{number:012x}.hnb.example/place"), place).await;
    }
    let before = world.get("/api/v1/devices").await;
    let (_, csv) = accepted(&world, "/api/v1/devices", "text/csv").await;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let begins = |cell: &str| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    for row in reader.records() {
        assert!(!row.as_ref().unwrap().iter().any(begins), "{row:?}");
    }
    let bare: String = (0..6).map(|number| format!("{number:012x}.hnb.example,,,\n")).collect();
    places(&world, "", &format!("identity,site,tags,labels\n{bare}")).await;
    assert_ne!(world.get("/api/v1/devices").await, before);
    let (status, summary) = places(&world, "?strict=true", &csv).await;
    assert_eq!((status, &summary["placed"]), (StatusCode::OK, &json!(6)), "{summary}");
    assert_eq!(world.get("/api/v1/devices").await, before);
}

#[tokio::test]
async fn o02_every_wrong_row_of_places_is_named_and_strict_takes_none() {
    let world = World::new().await;
    admit(&world, 3).await;
    let list = "identity,site,tags\n\
                000000000001.hnb.example,north,\n\
                000000000009.hnb.example,north,\n\
                000000000002.hnb.example,north,Not A Tag!\n\
                nobody,north,\n\
                000000000002.hnb.example\n";
    let (status, summary) = places(&world, "?strict=true", list).await;
    assert_eq!((status, &summary["placed"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(0)));
    assert_eq!(world.get("/api/v1/devices/count?filter=site%3Dnorth").await["count"], 0);
    let (status, summary) = places(&world, "", list).await;
    assert_eq!((status, &summary["placed"], &summary["wrong"]), (StatusCode::OK, &json!(1), &json!(4)));
    let named: Vec<_> = summary["errors"].as_array().unwrap().iter().map(|row| &row["place"]).collect();
    assert_eq!(named, ["line 3", "line 4", "line 5", "line 6"]);
}

#[tokio::test]
async fn o02_a_strict_list_that_would_hold_up_every_commit_is_refused_before_the_first() {
    let world = World::new().await;
    let identity = |number: usize| format!("{number:012x}.hnb.example");
    let mut admitted = "identity,oui,product_class,serial\n".to_owned();
    let mut placed = "identity,site,tags,labels\n".to_owned();
    for number in 0..10_000 {
        admitted += &format!("{},00005E,C,{number}\n", identity(number));
        placed += &format!("{},north,roof,rack=7;row=1\n", identity(number));
    }
    let more = |list: &str, row: &str| format!("{list}{}{row}", identity(10_000));
    for (path, list) in [
        ("/api/v1/identities?strict=true", more(&admitted, ",00005E,C,10000\n")),
        ("/api/v1/places?strict=true", more(&placed, ",north,,\n")),
    ] {
        let (status, problem) = world.upload(Method::POST, path, list).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("10000 rows") && detail.contains("leave `strict` out"), "{detail}");
    }
    assert_eq!(world.get("/api/v1/devices/count").await["count"], 0);
    let (status, summary) = world.upload(Method::POST, "/api/v1/identities?strict=true", admitted).await;
    assert_eq!((status, &summary["admitted"]), (StatusCode::OK, &json!(10_000)), "{summary}");
    let first = placed.lines().take(3).collect::<Vec<_>>().join("\n");
    let (status, summary) = places(&world, "?strict=true", &first).await;
    assert_eq!((status, &summary["placed"]), (StatusCode::OK, &json!(2)), "{summary}");
    let page = world.get("/api/v1/devices?filter=label.rack%3D7%20AND%20tag%3Droof").await;
    assert_eq!(page["items"][1]["labels"], json!({"rack": "7", "row": "1"}));
}

#[tokio::test]
async fn o02_rows_of_one_device_add_up() {
    let world = World::new().await;
    admit(&world, 3).await;
    let place = async |number: u32| {
        world.get(&format!("/api/v1/devices/00000000000{number}.hnb.example/place")).await
    };
    for (number, query) in [(1, ""), (2, "?strict=true")] {
        let row = |more: &str| format!("{{\"identity\": \"00000000000{number}.hnb.example\", {more}}}\n");
        let list =
            row("\"site\": \"north\"") + &row("\"tags\": [\"roof\"]") + &row("\"labels\": {\"rack\": \"7\"}");
        let (status, summary) = places(&world, query, &list).await;
        assert_eq!((status, &summary["placed"]), (StatusCode::OK, &json!(3)), "{summary}");
        let all = json!({"site": "north", "tags": ["roof"], "labels": {"rack": "7"}});
        assert_eq!(place(number).await, all, "{query}");
    }
}

#[tokio::test]
async fn o02_a_place_that_is_put_during_an_import_is_not_lost() {
    let world = World::new().await;
    admit(&world, 21).await;
    let path = "/api/v1/devices/000000000014.hnb.example/place";
    for round in 0..20 {
        let rows = (1..=20).map(|number| format!("{number:012x}.hnb.example,round-{round}\n"));
        let list = "identity,tags\n".to_owned() + &rows.collect::<String>();
        let site = json!({"site": format!("{round}")});
        let query = if round % 2 == 0 { "" } else { "?strict=true" };
        let ((status, summary), put) =
            tokio::join!(places(&world, query, &list), world.ask(Method::PUT, path, Some(site.clone())));
        assert_eq!((status, &summary["placed"]), (StatusCode::OK, &json!(20)), "{summary}");
        assert_eq!(put.0, StatusCode::OK, "{}", put.1);
        assert_eq!(world.get(path).await["site"], site["site"]);
    }
}

#[tokio::test]
async fn o12_a_page_token_tells_nothing_of_what_its_caller_may_not_see() {
    let world = World::new().await;
    admit(&world, 205).await;
    world.put("/api/v1/devices/0000000000cc.hnb.example/place", json!({"tags": ["north"]})).await;
    account(&world, "ann", "viewer", Some("tag=north")).await;
    let person = login(&world, "ann").await;
    let page = async |more: &str| {
        let path = format!("/api/v1/devices?sort=identity{more}");
        let (status, _, page) = person.ask(&world, Method::GET, &path, Value::Null).await;
        (status, page)
    };
    let (status, first) = page("").await;
    assert_eq!((status, &first["items"]), (StatusCode::OK, &json!([])), "two hundred others were looked at");
    let token = first["next_page_token"].as_str().unwrap();
    let pairs = token.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    let readings = [
        token.as_bytes().to_vec(),
        pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect(),
        URL_SAFE_NO_PAD.decode(token).unwrap_or_default(),
    ];
    let is_told = |reading: &Vec<u8>| reading.windows(6).any(|part| part == b"000000");
    assert!(!readings.iter().any(is_told), "{token}");
    let (_, second) = page(&format!("&page_token={token}")).await;
    assert_eq!(second["items"][0]["identity"], "0000000000cc.hnb.example", "{second}");
    let other = if token.starts_with('A') { "B" } else { "A" };
    let (status, problem) = page(&format!("&page_token={other}{}", &token[1..])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let (status, _) = page("&page_token=5b312c305d").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn o02_devices_are_counted_by_the_filter_of_the_list() {
    let world = World::new().await;
    admit(&world, 405).await;
    let counted = world.get("/api/v1/devices/count").await;
    assert_eq!(counted, json!({"count": 405, "is_complete": true}));
    let counted = world.get("/api/v1/devices/count?filter=state%3Din_service").await;
    assert_eq!(counted["count"], 0, "{counted}");
    let (status, _) = world.ask(Method::GET, "/api/v1/devices/count?filter=%28", None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn o01_letters_beyond_ascii_are_found_as_they_are_written() {
    let world = World::new().await;
    admit(&world, 3).await;
    let list = "identity,site,labels\n\
                000000000000.hnb.example,Örebro,tenant=Ö\n\
                000000000001.hnb.example,örebro,tenant=ö\n";
    assert_eq!(places(&world, "", list).await.0, StatusCode::OK);
    for (filter, expected) in [
        ("site = Örebro", 0),
        ("site = ÖREBRO", 0),
        ("site = örebro", 1),
        ("site : Ö", 0),
        ("label.tenant = Ö", 0),
        ("label.tenant : ö", 1),
    ] {
        let escaped: String = filter.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let page = world.get(&format!("/api/v1/devices?filter={escaped}")).await;
        let found: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| &item["identity"]).collect();
        assert_eq!(found, [&json!(format!("{expected:012x}.hnb.example"))], "{filter}");
        assert_eq!(
            world.get(&format!("/api/v1/devices/count?filter={escaped}")).await["count"],
            1,
            "{filter}"
        );
    }
}

#[tokio::test]
async fn o02_a_new_cell_takes_the_place_of_an_old_one_with_its_pci() {
    let world = World::new().await;
    configure(&world).await;
    let mut old = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut old).await;
    let place = json!({"site": "north", "tags": ["roof"], "labels": {"rack": "7"}});
    let path = |number: u8| format!("/api/v1/devices/{}", identity(number));
    world.put(&format!("{}/place", path(1)), place.clone()).await;
    let new = world.certificate(2);
    let restarted = world.restart().await;
    let swap = async |from: u8, to: String| {
        restarted.ask(Method::POST, &format!("{}/swap", path(from)), Some(json!({"to": to}))).await
    };
    assert_eq!(swap(1, identity(1)).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(swap(1, identity(7)).await.0, StatusCode::NOT_FOUND);
    let (status, problem) = swap(1, identity(2)).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{problem}");
    assert_eq!(restarted.device(1).await["state"], "blocked");
    assert_eq!(restarted.get(&format!("{}/place", path(2))).await, place);

    let mut tree = Tree::new();
    let stream = restarted.connect(&new).await;
    Cell::over(stream, 2).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    assert_eq!((tree.values[PCI].0.as_str(), old.values[PCI].0.as_str()), ("10", "10"));
    assert_eq!(restarted.device(2).await["in_service"], true);
}

#[tokio::test]
async fn o01_a_list_comes_in_an_order_that_an_index_has_or_is_refused() {
    let world = World::new().await;
    for (number, site) in [(1, "b"), (2, "a"), (3, "c")] {
        let admission = json!({"identity": identity(number), "oui": "00005E", "product_class": "C",
            "serial": serial(number)});
        world.ask(Method::POST, "/api/v1/devices", Some(admission)).await;
        world.put(&format!("/api/v1/devices/{}/place", identity(number)), json!({"site": site})).await;
    }
    let listed = async |query: &str| {
        let page = world.get(&format!("/api/v1/devices?{query}")).await;
        let items = page["items"].as_array().unwrap().iter();
        (items.map(|device| device["site"].as_str().unwrap().to_owned()).collect::<String>(), page)
    };
    assert_eq!(listed("sort=site").await.0, "abc");
    assert_eq!(listed("sort=-site").await.0, "cba");
    assert_eq!(listed("sort=-serial&filter=serial%3A00").await.0, "cab");
    let (first, page) = listed("sort=site&limit=2").await;
    let token = page["next_page_token"].as_str().unwrap();
    let (second, last) = listed(&format!("sort=site&limit=2&page_token={token}")).await;
    assert_eq!((first.as_str(), second.as_str(), last.get("next_page_token")), ("ab", "c", None));
    for (query, expected) in [
        (format!("sort=-site&page_token={token}"), "another filter or order"),
        (format!("page_token={token}"), "another filter or order"),
        ("sort=colour".to_owned(), "identity, serial, site"),
        ("sort=last_inform&filter=site%3Da".to_owned(), "no index has"),
    ] {
        let (status, problem) = world.ask(Method::GET, &format!("/api/v1/devices?{query}"), None).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(expected), "{query}: {problem}");
    }
}
