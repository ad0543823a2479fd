//! Every URL of a H(e)MS comes through the one constructor, and this is the list of who calls it. (decision 4)

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// File, and how often it calls [`profile::HemsUrl::parse`] outside of tests.
const CALLERS: [(&str, usize); 14] = [
    // A fleet's command line.
    ("cli/src/commands/fleet.rs", 1),
    // A transfer that is about to begin: it may have been stored in another mode.
    ("henb/src/agent.rs", 1),
    // Restored state and the factory's values.
    ("henb/src/cell.rs", 1),
    // A performance file that is about to be sent: its row may have been stored in another mode.
    ("henb/src/cell/performance.rs", 1),
    // The cell's configuration: its first H(e)MS, and the recovery endpoint.
    ("henb/src/config.rs", 2),
    // The URLs of diagnostics.
    ("henb/src/diagnostics.rs", 1),
    // What a DHCP client left.
    ("henb/src/discovery.rs", 1),
    // SetParameterValues.
    ("henb/src/execute.rs", 1),
    // A redirect.
    ("henb/src/link.rs", 1),
    // Download, ScheduleDownload and Upload.
    ("henb/src/queue.rs", 1),
    // An operator's calls for files.
    ("hems/src/call.rs", 1),
    // The URL that cells are given.
    ("hems/src/config.rs", 1),
    // A template.
    ("hems/src/template/check.rs", 1),
    // The constructor's own description.
    ("profile/src/url.rs", 1),
];

#[test]
fn p09_p10_p11_every_url_comes_through_the_one_constructor() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shipped = fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path());
    let shipped = shipped.filter(|path| !path.ends_with("e2e") && path.join("src").is_dir());
    let mut found = BTreeMap::new();
    for path in shipped.flat_map(|path| sources(&path.join("src"))) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let name = path.strip_prefix(crates).unwrap().display().to_string();
        let count = code.matches("HemsUrl::parse").count();
        if count > 0 && !name.ends_with("tests.rs") {
            found.insert(name, count);
        }
    }
    let expected = CALLERS.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(found, BTreeMap::from(expected));
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    sources.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}
