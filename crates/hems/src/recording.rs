//! What was said in a session, kept where somebody asked for it: without secrets, within bounds, and not for long.
//!
//! ```text
//!  order ─▶ Inform: begin, with what is known ─▶ each message: redact ─▶ cut ─▶ add ─▶ the session's closing commit
//! ```
//!
//! One rule: what must not be read never gets into a recording, so that nothing of it is ever stored. A header of HTTP
//! does not get here at all.

mod secret;
mod trace;

use std::collections::BTreeMap;

use cwmp::{Envelope, FromAcs, FromCpe, Limits, REDACTED, Text};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use secret::is_secret;
pub(crate) use trace::trace;

use crate::plan::{Chunk, Exchange, Known, Verdict};

/// Sessions that one order records: a cell from scratch needs three or four.
pub(crate) const SESSIONS_MAX: u32 = 20;
/// Hours that an order waits for them: a week, for cells that call once a day.
pub(crate) const HOURS_MAX: u32 = 168;
/// Devices that wait at a time: with the bounds of one recording they bound what open sessions hold in memory.
pub(crate) const ORDERS_MAX: i64 = 100;
/// Recordings in the store.
pub(crate) const RECORDINGS_MAX: i64 = 1000;
/// Bytes of all of them: the oldest go first.
pub(crate) const STORE_BYTES_MAX: i64 = 256 << 20;
/// Messages of one recording: twice what a cell from scratch needs.
const MESSAGES_MAX: usize = 512;
/// Bytes kept of one message: three thousand parameters.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Bytes kept of all messages of one session.
const SESSION_BYTES_MAX: usize = 1 << 20;
/// Bytes kept of what was known at the beginning, as JSON: more than a cell of both models has.
const START_BYTES_MAX: usize = 1 << 20;
/// Bytes of a message that is looked through for secrets: all that any cell of the field says; a larger one has no text.
const JUDGED_BYTES_MAX: usize = 4 << 20;

/// A recorded session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recording {
    /// What was known when the plan first ran; nothing where that was too much to keep.
    pub(crate) start: Option<Start>,
    pub(crate) messages: Vec<Message>,
    /// Messages beyond the bound.
    pub(crate) left_out: usize,
}

/// What was known of the device, without secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Start {
    chunks: BTreeMap<String, Chunk>,
    gate: Option<Verdict>,
    methods: Option<Vec<String>>,
    /// What was read before is read again.
    #[serde(default)]
    believed_since: Option<Timestamp>,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Device,
    Hems,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Message {
    #[schemars(with = "String")]
    pub(crate) at: Timestamp,
    pub(crate) from: Side,
    /// The element in the SOAP body; nothing for the empty message, and for what is none.
    pub(crate) method: Option<String>,
    /// Whether the call was queued, by an operator or for another software, and is no step of the plan.
    pub(crate) is_operators: bool,
    /// The envelope without its secrets.
    pub(crate) body: String,
    /// Bytes of the envelope as it was sent.
    pub(crate) bytes: usize,
    /// Bytes that are missing at the end of `body`.
    pub(crate) cut: usize,
    /// Places where something was taken out.
    pub(crate) redacted: usize,
    /// Why there is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// A message that is being said.
pub(crate) struct Said<'m> {
    pub(crate) at: Timestamp,
    pub(crate) from: Side,
    pub(crate) method: Option<&'m str>,
    pub(crate) is_operators: bool,
    pub(crate) text: &'m Text,
}

impl Recording {
    /// A recording that begins with what is known.
    pub(crate) fn begin(known: &Known, is_secret: &dyn Fn(&str) -> bool) -> Self {
        Self { start: Start::of(known, is_secret), ..Self::default() }
    }

