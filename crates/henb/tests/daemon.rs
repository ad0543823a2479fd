//! `henbd` from outside: what it says of its configuration, and with which exit code.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use profile::pki;

fn henbd(arguments: &[&str], config: &Path) -> (Option<i32>, String) {
    let (code, _, said) = asked(arguments, config);
    (code, said)
}

/// Exit code, answer and complaints.
fn asked(arguments: &[&str], config: &Path) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_henbd"))
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn lab(folder: &Path, first_line: &str) -> std::path::PathBuf {
    let pki = folder.join("pki");
    pki::init(&pki).unwrap();
    pki::issue_henb(&pki, "00005e005301", "hnb.example", None).unwrap();
    let text = format!(
        r#"{first_line}
state_dir = "state"
[hems]
url = "https://localhost:7547/"
anchors = "pki/operator.pem"
[identity]
certificate = "pki/henb/00005e005301.hnb.example.pem"
key = "pki/henb/00005e005301.hnb.example.key"
"#
    );
    let path = folder.join("henbd.toml");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_good_configuration_is_said_to_be_good_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    let (code, answer, complaints) = asked(&["check"], &config);
    assert_eq!((code, complaints.as_str()), (Some(0), ""), "{answer}");
    let topics: Vec<&str> = answer.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let expected = ["hems", "state", "clock", "identity", "anchor", "listener", "firmware", "device"];
    assert_eq!(topics, expected, "{answer}");
    for said in ["https://localhost:7547/ in mode \"public\"", "00005e005301.hnb.example", "no port is open"]
    {
        assert!(answer.contains(said), "{answer}");
    }
    assert!(!folder.path().join("state").exists());
}

/// A radio stack that reads a file.
const STACK: &str = "[device.file]\ntemplate = \"enb.conf.template\"\noutput = \"enb.conf\"\nformat = \"json\"\n\
    restart = [\"/bin/true\"]\nstop = [\"/bin/true\"]\n";

/// A cell with a radio, which says who made it.
fn real(kind: &str, section: &str) -> String {
    let names = "manufacturer = \"Acme\"\nproduct_class = \"A1\"\nmodel_name = \"Acme One\"\n";
    format!("[device]\nkind = {kind:?}\n{names}{section}")
}

/// The verdict and the text of a topic in the answer for programs.
fn found(answer: &str, topic: &str) -> Vec<(String, String)> {
    let findings: serde_json::Value = serde_json::from_str(answer).unwrap();
    let findings = findings.as_array().unwrap().iter().filter(|finding| finding["topic"] == topic);
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
    findings.map(|finding| (text(finding, "verdict"), text(finding, "text"))).collect()
}

fn append(config: &Path, text: &str) {
    fs::write(config, fs::read_to_string(config).unwrap() + text).unwrap();
}

#[test]
fn check_finds_a_key_of_another_cell_and_goes_on_looking() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    let own = folder.path().join("pki/henb/00005e005301.hnb.example.key");
    pki::issue_henb(&folder.path().join("pki"), "00005e005302", "hnb.example", None).unwrap();
    fs::copy(folder.path().join("pki/henb/00005e005302.hnb.example.key"), own).unwrap();
    let (code, answer, _) = asked(&["check", "--output", "json"], &config);
    assert_eq!(code, Some(1));
    let [(verdict, text)] = &found(&answer, "identity")[..] else { panic!("{answer}") };
    assert_eq!(verdict, "wrong");
    assert!(text.contains("does not belong to the certificate"), "{text}");
    assert_eq!(found(&answer, "device").len(), 1);
}

#[test]
fn check_says_whether_the_radio_s_process_listens() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    append(&config, &real("command", "[device.command]\nsocket = \"radio.sock\"\n"));
    let (code, answer, _) = asked(&["check", "--output", "json"], &config);
    let [(verdict, text)] = &found(&answer, "device")[..] else { panic!("{answer}") };
    assert_eq!((code, verdict.as_str()), (Some(1), "wrong"));
    assert!(text.starts_with("no process listens on "), "{text}");
    let _radio = std::os::unix::net::UnixListener::bind(folder.path().join("radio.sock")).unwrap();
    let (code, answer, _) = asked(&["check", "--output", "json"], &config);
    assert_eq!((code, found(&answer, "device")[0].0.as_str()), (Some(0), "ok"));
}

