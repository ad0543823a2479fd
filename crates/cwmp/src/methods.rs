//! The table of every method: arguments, response, clause. (TR-069 Annex A)
//!
//! One rule: a method stands here once, with its clause, the bounds and forms of its arguments, and the
//! faults that may answer it. Its struct, its documentation, its place in the enums, decoding, encoding,
//! JSON, `NAMES` (what GetRPCMethods answers) and test samples are derived from its rows. Tidy
//! asks for one golden pair per method; `docs/how-to/add-a-method.md` is the whole recipe.

#![allow(non_camel_case_types, reason = "names of the wire stand as they are, vendors' with an underscore")]

use crate::{
    AllQueuedTransferStruct, ApplyStatus, ArgStruct, AutonOpResultStruct, Base64, DateTime, DecodeError,
    DecodeErrorKind, DeviceId, Each, EventStruct, FaultCode, FaultStruct, OpResultStruct, OperationStruct,
    OptionStruct, ParameterAttributeStruct, ParameterInfoStruct, ParameterValueStruct, QueuedTransferStruct,
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
     shared $shared_clause:literal $shared:ident -> $shared_reply:ident faults [$($shared_fault:literal)*]:
     $( $(#[$doc:meta])* $clause:literal $call:ident { $($in:tt)* } -> $reply:ident { $($out:tt)* }
        faults [$($fault:literal)*] )*) => {
        $(
            record! {
                $(#[$doc])*
                #[doc = concat!("\n\n| clause | answered with | or with a fault |\n|---|---|---|\n| TR-069 ", $clause,
                    " | [`", stringify!($reply), "`] |" $(, " ", $fault)*, " |")]
                $call { $($in)* }
            }
            record! {
                #[doc = concat!("What [`", stringify!($call), "`] gives back. (TR-069 ", $clause, ")")]
                $reply { $($out)* }
            }
        )*
        impl $method {
            /// What the standard says of each, in the order of [`NAMES`](Self::NAMES).
            pub const FACTS: &'static [MethodFacts] = &[
                $( MethodFacts { name: stringify!($call), clause: $clause, faults: &[$( FaultCode($fault) ),*] }, )*
                MethodFacts {
                    name: stringify!($shared),
                    clause: $shared_clause,
                    faults: &[$( FaultCode($shared_fault) ),*],
                },
            ];
        }
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

/// What the standard says of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodFacts {
    /// The method's name.
    pub name: &'static str,
    /// Its clause of TR-069.
    pub clause: &'static str,
    /// The faults with which it may be answered.
    pub faults: &'static [FaultCode],
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
    ///
    /// Answered with [`GetRPCMethodsResponse`], or with a fault: 9001 or 9002 of a CPE, 8001, 8002 or 8005 of an ACS.
    GetRPCMethods {}
}

record! {
    /// What [`GetRPCMethods`] gives back. (TR-069 A.3.1.1)
    GetRPCMethodsResponse {
        "MethodList" method_list: Vec<Text> [64 characters each] [some],
    }
}

