//! The vocabulary: names that say nothing are not used.
//!
//! A type called `…Manager` and a function called `process_…` hide what they are; the list of such words, and
//! of the names that carry one because a standard chose it, stands in `xtask/tidy.toml`.

use super::{Finding, Words};
use crate::project::Project;
use crate::rust::{self, Kind};

/// What stands before the name of a type.
const KEYWORDS: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// No part of a type's name is an empty word.
pub(super) fn types(project: &Project, words: &Words) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in project.rust() {
        let tokens = rust::tokens(&file.text);
        for (before, name) in tokens.iter().zip(tokens.iter().skip(1)) {
            let is_type = name.kind == Kind::Word && KEYWORDS.iter().any(|keyword| before.is_word(keyword));
            if !is_type || words.exempt.contains_key(name.text) {
                continue;
            }
            let empty = parts(name.text).into_iter().find(|part| words.types.iter().any(|word| word == part));
            findings.extend(empty.map(|part| {
                let what = format!("the type `{}` says `{part}`", name.text);
                Finding::new(&file.path, name.line, what, "name what it is")
            }));
        }
    }
    findings
}

/// No function's name opens with an empty verb.
pub(super) fn functions(project: &Project, words: &Words) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in project.rust() {
        for function in rust::functions(&rust::tokens(&file.text)) {
            let is_exempt = words.exempt.keys().any(|name| function.name.starts_with(name.as_str()));
            let empty = words.functions.iter().find(|verb| function.name.starts_with(verb.as_str()));
            if let Some(verb) = empty.filter(|_| !is_exempt) {
                let what = format!("the function `{}` opens with `{verb}`", function.name);
                findings.push(Finding::new(
                    &file.path,
                    function.line,
                    what,
                    "say what it does, or what it gives",
                ));
            }
        }
    }
    findings
}

/// `SessionManager` is `Session` and `Manager`.
fn parts(name: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(end) = rest.char_indices().skip(1).find(|(_, character)| character.is_uppercase()) {
        let (part, tail) = rest.split_at(end.0);
        parts.push(part);
        rest = tail;
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let exempt = [("DataModel".into(), "x".into()), ("get_rpc_methods".into(), "x".into())].into();
        Words { types: vec!["Manager".into(), "Data".into()], functions: vec!["get_".into()], exempt }
    }

    #[test]
    fn an_empty_word_in_a_type_is_found() {
        let text =
            "struct SessionManager;\nenum Database {}\nstruct DataModel;\n// struct Data\ntrait Data {}";
        let found = types(&Project::of(&[("a.rs", text)]), &words());
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let right = [
            "a.rs:1: the type `SessionManager` says `Manager`; name what it is",
            "a.rs:5: the type `Data` says `Data`; name what it is",
        ];
        assert_eq!(found, right);
    }

    #[test]
    fn an_empty_verb_is_found() {
        let text = "fn get_x() {}\nfn get_rpc_methods_lists_all() {}\nfn forget_x() {}";
        let found = functions(&Project::of(&[("a.rs", text)]), &words());
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [1]);
    }
}