#[test]
fn i05_check_wants_to_know_who_made_a_cell_with_a_radio() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    append(
        &config,
        "[device]\nkind = \"command\"\nmanufacturer = \"Acme\"\n[device.command]\nprogram = [\"/bin/true\"]\n",
    );
    let (code, answer, _) = asked(&["check", "--output", "json"], &config);
    let [(verdict, text)] = &found(&answer, "names")[..] else { panic!("{answer}") };
    assert_eq!((code, verdict.as_str()), (Some(1), "wrong"));
    assert!(text.starts_with("device.product_class, device.model_name: "), "{text}");
}

#[test]
fn c13_check_finds_a_folder_that_keeps_nothing_and_a_disk_that_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    // A limit on the size of files stands for a full disk, for root too.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let mut check = Command::new("/bin/sh");
    check
        .args(["-c", script, env!("CARGO_BIN_EXE_henbd"), "check", "--output", "json", "--config"])
        .arg(&config);
    let output = check.output().unwrap();
    let full = (output.status.code(), String::from_utf8(output.stdout).unwrap());
    let text = fs::read_to_string(&config).unwrap().replace("\"state\"", "\"/proc/henbd\"");
    fs::write(&config, text).unwrap();
    let (code, answer, _) = asked(&["check", "--output", "json"], &config);
    for ((code, answer), place) in [(full, folder.path()), ((code, answer), Path::new("/proc"))] {
        let (verdict, text) = found(&answer, "state").remove(0);
        assert_eq!((code, verdict.as_str()), (Some(1), "wrong"), "{answer}");
        assert!(text.starts_with(&format!("state_dir: {} does not keep", place.display())), "{text}");
    }
    let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("check")), "nothing is left behind");
}

#[test]
fn w01_check_says_what_is_missing_to_take_firmware() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    let keys = pki::issue_firmware_signer(&folder.path().join("pki"), "working").unwrap();
    fs::write(folder.path().join("enb.conf.template"), "{}\n").unwrap();
    append(&config, &format!("[firmware]\nkeys = [{:?}]\n{}", keys.chain, real("file", STACK)));
    let firmware = |config: &Path| {
        let (code, answer, _) = asked(&["check", "--output", "json"], config);
        assert_eq!(code, Some(0), "{answer}");
        found(&answer, "firmware").remove(0)
    };
    let (verdict, text) = firmware(&config);
    assert_eq!(verdict, "note");
    assert!(text.starts_with("device.file.boot is missing"), "{text}");
    append(&config, "boot = [\"/bin/true\"]\n");
    assert_eq!(firmware(&config), ("ok".to_owned(), "keys that may sign: 1".to_owned()));
}

#[test]
fn k01_a_lost_state_is_said_by_state_and_check_before_and_by_an_alarm_after_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    for _ in 0..2 {
        under_systemd(folder.path(), &config, Duration::from_secs(90), &["READY=1"]);
        fs::remove_file(folder.path().join("notify")).unwrap();
    }
    fs::remove_file(folder.path().join("state/state.json")).unwrap();
    let (_, answer, _) = asked(&["check", "--output", "json"], &config);
    let missing =
        |(verdict, text): &(String, String)| verdict == "note" && text.ends_with("state.json is missing");
    assert!(found(&answer, "state").iter().any(missing), "{answer}");
    let shown = || asked(&["state"], &config).1;
    assert!(shown().contains("\ndamage      the state "), "{}", shown());
    let log = under_systemd(folder.path(), &config, Duration::from_secs(90), &["READY=1"]);
    assert!(log.contains("WARN") && log.contains("state.json is missing"), "{log}");
    assert!(shown().contains("\nalarm       state-file: the state "), "{}", shown());
}

