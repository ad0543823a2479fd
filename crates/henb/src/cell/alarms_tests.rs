//! Who hears of an alarm, when, and what the tables say of it.

use std::sync::Arc;
use std::time::Instant;

use cwmp::Inform;
use jiff::Timestamp;
use profile::{HemsUrl, RestoredClock, TransportMode};

use super::*;
use crate::{
    alarms::current::MOST_CURRENT,
    device::{AlarmNews, Device, Memory, sample, sample_alarm},
    state::State,
};

/// The row of SupportedAlarm of what a radio complains of.
const RADIO_S: u32 = 1;

/// A vendor's radio at its smallest: it complains.
struct Complaining {
    memory: Memory,
    news: Vec<AlarmNews>,
}

impl Device for Complaining {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn alarms(&mut self) -> Vec<AlarmNews> {
        std::mem::take(&mut self.news)
    }
}

fn url() -> HemsUrl {
    HemsUrl::parse("https://hems.example/", TransportMode::Public).unwrap()
}

fn power_on(state: Option<State>) -> Cell {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let saved = Some(at("2026-06-01T00:00:00Z"));
    let clock = RestoredClock::restore(saved, at("2020-01-01T00:00:00Z"), Instant::now());
    let device = Memory::new(&sample(), state.as_ref().map(|state| &state.device));
    Cell::power_on(Box::new(device), state, &url(), TransportMode::Public, Arc::new(clock))
}

/// A cell that owes nothing.
fn cell() -> Cell {
    let mut cell = power_on(None);
    hear(&mut cell);
    cell
}

/// A session at which everything is told; gives its Inform.
fn hear(cell: &mut Cell) -> Inform {
    let inform = cell.inform();
    cell.informed(&inform.event, &url());
    inform
}

fn complain(cell: &mut Cell, news: Vec<AlarmNews>) {
    let memory = Memory::new(&sample(), Some(&cell.device.snapshot()));
    cell.device = Box::new(Complaining { memory, news });
    cell.tick();
}

fn report_by(cell: &mut Cell, row: u32, mechanism: &str) {
    cell.device.put(&format!("{}{row}.ReportingMechanism", path::SUPPORTED_ALARMS), mechanism);
}

fn said(inform: &Inform, name: &str) -> Option<String> {
    let entry = inform.parameter_list.iter().find(|entry| entry.name == name);
    entry.map(|entry| entry.value.text.to_string())
}

fn tells_a_change(inform: &Inform) -> bool {
    inform.event.iter().any(|event| event.event_code == EventCode::VALUE_CHANGE)
}

fn standing(cell: &Cell) -> Vec<String> {
    cell.alarm_rows().into_iter().map(|(_, name)| name).collect()
}

/// The identifiers in a ring; empty where nothing was written.
fn ring(cell: &Cell, table: &str) -> Vec<String> {
    let name = |number| cell.device.value(&format!("{table}{number}.AlarmIdentifier"));
    cell.device.rows(table).into_iter().map(name).collect()
}

#[test]
fn a19_f06_an_expedited_alarm_asks_for_a_session_and_is_told_once() {
    let mut cell = cell();
    cell.raise(Alarm::CertificateEnds, "soon");
    cell.raise(Alarm::CertificateEnds, "sooner");
    assert!(cell.is_due(), "at once");
    let inform = hear(&mut cell);
    assert!(tells_a_change(&inform));
    let event = |name: &str| said(&inform, &format!("Device.FaultMgmt.ExpeditedEvent.1.{name}")).unwrap();
    assert_eq!(event("AlarmIdentifier"), "certificate-ends");
    assert_eq!((event("NotificationType"), event("PerceivedSeverity")), ("NewAlarm".into(), "Major".into()));
    assert_eq!((event("AdditionalText"), event("EventTime").get(..10)), ("soon".into(), Some("2026-06-01")));
    assert_eq!(event("ManagedObjectInstance"), "ManagedElement=00005E005301");
    assert_eq!(said(&inform, "Device.FaultMgmt.ExpeditedEvent.2.AlarmIdentifier"), None);
    assert_eq!(standing(&cell), ["certificate-ends"]);
    cell.clear(Alarm::CertificateEnds);
    let inform = hear(&mut cell);
    assert_eq!(said(&inform, "Device.FaultMgmt.ExpeditedEvent.2.PerceivedSeverity").unwrap(), "Cleared");
    assert_eq!(cell.device.value(path::ALARM_COUNT), "0");
    assert!(!tells_a_change(&hear(&mut cell)));
}

