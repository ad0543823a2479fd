//! Every method has its golden pair: a message written by hand from the clause, and what we read in it. Every quirk
//! has messages that show it.

use super::Finding;
use crate::project::Project;
use crate::rust::{self, Kind};

/// Where the table of methods stands, in one file or several.
const TABLE: [&str; 2] = ["crates/cwmp/src/methods.rs", "crates/cwmp/src/methods/"];

/// Where the table of quirks stands.
const QUIRKS: &str = "crates/cwmp/src/quirks.toml";

/// Where the pairs stand.
const PAIRS: &str = "crates/cwmp/testdata/";

/// A row `Name { … } -> NameResponse { … }` has `spec/Name.xml` and `spec/Name.txt`.
pub(super) fn pairs(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in project.rust().filter(|file| TABLE.iter().any(|place| file.path.starts_with(place))) {
        for (name, line) in methods(&file.text) {
            for path in ["xml", "txt"].map(|end| format!("{PAIRS}spec/{name}.{end}")) {
                if project.text(&path).is_none() {
                    let right = format!("write {path}; docs/how-to/add-a-method.md says how");
                    findings.push(Finding::new(
                        &file.path,
                        line,
                        format!("`{name}` has no golden pair"),
                        right,
                    ));
                }
            }
        }
    }
    findings
}

/// The names of the methods, and the lines of their responses.
fn methods(table: &str) -> Vec<(&str, usize)> {
    let tokens: Vec<_> =
        rust::tokens(table).into_iter().filter(|token| token.kind != Kind::Comment).collect();
    let arrows = tokens.windows(3).filter_map(|window| match window {
        [minus, greater, word] if minus.is_mark("-") && greater.is_mark(">") && word.kind == Kind::Word => {
            Some(word)
        }
        _ => None,
    });
    arrows
        .filter_map(|word| Some((word.text.strip_suffix("Response")?, word.line)))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

/// Each `[[quirk]]` names messages that show it, and they are there.
pub(super) fn quirks(project: &Project) -> Vec<Finding> {
    let table = project.text(QUIRKS).unwrap_or_default();
    let mut findings = Vec::new();
    for entry in table.split_inclusive("[[quirk]]").scan(0, lines_before).skip(1) {
        let (line, text) = entry;
        let text = text.strip_suffix("[[quirk]]").unwrap_or(text);
        let quirk: toml::Table = toml::from_str(text).unwrap_or_default();
        let name = quirk.get("name").and_then(toml::Value::as_str).unwrap_or_default();
        let golden = quirk.get("golden").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut complain =
            |what: String, right: String| findings.push(Finding::new(QUIRKS, line, what, right));
        if golden.is_empty() {
            let right = "name the messages that show it; docs/how-to/add-a-quirk.md says how";
            complain(format!("the quirk `{name}` has no golden message"), right.to_owned());
        }
        for file in golden.iter().filter_map(toml::Value::as_str) {
            let path = format!("{PAIRS}field/{file}");
            if project.text(&path).is_none() {
                complain(format!("a golden message of `{name}` is missing"), format!("write {path}"));
            }
        }
    }
    findings
}

/// In which line a part of a text begins.
fn lines_before<'t>(line: &mut usize, part: &'t str) -> Option<(usize, &'t str)> {
    let begins = *line + 1;
    *line += part.matches('\n').count();
    Some((begins, part))
}

/// A message without its reading, or a reading without its message, proves nothing.
pub(super) fn orphans(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let in_folders = |path: &str| path.strip_prefix(PAIRS).is_some_and(|rest| rest.contains('/'));
    for file in project.files.iter().filter(|file| in_folders(&file.path)) {
        let other = match file.path.rsplit_once('.') {
            Some((name, "xml")) => format!("{name}.txt"),
            Some((name, "txt")) => format!("{name}.xml"),
            Some(_) | None => continue,
        };
        if project.text(&other).is_none() {
            let right = format!("write or delete: {other} is missing");
            findings.push(Finding::new(&file.path, 1, "half a golden pair", right));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHODS: &str = "methods! { A and B, shared Ask -> AskResponse:\n  /// Restarts. -> NoResponse\n\
                           Reboot {\n \"CommandKey\" command_key: Text,\n} -> RebootResponse {}\n}";

    #[test]
    fn a_method_without_its_pair_is_found() {
        let ask = "crates/cwmp/testdata/spec/Ask";
        let (xml, txt) = (format!("{ask}.xml"), format!("{ask}.txt"));
        let reboot = "crates/cwmp/testdata/spec/Reboot.xml";
        let found = pairs(&Project::of(&[(TABLE[0], METHODS), (&xml, ""), (&txt, ""), (reboot, "")]));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let right = "crates/cwmp/src/methods.rs:5: `Reboot` has no golden pair; write \
                     crates/cwmp/testdata/spec/Reboot.txt; docs/how-to/add-a-method.md says how";
        assert_eq!(found, [right]);
    }

    #[test]
    fn a_quirk_without_its_golden_message_is_found() {
        let table = "# Table.\n[[quirk]]\nname = \"a\"\ngolden = [\"a/Inform.xml\"]\n\
                     [[quirk]]\nname = \"b\"\n[[quirk]]\nname = \"c\"\ngolden = [\"c/Inform.xml\"]\n";
        let there = "crates/cwmp/testdata/field/a/Inform.xml";
        let found = quirks(&Project::of(&[(QUIRKS, table), (there, "")]));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let right = [
            "crates/cwmp/src/quirks.toml:5: the quirk `b` has no golden message; name the messages that show it; \
             docs/how-to/add-a-quirk.md says how",
            "crates/cwmp/src/quirks.toml:7: a golden message of `c` is missing; write \
             crates/cwmp/testdata/field/c/Inform.xml",
        ];
        assert_eq!(found, right);
    }

    #[test]
    fn half_a_pair_is_found() {
        let alone = ("crates/cwmp/testdata/session_table.txt", "");
        let project = Project::of(&[("crates/cwmp/testdata/field/x/Inform.txt", ""), alone]);
        assert_eq!(orphans(&project).len(), 1);
    }
}
