//! `hearth values`: what is desired of one device alone, with its versions. A template's verbs, about a device.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::{
    Answer,
    commands::{
        Over,
        template::{self, Desired, Why},
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
        #[command(flatten)]
        why: Why,
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
        #[command(flatten)]
        why: Why,
    },
    /// Desire nothing of the device alone any more; what its templates want counts again.
    Delete {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        why: Why,
    },
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
        Command::Put { whose, file, why, draft } => {
            whose.desired().put(&access, &template::read(&file)?, &why, draft).await?
        }
        Command::History(whose) => return whose.desired().history(&access, output).await,
        Command::Apply { whose, version, why } => whose.desired().apply(&access, version, &why).await?,
        Command::Delete { whose, why } => whose.desired().delete(&access, &why).await?,
    };
    output::show(output, &answer)
}
