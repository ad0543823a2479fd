//! What a device must have to claim a profile, and the choice of a part of a model by profiles. (TR-106 A.2.9, M-07)
//!
//! ```text
//!   selection: profile NAME · object PATH · tree PATH · parameter PATH · vendor PREFIX
//!     ─▶ what it takes, and the objects around it
//! ```

use std::collections::BTreeSet;

use crate::{Definition, Model, Path, Table};

/// A named part of a model that a device has whole or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// With its version, such as `LTEBaseline:1`.
    pub name: String,
    /// Profiles that belong to it.
    pub extends: Vec<String>,
    /// Objects, each with the names of its parameters.
    pub objects: Vec<(Path, Vec<String>)>,
}

/// A selection that asks for what is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SelectionError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl Model {
    /// All paths of a profile and of those that belong to it; nothing for a profile that is unknown.
    #[must_use]
    pub fn profile_paths(&self, name: &str) -> BTreeSet<Path> {
        let mut paths = BTreeSet::new();
        let mut names = vec![name.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(name) = names.pop() {
            let Some(profile) = self.profile(&name).filter(|_| seen.insert(name.clone())) else { continue };
            names.extend(profile.extends.iter().cloned());
            for (object, parameters) in &profile.objects {
                paths.insert(object.clone());
                let below = parameters.iter().map(|name| Path::parse(&format!("{object}{name}")));
                paths.extend(below.filter_map(Result::ok));
            }
        }
        paths.remove(&Path::root());
        paths
    }

    /// The part of this model that a selection takes.
    ///
    /// # Errors
    /// The first line that asks for something unknown.
    pub fn select(&self, name: &str, selection: &str) -> Result<Table, SelectionError> {
        let mut taken = BTreeSet::new();
        for (at, line) in selection.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let what = || format!("{line:?} selects nothing of the model");
                let found = self.selected(line).filter(|found| !found.is_empty());
                taken.extend(found.ok_or_else(|| SelectionError { line: at + 1, what: what() })?);
            }
        }
        let around: Vec<Path> = taken.iter().flat_map(Path::ancestors).collect();
        taken.extend(around);
        let counts: Vec<Path> = taken.iter().filter_map(|path| self.object(path)?.count_path()).collect();
        taken.extend(counts);
        let taken: Vec<Definition> = taken.iter().filter_map(|path| self.definition(path)).cloned().collect();
        Ok(Table::of(name, taken))
    }

    fn selected(&self, line: &str) -> Option<BTreeSet<Path>> {
        let (sort, name) = line.split_once(' ')?;
        if sort == "profile" {
            return Some(self.profile_paths(name));
        }
        if sort == "vendor" {
            let is_theirs = |path: &Path| path.segments().any(|segment| segment.starts_with(name));
            let paths = self.definitions().map(Definition::path);
            return Some(paths.filter(|path| is_theirs(path)).cloned().collect());
        }
        let path = Path::parse(name).ok()?;
        let known = self.definition(&path)?.path().clone();
        let wanted = |found: &Path| match sort {
            "tree" => true,
            "object" => found == &path || (!found.is_partial() && found.parent() == path),
            _ => found == &path,
        };
        Some(self.below(&known).map(|one| one.path().clone()).filter(wanted).collect())
    }
}
