//! Which parameters exist, and a tree of values that obeys them.
//!
//! The facts (path, type, access, range, enumeration, notify flags) are a table, `fap.txt`, read once into a
//! [`Model`]. Everything that asks "may this be written, and with what" asks the model; nothing is known twice.
//!
//! ```text
//!   fap.txt ──▶ Model ──▶ Definition ──▶ Tree: get, names, set, add, delete
//!                 ▲                        ▲
//!              Path (schema, {i})        Path (concrete, instance numbers)
//! ```
//!
//! Tables of quirks are read here too, because whether their paths exist is a question to the model: [`quirks`].
//!
//! What a value *does* to a radio is no business of this crate: `henb::device` knows that. Start with [`Tree`].

mod definition;
mod model;
mod path;
pub mod quirks;
mod tree;

pub use definition::{Access, Definition, Kind, Notification, Object, Parameter, ValueError};
pub use model::{CREDENTIALS, Model};
pub use path::{PATH_CHARACTERS, Path, PathError};
pub use tree::{Rows, Snapshot, Tree};
