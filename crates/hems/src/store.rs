//! The one place with SQL: what the H(e)MS remembers, in SQLite. (decisions 13 and 22)
//!
//! Reads go to a pool of connections. Every change is a commit that the one writer carries out; see [`writer`]. The
//! SQL is what PostgreSQL would take too: `$1`, `RETURNING`, `ON CONFLICT`, times as integer milliseconds, JSON as
//! text.

use std::{
    fs::{OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};

use cwmp::Witness;
use jiff::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

mod admission;
mod block;
mod call;
mod claim;
mod deployment;
mod device;
mod grace;
mod inventory;
mod known;
mod misbehaviour;
mod pool;
mod refusal;
mod report;
mod session;
mod suspicion;
mod template;
mod ticket;
mod writer;

pub(crate) use admission::{Admission, Binding};
pub(crate) use block::{BlockRow, Blocking};
pub(crate) use call::{CallRow, NewCall, Progress};
pub(crate) use claim::ClaimRow;
pub(crate) use device::{DeviceRow, Summary};
pub(crate) use grace::GraceRow;
pub(crate) use known::{FaultRow, Remembered};
pub(crate) use pool::DrawError;
pub(crate) use refusal::{RefusalEntry, RefusalRow};
pub(crate) use report::ReportRow;
pub(crate) use session::{Closing, Intent, Lesson, Opening, SessionRow, TlsFacts, Traces};
pub(crate) use suspicion::SuspicionRow;
use writer::Writer;

/// Readers beside the one writer; more than cores would only wait for the same disk.
const READERS: u32 = 4;
/// How long a statement waits for another process that holds the file, such as a backup.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be made, or not be kept from others.
    #[error("the database's file: {0}")]
    File(#[from] io::Error),
    /// The database said no.
    #[error("the database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A stored text is not what this version writes.
    #[error("a stored {what} cannot be read: {source}")]
    Corrupt {
        /// Which column.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// The transaction that carried this commit along failed.
    #[error("the transaction was rolled back: {0}")]
    RolledBack(Arc<sqlx::Error>),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// The store; clones share it.
#[derive(Clone)]
pub(crate) struct Store {
    reads: SqlitePool,
    writer: Writer,
}

impl Store {
    /// Opens the file, makes it where it is missing, and brings its schema up to date.
    pub(crate) async fn open(path: &Path, witness: Arc<dyn Witness>) -> Result<Self, StoreError> {
        keep_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_WAIT);
        let mut connection = sqlx::ConnectOptions::connect(&options).await?;
        sqlx::migrate!("migrations/sqlite").run(&mut connection).await?;
        let reads = SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?;
        let store = Self { reads, writer: Writer::start(connection, witness) };
        store.writer.commit(|tx| Box::pin(session::end_interrupted(tx))).await?;
        Ok(store)
    }

    /// Writes what is queued and closes the file.
    pub(crate) async fn close(&self) {
        self.writer.close().await;
        self.reads.close().await;
    }
}

/// Whom we serve and where cells stand is the owner's business; SQLite gives its other files the mode of the first.
fn keep_private(path: &Path) -> Result<(), StoreError> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    for end in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        match std::fs::set_permissions(name, Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
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

/// The connection inside the writer's transaction.
type Tx = SqliteConnection;

#[cfg(test)]
mod tests;
