//! The SOAP envelope: header, body, and the two directions of each side. (TR-069 3.5)
//!
//! ```text
//!  H(e)NB ──Envelope<FromCpe>──▶ H(e)MS      an empty HTTP body is a message too: `Empty`
//!         ◀──Envelope<FromAcs>──
//! ```
//!
//! One rule: exactly one element in the body, and replies repeat the namespace and the ID of what
//! they answer.

use serde::Serialize;

use crate::{
    AcsMethod, AcsResponse, CpeMethod, CpeResponse, DecodeError, DecodeErrorKind, Fault, FaultCode, Finding,
    Header, Leniency, Limits, Text, Version,
    cursor::{Cursor, Element},
    methods::first_in,
    namespace::{ENCODING, Namespace, SOAP, XSD, XSI},
    record::check_bare,
    soap_fault::{decode_fault, encode_fault},
    strict::{self, Deviations},
    writer::Writer,
};

/// One message with its header, in one CWMP namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope<B> {
    /// Which CWMP namespace it speaks.
    pub version: Version,
    /// Its headers.
    pub header: Header,
    /// The message.
    pub body: B,
}

/// An envelope, and what was forgiven to read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<B> {
    /// What was said.
    pub envelope: Envelope<B>,
    /// What was forgiven, once a kind.
    pub leniencies: Vec<Leniency>,
    /// What it was read from; its names and values are slices of this.
    pub text: Text,
}

/// What a CPE says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FromCpe {
    /// It calls.
    Call(AcsMethod),
    /// It answers.
    Response(CpeResponse),
    /// It says no.
    Fault(Fault),
    /// It has nothing to say: the turn goes to the ACS.
    Empty,
}

/// What an ACS says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(
    clippy::large_enum_variant,
    reason = "one message lives at a time; a box would cost each an allocation"
)]
pub enum FromAcs {
    /// It calls.
    Call(CpeMethod),
    /// It answers.
    Response(AcsResponse),
    /// It says no.
    Fault(Fault),
    /// It has nothing to say: the session is over.
    Empty,
}

/// What anybody says: for tools that do not know who spoke.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnyBody {
    /// Something that a CPE says, or what both sides say alike.
    Cpe(FromCpe),
    /// Something that only an ACS says.
    Acs(FromAcs),
}

/// How a side's messages stand in the SOAP body.
trait Spoken: Sized {
    const EMPTY: Self;
    /// The code of a fault that says none.
    const UNSAID: FaultCode;
    fn from_fault(fault: Fault) -> Self;
    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError>;
    fn encode(&self, out: &mut Writer);
}

macro_rules! side {
    ($side:ident: $call:ident, $response:ident, $unsaid:ident) => {
        impl Spoken for $side {
            const EMPTY: Self = Self::Empty;
            const UNSAID: FaultCode = FaultCode::$unsaid;

            fn from_fault(fault: Fault) -> Self {
                Self::Fault(fault)
            }

            fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
                if $response::knows(element.local()) {
                    $response::decode(cursor, element).map(Self::Response)
                } else {
                    $call::decode(cursor, element).map(Self::Call)
                }
            }

            fn encode(&self, out: &mut Writer) {
                match self {
                    Self::Call(call) => call.encode(out),
                    Self::Response(response) => response.encode(out),
                    Self::Fault(fault) => encode_fault(fault, out),
                    Self::Empty => {}
                }
            }
        }

        impl $side {
            /// The local name of the body's element; nothing for the empty message.
            #[must_use]
            pub fn element(&self) -> Option<&'static str> {
                match self {
                    Self::Call(call) => Some(call.element()),
                    Self::Response(response) => Some(response.element()),
                    Self::Fault(_) => Some("Fault"),
                    Self::Empty => None,
                }
            }
        }

        envelope_of!($side);
    };
}

/// Reading and writing, where the side is known by its type.
macro_rules! envelope_of {
    ($side:ident) => {
        impl Envelope<$side> {
            /// The empty message, which travels as an empty HTTP body.
            #[must_use]
            pub fn empty(version: Version) -> Self {
                Self { version, header: Header::default(), body: $side::EMPTY }
            }

            /// Reads the body of one HTTP message.
            ///
            /// # Errors
            /// What is wrong with it, where, and which fault answers it.
            pub fn decode(body: impl Into<Vec<u8>>, limits: &Limits) -> Result<Decoded<$side>, DecodeError> {
                decode(body.into(), limits)
            }

            /// Reads the body of one HTTP message and forgives nothing.
            ///
            /// # Errors
            /// Everything in it that is not as the standard wants it, in the order of the body, at most
            /// 1000 places; where nothing more could be read, the last one says why.
            pub fn decode_strict(body: impl Into<Vec<u8>>, limits: &Limits) -> Result<Self, Vec<Finding>> {
                decode_strict(body.into(), limits)
            }

            /// Writes the body of one HTTP message: nothing for the empty one.
            #[must_use]
            pub fn encode(&self) -> String {
                if self.body.element().is_some() { encode(self) } else { String::new() }
            }
        }
    };
}

