//! Faults on the wire: a SOAP fault around a CWMP fault. (TR-069 3.5, H-18)
//!
//! One rule: what decides is the CWMP fault inside; whatever the SOAP fault around it says is only
//! looked at.

use crate::{
    DecodeError, DecodeErrorKind, Fault, FaultCode, Leniency, SetParameterValuesFault, Text,
    cursor::{Cursor, Element},
    namespace::{Namespace, SOAP},
    record::settle,
    wire::Wire,
    writer::Writer,
};

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

/// Reads a SOAP fault.
pub(crate) fn decode_fault(cursor: &mut Cursor<'_>) -> Result<Fault, DecodeError> {
    let mut fault = None;
    while let Some(part) = cursor.child()? {
        match part.local() {
            odd if odd.eq_ignore_ascii_case("detail") => {
                check_part(cursor, &part, odd == "detail");
                fault = decode_detail(cursor)?.or(fault);
            }
            "faultcode" => {
                let code = cursor.text()?;
                let local = code.rsplit(':').next().unwrap_or_default();
                check_part(cursor, &part, matches!(local.trim_ascii(), "Client" | "Server"));
            }
            "faultstring" => {
                let is_fixed = &*cursor.text()? == "CWMP fault";
                check_part(cursor, &part, is_fixed);
            }
            "faultactor" => cursor.skip()?,
            _ => {
                cursor.forgive(Leniency::UnknownElement);
                cursor.skip()?;
            }
        }
    }
    fault.ok_or_else(|| cursor.error(DecodeErrorKind::Missing("cwmp:Fault")))
}

/// Reports the form of a part of a SOAP fault.
fn check_part(cursor: &mut Cursor<'_>, part: &Element<'_>, is_right: bool) {
    if part.namespace != Namespace::None {
        cursor.forgive_at(Leniency::QualifiedChild, part.offset);
    }
    if !is_right {
        cursor.forgive_at(Leniency::FaultForm, part.offset);
    }
}

/// What a SOAP fault says in detail: the CWMP fault, if there is one.
fn decode_detail(cursor: &mut Cursor<'_>) -> Result<Option<Fault>, DecodeError> {
    let mut fault = None;
    while let Some(child) = cursor.child()? {
        match (child.namespace, child.local()) {
            (Namespace::Cwmp(version), "Fault") => {
                cursor.version = Some(version);
                fault = Some(decode_cwmp_fault(cursor, &child)?);
            }
            (_, "Fault" | "FaultStruct") => {
                cursor.forgive(Leniency::FaultForm);
                fault = Some(decode_cwmp_fault(cursor, &child)?);
            }
            _ => {
                cursor.forgive(Leniency::UnknownElement);
                cursor.skip()?;
            }
        }
    }
    Ok(fault)
}

/// Reads a CWMP fault.
pub(crate) fn decode_cwmp_fault(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
) -> Result<Fault, DecodeError> {
    let (mut code, mut text, mut details) = (None, None, Vec::new());
    while let Some(child) = cursor.child()? {
        check_qualified(cursor, &child);
        match child.local() {
            "FaultCode" => code = Some(FaultCode::decode(cursor, &child)?),
            "FaultString" => text = Some(Text::decode(cursor, &child)?),
            "SetParameterValuesFault" => details.push(decode_parameter(cursor, &child)?),
            _ => {
                cursor.forgive(Leniency::UnknownElement);
                cursor.skip()?;
            }
        }
    }
    let code = settle(cursor, code, "FaultCode", element.offset)?;
    Ok(Fault { code, text: text.unwrap_or_default(), details })
}

fn decode_parameter(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
) -> Result<SetParameterValuesFault, DecodeError> {
    let (mut name, mut code, mut text) = (None, None, None);
    while let Some(child) = cursor.child()? {
        check_qualified(cursor, &child);
        match child.local() {
            "ParameterName" => name = Some(Text::decode(cursor, &child)?),
            "FaultCode" => code = Some(FaultCode::decode(cursor, &child)?),
            "FaultString" => text = Some(Text::decode(cursor, &child)?),
            _ => {
                cursor.forgive(Leniency::UnknownElement);
                cursor.skip()?;
            }
        }
    }
    Ok(SetParameterValuesFault {
        parameter_name: settle(cursor, name, "ParameterName", element.offset)?,
        fault_code: settle(cursor, code, "FaultCode", element.offset)?,
        fault_string: text.unwrap_or_default(),
    })
}

fn check_qualified(cursor: &mut Cursor<'_>, child: &Element<'_>) {
    if child.namespace != Namespace::None {
        cursor.forgive(Leniency::QualifiedChild);
    }
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
