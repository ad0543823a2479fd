//! Values that are paths, and values that no two rows may share. (TR-106 3.2.4, A.2.3.7)
//!
//! A strong reference names something that is there, or nothing: it cannot be set to what is absent, and it empties
//! itself when its target goes (M-04). A weak one may name anything.

use std::collections::BTreeMap;

use cwmp::{FaultCode, SetParameterValuesFault};

use super::{Tree, refusal};
use crate::{Parameter, Path, Target};

impl Tree {
    /// Says what would be right where a strong reference names what is absent.
    pub(super) fn check_reference(&self, parameter: &Parameter, value: &str) -> Result<(), String> {
        let Some(reference) = parameter.syntax.item.reference.as_ref().filter(|one| one.is_strong) else {
            return Ok(());
        };
        let object = matches!(
            reference.target,
            Target::Row | Target::Object | Target::Single | Target::Table | Target::Any
        );
        let is_parameter = matches!(reference.target, Target::Parameter | Target::Any);
        for item in value.split(',').filter(|item| !item.is_empty()) {
            let there = |text: &str| Path::parse(text).is_ok_and(|path| self.exists(&path));
            let is_there = (object && there(&format!("{item}."))) || (is_parameter && there(item));
            // A parent is a table, or its rows with {i}: both are the beginning of what may be named.
            let named = Path::parse(&format!("{item}."));
            let is_below = |parent: &String| {
                named.as_ref().is_ok_and(|path| path.schema().as_str().starts_with(parent.as_str()))
            };
            let is_row = named.as_ref().is_ok_and(|path| path.instance().is_some());
            let is_there = is_there && (is_row || reference.target != Target::Row);
            let is_free = !object && !is_parameter;
            let fits = reference.parents.is_empty() || reference.parents.iter().any(is_below);
            if item.ends_with('.') || !(is_free || (is_there && fits)) {
                let place = match reference.parents.as_slice() {
                    [] => String::new(),
                    parents => format!(" below {}", parents.join(" or ")),
                };
                return Err(format!("the path, without a dot at its end, of what is there{place} is right"));
            }
        }
        Ok(())
    }

    /// Takes what lay in a row that is gone out of all strong references.
    pub(super) fn forget(&mut self, row: &Path) {
        let is_gone = |item: &str| Path::parse(&format!("{item}.")).is_ok_and(|path| row.contains(&path));
        let model = &self.model;
        for (path, value) in &mut self.values {
            let might = value.split(',').any(is_gone);
            let is_strong = |parameter: &Parameter| {
                parameter.syntax.item.reference.as_ref().is_some_and(|reference| reference.is_strong)
            };
            if might && model.parameter(path).is_some_and(is_strong) {
                *value = value.split(',').filter(|item| !is_gone(item)).collect::<Vec<_>>().join(",");
            }
        }
    }

    /// Changes that would give two rows of a table the same key. Rows that are switched off, and keys with an empty
    /// part, do not count: a new row begins that way.
    pub(super) fn doubles(&self, changes: &[(Path, String)]) -> Vec<SetParameterValuesFault> {
        let after: BTreeMap<&Path, &str> =
            changes.iter().map(|(path, value)| (path, value.as_str())).collect();
        let doubled = |path: &Path| self.double(path, &after);
        let found = changes.iter().filter_map(|(path, _)| Some((path, doubled(path)?)));
        let told = found.map(|(path, other)| {
            let text = format!("{other} has the same key already: another value is right");
            refusal(&path.as_str().to_owned().into(), FaultCode::INVALID_PARAMETER_VALUE, &text)
        });
        told.collect()
    }

    fn double(&self, path: &Path, after: &BTreeMap<&Path, &str>) -> Option<Path> {
        let row = path.parent();
        let object = self.model.object(&row).filter(|object| object.is_table())?;
        let keys = object.unique_keys.iter().filter(|key| key.iter().any(|name| name == path.last()));
        let value = |row: &Path, name: &str| {
            let path = Path::parse(&format!("{row}{name}")).ok()?;
            after.get(&path).map(|value| (*value).to_owned()).or_else(|| self.value(&path).map(str::to_owned))
        };
        let key_of = |row: &Path, key: &[String]| {
            let parts: Option<Vec<String>> = key.iter().map(|name| value(row, name)).collect();
            parts.filter(|parts| parts.iter().all(|part| !part.is_empty()))
        };
        let is_on = |row: &Path| {
            let enable = object.enable.as_ref().and_then(|name| value(row, name));
            enable.is_none_or(|value| value == "true")
        };
        let table = row.parent();
        let others: Vec<Path> = self
            .rows(&table)
            .into_iter()
            .map(|number| table.row(number))
            .filter(|other| *other != row)
            .collect();
        keys.filter(|_| is_on(&row)).find_map(|key| {
            let ours = key_of(&row, key)?;
            others.iter().find(|other| is_on(other) && key_of(other, key).as_ref() == Some(&ours)).cloned()
        })
    }
}
