//! `./x prove`: switches each rule off, one at a time, and sees the tests of its row turn red.
//!
//! A test that stays green when its rule is gone proves nothing. The switches are data, in xtask/switches: a row,
//! a place in the sources, and what stands there when the rule is off. They are applied to a copy of the tree.
//!
//! ```text
//!   copy ─▶ for each switch: replace ─▶ the row's tests, nearest crate first ─▶ red: proven · green: not
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::project::{self, Project};
use crate::requirements::{self, Claim};
use crate::tidy::Finding;
use crate::{Answer, cargo};

/// Where the switches stand.
const FOLDER: &str = "xtask/switches/";

/// Seconds that the tests of a row may take in one crate; the slowest take half a minute.
const PATIENCE: &str = "150";
/// Seconds that the tests of all rows may take in one crate.
const STOCK_PATIENCE: &str = "900";

/// The sections whose every row must have one.
const SECTIONS: [char; 6] = ['P', 'T', 'A', 'I', 'K', 'X'];

/// One rule, and how it is switched off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    row: String,
    file: String,
    find: String,
    replace: String,
    /// What has to go with it, where two lines hold one rule and either would do.
    #[serde(default)]
    also: Vec<Edit>,
}

/// One place in the sources, and what stands there when the rule is off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    find: String,
    replace: String,
}

impl Switch {
    fn edits(&self) -> Vec<Edit> {
        let (file, find, replace) = (self.file.clone(), self.find.clone(), self.replace.clone());
        std::iter::once(Edit { file, find, replace }).chain(self.also.iter().cloned()).collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    switch: Vec<Switch>,
}

/// All switches, each with the file that it stands in.
fn switches(project: &Project) -> Result<Vec<(String, Switch)>, String> {
    let mut found = Vec::new();
    for file in project.files.iter().filter(|file| file.path.starts_with(FOLDER)) {
        let table: Table = toml::from_str(&file.text).map_err(|error| format!("{}: {error}", file.path))?;
        found.extend(table.switch.into_iter().map(|switch| (file.path.clone(), switch)));
    }
    Ok(found)
}

/// A switch that fits nowhere or twice would switch nothing, or too much.
pub(crate) fn check(project: &Project) -> Vec<Finding> {
    let switches = match switches(project) {
        Ok(switches) => switches,
        Err(error) => return vec![Finding::new(FOLDER, 1, "cannot be read", error)],
    };
    let mut findings = Vec::new();
    let edits = switches.iter().flat_map(|(path, switch)| {
        switch.edits().into_iter().map(move |edit| (path, switch.row.as_str(), edit))
    });
    for (path, row, edit) in edits {
        let times = project.text(&edit.file).map_or(0, |text| text.matches(&edit.find).count());
        if times != 1 || edit.find == edit.replace {
            let what = format!("the switch of {row} fits {times} times in {}", edit.file);
            findings.push(Finding::new(path, 1, what, "text that stands there once, and another beside it"));
        }
    }
    findings
}

/// The rows of the sections that every rule has a switch in, and that have tests and none.
fn unswitched(claims: &[Claim], switches: &[Switch]) -> BTreeSet<String> {
    let rows = claims.iter().map(|claim| claim.id.clone()).filter(|id| id.starts_with(SECTIONS));
    rows.filter(|row| switches.iter().all(|switch| switch.row != *row)).collect()
}

/// What became of a row's tests when its rule was off.
enum Verdict {
    Red(String),
    /// No test failed in time, and some did not end: the rule may be what ends them, or the machine is slow.
    Late(String),
    Green,
    Broken,
}

/// Switches off every rule, or those of the named rows, and prints what its tests said.
pub(crate) fn run(wanted: &[&str]) -> Answer {
    let root = project::root();
    let project = Project::read(&root)?;
    let claims = requirements::claims(&project);
    let mut chosen: Vec<Switch> = switches(&project)?.into_iter().map(|(_, switch)| switch).collect();
    let mut missing = unswitched(&claims, &chosen);
    let is_wanted = |row: &str| wanted.is_empty() || wanted.contains(&row);
    chosen.retain(|switch| is_wanted(&switch.row));
    missing.retain(|row| is_wanted(row));
    let mut copy = Copy::make(&root)?;
    copy.take_stock(&chosen, &claims)?;
    let mut is_proven = missing.is_empty() && !chosen.is_empty() && copy.red_before.is_empty();
    for test in &copy.red_before {
        println!("RED BEFORE  {test}: it proves nothing");
    }
    for row in &missing {
        println!("{row}  has tests and no switch");
    }
    for switch in &chosen {
        let verdict = copy.try_out(switch, &claims)?;
        let words = match &verdict {
            Verdict::Red(test) => format!("red    {test}"),
            Verdict::Late(name) => format!("red by time  a test of {name} did not end within {PATIENCE} s"),
            Verdict::Green => "GREEN  its tests pass without the rule".to_owned(),
            Verdict::Broken => "BROKEN  does not build".to_owned(),
        };
        println!("{}  {words}", switch.row);
        is_proven &= matches!(verdict, Verdict::Red(_) | Verdict::Late(_));
    }
    println!("{} switches, {}", chosen.len(), if is_proven { "all red" } else { "not all red" });
    Ok(is_proven)
}

/// A copy of the sources with a build folder of its own, kept between runs.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
    oracles: PathBuf,
    /// Tests that fail with every rule in place.
    red_before: BTreeSet<String>,
}

