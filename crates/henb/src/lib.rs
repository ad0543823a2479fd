//! The agent of a H(e)NB: drives CWMP sessions for a [`Device`](device::Device). The daemon is `henbd`.
//!
//! ```text
//!   henbd ─▶ Config ─▶ Agent ─▶ session ─▶ Link ─▶ profile ─▶ H(e)MS
//!                        │         │
//!                        ▼         ▼
//!                    StateFile   Cell ─▶ execute ─▶ Device (memory, simulated, a vendor's)
//! ```
//!
//! The one rule: what the H(e)MS is told is durable first, and whom it talks to is decided by certificates and the
//! cell's own clock alone. What this crate does not do: it knows no TLS engine and no SOAP, and it holds no secret that
//! anybody shares. Where to start: [`Agent`], then `session.rs`.

mod agent;
mod air;
mod alarms;
pub mod arguments;
mod backup;
mod cell;
mod clock_file;
pub mod config;
mod connection_request;
pub mod device;
mod diagnostics;
mod dialler;
mod discovery;
mod dn;
mod durable;
mod execute;
mod firmware;
mod link;
pub mod log;
mod ntp;
mod overview;
mod performance;
mod queue;
pub mod quirk;
mod reach;
mod record;
mod recovery;
mod session;
mod state;
mod transfer;
mod trust;
mod tunnel;

pub use agent::{Agent, DaemonError, Finding, Report, Status, Verdict, run};
pub use alarms::{Alarm, Alarms, event::Rings};
pub use cell::Schedule;
pub use config::{Config, ConfigError};
pub use diagnostics::reach::Network;
pub use dialler::{Dialler, Opening};
pub use firmware::{Firmware, Image, ImageStatus, Slot, Upgrade};
pub use link::{LinkError, RESPONSE_WAIT};
pub use overview::{AgendaOverview, ClockOverview, ImageOverview, Overview, TransferOverview};
pub use reach::Reach;
pub use record::{RecordError, Recorder};
pub use recovery::Recovery;
pub use session::SessionError;
pub use state::{STATE_FILE, State, StateError};
pub use transfer::{Order, Transfer, Window};
pub use trust::Trust;
pub use tunnel::TunnelEnd;
