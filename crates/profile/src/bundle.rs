//! The two statements that an operator signs for cells: a set of roots, and the time. (K-02, decisions 6 and 28)
//!
//! A [`TrustBundle`] is the whole set of roots from now on, old and new side by side while a change lasts. A
//! [`ClockCorrection`] sets back a clock that stands after a named time: an old one, shown to a cell whose clock is
//! right, therefore changes nothing. Both carry a sequence number that never goes back; the cell keeps it.

use jiff::Timestamp;
use openssl::x509::X509;
use serde::{Deserialize, Serialize};

use crate::certificate::CertificateFacts;
use crate::context::{self, KeyPair};
use crate::identity::Identity;
use crate::pki::PkiError;
use crate::profile::Profile;
use crate::statement::{self, StatementError, malformed};
use crate::verify;

/// Most roots of one bundle: an operator has a few.
pub const MOST_ROOTS: usize = 32;

/// What kind of statement it is, so that none is taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    #[serde(rename = "hearth-trust-bundle")]
    TrustBundle,
    #[serde(rename = "hearth-clock-correction")]
    ClockCorrection,
}

/// A root as a cell keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootCertificate {
    /// The certificate in PEM.
    pub pem: String,
    /// SHA-256 of the certificate in hexadecimal.
    pub fingerprint_sha256: String,
}

impl RootCertificate {
    /// The certificates of a PEM text, each once.
    ///
    /// # Errors
    /// There is none, too many, or one that cannot be read.
    pub fn read_all(pem: &[u8]) -> Result<Vec<Self>, StatementError> {
        let mut roots: Vec<Self> = Vec::new();
        for certificate in
            X509::stack_from_pem(pem).map_err(|_| malformed("a root is no certificate in PEM"))?
        {
            let facts = certificate.to_der().ok().and_then(|der| CertificateFacts::read(&der));
            let facts = facts.ok_or_else(|| malformed("a root cannot be read"))?;
            let text = certificate.to_pem().ok().and_then(|pem| String::from_utf8(pem).ok());
            let pem = text.ok_or_else(|| malformed("a root cannot be written"))?;
            let root = Self { pem, fingerprint_sha256: facts.fingerprint_sha256 };
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        if (1..=MOST_ROOTS).contains(&roots.len()) {
            return Ok(roots);
        }
        Err(malformed(format!("there are {} roots; 1 to {MOST_ROOTS} are right", roots.len())))
    }

    /// Whether cells can trust it: a CA, self-signed, of a key that `profile` does not call weak.
    ///
    /// # Errors
    /// What a cell would say of the bundle, with 9018.
    pub fn check(&self, profile: &Profile) -> Result<(), StatementError> {
        let der = X509::from_pem(self.pem.as_bytes()).and_then(|root| root.to_der()).map_err(malformed)?;
        let root = verify::read(&der).map_err(malformed)?;
        context::root_fault(&root, profile).map_or(Ok(()), |fault| Err(StatementError::Root(fault)))
    }

    /// What the certificate says.
    #[must_use]
    pub fn facts(&self) -> Option<CertificateFacts> {
        CertificateFacts::read(&X509::from_pem(self.pem.as_bytes()).ok()?.to_der().ok()?)
    }
}

/// The set of roots that cells shall trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustBundle {
    /// Higher than that of every bundle before.
    pub sequence: u64,
    /// From when on it may be taken.
    pub not_before: Timestamp,
    /// Until when it may be taken; the roots themselves stay.
    pub not_after: Timestamp,
    /// All roots, the old ones that shall stay too.
    pub roots: Vec<RootCertificate>,
}

/// A bundle as it is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedBundle {
    kind: Kind,
    sequence: u64,
    not_before: Timestamp,
    not_after: Timestamp,
    roots: Vec<String>,
}

impl TrustBundle {
    /// Opens a file that was signed under one of `anchors` (PEM), by the cell's clock.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn open(file: &[u8], anchors: &[u8], now: Timestamp) -> Result<Self, StatementError> {
        let content = statement::open(file, anchors, now)?;
        let signed: SignedBundle = serde_json::from_slice(&content).map_err(malformed)?;
        if signed.kind != Kind::TrustBundle {
            return Err(malformed("it is signed as something else than a trust bundle"));
        }
        let (from, until) = (signed.not_before, signed.not_after);
        if now < from || now > until {
            return Err(StatementError::Dates { from, until, now });
        }
        let roots = RootCertificate::read_all(signed.roots.concat().as_bytes())?;
        Ok(Self { sequence: signed.sequence, not_before: from, not_after: until, roots })
    }

    /// Signs it.
    ///
    /// # Errors
    /// The signer's files cannot be used.
    pub fn seal(&self, signer: &KeyPair) -> Result<Vec<u8>, PkiError> {
        let signed = SignedBundle {
            kind: Kind::TrustBundle,
            sequence: self.sequence,
            not_before: self.not_before,
            not_after: self.not_after,
            roots: self.roots.iter().map(|root| root.pem.clone()).collect(),
        };
        statement::seal(&serde_json::to_vec_pretty(&signed).map_err(PkiError::Json)?, signer)
    }
}

/// The operator's word on the time, for cells whose clock went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockCorrection {
    /// Higher than that of every correction before, and never 0.
    pub sequence: u64,
    /// Only a clock that stands after this is wrong.
    pub clock_after: Timestamp,
    /// What it shall be set to: the time of signing.
    pub time: Timestamp,
    /// For whom; nobody named means every cell whose clock is wrong.
    pub cells: Vec<String>,
}

/// A correction as it is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedCorrection {
    kind: Kind,
    sequence: u64,
    clock_after: Timestamp,
    time: Timestamp,
    cells: Vec<String>,
}

impl ClockCorrection {
    /// Opens a file that was signed under one of `anchors` (PEM); the signer's certificate must be valid by the wrong
    /// clock and at the time that it is set to.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn open(file: &[u8], anchors: &[u8], now: Timestamp) -> Result<Self, StatementError> {
        let content = statement::open(file, anchors, now)?;
        let signed: SignedCorrection = serde_json::from_slice(&content).map_err(malformed)?;
        if signed.kind != Kind::ClockCorrection || signed.sequence == 0 {
            return Err(malformed(
                "it is signed as something else than a clock correction with a number above 0",
            ));
        }
        statement::open(file, anchors, signed.time)?;
        let SignedCorrection { sequence, clock_after, time, cells, .. } = signed;
        Ok(Self { sequence, clock_after, time, cells })
    }

    /// Whether it is for this cell with this clock.
    ///
    /// # Errors
    /// It is for others.
    pub fn concerns(&self, identity: &Identity, now: Timestamp) -> Result<(), StatementError> {
        if !self.cells.is_empty() && !self.cells.iter().any(|cell| cell == identity.as_str()) {
            return Err(StatementError::Concern(format!("{identity} is not named in it")));
        }
        if now <= self.clock_after {
            let text = format!("it is for clocks after {}, and this one says {now}", self.clock_after);
            return Err(StatementError::Concern(text));
        }
        Ok(())
    }

    /// Signs it.
    ///
    /// # Errors
    /// The signer's files cannot be used.
    pub fn seal(&self, signer: &KeyPair) -> Result<Vec<u8>, PkiError> {
        let signed = SignedCorrection {
            kind: Kind::ClockCorrection,
            sequence: self.sequence,
            clock_after: self.clock_after,
            time: self.time,
            cells: self.cells.clone(),
        };
        statement::seal(&serde_json::to_vec_pretty(&signed).map_err(PkiError::Json)?, signer)
    }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
