//! How long functions and files are: nothing beyond the bound, and figures to act on the tail.

use std::fmt::Write;

use super::{Finding, RULES, Sizes};
use crate::project::Project;
use crate::rust;

/// Functions and files keep their bounds, those with a reason excepted; a reason for nothing is a finding too.
pub(super) fn sizes(project: &Project, sizes: &Sizes) -> Vec<Finding> {
    let mut long = Vec::new();
    for file in project.rust() {
        let lines = file.text.lines().count();
        if lines > sizes.file {
            let what = format!("the file has {lines} lines");
            let right = format!("{} at most: would two rooms be clearer?", sizes.file);
            long.push((file.path.clone(), Finding::new(&file.path, 1, what, right)));
        }
        for function in rust::functions(&rust::tokens(&file.text)) {
            if function.lines > sizes.function {
                let what = format!("`{}` has {} lines", function.name, function.lines);
                let right = format!("{} at most: name its parts", sizes.function);
                let key = format!("{}: {}", file.path, function.name);
                long.push((key, Finding::new(&file.path, function.line, what, right)));
            }
        }
    }
    let idle = sizes.exempt.keys().filter(|name| !long.iter().any(|(key, _)| key == *name));
    let idle: Vec<Finding> = idle
        .map(|name| Finding::new(RULES, 1, format!("`{name}` needs no exemption"), "delete the line"))
        .collect();
    long.retain(|(key, _)| !sizes.exempt.contains_key(key));
    long.into_iter().map(|(_, finding)| finding).chain(idle).collect()
}

/// Median, ninth decile and maximum, and the longest of each by name.
pub(super) fn figures(project: &Project) -> String {
    let mut files = Vec::new();
    let mut functions = Vec::new();
    for file in project.rust() {
        files.push((file.text.lines().count(), file.path.clone()));
        let found = rust::functions(&rust::tokens(&file.text));
        functions.extend(
            found.iter().map(|function| {
                (function.lines, format!("{}:{} {}", file.path, function.line, function.name))
            }),
        );
    }
    format!("{}{}", distribution("functions", functions), distribution("files", files))
}

fn distribution(what: &str, mut lengths: Vec<(usize, String)>) -> String {
    lengths.sort();
    let at = |percent: usize| {
        let index = (lengths.len() * percent / 100).min(lengths.len().saturating_sub(1));
        lengths.get(index).map_or(0, |(lines, _)| *lines)
    };
    let mut text = format!("{what}: {}, median {}, p90 {}, max {}\n", lengths.len(), at(50), at(90), at(100));
    for (lines, name) in lengths.iter().rev().take(5) {
        let _ = writeln!(text, "{lines:6}  {name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "fn long() {\n\n\n}\nfn short() {}\n";

    fn check(function: usize, file: usize, exempt: &[(&str, &str)]) -> Vec<String> {
        let exempt = exempt.iter().map(|(name, why)| ((*name).into(), (*why).into())).collect();
        let found = sizes(&Project::of(&[("a.rs", LONG)]), &Sizes { function, file, exempt });
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_long_function_is_found() {
        assert_eq!(check(3, 9, &[]), ["a.rs:1: `long` has 4 lines; 3 at most: name its parts"]);
        assert_eq!(check(4, 9, &[]), Vec::<String>::new());
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(
            check(9, 4, &[]),
            ["a.rs:1: the file has 5 lines; 4 at most: would two rooms be clearer?"]
        );
    }

    #[test]
    fn an_exemption_is_by_name_and_must_be_needed() {
        assert_eq!(check(3, 9, &[("a.rs: long", "a table")]), Vec::<String>::new());
        assert_eq!(
            check(9, 9, &[("a.rs", "x")]),
            ["xtask/tidy.toml:1: `a.rs` needs no exemption; delete the line"]
        );
    }

    #[test]
    fn figures_show_the_tail() {
        let text = figures(&Project::of(&[("a.rs", LONG)]));
        assert!(text.starts_with("functions: 2, median 4, p90 4, max 4\n     4  a.rs:1 long\n"), "{text}");
    }
}
