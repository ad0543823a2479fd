//! Templates, version by version, as texts that were checked when they were saved.
//!
//! What is wanted of one device alone is a template too: it has that device's identity, which is its name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Condition, Edited, Store, StoreError, Tag, Tx, call, json, ms, outbox, parse, query, query_as};
use crate::{
    event::Kind,
    radio,
    template::{Template, Wanted},
};

/// Versions kept of one template, beside those that apply or are on their way: a year of weekly changes.
const VERSIONS_MAX: i64 = 64;

/// Whose template it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Of all devices that it selects.
    Fleet(String),
    /// Of one device.
    Device(String),
}

/// Who did something, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) author: String,
    pub(crate) reason: String,
    pub(crate) at: Timestamp,
}

/// A template as a list shows it: its newest version, and which one applies.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) newest: Version,
    /// The version that applies; 0 is none.
    pub(crate) applied: i64,
}

/// One version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) version: i64,
    pub(crate) template: Template,
    pub(crate) author: String,
    pub(crate) reason: String,
    pub(crate) at: i64,
}

#[derive(FromRow)]
struct Row {
    name: String,
    applied: i64,
    version: i64,
    body: String,
    author: String,
    reason: String,
    at: i64,
}

impl Whose {
    /// The name that it is stored under. An identity has dots, and the name of a fleet's template has none.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Fleet(name) | Self::Device(name) => name,
        }
    }

    /// The device that it is for alone.
    pub(crate) fn identity(&self) -> Option<&str> {
        match self {
            Self::Fleet(_) => None,
            Self::Device(identity) => Some(identity),
        }
    }
}

impl Row {
    fn listed(self) -> Result<Listed, StoreError> {
        let Self { name, applied, version, body, author, reason, at } = self;
        let newest = Version { version, template: parse("template", &body)?, author, reason, at };
        Ok(Listed { name, newest, applied })
    }
}

impl Store {
    /// The fleet's templates that apply, by name.
    pub(crate) async fn templates(&self) -> Result<BTreeMap<String, Template>, StoreError> {
        let query = query_as("SELECT name, body FROM template WHERE identity IS NULL AND version > 0");
        let rows: Vec<(String, String)> = query.fetch_all(&self.reads).await?;
        rows.into_iter().map(|(name, body)| Ok((name, parse("template", &body)?))).collect()
    }

    /// The fleet's templates in their newest versions, by name.
    pub(crate) async fn newest_templates(&self) -> Result<Vec<Listed>, StoreError> {
        let query = query_as(
            "SELECT v.name, t.version AS applied, v.version, v.body, v.author, v.reason, v.at FROM template t \
             JOIN template_version v ON v.name = t.name WHERE t.identity IS NULL AND v.version = \
             (SELECT max(version) FROM template_version WHERE name = t.name) ORDER BY v.name",
        );
        let rows: Vec<Row> = query.fetch_all(&self.reads).await?;
        rows.into_iter().map(Row::listed).collect()
    }

    /// Every kept version of a template, the newest first.
    pub(crate) async fn versions(&self, whose: &Whose) -> Result<Vec<Listed>, StoreError> {
        let query = query_as(
            "SELECT v.name, t.version AS applied, v.version, v.body, v.author, v.reason, v.at FROM template t \
             JOIN template_version v ON v.name = t.name WHERE t.name = $1 ORDER BY v.version DESC",
        );
        let rows: Vec<Row> = query.bind(whose.name()).fetch_all(&self.reads).await?;
        rows.into_iter().map(Row::listed).collect()
    }

    /// Saves a version; gives its number.
    pub(crate) async fn save(
        &self,
        whose: Whose,
        template: &Template,
        act: Act,
        condition: Condition,
    ) -> Result<i64, StoreError> {
        let body = json(template);
        self.writer
            .commit(move |tx| Box::pin(async move { save(tx, &whose, &body, &act, &condition).await }))
            .await
    }
}

/// Saves a version; gives its number.
pub(super) async fn save(
    tx: &mut Tx,
    whose: &Whose,
    body: &str,
    act: &Act,
    condition: &Condition,
) -> Result<i64, StoreError> {
    check(tx, whose.name(), condition).await?;
    let version = newest(tx, whose.name()).await? + 1;
    insert(tx, whose, version, body, act).await?;
    trim(tx, whose.name()).await?;
    let data = serde_json::json!({"version": version, "author": act.author});
    outbox::tell(tx, Kind::TemplateSaved, whose.name(), ms(act.at), &data).await?;
    Ok(version)
}

