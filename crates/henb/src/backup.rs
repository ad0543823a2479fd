//! The configuration as a file, and back: all that an ACS may write, and nothing that identifies or gives access. (W-10)
//!
//! ```text
//!   HEARTH-CONFIGURATION 1 <SHA-256 of the rest>\n   JSON: whose it is, rows, values
//! ```
//!
//! The hash shows damage, the names show whose it is, and who sent it was shown by TLS; a secret that would sign it
//! does not exist. A file is tried on a copy first: it is restored whole, or nothing changes. The radio's permission and
//! the choice of an image are not configuration, and stay.

use std::collections::{BTreeMap, BTreeSet};

use cwmp::{Fault, FaultCode, FaultStruct, ParameterInfoStruct, ParameterValueStruct, Value};
use datamodel::{Parameter, Path};
use profile::Sha256;
use serde::{Deserialize, Serialize};

use crate::{
    cell::Cell,
    device::{Device, path},
    execute,
    transfer::fault,
};

/// How a backup begins, with the number of its layout.
const MARK: &str = "HEARTH-CONFIGURATION 1 ";

/// Writable, and still no configuration.
const LEFT_OUT: [&str; 4] = [path::ADMIN_STATE, path::BOOT_IMAGE, path::IMAGES, "Device.IP.Diagnostics."];

/// What stands behind the hash.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backup {
    oui: String,
    product_class: String,
    serial_number: String,
    software_version: String,
    /// Rows that an ACS may make, outer ones first.
    rows: Vec<Path>,
    values: BTreeMap<Path, String>,
}

/// Writes a backup.
///
/// # Errors
/// The device does not say what it has.
pub(crate) fn write(cell: &Cell) -> Result<Vec<u8>, Fault> {
    let fact = |name: &str| cell.device.value(&format!("Device.DeviceInfo.{name}"));
    let names = cell.device.names(&Path::root(), false)?;
    let writable = writable(&names);
    let is_wanted = |path: &Path| {
        let is_left_out = LEFT_OUT.iter().any(|left| path.as_str().starts_with(left));
        let parameter = cell.device.memory().tree().parameter(path);
        // What the device alone says could not be written back.
        let is_writable = |found: &Parameter| found.written(&cell.device.value(path.as_str())).is_ok();
        let is_kept =
            |found: &Parameter| !found.syntax.is_hidden && !found.syntax.is_command && is_writable(found);
        !is_left_out && parameter.is_some_and(is_kept)
    };
    let values = writable.iter().filter(|path| is_wanted(path));
    let backup = Backup {
        oui: fact("ManufacturerOUI"),
        product_class: fact("ProductClass"),
        serial_number: fact("SerialNumber"),
        software_version: fact("SoftwareVersion"),
        rows: rows(&names),
        values: values.map(|path| (path.clone(), cell.device.value(path.as_str()))).collect(),
    };
    let json = serde_json::to_vec_pretty(&backup)
        .map_err(|error| Fault::new(FaultCode::INTERNAL_ERROR, error.to_string()))?;
    Ok([format!("{MARK}{}\n", hash(&json)).into_bytes(), json].concat())
}

