//! Who was revoked: lists of the whole chain, and the stapled answer for one certificate. (TS 33.320 8.3.3, A-11, A-12)
//!
//! ```text
//!   files ──┐                       ┌─ revoked, whatever else ─▶ refusal
//!           ├─▶ CrlBook ──▶ check ──┤
//!   kept ───┘   highest number      ├─ missing, bad, early, too late ─▶ refusal
//!               with a good         └─ current, or stale within grace ─▶ standing
//!               signature
//! ```
//!
//! A list is judged three times: when it is read (form, extensions, strength), when the issuer is at hand (its
//! signature), and at each connection (dates, serial), by the caller's time: the engine's own checks of lists and
//! staples know other clocks. What was accepted is kept, so that neither a restart nor an older file takes a
//! revocation back. (Decision 8, T-08)

mod crl;
mod keep;
mod note;
pub mod ocsp;
mod read;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use x509_parser::prelude::X509Certificate;

use crate::certificate::{MAX_TEXT, bounded, hex};
use crate::context::ContextError;
use crate::refusal::{Reason, Refusal};
use crate::verify;
use crl::{Crl, Flaw};
use keep::Keep;
pub use note::{CrlNote, CrlTrouble};

/// The largest file of lists: a million entries fit.
pub const MAX_CRL_FILE: u64 = 64 << 20;
/// The most lists of one book: a root and some CAs of every manufacturer.
pub const MAX_CRLS: usize = 1024;
/// How long a list may be stale by default: a broken distribution point shall not take a fleet down. (Decision 8)
pub const CRL_GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What an anchor says about stale lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrlPolicy {
    /// How long after its next update a list still counts.
    pub grace: Duration,
    /// Until when an operator extended that, by an act that is on record.
    pub extended_until: Option<Timestamp>,
}

impl Default for CrlPolicy {
    fn default() -> Self {
        Self { grace: CRL_GRACE, extended_until: None }
    }
}

/// How fresh the lists are that spoke for a chain; the worst of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrlStanding {
    /// All are in force.
    Current,
    /// One is of a time that our unsynchronised clock has not reached: tolerated, to be logged.
    Early {
        /// When the list begins.
        this_update: Timestamp,
    },
    /// One should have been replaced by now: an alarm.
    Stale {
        /// When its successor was due.
        since: Timestamp,
        /// When connections will be refused for it.
        until: Timestamp,
    },
}

impl CrlStanding {
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Stale { until: one, .. }, Self::Stale { until: two, .. }) if two < one => other,
            (Self::Stale { .. }, _) | (_, Self::Current) => self,
            (Self::Current | Self::Early { .. }, _) => other,
        }
    }
}

/// One list of the book, for who shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlFacts {
    /// Who issued it.
    pub issuer: String,
    /// Its number in hexadecimal, where it has one.
    pub number: Option<String>,
    /// When it begins.
    pub this_update: Timestamp,
    /// When its successor is due.
    pub next_update: Timestamp,
    /// How many certificates it revokes.
    pub revoked: usize,
    /// Whether its signature was found good. It is looked at when a chain of the issuer comes.
    pub is_verified: bool,
}

/// The lists that count, by issuer.
#[derive(Debug, Default)]
pub struct CrlBook {
    /// By the issuer's name as encoded; the highest number first.
    lists: HashMap<Vec<u8>, Vec<Arc<Crl>>>,
    /// Why an issuer has none, where a file had one.
    refused: HashMap<Vec<u8>, String>,
    keep: Option<Keep>,
    /// What was found out since it was loaded.
    found: Mutex<Vec<CrlNote>>,
}

impl CrlBook {
    /// Reads files of one or more lists each, PEM or DER, on top of what `keep_folder` remembers.
    ///
    /// A list that cannot be used becomes a note, and the one before stays. For a reload, load again: without a
    /// folder nothing is remembered.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or read.
    pub fn load(files: &[PathBuf], keep_folder: Option<&Path>) -> Result<(Self, Vec<CrlNote>), ContextError> {
        let mut book = Self::default();
        let mut notes = Vec::new();
        if let Some(folder) = keep_folder {
            let (keep, kept) = Keep::open(folder, &mut notes)?;
            for crl in kept {
                book.insert(crl);
            }
            book.keep = Some(keep);
        }
        for path in files {
            book.add_file(path, &mut notes);
        }
        for lists in book.lists.values_mut() {
            lists.sort_by(|one, two| two.age().cmp(&one.age()));
        }
        Ok((book, notes))
    }

