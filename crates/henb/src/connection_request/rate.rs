//! How often something may happen: so many at once, and then one in every interval. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// What is left at a moment.
#[derive(Debug)]
pub(super) struct Rate {
    most: u32,
    every: Duration,
    left: u32,
    since: Instant,
}

impl Rate {
    /// All of it is left at `now`.
    pub(super) fn new(most: u32, every: Duration, now: Instant) -> Self {
        Self { most, every, left: most, since: now }
    }

    /// Takes one where one is left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        while self.left < self.most && now.saturating_duration_since(self.since) >= self.every {
            self.left += 1;
            self.since += self.every;
        }
        if self.left == self.most {
            self.since = now;
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r01_a_burst_passes_and_then_one_in_every_interval() {
        let start = Instant::now();
        let mut rate = Rate::new(3, Duration::from_secs(10), start);
        let at = |rate: &mut Rate, second| rate.take(start + Duration::from_secs(second));
        assert_eq!([0, 0, 1, 2, 9].map(|second| at(&mut rate, second)), [true, true, true, false, false]);
        assert_eq!([10, 11, 19, 20].map(|second| at(&mut rate, second)), [true, false, false, true]);
        assert_eq!([900, 900, 900, 900].map(|second| at(&mut rate, second)), [true, true, true, false]);
    }
}
