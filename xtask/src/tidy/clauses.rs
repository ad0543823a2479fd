//! References to standards: one form, and requirement rows that exist.
//!
//! In comments, a parenthesis that opens with a standard is a reference: `(TR-069 A.3.2.6)`,
//! `(TS 33.320 8.3.4, P-13)`, `(TR-069 3.5; RFC 7525 3.3)`. Prose about a standard stands outside parentheses.

use super::Finding;
use crate::project::Project;
use crate::requirements::{self, ROWS};
use crate::rust::{self, Kind};

/// References in comments have the one form.
pub(super) fn references(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in project.rust() {
        for token in rust::tokens(&file.text).iter().filter(|token| token.kind == Kind::Comment) {
            for reference in parentheses(token.text).filter(|text| opens_with_standard(text)) {
                if !reference.split([',', ';']).all(|part| is_part(part.trim())) {
                    let what = format!("the reference `({reference})` is not well formed");
                    let right = "write `(TR-069 A.3.2.6)` or `(TS 33.320 8.3.4, P-13)`, and prose outside parentheses";
                    findings.push(Finding::new(&file.path, token.line, what, right));
                }
            }
        }
    }
    findings
}

/// The rows that comments, tests' names and decisions speak of are in the project's own list.
pub(super) fn rows(project: &Project) -> Vec<Finding> {
    let rows = match requirements::rows(project) {
        Ok(rows) => rows,
        Err(error) => {
            return vec![Finding::new(ROWS, 1, error.to_string(), "it holds the rows that tests prove")];
        }
    };
    let mut named: Vec<(String, usize, String)> = Vec::new();
    for file in project.rust() {
        for token in rust::tokens(&file.text).iter().filter(|token| token.kind == Kind::Comment) {
            named.extend(row_ids(token.text).map(|id| (file.path.clone(), token.line, id.into())));
        }
    }
    for file in project.below("docs/").filter(|file| file.path.ends_with(".md")) {
        for (line, number) in file.text.lines().zip(1..) {
            named.extend(row_ids(line).map(|id| (file.path.clone(), number, id.into())));
        }
    }
    named.extend(requirements::claims(project).into_iter().map(|claim| (claim.path, claim.line, claim.id)));
    let unknown = named.into_iter().filter(|(_, _, id)| !rows.contains_key(id));
    unknown
        .map(|(path, line, id)| {
            let what = format!("no requirement row {id}");
            Finding::new(&path, line, what, format!("correct the id, or add the row to {ROWS}"))
        })
        .collect()
}

/// What stands in parentheses without further ones inside.
fn parentheses(text: &str) -> impl Iterator<Item = &str> {
    text.split('(').skip(1).filter_map(|rest| rest.split_once(')')).map(|(inside, _)| inside)
}

fn opens_with_standard(text: &str) -> bool {
    let mut words = text.split([' ', ',', ';']);
    match words.next() {
        Some("TS" | "TR" | "RFC") => {
            words.next().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        }
        Some(word) => {
            word.strip_prefix("TR-").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        }
        None => false,
    }
}

/// A standard with or without clauses, a row, further clauses of the standard before, or a name from it.
fn is_part(part: &str) -> bool {
    let clauses = ["TS ", "RFC ", "TR-"].iter().find_map(|opening| {
        let number = part.strip_prefix(opening)?;
        let (number, clauses) = number.split_once(' ').unwrap_or((number, ""));
        number.chars().all(|character| character.is_ascii_digit() || character == '.').then_some(clauses)
    });
    let is_name = !part.contains(' ') && part.chars().all(char::is_alphanumeric);
    is_name || part.ends_with('`') || clauses.unwrap_or(part).split(' ').all(is_clause)
}

/// `8.3.4`, `A.3.2.6`, `P-13`, and what stands between clauses.
fn is_clause(word: &str) -> bool {
    let is_joint = ["", "and", "to", "Annex", "Table", "Amendment"].contains(&word);
    let is_letter = word.len() == 1 && word.chars().all(|character| character.is_ascii_uppercase());
    let has_form =
        word.chars().all(|character| character.is_ascii_alphanumeric() || ".-".contains(character));
    is_joint || is_letter || (has_form && word.chars().any(|character| character.is_ascii_digit()))
}

/// Words like `P-13`.
fn row_ids(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').filter(|word| {
        let bytes = word.as_bytes();
        matches!(bytes, [letter, b'-', tens, units]
            if letter.is_ascii_uppercase() && tens.is_ascii_digit() && units.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(comment: &str) -> usize {
        references(&Project::of(&[("a.rs", &format!("/// {comment}\nfn f() {{}}"))])).len()
    }

    #[test]
    fn references_have_one_form() {
        for good in [
            "(TR-069 A.3.2.6)",
            "(TS 33.320 8.3.4, P-13)",
            "(TS 33.320 6.3.1 and 8.3.4, K-01 to K-06)",
            "(TR-069 Annex A)",
            "(TR-069 A.3.3.1; P-20)",
            "(TR-106, activeNotify)",
            "(TR-069 3.7.1.5, event `0 BOOTSTRAP`)",
            "(RFC 5246 A.5)",
            "(TRansport of anything)",
            "(TS 32.593)",
        ] {
            assert_eq!(check(good), 0, "{good}");
        }
        for bad in [
            "(TR-069 clause three)",
            "(TS 33.320: 8.3.4)",
            "(TR-069 says so)",
            "(RFC 5246 §7)",
            "(TS 33.320, see there)",
        ] {
            assert_eq!(check(bad), 1, "{bad}");
        }
    }

    #[test]
    fn an_unknown_row_is_found_wherever_it_is_named() {
        let known = "[P-01]\nstatement = \"x\"\nsource = \"x\"\nconfidence = \"clause\"\n";
        let rust = "// P-01 and P-98, not SHA-10 or UTF-16\n#[test]\nfn p99_x() {}\n#[test]\nfn p01_x() {}";
        let project = Project::of(&[(ROWS, known), ("a.rs", rust), ("docs/decisions/0001-a-b.md", "P-97")]);
        let found: Vec<String> = rows(&project).iter().map(ToString::to_string).collect();
        let right = "correct the id, or add the row to docs/requirements.toml";
        let lines = [
            "a.rs:1: no requirement row P-98",
            "docs/decisions/0001-a-b.md:1: no requirement row P-97",
            "a.rs:3: no requirement row P-99",
        ];
        assert_eq!(found, lines.map(|line| format!("{line}; {right}")));
    }

    #[test]
    fn missing_rows_are_found() {
        assert_eq!(rows(&Project::of(&[])).len(), 1);
    }
}
