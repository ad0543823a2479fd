//! `hearth cwmp`: what does this file say, how is it written, and is it as the standard wants it?

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use cwmp::{
    AcsMethod, AcsResponse, AnyBody, CpeMethod, CpeResponse, Decoded, Envelope, Fault, Finding, FromAcs,
    FromCpe, Header, Leniency, Limits, Text, Version,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print one JSON line a file: what it says, or where it is wrong.
    ///
    /// A message gives file, method, namespace, id, header (the other headers, where there are any), body
    /// (with the standard's names as keys) and leniencies (what was forgiven to read it). Anything else gives file, error and offset, and exit
    /// code 1.
    Decode {
        /// Files, each with the body of one HTTP message.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Write the message that a JSON file describes, in the form that `decode` prints.
    ///
    /// For instance {"method": "Reboot", "body": {"CommandKey": "monday"}}; namespace, id and header may be
    /// left out. A document with a key that means nothing, or a message that the schema does not allow, is
    /// refused.
    Encode {
        /// A JSON document, or several, one a line.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Judge strictly: every tolerance that `decode` needed is a finding, and any finding is exit code 1.
    ///
    /// One line a finding: FILE:LINE:COLUMN: name: what the sender did (clause).
    Validate {
        /// Files, each with the body of one HTTP message.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// One file that is a message.
#[derive(Debug, Serialize)]
struct Said {
    file: String,
    method: Option<&'static str>,
    namespace: &'static str,
    id: Option<String>,
    #[serde(skip_serializing_if = "Headers::is_empty")]
    header: Headers,
    body: Value,
    leniencies: Vec<Leniency>,
}

/// The headers beside the ID.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Headers {
    #[serde(rename = "HoldRequests", default, skip_serializing_if = "Option::is_none")]
    hold_requests: Option<bool>,
    #[serde(rename = "SessionTimeout", default, skip_serializing_if = "Option::is_none")]
    session_timeout: Option<u32>,
    #[serde(rename = "SupportedCWMPVersions", default, skip_serializing_if = "Option::is_none")]
    supported_cwmp_versions: Option<Text>,
    #[serde(rename = "UseCWMPVersion", default, skip_serializing_if = "Option::is_none")]
    use_cwmp_version: Option<Text>,
}

impl Headers {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn beside(self, id: Option<Text>) -> Header {
        let Self { hold_requests, session_timeout, supported_cwmp_versions, use_cwmp_version } = self;
        Header { id, hold_requests, session_timeout, supported_cwmp_versions, use_cwmp_version }
    }
}

impl From<Header> for Headers {
    fn from(header: Header) -> Self {
        let Header { hold_requests, session_timeout, supported_cwmp_versions, use_cwmp_version, .. } = header;
        Self { hold_requests, session_timeout, supported_cwmp_versions, use_cwmp_version }
    }
}

/// One file that is none.
#[derive(Debug, Serialize)]
struct Unreadable {
    file: String,
    error: String,
    offset: usize,
}

/// What somebody wants to be written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// What `decode` prints beside the message.
    #[serde(default, rename = "file")]
    _file: Value,
    #[serde(default, rename = "leniencies")]
    _leniencies: Value,
    method: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    header: Headers,
    #[serde(default)]
    body: Value,
}

pub(crate) fn run(command: &Command) -> Answer {
    match command {
        Command::Decode { files } => {
            Ok(files.iter().filter(|file| print_decoded(file)).count() == files.len())
        }
        Command::Validate { files } => {
            Ok(files.iter().filter(|file| print_findings(file)).count() == files.len())
        }
        Command::Encode { files } => {
            for file in files {
                let text = fs::read_to_string(file)
                    .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
                for wanted in serde_json::Deserializer::from_str(&text).into_iter::<Wanted>() {
                    let wanted = wanted.map_err(|error| format!("{}: {error}", file.display()))?;
                    print!("{}", encode(wanted).map_err(|error| format!("{}: {error}", file.display()))?);
                }
            }
            Ok(true)
        }
    }
}

fn print_decoded(file: &Path) -> bool {
    let name = file.display().to_string();
    let (line, is_message) = match decode(file) {
        Ok(decoded) => (serde_json::to_string(&said(name, decoded)), true),
        Err((error, offset)) => (serde_json::to_string(&Unreadable { file: name, error, offset }), false),
    };
    println!("{}", line.unwrap_or_else(|error| error.to_string()));
    is_message
}

fn print_findings(file: &Path) -> bool {
    let name = file.display();
    let bytes = fs::read(file).map_err(|error| format!("cannot read it: {error}"));
    match bytes.and_then(judge) {
        Ok(findings) if findings.is_empty() => {
            println!("{name}: as the standard wants it");
            return true;
        }
        Ok(findings) => findings.iter().for_each(|finding| println!("{name}:{finding}")),
        Err(error) => println!("{name}: {error}"),
    }
    false
}

fn judge(bytes: Vec<u8>) -> Result<Vec<Finding>, String> {
    match Envelope::<AnyBody>::decode_strict(bytes, &Limits::default()) {
        Ok(envelope) if envelope.body.element().is_none() => Err("it is empty".to_owned()),
        Ok(_) => Ok(Vec::new()),
        Err(findings) => Ok(findings),
    }
}

fn decode(file: &Path) -> Result<Decoded<AnyBody>, (String, usize)> {
    let bytes = fs::read(file).map_err(|error| (format!("cannot read it: {error}"), 0))?;
    let is_empty = bytes.trim_ascii().is_empty();
    let decoded = Envelope::<AnyBody>::decode(bytes, &Limits::default());
    let decoded = decoded.map_err(|error| (error.kind.to_string(), error.offset()))?;
    if is_empty { Err(("it is empty".to_owned(), 0)) } else { Ok(decoded) }
}

fn said(file: String, decoded: Decoded<AnyBody>) -> Said {
    let Decoded { envelope, leniencies, .. } = decoded;
    let method = envelope.body.element();
    let (namespace, body) = (envelope.version.urn(), arguments(&envelope.body));
    let id = envelope.header.id.as_ref().map(ToString::to_string);
    Said { file, method, namespace, id, header: envelope.header.into(), body, leniencies }
}

/// The fields of the body's element; the enums of the table wrap them in the method's name.
fn arguments(body: &AnyBody) -> Value {
    let value = serde_json::to_value(body).unwrap_or(Value::Null);
    match (body.element(), value) {
        (Some("Fault"), fault) => fault,
        (_, Value::Object(wrapped)) => wrapped.into_iter().next().map_or(Value::Null, |(_, fields)| fields),
        (_, other) => other,
    }
}

fn encode(wanted: Wanted) -> Result<String, String> {
    let version = match &wanted.namespace {
        None => Version::default(),
        Some(urn) => Version::ALL
            .into_iter()
            .find(|version| version.urn() == *urn)
            .ok_or_else(|| format!("`{urn}` is no namespace of CWMP, such as {}", Version::V1_1.urn()))?,
    };
    let said = check_characters(&wanted.body, "body").map(|()| wanted.body)?;
    let body = body(&wanted.method, said.clone())?;
    check_keys(&said, &arguments(&body), "body")?;
    let header = wanted.header.beside(wanted.id.map(Into::into));
    let text = Envelope { version, header, body }.encode();
    check_schema(&text).map(|()| text)
}

/// Refuses characters that no message can carry.
fn check_characters(said: &Value, place: &str) -> Result<(), String> {
    let is_odd =
        |character: char| character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\u{7f}'..);
    match said {
        Value::String(text) => match text.chars().find(|character| is_odd(*character)) {
            Some(odd) => Err(format!("{place}: {odd:?} is no character of XML; leave it out")),
            None => Ok(()),
        },
        Value::Array(list) => list
            .iter()
            .enumerate()
            .try_for_each(|(at, said)| check_characters(said, &format!("{place}[{at}]"))),
        Value::Object(map) => {
            map.iter().try_for_each(|(key, said)| check_characters(said, &format!("{place}.{key}")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Refuses a key that says nothing in the message that was understood.
fn check_keys(said: &Value, understood: &Value, place: &str) -> Result<(), String> {
    match (said, understood) {
        (Value::Object(said), Value::Object(understood)) => said.iter().try_for_each(|(key, value)| {
            let place = format!("{place}.{key}");
            match understood.get(key) {
                Some(understood) => check_keys(value, understood, &place),
                None if value.is_null() || value.as_array().is_some_and(Vec::is_empty) => Ok(()),
                None => {
                    let known: Vec<_> = understood.keys().map(String::as_str).collect();
                    Err(format!("{place}: no such element; known here are {}", known.join(", ")))
                }
            }
        }),
        (Value::Array(said), Value::Array(understood)) => {
            let mut pairs = said.iter().zip(understood).enumerate();
            pairs.try_for_each(|(at, (said, known))| check_keys(said, known, &format!("{place}[{at}]")))
        }
        _ => Ok(()),
    }
}

/// Refuses a message that strict reading finds fault with; an ID may be left out.
fn check_schema(text: &str) -> Result<(), String> {
    let findings = Envelope::<AnyBody>::decode_strict(text, &Limits::default()).err().unwrap_or_default();
    let wrong: Vec<String> = findings
        .iter()
        .filter(|finding| finding.name != Leniency::MissingId.name())
        .map(|finding| {
            let element = text.get(finding.offset..).unwrap_or_default().trim_start_matches('<');
            let name = element.split([' ', '>', '/']).next().unwrap_or_default();
            format!("`{name}`: {} ({}); {}", finding.message, finding.clause, remedy(finding.name))
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// What would be right.
fn remedy(finding: &str) -> &'static str {
    match finding {
        "too_long" => "shorten it",
        "too_many" => "leave members out",
        "malformed_time" => "write it like 2026-11-23T10:00:00Z",
        "boolean_case" => "write true, false, 1 or 0",
        "value_form" => "write a value of its Type, or another Type",
        "method_version" => "name the namespace that has it, such as urn:dslforum-org:cwmp-1-2",
        "oui_form" => "write six upper-case hexadecimal digits",
        "text_form" | "unknown_number" => "write one of the values that the clause lists",
        _ => "write it as the clause has it",
    }
}

/// The message whose element is `element`, from its fields.
fn body(element: &str, fields: Value) -> Result<AnyBody, String> {
    let fields = if fields.is_null() { json!({}) } else { fields };
    if element == "Fault" {
        return read::<Fault>(fields).map(|fault| AnyBody::Cpe(FromCpe::Fault(fault)));
    }
    let response = element.strip_suffix("Response");
    let name = response.unwrap_or(element);
    let wrapped = json!({ name: fields });
    match (response.is_some(), CpeMethod::NAMES.contains(&name), AcsMethod::NAMES.contains(&name)) {
        (false, true, _) => read::<CpeMethod>(wrapped).map(|call| AnyBody::Acs(FromAcs::Call(call))),
        (false, _, true) => read::<AcsMethod>(wrapped).map(|call| AnyBody::Cpe(FromCpe::Call(call))),
        (true, true, _) => {
            read::<CpeResponse>(wrapped).map(|response| AnyBody::Cpe(FromCpe::Response(response)))
        }
        (true, _, true) => {
            read::<AcsResponse>(wrapped).map(|response| AnyBody::Acs(FromAcs::Response(response)))
        }
        _ => Err(format!("`{element}` is no element of CWMP")),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("the body: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_printed_with_the_standards_names() {
        let message = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' \
            xmlns:c='urn:dslforum-org:cwmp-1-0'><s:Body><c:Reboot><CommandKey>k</CommandKey></c:Reboot></s:Body></s:Envelope>";
        let decoded = Envelope::<AnyBody>::decode(message, &Limits::default()).unwrap();
        let line = serde_json::to_string(&said("f".to_owned(), decoded)).unwrap();
        let expected = "{\"file\":\"f\",\"method\":\"Reboot\",\"namespace\":\"urn:dslforum-org:cwmp-1-0\",\"id\":null,\
            \"body\":{\"CommandKey\":\"k\"},\"leniencies\":[\"missing_id\"]}";
        assert_eq!(line, expected);
    }

    #[test]
    fn every_golden_message_survives_json() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../cwmp/testdata/spec");
        for entry in fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_none_or(|extension| extension != "xml") {
                continue;
            }
            let decoded = decode(&file).unwrap();
            let line = serde_json::to_string(&said("f".to_owned(), decoded.clone())).unwrap();
            let written = encode(serde_json::from_str(&line).unwrap()).unwrap();
            assert_eq!(written, decoded.envelope.encode(), "{}", file.display());
        }
    }

    #[test]
    fn a_finding_is_printed_with_its_place() {
        let message = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' \
            xmlns:c='urn:dslforum-org:cwmp-1-0'>\n<s:Body><c:Reboot/></s:Body></s:Envelope>";
        let findings: Vec<_> = judge(message.into()).unwrap().iter().map(ToString::to_string).collect();
        let expected = [
            "1:1: missing_id: A CWMP envelope without `cwmp:ID`. (TR-069 3.5)",
            "2:9: missing_element: An element that the schema demands is absent: its neutral value was taken. (TR-069 Annex A)",
        ];
        assert_eq!(findings, expected);
        assert_eq!(judge(Vec::new()), Err("it is empty".to_owned()));
    }

    #[test]
    fn every_header_survives_json() {
        let header = json!({"HoldRequests": true, "SessionTimeout": 300, "SupportedCWMPVersions": "1.0,1.4", "UseCWMPVersion": "1.4"});
        let namespace = "urn:dslforum-org:cwmp-1-2";
        let wanted = json!({"method": "Reboot", "namespace": namespace, "id": "7", "header": header, "body": {"CommandKey": "k"}});
        let text = encode(serde_json::from_value(wanted).unwrap()).unwrap();
        let decoded = Envelope::<AnyBody>::decode(text, &Limits::default()).unwrap();
        let said = serde_json::to_value(said("f".to_owned(), decoded)).unwrap();
        assert_eq!(said["header"], header);
    }

    #[test]
    fn what_means_nothing_or_breaks_the_schema_is_refused_with_its_place_and_a_remedy() {
        let complaint = |text: &str| match serde_json::from_str::<Wanted>(text) {
            Ok(wanted) => encode(wanted).unwrap_err(),
            Err(error) => error.to_string(),
        };
        let inform = |time: &str, value: &str| {
            json!({"method": "Inform", "id": "1", "body": {
                "DeviceId": {"Manufacturer": "m", "OUI": "00005E", "ProductClass": "p", "SerialNumber": "s"},
                "Event": [], "MaxEnvelopes": 1, "CurrentTime": time, "RetryCount": 0,
                "ParameterList": [{"Name": "Device.A", "Value": value, "Type": "xsd:boolean"}],
            }})
            .to_string()
        };
        let download = json!({"method": "ScheduleDownload", "namespace": "urn:dslforum-org:cwmp-1-0", "body": {
            "CommandKey": "", "FileType": "1 Firmware Upgrade Image", "URL": "u", "Username": "", "Password": "",
            "FileSize": 0, "TargetFileName": "", "TimeWindowList": [],
        }});
        let cases = [
            (
                r#"{"method": "Reboot", "body": {"CommandKey": "k", "When": 1}}"#.to_owned(),
                "body.When: no such element; known here are CommandKey",
            ),
            (r#"{"method": "Reboot", "when": 1}"#.to_owned(), "unknown field `when`"),
            (r#"{"method": "Reboot", "body": {"CommandKey": "a\u0001"}}"#.to_owned(), "body.CommandKey: "),
            (
                json!({"method": "Reboot", "body": {"CommandKey": "k".repeat(33)}}).to_string(),
                "`CommandKey`: Text longer",
            ),
            (inform("garbage", "true"), "`CurrentTime`: A time"),
            (inform("2026-11-23T10:00:00Z", "maybe"), "`Value`: A value that is none of its type"),
            (download.to_string(), "name the namespace that has it"),
        ];
        for (text, expected) in cases {
            let complaint = complaint(&text);
            assert!(complaint.contains(expected), "{complaint:?} does not say {expected:?}");
        }
    }

    #[test]
    fn a_document_that_is_no_message_says_what_is_missing() {
        let wanted = |text: &str| encode(serde_json::from_str(text).unwrap());
        assert_eq!(wanted(r#"{"method": "Fly"}"#), Err("`Fly` is no element of CWMP".to_owned()));
        let missing = wanted(r#"{"method": "Reboot"}"#).unwrap_err();
        assert!(missing.contains("CommandKey"), "{missing}");
    }
}
