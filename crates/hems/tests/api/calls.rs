//! `/api/v1/devices/{identity}/calls`: what an operator asks a cell to do by hand.

use cwmp::{
    AcsMethod, CpeMethod, DateTime, EventCode, FaultStruct, FromAcs, FromCpe, Text, TransferComplete,
};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    cell::{Cell, PCI, TAC, Tree},
    world::{World, identity, serial},
};

fn path(number: u8) -> String {
    format!("/api/v1/devices/{}/calls", identity(number))
}

async fn queue(world: &World, call: Value) -> Value {
    let (status, queued) = world.ask(Method::POST, &path(1), Some(call)).await;
    assert_eq!((status, &queued["state"]), (StatusCode::CREATED, &json!("queued")), "{queued}");
    queued
}

/// Plays a session until the call with this name was sent, and leaves it unanswered.
async fn until_called(cell: &mut Cell, tree: &mut Tree, name: &str) -> CpeMethod {
    cell.inform(&[EventCode::PERIODIC]).await;
    let mut reply = cell.empty().await;
    for id in 1.. {
        let FromAcs::Call(method) = reply.message() else { panic!("{name} was not called: {reply:?}") };
        if method.name() == name {
            return method;
        }
        let response = tree.execute(&method).unwrap();
        reply = cell.post(&id.to_string(), FromCpe::Response(response)).await;
    }
    unreachable!("the loop ends by return")
}

async fn cancel(world: &World, call: &Value) -> (StatusCode, Value) {
    world.ask(Method::DELETE, &format!("{}/{}", path(1), call["id"]), None).await
}

async fn state(world: &World) -> Value {
    world.get(&path(1)).await["items"][0]["state"].clone()
}

#[tokio::test]
async fn calls_are_delivered_in_order_after_the_plan_and_their_outcome_is_kept() {
    let world = World::new().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    queue(&world, json!({"GetParameterValues": {"ParameterNames": [TAC]}})).await;
    queue(&world, json!({"GetParameterValues": {"ParameterNames": ["Device.None"]}})).await;
    queue(&world, json!({"Reboot": {"CommandKey": "again"}})).await;
    let called = Cell::connect(&world, 1).await.session(&[EventCode::PERIODIC], &mut tree).await;
    assert_eq!(called, ["GetParameterValues", "GetParameterValues", "Reboot"]);
    let list = world.get(&path(1)).await;
    let states: Vec<_> = list["items"].as_array().unwrap().iter().map(|call| call["state"].clone()).collect();
    assert_eq!(states, ["done", "failed", "done"]);
    assert_eq!(list["items"][1]["outcome"]["FaultCode"], 9005);
    assert_eq!(list["items"][2]["outcome"]["GetParameterValues"]["ParameterList"][0]["Value"], "1");
    assert_eq!(tree.reboots, ["again"]);
}

#[tokio::test]
async fn s10_a_reboot_without_an_answer_is_not_sent_twice_and_resolved_by_its_event() {
    let world = World::new().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    queue(&world, json!({"Reboot": {"CommandKey": "again"}})).await;
    let mut cell = Cell::connect(&world, 1).await;
    until_called(&mut cell, &mut tree, "Reboot").await;
    assert_eq!(state(&world).await, "sent");
    drop(cell);
    let world = world.restart().await;
    let called = Cell::connect(&world, 1).await.session(&[EventCode::PERIODIC], &mut tree).await;
    assert_eq!(called, Vec::<&str>::new());
    assert_eq!(state(&world).await, "unknown");
    Cell::connect(&world, 1).await.session(&[EventCode::BOOT, EventCode::M_REBOOT], &mut tree).await;
    assert_eq!(state(&world).await, "done");
    assert_eq!(tree.reboots, Vec::<String>::new());
}

fn download(url: &str) -> Value {
    json!({"Download": {
        "CommandKey": "", "FileType": "1 Firmware Upgrade Image", "URL": url, "Username": "", "Password": "",
        "FileSize": 1, "TargetFileName": "", "DelaySeconds": 0, "SuccessURL": "", "FailureURL": "",
    }})
}