side!(FromCpe: AcsMethod, CpeResponse, INTERNAL_ERROR);
side!(FromAcs: CpeMethod, AcsResponse, ACS_INTERNAL_ERROR);

impl Spoken for AnyBody {
    const EMPTY: Self = Self::Cpe(FromCpe::Empty);
    const UNSAID: FaultCode = FromCpe::UNSAID;

    fn from_fault(fault: Fault) -> Self {
        Self::Cpe(FromCpe::Fault(fault))
    }

    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
        let name = element.local();
        let from_acs = CpeMethod::knows(name) || AcsResponse::knows(name);
        // GetRPCMethods and its response sound alike from both sides.
        let from_cpe = AcsMethod::knows(name) || CpeResponse::knows(name);
        if from_acs && !from_cpe {
            FromAcs::decode(cursor, element).map(Self::Acs)
        } else {
            FromCpe::decode(cursor, element).map(Self::Cpe)
        }
    }

    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Cpe(body) => body.encode(out),
            Self::Acs(body) => body.encode(out),
        }
    }
}

impl AnyBody {
    /// The local name of the body's element; nothing for the empty message.
    #[must_use]
    pub fn element(&self) -> Option<&'static str> {
        match self {
            Self::Cpe(body) => body.element(),
            Self::Acs(body) => body.element(),
        }
    }
}

envelope_of!(AnyBody);

/// The body of an HTTP message as text.
struct Sent {
    text: Text,
    /// The body, where some of it was no UTF-8: places are told in its bytes.
    body: Option<Vec<u8>>,
}

impl Sent {
    /// UTF-8, and where it is not, ISO-8859-1 byte by byte: one bad byte spoils no other.
    fn new(body: Vec<u8>) -> Self {
        match String::from_utf8(body) {
            Ok(text) => Self { text: text.into(), body: None },
            Err(error) => {
                let body = error.into_bytes();
                let mut text = String::with_capacity(body.len());
                for chunk in body.utf8_chunks() {
                    text.push_str(chunk.valid());
                    text.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
                }
                Self { text: text.into(), body: Some(body) }
            }
        }
    }

    /// Bytes of the body.
    fn len(&self) -> usize {
        self.body.as_ref().map_or(self.text.len(), Vec::len)
    }

    /// Reads it, and notes what was forgiven until the end or an error.
    fn read<B: Spoken>(
        &self,
        limits: &Limits,
        deviations: Deviations,
    ) -> (Result<Envelope<B>, DecodeError>, Deviations) {
        if self.text.trim_ascii().is_empty() {
            let (version, header) = (Version::default(), Header::default());
            return (Ok(Envelope { version, header, body: B::EMPTY }), Deviations::default());
        }
        let mut cursor = match Cursor::new(&self.text, *limits, deviations) {
            Ok(cursor) => cursor,
            Err(error) => return (Err(error), Deviations::default()),
        };
        if let Err(error) = cursor.within("bytes", self.len(), limits.bytes) {
            return (Err(error), Deviations::default());
        }
        if self.body.is_some() {
            cursor.forgive(Leniency::NotUtf8);
        }
        let envelope = decode_envelope(&mut cursor);
        (envelope, cursor.into_deviations())
    }
}

fn decode<B: Spoken>(body: Vec<u8>, limits: &Limits) -> Result<Decoded<B>, DecodeError> {
    let sent = Sent::new(body);
    let (envelope, deviations) = sent.read(limits, Deviations::default());
    match envelope {
        Ok(envelope) => Ok(Decoded { envelope, leniencies: deviations.leniencies(), text: sent.text }),
        Err(error) => Err(DecodeError {
            offset: strict::place(&sent.text, sent.body.as_deref(), error.offset),
            ..error
        }),
    }
}

fn decode_strict<B: Spoken>(body: Vec<u8>, limits: &Limits) -> Result<Envelope<B>, Vec<Finding>> {
    let sent = Sent::new(body);
    let (envelope, deviations) = sent.read(limits, Deviations::with_places());
    let findings = deviations.findings(&sent.text, sent.body.as_deref(), envelope.as_ref().err());
    match envelope {
        Ok(envelope) if findings.is_empty() => Ok(envelope),
        _ => Err(findings),
    }
}

