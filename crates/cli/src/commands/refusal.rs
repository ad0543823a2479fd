//! `hearth refusal`: who was turned away, why, and what helps.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde_json::Value;

use crate::{
    Answer,
    commands::Over,
    output::{self, Column, Form},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every refusal, by reason, issuer and network.
    List,
}

const COLUMNS: [Column; 7] = [
    ("REASON", "reason"),
    ("COUNT", "count"),
    ("LAST", "last_at"),
    ("NETWORK", "network"),
    ("ISSUER", "issuer"),
    ("SUBJECT", "subject"),
    ("DETAIL", "detail"),
];

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command: Command::List } = arguments;
    let mut refusals = access.list("/api/v1/refusals?limit=500").await?;
    if output == Form::Json {
        println!("{}", Value::Array(refusals));
        return Ok(true);
    }
    for refusal in &mut refusals {
        let subject = refusal.pointer("/certificate/subject").cloned().unwrap_or_default();
        refusal.as_object_mut().map(|row| row.insert("subject".to_owned(), subject));
    }
    output::rows_under(&COLUMNS, &refusals);
    let remedy = |row: &Value| (output::cell(row.get("reason")), output::cell(row.get("remedy")));
    let remedies: BTreeMap<String, String> = refusals.iter().map(remedy).collect();
    offers(&refusals);
    if !remedies.is_empty() {
        println!("\nWhat helps:");
    }
    for (reason, remedy) in remedies {
        println!("  {reason}: {remedy}");
    }
    Ok(true)
}

/// The acts that the H(e)MS offers, ready to be run.
fn offers(refusals: &[Value]) {
    let commands: Vec<String> = refusals
        .iter()
        .filter_map(|row| row.pointer("/offer/command").and_then(Value::as_str))
        .map(output::harmless)
        .collect();
    if !commands.is_empty() {
        println!("\nAt once, if you know that it is right:");
    }
    for command in commands {
        println!("  {command}");
    }
}
