//! How cells of the field behave on HTTP: each holds its session, and what is odd is counted, never punished.

use cwmp::{CpeMethod, EventCode, FromAcs, FromCpe};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    cell::{Cell, Tree},
    raw::{Framing, Habit, RawCell, STANDARD},
    world::{World, identity},
};

const NO_COOKIE: &str = "";

/// What was seen in the field, and its neighbours.
fn habits() -> Vec<Habit> {
    let typed = |name, with_soap| Habit { name, with_soap, ..STANDARD };
    let kept = |name, cookie| Habit { name, cookie, reconnects: true, ..STANDARD };
    vec![
        STANDARD,
        Habit { name: "no cookie", cookie: NO_COOKIE, ..STANDARD },
        kept("a connection for each post", "Cookie: hearth=TOKEN\r\nConnection: close\r\n"),
        kept("several cookies in one header", "Cookie: a=b; hearth=TOKEN;c=d\r\n"),
        kept("several cookie headers", "cookie: a=b\r\ncookie: hearth=TOKEN\r\n"),
        kept("a cookie of the old kind", "Cookie: $Version=\"1\"; hearth=\"TOKEN\"; $Path=\"/\"\r\n"),
        Habit { name: "HTTP/1.0", version: "HTTP/1.0", reconnects: true, ..STANDARD },
        Habit {
            name: "HTTP/1.0 that keeps its connection",
            version: "HTTP/1.0",
            always: "Connection: Keep-Alive\r\n",
            cookie: NO_COOKIE,
            ..STANDARD
        },
        Habit { name: "it waits to be told to continue", framing: Framing::Expect, ..STANDARD },
        Habit { name: "chunks", framing: Framing::Chunked, ..STANDARD },
        Habit { name: "the whole URL as target", target: "https://localhost:7547/", ..STANDARD },
        Habit { name: "an odd host", always: "hOST: [::1]:1\r\n", ..STANDARD },
        typed("header names in odd case", "cOnTeNt-tYpE: text/xml\r\nsoapaction: \r\n"),
        typed("no charset", "Content-Type: text/xml\r\nSOAPAction: \r\n"),
        typed("a type in capitals", "Content-Type: TEXT/XML;charset=UTF-8\r\nSOAPAction: \r\n"),
        typed("another charset", "Content-Type: text/xml; charset=iso-8859-1\r\nSOAPAction: \r\n"),
        typed("the type of SOAP 1.2", "Content-Type: application/soap+xml\r\nSOAPAction: \r\n"),
        typed("no action", "Content-Type: text/xml\r\n"),
        typed("an action of quotes", "Content-Type: text/xml\r\nSOAPAction: \"\"\r\n"),
        typed("a wrong action", "Content-Type: text/xml\r\nSOAPAction: \"urn:example#Other\"\r\n"),
        Habit { counted: "no_content_type", ..typed("no type", "SOAPAction: \r\n") },
        Habit {
            name: "a form's type beside nothing",
            with_nothing: "Content-Type: application/x-www-form-urlencoded\r\nSOAPAction: \r\n",
            ..STANDARD
        },
        Habit {
            name: "a password that nobody asked for",
            always: "Host: localhost\r\nAuthorization: Digest username=\"u\", response=\"0\"\r\n",
            counted: "authorization",
            ..STANDARD
        },
    ]
}

/// All kinds that were counted for cell 1.
async fn counted(world: &World) -> Vec<Value> {
    let device = world.get(&format!("/api/v1/devices/{}", identity(1))).await;
    device["misbehaviour"].as_array().unwrap().iter().map(|row| row["kind"].clone()).collect()
}

#[tokio::test]
async fn h01_h10_p07_a_cell_holds_its_session_whatever_its_http_is_like() {
    let world = World::new().await;
    let pair = world.certificate(1);
    let mut expected: Vec<Value> = Vec::new();
    for habit in habits() {
        let calls = RawCell::new(&world, &pair, habit).session().await;
        assert!(calls > 0, "{}", habit.name);
        let session = world.get("/api/v1/sessions?limit=1").await["items"][0].clone();
        assert_eq!(session["outcome"], "completed", "{}: {session}", habit.name);
        assert_eq!(session["messages"], json!(calls + 2), "{}: one session", habit.name);
        if !habit.counted.is_empty() {
            expected.push(habit.counted.into());
            expected.sort_by_key(|kind| kind.to_string());
        }
        assert_eq!(counted(&world).await, expected, "{}", habit.name);
    }
    assert_eq!(world.get("/api/v1/refusals").await["items"], json!([]));
}

#[tokio::test]
async fn h26_no_reply_starts_with_an_xml_declaration() {
    let world = World::new().await;
    let pair = world.certificate(1);
    let mut cell = RawCell::new(&world, &pair, STANDARD);
    let replies = [cell.inform(&[EventCode::BOOTSTRAP]).await, cell.post("", FromCpe::Empty).await];
    for reply in replies {
        assert!(reply.body.starts_with(b"<soap") || reply.body.starts_with(b"<SOAP"), "{reply:?}");
    }
}

