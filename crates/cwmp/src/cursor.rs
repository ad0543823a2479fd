//! A bounded, namespace-aware walk over an envelope: the only reader of XML.
//!
//! ```text
//!  child() ──▶ Some(element) ──▶ child() | text() | skip()   each consumes through the end tag
//!          └─▶ None: the parent's end tag was consumed
//! ```
//!
//! One rule: everything that a sender could make large has a bound in [`Limits`]. Texts are slices
//! of the body wherever no entity stands in the way.

use std::borrow::Cow;

use quick_xml::{
    Reader,
    events::{BytesDecl, BytesRef, BytesStart, BytesText, Event},
};

use crate::{
    DecodeError, DecodeErrorKind, Leniency, Text, Version,
    namespace::{Namespace, Scopes},
    strict::Deviations,
};

/// How much of anything one envelope may hold. (S-12, H-17)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body. Default 32 MiB: a full GetParameterValuesResponse of the largest model
    /// stays below 4 MiB; the standard asks for 32 KiB at least.
    pub bytes: usize,
    /// Elements inside each other. Default 32: the deepest message of the standard needs 10.
    pub depth: usize,
    /// Elements in all. Default 1,000,000: 200,000 parameters.
    pub elements: usize,
    /// Attributes of one element. Default 64: real envelopes declare five namespaces.
    pub attributes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 32, elements: 1_000_000, attributes: 64 }
    }
}

/// The start of an element, with what CWMP reads of its attributes.
#[derive(Debug)]
pub(crate) struct Element<'b> {
    pub(crate) start: BytesStart<'b>,
    /// Where it begins, in bytes from the start of the text.
    pub(crate) offset: usize,
    /// Where the local part of its name begins: it is asked for often.
    local: usize,
    pub(crate) namespace: Namespace,
    pub(crate) said: Said<'b>,
}

/// What the attributes of an element say; most have none.
#[derive(Debug, Default)]
pub(crate) struct Said<'b> {
    /// The local part of `xsi:type`.
    pub(crate) xsi_type: Option<Cow<'b, str>>,
    /// Where the prefix of `xsi:type` leads; nothing where it is undeclared.
    pub(crate) type_namespace: Option<Namespace>,
    /// `soap-enc:arrayType`, raw.
    pub(crate) array_type: Option<Cow<'b, str>>,
    /// `soap:mustUnderstand`, where it is said.
    pub(crate) must_understand: Option<bool>,
    /// `xsi:nil`.
    pub(crate) is_nil: bool,
}

impl Element<'_> {
    pub(crate) fn local(&self) -> &str {
        self.start.name().0.get(self.local..).unwrap_or_default()
    }
}

/// What an attribute that binds a prefix begins with.
const DECLARATION: &[u8] = b"xmlns";

pub(crate) struct Cursor<'b> {
    reader: Reader<&'b [u8]>,
    body: &'b Text,
    pub(crate) scopes: Scopes,
    pub(crate) depth: usize,
    elements: usize,
    pub(crate) limits: Limits,
    deviations: Deviations,
    /// Where the last event began.
    at: usize,
    /// Where the last element began.
    entered: usize,
    /// Bytes of the body before the text that the reader sees.
    skipped: usize,
    /// White space stood where only elements are looked for.
    pub(crate) saw_blank: bool,
    /// What stands in the element may be text where elements are looked for: it is kept in `stray`.
    pub(crate) keeps_text: bool,
    pub(crate) stray: String,
    /// The element that is read next is a member of an array.
    pub(crate) is_member: bool,
    /// Another member begins where the last one should have ended.
    pub(crate) continues: bool,
    /// A child that was looked at and given back.
    unread: Option<Element<'b>>,
    /// The header's ID once it was read, for answers to errors that come after it.
    pub(crate) id: Option<Text>,
    /// The CWMP namespace that the envelope declared.
    pub(crate) version: Option<Version>,
}

