//! A cell that refuses some deeds for ever: all others are done, and the radio stays safe.
//!
//! The cell says which parameter it refuses, or does not; and it refuses reading some. A plan that changed the radio of
//! a cell on the air, or deleted rows that it could not read, would be stopped by the cell's own assertions.

use std::collections::BTreeSet;

use cwmp::{Fault, FaultCode, SetParameterValuesFault};

use super::*;

const PLAIN: [&str; 3] = ["Device.A", "Device.B", "Device.C"];
const RADIO: [&str; 3] = [radio::TAC, radio::PCI, EARFCN];

/// What a cell refuses.
#[derive(Clone, Debug, Default)]
struct Refusals {
    set: BTreeSet<String>,
    read: BTreeSet<String>,
    adds: bool,
    /// Whether it says which parameter it does not set.
    names: bool,
}

impl Refusals {
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is refused")]
    fn of(&self, method: &CpeMethod) -> Option<Fault> {
        let fault = Fault::from(FaultCode::INVALID_ARGUMENTS);
        match method {
            CpeMethod::AddObject(_) => self.adds.then_some(fault),
            CpeMethod::GetParameterValues(call) => {
                call.parameter_names.iter().any(|name| self.read.contains(&**name)).then_some(fault)
            }
            CpeMethod::SetParameterValues(call) => {
                let bad = call.parameter_list.iter().filter(|one| self.set.contains(&*one.name));
                let detail = |one: &ParameterValueStruct| SetParameterValuesFault {
                    parameter_name: one.name.clone(),
                    fault_code: FaultCode::INVALID_PARAMETER_VALUE,
                    fault_string: Text::new(),
                };
                let details: Vec<_> = bad.map(detail).collect();
                let is_bad = !details.is_empty();
                let details = if self.names { details } else { Vec::new() };
                is_bad.then_some(Fault { details, ..fault })
            }
            _ => None,
        }
    }
}

/// One session, as [`session`](crate::session) drives it; gives what was spared in the end.
fn session(cell: &mut Cell, desired: &Desired, known: &mut Known, refusals: &Refusals) -> Spared {
    let (mut spared, quirks) = (Spared::default(), Quirks::default());
    let mut steps = 0;
    while let Some(step) = next_without(&spared, desired, known, &quirks) {
        steps += 1;
        assert!(steps < STEPS_MAX, "no end: {step:?}");
        let Some(method) = step.method(&quirks) else {
            if let Step::Gate { latitude, longitude } = step {
                judge(known, latitude, longitude);
            }
            continue;
        };
        let Some(fault) = refusals.of(&method) else {
            let response = cell.execute(&method);
            learn(known, &step, &response, &quirks, Timestamp::UNIX_EPOCH).unwrap();
            spared.widen(&step);
            continue;
        };
        let deeds = blame(&step, &fault, &quirks);
        if deeds.is_empty() {
            spared.narrow(&step);
        }
        deeds.iter().for_each(|deed| spared.spare(deed.deed(), desired.wanted(deed)));
        deeds.iter().flat_map(Step::touches).for_each(|path| known.forget(path));
    }
    spared
}

fn some(of: &'static [&'static str]) -> impl Strategy<Value = BTreeSet<String>> {
    prop::sample::subsequence(of.to_vec(), 0..=of.len())
        .prop_map(|paths| paths.into_iter().map(str::to_owned).collect())
}

fn refusals() -> impl Strategy<Value = Refusals> {
    const SET: &[&str] = &[PLAIN[0], PLAIN[1], RADIO[0], RADIO[2], radio::ADMIN_STATE];
    const READ: &[&str] = &[PLAIN[1], PLAIN[2], RADIO[1], radio::ADMIN_STATE, radio::LATITUDE];
    (some(SET), some(READ), prop::bool::weighted(0.2), any::<bool>())
        .prop_map(|(set, read, adds, names)| Refusals { set, read, adds, names })
}

fn wanted() -> Desired {
    let mut desired = desired(&["99970", "99971"]);
    desired.values.extend(PLAIN.map(|path| (path.to_owned(), "2".to_owned())));
    desired
}

fn cell(on_air: bool) -> Cell {
    let mut cell = Cell::new(&["00101".to_owned()], on_air, 1);
    PLAIN.iter().for_each(|path| cell.put(path, "1", ValueKind::String));
    cell
}

proptest! {
    #[test]
    fn o04_what_a_cell_refuses_holds_up_nothing_that_it_does_not(refusals in refusals(), on_air: bool) {
        let (mut cell, mut known, desired) = (cell(on_air), Known::default(), wanted());
        let spared = session(&mut cell, &desired, &mut known, &refusals);
        for path in PLAIN {
            let is_refused = refusals.set.contains(path) || refusals.read.contains(path);
            prop_assert_eq!(cell.values[path].0 == "2", !is_refused, "{}", path);
        }
        let is_radio = |path: &String| path.starts_with(radio::SERVICE);
        let is_sound = !refusals.adds && !refusals.read.contains(radio::LATITUDE)
            && !refusals.set.iter().chain(&refusals.read).any(is_radio);
        if is_sound {
            prop_assert!(cell.is_on_air() && RADIO.iter().all(|path| cell.values[*path].0 != "0"));
        } else if !on_air {
            prop_assert!(!cell.is_on_air(), "only with the radio that is desired");
        }
        let due = due(&desired, &known, &Quirks::default());
        prop_assert!(due.len() >= usize::from(!spared.is_empty()), "what is spared is still due");
        // Once nothing is refused any more, everything is done.
        session(&mut cell, &desired, &mut known, &Refusals::default());
        prop_assert!(cell.is_on_air() && is_in_service(&desired, &known, &Quirks::default()));
        prop_assert!(PLAIN.iter().all(|path| cell.values[*path].0 == "2") && cell.rows.len() == 2);
    }
}

#[test]
fn o05_a_cell_that_could_not_go_on_again_is_not_taken_off_the_air() {
    let (mut cell, mut known, mut desired) = (cell(true), Known::default(), desired(&["00101"]));
    for path in RADIO {
        desired.values.insert(path.to_owned(), cell.values[path].0.clone());
    }
    session(&mut cell, &desired, &mut known, &Refusals::default());
    desired.values.insert(radio::TAC.to_owned(), "8".to_owned());
    let mut spared = Spared::default();
    spared.spare(format!("SetParameterValues {}", radio::TAC), "8".to_owned());
    assert_eq!(next_without(&spared, &desired, &known, &Quirks::default()), None, "it waits, on the air");
    desired.values.insert(EARFCN.to_owned(), "99".to_owned());
    assert_eq!(next_without(&spared, &desired, &known, &Quirks::default()), None, "so does the other");
    desired.values.insert(radio::TAC.to_owned(), "9".to_owned());
    let step = next_without(&spared, &desired, &known, &Quirks::default()).unwrap();
    assert_eq!(
        step.deed(),
        format!("SetParameterValues {}", radio::ADMIN_STATE),
        "another value, another chance"
    );
}
