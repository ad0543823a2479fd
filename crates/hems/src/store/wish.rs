//! All that decides what is desired of one device, in one look.
//!
//! The look names the fleet's templates with their versions only: what a version says never changes, so that one that
//! was read before is at hand. Everything else is read where there is some.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sqlx::FromRow;

use super::{Store, StoreError, UnderWay, parse, query_as, recall::SEPARATORS};
use crate::template::Template;

/// What operators want of a device, before anything is resolved.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// The fleet's templates that apply, by name.
    pub(crate) templates: BTreeMap<String, Arc<Template>>,
    /// What is wanted of this device alone.
    pub(crate) own: Option<Template>,
    pub(crate) changes: Vec<UnderWay>,
    /// The changes that ask it for an action.
    pub(crate) actions: Vec<i64>,
    pub(crate) is_frozen: bool,
    /// Whether an emergency wants it off the air.
    pub(crate) is_shut: bool,
}

/// The columns of a look at the wishes for the device `$1`, with the separators as `$2` and `$3`.
macro_rules! glimpse {
    () => {
        "(SELECT string_agg(name || $2 || version, $3) FROM template WHERE identity IS NULL AND version > 0) AS templates, \
         EXISTS (SELECT 1 FROM template WHERE identity = $1 AND version > 0) AS has_own, \
         (EXISTS (SELECT 1 FROM change WHERE state IN ('waiting', 'running', 'stopped') \
         AND (identity IS NULL OR identity = $1)) OR EXISTS (SELECT 1 FROM change WHERE late_until IS NOT NULL)) AS has_changes, \
         EXISTS (SELECT 1 FROM change_device WHERE identity = $1) AS has_actions, EXISTS (SELECT 1 FROM frozen) AS is_frozen, \
         EXISTS (SELECT 1 FROM radio_off_device shut JOIN radio_off ON radio_off.id = shut.emergency \
         WHERE shut.identity = $1 AND radio_off.lifted_at IS NULL) AS is_shut"
    };
}

pub(super) use glimpse;

/// What such a look shows.
#[derive(FromRow)]
pub(super) struct Glimpse {
    templates: Option<String>,
    has_own: bool,
    has_changes: bool,
    has_actions: bool,
    is_frozen: bool,
    is_shut: bool,
}

/// Templates by their names, each with its version.
type Versions = BTreeMap<String, (i64, Arc<Template>)>;

/// The fleet's templates as they were read last.
#[derive(Clone, Default)]
pub(super) struct Shelf(Arc<Mutex<Versions>>);

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
            Some(template) => self.templates.insert(name.to_owned(), Arc::new(template)),
            None => self.templates.remove(name),
        };
    }
}

impl Store {
    /// What operators want of a device.
    pub(crate) async fn wishes(&self, identity: &str) -> Result<Wishes, StoreError> {
        let query = query_as(concat!("SELECT ", glimpse!())).bind(identity);
        let query = SEPARATORS.into_iter().fold(query, |query, one| query.bind(one));
        self.look(identity, query.fetch_one(&self.reads).await?).await
    }

    /// What a glimpse stands for.
    pub(super) async fn look(&self, identity: &str, glimpse: Glimpse) -> Result<Wishes, StoreError> {
        let Glimpse { templates, has_own, has_changes, has_actions, is_frozen, is_shut } = glimpse;
        Ok(Wishes {
            templates: self.fleets(templates.as_deref().unwrap_or_default()).await?,
            own: if has_own { self.own(identity).await? } else { None },
            changes: if has_changes { self.under_way(identity).await? } else { Vec::new() },
            actions: if has_actions { self.actions_of(identity).await? } else { Vec::new() },
            is_frozen,
            is_shut,
        })
    }

    async fn fleets(&self, listed: &str) -> Result<BTreeMap<String, Arc<Template>>, StoreError> {
        if let Some(templates) = self.shelf.find(listed) {
            return Ok(templates);
        }
        let query =
            query_as("SELECT name, version, body FROM template WHERE identity IS NULL AND version > 0");
        let rows: Vec<(String, i64, String)> = query.fetch_all(&self.reads).await?;
        let read = |(name, version, body): (String, i64, String)| {
            Ok((name, (version, Arc::new(parse("template", &body)?))))
        };
        Ok(self.shelf.fill(rows.into_iter().map(read).collect::<Result<_, StoreError>>()?))
    }

    async fn actions_of(&self, identity: &str) -> Result<Vec<i64>, StoreError> {
        let query = query_as(
            "SELECT c.id FROM change_device d JOIN change c ON c.id = d.change \
             WHERE d.identity = $1 AND c.state = 'running'",
        );
        let rows: Vec<(i64,)> = query.bind(identity).fetch_all(&self.reads).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    async fn own(&self, identity: &str) -> Result<Option<Template>, StoreError> {
        let query = query_as("SELECT body FROM template WHERE identity = $1 AND version > 0").bind(identity);
        let row: Option<(String,)> = query.fetch_optional(&self.reads).await?;
        row.map(|(body,)| parse("template", &body)).transpose()
    }
}

impl Shelf {
    fn kept(&self) -> MutexGuard<'_, Versions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The templates that a glimpse lists; nothing where one of them is another version here, or none.
    fn find(&self, listed: &str) -> Option<BTreeMap<String, Arc<Template>>> {
        let [inner, outer] = SEPARATORS;
        let kept = self.kept();
        let find = |one: &str| {
            let (name, version) = one.split_once(inner)?;
            let (here, template) = kept.get(name)?;
            (version.parse() == Ok(*here)).then(|| (name.to_owned(), Arc::clone(template)))
        };
        listed.split(outer).filter(|one| !one.is_empty()).map(find).collect()
    }

    fn fill(&self, read: Versions) -> BTreeMap<String, Arc<Template>> {
        let templates =
            read.iter().map(|(name, (_, template))| (name.clone(), Arc::clone(template))).collect();
        *self.kept() = read;
        templates
    }
}
