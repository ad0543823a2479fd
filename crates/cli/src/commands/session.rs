//! `hearth session`: the evidence of each session, and what was said in those that were recorded.

use std::{io::stdout, path::PathBuf};

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Answer,
    api::{Access, escaped},
    commands::{Over, template},
    output::{self, Column, Form},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sessions with the evidence of what was negotiated and of who it was, newest first.
    List {
        /// Those of one identity.
        #[arg(long)]
        identity: Option<String>,
    },
    /// One session: evidence, changes of values, faults, calls, and whether it was recorded.
    Show {
        /// Its number.
        id: u32,
    },
    /// Record the next sessions of a device, without secrets; or end that.
    Record {
        /// Whose.
        identity: String,
        /// How many.
        #[arg(long, default_value_t = 1)]
        sessions: u32,
        /// For how many hours they are waited for.
        #[arg(long, default_value_t = 24)]
        hours: u32,
        /// Record no more.
        #[arg(long)]
        stop: bool,
    },
    /// What was said in a session, in order.
    Recording {
        /// The session's number.
        id: u32,
        /// Remove it instead.
        #[arg(long)]
        delete: bool,
    },
    /// What today's plan would do where the device answers as it did then; exit code 1 where that is not the same.
    Replay {
        /// The session's number.
        id: u32,
        /// The template that shall be another, or be the newest version of it that was saved.
        #[arg(long, value_name = "NAME")]
        template: Option<String>,
        /// The template as it would be, as JSON.
        #[arg(long, requires = "template")]
        file: Option<PathBuf>,
    },
}

const SESSIONS: [Column; 11] = [
    ("ID", "id"),
    ("IDENTITY", "identity"),
    ("STARTED", "started_at"),
    ("OUTCOME", "outcome"),
    ("TLS", "tls_version"),
    ("SUITE", "suite"),
    ("RESUMED", "resumed"),
    ("LOWER THAN BEFORE", "downgraded"),
    ("CERTIFICATE ENDS", "certificate_not_after"),
    ("CLOCK BEHIND (S)", "clock_offset"),
    ("FROM", "peer"),
];

const TURNS: [Column; 4] = [
    ("LIKENESS", "likeness"),
    ("MADE", "made"),
    ("WOULD BE MADE", "would"),
    ("LIKELY ONLY", "is_likely_only"),
];
const DIFFERENCES: [Column; 3] = [("PATH", "path"), ("IS", "from"), ("DESIRED", "to")];

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    match command {
        Command::List { identity } => list(&access, output, identity).await,
        Command::Show { id } => output::show(output, &access.get(&format!("/api/v1/sessions/{id}")).await?),
        Command::Record { identity, stop: true, .. } => {
            output::show(output, &access.delete(&order(&identity)).await?)
        }
        Command::Record { identity, sessions, hours, stop: false } => {
            let body = json!({"sessions": sessions, "hours": hours});
            output::show(output, &access.send(Method::POST, &order(&identity), &body).await?)
        }
        Command::Recording { id, delete: true } => {
            output::show(output, &access.delete(&recording(id)).await?)
        }
        Command::Recording { id, delete: false } => match output {
            Form::Json => output::show(output, &access.get(&recording(id)).await?),
            // The H(e)MS writes it so that a terminal comes to no harm.
            Form::Table => {
                Ok(access.copy(&recording(id), "text/plain", &mut stdout()).await.map(|()| true)?)
            }
        },
        Command::Replay { id, template, file } => replay(&access, output, id, template, file).await,
    }
}

fn order(identity: &str) -> String {
    format!("/api/v1/devices/{}/recording", escaped(identity))
}

fn recording(id: u32) -> String {
    format!("/api/v1/sessions/{id}/recording")
}

async fn list(access: &Access, form: Form, identity: Option<String>) -> Answer {
    let query = identity.map(|identity| format!("?identity={}", escaped(&identity))).unwrap_or_default();
    let mut page = access.get(&format!("/api/v1/sessions{query}")).await?;
    output::items(form, output::rows(&mut page), &SESSIONS)
}

async fn replay(
    access: &Access,
    form: Form,
    id: u32,
    template: Option<String>,
    file: Option<PathBuf>,
) -> Answer {
    let mut request = json!({"name": template});
    if let Some(file) = file {
        let typed = template::read(&file)?;
        request.as_object_mut().map(|request| request.insert("template".to_owned(), typed));
    }
    let answer = access.send(Method::POST, &format!("{}/replay", recording(id)), &request).await?;
    match form {
        Form::Table => print_replay(&answer),
        Form::Json => println!("{answer}"),
    }
    let is_zero = |count: &str| answer.get(count).and_then(Value::as_u64) == Some(0);
    Ok(answer.get("error").is_none() && is_zero("differs") && is_zero("unanswered"))
}

fn print_replay(answer: &Value) {
    if let Some(error) = answer.get("error") {
        println!("Nothing can be said: {}", output::cell(Some(error)));
        return;
    }
    let method = |call: &Value| call.as_object().and_then(|call| call.keys().next()).cloned();
    let mut turns = rows(answer, "/turns");
    for turn in turns.iter_mut().filter_map(Value::as_object_mut) {
        for key in ["made", "would"] {
            if let Some(call) = turn.get_mut(key) {
                *call = method(call).map_or(Value::Null, Value::from);
            }
        }
    }
    output::rows_under(&TURNS, &turns);
    let differences = rows(answer, "/end/differences");
    if !differences.is_empty() {
        println!("\nAt the end would still differ:");
        output::rows_under(&DIFFERENCES, &differences);
    }
    for step in rows(answer, "/end/failed") {
        println!("\nThe device refused: {}", output::cell(Some(&step)));
    }
}

fn rows(value: &Value, pointer: &str) -> Vec<Value> {
    value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
}
