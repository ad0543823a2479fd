//! Which roots the cell trusts, and how that changes: pure. (A-06, decision 6)
//!
//! A signed bundle is the whole set of roots from now on, but the old set stays beside it until the new one has carried
//! a session: a bundle without the root of our H(e)MS locks nobody out. Sequence numbers never go back. Another set in
//! the configuration wins over what was carried so far.
//!
//! ```text
//!   proven ──offer──▶ proven + trial ──a session under a root of trial──▶ proven = trial
//! ```

use profile::{RootCertificate, StatementError, TrustBundle};
use serde::{Deserialize, Serialize};

/// The roots of one cell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// Of the last bundle that was taken; 0 before the first.
    pub sequence: u64,
    /// What the configuration gave.
    configured: Vec<RootCertificate>,
    /// The set that has carried a session, or that the cell began with.
    proven: Vec<RootCertificate>,
    /// The set of a bundle that has not carried a session yet.
    trial: Option<Vec<RootCertificate>>,
}

impl Trust {
    /// Goes on with what was kept, or begins anew where the configuration names other roots than then.
    pub(crate) fn start(kept: Self, configured: Vec<RootCertificate>) -> Self {
        if kept.configured == configured {
            return kept;
        }
        Self { sequence: kept.sequence, proven: configured.clone(), configured, trial: None }
    }

    /// Takes a bundle that was signed well; says whether it is news. The same one again changes nothing.
    pub(crate) fn offer(&mut self, bundle: &TrustBundle) -> Result<bool, StatementError> {
        let latest = self.trial.as_ref().unwrap_or(&self.proven);
        if bundle.sequence == self.sequence && *latest == bundle.roots {
            return Ok(false);
        }
        if bundle.sequence <= self.sequence {
            return Err(StatementError::Replayed { found: bundle.sequence, known: self.sequence });
        }
        (self.sequence, self.trial) = (bundle.sequence, Some(bundle.roots.clone()));
        Ok(true)
    }

    /// A session closed well under this root; says whether the old roots go now.
    pub(crate) fn carried(&mut self, root: &str) -> bool {
        let is_new =
            |roots: &Vec<RootCertificate>| roots.iter().any(|known| known.fingerprint_sha256 == root);
        let Some(roots) = self.trial.take_if(|roots| is_new(roots)) else { return false };
        self.proven = roots;
        true
    }

    /// Every root that is trusted now.
    pub(crate) fn roots(&self) -> Vec<&RootCertificate> {
        let mut roots: Vec<&RootCertificate> = self.proven.iter().collect();
        for root in self.trial.iter().flatten() {
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        roots
    }

    /// Whether the roots are others than the configured ones.
    pub(crate) fn is_changed(&self) -> bool {
        self.trial.is_some() || self.proven != self.configured
    }

    /// The roots as a PEM file.
    pub(crate) fn pem(&self) -> String {
        self.roots().iter().map(|root| root.pem.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(names: &[&str]) -> Vec<RootCertificate> {
        let root = |name: &&str| RootCertificate {
            pem: format!("{name}\n"),
            fingerprint_sha256: (*name).to_owned(),
        };
        names.iter().map(root).collect()
    }

    fn bundle(sequence: u64, names: &[&str]) -> TrustBundle {
        let at = jiff::Timestamp::UNIX_EPOCH;
        TrustBundle { sequence, not_before: at, not_after: at, roots: roots(names) }
    }

    fn names(trust: &Trust) -> String {
        trust.pem().replace('\n', " ")
    }

    #[test]
    fn a06_old_roots_stay_until_the_new_ones_have_carried_a_session() {
        let mut trust = Trust::start(Trust::default(), roots(&["old"]));
        assert_eq!((names(&trust).as_str(), trust.is_changed()), ("old ", false));
        assert_eq!(trust.offer(&bundle(1, &["new", "newer"])), Ok(true));
        assert_eq!(names(&trust), "old new newer ");
        assert!(!trust.carried("old"));
        assert_eq!(names(&trust), "old new newer ");
        assert!(trust.carried("newer"));
        assert_eq!(names(&trust), "new newer ");
        assert!(!trust.carried("newer") && trust.is_changed());
    }

    #[test]
    fn a06_side_by_side_needs_no_session_under_the_new_root() {
        let mut trust = Trust::start(Trust::default(), roots(&["old"]));
        trust.offer(&bundle(1, &["old", "new"])).unwrap();
        assert!(trust.carried("old"));
        assert_eq!(names(&trust), "old new ");
    }

    #[test]
    fn a06_a_sequence_number_never_goes_back() {
        let mut trust = Trust::start(Trust::default(), roots(&["old"]));
        trust.offer(&bundle(5, &["new"])).unwrap();
        assert_eq!(trust.offer(&bundle(5, &["new"])), Ok(false));
        for (sequence, names) in [(5, ["other"]), (4, ["new"]), (0, ["old"])] {
            let refused = Err(StatementError::Replayed { found: sequence, known: 5 });
            assert_eq!(trust.offer(&bundle(sequence, &names)), refused);
        }
        trust.carried("new");
        assert_eq!(trust.offer(&bundle(5, &["new"])), Ok(false));
        assert_eq!(trust.offer(&bundle(6, &["third"])), Ok(true));
        assert_eq!(names(&trust), "new third ");
    }

    #[test]
    fn a06_a_trial_that_fails_is_replaced_by_the_next_bundle() {
        let mut trust = Trust::start(Trust::default(), roots(&["old"]));
        trust.offer(&bundle(1, &["mistake"])).unwrap();
        trust.offer(&bundle(2, &["new"])).unwrap();
        assert_eq!(names(&trust), "old new ");
    }

    #[test]
    fn a06_other_roots_in_the_configuration_win_and_the_number_stays() {
        let mut trust = Trust::start(Trust::default(), roots(&["old"]));
        trust.offer(&bundle(3, &["new"])).unwrap();
        trust.carried("new");
        let same = Trust::start(trust.clone(), roots(&["old"]));
        assert_eq!(same, trust);
        let mut other = Trust::start(trust, roots(&["other"]));
        assert_eq!((names(&other).as_str(), other.sequence), ("other ", 3));
        assert!(other.offer(&bundle(2, &["new"])).is_err());
    }
}
