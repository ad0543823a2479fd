//! How the revocation lists stand, and what operators decided about stale ones: pure. (A-11, decision 8)
//!
//! ```text
//!   next update ──▶ stale: counts, an alarm ──▶ grace over: refused
//!                                          └─ an operator's act moves this end, for one anchor, for a while
//! ```

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use profile::revocation::{CrlFacts, CrlPolicy};
use serde::Serialize;

use crate::store::{GraceRow, at};

/// The longest extension of one act: whoever needs more has to say so again.
pub(crate) const EXTENSION_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Until when the lists of each anchor count by the newest act about it.
pub(crate) type Graces = BTreeMap<String, Timestamp>;

/// The acts that count; `rows` are the newest first.
pub(crate) fn in_force(rows: &[GraceRow]) -> Graces {
    rows.iter().rev().map(|row| (row.anchor.clone(), at(row.until_at))).collect()
}

/// How a list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// In force.
    Current,
    /// It begins in the future of our clock.
    Early,
    /// Its successor is due, and it still counts.
    Stale,
    /// Grace is over: what its issuer issued is refused.
    Over,
}

/// A list of an anchor, and how long it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListFacts {
    pub(crate) anchor: String,
    pub(crate) list: CrlFacts,
    /// The end of its grace, with what operators added.
    pub(crate) counts_until: Timestamp,
}

impl ListFacts {
    /// A list under the policy of its anchor.
    pub(crate) fn new(anchor: String, list: CrlFacts, policy: CrlPolicy) -> Self {
        let grace = SignedDuration::try_from(policy.grace).unwrap_or(SignedDuration::MAX);
        let end = list.next_update.checked_add(grace).unwrap_or(Timestamp::MAX);
        let counts_until = policy.extended_until.map_or(end, |extended| extended.max(end));
        Self { anchor, list, counts_until }
    }

    /// How it stands at `now`.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        match now {
            now if now < self.list.this_update => Standing::Early,
            now if now <= self.list.next_update => Standing::Current,
            now if now <= self.counts_until => Standing::Stale,
            _ => Standing::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    fn list(extended_until: Option<Timestamp>) -> ListFacts {
        let list = CrlFacts {
            issuer: "CN=maker".to_owned(),
            number: Some("7".to_owned()),
            this_update: hour(10),
            next_update: hour(20),
            revoked: 0,
            is_verified: true,
        };
        let policy = CrlPolicy { grace: Duration::from_secs(3600 * 5), extended_until };
        ListFacts::new("maker".to_owned(), list, policy)
    }

    #[test]
    fn a11_a_list_is_stale_for_its_grace_and_then_over() {
        let standings = [9, 10, 20, 21, 25, 26].map(|at| list(None).standing(hour(at)));
        use Standing::{Current, Early, Over, Stale};
        assert_eq!(standings, [Early, Current, Current, Stale, Stale, Over]);
    }

    #[test]
    fn a11_an_act_moves_the_end_outwards_only() {
        assert_eq!(list(Some(hour(40))).standing(hour(40)), Standing::Stale);
        assert_eq!(list(Some(hour(40))).standing(hour(41)), Standing::Over);
        assert_eq!(list(Some(hour(21))).standing(hour(25)), Standing::Stale);
    }

    #[test]
    fn a11_the_newest_act_about_an_anchor_counts() {
        let act = |anchor: &str, until: i64, made: i64| GraceRow {
            anchor: anchor.to_owned(),
            until_at: hour(until).as_millisecond(),
            reason: String::new(),
            made_by: String::new(),
            made_at: made,
        };
        let graces = in_force(&[act("a", 1, 30), act("b", 9, 20), act("a", 50, 10)]);
        assert_eq!(graces, [("a".to_owned(), hour(1)), ("b".to_owned(), hour(9))].into());
    }
}
