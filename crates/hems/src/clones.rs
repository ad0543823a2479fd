//! Whether one identity is two cells: a pure look at its latest sessions. (decision 7)
//!
//! A copied key comes with another machine around it. What a machine cannot share with its copy is the moment at
//! which it was started: our time less its up time stays the same until it restarts, and then only moves forward.
//! Where that moment is known it decides alone, so that a cell whose subscriber line gets a new address is left in
//! peace. Where it is not, place and clock are the next best.
//!
//! ```text
//!  started earlier than before     two machines take turns
//!  in two networks at once         a session was open elsewhere when this one began
//!  back and forth between networks A B A B
//!  clock behind without a restart  a cell's clock never runs backwards (K-02)
//! ```

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

/// How far the moment of a start may wander: counters tick in seconds, and an Inform takes its time.
const START_TOLERANCE: SignedDuration = SignedDuration::from_mins(2);
/// How far apart our clock and a cell's may drift between two sessions.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// How long ago a session may have ended by this one: its device was still there.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(5);
/// Sessions that are looked at: enough for two cells to take turns several times.
pub(crate) const LOOK_BACK: u32 = 12;
/// Changes of network among them that are no move any more.
const CHANGES: usize = 3;

/// What one session showed of the machine and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// When it began, by our clock.
    pub(crate) at: Timestamp,
    /// When another session of the identity took its place.
    pub(crate) replaced_at: Option<Timestamp>,
    /// The /24 or /48 that it came from.
    pub(crate) network: String,
    /// What the cell's clock said.
    pub(crate) clock: Option<Timestamp>,
    /// Since when the cell says it runs.
    pub(crate) up_time: Option<SignedDuration>,
    /// Whether it says that it restarted.
    pub(crate) is_boot: bool,
}

impl Sighting {
    /// When the machine was started, by our clock.
    fn started(&self) -> Option<Timestamp> {
        self.at.checked_sub(self.up_time?).ok()
    }
}

/// Why one identity seems to be two cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suspicion {
    /// The word for reports and stored rows.
    pub(crate) kind: &'static str,
    /// What was seen.
    pub(crate) detail: String,
}

/// Looks at a session and at those before it, newest first.
pub(crate) fn suspect(now: &Sighting, before: &[Sighting]) -> Option<Suspicion> {
    let last = before.first()?;
    if let (Some(started), true) = (now.started(), before.iter().any(|one| one.started().is_some())) {
        return earlier_start(started, before);
    }
    at_once(now, last).or_else(|| back_and_forth(now, before)).or_else(|| clock_behind(now, last))
}

fn earlier_start(started: Timestamp, before: &[Sighting]) -> Option<Suspicion> {
    let latest = before.iter().filter_map(Sighting::started).max()?;
    let is_earlier = latest.duration_since(started) > START_TOLERANCE;
    is_earlier.then(|| Suspicion {
        kind: "earlier_start",
        detail: format!(
            "it says that it runs since {started:.0}, and was seen to have started at {latest:.0}"
        ),
    })
}

fn at_once(now: &Sighting, last: &Sighting) -> Option<Suspicion> {
    let gap = now.at.duration_since(last.replaced_at?);
    let is_elsewhere = last.network != now.network;
    (is_elsewhere && gap.abs() <= AT_ONCE && !now.is_boot).then(|| Suspicion {
        kind: "at_once",
        detail: format!("a session from {} was open when one from {} began", last.network, now.network),
    })
}

fn back_and_forth(now: &Sighting, before: &[Sighting]) -> Option<Suspicion> {
    let networks: Vec<&str> =
        std::iter::once(now).chain(before).map(|sighting| sighting.network.as_str()).collect();
    let changes = networks.windows(2).filter(|pair| pair.first() != pair.last()).count();
    let places: BTreeSet<&str> = networks.iter().copied().collect();
    // A line with a new address each day is at a new place each time; two cells come back to theirs.
    (changes >= CHANGES && places.len() < changes).then(|| Suspicion {
        kind: "back_and_forth",
        detail: format!("{changes} changes between {}", places.into_iter().collect::<Vec<_>>().join(" and ")),
    })
}

