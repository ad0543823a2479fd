//! `hearth webhook`: where events are posted, and what became of each.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Answer,
    commands::{Over, token},
    output::{self, Column},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every webhook.
    List,
    /// Post events to a URL from now on; its secret is shown this once.
    Add {
        /// Where to: https, at a public address or one of `events.webhook_networks`.
        url: String,
        /// A type of event, such as alarm.raised; may be repeated. All where nothing is said.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// Write the secret into this new file, and do not print it.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// One webhook.
    Show {
        /// Its number.
        id: u64,
    },
    /// Delete one with everything that waits for it.
    Delete {
        /// Its number.
        id: u64,
    },
    /// Make a further secret, shown this once; the old one signs, too, for a day more.
    Rotate {
        /// Its number.
        id: u64,
        /// Write the secret into this new file, and do not print it.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Send an event that says nothing, to see whether it arrives.
    Test {
        /// Its number.
        id: u64,
    },
    /// What was sent, the newest first, and what the receiver said.
    Deliveries {
        /// The webhook's number.
        id: u64,
        /// Those in one state.
        #[arg(long, value_enum)]
        state: Option<State>,
    },
    /// Send a delivery that has ended once more.
    Resend {
        /// The webhook's number.
        id: u64,
        /// The delivery's number.
        delivery: u64,
    },
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum State {
    Waiting,
    Delivered,
    Dead,
}

const PATH: &str = "/api/v1/webhooks";
const COLUMNS: [Column; 6] = [
    ("ID", "id"),
    ("URL", "url"),
    ("ONLY TYPES", "types"),
    ("STATE", "state"),
    ("MADE", "made_at"),
    ("MISSED BEFORE", "missed_before"),
];
const DELIVERIES: [Column; 7] = [
    ("ID", "id"),
    ("TYPE", "type"),
    ("STATE", "state"),
    ("ATTEMPTS", "attempts"),
    ("SAID", "said"),
    ("MADE", "made_at"),
    ("NEXT", "next_at"),
];

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    match command {
        Command::List => output::list(&access, PATH, output, &COLUMNS).await,
        Command::Add { url, types, to } => {
            let made = access.send(Method::POST, PATH, &json!({"url": url, "types": types})).await?;
            token::hand_over(output, made, "secret", to.as_deref())
        }
        Command::Show { id } => output::show(output, &access.get(&format!("{PATH}/{id}")).await?),
        Command::Delete { id } => output::show(output, &access.delete(&format!("{PATH}/{id}")).await?),
        Command::Rotate { id, to } => {
            let made = access.send(Method::POST, &format!("{PATH}/{id}/secrets"), &Value::Null).await?;
            token::hand_over(output, made, "secret", to.as_deref())
        }
        Command::Test { id } => output::show(
            output,
            &access.send(Method::POST, &format!("{PATH}/{id}/test"), &Value::Null).await?,
        ),
        Command::Deliveries { id, state } => {
            let state = state.and_then(|state| state.to_possible_value());
            let query = state.map(|state| format!("?state={}", state.get_name())).unwrap_or_default();
            // This list has no pages, and knows of no limit.
            let mut page = access.get(&format!("{PATH}/{id}/deliveries{query}")).await?;
            output::items(output, output::rows(&mut page), &DELIVERIES)
        }
        Command::Resend { id, delivery } => {
            let path = format!("{PATH}/{id}/deliveries/{delivery}/resend");
            output::show(output, &access.send(Method::POST, &path, &Value::Null).await?)
        }
    }
}
