//! Takes typed values out of a TOML text and keeps every complaint with its line.
//!
//! A key that nobody took is unknown, and that is a complaint too: a typing error never silently means "the default".

use std::{collections::BTreeSet, ops::Range};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// A value and the line where it stands.
#[derive(Debug, Clone)]
pub(super) struct Typed<T> {
    pub(super) line: usize,
    pub(super) value: T,
}

impl Typed<String> {
    /// The value's meaning, or a complaint at its line.
    pub(super) fn parse<T>(
        &self,
        reader: &mut Reader<'_>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(&self.value) {
            Ok(value) => Some(value),
            Err(text) => {
                reader.complain(self.line, text);
                None
            }
        }
    }
}

/// A TOML text that is being read.
pub(super) struct Reader<'t> {
    text: &'t str,
    root: DeTable<'t>,
    taken: BTreeSet<String>,
    problems: Vec<Problem>,
    /// The lines that are no TOML: after the first of them nobody knows which section a key is in.
    broken: BTreeSet<usize>,
}

impl<'t> Reader<'t> {
    /// Reads TOML. Where some of it is none, the rest is judged all the same; but which keys are missing is not known then.
    pub(super) fn new(text: &'t str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let (root, taken, problems) = (root.into_inner(), BTreeSet::new(), Vec::new());
        let mut reader = Self { text, root, taken, problems, broken: BTreeSet::new() };
        for error in errors {
            let line = error.span().map_or(1, |span| reader.line(&span));
            reader.complain(line, format!("this is no TOML: {}", error.message()));
            reader.broken.insert(line);
        }
        reader
    }

    /// A line that is no TOML is complained of once.
    pub(super) fn complain(&mut self, line: usize, text: String) {
        if !self.broken.contains(&line) {
            self.problems.push(Problem { line, text });
        }
    }

    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.line);
        self.problems
    }

    /// A value that must be there.
    pub(super) fn required<'v, T>(&mut self, name: &str, typed: Option<&'v T>, right: &str) -> Option<&'v T> {
        let is_said = || self.problems.iter().any(|problem| problem.text.starts_with(name));
        if typed.is_none() && self.broken.is_empty() && !is_said() {
            self.complain(1, format!("{name} is missing: {right} is right"));
        }
        typed
    }

    pub(super) fn text(&mut self, section: &str, key: &str) -> Option<Typed<String>> {
        self.take(section, key, "a text in quotes", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn boolean(&mut self, section: &str, key: &str) -> Option<Typed<bool>> {
        self.take(section, key, "true or false", DeValue::as_bool)
    }

    pub(super) fn integer(&mut self, section: &str, key: &str) -> Option<Typed<i64>> {
        self.take(section, key, "a whole number", |value| {
            let integer = value.as_integer()?;
            i64::from_str_radix(integer.as_str(), integer.radix()).ok()
        })
    }

    pub(super) fn texts(&mut self, section: &str, key: &str) -> Vec<Typed<String>> {
        let read = |value: &DeValue<'_>| {
            let items = value.as_array()?.iter();
            items.map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        };
        let list = self.take(section, key, "a list of texts", read);
        let line = list.as_ref().map_or(1, |list| list.line);
        list.into_iter().flat_map(|list| list.value).map(|value| Typed { line, value }).collect()
    }

    fn take<T>(
        &mut self,
        section: &str,
        key: &str,
        right: &str,
        read: impl Fn(&DeValue<'t>) -> Option<T>,
    ) -> Option<Typed<T>> {
        let name = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        let mut table = &self.root;
        for step in section.split('.').filter(|step| !step.is_empty()) {
            table = table.get(step)?.get_ref().as_table()?;
        }
        let found = table.get(key)?;
        let (line, value) = (self.line(&found.span()), read(found.get_ref()));
        self.taken.insert(name.clone());
        if value.is_none() {
            self.complain(line, format!("{name}: {right} is right"));
        }
        value.map(|value| Typed { line, value })
    }

    /// Complains about every key that nobody took.
    pub(super) fn refuse_the_rest(&mut self) {
        let mut unknown = Vec::new();
        walk(&self.root, "", &self.taken, &mut unknown);
        for (name, span) in unknown {
            let line = self.line(&span);
            if self.broken.first().is_none_or(|broken| line < *broken) {
                self.complain(line, format!("{name} is no key of henbd"));
            }
        }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

fn walk(
    table: &DeTable<'_>,
    prefix: &str,
    taken: &BTreeSet<String>,
    unknown: &mut Vec<(String, Range<usize>)>,
) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref().escape_debug());
        let is_section = taken.iter().any(|known| known.starts_with(&format!("{name}.")))
            || SECTIONS.contains(&name.as_str());
        match value.get_ref().as_table() {
            Some(inner) if is_section => walk(inner, &format!("{name}."), taken, unknown),
            Some(_) | None if taken.contains(&name) => {}
            Some(_) | None => unknown.push((name, Spanned::span(key))),
        }
    }
}

/// Sections that may stand in a file and be empty.
const SECTIONS: [&str; 11] = [
    "hems",
    "discovery",
    "identity",
    "trust",
    "tunnel",
    "connection_request",
    "firmware",
    "device",
    "device.radio",
    "device.command",
    "device.file",
];
