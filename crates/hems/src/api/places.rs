//! `/api/v1/places`: where many devices stand and what they are called, as CSV or JSON lines; every wrong row is named.
//!
//! A column that is not there changes nothing; an empty one takes away.
//!
//! ```text
//!  identity,site,tags,labels                     {"identity": "…", "site": "north", "tags": ["roof"], "labels": {}}
//!  00005e…,north,roof spare,rack=7;tenant=a      one object a line
//! ```

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Json,
    body::Bytes,
    extract::{
        Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{
    Api, Problem, devices,
    identities::{How, answered},
    place::move_of,
    words,
};
use crate::{
    inventory::{Device, Place},
    keys,
    people::Caller,
    spreadsheet::unquoted,
    store::{Condition, Move, Moved, StoreError},
};

/// Devices that one commit places: the writer has other work too.
const TOGETHER: usize = 500;
/// How often a row is placed that somebody else was quicker with.
const TRIES: usize = 8;
/// Wrong rows that are named; what is wrong with so many is wrong with all.
const NAMED_MAX: usize = 1000;
/// What a row says.
const COLUMNS: [&str; 4] = ["identity", "site", "tags", "labels"];
/// Characters of an identity that are repeated.
const SHOWN: usize = 64;

/// One row as it was written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Row {
    identity: String,
    #[serde(default, deserialize_with = "there")]
    site: Option<Option<String>>,
    #[serde(default)]
    tags: Option<BTreeSet<String>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// `null` is something else than nothing.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A row that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Wrong {
    /// `line 3`.
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// What is wrong, and what would be right.
    message: String,
}

/// What became of a list.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Placed")]
pub(super) struct Summary {
    placed: usize,
    wrong: usize,
    /// The first that are wrong.
    errors: Vec<Wrong>,
}

/// Places the devices of a list; with `strict=true`, which takes at most 10000 rows, all of them or none.
///
/// What is wrong with which row is in the answer; 422 where nothing was taken because of it.
pub(super) async fn import(
    State(api): State<Api>,
    caller: Caller,
    how: Result<Query<How>, QueryRejection>,
    list: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Summary>), Problem> {
    let Query(how) = how?;
    let list = list?;
    how.takes(read(&list))?;
    let strict = how.strict;
    let mut import = Import { api: &api, caller: &caller, strict, summary: Summary::default() };
    let mut together = Vec::new();
    for line in read(&list) {
        together.push(line);
        if together.len() == TOGETHER && !strict {
            import.place(std::mem::take(&mut together)).await?;
        }
    }
    import.place(together).await?;
    let summary = import.summary;
    Ok((answered(summary.placed, summary.wrong == 0), Json(summary)))
}

impl Summary {
    fn wrong(&mut self, place: String, row: Option<&Row>, message: String) {
        self.wrong += 1;
        if self.errors.len() < NAMED_MAX {
            let identity = row.map(|row| row.identity.chars().take(SHOWN).collect());
            self.errors.push(Wrong { place, identity, message });
        }
    }
}

/// A list on its way.
struct Import<'a> {
    api: &'a Api,
    caller: &'a Caller,
    strict: bool,
    summary: Summary,
}

