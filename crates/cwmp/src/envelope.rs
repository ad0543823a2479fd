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
    AcsMethod, AcsResponse, CpeMethod, CpeResponse, DecodeError, DecodeErrorKind, Fault, FaultCode, Leniency,
    Limits, SetParameterValuesFault, Text, Version,
    cursor::{Cursor, Element},
    namespace::{ENCODING, Namespace, SOAP, XSD, XSI},
    record::settle,
    wire::Wire,
    writer::Writer,
};

/// The headers of CWMP. (TR-069 3.5, H-20 to H-24)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// Ties a response to its call.
    pub id: Option<Text>,
    /// The ACS asks the CPE to hold its calls back.
    pub hold_requests: Option<bool>,
    /// How many seconds the CPE may take between messages, from CWMP 1.3 on.
    pub session_timeout: Option<u32>,
    /// The versions that the CPE speaks, from CWMP 1.4 on.
    pub supported_cwmp_versions: Option<Text>,
    /// The version that the ACS chose, from CWMP 1.4 on.
    pub use_cwmp_version: Option<Text>,
}

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
    fn from_fault(fault: Fault) -> Self;
    fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError>;
    fn encode(&self, out: &mut Writer);
}

macro_rules! side {
    ($side:ident: $call:ident, $response:ident) => {
        impl Spoken for $side {
            const EMPTY: Self = Self::Empty;

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

            /// Writes the body of one HTTP message: nothing for the empty one.
            #[must_use]
            pub fn encode(&self) -> String {
                if self.body.element().is_some() { encode(self) } else { String::new() }
            }
        }
    };
}

side!(FromCpe: AcsMethod, CpeResponse);
side!(FromAcs: CpeMethod, AcsResponse);