methods! {
    /// A call that the ACS makes and the CPE offers. (TR-069 A.3.2, A.4.1)
    CpeMethod and
    /// What a [`CpeMethod`] gives back.
    CpeResponse, shared "A.3.1.1" GetRPCMethods -> GetRPCMethodsResponse faults [9001 9002]:
    /// Changes parameters, all or none.
    "A.3.2.1" SetParameterValues {
        "ParameterList" parameter_list: Vec<ParameterValueStruct>,
        "ParameterKey"  parameter_key: Text [32 characters],
    } -> SetParameterValuesResponse {
        "Status" status: ApplyStatus,
    } faults [9001 9002 9003 9004 9005 9006 9007 9008]
    /// Reads parameters, by full or partial paths.
    "A.3.2.2" GetParameterValues {
        "ParameterNames" parameter_names: Vec<Text> [256 characters each] [some] where path,
    } -> GetParameterValuesResponse {
        "ParameterList" parameter_list: Vec<ParameterValueStruct>,
    } faults [9001 9002 9003 9004 9005]
    /// Asks what there is below a path.
    "A.3.2.3" GetParameterNames {
        "ParameterPath" parameter_path: Text [256 characters] where path,
        "NextLevel"     next_level: bool,
    } -> GetParameterNamesResponse {
        "ParameterList" parameter_list: Vec<ParameterInfoStruct>,
    } faults [9001 9002 9003 9005]
    /// Creates one instance of a multi-instance object.
    "A.3.2.6" AddObject {
        "ObjectName"   object_name: Text [256 characters] where object_path,
        "ParameterKey" parameter_key: Text [32 characters],
    } -> AddObjectResponse {
        "InstanceNumber" instance_number: u32 where instance,
        "Status"         status: ApplyStatus,
    } faults [9001 9002 9003 9004 9005]
    /// Removes one instance with all below it.
    "A.3.2.7" DeleteObject {
        "ObjectName"   object_name: Text [256 characters] where object_path,
        "ParameterKey" parameter_key: Text [32 characters],
    } -> DeleteObjectResponse {
        "Status" status: ApplyStatus,
    } faults [9001 9002 9003 9005]
    /// Makes the CPE fetch a file.
    "A.3.2.8" Download {
        "CommandKey"     command_key: Text [32 characters],
        "FileType"       file_type: Text [64 characters] where file_to_fetch,
        "URL"            url: Text [256 characters],
        "Username"       username: Text [256 characters],
        "Password"       password: Text [256 characters],
        "FileSize"       file_size: u32,
        "TargetFileName" target_file_name: Text [256 characters],
        "DelaySeconds"   delay_seconds: u32,
        "SuccessURL"     success_url: Text [256 characters],
        "FailureURL"     failure_url: Text [256 characters],
    } -> DownloadResponse {
        "Status"       status: TransferStatus,
        "StartTime"    start_time: DateTime,
        "CompleteTime" complete_time: DateTime,
    } faults [9000 9001 9002 9003 9004 9010 9012 9013]
    /// Restarts the CPE after the session.
    "A.3.2.9" Reboot {
        "CommandKey" command_key: Text [32 characters],
    } -> RebootResponse {} faults [9001 9002 9003]
    /// Changes which parameters are notified, and who may write them.
    "A.3.2.4" SetParameterAttributes {
        "ParameterList" parameter_list: Vec<SetParameterAttributesStruct> [some],
    } -> SetParameterAttributesResponse {} faults [9001 9002 9003 9004 9005 9009]
    /// Asks which parameters are notified, and who may write them.
    "A.3.2.5" GetParameterAttributes {
        "ParameterNames" parameter_names: Vec<Text> [256 characters each] [some] where path,
    } -> GetParameterAttributesResponse {
        "ParameterList" parameter_list: Vec<ParameterAttributeStruct>,
    } faults [9001 9002 9003 9004 9005]
    /// Asks which transfers are not done; deprecated by [`GetAllQueuedTransfers`].
    "A.4.1.1" GetQueuedTransfers {} -> GetQueuedTransfersResponse {
        "TransferList" transfer_list: Vec<QueuedTransferStruct> [16 members],
    } faults [9000 9001 9002]
    /// Makes the CPE call after a while.
    "A.4.1.2" ScheduleInform {
        "DelaySeconds" delay_seconds: u32,
        "CommandKey"   command_key: Text [32 characters],
    } -> ScheduleInformResponse {} faults [9000 9001 9002 9003]
    /// Sets option vouchers; deprecated, here in the codec only.
    "A.4.1.3" SetVouchers {
        "VoucherList" voucher_list: Vec<Base64> [some],
    } -> SetVouchersResponse {} faults [9000 9001 9002 9003 9004]
    /// Asks which options are set; deprecated, here in the codec only.
    "A.4.1.4" GetOptions {
        "OptionName" option_name: Text [64 characters],
    } -> GetOptionsResponse {
        "OptionList" option_list: Vec<OptionStruct>,
    } faults [9000 9001 9002 9003]
    /// Makes the CPE send a file.
    "A.4.1.5" Upload {
        "CommandKey"   command_key: Text [32 characters],
        "FileType"     file_type: Text [64 characters] where file_to_send,
        "URL"          url: Text [256 characters],
        "Username"     username: Text [256 characters],
        "Password"     password: Text [256 characters],
        "DelaySeconds" delay_seconds: u32,
    } -> UploadResponse {
        "Status"       status: TransferStatus,
        "StartTime"    start_time: DateTime,
        "CompleteTime" complete_time: DateTime,
    } faults [9000 9001 9002 9003 9004 9011 9012 9013]
    /// Returns to the factory's values.
    "A.4.1.6" FactoryReset {} -> FactoryResetResponse {} faults [9000 9001 9002 9003]
    /// Asks which transfers are not done, whoever asked for them.
    "A.4.1.7" GetAllQueuedTransfers {} -> GetAllQueuedTransfersResponse {
        "TransferList" transfer_list: Vec<AllQueuedTransferStruct> [16 members],
    } faults [9000 9001 9002]
    /// Makes the CPE fetch a file in one of two time windows.
    "A.4.1.8" ScheduleDownload {
        "CommandKey"     command_key: Text [32 characters],
        "FileType"       file_type: Text [64 characters] where file_to_fetch,
        "URL"            url: Text [256 characters],
        "Username"       username: Text [256 characters],
        "Password"       password: Text [256 characters],
        "FileSize"       file_size: u32,
        "TargetFileName" target_file_name: Text [256 characters],
        "TimeWindowList" time_window_list: Vec<TimeWindowStruct> [2 members] [some],
    } -> ScheduleDownloadResponse {} faults [9000 9001 9002 9003 9004 9010 9013]
    /// Gives a transfer up.
    "A.4.1.9" CancelTransfer {
        "CommandKey" command_key: Text [32 characters],
    } -> CancelTransferResponse {} faults [9000 9001 9021]
    /// Installs, updates and removes deployment units; here in the codec only.
    "A.4.1.10" ChangeDUState {
        "Operations" operations: Each<OperationStruct>,
        "CommandKey" command_key: Text [32 characters],
    } -> ChangeDUStateResponse {} faults [9000 9001 9002 9004]
}

