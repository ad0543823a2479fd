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

macro_rules! event_codes {
    ($( $(#[$doc:meta])* $name:ident = $code:literal )*) => {
        impl EventCode {
            $( $(#[$doc])* pub const $name: Self = Self(Text::from_static($code)); )*

            /// Every code that the standard defines.
            #[must_use]
            pub fn all() -> Vec<Self> {
                vec![$( Self::$name ),*]
            }
        }
    };
}

event_codes! {
    /// First contact with this ACS.
    BOOTSTRAP = "0 BOOTSTRAP"
    /// Power-on or reset.
    BOOT = "1 BOOT"
    /// The periodic interval is over.
    PERIODIC = "2 PERIODIC"
    /// The time of a ScheduleInform has come.
    SCHEDULED = "3 SCHEDULED"
    /// A parameter with notification changed.
    VALUE_CHANGE = "4 VALUE CHANGE"
    /// A user was sent to the ACS by a web page.
    KICKED = "5 KICKED"
    /// The ACS knocked.
    CONNECTION_REQUEST = "6 CONNECTION REQUEST"
    /// A file transfer ended.
    TRANSFER_COMPLETE = "7 TRANSFER COMPLETE"
    /// A diagnostic ended.
    DIAGNOSTICS_COMPLETE = "8 DIAGNOSTICS COMPLETE"
    /// The CPE asks for a file.
    REQUEST_DOWNLOAD = "9 REQUEST DOWNLOAD"
    /// A file transfer that the ACS did not ask for ended.
    AUTONOMOUS_TRANSFER_COMPLETE = "10 AUTONOMOUS TRANSFER COMPLETE"
    /// A change of deployment units ended.
    DU_STATE_CHANGE_COMPLETE = "11 DU STATE CHANGE COMPLETE"
    /// A change of deployment units that the ACS did not ask for ended.
    AUTONOMOUS_DU_STATE_CHANGE_COMPLETE = "12 AUTONOMOUS DU STATE CHANGE COMPLETE"
    /// The CPE woke up.
    WAKEUP = "13 WAKEUP"
    /// The heartbeat interval is over.
    HEARTBEAT = "14 HEARTBEAT"
    /// A Reboot of the ACS was carried out.
    M_REBOOT = "M Reboot"
    /// A ScheduleInform of the ACS came due.
    M_SCHEDULE_INFORM = "M ScheduleInform"
    /// A Download of the ACS ended.
    M_DOWNLOAD = "M Download"
    /// A ScheduleDownload of the ACS ended.
    M_SCHEDULE_DOWNLOAD = "M ScheduleDownload"
    /// An Upload of the ACS ended.
    M_UPLOAD = "M Upload"
    /// A ChangeDUState of the ACS ended.
    M_CHANGE_DU_STATE = "M ChangeDUState"
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
