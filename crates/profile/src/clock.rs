//! The clocks that certificates are checked with. (TS 33.320 6.3.1 and 8.3.4, P-17, P-18, K-01 to K-06)
//!
//! A cell keeps a time of its own: after a power loss it goes on from the larger of the last saved time and the
//! build time, at once and without asking anybody. From there it only moves forward: by itself, or by a source
//! that is trusted, within bounds. Back it goes by the operator's signed word alone.
//!
//! ```text
//!   saved ─┐
//!          ├─ max ─▶ restored ──▶ runs ──▶ advance(to, source) ─▶ synchronised
//!   build ─┘           ▲                          │
//!                      └── correct(to, sequence) ─┘
//! ```

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How far single sources may move the clock, all their steps together, until a session with the H(e)MS or a
/// second source confirms the time: a cell that was saved last week is corrected by any source, and a spoofed
/// one cannot carry it past the life of a certificate, not in small steps either.
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

/// What the cell knows of the time. (K-04)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has said what time it is since power-up.
    Unsynchronised,
    /// A trusted source has confirmed the time.
    Synchronised,
    /// Sources were asked, and none gave a time that could be taken.
    Failed,
}

/// The time since some moment, which a test can let pass as it likes.
fn monotonic() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// What of a clock outlives a power cut. (K-01)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeptTime {
    /// The time.
    pub at: Timestamp,
    /// The sequence number of the last correction that was carried out; 0 before the first.
    pub corrections: u64,
    /// How far single sources have moved the clock since it was last confirmed.
    pub leapt: Duration,
}

impl KeptTime {
    /// The one that is to be believed: a correction outweighs everything before it, else the later time counts.
    #[must_use]
    pub fn newest(self, other: Self) -> Self {
        if (other.corrections, other.at) > (self.corrections, self.at) { other } else { self }
    }
}

/// A cell's clock: restored at power-up, forward only. (P-18)
#[derive(Debug)]
pub struct RestoredClock {
    face: Mutex<Face>,
    floor: Timestamp,
}

#[derive(Debug)]
struct Face {
    base: Timestamp,
    since: Instant,
    standing: Standing,
    /// A far jump that one source asked for and another may confirm: how far ahead of us, and by whom.
    proposed: Option<(Source, Duration)>,
    leapt: Duration,
    corrections: u64,
}

impl Face {
    fn now(&self, at: Instant) -> Timestamp {
        self.base.checked_add(at.saturating_duration_since(self.since)).unwrap_or(Timestamp::MAX)
    }
}

impl RestoredClock {
    /// Goes on from the larger of the last saved time and `floor`, which is [`build_time`] in a product. (K-01, K-06)
    pub fn restore(saved: Option<Timestamp>, floor: Timestamp, started: Instant) -> Self {
        Self::resume(saved.map(|at| KeptTime { at, ..KeptTime::default() }), floor, started)
    }

    /// [`restore`](Self::restore) with everything that was kept.
    pub fn resume(kept: Option<KeptTime>, floor: Timestamp, started: Instant) -> Self {
        let kept = kept.unwrap_or_else(|| KeptTime { at: floor, ..KeptTime::default() });
        let face = Face {
            base: kept.at.max(floor),
            since: started,
            standing: Standing::Unsynchronised,
            proposed: None,
            leapt: kept.leapt,
            corrections: kept.corrections,
        };
        Self { face: Mutex::new(face), floor }
    }

    /// What a save keeps. (K-01)
    pub fn kept(&self) -> KeptTime {
        let face = self.face();
        KeptTime { at: face.now(monotonic()), corrections: face.corrections, leapt: face.leapt }
    }

    /// What the cell knows of the time. (K-04)
    pub fn standing(&self) -> Standing {
        self.face().standing
    }

    /// Whether a trusted source has confirmed the time since power-up. (K-04)
    pub fn synchronised(&self) -> bool {
        self.standing() == Standing::Synchronised
    }

    /// Notes that a source was asked in vain.
    pub fn missed(&self) {
        self.face().miss();
    }

