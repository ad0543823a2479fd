//! `henbd`: the agent of one H(e)NB as a daemon.
//!
//! Exit codes: 0 as asked, 1 `check` finds something wrong or `state` no cell, 2 it could not be done. Logs go
//! to stderr, for the journal where that is its other end, and `RUST_LOG` says how much of them.

mod supervisor;

use std::{
    error::Error,
    fmt::Display,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::Parser as _;
use cwmp::Witness;
use henb::{
    Config, Overview, Recorder, Report,
    arguments::{Arguments, Command, Output},
};
use serde::Serialize;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log();
    let config = match Config::read(&arguments.config) {
        Ok(config) => config,
        Err(error) => {
            return refuse(&error, arguments.command.is_some());
        }
    };
    match arguments.command {
        Some(Command::Check { output }) => {
            let report = Report::of(&config);
            let (found, printed) = (u8::from(!report.is_good()), print(&report, output));
            if printed == ExitCode::SUCCESS { ExitCode::from(found) } else { printed }
        }
        Some(Command::State { output }) => show(&config, output),
        None => serve(config, arguments.record),
    }
}

/// Under systemd stderr is the journal, which has a time of its own for each line.
fn log() {
    // Not `EnvFilter`: its regular expressions would be a part of the binary that nothing else needs.
    let asked = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let layer = || tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let said = if supervisor::has_journal() {
        layer().with_ansi(false).without_time().boxed()
    } else {
        layer().with_ansi(io::stderr().is_terminal()).boxed()
    };
    let kept = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| &henb::log::LOG);
    // An ACS may read what is kept: no more than what is fit for anybody.
    let kept = kept.with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(said.with_filter(filter)).with(kept).init();
}

fn show(config: &Config, output: Output) -> ExitCode {
    let overview = match Overview::read(config) {
        Ok(Some(overview)) => overview,
        Ok(None) => {
            refuse_empty(config);
            return ExitCode::from(1);
        }
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    print(&overview, output)
}

/// Answers; a reader that has seen enough and left is no error.
fn print(answer: &(impl Display + Serialize), output: Output) -> ExitCode {
    let text = match output {
        Output::Text => Ok(answer.to_string()),
        Output::Json => serde_json::to_string_pretty(answer).map(|text| text + "\n"),
    };
    let written = text.map_err(io::Error::from).and_then(|text| io::stdout().write_all(text.as_bytes()));
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&error);
            ExitCode::from(2)
        }
        Ok(()) | Err(_) => ExitCode::SUCCESS,
    }
}

#[expect(clippy::print_stderr, reason = "the answer to a question of the command line")]
fn refuse_empty(config: &Config) {
    eprintln!("henbd: {} keeps no cell yet: it was never started there", config.state_dir.display());
}

fn serve(config: Config, record: Option<PathBuf>) -> ExitCode {
    // One cell is one task: a scheduler for several threads, and the library of mathematics that it loads, is not linked.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let outcome: Result<(), Box<dyn Error>> = runtime.block_on(async {
        let witness = witness(&config, record)?;
        let again = Arc::new(Notify::new());
        let mut hang_up = signal(SignalKind::hangup())?;
        let asked = Arc::clone(&again);
        tokio::spawn(async move {
            while hang_up.recv().await.is_some() {
                asked.notify_one();
            }
        });
        let mut ends = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        let [terminate, interrupt] = &mut ends;
        let shutdown = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            supervisor::ends();
        };
        tokio::select! {
            biased;
            outcome = henb::run(config, witness, again, shutdown) => Ok(outcome?),
            never = supervisor::keep_informed() => match never {},
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::from(2)
        }
    }
}

/// A recording holds everything in clear: it needs a lab. (decision 12)
fn witness(config: &Config, record: Option<PathBuf>) -> Result<Arc<dyn Witness>, Box<dyn Error>> {
    match record {
        None => Ok(Arc::new(())),
        Some(_) if !config.lab => Err("--record needs `lab = true` in the configuration".into()),
        Some(folder) => Ok(Arc::new(Recorder::create(&folder)?)),
    }
}

/// One complaint a line, each beginning with its file and line as compilers' do.
#[expect(clippy::print_stderr, reason = "the daemon's last words are for whoever started it")]
fn refuse(error: &henb::ConfigError, is_check: bool) -> ExitCode {
    match error {
        henb::ConfigError::Wrong { .. } => {
            eprintln!("{error}");
            ExitCode::from(if is_check { 1 } else { 2 })
        }
        henb::ConfigError::Read { .. } => {
            complain(error);
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the daemon's last words are for whoever started it")]
fn complain(error: &dyn Error) {
    eprintln!("henbd: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
