//! The operator's commands against a running H(e)MS: what each prints for people and for programs, and what it says of
//! what cannot be.
//!
//! ```text
//!  hearth NOUN VERB ─▶ exit code 0: as asked, 1: the answer is no, 2: could not do it
//! ```

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use e2e::{Process, World, hearth, wait_for};
use serde_json::{Value, json};

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";

/// What a command answered.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Words of a command; what stands between ticks is one.
fn words(line: &str) -> Vec<String> {
    let split = |(index, part): (usize, &str)| {
        let part = part.to_owned();
        if index % 2 == 1 { vec![part] } else { part.split_whitespace().map(str::to_owned).collect() }
    };
    line.split('`').enumerate().flat_map(split).collect()
}

fn run(world: &World, line: &str) -> Said {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = world.operate(&words);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// What a command prints for people; it has to do as asked.
fn table(world: &World, line: &str) -> String {
    let said = run(world, line);
    assert_eq!(said.code, Some(0), "{line}: {said:?}");
    said.out
}

/// What it prints for programs.
fn json_of(world: &World, line: &str) -> Value {
    let text = table(world, &format!("{line} --output json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
}

/// A command that does not do as asked says why.
fn fails(world: &World, line: &str, code: i32, why: &str) {
    let said = run(world, line);
    assert_eq!(said.code, Some(code), "{line}: {said:?}");
    assert!(said.err.contains(why) && said.out.is_empty(), "{line}: {said:?}");
}

/// Whether one line of a table has all these words.
fn has_row(table: &str, words: &[&str]) -> bool {
    table.lines().any(|line| words.iter().all(|word| line.split_whitespace().any(|cell| cell == *word)))
}

fn world(name: &str, more: &str) -> (World, Process) {
    let world = World::new(name);
    let mut config = OpenOptions::new().append(true).open(world.hems_config()).unwrap();
    config.write_all(more.as_bytes()).unwrap();
    let server = world.serve();
    (world, server)
}

fn identity(number: u8) -> String {
    format!("00005e0053{number:02x}.hnb.example")
}

/// Admits cells that never called.
fn admit(world: &World, numbers: &[u8]) {
    for number in numbers {
        let serial = format!("00005E0053{number:02X}");
        let cell = identity(*number);
        let line =
            format!("device admit {cell} --oui 00005E --product-class SimulatedCell --serial {serial}");
        table(world, &line);
    }
}

fn file(world: &World, name: &str, text: &str) -> String {
    let file = world.dir().join(name);
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn o12_what_cannot_be_is_said_with_what_would_be_right() {
    let (world, server) = world("commands-wrong", "");
    for (line, why) in [
        ("template show none", "no such template"),
        ("template history none", "no such template"),
        ("change show 99", "no such change"),
        ("file show 99", "there is no such file"),
        ("file fetch 99", "there is no such file"),
        ("webhook show 99", "there is no such webhook"),
        ("webhook deliveries 99", "there is no such webhook"),
        ("radio-off show 99", "no such emergency"),
        ("pool show none", "no such pool"),
        ("device show 00005e0053ff.hnb.example", "no such device"),
        ("device lock 00005e0053ff.hnb.example", "no such device"),
        ("freeze show", "nothing is frozen"),
        ("freeze end", "nothing is frozen"),
    ] {
        fails(&world, line, 1, why);
    }
    let torn = file(&world, "torn.json", "{\"values\": ");
    let wrong = file(&world, "wrong.json", "{\"values\": {\"Device.Nothing\": 1}}");
    for (line, why) in [
        ("device list `colour = red`", "a filter has no field `colour`"),
        ("device export `site =`", "a filter needs"),
        ("radio-off order `colour = red` --reason x", "a filter has no field `colour`"),
        ("template put all /nowhere.json", "cannot read /nowhere.json"),
        (&format!("template put all {torn}"), "torn.json: EOF while parsing"),
        (&format!("template put all {wrong}"), "Device.Nothing"),
        (&format!("template preview all {wrong}"), "Device.Nothing"),
        ("file add /nowhere --kind log", "cannot read /nowhere"),
        ("file add /dev/null --kind configuration --name x", "empty"),
        ("webhook add http://hooks.example/", "https"),
        ("webhook add https://hooks.example/ --type alarm", "`alarm` is no type of event; there are:"),
        ("event listen --type alarm", "`alarm` is no type of event; there are:"),
        ("file list --kind picture", "[possible values: firmware, configuration, log, measurement]"),
        ("device set 00005e005301.hnb.example rack", "that is PARAMETER=VALUE"),
        ("change show many", "invalid value 'many'"),
        ("freeze begin", "--reason <REASON>"),
        ("device lists", "a similar subcommand exists: 'list'"),
    ] {
        fails(&world, line, 2, why);
    }
    drop(server);
    fails(&world, "change list", 2, "cannot reach the H(e)MS at 127.0.0.1:");
    let output = hearth().args(["change", "list", "--token-file", "/nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot read the token in /nowhere"));
}

#[test]
fn o12_templates_and_values_have_versions_and_a_way_back() {
    let (world, _server) = world("commands-desired", "");
    assert_eq!(table(&world, "template list"), "none\n");
    let [first, second] = [60, 90].map(|seconds| {
        file(
            &world,
            &format!("{seconds}.json"),
            &json!({"priority": 3, "values": {INTERVAL: seconds}}).to_string(),
        )
    });
    table(&world, &format!("template put slow {first} --reason `once a minute`"));
    assert!(has_row(&table(&world, "template list"), &["slow", "3", "1", "local"]));
    table(&world, &format!("template put slow {second} --draft"));
    assert_eq!(json_of(&world, "template show slow")["applied_version"], 1);
    let shown = table(&world, "template show slow");
    assert!(has_row(&shown, &[&format!("values.{INTERVAL}"), "90"]), "{shown}");
    let preview = table(&world, &format!("template preview slow {second}"));
    assert!(preview.contains("devices that would be changed: 0; that would not: 0"), "{preview}");
    assert_eq!(json_of(&world, "template preview slow")["items"], json!([]));
    table(&world, "template apply slow 2");
    table(&world, "template apply slow 1 --reason `the way back`");
    let history = json_of(&world, "template history slow");
    assert_eq!((&history[0]["version"], &history[0]["applied_version"]), (&json!(2), &json!(1)));
    assert!(table(&world, "template history slow").contains("once a minute"));
    fails(&world, "template apply slow 7", 1, "there is no such version");
    table(&world, "template delete slow");
    assert_eq!(json_of(&world, "template list"), json!([]));

    admit(&world, &[1]);
    let cell = identity(1);
    let own = file(&world, "own.json", &json!({"values": {INTERVAL: 30}}).to_string());
    fails(&world, &format!("values show {cell}"), 1, "nothing is wanted of this device alone");
    table(&world, &format!("values put {cell} {own} --reason `a test`"));
    assert_eq!(json_of(&world, &format!("values show {cell}"))["values"][INTERVAL], 30);
    table(&world, &format!("values put {cell} {own} --draft"));
    table(&world, &format!("values apply {cell} 2"));
    assert!(has_row(&table(&world, &format!("values history {cell}")), &["2", "local"]));
    table(&world, &format!("values delete {cell}"));

    table(&world, "pool put pci 0 503");
    assert!(has_row(&table(&world, "pool list"), &["pci", "0", "503"]));
    assert_eq!(json_of(&world, "pool show pci")["last"], 503);
}

#[test]
fn o12_o04_changes_the_freeze_and_emergencies_are_decided_by_command() {
    let (world, _server) = world("commands-changes", "\n[changes]\ncells_per_hour = 1\n");
    let cell = world.cell(1);
    world.configure(3600);
    let _henbd = world.henbd(&cell);
    drop(world.wait_in_service(&cell.identity));
    let mut numbers = Vec::new();
    for seconds in [1800, 900] {
        let template = json!({"priority": 9, "values": {INTERVAL: seconds}}).to_string();
        let saved = json_of(&world, &format!("template put quick {}", file(&world, "quick.json", &template)));
        numbers.push(saved["change"]["id"].as_u64().unwrap_or_else(|| panic!("{saved}")));
        let id = numbers.last().unwrap();
        assert!(has_row(&table(&world, "change list"), &[&id.to_string(), "quick", "running"]));
        let stopped = json_of(&world, &format!("change stop {id} --reason `not now`"));
        assert_eq!(stopped["state"], "stopped", "{stopped}");
        assert!(has_row(&table(&world, &format!("change show {id}")), &["state", "stopped"]));
        fails(&world, &format!("change approve {id}"), 2, "409 Conflict: the change is stopped");
        table(&world, &format!("change resume {id}"));
        let end = if seconds == 1800 { "finish" } else { "withdraw" };
        table(&world, &format!("change {end} {id}"));
    }
    let changes = json_of(&world, "change list");
    let state =
        |id: &u64| changes.as_array().unwrap().iter().find(|row| row["id"] == *id).unwrap()["state"].clone();
    assert_eq!(numbers.iter().map(state).collect::<Vec<_>>(), ["done", "withdrawn"], "{changes}");

    table(&world, "freeze begin --reason `a quiet week`");
    assert_eq!(json_of(&world, "freeze show")["reason"], "a quiet week");
    assert!(has_row(&table(&world, "freeze show"), &["author", "local"]));
    assert_eq!(table(&world, "freeze end"), "");

    let ordered = json_of(&world, &format!("radio-off order `identity = {}` --reason smoke", cell.identity));
    let id = ordered["id"].as_u64().unwrap();
    assert!(has_row(&table(&world, "radio-off list"), &[&id.to_string(), "1", "0"]));
    assert_eq!(json_of(&world, &format!("radio-off show {id}"))["not_off_yet"], json!([cell.identity]));
    let shown = table(&world, &format!("radio-off show {id}"));
    assert!(has_row(&shown, &["not_off_yet", &cell.identity]), "{shown}");
    table(&world, &format!("radio-off lift {id}"));
}

#[test]
fn o12_devices_are_listed_placed_swapped_and_asked() {
    let (world, _server) = world("commands-devices", "");
    assert_eq!(table(&world, "device list"), "none\n");
    admit(&world, &[1, 2]);
    let (old, new) = (identity(1), identity(2));
    let listed = table(&world, "device list");
    assert!(has_row(&listed, &[&old, "never"]) && has_row(&listed, &[&new]), "{listed}");
    assert_eq!(json_of(&world, "device count")["count"], 2);
    assert!(has_row(&table(&world, &format!("device count `identity = {old}`")), &["count", "1"]));

    let places =
        file(&world, "places.csv", &format!("identity,site,tags\n{old},north,roof\n{new}x,south,\n"));
    let said = run(&world, &format!("device import-places {places}"));
    assert_eq!((said.code, said.out.as_str()), (Some(1), "1 placed, 1 wrong\n"), "{said:?}");
    assert!(said.err.contains("places.csv: ") && said.err.contains("3"), "{said:?}");
    let exported = table(&world, "device export `site = north`");
    assert!(
        exported.starts_with("identity,") && exported.contains(&old) && !exported.contains(&new),
        "{exported}"
    );
    let lines = table(&world, "device export --form jsonl");
    assert_eq!(lines.lines().count(), 2, "{lines}");

    for (line, method) in [
        (format!("device lock {old}"), "Lock"),
        (format!("device unlock {old}"), "Unlock"),
        (format!("device reboot {old}"), "Reboot"),
        (format!("device refresh {old} Device.DeviceInfo."), "GetParameterValues"),
        (format!("device set {old} {INTERVAL}=60"), "SetParameterValues"),
    ] {
        assert_eq!(json_of(&world, &line)["method"], method, "{line}");
        assert!(
            has_row(&table(&world, &format!("device calls {old}")), &[method, "queued", "local"]),
            "{line}"
        );
    }
    fails(&world, &format!("device set {old} Device.Nothing=1"), 2, "Device.Nothing");
    fails(&world, &format!("device reboot {old} --wake"), 2, "it cannot be woken");
    assert_eq!(table(&world, &format!("device history {old}")), "none\n");
    let shown = table(&world, &format!("device show {old}"));
    assert!(has_row(&shown, &["identity", &old]) && has_row(&shown, &["site", "north"]), "{shown}");

    fails(&world, &format!("device swap {old} --to {old}"), 2, "`to` is another device");
    table(&world, &format!("device swap {old} --to {new}"));
    assert!(has_row(&table(&world, "device list"), &[&new, "north"]));
    assert!(has_row(&table(&world, "block list"), &["identity", &old]));
}

#[test]
fn o12_w10_files_webhooks_and_events_have_their_commands() {
    let (world, _server) = world("commands-files", "\n[events]\nwebhook_networks = [\"127.0.0.0/8\"]\n");
    let content = file(&world, "cell.conf", "what a cell is");
    let id = json_of(&world, &format!("file add {content} --kind configuration"))["id"].as_u64().unwrap();
    let row = [id.to_string(), "configuration".to_owned(), "cell.conf".to_owned(), "14".to_owned()];
    let listed = table(&world, "file list --kind configuration");
    assert!(has_row(&listed, &row.each_ref().map(String::as_str)), "{listed}");
    assert_eq!(table(&world, "file list --kind log"), "none\n");
    assert!(has_row(&table(&world, &format!("file show {id}")), &["name", "cell.conf"]));
    assert_eq!(table(&world, &format!("file fetch {id}")), "what a cell is");
    let copy = world.dir().join("copy");
    table(&world, &format!("file fetch {id} --to {}", copy.display()));
    assert_eq!(fs::read_to_string(&copy).unwrap(), "what a cell is");
    fails(&world, &format!("file fetch 99 --to {}", world.dir().join("none").display()), 1, "no such file");
    assert!(!world.dir().join("none").exists() && !world.dir().join("none.new").exists());
    admit(&world, &[1]);
    let asked = json_of(&world, &format!("device download {} {id}", identity(1)));
    assert_eq!(asked["method"], "Download", "{asked}");
    fails(&world, &format!("file delete {id}"), 2, "a cell was told to fetch it");

    let secret = world.dir().join("secret");
    let line = format!("webhook add http://127.0.0.1:9/hook --type alarm.raised --to {}", secret.display());
    let hook = json_of(&world, &line);
    assert!(hook.get("secret").is_none() && hook["types"] == json!(["alarm.raised"]), "{hook}");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let id = hook["id"].as_u64().unwrap();
    assert!(has_row(&table(&world, "webhook list"), &[&id.to_string(), "alarm.raised", "active"]));
    assert!(has_row(&table(&world, &format!("webhook show {id}")), &["state", "active"]));
    let second = json_of(&world, &format!("webhook rotate {id}"))["secret"].clone();
    assert_ne!(second.as_str().unwrap(), fs::read_to_string(&secret).unwrap().trim());
    let delivery = json_of(&world, &format!("webhook test {id}"))["delivery"].as_u64().unwrap();
    wait_for("an attempt", PATIENCE, || {
        let rows = json_of(&world, &format!("webhook deliveries {id} --state waiting"));
        (rows[0]["id"] == delivery && rows[0]["attempts"].as_u64()? > 0).then_some(())
    });
    assert!(has_row(&table(&world, &format!("webhook deliveries {id}")), &["webhook.test", "waiting"]));
    fails(&world, &format!("webhook resend {id} {delivery}"), 2, "it waits already");
    table(&world, &format!("webhook delete {id}"));
    assert_eq!(table(&world, "webhook list"), "none\n");

    let mut listen = hearth();
    listen.args(["event", "listen", "--after", "0", "--type", "device.admitted"]);
    listen.arg("--api").arg(format!("http://{}", world.api()));
    listen.arg("--token-file").arg(world.dir().join("hems/api.token"));
    let listener = Process::start(&mut listen, &world.dir().join("events.jsonl"));
    admit(&world, &[2]);
    for number in [1, 2] {
        let event = wait_for("the event", PATIENCE, || {
            let line = listener.log().lines().find(|line| line.contains(&identity(number)))?.to_owned();
            serde_json::from_str::<Value>(&line).ok()
        });
        assert_eq!(event["subject"], identity(number), "{event}");
    }
}
