//! Replays what fuzzing found interesting, and every golden message, against every fuzz target.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a broken promise must stop the test"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

#[path = "../../../fuzz/targets.rs"]
mod targets;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

fn replay(name: &str, target: fn(&[u8])) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = files(&here.join("../../fuzz/corpus").join(name));
    assert!(!found.is_empty(), "the corpus of {name} is committed");
    for file in found.into_iter().chain(files(&here.join("testdata/spec"))) {
        target(&fs::read(file).unwrap());
    }
}

#[test]
fn s12_the_corpus_of_the_codec_breaks_no_promise() {
    replay("envelope", targets::envelope);
}

#[test]
fn s12_the_corpus_of_the_cursor_breaks_no_promise() {
    replay("cursor", targets::cursor);
}

#[test]
fn s12_the_corpus_of_the_acs_session_breaks_no_promise() {
    replay("acs_session", targets::acs_session);
}

#[test]
fn c07_the_corpus_of_the_cpe_session_breaks_no_promise() {
    replay("cpe_session", targets::cpe_session);
}
