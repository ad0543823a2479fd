//! Walks along the indexes of devices, and what operators say of a device: its site, tags and labels.
//!
//! ```text
//!  filter's comparison ──▶ one index, one range ──▶ devices after a position, in the index's order
//! ```

use jiff::Timestamp;

use super::{
    Condition, DeviceRow, Store, StoreError, Tx, built,
    device::devices,
    ms, query, query_as,
    sql::{Query, Value},
};
use crate::{
    filter::{Moment, Question, State, Term, Test, Text},
    inventory::{Key, LOST_AFTER, Place, Position},
};

/// The query of one walk.
struct Range {
    /// Where identities come from.
    table: &'static str,
    /// What the index is ordered by before the identity; nothing where that is the same for the whole range.
    key: Option<&'static str>,
    condition: String,
    arguments: Vec<Value<'static>>,
}

impl Store {
    /// Devices along an index after a position, at most `steps` of them.
    pub(crate) async fn walk(
        &self,
        along: Option<&Term>,
        after: &Position,
        steps: usize,
        now: Timestamp,
    ) -> Result<Vec<DeviceRow>, StoreError> {
        let mut range = along.map_or_else(Range::all, |term| Range::of(term, now));
        let order = range.start(after);
        let sql = format!(
            devices!(
                "JOIN (SELECT {key} AS place, identity FROM {table} WHERE {condition} ORDER BY {order} LIMIT {steps}) \
                 AS met ON met.identity = device.identity ORDER BY met.place, met.identity"
            ),
            key = range.key.unwrap_or("0"),
            table = range.table,
            condition = range.condition,
            order = order,
            steps = steps,
        );
        let query = range.arguments.into_iter().fold(built(sql), Query::bind);
        Ok(query.fetch_all(&self.reads).await?)
    }

    /// Writes where many devices stand; gives how many were known.
    pub(crate) async fn place_all(&self, places: Vec<(String, Place)>) -> Result<usize, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let mut count = 0;
                    for (identity, place) in &places {
                        count += usize::from(put(tx, identity, place).await?);
                    }
                    Ok(count)
                })
            })
            .await
    }

    /// The first devices, for tests that have few.
    #[cfg(test)]
    pub(crate) async fn every_device(&self) -> Vec<DeviceRow> {
        self.walk(None, &Position::default(), 10, Timestamp::UNIX_EPOCH).await.unwrap_or_default()
    }

    /// Writes where a device stands and what it is called; whether it is known.
    pub(crate) async fn place(
        &self,
        identity: String,
        place: Place,
        condition: Condition,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    condition.check(placed(tx, &identity).await?.as_ref())?;
                    put(tx, &identity, &place).await
                })
            })
            .await
    }
}

impl Range {
    fn all() -> Self {
        Self::plain("TRUE".to_owned(), Vec::new())
    }

    /// One value of an index: its devices come by identity.
    fn plain(condition: String, arguments: Vec<Value<'static>>) -> Self {
        Self { table: "device", key: None, condition, arguments }
    }

    fn of(term: &Term, now: Timestamp) -> Self {
        match &term.question {
            Question::Text(Text::Tag, text) => {
                Self { table: "device_tag", ..Self::text("name", term.test, text) }
            }
            Question::Label(name, text) => {
                let mut range = Self { table: "device_label", ..Self::text("lower(value)", term.test, text) };
                range.arguments.push(name.clone().into());
                range.condition = format!("name = ${} AND {}", range.arguments.len(), range.condition);
                range
            }
            Question::Text(field, text) => Self::text(text_column(*field), term.test, text),
            Question::Time(field, when) => {
                let column = time_column(*field);
                let condition = format!("{column} {} $1", term.test.sign());
                let arguments = vec![when.at(now).into()];
                Self { key: Some(column), ..Self::plain(condition, arguments) }
            }
            Question::Flag(_, flag) => Self::plain(
                format!("state = 'admitted' AND is_in_service = {}", i64::from(*flag)),
                Vec::new(),
            ),
            Question::State(state) => Self::state(*state, ms(now)),
        }
    }

    fn text(column: &'static str, test: Test, text: &str) -> Self {
        let wanted = text.to_owned().into();
        if test != Test::Begins {
            return Self::plain(format!("{column} = lower($1)"), vec![wanted]);
        }
        let end = format!("{text}{}", char::MAX).into();
        let condition = format!("{column} >= lower($1) AND {column} < lower($2)");
        Self { key: Some(column), ..Self::plain(condition, vec![wanted, end]) }
    }

