//! Walks along the indexes of devices, and what operators say of a device: its site, tags and labels.
//!
//! ```text
//!  filter's comparison ──▶ one index, one range ──▶ devices after a position, in the index's order
//! ```

use jiff::Timestamp;

use super::{
    Batch, ChangeError, Condition, DeviceRow, Store, StoreError, Tx, built, change,
    device::devices,
    ms, query, query_as,
    sql::{Query, Value},
    tuples,
};
use crate::{
    change::{Bounds, Spent},
    filter::{Flag, Moment, Question, Sorted, State, Term, Test, Text},
    inventory::{Key, LOST_AFTER, Place, Position, Way},
};

/// Where a device stands from now on.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) identity: String,
    pub(crate) place: Place,
    /// What is expected of where it stands.
    pub(crate) condition: Condition,
    /// The fleet, where it counts as a changed cell of the budget.
    pub(crate) spends: Option<(Bounds, i64)>,
    pub(crate) at: Timestamp,
}

/// What became of a move among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Done,
    /// Nobody knows the device.
    Unknown,
    /// The budget is spent.
    Held(Spent),
    /// It stands elsewhere than expected.
    Stale,
}

/// The query of one walk.
struct Range {
    /// Where identities come from.
    table: &'static str,
    /// What the index is ordered by before the identity; nothing where that is the same for the whole range.
    key: Option<&'static str>,
    condition: String,
    arguments: Vec<Value<'static>>,
    is_descending: bool,
    /// Whether the key is null in all of it.
    is_absent: bool,
}

impl Store {
    /// Devices on a way after a position, at most `steps` of them.
    pub(crate) async fn walk(
        &self,
        way: &Way,
        after: &Position,
        steps: usize,
        now: Timestamp,
    ) -> Result<Vec<DeviceRow>, StoreError> {
        let mut range = Range::on(way, now);
        let met = range.select(after, steps);
        let direction = range.direction();
        let sql = format!(
            devices!(
                "JOIN ({met}) AS met ON met.identity = device.identity \
                 ORDER BY met.place{direction}, met.identity{direction}"
            ),
            met = met,
            direction = direction,
        );
        let query = range.arguments.into_iter().fold(built(sql), Query::bind);
        Ok(query.fetch_all(&self.reads).await?)
    }

    /// Writes where many devices stand; gives what became of each. With `strict` one that is held or stale fails all of
    /// them.
    pub(crate) async fn place_all(&self, moves: Vec<Move>, strict: bool) -> Result<Vec<Moved>, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let mut moved = Vec::with_capacity(moves.len());
                    for one in moves {
                        moved.push(match move_to(tx, &one).await {
                            Ok(true) => Moved::Done,
                            Ok(false) => Moved::Unknown,
                            Err(StoreError::Change(ChangeError::Budget(spent))) if !strict => {
                                Moved::Held(spent)
                            }
                            Err(StoreError::Stale(_)) if !strict => Moved::Stale,
                            Err(error) => return Err(error),
                        });
                    }
                    Ok(moved)
                })
            })
            .await
    }

    /// The first devices, for tests that have few.
    #[cfg(test)]
    pub(crate) async fn every_device(&self) -> Vec<DeviceRow> {
        self.walk(&Way::Along(None), &Position::default(), 10, Timestamp::UNIX_EPOCH)
            .await
            .unwrap_or_default()
    }

    /// Writes where a device stands and what it is called; whether it is known.
    pub(crate) async fn place(&self, to: Move) -> Result<bool, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { move_to(tx, &to).await })).await
    }
}

/// The statements that a walk reads an index with.
#[cfg(test)]
pub(super) fn reads(way: &Way, after: &Position) -> Vec<String> {
    Range::on(way, Timestamp::UNIX_EPOCH).reads(after, 200)
}

impl Range {
    fn on(way: &Way, now: Timestamp) -> Self {
        let along = |term: &Option<Term>| term.as_ref().map_or_else(Self::all, |term| Self::of(term, now));
        match way {
            Way::Along(term) => along(term),
            Way::Sorted(order, lead) => {
                Self { key: column(order.by), is_descending: order.is_descending, ..along(lead) }
            }
            Way::Absent(order) => {
                let key = column(order.by);
                let condition = key.map_or_else(|| "FALSE".to_owned(), |key| format!("{key} IS NULL"));
                let range = Self::plain(condition, Vec::new());
                Self { key, is_descending: order.is_descending, is_absent: true, ..range }
            }
        }
    }

    fn all() -> Self {
        Self::plain("TRUE".to_owned(), Vec::new())
    }

