//! Pages that are made from something else, and are committed so that they can be read.
//!
//! A page is a path and a function of the project; `./x gen` writes them all, tidy compares them all.

mod configuration;
mod quirks;
mod refusals;
mod topics;

use std::error::Error;
use std::fs;

use crate::cargo::cargo;
use crate::project::{self, Project};
use crate::{Answer, requirements};

/// The text of a generated page, or why it cannot be made.
type Page = Result<String, Box<dyn Error>>;

/// Makes a page of what the project is now.
type Render = fn(&Project) -> Page;

/// Every generated page.
pub(crate) const PAGES: [(&str, Render); 5] = [
    ("docs/requirements.md", |project| Ok(requirements::render(project)?)),
    ("docs/topics.md", topics::render),
    ("docs/operate/configuration.md", |project| Ok(configuration::render(project))),
    ("docs/operate/quirks.md", quirks::render),
    ("docs/operate/refusals.md", |project| Ok(refusals::render(project))),
];

/// Writes what has changed.
pub(crate) fn run() -> Answer {
    let root = project::root();
    let project = Project::read(&root)?;
    for (path, render) in PAGES {
        let text = render(&project)?;
        let state = if project.text(path) == Some(&text) { "fresh" } else { "written" };
        fs::write(root.join(path), text)?;
        println!("{path}: {state}");
    }
    by_test("crates/datamodel/tables", &["--package", "datamodel", "--test", "tables"])?;
    by_test("docs/openapi.json", &["--package", "hems", "--lib", "openapi_document_is"])?;
    by_test("docs/operate/roles.md", &["--package", "hems", "--lib", "page_of_roles"])
}

/// What a test compares with what it is made from, by that test.
fn by_test(path: &str, test: &[&str]) -> Answer {
    // The first run may read what it writes at the same time.
    for state in ["written", "fresh"] {
        let outcome = cargo(&["test", "--quiet"]).args(test).env("UPDATE_EXPECT", "1").output()?;
        if !outcome.status.success() {
            return Err(String::from_utf8_lossy(&outcome.stderr).into());
        }
        println!("{path}: {state}");
    }
    Ok(true)
}
