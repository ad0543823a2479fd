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

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use commands::Over;

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
    /// Devices: look at them, admit them, place them, and ask them for something.
    Device(Over<commands::device::Command>),
    /// Values: what is desired of one device alone.
    Values(Over<commands::values::Command>),
    /// Templates: what is desired of the cells that a selector names.
    Template(Over<commands::template::TemplateCommand>),
    /// Pools: numbers that cells draw from, each its own.
    Pool(Over<commands::template::PoolCommand>),
    /// Changes: what is on its way to the cells, and how far it is.
    Change(Over<commands::change::ChangeCommand>),
    /// The freeze: while it lasts nothing changes anywhere.
    Freeze(Over<commands::change::FreezeCommand>),
    /// Emergencies: cells off the air, whatever else is desired, with the proof of it.
    RadioOff(Over<commands::change::RadioOffCommand>),
    /// Files: what is kept for cells, and what they sent.
    File(Over<commands::file::Command>),
    /// The H(e)MS's own alarms: what stands, what cleared, who looks after it.
    Alarm(Over<commands::alarm::Command>),
    /// Events: what happens, as it happens.
    Event(Over<commands::event::Command>),
    /// Webhooks: where events are posted, and what became of each.
    Webhook(Over<commands::webhook::Command>),
    /// Refused connections, with reason and remedy.
    Refusal(Over<commands::refusal::Command>),
    /// Blocks: who is shut out although the certificate is good.
    Block(Over<commands::block::Command>),
    /// Certificates: which cells would refuse one of ours, and whose ends soon.
    Trust(Over<commands::trust::TrustCommand>),
    /// Sessions: who it was, what came of it, and what was said where that was recorded.
    Session(Over<commands::session::Command>),
    /// Accounts: who may log in, and what each may do.
    Account(Over<commands::account::Command>),
    /// Tokens: keys for programs, with a role and an end.
    Token(Over<commands::token::Command>),
    /// Machines: programs that come with a client certificate.
    Machine(Over<commands::machine::Command>),
    /// The audit log: who changed what, and whether the log is whole.
    AuditLog(Over<commands::audit_log::Command>),
    /// Who you are to the H(e)MS, which it is, and your own password.
    Me(Over<commands::me::Command>),
    /// Firmware: sign images for cells, and look at them.
    #[command(subcommand)]
    Firmware(commands::firmware::Command),
    /// Data models: import a vendor's, look into them, list profiles.
    #[command(subcommand)]
    Model(commands::model::Command),
    /// CWMP messages: read, write and judge files.
    #[command(subcommand)]
    Cwmp(commands::cwmp::Command),
    /// Print what completes commands in a shell.
    Completions(commands::manual::Completions),
    /// Write the pages of the manual, one for each command.
    Man(commands::manual::Pages),
}

#[tokio::main]
async fn main() -> ExitCode {
    output::leave_with_the_reader();
    match run(arguments().command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let absence = error.downcast_ref().and_then(api::ApiError::absence);
            let (text, code) =
                absence.map_or_else(|| (output::chain(error.as_ref()), 2), |no| (no.to_owned(), 1));
            eprintln!("hearth: {text}");
            ExitCode::from(code)
        }
    }
}

/// What was typed; what is wrong with it is told with the usage of the command alone.
fn arguments() -> Arguments {
    let mut matches = commands::manual::with_plain_usages(Arguments::command()).get_matches();
    Arguments::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit())
}

async fn run(command: Command) -> Answer {
    match command {
        Command::Serve(arguments) => commands::serve::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Fleet(command) => commands::fleet::run(command).await,
        Command::Pki(command) => commands::pki::run(&command),
        Command::Device(over) => commands::device::run(over).await,
        Command::Values(over) => commands::values::run(over).await,
        Command::Template(over) => commands::template::run_templates(over).await,
        Command::Pool(over) => commands::template::run_pools(over).await,
        Command::Change(over) => commands::change::run(over).await,
        Command::Freeze(over) => commands::change::run_freeze(over).await,
        Command::RadioOff(over) => commands::change::run_radio_off(over).await,
        Command::File(over) => commands::file::run(over).await,
        Command::Alarm(over) => commands::alarm::run(over).await,
        Command::Event(over) => commands::event::run(over).await,
        Command::Webhook(over) => commands::webhook::run(over).await,
        Command::Refusal(over) => commands::refusal::run(over).await,
        Command::Block(over) => commands::block::run(over).await,
        Command::Trust(over) => commands::trust::run(over).await,
        Command::Session(over) => commands::session::run(over).await,
        Command::Account(over) => commands::account::run(over).await,
        Command::Token(over) => commands::token::run(over).await,
        Command::Machine(over) => commands::machine::run(over).await,
        Command::AuditLog(over) => commands::audit_log::run(over).await,
        Command::Me(over) => commands::me::run(over).await,
        Command::Firmware(command) => commands::firmware::run(&command),
        Command::Model(command) => commands::model::run(&command),
        Command::Cwmp(command) => commands::cwmp::run(&command),
        Command::Completions(arguments) => commands::manual::completions(&arguments),
        Command::Man(arguments) => commands::manual::man(&arguments),
    }
}

#[cfg(test)]
mod tests;