    /// One value of an index: its devices come by identity.
    fn plain(condition: String, arguments: Vec<Value<'static>>) -> Self {
        Self { table: "device", key: None, condition, arguments, is_descending: false, is_absent: false }
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
            Question::Flag(Flag::DeadLetter, flag) => {
                let inside = if *flag { "IN" } else { "NOT IN" };
                let condition =
                    format!("identity {inside} (SELECT identity FROM fault WHERE next_at IS NULL)");
                Self::plain(condition, Vec::new())
            }
            Question::Flag(_, flag) => Self::plain(
                format!("state = 'admitted' AND is_in_service = {}", i64::from(*flag)),
                Vec::new(),
            ),
            Question::State(state) => Self::state(*state, ms(now)),
        }
    }

    /// The text of a filter was folded when it was read. Here it would be by the language of PostgreSQL's cluster, and
    /// what is indexed by its letters of ASCII alone.
    fn text(column: &'static str, test: Test, text: &str) -> Self {
        let wanted = text.to_owned().into();
        if test != Test::Begins {
            return Self::plain(format!("{column} = $1"), vec![wanted]);
        }
        let end = format!("{text}{}", char::MAX).into();
        let condition = format!("{column} >= $1 AND {column} < $2");
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
            State::Never => plain("last_inform_at IS NULL"),
            State::Quarantined => plain("state = 'quarantined'"),
            State::Provisioning => plain("state = 'admitted' AND is_in_service = 0"),
            State::InService => plain("state = 'admitted' AND is_in_service = 1"),
            State::Late => due("due_at < $1 AND due_at >= $2", vec![now.into(), lost.into()]),
            State::Lost => due("due_at < $1", vec![lost.into()]),
            State::Blocked => plain("identity IN (SELECT value FROM block WHERE kind = 'identity')"),
            State::Disputed => plain("identity IN (SELECT identity FROM dispute)"),
        }
    }

    /// The next steps of the walk after a position.
    fn select(&mut self, after: &Position, steps: usize) -> String {
        let direction = self.direction();
        let reads = self.reads(after, steps);
        if let [only] = reads.as_slice() {
            return only.clone();
        }
        let parts: Vec<_> =
            reads.iter().map(|read| format!("SELECT place, identity FROM ({read}) AS part")).collect();
        format!(
            "SELECT place, identity FROM ({}) AS parts ORDER BY place{direction}, identity{direction} LIMIT {steps}",
            parts.join(" UNION ALL ")
        )
    }

    /// The reads of the index: where the walk goes on in the middle of a value, the rest of that, and what is beyond.
    /// Together they would be one comparison of rows, which SQLite does not find by an index of expressions.
    fn reads(&mut self, after: &Position, steps: usize) -> Vec<String> {
        let (beyond, direction) = (if self.is_descending { "<" } else { ">" }, self.direction());
        let mut bind = |argument| {
            self.arguments.push(argument);
            format!("${}", self.arguments.len())
        };
        let by_identity = format!("identity{direction}");
        let by_key = self.key.map(|key| format!("{key}{direction}, {by_identity}")).unwrap_or_default();
        let more = match (self.key.filter(|_| !self.is_absent), &after.key) {
            (None, _) => {
                let more = match after.identity.as_str() {
                    "" => "TRUE".to_owned(),
                    last => format!("identity {beyond} {}", bind(last.to_owned().into())),
                };
                vec![(more, if self.is_absent { by_key } else { by_identity })]
            }
            (Some(key), None) => vec![(format!("{key} IS NOT NULL"), by_key)],
            (Some(key), Some(last)) => {
                let last = bind(last.clone().into());
                let identity = bind(after.identity.clone().into());
                let same = format!("{key} = {last} AND identity {beyond} {identity}");
                vec![(same, by_identity), (format!("{key} {beyond} {last}"), by_key)]
            }
        };
        let (key, table, condition) = (self.key.unwrap_or("0"), self.table, &self.condition);
        let read = |(more, order)| {
            format!(
                "SELECT {key} AS place, identity FROM {table} WHERE {condition} AND {more} \
                 ORDER BY {order} LIMIT {steps}"
            )
        };
        more.into_iter().map(read).collect()
    }

    fn direction(&self) -> &'static str {
        if self.is_descending { " DESC" } else { "" }
    }
}

/// The indexed expression of a field by which lists come; nothing for the identity.
fn column(by: Sorted) -> Option<&'static str> {
    match by {
        Sorted::Text(Text::Identity) => None,
        Sorted::Text(field) => Some(text_column(field)),
        Sorted::Time(field) => Some(time_column(field)),
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
        Text::Serial => "COALESCE(lower(serial), '')",
        Text::Site => "COALESCE(lower(site), '')",
        Text::Pci => "COALESCE(lower(pci), '')",
        Text::Tac => "COALESCE(lower(tac), '')",
        Text::Software => "COALESCE(lower(software), '')",
        Text::ProductClass => "COALESCE(lower(product_class), '')",
        Text::Oui => "COALESCE(lower(oui), '')",
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

/// Writes where a device stands, within the budget where it is changed by that; whether it is known.
async fn move_to(tx: &mut Tx, to: &Move) -> Result<bool, StoreError> {
    if !to.condition.is_any() {
        to.condition.check(placed(tx, &to.identity).await?.as_ref())?;
    }
    if let Some((bounds, fleet)) = &to.spends {
        change::spend(tx, &to.identity, bounds, *fleet, ms(to.at)).await?.map_err(ChangeError::from)?;
    }
    put(tx, &to.identity, &to.place).await
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
    let mut before = Batch::default();
    before.add(query("DELETE FROM device_tag WHERE identity = $1").bind(identity));
    before.add(query("DELETE FROM device_label WHERE identity = $1").bind(identity));
    before.execute(tx).await?;
    let mut now = Batch::default();
    if !place.tags.is_empty() {
        let rows = tuples(place.tags.len(), "$1", 2, 1);
        let insert = built(format!("INSERT INTO device_tag (identity, name) VALUES {rows}"));
        now.add(place.tags.iter().fold(insert.bind(identity), Query::bind));
    }
    if !place.labels.is_empty() {
        let rows = tuples(place.labels.len(), "$1", 2, 2);
        let insert = built(format!("INSERT INTO device_label (identity, name, value) VALUES {rows}"));
        let labels = place.labels.iter().flat_map(|(name, value)| [name, value]);
        now.add(labels.fold(insert.bind(identity), Query::bind));
    }
    now.execute(tx).await?;
    Ok(done.rows_affected() > 0)
}
