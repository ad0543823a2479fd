//! A change of what is desired, and how it reaches the devices: one after the other, within a budget. (decision 20)
//!
//! While a change is under way each device that serves keeps what was desired before, until it is released. What
//! becomes of those that were released decides whether others follow. A device that never served follows at once: it
//! has nothing to lose.
//!
//! ```text
//!            second person             all settled
//!  waiting ───────────────▶ running ───────────────▶ done
//!     │                     │  ▲                      ▲
//!     │      too many fell  ▼  │ resume               │ finish: the rest follows when it calls
//!     │                    stopped ───────────────────┘
//!     └────────────────────────┴──▶ withdrawn           released devices go back
//! ```
//!
//! A change ends by itself too: when for some days no further device has asked to follow, the rest is counted as not
//! reached, and follows when it calls.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use crate::config::Changes as Bounds;

/// Devices that may be released within an hour whatever part of the fleet that is: a laboratory is no network.
const LEAST_PER_HOUR: i64 = 10;

/// Days that a change may wait for a further device: whoever does not call for a year is gone.
pub(crate) const DAYS_MAX: u32 = 365;

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "ChangeState")]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// The devices of an action are being listed.
    Preparing,
    /// For a second person.
    Waiting,
    Running,
    /// By itself or by somebody.
    Stopped,
    Done,
    Withdrawn,
}

/// What became of a released device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It serves.
    Fine,
    /// It is off the air, as is desired: there is nothing to watch.
    Off,
    /// A step of its plan failed.
    Faulted,
    /// It does not serve any more.
    Fell,
    /// It does not call any more.
    Lost,
}

/// How many devices went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(crate) struct Tally {
    /// Serving devices that were concerned when it began.
    pub(crate) matched: i64,
    pub(crate) released: i64,
    pub(crate) fine: i64,
    pub(crate) faulted: i64,
    pub(crate) fell: i64,
    pub(crate) lost: i64,
    /// Those that had not followed when it ended.
    pub(crate) unreached: i64,
    /// Those of them that followed since.
    pub(crate) late: i64,
}

/// How much is left of what may be changed within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) per_hour: i64,
    pub(crate) left: i64,
    /// When there is one again, where none is left.
    pub(crate) next_at: Option<Timestamp>,
}

/// As many cells were changed within an hour as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("as many cells were changed within an hour as the budget allows; the next one may be at {next_at}")]
pub struct Spent {
    next_at: Timestamp,
    /// Seconds until then.
    pub(crate) wait: u32,
}

impl Budget {
    /// What hinders one more; nothing where the budget has it.
    pub(crate) fn spent(&self, now: Timestamp) -> Option<Spent> {
        let next_at = self.next_at?;
        let ms = next_at.as_millisecond().saturating_sub(now.as_millisecond()).max(0);
        // A second too many rather than one too few.
        Some(Spent { next_at, wait: u32::try_from(ms / 1_000 + 1).unwrap_or(u32::MAX) })
    }
}

impl Bounds {
    /// Devices that may be released within an hour.
    pub(crate) fn per_hour(&self, fleet: i64) -> i64 {
        let share = (fleet * i64::from(self.fleet_percent) / 100).max(LEAST_PER_HOUR);
        share.min(self.cells_per_hour.into())
    }

    /// For how many days a change waits for a further device: what somebody asked for, or what is usual.
    pub(crate) fn days(&self, asked: Option<u32>) -> Option<i64> {
        let days = asked.unwrap_or(self.finish_days);
        (1..=DAYS_MAX).contains(&days).then(|| days.into())
    }

    /// How a change begins.
    pub(crate) fn begin(&self, matched: i64) -> State {
        match matched {
            0 => State::Done,
            _ if matched > i64::from(self.second_person_above) => State::Waiting,
            _ => State::Running,
        }
    }

