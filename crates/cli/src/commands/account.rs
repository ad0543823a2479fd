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
    commands::Over,
    output::{self, Column, Form},
};

/// What an account may do, and of which devices.
#[derive(Debug, Args)]
pub(crate) struct Part {
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
pub(crate) struct PasswordFile {
    /// The file with the password, in its first line; else it is asked for.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the first administrator, by the link that `hearth serve` printed.
    First {
        /// The new account's name.
        name: String,
        /// The file with the link.
        #[arg(long, value_name = "FILE", default_value = "/var/lib/hearth/first-administrator.link")]
        link_file: PathBuf,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Every account.
    List,
    /// Which role may do what.
    Roles,
    /// One account.
    Show {
        /// Its name.
        name: String,
    },
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
        password: PasswordFile,
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
        password: PasswordFile,
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

const ROLES: [Column; 4] = [("ROLE", "role"), ("OPERATION", "id"), ("METHOD", "method"), ("PATH", "path")];

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    let path = |name: &str| format!("{PATH}/{}", escaped(name));
    let answer = match command {
        Command::List => return output::list(&access, PATH, output, &COLUMNS).await,
        Command::Roles => {
            let inside = ("operations", "role");
            return output::list_inside(&access, "/api/v1/roles", output, inside, &ROLES).await;
        }
        Command::Show { name } => access.get(&path(&name)).await,
        Command::First { name, link_file, password } => {
            return first(access, output, &name, &link_file, &password).await;
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
    output::show(output, &answer?)
}

async fn first(access: Access, form: Form, name: &str, file: &Path, password: &PasswordFile) -> Answer {
    let link = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read the link in {}: {error}", file.display()))?;
    let (_, key) = link.trim().split_once("/first-administrator#").ok_or("the file holds no link")?;
    let access = Access { is_anonymous: true, ..access };
    let body = json!({"name": name, "key": key, "password": password.read()?});
    output::show(form, &access.send(Method::POST, "/api/v1/first-administrator", &body).await?)
}

impl PasswordFile {
    fn read(&self) -> Result<String, Box<dyn Error>> {
        password(self.password_file.as_deref(), "password")
    }
}

/// The first line of a file, or what is typed where none is named.
pub(super) fn password(file: Option<&Path>, which: &str) -> Result<String, Box<dyn Error>> {
    let Some(file) = file else { return asked(which) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read the {which} in {}: {error}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// One line of what is typed, which a terminal does not show.
fn asked(which: &str) -> Result<String, Box<dyn Error>> {
    let input = stdin();
    let shown = if input.is_terminal() { Some(tcgetattr(&input)?) } else { None };
    if let Some(shown) = &shown {
        eprint!("{which}: ");
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
