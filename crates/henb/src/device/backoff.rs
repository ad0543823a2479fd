//! How long a radio that does not answer is left alone: a second, doubling, a minute at most.
//!
//! Pure: the cell's clock is an argument. It may be set back, and a wait that has become longer than any wait is over.

use jiff::{SignedDuration, Timestamp};

const FIRST: SignedDuration = SignedDuration::from_secs(1);

/// A radio that is repaired by hand comes back within this time.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// Attempts that failed in a row, and when the next one is due.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backoff {
    failures: u32,
    next: Option<Timestamp>,
}

impl Backoff {
    /// Notes a failure; gives how many there were in a row.
    pub(super) fn failed(&mut self, now: Timestamp) -> u32 {
        let doubled = FIRST.as_secs().checked_shl(self.failures.min(16)).unwrap_or(i64::MAX);
        let wait = SignedDuration::from_secs(doubled).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.next = now.checked_add(wait).ok();
        self.failures
    }

    /// Notes a success; gives how many failures there had been.
    pub(super) fn succeeded(&mut self) -> u32 {
        std::mem::take(self).failures
    }

    /// Whether another attempt may be made.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.next.is_none_or(|next| next <= now || next.duration_since(now) > LONGEST)
    }

    /// When the next attempt is due; nothing after a success.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_level_and_a_success_forgets_them() {
        let (mut backoff, now) = (Backoff::default(), Timestamp::UNIX_EPOCH);
        assert!(backoff.is_due(now));
        let waits: Vec<i64> = (0..9)
            .map(|_| {
                backoff.failed(now);
                backoff.next().unwrap().as_second()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(!backoff.is_due(now) && backoff.is_due(backoff.next().unwrap()));
        assert_eq!((backoff.succeeded(), backoff.is_due(now), backoff.next()), (9, true, None));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_a_radio_away() {
        let mut backoff = Backoff::default();
        backoff.failed("2026-01-01T00:00:00Z".parse().unwrap());
        assert!(backoff.is_due("2025-01-01T00:00:00Z".parse().unwrap()));
    }
}
