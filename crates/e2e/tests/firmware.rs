//! `hearth firmware`: what it signs a cell would believe, and what was changed afterwards it would not.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn hearth(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command: Command = e2e::hearth();
    let Output { status, stdout, stderr } = command.args(arguments).current_dir(folder).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn w02_hearth_signs_what_it_verifies_and_refuses_what_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| hearth(folder.path(), arguments);
    assert_eq!(run(&["pki", "init", "lab"]).0, Some(0));
    for name in ["working", "reserve"] {
        assert_eq!(run(&["pki", "firmware-signer", "lab", "--name", name]).0, Some(0));
    }
    fs::write(folder.path().join("image.bin"), vec![7; 300_000]).unwrap();
    let sign = [
        "firmware",
        "sign",
        "image.bin",
        "--signer",
        "lab/firmware/working.pem",
        "--key",
        "lab/firmware/working.key",
        "--version",
        "2.0.1",
        "--oui",
        "00005E",
        "--product-class",
        "SimulatedCell",
        "--hardware-version",
        "1",
        "--out",
        "cell.firmware",
    ];
    assert_eq!(run(&sign).0, Some(0));
    let (code, said) = run(&["firmware", "show", "cell.firmware"]);
    assert!(code == Some(0) && said.contains("\"version\": \"2.0.1\""), "{said}");
    let keys = ["--key", "lab/firmware/working.pem", "--key", "lab/firmware/reserve.pem"];
    let verify =
        |more: &[&str]| run(&[["firmware", "verify", "cell.firmware"].as_slice(), &keys, more].concat());
    let (code, said) = verify(&[]);
    assert_eq!(code, Some(0), "{said}");
    let id = said.lines().next().unwrap().strip_prefix("key ").unwrap();
    let (code, said) = verify(&["--revoked", id]);
    assert!(code == Some(1) && said.contains("revoked"), "{said}");
    assert_eq!(run(&["firmware", "verify", "cell.firmware", "--key", "lab/firmware/reserve.pem"]).0, Some(1));
    let path = folder.path().join("cell.firmware");
    let mut file = fs::read(&path).unwrap();
    *file.last_mut().unwrap() ^= 1;
    fs::write(&path, file).unwrap();
    let (code, said) = verify(&[]);
    assert!(code == Some(1) && said.contains("another one"), "{said}");
    assert_eq!(run(&["firmware", "show", "image.bin"]).0, Some(2));
}
