//! `hearth account`: who may log in, and what each may do.
//!
//! A password comes from a file or from the terminal, never from an argument that other users could see.

use std::{
    error::Error,
    io::{BufRead, IsTerminal, stdin},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hyper::Method;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;

use crate::{
    Answer,
    api::{Access, escaped},
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

/// What an account may do, and of which devices.
#[derive(Debug, Args)]
struct Part {
    /// viewer, operator, engineer, security, auditor or admin; docs/operate/roles.md says who may what.
    #[arg(long)]
    role: String,
    /// Only devices with this tag or of this tenant: tag=NAME or tenant=NAME.
    #[arg(long)]
    scope: Option<String>,
    /// The `sub` that the identity provider gives this person.
    #[arg(long)]
    subject: Option<String>,
}

#[derive(Debug, Args)]
struct Password {
    /// The file with the password, in its first line; else it is asked for.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the first administrator, by the link that `hearth serve` printed.
    First {
        /// The new account's name.
        name: String,
        /// The file with the link.
        #[arg(long, value_name = "FILE", default_value = "/var/lib/hearth/first-administrator.link")]
        link_file: PathBuf,
        #[command(flatten)]
        password: Password,
    },
    /// Every account.
    List,
    /// Add an account.
    Add {
        /// Its name.
        name: String,
        #[command(flatten)]
        part: Part,
        /// Let nobody log in by a password: the identity provider vouches for this person.
        #[arg(long, requires = "subject", conflicts_with = "password_file")]
        no_password: bool,
        #[command(flatten)]
        password: Password,
    },
    /// Change role, scope and subject; what is left out is none.
    Change {
        /// Whose.
        name: String,
        #[command(flatten)]
        part: Part,
        /// Let nobody in by this account; its logins end.
        #[arg(long)]
        disabled: bool,
    },
    /// Give an account another password; its logins end.
    Password {
        /// Whose.
        name: String,
        #[command(flatten)]
        password: Password,
    },
    /// Remove an account with its tokens.
    Remove {
        /// Whose.
        name: String,
    },
}

const PATH: &str = "/api/v1/accounts";
const COLUMNS: [Column; 7] = [
    ("NAME", "name"),
    ("ROLE", "role"),
    ("SCOPE", "scope"),
    ("PASSWORD", "has_password"),
    ("SUBJECT", "subject"),
    ("DISABLED", "disabled"),
    ("LAST LOGIN", "last_login_at"),
];

pub(crate) async fn run(arguments: Arguments) -> Answer {
    let Arguments { access, output, command } = arguments;
    let path = |name: &str| format!("{PATH}/{}", escaped(name));
    let answer = match command {
        Command::List => return output::list(&access, PATH, output, &COLUMNS).await,
        Command::First { name, link_file, password } => {
            return first(access, &name, &link_file, &password).await;
        }
        Command::Add { name, part, no_password, password } => {
            let Part { role, scope, subject } = part;
            let password = if no_password { None } else { Some(password.read()?) };
            let body =
                json!({"name": name, "role": role, "scope": scope, "subject": subject, "password": password});
            access.send(Method::POST, PATH, &body).await
        }
        Command::Change { name, part: Part { role, scope, subject }, disabled } => {
            let body = json!({"role": role, "scope": scope, "subject": subject, "disabled": disabled});
            access.send(Method::PUT, &path(&name), &body).await
        }
        Command::Password { name, password } => {
            let body = json!({"password": password.read()?});
            access.send(Method::PUT, &format!("{}/password", path(&name)), &body).await
        }
        Command::Remove { name } => access.delete(&path(&name)).await,
    };
    output::answer(answer)
}

async fn first(access: Access, name: &str, file: &Path, password: &Password) -> Answer {
    let link = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read the link in {}: {error}", file.display()))?;
    let (_, key) = link.trim().split_once("/first-administrator#").ok_or("the file holds no link")?;
    let access = Access { is_anonymous: true, ..access };
    let body = json!({"name": name, "key": key, "password": password.read()?});
    output::answer(access.send(Method::POST, "/api/v1/first-administrator", &body).await)
}

impl Password {
    fn read(&self) -> Result<String, Box<dyn Error>> {
        let Some(file) = &self.password_file else { return asked() };
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("cannot read the password in {}: {error}", file.display()))?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }
}

/// One line of what is typed, which a terminal does not show.
fn asked() -> Result<String, Box<dyn Error>> {
    let input = stdin();
    let shown = if input.is_terminal() { Some(tcgetattr(&input)?) } else { None };
    if let Some(shown) = &shown {
        eprint!("password: ");
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Flush, &hidden)?;
    }
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    if let Some(shown) = &shown {
        tcsetattr(&input, OptionalActions::Flush, shown)?;
        eprintln!();
    }
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
