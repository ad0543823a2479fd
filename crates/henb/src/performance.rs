//! When a performance file is due, and which granularity period it tells of. (TR-181, N-03)
//!
//! ```text
//!   enabled ─▶ counting ─ the interval's end ─▶ a file of the period, counting ─▶ …
//!                 │ ▲
//!                 └─┘ restart, clock moved, another phase: the period is not whole, and its file says so
//! ```
//!
//! Pure: rows and the cell's clock are arguments. What has become of a file is `spool`'s business.

pub(crate) mod file;
pub(crate) mod spool;

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::device::Period;

/// A step of the clock that is no step: below the resolution of a file's times.
const STEP: SignedDuration = SignedDuration::from_secs(1);

/// What an ACS set in one row of Config. (N-01)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The row's instance number.
    pub(crate) row: u32,
    /// From one file to the next, and what each tells of.
    pub(crate) interval: Duration,
    /// What the ends of periods stand in phase with; nothing where that or the time is not known.
    pub(crate) phase: Option<Timestamp>,
}

/// A period that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The row's instance number.
    pub(crate) row: u32,
    /// How long a period should be.
    pub(crate) interval: Duration,
    /// How long it was.
    pub(crate) period: Period,
    /// Nothing is missing. (N-07)
    pub(crate) is_whole: bool,
}

/// The periods that are under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counting(BTreeMap<u32, UnderWay>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct UnderWay {
    interval: Duration,
    phase: Option<Timestamp>,
    begin: Timestamp,
    end: Timestamp,
    is_whole: bool,
}

impl Counting {
    /// Takes over what is wanted now; what was under way and is wanted still goes on.
    pub(crate) fn set(&mut self, wanted: &[Wanted], now: Timestamp) {
        self.0.retain(|row, _| wanted.iter().any(|one| one.row == *row));
        for one in wanted {
            let same = self.0.get(&one.row).filter(|known| known.interval == one.interval);
            let next = match same {
                Some(known) if known.phase == one.phase && known.fits(now) => *known,
                Some(known) if known.fits(now) => {
                    UnderWay { begin: known.begin, is_whole: false, ..UnderWay::from(one, now) }
                }
                // Another interval, or a clock that was set back: nothing is known of what was counted.
                Some(_) | None => UnderWay::from(one, now),
            };
            self.0.insert(one.row, next);
        }
    }

    /// The periods that have ended; the next ones are under way.
    pub(crate) fn ended(&mut self, now: Timestamp) -> Vec<Ended> {
        self.0.iter_mut().filter_map(|(row, period)| period.ended(*row, now)).collect()
    }

    /// When the next period ends.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.0.values().map(|period| period.end).min()
    }

    /// The radio has begun to count anew.
    pub(crate) fn interrupted(&mut self) {
        self.0.values_mut().for_each(|period| period.is_whole = false);
    }

    /// The cell's clock was moved by so much. A phase is a time of day and stays; without one the end stays as far
    /// away as it was. (K-09)
    pub(crate) fn clock_moved(&mut self, by: SignedDuration) {
        for period in self.0.values_mut() {
            period.is_whole &= by.abs() < STEP;
            if period.phase.is_none() {
                period.begin = period.begin.checked_add(by).unwrap_or(Timestamp::MAX);
                period.end = period.end.checked_add(by).unwrap_or(Timestamp::MAX);
            }
        }
    }
}

impl UnderWay {
    fn from(wanted: &Wanted, now: Timestamp) -> Self {
        let Wanted { interval, phase, .. } = *wanted;
        let end = after(now, left(interval, phase, now));
        Self { interval, phase, begin: now, end, is_whole: end == after(now, interval) }
    }

    fn fits(&self, now: Timestamp) -> bool {
        self.begin <= now && self.end <= after(now, self.interval)
    }

    fn ended(&mut self, row: u32, now: Timestamp) -> Option<Ended> {
        let over = now.duration_since(self.end);
        if over.is_negative() {
            return None;
        }
        let missed = over.as_nanos().div_euclid(nanos(self.interval));
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        let end = after(self.end, self.interval.saturating_mul(missed));
        let period = Period { begin: self.begin, end };
        let ended = Ended { row, interval: self.interval, period, is_whole: self.is_whole && missed == 0 };
        (self.begin, self.end, self.is_whole) = (end, after(end, self.interval), true);
        Some(ended)
    }
}

