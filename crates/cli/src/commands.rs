//! One file per command; each gives an [`Answer`](crate::Answer).
//!
//! ```text
//!  hearth NOUN [--api … --output …] VERB … ─▶ Over<the verbs of NOUN> ─▶ Access ─▶ one operation of the API
//! ```

pub(crate) mod account;
pub(crate) mod alarm;
pub(crate) mod audit_log;
pub(crate) mod block;
pub(crate) mod change;
pub(crate) mod cwmp;
pub(crate) mod device;
pub(crate) mod event;
pub(crate) mod file;
pub(crate) mod firmware;
pub(crate) mod fleet;
pub(crate) mod machine;
pub(crate) mod manual;
pub(crate) mod me;
pub(crate) mod model;
pub(crate) mod pki;
pub(crate) mod refusal;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod template;
pub(crate) mod token;
pub(crate) mod trust;
pub(crate) mod values;
pub(crate) mod webhook;

use clap::{Args, Subcommand};

use crate::{
    api::{Access, HEADING},
    output::Form,
};

/// A command over the API: what is asked, where the API is, and how to print.
#[derive(Debug, Args)]
pub(crate) struct Over<C: Subcommand> {
    #[command(subcommand)]
    command: C,
    #[command(flatten)]
    access: Access,
    /// How to print: a table for people, or one JSON document for programs.
    #[arg(long, value_enum, default_value = "table", global = true, help_heading = HEADING, value_name = "FORM")]
    output: Form,
}
