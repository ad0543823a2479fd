//! The values of one device, which obey the model.
//!
//! What is written comes in whole or not at all: every entry of a SetParameterValues is checked before the first is
//! stored, and each bad one is named with what would be right. Row numbers are never used twice, not even after a
//! restart, and the counts of rows are derived.
//!
//! The methods of the ACS (`get`, `names`, `set`, `add`, `delete`) meet access rights; [`Tree::put`] is the device's own
//! hand and meets none.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cwmp::{Fault, FaultCode, ParameterInfoStruct, ParameterValueStruct, SetParameterValuesFault, Value};
use serde::{Deserialize, Serialize};

use crate::{Access, Definition, Model, Object, Parameter, Path, ValueError};

mod reference;

/// Most rows of a table for which the model names no bound: the agent's memory is bounded by it.
const TABLE_ROWS: u32 = 256;

/// What of a tree outlives a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Values by path.
    pub values: BTreeMap<Path, String>,
    /// Rows by table, and the number that the next row gets.
    pub tables: BTreeMap<Path, Rows>,
}

/// The rows of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Instance numbers in use.
    pub numbers: BTreeSet<u32>,
    /// The highest number ever given: the next row gets a higher one. (TR-069 A.3.2.6, C-19)
    pub highest: u32,
}

/// Values under a model.
#[derive(Debug, Clone)]
pub struct Tree {
    model: Arc<Model>,
    values: BTreeMap<Path, String>,
    tables: BTreeMap<Path, Rows>,
}

impl Tree {
    /// All single objects with initial values, and no rows.
    #[must_use]
    pub fn new(model: &Arc<Model>) -> Self {
        let mut tree = Self { model: Arc::clone(model), values: BTreeMap::new(), tables: BTreeMap::new() };
        tree.grow(&Path::root());
        tree
    }

    /// The tree of a snapshot; what the model no longer knows or allows is left out.
    #[must_use]
    pub fn restore(model: &Arc<Model>, snapshot: &Snapshot) -> Self {
        let mut tree = Self::new(model);
        // Outer tables stand before inner ones: a path is greater than its prefix.
        for (table, rows) in &snapshot.tables {
            if model.table(table).is_some() && tree.exists(&table.parent()) {
                rows.numbers.iter().for_each(|number| tree.open_row(table, *number));
                tree.tables.entry(table.clone()).or_default().highest = rows.highest;
            }
        }
        for (path, value) in &snapshot.values {
            tree.put(path, value);
        }
        tree.count_rows();
        tree
    }

