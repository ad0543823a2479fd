//! `henbd` from outside: what it says of its configuration, and with which exit code.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use profile::pki;

fn henbd(arguments: &[&str], config: &Path) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_henbd"))
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
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
    assert_eq!(henbd(&["check"], &config), (Some(0), String::new()));
    assert!(!folder.path().join("state").exists());
}

#[test]
fn lab_certificates_are_refused_outside_of_a_lab() {
    let folder = tempfile::tempdir().unwrap();
    let config = lab(folder.path(), "");
    let (code, said) = henbd(&["check"], &config);
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