/// What one run of tests said.
#[derive(Default)]
struct Run {
    is_built: bool,
    is_late: bool,
    failed: BTreeSet<String>,
}

impl Copy {
    fn make(root: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = cargo::target_directory()?.join("prove");
        let oracles =
            std::env::var_os("HEARTH_ORACLES").map_or_else(|| root.join("../shared"), PathBuf::from);
        let red_before = BTreeSet::new();
        let copy = Self { tree: folder.join("tree"), target: folder.join("target"), oracles, red_before };
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()?;
        for path in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            copy.write(Path::new(path), &fs::read(root.join(path))?)?;
        }
        Ok(copy)
    }

    /// Writes only what differs, so that the next build does no more than it must.
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let path = self.tree.join(path);
        if fs::read(&path).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        fs::create_dir_all(path.parent().unwrap_or(&self.tree))?;
        fs::write(path, bytes)
    }

    fn try_out(&self, switch: &Switch, claims: &[Claim]) -> Result<Verdict, Box<dyn std::error::Error>> {
        let mut before: BTreeMap<String, String> = BTreeMap::new();
        for edit in switch.edits() {
            let path = Path::new(&edit.file);
            let text = fs::read_to_string(self.tree.join(path))?;
            self.write(path, text.replace(&edit.find, &edit.replace).as_bytes())?;
            before.entry(edit.file).or_insert(text);
        }
        let verdict = self.judge(switch, claims);
        for (path, text) in before {
            self.write(Path::new(&path), text.as_bytes())?;
        }
        verdict
    }

    /// Runs the tests of the chosen rows once with every rule in place: what is red then proves nothing.
    fn take_stock(&mut self, chosen: &[Switch], claims: &[Claim]) -> Result<(), Box<dyn std::error::Error>> {
        let mut rows: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for claim in claims.iter().filter(|claim| chosen.iter().any(|switch| switch.row == claim.id)) {
            if let Some(name) = package(&claim.path) {
                rows.entry(name).or_default().insert(filter(&claim.id));
            }
        }
        for (name, filters) in rows {
            let run = self.test(name, &filters, STOCK_PATIENCE)?;
            if !run.is_built {
                return Err(format!("{name} does not build with every rule in place").into());
            }
            self.red_before.extend(run.failed.iter().map(|test| format!("{name} {test}")));
            self.red_before.extend(run.is_late.then(|| format!("{name}, whose tests do not end")));
        }
        Ok(())
    }

    fn judge(&self, switch: &Switch, claims: &[Claim]) -> Result<Verdict, Box<dyn std::error::Error>> {
        let row = switch.row.as_str();
        let mut crates: Vec<&str> =
            claims.iter().filter(|claim| claim.id == row).filter_map(|claim| package(&claim.path)).collect();
        crates.dedup();
        // The crate that holds the rule knows first, and builds fastest; whole processes come last.
        crates.sort_by_key(|name| (Some(*name) != package(&switch.file), *name == "e2e"));
        crates.dedup();
        for name in crates {
            let run = self.test(name, &BTreeSet::from([filter(row)]), PATIENCE)?;
            if !run.is_built {
                return Ok(Verdict::Broken);
            }
            let failed = run.failed.iter().map(|test| format!("{name} {test}"));
            if let Some(test) = failed.into_iter().find(|test| !self.red_before.contains(test)) {
                return Ok(Verdict::Red(test));
            }
            if run.is_late {
                return Ok(Verdict::Late(name.to_owned()));
            }
        }
        Ok(Verdict::Green)
    }

    /// Whether the crate builds, and which of the tests with these names fail in time.
    fn test(&self, name: &str, filters: &BTreeSet<String>, patience: &str) -> std::io::Result<Run> {
        let processes: &[&str] = &["build", "--locked", "--bins", "-p", "cli", "-p", "henb"];
        let tests: &[&str] = &["test", "--locked", "--no-run", "-p", name];
        for arguments in if name == "e2e" { vec![processes, tests] } else { vec![tests] } {
            if !self.cargo(arguments)?.status.success() {
                return Ok(Run::default());
            }
        }
        // Without its rule a test may wait for ever: it ends with all that it started.
        let mut limited =
            vec!["-k", "5", patience, "cargo", "test", "--locked", "--no-fail-fast", "-p", name, "--"];
        limited.extend(filters.iter().map(String::as_str));
        let output = self.within("timeout", &limited)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = text.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        let mut failed: BTreeSet<String> = failed.map(str::to_owned).collect();
        let is_late = LATE.contains(&output.status.code());
        // A binary that dies names no test.
        if !output.status.success() && !is_late && failed.is_empty() {
            failed.insert("a test binary died".to_owned());
        }
        Ok(Run { is_built: true, is_late, failed })
    }

    fn cargo(&self, arguments: &[&str]) -> std::io::Result<std::process::Output> {
        self.surround(cargo::cargo(arguments)).output()
    }

    fn within(&self, program: &str, arguments: &[&str]) -> std::io::Result<std::process::Output> {
        let mut command = Command::new(program);
        command.args(arguments);
        self.surround(command).output()
    }

    fn surround(&self, mut command: Command) -> Command {
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        // Warnings are what a switched-off rule leaves behind.
        command.env("RUSTFLAGS", "-Awarnings").env("RUST_BACKTRACE", "0");
        command.env("HEARTH_ORACLES", &self.oracles);
        command.env("HEARTH_BIN", cargo::binary(&self.target, "debug", "hearth"));
        command.env("HENBD_BIN", cargo::binary(&self.target, "debug", "henbd"));
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }
}

