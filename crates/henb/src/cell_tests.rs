//! What a cell does when its clock moves, and who may ask it to call.

use jiff::SignedDuration;
use profile::ClockCorrection;

use super::*;
use crate::{
    alarms::Alarm,
    device::{Memory, sample},
    transfer::Order,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn cell(saved: &str) -> Cell {
    let clock = Arc::new(RestoredClock::restore(
        Some(at(saved)),
        at("2020-01-01T00:00:00Z"),
        Instant::now().into_std(),
    ));
    let url = HemsUrl::parse("https://hems.example/", TransportMode::Public).unwrap();
    Cell::power_on(Box::new(Memory::new(&sample(), None)), None, &url, TransportMode::Public, clock)
}

/// Seconds until the next session when nothing else asks for one.
fn until_periodic(cell: &mut Cell) -> i64 {
    cell.agenda.informed(&cell.agenda.events(), cell.now());
    cell.agenda.deadline().unwrap().duration_since(cell.now()).as_secs()
}

#[test]
fn k09_the_phase_counts_from_the_first_synchronisation_and_the_interval_always() {
    let mut cell = cell("2026-06-01T00:10:00Z");
    cell.device.put(path::PERIODIC_TIME, "2026-01-01T00:00:00Z");
    cell.apply_settings();
    assert!((3590..=3600).contains(&until_periodic(&mut cell)), "{}", until_periodic(&mut cell));
    cell.hear_time(at("2026-06-01T00:50:00Z"), Source::Gps);
    assert!((590..=600).contains(&until_periodic(&mut cell)), "{}", until_periodic(&mut cell));
}

#[test]
fn k07_the_current_time_is_relative_until_the_clock_is_synchronised() {
    let mut cell = cell("2026-06-01T00:00:00Z");
    assert!(cell.inform().current_time.0.starts_with("0001-01-01T00:00:0"));
    assert!(cell.inform().current_time.since_boot().is_some());
    cell.hear_time(at("2026-06-02T00:00:00Z"), Source::Gps);
    let said = cell.inform().current_time;
    assert!(said.0.starts_with("2026-06-02T00:00:0") && said.0.ends_with('Z'), "{}", said.0);
}

#[test]
fn k05_every_inform_carries_the_clock_that_certificates_are_checked_with() {
    let mut cell = cell("2026-06-01T00:00:00Z");
    for hour in 0..2 {
        let inform = cell.inform();
        let said = inform.parameter_list.iter().find(|entry| entry.name == path::LOCAL_CLOCK).unwrap();
        assert!(said.value.text.starts_with(&format!("2026-06-01T0{hour}:00:0")), "{}", said.value.text);
        cell.hear_time(at("2026-06-01T01:00:00Z"), Source::Gps);
    }
}

#[test]
fn k04_the_status_is_what_the_clock_knows() {
    let mut cell = cell("2026-06-01T00:00:00Z");
    let status = |cell: &mut Cell| {
        cell.refresh();
        cell.device.value(path::TIME_STATUS)
    };
    assert_eq!(status(&mut cell), "Unsynchronized");
    cell.hear_time(at("2040-01-01T00:00:00Z"), Source::TunnelNtp);
    assert_eq!(status(&mut cell), "Error_FailedToSynchronize");
    cell.hear_time(at("2026-06-01T01:00:00Z"), Source::TunnelNtp);
    assert_eq!(status(&mut cell), "Synchronized");
    cell.device.put(path::TIME_ENABLE, "false");
    assert_eq!(status(&mut cell), "Disabled");
}

#[test]
fn k02_what_is_waited_for_stays_as_far_away_when_a_correction_goes_back() {
    let mut cell = cell("2040-06-01T00:00:00Z");
    let download = cwmp::Download {
        command_key: Text::new(),
        file_type: crate::device::FIRMWARE.into(),
        url: "https://hems.example/x".into(),
        username: Text::new(),
        password: Text::new(),
        file_size: 0,
        target_file_name: Text::new(),
        delay_seconds: 0,
        success_url: Text::new(),
        failure_url: Text::new(),
    };
    let in_an_hour = cell.now() + SignedDuration::from_hours(1);
    cell.queue_transfer(Transfer {
        order: Order::Download(download),
        not_before: in_an_hour,
        windows: Vec::new(),
    });
    let time = at("2026-06-01T00:00:00Z");
    let clock_after = at("2039-01-01T00:00:00Z");
    let correction = ClockCorrection { sequence: 1, clock_after, time, cells: Vec::new() };
    cell.correct_clock(&correction).unwrap();
    let left = cell.transfers[0].not_before.duration_since(cell.now());
    assert!((3590..=3600).contains(&left.as_secs()), "{left:?}");
    assert!((3590..=3600).contains(&until_periodic(&mut cell)));
    assert!(cell.state().alarms.has(Alarm::ClockCorrected));
}

#[test]
fn r03_c18_a_new_connection_request_url_is_told_as_its_attributes_say() {
    for (notification, told) in [(0, (false, false)), (1, (true, false)), (2, (true, true))] {
        let mut cell = cell("2026-06-01T00:00:00Z");
        let order = cwmp::SetParameterAttributesStruct {
            name: path::CONNECTION_REQUEST_URL.into(),
            notification_change: true,
            notification,
            access_list_change: false,
            access_list: Vec::new(),
        };
        cell.device.set_attributes(&[order]).unwrap();
        cell.agenda.informed(&cell.agenda.events(), cell.now());
        assert!(cell.show_connection_request_url("https://192.0.2.7:7547/x"));
        assert!(!cell.show_connection_request_url("https://192.0.2.7:7547/x"), "once");
        assert_eq!((!cell.changed.is_empty(), cell.has_news()), told, "{notification}");
    }
    let mut cell = cell("2026-06-01T00:00:00Z");
    cell.show_connection_request_url("https://192.0.2.7:7547/x");
    assert!(cell.has_news(), "the model's own wish is active");
}

#[test]
fn r03_r04_who_may_ask_is_said_by_the_owner_and_then_by_the_acs() {
    let mut cell = cell("2026-06-01T00:00:00Z");
    let enable = |cell: &Cell| cell.device.value(path::CONNECTION_REQUEST_ENABLE);
    assert_eq!((enable(&cell).as_str(), cell.takes_connection_requests()), ("false", false));
    cell.may_listen(true);
    assert!(cell.takes_connection_requests());
    cell.device.put(path::CONNECTION_REQUEST_ENABLE, "false");
    cell.may_listen(true);
    assert!(!cell.takes_connection_requests(), "the owner said nothing new");
    cell.reset = true;
    cell.restart_as_promised();
    assert!(cell.takes_connection_requests(), "as from the factory");
    cell.device.put(path::ENABLE_CWMP, "false");
    assert!(!cell.takes_connection_requests());
    cell.may_listen(false);
    assert_eq!(enable(&cell), "false");
}
