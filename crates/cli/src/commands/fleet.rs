//! `hearth fleet`: many cells in one process.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use crate::{Answer, output::Form};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start simulated cells against a H(e)MS, each with its own certificate and its own persisted state.
    Run(Run),
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The H(e)MS's URL.
    #[arg(long)]
    url: String,
    /// The lab PKI; certificates that are missing are made, and added to its identities.csv.
    #[arg(long, value_name = "DIR")]
    pki: PathBuf,
    /// How many.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    cells: u32,
    /// Where the cells keep their state.
    #[arg(long, value_name = "DIR", default_value = "target/fleet")]
    state: PathBuf,
    /// End when all are in service: exit code 0; or 1 when not within two minutes.
    #[arg(long)]
    once: bool,
    /// What all the cells do wrong: the name of a quirk.
    #[arg(long, value_name = "NAME")]
    quirk: Option<String>,
    /// A file with more quirks than the known ones.
    #[arg(long, value_name = "FILE", requires = "quirk")]
    quirks: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    output: Form,
}

pub(crate) async fn run(command: Command) -> Answer {
    let Command::Run(run) = command;
    let url = profile::HemsUrl::parse(&run.url, profile::TransportMode::Public)?;
    let find = |name: String| henb::quirk::find(&name, run.quirks.as_deref());
    let quirk = run.quirk.map(find).transpose()?;
    let options = fleet::Options {
        url,
        pki: run.pki,
        state: run.state,
        cells: run.cells,
        once: run.once,
        radio_delay: Duration::from_millis(500),
        quirk,
    };
    eprintln!("hearth: {} cells start; Ctrl-C ends them", run.cells);
    let report = fleet::run(options, interrupted()).await?;
    match run.output {
        Form::Json => println!("{}", serde_json::to_string(&report)?),
        Form::Table => {
            let fleet::Report { cells, in_service, seconds, sessions, failures, .. } = &report;
            println!(
                "{in_service} of {cells} cells in service after {seconds:.1} s; {sessions} sessions, {failures} failed"
            );
            for reason in &report.reasons {
                println!("  {}: {}", reason.identity, crate::output::harmless(&reason.reason));
            }
        }
    }
    Ok(report.is_complete() || !run.once)
}

async fn interrupted() {
    // Where signals cannot be heard there is nothing to wait for.
    let _ = tokio::signal::ctrl_c().await;
}