#[test]
fn check_renders_the_template_and_says_which_value_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    let template = folder.path().join("enb.conf.template");
    append(&config, &real("file", STACK));
    fs::write(&template, "{\"name\": \"${Device.DeviceInfo.ModelName}\"}\n").unwrap();
    let (code, answer, _) = asked(&["check", "--output", "json"], &config);
    assert_eq!((code, found(&answer, "template")[0].0.as_str()), (Some(0), "ok"), "{answer}");
    assert!(!folder.path().join("enb.conf").exists());
    fs::write(&template, "{\"name\": ${Device.DeviceInfo.ModelName}}\n").unwrap();
    let (code, answer, _) = asked(&["check", "--output", "json"], &config);
    let [(verdict, text)] = &found(&answer, "template")[..] else { panic!("{answer}") };
    assert_eq!((code, verdict.as_str()), (Some(1), "wrong"));
    assert!(text.starts_with("Device.DeviceInfo.ModelName: "), "{text}");
}

#[test]
fn d11_check_says_what_dhcp_offers_and_why_it_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    append(&config, "[discovery]\ndhcp = \"lease\"\n");
    for (offer, verdict, expected) in [
        ("", "note", "says nothing yet"),
        ("url=http://hems.example/", "note", "demands https"),
        ("option43=011568747470733a2f2f68656d732e6578616d706c652f", "ok", "https://hems.example/, until"),
    ] {
        fs::write(folder.path().join("lease"), offer).unwrap();
        let (code, answer, _) = asked(&["check", "--output", "json"], &config);
        let [(found, text)] = &found(&answer, "discovery")[..] else { panic!("{answer}") };
        assert_eq!((code, found.as_str()), (Some(0), verdict), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn lab_certificates_are_refused_outside_of_a_lab() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "");
    let (code, said, _) = asked(&["check"], &config);
    assert_eq!(code, Some(1));
    assert!(said.contains("lab"), "{said}");
    assert_eq!(henbd(&[], &config).0, Some(2));
}

#[test]
fn everything_wrong_with_a_configuration_is_said_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = 1\ncolour = \"red\"");
    let (code, said) = henbd(&["check"], &config);
    assert_eq!(code, Some(1));
    let file = config.display();
    let expected = format!("{file}:1: lab: true or false is right\n{file}:2: colour is no key of henbd\n");
    assert_eq!(said, expected);
    assert_eq!(henbd(&[], &config), (Some(2), expected));
}

#[test]
fn check_names_the_line_of_a_template_and_the_program_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    fs::write(folder.path().join("enb.conf.template"), "[enb]\nmcc = ${Device.Mcc}\n").unwrap();
    let device = r#"[device]
kind = "file"
[device.file]
template = "enb.conf.template"
output = "enb.conf"
restart = ["restart"]
stop = ["/bin/true"]
"#;
    fs::write(&config, fs::read_to_string(&config).unwrap() + device).unwrap();
    let (code, said) = henbd(&["check"], &config);
    let (file, base) = (config.display(), folder.path().display());
    let expected = format!(
        "{file}:12: device.file.template: {base}/enb.conf.template:2: \"Device.Mcc\" is no parameter of the data model\n\
         {file}:14: device.file.restart: there is no program {base}/restart\n"
    );
    assert_eq!((code, said), (Some(1), expected));
}

#[test]
fn a_configuration_that_is_no_toml_or_not_there_is_said_so_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = ");
    let (code, said) = henbd(&[], &config);
    assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.starts_with(&format!("{}:1: this is no TOML", config.display())), "{said}");
    let nowhere = folder.path().join("nowhere.toml");
    for arguments in [[].as_slice(), &["check"]] {
        let (code, said) = henbd(arguments, &nowhere);
        assert_eq!(code, Some(2));
        assert!(said.starts_with("henbd: cannot read "), "{said}");
    }
}

#[test]
fn the_version_names_the_program() {
    let output = Command::new(env!("CARGO_BIN_EXE_henbd")).arg("--version").output().unwrap();
    assert_eq!(output.stdout, format!("henbd {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
}

#[test]
fn a_recording_needs_a_lab() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "");
    let record = folder.path().join("record");
    let (code, said) = henbd(&["--record", record.to_str().unwrap()], &config);
    assert_eq!(code, Some(2));
    assert!(said.contains("--record needs"), "{said}");
}