fn clock_behind(now: &Sighting, last: &Sighting) -> Option<Suspicion> {
    let passed = now.at.duration_since(last.at);
    let (here, there) = (now.clock?, last.clock?);
    let expected = there.checked_add(passed).ok()?;
    (!now.is_boot && expected.duration_since(here) > CLOCK_TOLERANCE).then(|| Suspicion {
        kind: "clock_behind",
        detail: format!("its clock says {here:.0}, and by the session before it would be {expected:.0}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    /// A session of a machine that was started at a minute, if it says so.
    fn seen(minute: i64, network: &str, started: Option<i64>) -> Sighting {
        Sighting {
            at: at(minute),
            replaced_at: None,
            network: network.to_owned(),
            clock: None,
            up_time: started.map(|start| SignedDuration::from_mins(minute - start)),
            is_boot: false,
        }
    }

    /// The kind of suspicion that the last of some sessions raises; the oldest comes first.
    fn kind(mut sessions: Vec<Sighting>) -> Option<&'static str> {
        let now = sessions.pop()?;
        sessions.reverse();
        suspect(&now, &sessions).map(|suspicion| suspicion.kind)
    }

    #[test]
    fn one_cell_that_restarts_moves_and_changes_its_address_is_one_cell() {
        let honest = [
            vec![seen(0, "A", None)],
            vec![seen(0, "A", Some(-9)), seen(5, "A", Some(-9)), seen(9, "A", Some(-8))],
            vec![seen(0, "A", Some(-9)), seen(5, "A", Some(4)), seen(9, "A", Some(8))],
            vec![seen(0, "A", Some(0)), seen(5, "B", Some(0)), seen(9, "A", Some(0)), seen(10, "B", Some(0))],
            vec![Sighting { replaced_at: Some(at(5)), ..seen(0, "A", Some(-9)) }, seen(5, "B", Some(-9))],
            vec![seen(0, "A", None), seen(1, "B", None), seen(2, "C", None), seen(3, "D", None)],
            vec![seen(0, "A", None), seen(1, "B", None), seen(2, "A", None)],
            vec![Sighting { replaced_at: Some(at(5)), ..seen(0, "A", None) }, seen(5, "A", None)],
        ];
        for sessions in honest {
            assert_eq!(kind(sessions.clone()), None, "{sessions:#?}");
        }
    }

    #[test]
    fn p20_a_machine_that_started_before_the_one_seen_last_is_another() {
        let turns = vec![seen(0, "A", Some(-90)), seen(5, "A", Some(-10)), seen(9, "A", Some(-90))];
        assert_eq!(kind(turns.clone()), Some("earlier_start"));
        assert_eq!(kind(turns[..2].to_vec()), None, "the first that started later may have restarted");
    }

    #[test]
    fn p20_two_places_at_once_and_places_in_turn_are_suspicious_where_no_start_is_known() {
        let open = Sighting { replaced_at: Some(at(5)), ..seen(4, "A", None) };
        assert_eq!(kind(vec![open.clone(), seen(5, "B", None)]), Some("at_once"));
        assert_eq!(kind(vec![open.clone(), seen(6, "B", None)]), None, "it had ended long before");
        assert_eq!(kind(vec![open, Sighting { is_boot: true, ..seen(5, "B", None) }]), None, "it was moved");
        let turns = ["A", "B", "A", "B"].iter().zip(0..).map(|(network, minute)| seen(minute, network, None));
        assert_eq!(kind(turns.collect()), Some("back_and_forth"));
    }

    #[test]
    fn p20_k02_a_clock_that_falls_behind_without_a_restart_is_another_cells() {
        let with = |sighting: Sighting, minute| Sighting { clock: Some(at(minute)), ..sighting };
        let first = with(seen(0, "A", None), -60);
        assert_eq!(kind(vec![first.clone(), with(seen(10, "A", None), -50)]), None);
        assert_eq!(kind(vec![first.clone(), with(seen(10, "A", None), 10)]), None, "it was set right");
        assert_eq!(kind(vec![first.clone(), with(seen(10, "A", None), -70)]), Some("clock_behind"));
        let restarted = Sighting { is_boot: true, ..with(seen(10, "A", None), -70) };
        assert_eq!(kind(vec![first, restarted]), None);
    }
}
