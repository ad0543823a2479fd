//! Claims about what a cell does with each call, and about what it keeps of it.

use std::{sync::Arc, time::Instant};

use cwmp::{
    AcsMethod, CancelTransfer, DateTime, Download, Envelope, EventCode, FactoryReset, FromAcs,
    GetAllQueuedTransfers, GetQueuedTransfers, GetRPCMethods, Limits, ScheduleDownload,
    SetParameterAttributesStruct, TimeWindowStruct, TransferStatus, Upload, Value,
};
use profile::{FirmwareManifest, RestoredClock, TransportMode};

use super::*;
use crate::{
    device::{CONFIGURATION, FIRMWARE, Factory, Memory, Radio, Simulated},
    firmware::{self, Upgrade},
    state::State,
    transfer::{MOST_TRANSFERS, Transfer},
};

fn factory() -> Factory {
    crate::config::Names::default().factory(&profile::Identity::parse("00005e005301.hnb.example").unwrap())
}

fn url(text: &str) -> HemsUrl {
    HemsUrl::parse(text, TransportMode::Public).unwrap()
}

fn power_on(state: Option<State>) -> Cell {
    let clock = Arc::new(RestoredClock::restore(None, profile::build_time(), Instant::now()));
    let played = Simulated::new(&factory(), Radio::default(), state.as_ref().map(|state| &state.device));
    Cell::power_on(Box::new(played), state, &url("https://hems.example/"), TransportMode::Public, clock)
}

fn cell() -> Cell {
    power_on(None)
}

fn set_to(cell: &mut Cell, list: &[(&str, Value)]) -> Result<CpeResponse, Fault> {
    let entry = |(name, value): &(&str, Value)| ParameterValueStruct::new((*name).to_owned(), value.clone());
    let parameter_list = list.iter().map(entry).collect();
    execute(cell, SetParameterValues { parameter_list, parameter_key: "key".into() }.into())
}

fn a_download(url: &str) -> Download {
    Download {
        command_key: "fetch".into(),
        file_type: FIRMWARE.into(),
        url: url.to_owned().into(),
        username: Text::new(),
        password: Text::new(),
        file_size: 0,
        target_file_name: Text::new(),
        delay_seconds: 0,
        success_url: Text::new(),
        failure_url: Text::new(),
    }
}

fn codes(cell: &Cell) -> Vec<String> {
    cell.agenda.events().iter().map(|event| event.event_code.to_string()).collect()
}

#[test]
fn c40_getrpcmethods_names_exactly_what_is_carried_out() {
    let response = execute(&mut cell(), GetRPCMethods {}.into()).unwrap();
    let CpeResponse::GetRPCMethods(response) = response else { panic!("{response:?}") };
    let offered: Vec<&str> = response.method_list.iter().map(|name| &**name).collect();
    for name in CpeMethod::NAMES {
        let golden = format!("{}/../cwmp/testdata/spec/{name}.xml", env!("CARGO_MANIFEST_DIR"));
        let decoded =
            Envelope::<FromAcs>::decode(std::fs::read(golden).unwrap(), &Limits::default()).unwrap();
        let FromAcs::Call(call) = decoded.envelope.body else { panic!("{name} is no call") };
        let outcome = execute(&mut cell(), call);
        let is_unknown = outcome.is_err_and(|fault| fault.code == FaultCode::METHOD_NOT_SUPPORTED);
        assert_eq!(is_unknown, !offered.contains(name), "{name}");
    }
}

#[test]
fn c13_c14_a_set_changes_all_and_the_key_or_nothing() {
    let mut cell = cell();
    let good = ("Device.DeviceInfo.ProvisioningCode", Value::string("A"));
    let bad = ("Device.FAP.GPS.LockedLatitude", Value::int(1));
    let fault = set_to(&mut cell, &[good.clone(), bad]).unwrap_err();
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    assert_eq!(fault.details[0].fault_code, FaultCode::NOT_WRITABLE);
    assert_eq!(
        (cell.device.value(good.0).as_str(), cell.device.value(path::PARAMETER_KEY).as_str()),
        ("", "")
    );
    set_to(&mut cell, std::slice::from_ref(&good)).unwrap();
    assert_eq!(
        (cell.device.value(good.0).as_str(), cell.device.value(path::PARAMETER_KEY).as_str()),
        ("A", "key")
    );
}

