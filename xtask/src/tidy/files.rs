//! Rules that look at one file at a time: what every file has, and what no file may hold.

use super::Finding;
use crate::project::Project;
use crate::rust::{self, Kind, Token};

/// Where SQL may stand: the store and its migrations, and the benchmark that writes the same rows by hand.
const STORE: [&str; 4] =
    ["crates/hems/src/store.rs", "crates/hems/src/store/", "crates/hems/migrations/", "crates/hems/benches/"];

/// How a statement begins, with a space after it; two words where one alone is also English.
const STATEMENTS: [&str; 11] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE FROM",
    "CREATE TABLE",
    "CREATE INDEX",
    "CREATE UNIQUE",
    "ALTER TABLE",
    "DROP TABLE",
    "PRAGMA",
    "WITH RECURSIVE",
];

/// Every file says what it is for before anything else.
pub(super) fn module_docs(project: &Project) -> Vec<Finding> {
    let silent = project.rust().filter(|file| !file.text.starts_with("//!"));
    silent
        .map(|file| {
            Finding::new(&file.path, 1, "opens without a module doc", "`//!`: its purpose and its one rule")
        })
        .collect()
}

/// SQL stands in the store.
pub(super) fn sql(project: &Project) -> Vec<Finding> {
    let right = "move the statement to crates/hems/src/store/";
    let others =
        || project.files.iter().filter(|file| !STORE.iter().any(|place| file.path.starts_with(place)));
    let files = others().filter(|file| file.path.ends_with(".sql"));
    let mut findings: Vec<Finding> =
        files.map(|file| Finding::new(&file.path, 1, "SQL outside the store", right)).collect();
    for file in others().filter(|file| file.is_rust()) {
        let tokens = rust::tokens(&file.text);
        let texts = tokens.iter().filter(|token| token.kind == Kind::Text && is_sql(token.text));
        findings
            .extend(texts.map(|token| Finding::new(&file.path, token.line, "SQL outside the store", right)));
    }
    findings
}

fn is_sql(literal: &str) -> bool {
    let text = literal.trim_start_matches(|character: char| "rbc#\"\\\n ".contains(character));
    STATEMENTS
        .iter()
        .any(|statement| text.strip_prefix(statement).is_some_and(|rest| rest.starts_with([' ', '\n'])))
}

/// Where code may do what the compiler cannot check.
const UNCHECKED: &str = "crates/profile/src/ffi";

/// Only the calls to the TLS engine that its binding lacks are beyond the compiler's checks.
pub(super) fn unchecked(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in project.rust().filter(|file| !file.path.starts_with(UNCHECKED)) {
        let tokens = rust::tokens(&file.text);
        let words = tokens.iter().filter(|token| matches!(token.text, "unsafe" | "unsafe_code"));
        let right = "a safe interface, or a wrapper in crates/profile/src/ffi/";
        findings.extend(words.map(|token| Finding::new(&file.path, token.line, "unsafe code", right)));
    }
    findings
}

/// Work left for later names the issue that will do it.
pub(super) fn issues(project: &Project) -> Vec<Finding> {
    rust_findings(project, "name the issue: `TODO(#12)`", |token| {
        let mark = ["TODO", "FIXME", "XXX"].into_iter().find(|mark| {
            let mut uses = token.text.split(*mark).skip(1);
            uses.any(|after| !after.trim_start_matches(['(', ' ']).starts_with('#'))
        })?;
        (token.kind == Kind::Comment).then(|| format!("{mark} without an issue"))
    })
}

/// A test that is not run proves nothing, and a stub is not a body.
pub(super) fn stubs(project: &Project) -> Vec<Finding> {
    let mut findings = rust_findings(project, "write it, or leave the function out", |token| {
        let is_stub = ["todo", "unimplemented"].iter().any(|word| token.is_word(word));
        is_stub.then(|| format!("a stub: `{}`", token.text))
    });
    for file in project.rust() {
        let tokens = rust::tokens(&file.text);
        let ignored = rust::functions(&tokens).into_iter().filter(|function| function.is_ignored);
        findings.extend(ignored.map(|test| {
            let right = "make it run, or delete it; one that lacks a tool appends to $HEARTH_SKIPS";
            Finding::new(&file.path, test.line, format!("`{}` is ignored", test.name), right)
        }));
    }
    findings
}

