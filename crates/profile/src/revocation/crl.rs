//! One list: what it says, and whose it is. (RFC 5280 5)
//!
//! Only complete lists count: one that says less than "all certificates of this issuer", or that says something
//! critical which is not known here, is refused whole.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;
use openssl::x509::{X509, X509Crl};
use x509_parser::prelude::{AlgorithmIdentifier, FromDer, ReasonCode, X509Certificate, X509Name};
use x509_parser::time::ASN1Time;

use super::read::{self, Der};
use super::{CrlFacts, CrlTrouble};
use crate::certificate::{MAX_TEXT, bounded, hex, is_strong, timestamp};

/// Extensions by the content of their OID. (RFC 5280 5.2, 5.3)
const SUBJECT_KEY: &[u8] = &[0x55, 0x1D, 14];
const CRL_NUMBER: &[u8] = &[0x55, 0x1D, 20];
const REASON_CODE: &[u8] = &[0x55, 0x1D, 21];
const INVALIDITY_DATE: &[u8] = &[0x55, 0x1D, 24];
const DELTA_INDICATOR: &[u8] = &[0x55, 0x1D, 27];
const DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1D, 28];
const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1D, 29];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1D, 35];

/// What a list and its entries may say critically.
const KNOWN: [&[u8]; 4] = [CRL_NUMBER, REASON_CODE, INVALIDITY_DATE, AUTHORITY_KEY];
/// What makes a list partial or another's, critical or not.
const NARROWING: [(&[u8], &str); 3] = [
    (DELTA_INDICATOR, "it is a delta (deltaCRLIndicator)"),
    (DISTRIBUTION_POINT, "it is of one distribution point (issuingDistributionPoint)"),
    (CERTIFICATE_ISSUER, "it speaks for other issuers (certificateIssuer)"),
];

/// The longest list number. (RFC 5280 5.2.3)
const MAX_NUMBER: usize = 20;
/// The entry was taken off the list; only deltas should say so, and it revokes nothing. (RFC 5280 5.3.1)
const REMOVE_FROM_CRL: u8 = 8;
/// The most keys of one issuer whose verdict is remembered: an old and a new one, and some more.
const MAX_VERDICTS: usize = 16;

/// How old a list is against others: its number, then its time. No number is the oldest.
pub(super) type Age<'a> = (Option<(usize, &'a [u8])>, Timestamp);

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Revoked {
    pub(super) date: Timestamp,
    pub(super) reason: ReasonCode,
}

/// A list in the right form; its signature is another question.
#[derive(Debug)]
pub(super) struct Crl {
    /// The issuer's name as encoded.
    pub(super) issuer: Vec<u8>,
    pub(super) issuer_text: String,
    /// The key identifier of the issuer; empty where it is not said.
    key_id: Vec<u8>,
    number: Option<Vec<u8>>,
    pub(super) this_update: Timestamp,
    pub(super) next_update: Timestamp,
    revoked: HashMap<Box<[u8]>, Revoked>,
    pub(super) der: Vec<u8>,
    /// Public keys that were tried, and whether they signed it.
    verdicts: RwLock<Vec<(Vec<u8>, bool)>>,
}

/// What one look at a signature gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) is_good: bool,
    /// Nobody looked before.
    pub(super) is_new: bool,
}

/// Why a list cannot be used.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) trouble: CrlTrouble,
    /// The issuer's name as encoded; empty where it cannot be read.
    pub(super) issuer: Vec<u8>,
    pub(super) issuer_text: String,
    pub(super) detail: String,
}

/// The outer form of a list.
struct Outer<'a> {
    issuer: &'a [u8],
    issuer_text: String,
    is_strong: bool,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    entries: &'a [u8],
    extensions: Vec<Extension<'a>>,
}

struct Extension<'a> {
    oid: &'a [u8],
    is_critical: bool,
    value: &'a [u8],
}

impl Crl {
    pub(super) fn read(der: Vec<u8>) -> Result<Self, Flaw> {
        let malformed = || Flaw::new(CrlTrouble::Unreadable, None, "its encoding is broken");
        let outer = Outer::read(&der).ok_or_else(malformed)?;
        let flaw = |trouble, detail: &str| Flaw::new(trouble, Some(&outer), detail);
        // The engine verifies the signature: it has to read the same bytes.
        if X509Crl::from_der(&der).is_err() {
            return Err(flaw(CrlTrouble::Unreadable, "the TLS library cannot read it"));
        }
        known(&outer.extensions).map_err(|detail| flaw(CrlTrouble::Unsupported, &detail))?;
        if !outer.is_strong {
            return Err(flaw(CrlTrouble::WeakSignature, "it is not signed with SHA-256 or better"));
        }
        let Some(next_update) = outer.next_update else {
            return Err(flaw(CrlTrouble::NoNextUpdate, "it has no next update"));
        };
        let number = number(&outer.extensions).map_err(|detail| flaw(CrlTrouble::Unreadable, detail))?;
        Ok(Self {
            issuer: outer.issuer.to_vec(),
            issuer_text: outer.issuer_text.clone(),
            key_id: key_id(&outer.extensions).unwrap_or_default().to_vec(),
            number,
            this_update: outer.this_update,
            next_update,
            revoked: entries(outer.entries).map_err(|(trouble, detail)| flaw(trouble, &detail))?,
            verdicts: RwLock::default(),
            der,
        })
    }

