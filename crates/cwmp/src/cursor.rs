//! A bounded, namespace-aware walk over an envelope: the only reader of XML.
//!
//! ```text
//!  child() ──▶ Some(element) ──▶ child() | text() | skip()   each consumes through the end tag
//!          └─▶ None: the parent's end tag was consumed
//! ```
//!
//! One rule: everything that a sender could make large has a bound in [`Limits`]. Texts are slices
//! of the body wherever no entity stands in the way.

use quick_xml::{
    Reader,
    events::{BytesRef, BytesStart, BytesText, Event},
};

use crate::{
    DecodeError, DecodeErrorKind, Leniency, Text, Version,
    namespace::{Namespace, Scopes},
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
    start: BytesStart<'b>,
    /// Where the local part of its name begins: it is asked for often.
    local: usize,
    pub(crate) namespace: Namespace,
    /// The local part of `xsi:type`.
    pub(crate) xsi_type: Option<Text>,
    /// `soap-enc:arrayType`, raw.
    pub(crate) array_type: Option<Text>,
    pub(crate) must_understand: bool,
}

impl Element<'_> {
    pub(crate) fn local(&self) -> &str {
        self.start.name().0.get(self.local..).unwrap_or_default()
    }
}

pub(crate) struct Cursor<'b> {
    reader: Reader<&'b [u8]>,
    body: &'b Text,
    scopes: Scopes,
    depth: usize,
    elements: usize,
    limits: Limits,
    leniencies: Vec<Leniency>,
    /// A child that was looked at and given back.
    unread: Option<Element<'b>>,
    /// The header's ID once it was read, for answers to errors that come after it.
    pub(crate) id: Option<Text>,
    /// The CWMP namespace that the envelope declared.
    pub(crate) version: Option<Version>,
}

impl<'b> Cursor<'b> {
    pub(crate) fn new(body: &'b Text, limits: Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::from_str(body.strip_prefix('\u{feff}').unwrap_or(body));
        reader.config_mut().expand_empty_elements = true;
        let cursor = Self {
            reader,
            body,
            scopes: Scopes::default(),
            depth: 0,
            elements: 0,
            limits,
            leniencies: Vec::new(),
            unread: None,
            id: None,
            version: None,
        };
        cursor.within("bytes", body.len(), limits.bytes)?;
        Ok(cursor)
    }