impl Import<'_> {
    /// Places the devices of lines. Where somebody else places one meanwhile, its row goes onto that.
    async fn place(&mut self, mut lines: Vec<Line>) -> Result<(), Problem> {
        for _ in 0..TRIES {
            lines = self.once(lines).await?;
            if lines.is_empty() {
                return Ok(());
            }
        }
        for (line, row) in lines {
            let message = "somebody places the device again and again: import its row once more".to_owned();
            self.summary.wrong(line, row.as_ref().ok(), message);
        }
        Ok(())
    }

    /// Places them as far as they stand where they did when it was looked; gives the lines of the others.
    async fn once(&mut self, lines: Vec<Line>) -> Result<Vec<Line>, Problem> {
        let (mut ahead, mut rows, mut moves) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (line, row) in lines {
            let settled = match &row {
                Ok(row) => self.settle(row, &mut ahead).await?,
                Err(message) => Err(message.clone()),
            };
            match settled {
                Ok(one) => {
                    rows.push((line, row));
                    moves.push(one);
                }
                Err(message) => self.summary.wrong(line, row.as_ref().ok(), message),
            }
        }
        if self.strict && self.summary.wrong > 0 {
            return Ok(Vec::new());
        }
        let moved = match self.api.hems.store.place_all(moves, self.strict).await {
            Err(StoreError::Stale(_)) => return Ok(rows),
            moved => moved?,
        };
        let mut again = Vec::new();
        for ((line, row), moved) in rows.into_iter().zip(moved) {
            match moved {
                Moved::Done => self.summary.placed += 1,
                Moved::Unknown => {}
                Moved::Held(spent) => {
                    let message = format!("other templates would apply there, and {spent}");
                    self.summary.wrong(line, row.as_ref().ok(), message);
                }
                Moved::Stale => again.push((line, row)),
            }
        }
        Ok(again)
    }

    /// Where a row puts which device, or what is wrong with it; `ahead` is where the rows before it put devices.
    async fn settle(
        &self,
        row: &Row,
        ahead: &mut BTreeMap<String, Place>,
    ) -> Result<Result<Move, String>, Problem> {
        let Some(device) = devices::seen(self.api, self.caller, &row.identity).await? else {
            return Ok(Err("there is no such device: admit it first".to_owned()));
        };
        let here = ahead.get(&device.identity).cloned().map_or_else(|| device.place(), Ok)?;
        let place = row.clone().onto(here.clone());
        if let Some(complaint) = place.complaints().into_iter().next() {
            return Ok(Err(format!("`{}`: {}", complaint.place, complaint.message)));
        }
        let moved = Device { row: device, place: place.clone() };
        if !self.caller.sees(&moved) {
            return Ok(Err("the device would leave your scope: keep its tag or tenant".to_owned()));
        }
        ahead.insert(moved.row.identity.clone(), place.clone());
        Ok(Ok(move_of(self.api, &moved.row, place, Condition::unchanged(&here)).await?))
    }
}

impl Row {
    /// What is there, with what the row says instead.
    fn onto(self, place: Place) -> Place {
        Place {
            site: self.site.unwrap_or(place.site),
            tags: self.tags.unwrap_or(place.tags),
            labels: self.labels.unwrap_or(place.labels),
        }
    }
}

/// `line 3`, and what is written there.
type Line = (String, Result<Row, String>);
type Rows<'t> = Box<dyn Iterator<Item = Line> + Send + 't>;

/// Which of the two it is shows in its first byte, as with identities.
fn read(text: &[u8]) -> Rows<'_> {
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Box::new(read_lines(text)),
        Some(_) => read_csv(text),
        None => whole("the list is empty"),
    }
}

fn whole(what: &str) -> Rows<'static> {
    let message =
        format!("{what}: it is CSV that begins with identity,site,tags,labels, or JSON lines of these");
    Box::new(std::iter::once(("line 1".to_owned(), Err(message))))
}

fn read_lines(text: &[u8]) -> impl Iterator<Item = Line> + Send + '_ {
    keys::lines(text).map(|(line, item)| {
        let wrong = |error: serde_json::Error| {
            let error = words::plain(&error.to_string());
            format!("a line is an object with identity, site, tags, labels: {error}")
        };
        (line, item.and_then(|item| serde_json::from_value(keys::asked(item, &COLUMNS))).map_err(wrong))
    })
}

