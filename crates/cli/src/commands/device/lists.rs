//! Lists of devices as files: in both directions, whole.
//!
//! One rule: a row that is not taken is shown with its place and what would be right, and makes the answer no.

use std::path::Path;

use serde_json::Value;

use crate::{
    Answer,
    api::{Access, escaped},
    output::{self, Form},
};

/// The forms of an export.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Export {
    /// For spreadsheets.
    Csv,
    /// For programs: one JSON object a line.
    Jsonl,
}

pub(super) async fn export(access: &Access, filter: &str, form: Export) -> Answer {
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
pub(super) async fn import_places(access: &Access, form: Form, file: &Path, strict: bool) -> Answer {
    let summary = access.upload(&format!("/api/v1/places?strict={strict}"), file).await?;
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
pub(super) async fn import(access: &Access, form: Form, file: &Path, strict: bool) -> Answer {
    let summary = access.upload(&format!("/api/v1/identities?strict={strict}"), file).await?;
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
