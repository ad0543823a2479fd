//! How often something happened within the last minute, from totals that only grow. Pure: the caller brings the time.
//!
//! ```text
//!   totals at 12:00:00 ── at 12:00:05 ── … ── at 12:01:00        the newest less the oldest of a minute
//! ```

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

/// What "a minute" is.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// Samples of one window: one every second is more than the job takes.
const SAMPLES_MAX: usize = 120;

type Totals = BTreeMap<String, i64>;

/// The totals of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    samples: VecDeque<(Timestamp, Totals)>,
}

impl Rates {
    /// Those that grew by `bound` or more within a minute. Nothing while less than a minute is known and none has: then
    /// it may have been so before anybody looked.
    pub(crate) fn above(&mut self, now: Timestamp, totals: Totals, bound: i64) -> Option<Vec<(String, i64)>> {
        self.samples.push_back((now, totals));
        // One sample as old as the window stays, so that it is whole.
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW)
            || self.samples.len() > SAMPLES_MAX
        {
            self.samples.pop_front();
        }
        let ((since, before), (_, last)) = (self.samples.front()?, self.samples.back()?);
        let growth = |(name, total): (&String, &i64)| {
            let grown = total - before.get(name).copied().unwrap_or_default();
            (grown >= bound).then(|| (name.clone(), grown))
        };
        // Without a first sample everything would seem to be new.
        let is_whole = now.duration_since(*since) >= WINDOW;
        let above: Vec<_> =
            if self.samples.len() < 2 { Vec::new() } else { last.iter().filter_map(growth).collect() };
        (is_whole || !above.is_empty()).then_some(above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn above(rates: &mut Rates, second: i64, total: i64) -> Option<i64> {
        let totals = [("x".to_owned(), total)].into();
        rates.above(at(second), totals, 10).map(|above| above.first().map_or(0, |(_, grown)| *grown))
    }

    #[test]
    fn a_burst_is_seen_at_once_and_gone_after_a_minute() {
        let mut rates = Rates::default();
        assert_eq!(above(&mut rates, 0, 5000), None, "what was before is nobody's rate");
        assert_eq!(above(&mut rates, 5, 5009), None);
        assert_eq!(above(&mut rates, 10, 5010), Some(10));
        assert_eq!(above(&mut rates, 60, 5010), Some(10));
        assert_eq!(above(&mut rates, 70, 5010), Some(0));
        assert_eq!(above(&mut rates, 75, 5025), Some(15));
    }

    #[test]
    fn samples_are_bounded_and_a_total_that_falls_is_no_rate() {
        let mut rates = Rates::default();
        for _ in 0..1000 {
            above(&mut rates, 0, 7);
        }
        assert!(rates.samples.len() <= SAMPLES_MAX);
        assert_eq!(above(&mut rates, 61, 0), Some(0), "old rows were dropped from the ledger");
    }
}
