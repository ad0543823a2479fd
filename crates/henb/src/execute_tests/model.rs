//! Claims about what a cell's values may be, and about what a cell without a boot loader takes. (M-13, M-14, W-01)

use datamodel::Model;

use super::*;
use crate::{device::Device as _, log::LOG_BYTES};

const LTE: &str = "Device.Services.FAPService.1.CellConfig.LTE.RAN.";

#[test]
fn m13_places_are_millionths_of_a_degree_and_sizes_are_bytes_in_powers_of_two() {
    let names = crate::config::Names { position: Some((-33_868_800, 151_209_300)), ..Default::default() };
    let factory = names.factory(&profile::Identity::parse("00005e005301.hnb.example").unwrap());
    let memory = Memory::new(&factory, None);
    let gps = |name: &str| memory.value(&format!("Device.FAP.GPS.{name}"));
    assert_eq!((gps("LockedLatitude"), gps("LockedLongitude")), ("-33868800".into(), "151209300".into()));
    let parameter = |name: &str| Model::cell().parameter(&Path::parse(name).unwrap()).unwrap();
    let latitude = parameter("Device.FAP.GPS.LockedLatitude");
    assert!(latitude.canonical("90000000").is_ok() && latitude.canonical("90000001").is_err());
    assert!(latitude.canonical("-33.8688").is_err(), "no degrees with a point");
    let size = "Device.DeviceInfo.VendorLogFile.1.MaximumSize";
    assert_eq!(parameter(size).syntax.item.units.as_deref(), Some("bytes"));
    assert_eq!((memory.value(size), LOG_BYTES), ("65536".to_owned(), 64 * 1024));
}

#[test]
fn m14_cell_identities_keep_the_ranges_of_the_radio() {
    let mut cell = cell();
    let neighbours = format!("{LTE}NeighborList.LTECell.");
    let call = AddObject { object_name: neighbours.clone().into(), parameter_key: Text::new() };
    let Ok(CpeResponse::AddObject(row)) = execute(&mut cell, call.into()) else { panic!("no row") };
    let row = row.instance_number;
    for (place, most) in [
        (format!("{LTE}Common.CellIdentity"), (1 << 28) - 1),
        (format!("{neighbours}{row}.PhyCellID"), 503),
        ("Device.Services.FAPService.1.AccessMgmt.LTE.CSGID".to_owned(), (1 << 27) - 1),
    ] {
        set_to(&mut cell, &[(&place, Value::unsigned_int(most))]).unwrap();
        assert_eq!(cell.device.value(&place), most.to_string());
        let fault = set_to(&mut cell, &[(&place, Value::unsigned_int(most + 1))]).unwrap_err();
        assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE, "{place}");
        assert_eq!(cell.device.value(&place), most.to_string());
    }
    // What the radio hears of others is held to the same range.
    let heard = Path::parse("Device.Services.FAPService.1.REM.LTE.Cell.1.RF.PhyCellID").unwrap();
    let heard = Model::cell().parameter(&heard).unwrap();
    assert!(heard.canonical("503").is_ok() && heard.canonical("504").is_err());
}

#[test]
fn w01_c23_a_cell_that_cannot_start_an_image_promises_none() {
    let clock = Arc::new(RestoredClock::restore(None, profile::build_time(), Instant::now()));
    let memory = Box::new(Memory::new(&factory(), None));
    let mut cell = Cell::power_on(memory, None, &url("https://hems.example/"), TransportMode::Public, clock);
    let fault = execute(&mut cell, a_download("https://hems.example/image").into()).unwrap_err();
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    assert!(fault.text.contains("none of: ") && !fault.text.contains(FIRMWARE), "{fault}");
    assert!(cell.transfers.is_empty());
    let other =
        Download { file_type: crate::device::RESTORATION.into(), ..a_download("https://hems.example/x") };
    execute(&mut cell, other.into()).unwrap();
}
