//! `hearth alarm`: what a person should look at, and who does.

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Answer,
    api::Access,
    output::{self, Column, Form},
};

const ALARMS: &str = "/api/v1/alarms";

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
    /// Alarms of the H(e)MS that stand, the worst first; or those that cleared, the newest first.
    List {
        /// Those that stand, or those that cleared.
        #[arg(long, value_enum, default_value = "raised")]
        state: State,
        /// Those of one severity: critical, major, minor or warning.
        #[arg(long)]
        severity: Option<String>,
    },
    /// One alarm with what became of it.
    Show {
        /// Its number.
        id: u64,
    },
    /// Say that you look after an alarm.
    Ack(Word),
    /// Take that back.
    Unack(Word),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Raised,
    Cleared,
}

#[derive(Debug, Args)]
struct Word {
    /// The alarm's number.
    id: u64,
    /// What others should know.
    #[arg(long)]
    note: Option<String>,
}

const COLUMNS: [Column; 7] = [
    ("ID", "id"),
    ("SEVERITY", "severity"),
    ("KIND", "kind"),
    ("ABOUT", "object"),
    ("RAISED", "raised_at"),
    ("SEEN BY", "seen_by"),
    ("DETAIL", "detail"),
];
const HISTORY: [Column; 5] =
    [("AT", "at"), ("WHAT", "what"), ("SEVERITY", "severity"), ("BY", "by"), ("NOTE", "note")];

pub(crate) async fn run(arguments: Arguments) -> Answer {
    let Arguments { access, output, command } = arguments;
    match command {
        Command::List { state, severity } => {
            let state = match state {
                State::Raised => "raised",
                State::Cleared => "cleared",
            };
            let severity = severity.map(|word| format!("&severity={}", crate::api::escaped(&word)));
            let path = format!("{ALARMS}?state={state}{}", severity.unwrap_or_default());
            let alarms = access.list(&path).await?;
            match output {
                Form::Json => println!("{}", Value::Array(alarms)),
                Form::Table => print!("{}", table(alarms)),
            }
        }
        Command::Show { id } => show(output, access.get(&format!("{ALARMS}/{id}")).await?),
        Command::Ack(word) => show(output, say(&access, "acknowledge", word).await?),
        Command::Unack(word) => show(output, say(&access, "unacknowledge", word).await?),
    }
    Ok(true)
}

async fn say(access: &Access, what: &str, word: Word) -> Result<Value, crate::api::ApiError> {
    let body = json!({"note": word.note});
    access.send(Method::POST, &format!("{ALARMS}/{}/{what}", word.id), &body).await
}

fn table(mut alarms: Vec<Value>) -> String {
    for alarm in &mut alarms {
        let by = alarm.pointer("/acknowledged/by").cloned().unwrap_or_default();
        alarm.as_object_mut().map(|row| row.insert("seen_by".to_owned(), by));
    }
    output::table(&COLUMNS, &alarms)
}

fn show(form: Form, alarm: Value) {
    if form == Form::Json {
        println!("{alarm}");
        return;
    }
    let history = alarm.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    print!("{}\n{}", table(vec![alarm]), output::table(&HISTORY, &history));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_somebody_has_seen_shows_who() {
        let alarms = vec![
            json!({"id": 1, "severity": "major", "acknowledged": {"by": "local"}}),
            json!({"id": 2, "severity": "minor", "acknowledged": null}),
        ];
        let text = table(alarms);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("local") && !lines[2].contains("local"), "{text}");
    }
}
