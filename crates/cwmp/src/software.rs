//! Deployment units: the structures of software modules, which Hearth carries in the codec only. (TR-069 A.4.1.10)
//!
//! One rule: an operation is one of three structures, told apart by `xsi:type` and by nothing else.

use serde::{Deserialize, Serialize};

use crate::{
    DateTime, DecodeError, FaultCode, Text,
    array::Repeated,
    cursor::{Cursor, Element},
    namespace::Namespace,
    record::record,
    rule::Rule,
    wire::Wire,
    writer::Writer,
};

record! {
    /// Installs a deployment unit. (TR-069 A.4.1.10)
    InstallOpStruct {
        "URL"             url: Text [1024 characters],
        "UUID"            uuid: Option<Text> where uuid,
        "Username"        username: Option<Text> [256 characters],
        "Password"        password: Option<Text> [256 characters],
        "ExecutionEnvRef" execution_env_ref: Option<Text> [256 characters],
    }
}

record! {
    /// Updates a deployment unit. (TR-069 A.4.1.10)
    UpdateOpStruct {
        "UUID"     uuid: Option<Text> where uuid,
        "Version"  version: Option<Text> [32 characters],
        "URL"      url: Option<Text> [1024 characters],
        "Username" username: Option<Text> [256 characters],
        "Password" password: Option<Text> [256 characters],
    }
}

record! {
    /// Removes a deployment unit. (TR-069 A.4.1.10)
    UninstallOpStruct {
        "UUID"            uuid: Text where uuid,
        "Version"         version: Option<Text> [32 characters],
        "ExecutionEnvRef" execution_env_ref: Option<Text> [256 characters],
    }
}

record! {
    /// How an operation ended; code 0 is success. (TR-069 A.4.2.3)
    DeploymentUnitFaultStruct {
        "FaultCode"   fault_code: FaultCode where unit_fault,
        "FaultString" fault_string: Option<Text>,
    }
}

record! {
    /// What became of one deployment unit. (TR-069 A.4.2.3)
    OpResultStruct {
        "UUID"                 uuid: Text where uuid,
        "DeploymentUnitRef"    deployment_unit_ref: Text,
        "Version"              version: Text [32 characters],
        "CurrentState"         current_state: Text where unit_state,
        "Resolved"             resolved: bool,
        "ExecutionUnitRefList" execution_unit_ref_list: Text,
        "StartTime"            start_time: DateTime,
        "CompleteTime"         complete_time: DateTime,
        "Fault"                fault: DeploymentUnitFaultStruct,
    }
}

record! {
    /// What became of one deployment unit that the ACS did not ask about. (TR-069 A.4.2.4)
    AutonOpResultStruct {
        "UUID"                 uuid: Text where uuid,
        "DeploymentUnitRef"    deployment_unit_ref: Text,
        "Version"              version: Text [32 characters],
        "CurrentState"         current_state: Text where unit_state,
        "Resolved"             resolved: bool,
        "ExecutionUnitRefList" execution_unit_ref_list: Text,
        "StartTime"            start_time: DateTime,
        "CompleteTime"         complete_time: DateTime,
        "Fault"                fault: DeploymentUnitFaultStruct,
        "OperationPerformed"   operation_performed: Text,
    }
}

impl Repeated for OpResultStruct {
    fn is_wrapped_in(element: &str) -> bool {
        element == "OpResultStruct"
    }
}

impl Repeated for AutonOpResultStruct {
    fn is_wrapped_in(element: &str) -> bool {
        element == "AutonOpResultStruct"
    }
}

/// One operation of a ChangeDUState. (TR-069 A.4.1.10)
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum OperationStruct {
    /// Install.
    InstallOpStruct(InstallOpStruct),
    /// Update.
    UpdateOpStruct(UpdateOpStruct),
    /// Remove.
    UninstallOpStruct(UninstallOpStruct),
}

/// The structure's name on the wire, and its case.
macro_rules! operations {
    ($( $name:ident )*) => {
        impl Wire for OperationStruct {
            fn encode(&self, out: &mut Writer, name: &str) {
                match self { $( Self::$name(operation) => {
                    out.open(&[name, " xsi:type=\"cwmp:", stringify!($name), "\""].concat());
                    operation.encode_children(out);
                } )* }
                out.close(name);
            }

            fn decode(cursor: &mut Cursor<'_>, element: &Element<'_>) -> Result<Self, DecodeError> {
                let kind = element.said.xsi_type.clone().unwrap_or_else(|| element.local().to_owned().into());
                match &*kind {
                    $( stringify!($name) => Wire::decode(cursor, element).map(Self::$name), )*
                    _ => Err(cursor.bad_value(element.local(), &kind, "xsi:type of an operation, such as InstallOpStruct")),
                }
            }

            fn may_be(element: &Element<'_>, _rule: &Rule) -> bool {
                let names = [$( stringify!($name) ),*];
                element.said.xsi_type.as_deref().is_some_and(|kind| names.contains(&kind))
                    && element.said.type_namespace.is_some_and(Namespace::is_cwmp)
            }

            #[cfg(test)]
            fn sample(seed: &mut crate::sample::Seed, name: &str) -> Self {
                let all = [$( Self::$name(Wire::sample(seed, name)) ),*];
                seed.pick(&all)
            }
        }
    };
}

impl Repeated for OperationStruct {
    fn is_wrapped_in(element: &str) -> bool {
        element.ends_with("OpStruct")
    }
}

operations! { InstallOpStruct UpdateOpStruct UninstallOpStruct }
