//! What keeps the air interface off beside AdminState: a link that is lost for too long (X-05), a hosting party that
//! was not authenticated (X-06).
//!
//! ```text
//!   link there ──▶ on ──lost──▶ on, for as long as the operator allows ──▶ off ──back──▶ on
//!   hosting party awaited ──▶ off
//! ```
//!
//! Pure: time is an argument, and a monotonic one, since the cell's clock may jump while the link is away.

use std::time::Duration;

use tokio::time::Instant;

use crate::device::Conditions;

/// Since when the link is lost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Air {
    lost: Option<Instant>,
}

impl Air {
    /// Takes in how things stand, and says whether the air interface must be off.
    pub(crate) fn is_silent(&mut self, conditions: Conditions, allowed: Duration, now: Instant) -> bool {
        self.lost = if conditions.has_link { None } else { self.lost.or(Some(now)) };
        let is_lost_too_long = self.lost.is_some_and(|since| now.duration_since(since) >= allowed);
        is_lost_too_long || conditions.awaits_hosting_party
    }

    /// How long until the link is lost for too long.
    pub(crate) fn wait(&self, allowed: Duration, now: Instant) -> Option<Duration> {
        let end = self.lost?.checked_add(allowed)?;
        Some(end.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Duration = Duration::from_secs(300);
    const SECOND: Duration = Duration::from_secs(1);

    fn link(has_link: bool) -> Conditions {
        Conditions { has_link, awaits_hosting_party: false }
    }

    #[test]
    fn x05_a_lost_link_silences_the_radio_when_the_operator_s_time_is_over_and_not_before() {
        let (mut air, start) = (Air::default(), Instant::now());
        assert!(!air.is_silent(link(true), ALLOWED, start));
        assert_eq!(air.wait(ALLOWED, start), None);
        let lost = start + SECOND;
        assert!(!air.is_silent(link(false), ALLOWED, lost));
        assert_eq!(air.wait(ALLOWED, lost + SECOND), Some(ALLOWED - SECOND));
        assert!(!air.is_silent(link(false), ALLOWED, lost + ALLOWED - SECOND));
        assert!(air.is_silent(link(false), ALLOWED, lost + ALLOWED));
        assert_eq!(air.wait(ALLOWED, lost + ALLOWED), None);
    }

    #[test]
    fn x05_a_link_that_comes_back_starts_the_time_anew() {
        let (mut air, start) = (Air::default(), Instant::now());
        assert!(!air.is_silent(link(false), ALLOWED, start));
        assert!(!air.is_silent(link(true), ALLOWED, start + ALLOWED));
        assert!(!air.is_silent(link(false), ALLOWED, start + ALLOWED + SECOND));
        assert!(!air.is_silent(link(false), ALLOWED, start + ALLOWED * 2));
        assert!(air.is_silent(link(false), Duration::ZERO, start + ALLOWED * 2), "no time at all");
    }

    #[test]
    fn x06_without_the_hosting_party_the_radio_is_silent_from_the_start() {
        let (mut air, now) = (Air::default(), Instant::now());
        assert!(air.is_silent(Conditions { has_link: true, awaits_hosting_party: true }, ALLOWED, now));
        assert!(!air.is_silent(link(true), ALLOWED, now));
    }
}