    fn add_file(&mut self, path: &Path, notes: &mut Vec<CrlNote>) {
        let ders = match read_file(path).and_then(|bytes| read::lists(&bytes)) {
            Ok(ders) => ders,
            Err(detail) => return notes.push(CrlNote::new(CrlTrouble::Unreadable, path, "", &detail)),
        };
        for der in ders {
            match Crl::read(der) {
                Ok(crl) => notes.extend(self.admit(crl, path)),
                Err(flaw) => notes.push(self.refuse(flaw, path)),
            }
        }
    }

    fn refuse(&mut self, flaw: Flaw, path: &Path) -> CrlNote {
        let note = CrlNote::new(flaw.trouble, path, &flaw.issuer_text, &flaw.detail);
        if !flaw.issuer.is_empty() && self.refused.len() < MAX_CRLS {
            self.refused.insert(flaw.issuer, note.to_string());
        }
        note
    }

    /// Takes a list, unless a newer one of the same issuer and key is known.
    fn admit(&mut self, crl: Crl, path: &Path) -> Option<CrlNote> {
        let known = self.lists.get(&crl.issuer).map(Vec::as_slice).unwrap_or_default();
        if known.iter().any(|known| known.der == crl.der) {
            return None;
        }
        let same = known.iter().filter(|known| known.slot() == crl.slot());
        let newest = same.max_by(|one, two| one.age().cmp(&two.age()));
        if let Some(newest) = newest.filter(|newest| crl.age() < newest.age()) {
            let detail = format!("it has {}, and {} is known", crl.name(), newest.name());
            let note = CrlNote::new(CrlTrouble::RolledBack, path, &crl.issuer_text, &detail);
            // The known one may be forged: nobody has seen its signature yet.
            if !newest.is_verified() {
                self.insert(crl);
            }
            return Some(note);
        }
        if self.lists.values().map(Vec::len).sum::<usize>() >= MAX_CRLS {
            let detail = format!("there are {MAX_CRLS} lists already");
            return Some(CrlNote::new(CrlTrouble::TooMany, path, &crl.issuer_text, &detail));
        }
        let note = self.keep.as_ref().and_then(|keep| keep.accepted(&crl).err());
        self.insert(crl);
        note
    }

    fn insert(&mut self, crl: Crl) {
        self.lists.entry(crl.issuer.clone()).or_default().push(Arc::new(crl));
    }

    /// Judges every certificate below the root by the list of its issuer, at the caller's time.
    ///
    /// `chain` is DER, leaf first and root last, and its signatures are verified. `synchronised` says whether
    /// `now` can be trusted not to lag: a clock that lags tolerates lists of its future. Ask again at each
    /// resumption. (T-08)
    ///
    /// # Errors
    ///
    /// The refusal of a revoked element before any other.
    pub fn check(
        &self,
        chain: &[Vec<u8>],
        policy: CrlPolicy,
        now: Timestamp,
        synchronised: bool,
    ) -> Result<CrlStanding, Refusal> {
        if chain.len() < 2 {
            return Err(Refusal::new(
                Reason::CrlMissing,
                "the chain has no issuer whose list could be asked",
            ));
        }
        let mut standing = CrlStanding::Current;
        let mut first = None;
        for (depth, pair) in chain.windows(2).enumerate() {
            let [certificate, issuer] = pair else { continue };
            match self.check_one(depth, certificate, issuer, &At { policy, now, synchronised }) {
                Ok(one) => standing = standing.worse(one),
                Err(refusal) if refusal.reason == Reason::CertificateRevoked => return Err(refusal),
                Err(refusal) => {
                    first.get_or_insert(refusal);
                }
            }
        }
        first.map_or(Ok(standing), Err)
    }

    fn check_one(
        &self,
        depth: usize,
        certificate: &[u8],
        issuer_der: &[u8],
        at: &At,
    ) -> Result<CrlStanding, Refusal> {
        let certificate = verify::read(certificate)?;
        let issuer = verify::read(issuer_der)?;
        let crl = self.ruling(&issuer, issuer_der)?;
        if let Some(revoked) = crl.revoked(certificate.raw_serial()) {
            let detail = format!(
                "{} (serial {}) was revoked at {} ({}) by {} of {}",
                element(depth, &certificate),
                hex(certificate.raw_serial()),
                revoked.date,
                revoked.reason,
                crl.name(),
                crl.issuer_text,
            );
            return Err(Refusal::new(Reason::CertificateRevoked, detail));
        }
        at.freshness(&crl)
    }

