//! One CWMP session: whose turn it is, and nothing else. (TR-069 3.7)
//!
//! ```text
//!        CPE                                  ACS
//!     Informing  ── Inform ──────────────▶  AwaitInform
//!         │      ◀───────── InformResponse ──   │
//!      Calling   ── ACS method ──────────▶   CpeTurn      (as often as the CPE likes)
//!         │      ◀────────────── response ──    │
//!      Serving   ── empty ───────────────▶   AcsTurn
//!         │      ◀──────────── CPE method ──    │         (as often as the ACS likes)
//!         │      ── response or fault ───▶   AcsTurn
//!       Over     ◀───────────────── empty ──   Over
//! ```
//!
//! One rule: a session knows turns and nothing of intentions; what the ACS wants is its plan's, what
//! the CPE owes is its agenda's. Each machine takes its state out and leaves `Over` behind before
//! it looks at a message: a path that forgets to set a state ends the session.

pub mod acs;
pub mod cpe;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod table;
pub mod version;

use thiserror::Error;

/// A message that does not fit the moment: the peer's misbehaviour, and the end of the session.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} in state {state} ({clause})")]
pub struct Violation {
    /// The state the session was in.
    pub state: &'static str,
    /// The kind of message that came; never its content.
    pub message: &'static str,
    /// The clause that it broke.
    pub clause: &'static str,
}
