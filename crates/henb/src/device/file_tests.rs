//! Claims about a radio stack with a configuration file: file, stack and values change together or not at all.

use std::collections::BTreeMap;

use datamodel::Model;
use jiff::SignedDuration;

use super::{super::Format, *};
use crate::device::{Notify, factory::sample};

const START_TIME: Timestamp = Timestamp::UNIX_EPOCH;
const TAC: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC";
const NAME: &str = "Device.Services.FAPService.1.AccessMgmt.LTE.HNBName";

fn later(seconds: i64) -> Timestamp {
    START_TIME + SignedDuration::from_secs(seconds)
}

/// A stack whose programs write their names into a log, and fail while a file says so.
struct Lab {
    folder: tempfile::TempDir,
    cell: FileDevice,
}

impl Lab {
    fn new(has_probe: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().display();
        let program = |name: &str| Program {
            file: "/bin/sh".into(),
            arguments: vec![
                "-c".to_owned(),
                format!("echo {name} $(grep tac {base}/enb.conf) >> {base}/log; [ ! -e {base}/{name}.bad ]"),
            ],
            limit: Duration::from_secs(10),
        };
        let template = format!("[enb]\nname = ${{{NAME}}}\ntac = ${{{TAC}}}\n");
        let stack = Stack {
            template: Template::parse(&template, Format::Conf, Model::cell()).unwrap(),
            output: folder.path().join("enb.conf"),
            restart: program("restart"),
            stop: program("stop"),
            probe: has_probe.then(|| program("probe")),
            boot: None,
        };
        let mut cell = FileDevice::new(&sample(), stack, None);
        cell.power_on(START_TIME);
        Self { folder, cell }
    }

    /// On the air with TAC 7.
    fn on_air() -> Self {
        let mut lab = Self::new(false);
        lab.cell.tick(START_TIME);
        set(&mut lab.cell, &[(TAC, cwmp::Value::unsigned_int(7)), admin(true)]).unwrap();
        lab.cell.changes();
        assert_eq!(lab.log(), ["stop tac = 0", "restart tac = 7"]);
        lab
    }

    fn log(&self) -> Vec<String> {
        let file = self.folder.path().join("log");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        text.lines().map(str::to_owned).collect()
    }

    fn is_bad(&self, name: &str, is_bad: bool) {
        let file = self.folder.path().join(format!("{name}.bad"));
        if is_bad { fs::write(file, "").unwrap() } else { fs::remove_file(file).unwrap() }
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("enb.conf")).unwrap()
    }
}

fn admin(is_on: bool) -> (&'static str, cwmp::Value) {
    (path::ADMIN_STATE, cwmp::Value::boolean(is_on))
}

fn set(cell: &mut FileDevice, list: &[(&str, cwmp::Value)]) -> Result<(), Fault> {
    let entry =
        |(name, value): &(&str, cwmp::Value)| ParameterValueStruct::new((*name).to_owned(), value.clone());
    cell.set(&list.iter().map(entry).collect::<Vec<_>>(), START_TIME)
}

fn is_up(cell: &FileDevice) -> bool {
    cell.memory.is_true(path::OP_STATE) && cell.memory.is_true(path::RF_TX_STATUS)
}

#[test]
fn m08_at_power_on_the_file_is_there_and_the_stack_is_stopped() {
    let mut lab = Lab::new(false);
    assert_eq!(lab.cell.deadline(), Some(START_TIME));
    lab.cell.tick(START_TIME);
    assert_eq!(lab.log(), ["stop tac = 0"]);
    assert_eq!(lab.output(), "[enb]\nname = \ntac = 0\n");
    lab.cell.tick(later(1));
    assert!(lab.log().is_empty() && lab.cell.deadline().is_none() && !is_up(&lab.cell));
}

