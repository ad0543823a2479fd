//! The one place with SQL: what the H(e)MS remembers, in SQLite or in PostgreSQL. (decisions 13 and 22)
//!
//! Reads go to a pool of connections. Every change is a commit that the one writer carries out; see [`writer`]. The
//! SQL is what both take: `$1`, `RETURNING`, `ON CONFLICT`, times as integer milliseconds, JSON as text, yes and no
//! as 1 and 0. [`sql`] runs it on either, [`schema`] brings either up to date, and [`place`] says where it is.

use std::{io, sync::Arc};

use cwmp::Witness;
use jiff::Timestamp;

mod admission;
mod alarm;
mod audit_log;
mod away;
mod block;
mod call;
mod change;
mod chunk;
mod claim;
mod condition;
mod deployment;
mod device;
mod fact;
mod fault;
mod file;
mod file_url;
mod freeze;
mod grace;
mod history;
mod inventory;
mod job;
mod known;
mod lease;
mod link;
mod misbehaviour;
mod node;
mod outbox;
mod people;
mod place;
mod pool;
mod radio_off;
mod recall;
mod recording;
mod refusal;
mod report;
mod schema;
mod session;
mod sql;
mod suspicion;
mod swap;
mod template;
mod ticket;
mod wake;
mod webhook;
mod wish;
mod writer;

pub(crate) use admission::{Admission, Binding};
pub(crate) use alarm::{AlarmRow, AlarmStep, Word};
pub(crate) use block::{BlockRow, Blocking};
pub(crate) use call::{CallRow, CancelError, Keyed, NewCall, Progress, QueueError};
pub use change::ChangeError;
pub(crate) use change::{ChangeRow, Decision, NewAction, NewChange, UnderWay};
pub(crate) use claim::ClaimRow;
pub use condition::Stale;
pub(crate) use condition::{Condition, Edited, Tag};
pub(crate) use device::{DeviceRow, Summary};
pub(crate) use fact::CellFact;
pub(crate) use fault::{DeadLetter, FAULTS_MAX, FaultRow, Moment, NOT_KEPT};
pub(crate) use file::{FileRow, Full, NewFile, Quota, Removal, Stray};
pub(crate) use file_url::{NewUrl, UrlRow};
pub(crate) use freeze::FreezeRow;
pub(crate) use grace::GraceRow;
pub(crate) use history::Entry;
pub(crate) use inventory::{Move, Moved};
pub(crate) use known::Remembered;
use link::{Reads, Tx};
pub(crate) use misbehaviour::MisbehaviourRow;
pub(crate) use outbox::{Ends, OutboxRow};
pub(crate) use people::{AccountRow, Adding, MachineRow, TokenRow};
pub(crate) use place::Place;
pub(crate) use pool::{DrawError, DrawRow, ReserveError};
pub(crate) use radio_off::{EmergencyRow, ShutRow};
pub(crate) use recall::Recalled;
pub(crate) use recording::{NewOrder, OrderRow, RecordingRow};
pub(crate) use refusal::{RefusalEntry, RefusalRow};
pub(crate) use report::ReportRow;
pub(crate) use session::{
    COMPLETED, Closing, Intent, Lesson, Opening, SessionRow, SightingRow, TlsFacts, Traces,
};
use sql::{Batch, Flag, built, query, query_as, tuples};
pub(crate) use suspicion::SuspicionRow;
pub(crate) use template::{Act, Listed, Whose};
pub(crate) use wake::WakeRow;
pub(crate) use webhook::{ACTIVE, Delivery, Fate, Webhook};
pub(crate) use wish::Wishes;
use writer::Writer;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be made, or not be kept from others.
    #[error("the database's file: {0}")]
    File(#[from] io::Error),
    /// The database is not there, or lets nobody in.
    #[error("{place} cannot be opened: {}", away::said(.why))]
    Unreachable {
        /// The file or the server.
        place: String,
        /// Why not.
        why: sqlx::Error,
    },
    /// The database said no.
    #[error("the database: {}", away::said(.0))]
    Sql(sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A later version wrote it.
    #[error(
        "the database's schema is number {schema}, and this version knows those up to {known}: start the version that \
         wrote it, or a later one"
    )]
    Newer {
        /// The database's.
        schema: i64,
        /// The last one that this version has.
        known: i64,
    },
    /// A stored text is not what this version writes.
    #[error("a stored {what} cannot be read: {source}")]
    Corrupt {
        /// Which column.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// The transaction that carried this commit along failed.
    #[error("the transaction was rolled back: {}", away::said(.0))]
    RolledBack(Arc<sqlx::Error>),
    /// The connection broke while this commit was made: it is there, or it is not.
    #[error("it is unknown whether the transaction was committed: {}", away::said(.0))]
    Unknown(Arc<sqlx::Error>),
    /// The device of a session is another session's now.
    #[error("the session no longer holds its device: the cell came again, or this node was taken for dead")]
    Overtaken,
    /// Somebody expected something else where he writes; nothing was written.
    #[error("{0}")]
    Stale(Stale),
    /// A change does not begin, nor is anything written that came with it.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl StoreError {
    /// Whether there is no database to ask just now, and the same may go well a moment later.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Unreachable { why: error, .. } | Self::Sql(error) => away::is_away(error),
            Self::RolledBack(error) | Self::Unknown(error) => away::is_away(error),
            Self::Closed => true,
            Self::File(_)
            | Self::Migrate(_)
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::Overtaken
            | Self::Stale(_)
            | Self::Change(_) => false,
        }
    }
}

