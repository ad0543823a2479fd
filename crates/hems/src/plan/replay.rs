//! What the plan would do today where a device answers as it did in a recorded session. The same function decides.
//!
//! ```text
//!  known then ─▶ next ─▶ call ─┬─ as it was made at this turn ─▶ same        ─┐
//!     ▲                        ├─ answered somewhere else ─────▶ differs     ─┼─▶ learned
//!     │                        └─ never answered ──────────────▶ unanswered: ─┘
//!     │                            from here on it is taken to go well          │
//!     └─────────────────────────────────────────────────────────────────────────┘   until nothing is due
//! ```
//!
//! A value that was taken out of the recording counts as desired: nobody knows better.

use std::collections::{BTreeMap, BTreeSet};

use cwmp::{CpeMethod, CpeResponse, Fault, GetParameterValuesResponse, ParameterValueStruct, REDACTED};

use super::{
    Desired, Difference, Known, Spared, Stage, Step, blame, differences, is_in_service, learn, next_without,
    overhear, rehearsal, repeats, unanswered, unlearn,
};
use crate::call;

/// Turns that are replayed: as many as a recording has messages.
const TURNS_MAX: usize = 512;

/// A call as it was made, and the device's answer as far as it was kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exchange {
    pub(crate) call: CpeMethod,
    pub(crate) answer: Option<Result<CpeResponse, Fault>>,
    /// Whether an operator queued it.
    pub(crate) is_operators: bool,
}

/// How a call of today's plan stands to what was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Likeness {
    /// The same call was made at this turn.
    Same,
    /// Another one was made, or none, or none would be.
    Differs,
    /// The recording has no answer to it.
    Unanswered,
}

/// One turn, then and today.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) made: Option<CpeMethod>,
    pub(crate) would: Option<CpeMethod>,
    pub(crate) likeness: Likeness,
    /// Whether it rests on an answer that the recording does not have.
    pub(crate) is_likely_only: bool,
}

/// What became of a replay.
#[derive(Debug, PartialEq)]
pub(crate) struct Replayed {
    pub(crate) turns: Vec<Turn>,
    /// Calls that operators had queued; they are taken up, and not compared.
    pub(crate) operators_calls: usize,
    /// Deeds that the device refused, or whose answer contradicts itself: the plan goes on without them.
    pub(crate) failed: Vec<String>,
    /// What would still differ at the end.
    pub(crate) differences: Vec<Difference>,
    pub(crate) is_in_service: bool,
}

/// Runs the plan against a recording, from what was known then.
pub(crate) fn replay(desired: &Desired, known: Known, recorded: &[Exchange], stage: &Stage<'_>) -> Replayed {
    let (operators, plans) = recorded.iter().partition(|exchange| exchange.is_operators);
    let mut run = Run {
        desired,
        known,
        stage,
        tape: Tape::of(plans),
        turns: Vec::new(),
        is_likely_only: false,
        spared: stage.spared.clone(),
        failed: BTreeSet::new(),
        taken: BTreeMap::new(),
    };
    let operators: Vec<&Exchange> = operators;
    run.go_on();
    for exchange in &operators {
        run.take_operators(exchange);
        run.go_on();
    }
    run.leave_the_rest();
    let Run { known, turns, failed, .. } = run;
    Replayed {
        turns,
        operators_calls: operators.len(),
        differences: differences(desired, &known),
        is_in_service: is_in_service(desired, &known, stage.quirks),
        failed: failed.into_iter().collect(),
    }
}

/// The plan's calls of a recording, each with its answer, which is given once.
struct Tape<'r> {
    exchanges: Vec<&'r Exchange>,
    given: BTreeSet<usize>,
    /// The turn that comes next.
    at: usize,
}

struct Run<'r> {
    desired: &'r Desired,
    known: Known,
    stage: &'r Stage<'r>,
    tape: Tape<'r>,
    turns: Vec<Turn>,
    is_likely_only: bool,
    spared: Spared,
    failed: BTreeSet<String>,
    taken: BTreeMap<String, usize>,
}

impl<'r> Tape<'r> {
    fn of(exchanges: Vec<&'r Exchange>) -> Self {
        Self { exchanges, given: BTreeSet::new(), at: 0 }
    }

