//! The stapled answer of an issuer about one certificate. (RFC 6960; A-12)
//!
//! The engine verifies who signed: the issuer itself, or a delegate that it made for this. What it thinks of
//! the times in the answer is never asked, since it reads the system's clock.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use openssl::asn1::Asn1GeneralizedTimeRef;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ocsp::{
    OcspBasicResponse, OcspCertId, OcspCertStatus, OcspFlag, OcspResponse, OcspResponseStatus, OcspStatus,
};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Ref};
use x509_parser::prelude::{AlgorithmIdentifier, FromDer, ReasonCode};

use super::read::{self, Der};
use crate::certificate::is_strong;
use crate::refusal::{Reason, Refusal};

/// Delegates are judged like any certificate: RSA of 2048 bits, SHA-256.
const AUTH_LEVEL: i32 = 2;

/// A good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staple {
    /// When the issuer knew it.
    pub this_update: Timestamp,
    /// When it will know more.
    pub next_update: Timestamp,
    /// It is of a time that our unsynchronised clock has not reached: tolerated, to be logged.
    pub is_early: bool,
}

/// Judges an answer about `leaf` at the caller's time; certificates are DER, and no bytes mean no answer.
///
/// # Errors
///
/// The refusal; a revocation comes before anything that is wrong with the answer's times.
pub fn check(
    response: &[u8],
    leaf: &[u8],
    issuer: &[u8],
    now: Timestamp,
    synchronised: bool,
) -> Result<Staple, Refusal> {
    if response.is_empty() {
        return Err(Refusal::new(Reason::StapleMissing, "the server stapled nothing"));
    }
    let engine = |_: ErrorStack| bad("the TLS library cannot read it");
    let parsed = OcspResponse::from_der(response).map_err(engine)?;
    // The engine would read on: a failure may come with a body.
    if parsed.status() != OcspResponseStatus::SUCCESSFUL {
        return Err(bad("the responder had no answer (malformed, try later or unauthorised)"));
    }
    let algorithm = algorithm(response).ok_or_else(|| bad("its encoding is broken"))?;
    if !is_strong(&algorithm) {
        return Err(bad("it is not signed with SHA-256 or better"));
    }
    let (leaf, issuer) = (X509::from_der(leaf).map_err(engine)?, X509::from_der(issuer).map_err(engine)?);
    let basic = parsed.basic().map_err(engine)?;
    is_authorised(&basic, &issuer, now)
        .map_err(|_| bad("neither the issuer of the certificate nor its delegate signed it"))?;
    about(&basic, &leaf, &issuer, now, synchronised)
}

fn bad(detail: &str) -> Refusal {
    Refusal::new(Reason::StapleBad, format!("the stapled answer: {detail}"))
}

/// The algorithm of the signature, in the one form that is read:
/// `SEQUENCE { status, [0] { SEQUENCE { type, OCTET STRING { SEQUENCE { data, algorithm, signature, certs }}}}}`.
fn algorithm(response: &[u8]) -> Option<AlgorithmIdentifier<'_>> {
    let mut outer = Der(read::only(response, read::SEQUENCE)?);
    outer.content(read::ENUMERATED)?;
    let body = read::only(outer.content(read::CONTEXT_0)?, read::SEQUENCE)?;
    outer.end()?;
    let mut typed = Der(body);
    typed.content(read::OID)?;
    let basic = read::only(typed.content(read::OCTET_STRING)?, read::SEQUENCE)?;
    typed.end()?;
    let mut signed = Der(basic);
    signed.content(read::SEQUENCE)?;
    let (_, algorithm) = AlgorithmIdentifier::from_der(signed.whole(read::SEQUENCE)?).ok()?;
    Some(algorithm)
}

/// The issuer, or a certificate that the issuer made for signing such answers. (RFC 6960 4.2.2.2)
fn is_authorised(basic: &OcspBasicResponse, issuer: &X509Ref, now: Timestamp) -> Result<(), ErrorStack> {
    let mut param = X509VerifyParam::new()?;
    param.set_time(now.as_second());
    param.set_auth_level(AUTH_LEVEL);
    param.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    let mut store = X509StoreBuilder::new()?;
    store.set_param(&param)?;
    store.add_cert(issuer.to_owned())?;
    let mut certificates = Stack::new()?;
    certificates.push(issuer.to_owned())?;
    basic.verify(&certificates, &store.build(), OcspFlag::NO_EXPLICIT)
}

