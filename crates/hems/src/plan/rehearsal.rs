//! What the plan would do, step by step, if every step were answered as it should be. The same function decides.
//!
//! What was never read has to be assumed: a value is other than desired, a table is empty, the cell is well. From the
//! first such step on the rest is only likely.
//!
//! ```text
//!  known ─▶ next ─▶ step ─▶ learned as if answered ─┐
//!            ▲                                      │
//!            └──────────────────────────────────────┘   until nothing is due
//! ```

use std::collections::BTreeMap;

use cwmp::{
    AddObjectResponse, ApplyStatus, CpeResponse, DeleteObjectResponse, Quirks, SetParameterValuesResponse,
    ValueKind,
};
use jiff::Timestamp;

use super::{Desired, Known, Spared, Step, Verdict, learn, next_without};
use crate::radio;

/// Steps that are shown: what is longer is a device from scratch, and its beginning says enough.
const STEPS_MAX: usize = 64;
/// Stands for a value that was never read: no operator wants it.
const UNREAD: &str = "\u{fffd}";

/// A step that would come, and whether it rests on something that was never read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Foreseen {
    pub(crate) step: Step,
    pub(crate) is_likely_only: bool,
}

/// One difference between what is known and what is desired; nothing is unknown, or is not to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
pub(crate) struct Difference {
    pub(crate) path: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

/// What a rehearsal needs to know of the world.
pub(crate) struct Stage<'s> {
    pub(crate) quirks: &'s Quirks,
    /// What is left alone for now.
    pub(crate) spared: &'s Spared,
    /// The type of a parameter by the model.
    pub(crate) kind: &'s dyn Fn(&str) -> ValueKind,
    /// What the gate would say of a place.
    pub(crate) gate: &'s dyn Fn(&str, &str) -> Verdict,
    pub(crate) now: Timestamp,
}

/// The steps that would come.
pub(crate) fn rehearse(desired: &Desired, mut known: Known, stage: &Stage<'_>) -> Vec<Foreseen> {
    let mut steps = Vec::new();
    let mut is_likely_only = false;
    while steps.len() < STEPS_MAX
        && let Some(step) = next_without(stage.spared, desired, &known, stage.quirks)
    {
        is_likely_only |= assume(&mut known, &step, stage);
        if !matches!(step, Step::Gate { .. }) {
            steps.push(Foreseen { step, is_likely_only });
        }
    }
    // What a step asks is sure; only what follows from its answer is not.
    let mut before = false;
    for foreseen in &mut steps {
        before = std::mem::replace(&mut foreseen.is_likely_only, before);
    }
    steps
}

/// Learns what a step would teach; whether that was never read.
pub(super) fn assume(known: &mut Known, step: &Step, stage: &Stage<'_>) -> bool {
    let status = ApplyStatus::Applied;
    let answer: CpeResponse = match step {
        Step::Methods => {
            known.methods = Some(Vec::new());
            return false;
        }
        Step::Gate { latitude, longitude } => {
            known.gate = Some((stage.gate)(latitude, longitude));
            return false;
        }
        Step::Software { version } => {
            known.learn(radio::SOFTWARE, version, ValueKind::String, stage.now);
            return false;
        }
        Step::Names { object } | Step::Rows { object } => {
            known.learn_instances(object, []);
            return true;
        }
        Step::Read { paths } => {
            // The states follow what was set before; all else was never read.
            return paths.iter().fold(false, |is_new, path| assume_value(known, path, stage) | is_new);
        }
        Step::Set { .. } => SetParameterValuesResponse { status }.into(),
        Step::Add { object } => {
            let last = known.instances(object).and_then(|rows| rows.last().copied()).unwrap_or_default();
            AddObjectResponse { instance_number: last.saturating_add(1), status }.into()
        }
        Step::Delete { .. } => DeleteObjectResponse { status }.into(),
    };
    // An answer of our own making fits the step.
    let _ = learn(known, step, &answer, stage.quirks, stage.now);
    false
}

fn assume_value(known: &mut Known, path: &str, stage: &Stage<'_>) -> bool {
    let follows = [radio::OP_STATE, radio::RF_TX_STATUS].contains(&path);
    let admin_state = known.text(radio::ADMIN_STATE).unwrap_or("0").to_owned();
    let text = if follows { admin_state.as_str() } else { UNREAD };
    known.learn(path, text, (stage.kind)(path), stage.now);
    let is_of_new_row = super::step::table_of(path.rsplit_once('.').map_or(path, |(row, _)| row)).is_some();
    !follows && !is_of_new_row
}

