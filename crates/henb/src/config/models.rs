//! The models that a vendor brings: tables which `hearth model` made of its XML. (M-11, decision record 0038)
//!
//! ```text
//!   models = ["acme.txt"] ─▶ read, bounded ─▶ beside what every cell has ─▶ Config::model
//! ```

use std::{fs, path::Path, sync::Arc};

use datamodel::{Model, Table};

use super::reader::{Reader, Typed};

/// Most files: one a vendor, and a few for what it buys in.
const MOST_FILES: usize = 8;

/// Largest file: ten times what the standard's LTE part needs.
const FILE_BYTES: u64 = 1 << 20;

/// Most objects and parameters of all files: six times what every cell has, and one of each fits into a response.
const MOST_DEFINITIONS: usize = 4_000;

/// The model of the cell; each complaint about a table names its line there.
pub(super) fn meaning(reader: &mut Reader<'_>, base: &Path, files: &[Typed<String>]) -> Arc<Model> {
    if let Some(more) = files.get(MOST_FILES) {
        reader.complain(more.line, format!("models: at most {MOST_FILES} files are right"));
    }
    let files = files.get(..MOST_FILES).unwrap_or(files);
    let read = |file: &Typed<String>| Some((file.line, file.parse(reader, |name| read(&base.join(name)))?));
    let read: Vec<(usize, Table)> = files.iter().filter_map(read).collect();
    let count: usize = read.iter().map(|(_, table)| table.definitions.len()).sum();
    let Some((line, _)) = read.first() else { return Arc::clone(Model::cell()) };
    if count > MOST_DEFINITIONS {
        let right = "`hearth model select` takes of a table what the cell has";
        let text = format!("models: {count} rows, at most {MOST_DEFINITIONS} are right: {right}");
        reader.complain(*line, text);
    }
    Arc::new(Model::cell_with(read.into_iter().map(|(_, table)| table).collect()))
}

fn read(path: &Path) -> Result<Table, String> {
    let told = path.display();
    let length = path.metadata().map_err(|error| format!("models: cannot read {told}: {error}"))?.len();
    if length > FILE_BYTES {
        let right = "`hearth model select` takes of a table what the cell has";
        return Err(format!("models: {told} has more than {FILE_BYTES} octets: {right}"));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("models: cannot read {told}: {error}"))?;
    if text.trim_start().starts_with('<') {
        return Err(format!(
            "models: {told}:1: this is XML: the table that `hearth model import` makes of it is right"
        ));
    }
    Table::read(&text).map_err(|error| format!("models: {told}:{}: {}", error.line, error.what))
}
