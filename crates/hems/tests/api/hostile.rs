//! Cells that misbehave: an answer by the standard or a closed connection, counted, never more.

use std::time::Duration;

use bytes::Bytes;
use cwmp::{EventCode, FromAcs, FromCpe, RebootResponse, ValueKind};
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    cell::{CONTROL, Cell, PCI, Tree, parameter},
    devices::configure,
    endpoint::envelope,
    world::{World, identity, serial},
};

#[tokio::test]
async fn s12_a_body_of_33_mb_is_refused_while_it_streams() {
    let world = World::new().await;
    let mut cell = Cell::connect(&world, 1).await;
    let reply = cell.try_post(Bytes::from(vec![b' '; 33 << 20])).await.unwrap();
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(cell.try_post("").await.is_err(), "the connection is closed");
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    assert_eq!(world.misbehaviour(1, "oversized_body").await, 1);
}

#[tokio::test]
async fn s12_a_body_that_is_announced_too_long_is_refused_before_it_comes() {
    let world = World::new().await;
    for announced in ["99999999999", "99999999"] {
        let mut stream = world.connect(&world.certificate(1)).await;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {announced}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer);
        // Far less than a body may take.
        tokio::time::timeout(Duration::from_secs(5), read).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    assert_eq!(world.misbehaviour(1, "oversized_body").await, 2);
}

#[tokio::test]
async fn s12_garbage_is_answered_or_closed_and_counted() {
    let world = World::new().await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
    for (body, kind) in [
        ("garbage".to_owned(), "malformed"),
        ("<a".to_owned(), "malformed"),
        ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned(), "document_type"),
        (envelope(&format!("<cwmp:Inform>{deep}</cwmp:Inform>")), "beyond_limits"),
        ("<html/>".to_owned(), "wrong_namespace"),
        (envelope("<x:Inform xmlns:x=\"urn:other\"/>"), "wrong_namespace"),
        (envelope("<cwmp:Inform/>"), "bad_arguments"),
    ] {
        let before = world.misbehaviour(1, kind).await;
        let mut cell = Cell::connect(&world, 1).await;
        let reply = cell.try_post(body.clone()).await.unwrap();
        let is_fine = reply.status == StatusCode::BAD_REQUEST || matches!(reply.message(), FromAcs::Fault(_));
        assert!(is_fine, "{body:.60}: {reply:?}");
        assert_eq!(world.misbehaviour(1, kind).await, before + 1, "{kind} {reply:?}");
    }
}

#[tokio::test]
async fn what_is_no_post_of_xml_to_our_path_is_refused_by_http() {
    let world = World::new().await;
    for (method, path, kind, status) in [
        ("GET", "/", "", 405),
        ("PUT", "/", "text/xml", 405),
        ("POST", "/acs", "text/xml", 404),
        ("POST", "/", "application/json", 415),
    ] {
        let mut cell = Cell::connect(&world, 1).await;
        if !kind.is_empty() {
            cell.headers = vec![("content-type", kind.to_owned())];
        }
        let reply = cell.send(method, path, Bytes::from_static(b"<a/>")).await.unwrap();
        assert_eq!(reply.status.as_u16(), status, "{method} {path} {kind}");
        assert_eq!(reply.headers["connection"], "close");
    }
}

#[tokio::test]
async fn a_response_to_a_call_that_was_not_made_ends_the_session() {
    let world = World::new().await;
    let response = || FromCpe::Response(RebootResponse {}.into());
    let mut cell = Cell::connect(&world, 1).await;
    assert_eq!(cell.post("1", response()).await.status, StatusCode::BAD_REQUEST, "without a session");
    let mut cell = Cell::connect(&world, 1).await;
    cell.inform(&[EventCode::BOOTSTRAP]).await;
    assert_eq!(cell.post("1", response()).await.status, StatusCode::BAD_REQUEST, "before it is our turn");
    let mut cell = Cell::connect(&world, 1).await;
    cell.inform(&[EventCode::BOOTSTRAP]).await;
    cell.empty().await;
    assert_eq!(cell.post("1", response()).await.status, StatusCode::BAD_REQUEST, "to another method");
    assert_eq!(world.misbehaviour(1, "response_to_no_call").await, 2);
    assert_eq!(world.misbehaviour(1, "no_session").await, 1);
}

#[tokio::test]
async fn s12_a_sender_that_drips_is_cut_off() {
    let world = World::with("[limits]\nbody_seconds = 1\nheader_seconds = 1\n").await;
    let mut silent = world.connect(&world.certificate(1)).await;
    let mut slow = world.connect(&world.certificate(1)).await;
    slow.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 99\r\n\r\n<")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    let mut nothing = Vec::new();
    let _ = silent.read_to_end(&mut nothing).await;
    assert!(nothing.is_empty(), "a connection that asks nothing is closed without an answer");
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    assert_eq!(world.misbehaviour(1, "slow_body").await, 1);
}

