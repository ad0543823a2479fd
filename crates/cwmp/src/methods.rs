//! The table of every method: arguments, response, clause. (TR-069 Annex A)
//!
//! One rule: a method stands here once. Its struct, its place in the enums, decoding, encoding,
//! JSON, `NAMES` (what GetRPCMethods answers) and test samples are derived from its rows. Tidy
//! asks for one golden pair per method; `docs/how-to/add-a-method.md` is the whole recipe.

use crate::{
    ApplyStatus, DateTime, DecodeError, DecodeErrorKind, DeviceId, EventStruct, FaultStruct,
    ParameterInfoStruct, ParameterValueStruct, Text, TransferStatus,
    cursor::{Cursor, Element},
    wire::{Wire, record},
    writer::Writer,
};

/// The methods that one side offers: an enum over the calls and one over the responses, with the
/// same variants, so that a response is matched to its call by [`name`](CpeMethod::name).
macro_rules! methods {
    ($(#[$method_doc:meta])* $method:ident and $(#[$response_doc:meta])* $response:ident,
     shared $shared:ident -> $shared_reply:ident:
     $( $(#[$doc:meta])* $call:ident { $($in:tt)* } -> $reply:ident { $($out:tt)* } )*) => {
        $(
            record!($(#[$doc])* $call { $($in)* });
            record!(#[doc = concat!("What [`", stringify!($call), "`] gives back.")] $reply { $($out)* });
        )*
        methods!(@enum $(#[$method_doc])* $method, $($call($call) = $call,)* $shared($shared) = $shared,);
        methods!(@enum $(#[$response_doc])* $response, $($call($reply) = $reply,)* $shared($shared_reply) = $shared_reply,);
    };
    (@enum $(#[$doc:meta])* $name:ident, $( $variant:ident($record:ident) = $wire:ident, )*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $name { $( #[doc = concat!("`", stringify!($wire), "`")] $variant($record), )* }

        impl $name {
            /// The methods' names, which calls and responses share.
            pub const NAMES: &'static [&'static str] = &[$( stringify!($variant) ),*];

            /// The method's name.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant(_) => stringify!($variant), )* }
            }

            /// The name of the element in the SOAP body.
            #[must_use]
            pub fn element(&self) -> &'static str {
                match self { $( Self::$variant(_) => stringify!($wire), )* }
            }

            pub(crate) fn knows(element: &str) -> bool {
                [$( stringify!($wire) ),*].contains(&element)
            }

            pub(crate) fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
                match element.local() {
                    $( stringify!($wire) => Wire::decode(cursor, element).map(Self::$variant), )*
                    unknown => {
                        let name = unknown.chars().take(80).collect();
                        Err(cursor.error(DecodeErrorKind::UnknownMethod(name)))
                    }
                }
            }

            pub(crate) fn encode(&self, out: &mut Writer) {
                let name = ["cwmp:", self.element()].concat();
                match self { $( Self::$variant(record) => record.encode(out, &name), )* }
            }

            #[cfg(test)]
            pub(crate) fn samples(seed: &mut crate::wire::Seed) -> Vec<Self> {
                vec![$( Self::$variant(Wire::sample(seed)), )*]
            }
        }

        $( impl From<$record> for $name {
            fn from(record: $record) -> Self { Self::$variant(record) }
        } )*
    };
}

record! {
    /// Asks which methods the other side offers. (TR-069 A.3.1.1)
    GetRPCMethods {}
}

record! {
    /// What [`GetRPCMethods`] gives back.
    GetRPCMethodsResponse {
        "MethodList" method_list: Vec<Text>,
    }
}

methods! {
    /// A call that the ACS makes and the CPE offers. (TR-069 A.3.2, A.4.1)
    CpeMethod and
    /// What a [`CpeMethod`] gives back.
    CpeResponse, shared GetRPCMethods -> GetRPCMethodsResponse:
    /// Changes parameters, all or none. (TR-069 A.3.2.1)
    SetParameterValues {
        "ParameterList" parameter_list: Vec<ParameterValueStruct>,
        "ParameterKey"  parameter_key: Text,
    } -> SetParameterValuesResponse {
        "Status" status: ApplyStatus,
    }
    /// Reads parameters, by full or partial paths. (TR-069 A.3.2.2)
    GetParameterValues {
        "ParameterNames" parameter_names: Vec<Text>,
    } -> GetParameterValuesResponse {
        "ParameterList" parameter_list: Vec<ParameterValueStruct>,
    }
    /// Asks what there is below a path. (TR-069 A.3.2.3)
    GetParameterNames {
        "ParameterPath" parameter_path: Text,
        "NextLevel"     next_level: bool,
    } -> GetParameterNamesResponse {
        "ParameterList" parameter_list: Vec<ParameterInfoStruct>,
    }
    /// Creates one instance of a multi-instance object. (TR-069 A.3.2.6)
    AddObject {
        "ObjectName"   object_name: Text,
        "ParameterKey" parameter_key: Text,
    } -> AddObjectResponse {
        "InstanceNumber" instance_number: u32,
        "Status"         status: ApplyStatus,
    }
    /// Removes one instance with all below it. (TR-069 A.3.2.7)
    DeleteObject {
        "ObjectName"   object_name: Text,
        "ParameterKey" parameter_key: Text,
    } -> DeleteObjectResponse {
        "Status" status: ApplyStatus,
    }
    /// Makes the CPE fetch a file. (TR-069 A.3.2.8)
    Download {
        "CommandKey"     command_key: Text,
        "FileType"       file_type: Text,
        "URL"            url: Text,
        "Username"       username: Text,
        "Password"       password: Text,
        "FileSize"       file_size: u32,
        "TargetFileName" target_file_name: Text,
        "DelaySeconds"   delay_seconds: u32,
        "SuccessURL"     success_url: Text,
        "FailureURL"     failure_url: Text,
    } -> DownloadResponse {
        "Status"       status: TransferStatus,
        "StartTime"    start_time: DateTime,
        "CompleteTime" complete_time: DateTime,
    }
    /// Restarts the CPE after the session. (TR-069 A.3.2.9)
    Reboot {
        "CommandKey" command_key: Text,
    } -> RebootResponse {}
}

methods! {
    /// A call that the CPE makes and the ACS offers. (TR-069 A.3.3, A.4.2)
    AcsMethod and
    /// What an [`AcsMethod`] gives back.
    AcsResponse, shared GetRPCMethods -> GetRPCMethodsResponse:
    /// Opens a session: who calls, why, and what it must say each time. (TR-069 A.3.3.1)
    Inform {
        "DeviceId"      device_id: DeviceId,
        "Event"         event: Vec<EventStruct>,
        "MaxEnvelopes"  max_envelopes: u32,
        "CurrentTime"   current_time: DateTime,
        "RetryCount"    retry_count: u32,
        "ParameterList" parameter_list: Vec<ParameterValueStruct>,
    } -> InformResponse {
        "MaxEnvelopes" max_envelopes: u32,
    }
    /// Reports how a transfer ended. (TR-069 A.3.3.2)
    TransferComplete {
        "CommandKey"   command_key: Text,
        "FaultStruct"  fault_struct: FaultStruct,
        "StartTime"    start_time: DateTime,
        "CompleteTime" complete_time: DateTime,
    } -> TransferCompleteResponse {}
}
