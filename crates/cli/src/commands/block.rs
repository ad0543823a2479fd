//! `hearth block`: who is shut out although the certificate is good.

use clap::{Subcommand, ValueEnum};
use hyper::Method;
use serde_json::json;

use crate::{
    Answer,
    api::escaped,
    commands::Over,
    output::{self, Column},
};

/// What a block names.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    /// An identity, such as 00005e005301.hnb.example.
    Identity,
    /// A certificate anywhere in the chain, by its SHA-256.
    Certificate,
    /// A key anywhere in the chain, by the SHA-256 of its SubjectPublicKeyInfo.
    Key,
    /// An issuer anywhere in the chain, by its distinguished name or the SHA-256 of its certificate.
    Issuer,
    /// A range of an issuer's serial numbers: FIRST-LAST@ISSUER, in hexadecimal.
    Serials,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shut somebody out: new handshakes are refused, and what is open ends at once.
    Add {
        /// What the block names.
        kind: Kind,
        /// Which.
        value: String,
        /// Why, for whoever asks later.
        #[arg(long)]
        reason: String,
    },
    /// Every block.
    List,
    /// Let in again.
    Remove {
        /// What the block names.
        kind: Kind,
        /// Which.
        value: String,
    },
}

const PATH: &str = "/api/v1/blocks";
const COLUMNS: [Column; 5] =
    [("KIND", "kind"), ("VALUE", "value"), ("REASON", "reason"), ("BY", "by"), ("SINCE", "at")];

fn word(kind: Kind) -> String {
    kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    let answer = match command {
        Command::List => return output::list(&access, PATH, output, &COLUMNS).await,
        Command::Add { kind, value, reason } => {
            let block = json!({"kind": word(kind), "value": value, "reason": reason});
            access.send(Method::POST, PATH, &block).await?
        }
        Command::Remove { kind, value } => {
            access.delete(&format!("{PATH}?kind={}&value={}", word(kind), escaped(&value))).await?
        }
    };
    output::show(output, &answer)
}