/// What differs, whether a device can hold it or not.
pub(crate) fn differences(desired: &Desired, known: &Known) -> Vec<Difference> {
    let held = |path: &str| known.text(path).map(str::to_owned);
    let mut found: BTreeMap<String, (Option<String>, Option<String>)> = desired
        .differing(known)
        .into_iter()
        .map(|(path, to)| (path.clone(), (held(&path), Some(to))))
        .collect();
    let unread = desired.values.iter().filter(|(path, _)| known.value(path).is_none());
    found.extend(unread.map(|(path, to)| (path.clone(), (None, Some(to.clone())))));
    if let Some(wanted) = desired.is_on_air(known)
        && (known.value(radio::ADMIN_STATE).is_none() || known.is_true(radio::ADMIN_STATE) != wanted)
    {
        found.insert(radio::ADMIN_STATE.to_owned(), (held(radio::ADMIN_STATE), Some(wanted.to_string())));
    }
    if let Some(version) = desired.other_software(known) {
        let path = radio::SOFTWARE.to_owned();
        found.insert(path, (held(radio::SOFTWARE), Some(version.to_owned())));
    }
    for object in &desired.objects {
        let matching = object.matching(known);
        let rows = matching
            .surplus
            .iter()
            .map(|row| (format!("{}{row}.", object.object), (Some("a row".to_owned()), None)));
        found.extend(rows);
        let is_matched = |index: &usize| matching.pairs.iter().any(|(_, row)| row == index);
        for (index, row) in object.rows.iter().enumerate().filter(|(index, _)| !is_matched(index)) {
            let column = |(name, to): (&String, &String)| {
                (format!("{}[new {}].{name}", object.object, index + 1), (None, Some(to.clone())))
            };
            found.extend(row.iter().map(column));
        }
    }
    found.into_iter().map(|(path, (from, to))| Difference { path, from, to }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::DesiredObject;

    fn at() -> Timestamp {
        Timestamp::from_second(7).unwrap()
    }

    fn rehearsed(desired: &Desired, known: Known) -> Vec<(&'static str, bool)> {
        let verdict = |latitude: &str, longitude: &str| Verdict {
            passed: true,
            policy: String::new(),
            latitude: latitude.to_owned(),
            longitude: longitude.to_owned(),
            at: at(),
        };
        let quirks = Quirks::default();
        let spared = &Spared::default();
        let kind = &|_: &str| ValueKind::String;
        let stage = Stage { quirks: &quirks, spared, kind, gate: &verdict, now: at() };
        let steps = rehearse(desired, known, &stage);
        steps.iter().map(|foreseen| (foreseen.step.name(), foreseen.is_likely_only)).collect()
    }

    fn known(values: &[(&str, &str)]) -> Known {
        let mut known = Known::restore(BTreeMap::new(), None, Some(Vec::new()));
        for (path, text) in values {
            known.learn(path, text, ValueKind::String, at());
        }
        known
    }

    fn desired(values: &[(&str, &str)]) -> Desired {
        let values = values.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Desired { values: values.collect(), ..Desired::default() }
    }

    #[test]
    fn what_is_known_is_foreseen_for_sure() {
        let steps = rehearsed(&desired(&[("Device.A", "2")]), known(&[("Device.A", "1")]));
        assert_eq!(steps, [("SetParameterValues", false)]);
        assert_eq!(rehearsed(&desired(&[("Device.A", "1")]), known(&[("Device.A", "1")])), []);
    }

    #[test]
    fn what_was_never_read_makes_the_rest_likely_only() {
        let steps = rehearsed(&desired(&[("Device.A", "2")]), known(&[]));
        assert_eq!(steps, [("GetParameterValues", false), ("SetParameterValues", true)]);
    }

    #[test]
    fn rows_are_added_and_deleted_and_the_radio_goes_off_and_on() {
        let table = format!("{}EPC.PLMNList.", radio::CELL_CONFIG);
        let row = BTreeMap::from([("PLMNID".to_owned(), "99970".to_owned())]);
        let object = DesiredObject { object: table.clone(), key: "PLMNID".to_owned(), rows: vec![row] };
        let desired = Desired { objects: vec![object], admin_state: Some(true), ..Desired::default() };
        let mut before = known(&[
            (radio::ADMIN_STATE, "1"),
            (radio::OP_STATE, "1"),
            (radio::RF_TX_STATUS, "1"),
            (radio::LATITUDE, "1"),
            (radio::LONGITUDE, "1"),
            (&format!("{table}1.PLMNID"), "00101"),
        ]);
        before.learn_instances(&table, [1]);
        let found = differences(&desired, &before);
        assert_eq!(
            found.iter().map(|one| (one.from.as_deref(), one.to.as_deref())).collect::<Vec<_>>(),
            [(Some("a row"), None), (None, Some("99970"))],
            "{found:?}"
        );
        let names: Vec<_> = rehearsed(&desired, before).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "SetParameterValues",
                "GetParameterValues",
                "DeleteObject",
                "AddObject",
                "GetParameterValues",
                "SetParameterValues",
                "SetParameterValues",
                "GetParameterValues",
            ]
        );
    }
}
