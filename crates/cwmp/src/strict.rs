//! Strict reading, for those who judge a peer: every deviation becomes a finding with its place.
//!
//! ```text
//!  decode         ──▶ a message, and each kind of tolerance once     (who manages a device)
//!  decode_strict  ──▶ a message without a finding, or the findings   (who judges it)
//! ```
//!
//! One rule: both read with the same decoder, so that what is forgiven and what is found cannot differ.

use std::fmt;

use serde::Serialize;

use crate::{DecodeError, Leniency};

/// One place where bytes are not as the standard wants them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable name: of a [`Leniency`], or of the error that ended the reading.
    pub name: &'static str,
    /// The clause that the sender bent.
    pub clause: &'static str,
    /// What the sender did, in a sentence.
    pub message: String,
    /// Bytes from the start of the body: the start of the element, or where an error was met.
    pub offset: usize,
    /// Line of the body, from 1.
    pub line: usize,
    /// Character of the line, from 1.
    pub column: usize,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {} ({})", self.line, self.column, self.name, self.message, self.clause)
    }
}

/// How many deviations of one envelope are kept: a judge has seen enough then.
pub(crate) const MOST: usize = 1000;

/// What was forgiven, and where.
#[derive(Debug, Default)]
pub(crate) struct Deviations {
    noted: Vec<(usize, Leniency)>,
    keeps_places: bool,
}

impl Deviations {
    /// Keeps every place, not only every kind.
    pub(crate) fn with_places() -> Self {
        Self { noted: Vec::new(), keeps_places: true }
    }

    pub(crate) fn note(&mut self, leniency: Leniency, offset: usize) {
        let is_known = if self.keeps_places {
            self.noted.len() >= MOST || self.noted.contains(&(offset, leniency))
        } else {
            self.noted.iter().any(|(_, noted)| *noted == leniency)
        };
        if !is_known {
            self.noted.push((offset, leniency));
        }
    }

    /// Each kind once.
    pub(crate) fn leniencies(self) -> Vec<Leniency> {
        let mut kinds: Vec<_> = self.noted.into_iter().map(|(_, leniency)| leniency).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// In the order of the body, which reads `text`; an error stands last.
    pub(crate) fn findings(
        mut self,
        text: &str,
        body: Option<&[u8]>,
        error: Option<&DecodeError>,
    ) -> Vec<Finding> {
        self.noted.sort_unstable();
        let mut place = Place::start(text, body);
        let mut findings = Vec::new();
        for (offset, leniency) in &self.noted {
            place.advance(*offset);
            findings.push(place.finding(leniency.name(), leniency.clause(), leniency.meaning().to_owned()));
        }
        if let Some(error) = error {
            let mut place = Place::start(text, body);
            place.advance(error.offset);
            findings.push(place.finding(error.kind.name(), error.kind.clause(), error.kind.to_string()));
        }
        findings
    }
}

/// A place in a text, which only moves on.
struct Place<'t> {
    text: &'t str,
    /// The body, where some of it was no UTF-8.
    body: Option<&'t [u8]>,
    /// In bytes of the text.
    at: usize,
    /// In bytes of the body.
    offset: usize,
    line: usize,
    column: usize,
}

impl<'t> Place<'t> {
    fn start(text: &'t str, body: Option<&'t [u8]>) -> Self {
        Self { text, body, at: 0, offset: 0, line: 1, column: 1 }
    }

    fn advance(&mut self, to: usize) {
        let passed = self.text.get(self.at..).unwrap_or_default().chars();
        for character in passed {
            if self.at >= to {
                break;
            }
            self.at += character.len_utf8();
            self.offset += self.width(character);
            (self.line, self.column) =
                if character == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        }
    }

    /// How many bytes of the body a character was: one, where it was no UTF-8.
    fn width(&self, character: char) -> usize {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        let was_utf8 = |body: &[u8]| body.get(self.offset..).is_some_and(|rest| rest.starts_with(bytes));
        if self.body.is_none_or(was_utf8) { bytes.len() } else { 1 }
    }

    fn finding(&self, name: &'static str, clause: &'static str, message: String) -> Finding {
        Finding { name, clause, message, offset: self.offset, line: self.line, column: self.column }
    }
}

/// The byte of the body that a byte of its text is.
pub(crate) fn place(text: &str, body: Option<&[u8]>, offset: usize) -> usize {
    if body.is_none() {
        return offset;
    }
    let mut place = Place::start(text, body);
    place.advance(offset);
    place.offset
}
