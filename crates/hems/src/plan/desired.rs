//! What the operator wants of one device: templates resolved for it, every value literal. Computed, never stored.
//!
//! Rows of a table are desired by their content; which instance number carries one is the device's affair.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    Setting, Step,
    known::{Change, Known, is_same},
};
use crate::radio;

/// Characters of a wanted value by which it is known again as it is; a longer one has a digest behind them.
const WANTED_CHARS: usize = 128;

/// The rows that a table must have, and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DesiredObject {
    /// The table, with its dot.
    pub(crate) object: String,
    /// The column by which rows are told apart.
    pub(crate) key: String,
    /// Column to value; each has the key.
    pub(crate) rows: Vec<BTreeMap<String, String>>,
}

/// How the rows of a table that are there meet the rows that are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Matching {
    /// Which instance carries which wanted row.
    pub(crate) pairs: Vec<(u32, usize)>,
    /// Instances that nobody wants.
    pub(crate) surplus: Vec<u32>,
    /// Whether a wanted row has no instance yet.
    pub(crate) is_missing_rows: bool,
}

impl DesiredObject {
    /// The columns that matter.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        let mut columns: Vec<&str> =
            self.rows.iter().flat_map(|row| row.keys().map(String::as_str)).collect();
        columns.push(&self.key);
        columns.sort_unstable();
        columns.dedup();
        columns.into_iter()
    }

    /// The path of a column in a row.
    pub(crate) fn path(&self, instance: u32, column: &str) -> String {
        format!("{}{instance}.{column}", self.object)
    }

    /// The path of a column in any row, with `{i}` for the row.
    pub(crate) fn column(&self, name: &str) -> String {
        format!("{}{{i}}.{name}", self.object)
    }

    /// Finds an instance for each row: by key first, then one that was added and never filled in. Its key is empty,
    /// or what the factory puts into each new row. Where a key was not read nothing is found, missing or too much.
    pub(crate) fn matching(&self, known: &Known) -> Matching {
        if !self.is_read(known) {
            return Matching::default();
        }
        let mut free: Vec<u32> = known.instances(&self.object).into_iter().flatten().copied().collect();
        let mut wanted: Vec<usize> = (0..self.rows.len()).collect();
        let mut matching = Matching::default();
        wanted.retain(|row| {
            let fits =
                |instance| known.text(&self.key_path(instance)).is_some_and(|key| self.is_key(*row, key));
            !claim(&mut free, &mut matching.pairs, *row, fits)
        });
        wanted.retain(|row| {
            let fits = |instance| {
                known.is_fresh(&self.object, instance)
                    || known.text(&self.key_path(instance)).is_some_and(str::is_empty)
            };
            !claim(&mut free, &mut matching.pairs, *row, fits)
        });
        matching.is_missing_rows = !wanted.is_empty();
        matching.surplus = free;
        matching
    }

    fn is_read(&self, known: &Known) -> bool {
        let is_told = |instance: &u32| {
            known.is_fresh(&self.object, *instance) || known.value(&self.key_path(*instance)).is_some()
        };
        known.instances(&self.object).is_some_and(|instances| instances.iter().all(is_told))
    }

    fn is_key(&self, row: usize, text: &str) -> bool {
        self.rows.get(row).and_then(|row| row.get(&self.key)).is_some_and(|key| key == text)
    }

    fn key_path(&self, instance: u32) -> String {
        self.path(instance, &self.key)
    }
}

/// Gives a row the first free instance that fits; whether there was one.
fn claim(free: &mut Vec<u32>, pairs: &mut Vec<(u32, usize)>, row: usize, fits: impl Fn(u32) -> bool) -> bool {
    let found = free.iter().position(|instance| fits(*instance));
    if let Some(index) = found {
        pairs.push((free.remove(index), row));
    }
    found.is_some()
}

/// The software that shall run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Software {
    /// What the device calls itself then.
    pub(crate) version: String,
    /// What it fetches; nothing where there is no image for it, or none now.
    pub(crate) image: Option<Image>,
}

/// A file of firmware, as a Download names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// The number of the file.
    pub(crate) file: i64,
    pub(crate) name: String,
    /// Bytes.
    pub(crate) size: i64,
}

