//! Configuration and log as files over real TLS: read, restored, and refused where they are not right.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::{collections::BTreeMap, io::Write};

use cwmp::{AddObject, CpeMethod, DeleteObject, Download, FaultCode, Text, Upload, Value};
use henb::device::{CONFIGURATION, CONFIGURATION_1, LOG, LOG_1, RESTORATION, path};
use hyper::Method;
use scripted::{
    World,
    manufacturer::{download, sha256, shown, told},
    set,
};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

fn plmn(row: u32, name: &str) -> String {
    format!("{}{row}.{name}", path::PLMN_LIST)
}

fn upload(world: &World, file_type: &'static str) -> CpeMethod {
    Upload {
        command_key: "read".into(),
        file_type: file_type.into(),
        url: format!("{}put", world.acs.url()).into(),
        username: Text::new(),
        password: Text::new(),
        delay_seconds: 0,
    }
    .into()
}

fn restore(world: &World) -> CpeMethod {
    let CpeMethod::Download(call) = download(&format!("{}config", world.acs.url()), 0) else {
        unreachable!()
    };
    Download { file_type: RESTORATION.into(), ..call }.into()
}

/// Runs one session with these calls, and the next one that tells of a transfer.
async fn run(world: &World, calls: Vec<CpeMethod>) -> u32 {
    let before = told(world).len();
    world.acs.script_once(calls);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    *told(world).get(before).unwrap()
}

fn last_put(world: &World) -> Vec<u8> {
    world.acs.posts().iter().rfind(|post| post.method == Method::PUT).unwrap().body.to_vec()
}

/// What an ACS configured; what the cell says of itself and of its sessions is no configuration.
fn configured(world: &World) -> BTreeMap<String, String> {
    let state = world.state();
    let mut values = BTreeMap::new();
    for (place, value) in state.device.tree.values {
        values.insert(place.to_string(), value);
    }
    let own = ["Time.", "DeviceInfo.UpTime", "ManagementServer.ParameterKey", "FAPControl.LTE."];
    values.retain(|place, _| !own.iter().any(|part| place.contains(part)));
    values
}

/// A world whose cell was configured, and its backup.
async fn backed_up() -> (World, Vec<u8>) {
    let world = World::new().await;
    let calls = vec![
        AddObject { object_name: path::PLMN_LIST.into(), parameter_key: "k".into() }.into(),
        set(&[
            (CODE, Value::string("straße 3")),
            (&plmn(2, "PLMNID"), Value::string("99970")),
            (path::ADMIN_STATE, Value::boolean(true)),
        ]),
        upload(&world, CONFIGURATION_1),
    ];
    assert_eq!(run(&world, calls).await, 0);
    let backup = last_put(&world);
    (world, backup)
}

#[tokio::test]
async fn w10_topic_5_1_6_a_configuration_is_backed_up_and_restored() {
    let (world, backup) = backed_up().await;
    let before = configured(&world);
    // The first row goes for good: its number is never used again, and its values come back in another row.
    let row = |number| -> CpeMethod {
        let object_name = format!("{}{number}.", path::PLMN_LIST).into();
        DeleteObject { object_name, parameter_key: "k".into() }.into()
    };
    world.acs.file(&backup);
    let calls = vec![
        row(1),
        set(&[(CODE, Value::string("elsewhere")), (&plmn(2, "PLMNID"), Value::string("99971"))]),
        restore(&world),
    ];
    assert_eq!(run(&world, calls).await, 0);
    let state = world.state();
    assert_eq!(shown(&state, CODE), "straße 3");
    let rows = &state.device.tree.tables.get(&path::PLMN_LIST.parse().unwrap()).unwrap().numbers;
    assert_eq!(rows.iter().copied().collect::<Vec<_>>(), [2, 3]);
    assert_eq!((shown(&state, &plmn(2, "PLMNID")), shown(&state, &plmn(3, "PLMNID"))), ("00101", "99970"));
    assert_eq!(configured(&world).len(), before.len());
    // The radio's permission is the H(e)MS's to give anew, and no part of a configuration. (M-08)
    assert_eq!(shown(&state, path::ADMIN_STATE), "false");
    assert!(!String::from_utf8(backup).unwrap().contains("AdminState"));
}

