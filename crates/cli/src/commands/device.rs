//! `hearth device`: the cells, as the H(e)MS knows them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
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

#[derive(Debug, Subcommand)]
enum Command {
    /// The devices with their states: all, or those for which a filter holds.
    ///
    /// For instance: hearth device list 'site = "north" AND last_inform < now-1d'
    List {
        /// The filter; a word alone looks for identities, serial numbers and sites that begin with it.
        #[arg(default_value = "")]
        filter: String,
        /// By which field, with - before it for the other way, such as -last_inform.
        #[arg(long, allow_hyphen_values = true)]
        sort: Option<String>,
    },
    /// One device: what is known with its age, what comes next, what went wrong.
    Show {
        /// The identity in its certificate, such as 00005e005301.hnb.example.
        identity: String,
    },
    /// Admit an identity, bound to what it must say of itself.
    Admit {
        /// The identity in its certificate.
        identity: String,
        /// Six upper-case hexadecimal digits.
        #[arg(long)]
        oui: String,
        /// The product class.
        #[arg(long)]
        product_class: String,
        /// The serial number.
        #[arg(long)]
        serial: String,
    },
    /// Admit a list of identities, in CSV or JSON: identity, oui, product_class, serial.
    ///
    /// Every row that is not admitted is shown with its place, what is wrong with it and what would be right.
    Import {
        /// The list.
        file: PathBuf,
        /// Admit all of it or nothing.
        #[arg(long)]
        strict: bool,
    },
    /// Write the inventory to standard output: all devices, or those for which a filter holds.
    ///
    /// For instance: hearth device export 'site = "north"' > north.csv
    Export {
        /// The filter.
        #[arg(default_value = "")]
        filter: String,
        /// In which form.
        #[arg(long, value_enum, default_value = "csv")]
        form: Export,
    },
    /// Say where many devices stand, by a list in CSV or JSON lines: identity, site, tags, labels.
    ///
    /// A column that is not there changes nothing, an empty one takes away. An export can be edited and imported.
    ImportPlaces {
        /// The list.
        file: PathBuf,
        /// Place all of it or nothing.
        #[arg(long)]
        strict: bool,
    },
    /// Let another admitted device take this one's place: site, tags, labels, its own values and what it drew of pools;
    /// this one is blocked.
    Swap {
        /// The identity of the old device.
        identity: String,
        /// The identity of the new one.
        #[arg(long)]
        to: String,
    },
    /// Take an admission back: the identity is unknown again, and its session ends.
    Withdraw {
        /// The identity in its certificate.
        identity: String,
    },
    /// Say at which site a device stands, and its tags and labels; what is not given is removed.
    Place {
        /// The identity in its certificate.
        identity: String,
        /// The site's name.
        #[arg(long)]
        site: Option<String>,
        /// A tag; may be repeated.
        #[arg(long = "tag")]
        tags: Vec<String>,
        /// A label, NAME=VALUE; may be repeated.
        #[arg(long = "label", value_parser = label)]
        labels: Vec<(String, String)>,
    },
    /// Clear the suspicion that an identity is two cells.
    Clear {
        /// The identity in its certificate.
        identity: String,
    },
    /// Go off the air in the next session, and stay so whatever templates want.
    Lock {
        /// The identity in its certificate.
        identity: String,
        #[command(flatten)]
        now: Now,
    },
    /// Go on the air in the next session, behind the gate.
    Unlock {
        /// The identity in its certificate.
        identity: String,
        #[command(flatten)]
        now: Now,
    },
    /// Start again in the next session.
    Reboot {
        /// The identity in its certificate.
        identity: String,
        #[command(flatten)]
        now: Now,
    },
    /// Read parameters in the next session.
    Refresh {
        /// The identity in its certificate.
        identity: String,
        /// Parameters, or what is below a path that ends in a dot.
        #[arg(required = true)]
        paths: Vec<String>,
        #[command(flatten)]
        now: Now,
    },
    /// Set parameters once in the next session, such as no template wants.
    Set {
        /// The identity in its certificate.
        identity: String,
        /// PARAMETER=VALUE; may be repeated.
        #[arg(required = true, value_parser = label)]
        values: Vec<(String, String)>,
        #[command(flatten)]
        now: Now,
    },
    /// Ask for a session now, by a Connection Request; `hearth device show` says whether it can be.
    Wake {
        /// The identity in its certificate.
        identity: String,
    },
    /// Ask every device of a filter for an action, within the budget of changes; see it go with `hearth change show`.
    ///
    /// For instance: hearth device action '{"action": "reboot"}' --filter 'site = "north"' --dry-run
    Action(ForMany),
    /// Steps that failed so often that they are not tried any more, of one device or of all.
    DeadLetters {
        /// The identity in its certificate.
        identity: Option<String>,
    },
    /// Try again in the next session what failed on a device: one step, or all.
    Retry {
        /// The identity in its certificate.
        identity: String,
        /// The step as `hearth device dead-letters` names it.
        #[arg(long)]
        step: Option<String>,
    },
    /// What the next sessions would do: the difference and the exact calls.
    Preview {
        /// The identity in its certificate.
        identity: String,
    },
    /// Queue a call of a CPE method for the device's next session.
    ///
    /// For instance: hearth device call 00005e005301.hnb.example '{"Reboot": {"CommandKey": "monday"}}'
    Call {
        /// The identity in its certificate.
        identity: String,
        /// The method with its arguments as JSON, or @FILE.
        call: String,
    },
}

