//! Reads tables of quirks, the known one and an operator's, and holds their paths to the model.
//!
//! One rule: what is wrong with a table is said at once, each entry with its line and what would be right; a table
//! with an error in it has no effect at all.

use std::{collections::BTreeSet, fmt, ops::Range, sync::LazyLock};

use cwmp::{
    Quirk,
    quirk::{Effect, KNOWN, Move},
};
use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use crate::{Model, Path};

/// Characters of a quirk's name.
const NAME_CHARACTERS: usize = 64;

static KNOWN_QUIRKS: LazyLock<Vec<Quirk>> = LazyLock::new(|| read(KNOWN, &[]).unwrap_or_default());

/// The quirks of the products that are known to everybody.
#[must_use]
pub fn known() -> &'static [Quirk] {
    &KNOWN_QUIRKS
}

/// What is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct QuirkError {
    /// Where, counting from 1.
    pub line: usize,
    /// What, and what would be right.
    pub message: String,
}

impl fmt::Display for QuirkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

/// Reads `[[quirk]]` tables whose names are none of those `there` already.
///
/// # Errors
/// Everything that is wrong, by line.
pub fn read(text: &str, there: &[Quirk]) -> Result<Vec<Quirk>, Vec<QuirkError>> {
    let mut reader = Reader { text, errors: Vec::new() };
    let names = there.iter().map(|quirk| quirk.name.clone()).collect();
    let quirks = reader.quirks(names);
    if reader.errors.is_empty() { Ok(quirks) } else { Err(reader.errors) }
}

/// A text that is being read, and what was wrong so far.
struct Reader<'t> {
    text: &'t str,
    errors: Vec<QuirkError>,
}

impl<'t> Reader<'t> {
    fn quirks(&mut self, mut names: BTreeSet<String>) -> Vec<Quirk> {
        let mut quirks = Vec::new();
        for entry in self.entries() {
            let span = entry.span();
            match Quirk::deserialize(ValueDeserializer::from(entry)) {
                Ok(quirk) => {
                    self.check(&quirk, &span);
                    if !names.insert(quirk.name.clone()) {
                        let right = "a name of its own is right";
                        self.complain(&span, format!("there is a quirk `{}` already: {right}", quirk.name));
                    }
                    quirks.push(quirk);
                }
                Err(error) => self.complain(&error.span().unwrap_or(span), error.message().to_owned()),
            }
        }
        quirks
    }

    /// The entries of the list `quirk`, which is the only key.
    fn entries(&mut self) -> Vec<Spanned<DeValue<'t>>> {
        let (document, broken) = DeTable::parse_recoverable(self.text);
        for error in &broken {
            self.complain(&error.span().unwrap_or(0..0), format!("this is no TOML: {}", error.message()));
        }
        let mut entries = Vec::new();
        for (key, value) in document.into_inner() {
            let span = value.span();
            match (key.get_ref().as_ref(), value.into_inner()) {
                ("quirk", DeValue::Array(list)) => entries.extend(list),
                _ => {
                    let right = "a list of tables, written as [[quirk]], is right";
                    self.complain(&span, format!("`{}`: {right}", key.get_ref()));
                }
            }
        }
        if broken.is_empty() { entries } else { Vec::new() }
    }

    /// What the types cannot say.
    fn check(&mut self, quirk: &Quirk, span: &Range<usize>) {
        let is_letter =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        let is_name = quirk.name.chars().all(is_letter) && (1..=NAME_CHARACTERS).contains(&quirk.name.len());
        if !is_name {
            self.complain(span, format!("`name`: 1 to {NAME_CHARACTERS} of a-z, 0-9 and - are right"));
        }
        if quirk.what.is_empty() {
            self.complain(span, "`what`: a sentence about what the product does is right");
        }
        if quirk.effects.is_empty() {
            self.complain(span, "`effects`: one at least is right");
        }
        for path in quirk.effects.iter().filter_map(model_path) {
            let is_known = Path::parse(path).is_ok_and(|path| Model::cell().definition(&path).is_some());
            if !is_known {
                let right = "such as Device.DeviceInfo.ModelName, or an object with its dot";
                self.complain(span, format!("`{path}` is not in the data model: a path that is, {right}"));
            }
        }
        for Move { path, to } in quirk.effects.iter().filter_map(moved) {
            if Path::parse(to).is_err() || path.ends_with('.') != to.ends_with('.') {
                let right = "two parameters, or two objects with their dots, are right";
                self.complain(span, format!("`moved` from `{path}` to `{to}`: {right}"));
            }
        }
    }

    fn complain(&mut self, span: &Range<usize>, message: impl Into<String>) {
        let line = self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1;
        self.errors.push(QuirkError { line, message: message.into() });
    }
}

