//! What an Inform says: who, why, when, and the parameters that go along. (TR-069 A.3.3.1)
//!
//! ```text
//!   forced by the model, start time, what changed, InformParameter rows of these events ─▶ ParameterList
//! ```

use std::collections::BTreeSet;

use cwmp::{
    DateTime, DeviceId, EventCode, EventStruct, FaultCode, Inform, ParameterValueStruct,
    SetParameterValuesFault, Text,
};
use datamodel::{Path, Pattern};

use super::Cell;
use crate::device::path;

/// Where the ACS says what else it wants to hear. (C-05)
const WISHES: &str = "Device.ManagementServer.InformParameter.";

/// Most parameters that such rows bring into one Inform: a wildcard may mean thousands.
const MOST_WISHED: usize = 256;

impl Cell {
    /// The Inform of a session that opens now. (TR-069 A.3.3.1, C-01, C-04)
    pub(crate) fn inform(&mut self) -> Inform {
        self.refresh();
        let events = self.events();
        let fact = |name: &str| Text::from(self.device.value(&format!("Device.DeviceInfo.{name}")));
        Inform {
            device_id: DeviceId {
                manufacturer: fact("Manufacturer"),
                oui: fact("ManufacturerOUI"),
                product_class: fact("ProductClass"),
                serial_number: fact("SerialNumber"),
            },
            max_envelopes: 1,
            current_time: self.current_time(),
            retry_count: self.agenda.retry_count(),
            parameter_list: self.inform_parameters(&events),
            event: events,
        }
    }

    /// A change that is told passively goes along with whatever asks for a session. (TR-069 A.3.2.4)
    fn events(&mut self) -> Vec<EventStruct> {
        let mut events = self.agenda.say();
        if !self.changed.is_empty() && !self.has_news() {
            events.push(EventCode::VALUE_CHANGE.into());
        }
        events
    }

    fn inform_parameters(&self, events: &[EventStruct]) -> Vec<ParameterValueStruct> {
        let mut list = self.device.forced_inform();
        // The moment of the start tells a cell from its copy, which no certificate does.
        list.extend(
            Path::parse(path::UP_TIME)
                .ok()
                .and_then(|path| self.device.get(&path).ok())
                .into_iter()
                .flatten(),
        );
        for path in &self.changed {
            let is_new = list.iter().all(|entry| entry.name != path.as_str());
            list.extend(self.device.get(path).ok().filter(|_| is_new).into_iter().flatten());
        }
        for path in self.wished(events) {
            let is_new = list.iter().all(|entry| entry.name != path.as_str());
            list.extend(self.device.get(&path).ok().filter(|_| is_new).into_iter().flatten());
        }
        list
    }

    /// Relative time until the clock is synchronised: the clock that checks certificates is another parameter. (K-07)
    pub(super) fn current_time(&self) -> DateTime {
        if self.clock.synchronised() {
            DateTime::from(self.now())
        } else {
            DateTime::relative(self.booted.elapsed())
        }
    }

    /// The parameters that the ACS wants with these events. (C-05)
    fn wished(&self, events: &[EventStruct]) -> BTreeSet<Path> {
        let events: Vec<String> = events.iter().map(|event| event.event_code.to_string()).collect();
        let tree = self.device.memory().tree();
        let value = |row: &Path, name: &str| self.device.value(&format!("{row}{name}"));
        let table = Path::parse(WISHES).unwrap_or_else(|_| Path::root());
        let rows = tree.rows(&table).into_iter().map(|number| table.row(number));
        let wanted = rows.filter(|row| {
            value(row, "Enable") == "true"
                && value(row, "EventList").split(',').any(|event| events.iter().any(|one| one == event))
        });
        let patterns = wanted.filter_map(|row| Pattern::parse(&value(&row, "ParameterName")).ok());
        patterns.flat_map(|pattern| tree.find(&pattern)).take(MOST_WISHED).collect()
    }

    /// What no such row may hold: what every Inform carries anyway, and the event that has its own rule. (C-05)
    pub(crate) fn wish_refusals(&self, list: &[ParameterValueStruct]) -> Vec<SetParameterValuesFault> {
        let wishes = list.iter().filter(|entry| entry.name.starts_with(WISHES));
        let told = wishes.filter_map(|entry| {
            let column = entry.name.rsplit('.').next().unwrap_or_default();
            let text = match column {
                "ParameterName" => self.wish_refusal(&entry.value.text)?,
                "EventList"
                    if entry
                        .value
                        .text
                        .split(',')
                        .any(|event| event.trim() == EventCode::VALUE_CHANGE.to_string()) =>
                {
                    "4 VALUE CHANGE carries what changed: another event is right"
                }
                _ => return None,
            };
            Some(SetParameterValuesFault {
                parameter_name: entry.name.clone(),
                fault_code: FaultCode::INVALID_PARAMETER_VALUE,
                fault_string: text.into(),
            })
        });
        told.collect()
    }

    fn wish_refusal(&self, text: &str) -> Option<&'static str> {
        if text.is_empty() {
            return None;
        }
        let Ok(pattern) = Pattern::parse(text) else {
            return Some("a path, with * in place of instance numbers, is right");
        };
        let tree = self.device.memory().tree();
        let is_forced = |path: &Path| tree.parameter(path).is_some_and(|found| found.is_forced_inform);
        let found = tree.find(&pattern);
        found.iter().any(is_forced).then_some("every Inform carries that anyway: another parameter is right")
    }
}
