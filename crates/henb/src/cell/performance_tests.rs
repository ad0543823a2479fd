//! Which rows make files, what is in them, and what an ACS may not set.

use std::{sync::Arc, time::Instant};

use cwmp::{AddObject, CpeMethod, DeleteObject, Fault, SetParameterValues, Value};
use profile::{RestoredClock, Source, TransportMode};

use super::*;
use crate::{
    device::{Period, Radio, Simulated, sample},
    execute::execute,
};

const QUARTER: Duration = Duration::from_secs(900);
const REFERENCE: &str = "Device.Services.FAPService.1.FAPControl.LTE.PMConfig";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn call(cell: &mut Cell, call: impl Into<CpeMethod>) -> Result<(), Fault> {
    execute(cell, call.into()).map(drop)
}

fn set(cell: &mut Cell, list: &[(&str, Value)]) -> Result<(), Fault> {
    let entry = |(name, value): &(&str, Value)| ParameterValueStruct::new((*name).to_owned(), value.clone());
    let parameter_list = list.iter().map(entry).collect();
    call(cell, SetParameterValues { parameter_list, parameter_key: "k".into() })
}

/// A cell with two rows, enabled, a quarter of an hour each.
fn cell() -> Cell {
    let clock =
        RestoredClock::restore(Some(at("2026-06-01T00:10:00Z")), at("2020-01-01T00:00:00Z"), Instant::now());
    let url = HemsUrl::parse("https://hems.example/", TransportMode::Public).unwrap();
    let device = Simulated::new(&sample(), Radio::default(), None);
    let mut cell = Cell::power_on(Box::new(device), None, &url, TransportMode::Public, Arc::new(clock));
    for row in [1, 2] {
        call(&mut cell, AddObject { object_name: path::PERFORMANCE.into(), parameter_key: "k".into() })
            .unwrap();
        set(
            &mut cell,
            &[
                (&column(row, "Enable"), Value::boolean(true)),
                (&column(row, "URL"), Value::string(format!("https://files.example/{row}/"))),
                (&column(row, "PeriodicUploadInterval"), Value::unsigned_int(900)),
            ],
        )
        .unwrap();
    }
    cell
}

fn ended(row: u32) -> Ended {
    let period = Period { begin: at("2026-06-01T00:00:00Z"), end: at("2026-06-01T00:15:00Z") };
    Ended { row, interval: QUARTER, period, is_whole: true }
}

fn file(cell: &mut Cell, row: u32) -> String {
    String::from_utf8(cell.performance_file(ended(row)).unwrap().content).unwrap()
}

#[test]
fn n04_a_row_carries_what_the_radios_that_refer_to_it_counted() {
    let mut cell = cell();
    set(&mut cell, &[(REFERENCE, Value::string("Device.FAP.PerfMgmt.Config.2."))]).unwrap();
    assert!(!file(&mut cell, 1).contains("measInfo"), "nobody refers to it");
    assert!(file(&mut cell, 2).contains("<measType p=\"1\">ERAB.EstabInitAttNbr.QCI1</measType>"));
    let one = |object: &str| Measurement { object: object.into(), counter: "c".into(), value: "1".into() };
    let all = vec![one("ENBFunction=1,EUtranGenericCell=1"), one("ENBFunction=2"), one("Equipment=1")];
    assert_eq!(of_services(all.clone(), &[1, 2]), all);
    assert_eq!(of_services(all.clone(), &[2]), all[1..]);
}

#[test]
fn n04_a_reference_names_a_row_and_goes_with_it() {
    let mut cell = cell();
    for wrong in ["Device.FAP.PerfMgmt.Config.7.", "Device.Services.FAPService.1."] {
        let fault = set(&mut cell, &[(REFERENCE, Value::string(wrong))]).unwrap_err();
        assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE, "{wrong}");
    }
    set(&mut cell, &[(REFERENCE, Value::string("FAP.PerfMgmt.Config.1"))]).unwrap();
    call(
        &mut cell,
        DeleteObject { object_name: "Device.FAP.PerfMgmt.Config.1.".into(), parameter_key: "k".into() },
    )
    .unwrap();
    assert_eq!(cell.device.value(REFERENCE), "");
    set(&mut cell, &[(REFERENCE, Value::string(""))]).unwrap();
}

#[test]
fn n01_n05_a_url_is_https_and_there_is_no_user_name() {
    let mut cell = cell();
    let fault = set(&mut cell, &[(&column(1, "URL"), Value::string("http://files.example/"))]).unwrap_err();
    assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE);
    for name in ["Username", "Password"] {
        let fault = set(&mut cell, &[(&column(1, name), Value::string("x"))]).unwrap_err();
        assert_eq!(fault.details[0].fault_code, FaultCode::NOT_WRITABLE);
        assert_eq!(cell.device.value(&column(1, name)), "");
    }
    let fault =
        set(&mut cell, &[(&column(1, "PeriodicUploadInterval"), Value::unsigned_int(0))]).unwrap_err();
    assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE);
}

#[test]
fn n05_a_file_goes_into_the_folder_of_its_row_or_to_the_url_as_it_stands() {
    let mut cell = cell();
    let waiting = cell.performance_file(ended(1)).unwrap().waiting;
    let url = |cell: &Cell| cell.performance_url(&waiting).map(|url| url.unwrap().to_string());
    let name = "A20260601.0000+0000-0015+0000_00005E005301.xml";
    assert_eq!(url(&cell), Some(format!("https://files.example/1/{name}")));
    set(&mut cell, &[(&column(1, "URL"), Value::string("https://files.example/put?cell=1"))]).unwrap();
    assert_eq!(url(&cell).as_deref(), Some("https://files.example/put?cell=1"));
    set(&mut cell, &[(&column(1, "Enable"), Value::boolean(false))]).unwrap();
    assert_eq!(url(&cell), None);
}

#[test]
fn n03_a_phase_counts_once_the_clock_is_synchronised() {
    let mut cell = cell();
    set(&mut cell, &[(&column(2, "Enable"), Value::boolean(false))]).unwrap();
    let phase = Value::date_time(at("2030-01-01T00:05:00Z"));
    set(&mut cell, &[(&column(1, "PeriodicUploadTime"), phase)]).unwrap();
    assert!(cell.performance_files().is_empty());
    let left = |cell: &Cell| cell.performance_deadline().unwrap().duration_since(cell.now()).as_secs();
    assert!((895..=900).contains(&left(&cell)), "the interval alone: {}", left(&cell));
    cell.hear_time(at("2026-06-01T00:12:00Z"), Source::Gps);
    assert!(cell.performance_files().is_empty());
    assert!((475..=480).contains(&left(&cell)), "until 00:20: {}", left(&cell));
    let longest = Duration::from_secs(3_600);
    cell.agenda.informed(&cell.agenda.events(), cell.now());
    assert!(cell.idle(longest) <= Duration::from_secs(480), "the agent is awake in time");
    cell.hear_time(at("2026-06-01T00:21:00Z"), Source::Gps);
    let files = cell.performance_files();
    assert_eq!(files.len(), 1);
    assert!(files[0].waiting.name.contains("-0020+0000_"), "{}", files[0].waiting.name);
}
