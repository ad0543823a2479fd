//! Connections to one database or to the other: the writer's, and those that read.
//!
//! A pool that asks each connection whether it still lives when it comes back needs a task and two more ways to the
//! database for every read. Here a connection is kept where its statement came to its end, asked only where it was
//! idle, and closed where whoever read went away in the middle.
//!
//! ```text
//!  read ──▶ Reads: kept, or opened ──▶ statement ─┬─ ended ──▶ kept
//!                                                 └─ failed, or nobody waits any more ──▶ closed
//! ```

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{
    Connection, Error, Result,
    postgres::PgConnection,
    sqlite::{SqliteArguments, SqliteConnection},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Place, sql::Query};

/// Readers beside the one writer; more than cores would only wait for the same disk.
const READERS: u32 = 4;
/// Connections beside them that stand still in what was there, each for as long as somebody lists.
const SNAPSHOTS: usize = 4;
/// How long a read waits for one of them.
const PATIENCE: Duration = Duration::from_secs(30);
/// A connection to a server that was idle for longer is tried before it is used: the server may have restarted.
const FRESH: Duration = Duration::from_secs(1);

/// The same thing of one database or of the other.
pub(super) enum Both<S, P> {
    Sqlite(S),
    Postgres(P),
}

/// A connection as it is lent to a statement.
pub(super) type Link<'c> = Both<&'c mut SqliteConnection, &'c mut PgConnection>;

/// A connection.
pub(super) struct Tx {
    connection: Both<Box<SqliteConnection>, Box<PgConnection>>,
    /// What goes to the database before the next statement.
    before: Option<&'static str>,
    /// Whether the last statements of a transaction may go out with its end.
    is_patient: bool,
    last: Option<Last>,
}

/// Statements of a file that wait for the end of their transaction.
struct Last {
    sql: String,
    arguments: SqliteArguments,
}

impl Tx {
    pub(super) fn sqlite(connection: SqliteConnection) -> Self {
        Self::new(Both::Sqlite(Box::new(connection)))
    }

    pub(super) fn postgres(connection: PgConnection) -> Self {
        Self::new(Both::Postgres(Box::new(connection)))
    }

    fn new(connection: Both<Box<SqliteConnection>, Box<PgConnection>>) -> Self {
        Self { connection, before: None, is_patient: false, last: None }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.connection, Both::Sqlite(_))
    }

    pub(super) fn link(&mut self) -> Link<'_> {
        match &mut self.connection {
            Both::Sqlite(connection) => Both::Sqlite(connection),
            Both::Postgres(connection) => Both::Postgres(connection),
        }
    }

    /// Runs statements that have no arguments, in one go.
    pub(super) async fn run(&mut self, sql: &'static str) -> Result<()> {
        self.flush().await?;
        match self.link() {
            Both::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
            Both::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
        }
    }

    /// Leaves statements to the next one, which may take them along.
    pub(super) fn run_before(&mut self, sql: &'static str) {
        self.before = Some(sql);
    }

    /// What the next statement takes along; nothing where other statements come first.
    pub(super) fn take_before(&mut self) -> Option<&'static str> {
        if self.last.is_some() { None } else { self.before.take() }
    }

    /// Runs what was left to the next statement.
    pub(super) async fn flush(&mut self) -> Result<()> {
        match (self.last.take(), self.before.take()) {
            (Some(last), before) => self.run_last(before, last, None).await,
            (None, Some(sql)) => Box::pin(self.run(sql)).await,
            (None, None) => Ok(()),
        }
    }

    /// Begins a transaction of one job: what goes wrong in it undoes all of it, its last statements too.
    pub(super) fn begin_alone(&mut self, sql: &'static str) {
        self.run_before(sql);
        self.is_patient = true;
    }

    /// Leaves statements to the end of the transaction, where that is possible; gives them back where it is not.
    pub(super) async fn leave<'q>(&mut self, query: Query<'q, ()>) -> Result<Option<Query<'q, ()>>> {
        if !self.is_patient {
            return Ok(Some(query));
        }
        if self.last.is_some() {
            self.flush().await?;
        }
        let (sql, arguments) = query.for_file()?;
        self.last = Some(Last { sql, arguments });
        Ok(None)
    }

    /// Ends a transaction, with what was left to its end.
    pub(super) async fn end(&mut self, sql: &'static str) -> Result<()> {
        self.is_patient = false;
        match (self.last.take(), self.before.take()) {
            (Some(last), before) => self.run_last(before, last, Some(sql)).await,
            (None, before) => {
                self.before = before;
                self.run(sql).await
            }
        }
    }

    /// Undoes a transaction, with what was left to its end.
    pub(super) async fn undo(&mut self) -> Result<()> {
        self.last = None;
        self.end("ROLLBACK").await
    }

    async fn run_last(&mut self, before: Option<&str>, last: Last, end: Option<&str>) -> Result<()> {
        let Both::Sqlite(connection) = &mut self.connection else { return Ok(()) };
        let parts = [before, Some(&last.sql), end];
        let sql = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let query = sqlx::query_with(sqlx::AssertSqlSafe(sql), last.arguments);
        query.execute(connection.as_mut()).await.map(drop)
    }

    async fn is_alive(&mut self) -> bool {
        match self.link() {
            Both::Sqlite(_) => true,
            Both::Postgres(connection) => connection.ping().await.is_ok(),
        }
    }

    /// Says goodbye.
    pub(super) async fn close(self) -> Result<()> {
        match self.connection {
            Both::Sqlite(connection) => connection.close().await,
            Both::Postgres(connection) => connection.close().await,
        }
    }
}

