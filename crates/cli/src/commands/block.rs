//! `hearth block`: who is shut out although the certificate is good.

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Answer,
    api::{Access, ApiError, escaped},
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

/// What a block names.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
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
enum Command {
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

pub(crate) async fn run(arguments: Arguments) -> Answer {
    let Arguments { access, output, command } = arguments;
    let answer = match command {
        Command::List => return list(&access, output).await,
        Command::Add { kind, value, reason } => {
            let block = json!({"kind": word(kind), "value": value, "reason": reason});
            access.send(Method::POST, PATH, &block).await
        }
        Command::Remove { kind, value } => {
            access.delete(&format!("{PATH}?kind={}&value={}", word(kind), escaped(&value))).await
        }
    };
    match answer {
        Ok(Value::Null) => Ok(true),
        Ok(block) => {
            println!("{block}");
            Ok(true)
        }
        Err(ApiError::Refused { status, detail }) if status.as_u16() == 404 => {
            eprintln!("hearth: {detail}");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

async fn list(access: &Access, form: Form) -> Answer {
    let blocks = access.list(PATH).await?;
    match form {
        Form::Table => print!("{}", output::table(&COLUMNS, &blocks)),
        Form::Json => println!("{}", Value::Array(blocks)),
    }
    Ok(true)
}
