//! Files between both real ends: a cell sends its configuration to the H(e)MS and gets it back, over real TLS.

#![expect(clippy::indexing_slicing, reason = "a test stops where it cannot go on")]

use std::time::Duration;

use e2e::{World, wait_for};
use serde_json::{Value, json};

/// How long a transfer may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the cell for something, and waits until TransferComplete has ended the call.
fn done(world: &World, identity: &str, action: &Value) -> Value {
    let device = format!("/api/v1/devices/{identity}");
    let reply = world.send(&format!("POST {device}/actions"), action);
    assert_eq!(reply.status, 201, "{reply:?}");
    let id = reply.json()["id"].clone();
    wait_for("the end of the transfer", PATIENCE, || {
        let calls = world.get(&format!("{device}/calls"));
        let call = calls["items"].as_array()?.iter().find(|call| call["id"] == id)?.clone();
        (!call["finished_at"].is_null()).then_some(call)
    })
}

#[test]
fn g12_w10_a_cell_sends_its_configuration_and_takes_it_back_from_the_management_system() {
    let world = World::new("files");
    let _hems = world.serve();
    world.configure(1);
    let cell = world.cell(1);
    let _henbd = world.henbd(&cell);
    let _ = world.wait_in_service(&cell.identity);

    let call = done(&world, &cell.identity, &json!({"action": "upload", "kind": "configuration"}));
    assert_eq!(call["state"], "done", "{call}");
    let listed = world.get("/api/v1/files?kind=configuration");
    let file = &listed["items"][0];
    assert_eq!(
        (&file["identity"], listed["items"].as_array().map(Vec::len)),
        (&json!(cell.identity), Some(1))
    );

    let call = done(&world, &cell.identity, &json!({"action": "download", "file": file["id"]}));
    assert_eq!(call["state"], "done", "{call}");
    assert_eq!(call["outcome"]["CommandKey"], call["command_key"]);
}