impl Spoken for AnyBody {
    const EMPTY: Self = Self::Cpe(FromCpe::Empty);

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

fn decode<B: Spoken>(body: Vec<u8>, limits: &Limits) -> Result<Decoded<B>, DecodeError> {
    let (body, is_latin) = text_of(body);
    let mut cursor = Cursor::new(&body, *limits)?;
    if is_latin {
        cursor.forgive(Leniency::NotUtf8);
    }
    if body.trim_ascii().is_empty() {
        let envelope = Envelope { version: Version::default(), header: Header::default(), body: B::EMPTY };
        return Ok(Decoded { envelope, leniencies: Vec::new() });
    }
    let envelope = decode_envelope(&mut cursor)?;
    Ok(Decoded { envelope, leniencies: cursor.into_leniencies() })
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

impl DecodeError {
    /// The SOAP fault that answers a header which must be understood and is not; nothing for other errors,
    /// which have a CWMP fault or none. (SOAP 1.1 4.4.1, H-25)
    #[must_use]
    pub fn soap_fault(&self) -> Option<String> {
        let DecodeErrorKind::MustUnderstand(_) = &self.kind else { return None };
        let mut out = Writer::with_capacity(512);
        out.raw("<soap:Envelope xmlns:soap=\"");
        out.raw(SOAP);
        out.raw("\"><soap:Body><soap:Fault><faultcode>soap:MustUnderstand</faultcode>");
        out.leaf("faultstring", &self.kind.to_string());
        out.raw("</soap:Fault></soap:Body></soap:Envelope>\n");
        Some(out.finish())
    }
}

/// The body as text: UTF-8, or ISO-8859-1 where it is not.
fn text_of(body: Vec<u8>) -> (Text, bool) {
    match String::from_utf8(body) {
        Ok(text) => (text.into(), false),
        Err(error) => {
            (error.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>().into(), true)
        }
    }
}

fn decode_envelope<B: Spoken>(cursor: &mut Cursor<'_>) -> Result<Envelope<B>, DecodeError> {
    match cursor.child()? {
        Some(root) if root.namespace == Namespace::Soap && root.local() == "Envelope" => {}
        Some(root) => {
            let name = root.local().chars().take(80).collect();
            return Err(cursor.error(DecodeErrorKind::NotAnEnvelope(name)));
        }
        None => return Err(cursor.error(DecodeErrorKind::NotAnEnvelope(String::new()))),
    }
    let (mut header, mut body) = (Header::default(), None);
    while let Some(part) = cursor.child()? {
        match (part.namespace, part.local()) {
            (Namespace::Soap, "Header") => header = Header::decode(cursor)?,
            (Namespace::Soap, "Body") if body.is_none() => body = Some(decode_body(cursor)?),
            (Namespace::Soap, "Body") => return Err(cursor.error(DecodeErrorKind::BodyCount("a second one"))),
            _ => {
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
        cursor.forgive(Leniency::MissingId);
    }
    Ok(Envelope { version: cursor.version.unwrap_or_default(), header, body })
}

fn decode_body<B: Spoken>(cursor: &mut Cursor<'_>) -> Result<B, DecodeError> {
    let Some(element) = cursor.child()? else {
        return Err(cursor.error(DecodeErrorKind::BodyCount("no element")));
    };
    let body = match (element.namespace, element.local()) {
        (Namespace::Soap, "Fault") => B::from_fault(decode_fault(cursor)?),
        (Namespace::Cwmp(version), _) => {
            cursor.version = Some(version);
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

impl Header {
    /// A header with nothing but an ID.
    #[must_use]
    pub fn with_id(id: Option<Text>) -> Self {
        Self { id, ..Self::default() }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut header = Self::default();
        while let Some(child) = cursor.child()? {
            match (child.namespace.is_cwmp(), child.local()) {
                (true, "ID") => {
                    header.id = Some(Text::decode(cursor, &child)?);
                    cursor.id.clone_from(&header.id);
                }
                (true, "HoldRequests") => header.hold_requests = Some(bool::decode(cursor, &child)?),
                (true, "NoMoreRequests") => {
                    cursor.forgive(Leniency::NoMoreRequests);
                    cursor.skip()?;
                }
                (true, "SessionTimeout") => header.session_timeout = Some(u32::decode(cursor, &child)?),
                (true, "SupportedCWMPVersions") => {
                    header.supported_cwmp_versions = Some(Text::decode(cursor, &child)?);
                }
                (true, "UseCWMPVersion") => header.use_cwmp_version = Some(Text::decode(cursor, &child)?),
                (_, name) if child.must_understand => {
                    let name = name.chars().take(80).collect();
                    return Err(cursor.error(DecodeErrorKind::MustUnderstand(name)));
                }
                _ => {
                    cursor.forgive(Leniency::UnknownHeader);
                    cursor.skip()?;
                }
            }
        }
        Ok(header)
    }

    fn encode(&self, out: &mut Writer) {
        let hold = self.hold_requests.map(|hold| Text::from_static(if hold { "1" } else { "0" }));
        let timeout = self.session_timeout.map(|seconds| Text::from(seconds.to_string()));
        let rows = [
            ("cwmp:ID", "1", &self.id),
            ("cwmp:HoldRequests", "1", &hold),
            ("cwmp:SessionTimeout", "0", &timeout),
            ("cwmp:SupportedCWMPVersions", "0", &self.supported_cwmp_versions),
            ("cwmp:UseCWMPVersion", "1", &self.use_cwmp_version),
        ];
        for (name, must_understand, value) in rows {
            let Some(value) = value else { continue };
            let start = [name, " soap:mustUnderstand=\"", must_understand, "\""].concat();
            out.open(&start);
            out.escaped(value);
            out.close(name);
        }
    }
}

/// A SOAP fault that carries a CWMP fault. (TR-069 3.5, H-18)
fn encode_fault(fault: &Fault, out: &mut Writer) {
    out.raw("<soap:Fault>");
    out.leaf("faultcode", fault.code.blames());
    out.leaf("faultstring", "CWMP fault");
    out.raw("<detail><cwmp:Fault>");
    out.leaf("FaultCode", &fault.code.to_string());
    out.leaf("FaultString", &fault.text);
    for detail in &fault.details {
        out.open("SetParameterValuesFault");
        out.leaf("ParameterName", &detail.parameter_name);
        out.leaf("FaultCode", &detail.fault_code.to_string());
        out.leaf("FaultString", &detail.fault_string);
        out.close("SetParameterValuesFault");
    }
    out.raw("</cwmp:Fault></detail></soap:Fault>");
}

fn decode_fault(cursor: &mut Cursor<'_>) -> Result<Fault, DecodeError> {
    let mut fault = None;
    while let Some(part) = cursor.child()? {
        if part.local() != "detail" {
            cursor.skip()?;
            continue;
        }
        while let Some(child) = cursor.child()? {
            match (child.namespace, child.local()) {
                (Namespace::Cwmp(version), "Fault") => {
                    cursor.version = Some(version);
                    fault = Some(decode_cwmp_fault(cursor)?);
                }
                _ => cursor.skip()?,
            }
        }
    }
    fault.ok_or_else(|| cursor.error(DecodeErrorKind::Missing("cwmp:Fault")))
}

fn decode_cwmp_fault(cursor: &mut Cursor<'_>) -> Result<Fault, DecodeError> {
    let (mut code, mut text, mut details) = (None, None, Vec::new());
    while let Some(child) = cursor.child()? {
        match child.local() {
            "FaultCode" => code = Some(FaultCode::decode(cursor, &child)?),
            "FaultString" => text = Some(Text::decode(cursor, &child)?),
            "SetParameterValuesFault" => details.push(decode_detail(cursor)?),
            _ => {
                cursor.forgive(Leniency::UnknownElement);
                cursor.skip()?;
            }
        }
    }
    let code = settle(cursor, code, "FaultCode", false)?;
    Ok(Fault { code, text: settle(cursor, text, "FaultString", true)?, details })
}

fn decode_detail(cursor: &mut Cursor<'_>) -> Result<SetParameterValuesFault, DecodeError> {
    let (mut name, mut code, mut text) = (None, None, None);
    while let Some(child) = cursor.child()? {
        match child.local() {
            "ParameterName" => name = Some(Text::decode(cursor, &child)?),
            "FaultCode" => code = Some(FaultCode::decode(cursor, &child)?),
            "FaultString" => text = Some(Text::decode(cursor, &child)?),
            _ => cursor.skip()?,
        }
    }
    Ok(SetParameterValuesFault {
        parameter_name: settle(cursor, name, "ParameterName", false)?,
        fault_code: settle(cursor, code, "FaultCode", false)?,
        fault_string: settle(cursor, text, "FaultString", true)?,
    })
}
