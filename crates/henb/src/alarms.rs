//! What the cell complains of: a row of Device.FaultMgmt.CurrentAlarm for each alarm that stands. (A-19, K-02, K-10)
//!
//! An alarm is a row of the table below; it is raised once, keeps the text of that moment, and survives a power cut.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::device::Row;

macro_rules! alarms {
    ($( $(#[$doc:meta])* $name:ident $identifier:literal $severity:literal $event:literal $cause:literal $problem:literal )*) => {
        /// What can be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Alarm { $( $(#[$doc])* #[serde(rename = $identifier)] $name, )* }

        impl Alarm {
            /// The stable word of this alarm.
            #[must_use]
            pub const fn identifier(self) -> &'static str {
                match self { $( Self::$name => $identifier ),* }
            }

            /// Severity, event type, probable cause (X.733) and specific problem.
            const fn facts(self) -> [&'static str; 4] {
                match self { $( Self::$name => [$severity, $event, $cause, $problem] ),* }
            }
        }
    };
}

alarms! {
    /// The cell's own certificate ends soon, or has ended.
    CertificateEnds "certificate-ends" "Major" "Processing Error Alarm" "Application Subsystem Failure"
        "the certificate of the cell ends"
    /// The clock was set, and the certificate of a H(e)MS that was trusted before is not valid by it. (K-10)
    PeerOutOfDate "peer-out-of-date" "Major" "Processing Error Alarm" "Application Subsystem Failure"
        "a session was held with a certificate that is not valid now"
    /// The operator's signed correction set the clock. (K-02)
    ClockCorrected "clock-corrected" "Warning" "Operational Violation" "Timing Problem"
        "the clock was set by a signed correction"
    /// The clock's file was damaged. (K-01)
    ClockFile "clock-file" "Warning" "Processing Error Alarm" "Storage Capacity Problem"
        "the saved time was damaged"
    /// The state's file was damaged, and the one before it is used. (K-01)
    StateFile "state-file" "Major" "Processing Error Alarm" "Storage Capacity Problem"
        "the last state of the cell was damaged"
    /// A revocation list of the operator is overdue, or cannot be used.
    RevocationList "revocation-list" "Major" "Processing Error Alarm" "Application Subsystem Failure"
        "a revocation list is overdue or of no use"
    /// The serving H(e)MS was refused so often that the cell turned to the recovery endpoint. (G-03)
    HemsRefused "hems-refused" "Major" "Processing Error Alarm" "Application Subsystem Failure"
        "the certificate of the H(e)MS is refused"
    /// A new image did not boot, or reached nobody, and the other one runs again. (W-07)
    FirmwareFallback "firmware-fallback" "Major" "Processing Error Alarm" "Software Error"
        "the new firmware image was given up"
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
    /// Raises an alarm; says whether it is a new one.
    pub(crate) fn raise(&mut self, alarm: Alarm, text: &str, now: Timestamp) -> bool {
        let is_new = !self.0.contains_key(&alarm);
        let text = text.chars().take(MOST_CHARACTERS).collect();
        self.0.entry(alarm).or_insert(Raised { at: now, text });
        is_new
    }

    /// Clears an alarm; says whether it stood.
    pub(crate) fn clear(&mut self, alarm: Alarm) -> bool {
        self.0.remove(&alarm).is_some()
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

    /// The rows of the data model.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.0.iter().map(|(alarm, raised)| row(*alarm, raised)).collect()
    }
}

fn row(alarm: Alarm, raised: &Raised) -> Row {
    let [severity, event, cause, problem] = alarm.facts();
    let at = cwmp::DateTime::from(raised.at).0.to_string();
    vec![
        ("AlarmIdentifier", alarm.identifier().to_owned()),
        ("AlarmRaisedTime", at.clone()),
        ("AlarmChangedTime", at),
        ("ManagedObjectInstance", "Device.".to_owned()),
        ("EventType", event.to_owned()),
        ("ProbableCause", cause.to_owned()),
        ("SpecificProblem", problem.to_owned()),
        ("PerceivedSeverity", severity.to_owned()),
        ("AdditionalText", raised.text.clone()),
    ]
}
