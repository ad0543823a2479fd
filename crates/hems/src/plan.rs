//! From what is desired and what is known to the next step, or none. Pure: no I/O, no clock, no turns.
//!
//! What is desired but unknown is read first; then rows; then values; then the gate; the transmitter last. Each
//! rule below is one function, and [`next`] is their order. Repeating `next` against a device that answers reaches
//! `None` within a bounded number of steps, and then desired equals known. A row just added is ours whatever the
//! factory wrote into it. A device's quirks change which step is taken, and never what is desired in the end.
//!
//! ```text
//!  methods ─▶ names ─▶ values ─▶ lock ─▶ surplus row ─▶ missing row ─▶ differing values ─▶ gate ─▶ AdminState
//! ```

mod desired;
mod known;
mod learn;
mod rehearsal;
mod replay;
mod step;

pub(crate) use desired::{Desired, DesiredObject};
pub(crate) use known::{Change, Chunk, Held, Known, Verdict};
pub(crate) use learn::{learn, overhear, unlearn};
pub(crate) use rehearsal::{Difference, Stage, differences, rehearse};
pub(crate) use replay::{Exchange, Likeness, Replayed, Turn, replay};
pub(crate) use step::{Setting, Step, table_of};

use cwmp::Quirks;

use crate::radio;

/// Parameters read by one call: about 8 KB of names, well below the 32 KB that every device takes. (H-17)
const READ_BATCH: usize = 64;

/// How often any other step may come up in one session: more is a device that does not keep what it is told.
const REPEATS_MAX: usize = 16;

/// The next step towards what is desired.
pub(crate) fn next(desired: &Desired, known: &Known, quirks: &Quirks) -> Option<Step> {
    methods(known)
        .or_else(|| unknown_table(desired, known, quirks))
        .or_else(|| unknown_values(desired, known, quirks))
        .or_else(|| lock(desired, known))
        .or_else(|| surplus_row(desired, known))
        .or_else(|| missing_row(desired, known))
        .or_else(|| differing_values(desired, known, quirks))
        .or_else(|| gate(desired, known))
        .or_else(|| admin_state(desired, known))
}

/// How often a step may come up in one session: rows are added one by one, each by the same step.
pub(crate) fn repeats(desired: &Desired, step: &Step) -> usize {
    let Step::Add { object } = step else { return REPEATS_MAX };
    let table = desired.objects.iter().find(|table| table.object == *object);
    table.map_or(REPEATS_MAX, |table| table.rows.len())
}

/// Whether the cell serves as desired. (decision 23)
pub(crate) fn is_in_service(desired: &Desired, known: &Known, quirks: &Quirks) -> bool {
    desired.admin_state == Some(true)
        && radio::SERVICE_STATES.iter().all(|path| known.is_true(path))
        && next(desired, known, quirks).is_none()
}

fn methods(known: &Known) -> Option<Step> {
    known.methods.is_none().then_some(Step::Methods)
}

fn unknown_table(desired: &Desired, known: &Known, quirks: &Quirks) -> Option<Step> {
    let object = desired.objects.iter().find(|object| known.instances(&object.object).is_none())?;
    let object = object.object.clone();
    Some(if quirks.has_unlisted_rows() { Step::Rows { object } } else { Step::Names { object } })
}

fn unknown_values(desired: &Desired, known: &Known, quirks: &Quirks) -> Option<Step> {
    let rows = desired.objects.iter().flat_map(|object| {
        let instances = known.instances(&object.object).into_iter().flatten();
        instances.flat_map(move |instance| object.columns().map(move |column| object.path(*instance, column)))
    });
    let paths: Vec<String> = desired
        .values
        .keys()
        .cloned()
        .chain(rows)
        .chain(conditions(desired).map(str::to_owned))
        .filter(|path| known.value(path).is_none() && !quirks.lacks(path))
        .take(quirks.at_most().unwrap_or(READ_BATCH))
        .collect();
    (!paths.is_empty()).then_some(Step::Read { paths })
}

/// What the plan must know although nobody desires it.
fn conditions(desired: &Desired) -> impl Iterator<Item = &'static str> {
    let states = if desired.touches_service() { radio::SERVICE_STATES.as_slice() } else { &[] };
    let place: &[&str] =
        if desired.admin_state == Some(true) { &[radio::LATITUDE, radio::LONGITUDE] } else { &[] };
    states.iter().chain(place).copied()
}

/// Radio parameters change only while the cell is off the air.
fn lock(desired: &Desired, known: &Known) -> Option<Step> {
    let changes_radio = || {
        let changed = desired.differing(known);
        let tables = desired.objects.iter().filter(|object| {
            let matching = object.matching(known);
            matching.is_missing_rows || !matching.surplus.is_empty()
        });
        changed.iter().any(|(path, _)| path.starts_with(radio::CELL_CONFIG))
            || tables.into_iter().any(|object| object.object.starts_with(radio::CELL_CONFIG))
    };
    if known.is_true(radio::ADMIN_STATE) && changes_radio() { set_admin_state(known, false) } else { None }
}

fn surplus_row(desired: &Desired, known: &Known) -> Option<Step> {
    desired.objects.iter().find_map(|object| {
        let instance = *object.matching(known).surplus.first()?;
        Some(Step::Delete { instance: format!("{}{instance}.", object.object) })
    })
}

fn missing_row(desired: &Desired, known: &Known) -> Option<Step> {
    let object = desired.objects.iter().find(|object| object.matching(known).is_missing_rows)?;
    Some(Step::Add { object: object.object.clone() })
}

fn differing_values(desired: &Desired, known: &Known, quirks: &Quirks) -> Option<Step> {
    let settings: Vec<Setting> = desired
        .differing(known)
        .into_iter()
        .filter_map(|(path, value)| Some(Setting { kind: known.value(&path)?.kind, path, value }))
        .take(quirks.at_most().unwrap_or(usize::MAX))
        .collect();
    (!settings.is_empty()).then_some(Step::Set { settings })
}

/// A verdict counts for the place it was given for.
fn gate(desired: &Desired, known: &Known) -> Option<Step> {
    let (latitude, longitude) = (known.text(radio::LATITUDE)?, known.text(radio::LONGITUDE)?);
    let counts = |verdict: &Verdict| verdict.latitude == latitude && verdict.longitude == longitude;
    let is_needed = desired.admin_state == Some(true) && !known.gate.as_ref().is_some_and(counts);
    is_needed.then(|| Step::Gate { latitude: latitude.to_owned(), longitude: longitude.to_owned() })
}

/// The transmitter goes on only behind the gate, and off where the gate refuses the place.
fn admin_state(desired: &Desired, known: &Known) -> Option<Step> {
    let passed = known.gate.as_ref().is_some_and(|verdict| verdict.passed);
    let wanted = desired.admin_state? && passed;
    (known.is_true(radio::ADMIN_STATE) != wanted).then(|| set_admin_state(known, wanted)).flatten()
}

fn set_admin_state(known: &Known, on: bool) -> Option<Step> {
    let kind = known.value(radio::ADMIN_STATE)?.kind;
    let setting = Setting { path: radio::ADMIN_STATE.to_owned(), value: on.to_string(), kind };
    Some(Step::Set { settings: vec![setting] })
}

#[cfg(test)]
mod tests;
