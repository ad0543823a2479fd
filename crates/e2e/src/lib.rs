//! Tests of the whole: real processes, real TLS, foreign peers, power cuts.
//!
//! ```text
//!  World: a folder, a PKI, free ports ─▶ Process: hearth, henbd, victims ─▶ what the API says
//! ```
//!
//! One rule: a test makes its own world and takes it down, by pid; a world whose test failed stays on
//! disk with its logs and its database. Nothing here is shipped.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "a world that cannot be made must stop its test"
)]

mod balancer;
mod http;
mod node;
mod peer;
mod process;
pub mod tunnel;
mod victim;
mod world;

pub use balancer::balance;
pub use http::Reply;
pub use node::Node;
pub use peer::{Peer, SClient, connect, read};
pub use process::{Process, wait_for};
pub use victim::{Point, Victim, points, run_hems, run_henb};
pub use world::{Cell, OPERATOR_REALM, World, demo_command, hearth, henbd};
