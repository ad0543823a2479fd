//! One statement for two databases.
//!
//! A [`Query`] keeps its text and its arguments until it is given to a connection; only then it becomes a statement
//! of that connection's kind, so that values and rows go the way that sqlx has for it, without a common form between.
//!
//! ```text
//!  query_as("SELECT … $1").bind(a) ──▶ fetch_all(tx) ─┬─▶ SQLite
//!                                                     └─▶ PostgreSQL
//! ```

use std::{borrow::Cow, fmt::Write, marker::PhantomData};

use sqlx::{
    Arguments, Connection, Database, Encode, Error, FromRow, Postgres, Result, SqlSafeStr, SqlStr, Sqlite,
    Type,
    postgres::{PgConnection, PgRow},
    sqlite::{SqliteArguments, SqliteConnection, SqliteRow},
};

use super::link::{Both, Lend, Target, Tx};

/// A row that can be read from both.
pub(super) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<R> Row for R where R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// An argument. There are few kinds of columns, and a null has the kind of its column.
pub(super) enum Value<'q> {
    Number(Option<i64>),
    Text(Option<Cow<'q, str>>),
    Bytes(&'q [u8]),
}

impl Value<'_> {
    fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text.as_deref().map(Cow::Borrowed)),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

/// A yes or no, which is stored as 1 or 0.
#[derive(sqlx::Type)]
#[sqlx(transparent)]
pub(super) struct Flag(i64);

impl From<Flag> for bool {
    fn from(flag: Flag) -> Self {
        flag.0 != 0
    }
}

/// A statement without rows.
pub(super) fn query<'q>(sql: &'static str) -> Query<'q, ()> {
    query_as(sql)
}

/// A statement with rows.
pub(super) fn query_as<'q, O>(sql: impl SqlSafeStr) -> Query<'q, O> {
    Query { sql: sql.into_sql_str(), values: Vec::new(), row: PhantomData }
}

/// A statement whose text was put together of parts that are written in this folder. What people and devices say is
/// bound.
pub(super) fn built<'q, O>(sql: String) -> Query<'q, O> {
    query_as(sqlx::AssertSqlSafe(sql))
}

/// So many rows for `VALUES`, each of `first` and of so many more arguments, counted from `from`.
pub(super) fn tuples(rows: usize, first: &str, from: usize, columns: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        text += if row == 0 { "(" } else { ", (" };
        text += first;
        for column in 0..columns {
            let between = if column == 0 && first.is_empty() { "$" } else { ", $" };
            text += between;
            text += &(from + row * columns + column).to_string();
        }
        text += ")";
    }
    text
}

/// A statement with its arguments, for whichever database it is given to.
pub(super) struct Query<'q, O> {
    sql: SqlStr,
    values: Vec<Value<'q>>,
    row: PhantomData<fn() -> O>,
}

/// What a statement did.
pub(super) struct Done {
    rows: u64,
}

impl Done {
    pub(super) fn rows_affected(&self) -> u64 {
        self.rows
    }
}

impl<'q, O> Query<'q, O> {
    /// Adds the next argument.
    pub(super) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Its text and its arguments as SQLite takes them.
    pub(super) fn for_file(self) -> Result<(String, SqliteArguments)> {
        Ok((self.sql.as_str().to_owned(), arguments::<Sqlite>(self.values)?))
    }

    /// Runs it.
    pub(super) async fn execute(self, target: impl Target) -> Result<Done> {
        let mut held = target.hold().await?;
        held.tx().flush().await?;
        let rows = match held.tx().link() {
            Both::Sqlite(connection) => {
                let arguments = arguments::<Sqlite>(self.values)?;
                sqlx::query_with(self.sql, arguments).execute(connection).await?.rows_affected()
            }
            Both::Postgres(connection) => {
                let arguments = arguments::<Postgres>(self.values)?;
                sqlx::query_with(self.sql, arguments).execute(connection).await?.rows_affected()
            }
        };
        held.ended();
        Ok(Done { rows })
    }
}