/// What `timeout` ends with when it had to end something, gently or not; a signal has no code.
const LATE: [Option<i32>; 3] = [Some(124), Some(137), None];

/// What the names of a row's tests have in front.
fn filter(row: &str) -> String {
    format!("{}_", row.to_lowercase().replace('-', ""))
}

/// The crate that a file belongs to.
fn package(path: &str) -> Option<&str> {
    if path.starts_with("xtask/") {
        return Some("xtask");
    }
    path.strip_prefix("crates/")?.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(switch: &str, source: &str) -> Project {
        Project::of(&[("xtask/switches/a.toml", switch), ("crates/a/src/lib.rs", source)])
    }

    const SOURCE: &str = "//! A.\nfn f() -> bool { g() }\n#[test]\nfn p01_x() {}\n";

    #[test]
    fn a_switch_fits_once_and_every_proven_row_has_one() {
        let switch = |find: &str| {
            format!(
                "[[switch]]\nrow = \"P-01\"\nfile = \"crates/a/src/lib.rs\"\nfind = \"{find}\"\nreplace = \"\"\n"
            )
        };
        assert!(check(&project(&switch("g()"), SOURCE)).is_empty());
        assert_eq!(check(&project(&switch("h()"), SOURCE)).len(), 1, "nowhere");
        assert_eq!(check(&project(&switch("()"), SOURCE)).len(), 1, "too often");
        let claims = requirements::claims(&project("", SOURCE));
        assert_eq!(unswitched(&claims, &[]), BTreeSet::from(["P-01".to_owned()]));
        assert_eq!(check(&project("[[switch]]\nrow = 1", SOURCE)).len(), 1, "unreadable");
    }
}
