//! The clocks that certificates are checked with. (TS 33.320 6.3.1 and 8.3.4, P-17, P-18, K-01 to K-06)
//!
//! A cell keeps a time of its own: after a power loss it goes on from the larger of the last saved time and the
//! build time, at once and without asking anybody. From there it only moves forward: by itself, or by a source
//! that is trusted, within bounds.
//!
//! ```text
//!   saved ─┐
//!          ├─ max ─▶ restored ──▶ runs ──▶ advance(to, source) ─▶ synchronised
//!   build ─┘
//! ```

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How far one source alone may move the clock: a cell that was saved last week is corrected by any source,
/// and a spoofed one cannot carry it past the life of a certificate.
pub const MAX_SINGLE_JUMP: Duration = Duration::from_secs(30 * 24 * 3600);

/// How near two sources must be to count as agreeing, and how far behind us a source may be without being
/// wrong: quartz drifts by seconds a day, and HTTP dates travel with the session.
pub const AGREEMENT: Duration = Duration::from_secs(5 * 60);

/// What tells the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present, as certificates shall see it.
    fn now(&self) -> Timestamp;

    /// Whether the time was confirmed, so that what lies in its future is wrong. (K-04)
    fn is_synchronised(&self) -> bool {
        true
    }
}

/// The system's clock: what a H(e)MS uses.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands where it was put: for tests and for looking at the past.
#[derive(Debug)]
pub struct FixedClock(Mutex<Timestamp>);