#[test]
fn a19_the_radio_s_alarms_stand_beside_the_cell_s_own_until_a_restart() {
    let mut cell = cell();
    cell.raise(Alarm::ClockFile, "for the test");
    hear(&mut cell);
    complain(&mut cell, vec![AlarmNews::Raised(sample_alarm("s1"))]);
    assert!(tells_a_change(&hear(&mut cell)));
    assert_eq!(standing(&cell), ["clock-file", "s1"]);
    assert!(!cell.tick(), "it was told");
    cell.reboot = Some("".into());
    cell.restart_as_promised();
    assert_eq!(standing(&cell), ["clock-file"]);
}

#[test]
fn f07_a_queued_alarm_waits_for_the_next_session() {
    let mut cell = cell();
    report_by(&mut cell, RADIO_S, "1 Queued");
    complain(&mut cell, vec![AlarmNews::Raised(sample_alarm("hot"))]);
    assert!(!cell.is_due(), "it asks for none");
    let inform = hear(&mut cell);
    assert!(tells_a_change(&inform));
    assert_eq!(said(&inform, "Device.FaultMgmt.QueuedEvent.1.AlarmIdentifier").unwrap(), "hot");
    assert_eq!(ring(&cell, path::HISTORY_EVENTS)[0], "hot");
    assert_eq!(ring(&cell, path::EXPEDITED_EVENTS)[0], "");
}

#[test]
fn f08_a_logged_alarm_is_read_on_demand_and_a_disabled_one_is_ignored() {
    let mut cell = cell();
    report_by(&mut cell, RADIO_S, "2 Logged");
    complain(&mut cell, vec![AlarmNews::Raised(sample_alarm("hot"))]);
    assert!(!tells_a_change(&hear(&mut cell)));
    assert_eq!((standing(&cell), ring(&cell, path::HISTORY_EVENTS)[0].as_str()), (vec!["hot".into()], "hot"));
    report_by(&mut cell, RADIO_S, "3 Disabled");
    complain(&mut cell, vec![AlarmNews::Raised(sample_alarm("hotter"))]);
    assert!(!tells_a_change(&hear(&mut cell)));
    assert_eq!((standing(&cell).len(), ring(&cell, path::HISTORY_EVENTS)[1].as_str()), (0, ""));
}

#[test]
fn f04_f09_a_row_that_is_written_over_is_told_whole() {
    let mut cell = cell();
    let entries = cell.device.rows(path::EXPEDITED_EVENTS);
    assert_eq!(entries, (1..=8).collect::<Vec<_>>());
    let time = |row: u32| cell.device.value(&format!("{}{row}.EventTime", path::EXPEDITED_EVENTS));
    assert!(entries.iter().all(|row| time(*row) == "0001-01-01T00:00:00Z"), "unknown");
    for _ in 0..4 {
        cell.raise(Alarm::ClockFile, "again");
        cell.clear(Alarm::ClockFile);
    }
    hear(&mut cell);
    cell.raise(Alarm::ClockFile, "again");
    let inform = hear(&mut cell);
    let row = format!("{}1.", path::EXPEDITED_EVENTS);
    let told = inform.parameter_list.iter().filter(|entry| entry.name.starts_with(&row)).count();
    assert_eq!(told, 10, "every column, although most are as before");
}