/// A cell that said that it will report a Download later, and the Download's key.
async fn accepted(world: &World, tree: &mut Tree) -> (Cell, Text) {
    let queued = queue(world, download("https://files.example/a")).await;
    let mut cell = Cell::connect(world, 1).await;
    let CpeMethod::Download(call) = until_called(&mut cell, tree, "Download").await else { unreachable!() };
    assert_eq!(queued["command_key"], json!(&*call.command_key), "a key was made for it");
    let later = json!({"Status": 1, "StartTime": DateTime::UNKNOWN, "CompleteTime": DateTime::UNKNOWN});
    let response: cwmp::DownloadResponse = serde_json::from_value(later).unwrap();
    let reply = cell.post("1", FromCpe::Response(response.into())).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert_eq!(state(world).await, "accepted");
    (cell, call.command_key)
}

async fn complete(cell: &mut Cell, command_key: Text) {
    cell.inform(&[EventCode::TRANSFER_COMPLETE, EventCode::M_DOWNLOAD]).await;
    let complete = TransferComplete {
        command_key,
        fault_struct: FaultStruct::success(),
        start_time: DateTime::UNKNOWN,
        complete_time: DateTime::UNKNOWN,
    };
    let reply = cell.post("t", FromCpe::Call(AcsMethod::TransferComplete(complete))).await;
    assert!(matches!(reply.message(), FromAcs::Response(_)));
}

