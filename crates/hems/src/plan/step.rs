//! One step of a plan: nearly always one RPC; a judgement of our own (the gate), or a Download that is made when it is sent.
//!
//! A step names what it touches, so that a lost answer or a fault makes exactly that unknown again.

use std::hash::{DefaultHasher, Hash, Hasher};

use cwmp::{
    AddObject, CpeMethod, DeleteObject, GetParameterNames, GetParameterValues, GetRPCMethods,
    ParameterValueStruct, Quirks, SetParameterValues, Text, Value, ValueKind,
};

use crate::radio;

/// Travels with every change, so that a device can be asked whose configuration it carries. (TR-069 A.3.2.1)
const PARAMETER_KEY: &str = "hearth";

/// A value to set, with the type that the device itself uses for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Setting {
    pub(crate) path: String,
    pub(crate) value: String,
    pub(crate) kind: ValueKind,
}

/// What the H(e)MS wants from a device next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Ask what the device can do.
    Methods,
    /// Ask which instances a table has.
    Names { object: String },
    /// Read a whole table, to see which instances it has.
    Rows { object: String },
    /// Read parameters.
    Read { paths: Vec<String> },
    /// Set parameters, all of them or none.
    Set { settings: Vec<Setting> },
    /// Add a row.
    Add { object: String },
    /// Delete a row, named with its number and dot.
    Delete { instance: String },
    /// Judge the place where the cell stands; no RPC.
    Gate { latitude: String, longitude: String },
    /// Fetch the image of a software; the Download has a URL of its own each time, and is made when it is sent.
    Software { version: String },
}

impl Step {
    /// The call to make, with the paths that the device has; none for the gate, and for what is made when it is sent.
    pub(crate) fn method(&self, quirks: &Quirks) -> Option<CpeMethod> {
        let key = || PARAMETER_KEY.into();
        let wire = |path: &str| Text::from(quirks.wire_path(path).into_owned());
        Some(match self {
            Self::Methods => CpeMethod::GetRPCMethods(GetRPCMethods {}),
            Self::Names { object } => CpeMethod::GetParameterNames(GetParameterNames {
                parameter_path: wire(object),
                next_level: true,
            }),
            Self::Rows { object } => {
                CpeMethod::GetParameterValues(GetParameterValues { parameter_names: vec![wire(object)] })
            }
            Self::Read { paths } => CpeMethod::GetParameterValues(GetParameterValues {
                parameter_names: paths.iter().map(|path| wire(path)).collect(),
            }),
            Self::Set { settings } => CpeMethod::SetParameterValues(SetParameterValues {
                parameter_list: settings.iter().map(|setting| setting.wire(wire(&setting.path))).collect(),
                parameter_key: key(),
            }),
            Self::Add { object } => {
                CpeMethod::AddObject(AddObject { object_name: wire(object), parameter_key: key() })
            }
            Self::Delete { instance } => {
                CpeMethod::DeleteObject(DeleteObject { object_name: wire(instance), parameter_key: key() })
            }
            Self::Gate { .. } | Self::Software { .. } => return None,
        })
    }

    /// The method's name, or that of what is none.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Methods => "GetRPCMethods",
            Self::Names { .. } => "GetParameterNames",
            Self::Rows { .. } | Self::Read { .. } => "GetParameterValues",
            Self::Set { .. } => "SetParameterValues",
            Self::Add { .. } => "AddObject",
            Self::Delete { .. } => "DeleteObject",
            Self::Gate { .. } => "Gate",
            Self::Software { .. } => "Software",
        }
    }

    /// What becomes unknown when the answer is lost after it was sent; such a step needs an intent first.
    ///
    /// Reads and settings may simply be repeated. AdminState is the exception among settings: radio parameters
    /// are locked or not according to it, and OpState and RFTxStatus follow it, so a change whose answer is lost must
    /// not look like the old state.
    pub(crate) fn intent(&self) -> Option<&str> {
        match self {
            Self::Add { object } => Some(object),
            Self::Delete { instance } => table_of(instance),
            Self::Set { settings } => {
                settings.iter().any(|setting| setting.path == radio::ADMIN_STATE).then_some(radio::CONTROL)
            }
            Self::Methods
            | Self::Names { .. }
            | Self::Rows { .. }
            | Self::Read { .. }
            | Self::Gate { .. }
            | Self::Software { .. } => None,
        }
    }

    /// Whether the device is another one afterwards.
    pub(crate) fn is_change(&self) -> bool {
        matches!(self, Self::Set { .. } | Self::Add { .. } | Self::Delete { .. } | Self::Software { .. })
    }

    /// The paths that it touches.
    pub(crate) fn touches(&self) -> Vec<&str> {
        match self {
            Self::Methods | Self::Gate { .. } | Self::Software { .. } => Vec::new(),
            Self::Names { object } | Self::Rows { object } | Self::Add { object } => vec![object],
            Self::Read { paths } => paths.iter().map(String::as_str).collect(),
            Self::Set { settings } => settings.iter().map(|setting| setting.path.as_str()).collect(),
            Self::Delete { instance } => table_of(instance).into_iter().collect(),
        }
    }

    /// Whether it is about the radio's configuration.
    pub(crate) fn is_radio(&self) -> bool {
        self.touches().iter().any(|path| path.starts_with(radio::CELL_CONFIG))
    }

    /// Both as one call, where that is possible.
    pub(crate) fn and(mut self, other: Self) -> Self {
        match (&mut self, other) {
            (Self::Read { paths }, Self::Read { paths: more }) => paths.extend(more),
            (Self::Set { settings }, Self::Set { settings: more }) => settings.extend(more),
            _ => {}
        }
        self
    }

    /// The deeds that it consists of, each alone.
    pub(crate) fn split(&self) -> Vec<Self> {
        match self {
            Self::Read { paths } => {
                paths.iter().map(|path| Self::Read { paths: vec![path.clone()] }).collect()
            }
            Self::Set { settings } => {
                settings.iter().map(|setting| Self::Set { settings: vec![setting.clone()] }).collect()
            }
            Self::Methods
            | Self::Names { .. }
            | Self::Rows { .. }
            | Self::Add { .. }
            | Self::Delete { .. }
            | Self::Gate { .. }
            | Self::Software { .. } => vec![self.clone()],
        }
    }

    /// The name of a deed: what it does, and on which path; the same in every session.
    pub(crate) fn deed(&self) -> String {
        let path = match self {
            Self::Delete { instance } => instance,
            Self::Methods
            | Self::Names { .. }
            | Self::Rows { .. }
            | Self::Read { .. }
            | Self::Set { .. }
            | Self::Add { .. }
            | Self::Gate { .. }
            | Self::Software { .. } => self.touches().first().copied().unwrap_or_default(),
        };
        format!("{} {path}", self.name()).trim_end().to_owned()
    }

    /// A short name that is the same for the same step in every session.
    pub(crate) fn label(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        let touches = self.touches();
        let first = touches.first().copied().unwrap_or_default();
        let more = match touches.len() {
            0 | 1 => String::new(),
            several => format!(" and {} more", several - 1),
        };
        format!("{} {first}{more} #{:016x}", self.name(), hasher.finish())
    }
}

impl Setting {
    fn wire(&self, name: Text) -> ParameterValueStruct {
        let value = Value::new(self.kind, self.value.clone());
        ParameterValueStruct { name, value }
    }
}

/// `A.B.3.` is a row of `A.B.`.
pub(crate) fn table_of(instance: &str) -> Option<&str> {
    let without_dot = instance.strip_suffix('.')?;
    let dot = without_dot.rfind('.')?;
    instance.get(..=dot)
}
