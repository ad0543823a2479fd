//! What a cell leaves the factory with: who it is, where it stands, and values that are right before anybody planned.
//!
//! The PLMN list has one row with the test network 001-01, so that a plan for a real network has something to remove.

use std::sync::Arc;

use datamodel::{Model, Path, Tree};

use super::path;
use crate::alarms::{self, current::MOST_CURRENT, event::RINGS};

/// Facts that differ from cell to cell or from product to product.
#[derive(Debug, Clone, PartialEq)]
pub struct Factory {
    /// Who made it.
    pub manufacturer: String,
    /// Six upper-case hex digits. (I-05)
    pub oui: String,
    /// The product.
    pub product_class: String,
    /// Unique within OUI and product.
    pub serial: String,
    /// The name on the box.
    pub model_name: String,
    /// The board.
    pub hardware_version: String,
    /// The image from the factory.
    pub software_version: String,
    /// Where it stands, in millionths of a degree; nothing when it has no receiver. (TR-262)
    pub position: Option<(i32, i32)>,
    /// Which parameters it has.
    pub model: Arc<Model>,
}

impl Factory {
    /// The tree of a cell that was never switched on.
    pub(super) fn tree(&self) -> Tree {
        let mut tree = Tree::new(&self.model);
        make_row(&mut tree, "Device.Services.FAPService.");
        make_row(&mut tree, path::PLMN_LIST);
        self.name(&mut tree);
        for (at, model) in MODELS.iter().enumerate() {
            make_row(&mut tree, SUPPORTED_MODELS);
            put(
                &mut tree,
                &format!("{SUPPORTED_MODELS}{}.URL", at + 1),
                &format!("http://www.broadband-forum.org/cwmp/{model}.xml"),
            );
            put(
                &mut tree,
                &format!("{SUPPORTED_MODELS}{}.URN", at + 1),
                &format!("urn:broadband-forum-org:{model}"),
            );
        }
        for (place, value) in VALUES {
            put(&mut tree, place, value);
        }
        if let Some((latitude, longitude)) = self.position {
            put(&mut tree, "Device.FAP.GPS.LockedLatitude", &latitude.to_string());
            put(&mut tree, "Device.FAP.GPS.LockedLongitude", &longitude.to_string());
            put(&mut tree, "Device.FAP.GPS.ScanStatus", "Success");
            put(&mut tree, "Device.FAP.GPS.NumberOfSatellites", "9");
            put(&mut tree, "Device.Services.FAPService.1.Capabilities.GPSEquipped", "true");
        }
        tree
    }

    /// Who it is never changes over its life, whatever was stored. (I-06)
    pub(super) fn name(&self, tree: &mut Tree) {
        let facts = [
            ("Manufacturer", &self.manufacturer),
            ("ManufacturerOUI", &self.oui),
            ("ProductClass", &self.product_class),
            ("SerialNumber", &self.serial),
            ("ModelName", &self.model_name),
            ("HardwareVersion", &self.hardware_version),
        ];
        for (name, value) in facts {
            put(tree, &format!("Device.DeviceInfo.{name}"), value);
        }
        // Every cell has them, also one whose state is from before they were known.
        let rings = RINGS.map(|(table, entries)| (table, usize::try_from(entries).unwrap_or(usize::MAX)));
        for (table, count) in FIXED_TABLES.into_iter().chain(rings) {
            (tree.rows(&parse(table)).len()..count).for_each(|_| make_row(tree, table));
        }
        for (number, row) in alarms::supported_rows() {
            for (name, value) in row {
                put(tree, &format!("{}{number}.{name}", path::SUPPORTED_ALARMS), &value);
            }
        }
        put(tree, "Device.FaultMgmt.MaxCurrentAlarmEntries", &MOST_CURRENT.to_string());
        for (name, value) in DIAGNOSTICS {
            put(tree, &format!("Device.IP.Diagnostics.{name}"), value);
        }
        put(tree, "Device.DeviceInfo.VendorConfigFile.1.Name", "configuration");
        put(tree, "Device.DeviceInfo.VendorLogFile.1.Name", "log");
        put(tree, "Device.DeviceInfo.VendorLogFile.1.MaximumSize", &crate::log::LOG_BYTES.to_string());
        if tree.value(&parse(SOFTWARE)).is_none_or(str::is_empty) {
            put(tree, SOFTWARE, &self.software_version);
        }
    }
}

/// Tables whose rows never change in number.
const FIXED_TABLES: [(&str, usize); 4] = [
    (path::IMAGES, 2),
    ("Device.DeviceInfo.VendorConfigFile.", 1),
    ("Device.DeviceInfo.VendorLogFile.", 1),
    (path::SUPPORTED_ALARMS, alarms::SUPPORTED_ROWS),
];