#[test]
fn f06_an_acs_may_want_events_otherwise() {
    let mut cell = cell();
    let order = cwmp::SetParameterAttributesStruct {
        name: path::EXPEDITED_EVENTS.into(),
        notification_change: true,
        notification: 0,
        access_list_change: false,
        access_list: Vec::new(),
    };
    cell.device.set_attributes(&[order]).unwrap();
    cell.raise(Alarm::ClockFile, "quietly");
    assert!(!cell.is_due() && !tells_a_change(&cell.inform()));
    assert_eq!(ring(&cell, path::EXPEDITED_EVENTS)[0], "clock-file");
}

#[test]
fn f01_f04_f11_a_power_cut_keeps_mechanisms_rings_and_what_the_cell_itself_complains_of() {
    let mut cell = cell();
    report_by(&mut cell, RADIO_S, "1 Queued");
    cell.raise(Alarm::ClockFile, "kept");
    complain(&mut cell, vec![AlarmNews::Raised(sample_alarm("hot"))]);
    let mut again = power_on(Some(cell.state()));
    assert_eq!(standing(&again), ["clock-file"], "the radio says anew what stands");
    assert_eq!(ring(&again, path::HISTORY_EVENTS)[..2], ["clock-file", "hot"], "and no event cleared it");
    let inform = again.inform();
    assert!(inform.event.iter().any(|event| event.event_code == EventCode::BOOT));
    assert!(said(&inform, "Device.FaultMgmt.QueuedEvent.1.AlarmIdentifier").is_some(), "nobody heard it yet");
    complain(&mut again, vec![AlarmNews::Raised(sample_alarm("hotter"))]);
    assert_eq!(ring(&again, path::QUEUED_EVENTS)[..2], ["hot", "hotter"]);
    again.reset = true;
    again.restart_as_promised();
    assert_eq!(ring(&again, path::HISTORY_EVENTS)[0], "", "as from the factory");
}

#[test]
fn f02_f03_a_full_table_is_written_over_and_no_number_is_new() {
    let mut cell = cell();
    let raised = |number: usize| AlarmNews::Raised(sample_alarm(&number.to_string()));
    complain(&mut cell, (0..MOST_CURRENT).map(raised).collect());
    let before = cell.device.rows(path::ALARMS);
    complain(&mut cell, vec![raised(99)]);
    assert_eq!((cell.device.rows(path::ALARMS), before.len()), (before, MOST_CURRENT));
    let names: std::collections::BTreeSet<_> = standing(&cell).into_iter().collect();
    assert!(names.contains("99") && names.len() == MOST_CURRENT);
}

#[test]
fn f14_a_storm_is_one_session_per_throttle_and_never_more_than_the_ring() {
    let mut cell = cell();
    cell.device.put(path::THROTTLE, "60");
    cell.apply_settings();
    cell.raise(Alarm::ClockFile, "the first");
    hear(&mut cell);
    let storm = |number: usize| AlarmNews::Raised(sample_alarm(&number.to_string()));
    complain(&mut cell, (0..50).map(storm).collect());
    assert!(!cell.is_due(), "a session was just now");
    let wait = cell.agenda.deadline().unwrap().duration_since(cell.now()).as_secs();
    assert!((50..=60).contains(&wait), "{wait}");
    let inform = hear(&mut cell);
    let events = inform.parameter_list.iter().filter(|entry| entry.name.contains("Event."));
    assert_eq!(events.count(), 80, "eight rows of ten");
}

#[test]
fn a19_k01_an_alarm_of_the_cell_s_own_is_news_to_be_saved_before_it_is_told() {
    let mut cell = cell();
    cell.tick();
    assert!(!cell.tick());
    cell.raise(Alarm::CertificateEnds, "soon");
    assert!(cell.tick() && !cell.tick());
    cell.clear(Alarm::CertificateEnds);
    assert!(cell.tick() && !cell.tick());
}