    /// What makes two lists versions of one another: the issuer and its key.
    pub(super) fn slot(&self) -> (&[u8], &[u8]) {
        (&self.issuer, &self.key_id)
    }

    pub(super) fn age(&self) -> Age<'_> {
        (self.number.as_ref().map(|number| (number.len(), number.as_slice())), self.this_update)
    }

    /// `list 2a` or, without a number, `the list of <time>`.
    pub(super) fn name(&self) -> String {
        match &self.number {
            Some(number) => format!("list 0x{}", hex(number)),
            None => format!("the list of {}", self.this_update),
        }
    }

    pub(super) fn revoked(&self, serial: &[u8]) -> Option<&Revoked> {
        self.revoked.get(least(serial))
    }

    pub(super) fn facts(&self) -> CrlFacts {
        CrlFacts {
            issuer: self.issuer_text.clone(),
            number: self.number.as_deref().map(hex),
            this_update: self.this_update,
            next_update: self.next_update,
            revoked: self.revoked.len(),
            is_verified: self.is_verified(),
        }
    }

    /// Two CAs of one name, an old and a new one, tell their lists apart by the key.
    pub(super) fn may_be_signed_by(&self, issuer: &X509Certificate<'_>) -> bool {
        let mut extensions = issuer.extensions().iter();
        let own = extensions
            .find(|extension| extension.oid.as_bytes() == SUBJECT_KEY)
            .and_then(|extension| read::only(extension.value, read::OCTET_STRING));
        self.key_id.is_empty() || own.is_none_or(|own| own == self.key_id)
    }

    /// Whether this certificate's key signed the list; asks the engine once per key.
    pub(super) fn verify(&self, issuer: &X509Certificate<'_>, issuer_der: &[u8]) -> Verdict {
        let key = issuer.public_key().raw;
        let known = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, is_good)) = known.iter().find(|(tried, _)| tried == key) {
            return Verdict { is_good: *is_good, is_new: false };
        }
        drop(known);
        let is_good = self.is_signed_by(issuer_der);
        let mut known = self.verdicts.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = !known.iter().any(|(tried, _)| tried == key) && known.len() < MAX_VERDICTS;
        if is_new {
            known.push((key.to_vec(), is_good));
        }
        Verdict { is_good, is_new }
    }

    fn is_signed_by(&self, issuer_der: &[u8]) -> bool {
        let verified = X509::from_der(issuer_der)
            .and_then(|issuer| issuer.public_key())
            .and_then(|key| X509Crl::from_der(&self.der)?.verify(&key));
        verified.unwrap_or(false)
    }

    /// Whether any key was found to have signed it.
    pub(super) fn is_verified(&self) -> bool {
        self.verdicts.read().unwrap_or_else(PoisonError::into_inner).iter().any(|(_, is_good)| *is_good)
    }
}

impl Flaw {
    fn new(trouble: CrlTrouble, outer: Option<&Outer<'_>>, detail: &str) -> Self {
        Self {
            trouble,
            issuer: outer.map(|outer| outer.issuer.to_vec()).unwrap_or_default(),
            issuer_text: outer.map(|outer| outer.issuer_text.clone()).unwrap_or_default(),
            detail: detail.to_owned(),
        }
    }
}

impl<'a> Outer<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut signed = Der(read::only(der, read::SEQUENCE)?);
        let mut list = Der(signed.content(read::SEQUENCE)?);
        let outer_algorithm = signed.whole(read::SEQUENCE)?;
        signed.content(read::BIT_STRING)?;
        signed.end()?;
        if list.is_next(&[read::INTEGER]) && list.content(read::INTEGER)? != [1] {
            return None;
        }
        let algorithm = list.whole(read::SEQUENCE)?;
        let issuer = list.whole(read::SEQUENCE)?;
        let this_update = time(&mut list)?;
        let has_next = list.is_next(&[read::UTC_TIME, read::GENERALIZED_TIME]);
        let next_update = if has_next { Some(time(&mut list)?) } else { None };
        let has_entries = list.is_next(&[read::SEQUENCE]);
        let entries = if has_entries { list.content(read::SEQUENCE)? } else { &[] };
        let has_extensions = list.is_next(&[read::CONTEXT_0]);
        let all = if has_extensions {
            extensions(only_sequence(list.content(read::CONTEXT_0)?)?)?
        } else {
            Vec::new()
        };
        list.end()?;
        let (_, name) = X509Name::from_der(issuer).ok()?;
        let (_, parsed) = AlgorithmIdentifier::from_der(algorithm).ok()?;
        Some(Self {
            issuer,
            issuer_text: bounded(&name.to_string(), MAX_TEXT / 2),
            // Two algorithms that differ are an attack of their own. (RFC 5280 5.1.1.2)
            is_strong: algorithm == outer_algorithm && is_strong(&parsed),
            this_update,
            next_update,
            entries,
            extensions: all,
        })
    }
}

