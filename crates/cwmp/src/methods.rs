//! The table of every method: arguments, response, clause. (TR-069 Annex A)
//!
//! One rule: a method stands here once. Its struct, its place in the enums, decoding, encoding,
//! JSON, `NAMES` (what GetRPCMethods answers) and test samples are derived from its rows. Tidy
//! asks for one golden pair per method; `docs/how-to/add-a-method.md` is the whole recipe.

#![allow(non_camel_case_types, reason = "names of the wire stand as they are, vendors' with an underscore")]

use crate::{
    AllQueuedTransferStruct, ApplyStatus, ArgStruct, AutonOpResultStruct, Base64, DateTime, DecodeError,
    DecodeErrorKind, DeviceId, Each, EventStruct, FaultStruct, OpResultStruct, OperationStruct, OptionStruct,
    ParameterAttributeStruct, ParameterInfoStruct, ParameterValueStruct, QueuedTransferStruct,
    SetParameterAttributesStruct, Text, TimeWindowStruct, TransferStatus, Version,
    cursor::{Cursor, Element},
    record::record,
    wire::Wire,
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
            pub(crate) fn samples(seed: &mut crate::sample::Seed) -> Vec<Self> {
                vec![$( Self::$variant(Wire::sample(seed, stringify!($variant))), )*]
            }
        }

        $( impl From<$record> for $name {
            fn from(record: $record) -> Self { Self::$variant(record) }
        } )*
    };
}

/// The methods that are younger than CWMP 1.0. (TR-069 Annex A)
const YOUNGER: &[(&str, Version)] = &[
    ("GetAllQueuedTransfers", Version::V1_1),
    ("AutonomousTransferComplete", Version::V1_1),
    ("ScheduleDownload", Version::V1_2),
    ("CancelTransfer", Version::V1_2),
    ("ChangeDUState", Version::V1_2),
    ("DUStateChangeComplete", Version::V1_2),
    ("AutonomousDUStateChangeComplete", Version::V1_2),
];

/// The first CWMP namespace that has this method.
#[must_use]
pub fn first_in(method: &str) -> Version {
    YOUNGER.iter().find(|(name, _)| *name == method).map_or(Version::V1_0, |(_, version)| *version)
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
    /// Changes which parameters are notified, and who may write them. (TR-069 A.3.2.4)
    SetParameterAttributes {
        "ParameterList" parameter_list: Vec<SetParameterAttributesStruct>,
    } -> SetParameterAttributesResponse {}
    /// Asks which parameters are notified, and who may write them. (TR-069 A.3.2.5)
    GetParameterAttributes {
        "ParameterNames" parameter_names: Vec<Text>,
    } -> GetParameterAttributesResponse {
        "ParameterList" parameter_list: Vec<ParameterAttributeStruct>,
    }
    /// Asks which transfers are not done; deprecated by [`GetAllQueuedTransfers`]. (TR-069 A.4.1.1)
    GetQueuedTransfers {} -> GetQueuedTransfersResponse {
        "TransferList" transfer_list: Vec<QueuedTransferStruct>,
    }
    /// Makes the CPE call after a while. (TR-069 A.4.1.2)
    ScheduleInform {
        "DelaySeconds" delay_seconds: u32,
        "CommandKey"   command_key: Text,
    } -> ScheduleInformResponse {}
    /// Sets option vouchers; deprecated, here in the codec only. (TR-069 A.4.1.3)
    SetVouchers {
        "VoucherList" voucher_list: Vec<Base64>,
    } -> SetVouchersResponse {}
    /// Asks which options are set; deprecated, here in the codec only. (TR-069 A.4.1.4)
    GetOptions {
        "OptionName" option_name: Text,
    } -> GetOptionsResponse {
        "OptionList" option_list: Vec<OptionStruct>,
    }
    /// Makes the CPE send a file. (TR-069 A.4.1.5)
    Upload {
        "CommandKey"   command_key: Text,
        "FileType"     file_type: Text,
        "URL"          url: Text,
        "Username"     username: Text,
        "Password"     password: Text,
        "DelaySeconds" delay_seconds: u32,
    } -> UploadResponse {
        "Status"       status: TransferStatus,
        "StartTime"    start_time: DateTime,
        "CompleteTime" complete_time: DateTime,
    }
    /// Returns to the factory's values. (TR-069 A.4.1.6)
    FactoryReset {} -> FactoryResetResponse {}
    /// Asks which transfers are not done, whoever asked for them. (TR-069 A.4.1.7)
    GetAllQueuedTransfers {} -> GetAllQueuedTransfersResponse {
        "TransferList" transfer_list: Vec<AllQueuedTransferStruct>,
    }
    /// Makes the CPE fetch a file in one of two time windows. (TR-069 A.4.1.8)
    ScheduleDownload {
        "CommandKey"     command_key: Text,
        "FileType"       file_type: Text,
        "URL"            url: Text,
        "Username"       username: Text,
        "Password"       password: Text,
        "FileSize"       file_size: u32,
        "TargetFileName" target_file_name: Text,
        "TimeWindowList" time_window_list: Vec<TimeWindowStruct>,
    } -> ScheduleDownloadResponse {}
    /// Gives a transfer up. (TR-069 A.4.1.9)
    CancelTransfer {
        "CommandKey" command_key: Text,
    } -> CancelTransferResponse {}
    /// Installs, updates and removes deployment units; here in the codec only. (TR-069 A.4.1.10)
    ChangeDUState {
        "Operations" operations: Each<OperationStruct>,
        "CommandKey" command_key: Text,
    } -> ChangeDUStateResponse {}
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
    /// Reports how a transfer ended that the ACS did not ask for. (TR-069 A.3.3.3)
    AutonomousTransferComplete {
        "AnnounceURL"    announce_url: Text,
        "TransferURL"    transfer_url: Text,
        "IsDownload"     is_download: bool,
        "FileType"       file_type: Text,
        "FileSize"       file_size: u32,
        "TargetFileName" target_file_name: Text,
        "FaultStruct"    fault_struct: FaultStruct,
        "StartTime"      start_time: DateTime,
        "CompleteTime"   complete_time: DateTime,
    } -> AutonomousTransferCompleteResponse {}
    /// Says that a user was sent here by a web page; deprecated, here in the codec only. (TR-069 A.4.2.1)
    Kicked {
        "Command" command: Text,
        "Referer" referer: Text,
        "Arg"     arg: Text,
        "Next"    next: Text,
    } -> KickedResponse {
        "NextURL" next_url: Text,
    }
    /// Asks for a Download. (TR-069 A.4.2.2)
    RequestDownload {
        "FileType"    file_type: Text,
        "FileTypeArg" file_type_arg: Vec<ArgStruct>,
    } -> RequestDownloadResponse {}
    /// Reports how a change of deployment units ended; here in the codec only. (TR-069 A.4.2.3)
    DUStateChangeComplete {
        "Results"    results: Each<OpResultStruct>,
        "CommandKey" command_key: Text,
    } -> DUStateChangeCompleteResponse {}
    /// Reports a change of deployment units that the ACS did not ask for; here in the codec only. (TR-069 A.4.2.4)
    AutonomousDUStateChangeComplete {
        "Results" results: Each<AutonOpResultStruct>,
    } -> AutonomousDUStateChangeCompleteResponse {}
}
