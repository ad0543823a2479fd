//! What becomes of the cell when its clock is set: everything that is waited for stays as far away as it was. (K-02, K-09)

use cwmp::DateTime;
use jiff::{SignedDuration, Timestamp};
use profile::{ClockCorrection, ClockError, Source};

use super::Cell;
use crate::alarms::Alarm;

impl Cell {
    /// A trusted source named a time: the clock takes it or does not, and what is waited for stays as far away. (K-02)
    pub(crate) fn hear_time(&mut self, time: Timestamp, source: Source) {
        let (before, was_synchronised) = (self.now(), self.clock.synchronised());
        match self.clock.advance(time, source) {
            Ok(()) => self.follow_clock(before),
            Err(error) => tracing::debug!(%error, ?source, "a time that the clock does not take"),
        }
        // Only now do phases count. (K-09)
        if self.clock.synchronised() && !was_synchronised {
            tracing::info!(?source, "the clock is synchronised");
            self.apply_settings();
        }
    }

    /// Sets the clock by the operator's signed word. (K-02)
    pub(crate) fn correct_clock(&mut self, correction: &ClockCorrection) -> Result<(), ClockError> {
        let before = self.now();
        if self.clock.correct(correction.time, correction.sequence)? {
            self.follow_clock(before);
            let text = format!("from {before} to {}, by correction {}", correction.time, correction.sequence);
            self.raise(Alarm::ClockCorrected, &text);
        }
        Ok(())
    }

    fn follow_clock(&mut self, before: Timestamp) {
        self.clock_moved(self.now().duration_since(before));
    }

    /// The clock was moved by so much: what is waited for stays as far away as it was. (K-09)
    pub(crate) fn clock_moved(&mut self, by: SignedDuration) {
        self.agenda.clock_moved(by);
        for schedule in &mut self.schedules {
            schedule.at = schedule.at.checked_add(by).unwrap_or(Timestamp::MAX);
        }
        self.counting.clock_moved(by);
        self.transfers.iter_mut().for_each(|transfer| transfer.clock_moved(by));
    }

    /// A time that something stands in phase with; nothing while the cell's own time is not known. (C-33, K-09, N-03)
    pub(super) fn phase(&self, said: String) -> Option<Timestamp> {
        self.clock.synchronised().then(|| DateTime(said.into()).timestamp()).flatten()
    }
}
