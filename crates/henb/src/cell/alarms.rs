//! What a cell complains of between two messages: its own alarms and the radio's, and who hears of them. (A-19, F-01 to F-11)
//!
//! ```text
//!   raise, clear, news of the radio ─▶ rings ─▶ told as their attributes say: at once, or with the next session
//!                                  └─▶ CurrentAlarm
//! ```
//!
//! What stands at a power cut is told by nobody: an ACS reads CurrentAlarm after each 1 BOOT. (F-11)

use cwmp::EventCode;
use datamodel::Path;

use super::Cell;
use crate::{
    alarms::{
        Alarm,
        current::Current,
        event::{AlarmEvent, Mechanism, NotificationType},
        supported_row,
    },
    device::{DeviceAlarm, Standing, path},
    dn,
};

impl Cell {
    /// Raises an alarm and tells of it, once. (A-19)
    pub(crate) fn raise(&mut self, alarm: Alarm, text: &str) {
        if let Some(told) = self.alarms.raise(alarm, text, self.now()) {
            tracing::warn!(alarm = alarm.identifier(), "{text}");
            self.happened(NotificationType::NewAlarm, told);
        }
    }

    /// Clears an alarm and tells of it.
    pub(crate) fn clear(&mut self, alarm: Alarm) {
        if let Some(told) = self.alarms.clear(alarm) {
            tracing::info!(alarm = alarm.identifier(), "an alarm is cleared");
            self.happened(NotificationType::ClearedAlarm, told);
        }
    }

    /// Takes in what the device complains of. (A-19)
    pub(super) fn hear_alarms(&mut self) {
        let now = self.now();
        let news: Vec<_> = self.device.alarms();
        let heard: Vec<_> = news.into_iter().filter_map(|news| self.device_alarms.hear(news, now)).collect();
        for (notification, alarm) in heard {
            self.happened(notification, alarm);
        }
    }

    /// Somebody else heard what was pending: the serving H(e)MS is owed a session, and all that stands. (G-03)
    pub(crate) fn call_back(&mut self) {
        self.note_url();
        self.show_alarms();
        let places = [path::ALARM_COUNT, path::ALARMS];
        self.changed.extend(places.into_iter().filter_map(|path| Path::parse(path).ok()));
        self.agenda.raise(EventCode::VALUE_CHANGE, "");
    }

    fn happened(&mut self, notification: NotificationType, alarm: DeviceAlarm) {
        self.has_alarms = true;
        let mechanism = self.mechanism(&alarm);
        let event = AlarmEvent { at: self.now(), notification, alarm: self.named(alarm) };
        for (row, columns) in self.rings.write(&event, mechanism) {
            let told = self.device.overwrite(&row, &columns);
            self.note_changes(told);
        }
        self.show_alarms();
    }

    /// How the ACS wants an alarm to be told. (F-01)
    fn mechanism(&self, alarm: &DeviceAlarm) -> Mechanism {
        let place = format!("{}{}.ReportingMechanism", path::SUPPORTED_ALARMS, supported_row(alarm));
        Mechanism::of(&self.device.value(&place))
    }

    /// An alarm whose object has its distinguished name. (F-10)
    fn named(&self, alarm: DeviceAlarm) -> DeviceAlarm {
        let managed_object_instance = dn::whole(self.device.as_ref(), &alarm.managed_object_instance);
        DeviceAlarm { managed_object_instance, ..alarm }
    }

    /// Writes down what stands and is not ignored. (F-02, F-08)
    pub(super) fn show_alarms(&mut self) {
        let all: Vec<Standing> = self.alarms.standing().chain(self.device_alarms.standing()).collect();
        let told = all.into_iter().filter(|standing| self.mechanism(&standing.alarm) != Mechanism::Disabled);
        let told = told.map(|standing| Standing { alarm: self.named(standing.alarm.clone()), ..standing });
        let rows = self.alarm_rows();
        let names: Vec<String> = rows.iter().map(|(_, name)| name.clone()).collect();
        let current = Current::of(told.collect(), &names);
        for (gone, newcomer) in &current.replaced {
            if let Some((number, _)) = rows.iter().find(|(_, name)| name == gone) {
                let told = self.device.overwrite(&format!("{}{number}.", path::ALARMS), &newcomer.row());
                self.note_changes(told);
            }
        }
        let shown: Vec<_> = current.shown.iter().map(Standing::row).collect();
        self.device.put_rows(path::ALARMS, &shown);
    }

    /// The rows of CurrentAlarm with the identifiers in them.
    fn alarm_rows(&self) -> Vec<(u32, String)> {
        let name = |number| self.device.value(&format!("{}{number}.AlarmIdentifier", path::ALARMS));
        self.device.rows(path::ALARMS).into_iter().map(|number| (number, name(number))).collect()
    }
}

#[cfg(test)]
#[path = "alarms_tests.rs"]
mod tests;
