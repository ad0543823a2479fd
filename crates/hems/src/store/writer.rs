//! One writer, many commits in one flush.
//!
//! Sessions queue their commits; the writer takes all that wait, runs them in one transaction, and answers each
//! after it is durable. One commit that fails rolls back to its own savepoint and takes no other along. Each
//! transaction has a running number that the witness sees: the kill tests count them.
//!
//! ```text
//!  session ─┐                ┌─ BEGIN, savepoint a, savepoint b, …, COMMIT ─┐
//!  session ─┼─▶ bounded queue│                                              ├─▶ witness ─▶ answers
//!  api     ─┘                └──────────────────────────────────────────────┘
//! ```

use std::{pin::Pin, sync::Arc};

use cwmp::Witness;
use sqlx::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{StoreError, Tx};

/// Commits that may wait; a sender beyond that waits itself, which slows its session down and nothing else.
const QUEUE: usize = 1024;
/// Commits in one transaction: enough to share a flush, few enough that the first does not wait long.
const BATCH: usize = 256;

type Running<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

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
    pub(super) fn start(connection: Tx, witness: Arc<dyn Witness>) -> Self {
        let (orders, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write(connection, queue, witness));
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

    /// Waits until all that was queued before is written and the file is closed.
    pub(super) async fn close(&self) {
        let (closed, answered) = oneshot::channel();
        if self.orders.send(Order::Close(closed)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

async fn write(mut connection: Tx, mut queue: mpsc::Receiver<Order>, witness: Arc<dyn Witness>) {
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
        commit(&mut connection, batch, || witness.committed(number)).await;
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the store did not close cleanly");
    }
    if let Some(closed) = closing {
        let _ = closed.send(());
    }
}

async fn commit(connection: &mut Tx, mut batch: Vec<Box<dyn Job>>, durable: impl FnOnce()) {
    if batch.is_empty() {
        return;
    }
    let outcome = transact(connection, &mut batch).await.map_err(Arc::new);
    match &outcome {
        Ok(()) => durable(),
        Err(error) => tracing::error!(%error, "the store cannot commit"),
    }
    for job in batch {
        job.answer(outcome.clone().map_err(StoreError::RolledBack));
    }
}

async fn transact(connection: &mut Tx, batch: &mut [Box<dyn Job>]) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    for job in batch {
        sqlx::query("SAVEPOINT one").execute(&mut *tx).await?;
        if !job.run(&mut tx).await {
            sqlx::query("ROLLBACK TO SAVEPOINT one").execute(&mut *tx).await?;
        }
        sqlx::query("RELEASE SAVEPOINT one").execute(&mut *tx).await?;
    }
    tx.commit().await
}