impl<'b> Cursor<'b> {
    pub(crate) fn new(body: &'b Text, limits: Limits, deviations: Deviations) -> Result<Self, DecodeError> {
        let unmarked = body.strip_prefix('\u{feff}').unwrap_or(body);
        let text = without_nuls(unmarked);
        let skipped = text.as_ptr().addr().saturating_sub(body.as_ptr().addr());
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().allow_dangling_amp = true;
        let mut cursor = Self {
            reader,
            body,
            scopes: Scopes::default(),
            depth: 0,
            elements: 0,
            limits,
            deviations,
            at: 0,
            entered: 0,
            skipped,
            saw_blank: false,
            keeps_text: false,
            stray: String::new(),
            is_member: false,
            continues: false,
            unread: None,
            id: None,
            version: None,
        };
        if text.len() < unmarked.len() {
            cursor.forgive(Leniency::Surroundings);
        }
        if let Some(at) = control(text) {
            cursor.forgive_at(Leniency::ControlCharacter, at);
        }
        Ok(cursor)
    }

    /// How many elements were entered.
    pub(crate) fn count(&self) -> usize {
        self.elements
    }

    /// The next child of the element the cursor stands in, or nothing at its end.
    pub(crate) fn child(&mut self) -> Result<Option<Element<'b>>, DecodeError> {
        if let Some(element) = self.unread.take() {
            return Ok(Some(element));
        }
        loop {
            match self.event() {
                Ok(Event::Start(start) | Event::Empty(start)) => return self.enter(start).map(Some),
                Ok(Event::End(_)) => {
                    self.leave();
                    return Ok(None);
                }
                Ok(Event::Text(text)) if is_blank(&text) => self.saw_blank = true,
                Ok(Event::Eof) if self.depth == 0 => return Ok(None),
                Ok(Event::Eof) => return Err(self.malformed("it ends inside an element")),
                Ok(Event::Text(_) | Event::CData(_) | Event::GeneralRef(_)) if self.is_before_all() => {
                    return Err(self.malformed("text before the envelope"));
                }
                Ok(Event::Text(text)) => self.stray(&text.xml10_content()),
                Ok(Event::CData(text)) => {
                    // To the schema even an empty one is text.
                    if self.keeps_text && text.is_empty() {
                        self.forgive_at(Leniency::StrayText, self.at);
                    }
                    self.stray(&text.xml10_content());
                }
                Ok(Event::GeneralRef(reference)) => {
                    let text = self.resolve(&reference)?;
                    self.stray(&text);
                }
                Ok(Event::DocType(_)) => return Err(self.error(DecodeErrorKind::DocumentType)),
                Ok(Event::Decl(declaration)) => self.check_declaration(&declaration)?,
                Ok(Event::Comment(_) | Event::PI(_)) => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    /// The same of an element around whose children others may stand: so many of those are entered now.
    #[inline]
    pub(crate) fn child_within(&mut self, wrappers: &mut usize) -> Result<Option<Element<'b>>, DecodeError> {
        loop {
            match self.child()? {
                None if *wrappers > 0 => *wrappers -= 1,
                child => return Ok(child),
            }
        }
    }

    fn is_before_all(&self) -> bool {
        self.depth == 0 && self.elements == 0
    }

    /// Keeps or reports text where only elements are looked for.
    fn stray(&mut self, text: &str) {
        if self.depth == 0 {
            self.forgive_at(Leniency::Surroundings, self.at);
        } else if self.keeps_text {
            self.stray.push_str(text);
        } else {
            self.forgive_at(Leniency::StrayText, self.at);
        }
    }

    /// The XML declaration stands in front of everything and says UTF-8. (TR-069 3.4.1)
    fn check_declaration(&mut self, declaration: &BytesDecl<'_>) -> Result<(), DecodeError> {
        if self.depth > 0 || self.elements > 0 {
            return Err(self.malformed("an XML declaration that is not in front"));
        }
        if self.at > 0 {
            self.forgive_at(Leniency::Surroundings, 0);
        }
        match declaration.encoding() {
            Some(Ok(encoding)) if !encoding.eq_ignore_ascii_case("utf-8") => {
                self.forgive_at(Leniency::DeclaredEncoding, self.at);
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives a child back: the next [`child`](Self::child) is this one again.
    pub(crate) fn unread(&mut self, element: Element<'b>) {
        self.unread = Some(element);
    }

    /// The text of the element the cursor stands in, through its end.
    pub(crate) fn text(&mut self) -> Result<Text, DecodeError> {
        let mut text = Text::new();
        let mut pieces = String::new();
        loop {
            let piece = match self.event() {
                Ok(Event::End(_)) => break,
                Ok(Event::Text(piece)) if piece.starts_with('&') => {
                    self.forgive_at(Leniency::RawAmpersand, self.at);
                    piece.xml10_content().into_owned()
                }
                Ok(Event::Text(piece)) if text.is_empty() && pieces.is_empty() => {
                    text = self.slice(&piece.xml10_content());
                    continue;
                }
                Ok(Event::Text(piece)) => piece.xml10_content().into_owned(),
                Ok(Event::CData(piece)) => piece.xml10_content().into_owned(),
                Ok(Event::GeneralRef(reference)) => self.resolve(&reference)?,
                Ok(Event::Comment(_) | Event::PI(_)) => continue,
                Ok(Event::Start(start) | Event::Empty(start)) => {
                    let what = format!("element `{}` where text must stand", start.name().0);
                    return Err(self.malformed(&what));
                }
                Ok(Event::DocType(_)) => return Err(self.error(DecodeErrorKind::DocumentType)),
                Ok(Event::Decl(declaration)) => {
                    self.check_declaration(&declaration)?;
                    continue;
                }
                Ok(Event::Eof) => return Err(self.malformed("it ends inside an element")),
                Err(error) => return Err(self.broken(&error)),
            };
            if pieces.is_empty() {
                pieces.push_str(&text);
            }
            pieces.push_str(&piece);
        }
        self.leave();
        Ok(if pieces.is_empty() { text } else { pieces.into() })
    }

    /// Passes over the element the cursor stands in, through its end.
    pub(crate) fn skip(&mut self) -> Result<(), DecodeError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            match self.event() {
                Ok(Event::Start(start) | Event::Empty(start)) => drop(self.enter(start)?),
                Ok(Event::End(_)) => self.leave(),
                Ok(Event::GeneralRef(reference)) => drop(self.resolve(&reference)?),
                Ok(Event::DocType(_)) => return Err(self.error(DecodeErrorKind::DocumentType)),
                Ok(Event::Eof) => return Err(self.malformed("it ends inside an element")),
                Ok(Event::Decl(declaration)) => self.check_declaration(&declaration)?,
                Ok(Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_)) => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
        Ok(())
    }

    /// Reports what was forgiven at the last element.
    pub(crate) fn forgive(&mut self, leniency: Leniency) {
        self.forgive_at(leniency, self.entered);
    }

    /// Reports what was forgiven at an element before the last.
    pub(crate) fn forgive_at(&mut self, leniency: Leniency, offset: usize) {
        self.deviations.note(leniency, offset + self.skipped);
    }

    pub(crate) fn into_deviations(self) -> Deviations {
        self.deviations
    }

    #[cold]
    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        let offset = self.position() + self.skipped;
        DecodeError { kind, offset, id: self.id.clone(), version: self.version }
    }

    pub(crate) fn bad_value(&self, element: &str, found: &str, expected: &'static str) -> DecodeError {
        let found = found.chars().take(40).collect();
        self.error(DecodeErrorKind::BadValue { element: element.to_owned(), found, expected })
    }

    /// Where the last event began and where it ended, in bytes of the body.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.at + self.skipped, self.position() + self.skipped)
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX >> 1)
    }

