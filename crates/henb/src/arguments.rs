//! The arguments of `henbd`: apart from its main function, so that completions and pages of the manual are drawn from them.
//!
//! One rule: what stands here is read by [`clap`] alone; nothing here looks at files or prints.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// The agent of one H(e)NB: keeps it in touch with its H(e)MS, by certificates alone.
#[derive(Debug, Parser)]
#[command(
    name = "henbd",
    version,
    about,
    after_help = "Run it:    henbd --config /etc/hearth/henbd.toml\n\
    Check it:  henbd check --config /etc/hearth/henbd.toml\n\
    Look at it: henbd state --config /etc/hearth/henbd.toml"
)]
pub struct Arguments {
    /// The TOML file with the H(e)MS, the certificate and the device.
    #[arg(long, global = true, default_value = "/etc/hearth/henbd.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Keeps every message in this folder; only in a lab.
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// What is asked; the agent runs where nothing is.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is asked beside running.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Says whether the cell would work here, and what is wrong where not; touches nothing.
    Check {
        /// For people or for programs.
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Shows what the state folder keeps of the cell, while `henbd` runs or not; no value and no secret is in it.
    State {
        /// For people or for programs.
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
}

/// How an answer is printed.
#[expect(missing_docs, reason = "a text of each makes the help three times as long, and says no more")]
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Output {
    Text,
    Json,
}