#[test]
fn p11_a_plain_http_url_is_refused_with_9007_beside_all_other_faults() {
    let mut cell = cell();
    let list = [
        (path::URL, Value::string("http://hems.example/")),
        ("Device.ManagementServer.Password", Value::string("secret")),
    ];
    let fault = set_to(&mut cell, &list).unwrap_err();
    let codes: Vec<(&str, FaultCode)> =
        fault.details.iter().map(|detail| (&*detail.parameter_name, detail.fault_code)).collect();
    let expected = [
        ("Device.ManagementServer.Password", FaultCode::NOT_WRITABLE),
        (path::URL, FaultCode::INVALID_PARAMETER_VALUE),
    ];
    assert_eq!(codes, expected);
    assert_eq!(cell.device.value(path::URL), "https://hems.example/");
}

#[test]
fn d06_another_url_owes_the_new_acs_a_bootstrap() {
    let mut cell = cell();
    let events = cell.inform().event;
    assert_eq!(codes(&cell), ["0 BOOTSTRAP", "1 BOOT"]);
    cell.informed(&events, &url("https://hems.example/"));
    set_to(&mut cell, &[(path::URL, Value::string("https://HEMS.example"))]).unwrap();
    assert!(codes(&cell).is_empty(), "the same place in other letters");
    set_to(&mut cell, &[(path::URL, Value::string("https://serving.example/"))]).unwrap();
    assert_eq!(codes(&cell), ["0 BOOTSTRAP"]);
    assert_eq!(cell.url().unwrap(), url("https://serving.example/"));
    let restarted = power_on(Some(cell.state()));
    assert_eq!(codes(&restarted), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!(restarted.url().unwrap(), url("https://serving.example/"));
}

#[test]
fn c20_a_reboot_waits_for_the_end_of_the_session_and_happens_once() {
    let mut cell = cell();
    let events = cell.inform().event;
    cell.informed(&events, &url("https://hems.example/"));
    execute(&mut cell, Reboot { command_key: "again".into() }.into()).unwrap();
    assert_eq!(cell.device.snapshot().journal.reboots, 0);
    assert!(codes(&cell).is_empty());
    // A power cut before the reboot is a reboot: the promise is kept, and not twice.
    let mut restarted = power_on(Some(cell.state()));
    assert!(cell.restart_as_promised());
    for mut cell in [cell, power_on(Some(restarted.state()))] {
        assert_eq!(codes(&cell), ["M Reboot", "1 BOOT"]);
        assert_eq!(cell.agenda.events()[0].command_key, "again");
        assert_eq!(cell.device.snapshot().journal.reboots, 1);
        assert!(!cell.restart_as_promised());
    }
    assert!(!restarted.restart_as_promised());
}

#[test]
fn c22_a_download_is_promised_for_later() {
    let mut cell = cell();
    let response = execute(&mut cell, a_download("https://hems.example/image").into()).unwrap();
    let CpeResponse::Download(response) = response else { panic!("{response:?}") };
    assert_eq!((response.status, response.start_time), (TransferStatus::Later, DateTime::UNKNOWN));
    assert_eq!(cell.transfers.len(), 1);
    assert_eq!(power_on(Some(cell.state())).transfers, cell.transfers);
}

#[test]
fn p07_a16_a_secret_is_refused_by_name_or_thrown_away_and_never_kept() {
    let (name, code) = ("Device.ManagementServer.Password", "Device.DeviceInfo.ProvisioningCode");
    let list = [(name, Value::string("hunter2")), (code, Value::string("x"))];
    let mut cell = cell();
    let fault = set_to(&mut cell, &list).unwrap_err();
    assert_eq!((fault.details.len(), &*fault.details[0].parameter_name), (1, name));
    assert_eq!(cell.device.value(code), "");
    cell.discards_credentials = true;
    set_to(&mut cell, &list).unwrap();
    assert_eq!((cell.device.value(code).as_str(), cell.device.value(name).as_str()), ("x", ""));
    assert!(!serde_json::to_string(&cell.state()).unwrap().contains("hunter2"));
}

#[test]
fn p07_p11_c23_a_download_by_secret_by_http_or_of_no_type_is_refused() {
    let mut cell = cell();
    let https = "https://hems.example/image";
    let mut check = |call: Download, code: FaultCode| {
        assert_eq!(execute(&mut cell, call.into()).unwrap_err().code, code);
        assert!(cell.transfers.is_empty());
    };
    check(Download { username: "u".into(), ..a_download(https) }, FaultCode::INVALID_ARGUMENTS);
    check(Download { password: "p".into(), ..a_download(https) }, FaultCode::INVALID_ARGUMENTS);
    check(Download { file_type: "4 Tone File".into(), ..a_download(https) }, FaultCode::INVALID_ARGUMENTS);
    check(a_download("http://hems.example/image"), FaultCode::UNSUPPORTED_PROTOCOL);
    check(a_download("https://u:p@hems.example/image"), FaultCode::UNSUPPORTED_PROTOCOL);
    check(Download { file_size: u32::MAX, ..a_download(https) }, FaultCode::RESOURCES_EXCEEDED);
    check(Download { command_key: "k".repeat(33).into(), ..a_download(https) }, FaultCode::INVALID_ARGUMENTS);
}

#[test]
fn transfers_and_values_of_one_response_are_bounded() {
    let mut cell = cell();
    for _ in 0..MOST_TRANSFERS {
        execute(&mut cell, a_download("https://hems.example/image").into()).unwrap();
    }
    let fault = execute(&mut cell, a_download("https://hems.example/image").into()).unwrap_err();
    assert_eq!(fault.code, FaultCode::RESOURCES_EXCEEDED);
    let parameter_names = vec!["Device.".into(); 100];
    let fault = execute(&mut cell, GetParameterValues { parameter_names }.into()).unwrap_err();
    assert_eq!(fault.code, FaultCode::RESOURCES_EXCEEDED);
}

/// Version 2.0.0 comes whole and boots.
fn install(cell: &mut Cell, transfer: Transfer) {
    let manifest = FirmwareManifest { version: "2.0.0".to_owned(), ..FirmwareManifest::default() };
    let upgrade = Upgrade { transfer, started: cell.now(), told: None };
    cell.download_begins();
    cell.download_went(firmware::Event::Received, "");
    cell.installed(&manifest, upgrade);
    cell.start_image(Ok(()));
}

#[test]
fn d14_c27_the_end_of_a_firmware_transfer_is_told_and_reboots() {
    let mut cell = cell();
    let events = cell.inform().event;
    cell.informed(&events, &url("https://hems.example/"));
    execute(&mut cell, a_download("https://hems.example/image").into()).unwrap();
    let transfer = cell.transfers.remove(0);
    install(&mut cell, transfer);
    assert_eq!(codes(&cell), ["7 TRANSFER COMPLETE", "M Download", "1 BOOT", "4 VALUE CHANGE"]);
    assert!(
        matches!(&cell.agenda.calls()[..], [AcsMethod::TransferComplete(call)] if call.command_key == "fetch")
    );
    let Ok(CpeResponse::GetAllQueuedTransfers(list)) = execute(&mut cell, GetAllQueuedTransfers {}.into())
    else {
        panic!("there is no list")
    };
    assert!(matches!(&list.transfer_list[..], [one] if one.state == cwmp::TransferState::Completed));
    let cancel = CancelTransfer { command_key: "fetch".into() };
    assert_eq!(execute(&mut cell, cancel.into()).unwrap_err().code, FaultCode::CANCEL_NOT_PERMITTED);
    assert!(cell.transfers.is_empty());
    let restarted = power_on(Some(cell.state()));
    assert_eq!(restarted.agenda.calls(), cell.agenda.calls());
    assert_eq!(restarted.device.value("Device.DeviceInfo.SoftwareVersion"), "2.0.0");
    assert_eq!(restarted.device.snapshot().journal.reboots, 1);
}

#[test]
fn k07_c04_an_inform_without_the_time_says_relative_time_and_the_local_clock() {
    let mut cell = cell();
    let inform = cell.inform();
    assert!(inform.current_time.since_boot().is_some(), "{}", inform.current_time);
    let value = |name: &str| {
        let entry = inform.parameter_list.iter().find(|entry| entry.name == name);
        entry.unwrap_or_else(|| panic!("{name}")).value.text.to_string()
    };
    assert_eq!(value(path::LOCAL_CLOCK), DateTime::from(cell.now()).to_string());
    assert_eq!(value(path::OP_STATE), "false");
    assert_eq!(value("Device.RootDataModelVersion"), "2.17");
    assert_eq!(inform.device_id.serial_number, "00005E005301");
    assert_eq!((inform.max_envelopes, inform.retry_count), (1, 0));
}

#[test]
fn c11_a_retry_wait_survives_a_restart() {
    let mut cell = cell();
    assert!(cell.is_due());
    let now = cell.now();
    cell.agenda.failed(now, 0);
    let mut restarted = power_on(Some(cell.state()));
    assert!(!restarted.is_due());
    assert_eq!(restarted.agenda.retry_count(), 1);
    assert_eq!(restarted.agenda.events()[0].event_code, EventCode::BOOTSTRAP);
}

#[test]
fn c31_a_cell_with_cwmp_disabled_does_not_call() {
    let mut cell = cell();
    set_to(&mut cell, &[(path::ENABLE_CWMP, Value::boolean(false))]).unwrap();
    assert!(!cell.is_due());
}

fn delivered(cell: &mut Cell) {
    let events = cell.inform().event;
    cell.informed(&events, &url("https://hems.example/"));
}

#[test]
fn c21_d10_a_factory_reset_waits_for_the_end_of_the_session_and_knows_no_acs() {
    let mut cell = cell();
    delivered(&mut cell);
    let code = "Device.DeviceInfo.ProvisioningCode";
    set_to(&mut cell, &[(code, Value::string("A")), (path::URL, Value::string("https://other.example/"))])
        .unwrap();
    execute(&mut cell, a_download("https://hems.example/image").into()).unwrap();
    let transfer = cell.transfers.remove(0);
    install(&mut cell, transfer);
    delivered(&mut cell);
    cell.device.put(path::TAMPERED, "true");
    execute(&mut cell, a_download("https://hems.example/image").into()).unwrap();
    execute(&mut cell, FactoryReset {}.into()).unwrap();
    assert_eq!(cell.device.value(code), "A", "the response comes first");
    // A power cut before it is no way around it.
    let restarted = power_on(Some(cell.state()));
    assert!(cell.restart_as_promised());
    for cell in [cell, restarted] {
        assert_eq!(codes(&cell), ["0 BOOTSTRAP", "1 BOOT"]);
        let value = |name: &str| cell.device.value(name);
        assert_eq!((value(code), value(path::PARAMETER_KEY)), (String::new(), String::new()));
        assert_eq!(value(path::URL), "https://hems.example/");
        assert_eq!((value(path::SOFTWARE), value(path::TAMPERED)), ("2.0.0".to_owned(), "true".to_owned()));
        assert!(cell.transfers.is_empty() && !cell.reset);
        assert_eq!(cell.device.snapshot().journal.factory_resets, 1);
    }
}

#[test]
fn c02_a_scheduled_inform_comes_due_once_and_survives_a_power_cut() {
    let mut cell = cell();
    delivered(&mut cell);
    let call =
        |seconds, key: &str| ScheduleInform { delay_seconds: seconds, command_key: key.to_owned().into() };
    let fault = execute(&mut cell, call(0, "k").into()).unwrap_err();
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    execute(&mut cell, call(30, "soon").into()).unwrap();
    execute(&mut cell, call(3600, "late").into()).unwrap();
    assert!(!cell.tick());
    let mut state = cell.state();
    assert_eq!(state.schedules.len(), 2);
    state.schedules[0].at = profile::build_time();
    let mut cell = power_on(Some(state));
    assert!(cell.tick(), "what came due is saved");
    assert_eq!(codes(&cell), ["1 BOOT", "3 SCHEDULED", "M ScheduleInform"]);
    assert_eq!(cell.agenda.events()[2].command_key, "soon");
    assert!(!cell.tick());
    let before = cell.state().schedules[0].at;
    cell.clock_moved(jiff::SignedDuration::from_secs(7200));
    assert_eq!(cell.state().schedules[0].at.duration_since(before).as_secs(), 7200);
    for _ in 1..MOST_SCHEDULES {
        execute(&mut cell, call(1000, "more").into()).unwrap();
    }
    let fault = execute(&mut cell, call(1000, "more").into()).unwrap_err();
    assert_eq!(fault.code, FaultCode::RESOURCES_EXCEEDED);
}

fn notify(name: &str, notification: u32) -> CpeMethod {
    let entry = SetParameterAttributesStruct {
        name: name.to_owned().into(),
        notification_change: true,
        notification,
        access_list_change: false,
        access_list: vec!["ignored".into()],
    };
    SetParameterAttributes { parameter_list: vec![entry] }.into()
}

fn notification(cell: &mut Cell, name: &str) -> u32 {
    let call = GetParameterAttributes { parameter_names: vec![name.to_owned().into()] };
    let Ok(CpeResponse::GetParameterAttributes(response)) = execute(cell, call.into()) else {
        panic!("{name}")
    };
    assert_eq!(response.parameter_list[0].access_list, ["Subscriber"]);
    response.parameter_list[0].notification
}

#[test]
fn c17_attributes_are_kept_all_or_none_and_what_is_not_offered_is_refused() {
    let mut cell = cell();
    assert_eq!((notification(&mut cell, path::OP_STATE), notification(&mut cell, path::S1_SERVERS)), (2, 0));
    execute(&mut cell, notify(path::OP_STATE, 0)).unwrap();
    execute(&mut cell, notify("Device.FAP.GPS.", 1)).unwrap();
    let mut cell = power_on(Some(cell.state()));
    assert_eq!(notification(&mut cell, path::OP_STATE), 0);
    assert_eq!(notification(&mut cell, "Device.FAP.GPS.LockedLatitude"), 1);
    for (name, number, code) in [
        (path::OP_STATE, 3, FaultCode::INVALID_ARGUMENTS),
        ("Device.None", 1, FaultCode::INVALID_PARAMETER_NAME),
    ] {
        let CpeMethod::SetParameterAttributes(mut call) = notify(path::S1_SERVERS, 2) else {
            panic!("{name}")
        };
        let CpeMethod::SetParameterAttributes(bad) = notify(name, number) else { panic!("{name}") };
        call.parameter_list.extend(bad.parameter_list);
        assert_eq!(execute(&mut cell, call.into()).unwrap_err().code, code);
        assert_eq!(notification(&mut cell, path::S1_SERVERS), 0, "all or none");
    }
    let CpeMethod::SetParameterAttributes(mut call) = notify(path::S1_SERVERS, 0) else { panic!("no call") };
    call.parameter_list[0].access_list_change = true;
    assert_eq!(execute(&mut cell, call.into()).unwrap_err().code, FaultCode::INVALID_ARGUMENTS);
}

#[test]
fn c18_what_is_always_told_stays_so() {
    let mut cell = cell();
    execute(&mut cell, notify(path::SOFTWARE, 0)).unwrap();
    assert_eq!(notification(&mut cell, path::SOFTWARE), 2);
}

#[test]
fn c17_a_passive_change_asks_for_no_session_and_goes_along_with_the_next() {
    let clock = Arc::new(RestoredClock::restore(None, profile::build_time(), Instant::now()));
    let device = Box::new(Simulated::new(&factory(), Radio::default(), None));
    let mut cell = Cell::power_on(device, None, &url("https://hems.example/"), TransportMode::Public, clock);
    delivered(&mut cell);
    execute(&mut cell, notify(path::OP_STATE, 1)).unwrap();
    execute(&mut cell, notify(path::RF_TX_STATUS, 0)).unwrap();
    let unlock = [(path::S1_SERVERS, Value::string("192.0.2.1")), (path::ADMIN_STATE, Value::boolean(true))];
    set_to(&mut cell, &unlock).unwrap();
    assert!(cell.tick() && cell.is_on_air());
    assert!(!cell.is_due() && !cell.has_news());
    let said = cell.inform().event;
    assert_eq!(said, [EventCode::VALUE_CHANGE.into()]);
    cell.informed(&said, &url("https://hems.example/"));
    assert!(cell.inform().event.is_empty(), "once");
}

fn a_schedule(windows: &[(u32, u32, &str)]) -> ScheduleDownload {
    let window = |(start, end, mode): &(u32, u32, &str)| TimeWindowStruct {
        window_start: *start,
        window_end: *end,
        window_mode: (*mode).to_owned().into(),
        user_message: Text::new(),
        max_retries: 0,
    };
    ScheduleDownload {
        command_key: "night".into(),
        file_type: FIRMWARE.into(),
        url: "https://hems.example/image".into(),
        username: Text::new(),
        password: Text::new(),
        file_size: 0,
        target_file_name: Text::new(),
        time_window_list: windows.iter().map(window).collect(),
    }
}

#[test]
fn c26_a_scheduled_download_waits_for_its_window_and_bad_windows_are_refused() {
    let mut cell = cell();
    let any = "1 At Any Time";
    for bad in [
        &[][..],
        &[(0, 0, any)],
        &[(0, 10, any), (5, 20, any)],
        &[(0, 10, "4 Confirmation Needed")],
        &[(0, 1, any), (2, 3, any), (4, 5, any)],
    ] {
        let fault = execute(&mut cell, a_schedule(bad).into()).unwrap_err();
        assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS, "{bad:?}");
    }
    let now = cell.now();
    execute(&mut cell, a_schedule(&[(3600, 7200, any), (86_400, 90_000, "3 When Idle")]).into()).unwrap();
    let wait = cell.transfers[0].not_before.duration_since(now).as_secs();
    assert!((3600..3660).contains(&wait), "{wait}");
    assert_eq!(power_on(Some(cell.state())).transfers, cell.transfers);
}

