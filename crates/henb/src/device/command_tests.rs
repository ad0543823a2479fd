//! Claims about a vendor's program: whatever it does, the agent's values are whole, and the ACS gets a fault.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write as _},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    sync::{Arc, mpsc},
    time::Instant,
};

use jiff::SignedDuration;

use super::{super::Program, *};
use crate::device::{Notify, factory::sample};

const START_TIME: Timestamp = Timestamp::UNIX_EPOCH;
const PATIENCE: Duration = Duration::from_secs(20);
const PLMN: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.";
const TAC: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC";
const PCI: &str = "Device.Services.FAPService.1.CellConfig.LTE.RAN.RF.PhyCellID";

fn later(seconds: i64) -> Timestamp {
    START_TIME + SignedDuration::from_secs(seconds)
}

fn path(text: &str) -> datamodel::Path {
    datamodel::Path::parse(text).unwrap()
}

/// A cell whose radio is a shell script with the operation in $1 and `$LOG` to write to.
struct Lab {
    folder: tempfile::TempDir,
    cell: Command,
}

impl Lab {
    fn new(script: &str) -> Self {
        Self::with(script, Duration::from_secs(10))
    }

    fn with(script: &str, limit: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let text = format!("LOG={}\necho \"$@\" >> $LOG\n{script}\n", log.display());
        let program = Program { file: "/bin/sh".into(), arguments: vec!["-c".to_owned(), text], limit };
        let way = Way::Program { program, poll: Some(Duration::from_secs(10)) };
        let mut cell = Command::new(&sample(), &way, folder.path(), None);
        cell.power_on(START_TIME);
        Self { folder, cell }
    }

