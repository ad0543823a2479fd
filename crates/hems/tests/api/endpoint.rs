//! The endpoint for cells: HTTP as TR-069 wants it, identity from the certificate, sessions bound to it.

use cwmp::{AcsMethod, EventCode, FaultCode, FromAcs, FromCpe, GetRPCMethods};
use hyper::StatusCode;
use serde_json::json;

use crate::{
    cell::{Cell, Tree, inform},
    devices::configure,
    world::{World, identity, serial},
};

#[tokio::test]
async fn h04_h05_h20_messages_are_200_the_empty_one_204_and_ids_come_back() {
    let world = World::new().await;
    let mut cell = Cell::connect(&world, 1).await;
    let reply = cell.inform(&[EventCode::BOOTSTRAP]).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.headers["content-type"], "text/xml; charset=utf-8");
    assert!(reply.headers.contains_key("date"), "cells set their clocks by it");
    assert!(reply.text.contains(">i</cwmp:ID>"), "{}", reply.text);
    let methods = FromCpe::Call(AcsMethod::GetRPCMethods(GetRPCMethods {}));
    let FromAcs::Response(response) = cell.post("m", methods).await.message() else { panic!("no response") };
    assert!(format!("{response:?}").contains("TransferComplete"));
    let unknown = cell.try_post(envelope("<cwmp:Teleport/>")).await.unwrap();
    assert_eq!(unknown.status, StatusCode::OK, "a fault is CWMP content");
    let FromAcs::Fault(fault) = unknown.message() else { panic!("{unknown:?}") };
    assert_eq!(fault.code, FaultCode::ACS_METHOD_NOT_SUPPORTED);
    let called = cell.empty().await;
    assert!(
        matches!(called.message(), FromAcs::Call(_)),
        "an unknown method does not end the session: {called:?}"
    );
    let last =
        cell.post("1", FromCpe::Response(Tree::new().execute(&method(&called.message())).unwrap())).await;
    assert_eq!((last.status, last.headers.contains_key("content-type")), (StatusCode::NO_CONTENT, false));
}

fn method(message: &FromAcs) -> cwmp::CpeMethod {
    let FromAcs::Call(method) = message else { panic!("{message:?}") };
    method.clone()
}

/// An envelope by hand.
pub(crate) fn envelope(body: &str) -> String {
    format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:cwmp=\"urn:dslforum-org:cwmp-1-0\">\
         <e:Header><cwmp:ID e:mustUnderstand=\"1\">x</cwmp:ID></e:Header><e:Body>{body}</e:Body></e:Envelope>"
    )
}

#[tokio::test]
async fn p20_i07_an_inform_that_names_another_device_ends_the_session_and_is_seen() {
    let world = World::new().await;
    world.certificate(2);
    let mut cell = Cell::connect(&world, 1).await;
    let lie = inform(&serial(2), &[EventCode::BOOTSTRAP]);
    let reply = cell.post("i", FromCpe::Call(AcsMethod::Inform(lie))).await;
    let FromAcs::Fault(fault) = reply.message() else { panic!("{reply:?}") };
    assert_eq!(fault.code, FaultCode::ACS_REQUEST_DENIED);
    assert_eq!(reply.headers["connection"], "close");
    assert!(cell.try_post("").await.is_err(), "the connection is closed");
    let list = world.until("/api/v1/refusals", |list| list["items"][0]["count"] == 1).await;
    assert_eq!(list["items"][0]["reason"], "device_id_mismatch");
    let detail = list["items"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("the certificate is bound to 00005E/SimulatedCell/00005E005301, the Inform says"),
        "{detail}"
    );
    assert_eq!(world.misbehaviour(1, "device_id_mismatch").await, 1);
    let victim = world.get("/api/v1/devices").await;
    let rows = victim["items"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["last_inform"].is_null()), "neither is touched: {rows:#?}");
}

#[tokio::test]
async fn s11_an_unknown_cell_gets_an_inform_response_and_nothing_else() {
    let world = World::new().await;
    configure(&world).await;
    let pair = world.unlisted_certificate(9);
    let mut cell = Cell::over(world.connect(&pair).await, 9).await;
    let reply = cell.inform(&[EventCode::BOOTSTRAP]).await;
    assert!(matches!(reply.message(), FromAcs::Response(_)));
    let denied = cell.post("m", FromCpe::Call(AcsMethod::GetRPCMethods(GetRPCMethods {}))).await;
    assert!(matches!(denied.message(), FromAcs::Fault(_)));
    let last = cell.empty().await;
    assert_eq!((last.status, last.text.as_str()), (StatusCode::NO_CONTENT, ""));
    let device = world.get(&format!("/api/v1/devices/{}", identity(9))).await;
    assert_eq!((&device["state"], &device["values"]), (&json!("quarantined"), &json!([])));
    let sessions = world.get("/api/v1/sessions").await;
    assert_eq!(sessions["items"][0]["outcome"], "quarantined");
}

