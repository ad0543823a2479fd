//! A crate's own clippy.toml replaces the root's: what the root says stands in it again.

use super::Finding;
use crate::project::Project;

/// Every key of the root's clippy.toml has the same value in a crate's.
pub(super) fn thresholds(project: &Project) -> Vec<Finding> {
    let read = |text: &str| -> toml::Table { toml::from_str(text).unwrap_or_default() };
    let root = read(project.text("clippy.toml").unwrap_or_default());
    let mut findings = Vec::new();
    for file in project.files.iter().filter(|file| file.path.ends_with("/clippy.toml")) {
        let own = read(&file.text);
        for (key, value) in root.iter().filter(|(key, value)| own.get(*key) != Some(value)) {
            let what = format!("`{key}` differs from the root's clippy.toml");
            findings.push(Finding::new(&file.path, 1, what, format!("{key} = {value}")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_different_or_absent_threshold_is_found() {
        let root = ("clippy.toml", "a = 60\nb = true\nc = 1");
        let own = ("crates/cwmp/clippy.toml", "a = 90\nc = 1\ndisallowed-methods = []");
        let found: Vec<String> =
            thresholds(&Project::of(&[root, own])).iter().map(ToString::to_string).collect();
        let right = [
            "crates/cwmp/clippy.toml:1: `a` differs from the root's clippy.toml; a = 60",
            "crates/cwmp/clippy.toml:1: `b` differs from the root's clippy.toml; b = true",
        ];
        assert_eq!(found, right);
    }
}
