//! Reads models from the Broadband Forum's XML, complete files and split ones. (TR-106 A.2)
//!
//! ```text
//!   file ─▶ document, syntax: what it says ─▶ library: what it imports, by name
//!        ─▶ draft: base, components, changes ─▶ check: does it hold together ─▶ Table
//! ```
//!
//! A document says things of other documents' things: a model extends a model, an object takes in a component, a type
//! refines a type, each by the name under which its own document imported it. Only the draft knows what all of it comes
//! to. Every error has the file and the line. What is marked as deleted is in no table; commands and events belong to
//! another protocol and are passed over.

mod check;
mod document;
mod draft;
mod item;
mod library;
mod syntax;

use std::path::{Path as FilePath, PathBuf};

pub use library::{Library, Models};

/// Why a file gives no model.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no model, or says something that makes no sense.
    #[error("{}:{line}: {what}", file.display())]
    Content {
        /// Which.
        file: PathBuf,
        /// From 1.
        line: u32,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl ImportError {
    fn at(file: &FilePath, line: u32, what: impl Into<String>) -> Self {
        Self::Content { file: file.to_owned(), line, what: what.into() }
    }
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