/// What has a connection.
pub(super) trait Lend {
    fn tx(&mut self) -> &mut Tx;
    /// The statement came to its end.
    fn ended(&mut self) {}
}

impl Lend for &mut Tx {
    fn tx(&mut self) -> &mut Tx {
        self
    }
}

/// Where a statement can run: in a transaction, or on any connection that is free.
pub(super) trait Target {
    type Held: Lend + Send;
    fn hold(self) -> impl Future<Output = Result<Self::Held>> + Send;
}

impl<'c> Target for &'c mut Tx {
    type Held = &'c mut Tx;
    async fn hold(self) -> Result<&'c mut Tx> {
        Ok(self)
    }
}

impl Target for &Reads {
    type Held = Lent;
    async fn hold(self) -> Result<Lent> {
        self.lend().await
    }
}

/// The connections that only read, each opened when it is needed.
#[derive(Clone)]
pub(super) struct Reads(Arc<Shelf>);

struct Shelf {
    /// Where further ones are opened; of a snapshot there are none.
    place: Option<Place>,
    size: u32,
    free: Arc<Semaphore>,
    kept: Mutex<Vec<(Tx, Instant)>>,
    snapshots: Arc<Semaphore>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// One of them, for one statement.
pub(super) struct Lent {
    tx: Option<Tx>,
    has_ended: bool,
    shelf: Arc<Shelf>,
    _permit: OwnedSemaphorePermit,
}

impl Reads {
    pub(super) fn new(place: Place) -> Self {
        Self(Arc::new(Shelf {
            place: Some(place),
            size: READERS,
            free: Arc::new(Semaphore::new(READERS as usize)),
            kept: Mutex::default(),
            snapshots: Arc::new(Semaphore::new(SNAPSHOTS)),
            _permit: None,
        }))
    }

    /// One connection that goes on to see what is there now, whatever is written meanwhile.
    pub(super) async fn snapshot(&self) -> Result<Self> {
        let permit = permitted(&self.0.snapshots).await?;
        let mut tx = self.0.place.as_ref().ok_or(Error::PoolClosed)?.reader().await?;
        // The first read is the moment. Between two of them whoever lists writes, and that may have to wait.
        tx.run(match tx.is_sqlite() {
            true => "BEGIN; SELECT one FROM writer",
            false => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                 SET LOCAL idle_in_transaction_session_timeout = '5min'; SELECT one FROM writer"
            }
        })
        .await?;
        Ok(Self(Arc::new(Shelf {
            place: None,
            size: 1,
            free: Arc::new(Semaphore::new(1)),
            kept: Mutex::new(vec![(tx, Instant::now())]),
            snapshots: Arc::clone(&self.0.snapshots),
            _permit: Some(permit),
        })))
    }

    /// How many connections there are, and how many are idle.
    pub(super) fn connections(&self) -> (i64, i64) {
        let busy = i64::from(self.0.size) - number(self.0.free.available_permits());
        let idle = number(self.0.kept().len());
        (busy + idle, idle)
    }

    /// Waits for those that read and closes all.
    pub(super) async fn close(&self) {
        let all = self.0.free.acquire_many(self.0.size).await;
        let kept = std::mem::take(&mut *self.0.kept());
        for (tx, _) in kept {
            if let Err(error) = tx.close().await {
                tracing::warn!(%error, "a connection that read did not close cleanly");
            }
        }
        self.0.free.close();
        drop(all);
    }

    async fn lend(&self) -> Result<Lent> {
        let permit = permitted(&self.0.free).await?;
        let tx = match self.0.fresh().await {
            Some(tx) => tx,
            None => self.0.place.as_ref().ok_or(Error::PoolClosed)?.reader().await?,
        };
        Ok(Lent { tx: Some(tx), has_ended: false, shelf: Arc::clone(&self.0), _permit: permit })
    }
}

impl Shelf {
    fn kept(&self) -> MutexGuard<'_, Vec<(Tx, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that was used last, and still lives.
    async fn fresh(&self) -> Option<Tx> {
        loop {
            let (mut tx, since) = self.kept().pop()?;
            if since.elapsed() < FRESH || tx.is_alive().await {
                return Some(tx);
            }
        }
    }
}

impl Lend for Lent {
    #[expect(clippy::expect_used, reason = "only its end takes it away")]
    fn tx(&mut self) -> &mut Tx {
        self.tx.as_mut().expect("a connection that is lent")
    }

    fn ended(&mut self) {
        self.has_ended = true;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(tx), true) = (self.tx.take(), self.has_ended) {
            self.shelf.kept().push((tx, Instant::now()));
        }
    }
}

async fn permitted(free: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    let permit = tokio::time::timeout(PATIENCE, Arc::clone(free).acquire_owned()).await;
    permit.map_err(|_| Error::PoolTimedOut)?.map_err(|_| Error::PoolClosed)
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
