//! Tables that are the radio's alone: neighbours that it uses, cells that it measured. (D-04)
//!
//! One rule: what an ACS may not write and lies below a FAPService, or in a table of the vendor's own, belongs to the
//! radio, and nothing else does. Columns that the model does not know are left out; the one that tells rows apart comes
//! first, so that a row keeps its number.

use datamodel::{Access, Model, Path};

use super::{super::path, protocol::Values};

/// A row whose columns are named as the radio names them.
type Row<'r> = Vec<(&'r str, String)>;

/// The rows of a table of the radio's; nothing where the table is somebody else's.
pub(super) fn read<'r>(model: &Model, table: &str, rows: &'r [Values]) -> Option<Vec<Row<'r>>> {
    let is_radios = table.starts_with(path::SERVICES) || super::is_vendors(table);
    let path = Path::parse(table).ok().filter(|_| is_radios)?;
    let is_inner = path.as_str() != path::SERVICES;
    let object = model.table(&path).filter(|object| is_inner && object.access == Access::ReadOnly)?;
    let key = object.unique_keys.first().and_then(|key| key.last()).map(String::as_str);
    let column = |(name, value): (&'r String, &String)| {
        let column = Path::parse(&format!("{}{name}", object.path)).ok()?;
        model.parameter(&column).map(|_| (name.as_str(), value.clone()))
    };
    let read = |row: &'r Values| {
        let mut row: Row<'_> = row.iter().filter_map(column).collect();
        row.sort_by_key(|(name, _)| Some(*name) != key);
        row
    };
    Some(rows.iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::may_tell, *};
    use crate::device::{Device, Factory, Memory, sample};

    const IN_USE: &str = "Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborListInUse.LTECell.";
    const MEASURED: &str = "Device.Services.FAPService.1.REM.LTE.Cell.";

    fn rows(json: serde_json::Value) -> Vec<Values> {
        serde_json::from_value(json).unwrap()
    }

    fn tell(memory: &mut Memory, table: &str, json: serde_json::Value) {
        memory.fill(table, &read(Model::cell(), table, &rows(json)).unwrap());
    }

    #[test]
    fn d04_the_radio_fills_its_tables_and_a_row_keeps_its_number() {
        let mut memory = Memory::new(&sample(), None);
        let two = serde_json::json!([
            {"PLMNID": "00101", "CID": "7"},
            {"PLMNID": "00101", "CID": "9", "PhyCellID": "3", "Colour": "red", "CIO": "far"},
        ]);
        tell(&mut memory, IN_USE, two);
        tell(&mut memory, MEASURED, serde_json::json!([{"RF.PhyCellID": "17"}]));
        assert_eq!(memory.rows(IN_USE), [1, 2]);
        assert_eq!(memory.value(&format!("{IN_USE}2.PhyCellID")), "3");
        assert_eq!(memory.value(&format!("{MEASURED}1.RF.PhyCellID")), "17");
        tell(&mut memory, IN_USE, serde_json::json!([{"PLMNID": "00101", "CID": "9"}]));
        tell(&mut memory, MEASURED, serde_json::json!([]));
        assert_eq!((memory.rows(IN_USE), memory.rows(MEASURED)), (vec![2], vec![]));
    }

    #[test]
    fn d04_x08_what_belongs_to_others_is_not_the_radio_s_to_fill() {
        for table in [path::PLMN_LIST, path::SERVICES, path::ALARMS, path::CERTIFICATES, "Device.", "x", ""] {
            assert_eq!(read(Model::cell(), table, &rows(serde_json::json!([{}]))), None, "{table}");
        }
    }

    #[test]
    fn m11_a_vendor_s_parameters_are_its_software_s_wherever_they_stand() {
        let text = "model x\nDevice.DeviceInfo. ro\n X_ACME_Fan rw : int\nDevice.DeviceInfo.X_ACME_Sensor.{i}. ro\n Celsius ro : int";
        let vendors = Model::cell_with(vec![datamodel::Table::read(text).unwrap()]);
        let factory = Factory { model: Arc::new(vendors), ..sample() };
        let mut memory = Memory::new(&factory, None);
        let handed = super::super::values(&memory, &Path::root());
        assert_eq!(handed.get("Device.DeviceInfo.X_ACME_Fan").map(String::as_str), Some("0"));
        assert!(!handed.contains_key("Device.DeviceInfo.ProvisioningCode"));
        assert!(may_tell("Device.DeviceInfo.X_ACME_Fan", "7") && !may_tell(path::LOCAL_CLOCK, "7"));
        let sensors = "Device.DeviceInfo.X_ACME_Sensor.";
        let told = rows(serde_json::json!([{"Celsius": "41"}, {"Celsius": "43"}]));
        memory.fill(sensors, &read(memory.tree().model(), sensors, &told).unwrap());
        assert_eq!(memory.value(&format!("{sensors}2.Celsius")), "43");
    }
}
