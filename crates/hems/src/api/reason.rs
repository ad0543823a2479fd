//! The reason that an operator gives for an act, as it is kept.

use super::Problem;

/// Characters of a reason: a sentence.
pub(super) const REASON_MAX: usize = 256;

/// A reason without the white space around it.
pub(super) fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > REASON_MAX || text.chars().any(char::is_control) {
        return Err(Problem::invalid(format!("`reason` says why in 1 to {REASON_MAX} characters")));
    }
    Ok(text.to_owned())
}
