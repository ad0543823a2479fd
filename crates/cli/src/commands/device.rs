//! `hearth device`: the cells, as the H(e)MS knows them.

mod act;
mod lists;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Answer,
    api::{Access, escaped},
    commands::{Over, template},
    output::{self, Column, Form},
};
use act::Act;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The devices with their states: all, or those for which a filter holds.
    ///
    /// For instance: hearth device list 'site = "north" AND last_inform < now-1d'
    List {
        #[command(flatten)]
        which: Which,
        /// By which field, with - before it for the other way, such as -last_inform.
        #[arg(long, allow_hyphen_values = true)]
        sort: Option<String>,
    },
    /// How many devices there are, or for how many a filter holds.
    Count {
        #[command(flatten)]
        which: Which,
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
    /// Admit a list of identities, in CSV, JSON or JSON lines: identity, oui, product_class, serial.
    ///
    /// Every row that is not admitted is shown with its place, what is wrong with it and what would be right. An export
    /// can be imported.
    Import {
        /// The list.
        file: PathBuf,
        /// Admit all of it or nothing; at most 10000 rows.
        #[arg(long)]
        strict: bool,
    },
    /// Write the inventory to standard output: all devices, or those for which a filter holds.
    ///
    /// For instance: hearth device export 'site = "north"' > north.csv
    Export {
        #[command(flatten)]
        which: Which,
        /// In which form.
        #[arg(long, value_enum, default_value = "csv")]
        form: lists::Export,
    },
    /// Say where many devices stand, by a list in CSV or JSON lines: identity, site, tags, labels.
    ///
    /// A column that is not there changes nothing, an empty one takes away. An export can be edited and imported.
    ImportPlaces {
        /// The list.
        file: PathBuf,
        /// Place all of it or nothing; at most 10000 rows.
        #[arg(long)]
        strict: bool,
    },
    /// Let another admitted device take this one's place, and block this one.
    ///
    /// What goes over: site, tags, labels, its own values and what it drew of pools.
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
    #[command(flatten)]
    Act(Act),
    /// The calls that were queued for a device and how far each is, the newest first.
    Calls {
        /// The identity in its certificate.
        identity: String,
    },
    /// Cancel a call that is still queued; see `hearth device calls` for its number.
    Cancel {
        /// The identity in its certificate.
        identity: String,
        /// The call's number.
        call: u32,
    },
    /// What its values were before, the newest first.
    History {
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

/// All devices, or those for which a filter holds.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The filter; a word alone looks for identities, serial numbers and sites that begin with it.
    #[arg(value_name = "FILTER", conflicts_with = "filter")]
    alone: Option<String>,
    /// The same, as other commands have it.
    #[arg(long)]
    filter: Option<String>,
}

impl Which {
    fn filter(self) -> String {
        self.alone.or(self.filter).unwrap_or_default()
    }
}

/// An action for every device of a filter.
#[derive(Debug, Args)]
pub(crate) struct ForMany {
    /// The action: a word such as reboot, or as JSON where it has more to say, or @FILE.
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
        let is_word = action.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let action = if is_word { json!({"action": action}) } else { document(&action)? };
        Ok(json!({"action": action, "filter": filter, "dry_run": dry_run, "reason": reason,
            "finish_days": finish_days}))
    }
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

/// What the list shows beside.
const MORE_COLUMNS: [Column; 4] =
    [("SITE", "site"), ("LAST INFORM", "last_inform"), ("CLONE?", "clone_suspicion"), ("BLOCKED", "blocked")];

const CHANGE_COLUMNS: [Column; 2] = [("AT", "at"), ("CHANGE", "change")];
const CALL_COLUMNS: [Column; 7] = [
    ("ID", "id"),
    ("METHOD", "method"),
    ("STATE", "state"),
    ("QUEUED", "queued_at"),
    ("SENT", "sent_at"),
    ("FINISHED", "finished_at"),
    ("BY", "author"),
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

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    let answer = match command {
        Command::List { which, sort } => return list(&access, output, &which.filter(), sort).await,
        Command::Count { which } => {
            access.get(&format!("/api/v1/devices/count?filter={}", escaped(&which.filter()))).await
        }
        Command::Show { identity } => access.get(&path(&identity, "")).await,
        Command::Admit { identity, oui, product_class, serial } => {
            let body =
                json!({"identity": identity, "oui": oui, "product_class": product_class, "serial": serial});
            access.send(Method::POST, "/api/v1/devices", &body).await
        }
        Command::Import { file, strict } => return lists::import(&access, output, &file, strict).await,
        Command::Export { which, form } => return lists::export(&access, &which.filter(), form).await,
        Command::ImportPlaces { file, strict } => {
            return lists::import_places(&access, output, &file, strict).await;
        }
        Command::Swap { identity, to } => {
            access.send(Method::POST, &path(&identity, "/swap"), &json!({"to": to})).await
        }
        Command::Withdraw { identity } => access.delete(&path(&identity, "/admission")).await,
        Command::Place { identity, site, tags, labels } => {
            let labels: BTreeMap<_, _> = labels.into_iter().collect();
            let body = json!({"site": site, "tags": tags, "labels": labels});
            access.send(Method::PUT, &path(&identity, "/place"), &body).await
        }
        Command::Clear { identity } => access.delete(&path(&identity, "/suspicion")).await,
        Command::Act(act) => act.ask(&access).await,
        Command::Calls { identity } => {
            return output::list(&access, &path(&identity, "/calls"), output, &CALL_COLUMNS).await;
        }
        Command::Cancel { identity, call } => {
            access.delete(&path(&identity, &format!("/calls/{call}"))).await
        }
        Command::History { identity } => {
            return history(&access, &path(&identity, "/history"), output).await;
        }
        Command::Action(many) => access.send(Method::POST, "/api/v1/actions", &many.body()?).await,
        Command::DeadLetters { identity } => {
            let identity = identity.map(|identity| format!("identity={}", escaped(&identity)));
            let path = format!("/api/v1/dead-letters?{}", identity.unwrap_or_default());
            return output::list(&access, &path, output, &DEAD_LETTER_COLUMNS).await;
        }
        Command::Retry { identity, step } => {
            access.send(Method::POST, &path(&identity, "/dead-letters/retry"), &json!({"step": step})).await
        }
        Command::Preview { identity } => access.get(&path(&identity, "/preview")).await,
        Command::Call { identity, call } => {
            access.send(Method::POST, &path(&identity, "/calls"), &document(&call)?).await
        }
    };
    output::show(output, &answer?)
}

/// Where a device is, or what is below it.
fn path(identity: &str, below: &str) -> String {
    format!("/api/v1/devices/{}{below}", escaped(identity))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("that is NAME=VALUE, such as rack=7")?;
    Ok((name.to_owned(), value.to_owned()))
}

async fn list(access: &Access, form: Form, filter: &str, sort: Option<String>) -> Answer {
    let sort = sort.map(|sort| format!("&sort={}", escaped(&sort))).unwrap_or_default();
    let devices = access.list(&format!("/api/v1/devices?filter={}{sort}", escaped(filter))).await?;
    // First what a narrow terminal shall show.
    let (first, last) = COLUMNS.split_at(3);
    output::items(form, devices, &[first, &MORE_COLUMNS, last].concat())
}

/// Every change on two lines: paths are long, and what was there before matters as much.
async fn history(access: &Access, path: &str, form: Form) -> Answer {
    let entries = access.list(path).await?;
    if form == Form::Json {
        return output::items(form, entries, &CHANGE_COLUMNS);
    }
    let changes = |entry: &Value| entry.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |entry: &Value, change: &Value| {
        // Nothing beside an arrow looks like a mistake.
        let part = |key| match output::cell(change.get(key)) {
            text if text.is_empty() => "\"\"".to_owned(),
            text => text,
        };
        let change = [[part("path")], [format!("  {} -> {}", part("before"), part("after"))]];
        json!({"at": entry.get("at"), "change": change})
    };
    let rows = entries
        .iter()
        .flat_map(|entry| changes(entry).iter().map(|change| row(entry, change)).collect::<Vec<_>>());
    output::items(form, rows.collect(), &CHANGE_COLUMNS)
}

/// PARAMETER=VALUE of a device.
fn parameter(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("that is PARAMETER=VALUE, such as Device.Time.Enable=true")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

/// JSON as typed, or from `@FILE`.
fn document(text: &str) -> Result<Value, Box<dyn std::error::Error>> {
    match text.strip_prefix('@') {
        Some(file) => Ok(template::read(Path::new(file))?),
        None => serde_json::from_str(text).map_err(|error| format!("that is no JSON: {error}").into()),
    }
}
