//! What a radio complains of, in the words of the data model, and the list of what stands. (A-19)
//!
//! ```text
//!   NewAlarm ─▶ stands ─ChangedAlarm─▶ stands, changed ─ClearedAlarm─▶ gone
//! ```
//!
//! A device says after each power-on what stands then, so that nothing of it is kept over a power cut. An alarm that is
//! raised again is one that changed; one that changes without having been raised is raised by it.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Row;

/// Most alarms of one radio that stand at a time: many times what an operator could look at, and still a few kilobytes.
const MOST_ALARMS: usize = 64;

/// One alarm of a radio. Texts are cut to what the data model allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DeviceAlarm {
    /// What tells it from the radio's others, at most 64 characters; the same when it is changed and cleared.
    pub alarm_identifier: String,
    /// Which part of the cell, such as `Device.Services.FAPService.1.`; at most 512 characters.
    #[serde(default = "whole_cell")]
    pub managed_object_instance: String,
    /// Such as `Communications Alarm` or `Equipment Alarm`; at most 64 characters; TS 32.111-2 lists them.
    pub event_type: String,
    /// Such as `Link Failure`; at most 64 characters; TS 32.111-2 lists them.
    pub probable_cause: String,
    /// What it is in the vendor's words, at most 128 characters.
    #[serde(default)]
    pub specific_problem: String,
    /// How bad it is.
    pub perceived_severity: PerceivedSeverity,
    /// More for a person, at most 256 characters.
    #[serde(default)]
    pub additional_text: String,
    /// More for a program, at most 256 characters.
    #[serde(default)]
    pub additional_information: String,
}

fn whole_cell() -> String {
    "Device.".to_owned()
}

/// How bad an alarm is, by TS 32.111-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PerceivedSeverity {
    /// No service.
    Critical,
    /// Service is degraded.
    Major,
    /// Service is not affected yet.
    Minor,
    /// It may be some day.
    Warning,
    /// The radio cannot tell.
    Indeterminate,
}

impl fmt::Display for PerceivedSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a radio says of an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "NotificationType")]
pub enum AlarmNews {
    /// It stands from now on.
    #[serde(rename = "NewAlarm")]
    Raised(DeviceAlarm),
    /// It stands still, and is another now.
    #[serde(rename = "ChangedAlarm")]
    Changed(DeviceAlarm),
    /// It stands no more.
    #[serde(rename = "ClearedAlarm", rename_all = "PascalCase")]
    Cleared {
        /// Which.
        alarm_identifier: String,
    },
}

/// The alarms of the radio that stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DeviceAlarms(BTreeMap<String, Standing>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    alarm: DeviceAlarm,
    raised: Timestamp,
    changed: Timestamp,
}

impl DeviceAlarms {
    /// Takes one piece of news in; true when the list is another now.
    pub(crate) fn hear(&mut self, news: AlarmNews, now: Timestamp) -> bool {
        match news {
            AlarmNews::Cleared { alarm_identifier } => self.0.remove(&alarm_identifier).is_some(),
            AlarmNews::Raised(alarm) | AlarmNews::Changed(alarm) => self.stand(alarm, now),
        }
    }

    fn stand(&mut self, alarm: DeviceAlarm, now: Timestamp) -> bool {
        if let Some(known) = self.0.get_mut(&alarm.alarm_identifier) {
            let is_other = known.alarm != alarm;
            if is_other {
                (known.alarm, known.changed) = (alarm, now);
            }
            return is_other;
        }
        let has_room = self.0.len() < MOST_ALARMS;
        if has_room {
            let standing = Standing { alarm, raised: now, changed: now };
            self.0.insert(standing.alarm.alarm_identifier.clone(), standing);
        } else {
            tracing::warn!(alarm = alarm.alarm_identifier, "the radio has more alarms than {MOST_ALARMS}");
        }
        has_room
    }

    /// The rows of the data model.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        self.0.values().map(Standing::row)
    }
}

impl Standing {
    fn row(&self) -> Row {
        let time = |at: Timestamp| cwmp::DateTime::from(at).0.to_string();
        let cut = |text: &str, most| text.chars().take(most).collect::<String>();
        let alarm = &self.alarm;
        vec![
            ("AlarmIdentifier", cut(&alarm.alarm_identifier, 64)),
            ("AlarmRaisedTime", time(self.raised)),
            ("AlarmChangedTime", time(self.changed)),
            ("ManagedObjectInstance", cut(&alarm.managed_object_instance, 512)),
            ("EventType", cut(&alarm.event_type, 64)),
            ("ProbableCause", cut(&alarm.probable_cause, 64)),
            ("SpecificProblem", cut(&alarm.specific_problem, 128)),
            ("PerceivedSeverity", alarm.perceived_severity.to_string()),
            ("AdditionalText", cut(&alarm.additional_text, 256)),
            ("AdditionalInformation", cut(&alarm.additional_information, 256)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(identifier: &str, text: &str) -> DeviceAlarm {
        DeviceAlarm {
            alarm_identifier: identifier.to_owned(),
            managed_object_instance: whole_cell(),
            event_type: "Equipment Alarm".to_owned(),
            probable_cause: "High Temperature".to_owned(),
            specific_problem: String::new(),
            perceived_severity: PerceivedSeverity::Minor,
            additional_text: text.to_owned(),
            additional_information: String::new(),
        }
    }

    #[test]
    fn a19_an_alarm_is_raised_changed_and_cleared_once_each() {
        let (mut list, start) = (DeviceAlarms::default(), Timestamp::UNIX_EPOCH);
        let later = start + jiff::SignedDuration::from_secs(60);
        assert!(list.hear(AlarmNews::Raised(alarm("hot", "70")), start));
        assert!(!list.hear(AlarmNews::Raised(alarm("hot", "70")), later));
        assert!(list.hear(AlarmNews::Changed(alarm("hot", "80")), later));
        let row: BTreeMap<_, _> = list.rows().next().unwrap().into_iter().collect();
        assert_eq!(row["AlarmRaisedTime"], "1970-01-01T00:00:00Z");
        assert_eq!(row["AlarmChangedTime"], "1970-01-01T00:01:00Z");
        let cleared = AlarmNews::Cleared { alarm_identifier: "hot".to_owned() };
        assert!(list.hear(cleared.clone(), later) && !list.hear(cleared, later));
    }

    #[test]
    fn the_list_has_an_end_and_what_stands_can_still_change() {
        let (mut list, now) = (DeviceAlarms::default(), Timestamp::UNIX_EPOCH);
        let names: Vec<String> = (0..=MOST_ALARMS).map(|number| number.to_string()).collect();
        let taken = names.iter().filter(|name| list.hear(AlarmNews::Raised(alarm(name, "")), now)).count();
        assert_eq!(taken, MOST_ALARMS);
        assert!(list.hear(AlarmNews::Changed(alarm("0", "worse")), now));
    }

    #[test]
    fn every_row_is_one_that_the_model_allows() {
        let mut list = DeviceAlarms::default();
        list.hear(AlarmNews::Raised(alarm(&"i".repeat(99), &"ü".repeat(999))), Timestamp::UNIX_EPOCH);
        let model = datamodel::Model::cell();
        for (name, value) in list.rows().flatten() {
            let path = datamodel::Path::parse(&format!("Device.FaultMgmt.CurrentAlarm.1.{name}")).unwrap();
            assert_eq!(model.parameter(&path).unwrap().canonical(&value).as_ref(), Ok(&value), "{name}");
        }
    }
}