/// Starts `henbd` as systemd does, hears `expected` of it, and ends it in order.
fn under_systemd(folder: &Path, config: &Path, watchdog: Duration, expected: &[&str]) -> String {
    let path = folder.join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let daemon = Command::new(env!("CARGO_BIN_EXE_henbd"))
        .arg("--config")
        .arg(config)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", watchdog.as_micros().to_string())
        .env_remove("WATCHDOG_PID")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let hear = || {
        let mut bytes = [0; 256];
        let length = supervisor.recv(&mut bytes).unwrap();
        String::from_utf8(bytes.get(..length).unwrap().to_vec()).unwrap().trim_end().to_owned()
    };
    for expected in expected {
        assert_eq!(hear(), *expected);
    }
    let id = daemon.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let heard = std::iter::repeat_with(hear).find(|heard| heard != "WATCHDOG=1");
    assert_eq!(heard.as_deref(), Some("STOPPING=1"));
    // A slow disk lets it say more than a socket keeps for nobody.
    drop(supervisor);
    let output = daemon.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn systemd_hears_that_the_cell_is_on_alive_and_ending() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    let expected = ["READY=1", "WATCHDOG=1", "WATCHDOG=1"];
    under_systemd(folder.path(), &config, Duration::from_millis(300), &expected);
}

#[test]
fn a_supervisor_that_reads_nothing_blocks_no_cell() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    let path = folder.path().join("notify");
    let _supervisor = UnixDatagram::bind(&path).unwrap();
    let full = UnixDatagram::unbound().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.send_to(b"WATCHDOG=1", &path).is_ok() {}
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_henbd"));
    daemon
        .arg("--config")
        .arg(&config)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "30000")
        .stderr(Stdio::piped());
    let mut daemon = daemon.env_remove("WATCHDOG_PID").spawn().unwrap();
    let id = daemon.id().to_string();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines().map_while(Result::ok);
    let (said, heard) = mpsc::channel();
    let reader = std::thread::spawn(move || lines.by_ref().for_each(|line| drop(said.send(line))));
    // Its first session fails, which is told after the first words to the supervisor were lost.
    let lives = |heard: &mpsc::Receiver<String>| loop {
        match heard.recv_timeout(Duration::from_secs(30)) {
            Ok(line) if line.contains("a session with the H(e)MS failed") => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    };
    let lives = lives(&heard);
    let signal = if lives { "-TERM" } else { "-KILL" };
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    let status = daemon.wait().unwrap();
    reader.join().unwrap();
    assert!(lives && status.success(), "{status}");
}

#[test]
fn a_cell_that_cannot_start_is_never_said_to_be_ready() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    fs::create_dir(folder.path().join("state")).unwrap();
    fs::write(folder.path().join("state/state.json"), b"{}").unwrap();
    let path = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor.set_nonblocking(true).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_henbd"))
        .arg("--config")
        .arg(&config)
        .env("NOTIFY_SOCKET", &path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(supervisor.recv(&mut [0; 16]).is_err());
}

#[test]
fn state_shows_what_is_kept_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "lab = true");
    let (code, said) = henbd(&["state"], &config);
    assert_eq!(code, Some(1));
    assert!(said.contains("keeps no cell yet"), "{said}");
    under_systemd(folder.path(), &config, Duration::from_secs(90), &["READY=1"]);
    let show = |output: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_henbd"));
        let command = command.args(["state", "--output", output, "--config"]).arg(&config);
        let shown = command.output().unwrap();
        assert!(shown.status.success(), "{shown:?}");
        String::from_utf8(shown.stdout).unwrap()
    };
    let text = show("text");
    assert!(text.starts_with("identity    O=Hearth lab, CN=00005e005301.hnb.example, until"), "{text}");
    assert!(text.contains("\nevent       0 BOOTSTRAP\n"), "{text}");
    assert!(text.contains("\nimage       1: Active "), "{text}");
    let json: serde_json::Value = serde_json::from_str(&show("json")).unwrap();
    assert_eq!(json["configured_url"], "https://localhost:7547/");
    assert_eq!(json["images"][1]["status"], "NoImage");
    assert!(!text.contains("PRIVATE") && !json.to_string().contains("PRIVATE"));
}

#[test]
fn the_unit_waits_longer_than_a_device_may_block() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dist/systemd/henbd.service");
    let unit = fs::read_to_string(unit).unwrap();
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    assert_eq!(value("Type"), Some("notify"));
    let watchdog: u32 = value("WatchdogSec").unwrap().parse().unwrap();
    assert!(watchdog > 3 * 25);
}
