//! `hearth`: the management system, its lab, and the operator's commands.
//!
//! One rule: exit code 0 is as asked, 1 is asked and the answer is no, 2 is could not do it. What a
//! program reads goes to stdout and nothing else does; what a person watches goes to stderr.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the part that talks to the terminal")]

mod api;
mod commands;
mod demo;
mod output;

use std::{error::Error, process::ExitCode};

use clap::{Parser, Subcommand};

/// What a command answers: yes, no, or why there is no answer.
type Answer = Result<bool, Box<dyn Error>>;

/// Manages 3GPP home base stations: certificates alone, by the profile of TS 33.320 8.3.4.
#[derive(Debug, Parser)]
#[command(
    name = "hearth",
    version,
    after_help = "Start with `hearth demo`; exit codes: 0 as asked, 1 the answer is no, 2 could not do it."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a H(e)MS: the listener for cells and the API for operators.
    Serve(commands::serve::Arguments),
    /// A H(e)MS and ten simulated cells on this machine, from nothing to in service.
    Demo(demo::Arguments),
    /// Many simulated cells in one process.
    #[command(subcommand)]
    Fleet(commands::fleet::Command),
    /// A laboratory's certificates: operator CA, manufacturer CAs, H(e)MS and H(e)NB certificates.
    #[command(subcommand)]
    Pki(commands::pki::Command),
    /// Devices: list, show, admit, and call a method.
    Device(commands::device::Arguments),
    /// Templates: what is desired of the cells that a selector names.
    Template(commands::template::Templates),
    /// Pools: numbers that cells draw from, each its own.
    Pool(commands::template::Pools),
    /// Changes: what is on its way to the cells, and how far it is.
    Change(commands::change::Changes),
    /// The freeze: while it lasts nothing changes anywhere.
    Freeze(commands::change::Freeze),
    /// Emergencies: cells off the air, whatever else is desired, with the proof of it.
    RadioOff(commands::change::RadioOff),
    /// Accounts: who may log in, and what each may do.
    Account(commands::account::Arguments),
    /// Tokens: keys for programs, with a role and an end.
    Token(commands::token::Arguments),
    /// Machines: programs that come with a client certificate.
    Machine(commands::machine::Arguments),
    /// The audit log: who changed what, and whether the log is whole.
    AuditLog(commands::audit_log::Arguments),
    /// Refused connections, with reason and remedy.
    Refusal(commands::refusal::Arguments),
    /// Blocks: who is shut out although the certificate is good.
    Block(commands::block::Arguments),
    /// Certificates: which cells would refuse one of ours, and whose ends soon.
    Trust(commands::trust::Trust),
    /// The H(e)MS's own alarms: what stands, what cleared, who looks after it.
    Alarm(commands::alarm::Arguments),
    /// Sessions: who it was, what came of it, and what was said where that was recorded.
    Session(commands::session::Arguments),
    /// Firmware: sign images for cells, and look at them.
    #[command(subcommand)]
    Firmware(commands::firmware::Command),
    /// Data models: import a vendor's, look into them, list profiles.
    #[command(subcommand)]
    Model(commands::model::Command),
    /// CWMP messages: read, write and judge files.
    #[command(subcommand)]
    Cwmp(commands::cwmp::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let answer = match arguments.command {
        Command::Serve(arguments) => commands::serve::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Fleet(command) => commands::fleet::run(command).await,
        Command::Pki(command) => commands::pki::run(&command),
        Command::Device(arguments) => commands::device::run(arguments).await,
        Command::Template(arguments) => commands::template::run_templates(arguments).await,
        Command::Pool(arguments) => commands::template::run_pools(arguments).await,
        Command::Change(arguments) => commands::change::run(arguments).await,
        Command::Freeze(arguments) => commands::change::run_freeze(arguments).await,
        Command::RadioOff(arguments) => commands::change::run_radio_off(arguments).await,
        Command::Account(arguments) => commands::account::run(arguments).await,
        Command::Token(arguments) => commands::token::run(arguments).await,
        Command::Machine(arguments) => commands::machine::run(arguments).await,
        Command::AuditLog(arguments) => commands::audit_log::run(arguments).await,
        Command::Refusal(arguments) => commands::refusal::run(arguments).await,
        Command::Block(arguments) => commands::block::run(arguments).await,
        Command::Trust(arguments) => commands::trust::run(arguments).await,
        Command::Alarm(arguments) => commands::alarm::run(arguments).await,
        Command::Session(arguments) => commands::session::run(arguments).await,
        Command::Firmware(command) => commands::firmware::run(&command),
        Command::Model(command) => commands::model::run(&command),
        Command::Cwmp(command) => commands::cwmp::run(&command),
    };
    match answer {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("hearth: {}", output::chain(error.as_ref()));
            ExitCode::from(2)
        }
    }
}
