//! All that decides what is desired of one device, in one look.

use std::collections::BTreeMap;

use super::{Store, StoreError, UnderWay, parse, query_as};
use crate::template::Template;

/// What operators want of a device, before anything is resolved.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// The fleet's templates that apply, by name.
    pub(crate) templates: BTreeMap<String, Template>,
    /// What is wanted of this device alone.
    pub(crate) own: Option<Template>,
    pub(crate) changes: Vec<UnderWay>,
    /// The changes that ask it for an action.
    pub(crate) actions: Vec<i64>,
    pub(crate) is_frozen: bool,
    /// Whether an emergency wants it off the air.
    pub(crate) is_shut: bool,
}

impl Wishes {
    /// Takes what a change leads to instead of what it leads from.
    pub(crate) fn follow(&mut self, identity: &str, change: UnderWay) {
        self.replace(identity, &change.name, change.to);
    }

    /// Takes a template instead of the one with this name, or none.
    pub(crate) fn replace(&mut self, identity: &str, name: &str, template: Option<Template>) {
        if name == identity {
            self.own = template;
            return;
        }
        match template {
            Some(template) => self.templates.insert(name.to_owned(), template),
            None => self.templates.remove(name),
        };
    }
}

impl Store {
    /// What operators want of a device.
    pub(crate) async fn wishes(&self, identity: &str) -> Result<Wishes, StoreError> {
        let query = query_as(
            "SELECT 'template' AS kind, name, body FROM template WHERE identity IS NULL AND version > 0 \
             UNION ALL SELECT 'own', name, body FROM template WHERE identity = $1 AND version > 0 \
             UNION ALL SELECT 'frozen', author, reason FROM frozen \
             UNION ALL SELECT 'shut', e.author, e.reason FROM radio_off_device d \
             JOIN radio_off e ON e.id = d.emergency WHERE d.identity = $1 AND e.lifted_at IS NULL \
             UNION ALL SELECT 'action', CAST(c.id AS TEXT), '' FROM change_device d \
             JOIN change c ON c.id = d.change WHERE d.identity = $1 AND c.state = 'running'",
        );
        let rows: Vec<(String, String, String)> = query.bind(identity).fetch_all(&self.reads).await?;
        let mut wishes = Wishes { changes: self.under_way(identity).await?, ..Wishes::default() };
        for (kind, name, body) in rows {
            match kind.as_str() {
                "template" => drop(wishes.templates.insert(name, parse("template", &body)?)),
                "own" => wishes.own = Some(parse("template", &body)?),
                "action" => wishes.actions.extend(name.parse::<i64>()),
                "frozen" => wishes.is_frozen = true,
                _ => wishes.is_shut = true,
            }
        }
        Ok(wishes)
    }
}
