//! `hearth serve`: a H(e)MS until it is told to stop.

use std::{io::IsTerminal, path::PathBuf, sync::Arc};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::Answer;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration, TOML; docs/operate/configuration.md describes every key.
    #[arg(long, value_name = "FILE", default_value = "/etc/hearth/hems.toml")]
    config: PathBuf,
    /// Say what is wrong with the configuration, or what every cell would refuse in its certificates, and stop.
    #[arg(long)]
    check: bool,
    /// Make the configuration's transport mode the whole deployment's, and stop: every node is to be down.
    #[arg(long, conflicts_with = "check")]
    set_mode: bool,
    /// Keep every message in this folder; only in a lab.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> Answer {
    log_to_stderr();
    let config = match hems::config::Config::load(&arguments.config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return if arguments.check {
                Ok(false)
            } else {
                Err("this configuration cannot be served".into())
            };
        }
    };
    if arguments.check {
        let faults = config.faults();
        faults.iter().for_each(|fault| eprintln!("{fault}"));
        if faults.is_empty() {
            eprintln!("{}: good", arguments.config.display());
        }
        return Ok(faults.is_empty());
    }
    if arguments.set_mode {
        hems::Server::set_mode(&config).await?;
        eprintln!("the deployment's transport mode is \"{}\" from now on", config.mode);
        return Ok(true);
    }
    let witness = witness(arguments.record, config.lab)?;
    let server = hems::Server::start(config, witness).await?;
    for address in server.cwmp_addresses() {
        tracing::info!(%address, engine = profile::engine(), "listening for cells");
    }
    tracing::info!(address = %server.api_address(), "listening for operators");
    if let Some(link) = server.first_administrator() {
        eprintln!(
            "\nNobody has an account yet. For a day, this link makes one administrator, once:\n\n    {link}\n"
        );
        eprintln!("`hearth account first NAME` takes it from its file in the state folder.\n");
    }
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (mut hangup, reload) = (signal(SignalKind::hangup())?, server.reloader());
    server
        .run_until(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => return,
                    _ = terminate.recv() => return,
                    _ = hangup.recv() => reload(),
                }
            }
        })
        .await;
    Ok(true)
}

/// The journal of a service goes where systemd and terminals expect it; `RUST_LOG` says how much.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        .init();
}

fn witness(
    record: Option<PathBuf>,
    is_lab: bool,
) -> Result<Arc<dyn cwmp::Witness>, Box<dyn std::error::Error>> {
    let Some(dir) = record else { return Ok(Arc::new(())) };
    if !is_lab {
        return Err(
            "--record keeps subscribers' data in clear: it needs `lab = true` in the configuration".into()
        );
    }
    Ok(Arc::new(henb::Recorder::create(&dir)?))
}