impl FixedClock {
    /// A clock that stands at `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(Mutex::new(at))
    }

    /// Puts the clock elsewhere.
    pub fn set(&self, at: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When this program was built: no cell's clock ever stands before it. (K-06)
pub fn build_time() -> Timestamp {
    const SECONDS: &str = env!("HEARTH_BUILD_TIME");
    SECONDS
        .parse()
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Who says what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// NTP inside the secure tunnel; NTP outside of it is no source. (K-03)
    TunnelNtp,
    /// A satellite receiver.
    Gps,
    /// The HTTP Date of a session whose certificate was verified, valid until `not_after`.
    HemsSession {
        /// The end of the H(e)MS certificate's validity.
        not_after: Timestamp,
    },
}

/// A cell's clock: restored at power-up, forward only. (P-18)
#[derive(Debug)]
pub struct RestoredClock {
    face: Mutex<Face>,
}

#[derive(Debug)]
struct Face {
    base: Timestamp,
    since: Instant,
    is_synchronised: bool,
    /// A far jump that one source asked for and another may confirm: how far ahead of us, and by whom.
    proposed: Option<(Source, Duration)>,
}

impl Face {
    fn now(&self, at: Instant) -> Timestamp {
        self.base.checked_add(at.saturating_duration_since(self.since)).unwrap_or(Timestamp::MAX)
    }
}

impl RestoredClock {
    /// Goes on from the larger of the last saved time and `floor`, which is [`build_time`] in a product. (K-01, K-06)
    pub fn restore(saved: Option<Timestamp>, floor: Timestamp, started: Instant) -> Self {
        let base = saved.map_or(floor, |saved| saved.max(floor));
        Self { face: Mutex::new(Face { base, since: started, is_synchronised: false, proposed: None }) }
    }

    /// Whether a trusted source has confirmed the time since power-up. (K-04)
    pub fn synchronised(&self) -> bool {
        self.face().is_synchronised
    }

    /// The clock's time at a moment of the caller.
    pub fn now_at(&self, at: Instant) -> Timestamp {
        self.face().now(at)
    }

    /// Moves the clock forward to `to`, or refuses to. (K-02)
    pub fn advance(&self, to: Timestamp, source: Source) -> Result<(), ClockError> {
        self.advance_at(to, source, Instant::now())
    }

    /// [`advance`](Self::advance) at a moment of the caller.
    pub fn advance_at(&self, to: Timestamp, source: Source, at: Instant) -> Result<(), ClockError> {
        let mut face = self.face();
        let now = face.now(at);
        let Ok(ahead) = Duration::try_from(to.duration_since(now)) else {
            return face.hear_the_past(now, to);
        };
        if let Source::HemsSession { not_after } = source {
            if to > not_after {
                return Err(ClockError::OutsideCertificate);
            }
        } else if ahead > MAX_SINGLE_JUMP && !face.is_confirmed(source, ahead) {
            face.proposed = Some((source, ahead));
            return Err(ClockError::NeedsSecondSource);
        }
        *face = Face { base: to, since: at, is_synchronised: true, proposed: None };
        Ok(())
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Face {
    /// A source slightly behind us agrees with us; one far behind is refused. Neither moves the clock.
    fn hear_the_past(&mut self, now: Timestamp, to: Timestamp) -> Result<(), ClockError> {
        let behind = Duration::try_from(now.duration_since(to)).unwrap_or(Duration::MAX);
        if behind > AGREEMENT {
            return Err(ClockError::Backwards);
        }
        self.is_synchronised = true;
        Ok(())
    }

    fn is_confirmed(&self, source: Source, ahead: Duration) -> bool {
        self.proposed.is_some_and(|(first, by)| first != source && by.abs_diff(ahead) <= AGREEMENT)
    }
}

impl Clock for RestoredClock {
    fn now(&self) -> Timestamp {
        self.now_at(Instant::now())
    }

    fn is_synchronised(&self) -> bool {
        self.synchronised()
    }
}

/// Why the clock was not moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Only a signed correction by the operator goes back. (K-02)
    #[error("the source is more than five minutes behind the clock, which never goes back")]
    Backwards,
    /// A far jump by one source alone.
    #[error("a jump of more than 30 days needs a second source or a session with the H(e)MS")]
    NeedsSecondSource,
    /// The H(e)MS names a time at which its own certificate is not valid.
    #[error("the time is after the end of the H(e)MS certificate")]
    OutsideCertificate,
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn restored(saved: &str) -> (RestoredClock, Instant) {
        let started = Instant::now();
        (RestoredClock::restore(Some(at(saved)), at("2020-01-01T00:00:00Z"), started), started)
    }

    #[test]
    fn k01_k06_p18_the_clock_goes_on_from_the_larger_of_saved_and_built() {
        let floor = at("2026-01-01T00:00:00Z");
        for (saved, expected) in [
            (None, floor),
            (Some("1970-01-01T00:00:00Z"), floor),
            (Some("2027-05-01T00:00:00Z"), at("2027-05-01T00:00:00Z")),
        ] {
            let started = Instant::now();
            let clock = RestoredClock::restore(saved.map(at), floor, started);
            assert_eq!(clock.now_at(started), expected);
            assert_eq!(clock.now_at(started + DAY), expected + DAY);
        }
    }

    #[test]
    fn p17_an_unsynchronised_clock_tells_a_time_at_once() {
        let (clock, _) = restored("2026-06-01T00:00:00Z");
        assert!(!clock.synchronised());
        assert!(clock.now() >= at("2026-06-01T00:00:00Z"));
    }

    #[test]
    fn k02_k04_a_trusted_source_moves_the_clock_forward_only() {
        let (clock, started) = restored("2026-06-01T00:00:00Z");
        assert_eq!(
            clock.advance_at(at("2026-05-01T00:00:00Z"), Source::Gps, started),
            Err(ClockError::Backwards)
        );
        assert!(!clock.synchronised());
        clock.advance_at(at("2026-06-02T00:00:00Z"), Source::TunnelNtp, started).unwrap();
        assert!(clock.synchronised());
        assert_eq!(clock.now_at(started), at("2026-06-02T00:00:00Z"));
        clock.advance_at(at("2026-06-01T23:59:00Z"), Source::Gps, started).unwrap();
        assert_eq!(clock.now_at(started), at("2026-06-02T00:00:00Z"));
    }

    #[test]
    fn k03_a_far_jump_needs_two_sources_that_agree() {
        let (clock, started) = restored("2026-06-01T00:00:00Z");
        let far = at("2056-06-01T00:00:00Z");
        let refused = Err(ClockError::NeedsSecondSource);
        assert_eq!(clock.advance_at(far, Source::TunnelNtp, started), refused);
        assert_eq!(clock.advance_at(far, Source::TunnelNtp, started), refused);
        assert_eq!(clock.advance_at(far + DAY, Source::Gps, started), refused);
        assert_eq!(clock.now_at(started), at("2026-06-01T00:00:00Z"));
        clock.advance_at(far + DAY, Source::TunnelNtp, started).unwrap();
        assert_eq!(clock.now_at(started), far + DAY);
    }

    #[test]
    fn k03_the_hems_moves_the_clock_within_its_certificate() {
        let (clock, started) = restored("2026-06-01T00:00:00Z");
        let session = Source::HemsSession { not_after: at("2028-01-01T00:00:00Z") };
        let late = clock.advance_at(at("2028-01-02T00:00:00Z"), session, started);
        assert_eq!(late, Err(ClockError::OutsideCertificate));
        clock.advance_at(at("2027-12-01T00:00:00Z"), session, started).unwrap();
        assert_eq!(clock.now_at(started), at("2027-12-01T00:00:00Z"));
    }

    #[test]
    fn k06_the_build_time_is_a_past_time_of_this_century() {
        assert!(build_time() > at("2020-01-01T00:00:00Z"));
        assert!(build_time() <= Timestamp::now());
    }
}
