//! When the cell turns to the recovery endpoint, and back: pure. (G-03, decision 6)
//!
//! A cell that has lain too long, or lost its roots, refuses its H(e)MS and can tell nobody. After so many refusals of
//! the H(e)MS's certificate in a row it calls an endpoint that keeps a long-lived certificate under an anchor of its
//! own: there its clock and its roots are put right. It always goes back, whatever became of that.
//!
//! ```text
//!   serving ──N refusals in a row──▶ recovery ──closed──▶ serving, counted anew
//!      ▲                                │
//!      └────────── failed ──────────────┘   and again after the next refusal
//! ```

use serde::{Deserialize, Serialize};

/// Which endpoint a session goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The H(e)MS of the data model.
    Serving,
    /// The recovery endpoint.
    Recovery,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Well.
    Closed,
    /// The peer's certificate was refused.
    Refused,
    /// Otherwise.
    Failed,
}

/// What the cell remembers of refusals, over power cuts too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    refusals: u32,
    /// The next session goes there.
    is_next: bool,
}

impl Recovery {
    /// Where the next session goes.
    pub(crate) fn target(self) -> Target {
        if self.is_next { Target::Recovery } else { Target::Serving }
    }

    /// A session with `target` ended; `after` is how many refusals in a row lead to the recovery endpoint.
    pub(crate) fn ended(&mut self, target: Target, outcome: Outcome, after: u32) {
        match (target, outcome) {
            (_, Outcome::Closed) => *self = Self::default(),
            (Target::Recovery, Outcome::Refused | Outcome::Failed) => self.is_next = false,
            (Target::Serving, Outcome::Refused) => {
                self.refusals = self.refusals.saturating_add(1);
                self.is_next = self.refusals >= after;
            }
            // A network that is away says nothing about certificates.
            (Target::Serving, Outcome::Failed) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where each session went, given how each ended.
    fn walk(outcomes: &[Outcome]) -> String {
        let mut recovery = Recovery::default();
        let mut path = String::new();
        for outcome in outcomes {
            let target = recovery.target();
            path.push(if target == Target::Recovery { 'R' } else { 's' });
            recovery.ended(target, *outcome, 3);
        }
        path
    }

    #[test]
    fn g03_refusals_in_a_row_lead_to_the_recovery_endpoint_and_it_always_goes_back() {
        use Outcome::{Closed, Failed, Refused};
        assert_eq!(walk(&[Refused; 4]), "sssR");
        assert_eq!(walk(&[Refused, Refused, Refused, Closed, Refused, Refused, Refused, Closed]), "sssRsssR");
        assert_eq!(walk(&[Refused, Refused, Refused, Failed, Refused, Refused, Failed, Closed]), "sssRsRss");
    }

    #[test]
    fn g03_a_network_that_is_away_leads_nowhere_and_a_good_session_starts_the_count_anew() {
        use Outcome::{Closed, Failed, Refused};
        assert_eq!(walk(&[Failed; 9]), "sssssssss");
        assert_eq!(walk(&[Refused, Refused, Closed, Refused, Refused, Refused]), "ssssss");
        assert_eq!(walk(&[Refused, Failed, Refused, Failed, Refused, Closed]), "sssssR");
    }
}
