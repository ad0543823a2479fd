//! Pages that are made from something else, and are committed so that they can be read.
//!
//! A page is a path and a function of the project; `./x gen` writes them all, tidy compares them all.

use std::fs;

use crate::project::{self, Project};
use crate::{Answer, requirements};

/// A generated page, or why it cannot be made.
type Render = fn(&Project) -> Result<String, requirements::RequirementsError>;

/// Every generated page.
pub(crate) const PAGES: [(&str, Render); 1] = [("docs/requirements.md", requirements::render)];

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
    Ok(true)
}
