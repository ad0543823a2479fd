//! `./x prove`: switches each rule off, one at a time, and sees the tests of its row turn red.
//!
//! A test that stays green when its rule is gone proves nothing. The switches are data, in xtask/switches: a row,
//! a place in the sources, and what stands there when the rule is off. They are applied to a copy of the tree.
//!
//! ```text
//!   copy ─▶ for each switch: replace ─▶ the row's tests, nearest crate first ─▶ red: proven · green: not
//! ```

use std::collections::BTreeSet;
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
    for (path, switch) in &switches {
        let times = project.text(&switch.file).map_or(0, |text| text.matches(&switch.find).count());
        if times != 1 || switch.find == switch.replace {
            let what = format!("the switch of {} fits {times} times in {}", switch.row, switch.file);
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
    let copy = Copy::make(&root)?;
    let mut is_proven = missing.is_empty() && !chosen.is_empty();
    for row in &missing {
        println!("{row}  has tests and no switch");
    }
    for switch in &chosen {
        let verdict = copy.try_out(switch, &claims)?;
        let words = match &verdict {
            Verdict::Red(test) => format!("red    {test}"),
            Verdict::Green => "GREEN  its tests pass without the rule".to_owned(),
            Verdict::Broken => "BROKEN  does not build".to_owned(),
        };
        println!("{}  {words}", switch.row);
        is_proven &= matches!(verdict, Verdict::Red(_));
    }
    println!("{} switches, {}", chosen.len(), if is_proven { "all red" } else { "not all red" });
    Ok(is_proven)
}

/// A copy of the sources with a build folder of its own, kept between runs.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
    oracles: PathBuf,
}

impl Copy {
    fn make(root: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = cargo::target_directory()?.join("prove");
        let oracles =
            std::env::var_os("HEARTH_ORACLES").map_or_else(|| root.join("../shared"), PathBuf::from);
        let copy = Self { tree: folder.join("tree"), target: folder.join("target"), oracles };
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
        let path = Path::new(&switch.file);
        let text = fs::read_to_string(self.tree.join(path))?;
        self.write(path, text.replace(&switch.find, &switch.replace).as_bytes())?;
        let verdict = self.judge(switch, claims);
        self.write(path, text.as_bytes())?;
        verdict
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
            let (built, failed) = self.test(name, row)?;
            if !built {
                return Ok(Verdict::Broken);
            }
            if let Some(test) = failed {
                return Ok(Verdict::Red(format!("{name} {test}")));
            }
        }
        Ok(Verdict::Green)
    }

    /// Whether the crate builds, and the first of the row's tests in it that fails.
    fn test(&self, name: &str, row: &str) -> std::io::Result<(bool, Option<String>)> {
        let processes: &[&str] = &["build", "--locked", "--bins", "-p", "cli", "-p", "henb"];
        let tests: &[&str] = &["test", "--locked", "--no-run", "-p", name];
        for arguments in if name == "e2e" { vec![processes, tests] } else { vec![tests] } {
            if !self.cargo(arguments)?.status.success() {
                return Ok((false, None));
            }
        }
        let filter = format!("{}_", row.to_lowercase().replace('-', ""));
        // Without its rule a test may wait for ever: it ends with all that it started, and that is red too.
        let limited =
            ["-k", "5", PATIENCE, "cargo", "test", "--locked", "--no-fail-fast", "-p", name, "--", &filter];
        let output = self.within("timeout", &limited)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = text.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        // A binary that dies names no test.
        let died = (!output.status.success()).then(|| "a test binary died".to_owned());
        Ok((true, failed.map(str::to_owned).or(died)))
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