/// What is wanted of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Desired {
    /// Path to value, without AdminState.
    pub(crate) values: BTreeMap<String, String>,
    /// The tables.
    pub(crate) objects: Vec<DesiredObject>,
    /// Whether the cell shall be on the air; `None` leaves that alone.
    pub(crate) admin_state: Option<bool>,
    /// The software, where that is said.
    pub(crate) software: Option<Software>,
}

impl Desired {
    /// What an emergency wants: nothing but silence.
    pub(crate) fn off_the_air() -> Self {
        Self { admin_state: Some(false), ..Self::default() }
    }

    /// Whether the cell shall be on the air. Where nobody says so, one that the plan itself took off it goes on again.
    pub(crate) fn is_on_air(&self, known: &Known) -> Option<bool> {
        self.admin_state.or_else(|| known.is_held_off().then_some(true))
    }

    /// Whether it concerns the radio, so that the plan must know whether the cell is on the air.
    pub(crate) fn touches_service(&self) -> bool {
        self.admin_state.is_some()
            || self.values.keys().any(|path| path.starts_with(radio::SERVICE))
            || self.objects.iter().any(|object| object.object.starts_with(radio::SERVICE))
    }

    /// What sets values right that were as desired and are not any more.
    pub(crate) fn drifts(&self, changes: &[Change], known: &Known) -> Vec<Step> {
        if changes.is_empty() {
            return Vec::new();
        }
        let differing: BTreeMap<String, String> = self.differing(known).into_iter().collect();
        let drift = |change: &Change| {
            let (path, value) = (change.path.clone(), differing.get(&change.path)?.clone());
            let kind = known.value(&path)?.kind;
            let was_desired = is_same(kind, &change.before, &value);
            was_desired.then(|| Step::Set { settings: vec![Setting { path, value, kind }] })
        };
        changes.iter().filter_map(drift).collect()
    }

    /// What is fetched for the software, or nothing more.
    pub(crate) fn set_image(&mut self, image: Option<Image>) -> Option<Image> {
        std::mem::replace(&mut self.software.as_mut()?.image, image)
    }

    /// The version that shall run, where another one does or none is known.
    pub(crate) fn other_software(&self, known: &Known) -> Option<&str> {
        let wanted = self.software.as_ref()?.version.as_str();
        (known.text(radio::SOFTWARE) != Some(wanted)).then_some(wanted)
    }

    /// What is wanted of a deed, short: when that is another, the deed is another chance.
    pub(crate) fn wanted(&self, deed: &Step) -> String {
        let short = |value: &str| match value.char_indices().nth(WANTED_CHARS) {
            Some((end, _)) => format!("{}… #{:016x}", value.get(..end).unwrap_or_default(), digest(value)),
            None => value.to_owned(),
        };
        match deed {
            Step::Set { settings } => settings.first().map(|one| short(&one.value)).unwrap_or_default(),
            Step::Add { object } => {
                let table = self.objects.iter().find(|table| table.object == *object);
                let rows = table.map(|table| &table.rows);
                rows.map(|rows| format!("{} rows #{:016x}", rows.len(), digest(rows))).unwrap_or_default()
            }
            Step::Software { version } => version.clone(),
            Step::Methods
            | Step::Names { .. }
            | Step::Rows { .. }
            | Step::Read { .. }
            | Step::Delete { .. }
            | Step::Gate { .. } => String::new(),
        }
    }

    /// The values, rows included, that are known to be other than desired: path and desired text. A row's key comes
    /// first, so that a row which is written in several calls is ours after the first of them.
    pub(crate) fn differing(&self, known: &Known) -> Vec<(String, String)> {
        let differs = |path: &str, text: &str| {
            known.value(path).is_some_and(|held| !is_same(held.kind, &held.value, text))
        };
        let plain = self.values.iter().filter(|(path, text)| differs(path, text));
        let rows = self.objects.iter().flat_map(|object| {
            object.matching(known).pairs.into_iter().flat_map(move |(instance, row)| {
                let is_key = |column: &(&String, &String)| *column.0 == object.key;
                let columns = || object.rows.get(row).into_iter().flatten();
                let ordered = columns().filter(is_key).chain(columns().filter(move |column| !is_key(column)));
                ordered.map(move |(column, text)| (object.path(instance, column), text))
            })
        });
        let rows = rows.filter(|(path, text)| differs(path, text)).map(|(path, text)| (path, text.clone()));
        plain.map(|(path, text)| (path.clone(), text.clone())).chain(rows).collect()
    }
}

fn digest(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
