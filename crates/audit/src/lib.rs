//! Conformance checks over what is said on the wire: raw records, and questions that no TLS library would ask.
//!
//! ```text
//!   wire ──▶ scan        which suites a listener picks, of all 65,534
//!     │
//!     ├────▶ caller ──▶ probe    a client that completes or spoils a handshake, and what that gives away
//!     └────▶ double      a scripted server, for what a client does about a bad one
//! ```
//!
//! The rule: nothing here protects anybody. Randoms, premaster secrets and vectors are constants, so that a
//! finding repeats; the TLS engine has no part in it, so that it cannot judge itself.

mod caller;
mod cipher;
mod credentials;
mod double;
mod error;
pub mod probe;
mod scan;
mod wire;

pub use caller::{Call, Caller, Exchange, Outcome, STEPS, Spoil, Step};
pub use credentials::Credentials;
pub use double::{Heard, Script};
pub use error::AuditError;
pub use scan::{Accepted, VERSIONS, scan};
pub use wire::{
    Answer, ClientHello, End, Farewell, PATIENCE, Record, TLS11, TLS12, TLS13, ask, extension, message,
    read_record, record, sslv2_hello, tls13_hello,
};
