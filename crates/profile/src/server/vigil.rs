//! A peer whose connection goes on: what was true in its handshake is asked again. (TS 33.320 8.3.4, T-08)
//!
//! ```text
//!   request ───────────────▶ same trust, no date passed? ─┬─ yes ─▶ goes on
//!   reload, date, minute ─▶                               └─ no ──▶ judged like a new one ─▶ goes on, or a refusal
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Present, Resumer};
use crate::certificate::CertificateFacts;
use crate::refusal::Refusal;
use crate::resume::Known;

/// How long a judgement counts at most: what ends without being a date of the chain (the grace of a list, an
/// exception, a clock that is set) is seen a minute later at an idle connection.
const LOOK: SignedDuration = SignedDuration::from_secs(60);

/// Watches over one accepted peer for as long as its connection is open.
#[derive(Debug)]
pub struct Vigil {
    resumer: Arc<Resumer>,
    present: watch::Receiver<Arc<Present>>,
    held: Mutex<Held>,
}

/// The last judgement, and from when until when it counts.
#[derive(Debug)]
struct Held {
    known: Known,
    from: Timestamp,
    until: Timestamp,
}

impl Vigil {
    pub(super) fn new(resumer: Arc<Resumer>, present: watch::Receiver<Arc<Present>>, known: Known) -> Self {
        // Nothing counts yet: the first question is judged.
        let held = Held { known, from: Timestamp::MAX, until: Timestamp::MIN };
        Self { resumer, present, held: Mutex::new(held) }
    }

    /// Whether the peer would be accepted now; cheap where neither trust nor date has changed.
    ///
    /// # Errors
    /// The refusal that a handshake would end with.
    pub fn check(&self) -> Result<(), Refusal> {
        self.judge().map(drop)
    }

    /// Ready as soon as the peer would be refused, with the refusal.
    pub async fn until_refused(&self) -> Refusal {
        let mut present = self.present.clone();
        loop {
            present.mark_unchanged();
            let wait = match self.judge() {
                Err(refusal) => return refusal,
                Ok(wait) => wait,
            };
            if let Ok(Err(_)) = timeout(wait, present.changed()).await {
                // No reload will come: the acceptor is gone.
                sleep(wait).await;
            }
        }
    }

    /// Judges where that has to be, and says for how long the judgement counts.
    fn judge(&self) -> Result<Duration, Refusal> {
        let now = self.resumer.terms.clock.now();
        let trust = Arc::clone(&self.present.borrow().trust);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = held.known.generation == trust.generation() && (held.from..held.until).contains(&now);
        if !counts {
            let judged = self.resumer.judge_again(&trust, &held.known);
            let facts = || held.known.chain.first().and_then(|leaf| CertificateFacts::read(leaf));
            let known = judged.map_err(|refusal| refusal.about(facts()))?;
            let until =
                ends(&known).into_iter().fold(now.saturating_add(LOOK).unwrap_or(now), Timestamp::min);
            *held = Held { known, from: now, until };
        }
        Ok(Duration::try_from(held.until.duration_since(now)).unwrap_or_default())
    }
}

/// The first moments at which a certificate of the chain is not valid any more: its last second is its own.
fn ends(known: &Known) -> Vec<Timestamp> {
    let facts = known.chain.iter().filter_map(|der| CertificateFacts::read(der));
    let second = SignedDuration::from_secs(1);
    facts.filter_map(|facts| facts.not_after.checked_add(second).ok()).collect()
}
