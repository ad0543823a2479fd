//! The structures that methods share, laid out like Annex A. (TR-069 A.2, A.3)

use crate::{
    DateTime, EventCode, FaultCode, ParameterValueStruct, Text,
    record::{members, numbered, record},
};

record! {
    /// Who the CPE says it is: never who it is, which its certificate says. (TR-069 A.3.3.1; P-20)
    DeviceId {
        "Manufacturer" manufacturer: Text [64 characters],
        "OUI"          oui: Text where oui,
        "ProductClass" product_class: Text [64 characters],
        "SerialNumber" serial_number: Text [64 characters],
    }
}

record! {
    /// One reason why the CPE calls. (TR-069 A.3.3.1)
    EventStruct {
        "EventCode"  event_code: EventCode [64 characters] where event,
        "CommandKey" command_key: Text [32 characters],
    }
}

record! {
    /// What there is below a path, and whether it can be written. (TR-069 A.3.2.3)
    ParameterInfoStruct {
        "Name"     name: Text [256 characters] where path,
        "Writable" writable: bool,
    }
}

record! {
    /// How a transfer ended: code 0 is success. (TR-069 A.3.3.2, C-24)
    FaultStruct {
        "FaultCode"   fault_code: FaultCode where transfer_fault,
        "FaultString" fault_string: Text [256 characters],
    }
}

record! {
    /// What to change of a parameter's attributes. (TR-069 A.3.2.4)
    SetParameterAttributesStruct {
        "Name"               name: Text [256 characters] where path,
        "NotificationChange" notification_change: bool,
        "Notification"       notification: u32 where notification,
        "AccessListChange"   access_list_change: bool,
        "AccessList"         access_list: Vec<Text> [64 characters each] where subscriber,
    }
}

record! {
    /// A parameter's attributes: 0 off, 1 passive, 2 active, 3 to 6 lightweight. (TR-069 A.3.2.5, C-17)
    ParameterAttributeStruct {
        "Name"         name: Text [256 characters] where path,
        "Notification" notification: u32 where notification,
        "AccessList"   access_list: Vec<Text> [64 characters each] where subscriber,
    }
}

record! {
    /// A transfer that is not done. (TR-069 A.4.1.1)
    QueuedTransferStruct {
        "CommandKey" command_key: Text [32 characters],
        "State"      state: TransferState,
    }
}

record! {
    /// A transfer that is not done, with what it is. (TR-069 A.4.1.7)
    AllQueuedTransferStruct {
        "CommandKey"     command_key: Text [32 characters],
        "State"          state: TransferState,
        "IsDownload"     is_download: bool,
        "FileType"       file_type: Text [64 characters] where file_moved,
        "FileSize"       file_size: u32,
        "TargetFileName" target_file_name: Text [256 characters],
    }
}

record! {
    /// When a download may happen, in seconds from now. (TR-069 A.4.1.8, C-26)
    TimeWindowStruct {
        "WindowStart" window_start: u32,
        "WindowEnd"   window_end: u32,
        "WindowMode"  window_mode: Text [64 characters] where window_mode,
        "UserMessage" user_message: Text [256 characters],
        "MaxRetries"  max_retries: i32,
    }
}

record! {
    /// An option with its voucher. (TR-069 A.4.1.4)
    OptionStruct {
        "OptionName"     option_name: Text [64 characters],
        "VoucherSN"      voucher_sn: u32,
        "State"          state: u32 where option_state,
        "Mode"           mode: u32 where option_mode,
        "StartDate"      start_date: DateTime,
        "ExpirationDate" expiration_date: Option<DateTime>,
        "IsTransferable" is_transferable: u32 where flag,
    }
}

record! {
    /// One argument of a RequestDownload. (TR-069 A.4.2.2)
    ArgStruct {
        "Name"  name: Text [64 characters],
        "Value" value: Text [256 characters],
    }
}

members! {
    EventStruct ParameterValueStruct ParameterInfoStruct SetParameterAttributesStruct ParameterAttributeStruct
    QueuedTransferStruct AllQueuedTransferStruct TimeWindowStruct OptionStruct ArgStruct
}

numbered! {
    /// How far a transfer is. (TR-069 A.4.1.1)
    TransferState or NotStarted {
        /// It has not begun.
        NotStarted = 1,
        /// It is under way.
        InProgress = 2,
        /// It has ended, and its TransferComplete has not been answered.
        Completed = 3,
    }
}

numbered! {
    /// Whether a change took effect. (TR-069 A.3.2.1, A.3.2.6)
    ApplyStatus or Applied {
        /// The change is applied.
        Applied = 0,
        /// The change is stored and will be applied later.
        Later = 1,
    }
}

numbered! {
    /// Whether a transfer is done. (TR-069 A.3.2.8, C-22)
    TransferStatus or Later {
        /// The transfer has ended and been applied.
        Done = 0,
        /// The transfer has not ended; a TransferComplete will follow.
        Later = 1,
    }
}

impl From<EventCode> for EventStruct {
    fn from(event_code: EventCode) -> Self {
        Self { event_code, command_key: Text::new() }
    }
}

impl FaultStruct {
    /// Success. (TR-069 A.3.3.2)
    #[must_use]
    pub fn success() -> Self {
        Self { fault_code: FaultCode(0), fault_string: Text::new() }
    }
}