fn hash(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

fn writable(names: &[ParameterInfoStruct]) -> Vec<Path> {
    let writable = names.iter().filter(|entry| entry.writable);
    writable.filter_map(|entry| Path::parse(&entry.name).ok()).collect()
}

/// Rows that an ACS may delete: a path is greater than its prefix, so outer ones come first.
fn rows(names: &[ParameterInfoStruct]) -> Vec<Path> {
    let rows: BTreeSet<Path> = writable(names).into_iter().filter(|path| path.instance().is_some()).collect();
    rows.into_iter().collect()
}

/// Restores a backup of this cell.
///
/// # Errors
/// 9018 with what is wrong; then nothing has changed.
pub(crate) fn restore(cell: &mut Cell, content: &[u8]) -> Result<(), FaultStruct> {
    let refused = |text: String| fault(FaultCode::FILE_CORRUPTED, text);
    let backup = read(content).map_err(refused)?;
    let fact = |name: &str| cell.device.value(&format!("Device.DeviceInfo.{name}"));
    let own = [fact("ManufacturerOUI"), fact("ProductClass"), fact("SerialNumber")];
    let found = [&backup.oui, &backup.product_class, &backup.serial_number];
    if found != own.each_ref() {
        let [oui, class, serial] = found;
        return Err(refused(format!("the configuration is that of {oui} {class} {serial}")));
    }
    let mut copy = cell.device.memory().clone();
    let list = align(&mut copy, &backup).map_err(|error| refused(error.to_string()))?;
    let checked = copy.check(&list).map_err(|error| error.details);
    // The rules of a SetParameterValues, asked where the rows of the backup are.
    let device = std::mem::replace(&mut cell.device, Box::new(copy));
    let refusals = execute::refusals(cell, &list);
    cell.device = device;
    let details = checked.err().into_iter().flatten().chain(refusals);
    let wrong: Vec<String> =
        details.take(5).map(|detail| format!("{}: {}", detail.parameter_name, detail.fault_string)).collect();
    if !wrong.is_empty() {
        return Err(refused(format!("the configuration does not fit: {}", wrong.join("; "))));
    }
    carry_over(cell, &backup).map_err(|error| refused(error.to_string()))?;
    cell.apply_settings();
    Ok(())
}

/// What the copy took, the radio may still refuse: then the rows, too, are as before.
fn carry_over(cell: &mut Cell, backup: &Backup) -> Result<(), Fault> {
    let (former, now) = (cell.device.memory().clone(), cell.now());
    let outcome = align(&mut *cell.device, backup).and_then(|list| cell.device.set(&list, now));
    if outcome.is_err() {
        cell.device.revert(former, now);
    }
    outcome
}

fn read(content: &[u8]) -> Result<Backup, String> {
    let text = content.strip_prefix(MARK.as_bytes()).ok_or("the file is no configuration of this product")?;
    let line = text.iter().position(|byte| *byte == b'\n').ok_or("the file ends in its first line")?;
    let (said, json) = text.split_at(line);
    let json = json.get(1..).unwrap_or_default();
    if said != hash(json).as_bytes() {
        return Err("the file is damaged: its hash is another one".to_owned());
    }
    serde_json::from_slice(json).map_err(|error| format!("the file is no configuration: {error}"))
}

/// Gives every table as many rows as the backup has, and the values at the paths where they belong now: a number that a
/// deleted row had is never used again. (TR-069 A.3.2.6, C-19)
fn align(target: &mut dyn Device, backup: &Backup) -> Result<Vec<ParameterValueStruct>, Fault> {
    let mut left = rows(&target.names(&Path::root(), false)?);
    let mut places: BTreeMap<Path, Path> = BTreeMap::new();
    for row in &backup.rows {
        let table = moved(&row.parent(), &places);
        let known = left.iter().position(|path| path.parent() == table);
        let place = match known {
            Some(at) => left.remove(at),
            None => table.row(target.add(&table)?),
        };
        places.insert(row.clone(), place);
    }
    // The inner rows go with the outer one.
    while let Some(row) = left.first().cloned() {
        target.delete(&row)?;
        left.retain(|path| *path != row && !row.contains(path));
    }
    let entry = |(path, value): (&Path, &String)| {
        let path = moved(path, &places);
        let value = followed(value, &places);
        let kind = target.memory().tree().parameter(&path).map(Parameter::wire_kind);
        let value = Value::new(kind.unwrap_or_default(), value);
        ParameterValueStruct::new(path.to_string(), value)
    };
    Ok(backup.values.iter().map(entry).collect())
}

/// A value with the rows that it names where they are now. (M-04)
fn followed(value: &str, places: &BTreeMap<Path, Path>) -> String {
    let place = |item: &str| places.get(&Path::parse(&format!("{item}.")).ok()?);
    let follow = |item| place(item).map_or(item, |row| row.as_str().trim_end_matches('.'));
    value.split(',').map(follow).collect::<Vec<_>>().join(",")
}

/// A path of the backup, where its innermost row is now.
fn moved(path: &Path, places: &BTreeMap<Path, Path>) -> Path {
    let innermost = places.iter().rev().find(|(row, _)| row.contains(path));
    let there = innermost.and_then(|(row, place)| {
        let tail = path.as_str().get(row.as_str().len()..)?;
        Path::parse(&format!("{place}{tail}")).ok()
    });
    there.unwrap_or_else(|| path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Memory, sample};

    /// A radio that refuses one kind of change, after it took some others.
    struct Stubborn(Memory, &'static str);

    impl Stubborn {
        fn refuses(&self, what: &str) -> Result<(), Fault> {
            if self.1 == what { Err(FaultCode::RESOURCES_EXCEEDED.into()) } else { Ok(()) }
        }
    }

    impl Device for Stubborn {
        fn memory(&self) -> &Memory {
            &self.0
        }

        fn memory_mut(&mut self) -> &mut Memory {
            &mut self.0
        }

        fn add(&mut self, table: &Path) -> Result<u32, Fault> {
            let is_second = self.0.rows(path::PLMN_LIST).len() > 1;
            self.refuses(if is_second { "second row" } else { "row" })?;
            self.0.add(table)
        }

        fn delete(&mut self, row: &Path) -> Result<(), Fault> {
            self.refuses("deletion")?;
            self.0.delete(row)
        }

        fn set(&mut self, list: &[ParameterValueStruct], now: jiff::Timestamp) -> Result<(), Fault> {
            self.refuses("values")?;
            self.0.set(list, now)
        }
    }

    /// A cell before this radio.
    fn cell(memory: Memory, refuses: &'static str) -> Cell {
        let started = std::time::Instant::now();
        let clock = profile::RestoredClock::restore(None, profile::build_time(), started);
        let mode = profile::TransportMode::Public;
        let url = profile::HemsUrl::parse("https://hems.example/", mode).unwrap();
        Cell::power_on(Box::new(Stubborn(memory, refuses)), None, &url, mode, clock.into())
    }

    #[test]
    fn w10_where_the_radio_refuses_a_part_rows_and_values_are_as_before() {
        const UPLOADS: &str = "Device.FAP.PerfMgmt.Config.";
        let table = |text| Path::parse(text).unwrap();
        let mut other = Memory::new(&sample(), None);
        (0..2).for_each(|_| assert!(other.add(&table(path::PLMN_LIST)).is_ok()));
        let mut own = Memory::new(&sample(), None);
        // One row here that the backup does not have, and two there.
        own.add(&table(UPLOADS)).unwrap();
        let file = write(&cell(other, "nothing")).unwrap();
        for refused in ["row", "second row", "deletion", "values"] {
            let mut cell = cell(own.clone(), refused);
            let before = cell.device.snapshot();
            let fault = restore(&mut cell, &file).unwrap_err();
            assert_eq!(fault.fault_code, FaultCode::FILE_CORRUPTED, "{refused}");
            assert_eq!(cell.device.snapshot(), before, "{refused}");
        }
        let mut cell = cell(own.clone(), "nothing");
        restore(&mut cell, &file).unwrap();
        assert_eq!((cell.device.rows(path::PLMN_LIST).len(), cell.device.rows(UPLOADS).len()), (3, 0));
    }

    #[test]
    fn m04_w10_a_reference_follows_the_row_that_it_names() {
        let path = |text| Path::parse(text).unwrap();
        let places =
            BTreeMap::from([(path("Device.FAP.PerfMgmt.Config.1."), path("Device.FAP.PerfMgmt.Config.4."))]);
        assert_eq!(followed("Device.FAP.PerfMgmt.Config.1", &places), "Device.FAP.PerfMgmt.Config.4");
        assert_eq!(followed("x,Device.FAP.PerfMgmt.Config.1", &places), "x,Device.FAP.PerfMgmt.Config.4");
        for other in ["", "Device.FAP.PerfMgmt.Config.2", "straße 3, links", "a,,b"] {
            assert_eq!(followed(other, &places), other);
        }
    }
}
