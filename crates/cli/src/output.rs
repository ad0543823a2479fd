//! What a terminal shows: tables, single things, chains of errors, and text of peers made harmless.
//!
//! One rule: text that a peer chose is hostile. Control characters are shown, never obeyed. (decision 21)

mod sheet;
mod table;

use std::{
    error::Error,
    io::{IsTerminal, stdout},
    panic, process,
};

use clap::ValueEnum;
use rustix::termios::tcgetwinsize;
use serde_json::Value;

use crate::{Answer, api::Access};
use sheet::Sheet;
use table::Room;
pub(crate) use table::{Column, table};

/// Columns that text has at least before it goes on below.
const NARROW: usize = 30;

/// How a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    // Without a text of their own: with one, every help is in its long form.
    Table,
    Json,
}

/// Lets the command end without a word where whoever reads it has seen enough: `hearth device list | head`.
pub(crate) fn leave_with_the_reader() {
    let otherwise = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // The one way to hear of it: `println!` panics, and the signal that ends others is ignored by Rust.
        if panic.payload_as_str().is_some_and(|text| text.starts_with(UNREAD) && text.contains("Broken pipe"))
        {
            process::exit(0);
        }
        otherwise(panic);
    }));
}

/// How the standard library begins to say that standard output takes nothing.
const UNREAD: &str = "failed printing to stdout";

/// Prints what the API said of one thing; nothing where it said nothing.
pub(crate) fn show(form: Form, value: &Value) -> Answer {
    match (form, value) {
        (_, Value::Null) => {}
        (Form::Table, Value::Object(thing)) => {
            let sheet = Sheet::of(thing);
            print!("{}", sheet.text(room()));
            for (name, rows) in &sheet.parts {
                println!("\n{name}");
                let columns = sheet::columns(rows);
                let columns: Vec<_> = columns.iter().map(|(heading, key)| (heading.as_str(), *key)).collect();
                // Whole: whoever asks for one thing has nowhere else to look.
                print!("{}", table::fitted(&columns, rows, Room::of_a_part(room())).0);
            }
        }
        (Form::Table | Form::Json, _) => println!("{value:#}"),
    }
    Ok(true)
}

/// Prints a list of the API.
pub(crate) async fn list(access: &Access, path: &str, form: Form, columns: &[Column]) -> Answer {
    items(form, access.list(path).await?, columns)
}

/// Prints a list of lists: for people a row for each thing inside, beside what `field` says of the whole it is in.
pub(crate) async fn list_inside(
    access: &Access,
    path: &str,
    form: Form,
    (inside, field): (&str, &str),
    columns: &[Column],
) -> Answer {
    let wholes = access.list(path).await?;
    if form == Form::Json {
        return items(form, wholes, columns);
    }
    let rows = |whole: &Value| {
        let mut rows = whole.get(inside).and_then(Value::as_array).cloned().unwrap_or_default();
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.insert(field.to_owned(), whole.get(field).cloned().unwrap_or_default());
        }
        rows
    };
    items(form, wholes.iter().flat_map(rows).collect(), columns)
}

/// Prints a list.
pub(crate) fn items(form: Form, items: Vec<Value>, columns: &[Column]) -> Answer {
    match form {
        Form::Table => rows_under(columns, &items),
        Form::Json => println!("{}", Value::Array(items)),
    }
    Ok(true)
}

/// The items of a list that has no pages.
pub(crate) fn rows(page: &mut Value) -> Vec<Value> {
    match page.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// Prints a table as wide as the terminal; what is not the terminal's has room for everything.
pub(crate) fn rows_under(columns: &[(&str, &str)], rows: &[Value]) {
    let (text, left_out) = table::fitted(columns, rows, Room::of_a_list(room()));
    print!("{text}");
    if !left_out.is_empty() {
        eprintln!("no room for {}: a wider terminal or `| less -S` shows it", left_out.join(", "));
    }
}

fn room() -> usize {
    let size = if stdout().is_terminal() { tcgetwinsize(stdout()).ok() } else { None };
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(usize::MAX)
}

/// One value as a cell: what is not known is a dash, never an empty text. (decision 15)
pub(crate) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => harmless(text),
        Some(Value::Bool(is_true)) => (if *is_true { "yes" } else { "no" }).to_owned(),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(fraction) if number.is_f64() => format!("{fraction:.1}"),
            _ => number.to_string(),
        },
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Object(members)) if members.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(", ")
        }
        Some(other @ (Value::Array(_) | Value::Object(_))) => harmless(&other.to_string()),
    }
}

/// A value as the lines of a cell: what is inside another thing has a line of its own.
fn lines(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            items.iter().map(|item| leaves("", item).join("  ")).collect()
        }
        Some(thing @ Value::Object(members)) if !members.is_empty() => leaves("", thing),
        other => vec![cell(other)],
    }
}

/// Everything simple in a value as `name=value`; what peers say is said as they do, and true is no yes.
fn leaves(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let dot = if name.is_empty() { "" } else { "." };
            let below =
                |(key, inner): (&String, &Value)| leaves(&format!("{name}{dot}{}", harmless(key)), inner);
            members.iter().flat_map(below).collect()
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().map(|item| format!("{name}: {}", leaves("", item).join("  "))).collect()
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            let equals = if name.is_empty() { "" } else { "=" };
            vec![format!("{name}{equals}{}", said(value))]
        }
    }
}

/// A text in lines that end between words; a word that is longer stays whole.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(last) if line == 0 => last.push_str(word),
            Some(last) if line + 1 + word.chars().count() <= room => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A value as it was said.
fn said(value: &Value) -> String {
    if let Value::Bool(is_true) = value { is_true.to_string() } else { cell(Some(value)) }
}

/// Text with its control characters shown, and those that hide text or turn it round.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || is_unseen(c) { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// Marks of direction, spaces of no width, separators of lines. (Unicode's Cf, Zl and Zp, as far as terminals heed them)
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// An error with its causes, in one line each.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let next = inner.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_a_thing_is_a_line_of_its_cell() {
        use serde_json::json;
        let changes =
            json!([{"path": "Device.X", "before": null, "after": "1"}, {"path": "Device.Y", "after": true}]);
        assert_eq!(lines(Some(&changes)), ["path=Device.X  before=-  after=1", "path=Device.Y  after=true"]);
        let call = json!({"GetParameterValues": {"ParameterNames": ["a", "b"], "x": {}}});
        assert_eq!(lines(Some(&call)), ["GetParameterValues.ParameterNames=a, b", "GetParameterValues.x=-"]);
        assert_eq!(lines(Some(&json!([["Device.X"], ["\u{1b}[2J"]]))), ["Device.X", "\\u{1b}[2J"]);
        let answer = json!({"List": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": ""}]});
        assert_eq!(lines(Some(&answer)), ["List: Name=a  Value=1", "List: Name=b  Value="]);
        assert_eq!(lines(Some(&json!(["a", "b"]))), ["a, b"]);
    }

    #[test]
    fn text_of_a_peer_cannot_move_the_cursor() {
        assert_eq!(harmless("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(harmless("\u{202e}live\u{200b}"), "\\u{202e}live\\u{200b}");
    }
}
