//! Event codes: why a CPE calls. (TR-069 3.7.1.5, C-06)
//!
//! The enumeration is open: codes of vendors are kept and displayed as they came.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Text;

/// The code of an event, such as `1 BOOT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventCode(pub Text);

/// How long a CPE says an event again that no InformResponse came for. (TR-069 3.7.1.5)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It is said once: the ACS that knocked will knock again.
    Never,
    /// It is said until the CPE restarts, which it does not outlive.
    UntilReboot,
    /// It is said until it is heard.
    Always,
}

impl EventCode {
    /// Those that CWMP 1.0 lists; later versions leave the list open.
    pub(crate) fn of_cwmp_1_0() -> [Self; 14] {
        [
            Self::BOOTSTRAP,
            Self::BOOT,
            Self::PERIODIC,
            Self::SCHEDULED,
            Self::VALUE_CHANGE,
            Self::KICKED,
            Self::CONNECTION_REQUEST,
            Self::TRANSFER_COMPLETE,
            Self::DIAGNOSTICS_COMPLETE,
            Self::REQUEST_DOWNLOAD,
            Self::M_REBOOT,
            Self::M_SCHEDULE_INFORM,
            Self::M_DOWNLOAD,
            Self::M_UPLOAD,
        ]
    }
}

/// The code's constant, its spelling, how long it is said again, and whether it outlives a BOOTSTRAP: what says how a
/// transfer ended does, because the ACS waits for the call that follows it.
macro_rules! event_codes {
    ($( $(#[$doc:meta])* $name:ident = $code:literal $retry:ident $outlives:literal; )*) => {
        impl EventCode {
            $( $(#[$doc])* pub const $name: Self = Self(Text::from_static($code)); )*

            /// Every code that the standard defines.
            #[must_use]
            pub fn all() -> Vec<Self> {
                vec![$( Self::$name ),*]
            }

            /// How long it is said again; codes of vendors as long as it takes.
            #[must_use]
            pub fn retry(&self) -> Retry {
                match self.as_str() { $( $code => Retry::$retry, )* _ => Retry::Always }
            }

            /// Whether it outlives a BOOTSTRAP.
            #[must_use]
            pub fn outlives_bootstrap(&self) -> bool {
                match self.as_str() { $( $code => $outlives, )* _ => false }
            }
        }
    };
}

event_codes! {
    /// First contact with this ACS.
    BOOTSTRAP = "0 BOOTSTRAP" Always true;
    /// Power-on or reset.
    BOOT = "1 BOOT" UntilReboot true;
    /// The periodic interval is over.
    PERIODIC = "2 PERIODIC" UntilReboot false;
    /// The time of a ScheduleInform has come.
    SCHEDULED = "3 SCHEDULED" Always false;
    /// A parameter with notification changed.
    VALUE_CHANGE = "4 VALUE CHANGE" Always false;
    /// A user was sent to the ACS by a web page.
    KICKED = "5 KICKED" UntilReboot false;
    /// The ACS knocked.
    CONNECTION_REQUEST = "6 CONNECTION REQUEST" Never false;
    /// A file transfer ended.
    TRANSFER_COMPLETE = "7 TRANSFER COMPLETE" Always true;
    /// A diagnostic ended.
    DIAGNOSTICS_COMPLETE = "8 DIAGNOSTICS COMPLETE" UntilReboot false;
    /// The CPE asks for a file.
    REQUEST_DOWNLOAD = "9 REQUEST DOWNLOAD" UntilReboot false;
    /// A file transfer that the ACS did not ask for ended.
    AUTONOMOUS_TRANSFER_COMPLETE = "10 AUTONOMOUS TRANSFER COMPLETE" Always true;
    /// A change of deployment units ended.
    DU_STATE_CHANGE_COMPLETE = "11 DU STATE CHANGE COMPLETE" Always true;
    /// A change of deployment units that the ACS did not ask for ended.
    AUTONOMOUS_DU_STATE_CHANGE_COMPLETE = "12 AUTONOMOUS DU STATE CHANGE COMPLETE" Always true;
    /// The CPE woke up.
    WAKEUP = "13 WAKEUP" UntilReboot false;
    /// The heartbeat interval is over.
    HEARTBEAT = "14 HEARTBEAT" UntilReboot false;
    /// A Reboot of the ACS was carried out.
    M_REBOOT = "M Reboot" Always false;
    /// A ScheduleInform of the ACS came due.
    M_SCHEDULE_INFORM = "M ScheduleInform" Always false;
    /// A Download of the ACS ended.
    M_DOWNLOAD = "M Download" Always true;
    /// A ScheduleDownload of the ACS ended.
    M_SCHEDULE_DOWNLOAD = "M ScheduleDownload" Always true;
    /// An Upload of the ACS ended.
    M_UPLOAD = "M Upload" Always true;
    /// A ChangeDUState of the ACS ended.
    M_CHANGE_DU_STATE = "M ChangeDUState" Always true;
}

impl EventCode {
    /// The code as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnyBody, Envelope, Limits};

    #[test]
    fn c06_codes_are_spelt_as_the_schema_has_them() {
        let spelt: Vec<_> = EventCode::all().iter().map(ToString::to_string).collect();
        let expected = "0 BOOTSTRAP|1 BOOT|2 PERIODIC|3 SCHEDULED|4 VALUE CHANGE|5 KICKED|6 CONNECTION REQUEST|\
            7 TRANSFER COMPLETE|8 DIAGNOSTICS COMPLETE|9 REQUEST DOWNLOAD|10 AUTONOMOUS TRANSFER COMPLETE|\
            11 DU STATE CHANGE COMPLETE|12 AUTONOMOUS DU STATE CHANGE COMPLETE|13 WAKEUP|14 HEARTBEAT|M Reboot|\
            M ScheduleInform|M Download|M ScheduleDownload|M Upload|M ChangeDUState";
        assert_eq!(spelt, expected.split('|').collect::<Vec<_>>());
    }

    #[test]
    fn c06_a_code_that_nobody_knows_is_kept() {
        let message = include_str!("../testdata/spec/Inform.xml").replace("1 BOOT", "X 00005E Rain");
        let decoded = Envelope::<AnyBody>::decode(message, &Limits::default()).unwrap();
        assert_eq!(decoded.leniencies, []);
        assert!(decoded.envelope.encode().contains("<EventCode>X 00005E Rain</EventCode>"));
    }

    #[test]
    fn c07_the_table_of_deliveries_is_as_reviewed() {
        let named = |pick: &dyn Fn(&EventCode) -> bool| {
            let codes = EventCode::all().into_iter().filter(|code| pick(code));
            codes.map(|code| code.to_string()).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(named(&|code| code.retry() == Retry::Never), "6 CONNECTION REQUEST");
        assert_eq!(
            named(&|code| code.retry() == Retry::UntilReboot),
            "1 BOOT, 2 PERIODIC, 5 KICKED, 8 DIAGNOSTICS COMPLETE, 9 REQUEST DOWNLOAD, 13 WAKEUP, 14 HEARTBEAT"
        );
        assert_eq!(
            named(&EventCode::outlives_bootstrap),
            "0 BOOTSTRAP, 1 BOOT, 7 TRANSFER COMPLETE, 10 AUTONOMOUS TRANSFER COMPLETE, \
            11 DU STATE CHANGE COMPLETE, 12 AUTONOMOUS DU STATE CHANGE COMPLETE, M Download, M ScheduleDownload, \
            M Upload, M ChangeDUState"
        );
    }
}
