//! What the cell complains of by itself: its alarms, and which of them stand. (A-19, K-02, K-10, F-01)
//!
//! ```text
//!   raise, clear ─▶ stands? ─▶ CurrentAlarm, by `current`
//!                      └─news─▶ the rings of events, by `event`
//! ```
//!
//! An alarm is a row of the table below; it is raised once, keeps the text of that moment, and survives a power cut.

pub(crate) mod current;
pub(crate) mod event;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::device::{DeviceAlarm, PerceivedSeverity, Row, Standing};

macro_rules! alarms {
    ($( $(#[$doc:meta])* $name:ident $number:literal $identifier:literal $severity:ident $event:literal $cause:literal $problem:literal )*) => {
        /// What can be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Alarm { $( $(#[$doc])* #[serde(rename = $identifier)] $name, )* }

        impl Alarm {
            /// All of them.
            pub const ALL: &[Self] = &[ $( Self::$name ),* ];

            /// The stable word of this alarm.
            #[must_use]
            pub const fn identifier(self) -> &'static str {
                match self { $( Self::$name => $identifier ),* }
            }

            /// The row of SupportedAlarm, the same in every version of this program. (F-01)
            const fn number(self) -> u32 {
                match self { $( Self::$name => $number ),* }
            }

            const fn severity(self) -> PerceivedSeverity {
                match self { $( Self::$name => PerceivedSeverity::$severity ),* }
            }

            /// Event type and probable cause by TS 32.111-2, and the specific problem.
            const fn facts(self) -> [&'static str; 3] {
                match self { $( Self::$name => [$event, $cause, $problem] ),* }
            }
        }
    };
}

alarms! {
    /// The cell's own certificate ends soon, or has ended. (A-19)
    CertificateEnds 2 "certificate-ends" Major "Processing Error Alarm" "Application Subsystem Failure"
        "the certificate of the cell ends"
    /// The clock was set, and the certificate of a H(e)MS that was trusted before is not valid by it. (K-10)
    PeerOutOfDate 3 "peer-out-of-date" Major "Processing Error Alarm" "Application Subsystem Failure"
        "a session was held with a certificate that is not valid now"
    /// The operator's signed correction set the clock. (K-02)
    ClockCorrected 4 "clock-corrected" Warning "Operational Violation" "Timing Problem"
        "the clock was set by a signed correction"
    /// The clock's file was damaged. (K-01)
    ClockFile 5 "clock-file" Warning "Processing Error Alarm" "Storage Capacity Problem"
        "the saved time was damaged"
    /// A revocation list of the operator is overdue, or cannot be used. (A-12)
    RevocationList 6 "revocation-list" Major "Processing Error Alarm" "Application Subsystem Failure"
        "a revocation list is overdue or of no use"
    /// The serving H(e)MS was refused so often that the cell turned to the recovery endpoint. (G-03)
    HemsRefused 7 "hems-refused" Major "Processing Error Alarm" "Application Subsystem Failure"
        "the certificate of the H(e)MS is refused"
    /// A new image did not boot, or reached nobody, and the other one runs again. (W-07)
    FirmwareFallback 8 "firmware-fallback" Major "Processing Error Alarm" "Software Error"
        "the new firmware image was given up"
    /// A server asked for a shared secret, which no cell has and no H(e)MS needs. (A-17, P-07)
    SharedSecret 9 "shared-secret" Major "Security Service or Mechanism Violation" "Authentication Failure"
        "the server wants a shared secret"
    /// The state's file was damaged, and the one before it is used. (K-01)
    StateFile 10 "state-file" Major "Processing Error Alarm" "Storage Capacity Problem"
        "the last state of the cell was damaged"
}

/// The row of SupportedAlarm for whatever has none of its own: all that a radio complains of.
const DEFAULT_ROW: u32 = 1;

/// What a column of the default row says.
const ANY: &str = "*";

/// How many rows SupportedAlarm has.
pub(crate) const SUPPORTED_ROWS: usize = Alarm::ALL.len() + 1;

/// The rows of SupportedAlarm and their numbers; how each is reported is the ACS's to say. (F-01)
pub(crate) fn supported_rows() -> impl Iterator<Item = (u32, Row)> {
    let row = |[event, cause, problem]: [&str; 3], severity: String| -> Row {
        vec![
            ("EventType", event.to_owned()),
            ("ProbableCause", cause.to_owned()),
            ("SpecificProblem", problem.to_owned()),
            ("PerceivedSeverity", severity),
        ]
    };
    let own = Alarm::ALL
        .iter()
        .map(move |alarm| (alarm.number(), row(alarm.facts(), alarm.severity().to_string())));
    own.chain([(DEFAULT_ROW, row([ANY; 3], ANY.to_owned()))])
}

/// The row of SupportedAlarm that an alarm falls under. (F-01)
pub(crate) fn supported_row(alarm: &DeviceAlarm) -> u32 {
    let known = Alarm::ALL.iter().find(|known| known.is_type_of(alarm));
    known.map_or(DEFAULT_ROW, |known| known.number())
}

impl Alarm {
    /// The alarm as the data model tells it.
    fn told(self, text: &str) -> DeviceAlarm {
        let [event_type, probable_cause, specific_problem] = self.facts().map(str::to_owned);
        DeviceAlarm {
            alarm_identifier: self.identifier().to_owned(),
            managed_object_instance: "Device.".to_owned(),
            event_type,
            probable_cause,
            specific_problem,
            perceived_severity: self.severity(),
            additional_text: text.to_owned(),
            additional_information: String::new(),
        }
    }

    fn is_type_of(self, alarm: &DeviceAlarm) -> bool {
        let said = [&alarm.event_type, &alarm.probable_cause, &alarm.specific_problem];
        self.facts() == said && self.severity() == alarm.perceived_severity
    }
}

/// The alarms that stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarms(BTreeMap<Alarm, Raised>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Raised {
    at: Timestamp,
    text: String,
}

