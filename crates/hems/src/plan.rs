//! From what is desired and what is known to the next step, or none. Pure: no I/O, no clock, no turns.
//!
//! What is desired but unknown is read first; then rows; then values; then the gate; the transmitter last. Each
//! rule below is one function, and [`RULES`] is their order. Repeating [`next_without`] against a device that answers reaches
//! `None` within a bounded number of steps, and then desired equals known. A row just added is ours whatever the
//! factory wrote into it. A device's quirks change which step is taken, and never what is desired in the end.
//!
//! ```text
//!  methods ─▶ names ─▶ values ─▶ lock ─▶ surplus row ─▶ missing row ─▶ differing values ─▶ gate ─▶ AdminState ─▶ software
//! ```
//!
//! What is doubted ([`Known::doubt`]) is read again before anything is concluded: that is how drift is seen. A cell that
//! was taken off the air for a change goes on again, whether a template says so or not.
//!
//! A deed that failed is spared for a while, and the rest goes on without it; but where something was not read nothing
//! is concluded from that, the radio changes only in a cell that is known to be off the air, and a cell goes on the air
//! only with the radio that is desired.

mod desired;
mod known;
mod learn;
mod rehearsal;
mod replay;
mod spared;
mod step;

pub(crate) use desired::{Desired, DesiredObject, Image, Software};
pub(crate) use known::{Change, Chunk, Held, Known, Verdict};
pub(crate) use learn::{learn, overhear, unlearn};
pub(crate) use rehearsal::{Difference, Stage, differences, rehearse};
pub(crate) use replay::{Exchange, Likeness, Replayed, Turn, replay};
pub(crate) use spared::{Spared, blame, next_set, next_try, unanswered};
pub(crate) use step::{Setting, Step, table_of};

use std::collections::BTreeSet;

use cwmp::Quirks;
use jiff::Timestamp;

use crate::radio;

/// Parameters read by one call: about 8 KB of names, well below the 32 KB that every device takes. (H-17)
const READ_BATCH: usize = 64;

/// How often any other step may come up in one session: more is a device that does not keep what it is told.
const REPEATS_MAX: usize = 16;

/// What each rule finds to do, one deed at a time.
type Deeds<'p> = Box<dyn Iterator<Item = Step> + 'p>;

/// A rule.
type Rule = for<'p> fn(&'p Plan<'p>) -> Deeds<'p>;

/// What makes a device serve as desired, in the order of the rules; another software comes after.
const RULES: [Rule; 9] = [
    methods,
    unknown_tables,
    unknown_values,
    lock,
    surplus_rows,
    missing_rows,
    differing_values,
    gate,
    admin_state,
];

/// Those that read what is not known.
const READS: [Rule; 2] = [unknown_tables, unknown_values];
/// Those that change rows and values.
const CHANGES: [Rule; 3] = [surplus_rows, missing_rows, differing_values];

/// All that a rule looks at.
struct Plan<'p> {
    desired: &'p Desired,
    known: &'p Known,
    quirks: &'p Quirks,
    spared: &'p Spared,
    /// Whether what is doubted counts as unknown.
    doubts: bool,
}

/// The next step towards what is desired.
#[cfg(test)]
pub(crate) fn next(desired: &Desired, known: &Known, quirks: &Quirks) -> Option<Step> {
    next_without(&Spared::default(), desired, known, quirks)
}

/// The next step that does nothing of what is spared.
pub(crate) fn next_without(
    spared: &Spared,
    desired: &Desired,
    known: &Known,
    quirks: &Quirks,
) -> Option<Step> {
    let plan = Plan { desired, known, quirks, spared, doubts: true };
    plan.serving().or_else(|| plan.first(software(&plan)))
}

/// Every deed that is still due, and what is wanted of it, whether it may be tried or not.
pub(crate) fn due(desired: &Desired, known: &Known, quirks: &Quirks) -> BTreeSet<(String, String)> {
    let plan = Plan { desired, known, quirks, spared: &Spared::default(), doubts: false };
    let deeds = RULES.iter().flat_map(|rule| rule(&plan)).chain(software(&plan));
    deeds.map(|deed| (deed.deed(), desired.wanted(&deed))).collect()
}

/// How often a step may come up in one session: rows are added one by one, each by the same step.
pub(crate) fn repeats(desired: &Desired, step: &Step) -> usize {
    let Step::Add { object } = step else { return REPEATS_MAX };
    let table = desired.objects.iter().find(|table| table.object == *object);
    table.map_or(REPEATS_MAX, |table| table.rows.len())
}

