//! `hearth serve` wakes `henbd`: both as processes, over TLS on loopback and in mode `ipsec`.
//!
//! ```text
//!  hearth device wake ─▶ H(e)MS ─▶ the cell's listener ─▶ 6 CONNECTION REQUEST ─▶ the action is done
//! ```

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpListener},
    process::Command,
    time::Duration,
};

use e2e::{Cell, Process, World, wait_for};
use profile::pki;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);

/// A lab whose H(e)MS may wake cells on this machine, which call once an hour.
fn lab(name: &str) -> World {
    let world = World::new(name);
    pki::issue_wake(&world.pki(), "localhost").unwrap();
    append(
        &world.hems_config(),
        "\n[wake]\ncertificate = \"pki/wake/localhost.pem\"\nkey = \"pki/wake/localhost.key\"\n\
         networks = [\"127.0.0.0/8\"]\n",
    );
    world
}

fn append(path: &std::path::Path, text: &str) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Lets a cell listen over TLS.
fn listens(world: &World, cell: &Cell) {
    let eui = cell.identity.split('.').next().unwrap();
    let own = pki::issue_listener(&world.pki(), eui, e2e::OPERATOR_REALM).unwrap();
    let text = format!(
        "\n[connection_request]\nkind = \"tls\"\nlisten = \"{}\"\nfrom = [\"127.0.0.1\"]\n\
         certificate = {:?}\nkey = {:?}\n",
        free(),
        own.chain,
        own.key
    );
    append(&cell.config, &text);
}

/// Runs `hearth device …` and gives what it prints.
fn device(world: &World, arguments: &[&str]) -> Value {
    let output = world.operate(&[&["device", "--output", "json"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until the newest Wake of a cell has this state.
fn until(world: &World, cell: &Cell, state: &str) -> Value {
    wait_for(&format!("the wake to be {state}"), PATIENCE, || {
        let list = world.get(&format!("/api/v1/devices/{}/calls", cell.identity));
        let calls = list.get("items").and_then(Value::as_array)?;
        let wake = calls.iter().find(|call| text(call, "/method") == "Wake")?;
        (text(wake, "/state") == state).then(|| wake.clone())
    })
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whether any session of a cell came because it was asked.
fn was_asked(world: &World, cell: &Cell) -> bool {
    let list = world.get(&format!("/api/v1/sessions?identity={}", cell.identity));
    list.to_string().contains("6 CONNECTION REQUEST")
}

/// A cell in service that is silent for an hour from now on.
fn serving(world: &World, cell: &Cell) -> (Process, Process) {
    let hems = world.serve();
    world.configure(3600);
    let henbd = world.henbd(cell);
    drop(world.wait_in_service(&cell.identity));
    wait_for("the end of the session", PATIENCE, || {
        let list = world.get(&format!("/api/v1/sessions?identity={}", cell.identity));
        list.pointer("/items/0/ended_at").filter(|ended| !ended.is_null()).map(drop)
    });
    (hems, henbd)
}

#[test]
fn r07_r10_g01_a_cell_is_woken_over_tls_and_a_reboot_is_done_now() {
    let world = lab("wake");
    let cell = world.cell(1);
    listens(&world, &cell);
    let (_hems, _henbd) = serving(&world, &cell);
    assert!(!was_asked(&world, &cell));
    let asked = device(&world, &["wake", &cell.identity]);
    assert_eq!(text(&asked, "/method"), "Wake", "{asked}");
    let done = until(&world, &cell, "done");
    assert_eq!(text(&done, "/outcome/Event"), "6 CONNECTION REQUEST", "{done}");
    assert!(was_asked(&world, &cell));
    let asked = device(&world, &["reboot", "--wake", &cell.identity]);
    let id = asked.get("id").and_then(Value::as_i64).unwrap();
    wait_for("the reboot", PATIENCE, || {
        let list = world.get(&format!("/api/v1/devices/{}/calls", cell.identity));
        let calls = list.get("items").and_then(Value::as_array)?;
        let reboot = calls.iter().find(|call| call.get("id").and_then(Value::as_i64) == Some(id))?;
        (text(reboot, "/state") == "done").then_some(())
    });
}

/// Plays a cell's listener by Debian's `openssl s_server`, which has a whole answer in a file for each path.
fn play(world: &World, cell: &Cell, pair: &profile::KeyPair, answer: &str) -> Process {
    let url = url(world, cell);
    let (address, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
    fs::write(world.dir().join(path), answer).unwrap();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-HTTP", "-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-Verify", "1"]);
    command.args(["-accept", address, "-CAfile"]).arg(world.pki().join("operator.pem"));
    command.arg("-cert").arg(&pair.chain).arg("-key").arg(&pair.key).current_dir(world.dir());
    let server = Process::start(&mut command, &world.dir().join("listener.log"));
    wait_for("s_server", PATIENCE, || server.log().contains("ACCEPT").then_some(()));
    server
}

/// Where the cell told that it listens.
fn url(world: &World, cell: &Cell) -> String {
    let is_it = |value: &&Value| text(value, "/name") == "Device.ManagementServer.ConnectionRequestURL";
    let device = world.get(&format!("/api/v1/devices/{}", cell.identity));
    let values = device.get("values").and_then(Value::as_array).unwrap();
    text(values.iter().find(is_it).unwrap(), "/value").to_owned()
}

/// A wake that fails at a listener which somebody else plays, and what that listener heard.
fn fails(name: &str, eui: &str, answer: &str) -> (Value, String) {
    let world = lab(name);
    let cell = world.cell(1);
    listens(&world, &cell);
    let (_hems, mut henbd) = serving(&world, &cell);
    henbd.kill();
    let pair = pki::issue_listener(&world.pki(), eui, e2e::OPERATOR_REALM).unwrap();
    let listener = play(&world, &cell, &pair, answer);
    drop(device(&world, &["wake", &cell.identity]));
    let failed = until(&world, &cell, "failed");
    (failed, listener.log())
}

#[test]
fn p20_g01_r10_where_another_cell_listens_the_wake_fails_and_says_so() {
    let (failed, heard) = fails("wake-wrong", "00005e005302", "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(text(&failed, "/outcome/reason"), "wrong_name", "{failed}");
    assert!(text(&failed, "/outcome/detail").contains("00005e005302.hnb.example"), "{failed}");
    assert_eq!(heard.matches("FILE:").count(), 0, "{heard}");
}

#[test]
fn p07_g01_r10_who_asks_for_a_secret_is_asked_once() {
    let challenge =
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"cell\", nonce=\"1\"\r\n\r\n";
    let (failed, heard) = fails("wake-secret", "00005e005301", challenge);
    assert_eq!(text(&failed, "/outcome/reason"), "secret", "{failed}");
    assert_eq!(failed.pointer("/outcome/attempts").and_then(Value::as_i64), Some(1), "{failed}");
    assert_eq!(heard.matches("FILE:").count(), 1, "{heard}");
}