    /// Why a running change goes no further, or that all of it is done.
    pub(crate) fn next(&self, tally: &Tally) -> (State, Option<String>) {
        let bad = tally.faulted + tally.fell + tally.lost;
        let share = tally.released * i64::from(self.stop_percent);
        if bad > i64::from(self.stop_above) && bad * 100 > share {
            let Tally { released, faulted, fell, lost, .. } = tally;
            let note = format!(
                "of {released} released devices {faulted} faulted, {fell} serve no more and {lost} were lost; more \
                 than {} and more than {} % stop a change",
                self.stop_above, self.stop_percent
            );
            return (State::Stopped, Some(note));
        }
        let is_done = tally.released >= tally.matched && tally.fine + bad >= tally.released;
        (if is_done { State::Done } else { State::Running }, None)
    }
}

impl State {
    /// As it is stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Done => "done",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads it back.
    pub(crate) fn read(name: &str) -> Self {
        match name {
            "preparing" => Self::Preparing,
            "waiting" => Self::Waiting,
            "running" => Self::Running,
            "stopped" => Self::Stopped,
            "done" => Self::Done,
            _ => Self::Withdrawn,
        }
    }

    /// Whether it still holds devices apart.
    pub(crate) fn is_under_way(self) -> bool {
        matches!(self, Self::Preparing | Self::Waiting | Self::Running | Self::Stopped)
    }
}

impl Outcome {
    /// As it is stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fine | Self::Off => "fine",
            Self::Faulted => "faulted",
            Self::Fell => "fell",
            Self::Lost => "lost",
        }
    }
}

/// Bounds that a test can reach.
#[cfg(test)]
pub(crate) const BOUNDS: Bounds = Bounds {
    cells_per_hour: 1000,
    fleet_percent: 10,
    second_person_above: 500,
    stop_percent: 5,
    stop_above: 2,
    settle_seconds: 900,
    finish_days: 7,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_and_a_part_of_the_fleet() {
        let hours = [0, 50, 200, 5_000, 1_000_000].map(|fleet| BOUNDS.per_hour(fleet));
        assert_eq!(hours, [10, 10, 20, 500, 1000]);
        assert_eq!(
            Bounds { cells_per_hour: 3, ..BOUNDS }.per_hour(50),
            3,
            "what somebody wrote is never exceeded"
        );
    }

    #[test]
    fn a_spent_budget_says_from_when_there_is_one_more() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let budget = Budget { per_hour: 2, left: 0, next_at: Some(at(3_600_000)) };
        let spent = budget.spent(at(1_500)).unwrap();
        assert_eq!(spent.wait, 3_599);
        assert!(spent.to_string().ends_with("may be at 1970-01-01T01:00:00Z"), "{spent}");
        assert_eq!(Budget { left: 1, next_at: None, ..budget }.spent(at(0)), None);
    }

    #[test]
    fn a_large_change_needs_a_second_person_and_an_empty_one_nobody() {
        assert_eq!(
            [0, 1, 500, 501].map(|matched| BOUNDS.begin(matched)),
            [State::Done, State::Running, State::Running, State::Waiting]
        );
    }

    #[test]
    fn a_change_stops_where_too_many_fall() {
        let tally = |released, faulted, fell, lost| Tally {
            matched: 1000,
            released,
            faulted,
            fell,
            lost,
            ..Tally::default()
        };
        for (tally, expected) in [
            (tally(2, 1, 1, 0), State::Running),
            (tally(3, 1, 1, 1), State::Stopped),
            (tally(60, 1, 1, 1), State::Running),
            (tally(59, 0, 3, 0), State::Stopped),
            (tally(1000, 0, 10, 0), State::Running),
        ] {
            let (state, note) = BOUNDS.next(&tally);
            assert_eq!((state, note.is_some()), (expected, expected == State::Stopped), "{tally:?}");
        }
    }

    #[test]
    fn a_change_is_done_when_what_became_of_each_device_is_known() {
        let tally = Tally { matched: 3, released: 3, fine: 1, faulted: 1, ..Tally::default() };
        assert_eq!(BOUNDS.next(&tally).0, State::Running);
        assert_eq!(BOUNDS.next(&Tally { fine: 2, ..tally }).0, State::Done);
        assert_eq!(BOUNDS.next(&Tally { fine: 2, matched: 4, ..tally }).0, State::Running);
    }
}
