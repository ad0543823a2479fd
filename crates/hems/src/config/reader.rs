//! Takes a TOML document apart key by key, and remembers the line of each, so that everything wrong is said at once.
//!
//! serde stops at the first error; an operator with five mistakes should not have to start the server five times.
//! What is left in a table after its keys were taken is unknown, and that is an error too.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What is wrong, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The line, where it concerns one.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A value and the line where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its line, from 1; `None` for a default.
    pub line: Option<usize>,
}

impl<T> At<T> {
    /// A value that nobody typed.
    pub fn default(value: T) -> Self {
        Self { value, line: None }
    }
}

/// Collects errors while sections are read.
pub(super) struct Reader<'i> {
    text: &'i str,
    pub(super) errors: Vec<ConfigError>,
}

/// One table of the file.
pub(super) struct Section<'i> {
    name: &'static str,
    line: Option<usize>,
    table: DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'i> Reader<'i> {
    /// Parses a document; what is not TOML is an error.
    pub(super) fn new(text: &'i str) -> (Self, Section<'i>) {
        let (document, broken) = DeTable::parse_recoverable(text);
        let mut reader = Self { text, errors: Vec::new() };
        for error in broken {
            let line = error.span().map(|span| reader.line(&span));
            reader.errors.push(ConfigError { line, message: format!("is no TOML: {}", error.message()) });
        }
        let section = Section { name: "", line: None, table: document.into_inner(), known: Vec::new() };
        (reader, section)
    }

    /// Notes an error.
    pub(super) fn complain(&mut self, line: Option<usize>, message: impl Into<String>) {
        self.errors.push(ConfigError { line, message: message.into() });
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
    }

    fn wrong(&mut self, span: &Range<usize>, key: &str, value: &DeValue<'_>, right: &str) {
        let line = self.line(span);
        self.complain(Some(line), format!("`{key}` is {right}, not {}", kind(value)));
    }

    /// A text, which need not be there.
    pub(super) fn text(&mut self, section: &mut Section<'i>, key: &'static str) -> Option<At<String>> {
        let value = section.take(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong(&value.span(), key, value.get_ref(), "a text in double quotes");
            return None;
        };
        Some(At { value: text.to_owned(), line: Some(self.line(&value.span())) })
    }

    /// A text that must be there.
    pub(super) fn required(
        &mut self,
        section: &mut Section<'i>,
        key: &'static str,
        right: &str,
    ) -> At<String> {
        let is_there = section.table.contains_key(key);
        let text = self.text(section, key);
        if !is_there {
            self.complain(section.line, format!("`{}{key}` is missing: {right}", section.prefix()));
        }
        text.unwrap_or_else(|| At { value: String::new(), line: section.line })
    }

    /// True or false; false where it is left out.
    pub(super) fn boolean(&mut self, section: &mut Section<'i>, key: &'static str) -> At<bool> {
        let Some(value) = section.take(key) else { return At::default(false) };
        let Some(boolean) = value.get_ref().as_bool() else {
            self.wrong(&value.span(), key, value.get_ref(), "true or false");
            return At::default(false);
        };
        At { value: boolean, line: Some(self.line(&value.span())) }
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        section: &mut Section<'i>,
        key: &'static str,
        bounds: Range<u32>,
        default: u32,
    ) -> u32 {
        let Some(value) = section.take(key) else { return default };
        let number = value.get_ref().as_integer();
        let number = number.and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
        match number.filter(|number| bounds.contains(number)) {
            Some(number) => number,
            None => {
                let right = format!("a whole number from {} to {}", bounds.start, bounds.end - 1);
                let line = self.line(&value.span());
                self.complain(Some(line), format!("`{}{key}` is {right}", section.prefix()));
                default
            }
        }
    }

    /// A list of texts, empty where it is left out; one that is there has at least one.
    pub(super) fn some_texts(
        &mut self,
        section: &mut Section<'i>,
        key: &'static str,
        right: &str,
    ) -> Vec<At<String>> {
        if section.table.contains_key(key) {
            return self.texts(section, key, right);
        }
        section.known.push(key);
        Vec::new()
    }

    /// A list of texts, at least one.
    pub(super) fn texts(
        &mut self,
        section: &mut Section<'i>,
        key: &'static str,
        right: &str,
    ) -> Vec<At<String>> {
        let Some(value) = section.take(key) else {
            self.complain(section.line, format!("`{}{key}` is missing: {right}", section.prefix()));
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong(&value.span(), key, value.get_ref(), "a list of texts");
            return Vec::new();
        };
        if array.is_empty() {
            let line = self.line(&value.span());
            self.complain(Some(line), format!("`{}{key}` is empty: {right}", section.prefix()));
        }
        let mut texts = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push(At { value: text.to_owned(), line: Some(self.line(&item.span())) }),
                None => self.wrong(&item.span(), key, item.get_ref(), "a list of texts"),
            }
        }
        texts
    }

    /// A table below; empty where it is left out.
    pub(super) fn section(&mut self, above: &mut Section<'i>, key: &'static str) -> Section<'i> {
        let value = above.take(key);
        let line = value.as_ref().map(|value| self.line(&value.span()));
        let mut section = Section { name: key, line, table: DeTable::new(), known: Vec::new() };
        match value.map(|value| (value.span(), value.into_inner())) {
            Some((_, DeValue::Table(table))) => section.table = table,
            Some((span, other)) => self.wrong(&span, key, &other, "a table"),
            None => {}
        }
        section
    }

    /// A list of tables below.
    pub(super) fn sections(&mut self, above: &mut Section<'i>, key: &'static str) -> Vec<Section<'i>> {
        let Some(value) = above.take(key) else { return Vec::new() };
        let span = value.span();
        let DeValue::Array(array) = value.into_inner() else {
            let line = self.line(&span);
            self.complain(
                Some(line),
                format!("`{key}` is a list of tables, written as [[{}{key}]]", above.prefix()),
            );
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array {
            let line = Some(self.line(&item.span()));
            let kind = kind(item.get_ref());
            if let DeValue::Table(table) = item.into_inner() {
                sections.push(Section { name: key, line, table, known: Vec::new() });
            } else {
                self.complain(line, format!("`{key}` is a list of tables, not of {kind}"));
            }
        }
        sections
    }

    /// Complains about every key of a section that nobody took.
    pub(super) fn finish(&mut self, section: Section<'i>) {
        let prefix = section.prefix();
        for key in section.table.keys() {
            let line = self.line(&key.span());
            let known = section.known.join(", ");
            self.complain(Some(line), format!("`{prefix}{}` is unknown; known here: {known}", key.get_ref()));
        }
    }
}

/// The kind of a value with its article.
fn kind(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

impl<'i> Section<'i> {
    /// The line of the section's header.
    pub(super) fn line(&self) -> Option<usize> {
        self.line
    }

    /// Whether a text of this key was typed and not read yet.
    pub(super) fn has_text(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().as_str().is_some())
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn prefix(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!("{}.", self.name) }
    }
}
