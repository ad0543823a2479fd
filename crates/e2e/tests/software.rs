//! The software that a template wants, with both real ends: an image from the repository, signed, fetched over real TLS,
//! installed and running.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{fs, io::Write, process::Output, time::Duration};

use e2e::{World, wait_for};
use serde_json::{Value, json};

/// How long a transfer and a restart may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);
const VERSION: &str = "7.1.0";

fn fine(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Signs an image for the simulated cell, as a vendor does; gives the signer's certificate and the file.
fn image(world: &World) -> (String, String) {
    let path = |name: &str| world.dir().join(name).to_str().unwrap().to_owned();
    let [signer, key, image, file] =
        ["pki/firmware/working.pem", "pki/firmware/working.key", "image.bin", "cell.firmware"].map(path);
    fine(
        &e2e::hearth().args(["pki", "firmware-signer", &path("pki"), "--name", "working"]).output().unwrap(),
    );
    fs::write(&image, vec![7; 100_000]).unwrap();
    let sign = ["firmware", "sign", &image, "--signer", &signer, "--key", &key, "--version", VERSION];
    let product = ["--oui", "00005E", "--product-class", "SimulatedCell", "--hardware-version", "1"];
    fine(&e2e::hearth().args(sign).args(product).args(["--out", &file]).output().unwrap());
    (signer, file)
}

#[test]
fn w01_w02_w04_o04_a_template_brings_a_real_cell_to_another_software() {
    let world = World::new("software");
    let _hems = world.serve();
    world.configure(1);
    let cell = world.cell(1);
    let (signer, file) = image(&world);
    let mut config = fs::File::options().append(true).open(&cell.config).unwrap();
    writeln!(config, "\n[firmware]\nkeys = [{signer:?}]").unwrap();
    let _henbd = world.henbd(&cell);
    let device = world.wait_in_service(&cell.identity);
    assert_ne!(device["software"], VERSION);

    fine(&world.operate(&["file", "add", &file, "--kind", "firmware"]));
    let template = world.dir().join("software.json");
    fs::write(&template, json!({ "software": VERSION }).to_string()).unwrap();
    fine(&world.operate(&["template", "put", "software", template.to_str().unwrap()]));
    wait_for("the new software", PATIENCE, || {
        let device = world.get(&format!("/api/v1/devices/{}", cell.identity));
        (device["software"] == VERSION && device["in_service"] == Value::Bool(true)).then_some(())
    });
    let calls = world.get(&format!("/api/v1/devices/{}/calls", cell.identity));
    let [call] = &calls["items"].as_array().unwrap()[..] else { panic!("one Download: {calls}") };
    assert_eq!((&call["author"], &call["state"]), (&json!("plan"), &json!("done")), "{call}");
    let changes = world.get("/api/v1/changes");
    let change =
        changes["items"].as_array().unwrap().iter().find(|one| one["template"] == "software").unwrap();
    assert_eq!((&change["fine"], &change["faulted"]), (&json!(1), &json!(0)), "{change}");
}
