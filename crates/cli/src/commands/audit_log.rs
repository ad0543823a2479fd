//! `hearth audit-log`: who changed what, and whether the log is whole.
//!
//! The chain is followed here, by whoever asks, and not by whom it accuses: over the lines that the API has, or over a
//! file that was exported earlier.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hems::AuditChain;
use serde_json::Value;

use crate::{
    Answer,
    api::Access,
    output::{self, Column, Form},
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    access: Access,
    /// How to print.
    #[arg(long, value_enum, default_value = "table", global = true)]
    output: Form,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The newest lines, the latest last.
    List {
        /// How many.
        #[arg(long, default_value_t = 100)]
        last: u32,
    },
    /// Every line as JSON, one a line, for keeping elsewhere.
    Export,
    /// Follow the chain; exit code 1 where it is broken.
    Verify {
        /// An exported file, which may begin in the middle; else what the H(e)MS has now.
        file: Option<PathBuf>,
        /// The hash that some line had when it was looked at earlier: it must be there still.
        #[arg(long, value_name = "SHA256")]
        has: Option<String>,
    },
}

const PATH: &str = "/api/v1/audit-log";
const COLUMNS: [Column; 8] = [
    ("NUMBER", "number"),
    ("AT", "at"),
    ("EVENT", "event"),
    ("WHO", "who"),
    ("FROM", "source"),
    ("OPERATION", "operation"),
    ("STATUS", "status"),
    ("TARGET", "target"),
];

pub(crate) async fn run(arguments: Arguments) -> Answer {
    let Arguments { access, output, command } = arguments;
    match command {
        Command::List { last } => {
            output::list(&access, &format!("{PATH}?last={last}"), output, &COLUMNS).await
        }
        Command::Export => {
            let lines = access.list(PATH).await?;
            lines.iter().for_each(|line| println!("{line}"));
            Ok(true)
        }
        Command::Verify { file: Some(file), has } => verify(&read(&file)?, true, has.as_deref()),
        Command::Verify { file: None, has } => {
            let lines: Vec<String> = access.list(PATH).await?.iter().map(Value::to_string).collect();
            verify(&lines, false, has.as_deref())
        }
    }
}

fn read(file: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn verify(lines: &[String], may_begin_anywhere: bool, wanted: Option<&str>) -> Answer {
    let mut chain = match lines.first() {
        Some(first) if may_begin_anywhere => AuditChain::start_at(first)?,
        Some(_) | None => AuditChain::default(),
    };
    let mut is_there = wanted.is_none();
    for line in lines {
        if let Err(broken) = chain.follow(line) {
            println!("broken: {broken}");
            return Ok(false);
        }
        is_there |= wanted == Some(chain.hash());
    }
    if !is_there {
        println!("broken: no line has that hash; what stood there was written anew");
        return Ok(false);
    }
    println!("whole: {} lines, the last is {} with {}", lines.len(), chain.number(), chain.hash());
    Ok(true)
}