methods! {
    /// A call that the CPE makes and the ACS offers. (TR-069 A.3.3, A.4.2)
    AcsMethod and
    /// What an [`AcsMethod`] gives back.
    AcsResponse, shared "A.3.1.1" GetRPCMethods -> GetRPCMethodsResponse faults [8001 8002 8005]:
    /// Opens a session: who calls, why, and what it must say each time.
    "A.3.3.1" Inform {
        "DeviceId"      device_id: DeviceId,
        "Event"         event: Vec<EventStruct> [64 members],
        "MaxEnvelopes"  max_envelopes: u32,
        "CurrentTime"   current_time: DateTime,
        "RetryCount"    retry_count: u32,
        "ParameterList" parameter_list: Vec<ParameterValueStruct>,
    } -> InformResponse {
        "MaxEnvelopes" max_envelopes: u32,
    } faults [8001 8002 8003 8004 8005 8006]
    /// Reports how a transfer ended.
    "A.3.3.2" TransferComplete {
        "CommandKey"   command_key: Text [32 characters],
        "FaultStruct"  fault_struct: FaultStruct,
        "StartTime"    start_time: DateTime,
        "CompleteTime" complete_time: DateTime,
    } -> TransferCompleteResponse {} faults [8000 8001 8002 8003 8004 8005]
    /// Reports how a transfer ended that the ACS did not ask for.
    "A.3.3.3" AutonomousTransferComplete {
        "AnnounceURL"    announce_url: Text [1024 characters],
        "TransferURL"    transfer_url: Text [1024 characters],
        "IsDownload"     is_download: bool,
        "FileType"       file_type: Text [64 characters] where file_moved,
        "FileSize"       file_size: u32,
        "TargetFileName" target_file_name: Text [256 characters],
        "FaultStruct"    fault_struct: FaultStruct,
        "StartTime"      start_time: DateTime,
        "CompleteTime"   complete_time: DateTime,
    } -> AutonomousTransferCompleteResponse {} faults [8000 8001 8002 8003 8004 8005]
    /// Says that a user was sent here by a web page; deprecated, here in the codec only.
    "A.4.2.1" Kicked {
        "Command" command: Text [32 characters],
        "Referer" referer: Text [64 characters],
        "Arg"     arg: Text [256 characters],
        "Next"    next: Text [1024 characters],
    } -> KickedResponse {
        "NextURL" next_url: Text [1024 characters],
    } faults [8000 8001 8002 8003 8005]
    /// Asks for a Download.
    "A.4.2.2" RequestDownload {
        "FileType"    file_type: Text [64 characters] where file_to_fetch,
        "FileTypeArg" file_type_arg: Vec<ArgStruct> [16 members],
    } -> RequestDownloadResponse {} faults [8000 8001 8002 8003 8005]
    /// Reports how a change of deployment units ended; here in the codec only.
    "A.4.2.3" DUStateChangeComplete {
        "Results"    results: Each<OpResultStruct>,
        "CommandKey" command_key: Text [32 characters],
    } -> DUStateChangeCompleteResponse {} faults [8000 8001 8002 8003 8004 8005]
    /// Reports a change of deployment units that the ACS did not ask for; here in the codec only.
    "A.4.2.4" AutonomousDUStateChangeComplete {
        "Results" results: Each<AutonOpResultStruct>,
    } -> AutonomousDUStateChangeCompleteResponse {} faults [8000 8001 8002 8003 8004 8005]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_its_clause_and_its_faults() {
        let check = |facts: &[MethodFacts], names: &[&str], faults: std::ops::Range<u32>| {
            let listed: Vec<_> = facts.iter().map(|method| method.name).collect();
            assert_eq!(listed, names);
            for method in facts.iter().filter(|method| !method.name.starts_with("X_")) {
                assert!(method.clause.starts_with("A.3.") || method.clause.starts_with("A.4."), "{method:?}");
                assert!(!method.faults.is_empty() && method.faults.is_sorted(), "{method:?}");
                let is_known =
                    |fault: &FaultCode| faults.contains(&fault.0) && FaultCode::ALL.contains(fault);
                assert!(method.faults.iter().all(is_known), "{method:?}");
            }
        };
        check(CpeMethod::FACTS, CpeMethod::NAMES, 9000..9033);
        check(AcsMethod::FACTS, AcsMethod::NAMES, 8000..8007);
    }
}