    /// Takes up what is said, without its secrets and as far as there is room.
    pub(crate) fn add(&mut self, said: &Said<'_>, is_secret: &dyn Fn(&str) -> bool) {
        let limits = Limits { bytes: JUDGED_BYTES_MAX, ..Limits::default() };
        let (mut body, redacted, note) = match cwmp::redact(said.text, &limits, is_secret) {
            Ok(redacted) => (redacted.text, redacted.count, None),
            // The error may quote what it found.
            Err(_) => {
                (String::new(), 0, Some("withheld: it cannot be looked through for secrets".to_owned()))
            }
        };
        let room = SESSION_BYTES_MAX.saturating_sub(self.bytes()).min(MESSAGE_BYTES_MAX);
        let kept = body.floor_char_boundary(room);
        let cut = body.len() - kept;
        body.truncate(kept);
        self.push(Message {
            at: said.at,
            from: said.from,
            method: said.method.map(str::to_owned),
            is_operators: said.is_operators,
            body,
            bytes: said.text.len(),
            cut,
            redacted,
            note,
        });
    }

    /// Takes up that something came which is no message, by the name under which that is counted.
    pub(crate) fn add_garbled(&mut self, at: Timestamp, kind: &str) {
        self.push(Message {
            at,
            from: Side::Device,
            method: None,
            is_operators: false,
            body: String::new(),
            bytes: 0,
            cut: 0,
            redacted: 0,
            note: Some(format!("no message: {kind}")),
        });
    }

    fn push(&mut self, message: Message) {
        if self.messages.len() < MESSAGES_MAX {
            self.messages.push(message);
        } else {
            self.left_out += 1;
        }
    }

    /// Bytes of all that was kept of messages.
    pub(crate) fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.body.len()).sum()
    }

    /// The calls that were made, each with the device's answer as far as both can be read.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        let mut messages = self.messages.iter().peekable();
        let mut exchanges = Vec::new();
        while let Some(message) = messages.next() {
            let Some(FromAcs::Call(call)) = said_by_hems(message) else { continue };
            let answer = messages.next_if(|next| next.from == Side::Device).and_then(answer);
            exchanges.push(Exchange { call, answer, is_operators: message.is_operators });
        }
        exchanges
    }
}

fn said_by_hems(message: &Message) -> Option<FromAcs> {
    let body = message.whole().filter(|_| message.from == Side::Hems)?;
    Some(Envelope::<FromAcs>::decode(body, &Limits::default()).ok()?.envelope.body)
}

fn answer(message: &Message) -> Option<Result<cwmp::CpeResponse, cwmp::Fault>> {
    match Envelope::<FromCpe>::decode(message.whole()?, &Limits::default()).ok()?.envelope.body {
        FromCpe::Response(response) => Some(Ok(response)),
        FromCpe::Fault(fault) => Some(Err(fault)),
        FromCpe::Call(_) | FromCpe::Empty => None,
    }
}

impl Message {
    /// Its text, where nothing of it is missing.
    fn whole(&self) -> Option<&str> {
        (self.cut == 0 && self.note.is_none()).then_some(self.body.as_str())
    }
}

impl Start {
    fn of(known: &Known, is_secret: &dyn Fn(&str) -> bool) -> Option<Self> {
        let mut chunks = known.chunks().clone();
        for (object, chunk) in &mut chunks {
            for (name, held) in &mut chunk.values {
                if !held.value.is_empty() && is_secret(&format!("{object}{name}")) {
                    REDACTED.clone_into(&mut held.value);
                }
            }
        }
        let (gate, methods) = (known.gate.clone(), known.methods.clone());
        let start = Self { chunks, gate, methods, believed_since: known.believed_since() };
        let bytes = serde_json::to_vec(&start).map_or(usize::MAX, |text| text.len());
        (bytes <= START_BYTES_MAX).then_some(start)
    }

    /// The same as something that a plan can go on from.
    pub(crate) fn known(self) -> Known {
        let mut known = Known::restore(self.chunks, self.gate, self.methods);
        if let Some(since) = self.believed_since {
            known.doubt(since);
        }
        known
    }
}

#[cfg(test)]
mod tests;