/// The store; clones share it.
#[derive(Clone)]
pub(crate) struct Store {
    reads: Reads,
    writer: Writer,
    /// The number of this node, which is its epoch.
    node: i64,
    /// Whether every session is an event, or only one that did not end as it should.
    tells_sessions: bool,
    shelf: wish::Shelf,
}

impl Store {
    /// Opens a database, makes a file that is missing, and brings the schema up to date.
    pub(crate) async fn open(place: &Place, witness: Arc<dyn Witness>) -> Result<Self, StoreError> {
        place.keep_private()?;
        let mut connection =
            place.connect().await.map_err(|why| StoreError::Unreachable { place: place.to_string(), why })?;
        schema::migrate(&mut connection).await?;
        let writer = Writer::start(place.clone(), connection, witness);
        let here = place.clone();
        let node = writer.commit(move |tx| Box::pin(async move { node::join(tx, &here).await })).await?;
        Ok(Self {
            reads: Reads::new(place.clone()),
            writer,
            node,
            tells_sessions: false,
            shelf: wish::Shelf::default(),
        })
    }

    /// The same store, that makes an event of every session or not.
    pub(crate) fn telling_sessions(self, tells_sessions: bool) -> Self {
        Self { tells_sessions, ..self }
    }

    /// The same store, of which is read what is there now, whatever is written meanwhile.
    pub(crate) async fn snapshot(&self) -> Result<Self, StoreError> {
        Ok(Self { reads: self.reads.snapshot().await?, ..self.clone() })
    }

    /// Ends a snapshot.
    pub(crate) async fn end_snapshot(self) {
        self.reads.close().await;
    }

    /// How many connections read, and how many of them wait for work.
    pub(crate) fn connections(&self) -> (i64, i64) {
        self.reads.connections()
    }

    /// Whether the database answers, and has the schema of this version or of a later one that changed nothing of it.
    pub(crate) async fn is_migrated(&self) -> Result<bool, StoreError> {
        schema::is_current(&self.reads).await
    }

    /// Writes what is queued and closes the database.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.leave().await {
            tracing::warn!(%error, "the other nodes take this one for dead after a while");
        }
        self.writer.close().await;
        self.reads.close().await;
    }
}

/// A point in time as it is stored.
fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A stored time; what is beyond the calendar is the epoch.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// JSON as text. Nothing that is stored has keys that are no strings, so it cannot fail.
fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

fn parse<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Corrupt { what, source })
}

#[cfg(test)]
mod tests;
