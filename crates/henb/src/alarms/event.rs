//! What happens to alarms, and which rings it is written into. (F-04 to F-09)
//!
//! ```text
//!   event ─▶ its row of SupportedAlarm ─ 0 Expedited ─▶ HistoryEvent, ExpeditedEvent
//!                                      ├ 1 Queued    ─▶ HistoryEvent, QueuedEvent
//!                                      ├ 2 Logged    ─▶ HistoryEvent
//!                                      └ 3 Disabled  ─▶ nothing
//! ```
//!
//! Rings have rows from 1 to their number of entries, which never changes; after the last one the first is written over.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::device::{DeviceAlarm, Row, path};

/// What happened. (F-05)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "the data model's words")]
pub(crate) enum NotificationType {
    NewAlarm,
    ChangedAlarm,
    ClearedAlarm,
}

/// Something happened to an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlarmEvent {
    pub(crate) at: Timestamp,
    pub(crate) notification: NotificationType,
    pub(crate) alarm: DeviceAlarm,
}

/// How the ACS wants an alarm to be told. (F-06 to F-08)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Expedited,
    Queued,
    Logged,
    Disabled,
}

impl Mechanism {
    /// The mechanism of a word of the data model; what is not known is told at once.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "1 Queued" => Self::Queued,
            "2 Logged" => Self::Logged,
            "3 Disabled" => Self::Disabled,
            _ => Self::Expedited,
        }
    }

    const fn rings(self) -> &'static [Ring] {
        match self {
            Self::Expedited => &[Ring::History, Ring::Expedited],
            Self::Queued => &[Ring::History, Ring::Queued],
            Self::Logged => &[Ring::History],
            Self::Disabled => &[],
        }
    }
}

/// A table of fixed size. (F-04)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ring {
    History,
    Expedited,
    Queued,
}

/// The rings with their entries: enough for a bad hour, and small enough to be kept by each cell of a large fleet.
pub(crate) const RINGS: [(&str, u32); 3] =
    [(path::HISTORY_EVENTS, 16), (path::EXPEDITED_EVENTS, 8), (path::QUEUED_EVENTS, 8)];

/// The rows that were written last; zero where none was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rings {
    history: u32,
    expedited: u32,
    queued: u32,
}

impl Rings {
    /// The rows that an event is written into, and what they say from now on.
    pub(crate) fn write(&mut self, event: &AlarmEvent, mechanism: Mechanism) -> Vec<(String, Row)> {
        mechanism.rings().iter().map(|ring| (self.next(*ring), event.row())).collect()
    }

    fn next(&mut self, ring: Ring) -> String {
        let [history, expedited, queued] = RINGS;
        let ((table, entries), last) = match ring {
            Ring::History => (history, &mut self.history),
            Ring::Expedited => (expedited, &mut self.expedited),
            Ring::Queued => (queued, &mut self.queued),
        };
        *last = if *last >= entries { 1 } else { *last + 1 };
        format!("{table}{last}.")
    }
}

impl AlarmEvent {
    fn row(&self) -> Row {
        let severity = match self.notification {
            NotificationType::ClearedAlarm => "Cleared".to_owned(),
            NotificationType::NewAlarm | NotificationType::ChangedAlarm => {
                self.alarm.perceived_severity.to_string()
            }
        };
        let mut row = vec![
            ("EventTime", cwmp::DateTime::from(self.at).0.to_string()),
            ("NotificationType", format!("{:?}", self.notification)),
            ("PerceivedSeverity", severity),
        ];
        row.extend(self.alarm.columns());
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::sample_alarm;

    fn event(second: i64, notification: NotificationType) -> AlarmEvent {
        let at = Timestamp::from_second(second).unwrap();
        AlarmEvent { at, notification, alarm: sample_alarm("hot") }
    }

    fn places(rings: &mut Rings, mechanism: Mechanism) -> Vec<String> {
        let written = rings.write(&event(0, NotificationType::NewAlarm), mechanism);
        written.into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn f04_a_ring_goes_from_1_to_its_last_row_and_again_from_1() {
        let mut rings = Rings::default();
        let (table, entries) = RINGS[2];
        let written: Vec<_> =
            (0..=entries).map(|_| places(&mut rings, Mechanism::Queued).remove(1)).collect();
        assert_eq!(
            (written[0].as_str(), written[1].as_str()),
            (&*format!("{table}1."), &*format!("{table}2."))
        );
        assert_eq!(written[7], format!("{table}{entries}."));
        assert_eq!(written[8], format!("{table}1."));
    }

    #[test]
    fn f08_the_mechanism_says_which_rings_are_written() {
        let mut rings = Rings::default();
        assert_eq!(
            places(&mut rings, Mechanism::of("0 Expedited")),
            ["Device.FaultMgmt.HistoryEvent.1.", "Device.FaultMgmt.ExpeditedEvent.1."]
        );
        assert_eq!(
            places(&mut rings, Mechanism::of("1 Queued")),
            ["Device.FaultMgmt.HistoryEvent.2.", "Device.FaultMgmt.QueuedEvent.1."]
        );
        assert_eq!(places(&mut rings, Mechanism::of("2 Logged")), ["Device.FaultMgmt.HistoryEvent.3."]);
        assert!(places(&mut rings, Mechanism::of("3 Disabled")).is_empty());
    }

    #[test]
    fn f05_a_row_says_what_happened_and_how_bad_it_is() {
        for (notification, word, severity) in [
            (NotificationType::NewAlarm, "NewAlarm", "Minor"),
            (NotificationType::ChangedAlarm, "ChangedAlarm", "Minor"),
            (NotificationType::ClearedAlarm, "ClearedAlarm", "Cleared"),
        ] {
            let row = event(60, notification).row();
            let said = |name: &str| row.iter().find(|(column, _)| *column == name).unwrap().1.clone();
            assert_eq!((said("NotificationType"), said("PerceivedSeverity")), (word.into(), severity.into()));
            assert_eq!(
                (said("EventTime"), said("AlarmIdentifier")),
                ("1970-01-01T00:01:00Z".into(), "hot".into())
            );
        }
    }
}
