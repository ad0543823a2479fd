//! One writer, many commits in one flush.
//!
//! Sessions queue their commits; the writer takes all that wait, runs them in one transaction, and answers each
//! after it is durable. One commit that fails rolls back to its own savepoint and takes no other along; on SQLite one
//! that is alone needs none, and its last statements go out with the end. Each transaction has a running number that
//! the witness sees: the kill tests count them.
//!
//! Of the nodes on one PostgreSQL one writes at a time: each transaction begins with the lock of the one row of
//! `writer`, so that what a commit reads is what it changes, as on SQLite. A connection that breaks is opened again
//! for the next transaction; those whose commits it carried are told.
//!
//! ```text
//!  session ─┐                ┌─ BEGIN, savepoint a, savepoint b, …, COMMIT ─┐
//!  session ─┼─▶ bounded queue│                                              ├─▶ witness ─▶ answers
//!  api     ─┘                └──────────────────────────────────────────────┘
//! ```

use std::{pin::Pin, sync::Arc, time::Duration};

use cwmp::Witness;
use tokio::sync::{mpsc, oneshot};

use super::{Place, StoreError, Tx, place::silence};

/// Commits that may wait; a sender beyond that waits itself, which slows its session down and nothing else.
const QUEUE: usize = 1024;
/// How long a server may take for a transaction, the wait for other nodes included. A network that swallows what is
/// sent would hold up every session for a quarter of an hour.
const PATIENCE: Duration = Duration::from_secs(30);
/// Commits in one transaction: enough to share a flush, few enough that the first does not wait long.
const BATCH: usize = 256;

pub(super) type Running<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

/// The writer's mouth; clones share it.
#[derive(Clone)]
pub(crate) struct Writer {
    orders: mpsc::Sender<Order>,
}

enum Order {
    Commit(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// One queued commit with its outcome's type erased.
trait Job: Send {
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> Running<'c, bool>;
    fn answer(self: Box<Self>, durable: Result<(), StoreError>);
}

struct Commit<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Commit<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut Tx) -> Running<'c, Result<T, StoreError>> + Send + 'static,
{
    fn run<'c>(&'c mut self, tx: &'c mut Tx) -> Running<'c, bool> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.outcome = Some(work(tx).await);
            }
            matches!(self.outcome, Some(Ok(_)))
        })
    }

    fn answer(self: Box<Self>, durable: Result<(), StoreError>) {
        let Self { outcome, answer, .. } = *self;
        let outcome = durable.and_then(|()| outcome.unwrap_or(Err(StoreError::Closed)));
        // Whoever asked may have gone away; what is durable stays so.
        let _ = answer.send(outcome);
    }
}

impl Writer {
    /// Starts the writer on its connection; it ends when it is closed or nobody can order any more.
    pub(super) fn start(place: Place, connection: Tx, witness: Arc<dyn Witness>) -> Self {
        let (orders, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write(Line { place, connection: Some(connection) }, queue, witness));
        Self { orders }
    }

