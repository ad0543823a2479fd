//! `/api/v1/events`: what happens, as it happens, and from where a listener was.

use cwmp::EventCode;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
};

use crate::{
    cell::{CONTROL, Cell, Tree},
    people::{Person, account, login},
    world::{World, identity},
};

/// One event of a stream.
#[derive(Debug, PartialEq)]
struct Event {
    id: i64,
    kind: String,
    data: Value,
}

/// A stream of events.
struct Listener(Lines<BufReader<TcpStream>>);

impl Listener {
    async fn open(world: &World, query: &str, last: Option<i64>) -> Self {
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        Self::ask(world, query, &format!("authorization: Bearer {}\r\n{last}", world.token)).await
    }

    /// The stream of somebody who shows these headers.
    async fn ask(world: &World, query: &str, headers: &str) -> Self {
        let mut tcp = TcpStream::connect(world.api).await.unwrap();
        let head = format!("GET /api/v1/events{query} HTTP/1.1\r\nhost: hearth.example\r\n{headers}\r\n");
        tcp.write_all(head.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(tcp).lines();
        let status = lines.next_line().await.unwrap().unwrap();
        assert!(status.contains(" 200 "), "{status}");
        let mut is_stream = false;
        while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
            is_stream |= line.eq_ignore_ascii_case("content-type: text/event-stream");
        }
        assert!(is_stream);
        Self(lines)
    }