    /// The call that was made at the next turn.
    fn turn(&mut self) -> Option<&'r CpeMethod> {
        let made = self.exchanges.get(self.at).map(|exchange| &exchange.call);
        self.at += 1;
        made
    }

    /// The answer to a call: at this turn, or wherever the same was asked; what is read may be put together.
    fn answer(&mut self, call: &CpeMethod) -> Option<Result<CpeResponse, Fault>> {
        let turn = self.at.saturating_sub(1);
        let places = std::iter::once(turn).chain(0..self.exchanges.len());
        let is_it = |place: &usize| {
            !self.given.contains(place)
                && self.exchanges.get(*place).is_some_and(|exchange| exchange.call == *call)
        };
        let Some(place) = places.into_iter().find(is_it) else { return self.read(call) };
        self.given.insert(place);
        self.exchanges.get(place)?.answer.clone()
    }

    /// The values of a reading that was never made in this form, where the device told all of them; the latest count.
    fn read(&self, call: &CpeMethod) -> Option<Result<CpeResponse, Fault>> {
        let CpeMethod::GetParameterValues(call) = call else { return None };
        let answers = self.exchanges.iter().rev().filter_map(|exchange| match &exchange.answer {
            Some(Ok(CpeResponse::GetParameterValues(response))) => Some(response),
            Some(_) | None => None,
        });
        let told: Vec<&ParameterValueStruct> =
            answers.flat_map(|response| &response.parameter_list).collect();
        let find = |name: &cwmp::Text| told.iter().find(|one| one.name == *name).map(|one| (*one).clone());
        let parameter_list = call.parameter_names.iter().map(find).collect::<Option<Vec<_>>>()?;
        Some(Ok(GetParameterValuesResponse { parameter_list }.into()))
    }
}

