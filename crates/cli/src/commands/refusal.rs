//! `hearth refusal`: who was turned away, why, and what helps.

use clap::{Args, Subcommand};
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
    /// Every refusal, by reason, issuer and network.
    List,
}

const COLUMNS: [Column; 6] = [
    ("REASON", "reason"),
    ("COUNT", "count"),
    ("LAST", "last_at"),
    ("NETWORK", "network"),
    ("ISSUER", "issuer"),
    ("REMEDY", "remedy"),
];

pub(crate) async fn run(arguments: Arguments) -> Answer {
    let Arguments { access, output, command: Command::List } = arguments;
    let refusals = access.list("/api/v1/refusals").await?;
    match output {
        Form::Table => print!("{}", output::table(&COLUMNS, &refusals)),
        Form::Json => println!("{}", Value::Array(refusals)),
    }
    Ok(true)
}
