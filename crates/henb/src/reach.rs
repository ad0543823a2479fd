//! How the cell reaches its operator, and the way back when a change leads nowhere. (X-07)
//!
//! ```text
//!   working set ──changed in one SetParameterValues──▶ tried ──a session closes──▶ the working set
//!                                                        └──FALL_BACK_AFTER failures──▶ back to the working set
//! ```
//!
//! A set is the URL and the security gateways together: half of an old one and half of a new one is tried by nobody.
//! Pure: the caller says what was tried and how it ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Failures in a row after which a new set is given up: some three minutes by the retry table. (C-10)
pub(crate) const FALL_BACK_AFTER: u32 = 5;

/// Paths and values that together say where the operator is.
pub(crate) type Places = BTreeMap<String, String>;

/// The set that worked last, and how the present one fares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reach {
    working: Option<Places>,
    tried: Option<Places>,
    failures: u32,
}

impl Reach {
    /// A session with this set closed well.
    pub(crate) fn closed(&mut self, places: Places) {
        *self = Self { working: Some(places), tried: None, failures: 0 };
    }

    /// A session with this set failed; gives the set to go back to, where it is time.
    pub(crate) fn failed(&mut self, places: &Places) -> Option<Places> {
        let working = self.working.as_ref().filter(|working| *working != places)?;
        if self.tried.as_ref() != Some(places) {
            (self.tried, self.failures) = (Some(places.clone()), 0);
        }
        self.failures += 1;
        if self.failures < FALL_BACK_AFTER {
            return None;
        }
        let working = working.clone();
        (self.tried, self.failures) = (None, 0);
        Some(working)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(url: &str) -> Places {
        Places::from([("URL".to_owned(), url.to_owned())])
    }

    fn failures_until_back(reach: &mut Reach, places: &Places) -> u32 {
        (1..100).find(|_| reach.failed(places).is_some()).unwrap_or(100)
    }

    #[test]
    fn x07_a_set_that_leads_nowhere_is_given_up_after_some_failures() {
        let mut reach = Reach::default();
        reach.closed(places("a"));
        assert_eq!(failures_until_back(&mut reach, &places("b")), FALL_BACK_AFTER);
        assert_eq!(reach.failed(&places("a")), None);
    }

    #[test]
    fn x07_what_worked_is_never_given_up_and_without_it_there_is_no_way_back() {
        let mut reach = Reach::default();
        assert_eq!(failures_until_back(&mut reach, &places("a")), 100);
        reach.closed(places("a"));
        assert_eq!(failures_until_back(&mut reach, &places("a")), 100);
    }

    #[test]
    fn x07_another_set_gets_its_own_tries_and_a_success_makes_it_the_working_one() {
        let mut reach = Reach::default();
        reach.closed(places("a"));
        (1..FALL_BACK_AFTER).for_each(|_| assert_eq!(reach.failed(&places("b")), None));
        assert_eq!(reach.failed(&places("c")), None);
        reach.closed(places("c"));
        (1..FALL_BACK_AFTER).for_each(|_| assert_eq!(reach.failed(&places("b")), None));
        assert_eq!(reach.failed(&places("b")), Some(places("c")));
    }
}
