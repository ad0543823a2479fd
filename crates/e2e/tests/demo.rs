//! The demo as a newcomer runs it, and what passed on the wire while it ran.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use e2e::{Process, SClient, demo_command, wait_for};
use profile::KeyPair;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(90);

/// A running demo in a folder of its own.
struct Demo {
    dir: tempfile::TempDir,
    process: Process,
    document: Value,
}

impl Demo {
    /// Starts it and waits for its document.
    fn start(cells: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = demo_command();
        command.args(["--output", "json", "--cells", &cells.to_string()]);
        command.arg("--dir").arg(dir.path().join("demo")).arg("--record").arg(dir.path().join("record"));
        let mut process = Process::start(&mut command, &dir.path().join("demo.log"));
        let document = wait_for("the demo's document", PATIENCE, || {
            assert!(process.ended().is_none(), "the demo ended: {}", process.log());
            process
                .log()
                .lines()
                .find(|line| line.starts_with('{'))
                // The line may be there in part only.
                .and_then(|line| serde_json::from_str(line).ok())
        });
        Self { dir, process, document }
    }

    fn text(&self, pointer: &str) -> &str {
        self.document.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
    }

    fn cells(&self) -> &[Value] {
        self.document.get("cells").and_then(Value::as_array).unwrap()
    }

    /// An operator's command against this demo, with its output as JSON.
    fn device(&self, arguments: &[&str]) -> Value {
        let mut command = e2e::hearth();
        command.args([
            "device",
            "--output",
            "json",
            "--api",
            self.text("/hems/api_url"),
            "--token-file",
            self.text("/hems/token_file"),
        ]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Queues a call, and gives its number.
    fn queue(&self, identity: &str, call: &Value) -> Value {
        self.device(&["call", identity, &call.to_string()]).get("id").cloned().unwrap()
    }

    /// Queues a call and waits until it has ended, well or not.
    fn call(&self, identity: &str, call: &Value) -> String {
        let text = call.to_string();
        let id = self.queue(identity, call);
        wait_for(&format!("the end of {text}"), PATIENCE, || {
            let device = self.device(&["show", identity]);
            let calls = device.get("calls").and_then(Value::as_array)?;
            let state =
                calls.iter().find(|call| call.get("id") == Some(&id))?.get("state")?.as_str()?.to_owned();
            matches!(state.as_str(), "done" | "failed").then_some(state)
        })
    }
}

/// A call for a file that is not there.
fn transfer(method: &str, key: &str, url: &str, more: &Value) -> Value {
    let mut call = json!({
        "CommandKey": key, "FileType": "1 Firmware Upgrade Image", "URL": url, "Username": "", "Password": "",
    });
    call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ method: call })
}

#[test]
fn d02_one_command_brings_cells_into_service_over_the_profile() {
    let mut demo = Demo::start(3);
    assert_eq!(demo.document.get("in_service"), Some(&json!(3)));
    let column = |name: &str| {
        demo.cells().iter().map(|cell| cell.get(name).unwrap().to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(column("pci").len(), 3, "each cell has a physical identity of its own");
    assert_eq!(column("tls_version"), BTreeSet::from(["\"TLSv1.2\"".to_owned()]));
    assert!(column("suite").iter().all(|suite| suite.contains("AES_") && suite.contains("_CBC_SHA")));
    let spare =
        KeyPair { chain: demo.text("/pki/spare_cert").into(), key: demo.text("/pki/spare_key").into() };
    let address = demo.text("/hems/cwmp_url").replace("https://localhost:", "127.0.0.1:");
    let address = address.trim_end_matches('/').parse().unwrap();
    let arguments = ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"];
    assert!(SClient::new(address, &arguments).with(&spare).post_nothing().is_some());
    let table = e2e::hearth()
        .args([
            "device",
            "--api",
            demo.text("/hems/api_url"),
            "--token-file",
            demo.text("/hems/token_file"),
            "list",
        ])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&table.stdout).lines().count(),
        5,
        "a heading, three cells, the spare one"
    );
    assert!(demo.process.terminate().success());
}

#[test]
fn a_second_demo_leaves_the_first_alone_and_an_early_end_is_no_success() {
    let mut demo = Demo::start(1);
    let again = |arguments: &[&str]| {
        demo_command().args(arguments).arg("--dir").arg(demo.dir.path().join("demo")).output().unwrap()
    };
    let second = again(&["--once", "--cells", "1"]);
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains("a demo runs in"));
    assert!(demo.process.ended().is_none());
    assert!(demo.process.terminate().success());
    let mut early = demo_command();
    early.args(["--once", "--cells", "1", "--dir"]).arg(demo.dir.path().join("other"));
    let mut early = Process::start(&mut early, &demo.dir.path().join("early.log"));
    wait_for("the start of the H(e)MS", PATIENCE, || early.log().contains("starts at").then_some(()));
    assert_eq!(early.terminate().code(), Some(1), "{}", early.log());
}