#[tokio::test]
async fn i12_a_cell_that_was_added_to_the_roster_is_admitted_when_it_calls() {
    let world = World::new().await;
    let pair = world.unlisted_certificate(9);
    let line = format!("{},00005E,SimulatedCell,{}\n", identity(9), serial(9));
    let roster = world.path("pki/identities.csv");
    let before = std::fs::read_to_string(&roster).unwrap();
    std::fs::write(&roster, before + &line).unwrap();
    Cell::over(world.connect(&pair).await, 9).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    assert_eq!(world.get(&format!("/api/v1/devices/{}", identity(9))).await["state"], "provisioning");
}

#[tokio::test]
async fn s08_h10_a_cookie_continues_a_session_on_another_connection() {
    let world = World::new().await;
    configure(&world).await;
    let mut first = Cell::connect(&world, 1).await;
    let cookie = first.inform(&[EventCode::BOOTSTRAP]).await.cookie();
    drop(first);
    let mut second = Cell::connect(&world, 1).await;
    second.headers = vec![("cookie", format!("other=1; {cookie}"))];
    assert!(matches!(second.empty().await.message(), FromAcs::Call(_)));
}

#[tokio::test]
async fn s08_a_cookie_of_another_identity_is_refused() {
    let world = World::new().await;
    let mut victim = Cell::connect(&world, 1).await;
    let cookie = victim.inform(&[EventCode::BOOTSTRAP]).await.cookie();
    let mut thief = Cell::connect(&world, 2).await;
    thief.headers = vec![("cookie", cookie)];
    let reply = thief.empty().await;
    assert_eq!(
        (reply.status, &reply.headers["connection"]),
        (StatusCode::FORBIDDEN, &"close".parse().unwrap())
    );
    assert!(matches!(victim.empty().await.message(), FromAcs::Call(_)), "the session goes on undisturbed");
    Cell::connect(&world, 2).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    assert_eq!(world.misbehaviour(2, "cookie_of_another").await, 1);
}

#[tokio::test]
async fn a15_p07_an_unasked_authorization_header_is_counted_and_never_answered() {
    let world = World::new().await;
    let mut cell = Cell::connect(&world, 1).await;
    cell.headers = vec![("authorization", "Basic c2VjcmV0OnNlY3JldA==".to_owned())];
    let reply = cell.inform(&[EventCode::BOOTSTRAP]).await;
    assert_eq!((reply.status, reply.headers.contains_key("www-authenticate")), (StatusCode::OK, false));
    assert!(matches!(cell.empty().await.message(), FromAcs::Call(_)));
    assert_eq!(world.misbehaviour(1, "authorization").await, 2);
    let world = world.restart().await;
    let files = below(world.path("state"));
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(12).any(|window| window == b"c2VjcmV0OnNl"), "it was stored");
    }
}

/// Every file below a folder.
fn below(folder: std::path::PathBuf) -> Vec<std::path::PathBuf> {
    let (mut folders, mut files) = (vec![folder], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

#[tokio::test]
async fn a_new_inform_on_another_connection_replaces_a_dead_session() {
    let world = World::new().await;
    configure(&world).await;
    let mut dead = Cell::connect(&world, 1).await;
    dead.inform(&[EventCode::BOOTSTRAP]).await;
    dead.empty().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let reply = dead.empty().await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    let sessions = world.get("/api/v1/sessions").await;
    assert_eq!(sessions["items"][0]["outcome"], "completed");
    assert_eq!(sessions["items"][1]["outcome"], "replaced");
}

#[tokio::test]
async fn a_row_added_without_an_answer_is_found_and_not_added_twice() {
    let world = World::new().await;
    configure(&world).await;
    let mut tree = Tree::new();
    let mut cell = Cell::connect(&world, 1).await;
    cell.inform(&[EventCode::BOOTSTRAP]).await;
    let mut reply = cell.empty().await;
    for id in 1.. {
        let method = method(&reply.message());
        let response = tree.execute(&method).unwrap();
        if method.name() == "AddObject" {
            break;
        }
        reply = cell.post(&id.to_string(), FromCpe::Response(response)).await;
    }
    drop(cell);
    let called = Cell::connect(&world, 1).await.session(&[EventCode::PERIODIC], &mut tree).await;
    assert!(!called.contains(&"AddObject"), "{called:?}");
    assert_eq!(world.get(&format!("/api/v1/devices/{}", identity(1))).await["plmn"], "99970");
}

#[tokio::test]
async fn h25_a_header_that_must_be_understood_and_is_not_is_answered_by_a_soap_fault() {
    let world = World::new().await;
    let header = "<s:Header><x:Lock xmlns:x=\"urn:x\" s:mustUnderstand=\"1\"/></s:Header>";
    let body = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">{header}<s:Body/></s:Envelope>"
    );
    let mut cell = Cell::connect(&world, 1).await;
    cell.inform(&[EventCode::BOOTSTRAP]).await;
    let reply = cell.try_post(body.clone()).await.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.text.contains("MustUnderstand</faultcode>"), "{}", reply.text);
    assert!(matches!(cell.empty().await.message(), FromAcs::Call(_)), "the session goes on");
    let reply = cell.try_post(body).await.unwrap();
    assert!(reply.text.contains("MustUnderstand</faultcode>"), "{}", reply.text);
    assert_eq!(reply.headers["connection"], "close", "no answer to our call: the session is over");
}
