//! A device that keeps values and does nothing else: what every device without a radio of its own can build on.
//!
//! It separates the two hands: what the ACS sets is no change "by itself", what the device changes is. (C-03)

use std::collections::BTreeMap;

use cwmp::{
    Fault, FaultCode, ParameterAttributeStruct, ParameterInfoStruct, ParameterValueStruct,
    SetParameterAttributesStruct,
};
use datamodel::{Path, Tree};
use jiff::Timestamp;

use super::{Attributes, Conditions, Device, Factory, Journal, Notify, Row, Snapshot, attributes, path};

/// Values under the model, and nothing behind them.
#[derive(Debug, Clone)]
pub struct Memory {
    factory: Factory,
    tree: Tree,
    journal: Journal,
    attributes: BTreeMap<Path, Attributes>,
    changed: BTreeMap<Path, Notify>,
}

impl Memory {
    /// A device as it left the factory, or as it was when `kept` was taken.
    #[must_use]
    pub fn new(factory: &Factory, kept: Option<&Snapshot>) -> Self {
        let mut tree = kept.map_or_else(|| factory.tree(), |kept| Tree::restore(&factory.model, &kept.tree));
        factory.name(&mut tree);
        let journal = kept.map(|kept| kept.journal).unwrap_or_default();
        let attributes = kept.map(|kept| kept.attributes.clone()).unwrap_or_default();
        Self { factory: factory.clone(), tree, journal, attributes, changed: BTreeMap::new() }
    }

    /// A change by the device itself: the ACS hears of it where it or the model wants so. (C-03)
    ///
    /// A path or value that the model does not know changes nothing.
    pub fn change(&mut self, place: &str, value: &str) {
        let Ok(path) = Path::parse(place) else { return };
        let notify = attributes::notify(&self.tree, &self.attributes, &path);
        if self.tree.put(&path, value) && notify != Notify::Off {
            self.changed.insert(path, notify);
        }
    }

    pub(super) fn is_true(&self, place: &str) -> bool {
        self.value(place) == "true"
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Whether the model knows a parameter here and allows it this value.
    pub(super) fn takes(&self, place: &str, value: &str) -> bool {
        let parameter = Path::parse(place).ok().and_then(|path| self.tree.parameter(&path));
        parameter.is_some_and(|parameter| parameter.canonical(value).is_ok())
    }

    /// As [`Device::put_rows`], with whatever names the columns.
    pub(super) fn fill<N: AsRef<str>>(&mut self, table: &str, rows: &[Vec<(N, String)>]) {
        let Ok(table) = Path::parse(table) else { return };
        let column =
            |row: &Path, name: &str| Path::parse(&format!("{row}{name}")).unwrap_or_else(|_| Path::root());
        let mut left: Vec<Path> =
            self.tree.rows(&table).into_iter().map(|number| table.row(number)).collect();
        let mut placed = Vec::new();
        for row in rows {
            let Some((key, value)) = row.first() else { continue };
            let known =
                left.iter().position(|path| self.tree.value(&column(path, key.as_ref())) == Some(value));
            placed.push((row, known.map(|at| left.remove(at))));
        }
        left.iter().for_each(|path| {
            self.tree.drop_row(path);
        });
        for (row, known) in placed {
            let Some(path) = known.or_else(|| self.tree.put_row(&table).map(|number| table.row(number)))
            else {
                return;
            };
            for (name, value) in row {
                self.tree.put(&column(&path, name.as_ref()), value);
            }
        }
    }

    /// The device has restarted into an image: for [`Device::start_image`] of whoever stands on this memory.
    pub fn image_started(&mut self, now: Timestamp) {
        self.journal.installs += 1;
        self.reboot(now);
    }

    /// An installation that somebody else did.
    pub(super) fn count_install(&mut self) {
        self.journal.installs += 1;
    }
}

impl Device for Memory {
    fn memory(&self) -> &Memory {
        self
    }

    fn memory_mut(&mut self) -> &mut Memory {
        self
    }

    fn get(&self, path: &Path) -> Result<Vec<ParameterValueStruct>, Fault> {
        self.tree.get(path)
    }

    fn names(&self, path: &Path, next_level: bool) -> Result<Vec<ParameterInfoStruct>, Fault> {
        self.tree.names(path, next_level)
    }

    fn check(&self, list: &[ParameterValueStruct]) -> Result<(), Fault> {
        self.tree.check(list).map(drop)
    }

    fn set(&mut self, list: &[ParameterValueStruct], _now: Timestamp) -> Result<(), Fault> {
        let was_on = self.is_true(path::ADMIN_STATE);
        self.tree.set(list)?;
        if !was_on && self.is_true(path::ADMIN_STATE) {
            self.journal.switch_ons += 1;
        }
        Ok(())
    }

    fn add(&mut self, table: &Path) -> Result<u32, Fault> {
        let number = self.tree.add(table)?;
        self.journal.rows_added += 1;
        Ok(number)
    }

    fn delete(&mut self, row: &Path) -> Result<(), Fault> {
        self.tree.delete(row)?;
        self.attributes.retain(|path, _| !row.contains(path));
        self.journal.rows_deleted += 1;
        Ok(())
    }

    fn forced_inform(&self) -> Vec<ParameterValueStruct> {
        let forced = self.tree.parameters(|parameter| parameter.is_forced_inform);
        let is_silent =
            |path: &Path| path.as_str() == path::ALIAS_ADDRESSING && !self.is_true(path::ALIAS_ADDRESSING);
        let wanted = forced.into_iter().filter(|path| !is_silent(path));
        wanted.filter_map(|path| self.tree.get(&path).ok()).flatten().collect()
    }

