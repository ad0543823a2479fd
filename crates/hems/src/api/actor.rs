//! Who asks. The router says it to each handler.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Problem, templates::REASON_MAX};
use crate::store::Act;

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Actor(pub(super) Arc<str>);

impl Actor {
    /// What it does, with its reason.
    pub(super) fn act(&self, reason: &str, at: Timestamp) -> Result<Act, Problem> {
        if reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control) {
            return Err(Problem::invalid(format!(
                "a reason has at most {REASON_MAX} characters, and none that control a terminal"
            )));
        }
        Ok(Act { author: self.0.to_string(), reason: reason.to_owned(), at })
    }
}