impl<O: Row> Query<'_, O> {
    /// Every row.
    pub(super) async fn fetch_all(self, target: impl Target) -> Result<Vec<O>> {
        self.fetch(target, false).await
    }

    /// The only row, where there is one.
    pub(super) async fn fetch_optional(self, target: impl Target) -> Result<Option<O>> {
        Ok(self.fetch(target, true).await?.into_iter().next())
    }

    /// The only row.
    pub(super) async fn fetch_one(self, target: impl Target) -> Result<O> {
        self.fetch_optional(target).await?.ok_or(Error::RowNotFound)
    }

    async fn fetch(self, target: impl Target, is_one: bool) -> Result<Vec<O>> {
        let mut held = target.hold().await?;
        let rows = self.rows(held.tx(), is_one).await?;
        held.ended();
        Ok(rows)
    }

    async fn rows(mut self, tx: &mut Tx, is_one: bool) -> Result<Vec<O>> {
        if tx.is_sqlite() {
            self.sql = joined(tx.take_before(), self.sql);
        }
        tx.flush().await?;
        match tx.link() {
            Both::Sqlite(connection) => self.read_file(connection, is_one).await,
            Both::Postgres(connection) => match self.read_server(connection).await {
                Err(error) if is_outdated(&error) => {
                    connection.clear_cached_statements().await?;
                    self.read_server(connection).await
                }
                result => result,
            },
        }
    }

    /// After an only row nothing more is waited for: its end would come from SQLite's thread as another message.
    async fn read_file(self, connection: &mut SqliteConnection, is_one: bool) -> Result<Vec<O>> {
        let query = sqlx::query_as_with(self.sql, arguments::<Sqlite>(self.values)?);
        match is_one {
            true => Ok(query.fetch_optional(connection).await?.into_iter().collect()),
            false => query.fetch_all(connection).await,
        }
    }

    async fn read_server(&self, connection: &mut PgConnection) -> Result<Vec<O>> {
        let arguments = arguments::<Postgres>(self.values.iter().map(Value::borrowed))?;
        sqlx::query_as_with(self.sql.clone(), arguments).fetch_all(connection).await
    }
}

/// A statement with those that go out before it: on SQLite the way to its thread and back costs more than they do.
fn joined(before: Option<&'static str>, sql: SqlStr) -> SqlStr {
    match before {
        Some(before) => sqlx::AssertSqlSafe(format!("{before}; {}", sql.as_str())).into_sql_str(),
        None => sql,
    }
}

/// Statements without rows that go to the database together, in one text. None may need what another one of them
/// writes: SQLite runs them one after the other, PostgreSQL on what was there before.
#[derive(Default)]
pub(super) struct Batch<'q> {
    queries: Vec<Query<'q, ()>>,
}

impl<'q> Batch<'q> {
    /// Adds the next statement.
    pub(super) fn add(&mut self, query: Query<'q, ()>) {
        self.queries.push(query);
    }

    /// Runs all of them, at the latest with the end of the transaction.
    pub(super) async fn execute(self, tx: &mut Tx) -> Result<()> {
        if self.queries.is_empty() {
            return Ok(());
        }
        let joined = if tx.is_sqlite() { self.in_order() } else { self.at_once() };
        match tx.leave(joined).await? {
            Some(joined) => joined.execute(tx).await.map(drop),
            None => Ok(()),
        }
    }

