//! Faults: the peer's regular "no". (TR-069 A.5)
//!
//! One rule: a fault is data, not an error. The enumeration is open: a code that the standard does
//! not know is kept and displayed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Text;

/// A fault code: 8xxx from an ACS, 9xxx from a CPE. (TR-069 A.5.1, A.5.2)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultCode(pub u32);

/// The code's constant, number, what the standard calls it, and whether the requester is at fault.
macro_rules! fault_codes {
    ($( $name:ident = $code:literal, $text:literal, $blame:ident; )*) => {
        impl FaultCode {
            $( #[doc = $text] pub const $name: Self = Self($code); )*
            /// Every code that the standard defines.
            pub const ALL: &'static [Self] = &[$( Self::$name ),*];

            /// What the standard calls it.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self.0 { $( $code => $text, )* _ => "fault of a vendor" }
            }

            /// `Client` where the requester is at fault, `Server` otherwise. (TR-069 A.5, H-18)
            pub(crate) fn blames(self) -> &'static str {
                match self.0 { $( $code => stringify!($blame), )* _ => "Server" }
            }
        }
    };
}

fault_codes! {
    ACS_METHOD_NOT_SUPPORTED = 8000, "method not supported", Server;
    ACS_REQUEST_DENIED = 8001, "request denied", Server;
    ACS_INTERNAL_ERROR = 8002, "internal error", Server;
    ACS_INVALID_ARGUMENTS = 8003, "invalid arguments", Client;
    ACS_RESOURCES_EXCEEDED = 8004, "resources exceeded", Server;
    RETRY_REQUEST = 8005, "retry request", Server;
    VERSION_INCOMPATIBLE = 8006, "ACS version incompatible with CPE", Server;
    METHOD_NOT_SUPPORTED = 9000, "method not supported", Server;
    REQUEST_DENIED = 9001, "request denied", Server;
    INTERNAL_ERROR = 9002, "internal error", Server;
    INVALID_ARGUMENTS = 9003, "invalid arguments", Client;
    RESOURCES_EXCEEDED = 9004, "resources exceeded", Server;
    INVALID_PARAMETER_NAME = 9005, "invalid parameter name", Client;
    INVALID_PARAMETER_TYPE = 9006, "invalid parameter type", Client;
    INVALID_PARAMETER_VALUE = 9007, "invalid parameter value", Client;
    NOT_WRITABLE = 9008, "attempt to set a non-writable parameter", Client;
    NOTIFICATION_REJECTED = 9009, "notification request rejected", Server;
    DOWNLOAD_FAILURE = 9010, "file transfer failure", Server;
    UPLOAD_FAILURE = 9011, "upload failure", Server;
    TRANSFER_AUTHENTICATION_FAILURE = 9012, "file transfer server authentication failure", Server;
    UNSUPPORTED_PROTOCOL = 9013, "unsupported protocol for file transfer", Server;
    MULTICAST_JOIN_FAILURE = 9014, "unable to join multicast group", Server;
    FILE_SERVER_UNREACHABLE = 9015, "unable to contact file server", Server;
    FILE_ACCESS_FAILURE = 9016, "unable to access file", Server;
    DOWNLOAD_INCOMPLETE = 9017, "unable to complete download", Server;
    FILE_CORRUPTED = 9018, "file corrupted or otherwise unusable", Server;
    FILE_AUTHENTICATION_FAILURE = 9019, "file authentication failure", Server;
    DOWNLOAD_WINDOW_MISSED = 9020, "unable to complete download within the time windows", Client;
    CANCEL_NOT_PERMITTED = 9021, "cancellation not permitted in the current transfer state", Client;
    INVALID_UUID = 9022, "invalid UUID format", Server;
    UNKNOWN_EXECUTION_ENVIRONMENT = 9023, "unknown execution environment", Server;
    DISABLED_EXECUTION_ENVIRONMENT = 9024, "disabled execution environment", Server;
    DEPLOYMENT_UNIT_MISMATCH = 9025, "deployment unit does not fit the execution environment", Server;
    DUPLICATE_DEPLOYMENT_UNIT = 9026, "duplicate deployment unit", Server;
    SYSTEM_RESOURCES_EXCEEDED = 9027, "system resources exceeded", Server;
    UNKNOWN_DEPLOYMENT_UNIT = 9028, "unknown deployment unit", Server;
    INVALID_DEPLOYMENT_UNIT_STATE = 9029, "invalid deployment unit state", Server;
    DOWNGRADE_NOT_PERMITTED = 9030, "downgrade of a deployment unit not permitted", Server;
    UPDATE_VERSION_NOT_SPECIFIED = 9031, "version of a deployment unit update not specified", Server;
    UPDATE_VERSION_EXISTS = 9032, "version of a deployment unit update exists already", Server;
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A CWMP fault. (TR-069 A.5, H-18)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which fault.
    #[serde(rename = "FaultCode")]
    pub code: FaultCode,
    /// What the sender says of it; hostile text.
    #[serde(rename = "FaultString")]
    pub text: Text,
    /// One per bad parameter of a SetParameterValues.
    #[serde(rename = "SetParameterValuesFault", default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<SetParameterValuesFault>,
}

/// What is wrong with one parameter of a SetParameterValues. (TR-069 A.3.2.1, C-13)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetParameterValuesFault {
    /// The parameter's path.
    pub parameter_name: Text,
    /// Which fault.
    pub fault_code: FaultCode,
    /// What would be right.
    pub fault_string: Text,
}

impl Fault {
    /// A fault without details.
    #[must_use]
    pub fn new(code: FaultCode, text: impl Into<Text>) -> Self {
        Self { code, text: text.into(), details: Vec::new() }
    }
}

impl From<FaultCode> for Fault {
    fn from(code: FaultCode) -> Self {
        Self::new(code, code.meaning())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}