#[tokio::test]
async fn w10_a_backup_has_a_row_too_many_taken_away() {
    let (world, backup) = backed_up().await;
    world.acs.file(&backup);
    let more = AddObject { object_name: path::PLMN_LIST.into(), parameter_key: "k".into() };
    let before = configured(&world);
    assert_eq!(run(&world, vec![more.into(), restore(&world)]).await, 0);
    assert_eq!(configured(&world), before);
}

/// The same file with other words in it and a hash that fits.
fn forged(backup: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(backup.to_vec()).unwrap();
    let (_, json) = text.split_once('\n').unwrap();
    assert!(json.contains(from), "{from}");
    let json = json.replacen(from, to, 1);
    format!("HEARTH-CONFIGURATION 1 {}\n{json}", sha256(json.as_bytes())).into_bytes()
}

#[tokio::test]
async fn w10_p11_topic_5_8_an_incorrect_backup_changes_nothing() {
    let (world, backup) = backed_up().await;
    let before = configured(&world);
    let mut flipped = backup.clone();
    *flipped.get_mut(500).unwrap() ^= 1;
    let url = world.acs.url();
    let listens = "HTTPConnectionRequestEnable\": \"false\"";
    for (case, file) in [
        ("no backup", b"HEARTH-IMAGE 2".to_vec()),
        ("nothing", Vec::new()),
        ("cut", backup.get(..backup.len() / 2).unwrap().to_vec()),
        ("a bit flipped", flipped),
        ("another cell's", forged(&backup, "00005E005301", "00005E005302")),
        ("another model's", forged(&backup, "SimulatedCell", "Router")),
        ("a plain URL", forged(&backup, &url, "http://localhost/")),
        ("a URL with a password", forged(&backup, &url, "https://u:p@localhost/")),
        ("a listener that nobody chose", forged(&backup, listens, &listens.replace("false", "true"))),
        ("a bad value", forged(&backup, "\"3600\"", "\"often\"")),
        ("an unknown parameter", forged(&backup, CODE, "Device.DeviceInfo.Unknown")),
        ("what an ACS may not write", forged(&backup, CODE, "Device.DeviceInfo.SerialNumber")),
        ("a secret", forged(&backup, CODE, "Device.ManagementServer.Password")),
        ("an unknown table", forged(&backup, "PLMNList.1.\"", "Unknown.1.\"")),
        ("another layout", forged(&backup, "\"rows\"", "\"lines\"")),
    ] {
        world.acs.file(&file);
        assert_eq!(run(&world, vec![restore(&world)]).await, FaultCode::FILE_CORRUPTED.0, "{case}");
        assert_eq!(configured(&world), before, "{case}");
    }
    world.acs.file(&vec![b'x'; 2 << 20]);
    assert_eq!(run(&world, vec![restore(&world)]).await, FaultCode::DOWNLOAD_INCOMPLETE.0);
    assert_eq!(configured(&world), before);
}

#[tokio::test]
async fn w10_w11_c23_configuration_and_log_are_read_by_type_and_by_row() {
    let world = World::new().await;
    writeln!(&henb::log::LOG, "what the daemon said").unwrap();
    for (file_type, word) in [
        (CONFIGURATION, "HEARTH-CONFIGURATION 1 "),
        (CONFIGURATION_1, "HEARTH-CONFIGURATION 1 "),
        (LOG, "what the daemon said\n"),
        (LOG_1, "what the daemon said\n"),
    ] {
        assert_eq!(run(&world, vec![upload(&world, file_type)]).await, 0);
        let body = String::from_utf8(last_put(&world)).unwrap();
        assert!(body.starts_with(word) && !body.contains("Password"), "{file_type}: {body}");
    }
    world.acs.script_once(vec![upload(&world, "4 Vendor Log File 2")]);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    cell.stop().await;
    let refused = world.acs.outcomes().pop().unwrap().unwrap_err();
    assert_eq!(refused.code, FaultCode::INVALID_ARGUMENTS);
}
