//! What a cell does on a bad day: a full disk, a long list with one bad value, values out of all proportion.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use cwmp::{AddObject, CpeMethod, FaultCode, ParameterValueStruct, SetParameterValues, Value};
use datamodel::Path;
use henb::device::path;
use scripted::World;

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const LTE_CELLS: &str = "Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborList.LTECell.";

fn set(list: Vec<(String, Value)>) -> CpeMethod {
    let entry = |(name, value)| ParameterValueStruct::new(name, value);
    let parameter_list = list.into_iter().map(entry).collect();
    SetParameterValues { parameter_list, parameter_key: "plan-1".into() }.into()
}

fn value(world: &World, name: &str) -> Option<String> {
    world.state().device.tree.values.get(&name.parse::<Path>().unwrap()).cloned()
}

/// From now on whatever the cell writes beside its state finds the disk full; removing the link makes room.
fn fill_the_disk(world: &World) -> PathBuf {
    let beside = world.state_path().with_extension("json.new");
    let _ = fs::remove_file(&beside);
    symlink("/dev/full", &beside).unwrap();
    beside
}

#[tokio::test]
async fn c13_a_cell_on_a_full_disk_waits_for_room_and_loses_nothing() {
    let world = World::new().await;
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let before = fs::read(world.state_path()).unwrap();
    let beside = fill_the_disk(&world);
    let mut cell = world.start();
    cell.until(|status| status.waits_for_room).await;
    assert_eq!(fs::read(world.state_path()).unwrap(), before);
    fs::remove_file(&beside).unwrap();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
}

#[tokio::test]
async fn c13_a_disk_that_fills_up_in_a_session_refuses_the_change_and_takes_it_later() {
    let world = World::new().await;
    let change = || set(vec![(CODE.to_owned(), Value::string("A"))]);
    let state = world.state_path();
    world.acs.script(vec![change()]);
    world.acs.watch(move |post| {
        let beside = state.with_extension("json.new");
        if post.body.is_empty() && !state.with_extension("seen").exists() {
            let _ = fs::remove_file(&beside);
            symlink("/dev/full", &beside).unwrap();
            fs::write(state.with_extension("seen"), b"").unwrap();
        }
    });
    let mut cell = world.start();
    world.acs.until(|acs| !acs.outcomes().is_empty()).await;
    let fault = world.acs.outcomes()[0].clone().unwrap_err();
    assert_eq!(fault.code, FaultCode::INTERNAL_ERROR);
    assert_ne!(value(&world, CODE).as_deref(), Some("A"));
    cell.until(|status| status.waits_for_room).await;
    fs::remove_file(world.state_path().with_extension("json.new")).unwrap();
    cell.until(|status| !status.waits_for_room).await;
    cell.stop().await;
    // The next power-on has a session whose change is taken.
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    assert_eq!(value(&world, CODE).as_deref(), Some("A"));
}

#[tokio::test]
async fn c13_of_500_parameters_one_bad_one_changes_nothing_and_is_the_only_detail() {
    let world = World::new().await;
    let list = |wrong: &[u32]| {
        let entry = |number: u32| {
            let value = if wrong.contains(&number) { 504 } else { number };
            let (row, name) = (1 + number / 5, NAMES[number as usize % 5]);
            let value = if ["QOffset", "RSTxPower"].contains(&name) {
                Value::int(2)
            } else {
                Value::unsigned_int(value)
            };
            (format!("{LTE_CELLS}{row}.{name}"), value)
        };
        set((0..500).map(entry).collect())
    };
    let add = AddObject { object_name: LTE_CELLS.into(), parameter_key: "".into() };
    let mut script = vec![CpeMethod::from(add); 100];
    script.extend([list(&[250]), list(&[0, 495]), list(&[])]);
    world.acs.script_once(script);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let outcomes = world.acs.outcomes();
    for (outcome, rows) in outcomes[100..102].iter().zip([[51].as_slice(), &[1, 100]]) {
        let fault = outcome.clone().unwrap_err();
        assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
        let named: Vec<&str> = fault.details.iter().map(|detail| &*detail.parameter_name).collect();
        let expected: Vec<String> = rows.iter().map(|row| format!("{LTE_CELLS}{row}.PhyCellID")).collect();
        assert_eq!(named, expected);
    }
    assert!(outcomes[102].is_ok(), "{:?}", outcomes[102]);
    assert_eq!(value(&world, &format!("{LTE_CELLS}100.PhyCellID")).as_deref(), Some("495"));
}

/// What five parameters of a row are called; the first has a range that ends at 503.
const NAMES: [&str; 5] = ["PhyCellID", "CID", "EUTRACarrierARFCN", "QOffset", "RSTxPower"];

#[tokio::test]
async fn c13_a_value_out_of_all_proportion_is_refused_by_its_name() {
    let world = World::new().await;
    let huge = "x".repeat(1 << 20);
    let entries = vec![
        (CODE.to_owned(), Value::string(huge)),
        (path::PERIODIC_INTERVAL.to_owned(), Value::unsigned_int(60)),
    ];
    world.acs.script_once(vec![set(entries)]);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let fault = world.acs.outcomes()[0].clone().unwrap_err();
    assert_eq!((fault.code, fault.details.len()), (FaultCode::INVALID_ARGUMENTS, 1));
    assert_eq!(&*fault.details[0].parameter_name, CODE);
    assert!(fault.details[0].fault_string.len() < 1024);
    assert_ne!(value(&world, path::PERIODIC_INTERVAL).as_deref(), Some("60"));
}
