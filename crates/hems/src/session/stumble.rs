//! What becomes of a step that failed: whose fault it was is spared, what it concerned is unknown again, and the rest
//! of the plan goes on.
//!
//! ```text
//!  fault ─▶ blame ─▶ deeds: recorded, spared     nobody: half as many at once
//!  end of the plan ─▶ what is due no more is mended
//! ```

use cwmp::{Fault, FaultCode};

use super::Device;
use crate::{
    Hems,
    plan::{self, Known, Step},
    radio,
    store::{FAULTS_MAX, FaultRow, Moment, NOT_KEPT},
};

/// Under which name it is recorded that the plan itself was stopped.
const PLAN: &str = "Plan";
/// Characters kept of a fault's text.
const FAULT_CHARS: usize = 256;
/// Parameter faults kept of one fault.
const DETAILS_MAX: usize = 16;

/// The software that runs, as far as it is known.
pub(crate) fn software(known: &Known) -> &str {
    known.text(radio::SOFTWARE).unwrap_or_default()
}

impl Device {
    /// A fault is recorded where it is known whose it is, and what it concerned is unknown again.
    pub(super) fn stumble(&mut self, hems: &Hems, step: &Step, fault: &Fault) {
        let deeds = plan::blame(step, fault, &self.quirks);
        if deeds.is_empty() {
            tracing::info!(device = %self.subject.identity, step = step.label(), %fault, "some deed of a step failed");
            self.spared.narrow(step);
        }
        self.fail(hems, &deeds, fault);
        plan::unlearn(&mut self.known, &deeds);
    }

    /// Records that deeds failed, and leaves them alone.
    pub(super) fn fail(&mut self, hems: &Hems, deeds: &[Step], fault: &Fault) {
        let Ok(desired) = &self.desired else { return };
        let named: Vec<_> = deeds.iter().map(|deed| (deed.deed(), desired.wanted(deed))).collect();
        for (deed, wanted) in named {
            self.spared.spare(deed.clone(), wanted.clone());
            self.record(hems, deed, wanted, fault);
        }
        // The last place is the plan's own.
        if self.failed.len() + self.faults.len() >= FAULTS_MAX - 1 {
            self.stall(hems, "more steps failed than are remembered");
        }
    }

    /// Values that were as desired and are not any more, of the changes since the first so many. They are set again; one
    /// that does not stay time and again waits like a deed that failed.
    pub(super) fn notice_drift(&mut self, hems: &Hems, noticed: usize) {
        let Ok(desired) = self.desired.as_ref().map(std::sync::Arc::clone) else { return };
        let changes = self.known.changes().get(noticed..).unwrap_or_default();
        for drift in desired.drifts(changes, &self.known) {
            let (deed, wanted) = (drift.deed(), desired.wanted(&drift));
            self.record(hems, deed.clone(), wanted.clone(), &Fault::new(FaultCode(0), NOT_KEPT.to_owned()));
            if self.faults.last().is_some_and(|row| !row.is_drift()) {
                self.spared.spare(deed, wanted);
            }
        }
    }

    /// A bound stops the plan: the operator sees it like a fault.
    pub(super) fn stall(&mut self, hems: &Hems, why: &str) {
        if !std::mem::replace(&mut self.is_stalled, true) {
            self.record(hems, PLAN.to_owned(), String::new(), &Fault::new(FaultCode(0), why.to_owned()));
        }
    }

    fn record(&mut self, hems: &Hems, step: String, wanted: String, fault: &Fault) {
        tracing::warn!(device = %self.subject.identity, step, %fault, "a step failed");
        let bounded = |text: &str| -> String { text.chars().take(FAULT_CHARS).collect() };
        let details: Vec<_> = fault.details.iter().take(DETAILS_MAX).collect();
        let (now, software) = (hems.now(), software(&self.known).to_owned());
        let is_same =
            |row: &&FaultRow| (&row.step, &row.wanted, &row.software) == (&step, &wanted, &software);
        let count = self.failed.iter().find(is_same).map_or(0, |row| row.count) + 1;
        let next =
            if fault.text == *NOT_KEPT { plan::next_set(count, now) } else { plan::next_try(count, now) };
        self.faults.retain(|row| row.step != step);
        self.faults.push(FaultRow {
            step,
            wanted,
            software,
            code: fault.code.0.into(),
            text: bounded(&fault.text),
            details: serde_json::to_string(&details).unwrap_or_default(),
            count,
            last_at: now.as_millisecond(),
            next_at: next.map(|next| next.as_millisecond()),
        });
    }

    /// Whether a bound stopped the plan not long ago.
    pub(super) fn was_stalled(failed: &[FaultRow], now: Moment<'_>) -> bool {
        failed.iter().any(|row| row.step == PLAN && row.holds(now))
    }

    /// The faults that count no more: of another software, or, once the plan came to its end, of what is not due. That a
    /// value stays is seen in a session that does not set it.
    pub(super) fn mended(&self) -> Vec<String> {
        let Some(desired) = self.desired.as_ref().ok().filter(|_| !self.failed.is_empty()) else {
            return Vec::new();
        };
        let software = software(&self.known);
        let due = self.is_at_end.then(|| plan::due(desired, &self.known, &self.quirks));
        let is_over = |row: &&FaultRow| {
            let deed = (row.step.clone(), row.wanted.clone());
            let is_set = || {
                let mut changes = self.known.changes().iter();
                changes.any(|change| row.step.split_once(' ').is_some_and(|(_, path)| path == change.path))
            };
            let is_new = self.faults.iter().any(|fault| fault.step == row.step);
            !(is_new || row.text == NOT_KEPT && is_set())
                && (row.software != software || due.as_ref().is_some_and(|due| !due.contains(&deed)))
        };
        self.failed.iter().filter(is_over).map(|row| row.step.clone()).collect()
    }
}
