//! Which parameters exist, and a tree of values that obeys them.
//!
//! The facts (path, type, access, range, enumeration, notify flags) are tables, generated from the Broadband Forum's
//! XML and read once into a [`Model`]. Everything that asks "may this be written, and with what" asks the model; nothing
//! is known twice.
//!
//! ```text
//!   XML ─▶ import ─▶ Table ─▶ Model ──▶ Definition ──▶ Tree: get, names, set, add, delete
//!                               ▲                        ▲
//!                            Path (schema, {i})        Path (concrete, instance numbers)
//! ```
//!
//! Tables of quirks are read here too, because whether their paths exist is a question to the model: [`quirks`].
//!
//! What a value *does* to a radio is no business of this crate: `henb::device` knows that. Start with [`Tree`].

mod definition;
pub mod import;
mod model;
mod path;
mod pattern;
mod profile;
pub mod quirks;
mod table;
mod tree;
mod value;

pub use definition::{
    Access, Definition, Kind, List, Notification, Object, Parameter, Range, Reference, Status, Syntax,
    Target, Type, Word,
};
pub use model::{Model, is_credential};
pub use path::{PATH_CHARACTERS, Path, PathError};
pub use pattern::Pattern;
pub use profile::{Profile, SelectionError};
pub use table::{Table, TableError};
pub use tree::{Rows, Snapshot, Tree};
pub use value::ValueError;
