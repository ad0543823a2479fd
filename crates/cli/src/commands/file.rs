//! `hearth file`: what is kept for cells, and what they sent.

use std::{
    fs::{self, File},
    io::{Write, stdout},
    path::{Path, PathBuf},
};

use clap::{Subcommand, ValueEnum};
use serde_json::Value;

use crate::{
    Answer,
    api::{Access, escaped},
    commands::Over,
    output::{self, Column},
};

/// What a file is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    Firmware,
    Configuration,
    Log,
    Measurement,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The files, the newest first.
    List {
        /// Those of one kind.
        #[arg(long, value_enum)]
        kind: Option<Kind>,
        /// Those that one cell sent.
        #[arg(long)]
        identity: Option<String>,
    },
    /// Keep a file for cells; `hearth device download` lets one fetch it.
    ///
    /// Firmware is what `hearth firmware sign` made.
    Add {
        /// The file.
        file: PathBuf,
        /// What it is.
        #[arg(long, value_enum)]
        kind: Kind,
        /// What it is called here; as on the disk where nothing is said.
        #[arg(long)]
        name: Option<String>,
    },
    /// What is known of a file.
    Show {
        /// Its number.
        id: u64,
    },
    /// Write a file's content to standard output, or into a file.
    Fetch {
        /// Its number.
        id: u64,
        /// Where it goes.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Delete a file that no cell is fetching.
    Delete {
        /// Its number.
        id: u64,
    },
}

const PATH: &str = "/api/v1/files";
const COLUMNS: [Column; 7] = [
    ("ID", "id"),
    ("KIND", "kind"),
    ("NAME", "name"),
    ("FROM", "identity"),
    ("BYTES", "size"),
    ("BY", "author"),
    ("ADDED", "added_at"),
];

impl Kind {
    pub(crate) fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    match command {
        Command::List { kind, identity } => {
            let kind = kind.map(|kind| format!("kind={}", kind.word()));
            let identity = identity.map(|identity| format!("identity={}", escaped(&identity)));
            let query = [kind, identity].into_iter().flatten().collect::<Vec<_>>().join("&");
            output::list(&access, &format!("{PATH}?{query}"), output, &COLUMNS).await
        }
        Command::Add { file, kind, name } => output::show(output, &add(&access, &file, kind, name).await?),
        Command::Show { id } => output::show(output, &access.get(&format!("{PATH}/{id}")).await?),
        Command::Fetch { id, to } => fetch(&access, id, to.as_deref()).await,
        Command::Delete { id } => output::show(output, &access.delete(&format!("{PATH}/{id}")).await?),
    }
}

async fn add(
    access: &Access,
    file: &Path,
    kind: Kind,
    name: Option<String>,
) -> Result<Value, Box<dyn std::error::Error>> {
    let own = || file.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.or_else(own).unwrap_or_default();
    let path = format!("{PATH}?kind={}&name={}", kind.word(), escaped(&name));
    Ok(access.upload(&path, file).await?)
}

/// Writes beside the place and renames, so that nobody ever finds half a file.
async fn fetch(access: &Access, id: u64, to: Option<&Path>) -> Answer {
    let path = format!("{PATH}/{id}/content");
    let Some(to) = to else {
        access.copy(&path, ANY, &mut stdout().lock()).await?;
        return Ok(true);
    };
    let cannot = |error| format!("cannot write {}: {error}", to.display());
    let mut beside = to.to_owned().into_os_string();
    beside.push(".new");
    let mut file = File::create(&beside).map_err(cannot)?;
    let copied = access.copy(&path, ANY, &mut file).await;
    if copied.is_err() {
        // What is left of it helps nobody.
        let _ = fs::remove_file(&beside);
    }
    copied?;
    file.flush().and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, to)).map_err(cannot)?;
    Ok(true)
}

const ANY: &str = "application/octet-stream";
