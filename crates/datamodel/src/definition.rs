//! What the data model says about one object or one parameter: a row of a table, parsed.
//!
//! ```text
//!   Definition ─┬─ Object     path, access, rows, keys
//!               └─ Parameter  path, access, notification, Type ── Kind and Facets: what a value may be
//! ```
//!
//! Whether a text is such a value is `value.rs`'s question.

use std::sync::Arc;

use cwmp::ValueKind;

use crate::Path;

/// May the ACS write it (parameter), or add and delete rows (object)?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// The device alone writes it.
    #[default]
    ReadOnly,
    /// The ACS may write it.
    ReadWrite,
}

/// The type of a value, or of an item where the value is a list. (TR-106 3.2)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// Characters.
    #[default]
    String,
    /// 32 bits with a sign.
    Int,
    /// 32 bits without a sign.
    UnsignedInt,
    /// 64 bits with a sign.
    Long,
    /// 64 bits without a sign.
    UnsignedLong,
    /// A number with a decimal point; travels as a string, CWMP has no type of its own for it.
    Decimal,
    /// `true` or `false`; `1` and `0` on the wire are the same.
    Boolean,
    /// A point in time, relative or absolute. (TR-106 3.2.1)
    DateTime,
    /// Octets in base 64; lengths count octets.
    Base64,
    /// Octets in hexadecimal; lengths count octets.
    HexBinary,
}

impl Kind {
    /// Every kind with the name that the Broadband Forum gives it.
    pub(crate) const NAMES: [(&'static str, Self); 10] = [
        ("string", Self::String),
        ("int", Self::Int),
        ("unsignedInt", Self::UnsignedInt),
        ("long", Self::Long),
        ("unsignedLong", Self::UnsignedLong),
        ("decimal", Self::Decimal),
        ("boolean", Self::Boolean),
        ("dateTime", Self::DateTime),
        ("base64", Self::Base64),
        ("hexBinary", Self::HexBinary),
    ];

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// Its name in the Broadband Forum's XML.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("string", |(name, _)| name)
    }

    /// The type's name on the wire.
    #[must_use]
    pub fn wire(self) -> ValueKind {
        match self {
            Self::String | Self::Decimal => ValueKind::String,
            Self::Int => ValueKind::Int,
            Self::UnsignedInt => ValueKind::UnsignedInt,
            Self::Long => ValueKind::Long,
            Self::UnsignedLong => ValueKind::UnsignedLong,
            Self::Boolean => ValueKind::Boolean,
            Self::DateTime => ValueKind::DateTime,
            Self::Base64 => ValueKind::Base64,
            Self::HexBinary => ValueKind::HexBinary,
        }
    }
}

/// Whether a change by the device itself starts a session, and whether the ACS may choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Notification {
    /// As the ACS wishes; off until then.
    #[default]
    Normal,
    /// The device may refuse active notification: it changes too often.
    CanDeny,
    /// Active from the first start on, until the ACS says otherwise.
    DefaultActive,
    /// Active always.
    AlwaysActive,
}

/// Where a definition stands in its life; what is deleted is in no table. (TR-106 A.2.7)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// In use.
    #[default]
    Current,
    /// To be avoided in new work.
    Deprecated,
    /// Gone from new devices.
    Obsoleted,
}

/// What is true of one path: an object or a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// The path ends in a dot.
    Object(Object),
    /// The path carries a value.
    Parameter(Parameter),
}

impl Definition {
    /// The schema path.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Object(object) => &object.path,
            Self::Parameter(parameter) => &parameter.path,
        }
    }
}

/// An object, single or a table with rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The schema path; a table's ends in `{i}.`.
    pub path: Path,
    /// May the ACS add and delete rows?
    pub access: Access,
    /// Fewest and most rows; a single object that may be absent has 0 and 1.
    pub entries: (u32, Option<u32>),
    /// The parameter beside the table that counts its rows. (M-02)
    pub count: Option<String>,
    /// The parameter of a row that switches it on.
    pub enable: Option<String>,
    /// Parameters of a row which together no other row may have.
    pub unique_keys: Vec<Vec<String>>,
    /// Where it stands in its life.
    pub status: Status,
}