impl Run<'_> {
    /// Takes steps until nothing is due, or nothing may be.
    fn go_on(&mut self) {
        while self.turns.len() < TURNS_MAX {
            self.accept_redacted();
            let Some(step) = self.next_step() else { return };
            let Some(call) = step.method(self.stage.quirks) else {
                rehearsal::assume(&mut self.known, &step, self.stage);
                continue;
            };
            self.take(&step, call);
        }
    }

    fn next_step(&mut self) -> Option<Step> {
        loop {
            let step = next_without(&self.spared, self.desired, &self.known, self.stage.quirks)?;
            let taken = self.taken.entry(step.label()).or_default();
            *taken += 1;
            if *taken <= repeats(self.desired, &step) {
                return Some(step);
            }
            self.spare(&step.split());
        }
    }

    fn take(&mut self, step: &Step, call: CpeMethod) {
        let made = self.tape.turn().cloned();
        let answer = self.tape.answer(&call);
        let likeness = match &answer {
            None => Likeness::Unanswered,
            Some(_) if made.as_ref() == Some(&call) => Likeness::Same,
            Some(_) => Likeness::Differs,
        };
        self.turns.push(Turn { made, would: Some(call), likeness, is_likely_only: self.is_likely_only });
        match answer {
            Some(answer) => self.learn(step, answer),
            None => {
                self.is_likely_only = true;
                rehearsal::assume(&mut self.known, step, self.stage);
            }
        }
    }

    fn learn(&mut self, step: &Step, answer: Result<CpeResponse, Fault>) {
        let quirks = self.stage.quirks;
        let deeds = match answer {
            Ok(response) => match learn(&mut self.known, step, &response, quirks, self.stage.now) {
                Ok(()) => return self.spared.widen(step),
                Err(_) => unanswered(step, &self.known),
            },
            Err(fault) => blame(step, &fault, quirks),
        };
        if deeds.is_empty() {
            self.spared.narrow(step);
        }
        self.spare(&deeds);
        unlearn(&mut self.known, &deeds);
    }

    fn spare(&mut self, deeds: &[Step]) {
        for deed in deeds {
            self.spared.spare(deed.deed(), self.desired.wanted(deed));
            self.failed.insert(deed.deed());
        }
    }

    fn take_operators(&mut self, exchange: &Exchange) {
        if let Some(answer) = &exchange.answer {
            overhear(&mut self.known, &exchange.call, answer, self.stage.quirks, self.stage.now);
        }
        if let Some(object) = call::table(&exchange.call) {
            self.known.forget(&object);
        }
    }

    fn accept_redacted(&mut self) {
        for (path, value) in &self.desired.values {
            let Some(held) = self.known.value(path).filter(|held| held.value == REDACTED) else { continue };
            let kind = held.kind;
            self.known.learn(path, value, kind, self.stage.now);
        }
    }

    /// Calls that were made, and would not be today.
    fn leave_the_rest(&mut self) {
        while let Some(made) = self.tape.turn().cloned() {
            let is_likely_only = self.is_likely_only;
            self.turns.push(Turn {
                made: Some(made),
                would: None,
                likeness: Likeness::Differs,
                is_likely_only,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use cwmp::{ApplyStatus, FaultCode, Quirks, SetParameterValuesResponse, Value, ValueKind};
    use jiff::Timestamp;

    use super::*;
    use crate::plan::Verdict;

    const A: &str = "Device.A";
    const B: &str = "Device.B";

    fn at() -> Timestamp {
        Timestamp::from_second(7).unwrap()
    }

    fn desired(values: &[(&str, &str)]) -> Desired {
        let values = values.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Desired { values: values.collect(), ..Desired::default() }
    }

    fn known() -> Known {
        Known::restore(BTreeMap::new(), None, Some(Vec::new()))
    }

    fn replayed(desired: &Desired, recorded: &[Exchange]) -> Replayed {
        let verdict = |_: &str, _: &str| -> Verdict { unreachable!("nothing here goes on the air") };
        let quirks = Quirks::default();
        let spared = Spared::default();
        let stage = Stage {
            quirks: &quirks,
            spared: &spared,
            kind: &|_| ValueKind::String,
            gate: &verdict,
            now: at(),
        };
        replay(desired, known(), recorded, &stage)
    }

    fn likenesses(replayed: &Replayed) -> Vec<(Likeness, bool)> {
        replayed.turns.iter().map(|turn| (turn.likeness, turn.is_likely_only)).collect()
    }

    fn read(values: &[(&str, &str)]) -> Exchange {
        let paths = values.iter().map(|(path, _)| (*path).to_owned()).collect();
        let call = Step::Read { paths }.method(&Quirks::default()).unwrap();
        let one = |(path, text): &(&str, &str)| {
            ParameterValueStruct::new((*path).to_owned(), Value::string((*text).to_owned()))
        };
        let parameter_list = values.iter().map(one).collect();
        Exchange {
            call,
            answer: Some(Ok(GetParameterValuesResponse { parameter_list }.into())),
            is_operators: false,
        }
    }

    fn set(path: &str, value: &str, answer: Option<Result<CpeResponse, Fault>>) -> Exchange {
        let setting =
            super::super::Setting { path: path.to_owned(), value: value.to_owned(), kind: ValueKind::String };
        let call = Step::Set { settings: vec![setting] }.method(&Quirks::default()).unwrap();
        Exchange { call, answer, is_operators: false }
    }

    fn applied() -> Option<Result<CpeResponse, Fault>> {
        Some(Ok(SetParameterValuesResponse { status: ApplyStatus::Applied }.into()))
    }

    #[test]
    fn what_is_still_desired_makes_the_same_calls() {
        let replayed = replayed(&desired(&[(A, "2")]), &[read(&[(A, "1")]), set(A, "2", applied())]);
        assert_eq!(likenesses(&replayed), [(Likeness::Same, false), (Likeness::Same, false)]);
        assert_eq!((replayed.differences, replayed.failed), (vec![], vec![]));
    }

    #[test]
    fn another_wish_makes_a_call_that_nobody_answered() {
        let replayed =
            replayed(&desired(&[(A, "3"), (B, "1")]), &[read(&[(A, "1"), (B, "0")]), set(A, "2", applied())]);
        assert_eq!(likenesses(&replayed), [(Likeness::Same, false), (Likeness::Unanswered, false)]);
        assert_eq!(replayed.differences, []);
    }

    #[test]
    fn values_that_were_told_answer_another_reading_and_what_is_not_made_any_more_is_shown() {
        let recorded = [read(&[(A, "1"), (B, "2")]), set(B, "3", applied())];
        let replayed = replayed(&desired(&[(B, "2")]), &recorded);
        assert_eq!(likenesses(&replayed), [(Likeness::Differs, false), (Likeness::Differs, false)]);
        assert_eq!(replayed.turns[1].would, None);
        assert_eq!(replayed.turns[1].made.as_ref().map(CpeMethod::name), Some("SetParameterValues"));
    }

    #[test]
    fn what_follows_an_answer_that_is_missing_is_likely_only() {
        let replayed = replayed(&desired(&[(A, "2")]), &[]);
        assert_eq!(likenesses(&replayed), [(Likeness::Unanswered, false), (Likeness::Unanswered, true)]);
    }

    #[test]
    fn a_fault_ends_the_plan_as_it_did_then() {
        let fault = Some(Err(Fault::from(FaultCode::REQUEST_DENIED)));
        let replayed =
            replayed(&desired(&[(A, "2")]), &[read(&[(A, "1")]), set(A, "2", fault), read(&[(A, "1")])]);
        assert_eq!(likenesses(&replayed)[..2], [(Likeness::Same, false), (Likeness::Same, false)]);
        assert_eq!(replayed.failed, [format!("SetParameterValues {A}")]);
        assert_eq!(replayed.differences.len(), 1, "{replayed:?}");
    }

    #[test]
    fn what_was_taken_out_counts_as_desired_and_operators_calls_are_taken_up() {
        let operators = Exchange { is_operators: true, ..read(&[(B, "5")]) };
        let recorded = [read(&[(A, REDACTED), (B, "4")]), operators];
        let replayed = replayed(&desired(&[(A, "2"), (B, "4")]), &recorded);
        assert_eq!(likenesses(&replayed), [(Likeness::Same, false), (Likeness::Unanswered, false)]);
        assert_eq!(replayed.operators_calls, 1);
    }
}