    #[cold]
    pub(crate) fn malformed(&self, what: &str) -> DecodeError {
        self.error(DecodeErrorKind::Malformed(what.to_owned()))
    }

    #[inline]
    pub(crate) fn within(&self, what: &'static str, count: usize, most: usize) -> Result<(), DecodeError> {
        if count > most { Err(self.error(DecodeErrorKind::Limit { what, most })) } else { Ok(()) }
    }

    /// The next event as quick-xml hands it over: to turn its error into ours here would copy every good one too.
    #[inline]
    fn event(&mut self) -> Result<Event<'b>, quick_xml::Error> {
        self.at = self.position();
        self.reader.read_event()
    }

    #[cold]
    fn broken(&self, error: &quick_xml::Error) -> DecodeError {
        self.malformed(&error.to_string())
    }

    #[inline]
    fn leave(&mut self) {
        self.scopes.leave(self.depth);
        self.depth = self.depth.saturating_sub(1);
    }

    /// Opens an element: counts it, binds its prefixes, resolves its name and reads its attributes.
    #[inline]
    fn enter(&mut self, start: BytesStart<'b>) -> Result<Element<'b>, DecodeError> {
        self.depth += 1;
        self.elements += 1;
        self.within("elements inside each other", self.depth, self.limits.depth)?;
        self.within("elements", self.elements, self.limits.elements)?;
        self.entered = self.at;
        let attributes = start.attributes_raw().as_bytes();
        if attributes.windows(DECLARATION.len()).any(|word| word == DECLARATION) {
            self.declare(&start)?;
        }
        let name = start.name().0;
        let colon = name.bytes().position(|byte| byte == b':');
        let local = colon.map_or(0, |colon| colon + 1);
        let namespace = self.resolve_prefix(name.get(..colon.unwrap_or(0)).unwrap_or_default())?;
        let mut said = Said::default();
        if !attributes.is_empty() {
            let is_envelope = name.get(local..) == Some("Envelope");
            self.read_attributes(&start, &mut said, is_envelope)?;
        }
        Ok(Element { start, offset: self.at, local, namespace, said })
    }

    #[inline]
    pub(crate) fn resolve_prefix(&self, prefix: &str) -> Result<Namespace, DecodeError> {
        let namespace = self.scopes.resolve(prefix);
        namespace
            .ok_or_else(|| self.error(DecodeErrorKind::UndeclaredPrefix(prefix.chars().take(40).collect())))
    }

    /// A character, or one of XML's five entities; an envelope can declare none of its own, so that any other
    /// name is what a sender forgot to escape.
    fn resolve(&mut self, reference: &BytesRef<'_>) -> Result<String, DecodeError> {
        let name = reference.xml10_content();
        let character = match &*name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number if number.starts_with('#') => {
                let character = reference.resolve_char_ref().ok().flatten();
                let character =
                    character.ok_or_else(|| self.malformed("a reference to no character of XML"))?;
                if u8::try_from(character).is_ok_and(is_control) {
                    self.forgive_at(Leniency::ControlCharacter, self.at);
                }
                character
            }
            other => {
                let text = ["&", other, ";"].concat();
                self.forgive_at(Leniency::RawAmpersand, self.at);
                return Ok(text);
            }
        };
        Ok(character.to_string())
    }

    /// The same text, borrowed from the body where it stands there: without a count of references.
    pub(crate) fn borrow(&self, text: &str) -> Cow<'b, str> {
        let start = text.as_ptr().addr().wrapping_sub(self.body.as_ptr().addr());
        match self.body.get(start..start.saturating_add(text.len())) {
            Some(part) => Cow::Borrowed(part),
            None => Cow::Owned(text.to_owned()),
        }
    }

    /// The same text as a slice of the body where it is one.
    pub(crate) fn slice(&self, text: &str) -> Text {
        let body = self.body.as_bytes().as_ptr_range();
        if !text.is_empty() && body.contains(&text.as_ptr()) {
            self.body.slice_ref(text)
        } else {
            text.to_owned().into()
        }
    }
}

/// What stands between the NUL bytes of a careless sender, and the white space around those.
fn without_nuls(text: &str) -> &str {
    let is_around = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let before = text.bytes().take_while(|byte| is_around(byte)).count();
    let after = text.bytes().rev().take_while(|byte| is_around(byte)).count();
    let inside = text.get(before..before.max(text.len() - after)).unwrap_or(text);
    let has_nul = |part: Option<&str>| part.is_some_and(|part| part.contains('\0'));
    let is_clean = !has_nul(text.get(..before)) && !has_nul(text.get(before + inside.len()..));
    if is_clean { text } else { inside }
}

/// Where the first character stands that XML cannot carry; looked for in pieces, which costs next to nothing.
fn control(text: &str) -> Option<usize> {
    let has_control = |piece: &[u8]| piece.iter().fold(false, |has, byte| has | is_control(*byte));
    let piece = text.as_bytes().chunks(256).position(has_control)?;
    let start = piece * 256;
    let at = text.bytes().skip(start).position(is_control)?;
    Some(start + at)
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')
}

fn is_blank(text: &BytesText<'_>) -> bool {
    text.trim_ascii().is_empty()
}