/// When the device shall do it.
#[derive(Debug, Clone, Copy, Args)]
struct Now {
    /// Ask the device for a session now, and do not wait until it calls.
    #[arg(long)]
    wake: bool,
}

/// An action for every device of a filter.
#[derive(Debug, Args)]
struct ForMany {
    /// The action as JSON, or @FILE.
    action: String,
    /// Which devices.
    #[arg(long)]
    filter: String,
    /// Only say how many devices it would be, and the first of them.
    #[arg(long)]
    dry_run: bool,
    /// Why, for those who look at it later.
    #[arg(long, default_value = "")]
    reason: String,
    /// Days without a further device that calls, after which it ends.
    #[arg(long)]
    finish_days: Option<u32>,
}

impl ForMany {
    fn body(self) -> Result<Value, Box<dyn std::error::Error>> {
        let Self { action, filter, dry_run, reason, finish_days } = self;
        Ok(json!({"action": document(&action)?, "filter": filter, "dry_run": dry_run, "reason": reason,
            "finish_days": finish_days}))
    }
}

/// The forms of an export.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Export {
    /// For spreadsheets.
    Csv,
    /// For programs: one JSON object a line.
    Jsonl,
}

/// What the list and the demo's table show.
pub(crate) const COLUMNS: [Column; 13] = [
    ("IDENTITY", "identity"),
    ("SERIAL", "serial"),
    ("STATE", "state"),
    ("TLS", "tls_version"),
    ("SUITE", "suite"),
    ("SOFTWARE", "software"),
    ("PLMN", "plmn"),
    ("TAC", "tac"),
    ("PCI", "pci"),
    ("ADMIN", "admin_state"),
    ("OP", "op_state"),
    ("RF", "rf_tx_status"),
    ("IN SERVICE AFTER (S)", "in_service_after"),
];

const DEAD_LETTER_COLUMNS: [Column; 7] = [
    ("IDENTITY", "identity"),
    ("STEP", "step"),
    ("WANTED", "wanted"),
    ("FAULT", "code"),
    ("TEXT", "text"),
    ("TIMES", "count"),
    ("LAST", "last_at"),
];

