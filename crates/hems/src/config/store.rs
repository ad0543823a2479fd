//! `store`: the file of this node, or the server of all.

use super::{Check, file::File};
use crate::store::Place;

/// The file's name in `state_dir`.
const FILE: &str = "hearth.sqlite3";

impl Check {
    /// Where the database is.
    pub(super) fn store(&mut self, file: &File) -> Option<Place> {
        let Some(at) = &file.store else {
            if let Some(at) = &file.store_password_file {
                return self.complain(at.line, "`store_password_file` is for a `store`, and there is none");
            }
            return Some(Place::File(self.path(&file.state_dir).join(FILE)));
        };
        let password = file.store_password_file.as_ref().map(|at| self.password(at).ok_or(()));
        let password = password.transpose().ok()?;
        Place::server(&at.value, password.as_deref())
            .map_or_else(|error| self.complain(at.line, format!("`store`: {error}")), Some)
    }

    /// The first line of a file; editors end it, and no password does.
    pub(super) fn password(&mut self, at: &super::At<String>) -> Option<String> {
        let path = self.secret(at, "a password")?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.lines().next().unwrap_or_default().to_owned()),
            Err(error) => self.complain(at.line, format!("cannot read {}: {error}", path.display())),
        }
    }
}