fn read_csv(text: &[u8]) -> Rows<'_> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
    let Ok(header) = reader.headers().cloned() else { return whole("the first line is no text in UTF-8") };
    if !header.iter().any(|name| name == "identity") {
        return whole("the first line names no column `identity`");
    }
    Box::new(reader.into_records().enumerate().map(move |(index, record)| {
        // The reader's count stands before the empty lines that it skips.
        let line = record.as_ref().ok().and_then(|record| crate::admission::line_of(text, record));
        let row = record.map_err(|_| "the row is no text in UTF-8".to_owned());
        let row = row.and_then(|record| columns(&header, &record));
        (format!("line {}", line.unwrap_or(index as u64 + 2)), row)
    }))
}

/// Columns of other names are an export's: they are not read.
fn columns(header: &csv::StringRecord, record: &csv::StringRecord) -> Result<Row, String> {
    if record.len() != header.len() {
        return Err(format!("the row has {} columns, and the header has {}", record.len(), header.len()));
    }
    let column = |name: &str| record.get(header.iter().position(|heading| heading == name)?).map(unquoted);
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Row {
        identity: column("identity").unwrap_or_default().to_owned(),
        site: column("site").map(filled),
        tags: column("tags").map(|tags| tags.split_whitespace().map(str::to_owned).collect()),
        labels: column("labels").map(labels).transpose()?,
    })
}

fn labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| format!("`labels`: {}", words::plain(&error.to_string())));
    }
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) =
            part.split_once('=').ok_or("`labels` is NAME=VALUE;NAME=VALUE, such as rack=7")?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    parts.map(pair).collect()
}

/// Tags as [`read`] takes them: their names have no blanks.
pub(super) fn tags_cell(tags: &Value) -> String {
    let tags = tags.as_array().into_iter().flatten().filter_map(Value::as_str);
    tags.collect::<Vec<_>>().join(" ")
}

/// Labels as [`read`] takes them; as JSON where a value would be taken for more than one.
pub(super) fn labels_cell(labels: &Value) -> String {
    let pairs = labels.as_object().into_iter().flatten();
    let pairs: Vec<_> = pairs.filter_map(|(name, value)| Some((name, value.as_str()?))).collect();
    if pairs.iter().any(|(_, value)| value.contains(';') || value.trim() != *value) {
        return labels.to_string();
    }
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(String, Result<Row, String>)> {
        read(text.as_bytes()).collect()
    }

    #[test]
    fn what_is_exported_is_read_back() {
        for labels in [serde_json::json!({"rack": "7", "tenant": "a"}), serde_json::json!({"odd": "a;b=c"})] {
            let cell = labels_cell(&labels);
            let read: BTreeMap<String, String> = super::labels(&cell).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), labels, "{cell}");
        }
        let read = rows("identity,tags\na,one two\n");
        let tags = read[0].1.clone().unwrap().tags.unwrap();
        assert_eq!(tags_cell(&serde_json::to_value(tags).unwrap()), "one two");
    }

    #[test]
    fn a_column_that_is_not_there_changes_nothing_and_an_empty_one_takes_away() {
        let place = Place { site: Some("north".to_owned()), ..Place::default() };
        for (text, site) in [
            ("identity,tags\na,x\n", Some("north")),
            ("identity,site\na,\n", None),
            ("{\"identity\": \"a\", \"tags\": [\"x\"]}", Some("north")),
            ("{\"identity\": \"a\", \"site\": null}", None),
        ] {
            let row = rows(text).remove(0).1.unwrap();
            assert_eq!(row.onto(place.clone()).site.as_deref(), site, "{text}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_is_named_by_its_line() {
        let named = |text: &str| -> Vec<_> {
            rows(text).into_iter().filter(|(_, row)| row.is_err()).map(|(place, _)| place).collect()
        };
        assert_eq!(named("identity,labels\na,rack=7\n\nb,rack\nc\n"), ["line 4", "line 5"]);
        assert_eq!(named("{\"identity\": \"a\"}\n\n{\"identity\": 1}\nx\n"), ["line 3", "line 4"]);
        assert_eq!(
            (named("site\nnorth\n"), named(" ")),
            (vec!["line 1".to_owned()], vec!["line 1".to_owned()])
        );
    }
}