#[test]
fn a_kept_demo_counts_only_what_happens_now() {
    let dir = tempfile::tempdir().unwrap();
    let run = || {
        let output = demo_command()
            .args(["--once", "--keep", "--cells", "1", "--output", "json", "--dir"])
            .arg(dir.path().join("demo"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document.pointer("/cells/0/last_inform").and_then(Value::as_str).unwrap().to_owned()
    };
    let first = run();
    assert!(run() > first);
}

#[test]
fn p01_h18_h20_every_message_of_a_demo_run_is_valid_and_of_every_kind() {
    let mut demo = Demo::start(2);
    let identity = demo
        .cells()
        .first()
        .and_then(|cell| cell.get("identity"))
        .and_then(Value::as_str)
        .unwrap()
        .to_owned();
    let unknown = json!({"GetParameterValues": {"ParameterNames": ["Device.NoSuchThing"]}});
    assert_eq!(demo.call(&identity, &unknown), "failed");
    let url = format!("{}no-such-file", demo.text("/hems/cwmp_url"));
    let download = json!({
        "FileSize": 0, "TargetFileName": "", "DelaySeconds": 0, "SuccessURL": "", "FailureURL": "",
    });
    assert_eq!(demo.call(&identity, &transfer("Download", "image", &url, &download)), "failed");
    let upload = json!({"FileType": "1 Vendor Configuration File", "DelaySeconds": 0});
    assert_eq!(demo.call(&identity, &transfer("Upload", "config", &url, &upload)), "failed");
    let attributes = json!({
        "Name": "Device.DeviceInfo.SoftwareVersion", "NotificationChange": false, "Notification": 0,
        "AccessListChange": false, "AccessList": [],
    });
    for call in [
        json!({"GetQueuedTransfers": {}}),
        json!({"GetAllQueuedTransfers": {}}),
        json!({"SetParameterAttributes": {"ParameterList": [attributes]}}),
        json!({"GetParameterAttributes": {"ParameterNames": ["Device.DeviceInfo.SoftwareVersion"]}}),
        json!({"ScheduleInform": {"DelaySeconds": 1, "CommandKey": "soon"}}),
        json!({"Reboot": {"CommandKey": "again"}}),
        json!({"FactoryReset": {}}),
    ] {
        assert_eq!(demo.call(&identity, &call), "done", "{call}");
    }
    assert!(demo.process.terminate().success());
    let record = demo.dir.path().join("record");
    let hems = messages(&record.join("hems"));
    let cells: Vec<PathBuf> = fs::read_dir(&record).unwrap().map(|entry| entry.unwrap().path()).collect();
    let cells = cells.iter().filter(|folder| !folder.ends_with("hems")).flat_map(|folder| messages(folder));
    let unmatched = unmatched(&contents(&hems), &contents(&cells.collect::<Vec<_>>()));
    assert!(unmatched.len() <= demo.cells().len(), "seen at one end only: {unmatched:#?}");
    let messages = decoded(&hems);
    assert_eq!(kinds(&messages), expected_kinds(&messages));
    let Some(oracles) = oracles::folder("p01_h18_h20_every_message_of_a_demo_run_is_valid_and_of_every_kind")
    else {
        return;
    };
    let verdict = Command::new(oracles.join("bin/validate-cwmp")).args(&hems).output().unwrap();
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
}

/// The files of one end that hold an envelope.
fn messages(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| fs::metadata(file).unwrap().len() > 0).collect()
}

/// What one end saw oftener than the other: a cell that is stopped in mid-session may have missed the last message.
fn unmatched(one: &BTreeMap<String, usize>, other: &BTreeMap<String, usize>) -> Vec<String> {
    let all: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let difference =
        |text: &str| one.get(text).copied().unwrap_or(0).abs_diff(other.get(text).copied().unwrap_or(0));
    all.into_iter().flat_map(|text| std::iter::repeat_n(text.clone(), difference(text))).collect()
}

/// How often each message was seen.
fn contents(files: &[PathBuf]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for file in files {
        *counts.entry(fs::read_to_string(file).unwrap()).or_default() += 1;
    }
    counts
}

/// What `hearth cwmp decode` makes of each file.
fn decoded(files: &[PathBuf]) -> Vec<Value> {
    let output = e2e::hearth().args(["cwmp", "decode"]).args(files).output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn method(message: &Value) -> &str {
    message.get("method").and_then(Value::as_str).unwrap()
}

fn kinds(messages: &[Value]) -> BTreeSet<String> {
    messages.iter().map(|message| method(message).to_owned()).collect()
}

/// Every method that the cell says it offers and every call that it makes, with their responses, and the fault.
fn expected_kinds(messages: &[Value]) -> BTreeSet<String> {
    let list = messages.iter().find(|message| method(message) == "GetRPCMethodsResponse").unwrap();
    let list = list.pointer("/body/MethodList").and_then(Value::as_array).unwrap();
    // These came with CWMP 1.2, and cells are spoken to in 1.1.
    let is_too_new = |name: &&str| ["ScheduleDownload", "CancelTransfer"].contains(name);
    let offered = list.iter().filter_map(Value::as_str).filter(|name| !is_too_new(name));
    let names = offered.chain(["Inform", "TransferComplete"]);
    names.flat_map(|name| [name.to_owned(), format!("{name}Response")]).chain(["Fault".to_owned()]).collect()
}
