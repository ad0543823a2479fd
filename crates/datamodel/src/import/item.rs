//! What a file says, before anything is looked up: names stay names, and what is not said stays open.

use std::{collections::BTreeMap, fmt};

use crate::{
    Access, Kind, Notification, Status,
    definition::{Range, Target, Word},
};

/// A file's content.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// Published by the Broadband Forum: nobody here can mend it.
    pub(super) is_forums: bool,
    pub(super) imports: Vec<Import>,
    pub(super) types: BTreeMap<String, NamedType>,
    pub(super) components: BTreeMap<String, Component>,
    pub(super) models: Vec<ModelItem>,
}

/// Another file, and what of it is known here under which name.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) file: String,
    pub(super) spec: Option<String>,
    pub(super) line: u32,
    pub(super) names: Vec<Imported>,
}

/// Sort, name here, name there.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) sort: Sort,
    pub(super) name: String,
    pub(super) target: String,
    pub(super) line: u32,
}

/// What can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Type,
    Component,
    Model,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "data type",
            Self::Component => "component",
            Self::Model => "model",
        })
    }
}

/// Items that are taken in by name.
#[derive(Debug)]
pub(super) struct Component {
    /// Stands for one of the same name that its user has.
    pub(super) is_virtual: bool,
    pub(super) items: Vec<Item>,
}

#[derive(Debug)]
pub(super) struct ModelItem {
    pub(super) name: String,
    pub(super) base: Option<String>,
    pub(super) is_service: bool,
    pub(super) items: Vec<Item>,
    pub(super) line: u32,
}

/// What stands in a model, a component or an object.
#[derive(Debug)]
pub(super) enum Item {
    Component { name: String, path: String, line: u32 },
    Object(ObjectItem),
    Parameter(ParameterItem),
    Profile(ProfileItem),
}

/// A new object, or a change of one.
#[derive(Debug)]
pub(super) struct ObjectItem {
    pub(super) name: String,
    pub(super) is_base: bool,
    pub(super) access: Option<Access>,
    pub(super) least: Option<u32>,
    pub(super) most: Option<Option<u32>>,
    pub(super) count: Option<String>,
    pub(super) enable: Option<String>,
    pub(super) status: Option<Life>,
    pub(super) unique_keys: Vec<Vec<String>>,
    pub(super) items: Vec<Item>,
    pub(super) line: u32,
}

/// A new parameter, or a change of one.
#[derive(Debug)]
pub(super) struct ParameterItem {
    pub(super) name: String,
    pub(super) is_base: bool,
    pub(super) access: Option<Access>,
    pub(super) status: Option<Life>,
    pub(super) notification: Option<Notification>,
    pub(super) is_forced_inform: Option<bool>,
    pub(super) syntax: Option<SyntaxItem>,
    pub(super) line: u32,
}

/// What a value is, as far as this element says it.
#[derive(Debug, Default)]
pub(super) struct SyntaxItem {
    pub(super) list: Option<ListItem>,
    pub(super) item: Option<TypeItem>,
    pub(super) default: Option<DefaultItem>,
    pub(super) is_hidden: Option<bool>,
    pub(super) is_command: Option<bool>,
}

/// A default, or without value the end of one.
#[derive(Debug)]
pub(super) struct DefaultItem {
    pub(super) value: Option<String>,
    pub(super) line: u32,
}

#[derive(Debug, Default)]
pub(super) struct ListItem {
    pub(super) items: (u32, Option<u32>),
    pub(super) size: Option<(u32, Option<u32>)>,
}

/// A type by its name or by what it is made of, and facets on top.
#[derive(Debug)]
pub(super) struct TypeItem {
    pub(super) of: Of,
    pub(super) facets: FacetItems,
    pub(super) line: u32,
}

#[derive(Debug)]
pub(super) enum Of {
    Kind(Kind),
    Named(String),
    /// Facets alone, in a named type with a base that is told apart.
    Base,
}

/// A type with a name of its own.
#[derive(Debug)]
pub(super) struct NamedType {
    pub(super) base: Option<String>,
    pub(super) syntax: SyntaxItem,
    pub(super) line: u32,
}

#[derive(Debug, Default)]
pub(super) struct FacetItems {
    pub(super) sizes: Vec<(u32, Option<u32>)>,
    pub(super) ranges: Vec<Range>,
    pub(super) patterns: Vec<String>,
    /// Each with whether it is taken away.
    pub(super) words: Vec<(Word, bool)>,
    pub(super) units: Option<String>,
    pub(super) reference: Option<ReferenceItem>,
}

/// A reference whose places are still relative.
#[derive(Debug)]
pub(super) struct ReferenceItem {
    pub(super) is_strong: bool,
    pub(super) parents: Vec<String>,
    pub(super) scope: Scope,
    pub(super) target: Target,
    pub(super) line: u32,
}

/// What a relative place is relative to. (TR-106 A.2.3.4)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Normal,
    Model,
    Object,
}

/// Where a thing stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Status(Status),
    Deleted,
}

#[derive(Debug)]
pub(super) struct ProfileItem {
    pub(super) name: String,
    pub(super) base: Option<String>,
    pub(super) extends: Vec<String>,
    pub(super) status: Option<Life>,
    pub(super) objects: Vec<AskedObject>,
    pub(super) line: u32,
}

/// What a profile asks for of an object; each parameter with its line.
#[derive(Debug)]
pub(super) struct AskedObject {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) parameters: Vec<(String, u32)>,
}