/// The longest AdditionalText.
const MOST_CHARACTERS: usize = 256;

impl Alarms {
    /// Raises an alarm; gives what is to be told where it is a new one.
    pub(crate) fn raise(&mut self, alarm: Alarm, text: &str, now: Timestamp) -> Option<DeviceAlarm> {
        if self.has(alarm) {
            return None;
        }
        let text: String = text.chars().take(MOST_CHARACTERS).collect();
        let told = alarm.told(&text);
        self.0.insert(alarm, Raised { at: now, text });
        Some(told)
    }

    /// Clears an alarm; gives what is to be told where it stood.
    pub(crate) fn clear(&mut self, alarm: Alarm) -> Option<DeviceAlarm> {
        self.0.remove(&alarm).map(|raised| alarm.told(&raised.text))
    }

    /// Whether an alarm stands.
    #[must_use]
    pub fn has(&self, alarm: Alarm) -> bool {
        self.0.contains_key(&alarm)
    }

    /// Stable word and text of each.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(alarm, raised)| (alarm.identifier(), raised.text.as_str()))
    }

    /// All that stand.
    pub(crate) fn standing(&self) -> impl Iterator<Item = Standing> {
        self.0.iter().map(|(alarm, raised)| Standing {
            alarm: alarm.told(&raised.text),
            raised: raised.at,
            changed: raised.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f01_rows_of_supported_alarms_keep_their_numbers_over_upgrades() {
        let numbers: Vec<_> = Alarm::ALL.iter().map(|alarm| (alarm.number(), alarm.identifier())).collect();
        let expected = [
            (2, "certificate-ends"),
            (3, "peer-out-of-date"),
            (4, "clock-corrected"),
            (5, "clock-file"),
            (6, "revocation-list"),
            (7, "hems-refused"),
            (8, "firmware-fallback"),
            (9, "shared-secret"),
            (10, "state-file"),
        ];
        assert_eq!(numbers, expected, "a new alarm gets the next number, and none is given twice");
    }

    #[test]
    fn f01_an_alarm_falls_under_its_own_row_or_the_default_one() {
        let own = Alarm::ClockFile.told("damaged");
        assert_eq!(supported_row(&own), 5);
        let milder = DeviceAlarm { perceived_severity: PerceivedSeverity::Minor, ..own };
        assert_eq!(supported_row(&milder), DEFAULT_ROW);
    }

    #[test]
    fn f01_every_row_of_supported_alarms_is_one_that_the_model_allows() {
        let model = datamodel::Model::cell();
        for (number, row) in supported_rows() {
            for (name, value) in row {
                let place = format!("Device.FaultMgmt.SupportedAlarm.{number}.{name}");
                let path = datamodel::Path::parse(&place).unwrap();
                assert_eq!(model.parameter(&path).unwrap().canonical(&value).as_ref(), Ok(&value), "{place}");
            }
        }
    }
}
