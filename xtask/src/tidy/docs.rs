//! The documents: all found from one index, decisions by number, no dead links.

use super::Finding;
use crate::project::{Project, Source};

const INDEX: &str = "docs/README.md";
const DECISIONS: &str = "docs/decisions/";

fn pages(project: &Project) -> impl Iterator<Item = &Source> {
    project.files.iter().filter(|file| file.path.ends_with(".md"))
}

/// The targets of a page's links, with their lines.
fn link_targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(1..);
    lines.flat_map(|(line, number)| {
        line.split("](").skip(1).filter_map(move |rest| Some((number, rest.split_once(')')?.0)))
    })
}

/// Every page below docs/ is linked from the index.
pub(super) fn indexed(project: &Project) -> Vec<Finding> {
    let index = project.text(INDEX).unwrap_or_default();
    let listed: Vec<&str> = link_targets(index).map(|(_, target)| target).collect();
    let lost = pages(project).filter(|page| {
        let name = page.path.strip_prefix("docs/");
        page.path != INDEX && name.is_some_and(|name| !listed.contains(&name))
    });
    lost.map(|page| Finding::new(&page.path, 1, format!("is not in {INDEX}"), "add a line that links it"))
        .collect()
}

/// A decision is `NNNN-verb-noun.md`, its number its own, its title the same number.
pub(super) fn decisions(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut before = None;
    for page in project.below(DECISIONS) {
        let name = page.path.strip_prefix(DECISIONS).unwrap_or_default();
        let Some(number) = decision_number(name) else {
            findings.push(Finding::new(&page.path, 1, "is not named as a decision", "NNNN-verb-noun.md"));
            continue;
        };
        if before == Some(number) {
            findings.push(Finding::new(
                &page.path,
                1,
                format!("the number {number} is taken"),
                "take the next one",
            ));
        }
        if !page.text.starts_with(&format!("# {number} ")) {
            findings.push(Finding::new(
                &page.path,
                1,
                "the title lacks the number",
                format!("`# {number} Verb noun`"),
            ));
        }
        before = Some(number);
    }
    findings
}

fn decision_number(name: &str) -> Option<&str> {
    let (number, words) = name.strip_suffix(".md")?.split_once('-')?;
    let is_number = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    (is_number && words.contains('-') && words.split('-').all(is_word)).then_some(number)
}

/// A link to a file of the project leads somewhere.
pub(super) fn links(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages(project) {
        for (line, target) in link_targets(&page.text) {
            let file = target.split('#').next().unwrap_or_default();
            let is_elsewhere = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
            if is_elsewhere || leads_somewhere(project, &resolve(&page.path, file)) {
                continue;
            }
            findings.push(Finding::new(
                &page.path,
                line,
                format!("the link to `{target}` is dead"),
                "link a file that is there",
            ));
        }
    }
    findings
}

fn leads_somewhere(project: &Project, path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    project.text(path).is_some() || project.below(&folder).next().is_some()
}

/// The path that `link` means on `page`.
fn resolve(page: &str, link: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Project) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
        rule(&Project::of(files))
            .iter()
            .map(|finding| format!("{}: {}", finding.path, finding.what))
            .collect()
    }

    #[test]
    fn a_page_off_the_index_is_found() {
        let files = [(INDEX, "- [a](how-to/a.md)"), ("docs/how-to/a.md", ""), ("docs/how-to/b.md", "")];
        assert_eq!(check(indexed, &files), ["docs/how-to/b.md: is not in docs/README.md"]);
    }

    #[test]
    fn decisions_are_named_numbered_and_titled() {
        let files = [
            ("docs/decisions/0001-choose-engine.md", "# 0001 Choose engine"),
            ("docs/decisions/0001-write-sql.md", "# 0001 Write SQL"),
            ("docs/decisions/0002-write-sql.md", "# Write SQL"),
            ("docs/decisions/3-x.md", ""),
        ];
        let right = [
            "docs/decisions/0001-write-sql.md: the number 0001 is taken",
            "docs/decisions/0002-write-sql.md: the title lacks the number",
            "docs/decisions/3-x.md: is not named as a decision",
        ];
        assert_eq!(check(decisions, &files), right);
    }

    #[test]
    fn a_dead_link_is_found() {
        let page = "[a](../x) [b](b.md#top) [c](https://example.org) [d](../src/) [e](gone.md)";
        let files = [("docs/a.md", page), ("docs/b.md", ""), ("x", ""), ("src/lib.rs", "")];
        assert_eq!(check(links, &files), ["docs/a.md: the link to `gone.md` is dead"]);
    }
}
