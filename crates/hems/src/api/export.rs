//! The list of devices as a file: CSV or JSON lines, page by page as it is read, so that no length of it is in memory.
//!
//! What operators say (site, tags, labels) is written as the import of places reads it. No text of a CSV begins a
//! formula, whoever said it.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::Value;

use super::{Api, PAGE_MAX, Problem, devices::DeviceView, places};
use crate::{
    filter::Filter,
    inventory::{self, ListError},
    spreadsheet::quoted,
};

/// The columns of the CSV, named as in JSON.
const COLUMNS: [&str; 17] = [
    "identity",
    "state",
    "site",
    "tags",
    "labels",
    "oui",
    "product_class",
    "serial",
    "software",
    "plmn",
    "tac",
    "pci",
    "in_service",
    "first_seen",
    "last_inform",
    "certificate_not_after",
    "blocked",
];

/// How the list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    Lines,
}

/// An export while it is read.
struct Reading {
    api: Api,
    filter: Filter,
    form: Form,
    /// Where to go on; nothing at the beginning.
    token: Option<String>,
    is_over: bool,
}

impl Form {
    /// What a caller accepts; nothing where that is the list in pages.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accepted = headers.get(header::ACCEPT)?.to_str().ok()?;
        let kinds = accepted.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
        kinds.filter_map(Self::named).next()
    }

    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Csv, Self::Lines];

    fn named(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.kind() == kind)
    }

    /// Its media type.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Lines => "application/jsonl",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Lines => "application/jsonl",
        }
    }
}

/// Answers with every device of a filter. The first page is read before the answer begins, so that a filter that no
/// index answers is refused and not cut off.
pub(super) async fn respond(api: Api, filter: Filter, form: Form) -> Result<Response, Problem> {
    let mut reading = Reading { api, filter, form, token: None, is_over: false };
    let head = if form == Form::Csv { record(COLUMNS) } else { Vec::new() };
    let first = [head, reading.page().await?].concat();
    let rest = stream::unfold(reading, |mut reading| async move {
        if reading.is_over {
            return None;
        }
        let page = reading.page().await.map(Bytes::from);
        reading.is_over |= page.is_err();
        Some((page, reading))
    });
    let all = futures_util::StreamExt::chain(stream::iter([Ok(Bytes::from(first))]), rest);
    Ok(([(header::CONTENT_TYPE, form.content_type())], Body::from_stream(all)).into_response())
}

impl Reading {
    async fn page(&mut self) -> Result<Vec<u8>, ListError> {
        let (store, now) = (&self.api.hems.store, self.api.hems.now());
        let limit = PAGE_MAX as usize;
        let page = inventory::page(store, &self.filter, self.token.as_deref(), limit, now).await?;
        self.token = page.next;
        self.is_over = self.token.is_none();
        let mut text = Vec::new();
        for device in page.devices {
            let view = serde_json::to_value(DeviceView::of(&self.api, device)).unwrap_or_default();
            text.extend(match self.form {
                Form::Csv => record(COLUMNS.map(|column| cell(column, view.get(column)))),
                Form::Lines => format!("{view}\n").into_bytes(),
            });
        }
        Ok(text)
    }
}

fn record<T: AsRef<[u8]>>(cells: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Memory takes everything.
    let _ = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}

fn cell(column: &str, value: Option<&Value>) -> String {
    match (column, value) {
        (_, None | Some(Value::Null)) => String::new(),
        ("tags", Some(tags)) => quoted(&places::tags_cell(tags)),
        ("labels", Some(labels)) => quoted(&places::labels_cell(labels)),
        (_, Some(Value::String(text))) => quoted(text),
        (_, Some(other)) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::keys::EXPORTED;

    #[test]
    fn no_column_begins_a_formula() {
        let written = |column, value: Value| cell(column, Some(&value));
        assert_eq!(written("software", "=1+2".into()), "'=1+2");
        assert_eq!(written("site", "-north".into()), "'-north");
        assert_eq!(written("tags", serde_json::json!(["-a", "b"])), "'-a b");
        assert_eq!(written("labels", serde_json::json!({"-a": "b"})), "'-a=b");
        assert_eq!(record(["a\"b", "c,d"]), b"\"a\"\"b\",\"c,d\"\n");
    }

    #[test]
    fn what_is_exported_is_known_to_the_imports() {
        let schema = schemars::schema_for!(DeviceView).to_value();
        let shown: BTreeSet<_> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(shown, EXPORTED.into_iter().collect());
    }

    #[test]
    fn the_first_form_that_we_have_is_taken() {
        let accepted = |text: &str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, text.parse().unwrap())]);
            Form::accepted(&headers)
        };
        assert_eq!(accepted("text/csv"), Some(Form::Csv));
        assert_eq!(accepted("application/xml, application/jsonl;q=0.5, text/csv"), Some(Form::Lines));
        assert_eq!(accepted("*/*"), None);
    }
}
