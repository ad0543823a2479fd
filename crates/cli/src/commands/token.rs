//! `hearth token`: keys for programs. A new one is printed once, or written to a file that only its owner can read.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path, path::PathBuf};

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Answer,
    api::escaped,
    commands::Over,
    output::{self, Column, Form},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token. It may no more than its account, and ends with it.
    Add {
        /// What you call it.
        name: String,
        /// Whose it is; your own where it is left out.
        #[arg(long)]
        account: Option<String>,
        /// Less than the account's role.
        #[arg(long)]
        role: Option<String>,
        /// Only devices with this tag or of this tenant: tag=NAME or tenant=NAME.
        #[arg(long)]
        scope: Option<String>,
        /// Days until it ends: 1 to 366.
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Write it into this new file, for --token-file, and do not print it.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Your tokens; everybody's for an administrator.
    List,
    /// End a token.
    Remove {
        /// Its first part, as listed.
        prefix: String,
    },
}

const PATH: &str = "/api/v1/tokens";
const COLUMNS: [Column; 7] = [
    ("PREFIX", "prefix"),
    ("NAME", "name"),
    ("ACCOUNT", "account"),
    ("ROLE", "role"),
    ("SCOPE", "scope"),
    ("EXPIRES", "expires_at"),
    ("LAST USED", "last_used_at"),
];

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    match command {
        Command::List => output::list(&access, PATH, output, &COLUMNS).await,
        Command::Add { name, account, role, scope, days, to } => {
            let body = json!({"name": name, "account": account, "role": role, "scope": scope, "days": days});
            let made = access.send(Method::POST, PATH, &body).await?;
            hand_over(output, made, "token", to.as_deref())
        }
        Command::Remove { prefix } => {
            output::show(output, &access.delete(&format!("{PATH}/{}", escaped(&prefix))).await?)
        }
    }
}

/// Prints what was made with its secret, or writes the secret into a new file and prints the rest.
pub(super) fn hand_over(form: Form, mut made: Value, secret: &str, file: Option<&Path>) -> Answer {
    let Some(file) = file else { return output::show(form, &made) };
    let taken = made.as_object_mut().and_then(|made| made.shift_remove(secret));
    let text = taken.as_ref().and_then(Value::as_str).unwrap_or_default();
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    written.and_then(|mut opened| opened.write_all(format!("{text}\n").as_bytes())).map_err(|error| {
        format!("the {secret} was made and cannot be written to {}: {error}", file.display())
    })?;
    output::show(form, &made)
}
