//! `hearth alarm`: what a person should look at, and who does.

use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Answer,
    api::Access,
    commands::Over,
    output::{self, Column, Form},
};

const ALARMS: &str = "/api/v1/alarms";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Alarms of the H(e)MS that stand, the worst first; or those that cleared, the newest first.
    List {
        /// Those that stand, or those that cleared.
        #[arg(long, value_enum, default_value = "raised")]
        state: State,
        /// Those of one severity: critical, major, minor or warning.
        #[arg(long)]
        severity: Option<String>,
    },
    /// Work the alarms out now, and say what changed.
    Evaluate,
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
pub(crate) enum State {
    Raised,
    Cleared,
}

#[derive(Debug, Args)]
pub(crate) struct Word {
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

pub(crate) async fn run(arguments: Over<Command>) -> Answer {
    let Over { access, output, command } = arguments;
    match command {
        Command::List { state, severity } => {
            let state = match state {
                State::Raised => "raised",
                State::Cleared => "cleared",
            };
            let severity = severity.map(|word| format!("&severity={}", crate::api::escaped(&word)));
            let path = format!("{ALARMS}?state={state}{}", severity.unwrap_or_default());
            let alarms = access.list(&path).await?;
            let alarms =
                if output == Form::Table { alarms.into_iter().map(with_who).collect() } else { alarms };
            output::items(output, alarms, &COLUMNS)
        }
        Command::Evaluate => output::show(
            output,
            &access.send(Method::POST, &format!("{ALARMS}/evaluation"), &Value::Null).await?,
        ),
        Command::Show { id } => output::show(output, &access.get(&format!("{ALARMS}/{id}")).await?),
        Command::Ack(word) => output::show(output, &say(&access, "acknowledge", word).await?),
        Command::Unack(word) => output::show(output, &say(&access, "unacknowledge", word).await?),
    }
}

async fn say(access: &Access, what: &str, word: Word) -> Result<Value, crate::api::ApiError> {
    let body = json!({"note": word.note});
    access.send(Method::POST, &format!("{ALARMS}/{}/{what}", word.id), &body).await
}

/// An alarm with whoever has seen it, for the table.
fn with_who(mut alarm: Value) -> Value {
    let by = alarm.pointer("/acknowledged/by").cloned().unwrap_or_default();
    alarm.as_object_mut().map(|row| row.insert("seen_by".to_owned(), by));
    alarm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_somebody_has_seen_shows_who() {
        let alarms = [
            json!({"id": 1, "severity": "major", "acknowledged": {"by": "local"}}),
            json!({"id": 2, "severity": "minor", "acknowledged": null}),
        ];
        let text = output::table(&COLUMNS, &alarms.map(with_who));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("local") && !lines[2].contains("local"), "{text}");
    }
}
