//! The agent with a vendor's side: the worked example of docs/how-to/drive-a-radio.md in both its forms, and a stack.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::{
    io::{BufRead, BufReader},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use cwmp::{CpeResponse, FaultCode, GetParameterValues, Inform, Value};
use henb::{
    config::DeviceKind,
    device::{Program, Way, path},
};
use scripted::{Process, World, set, unlock};

const LIMIT: Duration = Duration::from_secs(20);
const PCI: &str = "Device.Services.FAPService.1.CellConfig.LTE.RAN.RF.PhyCellID";
const TAC: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC";

/// The vendor's side that the documentation shows.
fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/radio.py")
}

/// The example as a process, which ends with the test.
fn start_example(world: &World, socket: &Path) -> Process {
    let mut command = Command::new(example());
    command.arg(world.room("radio.json")).arg(socket).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Process(command.spawn().unwrap());
    let mut said = String::new();
    BufReader::new(process.0.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "listening\n");
    process
}

fn tells(inform: &Inform, name: &str, value: &str) -> bool {
    let has_event = inform.event.iter().any(|event| event.event_code.as_str() == "4 VALUE CHANGE");
    has_event && inform.parameter_list.iter().any(|entry| entry.name == name && entry.value.text == value)
}

/// Waits until the H(e)MS is told a change.
async fn until_told(world: &World, name: &str, value: &str) {
    world.acs.until(|acs| acs.informs().iter().any(|inform| tells(inform, name, value))).await;
}

#[tokio::test]
async fn c03_d08_the_example_as_a_process_comes_on_air_and_what_it_pushes_is_4_value_change() {
    let mut world = World::new().await;
    let socket = world.room("radio.sock");
    world.config.device = DeviceKind::Command(Way::Socket { path: socket.clone(), limit: LIMIT });
    world.acs.script_once(vec![unlock()]);
    let process = start_example(&world, &socket);
    let mut cell = world.start();
    cell.until(|status| status.in_service).await;
    until_told(&world, path::OP_STATE, "true").await;
    // Whoever comes after a process that ended hears of everything, and the cell is on the air again.
    drop(process);
    until_told(&world, path::OP_STATE, "false").await;
    let told = world.acs.informs().len();
    let _process = start_example(&world, &socket);
    world
        .acs
        .until(|acs| acs.informs().iter().skip(told).any(|inform| tells(inform, path::OP_STATE, "true")))
        .await;
    cell.stop().await;
}

#[tokio::test]
async fn c13_the_example_as_a_program_refuses_a_bad_value_and_nothing_has_changed() {
    let mut world = World::new().await;
    let arguments = vec![world.room("radio.json").display().to_string()];
    let program = Program { file: example(), arguments, limit: LIMIT };
    world.config.device = DeviceKind::Command(Way::Program { program, poll: None });
    let names = vec![TAC.into(), PCI.into()];
    world.acs.script_once(vec![
        set(&[(TAC, Value::unsigned_int(7)), (PCI, Value::string("42"))]),
        set(&[(TAC, Value::unsigned_int(8)), (PCI, Value::string("504"))]),
        GetParameterValues { parameter_names: names }.into(),
        unlock(),
    ]);
    let mut cell = world.start();
    cell.until(|status| status.in_service).await;
    cell.stop().await;
    let outcomes = world.acs.outcomes();
    let fault = outcomes[1].clone().unwrap_err();
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    assert_eq!(
        (&*fault.details[0].parameter_name, &*fault.details[0].fault_string),
        (PCI, "0 to 503 is right")
    );
    let Ok(CpeResponse::GetParameterValues(values)) = &outcomes[2] else { panic!("{outcomes:?}") };
    let values: Vec<&str> = values.parameter_list.iter().map(|entry| &*entry.value.text).collect();
    assert_eq!(values, ["7", "42"]);
    let radio: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.room("radio.json")).unwrap()).unwrap();
    assert_eq!((&radio[0][TAC], &radio[0][path::ADMIN_STATE]), (&"7".into(), &"true".into()));
}

#[tokio::test]
async fn henbd_drives_a_stack_s_file_without_being_root() {
    let world = World::new().await;
    world
        .acs
        .script_once(vec![set(&[(TAC, Value::unsigned_int(7)), (path::ADMIN_STATE, Value::boolean(true))])]);
    let (own, folder) = (&world.config.identity, world.room("radio"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("tac.template"), format!("tac = ${{{TAC}}}\n")).unwrap();
    let text = format!(
        "lab = true\nstate_dir = \"radio\"\n[hems]\nurl = {:?}\nanchors = {:?}\n[identity]\ncertificate = {:?}\n\
         key = {:?}\n[device]\nkind = \"file\"\n[device.file]\ntemplate = \"radio/tac.template\"\n\
         output = \"radio/tac\"\nrestart = [\"/bin/cp\", {:?}, {:?}]\nstop = [\"/bin/true\"]\n",
        world.acs.url(),
        world.config.anchors,
        own.chain,
        own.key.to_string(),
        folder.join("tac"),
        folder.join("running"),
    );
    std::fs::write(world.room("henbd.toml"), text).unwrap();
    let mut henbd = Command::new(world.room("henbd"));
    std::fs::copy(env!("CARGO_BIN_EXE_henbd"), world.room("henbd")).unwrap();
    henbd.arg("--config").arg(world.room("henbd.toml"));
    if rustix::process::geteuid().is_root() {
        give_away(&world.room(""));
        henbd.uid(NOBODY).gid(NOBODY);
    }
    let _henbd = Process(henbd.spawn().unwrap());
    until_told(&world, path::OP_STATE, "true").await;
    assert_eq!(std::fs::read_to_string(folder.join("running")).unwrap(), "tac = 7\n");
}

/// The user of nobody in particular.
const NOBODY: u32 = 65_534;

/// Gives a folder and all in it to nobody.
fn give_away(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| give_away(&entry.unwrap().path()));
    }
}

#[tokio::test]
async fn a_vendor_s_side_that_is_not_there_is_9002_and_an_alarm_and_the_agent_lives() {
    let mut world = World::new().await;
    let socket = world.room("radio.sock");
    world.config.device = DeviceKind::Command(Way::Socket { path: socket, limit: LIMIT });
    world.acs.script_once(vec![unlock()]);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 2).await;
    assert_eq!(world.acs.outcomes()[0].clone().unwrap_err().code, FaultCode::INTERNAL_ERROR);
    until_told(&world, "Device.FaultMgmt.ExpeditedEvent.1.AlarmIdentifier", "radio-lost").await;
    cell.stop().await;
}
