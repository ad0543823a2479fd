//! What a terminal shows: tables, chains of errors, and text of peers made harmless.
//!
//! One rule: text that a peer chose is hostile. Control characters are shown, never obeyed. (decision 21)

use std::error::Error;

use clap::ValueEnum;
use serde_json::Value;

use crate::{
    Answer,
    api::{Access, ApiError},
};

/// How a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Table,
    /// For programs: one JSON document.
    Json,
}

/// A column: its heading, and the JSON key that it shows.
pub(crate) type Column = (&'static str, &'static str);

/// Prints an answer of the API: JSON, or nothing; what is not there is the answer no.
pub(crate) fn answer(answer: Result<Value, ApiError>) -> Answer {
    match answer {
        Ok(Value::Null) => Ok(true),
        Ok(value) => {
            println!("{value:#}");
            Ok(true)
        }
        Err(ApiError::Refused { status, detail }) if status.as_u16() == 404 => {
            eprintln!("hearth: {detail}");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Prints a list of the API.
pub(crate) async fn list(access: &Access, path: &str, form: Form, columns: &[Column]) -> Answer {
    let items = access.list(path).await?;
    match form {
        Form::Table => print!("{}", table(columns, &items)),
        Form::Json => println!("{}", Value::Array(items)),
    }
    Ok(true)
}

/// Lines of aligned columns under their headings.
pub(crate) fn table(columns: &[Column], rows: &[Value]) -> String {
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|(_, key)| cell(row.get(key))).collect());
    let lines: Vec<Vec<String>> = std::iter::once(headings).chain(cells).collect();
    let width =
        |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).map(|at| width(at).unwrap_or(0)).collect();
    let print = |line: &Vec<String>| {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(print).collect()
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
        Some(other @ (Value::Array(_) | Value::Object(_))) => harmless(&other.to_string()),
    }
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_aligned_and_shows_the_unknown_as_a_dash() {
        let rows =
            [json!({"name": "long one", "count": 2, "is": true}), json!({"name": "b", "seconds": 1.26})];
        let text = table(&[("NAME", "name"), ("COUNT", "count"), ("IS", "is"), ("S", "seconds")], &rows);
        let expected =
            ["NAME      COUNT  IS   S", "long one  2      yes  -", "b         -      -    1.3", ""];
        assert_eq!(text, expected.join("\n"));
    }

    #[test]
    fn text_of_a_peer_cannot_move_the_cursor() {
        assert_eq!(harmless("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(harmless("\u{202e}live\u{200b}"), "\\u{202e}live\\u{200b}");
    }
}