    /// The list with the highest number that the issuer signed.
    fn ruling(&self, issuer: &X509Certificate<'_>, der: &[u8]) -> Result<Arc<Crl>, Refusal> {
        let name = bounded(&issuer.subject().to_string(), MAX_TEXT);
        let subject = issuer.subject().as_raw();
        let Some(lists) = self.lists.get(subject) else {
            return Err(match self.refused.get(subject) {
                Some(why) => Refusal::new(Reason::CrlBad, why),
                None => Refusal::new(Reason::CrlMissing, format!("there is no list of {name}")),
            });
        };
        if !may_sign_lists(issuer) {
            let detail = format!("{name} issued a list, and its key usage lacks cRLSign");
            return Err(Refusal::new(Reason::CrlBad, detail));
        }
        let mut bad = None;
        for crl in lists.iter().filter(|crl| crl.may_be_signed_by(issuer)) {
            let verdict = crl.verify(issuer, der);
            if verdict.is_new && verdict.is_good {
                self.note(self.keep.as_ref().and_then(|keep| keep.verified(crl).err()));
            } else if verdict.is_new {
                let detail = format!("{} carries a signature that is not its issuer's", crl.name());
                let note = CrlNote::new(CrlTrouble::BadSignature, "", &crl.issuer_text, &detail);
                self.note(Some(note));
            }
            if verdict.is_good {
                return Ok(Arc::clone(crl));
            }
            bad.get_or_insert_with(|| format!("{} of {name} is not signed with its key", crl.name()));
        }
        Err(match bad {
            Some(detail) => Refusal::new(Reason::CrlBad, detail),
            None => Refusal::new(Reason::CrlMissing, format!("there is no list of {name} with this key")),
        })
    }

    pub(crate) fn note(&self, note: Option<CrlNote>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = found.len() >= MAX_CRLS;
        found.extend(note.filter(|_| !is_full));
    }

    /// What was found out since the last call: a signature is looked at when a chain of its issuer comes.
    pub fn take_notes(&self) -> Vec<CrlNote> {
        std::mem::take(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every list, for who shows them or warns before one is due.
    pub fn facts(&self) -> Vec<CrlFacts> {
        self.lists.values().flatten().map(|crl| crl.facts()).collect()
    }
}

/// The circumstances of one check.
struct At {
    policy: CrlPolicy,
    now: Timestamp,
    synchronised: bool,
}

impl At {
    fn freshness(&self, crl: &Crl) -> Result<CrlStanding, Refusal> {
        let (this_update, since) = (crl.this_update, crl.next_update);
        if this_update > self.now {
            return if self.synchronised {
                let detail = format!("{} of {} begins at {this_update}", crl.name(), crl.issuer_text);
                Err(Refusal::new(Reason::CrlNotYetValid, detail))
            } else {
                Ok(CrlStanding::Early { this_update })
            };
        }
        if self.now <= since {
            return Ok(CrlStanding::Current);
        }
        let grace = SignedDuration::try_from(self.policy.grace).unwrap_or(SignedDuration::MAX);
        let end = since.checked_add(grace).unwrap_or(Timestamp::MAX);
        let until = self.policy.extended_until.map_or(end, |extended| extended.max(end));
        if self.now <= until {
            return Ok(CrlStanding::Stale { since, until });
        }
        let detail = format!(
            "the successor of {} of {} was due at {since}, and grace ended at {until}",
            crl.name(),
            crl.issuer_text
        );
        Err(Refusal::new(Reason::CrlStale, detail))
    }
}

/// Where key usage is there, it has to say cRLSign. (RFC 5280 4.2.1.3)
fn may_sign_lists(issuer: &X509Certificate<'_>) -> bool {
    issuer.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.crl_sign()))
}

fn element(depth: usize, certificate: &X509Certificate<'_>) -> String {
    let subject = bounded(&certificate.subject().to_string(), MAX_TEXT / 2);
    match depth {
        0 => format!("the peer's own certificate {subject}"),
        _ => format!("the CA certificate {subject}"),
    }
}

/// A file within its bound; the text says what is wrong with it.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_CRL_FILE + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(error.to_string()),
        Ok(length) if length as u64 > MAX_CRL_FILE => Err(format!("it is larger than {MAX_CRL_FILE} bytes")),
        Ok(_) => Ok(bytes),
    }
}