/// What diagnostics of files can do.
const DIAGNOSTICS: [(&str, &str); 6] = [
    ("DownloadDiagnostics.DownloadTransports", "HTTP"),
    ("UploadDiagnostics.UploadTransports", "HTTP"),
    ("IPv4DownloadDiagnosticsSupported", "true"),
    ("IPv4UploadDiagnosticsSupported", "true"),
    ("IPv6DownloadDiagnosticsSupported", "true"),
    ("IPv6UploadDiagnosticsSupported", "true"),
];

const SOFTWARE: &str = "Device.DeviceInfo.SoftwareVersion";

const VALUES: [(&str, &str); 27] = [
    ("Device.RootDataModelVersion", "2.17"),
    (path::ENABLE_CWMP, "true"),
    (path::CONNECTION_REQUEST_ENABLE, "false"),
    (path::PERIODIC_ENABLE, "true"),
    (path::PERIODIC_INTERVAL, "3600"),
    (path::RETRY_MINIMUM, "5"),
    (path::RETRY_MULTIPLIER, "2000"),
    ("Device.ManagementServer.UpgradesManaged", "true"),
    (path::TIME_ENABLE, "true"),
    (path::TIME_STATUS, "Unsynchronized"),
    ("Device.IP.Diagnostics.IPPing.NumberOfRepetitions", "3"),
    ("Device.IP.Diagnostics.IPPing.Timeout", "1000"),
    ("Device.IP.Diagnostics.IPPing.DataBlockSize", "56"),
    ("Device.IP.Diagnostics.TraceRoute.NumberOfTries", "3"),
    ("Device.IP.Diagnostics.TraceRoute.Timeout", "5000"),
    ("Device.IP.Diagnostics.TraceRoute.DataBlockSize", "38"),
    ("Device.IP.Diagnostics.TraceRoute.MaxHopCount", "30"),
    ("Device.Services.FAPService.1.DeviceType", "Standalone"),
    ("Device.Services.FAPService.1.Capabilities.SupportedSystems", "LTE"),
    ("Device.Services.FAPService.1.Capabilities.MaxTxPower", "100"),
    ("Device.Services.FAPService.1.Capabilities.LTE.BandsSupported", "1,3,7,20"),
    ("Device.Services.FAPService.1.FAPControl.LTE.Gateway.S1SigLinkPort", "36412"),
    (path::LINK_LOSS_TIME, "300"),
    ("Device.Services.FAPService.1.CellConfig.LTE.EPC.MaxPLMNListEntries", "6"),
    ("Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.1.PLMNID", "00101"),
    ("Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.1.IsPrimary", "true"),
    ("Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.1.Enable", "true"),
];

/// The models that a cell has a part of. (M-10)
const MODELS: [&str; 2] = ["tr-181-2-17-0-cwmp", "tr-196-2-1-2-cwmp"];

const SUPPORTED_MODELS: &str = "Device.DeviceInfo.SupportedDataModel.";

fn parse(text: &str) -> Path {
    Path::parse(text).unwrap_or_else(|_| Path::root())
}

fn put(tree: &mut Tree, place: &str, value: &str) {
    tree.put(&parse(place), value);
}

fn make_row(tree: &mut Tree, table: &str) {
    tree.put_row(&parse(table));
}

#[cfg(test)]
pub(crate) fn sample() -> Factory {
    Factory {
        manufacturer: "Hearth".to_owned(),
        oui: "00005E".to_owned(),
        product_class: "SimulatedCell".to_owned(),
        serial: "00005E005301".to_owned(),
        model_name: "Hearth simulated cell".to_owned(),
        hardware_version: "1".to_owned(),
        software_version: "1.0.0".to_owned(),
        position: Some((52_520_008, 13_404_954)),
        model: Arc::clone(Model::cell()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_factory_value_is_one_that_the_model_allows() {
        let tree = sample().tree();
        for (place, value) in VALUES {
            assert_eq!(tree.value(&parse(place)), Some(value), "{place}");
        }
        assert_eq!(tree.value(&parse("Device.FAP.GPS.LockedLatitude")), Some("52520008"));
        assert_eq!(tree.rows(&parse(path::PLMN_LIST)), [1]);
    }

    #[test]
    fn i06_a_stored_name_gives_way_to_the_factorys_and_a_stored_version_stays() {
        let mut tree = sample().tree();
        put(&mut tree, SOFTWARE, "2.0.0");
        Factory { serial: "X".to_owned(), ..sample() }.name(&mut tree);
        assert_eq!(tree.value(&parse("Device.DeviceInfo.SerialNumber")), Some("X"));
        assert_eq!(tree.value(&parse(SOFTWARE)), Some("2.0.0"));
    }
}