    /// Everything that was run since the last question.
    fn log(&self) -> Vec<String> {
        let file = self.folder.path().join("log");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        text.lines().map(str::to_owned).collect()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn started(script: &str) -> Self {
        let mut lab = Self::new(script);
        lab.cell.tick(START_TIME);
        assert_eq!(lab.log(), ["start on"]);
        lab
    }
}

fn set(cell: &mut Command, list: &[(&str, cwmp::Value)]) -> Result<(), Fault> {
    let entry =
        |(name, value): &(&str, cwmp::Value)| ParameterValueStruct::new((*name).to_owned(), value.clone());
    let list: Vec<_> = list.iter().map(entry).collect();
    cell.set(&list, START_TIME)
}

fn set_tac(cell: &mut Command) -> Result<(), Fault> {
    set(cell, &[(TAC, cwmp::Value::unsigned_int(7)), (path::S1_SERVERS, cwmp::Value::string("192.0.2.1"))])
}

#[test]
fn start_hands_over_what_is_the_radio_s_and_nothing_else() {
    let lab = Lab::started("cat > $LOG.in");
    let request: serde_json::Value = serde_json::from_str(&lab.file("log.in")).unwrap();
    let values = request["values"].as_object().unwrap();
    assert_eq!((&request["operation"], &request["arguments"][0]), (&"start".into(), &"on".into()));
    assert_eq!(values[path::ADMIN_STATE], "false");
    assert_eq!(values[&format!("{PLMN}1.PLMNID")], "00101");
    let agents = ["Device.ManagementServer.", "Device.DeviceInfo.", "Device.Time.", "Device.FaultMgmt."];
    assert!(values.keys().all(|name| agents.iter().all(|object| !name.starts_with(object))), "{values:?}");
}

#[test]
fn c13_one_call_carries_all_values_and_a_refusal_changes_nothing() {
    let refusal =
        format!(r#"{{"fault": {{"parameters": [{{"name": "{TAC}", "code": 9007, "text": "even"}}]}}}}"#);
    let mut lab = Lab::started(&format!("cat > $LOG.$1; [ $1 != set ] || echo '{refusal}'"));
    let before = lab.cell.snapshot();
    let fault = set_tac(&mut lab.cell).unwrap_err();
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    assert_eq!((&*fault.details[0].parameter_name, &*fault.details[0].fault_string), (TAC, "even"));
    assert_eq!(lab.cell.snapshot(), before);
    assert_eq!(lab.log(), ["set"]);
    let request: serde_json::Value = serde_json::from_str(&lab.file("log.set")).unwrap();
    assert_eq!(request["values"], serde_json::json!({TAC: "7", path::S1_SERVERS: "192.0.2.1"}));
    assert!(lab.cell.is_started, "a refusal is an answer");
}

#[test]
fn c13_a_bad_value_never_reaches_the_vendor_and_the_agent_s_own_neither() {
    let mut lab = Lab::started("");
    let bad = [(TAC, cwmp::Value::unsigned_int(7)), (PCI, cwmp::Value::boolean(true))];
    assert_eq!(set(&mut lab.cell, &bad).unwrap_err().details.len(), 1);
    set(&mut lab.cell, &[(path::PERIODIC_INTERVAL, cwmp::Value::unsigned_int(60))]).unwrap();
    assert!(lab.log().is_empty());
    assert_eq!(lab.cell.value(path::PERIODIC_INTERVAL), "60");
}

#[test]
fn a_crash_a_hang_garbage_and_a_flood_are_a_fault_and_then_the_radio_hears_of_everything_again() {
    let start = Instant::now();
    for (bad, limit) in [
        ("kill -SEGV $$", 10_000),
        ("exit 1", 10_000),
        ("sleep 600", 300),
        ("echo segfault", 10_000),
        ("echo '{\"valeus\": {}}'", 10_000),
        ("exec cat /dev/zero", 10_000),
    ] {
        let script = format!("case $1 in start) cat > $LOG.in;; set) {bad};; esac");
        let mut lab = Lab::with(&script, Duration::from_millis(limit));
        lab.cell.tick(START_TIME);
        lab.cell.memory.change(path::OP_STATE, "true");
        lab.cell.changes();
        let before = lab.cell.snapshot().tree.values[&path(TAC)].clone();
        assert_eq!(set_tac(&mut lab.cell).unwrap_err().code, FaultCode::INTERNAL_ERROR, "{bad}");
        assert_eq!(lab.cell.value(TAC), before);
        assert_eq!(lab.cell.changes(), BTreeMap::from([(path(path::OP_STATE), Notify::Active)]));
        lab.log();
        // Until the wait is over nobody waits for it again.
        lab.cell.tick(START_TIME);
        assert_eq!(set_tac(&mut lab.cell).unwrap_err().code, FaultCode::INTERNAL_ERROR);
        assert!(lab.log().is_empty());
        assert_eq!(lab.cell.deadline(), Some(later(1)));
        lab.cell.tick(later(1));
        assert_eq!(lab.log(), ["start on"]);
        let request: serde_json::Value = serde_json::from_str(&lab.file("log.in")).unwrap();
        assert_eq!(request["values"][TAC], *before);
    }
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn a19_a_radio_that_stays_away_raises_an_alarm_once_and_clears_it() {
    let mut lab = Lab::new("[ -e $LOG.good ]");
    for seconds in [0, 1, 3, 7, 15, 31] {
        lab.cell.tick(later(seconds));
    }
    assert_eq!(lab.log().len(), 6);
    let news = lab.cell.alarms();
    let [AlarmNews::Raised(alarm)] = &news[..] else { panic!("{news:?}") };
    assert_eq!(
        (alarm.alarm_identifier.as_str(), alarm.perceived_severity),
        (LOST, PerceivedSeverity::Critical)
    );
    fs::write(lab.folder.path().join("log.good"), "").unwrap();
    lab.cell.tick(later(63));
    assert_eq!(lab.cell.alarms(), [AlarmNews::Cleared { alarm_identifier: LOST.to_owned() }]);
    set_tac(&mut lab.cell).unwrap();
}

#[test]
fn c19_rows_are_made_and_removed_with_the_radio_or_not_at_all() {
    let mut lab = Lab::started("cat > $LOG.$1; [ ! -e $LOG.bad ] || echo '{\"fault\": {\"code\": 9004}}'");
    assert_eq!(lab.cell.add(&path(PLMN)), Ok(2));
    let request: serde_json::Value = serde_json::from_str(&lab.file("log.add")).unwrap();
    assert_eq!(request["values"][format!("{PLMN}2.Enable")], "false");
    fs::write(lab.folder.path().join("log.bad"), "").unwrap();
    let before = lab.cell.snapshot();
    assert_eq!(lab.cell.add(&path(PLMN)).unwrap_err().code, FaultCode::RESOURCES_EXCEEDED);
    assert_eq!(lab.cell.delete(&path(&format!("{PLMN}1."))).unwrap_err().code, FaultCode::RESOURCES_EXCEEDED);
    assert_eq!(lab.cell.snapshot(), before);
    assert_eq!(lab.log(), [format!("add {PLMN} 2"), format!("add {PLMN} 3"), format!("delete {PLMN}1.")]);
}

#[test]
fn c03_x08_what_the_radio_tells_is_a_change_by_itself_within_what_it_may_tell() {
    let values = [
        (path::OP_STATE, "true"),
        (path::ADMIN_STATE, "true"),
        (path::URL, "https://elsewhere.example/"),
        ("Device.DeviceInfo.SerialNumber", "stolen"),
        (path::SOFTWARE, "2.0.1"),
        (path::TAMPERED, "true"),
        (TAC, "no number"),
        ("Device.Nothing", "1"),
    ];
    let told = serde_json::json!({"values": BTreeMap::from(values), "link": false, "gps_time": "2026-11-28T00:00:00Z"});
    let mut lab = Lab::started(&format!("[ $1 != poll ] || echo '{told}'"));
    let before = lab.cell.snapshot().tree.values;
    lab.cell.tick(later(10));
    assert_eq!(lab.log(), ["poll"]);
    let after = lab.cell.snapshot().tree.values;
    let changed =
        after.iter().filter(|(path, value)| before[*path] != **value).map(|(path, _)| path.as_str());
    assert_eq!(changed.collect::<Vec<_>>(), [path::SOFTWARE, path::TAMPERED, path::OP_STATE]);
    let told: Vec<_> = lab.cell.changes().into_keys().collect();
    assert_eq!(told, [path(path::SOFTWARE), path(path::OP_STATE)]);
    assert!(!lab.cell.conditions().has_link);
    assert!(lab.cell.gps_time(START_TIME).is_some() && lab.cell.gps_time(START_TIME).is_none());
}

#[test]
fn m09_a_broken_seal_stays_broken_whatever_the_radio_says() {
    let mut lab =
        Lab::started(&format!("[ $1 != get ] || echo '{{\"values\": {{\"{}\": false}}}}'", path::TAMPERED));
    lab.cell.memory.change(path::TAMPERED, "true");
    lab.cell.fetch(&[path("Device.Services.")]).unwrap();
    assert_eq!(lab.cell.value(path::TAMPERED), "true");
}

#[test]
fn values_are_asked_for_where_they_may_be_the_radio_s() {
    let mut lab = Lab::started(&format!("[ $1 != get ] || echo '{{\"values\": {{\"{TAC}\": 9}}}}'"));
    lab.cell.fetch(&[path("Device.ManagementServer."), path(path::UP_TIME)]).unwrap();
    assert!(lab.log().is_empty());
    lab.cell.fetch(&[path("Device.ManagementServer."), path(TAC), path("Device.DeviceInfo.")]).unwrap();
    assert_eq!(lab.log(), [format!("get {TAC} Device.DeviceInfo.")]);
    assert_eq!(lab.cell.value(TAC), "9");
    lab.cell.fetch(&[path("")]).unwrap();
    assert_eq!(lab.log(), ["get "]);
    lab.cell.fetch(&vec![path(TAC); 5_000]).unwrap();
    assert_eq!(lab.log(), ["get Device."]);
}

#[test]
fn x05_silence_is_handed_over_and_known_after_a_new_start() {
    let mut lab = Lab::started("");
    lab.cell.silence(true);
    lab.cell.silence(true);
    assert_eq!(lab.log(), ["air off"]);
    lab.cell.lose("for the test");
    lab.cell.tick(later(1));
    assert_eq!(lab.log(), ["start off"]);
    lab.cell.silence(false);
    assert_eq!(lab.log(), ["air on"]);
}

#[test]
fn m08_after_a_reboot_and_a_reset_the_radio_is_started_locked() {
    let mut lab = Lab::started("cat > $LOG.in");
    set(&mut lab.cell, &[(path::ADMIN_STATE, cwmp::Value::boolean(true))]).unwrap();
    lab.cell.reboot(START_TIME);
    lab.cell.tick(START_TIME);
    assert_eq!(lab.log(), ["set", "reboot", "start on"]);
    assert!(lab.file("log.in").contains(&format!("\"{}\":\"false\"", path::ADMIN_STATE)));
    lab.cell.factory_reset(START_TIME);
    lab.cell.tick(START_TIME);
    assert_eq!(lab.log(), ["factory-reset", "start on"]);
}

#[test]
fn w07_the_radio_boots_the_image_or_says_why_not() {
    let mut lab =
        Lab::started("case $2 in 9.0) echo '{\"fault\": {\"code\": 9010, \"text\": \"no kernel\"}}';; esac");
    let image = |version: &str, file: Option<&str>| BootImage {
        version: version.to_owned(),
        file: file.map(Into::into),
    };
    let refused = lab.cell.start_image(&image("9.0", Some("/images/9")), START_TIME).unwrap_err();
    assert_eq!(
        (refused.code, refused.text.contains("no kernel")),
        (FaultCode::DOWNLOAD_FAILURE, true),
        "{refused:?}"
    );
    lab.cell.start_image(&image("8.0", None), START_TIME).unwrap();
    lab.cell.tick(START_TIME);
    assert_eq!(lab.log(), ["boot 9.0 /images/9", "boot 8.0 ", "start on"]);
}

#[test]
fn a_file_is_installed_from_a_private_place_and_the_counters_come_back() {
    let counted =
        r#"{"measurements": [{"object": "Cell=1", "counter": "RRC.ConnEstabAtt.Sum", "value": 12}]}"#;
    let script = format!("case $1 in install) cp -p \"$3\" $LOG.image;; measure) echo '{counted}';; esac");
    let mut lab = Lab::started(&script);
    lab.cell.install("1 Firmware Upgrade Image", b"image").unwrap();
    assert_eq!(lab.file("log.image"), "image");
    let mode = fs::metadata(lab.folder.path().join("log.image")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!lab.folder.path().join("install").exists());
    let period = Period { begin: START_TIME, end: later(900) };
    let found = lab.cell.measurements(&period).unwrap();
    assert_eq!((found[0].counter.as_str(), found[0].value.as_str()), ("RRC.ConnEstabAtt.Sum", "12"));
    assert_eq!(lab.log()[1], "measure 1970-01-01T00:00:00Z 1970-01-01T00:15:00Z");
    lab.cell.lose("for the test");
    assert_eq!(lab.cell.measurements(&period).unwrap_err().code, FaultCode::INTERNAL_ERROR);
}

/// A vendor's process, played line by line.
struct Vendor {
    listener: UnixListener,
    cell: Command,
    woken: mpsc::Receiver<()>,
    _folder: tempfile::TempDir,
}

struct Peer(BufReader<UnixStream>);

impl Vendor {
    fn new(limit: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("radio.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let mut cell = Command::new(&sample(), &Way::Socket { path, limit }, folder.path(), None);
        let (wake, woken) = mpsc::channel();
        let wake = std::sync::Mutex::new(wake);
        cell.subscribe(Arc::new(move || {
            let _ = wake.lock().unwrap().send(());
        }));
        cell.power_on(START_TIME);
        Self { listener, cell, woken, _folder: folder }
    }

    /// Runs the cell on a thread beside the played process.
    fn beside<T: Send>(
        &mut self,
        work: impl FnOnce(&mut Command) -> T + Send,
        play: impl FnOnce(&UnixListener),
    ) -> T {
        let (listener, cell) = (&self.listener, &mut self.cell);
        std::thread::scope(|scope| {
            let work = scope.spawn(move || work(cell));
            play(listener);
            work.join().unwrap()
        })
    }

    fn start(&mut self, now: Timestamp) -> Peer {
        let mut peer = None;
        self.beside(
            |cell| cell.tick(now),
            |listener| {
                let mut accepted = Peer::accept(listener);
                assert_eq!(accepted.answer("{}"), "start");
                peer = Some(accepted);
            },
        );
        assert!(self.cell.is_started);
        peer.unwrap()
    }

    /// Ticks whenever the cell is woken, until something is so.
    fn until(&mut self, is_so: impl Fn(&Command) -> bool) {
        while !is_so(&self.cell) {
            self.woken.recv_timeout(PATIENCE).expect("the cell is woken");
            self.cell.tick(START_TIME);
        }
    }
}

impl Peer {
    fn accept(listener: &UnixListener) -> Self {
        Self(BufReader::new(listener.accept().unwrap().0))
    }

    fn read(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn say(&mut self, text: &str) {
        // The cell may have given up meanwhile.
        let _ = self.0.get_mut().write_all(text.as_bytes());
    }

    /// Answers the next request, and gives its operation.
    fn answer(&mut self, answer: &str) -> String {
        let request = self.read();
        let answer = answer.replacen('{', &format!("{{\"id\": {}, ", request["id"]), 1).replace(", }", "}");
        self.say(&format!("{answer}\n"));
        request["operation"].as_str().unwrap().to_owned()
    }
}

#[test]
fn c03_a_process_may_push_changes_and_alarms_and_the_agent_is_woken() {
    let mut vendor = Vendor::new(PATIENCE);
    let mut peer = vendor.start(START_TIME);
    peer.say(&format!("{{\"values\": {{\"{}\": true}}}}\n", path::OP_STATE));
    vendor.until(|cell| cell.value(path::OP_STATE) == "true");
    assert_eq!(vendor.cell.changes(), BTreeMap::from([(path(path::OP_STATE), Notify::Active)]));
    peer.say(r#"{"alarms": [{"NotificationType": "ClearedAlarm", "AlarmIdentifier": "s1"}]}"#);
    peer.say("\n");
    vendor.until(|cell| !cell.alarms.is_empty());
    assert_eq!(vendor.cell.alarms(), [AlarmNews::Cleared { alarm_identifier: "s1".to_owned() }]);
}

#[test]
fn news_between_a_call_and_its_answer_is_kept() {
    let mut vendor = Vendor::new(PATIENCE);
    let mut peer = vendor.start(START_TIME);
    let outcome = vendor.beside(set_tac, |_| {
        let id = peer.read()["id"].to_string();
        peer.say(&format!("{{\"values\": {{\"{}\": true}}}}\n{{\"id\": {id}}}\n", path::OP_STATE));
    });
    assert_eq!(outcome, Ok(()));
    vendor.cell.tick(START_TIME);
    assert_eq!(
        (vendor.cell.value(TAC), vendor.cell.value(path::OP_STATE)),
        ("7".to_owned(), "true".to_owned())
    );
}

#[test]
fn a_process_that_ends_is_noticed_at_once_and_connected_to_again_with_all_values() {
    let mut vendor = Vendor::new(PATIENCE);
    let mut peer = vendor.start(START_TIME);
    vendor.beside(set_tac, |_| assert_eq!(peer.answer("{}"), "set")).unwrap();
    drop(peer);
    vendor.until(|cell| !cell.is_started);
    assert_eq!(vendor.cell.deadline(), Some(later(1)));
    let mut again = None;
    vendor.beside(
        |cell| cell.tick(later(1)),
        |listener| {
            let mut peer = Peer::accept(listener);
            let request = peer.read();
            assert_eq!(request["values"][TAC], "7");
            peer.say(&format!("{{\"id\": {}}}\n", request["id"]));
            again = Some(peer);
        },
    );
    assert!(vendor.cell.is_started && again.is_some());
}

#[test]
fn a_process_that_breaks_the_protocol_is_left_and_the_call_is_a_fault() {
    let endless = "x".repeat(2 << 20);
    for (limit, said) in [
        (PATIENCE, "ok\n".to_owned()),
        (PATIENCE, "{\"id\": 1}\n".to_owned()),
        (PATIENCE, "{\"values\": 1}\n".to_owned()),
        (PATIENCE, endless),
        (Duration::from_secs(2), String::new()),
        (PATIENCE, "EOF".to_owned()),
    ] {
        let mut vendor = Vendor::new(limit);
        let mut peer = Some(vendor.start(START_TIME));
        let outcome = vendor.beside(set_tac, |_| {
            let held = peer.as_mut().unwrap();
            held.read();
            if said == "EOF" {
                peer = None;
            } else {
                held.say(&said);
            }
        });
        assert_eq!(outcome.unwrap_err().code, FaultCode::INTERNAL_ERROR, "{said:.20}");
        assert!(!vendor.cell.is_started);
        assert_eq!(vendor.cell.value(TAC), "0");
    }
}

#[test]
fn nobody_behind_the_socket_is_a_fault_without_a_wait() {
    let mut vendor = Vendor::new(PATIENCE);
    let path = vendor._folder.path().join("radio.sock");
    fs::remove_file(path).unwrap();
    let start = Instant::now();
    vendor.cell.tick(START_TIME);
    assert_eq!(set_tac(&mut vendor.cell).unwrap_err().code, FaultCode::INTERNAL_ERROR);
    assert!(start.elapsed() < PATIENCE / 2);
}

#[test]
fn more_news_than_can_wait_ends_the_connection() {
    let mut vendor = Vendor::new(PATIENCE);
    let mut peer = vendor.start(START_TIME);
    let flood: BTreeMap<String, u32> = (0..6_000).map(|number| (number.to_string(), number)).collect();
    peer.say(&format!("{}\n", serde_json::json!({"values": flood})));
    vendor.until(|cell| !cell.is_started);
    let mut rest = String::new();
    assert_eq!(peer.0.read_line(&mut rest).unwrap(), 0);
}
