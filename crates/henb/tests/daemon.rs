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
    assert!(said.contains("henbd.toml:1: lab: true or false is right"), "{said}");
    assert!(said.contains("henbd.toml:2: colour is no key of henbd"), "{said}");
    assert_eq!(henbd(&[], &config).0, Some(2));
    assert_eq!(henbd(&["check"], &folder.path().join("nowhere.toml")).0, Some(2));
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