    /// The next event; nothing at the stream's end. Sizes of chunks stand between the lines.
    async fn next(&mut self) -> Option<Event> {
        let (mut id, mut kind) = (None, None);
        loop {
            let line = self.0.next_line().await.ok()??;
            if line == "0" {
                return None;
            }
            if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.parse().unwrap());
            } else if let Some(text) = line.strip_prefix("event: ") {
                kind = Some(text.to_owned());
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Some(Event {
                    id: id.unwrap(),
                    kind: kind.unwrap(),
                    data: serde_json::from_str(text).unwrap(),
                });
            }
        }
    }

    /// The next event of a type.
    async fn until(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next().await.unwrap();
            if event.kind == kind {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn a_cell_s_way_into_service_and_out_of_it_is_told() {
    let world = World::new().await;
    let mut listener = Listener::open(&world, "", None).await;
    world.put("/api/v1/templates/all", json!({"values": {format!("{CONTROL}AdminState"): true}})).await;
    let saved = listener.until("template.saved").await;
    assert_eq!(
        (&saved.data["type"], &saved.data["subject"]),
        (&json!("org.hearth.hems.template.saved.v1"), &json!("all"))
    );

    let (pair, mut tree) = (world.certificate(1), Tree::new());
    Cell::over(world.connect(&pair).await, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let admitted = listener.until("device.admitted").await;
    assert_eq!(admitted.data["subject"], identity(1));
    assert_eq!(admitted.data["specversion"], "1.0");
    assert_eq!(listener.until("device.in_service").await.data["subject"], identity(1));

    tree.put(&format!("{CONTROL}OpState"), "0", cwmp::ValueKind::Boolean);
    let mut inform = crate::cell::inform(&crate::world::serial(1), &[EventCode::VALUE_CHANGE]);
    inform.parameter_list.push(crate::cell::parameter(
        &format!("{CONTROL}OpState"),
        "0",
        cwmp::ValueKind::Boolean,
    ));
    Cell::over(world.connect(&pair).await, 1).await.session_of(inform, &mut tree).await;
    let left = listener.until("device.out_of_service").await;
    assert_eq!(left.data["subject"], identity(1));
    // Good sessions are no events unless the configuration says so.
    let mut all = Listener::open(&world, "?after=0", None).await;
    let mut last = 0;
    while last < left.id {
        let event = all.next().await.unwrap();
        assert!(event.id > last && !event.kind.starts_with("session."), "{event:?}");
        last = event.id;
    }
}

#[tokio::test]
async fn every_session_is_told_where_that_is_wanted_with_its_outcome() {
    let world = World::with("[events]\nsessions = \"all\"\nsource = \"/hems/north\"\n").await;
    let mut listener =
        Listener::open(&world, "?type=session.opened,session.closed,device.quarantined", None).await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let opened = listener.next().await.unwrap();
    assert_eq!(
        (opened.kind.as_str(), &opened.data["data"]["events"][0]["code"]),
        ("session.opened", &json!("0 BOOTSTRAP"))
    );
    let closed = listener.next().await.unwrap();
    assert_eq!(
        (closed.kind.as_str(), &closed.data["data"]["outcome"]),
        ("session.closed", &json!("completed"))
    );
    assert_eq!(closed.data["source"], "/hems/north");
    assert_eq!(closed.data["data"]["session"], opened.data["data"]["session"]);

    let pair = world.unlisted_certificate(9);
    for _ in 0..2 {
        let mut stranger = Cell::over(world.connect(&pair).await, 9).await;
        stranger.inform(&[EventCode::BOOTSTRAP]).await;
        stranger.empty().await;
    }
    let mut kinds = Vec::new();
    for _ in 0..5 {
        kinds.push(listener.next().await.unwrap().kind);
    }
    let expected =
        ["device.quarantined", "session.opened", "session.closed", "session.opened", "session.closed"];
    assert_eq!(kinds, expected, "a stranger is new once");
}

#[tokio::test]
async fn a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let world = World::new().await;
    let save =
        async |name: &str| world.put(&format!("/api/v1/templates/{name}"), json!({"values": {}})).await;
    let mut listener = Listener::open(&world, "?type=template.saved", None).await;
    save("a").await;
    let first = listener.next().await.unwrap();
    drop(listener);
    for name in ["b", "c"] {
        save(name).await;
    }
    let mut again = Listener::open(&world, "?type=template.saved", Some(first.id)).await;
    save("d").await;
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(again.next().await.unwrap().data["subject"].clone());
    }
    assert_eq!(heard, ["b", "c", "d"]);
    let mut future = Listener::open(&world, "", Some(first.id + 1_000_000)).await;
    assert_eq!(future.next().await.unwrap().kind, "gap", "a number of another database");
    for (query, says) in
        [("?type=alarm", "there are: session.opened"), ("?after=x", "after: expected a whole number")]
    {
        let (status, problem) = world.ask(Method::GET, &format!("/api/v1/events{query}"), None).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY || status == StatusCode::BAD_REQUEST, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
}

#[tokio::test]
async fn operators_acts_are_told() {
    let world = World::new().await;
    let mut listener = Listener::open(&world, "", None).await;
    let block = json!({"kind": "identity", "value": identity(4), "reason": "stolen"});
    world.ask(Method::POST, "/api/v1/blocks", Some(block)).await;
    world.ask(Method::DELETE, &format!("/api/v1/blocks?kind=identity&value={}", identity(4)), None).await;
    let made = listener.next().await.unwrap();
    assert_eq!((made.kind.as_str(), &made.data["data"]["reason"]), ("block.made", &json!("stolen")));
    assert_eq!(listener.next().await.unwrap().kind, "block.lifted");

    let list: String =
        (1..=20).map(|number: u8| format!("{},00005E,C,S{number}\n", identity(number))).collect();
    let list = format!("identity,oui,product_class,serial\n{list}");
    world.upload(Method::POST, "/api/v1/identities", list).await;
    let admitted = listener.next().await.unwrap();
    assert_eq!((admitted.kind.as_str(), &admitted.data["data"]["count"]), ("list.admitted", &json!(20)));

    let call = json!({"Reboot": {"CommandKey": ""}});
    let pair = world.certificate(30);
    let mut cell = Cell::over(world.connect(&pair).await, 30).await;
    cell.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let calls = format!("/api/v1/devices/{}/calls", identity(30));
    world.ask(Method::POST, &calls, Some(call.clone())).await;
    cell.session(&[EventCode::PERIODIC], &mut Tree::new()).await;
    let finished = listener.until("call.finished").await;
    assert_eq!(
        (&finished.data["subject"], &finished.data["data"]["state"]),
        (&json!(identity(30)), &json!("done"))
    );
    let (_, queued) = world.ask(Method::POST, &calls, Some(call)).await;
    world.ask(Method::DELETE, &format!("{calls}/{}", queued["id"]), None).await;
    let cancelled = listener.until("call.finished").await.data["data"].clone();
    assert_eq!((&cancelled["state"], &cancelled["cancelled_by"]), (&json!("failed"), &json!("local")));
}

#[tokio::test]
async fn o12_a_stream_ends_when_its_listener_may_not_listen_any_more() {
    let world = World::new().await;
    for name in ["ann", "bob", "eve"] {
        account(&world, name, "viewer", None).await;
    }
    let made = json!({"name": "program", "account": "eve"});
    let (_, made) = world.ask(Method::POST, "/api/v1/tokens", Some(made)).await;
    let token = Person::with("authorization", format!("Bearer {}", made["token"].as_str().unwrap()));
    let (ann, bob) = (login(&world, "ann").await, login(&world, "bob").await);
    let mut streams = Vec::new();
    for (person, query) in [(&ann, "?type=template.saved"), (&bob, ""), (&token, "?type=block.made")] {
        streams.push(Listener::ask(&world, query, &person.lines()).await);
    }
    let mut other = Listener::open(&world, "?type=template.saved", None).await;
    let left = ann.ask(&world, Method::POST, "/api/v1/logout", Value::Null).await;
    assert_eq!(left.0, StatusCode::NO_CONTENT, "{}", left.2);
    world.put("/api/v1/accounts/bob", json!({"role": "viewer", "scope": "tag=north"})).await;
    world.put("/api/v1/accounts/eve", json!({"role": "viewer", "disabled": true})).await;
    for stream in &mut streams {
        while let Some(event) = stream.next().await {
            assert_ne!(event.kind, "template.saved", "nobody is told what comes after the end");
        }
    }
    world.put("/api/v1/templates/late", json!({"values": {}})).await;
    assert_eq!(other.next().await.unwrap().data["subject"], "late", "who may listen is still told");
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let mut world = World::new().await;
    let mut listener = Listener::open(&world, "", None).await;
    let stopped = world.stop();
    assert_eq!(listener.next().await, None);
    stopped.await;
}
