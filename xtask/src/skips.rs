//! Tests that could not run, and whether that is forgivable.
//!
//! A test that lacks something appends one line `name: why` to the file named by `$HEARTH_SKIPS` and returns.
//! A skip for want of the oracles names `HEARTH_ORACLES` in its why: forgivable where the folder is absent,
//! a failure where it is there. One for want of files that may be neither kept here nor installed names
//! `HEARTH_SPLIT_MODELS`: forgivable anywhere. Any other skip is for want of something that `./x` installs: forgivable
//! on a machine where it could not, a failure in CI.

use std::fmt;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) line: String,
    /// Why it counts as a failure, if it does.
    pub(crate) failure: Option<&'static str>,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failure {
            None => write!(f, "{}", self.line),
            Some(why) => write!(f, "{} (a failure: {why})", self.line),
        }
    }
}

/// Where the run took place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) has_oracles: bool,
    pub(crate) is_ci: bool,
}

/// Judges the lines of the file; the same line twice is one skip.
pub(crate) fn judge(lines: &str, place: Place) -> Vec<Skip> {
    let mut lines: Vec<&str> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    lines.into_iter().map(|line| Skip { line: line.into(), failure: failure(line, place) }).collect()
}

fn failure(line: &str, place: Place) -> Option<&'static str> {
    if line.contains("HEARTH_ORACLES") {
        place.has_oracles.then_some("the oracles are there")
    } else if line.contains("HEARTH_SPLIT_MODELS") {
        None
    } else {
        place.is_ci.then_some("./x could have installed it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "b: no HEARTH_ORACLES\na: no faketime\na: no faketime\n";

    fn failing(has_oracles: bool, is_ci: bool) -> Vec<bool> {
        judge(LINES, Place { has_oracles, is_ci }).iter().map(|skip| skip.failure.is_some()).collect()
    }

    #[test]
    fn what_may_not_be_kept_here_is_forgiven_anywhere() {
        let place = Place { has_oracles: true, is_ci: true };
        assert_eq!(judge("d: no $HEARTH_SPLIT_MODELS", place)[0].failure, None);
    }

    #[test]
    fn absent_oracles_are_forgiven_present_ones_are_not() {
        assert_eq!(failing(false, false), [false, false]);
        assert_eq!(failing(true, false), [false, true]);
    }

    #[test]
    fn ci_forgives_no_missing_tool() {
        assert_eq!(failing(false, true), [true, false]);
    }
}