#[tokio::test]
async fn c24_a_download_is_completed_by_transfer_complete_with_its_command_key() {
    let world = World::new().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let (status, _) = world.ask(Method::POST, &path(1), Some(download("http://files.example/a"))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (mut cell, key) = accepted(&world, &mut tree).await;
    complete(&mut cell, key).await;
    assert_eq!(state(&world).await, "done", "durable before it was answered");
}

#[tokio::test]
async fn c24_a_download_is_unknown_where_the_device_began_anew_until_it_is_reported() {
    let world = World::new().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let (mut cell, key) = accepted(&world, &mut tree).await;
    cell.inform(&[EventCode::PERIODIC]).await;
    assert_eq!(state(&world).await, "accepted");
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let call = world.get(&path(1)).await["items"][0].clone();
    assert_eq!(call["state"], "unknown");
    let why = call["outcome"]["Unknown"].as_str().unwrap();
    assert!(why.contains("began anew") && call["finished_at"].is_string(), "{call}");
    let mut cell = Cell::connect(&world, 1).await;
    complete(&mut cell, key).await;
    assert_eq!(state(&world).await, "done", "late is better than never");
}

#[tokio::test]
async fn what_xml_cannot_carry_is_not_queued() {
    let world = World::new().await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    for key in ["a\u{0}", "\u{1}"] {
        let (status, problem) =
            world.ask(Method::POST, &path(1), Some(json!({"Reboot": {"CommandKey": key}}))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().starts_with("`Reboot.CommandKey` has U+000"),
            "{problem}"
        );
    }
    assert_eq!(world.get(&path(1)).await["items"], json!([]));
}

#[tokio::test]
async fn a_call_that_a_template_should_make_is_refused() {
    let world = World::new().await;
    let (status, _) = world.ask(Method::POST, &path(1), Some(json!({"Reboot": {"CommandKey": ""}}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let set = json!({"SetParameterValues": {"ParameterList": [], "ParameterKey": ""}});
    let (status, problem) = world.ask(Method::POST, &path(1), Some(set)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().unwrap().contains("template"), "{problem}");
    let (status, _) = world.ask(Method::POST, &path(1), Some(json!({"Explode": {}}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn o03_a_queued_call_is_cancelled_and_any_other_is_not() {
    let world = World::new().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let reboot = queue(&world, json!({"Reboot": {"CommandKey": "again"}})).await;
    let read = queue(&world, json!({"GetParameterValues": {"ParameterNames": [TAC]}})).await;
    let (status, cancelled) = cancel(&world, &reboot).await;
    assert_eq!((status, &cancelled["state"]), (StatusCode::OK, &json!("failed")), "{cancelled}");
    assert_eq!(
        (&cancelled["outcome"], &cancelled["sent_at"]),
        (&json!({"CancelledBy": "local"}), &Value::Null)
    );
    assert!(cancelled["finished_at"].is_string(), "{cancelled}");
    let called = Cell::connect(&world, 1).await.session(&[EventCode::PERIODIC], &mut tree).await;
    assert_eq!((called.as_slice(), tree.reboots.len()), (["GetParameterValues"].as_slice(), 0));
    for (call, state) in [(&reboot, "failed"), (&read, "done")] {
        let (status, problem) = cancel(&world, call).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(
            problem["detail"].as_str().unwrap().starts_with(&format!("the call is {state}")),
            "{problem}"
        );
    }
    Cell::connect(&world, 2).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let others = format!("/api/v1/devices/{}/calls/{}", identity(2), reboot["id"]);
    for elsewhere in [others, format!("{}/4711", path(1))] {
        let (status, _) = world.ask(Method::DELETE, &elsewhere, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{elsewhere}");
    }
}

#[tokio::test]
async fn o03_a_call_that_is_cancelled_while_a_session_holds_it_is_not_sent() {
    let world = World::new().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    queue(&world, json!({"GetParameterValues": {"ParameterNames": [TAC]}})).await;
    let reboot = queue(&world, json!({"Reboot": {"CommandKey": "again"}})).await;
    let mut cell = Cell::connect(&world, 1).await;
    let read = until_called(&mut cell, &mut tree, "GetParameterValues").await;
    assert_eq!(cancel(&world, &reboot).await.0, StatusCode::OK);
    let reply = cell.post("1", FromCpe::Response(tree.execute(&read).unwrap())).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "nothing more is asked: {}", reply.text);
    assert_eq!(state(&world).await, "failed");
}

#[tokio::test]
async fn o03_what_the_plan_carries_out_is_not_cancelled_as_a_call() {
    let world = World::new().await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let actions = format!("/api/v1/devices/{}/actions", identity(1));
    let (status, lock) = world.ask(Method::POST, &actions, Some(json!({"action": "lock"}))).await;
    assert_eq!(status, StatusCode::CREATED, "{lock}");
    let (status, problem) = cancel(&world, &lock).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("the device's own"), "{problem}");
}

#[tokio::test]
async fn o03_a_device_that_is_withdrawn_is_asked_for_nothing_that_was_queued_before() {
    let world = World::new().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    queue(&world, json!({"GetParameterValues": {"ParameterNames": [TAC]}})).await;
    Cell::connect(&world, 1).await.session(&[EventCode::PERIODIC], &mut tree).await;
    queue(&world, json!({"Reboot": {"CommandKey": "again"}})).await;
    let admission = format!("/api/v1/devices/{}/admission", identity(1));
    assert_eq!(world.ask(Method::DELETE, &admission, None).await.0, StatusCode::NO_CONTENT);
    let calls = world.get(&path(1)).await["items"].clone();
    assert_eq!((&calls[0]["state"], &calls[1]["state"]), (&json!("failed"), &json!("done")), "{calls}");
    assert_eq!(calls[0]["outcome"], json!({"CancelledBy": "local"}));
    let again = json!({"identity": identity(1), "oui": "00005E", "product_class": "SimulatedCell", "serial": serial(1)});
    let (status, admitted) = world.ask(Method::POST, "/api/v1/devices", Some(again)).await;
    assert_eq!(status, StatusCode::CREATED, "{admitted}");
    Cell::connect(&world, 1).await.session(&[EventCode::PERIODIC], &mut tree).await;
    assert_eq!(tree.reboots, Vec::<String>::new());
}

#[tokio::test]
async fn s10_a_key_stands_for_the_whole_call_and_not_for_its_method() {
    let world = World::new().await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let read = |name: &str| json!({"GetParameterValues": {"ParameterNames": [name]}}).to_string();
    let (status, first) = world.keyed(&path(1), "k", read(TAC)).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    let (status, problem) = world.keyed(&path(1), "k", read(PCI)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let (status, again) = world.keyed(&path(1), "k", read(TAC)).await;
    assert_eq!((status, &again["id"]), (StatusCode::CREATED, &first["id"]));
    // The CommandKey that was drawn for the first is no part of what was asked.
    let reboot = |key: &str| json!({"Reboot": {"CommandKey": key}}).to_string();
    let (_, first) = world.keyed(&path(1), "r", reboot("")).await;
    let (_, again) = world.keyed(&path(1), "r", reboot("")).await;
    assert!(first["id"].is_i64() && first["id"] == again["id"], "{again}");
    let (status, problem) = world.keyed(&path(1), "r", reboot("other")).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
}