    /// Queues work and waits until it is durable.
    pub(super) async fn commit<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> Running<'c, Result<T, StoreError>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Commit { work: Some(work), outcome: None, answer });
        self.orders.send(Order::Commit(job)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Waits until all that was queued before is written and the connection is closed.
    pub(super) async fn close(&self) {
        let (closed, answered) = oneshot::channel();
        if self.orders.send(Order::Close(closed)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

/// Why a transaction was not carried out, or perhaps was.
#[derive(Clone)]
enum Failure {
    RolledBack(Arc<sqlx::Error>),
    Unknown(Arc<sqlx::Error>),
}

impl Failure {
    fn new(error: sqlx::Error, is_unknown: bool) -> Self {
        if is_unknown { Self::Unknown(Arc::new(error)) } else { Self::RolledBack(Arc::new(error)) }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::RolledBack(error) => Self::RolledBack(error),
            Failure::Unknown(error) => Self::Unknown(error),
        }
    }
}

/// The connection, which comes back where it broke.
struct Line {
    place: Place,
    connection: Option<Tx>,
}

impl Line {
    /// Carries a batch out, or gives up on a server that does not answer.
    async fn carry(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        match self.place {
            Place::File(_) => self.transact(batch).await,
            Place::Server(_) => tokio::time::timeout(PATIENCE, self.transact(batch))
                .await
                .unwrap_or_else(|_| Err(Failure::new(silence(), true))),
        }
    }

    async fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        let mut tx = match self.connection.take() {
            Some(tx) => tx,
            None => self.place.connect().await.map_err(|error| Failure::new(error, false))?,
        };
        let filled = match batch {
            [job] if tx.is_sqlite() => Ok(fill_alone(&mut tx, job).await),
            several => fill(&mut tx, several).await.map(|()| true),
        };
        let was_filled = matches!(filled, Ok(true));
        let committed = match filled {
            Ok(true) if tx.is_sqlite() => tx.end("COMMIT").await,
            // PostgreSQL ends a transaction with an error inside as if it were a commit; the release it refuses.
            Ok(true) => tx.run("RELEASE SAVEPOINT one; COMMIT").await,
            Ok(false) => tx.undo().await,
            Err(error) => Err(error),
        };
        let Err(error) = committed else {
            self.connection = Some(tx);
            return Ok(());
        };
        // A connection on which one can still roll back did not commit.
        let is_open = tx.run("ROLLBACK").await.is_ok();
        self.connection = is_open.then_some(tx);
        Err(Failure::new(error, was_filled && !is_open))
    }

    async fn close(self) -> Result<(), sqlx::Error> {
        match self.connection {
            Some(connection) => connection.close().await,
            None => Ok(()),
        }
    }
}

async fn write(mut line: Line, mut queue: mpsc::Receiver<Order>, witness: Arc<dyn Witness>) {
    let mut number = 0;
    let mut closing = None;
    while closing.is_none() {
        let Some(first) = queue.recv().await else { break };
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Commit(job) => batch.push(job),
                Order::Close(closed) => closing = Some(closed),
            }
            next = if batch.len() < BATCH && closing.is_none() { queue.try_recv().ok() } else { None };
        }
        number += u64::from(!batch.is_empty());
        commit(&mut line, batch, || witness.committed(number)).await;
    }
    if let Err(error) = line.close().await {
        tracing::warn!(%error, "the store did not close cleanly");
    }
    if let Some(closed) = closing {
        let _ = closed.send(());
    }
}

async fn commit(line: &mut Line, mut batch: Vec<Box<dyn Job>>, durable: impl FnOnce()) {
    if batch.is_empty() {
        return;
    }
    let outcome = line.carry(&mut batch).await;
    match &outcome {
        Ok(()) => durable(),
        Err(failure) => {
            tracing::error!(error = %StoreError::from(failure.clone()), "the store cannot commit");
        }
    }
    for job in batch {
        job.answer(outcome.clone().map_err(StoreError::from));
    }
}

/// Begins a transaction of one job and runs it, without a savepoint, for which SQLite would keep each page as it was.
/// Whether it is to be committed.
async fn fill_alone(tx: &mut Tx, job: &mut Box<dyn Job>) -> bool {
    tx.begin_alone("BEGIN IMMEDIATE");
    job.run(tx).await
}

/// Begins a transaction and runs every job in it, in as few trips to the database as that takes.
async fn fill(tx: &mut Tx, batch: &mut [Box<dyn Job>]) -> Result<(), sqlx::Error> {
    tx.run_before(match tx.is_sqlite() {
        true => "BEGIN IMMEDIATE; SAVEPOINT one",
        false => "BEGIN; SELECT one FROM writer FOR UPDATE; SAVEPOINT one",
    });
    let mut left = batch.len();
    for job in batch {
        if !job.run(tx).await {
            tx.run("ROLLBACK TO SAVEPOINT one").await?;
        }
        left -= 1;
        if left > 0 {
            tx.run("RELEASE SAVEPOINT one; SAVEPOINT one").await?;
        }
    }
    Ok(())
}