#[test]
fn d07_the_stack_runs_where_the_radio_is_unlocked_and_is_restarted_when_its_file_changes() {
    let mut lab = Lab::on_air();
    assert!(is_up(&lab.cell));
    let modified = || fs::metadata(lab.folder.path().join("enb.conf")).unwrap().modified().unwrap();
    let before = modified();
    set(&mut lab.cell, &[(path::PERIODIC_INTERVAL, cwmp::Value::unsigned_int(60))]).unwrap();
    set(&mut lab.cell, &[(TAC, cwmp::Value::unsigned_int(7))]).unwrap();
    let after = fs::metadata(lab.folder.path().join("enb.conf")).unwrap().modified().unwrap();
    assert_eq!((after, lab.log()), (before, Vec::new()), "nothing changed for the stack");
    set(&mut lab.cell, &[(TAC, cwmp::Value::unsigned_int(8))]).unwrap();
    assert_eq!(lab.log(), ["restart tac = 8"]);
    set(&mut lab.cell, &[(TAC, cwmp::Value::unsigned_int(9)), admin(false)]).unwrap();
    assert_eq!(lab.log(), ["stop tac = 9"]);
    assert!(!is_up(&lab.cell));
}

#[test]
fn c13_a_value_that_the_file_cannot_have_is_refused_before_anything_changes() {
    let mut lab = Lab::on_air();
    let (before, file) = (lab.cell.snapshot(), lab.output());
    let list = [(TAC, cwmp::Value::unsigned_int(8)), (NAME, cwmp::Value::string("a\n[rf]\ntx_gain = 99"))];
    let fault = set(&mut lab.cell, &list).unwrap_err();
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    let [detail] = &fault.details[..] else { panic!("{fault:?}") };
    assert_eq!((&*detail.parameter_name, detail.fault_code), (NAME, FaultCode::INVALID_PARAMETER_VALUE));
    assert_eq!((lab.cell.snapshot(), lab.output(), lab.log()), (before, file, Vec::new()));
}

#[test]
fn c13_a_value_that_nobody_named_is_not_the_fault_of_whoever_asks() {
    let mut lab = Lab::on_air();
    lab.cell.put(NAME, "a # b");
    let fault = set(&mut lab.cell, &[(TAC, cwmp::Value::unsigned_int(8))]).unwrap_err();
    assert_eq!((fault.code, fault.details.len()), (FaultCode::INTERNAL_ERROR, 0));
    assert!(fault.text.starts_with(NAME), "{fault}");
    let repaired = [(NAME, cwmp::Value::string("a")), (TAC, cwmp::Value::unsigned_int(8))];
    set(&mut lab.cell, &repaired).unwrap();
}

#[test]
fn c13_a_stack_that_does_not_start_gets_its_former_file_back_and_runs_again() {
    let mut lab = Lab::on_air();
    let (before, file) = (lab.cell.snapshot(), lab.output());
    lab.is_bad("restart", true);
    let fault = set(&mut lab.cell, &[(TAC, cwmp::Value::unsigned_int(8))]).unwrap_err();
    assert_eq!(fault.code, FaultCode::INTERNAL_ERROR);
    assert!(fault.text.contains("ended with exit status: 1"), "{fault}");
    assert_eq!((lab.cell.snapshot(), lab.output()), (before, file));
    lab.is_bad("restart", false);
    lab.cell.tick(START_TIME);
    assert_eq!(lab.log(), ["restart tac = 8", "restart tac = 7"]);
    assert!(is_up(&lab.cell) && lab.cell.alarms().is_empty());
}

#[test]
fn a19_a_stack_that_stays_broken_raises_an_alarm_and_is_tried_again_with_waits() {
    let mut lab = Lab::on_air();
    lab.is_bad("restart", true);
    set(&mut lab.cell, &[(TAC, cwmp::Value::unsigned_int(8))]).unwrap_err();
    lab.cell.tick(START_TIME);
    assert!(!is_up(&lab.cell));
    let expected = BTreeMap::from(
        [path::OP_STATE, path::RF_TX_STATUS].map(|place| (place.parse().unwrap(), Notify::Active)),
    );
    assert_eq!(lab.cell.changes(), expected);
    assert!(matches!(&lab.cell.alarms()[..], [AlarmNews::Raised(alarm)] if alarm.alarm_identifier == STACK));
    lab.cell.tick(START_TIME);
    assert_eq!(lab.log().len(), 2, "the wait is not over");
    assert_eq!(lab.cell.deadline(), Some(later(1)));
    lab.is_bad("restart", false);
    lab.cell.tick(later(1));
    assert_eq!(lab.log(), ["restart tac = 7"]);
    assert_eq!(lab.cell.alarms(), [AlarmNews::Cleared { alarm_identifier: STACK.to_owned() }]);
    assert!(is_up(&lab.cell));
}