fn moved(effect: &Effect) -> Option<&Move> {
    if let Effect::Moved(entry) = effect { Some(entry) } else { None }
}

/// The path of an effect that must be in the model.
fn model_path(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::Moved(entry) => Some(&entry.path),
        Effect::Lacks(path) => Some(path),
        Effect::Expects(_)
        | Effect::Speaks(_)
        | Effect::AtMost(_)
        | Effect::UnlistedRows
        | Effect::UntypedValues => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str =
        "[[quirk]]\nname = \"one\"\nmanufacturer = \"Acme\"\nproduct = \"*\"\nwhat = \"It errs.\"\n";

    fn errors(text: &str) -> Vec<String> {
        read(text, known()).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_known_table_has_no_errors() {
        assert_eq!(read(KNOWN, &[]).map(|quirks| quirks.len()), Ok(known().len()));
        assert!(!known().is_empty());
    }

    #[test]
    fn every_wrong_entry_is_said_with_its_line_and_what_would_be_right() {
        let text = format!(
            "{ENTRY}effects = [{{ expects = \"colour\" }}]\n\
             {ENTRY}effects = [{{ lacks = \"Device.Colour\" }}]\ncolour = 1\n\
             {ENTRY}effects = [\"sleepy\"]\n\
             {ENTRY}effects = [{{ at_most = 65 }}]\n\
             {ENTRY}effects = []\nsoftware = \"..\"\n\
             [[quirk]]\nname = \"two\"\n[cell]\n"
        );
        let found = errors(&text);
        for (line, right) in [
            ("6: ", "`colour` is no leniency; known are not_utf8"),
            ("13: ", "unknown field `colour`, expected one of `name`, `manufacturer`"),
            ("19: ", "unknown variant `sleepy`, expected one of `expects`, `speaks`"),
            ("25: ", "1 to 64 are right"),
            ("32: ", "1.2..2.0"),
            ("33: ", "missing field `manufacturer`"),
            ("35: ", "`cell`: a list of tables, written as [[quirk]]"),
        ] {
            assert!(
                found.iter().any(|text| text.starts_with(line) && text.contains(right)),
                "{line}{right}: {found:#?}"
            );
        }
    }

    #[test]
    fn what_the_types_cannot_say_is_checked_too() {
        for (entry, right) in [
            ("effects = [{ lacks = \"Device.Colour\" }]", "`Device.Colour` is not in the data model"),
            ("effects = []", "`effects`: one at least is right"),
            (
                "effects = [{ moved = { path = \"Device.DeviceInfo.\", to = \"Gateway\" } }]",
                "two objects with their dots",
            ),
        ] {
            let found = errors(&format!("\n{ENTRY}{entry}\n"));
            assert!(
                matches!(&found[..], [only] if only.starts_with("2: ") && only.contains(right)),
                "{found:#?}"
            );
        }
        let named = ENTRY.replace("one", "O ne");
        assert!(
            errors(&format!("{named}effects = [\"untyped_values\"]\n")).join("").contains("a-z, 0-9 and -")
        );
        let twice = format!("{ENTRY}effects = [\"untyped_values\"]\n").repeat(2);
        assert!(errors(&twice).join("").contains("7: there is a quirk `one` already"));
        assert!(errors("quirk = 1\nname =\n").join("").contains("2: this is no TOML"));
    }
}
