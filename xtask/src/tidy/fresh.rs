//! Generated pages say what their sources say now.

use super::Finding;
use crate::generate::PAGES;
use crate::project::Project;

/// Every generated page is as `./x gen` would write it.
pub(super) fn pages(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, render) in PAGES {
        match render(project) {
            Ok(text) if project.text(path) == Some(&text) => {}
            Ok(_) => findings.push(Finding::new(path, 1, "is stale", "run ./x gen and commit what it wrote")),
            Err(error) => findings.push(Finding::new(path, 1, error.to_string(), "mend its source")),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirements::{self, ROWS};

    #[test]
    fn a_stale_page_is_found() {
        let row = (ROWS, "[P-01]\nstatement = \"x\"\nsource = \"x\"\nconfidence = \"clause\"\n");
        let page = requirements::render(&Project::of(&[row])).unwrap();
        let fresh = [row, ("docs/requirements.md", page.as_str())];
        let is_about_requirements = |finding: &Finding| finding.path == "docs/requirements.md";
        assert!(!pages(&Project::of(&fresh)).iter().any(is_about_requirements));
        let test = ("a.rs", "#[test]\nfn p01_new_proof() {}");
        let [row, page] = fresh;
        assert!(pages(&Project::of(&[row, page, test])).iter().any(is_about_requirements));
    }
}
