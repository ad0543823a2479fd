//! `hearth me`: who one is to the H(e)MS, and one's own password.

use std::path::PathBuf;

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use crate::{
    Answer,
    commands::{Over, account},
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who you are to the H(e)MS, and what you may.
    Show,
    /// Which software answers, with its TLS engine and profile.
    Server,
    /// Change your own password; every login of yours ends.
    Password {
        /// The file with the present password, in its first line; else it is asked for.
        #[arg(long, value_name = "FILE")]
        present_file: Option<PathBuf>,
        /// The file with the next one.
        #[arg(long, value_name = "FILE")]
        next_file: Option<PathBuf>,
    },
}

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    let answer = match command {
        Command::Show => access.get("/api/v1/me").await?,
        Command::Server => access.get("/api/v1/version").await?,
        Command::Password { present_file, next_file } => {
            let present = account::password(present_file.as_deref(), "present password")?;
            let next = account::password(next_file.as_deref(), "next password")?;
            let body = json!({"present": present, "next": next});
            access.send(Method::PUT, "/api/v1/me/password", &body).await?
        }
    };
    output::show(output, &answer)
}
