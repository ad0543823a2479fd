//! `hearth event`: what happens, as it happens, from the API's server-sent events. (HTML Standard 9.2)

use std::io::{self, Write, stdout};

use clap::Subcommand;

use crate::{Answer, api::escaped, commands::Over};

/// Bytes of a line: the H(e)MS's longest is smaller by far.
const LINE_BYTES: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print events as they happen, each as JSON in a line, until Ctrl-C.
    Listen {
        /// A type of event, such as device.in_service; may be repeated. All where nothing is said.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// Begin behind the event with this number, as far as it is kept.
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
    },
}

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output: _, command: Command::Listen { types, after } } = arguments;
    let types = (!types.is_empty()).then(|| format!("type={}", escaped(&types.join(","))));
    let after = after.map(|number| format!("after={number}"));
    let query = [types, after].into_iter().flatten().collect::<Vec<_>>().join("&");
    let mut events = Events { line: Vec::new(), out: stdout() };
    access.copy(&format!("/api/v1/events?{query}"), "text/event-stream", &mut events).await?;
    Ok(true)
}

/// Passes on what an event is about, and drops the rest of its lines.
struct Events<W> {
    line: Vec<u8>,
    out: W,
}

impl<W: Write> Write for Events<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
            } else if let Some(data) = std::mem::take(&mut self.line).strip_prefix(b"data:") {
                self.out.write_all(data.trim_ascii())?;
                self.out.write_all(b"\n")?;
                self.out.flush()?;
            }
        }
        if self.line.len() > LINE_BYTES {
            return Err(io::Error::other("an event has no end"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_event_its_data_is_printed_however_it_is_cut() {
        let stream = b"id: 7\nevent: alarm.raised\ndata: {\"id\":\"7\"}\n\n:\n\nid: 8\ndata:{}\n\n";
        let mut events = Events { line: Vec::new(), out: Vec::new() };
        for piece in stream.chunks(5) {
            events.write_all(piece).unwrap();
        }
        assert_eq!(events.out, b"{\"id\":\"7\"}\n{}\n");
    }
}