#[tokio::test]
async fn s12_a_head_beyond_its_bound_is_refused() {
    let world = World::new().await;
    let mut stream = world.connect(&world.certificate(1)).await;
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(64 * 1024));
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let is_refused = answer.is_empty() || answer.starts_with(b"HTTP/1.1 431");
    assert!(is_refused, "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn two_connections_of_one_cell_take_turns() {
    let world = World::new().await;
    configure(&world).await;
    let (mut left, mut right) = (Cell::connect(&world, 1).await, Cell::connect(&world, 1).await);
    let events = [EventCode::BOOTSTRAP];
    let (a, b) = tokio::join!(left.inform(&events), right.inform(&events));
    assert_eq!((a.status, b.status), (StatusCode::OK, StatusCode::OK));
    let (a, b) = (left.empty().await.status, right.empty().await.status);
    let alive = [a, b].iter().filter(|status| **status == StatusCode::OK).count();
    assert_eq!(alive, 1, "one session per identity: {a} {b}");
}

#[tokio::test]
async fn s12_connections_are_bounded_and_come_free_again() {
    let world = World::with("[limits]\nconnections = 1\n").await;
    let pair = world.certificate(1);
    let mut only = Cell::over(world.connect(&pair).await, 1).await;
    only.inform(&[EventCode::BOOTSTRAP]).await;
    let mut next = tokio::net::TcpStream::connect(world.cwmp).await.unwrap();
    assert_eq!(next.read(&mut [0; 1]).await.unwrap_or(0), 0, "the connection is closed at once");
    assert!(matches!(only.empty().await.message(), FromAcs::Call(_)));
}

#[tokio::test]
async fn what_the_decoder_forgave_is_counted() {
    let world = World::new().await;
    let mut cell = Cell::connect(&world, 1).await;
    let mut small = crate::cell::inform(&serial(1), &[EventCode::BOOTSTRAP]);
    small.device_id.oui = "00005e".into();
    let reply = cell.post("i", FromCpe::Call(cwmp::AcsMethod::Inform(small))).await;
    assert!(matches!(reply.message(), FromAcs::Response(_)), "case alone is no other device: {reply:?}");
    cell.inform(&[]).await;
    assert_eq!(world.misbehaviour(1, cwmp::Leniency::OuiForm.name()).await, 1);
}

#[tokio::test]
async fn s12_strangers_that_say_nothing_more_lock_no_cell_out() {
    let world = World::with("[limits]\nhandshakes = 64\nconnections = 64\n").await;
    let pair = world.certificate(1);
    let mut strangers = Vec::new();
    for _ in 0..200 {
        let mut stranger = tokio::net::TcpStream::connect(world.cwmp).await.unwrap();
        stranger.write_all(&[22]).await.unwrap();
        strangers.push(stranger);
    }
    // The oldest was closed, so all that came before it were accepted and hold their places.
    let _ = strangers[100].read(&mut [0; 1]).await;
    let cell =
        async { Cell::over(world.connect(&pair).await, 1).await.inform(&[EventCode::BOOTSTRAP]).await };
    let reply = tokio::time::timeout(Duration::from_secs(3), cell).await.unwrap();
    assert!(matches!(reply.message(), FromAcs::Response(_)), "{reply:?}");
}

#[tokio::test]
async fn s12_a_cell_that_tells_too_much_is_counted_and_its_plan_rests() {
    let world = World::new().await;
    world.put("/api/v1/templates/all", serde_json::json!({"values": {PCI: "100"}})).await;
    let full = |event| {
        let mut inform = crate::cell::inform(&serial(1), &[event]);
        let list = &mut inform.parameter_list;
        list.push(parameter(PCI, "0", ValueKind::String));
        for name in ["AdminState", "OpState", "RFTxStatus"] {
            list.push(parameter(&format!("{CONTROL}{name}"), "0", ValueKind::Boolean));
        }
        let large = |number| parameter(&format!("Device.N{number}"), &"x".repeat(64_000), ValueKind::String);
        list.extend((0..65).map(large));
        // This one grows until nothing more is kept, not even what the plan sets.
        let growing = |length: usize| parameter("Device.Z", &"x".repeat(length), ValueKind::String);
        list.push(parameter("Device.Y", &"x".repeat(32_500), ValueKind::String));
        list.extend((0..1_200).map(growing));
        inform
    };
    let mut tree = Tree::new();
    let path = format!("/api/v1/devices/{}", identity(1));
    for (session, event) in [(1, EventCode::BOOTSTRAP), (2, EventCode::BOOT)] {
        let called = Cell::connect(&world, 1).await.session_of(full(event), &mut tree).await;
        assert!(called.iter().filter(|name| **name == "SetParameterValues").count() <= 16, "{called:?}");
        let faults = world.get(&path).await["faults"].clone();
        let is_seen = |fault: &serde_json::Value| {
            fault["text"].as_str().unwrap().contains("again and again") && fault["count"] == session
        };
        assert!(faults.as_array().unwrap().iter().any(is_seen), "session {session}: {faults}");
    }
    let called = Cell::connect(&world, 1).await.session_of(full(EventCode::PERIODIC), &mut tree).await;
    assert_eq!(called, Vec::<&str>::new(), "the step rests");
    assert_eq!(world.misbehaviour(1, "too_many_values").await, 3);
}