/// Whether the cell serves as desired, on whatever software. One of whose radio nobody wants anything is not ours to
/// say that of. (decision 23)
pub(crate) fn is_in_service(desired: &Desired, known: &Known, quirks: &Quirks) -> bool {
    desired.touches_service()
        && desired.admin_state != Some(false)
        && radio::SERVICE_STATES.iter().all(|path| known.is_true(path))
        && Plan { desired, known, quirks, spared: &Spared::default(), doubts: false }.serving().is_none()
}

/// Whether something that the plan reads was not read since then: a device changes by other hands, too, and does not
/// always say so.
pub(crate) fn is_stale(desired: &Desired, known: &Known, since: Timestamp) -> bool {
    let oldest = read(desired, known).filter_map(|path| Some(known.value(&path)?.read_at)).min();
    oldest.is_none_or(|read_at| read_at < since)
}

impl Plan<'_> {
    /// The next step until the device serves as desired.
    fn serving(&self) -> Option<Step> {
        RULES.iter().find_map(|rule| self.first(rule(self)))
    }

    /// The first deeds that may be tried, as many as one call carries.
    fn first(&self, deeds: Deeds<'_>) -> Option<Step> {
        let mut deeds = deeds.filter(|deed| !self.spares(deed) && self.permits(deed));
        let step = deeds.next()?;
        let most = match step {
            Step::Read { .. } => READ_BATCH,
            Step::Set { .. } => usize::MAX,
            Step::Methods
            | Step::Names { .. }
            | Step::Rows { .. }
            | Step::Add { .. }
            | Step::Delete { .. }
            | Step::Gate { .. }
            | Step::Software { .. } => 1,
        };
        let most = most.min(self.quirks.at_most().unwrap_or(usize::MAX)).min(self.spared.batch(&step));
        Some(deeds.take(most.saturating_sub(1)).fold(step, Step::and))
    }

    fn spares(&self, deed: &Step) -> bool {
        self.spared.wanted(|| deed.deed()).is_some_and(|wanted| wanted == self.desired.wanted(deed))
    }

    /// Whether it can be done now: an image is there, or the cell's state is such.
    fn permits(&self, deed: &Step) -> bool {
        if let Step::Software { .. } = deed {
            return self.desired.software.as_ref().is_some_and(|software| software.image.is_some());
        }
        let is_off = || {
            let is_known = self.known.value(radio::ADMIN_STATE).is_some();
            is_known && !self.known.is_true(radio::ADMIN_STATE) || self.quirks.lacks(radio::ADMIN_STATE)
        };
        !(deed.is_change() && deed.is_radio()) || is_off()
    }

    /// Whether a parameter, or the instances of a table, must be read before anything is concluded from them.
    fn is_unknown(&self, path: &str) -> bool {
        let is_known = match path.ends_with('.') {
            true => self.known.instances(path).is_some(),
            false => self.known.value(path).is_some(),
        };
        !is_known || self.doubts && self.known.is_doubted(path)
    }

    /// What these rules find to do about the radio.
    fn radio<'s>(&'s self, rules: &'s [Rule]) -> impl Iterator<Item = Step> + 's {
        rules.iter().flat_map(move |rule| rule(self)).filter(Step::is_radio)
    }

    /// Whether something of the radio that is due is spared.
    fn spares_radio(&self) -> bool {
        !self.spared.is_empty()
            && self.radio(&READS).chain(self.radio(&CHANGES)).any(|deed| self.spares(&deed))
    }

    /// The gate's verdict; it counts for the place that it was given for.
    fn verdict(&self) -> Option<&Verdict> {
        let place = (self.known.text(radio::LATITUDE)?, self.known.text(radio::LONGITUDE)?);
        self.known.gate.as_ref().filter(|verdict| (&*verdict.latitude, &*verdict.longitude) == place)
    }
}

fn perhaps<'p>(step: Option<Step>) -> Deeds<'p> {
    Box::new(step.into_iter())
}

fn methods<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    perhaps(plan.known.methods.is_none().then_some(Step::Methods))
}

fn unknown_tables<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    let unknown = plan.desired.objects.iter().filter(|object| plan.is_unknown(&object.object));
    Box::new(unknown.map(|object| {
        let object = object.object.clone();
        if plan.quirks.has_unlisted_rows() { Step::Rows { object } } else { Step::Names { object } }
    }))
}

