//! Faults on the wire: a SOAP fault around a CWMP fault. (TR-069 3.5, H-18)
//!
//! One rule: what decides is the CWMP fault inside; whatever the SOAP fault around it says is only
//! looked at.

use crate::{
    DecodeError, DecodeErrorKind, Fault, FaultCode, Leniency, SetParameterValuesFault, Text,
    cursor::{Cursor, Element},
    namespace::{Namespace, SOAP},
    record::{check_attributes, check_bare, settle},
    rule::{self, Rule},
    wire::Wire,
    writer::Writer,
};

const FAULT: Rule = Rule::NONE.like(rule::fault);
const PARAMETER_FAULT: Rule = Rule::NONE.like(rule::parameter_fault);

/// A SOAP fault that carries a CWMP fault. (TR-069 3.5, H-18)
pub(crate) fn encode_fault(fault: &Fault, out: &mut Writer) {
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

/// What was heard of a fault, wherever in it that stood.
#[derive(Default)]
struct Heard {
    code: Option<FaultCode>,
    text: Option<Text>,
    details: Vec<SetParameterValuesFault>,
    /// SOAP's own word, where CWMP has none.
    faultstring: Option<Text>,
    has_faultcode: bool,
    has_cwmp: bool,
}

/// Reads a fault; `unsaid` is its code where it says none.
pub(crate) fn decode_fault(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
    unsaid: FaultCode,
) -> Result<Fault, DecodeError> {
    let mut heard = Heard::default();
    heard.read(cursor, "")?;
    let is_soap = element.namespace == Namespace::Soap;
    if is_soap && !(heard.has_cwmp && heard.has_faultcode && heard.faultstring.is_some()) {
        cursor.forgive_at(Leniency::FaultForm, element.offset);
    }
    let code = heard.code.filter(|code| code.0 != 0).unwrap_or_else(|| {
        cursor.forgive_at(Leniency::MissingElement, element.offset);
        unsaid
    });
    let text = heard.text.or(heard.faultstring).unwrap_or_default();
    Ok(Fault { code, text, details: heard.details })
}

impl Heard {
    /// Reads what stands in an element `parent` of the fault; "" is the fault itself.
    fn read(&mut self, cursor: &mut Cursor<'_>, parent: &str) -> Result<(), DecodeError> {
        let mut last = 0;
        while let Some(part) = cursor.child()? {
            let (name, at) = known(part.local());
            check_place(cursor, &part, parent, name);
            check_said(cursor, &part, name);
            if at < last {
                cursor.forgive(Leniency::Order);
            }
            last = at;
            match name {
                "faultcode" => self.read_faultcode(cursor, &part)?,
                "faultstring" => {
                    let text = cursor.text()?;
                    check_form(cursor, &part, &*text == "CWMP fault" && self.faultstring.is_none());
                    self.faultstring = Some(text);
                }
                "faultactor" => cursor.skip()?,
                "detail" | "Reason" => self.read(cursor, "detail")?,
                "Fault" => {
                    if let Namespace::Cwmp(version) = part.namespace {
                        cursor.version = Some(version);
                    }
                    check_form(cursor, &part, part.namespace.is_cwmp() && !self.has_cwmp);
                    self.has_cwmp = true;
                    self.read(cursor, "Fault")?;
                }
                "FaultCode" => {
                    let code = FaultCode::decode(cursor, &part)?;
                    code.check(cursor, part.offset, &FAULT);
                    replace(&mut self.code, code, cursor);
                }
                "FaultString" => replace(&mut self.text, Text::decode(cursor, &part)?, cursor),
                "Text" => self.faultstring = Some(cursor.text()?),
                "SetParameterValuesFault" => self.details.push(decode_parameter(cursor, &part)?),
                _ => {
                    cursor.forgive(Leniency::UnknownElement);
                    cursor.skip()?;
                }
            }
        }
        Ok(())
    }

    fn read_faultcode(&mut self, cursor: &mut Cursor<'_>, part: &Element<'_>) -> Result<(), DecodeError> {
        let code = cursor.text()?;
        let local = code.rsplit(':').next().unwrap_or_default();
        let is_first = !self.has_faultcode;
        check_form(cursor, part, is_first && matches!(local.trim_ascii(), "Client" | "Server"));
        self.has_faultcode = true;
        Ok(())
    }
}

/// The parts of a fault in the order of both schemas.
const PARTS: [&str; 10] = [
    "faultcode",
    "faultstring",
    "faultactor",
    "Reason",
    "Text",
    "detail",
    "Fault",
    "FaultCode",
    "FaultString",
    "SetParameterValuesFault",
];

/// The part that a name means, in whatever letters, and its place; SOAP's own are all small, CWMP's are not.
fn known(local: &str) -> (&'static str, usize) {
    let at = PARTS.iter().position(|part| *part == local).or_else(|| match local {
        "Fault" | "FaultStruct" | "fault" => Some(6),
        odd if odd.to_ascii_lowercase().ends_with("detail") => Some(5),
        odd => PARTS.iter().skip(6).position(|part| part.eq_ignore_ascii_case(odd)).map(|at| at + 6),
    });
    at.and_then(|at| Some((*PARTS.get(at)?, at))).unwrap_or(("", PARTS.len()))
}

/// Reports a part in another place, letters or namespace than its own.
fn check_place(cursor: &mut Cursor<'_>, part: &Element<'_>, parent: &str, name: &str) {
    let home = match name {
        "faultcode" | "faultstring" | "faultactor" | "detail" => "",
        "Fault" => "detail",
        "FaultCode" | "FaultString" | "SetParameterValuesFault" => "Fault",
        _ => return,
    };
    let is_in_place = home == parent || (home == "Fault" && parent.is_empty());
    if !is_in_place || part.local() != name {
        cursor.forgive(Leniency::FaultForm);
    }
    if part.namespace != Namespace::None && name != "Fault" {
        cursor.forgive(Leniency::QualifiedChild);
    }
}

/// Reports the attributes of a part of a fault.
fn check_said(cursor: &mut Cursor<'_>, part: &Element<'_>, name: &str) {
    match name {
        "faultstring" | "FaultString" | "ParameterName" => {
            check_attributes::<Text>(cursor, part, &Rule::NONE);
        }
        "FaultCode" => check_attributes::<FaultCode>(cursor, part, &FAULT),
        _ => check_bare(cursor, part),
    }
}

/// Reports the form of a part of a fault.
fn check_form(cursor: &mut Cursor<'_>, part: &Element<'_>, is_right: bool) {
    if !is_right {
        cursor.forgive_at(Leniency::FaultForm, part.offset);
    }
}

/// Takes a part that should stand once; the last counts.
fn replace<T>(field: &mut Option<T>, value: T, cursor: &mut Cursor<'_>) {
    if field.replace(value).is_some() {
        cursor.forgive(Leniency::Repeated);
    }
}

fn decode_parameter(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
) -> Result<SetParameterValuesFault, DecodeError> {
    let (mut name, mut code, mut text) = (None, None, None);
    let mut wrappers = 0;
    while let Some(child) = cursor.child_within(&mut wrappers)? {
        if child.namespace != Namespace::None {
            cursor.forgive(Leniency::QualifiedChild);
        }
        check_said(cursor, &child, child.local());
        match child.local() {
            "ParameterName" => replace(&mut name, Text::decode(cursor, &child)?, cursor),
            "FaultCode" => {
                let said = FaultCode::decode(cursor, &child)?;
                said.check(cursor, child.offset, &PARAMETER_FAULT);
                replace(&mut code, said, cursor);
            }
            "FaultString" => replace(&mut text, Text::decode(cursor, &child)?, cursor),
            wrapper if wrapper.ends_with("Struct") => {
                cursor.forgive(Leniency::Wrapped);
                wrappers += 1;
            }
            _ => {
                cursor.forgive(Leniency::UnknownElement);
                cursor.skip()?;
            }
        }
    }
    let fault_code = code.unwrap_or_else(|| {
        cursor.forgive_at(Leniency::MissingElement, element.offset);
        FaultCode::INTERNAL_ERROR
    });
    Ok(SetParameterValuesFault {
        parameter_name: settle(cursor, name, "ParameterName", element.offset)?,
        fault_code,
        fault_string: text.unwrap_or_default(),
    })
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