pub(crate) async fn run(arguments: Arguments) -> Answer {
    let Arguments { access, output, command } = arguments;
    let answer = match command {
        Command::List { filter, sort } => return list(&access, output, &filter, sort).await,
        Command::Show { identity } => access.get(&format!("/api/v1/devices/{identity}")).await,
        Command::Admit { identity, oui, product_class, serial } => {
            let body =
                json!({"identity": identity, "oui": oui, "product_class": product_class, "serial": serial});
            access.send(Method::POST, "/api/v1/devices", &body).await
        }
        Command::Import { file, strict } => return import(&access, output, &file, strict).await,
        Command::Export { filter, form } => return export(&access, &filter, form).await,
        Command::ImportPlaces { file, strict } => return import_places(&access, output, &file, strict).await,
        Command::Swap { identity, to } => {
            access.send(Method::POST, &format!("/api/v1/devices/{identity}/swap"), &json!({"to": to})).await
        }
        Command::Withdraw { identity } => {
            access.delete(&format!("/api/v1/devices/{identity}/admission")).await
        }
        Command::Place { identity, site, tags, labels } => {
            let labels: BTreeMap<_, _> = labels.into_iter().collect();
            let body = json!({"site": site, "tags": tags, "labels": labels});
            access.send(Method::PUT, &format!("/api/v1/devices/{identity}/place"), &body).await
        }
        Command::Clear { identity } => access.delete(&format!("/api/v1/devices/{identity}/suspicion")).await,
        Command::Lock { identity, now } => act(&access, &identity, json!({"action": "lock"}), now).await,
        Command::Unlock { identity, now } => act(&access, &identity, json!({"action": "unlock"}), now).await,
        Command::Reboot { identity, now } => act(&access, &identity, json!({"action": "reboot"}), now).await,
        Command::Refresh { identity, paths, now } => {
            act(&access, &identity, json!({"action": "refresh", "paths": paths}), now).await
        }
        Command::Set { identity, values, now } => {
            let values: BTreeMap<_, _> = values.into_iter().collect();
            act(&access, &identity, json!({"action": "set", "values": values}), now).await
        }
        Command::Wake { identity } => {
            act(&access, &identity, json!({"action": "wake"}), Now { wake: false }).await
        }
        Command::Action(many) => access.send(Method::POST, "/api/v1/actions", &many.body()?).await,
        Command::DeadLetters { identity } => return dead_letters(&access, output, identity).await,
        Command::Retry { identity, step } => retry(&access, &identity, step).await,
        Command::Preview { identity } => access.get(&format!("/api/v1/devices/{identity}/preview")).await,
        Command::Call { identity, call } => {
            let path = format!("/api/v1/devices/{identity}/calls");
            access.send(Method::POST, &path, &document(&call)?).await
        }
    };
    match answer {
        Ok(Value::Null) => Ok(true),
        Ok(value) => {
            println!("{}", serde_json::to_string_pretty(&value)?);
            Ok(true)
        }
        Err(ApiError::Refused { status, detail }) if status.as_u16() == 404 => {
            eprintln!("hearth: {detail}");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

async fn act(access: &Access, identity: &str, mut action: Value, now: Now) -> Result<Value, ApiError> {
    if let (true, Some(action)) = (now.wake, action.as_object_mut()) {
        action.insert("wake".to_owned(), Value::Bool(true));
    }
    access.send(Method::POST, &format!("/api/v1/devices/{identity}/actions"), &action).await
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("that is NAME=VALUE, such as rack=7")?;
    Ok((name.to_owned(), value.to_owned()))
}

async fn list(access: &Access, form: Form, filter: &str, sort: Option<String>) -> Answer {
    let sort = sort.map(|sort| format!("&sort={}", escaped(&sort))).unwrap_or_default();
    let devices = access.list(&format!("/api/v1/devices?filter={}{sort}", escaped(filter))).await?;
    match form {
        Form::Table => {
            let columns: Vec<Column> = COLUMNS
                .into_iter()
                .chain([
                    ("SITE", "site"),
                    ("LAST INFORM", "last_inform"),
                    ("CLONE?", "clone_suspicion"),
                    ("BLOCKED", "blocked"),
                ])
                .collect();
            print!("{}", output::table(&columns, &devices));
        }
        Form::Json => println!("{}", Value::Array(devices)),
    }
    Ok(true)
}

async fn retry(access: &Access, identity: &str, step: Option<String>) -> Result<Value, ApiError> {
    let path = format!("/api/v1/devices/{identity}/dead-letters/retry");
    access.send(Method::POST, &path, &json!({"step": step})).await
}

async fn dead_letters(access: &Access, form: Form, identity: Option<String>) -> Answer {
    let path = match identity {
        Some(identity) => format!("/api/v1/dead-letters?identity={}", escaped(&identity)),
        None => "/api/v1/dead-letters".to_owned(),
    };
    let letters = access.list(&path).await?;
    match form {
        Form::Table => print!("{}", output::table(&DEAD_LETTER_COLUMNS, &letters)),
        Form::Json => println!("{}", Value::Array(letters)),
    }
    Ok(true)
}

async fn export(access: &Access, filter: &str, form: Export) -> Answer {
    let filter = escaped(filter);
    let accept = match form {
        Export::Csv => "text/csv",
        Export::Jsonl => "application/jsonl",
    };
    let path = format!("/api/v1/devices?filter={filter}");
    access.copy(&path, accept, &mut std::io::stdout().lock()).await?;
    Ok(true)
}

/// Wrong rows make the answer no.
async fn import_places(access: &Access, form: Form, file: &Path, strict: bool) -> Answer {
    let list = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let summary = access.upload(&format!("/api/v1/places?strict={strict}"), list).await?;
    let is_whole = summary.get("wrong").and_then(Value::as_u64) == Some(0);
    if form == Form::Json {
        println!("{summary}");
        return Ok(is_whole);
    }
    for row in summary.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |key| output::cell(row.get(key));
        eprintln!("{}: {}: {}", file.display(), part("place"), part("message"));
    }
    let count = |key| output::cell(summary.get(key));
    println!("{} placed, {} wrong", count("placed"), count("wrong"));
    Ok(is_whole)
}

/// Rows that contradict or cannot be read make the answer no.
async fn import(access: &Access, form: Form, file: &Path, strict: bool) -> Answer {
    let list = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let summary = access.upload(&format!("/api/v1/identities?strict={strict}"), list).await?;
    let rows = |key: &str| summary.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let (conflicts, errors) = (rows("conflicts"), rows("errors"));
    let is_whole = conflicts.is_empty() && errors.is_empty();
    if form == Form::Json {
        println!("{summary}");
        return Ok(is_whole);
    }
    for row in errors.iter().chain(&conflicts) {
        eprintln!(
            "{}: {}: {}",
            file.display(),
            output::cell(row.get("place")),
            output::cell(row.get("message"))
        );
    }
    println!(
        "{} admitted, {} as before, {} in conflict, {} wrong",
        output::cell(summary.get("admitted")),
        output::cell(summary.get("same")),
        conflicts.len(),
        errors.len()
    );
    Ok(is_whole)
}

/// JSON as typed, or from `@FILE`.
fn document(text: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let text = match text.strip_prefix('@') {
        Some(file) => {
            let file = PathBuf::from(file);
            std::fs::read_to_string(&file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?
        }
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| format!("that is no JSON: {error}").into())
}
