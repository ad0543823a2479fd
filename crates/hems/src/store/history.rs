//! What a device's values were before: one entry for each commit in which some changed. (decision 22)
//!
//! A ring: the newest entries of a device are kept, because an entry's key is its number modulo their count, and an
//! entry keeps what fits. So a device that changes all the time costs as much as one that did so once.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{Store, StoreError, json, parse, query, query_as, sql::Query};
use crate::plan::Change;

/// Entries kept per device: a change a week for two years, or a bad day.
const KEPT: i64 = 100;
/// Bytes of the paths and values of one entry: a first provisioning has less.
const BYTES_MAX: usize = 16 * 1024;

/// Values that changed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The session in which the device told them.
    pub(crate) session: i64,
    pub(crate) at: i64,
    pub(crate) changes: Vec<Change>,
    /// How many more there were.
    pub(crate) left_out: usize,
}

#[derive(FromRow)]
struct EntryRow {
    session: i64,
    at: i64,
    body: String,
}

/// Path, before, after.
#[derive(Default, Serialize, Deserialize)]
struct Body(Vec<(String, String, String)>, usize);

impl Store {
    /// The latest changes of a device, newest first.
    pub(crate) async fn history(&self, identity: &str, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let rows: Vec<EntryRow> = query_as(
            "SELECT session, at, body FROM history WHERE identity = $1 ORDER BY number DESC LIMIT $2",
        )
        .bind(identity)
        .bind(limit)
        .fetch_all(&self.reads)
        .await?;
        rows.into_iter().map(Entry::read).collect()
    }

    /// What changed in one session of a device, newest first, as far as it is kept.
    pub(crate) async fn history_of_session(
        &self,
        identity: &str,
        session: i64,
    ) -> Result<Vec<Entry>, StoreError> {
        let query = query_as(
            "SELECT session, at, body FROM history WHERE identity = $1 AND session = $2 ORDER BY number DESC",
        );
        let rows: Vec<EntryRow> = query.bind(identity).bind(session).fetch_all(&self.reads).await?;
        rows.into_iter().map(Entry::read).collect()
    }
}

impl Entry {
    fn read(row: EntryRow) -> Result<Self, StoreError> {
        let Body(changes, left_out) = parse("history", &row.body)?;
        let change = |(path, before, after)| Change { path, before, after };
        Ok(Self {
            session: row.session,
            at: row.at,
            changes: changes.into_iter().map(change).collect(),
            left_out,
        })
    }
}

impl Body {
    fn of(changes: &[Change]) -> Self {
        let (mut body, mut bytes) = (Self::default(), 0);
        for Change { path, before, after } in changes {
            bytes += path.len() + before.len() + after.len();
            if bytes > BYTES_MAX {
                body.1 += 1;
            } else {
                body.0.push((path.clone(), before.clone(), after.clone()));
            }
        }
        body
    }
}

/// An entry under the number that the device's row has by then.
pub(super) fn insert<'q>(identity: &'q str, (session, now): (i64, i64), changes: &[Change]) -> Query<'q, ()> {
    query(
        "INSERT INTO history (identity, slot, number, session, at, body) \
         SELECT identity, changes % $2, changes, $3, $4, $5 FROM device WHERE identity = $1 \
         ON CONFLICT (identity, slot) DO UPDATE SET number = excluded.number, session = excluded.session, \
         at = excluded.at, body = excluded.body",
    )
    .bind(identity)
    .bind(KEPT)
    .bind(session)
    .bind(now)
    .bind(json(&Body::of(changes)))
}