fn about(
    basic: &OcspBasicResponse,
    leaf: &X509Ref,
    issuer: &X509Ref,
    now: Timestamp,
    synchronised: bool,
) -> Result<Staple, Refusal> {
    // The digest only names the certificate; responders of RFC 5019 know no other than SHA-1.
    let digests =
        [MessageDigest::sha256(), MessageDigest::sha1(), MessageDigest::sha384(), MessageDigest::sha512()];
    let mut good = None;
    for digest in digests {
        let id = OcspCertId::from_cert(digest, leaf, issuer).map_err(|_| bad("it cannot be compared"))?;
        let Some(status) = basic.find_status(&id) else { continue };
        match status.status {
            OcspCertStatus::REVOKED => return Err(revoked(&status)),
            OcspCertStatus::GOOD => {
                good.get_or_insert_with(|| (point(status.this_update), status.next_update().map(point)));
            }
            _ => return Err(bad("the responder does not know the certificate")),
        }
    }
    match good {
        Some((Some(this_update), Some(Some(next_update)))) => {
            fresh(this_update, next_update, now, synchronised)
        }
        Some((_, None)) => Err(bad("it has no next update")),
        Some(_) => Err(bad("its times cannot be read")),
        None => Err(bad("it speaks for another certificate")),
    }
}

fn fresh(
    this_update: Timestamp,
    next_update: Timestamp,
    now: Timestamp,
    synchronised: bool,
) -> Result<Staple, Refusal> {
    let is_early = this_update > now;
    if is_early && synchronised {
        return Err(bad(&format!("it begins at {this_update}")));
    }
    if now > next_update {
        let detail = format!("the successor of the stapled answer was due at {next_update}");
        return Err(Refusal::new(Reason::StapleStale, detail));
    }
    Ok(Staple { this_update, next_update, is_early })
}

fn revoked(status: &OcspStatus<'_>) -> Refusal {
    let date = status.revocation_time.and_then(point);
    let date = date.map(|date| format!(" at {date}")).unwrap_or_default();
    let reason = u8::try_from(status.reason.as_raw()).map_or(ReasonCode::Unspecified, ReasonCode);
    Refusal::new(
        Reason::CertificateRevoked,
        format!("the stapled answer says that the certificate was revoked{date} ({reason})"),
    )
}

/// The engine shows this time as text only: `Nov  3 08:00:00 2026 GMT`.
fn point(time: &Asn1GeneralizedTimeRef) -> Option<Timestamp> {
    let civil = DateTime::strptime("%b %e %H:%M:%S %Y GMT", time.to_string()).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// An answer in a file, for a server that staples it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StapleFile {
    /// The OCSP response in DER, as it goes to clients.
    pub bytes: Vec<u8>,
    /// What it says; its next update is when a warning is late.
    pub staple: Staple,
}

impl StapleFile {
    /// Reads an answer about our own certificate, and judges it as a strict client would.
    pub fn load(path: &Path, leaf: &[u8], issuer: &[u8], now: Timestamp) -> Result<Self, StapleError> {
        let bytes = fs::read(path).map_err(|source| StapleError::Read { path: path.into(), source })?;
        match check(&bytes, leaf, issuer, now, true) {
            Ok(staple) => Ok(Self { bytes, staple }),
            Err(refusal) => Err(StapleError::Useless { path: path.into(), refusal: Box::new(refusal) }),
        }
    }
}

/// Why an answer in a file is not stapled: clients that want one would refuse us with it, and without it.
#[derive(Debug, thiserror::Error)]
pub enum StapleError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Every client would refuse us for it.
    #[error("{path}: {refusal}; {}", refusal.reason.remedy())]
    Useless {
        /// The file.
        path: PathBuf,
        /// What a client would say.
        refusal: Box<Refusal>,
    },
}