impl Object {
    /// A single object, or a table without further facts.
    #[must_use]
    pub fn new(path: Path) -> Self {
        let entries = if path.last() == "{i}" { (0, None) } else { (1, Some(1)) };
        Self {
            path,
            access: Access::ReadOnly,
            entries,
            count: None,
            enable: None,
            unique_keys: Vec::new(),
            status: Status::Current,
        }
    }

    /// The schema path of the parameter that counts its rows.
    #[must_use]
    pub fn count_path(&self) -> Option<Path> {
        Path::parse(&format!("{}{}", self.path.parent().parent(), self.count.as_ref()?)).ok()
    }

    /// True for an object that has rows.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.path.last() == "{i}"
    }
}

/// A parameter, with all that bounds its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The schema path.
    pub path: Path,
    /// May the ACS write it?
    pub access: Access,
    /// What a value is.
    pub syntax: Syntax,
    /// Belongs into every Inform. (C-04)
    pub is_forced_inform: bool,
    /// Whether the device tells of a change unasked. (C-17, C-18)
    pub notification: Notification,
    /// Where it stands in its life.
    pub status: Status,
}

/// What a value of a parameter is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Syntax {
    /// The type of the value or of the list's items; shared by all parameters of a named type.
    pub item: Arc<Type>,
    /// Bounds of the list, where the value is one: its items are separated by commas.
    pub list: Option<List>,
    /// What a new row, or the factory, starts with.
    pub default: Option<String>,
    /// Reads as empty, always. (M-05)
    pub is_hidden: bool,
    /// Acts when written and reads false. (M-06)
    pub is_command: bool,
}

/// The bounds of a list value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Fewest and most items.
    pub items: (u32, Option<u32>),
    /// Fewest and most characters of the whole.
    pub characters: (u32, Option<u32>),
}

/// A type with its facets; a value must satisfy each facet that is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Type {
    /// The Broadband Forum's name where it has one.
    pub name: Option<String>,
    /// What it is made of.
    pub kind: Kind,
    /// Fewest and most characters or octets; one of them must hold.
    pub sizes: Vec<(u32, Option<u32>)>,
    /// Inclusive ranges; one of them must hold.
    pub ranges: Vec<Range>,
    /// Regular expressions, one of which must match the whole. (XML Schema 2, F)
    pub patterns: Vec<String>,
    /// The words that are allowed; empty when all are.
    pub words: Vec<Word>,
    /// The unit of a number.
    pub units: Option<String>,
    /// What the value points at, where it is a path.
    pub reference: Option<Reference>,
}

/// From, to and step of a number; the bounds belong to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Range {
    /// Smallest.
    pub from: Option<f64>,
    /// Largest.
    pub to: Option<f64>,
    /// Distance of two neighbours, where it is not 1.
    pub step: Option<f64>,
}

/// A word of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub text: String,
    /// The device says it, the ACS may not write it.
    pub is_read_only: bool,
}

/// Where a value that is a path may point. (TR-106 A.2.3.4 to A.2.3.7)
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// Empties itself when its target goes. (M-04)
    pub is_strong: bool,
    /// The tables, parameters' objects or single values that it may name, as absolute schema paths; empty is any.
    pub parents: Vec<String>,
    /// What sort of thing it names.
    pub target: Target,
}

/// What a reference points at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// Anything.
    #[default]
    Any,
    /// A parameter.
    Parameter,
    /// An object of any sort.
    Object,
    /// A single object.
    Single,
    /// A table.
    Table,
    /// A row of a table.
    Row,
    /// One of the words that another parameter lists.
    Word,
    /// The number of a row.
    Number,
}

impl Target {
    /// Every target with its name in the tables.
    pub(crate) const NAMES: [(&'static str, Self); 8] = [
        ("any", Self::Any),
        ("parameter", Self::Parameter),
        ("object", Self::Object),
        ("single", Self::Single),
        ("table", Self::Table),
        ("row", Self::Row),
        ("word", Self::Word),
        ("number", Self::Number),
    ];

    /// The target of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
    }

    /// Its name in the tables.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, target)| *target == self).map_or("any", |(name, _)| name)
    }
}

impl Parameter {
    /// The type of the value, or of an item where it is a list.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.syntax.item.kind
    }

    /// True when the value is a list, its items separated by commas.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.syntax.list.is_some()
    }

    /// The wire's name of the type: lists travel as strings.
    #[must_use]
    pub fn wire_kind(&self) -> ValueKind {
        if self.is_list() { ValueKind::String } else { self.kind().wire() }
    }
}
