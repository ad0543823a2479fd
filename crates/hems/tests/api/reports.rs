//! What a cell tells of its own accord, and what the operator sees of it.

use cwmp::{AcsMethod, Envelope, EventCode, FaultCode, FromAcs, FromCpe, Limits};
use hyper::StatusCode;
use serde_json::json;

use crate::{
    cell::{Cell, Tree},
    world::{World, identity},
};

/// The call in a golden file of the codec.
fn golden(name: &str) -> AcsMethod {
    let file = format!("{}/../cwmp/testdata/spec/{name}.xml", env!("CARGO_MANIFEST_DIR"));
    let decoded = Envelope::<FromCpe>::decode(std::fs::read(file).unwrap(), &Limits::default()).unwrap();
    let FromCpe::Call(call) = decoded.envelope.body else { panic!("{name} is no call") };
    call
}

#[tokio::test]
async fn s01_getrpcmethods_names_exactly_what_is_answered() {
    let world = World::new().await;
    let mut cell = Cell::connect(&world, 1).await;
    cell.inform(&[EventCode::BOOTSTRAP]).await;
    let reply = cell.post("m", FromCpe::Call(golden("GetRPCMethods"))).await.message();
    let FromAcs::Response(cwmp::AcsResponse::GetRPCMethods(methods)) = reply else { panic!("{reply:?}") };
    let offered: Vec<&str> = methods.method_list.iter().map(|name| &**name).collect();
    for name in AcsMethod::NAMES.iter().filter(|name| **name != "Inform") {
        let reply = cell.post("c", FromCpe::Call(golden(name))).await.message();
        let is_unknown =
            matches!(&reply, FromAcs::Fault(fault) if fault.code == FaultCode::ACS_METHOD_NOT_SUPPORTED);
        assert_eq!(is_unknown, !offered.contains(name), "{name}: {reply:?}");
    }
    assert!(offered.contains(&"Inform"));
}

#[tokio::test]
async fn s01_an_autonomous_transfer_is_durable_when_it_is_answered_and_told_twice_is_one() {
    let mut world = World::new().await;
    let path = format!("/api/v1/devices/{}", identity(1));
    let transfer = golden("AutonomousTransferComplete");
    for count in 1..=2 {
        let mut cell = Cell::connect(&world, 1).await;
        cell.inform(&[EventCode::AUTONOMOUS_TRANSFER_COMPLETE]).await;
        let reply = cell.post("t", FromCpe::Call(transfer.clone())).await;
        assert!(matches!(reply.message(), FromAcs::Response(_)), "{reply:?}");
        let seen = world.get(&path).await["reports"].clone();
        assert_eq!((seen.as_array().unwrap().len(), &seen[0]["count"]), (1, &json!(count)), "{seen}");
        assert_eq!(seen[0]["call"], serde_json::to_value(&transfer).unwrap());
        drop(cell);
        world = world.restart().await;
    }
    assert_eq!(world.get(&path).await["reports"][0]["count"], 2);
}

#[tokio::test]
async fn s01_a_request_for_a_download_is_seen_and_no_download_follows() {
    let world = World::new().await;
    let mut tree = Tree::new();
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut tree).await;
    let mut cell = Cell::connect(&world, 1).await;
    cell.inform(&[EventCode::REQUEST_DOWNLOAD]).await;
    let reply = cell.post("r", FromCpe::Call(golden("RequestDownload"))).await;
    assert!(matches!(reply.message(), FromAcs::Response(_)), "{reply:?}");
    assert_eq!(cell.empty().await.status, StatusCode::NO_CONTENT);
    let device = world.get(&format!("/api/v1/devices/{}", identity(1))).await;
    assert!(device["reports"][0]["call"]["RequestDownload"].is_object(), "{device}");
    assert_eq!(device["calls"], json!([]));
}

#[tokio::test]
async fn s12_reports_are_bounded_in_length_and_number() {
    let world = World::new().await;
    let mut cell = Cell::connect(&world, 1).await;
    cell.inform(&[EventCode::BOOTSTRAP]).await;
    let AcsMethod::AutonomousTransferComplete(transfer) = golden("AutonomousTransferComplete") else {
        unreachable!()
    };
    for number in 0..105 {
        let call = cwmp::AutonomousTransferComplete { file_size: number, ..transfer.clone() };
        cell.post("t", FromCpe::Call(call.into())).await;
    }
    let long = cwmp::AutonomousTransferComplete { announce_url: "u".repeat(40_000).into(), ..transfer };
    let reply = cell.post("t", FromCpe::Call(long.into())).await;
    let FromAcs::Fault(fault) = reply.message() else { panic!("{reply:?}") };
    assert_eq!(fault.code, FaultCode::ACS_RESOURCES_EXCEEDED);
    let device = world.get(&format!("/api/v1/devices/{}", identity(1))).await;
    let reports = device["reports"].as_array().unwrap();
    assert_eq!(reports.len(), 100);
    assert_eq!(reports[0]["call"]["AutonomousTransferComplete"]["FileSize"], 104, "the newest are kept");
}

#[tokio::test]
async fn s11_an_unknown_cell_reports_nothing() {
    let world = World::new().await;
    let pair = world.unlisted_certificate(9);
    let mut cell = Cell::over(world.connect(&pair).await, 9).await;
    cell.inform(&[EventCode::BOOTSTRAP]).await;
    let reply = cell.post("t", FromCpe::Call(golden("AutonomousTransferComplete"))).await;
    assert!(matches!(reply.message(), FromAcs::Fault(_)), "{reply:?}");
    assert_eq!(world.get(&format!("/api/v1/devices/{}", identity(9))).await["reports"], json!([]));
}
