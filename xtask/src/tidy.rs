//! The house rules, as code: `./x tidy`, and a test beside every other test.
//!
//! A rule is a small function from the project to findings, with a test of its own that shows it failing. What
//! a rule compares with stands in `xtask/tidy.toml` and `deny.toml`, so that loosening one is visible. The
//! whole takes under two seconds: it reads every file once and asks cargo once.

mod clauses;
mod crates;
mod docs;
mod files;
mod fresh;
mod golden;
mod licences;
mod secrets;
mod sizes;
mod thresholds;
mod words;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde::Deserialize;

use crate::project::{self, Project};
use crate::{Answer, cargo, switches};

/// Where the rules' data stands.
const RULES: &str = "xtask/tidy.toml";

/// Something that is not as it should be: where, what, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
    right: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>, right: impl Into<String>) -> Self {
        Self { path: path.into(), line, what: what.into(), right: right.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, right } = self;
        write!(f, "{path}:{line}: {what}; {right}")
    }
}

/// A list of names, each with the reason why it is on the list.
type Reasons = BTreeMap<String, String>;

/// What the rules compare with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    edges: BTreeMap<String, Vec<String>>,
    dependencies: BTreeMap<String, usize>,
    sizes: Sizes,
    words: Words,
    secrets: Reasons,
}

/// The longest that a function and a file may be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sizes {
    function: usize,
    file: usize,
    exempt: Reasons,
}

/// What a name may not say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    types: Vec<String>,
    functions: Vec<String>,
    exempt: Reasons,
}

impl Rules {
    fn read(project: &Project) -> Result<Self, Box<dyn Error>> {
        let text = project.text(RULES).ok_or("cannot find xtask/tidy.toml")?;
        Ok(toml::from_str(text).map_err(|error| format!("cannot read {RULES}: {error}"))?)
    }
}

/// All findings of all rules, by file and line.
fn findings(project: &Project, rules: &Rules, metadata: &cargo::Metadata) -> Vec<Finding> {
    let mut findings = [
        crates::edges(project, &rules.edges),
        crates::counts(project, &rules.dependencies),
        licences::wrappers(project, metadata),
        licences::licences(project, metadata),
        files::module_docs(project),
        files::sql(project),
        files::unchecked(project),
        files::issues(project),
        switches::check(project),
        files::stubs(project),
        files::traces(project),
        sizes::sizes(project, &rules.sizes),
        words::types(project, &rules.words),
        words::functions(project, &rules.words),
        secrets::secrets(project, &rules.secrets),
        golden::pairs(project),
        golden::orphans(project),
        golden::quirks(project),
        clauses::references(project),
        clauses::rows(project),
        docs::indexed(project),
        docs::decisions(project),
        docs::links(project),
        fresh::pages(project),
        thresholds::thresholds(project),
    ]
    .concat();
    findings.sort();
    findings
}

/// Prints the findings; the answer is yes where there are none.
pub(crate) fn run() -> Answer {
    let findings = check()?;
    findings.iter().for_each(|finding| println!("{finding}"));
    println!(
        "tidy: {}",
        if findings.is_empty() { "clean".into() } else { format!("{} findings", findings.len()) }
    );
    Ok(findings.is_empty())
}

/// Prints how long functions and files are.
pub(crate) fn figures() -> Answer {
    println!("{}", sizes::figures(&Project::read(&project::root())?));
    Ok(true)
}

fn check() -> Result<Vec<Finding>, Box<dyn Error>> {
    let project = Project::read(&project::root())?;
    let rules = Rules::read(&project)?;
    Ok(findings(&project, &rules, &cargo::metadata()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_tidy() {
        let findings: Vec<String> = check().unwrap().iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    }
}
