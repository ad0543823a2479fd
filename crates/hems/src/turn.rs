//! Whose turn a job is: of the nodes on one database one does it, and another goes on soon after that one died.
//!
//! ```text
//!   kept every RENEWAL ──▶ ours ──(no word for SPAN)──▶ anybody's
//! ```

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use crate::{Hems, hex};

/// How often a node says that it still does a job: each word is a flush to the disk.
const RENEWAL: Duration = Duration::from_secs(10);
/// How long after its last word a job is another's: two words may be lost.
const SPAN: SignedDuration = SignedDuration::from_secs(30);
/// Bytes of randomness in the name that a node has while it runs.
const NAME_BYTES: usize = 16;

/// A job that this node does, or would.
pub(crate) struct Turn {
    job: &'static str,
    holder: String,
    asked: Option<Instant>,
    is_ours: bool,
}

impl Turn {
    /// A job that nobody was asked for yet.
    pub(crate) fn new(job: &'static str) -> Self {
        Self { job, holder: name(), asked: None, is_ours: false }
    }

    /// Whether the job is ours now. Where the store does not answer, it is not.
    pub(crate) async fn is_ours(&mut self, hems: &Hems) -> bool {
        if self.asked.is_some_and(|asked| asked.elapsed() < RENEWAL) {
            return self.is_ours;
        }
        self.asked = Some(Instant::now());
        let held = hems.store.hold_job(self.job, self.holder.clone(), hems.now(), SPAN).await;
        self.is_ours = held.unwrap_or_else(|error| {
            tracing::warn!(job = self.job, %error, "a job rests");
            false
        });
        self.is_ours
    }

    /// Lets another node go on at once.
    pub(crate) async fn leave(self, hems: &Hems) {
        if self.is_ours
            && let Err(error) = hems.store.leave_job(self.job, self.holder).await
        {
            tracing::debug!(job = self.job, %error, "another node waits for its turn");
        }
    }
}

/// A name that no other node has; without randomness the process is its own, on its own machine.
fn name() -> String {
    hex::random::<NAME_BYTES>().unwrap_or_else(|| format!("process {}", std::process::id()))
}
