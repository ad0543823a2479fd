//! `hearth audit-log`: who changed what, and whether the log is whole.
//!
//! The chain is followed here, by whoever asks, and not by whom it accuses: over the lines that the API has, or over a
//! file that was exported earlier.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use hems::{AuditBreak, AuditChain};

use crate::{
    Answer,
    commands::Over,
    output::{self, Column},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
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

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    match command {
        Command::List { last } => {
            output::list(&access, &format!("{PATH}?last={last}"), output, &COLUMNS).await
        }
        Command::Export => {
            access.each(PATH, |line| println!("{line}")).await?;
            Ok(true)
        }
        Command::Verify { file: Some(file), has } => verify_file(&file, has),
        Command::Verify { file: None, has } => {
            let mut walk = Walk::new(AuditChain::default(), has);
            access.each(PATH, |line| walk.take(&line.to_string())).await?;
            if !walk.tell() {
                return Ok(false);
            }
            // Only who has the store knows whether an end was cut off.
            let verification = access.get(&format!("{PATH}/verification")).await?;
            let broken = verification.pointer("/broken/detail").map(|detail| output::cell(Some(detail)));
            broken.iter().for_each(|detail| println!("broken: {detail}"));
            Ok(broken.is_none())
        }
    }
}

fn verify_file(file: &Path, has: Option<String>) -> Answer {
    let cannot = |error| format!("cannot read {}: {error}", file.display());
    let lines = BufReader::new(File::open(file).map_err(cannot)?).lines();
    let mut walk: Option<Walk> = None;
    for line in lines {
        let line = line.map_err(cannot)?;
        match &mut walk {
            Some(walk) => walk.take(&line),
            None => walk.insert(Walk::new(AuditChain::start_at(&line)?, has.clone())).take(&line),
        }
    }
    Ok(walk.unwrap_or_else(|| Walk::new(AuditChain::default(), has)).tell())
}

/// A chain that is followed, up to where it is broken.
struct Walk {
    chain: AuditChain,
    lines: u64,
    broken: Option<AuditBreak>,
    /// The hash that some line must have, until one has it.
    wanted: Option<String>,
}

impl Walk {
    fn new(chain: AuditChain, wanted: Option<String>) -> Self {
        Self { chain, lines: 0, broken: None, wanted }
    }

    fn take(&mut self, line: &str) {
        if self.broken.is_none() {
            self.broken = self.chain.follow(line).err();
            self.lines += 1;
            self.wanted.take_if(|wanted| *wanted == self.chain.hash());
        }
    }

    /// Says whether it is whole.
    fn tell(&self) -> bool {
        match &self.broken {
            Some(broken) => println!("broken: {broken}"),
            None if self.wanted.is_some() => {
                println!("broken: no line has that hash; what stood there was written anew");
            }
            None => {
                let (lines, number, hash) = (self.lines, self.chain.number(), self.chain.hash());
                println!("whole: {lines} lines, the last is {number} with {hash}");
            }
        }
        self.broken.is_none() && self.wanted.is_none()
    }
}
