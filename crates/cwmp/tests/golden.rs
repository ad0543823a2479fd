//! Golden messages: one file per method and response, written by hand from the clauses.
//!
//! One test walks the folder: decode, compare with the `.txt` beside it, encode, decode again.
//! `UPDATE_EXPECT=1` rewrites the texts. A second test asks the Broadband Forum's schemas, which
//! nobody here wrote, whether the files are valid, and a third reads other people's messages.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a broken file must stop the test"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cwmp::{AnyBody, Envelope, Limits};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Every method as the clauses have it, and again where aliases stand in paths. (TR-069 3.6.1)
const FOLDERS: [&str; 2] = ["spec", "alias"];

#[test]
fn c35_aliases_travel_in_every_path() {
    for file in messages(&testdata().join("alias")) {
        let decoded = Envelope::<AnyBody>::decode(fs::read(&file).unwrap(), &Limits::default()).unwrap();
        let written = decoded.envelope.encode();
        let paths = written.split(['<', '>']).filter(|text| text.starts_with("Device."));
        let aliases: Vec<_> = paths.filter_map(cwmp::alias::aliases).flatten().collect();
        assert!(!aliases.is_empty(), "{}", file.display());
    }
}

fn messages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

#[test]
fn every_golden_message_reads_as_its_text_says_and_survives_the_wire() {
    for file in FOLDERS.iter().flat_map(|folder| messages(&testdata().join(folder))) {
        let decoded = Envelope::<AnyBody>::decode(fs::read(&file).unwrap(), &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(decoded.leniencies, [], "{}", file.display());
        let envelope = decoded.envelope;
        assert_eq!(envelope.body.element(), file.file_stem().and_then(|stem| stem.to_str()));
        expect_test::expect_file![file.with_extension("txt")].assert_eq(&format!("{envelope:#?}\n"));
        let again = Envelope::<AnyBody>::decode(envelope.encode(), &Limits::default()).unwrap();
        assert_eq!(again.envelope, envelope, "{}", file.display());
        assert_eq!(again.leniencies, [], "{}", file.display());
    }
}

#[test]
fn h18_h20_every_golden_message_is_valid_by_the_schemas() {
    let Some(oracles) = oracles::folder("h18_h20_every_golden_message_is_valid_by_the_schemas") else {
        return;
    };
    FOLDERS.iter().for_each(|folder| ask_the_schemas(&oracles, &testdata().join(folder)));
}

fn ask_the_schemas(oracles: &Path, folder: &Path) {
    let mut files = messages(folder);
    // No schema knows the methods of vendors.
    files.retain(|file| !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("X_")));
    let verdict = Command::new(oracles.join("bin/validate-cwmp")).args(&files).output().unwrap();
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
    let again = tempfile::tempdir().unwrap();
    let written: Vec<_> = files.iter().map(|file| written_again(file, again.path())).collect();
    let verdict = Command::new(oracles.join("bin/validate-cwmp")).args(written).output().unwrap();
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
}

/// Files of the collection that are not well-formed: their own README says so.
const BROKEN: [&str; 5] = [
    "cwmpwalk-empty.xml",
    "evcpe-get_parameter_attributes.xml",
    "evcpe-get_parameter_values.xml",
    "evcpe-set_parameter_attributes.xml",
    "jdalberg-bogus_inform_1.xml",
];

#[test]
fn every_message_from_the_field_is_read_as_its_collector_says() {
    let Some(oracles) = oracles::folder("every_message_from_the_field_is_read_as_its_collector_says") else {
        return;
    };
    let readme = fs::read_to_string(oracles.join("field/README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let file = cells.get(1).filter(|name| name.ends_with(".xml"))?;
        Some(((*file).to_owned(), (*cells.get(2)?).to_owned(), (*cells.get(3)?).to_owned()))
    });
    let mut read = 0;
    for (name, method, namespace) in rows {
        let bytes = fs::read(oracles.join("field").join(&name)).unwrap();
        match Envelope::<AnyBody>::decode(bytes, &Limits::default()) {
            Ok(decoded) if name == BROKEN[0] => assert_eq!(decoded.envelope.body.element(), None),
            Ok(decoded) => {
                assert!(!BROKEN.contains(&&*name), "{name} is broken and was read");
                assert_eq!(decoded.envelope.body.element(), Some(kind(&method)), "{name}");
                assert!(decoded.envelope.version.urn().ends_with(&namespace), "{name}");
                read += 1;
            }
            Err(error) => assert!(BROKEN.contains(&&*name), "{name}: {error}"),
        }
    }
    assert!(read >= 100, "only {read} messages were read");
}

/// The collector notes the code of a fault in its name.
fn kind(method: &str) -> &str {
    if method.starts_with("Fault") { "Fault" } else { method }
}

fn written_again(file: &Path, folder: &Path) -> PathBuf {
    let decoded = Envelope::<AnyBody>::decode(fs::read(file).unwrap(), &Limits::default()).unwrap();
    let written = folder.join(file.file_name().unwrap());
    fs::write(&written, decoded.envelope.encode()).unwrap();
    written
}
