//! `hearth machine`: programs that come with a client certificate.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use crate::{
    Answer,
    api::escaped,
    commands::Over,
    output::{self, Column},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whose a certificate is.
    Add {
        /// The machine's name.
        name: String,
        /// Its certificate, PEM: this one and no other.
        #[arg(long, value_name = "FILE", required_unless_present = "subject", conflicts_with = "subject")]
        of: Option<PathBuf>,
        /// The subject of its certificates, which a CA of `api.client_anchors` issues.
        #[arg(long)]
        subject: Option<String>,
        /// What it may do.
        #[arg(long)]
        role: String,
        /// Only devices with this tag or of this tenant: tag=NAME or tenant=NAME.
        #[arg(long)]
        scope: Option<String>,
    },
    /// Every machine.
    List,
    /// Take a machine away.
    Remove {
        /// Its name.
        name: String,
    },
}

const PATH: &str = "/api/v1/machines";
const COLUMNS: [Column; 5] = [
    ("NAME", "name"),
    ("ROLE", "role"),
    ("SCOPE", "scope"),
    ("FINGERPRINT", "fingerprint"),
    ("SUBJECT", "subject"),
];

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    let answer = match command {
        Command::List => return output::list(&access, PATH, output, &COLUMNS).await,
        Command::Add { name, of, subject, role, scope } => {
            let fingerprint = of.as_deref().map(fingerprint).transpose()?;
            let body = json!({
                "name": name, "fingerprint": fingerprint, "subject": subject, "role": role, "scope": scope,
            });
            access.send(Method::POST, PATH, &body).await
        }
        Command::Remove { name } => access.delete(&format!("{PATH}/{}", escaped(&name))).await,
    };
    output::show(output, &answer?)
}

fn fingerprint(file: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let pem = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let facts = profile::CertificateFacts::from_pem(&pem);
    let facts = facts.ok_or_else(|| format!("{} holds no certificate in PEM", file.display()))?;
    Ok(facts.fingerprint_sha256)
}