/// A session that came to the operator's Reboot, which was not answered.
async fn until_reboot(world: &World, cell: &mut RawCell<'_>) {
    let path = format!("/api/v1/devices/{}/calls", identity(1));
    let (status, _) = world.ask(Method::POST, &path, Some(json!({"Reboot": {"CommandKey": "again"}}))).await;
    assert_eq!(status, StatusCode::CREATED);
    cell.inform(&[EventCode::PERIODIC]).await;
    let reply = cell.post("", FromCpe::Empty).await;
    assert!(matches!(reply.message(), FromAcs::Call(CpeMethod::Reboot(_))), "{reply:?}");
}

#[tokio::test]
async fn s10_s08_an_inform_in_a_session_opens_the_next_and_loses_nothing() {
    let world = World::new().await;
    let pair = world.certificate(1);
    let mut tree = Tree::new();
    Cell::over(world.connect(&pair).await, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    for (habit, event, state) in [
        (STANDARD, EventCode::M_REBOOT, "done"),
        (STANDARD, EventCode::PERIODIC, "unknown"),
        (Habit { cookie: NO_COOKIE, ..STANDARD }, EventCode::M_REBOOT, "done"),
    ] {
        let mut cell = RawCell::new(&world, &pair, habit);
        until_reboot(&world, &mut cell).await;
        let reply = cell.inform(&[EventCode::BOOT, event]).await;
        assert!(matches!(reply.message(), FromAcs::Response(_)), "{reply:?}");
        assert!(reply.headers.contains_key("set-cookie"), "a session of its own: {reply:?}");
        assert_ne!(reply.headers.get("connection").map(String::as_str), Some("close"));
        let sessions = world.get("/api/v1/sessions?limit=2").await["items"].clone();
        assert_eq!((&sessions[0]["outcome"], &sessions[1]["outcome"]), (&json!(null), &json!("interrupted")));
        let device = world.get(&format!("/api/v1/devices/{}", identity(1))).await;
        assert_eq!(device["calls"][0]["state"], state, "{device}");
        let mut reply = cell.post("", FromCpe::Empty).await;
        for id in 1.. {
            let FromAcs::Call(method) = reply.message() else { break };
            assert_ne!(method.name(), "Reboot", "it is not sent twice");
            reply = cell.post(&id.to_string(), FromCpe::Response(tree.execute(&method).unwrap())).await;
        }
        assert_eq!(reply.status, 204);
    }
    assert_eq!(world.misbehaviour(1, "second_inform").await, 3);
    assert_eq!(counted(&world).await, ["second_inform"]);
}

#[tokio::test]
async fn s12_a_cell_that_only_tries_the_line_is_answered_by_nothing_and_is_no_refusal() {
    let world = World::new().await;
    let pair = world.certificate(1);
    for _ in 0..3 {
        let mut tcp = tokio::net::TcpStream::connect(world.cwmp).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"", "not even an alert");
        let mut tls = world.connect(&pair).await;
        tls.shutdown().await.unwrap();
        tls.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"", "an end in order, and no bytes");
    }
    RawCell::new(&world, &pair, STANDARD).session().await;
    assert_eq!(world.get("/api/v1/refusals").await["items"], json!([]));
    assert_eq!(counted(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn h05_who_knocks_with_an_empty_post_is_answered_by_nothing_and_may_inform() {
    let world = World::new().await;
    let pair = world.certificate(1);
    let mut cell = RawCell::new(&world, &pair, STANDARD);
    let reply = cell.post("", FromCpe::Empty).await;
    assert_eq!((reply.status, reply.headers.contains_key("set-cookie")), (204, false), "{reply:?}");
    assert!(cell.session().await > 0, "on the same connection");
    let late = cell.post("", FromCpe::Empty).await;
    assert_eq!(late.status, 400, "nothing is open, and it knew: {late:?}");
    assert_eq!(world.misbehaviour(1, "empty_first").await, 1);
    assert_eq!(world.get("/api/v1/sessions").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/api/v1/refusals").await["items"], json!([]));
}

#[tokio::test]
async fn c09_a_lost_session_is_not_closed_by_an_empty_reply() {
    let world = World::new().await;
    let pair = world.certificate(1);
    let mut cell = RawCell::new(&world, &pair, Habit { reconnects: true, ..STANDARD });
    cell.inform(&[EventCode::BOOTSTRAP]).await;
    let reply = RawCell::new(&world, &pair, STANDARD).post("", FromCpe::Empty).await;
    assert_eq!(reply.status, 400, "beside an open session it is no knock: {reply:?}");
    RawCell::new(&world, &pair, STANDARD).inform(&[EventCode::BOOTSTRAP]).await;
    let reply = cell.post("", FromCpe::Empty).await;
    assert_eq!(reply.status, 400, "its session was replaced, and it has to come back: {reply:?}");
}