    /// What to keep for [`Tree::restore`].
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { values: self.values.clone(), tables: self.tables.clone() }
    }

    /// What the values obey.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The stored value of a parameter.
    #[must_use]
    pub fn value(&self, path: &Path) -> Option<&str> {
        self.values.get(path).map(String::as_str)
    }

    /// The values of a parameter, or of all parameters below an object. (TR-069 A.3.2.2, C-15)
    ///
    /// # Errors
    /// 9005 where the path names nothing.
    pub fn get(&self, path: &Path) -> Result<Vec<ParameterValueStruct>, Fault> {
        self.check_exists(path)?;
        Ok(self.below(path).filter_map(|(path, value)| self.shown(path, value)).collect())
    }

    /// The names at or below a path, with what the ACS may do there. (TR-069 A.3.2.3, C-16)
    ///
    /// # Errors
    /// 9005 where the path names nothing, 9003 for the next level of a parameter.
    pub fn names(&self, path: &Path, next_level: bool) -> Result<Vec<ParameterInfoStruct>, Fault> {
        self.check_exists(path)?;
        if next_level && !path.is_partial() {
            let text = format!("{path} is a parameter and has no next level: false is right for NextLevel");
            return Err(Fault::new(FaultCode::INVALID_ARGUMENTS, text));
        }
        let mut names: BTreeMap<Path, bool> = BTreeMap::new();
        for (parameter, _) in self.below(path) {
            let writable = self.parameter(parameter).is_some_and(|found| found.access == Access::ReadWrite);
            names.insert(parameter.clone(), writable);
        }
        names.extend(self.objects(path));
        let level = path.segments().count() + 1;
        let wanted = |name: &Path| !next_level || name.segments().count() == level;
        let named = names.into_iter().filter(|(name, _)| wanted(name) && !name.as_str().is_empty());
        Ok(named
            .map(|(name, writable)| ParameterInfoStruct { name: name.to_string().into(), writable })
            .collect())
    }

    /// Checks a SetParameterValues and gives what it would store. (TR-069 A.3.2.1, C-13)
    ///
    /// # Errors
    /// 9003 with one detail per bad parameter.
    pub fn check(&self, list: &[ParameterValueStruct]) -> Result<Vec<(Path, String)>, Fault> {
        let mut good = Vec::new();
        let mut bad = Vec::new();
        let mut seen = BTreeSet::new();
        for entry in list {
            let again = || refusal(&entry.name, FaultCode::INVALID_ARGUMENTS, "named twice: once is right");
            match self.check_entry(entry) {
                Ok((path, _)) if !seen.insert(path.clone()) => bad.push(again()),
                Ok(change) => good.push(change),
                Err(detail) => bad.push(detail),
            }
        }
        bad.extend(self.doubles(&good));
        if bad.is_empty() { Ok(good) } else { Err(invalid_arguments(bad)) }
    }

    /// Stores all values or none, and gives the paths whose value is another one now. (TR-069 A.3.2.1, C-13)
    ///
    /// # Errors
    /// As [`Tree::check`].
    pub fn set(&mut self, list: &[ParameterValueStruct]) -> Result<Vec<Path>, Fault> {
        let changes = self.check(list)?;
        let stored =
            changes.into_iter().filter_map(|(path, value)| self.store(&path, &value).then_some(path));
        Ok(stored.collect())
    }

    /// A command acts and is not kept: it is changed whenever it is given, and reads as before. (M-06)
    fn store(&mut self, path: &Path, value: &str) -> bool {
        let is_command = self.model.parameter(path).is_some_and(|parameter| parameter.syntax.is_command);
        if is_command { self.value(path) != Some(value) } else { self.put(path, value) }
    }

    /// Makes a row with default values and gives its number. (TR-069 A.3.2.6, C-19)
    ///
    /// # Errors
    /// 9005 where the path names no table, 9001 where rows are the device's business, 9004 where the table is full.
    pub fn add(&mut self, table: &Path) -> Result<u32, Fault> {
        let most = most_rows(self.writable_table(table)?);
        let number = self.append(table, most).ok_or_else(|| {
            Fault::new(FaultCode::RESOURCES_EXCEEDED, format!("{table} has its {most} rows already"))
        })?;
        Ok(number)
    }

    /// Removes a row and all below it. (TR-069 A.3.2.7, C-19)
    ///
    /// # Errors
    /// 9005 where the path names no row, 9001 where rows are the device's business.
    pub fn delete(&mut self, row: &Path) -> Result<(), Fault> {
        let (Some(number), true) = (row.instance(), self.exists(row)) else {
            return Err(Fault::new(FaultCode::INVALID_PARAMETER_NAME, format!("{row} is no row of a table")));
        };
        self.writable_table(&row.parent())?;
        self.close_row(row, number);
        Ok(())
    }

    /// The device's own hand: removes a row whoever may delete rows; tells whether there was one.
    pub fn drop_row(&mut self, row: &Path) -> bool {
        let Some(number) = row.instance().filter(|_| self.exists(row)) else { return false };
        self.close_row(row, number);
        true
    }

    /// The device's own hand: stores a value whoever may write it, and tells whether it is another one now.
    ///
    /// A path or value that the model does not know changes nothing.
    pub fn put(&mut self, path: &Path, value: &str) -> bool {
        let canonical = self.model.parameter(path).and_then(|parameter| parameter.canonical(value).ok());
        match (self.values.get_mut(path), canonical) {
            (Some(stored), Some(value)) if *stored != value => {
                *stored = value;
                true
            }
            _ => false,
        }
    }

    /// The device's own hand: makes a row whoever may add rows; nothing when the table is full or unknown.
    pub fn put_row(&mut self, table: &Path) -> Option<u32> {
        let most = most_rows(self.model.table(table)?);
        if self.exists(&table.parent()) { self.append(table, most) } else { None }
    }

    /// Row numbers in use.
    #[must_use]
    pub fn rows(&self, table: &Path) -> Vec<u32> {
        self.tables.get(table).map(|rows| rows.numbers.iter().copied().collect()).unwrap_or_default()
    }

    /// The definition of a parameter that exists here.
    #[must_use]
    pub fn parameter(&self, path: &Path) -> Option<&Parameter> {
        if self.values.contains_key(path) { self.model.parameter(path) } else { None }
    }

    /// All parameters that exist here and satisfy `wanted`.
    pub fn parameters(&self, wanted: impl Fn(&Parameter) -> bool) -> Vec<Path> {
        let known = self.values.keys();
        known.filter(|path| self.model.parameter(path).is_some_and(&wanted)).cloned().collect()
    }

    fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a String)> {
        self.values.range(path.clone()..).take_while(move |(found, _)| path.contains(found))
    }

    fn shown(&self, path: &Path, value: &str) -> Option<ParameterValueStruct> {
        let parameter = self.model.parameter(path)?;
        let text = if parameter.syntax.is_hidden { "" } else { value };
        let value = Value::new(parameter.wire_kind(), text.to_owned());
        Some(ParameterValueStruct { name: path.to_string().into(), value })
    }

    fn check_entry(&self, entry: &ParameterValueStruct) -> Result<(Path, String), SetParameterValuesFault> {
        let refused = |code, text: &str| refusal(&entry.name, code, text);
        let unknown = |text: &str| refused(FaultCode::INVALID_PARAMETER_NAME, text);
        let path = Path::parse(&entry.name).map_err(|error| unknown(&error.to_string()))?;
        let parameter = self.parameter(&path).ok_or_else(|| unknown("no such parameter here"))?;
        if parameter.access == Access::ReadOnly {
            let text = if crate::is_credential(&path) {
                "certificates alone authenticate this device: it keeps no user name and no password"
            } else {
                "the device alone writes it"
            };
            return Err(refused(FaultCode::NOT_WRITABLE, text));
        }
        check_type(parameter, &entry.value)
            .map_err(|error| refused(FaultCode::INVALID_PARAMETER_TYPE, &error.to_string()))?;
        let value = parameter
            .written(&entry.value.text)
            .map_err(|error| refused(FaultCode::INVALID_PARAMETER_VALUE, &error.to_string()))?;
        self.check_reference(parameter, &value)
            .map_err(|text| refused(FaultCode::INVALID_PARAMETER_VALUE, &text))?;
        Ok((path, value))
    }

    fn writable_table(&self, table: &Path) -> Result<&Object, Fault> {
        let object = self.model.table(table).filter(|_| self.exists(&table.parent())).ok_or_else(|| {
            Fault::new(
                FaultCode::INVALID_PARAMETER_NAME,
                format!("{table} is no table: a path such as ….PLMNList. is right"),
            )
        })?;
        if object.access == Access::ReadOnly {
            let text = format!("the rows of {table} belong to the device");
            return Err(Fault::new(FaultCode::REQUEST_DENIED, text));
        }
        Ok(object)
    }

    fn append(&mut self, table: &Path, most: u32) -> Option<u32> {
        let rows = self.tables.entry(table.clone()).or_default();
        let is_full = u32::try_from(rows.numbers.len()).is_ok_and(|count| count >= most);
        let number = rows.highest.checked_add(1).filter(|_| !is_full)?;
        self.open_row(table, number);
        self.count_rows();
        Some(number)
    }

    fn close_row(&mut self, row: &Path, number: u32) {
        self.values.retain(|path, _| !row.contains(path));
        self.tables.retain(|table, _| !row.contains(table));
        if let Some(rows) = self.tables.get_mut(&row.parent()) {
            rows.numbers.remove(&number);
        }
        self.forget(row);
        self.count_rows();
    }

    fn open_row(&mut self, table: &Path, number: u32) {
        let rows = self.tables.entry(table.clone()).or_default();
        rows.numbers.insert(number);
        rows.highest = rows.highest.max(number);
        self.grow(&table.row(number));
    }

    /// Gives initial values to what stands in an object and in the single objects below it.
    fn grow(&mut self, object: &Path) {
        let model = Arc::clone(&self.model);
        let schema = object.schema();
        for definition in model.below(&schema) {
            let Definition::Parameter(parameter) = definition else { continue };
            let tail = parameter.path.as_str().get(schema.as_str().len()..).unwrap_or_default();
            if tail.contains('{') {
                continue;
            }
            if let Ok(path) = Path::parse(&format!("{object}{tail}")) {
                self.values.entry(path).or_insert_with(|| parameter.initial());
            }
        }
    }

    fn count_rows(&mut self) {
        for (table, rows) in &self.tables {
            let count = self.model.table(table).and_then(|object| object.count.as_ref());
            let Some(Ok(path)) = count.map(|count| Path::parse(&format!("{}{count}", table.parent()))) else {
                continue;
            };
            self.values.insert(path, rows.numbers.len().to_string());
        }
    }

    fn check_exists(&self, path: &Path) -> Result<(), Fault> {
        if self.exists(path) {
            return Ok(());
        }
        Err(Fault::new(FaultCode::INVALID_PARAMETER_NAME, format!("nothing here has the path {path}")))
    }

    fn exists(&self, path: &Path) -> bool {
        if !path.is_partial() {
            return self.values.contains_key(path);
        }
        let is_known = || self.model.object(path).is_some() || self.model.table(path).is_some();
        path.as_str().is_empty() || (is_known() && self.has_rows_of(path))
    }

    /// True when each row that the path goes through is there.
    fn has_rows_of(&self, path: &Path) -> bool {
        let rows = std::iter::successors(Some(path.clone()), |path| Some(path.parent()));
        let above = rows.take_while(|path| !path.as_str().is_empty());
        let mut rows = above.filter_map(|path| Some((path.instance()?, path.parent())));
        rows.all(|(number, table)| self.tables.get(&table).is_some_and(|rows| rows.numbers.contains(&number)))
    }

    /// Every object at or below a path that exists here, tables and rows too, with whether AddObject or DeleteObject is
    /// right there.
    fn objects(&self, path: &Path) -> BTreeMap<Path, bool> {
        let mut objects = BTreeMap::new();
        let schema = path.schema();
        for definition in self.model.below(&schema) {
            let Definition::Object(object) = definition else { continue };
            let writable = object.access == Access::ReadWrite;
            let tail = object.path.as_str().get(schema.as_str().len()..).unwrap_or_default();
            let Some(tail) = tail.strip_suffix("{i}.") else {
                let places = self.expand(&format!("{path}{tail}"));
                objects.extend(places.into_iter().map(|path| (path, writable)));
                continue;
            };
            for table in self.expand(&format!("{path}{tail}")) {
                objects.extend(self.rows(&table).into_iter().map(|number| (table.row(number), writable)));
                objects.insert(table, writable);
            }
        }
        objects
    }

    /// The concrete paths of a path with `{i}`, one per row of each table in it.
    fn expand(&self, schema: &str) -> Vec<Path> {
        let Some((table, tail)) = schema.split_once("{i}") else {
            return Path::parse(schema).into_iter().collect();
        };
        let Ok(table) = Path::parse(table) else { return Vec::new() };
        let rows = self.rows(&table).into_iter();
        rows.flat_map(|number| self.expand(&format!("{table}{number}{tail}"))).collect()
    }
}

fn most_rows(table: &Object) -> u32 {
    table.entries.1.unwrap_or(TABLE_ROWS)
}

fn check_type(parameter: &Parameter, value: &Value) -> Result<(), ValueError> {
    let expected = parameter.wire_kind();
    if expected == value.kind {
        return Ok(());
    }
    Err(ValueError::Type { expected: expected.xsi_type(), found: value.kind.xsi_type() })
}

fn refusal(name: &cwmp::Text, code: FaultCode, text: &str) -> SetParameterValuesFault {
    SetParameterValuesFault {
        parameter_name: name.clone(),
        fault_code: code,
        fault_string: text.to_owned().into(),
    }
}

fn invalid_arguments(details: Vec<SetParameterValuesFault>) -> Fault {
    Fault { details, ..Fault::from(FaultCode::INVALID_ARGUMENTS) }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