impl Edited for Version {
    fn tag(&self) -> Tag {
        Tag::version(self.version)
    }
}

/// Asks a condition of a template; one that was deleted is not there, although its versions are.
pub(super) async fn check(tx: &mut Tx, name: &str, condition: &Condition) -> Result<(), StoreError> {
    if condition.is_any() {
        return Ok(());
    }
    let query = query_as(
        "SELECT max(v.version) FROM template t JOIN template_version v ON v.name = t.name WHERE t.name = $1",
    );
    let (version,): (Option<i64>,) = query.bind(name).fetch_one(tx).await?;
    condition.check(version.map(Tag::version).as_ref())
}

/// Wants one value more, or another one, of one device alone; at once.
pub(super) async fn want(
    tx: &mut Tx,
    identity: &str,
    value: (&str, Wanted),
    act: &Act,
) -> Result<(), StoreError> {
    let template = with(tx, identity, value).await?;
    let version = newest(tx, identity).await? + 1;
    insert(tx, &Whose::Device(identity.to_owned()), version, &json(&template), act).await?;
    trim(tx, identity).await?;
    apply(tx, identity, version, ms(act.at)).await
}

/// What is wanted of one device alone, with one value more or another one.
pub(super) async fn with(
    tx: &mut Tx,
    identity: &str,
    (path, value): (&str, Wanted),
) -> Result<Template, StoreError> {
    let mut template = applied(tx, identity).await?;
    template.values.insert(path.to_owned(), value);
    Ok(template)
}

async fn newest(tx: &mut Tx, name: &str) -> Result<i64, StoreError> {
    let query = query_as("SELECT COALESCE(max(version), 0) FROM template_version WHERE name = $1");
    let (version,): (i64,) = query.bind(name).fetch_one(tx).await?;
    Ok(version)
}

async fn insert(tx: &mut Tx, whose: &Whose, version: i64, body: &str, act: &Act) -> Result<(), StoreError> {
    let now = ms(act.at);
    query(
        "INSERT INTO template_version (name, version, body, author, reason, at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(whose.name())
    .bind(version)
    .bind(body)
    .bind(&act.author)
    .bind(&act.reason)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    query(
        "INSERT INTO template (name, body, changed_at, version, identity) VALUES ($1, '{}', $2, 0, $3) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(whose.name())
    .bind(now)
    .bind(whose.identity())
    .execute(tx)
    .await?;
    Ok(())
}

/// Old versions go, but for what applies and what a change still needs.
async fn trim(tx: &mut Tx, name: &str) -> Result<(), StoreError> {
    query(
        "DELETE FROM template_version WHERE name = $1 \
         AND version <= (SELECT max(version) FROM template_version WHERE name = $1) - $2 \
         AND version <> (SELECT version FROM template WHERE name = $1) \
         AND NOT EXISTS (SELECT 1 FROM change WHERE change.name = $1 AND state IN ('waiting', 'running', 'stopped') \
         AND template_version.version IN (from_version, to_version))",
    )
    .bind(name)
    .bind(VERSIONS_MAX)
    .execute(tx)
    .await?;
    Ok(())
}

/// Makes a version the one that applies; 0 is none, and the name is free again. Its versions stay. Of one device alone,
/// switches that wait for another value have failed.
pub(super) async fn apply(tx: &mut Tx, name: &str, version: i64, now: i64) -> Result<(), StoreError> {
    if version == 0 {
        query("DELETE FROM template WHERE name = $1").bind(name).execute(&mut *tx).await?;
        call::supersede(tx, name, None, now).await?;
        return outbox::tell(tx, Kind::TemplateDeleted, name, now, &serde_json::json!({})).await;
    }
    query(
        "UPDATE template SET version = $2, changed_at = $3, body = COALESCE(\
         (SELECT body FROM template_version WHERE name = $1 AND version = $2), '{}') WHERE name = $1",
    )
    .bind(name)
    .bind(version)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    let wanted = applied(tx, name).await?.values.get(radio::ADMIN_STATE).and_then(Wanted::literal);
    let is_on = wanted.map(|text| text == "true" || text == "1");
    call::supersede(tx, name, is_on, now).await
}

/// The template that applies; an empty one where none does.
async fn applied(tx: &mut Tx, name: &str) -> Result<Template, StoreError> {
    let query = query_as("SELECT body FROM template WHERE name = $1 AND version > 0");
    let applied: Option<(String,)> = query.bind(name).fetch_optional(tx).await?;
    applied.map_or_else(|| Ok(Template::default()), |(body,)| parse("template", &body))
}
