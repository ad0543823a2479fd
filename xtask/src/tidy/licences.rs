//! What `deny.toml` says about strangers' crates: their licences, and who may use them directly.
//!
//! cargo-deny reads the same file where it is at hand. Here the two rules that matter every day are checked
//! from `cargo metadata`, so that nobody has to install it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Finding;
use crate::cargo::{Metadata, Package};
use crate::project::Project;

const DENY: &str = "deny.toml";

/// deny.toml, as far as it is read here.
#[derive(Debug, Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

/// A crate that only its wrappers may name; none named, nobody may.
#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    wrappers: Vec<String>,
    reason: String,
}

fn deny(project: &Project) -> Result<Deny, Finding> {
    let text = project
        .text(DENY)
        .ok_or_else(|| Finding::new(DENY, 1, "is missing", "it lists licences and wrappers"))?;
    toml::from_str(text)
        .map_err(|error| Finding::new(DENY, 1, error.message(), "it has the form of cargo-deny"))
}

/// A crate with wrappers is a direct dependency of those alone.
pub(super) fn wrappers(project: &Project, metadata: &Metadata) -> Vec<Finding> {
    let deny = match deny(project) {
        Ok(deny) => deny,
        Err(finding) => return vec![finding],
    };
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let name = |id: &str| packages.get(id).map_or("", |package| package.name.as_str()).to_owned();
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let mut findings = Vec::new();
    for node in nodes {
        let user = name(&node.id);
        for used in node.dependencies.iter().map(|id| name(id)) {
            let Some(ban) = deny.bans.deny.iter().find(|ban| ban.name == used) else { continue };
            if !ban.wrappers.contains(&user) {
                let what = format!("`{user}` depends on `{used}`");
                findings.push(Finding::new(DENY, 1, what, ban.reason.clone()));
            }
        }
    }
    findings
}

/// Every package has a licence that the list allows.
pub(super) fn licences(project: &Project, metadata: &Metadata) -> Vec<Finding> {
    // A missing file is already a finding of `wrappers`.
    let Ok(deny) = deny(project) else { return vec![] };
    let refused = metadata.packages.iter().filter(|package| {
        !package.license.as_deref().is_some_and(|licence| is_allowed(licence, &deny.licenses.allow))
    });
    refused
        .map(|package| {
            let licence = package.license.as_deref().unwrap_or("none");
            let what = format!("{} {} has the licence {licence}", package.name, package.version);
            Finding::new(DENY, 1, what, "use another crate, or allow the licence with a reason")
        })
        .collect()
}

/// An SPDX expression of AND, OR and parentheses; the old `MIT/Apache-2.0` too.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced =
        expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").replace(" WITH ", "-WITH-");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    either(&mut words, allowed) && words.is_empty()
}

fn either(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut holds = both(words, allowed);
    while words.pop_if(|word| *word == "OR").is_some() {
        holds |= both(words, allowed);
    }
    holds
}

fn both(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut holds = one(words, allowed);
    while words.pop_if(|word| *word == "AND").is_some() {
        holds &= one(words, allowed);
    }
    holds
}

fn one(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    match words.pop() {
        Some("(") => {
            let holds = either(words, allowed);
            words.pop_if(|word| *word == ")").is_some() && holds
        }
        Some(licence) => {
            // An exception adds permissions, so that the licence alone decides.
            let licence = licence.split("-WITH-").next().unwrap_or(licence);
            allowed.iter().any(|name| name == licence)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY_TOML: &str = "[licenses]\nallow = [\"MIT\"]\n[bans]\n\
        deny = [{ crate = \"engine\", wrappers = [\"profile\"], reason = \"only `profile` names it\" }]";

    fn metadata(user: &str, licence: &str) -> Metadata {
        let package = |name: &str| {
            format!(
                "{{\"id\":\"{name}\",\"name\":\"{name}\",\"version\":\"1.0.0\",\"license\":\"{licence}\"}}"
            )
        };
        let text = format!(
            "{{\"target_directory\":\"t\",\"packages\":[{},{}],\"resolve\":{{\"nodes\":[\
             {{\"id\":\"{user}\",\"dependencies\":[\"engine\"]}},{{\"id\":\"engine\",\"dependencies\":[]}}]}}}}",
            package(user),
            package("engine")
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_crate_beside_its_wrapper_is_found() {
        let project = Project::of(&[(DENY, DENY_TOML)]);
        let found = wrappers(&project, &metadata("hems", "MIT"));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["deny.toml:1: `hems` depends on `engine`; only `profile` names it"]);
        assert_eq!(wrappers(&project, &metadata("profile", "MIT")), []);
    }

    #[test]
    fn a_licence_off_the_list_is_found() {
        let project = Project::of(&[(DENY, DENY_TOML)]);
        assert_eq!(licences(&project, &metadata("hems", "GPL-3.0")).len(), 2);
        assert_eq!(licences(&project, &metadata("hems", "MIT")), []);
    }

    #[test]
    fn expressions_are_read() {
        let allowed = ["MIT".into(), "Apache-2.0".into(), "Unicode-3.0".into()];
        for good in
            ["MIT", "X OR MIT", "MIT/X", "(MIT OR X) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception OR X"]
        {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["X", "X AND MIT", "(MIT OR X) AND X", "(MIT", "MIT MIT", ""] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn a_missing_file_is_found() {
        assert_eq!(wrappers(&Project::of(&[]), &metadata("hems", "MIT")).len(), 1);
    }
}