    fn state(state: State, now: i64) -> Self {
        let lost = now.saturating_sub(LOST_AFTER);
        let due = |condition: &str, arguments| Self {
            key: Some("due_at"),
            ..Self::plain(condition.to_owned(), arguments)
        };
        let plain = |condition: &str| Self::plain(condition.to_owned(), Vec::new());
        match state {
            State::Never => plain("state = 'admitted' AND last_inform_at IS NULL"),
            State::Quarantined => plain("state = 'quarantined'"),
            State::Provisioning => plain("state = 'admitted' AND is_in_service = 0"),
            State::InService => plain("state = 'admitted' AND is_in_service = 1"),
            State::Late => due("due_at < $1 AND due_at >= $2", vec![now.into(), lost.into()]),
            State::Lost => due("due_at < $1", vec![lost.into()]),
            State::Blocked => plain("identity IN (SELECT value FROM block WHERE kind = 'identity')"),
            State::Disputed => plain("identity IN (SELECT identity FROM dispute)"),
        }
    }

    /// Adds where the walk goes on, and says in which order it goes.
    fn start(&mut self, after: &Position) -> String {
        let mut bind = |argument| {
            self.arguments.push(argument);
            format!("${}", self.arguments.len())
        };
        let (more, order) = match (self.key, &after.key) {
            (None, _) => {
                (format!("identity > {}", bind(after.identity.clone().into())), "identity".to_owned())
            }
            (Some(key), None) => (format!("{key} IS NOT NULL"), format!("{key}, identity")),
            (Some(key), Some(last)) => {
                let last = bind(last.clone().into());
                let identity = bind(after.identity.clone().into());
                (format!("({key}, identity) > ({last}, {identity})"), format!("{key}, identity"))
            }
        };
        self.condition = format!("{} AND {more}", self.condition);
        order
    }
}

impl From<Key> for Value<'_> {
    fn from(key: Key) -> Self {
        match key {
            Key::Text(text) => text.into(),
            Key::Number(number) => number.into(),
        }
    }
}

/// The indexed expression of a field that is text. What no index answers does not come here.
fn text_column(field: Text) -> &'static str {
    match field {
        Text::Serial => "lower(serial)",
        Text::Site => "lower(site)",
        Text::Pci => "lower(pci)",
        Text::Tac => "lower(tac)",
        Text::Software => "lower(software)",
        Text::ProductClass => "lower(product_class)",
        Text::Oui => "lower(oui)",
        Text::Identity | Text::Realm | Text::Tag | Text::Plmn | Text::TlsVersion | Text::Suite => "identity",
    }
}

fn time_column(field: Moment) -> &'static str {
    match field {
        Moment::CertificateNotAfter => "certificate_not_after",
        Moment::FirstSeen => "first_seen_at",
        Moment::LastInform => "last_inform_at",
    }
}

/// Where a device stands, if it is known.
pub(super) async fn placed(tx: &mut Tx, identity: &str) -> Result<Option<Place>, StoreError> {
    let query = query_as("SELECT site, tags, labels FROM device WHERE identity = $1");
    let row: Option<(Option<String>, String, String)> = query.bind(identity).fetch_optional(tx).await?;
    let read = |(site, tags, labels): (_, String, String)| {
        Ok(Place { site, tags: super::parse("tags", &tags)?, labels: super::parse("labels", &labels)? })
    };
    row.map(read).transpose()
}

/// Writes where a device stands; whether it is known.
pub(super) async fn put(tx: &mut Tx, identity: &str, place: &Place) -> Result<bool, StoreError> {
    let done = query("UPDATE device SET site = $2, tags = $3, labels = $4 WHERE identity = $1")
        .bind(identity)
        .bind(&place.site)
        .bind(super::json(&place.tags))
        .bind(super::json(&place.labels))
        .execute(&mut *tx)
        .await?;
    query("DELETE FROM device_tag WHERE identity = $1").bind(identity).execute(&mut *tx).await?;
    query("DELETE FROM device_label WHERE identity = $1").bind(identity).execute(&mut *tx).await?;
    for name in &place.tags {
        let insert = query("INSERT INTO device_tag (name, identity) VALUES ($1, $2)");
        insert.bind(name).bind(identity).execute(&mut *tx).await?;
    }
    for (name, value) in &place.labels {
        let insert = query("INSERT INTO device_label (name, value, identity) VALUES ($1, $2, $3)");
        insert.bind(name).bind(value).bind(identity).execute(&mut *tx).await?;
    }
    Ok(done.rows_affected() > 0)
}
