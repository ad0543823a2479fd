//! Sends performance files: over a connection of their own, by the certificate alone, again until they are there. (N-02, N-05, N-11)
//!
//! ```text
//!   period ends ─▶ on the disk ─▶ PUT ─ 2xx ─▶ removed
//!                       ▲            └ else ─▶ waits as a failed session does
//! ```

use std::{io, time::Duration};

use tokio::time::Instant;

use super::{Agent, chain, random};
use crate::{
    link::Link,
    performance::spool::{Spool, Waiting},
};

/// What waits to be sent, and since when it fails.
pub(super) struct Uploads {
    spool: Spool,
    waiting: Vec<Waiting>,
    failures: u32,
    not_before: Instant,
}

impl Uploads {
    /// With what an earlier run left.
    pub(super) fn new(spool: Spool) -> Self {
        Self { waiting: spool.waiting(), spool, failures: 0, not_before: Instant::now() }
    }

    /// How long nothing is to be sent.
    pub(super) fn wait(&self) -> Duration {
        if self.waiting.is_empty() {
            return Duration::MAX;
        }
        self.not_before.saturating_duration_since(Instant::now())
    }

    fn let_go(&mut self, waiting: &Waiting) {
        if let Err(error) = self.spool.remove(waiting) {
            tracing::warn!(%error, file = waiting.name, "a performance file stays on the disk");
        }
        self.waiting.retain(|one| one != waiting);
    }
}

impl Agent {
    /// Keeps the files of periods that ended; one that the disk does not take is lost, and the cell goes on.
    pub(super) async fn keep_performance_files(&mut self) {
        // After a reset another operator's row may have the same number: what belongs to none goes at once. (C-21)
        let is_nobody_s = |waiting: &&Waiting| self.cell.performance_url(waiting).is_none();
        let left: Vec<_> = self.uploads.waiting.iter().filter(is_nobody_s).cloned().collect();
        left.iter().for_each(|waiting| self.uploads.let_go(waiting));
        for fresh in self.cell.performance_files() {
            let spool = self.uploads.spool.clone();
            let kept = tokio::task::spawn_blocking(move || spool.put(&fresh).map(|()| spool.waiting())).await;
            match kept.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(waiting) => self.uploads.waiting = waiting,
                Err(error) => tracing::warn!(%error, "a performance file cannot be kept"),
            }
        }
    }

    /// Sends the oldest file, where one waits and its time has come; true where it tried.
    pub(super) async fn send_performance_file(&mut self) -> bool {
        let Some(waiting) = self.uploads.waiting.first().filter(|_| self.uploads.wait().is_zero()).cloned()
        else {
            return false;
        };
        let outcome = match self.cell.performance_url(&waiting) {
            None => Ok(()),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(url)) => match self.uploads.spool.read(&waiting) {
                Ok(content) => {
                    let mut link = Link::new(self.way_to(&url), url);
                    Box::pin(link.upload(content.into())).await.map_err(|error| chain(&error))
                }
                Err(error) => {
                    // What cannot be read will not be read later either.
                    tracing::warn!(%error, file = waiting.name, "a performance file is lost");
                    Ok(())
                }
            },
        };
        match outcome {
            Ok(()) => {
                tracing::info!(file = waiting.name, "a performance file is done with");
                self.uploads.failures = 0;
                self.uploads.let_go(&waiting);
            }
            Err(reason) => self.performance_file_waits(&waiting, &reason),
        }
        true
    }

    /// It is tried again as a session is: later each time, and not by all cells of a street at once. (C-10, N-11)
    fn performance_file_waits(&mut self, waiting: &Waiting, reason: &str) {
        self.uploads.failures = self.uploads.failures.saturating_add(1);
        let (least, most) = self.cell.agenda.retry_wait(self.uploads.failures);
        let span = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX).max(1);
        let drawn = random().map_or(span, |number| number % span);
        self.uploads.not_before = Instant::now() + least + Duration::from_millis(drawn);
        let failures = self.uploads.failures;
        tracing::warn!(failures, file = waiting.name, "a performance file was not taken: {reason}");
    }
}