#[test]
fn x05_a_silenced_radio_is_stopped_and_a_stack_that_does_not_stop_is_an_alarm() {
    let mut lab = Lab::on_air();
    lab.cell.silence(true);
    assert_eq!(lab.log(), ["stop tac = 7"]);
    lab.cell.silence(false);
    assert_eq!(lab.log(), ["restart tac = 7"]);
    lab.is_bad("stop", true);
    lab.cell.silence(true);
    assert_eq!(lab.cell.alarms().len(), 1);
    assert_eq!(set(&mut lab.cell, &[admin(false)]).unwrap_err().code, FaultCode::INTERNAL_ERROR);
}

#[test]
fn the_probe_says_whether_the_stack_serves() {
    let mut lab = Lab::new(true);
    lab.cell.tick(START_TIME);
    set(&mut lab.cell, &[admin(true)]).unwrap();
    assert!(!is_up(&lab.cell), "started is not serving");
    lab.cell.tick(START_TIME);
    assert!(is_up(&lab.cell));
    assert_eq!(lab.cell.deadline(), Some(later(10)));
    lab.is_bad("probe", true);
    lab.cell.tick(later(9));
    assert!(is_up(&lab.cell));
    lab.cell.tick(later(10));
    assert!(!is_up(&lab.cell));
}

#[test]
fn a_file_that_cannot_be_written_changes_nothing() {
    let mut lab = Lab::on_air();
    let before = lab.cell.snapshot();
    // A folder in the way fails for root too.
    fs::create_dir(lab.folder.path().join("enb.conf.new")).unwrap();
    assert_eq!(
        set(&mut lab.cell, &[(TAC, cwmp::Value::unsigned_int(8))]).unwrap_err().code,
        FaultCode::INTERNAL_ERROR
    );
    assert_eq!((lab.cell.snapshot(), lab.log()), (before, Vec::new()));
}

#[test]
fn a_stack_takes_no_files() {
    let mut lab = Lab::on_air();
    assert!(lab.cell.file_types().is_empty());
    assert!(lab.cell.install("1 Firmware Upgrade Image", b"HEARTH-IMAGE 2.0").is_err());
}

#[test]
fn w01_c23_an_image_is_started_by_the_program_that_is_named_for_it_or_not_at_all() {
    let mut lab = Lab::new(false);
    let image = |file: Option<&str>| BootImage { version: "2.0".to_owned(), file: file.map(Into::into) };
    assert!(!lab.cell.starts_images());
    let fault = lab.cell.start_image(&image(None), START_TIME).unwrap_err();
    assert_eq!((fault.code, &*fault.text), (FaultCode::DOWNLOAD_FAILURE, "device.file.boot is missing"));
    let script = format!("echo \"$0 $@\" >> {0}/log; [ ! -e {0}/boot.bad ]", lab.folder.path().display());
    lab.cell.stack.boot = Some(Program {
        file: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), script],
        limit: Duration::from_secs(10),
    });
    assert!(lab.cell.starts_images());
    lab.is_bad("boot", true);
    let fault = lab.cell.start_image(&image(Some("/images/2")), START_TIME).unwrap_err();
    assert!(fault.text.contains("exit status: 1"), "{fault}");
    assert_eq!(lab.cell.snapshot().journal.installs, 0, "what did not boot is not counted");
    lab.is_bad("boot", false);
    lab.cell.start_image(&image(None), START_TIME).unwrap();
    let journal = lab.cell.snapshot().journal;
    assert_eq!((journal.installs, journal.reboots), (1, 1));
    assert_eq!(lab.log(), ["-- 2.0 /images/2", "-- 2.0"]);
}

#[test]
fn w10_what_is_taken_back_reaches_the_stack_at_the_next_tick() {
    let mut lab = Lab::on_air();
    let former = lab.cell.memory().clone();
    set(&mut lab.cell, &[(TAC, cwmp::Value::unsigned_int(8))]).unwrap();
    lab.cell.revert(former, START_TIME);
    lab.cell.tick(START_TIME);
    assert_eq!(lab.log(), ["restart tac = 8", "restart tac = 7"]);
    assert!(is_up(&lab.cell) && lab.cell.value(TAC) == "7");
}
