//! `hearth values`: what is desired of one device alone, with its versions. A template's verbs, about a device.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::{
    Answer,
    commands::{
        Over,
        template::{self, Desired},
    },
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What is desired of a device alone.
    Show(Whose),
    /// Save what is desired, from a JSON file; it is checked whole, and every complaint is shown.
    ///
    /// For instance {"values": {"Device.ManagementServer.PeriodicInformInterval": 60}}
    Put {
        #[command(flatten)]
        whose: Whose,
        /// The JSON file.
        file: PathBuf,
        /// Why, for those who look at it later.
        #[arg(long, default_value = "")]
        reason: String,
        /// Save the version only; it is applied later.
        #[arg(long)]
        draft: bool,
    },
    /// The versions, the newest first.
    History(Whose),
    /// Make a version the one that applies; an old one is the way back.
    Apply {
        #[command(flatten)]
        whose: Whose,
        /// The version's number.
        version: u32,
        /// Why, for those who look at it later.
        #[arg(long, default_value = "")]
        reason: String,
        /// Days without a call of the device, after which the change ends.
        #[arg(long)]
        finish_days: Option<u32>,
    },
    /// Desire nothing of the device alone any more; what its templates want counts again.
    Delete(Whose),
}

#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// The identity in its certificate.
    identity: String,
}

impl Whose {
    fn desired(&self) -> Desired {
        Desired::of_device(&self.identity)
    }
}

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    let answer = match command {
        Command::Show(whose) => access.get(whose.desired().path()).await?,
        Command::Put { whose, file, reason, draft } => {
            whose.desired().put(&access, &template::read(&file)?, &reason, draft).await?
        }
        Command::History(whose) => return whose.desired().history(&access, output).await,
        Command::Apply { whose, version, reason, finish_days } => {
            whose.desired().apply(&access, version, &reason, finish_days).await?
        }
        Command::Delete(whose) => access.delete(whose.desired().path()).await?,
    };
    output::show(output, &answer)
}
