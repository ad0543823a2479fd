//! `hearth cwmp`: what does this file say?

use std::{fs, path::PathBuf};

use clap::Subcommand;
use cwmp::{AnyBody, Decoded, Envelope, Leniency, Limits};
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print one JSON line a file: what it says, or where it is wrong.
    ///
    /// A message gives file, method, namespace, id, body (with the standard's names as keys) and
    /// leniencies (what was forgiven to read it). Anything else gives file, error and offset, and exit
    /// code 1.
    Decode {
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
    body: Value,
    leniencies: Vec<Leniency>,
}

/// One file that is none.
#[derive(Debug, Serialize)]
struct Unreadable {
    file: String,
    error: String,
    offset: usize,
}

pub(crate) fn run(command: &Command) -> bool {
    let Command::Decode { files } = command;
    let mut all = true;
    for file in files {
        let name = file.display().to_string();
        let (line, is_message) = match decode(file) {
            Ok(decoded) => (serde_json::to_string(&said(name, decoded)), true),
            Err((error, offset)) => (serde_json::to_string(&Unreadable { file: name, error, offset }), false),
        };
        println!("{}", line.unwrap_or_else(|error| error.to_string()));
        all &= is_message;
    }
    all
}

fn decode(file: &PathBuf) -> Result<Decoded<AnyBody>, (String, usize)> {
    let bytes = fs::read(file).map_err(|error| (format!("cannot read it: {error}"), 0))?;
    let decoded = Envelope::<AnyBody>::decode(bytes, &Limits::default());
    let decoded = decoded.map_err(|error| (error.kind.to_string(), error.offset()))?;
    if decoded.envelope.body.element().is_none() {
        return Err(("it is empty".to_owned(), 0));
    }
    Ok(decoded)
}

fn said(file: String, decoded: Decoded<AnyBody>) -> Said {
    let Decoded { envelope, leniencies } = decoded;
    let method = envelope.body.element();
    let id = envelope.header.id.map(|id| id.to_string());
    Said { file, method, namespace: envelope.version.urn(), id, body: arguments(&envelope.body), leniencies }
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
}