fn encode<B: Spoken>(envelope: &Envelope<B>) -> String {
    let mut out = Writer::with_capacity(2048);
    // No XML declaration: UTF-8 is XML's own default, and some devices cannot read a reply that has one.
    out.raw("<soap:Envelope xmlns:soap=\"");
    let names = [SOAP, "\" xmlns:soap-enc=\"", ENCODING, "\" xmlns:xsd=\"", XSD, "\" xmlns:xsi=\"", XSI];
    names.iter().for_each(|name| out.raw(name));
    out.raw("\" xmlns:cwmp=\"");
    out.raw(envelope.version.urn());
    out.raw("\"><soap:Header>");
    envelope.header.encode(&mut out);
    out.raw("</soap:Header><soap:Body>");
    envelope.body.encode(&mut out);
    out.raw("</soap:Body></soap:Envelope>\n");
    out.finish()
}

fn decode_envelope<B: Spoken>(cursor: &mut Cursor<'_>) -> Result<Envelope<B>, DecodeError> {
    let (start, home) = match cursor.child()? {
        Some(root) if root.local() == "Envelope" => {
            if root.namespace != Namespace::Soap {
                cursor.forgive(Leniency::SoapVersion);
            }
            (root.offset, root.namespace)
        }
        Some(root) => {
            let name = root.local().chars().take(80).collect();
            return Err(cursor.error(DecodeErrorKind::NotAnEnvelope(name)));
        }
        None => return Err(cursor.error(DecodeErrorKind::NotAnEnvelope(String::new()))),
    };
    let (mut header, mut headers, mut body) = (Header::default(), 0, None);
    while let Some(part) = cursor.child()? {
        check_bare(cursor, &part);
        let local = ["Header", "Body"].into_iter().find(|name| name.eq_ignore_ascii_case(part.local()));
        let is_ours = part.namespace == home || part.namespace == Namespace::None;
        if local.is_some_and(|name| is_ours && name != part.local()) {
            cursor.forgive(Leniency::Misspelt);
        }
        if is_ours && part.namespace != home {
            cursor.forgive(Leniency::Unqualified);
        }
        match local.filter(|_| is_ours) {
            Some("Header") => {
                headers += 1;
                if headers > 1 || body.is_some() {
                    cursor.forgive(if body.is_some() { Leniency::Order } else { Leniency::Repeated });
                }
                header.decode(cursor)?;
            }
            Some(_) if body.is_none() => body = Some(decode_body(cursor, home)?),
            Some(_) => return Err(cursor.error(DecodeErrorKind::BodyCount("a second one"))),
            None => {
                cursor.forgive(Leniency::UnknownElement);
                cursor.skip()?;
            }
        }
    }
    if cursor.child()?.is_some() {
        return Err(cursor.error(DecodeErrorKind::Malformed("a second root element".to_owned())));
    }
    let body = body.ok_or_else(|| cursor.error(DecodeErrorKind::Missing("Body")))?;
    if header.id.is_none() {
        cursor.forgive_at(Leniency::MissingId, start);
    }
    Ok(Envelope { version: cursor.version.unwrap_or_default(), header, body })
}

fn decode_body<B: Spoken>(cursor: &mut Cursor<'_>, home: Namespace) -> Result<B, DecodeError> {
    let Some(element) = cursor.child()? else {
        cursor.forgive(Leniency::EmptyBody);
        return Ok(B::EMPTY);
    };
    check_bare(cursor, &element);
    let body = match (element.namespace, element.local()) {
        (namespace, "Fault") if namespace == home => {
            B::from_fault(decode_fault(cursor, &element, B::UNSAID)?)
        }
        (Namespace::Cwmp(_) | Namespace::None, "Fault") => {
            cursor.forgive(Leniency::FaultForm);
            B::from_fault(decode_fault(cursor, &element, B::UNSAID)?)
        }
        (Namespace::Cwmp(version), name) => {
            cursor.version = Some(version);
            if first_in(name.strip_suffix("Response").unwrap_or(name)) > version {
                cursor.forgive(Leniency::MethodVersion);
            }
            B::decode(cursor, &element)?
        }
        (Namespace::None, _) => {
            cursor.forgive(Leniency::Unqualified);
            B::decode(cursor, &element)?
        }
        (_, name) => {
            let name = name.chars().take(80).collect();
            return Err(cursor.error(DecodeErrorKind::NotCwmp(name)));
        }
    };
    match cursor.child()? {
        None => Ok(body),
        Some(_) => Err(cursor.error(DecodeErrorKind::BodyCount("more than one element"))),
    }
}