    /// The clock's time at a moment of the caller.
    pub fn now_at(&self, at: Instant) -> Timestamp {
        self.face().now(at)
    }

    /// Moves the clock forward to `to`, or refuses to. (K-02)
    pub fn advance(&self, to: Timestamp, source: Source) -> Result<(), ClockError> {
        self.advance_at(to, source, monotonic())
    }

    /// [`advance`](Self::advance) at a moment of the caller.
    pub fn advance_at(&self, to: Timestamp, source: Source, at: Instant) -> Result<(), ClockError> {
        let mut face = self.face();
        let moved = face.hear(to, source, at);
        if moved.is_err() {
            face.miss();
        }
        moved
    }

    /// Sets the clock by the operator's signed word, back too; says whether it was moved. One that was carried out
    /// before moves nothing, an older one is refused. (K-02)
    ///
    /// Who signed it has been checked: see [`ClockCorrection`](crate::ClockCorrection).
    pub fn correct(&self, to: Timestamp, sequence: u64) -> Result<bool, ClockError> {
        let mut face = self.face();
        if sequence == face.corrections {
            return Ok(false);
        }
        if sequence < face.corrections {
            return Err(ClockError::Replayed);
        }
        if to < self.floor {
            return Err(ClockError::BeforeBuild);
        }
        *face = Face {
            base: to,
            since: monotonic(),
            standing: Standing::Unsynchronised,
            proposed: None,
            leapt: Duration::ZERO,
            corrections: sequence,
        };
        Ok(true)
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Face {
    fn hear(&mut self, to: Timestamp, source: Source, at: Instant) -> Result<(), ClockError> {
        let now = self.now(at);
        let Ok(ahead) = Duration::try_from(to.duration_since(now)) else {
            return self.hear_the_past(now, to, source);
        };
        let leapt = match source {
            Source::HemsSession { not_after } if to > not_after => {
                return Err(ClockError::OutsideCertificate);
            }
            Source::HemsSession { .. } => Duration::ZERO,
            Source::TunnelNtp | Source::Gps if self.is_confirmed(source, ahead) => Duration::ZERO,
            Source::TunnelNtp | Source::Gps => self.leapt.saturating_add(ahead),
        };
        if leapt > MAX_SINGLE_JUMP {
            self.proposed = Some((source, ahead));
            return Err(ClockError::NeedsSecondSource);
        }
        (self.base, self.since, self.leapt) = (to, at, leapt);
        (self.standing, self.proposed) = (Standing::Synchronised, None);
        Ok(())
    }

    /// A source slightly behind us agrees with us; one far behind is refused. Neither moves the clock.
    fn hear_the_past(&mut self, now: Timestamp, to: Timestamp, source: Source) -> Result<(), ClockError> {
        let behind = Duration::try_from(now.duration_since(to)).unwrap_or(Duration::MAX);
        if behind > AGREEMENT {
            return Err(ClockError::Backwards);
        }
        if matches!(source, Source::HemsSession { .. }) {
            self.leapt = Duration::ZERO;
        }
        self.standing = Standing::Synchronised;
        Ok(())
    }

    fn miss(&mut self) {
        if self.standing == Standing::Unsynchronised {
            self.standing = Standing::Failed;
        }
    }

    fn is_confirmed(&self, source: Source, ahead: Duration) -> bool {
        self.proposed.is_some_and(|(first, by)| first != source && by.abs_diff(ahead) <= AGREEMENT)
    }
}

impl Clock for RestoredClock {
    fn now(&self) -> Timestamp {
        self.now_at(monotonic())
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
    /// A far jump by one source alone, at once or in steps.
    #[error("more than 30 days ahead needs a second source or a session with the H(e)MS")]
    NeedsSecondSource,
    /// The H(e)MS names a time at which its own certificate is not valid.
    #[error("the time is after the end of the H(e)MS certificate")]
    OutsideCertificate,
    /// A correction that was overtaken by a newer one.
    #[error("a correction with a higher sequence number was carried out before")]
    Replayed,
    /// A correction to a time at which this program did not exist. (K-06)
    #[error("the correction goes back before this program was built")]
    BeforeBuild,
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