    fn value(&self, path: &str) -> String {
        let value = Path::parse(path).ok().and_then(|path| self.tree.value(&path).map(str::to_owned));
        value.unwrap_or_default()
    }

    fn put(&mut self, path: &str, value: &str) {
        if let Ok(path) = Path::parse(path) {
            self.tree.put(&path, value);
        }
    }

    fn put_rows(&mut self, table: &str, rows: &[Row]) {
        self.fill(table, rows);
    }

    fn overwrite(&mut self, row: &str, columns: &Row) -> BTreeMap<Path, Notify> {
        let mut told = BTreeMap::new();
        for (name, value) in columns {
            let Ok(path) = Path::parse(&format!("{row}{name}")) else { continue };
            self.tree.put(&path, value);
            let notify = attributes::notify(&self.tree, &self.attributes, &path);
            if notify != Notify::Off {
                told.insert(path, notify);
            }
        }
        told
    }

    fn rows(&self, table: &str) -> Vec<u32> {
        Path::parse(table).map(|table| self.tree.rows(&table)).unwrap_or_default()
    }

    fn attributes(&self, path: &Path) -> Result<Vec<ParameterAttributeStruct>, Fault> {
        attributes::get(&self.tree, &self.attributes, path)
    }

    fn set_attributes(&mut self, list: &[SetParameterAttributesStruct]) -> Result<(), Fault> {
        attributes::set(&self.tree, &mut self.attributes, list)
    }

    fn changes(&mut self) -> BTreeMap<Path, Notify> {
        std::mem::take(&mut self.changed)
    }

    fn tick(&mut self, _now: Timestamp) {}

    fn conditions(&self) -> Conditions {
        Conditions { has_link: true, awaits_hosting_party: false }
    }

    fn silence(&mut self, is_silent: bool) {
        if is_silent {
            self.change(path::RF_TX_STATUS, "false");
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    fn power_on(&mut self, _now: Timestamp) {
        for place in [path::ADMIN_STATE, path::OP_STATE, path::RF_TX_STATUS] {
            self.put(place, "false");
        }
        self.changed.clear();
    }

    fn reboot(&mut self, now: Timestamp) {
        self.journal.reboots += 1;
        self.power_on(now);
    }

    fn factory_reset(&mut self, now: Timestamp) {
        let mut tree = self.factory.tree();
        // Neither a new image nor a broken seal is undone by it. (M-09)
        for place in [path::SOFTWARE, path::TAMPERED] {
            if let Ok(path) = Path::parse(place) {
                tree.put(&path, &self.value(place));
            }
        }
        self.tree = tree;
        self.attributes.clear();
        self.journal.factory_resets += 1;
        self.power_on(now);
    }

    fn install(&mut self, _file_type: &str, _content: &[u8]) -> Result<(), Fault> {
        self.journal.installs += 1;
        Ok(())
    }

    fn file_types(&self) -> &'static [&'static str] {
        &[]
    }

    fn upload(&self, file_type: &str) -> Result<Vec<u8>, Fault> {
        Err(Fault::new(FaultCode::UPLOAD_FAILURE, format!("there is no {file_type}")))
    }

    fn upload_types(&self) -> &'static [&'static str] {
        &[]
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { tree: self.tree.snapshot(), journal: self.journal, attributes: self.attributes.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::factory::sample;

    fn set(place: &str, value: cwmp::Value) -> Vec<ParameterValueStruct> {
        vec![ParameterValueStruct::new(place.to_owned(), value)]
    }

    #[test]
    fn c03_what_the_acs_sets_is_no_change_by_itself() {
        let mut memory = Memory::new(&sample(), None);
        memory.set(&set(path::ADMIN_STATE, cwmp::Value::boolean(true)), Timestamp::UNIX_EPOCH).unwrap();
        assert!(memory.changes().is_empty());
        memory.change(path::OP_STATE, "true");
        memory.change("Device.DeviceInfo.UpTime", "7");
        let expected = BTreeMap::from([(Path::parse(path::OP_STATE).unwrap(), Notify::Active)]);
        assert_eq!(memory.changes(), expected);
        assert!(memory.changes().is_empty());
    }

    #[test]
    fn m08_power_on_locks_the_radio_and_the_journal_stays() {
        let mut memory = Memory::new(&sample(), None);
        memory.set(&set(path::ADMIN_STATE, cwmp::Value::boolean(true)), Timestamp::UNIX_EPOCH).unwrap();
        memory.reboot(Timestamp::UNIX_EPOCH);
        assert!(!memory.is_true(path::ADMIN_STATE));
        let memory = Memory::new(&sample(), Some(&memory.snapshot()));
        let expected = Journal { switch_ons: 1, reboots: 1, ..Journal::default() };
        assert_eq!(memory.snapshot().journal, expected);
    }

    #[test]
    fn c04_alias_addressing_is_informed_only_when_true() {
        let mut memory = Memory::new(&sample(), None);
        let has =
            |memory: &Memory| memory.forced_inform().iter().any(|entry| entry.name == path::ALIAS_ADDRESSING);
        assert!(!has(&memory));
        memory.put(path::ALIAS_ADDRESSING, "true");
        assert!(has(&memory));
    }
}