/// From now to the next end of a period.
fn left(interval: Duration, phase: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(phase) = phase else { return interval };
    let step = nanos(interval);
    let passed = now.duration_since(phase).as_nanos().rem_euclid(step);
    Duration::from_nanos_u128(u128::try_from(step - passed).unwrap_or_default())
}

/// A model's interval is a second at least, so that nothing is divided by zero.
fn nanos(interval: Duration) -> i128 {
    i128::try_from(interval.as_nanos()).unwrap_or(i128::MAX).max(1)
}

fn after(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARTER: Duration = Duration::from_secs(900);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn wanted(phase: Option<i64>) -> [Wanted; 1] {
        [Wanted { row: 1, interval: QUARTER, phase: phase.map(at) }]
    }

    fn counting(phase: Option<i64>, now: i64) -> Counting {
        let mut counting = Counting::default();
        counting.set(&wanted(phase), at(now));
        counting
    }

    /// Begin, end and whether it is whole.
    fn ended(counting: &mut Counting, now: i64) -> Vec<(i64, i64, bool)> {
        let seconds =
            |ended: Ended| (ended.period.begin.as_second(), ended.period.end.as_second(), ended.is_whole);
        counting.ended(at(now)).into_iter().map(seconds).collect()
    }

    #[test]
    fn n03_files_stand_in_phase_with_the_time_that_the_acs_names() {
        // A time in the future counts backwards, too; this one is 100 seconds after a quarter.
        let next = |now| counting(Some(1_000_000_000), now).deadline();
        assert_eq!(
            [next(999), next(1_000), next(1_001)],
            [1_000, 1_900, 1_900].map(|second| Some(at(second)))
        );
    }

    #[test]
    fn n03_without_a_phase_the_interval_alone_counts() {
        let mut counting = counting(None, 1_234);
        assert_eq!(ended(&mut counting, 2_133), []);
        assert_eq!(ended(&mut counting, 2_134), [(1_234, 2_134, true)]);
        assert_eq!(ended(&mut counting, 2_134), [], "once");
        assert_eq!(ended(&mut counting, 3_040), [(2_134, 3_034, true)], "a late tick moves nothing");
    }

    #[test]
    fn n07_a_period_that_was_cut_short_or_interrupted_is_not_whole_and_the_next_one_is() {
        let mut counting = counting(Some(0), 1_000);
        assert_eq!(ended(&mut counting, 1_800), [(1_000, 1_800, false)]);
        assert_eq!(ended(&mut counting, 2_700), [(1_800, 2_700, true)]);
        counting.interrupted();
        assert_eq!(ended(&mut counting, 3_600), [(2_700, 3_600, false)]);
    }

    #[test]
    fn n11_periods_that_nobody_ended_in_time_are_one_that_is_not_whole() {
        let mut counting = counting(Some(0), 900);
        assert_eq!(ended(&mut counting, 10 * 900 + 5), [(900, 9_000, false)]);
        assert_eq!(counting.deadline(), Some(at(9_900)));
    }

    #[test]
    fn n03_a_phase_counts_once_the_time_is_known() {
        let mut counting = counting(None, 1_000);
        counting.set(&wanted(Some(0)), at(1_100));
        assert_eq!(ended(&mut counting, 1_800), [(1_000, 1_800, false)]);
        assert_eq!(counting.deadline(), Some(at(2_700)));
    }

    #[test]
    fn n03_k09_a_clock_that_is_set_leaves_an_end_as_far_away_and_a_phase_where_it_was() {
        let mut without = counting(None, 1_000);
        without.clock_moved(SignedDuration::from_secs(50_000));
        assert_eq!(ended(&mut without, 51_900), [(51_000, 51_900, false)]);
        let mut with = counting(Some(0), 9_000);
        with.clock_moved(SignedDuration::from_secs(-8_000));
        with.set(&wanted(Some(0)), at(1_000));
        assert_eq!(with.deadline(), Some(at(1_800)), "not in two hours");
        with.clock_moved(SignedDuration::from_millis(-3));
        assert_eq!(with.deadline(), Some(at(1_800)));
    }

    #[test]
    fn n01_a_row_that_is_gone_counts_no_more_and_another_interval_begins_anew() {
        let mut counting = counting(None, 1_000);
        counting.set(&[Wanted { interval: QUARTER / 3, ..wanted(None)[0] }], at(1_100));
        assert_eq!(ended(&mut counting, 1_400), [(1_100, 1_400, true)]);
        counting.set(&[], at(1_500));
        assert_eq!(counting.deadline(), None);
    }
}