/// Nothing committed knows the machine it was written on.
pub(super) fn traces(project: &Project) -> Vec<Finding> {
    // In pieces, so that this list is no trace itself.
    let traces = [["/wo", "rk/"], ["/fa", "rm/"], ["/ro", "ot/"], ["DEVELO", "PERS.md"], ["before-", "stop"]];
    let mut findings = Vec::new();
    for file in project.files.iter().filter(|file| file.path != "Cargo.lock") {
        for (line, number) in file.text.lines().zip(1..) {
            for trace in traces.iter().map(|pieces| pieces.concat()).filter(|trace| is_path(line, trace)) {
                let what = format!("names `{trace}`, which exists on one machine only");
                findings.push(Finding::new(
                    &file.path,
                    number,
                    what,
                    "a path relative to the project, or a variable",
                ));
            }
        }
    }
    findings
}

/// Whether the trace is there and is not the tail of a longer path: `target/…/x` is fine, a root is not.
fn is_path(line: &str, trace: &str) -> bool {
    line.match_indices(trace).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || "_./-}$".contains(character))
    })
}

/// One finding for each token of which `judge` has something to say.
fn rust_findings(
    project: &Project,
    right: &str,
    judge: impl Fn(&Token<'_>) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in project.rust() {
        for token in rust::tokens(&file.text) {
            findings.extend(judge(&token).map(|what| Finding::new(&file.path, token.line, what, right)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Project) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        rule(&Project::of(&[(path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_file_without_a_door_is_found() {
        assert_eq!(check(module_docs, "a.rs", "use std::fmt;\n//! Late."), [1]);
        assert!(check(module_docs, "a.rs", "//! Early.\n").is_empty());
    }

    #[test]
    fn sql_outside_the_store_is_found() {
        let query = "//! A.\nfn f() { query(\"\\\n  SELECT 1\"); say(\"UPDATEs are fine\"); }";
        assert_eq!(check(sql, "crates/hems/src/api.rs", query), [2]);
        assert!(check(sql, "crates/hems/src/store/device.rs", query).is_empty());
        assert_eq!(check(sql, "crates/hems/src/schema.sql", ""), [1]);
        assert!(check(sql, "crates/hems/migrations/1.sql", "").is_empty());
    }

    #[test]
    fn unsafe_code_outside_its_room_is_found() {
        let text = "//! A.\n#![allow(unsafe_code)]\nfn f() { unsafe { g() } }\n// unsafe is a word here\n";
        assert_eq!(check(unchecked, "crates/hems/src/a.rs", text), [2, 3]);
        assert!(check(unchecked, "crates/profile/src/ffi/a.rs", text).is_empty());
    }

    #[test]
    fn work_for_nobody_is_found() {
        let text = "// TODO later\n// TODO(#3) later\n// FIXME #4\nlet a = \"TODO\";\n/// FIXME: x";
        assert_eq!(check(issues, "a.rs", text), [1, 5]);
    }

    #[test]
    fn stubs_and_ignored_tests_are_found() {
        assert_eq!(check(stubs, "a.rs", "fn a() { todo!() }"), [1]);
        assert_eq!(check(stubs, "a.rs", "#[test]\n#[ignore]\nfn a() {}\n"), [3]);
        assert!(check(stubs, "a.rs", "#[test]\nfn a() { /* todo */ }\n").is_empty());
    }

    #[test]
    fn a_trace_of_the_workplace_is_found() {
        let trace = ["see /wo", "rk/main"].concat();
        assert_eq!(check(traces, "README.md", &trace), [1]);
        assert!(check(traces, "README.md", &trace.replace("see ", "my/net")).is_empty());
        assert_eq!(check(traces, "a.toml", &["DEVELO", "PERS.md"].concat()), [1]);
    }
}
