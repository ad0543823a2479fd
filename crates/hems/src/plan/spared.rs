//! What failed, and what follows from it: whose fault it was, when it is tried again, and what is left alone until then.
//!
//! A deed is a step about one thing: one parameter, one row. Only deeds fail and wait, so that one bad parameter holds
//! up no other. A fault that names nobody is narrowed: half as many at once, until the one that fails stands alone.
//!
//! ```text
//!  fault ─▶ blame ─┬─ named, or alone ─▶ spare: waits 1, 2, 4 … minutes, then is a dead letter
//!                  └─ nobody          ─▶ narrow: the same with half as many
//! ```

use std::collections::BTreeMap;

use cwmp::{Fault, Quirks};
use jiff::{SignedDuration, Timestamp};

use super::{Known, Step};

/// How long a deed waits after its first fault: a cell that was busy is not any more.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);
/// The longest wait: most cells call more often than that.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(1);
/// Faults after which a deed is a dead letter: two hours of trying in all.
const TRIES_MAX: i64 = 8;

/// How often a value that did not stay is set again at once: other hands may meet it twice, and a cell that does not keep
/// it would go off the air in each session.
const DRIFTS_MAX: i64 = 2;

/// When a value that did not stay for so many sessions is set again; nothing where it is a dead letter.
pub(crate) fn next_set(count: i64, now: Timestamp) -> Option<Timestamp> {
    if count <= DRIFTS_MAX { Some(now) } else { next_try(count, now) }
}

/// When a deed that failed so many times is tried again; nothing where it is a dead letter.
pub(crate) fn next_try(count: i64, now: Timestamp) -> Option<Timestamp> {
    let doublings = u32::try_from(count.saturating_sub(1)).unwrap_or_default();
    let wait = FIRST_WAIT * 2_i32.saturating_pow(doublings.min(16));
    (count < TRIES_MAX).then(|| now + wait.min(WAIT_MAX))
}

/// The deeds of a step that its fault is about; nothing where that is not known.
pub(crate) fn blame(step: &Step, fault: &Fault, quirks: &Quirks) -> Vec<Step> {
    let mut deeds = step.split();
    if deeds.len() > 1 {
        let named: Vec<_> =
            fault.details.iter().map(|detail| quirks.model_path(&detail.parameter_name)).collect();
        deeds.retain(|deed| deed.touches().iter().any(|path| named.iter().any(|name| name == path)));
    }
    deeds
}

/// The deeds of a step that its answer left as they were.
pub(crate) fn unanswered(step: &Step, known: &Known) -> Vec<Step> {
    let mut deeds = step.split();
    if matches!(step, Step::Read { .. }) {
        deeds.retain(|deed| deed.touches().iter().any(|path| known.value(path).is_none()));
    }
    deeds
}

/// Deeds that are not tried now, with what was wanted when they failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spared {
    deeds: BTreeMap<String, String>,
    /// By the names of steps.
    batches: BTreeMap<&'static str, usize>,
}

impl Spared {
    /// Leaves a deed alone, as long as this is wanted of it.
    pub(crate) fn spare(&mut self, deed: String, wanted: String) {
        self.deeds.insert(deed, wanted);
    }

    /// Whether nothing is left alone.
    pub(crate) fn is_empty(&self) -> bool {
        self.deeds.is_empty()
    }

    /// What was wanted of a deed when it failed.
    pub(super) fn wanted(&self, deed: impl FnOnce() -> String) -> Option<&str> {
        if self.deeds.is_empty() { None } else { self.deeds.get(&deed()).map(String::as_str) }
    }

    /// How many deeds one call like this may carry.
    pub(super) fn batch(&self, step: &Step) -> usize {
        self.batches.get(step.name()).copied().unwrap_or(usize::MAX)
    }

    /// Nobody knows which of a step's deeds failed.
    pub(crate) fn narrow(&mut self, step: &Step) {
        self.batches.insert(step.name(), (step.touches().len() / 2).max(1));
    }

    /// None of them failed: more may be tried at once.
    pub(crate) fn widen(&mut self, step: &Step) {
        if let Some(batch) = self.batches.get_mut(step.name()) {
            *batch = batch.saturating_mul(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use cwmp::{FaultCode, SetParameterValuesFault, ValueKind};

    use super::*;
    use crate::plan::Setting;

    #[test]
    fn o04_a_deed_waits_longer_each_time_and_is_a_dead_letter_in_the_end() {
        let now = Timestamp::UNIX_EPOCH;
        let waits: Vec<_> = (1..=9).map(|count| next_try(count, now).map(|at| at.as_second() / 60)).collect();
        let minutes = [1, 2, 4, 8, 16, 32, 60].map(Some);
        assert_eq!((&waits[..7], &waits[7..]), (&minutes[..], &[None, None][..]));
        assert_eq!(next_try(i64::MAX, now), None);
    }

    fn set(paths: &[&str]) -> Step {
        let setting = |path: &&str| Setting {
            path: (*path).to_owned(),
            value: "1".to_owned(),
            kind: ValueKind::String,
        };
        Step::Set { settings: paths.iter().map(setting).collect() }
    }

    #[test]
    fn o04_a_fault_is_about_the_parameters_that_it_names() {
        let mut fault = Fault::from(FaultCode::INVALID_ARGUMENTS);
        let (step, quirks) = (set(&["Device.A", "Device.B"]), Quirks::default());
        assert_eq!(blame(&step, &fault, &quirks), []);
        assert_eq!(blame(&set(&["Device.A"]), &fault, &quirks), [set(&["Device.A"])]);
        for name in ["Device.B", "Device.Stranger"] {
            fault.details.push(SetParameterValuesFault {
                parameter_name: name.into(),
                fault_code: FaultCode::INVALID_PARAMETER_VALUE,
                fault_string: "no".into(),
            });
        }
        assert_eq!(blame(&step, &fault, &quirks), [set(&["Device.B"])]);
    }
}
