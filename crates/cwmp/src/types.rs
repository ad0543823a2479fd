//! The structures that methods share, laid out like Annex A. (TR-069 A.2, A.3)

use crate::{
    EventCode, FaultCode, ParameterValueStruct, Text,
    wire::{members, numbered, record},
};

record! {
    /// Who the CPE says it is: never who it is, which its certificate says. (TR-069 A.3.3.1; P-20)
    DeviceId {
        "Manufacturer" manufacturer: Text,
        "OUI"          oui: Text,
        "ProductClass" product_class: Text,
        "SerialNumber" serial_number: Text,
    }
}

record! {
    /// One reason why the CPE calls. (TR-069 A.3.3.1)
    EventStruct {
        "EventCode"  event_code: EventCode,
        "CommandKey" command_key: Text,
    }
}

record! {
    /// What there is below a path, and whether it can be written. (TR-069 A.3.2.3)
    ParameterInfoStruct {
        "Name"     name: Text,
        "Writable" writable: bool,
    }
}

record! {
    /// How a transfer ended: code 0 is success. (TR-069 A.3.3.2, C-24)
    FaultStruct {
        "FaultCode"   fault_code: FaultCode,
        "FaultString" fault_string: Text,
    }
}

members! { EventStruct ParameterValueStruct ParameterInfoStruct }

numbered! {
    /// Whether a change took effect. (TR-069 A.3.2.1, A.3.2.6)
    ApplyStatus {
        /// The change is applied.
        Applied = 0,
        /// The change is stored and will be applied later.
        Later = 1,
    }
}

numbered! {
    /// Whether a transfer is done. (TR-069 A.3.2.8, C-22)
    TransferStatus {
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