    fn in_order(self) -> Query<'q, ()> {
        let (texts, values) = self.parts();
        Query { values, ..built(texts.join("; ")) }
    }

    /// The last one with the others before it. (PostgreSQL, data-modifying statements in WITH)
    fn at_once(self) -> Query<'q, ()> {
        let (mut texts, values) = self.parts();
        let last = texts.pop().unwrap_or_default();
        let named = texts.iter().enumerate().map(|(number, text)| format!("s{number} AS ({text})"));
        let named: Vec<String> = named.collect();
        let with = if named.is_empty() { String::new() } else { format!("WITH {} ", named.join(", ")) };
        Query { values, ..built(with + &last) }
    }

    /// The texts, their arguments numbered through.
    fn parts(self) -> (Vec<String>, Vec<Value<'q>>) {
        let (mut texts, mut values) = (Vec::new(), Vec::new());
        for query in self.queries {
            texts.push(shifted(query.sql.as_str(), values.len()));
            values.extend(query.values);
        }
        (texts, values)
    }
}

/// A statement whose arguments come behind so many others.
fn shifted(sql: &str, by: usize) -> String {
    if by == 0 {
        return sql.to_owned();
    }
    let mut parts = sql.split('$');
    let mut text = String::with_capacity(sql.len() + sql.len() / 4);
    text += parts.next().unwrap_or_default();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        // A String takes whatever is written.
        let _ = write!(text, "${}{rest}", number.parse().map_or(by, |number: usize| number + by));
    }
    text
}

/// Whether a newer node changed a table under a statement that was prepared before. (`feature_not_supported`)
fn is_outdated(error: &Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "0A000")
}

fn arguments<'q, DB: Database>(
    values: impl IntoIterator<Item = Value<'q>, IntoIter: ExactSizeIterator>,
) -> Result<DB::Arguments>
where
    for<'t> Option<i64>: Encode<'t, DB> + Type<DB>,
    for<'t> Option<Cow<'t, str>>: Encode<'t, DB> + Type<DB>,
    for<'t> &'t [u8]: Encode<'t, DB> + Type<DB>,
{
    let values = values.into_iter();
    let mut arguments = DB::Arguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        let added = match value {
            Value::Number(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text.map(storable)),
            Value::Bytes(bytes) => arguments.add(bytes),
        };
        added.map_err(Error::Encode)?;
    }
    Ok(arguments)
}

/// PostgreSQL has no NUL in a text, and what a peer sends may have one: it must not undo a whole commit.
fn storable(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { text }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<&i64> for Value<'_> {
    fn from(number: &i64) -> Self {
        Self::Number(Some(*number))
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(Some(number.into()))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Number(Some(flag.into()))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(Cow::Owned(text)))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Cow::Owned))
    }
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(text: &'q str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(text: &'q String) -> Self {
        text.as_str().into()
    }
}

impl<'q> From<Option<&'q str>> for Value<'q> {
    fn from(text: Option<&'q str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl<'q> From<&'q Option<String>> for Value<'q> {
    fn from(text: &'q Option<String>) -> Self {
        text.as_deref().into()
    }
}

impl<'q> From<&'q Vec<u8>> for Value<'q> {
    fn from(bytes: &'q Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_statements_keep_their_own_arguments() {
        let mut batch = Batch::default();
        batch.add(query("UPDATE a SET b = $2 WHERE c = $1 OR d = $10").bind(1_i64).bind("two"));
        batch.add(built(format!("INSERT INTO e VALUES {}", tuples(2, "$1", 2, 2))).bind(3_i64));
        let joined = batch.in_order();
        assert_eq!(
            joined.sql.as_str(),
            "UPDATE a SET b = $2 WHERE c = $1 OR d = $10; INSERT INTO e VALUES ($3, $4, $5), ($3, $6, $7)"
        );
        assert_eq!(joined.values.len(), 3);
        let mut batch = Batch::default();
        batch.add(query("DELETE FROM a WHERE b = $1").bind(1_i64));
        batch.add(query("UPDATE c SET d = $1").bind(2_i64));
        assert_eq!(
            batch.at_once().sql.as_str(),
            "WITH s0 AS (DELETE FROM a WHERE b = $1) UPDATE c SET d = $2"
        );
        assert_eq!(tuples(2, "", 4, 1), "($4), ($5)");
    }
}