    /// The next child of the element the cursor stands in, or nothing at its end.
    pub(crate) fn child(&mut self) -> Result<Option<Element<'b>>, DecodeError> {
        if let Some(element) = self.unread.take() {
            return Ok(Some(element));
        }
        loop {
            match self.event()? {
                Event::Start(start) | Event::Empty(start) => return self.enter(start).map(Some),
                Event::End(_) => {
                    self.leave();
                    return Ok(None);
                }
                Event::Text(text) if is_blank(&text) => {}
                Event::Eof if self.depth == 0 => return Ok(None),
                Event::Eof => return Err(self.malformed("it ends inside an element")),
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(self.malformed("text between elements"));
                }
                Event::DocType(_) => return Err(self.error(DecodeErrorKind::DocumentType)),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            }
        }
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
            let piece = match self.event()? {
                Event::End(_) => break,
                Event::Text(piece) if text.is_empty() && pieces.is_empty() => {
                    text = self.slice(&piece.xml10_content());
                    continue;
                }
                Event::Text(piece) => piece.xml10_content().into_owned(),
                Event::CData(piece) => piece.xml10_content().into_owned(),
                Event::GeneralRef(reference) => self.resolve(&reference)?.to_string(),
                Event::Comment(_) | Event::PI(_) => continue,
                Event::Start(start) | Event::Empty(start) => {
                    let what = format!("element `{}` where text must stand", start.name().0);
                    return Err(self.malformed(&what));
                }
                Event::DocType(_) | Event::Decl(_) => return Err(self.error(DecodeErrorKind::DocumentType)),
                Event::Eof => return Err(self.malformed("it ends inside an element")),
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
            match self.event()? {
                Event::Start(start) | Event::Empty(start) => drop(self.enter(start)?),
                Event::End(_) => self.leave(),
                Event::GeneralRef(reference) => drop(self.resolve(&reference)?),
                Event::DocType(_) => return Err(self.error(DecodeErrorKind::DocumentType)),
                Event::Eof => return Err(self.malformed("it ends inside an element")),
                Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            }
        }
        Ok(())
    }

    /// Reports what was forgiven, once a kind.
    pub(crate) fn forgive(&mut self, leniency: Leniency) {
        if !self.leniencies.contains(&leniency) {
            self.leniencies.push(leniency);
        }
    }

    pub(crate) fn into_leniencies(mut self) -> Vec<Leniency> {
        self.leniencies.sort_unstable();
        self.leniencies
    }

    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        let offset = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        DecodeError { kind, offset, id: self.id.clone(), version: self.version }
    }

    pub(crate) fn bad_value(&self, element: &str, found: &str, expected: &'static str) -> DecodeError {
        let found = found.chars().take(40).collect();
        self.error(DecodeErrorKind::BadValue { element: element.to_owned(), found, expected })
    }

    fn malformed(&self, what: &str) -> DecodeError {
        self.error(DecodeErrorKind::Malformed(what.to_owned()))
    }

    fn within(&self, what: &'static str, count: usize, most: usize) -> Result<(), DecodeError> {
        if count > most { Err(self.error(DecodeErrorKind::Limit { what, most })) } else { Ok(()) }
    }

    fn event(&mut self) -> Result<Event<'b>, DecodeError> {
        self.reader.read_event().map_err(|error| self.malformed(&error.to_string()))
    }

    fn leave(&mut self) {
        self.scopes.leave(self.depth);
        self.depth = self.depth.saturating_sub(1);
    }

    /// Opens an element: counts it, binds its prefixes, resolves its name and reads its attributes.
    fn enter(&mut self, start: BytesStart<'b>) -> Result<Element<'b>, DecodeError> {
        self.depth += 1;
        self.elements += 1;
        self.within("elements inside each other", self.depth, self.limits.depth)?;
        self.within("elements", self.elements, self.limits.elements)?;
        if start.attributes_raw().contains("xmlns") {
            self.declare(&start)?;
        }
        let name = start.name().0;
        let colon = name.bytes().position(|byte| byte == b':');
        let namespace = self.resolve_prefix(name.get(..colon.unwrap_or(0)).unwrap_or_default())?;
        let local = colon.map_or(0, |colon| colon + 1);
        let element =
            Element { start, local, namespace, xsi_type: None, array_type: None, must_understand: false };
        if element.start.attributes_raw().is_empty() { Ok(element) } else { self.read_attributes(element) }
    }

    fn declare(&mut self, start: &BytesStart<'_>) -> Result<(), DecodeError> {
        for (count, attribute) in start.attributes().enumerate() {
            self.within("attributes of an element", count + 1, self.limits.attributes)?;
            let attribute = attribute.map_err(|error| self.malformed(&error.to_string()))?;
            let prefix = match attribute.key.0 {
                "xmlns" => "",
                key => match key.strip_prefix("xmlns:") {
                    Some(prefix) => prefix,
                    None => continue,
                },
            };
            let fits = self.scopes.bind(self.depth, prefix, &attribute.value);
            self.within("namespace bindings", if fits { 0 } else { Scopes::MOST + 1 }, Scopes::MOST)?;
            if let (None, Some(Namespace::Cwmp(version))) = (self.version, self.scopes.resolve(prefix)) {
                self.version = Some(version);
            }
        }
        Ok(())
    }

    fn read_attributes(&self, mut element: Element<'b>) -> Result<Element<'b>, DecodeError> {
        let start = element.start.clone();
        for (count, attribute) in start.attributes().enumerate() {
            self.within("attributes of an element", count + 1, self.limits.attributes)?;
            let attribute = attribute.map_err(|error| self.malformed(&error.to_string()))?;
            let key = attribute.key.0;
            let Some((prefix, local)) = key.split_once(':') else { continue };
            if prefix == "xmlns" {
                continue;
            }
            match (self.resolve_prefix(prefix)?, local) {
                (Namespace::Xsi, "type") => {
                    let local =
                        attribute.value.rsplit_once(':').map_or(&*attribute.value, |(_, local)| local);
                    element.xsi_type = Some(self.slice(local));
                }
                (Namespace::Encoding, "arrayType") => element.array_type = Some(self.slice(&attribute.value)),
                // Seen in the field: arrayType in the envelope's namespace.
                (Namespace::Soap, "arrayType") => element.array_type = Some(Text::from_static("?")),
                (Namespace::Soap, "mustUnderstand") => element.must_understand = &*attribute.value == "1",
                _ => {}
            }
        }
        Ok(element)
    }

    fn resolve_prefix(&self, prefix: &str) -> Result<Namespace, DecodeError> {
        let namespace = self.scopes.resolve(prefix);
        namespace
            .ok_or_else(|| self.error(DecodeErrorKind::UndeclaredPrefix(prefix.chars().take(40).collect())))
    }

    /// A character or one of XML's five entities; an envelope can declare none of its own.
    fn resolve(&self, reference: &BytesRef<'_>) -> Result<char, DecodeError> {
        let character = match &*reference.xml10_content() {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => reference.resolve_char_ref().ok().flatten(),
        };
        character.ok_or_else(|| self.malformed("an entity that XML does not define"))
    }

    /// The same text as a slice of the body where it is one.
    fn slice(&self, text: &str) -> Text {
        let body = self.body.as_bytes().as_ptr_range();
        if !text.is_empty() && body.contains(&text.as_ptr()) {
            self.body.slice_ref(text)
        } else {
            text.to_owned().into()
        }
    }
}

fn is_blank(text: &BytesText<'_>) -> bool {
    text.trim_ascii().is_empty()
}