fn unknown_values<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    let paths = read(plan.desired, plan.known);
    let unknown = paths.filter(|path| plan.is_unknown(path) && !plan.quirks.lacks(path));
    Box::new(unknown.map(|path| Step::Read { paths: vec![path] }))
}

/// The parameters that the plan reads: what is desired, and what it must know although nobody desires it.
fn read<'p>(desired: &'p Desired, known: &'p Known) -> impl Iterator<Item = String> + 'p {
    let rows = desired.objects.iter().flat_map(move |object| {
        let instances = known.instances(&object.object).into_iter().flatten();
        instances.flat_map(move |instance| object.columns().map(move |column| object.path(*instance, column)))
    });
    desired.values.keys().cloned().chain(rows).chain(conditions(desired, known).map(str::to_owned))
}

fn conditions(desired: &Desired, known: &Known) -> impl Iterator<Item = &'static str> {
    let wanted = desired.is_on_air(known);
    let is_radio = wanted.is_some() || desired.touches_service();
    let states = if is_radio { radio::SERVICE_STATES.as_slice() } else { &[] };
    let place: &[&str] = if wanted == Some(true) { &[radio::LATITUDE, radio::LONGITUDE] } else { &[] };
    let software = desired.software.as_ref().map(|_| radio::SOFTWARE);
    states.iter().chain(place).copied().chain(software)
}

/// Radio parameters change only while the cell is off the air. One that could not go on again, because something of its
/// radio is spared, is not taken off it.
fn lock<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    let is_due = plan.known.is_true(radio::ADMIN_STATE)
        && plan.radio(&CHANGES).next().is_some()
        && !plan.spares_radio();
    perhaps(is_due.then(|| set_admin_state(plan.known, false)).flatten())
}

fn surplus_rows<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    Box::new(plan.desired.objects.iter().flat_map(|object| {
        let surplus = object.matching(plan.known).surplus.into_iter();
        surplus.map(|instance| Step::Delete { instance: format!("{}{instance}.", object.object) })
    }))
}

fn missing_rows<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    let missing = plan.desired.objects.iter().filter(|object| object.matching(plan.known).is_missing_rows);
    Box::new(missing.map(|object| Step::Add { object: object.object.clone() }))
}

fn differing_values<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    Box::new(plan.desired.differing(plan.known).into_iter().filter_map(|(path, value)| {
        let kind = plan.known.value(&path)?.kind;
        Some(Step::Set { settings: vec![Setting { path, value, kind }] })
    }))
}

fn gate<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    let is_needed = plan.desired.is_on_air(plan.known) == Some(true) && plan.verdict().is_none();
    let place = plan.known.text(radio::LATITUDE).zip(plan.known.text(radio::LONGITUDE));
    perhaps(place.filter(|_| is_needed).map(|(latitude, longitude)| Step::Gate {
        latitude: latitude.to_owned(),
        longitude: longitude.to_owned(),
    }))
}

/// The transmitter goes on only behind the gate and with the radio that is desired, and off where the gate refuses the
/// place; where the gate could not judge it stays as it is.
fn admin_state<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    let wanted = match plan.desired.is_on_air(plan.known) {
        Some(true) => plan.verdict().map(|verdict| verdict.passed),
        other => other,
    };
    let is_other = |wanted: &bool| plan.known.is_true(radio::ADMIN_STATE) != *wanted;
    let is_radio_due = || plan.radio(&READS).chain(plan.radio(&CHANGES)).next().is_some();
    let may_be = |wanted: &bool| !*wanted || !is_radio_due();
    perhaps(wanted.filter(is_other).filter(may_be).and_then(|wanted| set_admin_state(plan.known, wanted)))
}

/// Another software is fetched when all else is done: the cell restarts with it.
fn software<'p>(plan: &'p Plan<'p>) -> Deeds<'p> {
    let is_known = plan.known.value(radio::SOFTWARE).is_some();
    let version = plan.desired.other_software(plan.known).filter(|_| is_known);
    perhaps(version.map(|version| Step::Software { version: version.to_owned() }))
}

fn set_admin_state(known: &Known, on: bool) -> Option<Step> {
    let kind = known.value(radio::ADMIN_STATE)?.kind;
    let setting = Setting { path: radio::ADMIN_STATE.to_owned(), value: on.to_string(), kind };
    Some(Step::Set { settings: vec![setting] })
}

#[cfg(test)]
mod tests;
