//! CWMP (TR-069): bytes to messages to session machines, for both roles.
//!
//! ```text
//!  bytes ──▶ cursor ──▶ envelope ──▶ session (acs | cpe) ──▶ envelope ──▶ bytes
//!                        methods        agenda (cpe)
//! ```
//!
//! Where to start: [`methods`] is the table of every RPC; [`session`] draws the two machines;
//! [`agenda`] says when a CPE calls next. What this crate does not do: no I/O, no clock, no
//! randomness, no async, no global. Time and seeds are arguments, and a `clippy.toml` of its own
//! keeps it so. Nothing outside this crate reads or writes SOAP.

pub mod agenda;
pub mod alias;
mod array;
mod attribute;
mod cursor;
mod envelope;
mod error;
mod event;
mod fault;
mod header;
#[cfg(test)]
mod hostile;
mod leniency;
pub mod methods;
mod namespace;
mod parameter;
pub mod quirk;
mod record;
mod redact;
mod rule;
#[cfg(test)]
mod sample;
pub mod session;
mod soap_fault;
mod software;
mod strict;
mod time;
mod types;
#[cfg(test)]
mod validity;
#[doc(hidden)]
pub mod walk;
mod wire;
mod witness;
mod writer;

pub use agenda::Agenda;
pub use array::Each;
pub use cursor::Limits;
pub use envelope::{AnyBody, Decoded, Envelope, FromAcs, FromCpe};
pub use error::{DecodeError, DecodeErrorKind};
pub use event::{EventCode, Retry};
pub use fault::{Fault, FaultCode, SetParameterValuesFault};
pub use header::Header;
pub use leniency::Leniency;
pub use methods::*;
pub use namespace::Version;
pub use parameter::{Odd, ParameterValueStruct, Value, ValueKind};
pub use quirk::{Effect, Product, Quirk, Quirks};
pub use redact::{REDACTED, Redacted, redact};
pub use software::*;
pub use strict::Finding;
pub use time::DateTime;
pub use types::*;
pub use wire::Base64;
pub use witness::{Role, Witness};
pub use writer::is_carried;

/// What the fields of messages may look like, by the names that their documentation gives.
pub mod forms {
    pub use crate::rule::{numbers, texts};
}

/// Text of a message: a slice of the body it was decoded from, or text of its own.
///
/// It shares the body's buffer, so that names and values cost no copy, and has no lifetime, so
/// that a message can be kept.
pub type Text = bytestring::ByteString;