#[test]
fn c27_queued_transfers_are_listed_and_given_up_by_their_key() {
    let mut cell = cell();
    let upload = Upload {
        command_key: "keep".into(),
        file_type: CONFIGURATION.into(),
        url: "https://hems.example/put".into(),
        username: Text::new(),
        password: Text::new(),
        delay_seconds: 0,
    };
    execute(&mut cell, a_schedule(&[(3600, 7200, "2 Immediately")]).into()).unwrap();
    execute(&mut cell, upload.clone().into()).unwrap();
    let refused = Upload { file_type: "9 Other".into(), ..upload };
    assert_eq!(execute(&mut cell, refused.into()).unwrap_err().code, FaultCode::INVALID_ARGUMENTS);
    let Ok(CpeResponse::GetQueuedTransfers(short)) = execute(&mut cell, GetQueuedTransfers {}.into()) else {
        panic!("no list")
    };
    let Ok(CpeResponse::GetAllQueuedTransfers(long)) = execute(&mut cell, GetAllQueuedTransfers {}.into())
    else {
        panic!("no list")
    };
    let seen: Vec<_> = long.transfer_list.iter().map(|one| (&*one.command_key, one.is_download)).collect();
    assert_eq!((seen, short.transfer_list.len()), (vec![("keep", false), ("night", true)], 2));
    let cancel = |cell: &mut Cell| execute(cell, CancelTransfer { command_key: "night".into() }.into());
    cancel(&mut cell).unwrap();
    assert_eq!(cell.transfers.len(), 1);
    assert_eq!(cancel(&mut cell).unwrap_err().code, FaultCode::CANCEL_NOT_PERMITTED);
}

#[test]
fn p07_an_uploaded_configuration_holds_what_the_acs_may_write_and_no_secret() {
    let text = String::from_utf8(cell().file(CONFIGURATION).unwrap()).unwrap();
    assert!(text.contains("Device.ManagementServer.PeriodicInformInterval\": \"3600\""), "{text}");
    assert!(!text.contains("Password") && !text.contains("Username"), "{text}");
}

#[path = "execute_tests/diagnostics.rs"]
mod diagnostics;
#[path = "execute_tests/model.rs"]
mod model;
#[path = "execute_tests/places.rs"]
mod places;
#[path = "execute_tests/told.rs"]
mod told;
#[path = "execute_tests/walk.rs"]
mod walk;
