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
use crate::alarms::event::NotificationType;

/// Most alarms of one radio that stand at a time: many times what an operator could look at, and still a few kilobytes.
const MOST_ALARMS: usize = 64;

/// One alarm of a radio. Texts are cut to what the data model allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DeviceAlarm {
    /// What tells it from the radio's others, at most 64 characters; the same when it is changed and cleared.
    pub alarm_identifier: String,
    /// Which part of the cell, as a path such as `Device.Services.FAPService.1.` or as the end of a distinguished name
    /// such as `ENBFunction=1,EUtranGenericCell=1`; the agent makes a whole name of it, of at most 512 characters. (F-10)
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

/// An alarm that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) alarm: DeviceAlarm,
    pub(crate) raised: Timestamp,
    pub(crate) changed: Timestamp,
}

impl DeviceAlarms {
    /// Takes one piece of news in; gives what happened where the list is another now.
    pub(crate) fn hear(
        &mut self,
        news: AlarmNews,
        now: Timestamp,
    ) -> Option<(NotificationType, DeviceAlarm)> {
        match news {
            AlarmNews::Cleared { alarm_identifier } => {
                let known = self.0.remove(&alarm_identifier)?;
                Some((NotificationType::ClearedAlarm, known.alarm))
            }
            AlarmNews::Raised(alarm) | AlarmNews::Changed(alarm) => {
                Some((self.stand(alarm.clone(), now)?, alarm))
            }
        }
    }

    fn stand(&mut self, alarm: DeviceAlarm, now: Timestamp) -> Option<NotificationType> {
        if let Some(known) = self.0.get_mut(&alarm.alarm_identifier) {
            let is_other = known.alarm != alarm;
            if is_other {
                (known.alarm, known.changed) = (alarm, now);
            }
            return is_other.then_some(NotificationType::ChangedAlarm);
        }
        if self.0.len() >= MOST_ALARMS {
            tracing::warn!(alarm = alarm.alarm_identifier, "the radio has more alarms than {MOST_ALARMS}");
            return None;
        }
        let standing = Standing { alarm, raised: now, changed: now };
        self.0.insert(standing.alarm.alarm_identifier.clone(), standing);
        Some(NotificationType::NewAlarm)
    }

    /// All that stand.
    pub(crate) fn standing(&self) -> impl Iterator<Item = Standing> {
        self.0.values().cloned()
    }
}

impl Standing {
    /// The row of CurrentAlarm; what names it comes first.
    pub(crate) fn row(&self) -> Row {
        let time = |at: Timestamp| cwmp::DateTime::from(at).0.to_string();
        let mut row = self.alarm.columns();
        row.extend([
            ("AlarmRaisedTime", time(self.raised)),
            ("AlarmChangedTime", time(self.changed)),
            ("PerceivedSeverity", self.alarm.perceived_severity.to_string()),
        ]);
        row
    }
}

impl DeviceAlarm {
    /// The columns that an alarm and its events have in common.
    pub(crate) fn columns(&self) -> Row {
        let cut = |text: &str, most| text.chars().take(most).collect::<String>();
        vec![
            ("AlarmIdentifier", cut(&self.alarm_identifier, 64)),
            ("ManagedObjectInstance", cut(&self.managed_object_instance, 512)),
            ("EventType", cut(&self.event_type, 64)),
            ("ProbableCause", cut(&self.probable_cause, 64)),
            ("SpecificProblem", cut(&self.specific_problem, 128)),
            ("AdditionalText", cut(&self.additional_text, 256)),
            ("AdditionalInformation", cut(&self.additional_information, 256)),
        ]
    }
}

/// A hot one.
#[cfg(test)]
pub(crate) fn sample_alarm(identifier: &str) -> DeviceAlarm {
    DeviceAlarm {
        alarm_identifier: identifier.to_owned(),
        managed_object_instance: whole_cell(),
        event_type: "Equipment Alarm".to_owned(),
        probable_cause: "High Temperature".to_owned(),
        specific_problem: String::new(),
        perceived_severity: PerceivedSeverity::Minor,
        additional_text: String::new(),
        additional_information: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(identifier: &str, text: &str) -> DeviceAlarm {
        DeviceAlarm { additional_text: text.to_owned(), ..sample_alarm(identifier) }
    }

    #[test]
    fn a19_an_alarm_is_raised_changed_and_cleared_once_each() {
        let (mut list, start) = (DeviceAlarms::default(), Timestamp::UNIX_EPOCH);
        let later = start + jiff::SignedDuration::from_secs(60);
        let mut hear = |news, now| list.hear(news, now).map(|(notification, _)| notification);
        assert_eq!(hear(AlarmNews::Raised(alarm("hot", "70")), start), Some(NotificationType::NewAlarm));
        assert_eq!(hear(AlarmNews::Raised(alarm("hot", "70")), later), None);
        assert_eq!(hear(AlarmNews::Changed(alarm("hot", "80")), later), Some(NotificationType::ChangedAlarm));
        let row: BTreeMap<_, _> = list.standing().next().unwrap().row().into_iter().collect();
        assert_eq!(row["AlarmRaisedTime"], "1970-01-01T00:00:00Z");
        assert_eq!(row["AlarmChangedTime"], "1970-01-01T00:01:00Z");
        let cleared = AlarmNews::Cleared { alarm_identifier: "hot".to_owned() };
        assert_eq!(
            list.hear(cleared.clone(), later),
            Some((NotificationType::ClearedAlarm, alarm("hot", "80")))
        );
        assert_eq!(list.hear(cleared, later), None);
    }

    #[test]
    fn the_list_has_an_end_and_what_stands_can_still_change() {
        let (mut list, now) = (DeviceAlarms::default(), Timestamp::UNIX_EPOCH);
        let names: Vec<String> = (0..=MOST_ALARMS).map(|number| number.to_string()).collect();
        let taken =
            names.iter().filter_map(|name| list.hear(AlarmNews::Raised(alarm(name, "")), now)).count();
        assert_eq!(taken, MOST_ALARMS);
        assert!(list.hear(AlarmNews::Changed(alarm("0", "worse")), now).is_some());
    }

    #[test]
    fn every_row_is_one_that_the_model_allows() {
        let mut list = DeviceAlarms::default();
        list.hear(AlarmNews::Raised(alarm(&"i".repeat(99), &"ü".repeat(999))), Timestamp::UNIX_EPOCH);
        let model = datamodel::Model::cell();
        for (name, value) in list.standing().flat_map(|alarm| alarm.row()) {
            let path = datamodel::Path::parse(&format!("Device.FaultMgmt.CurrentAlarm.1.{name}")).unwrap();
            assert_eq!(model.parameter(&path).unwrap().canonical(&value).as_ref(), Ok(&value), "{name}");
        }
    }
}