fn only_sequence(der: &[u8]) -> Option<&[u8]> {
    read::only(der, read::SEQUENCE)
}

fn time(der: &mut Der<'_>) -> Option<Timestamp> {
    let tag = if der.is_next(&[read::UTC_TIME]) { read::UTC_TIME } else { read::GENERALIZED_TIME };
    let (_, time) = ASN1Time::from_der(der.whole(tag)?).ok()?;
    Some(timestamp(time))
}

/// `SEQUENCE OF SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }`, each at most once.
fn extensions(content: &[u8]) -> Option<Vec<Extension<'_>>> {
    let mut all = Der(content);
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    while all.end().is_none() {
        let mut one = Der(all.content(read::SEQUENCE)?);
        let oid = one.content(read::OID)?;
        let is_critical = one.is_next(&[read::BOOLEAN]) && one.content(read::BOOLEAN)? != [0];
        let value = one.content(read::OCTET_STRING)?;
        one.end()?;
        if !seen.insert(oid) {
            return None;
        }
        found.push(Extension { oid, is_critical, value });
    }
    Some(found)
}

/// Nothing narrows the list, and nothing critical is unknown; the error says what.
fn known(extensions: &[Extension<'_>]) -> Result<(), String> {
    for extension in extensions {
        if let Some((_, detail)) = NARROWING.iter().find(|(oid, _)| *oid == extension.oid) {
            return Err((*detail).to_owned());
        }
        if extension.is_critical && !KNOWN.contains(&extension.oid) {
            return Err(format!("it has an unknown critical extension ({})", dotted(extension.oid)));
        }
    }
    Ok(())
}

fn dotted(oid: &[u8]) -> String {
    x509_parser::asn1_rs::Oid::new(oid.into()).to_id_string()
}

fn value<'a>(extensions: &[Extension<'a>], oid: &[u8]) -> Option<&'a [u8]> {
    extensions.iter().find(|extension| extension.oid == oid).map(|extension| extension.value)
}

/// The list's number without leading zeros; negative ones and giants are none.
fn number(extensions: &[Extension<'_>]) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(value) = value(extensions, CRL_NUMBER) else {
        return Ok(None);
    };
    let bytes = read::only(value, read::INTEGER).ok_or("its number cannot be read")?;
    let number: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let is_negative = bytes.first().is_none_or(|first| *first >= 0x80);
    if is_negative || number.len() > MAX_NUMBER {
        return Err("its number is negative or has more than 20 octets");
    }
    Ok(Some(number))
}

/// `SEQUENCE { keyIdentifier [0] OPTIONAL, … }`.
fn key_id<'a>(extensions: &[Extension<'a>]) -> Option<&'a [u8]> {
    Der(only_sequence(value(extensions, AUTHORITY_KEY)?)?).content(0x80)
}

/// An integer as it would be encoded with the fewest octets: what two encoders could write in two ways is one serial.
fn least(serial: &[u8]) -> &[u8] {
    match serial {
        [0, rest @ ..] if rest.first().is_some_and(|next| *next < 0x80) => least(rest),
        [0xFF, rest @ ..] if rest.first().is_some_and(|next| *next >= 0x80) => least(rest),
        _ => serial,
    }
}

type Entries = HashMap<Box<[u8]>, Revoked>;

fn entries(content: &[u8]) -> Result<Entries, (CrlTrouble, String)> {
    let broken = || (CrlTrouble::Unreadable, "one of its entries is broken".to_owned());
    let mut all = Der(content);
    let mut revoked = Entries::new();
    while all.end().is_none() {
        let (serial, entry, extensions) = all.content(read::SEQUENCE).and_then(entry).ok_or_else(broken)?;
        known(&extensions).map_err(|detail| (CrlTrouble::Unsupported, format!("in an entry: {detail}")))?;
        if entry.reason.0 != REMOVE_FROM_CRL {
            revoked.insert(least(serial).into(), entry);
        }
    }
    Ok(revoked)
}

/// `SEQUENCE { userCertificate, revocationDate, crlEntryExtensions OPTIONAL }`.
fn entry(content: &[u8]) -> Option<(&[u8], Revoked, Vec<Extension<'_>>)> {
    let mut entry = Der(content);
    let serial = entry.content(read::INTEGER)?;
    let date = time(&mut entry)?;
    let has_extensions = entry.is_next(&[read::SEQUENCE]);
    let all = if has_extensions { extensions(entry.content(read::SEQUENCE)?)? } else { Vec::new() };
    entry.end()?;
    let reason = match value(&all, REASON_CODE) {
        Some(value) => match read::only(value, read::ENUMERATED)? {
            [code] => ReasonCode(*code),
            _ => return None,
        },
        None => ReasonCode::Unspecified,
    };
    Some((serial, Revoked { date, reason }, all))
}
