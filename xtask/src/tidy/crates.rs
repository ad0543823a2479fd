//! Which crate may know which, and how many strangers it may bring in.
//!
//! Edges point one way, from what an operator starts to what reads bytes. A new edge is a decision record and
//! a line in `xtask/tidy.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Finding, RULES};
use crate::project::Project;

/// A Cargo.toml, as far as it is read here.
#[derive(Debug, Deserialize)]
struct Manifest {
    package: Name,
    #[serde(default)]
    dependencies: toml::Table,
    #[serde(default, rename = "dev-dependencies")]
    dev_dependencies: toml::Table,
    #[serde(default, rename = "build-dependencies")]
    build_dependencies: toml::Table,
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

/// The manifests of the project's own crates, with their paths.
fn manifests(project: &Project) -> Vec<(&str, &str, Manifest)> {
    let files = project.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    files
        .filter_map(|file| Some((file.path.as_str(), file.text.as_str(), toml::from_str(&file.text).ok()?)))
        .collect()
}

/// Each crate depends only on the crates that its line of the table names.
pub(super) fn edges(project: &Project, edges: &BTreeMap<String, Vec<String>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text, manifest) in manifests(project) {
        let name = &manifest.package.name;
        let Some(allowed) = edges.get(name) else {
            let right = format!("a new crate needs a decision record and a line in {RULES}");
            findings.push(Finding::new(
                path,
                1,
                format!("the crate `{name}` is not in the table of edges"),
                right,
            ));
            continue;
        };
        let tables = [&manifest.dependencies, &manifest.dev_dependencies, &manifest.build_dependencies];
        for other in tables.into_iter().flat_map(toml::Table::keys) {
            if edges.contains_key(other) && !allowed.contains(other) {
                let right = format!("`{name}` may depend on: {}", list(allowed));
                findings.push(Finding::new(
                    path,
                    line_of(text, other),
                    format!("the edge {name} -> {other}"),
                    right,
                ));
            }
        }
    }
    findings
}

/// Crates with a bound on their direct dependencies keep it.
pub(super) fn counts(project: &Project, bounds: &BTreeMap<String, usize>) -> Vec<Finding> {
    let manifests = manifests(project).into_iter();
    manifests
        .filter_map(|(path, _, manifest)| {
            let (name, count) = (&manifest.package.name, manifest.dependencies.len());
            let bound = bounds.get(name).filter(|bound| count > **bound)?;
            let what = format!("`{name}` has {count} direct dependencies");
            Some(Finding::new(path, 1, what, format!("{bound} at most")))
        })
        .collect()
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none of ours".into() } else { names.join(", ") }
}

/// The line on which a dependency stands.
fn line_of(manifest: &str, dependency: &str) -> usize {
    let is_it =
        |line: &str| line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with([' ', '.', '=']));
    manifest.lines().position(is_it).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "[package]\nname = \"low\"\n[dependencies]\nserde = \"1\"\nhigh.workspace = true\n";

    fn table() -> BTreeMap<String, Vec<String>> {
        [("low".into(), vec![]), ("high".into(), vec!["low".into()])].into()
    }

    #[test]
    fn an_edge_that_points_up_is_found() {
        let found = edges(&Project::of(&[("crates/low/Cargo.toml", MANIFEST)]), &table());
        let right = "crates/low/Cargo.toml:5: the edge low -> high; `low` may depend on: none of ours";
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [right]);
    }

    #[test]
    fn an_edge_for_tests_counts_too() {
        let manifest = MANIFEST.replace("[dep", "[dev-dep");
        assert_eq!(edges(&Project::of(&[("crates/low/Cargo.toml", &manifest)]), &table()).len(), 1);
    }

    #[test]
    fn a_crate_that_nobody_decided_on_is_found() {
        let project = Project::of(&[("crates/new/Cargo.toml", "[package]\nname = \"new\"")]);
        assert_eq!(edges(&project, &table()).len(), 1);
    }

    #[test]
    fn one_dependency_too_many_is_found() {
        let project = Project::of(&[("crates/low/Cargo.toml", MANIFEST)]);
        assert_eq!(counts(&project, &[("low".into(), 1)].into()).len(), 1);
        assert_eq!(counts(&project, &[("low".into(), 2)].into()), []);
    }
}
