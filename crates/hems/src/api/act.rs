//! Who does something, and why: what a change of the network is kept with.

use jiff::Timestamp;

use super::{Problem, templates::REASON_MAX};
use crate::{people::Caller, store::Act};

impl Caller {
    /// What it does, with its reason.
    pub(super) fn act(&self, reason: &str, at: Timestamp) -> Result<Act, Problem> {
        if reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control) {
            return Err(Problem::invalid(format!(
                "a reason has at most {REASON_MAX} characters, and none that control a terminal"
            )));
        }
        Ok(Act { author: self.name.clone(), reason: reason.to_owned(), at })
    }
}
