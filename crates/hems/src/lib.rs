//! The H(e)MS: the management system that brings small cells into service and keeps them there.
//!
//! ```text
//!  cells ──▶ endpoint ──▶ session ──▶ plan         what is said, whose turn it is, what is wanted
//!                            │  └───▶ desire ──▶ template, pool
//!                            ▼
//!  operators ──▶ api ──▶  store                    what is remembered
//! ```
//!
//! Where to start: `plan.rs` is why all this exists; `session.rs` is one conversation; `store.rs` is the memory.
//! What it does not do: SOAP (that is `cwmp`'s), TLS (that is `profile`'s), printing and reading the environment
//! (that is the binary's). A device's identity comes
//! from its certificate, or in mode `ipsec` from its tunnel, and from nothing that it says.

mod admin;
mod admission;
mod alarm;
mod api;
mod blocks;
mod call;
mod change;
mod clones;
pub mod config;
mod desire;
mod doors;
mod endpoint;
mod event;
mod files;
mod filter;
mod gate;
mod grace;
mod guard;
mod hex;
mod inventory;
mod keys;
mod metrics;
mod node;
mod people;
mod plan;
mod pool;
mod quirk;
mod radio;
mod recording;
mod refusal;
mod server;
mod session;
mod software;
mod spreadsheet;
mod store;
mod template;
mod trust;
mod tunnel;
mod turn;
mod wake;

pub use change::Spent;
pub use config::{Config, ConfigErrors};
pub use people::audit::{AuditBreak, AuditChain};
pub(crate) use server::Hems;
pub use server::{ServeError, Server};
pub use store::{ChangeError, Stale, StoreError};
