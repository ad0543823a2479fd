//! What a CA says about its certificates afterwards: lists (RFC 5280 5) and OCSP responses (RFC 6960), honest or not.

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::sha::sha1;
use openssl::sign::Signer;
use openssl::x509::{X509, X509Ref};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::authority::{Authority, Digest, Issued, Key, Validity};
use super::{PkiError, der};

const SHA1: &[u8] = &[0x2B, 0x0E, 0x03, 0x02, 0x1A];
const MD5_WITH_RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 4];
const SHA1_WITH_RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 5];
const SHA256_WITH_RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 11];
const CRL_NUMBER: &[u8] = &[0x55, 0x1D, 20];
const REASON_CODE: &[u8] = &[0x55, 0x1D, 21];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1D, 35];
/// 1.3.6.1.5.5.7.48.1.1
const BASIC_RESPONSE: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

/// Why a certificate was revoked. (RFC 5280 5.3.1)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationReason(u8);

impl RevocationReason {
    /// The reasons by code and name; an entry for a removal revokes nothing.
    pub const NAMES: [(u8, &str); 10] = [
        (0, "unspecified"),
        (1, "keyCompromise"),
        (2, "cACompromise"),
        (3, "affiliationChanged"),
        (4, "superseded"),
        (5, "cessationOfOperation"),
        (6, "certificateHold"),
        (8, "removeFromCRL"),
        (9, "privilegeWithdrawn"),
        (10, "aACompromise"),
    ];

    /// The reason with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(code, _)| Self(code))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(code, _)| *code == self.0).map_or("unspecified", |(_, name)| name)
    }
}

/// A certificate that is no longer good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number as encoded.
    pub serial: Vec<u8>,
    /// Since when.
    pub date: Timestamp,
    /// Why.
    pub reason: RevocationReason,
}

/// What a new list shall be.
#[derive(Debug, Clone)]
pub struct CrlOrder {
    number: Option<u64>,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    revoked: Vec<RevokedCertificate>,
    extensions: Vec<Vec<u8>>,
    entry_extensions: Vec<Vec<u8>>,
    digest: Digest,
    is_forged: bool,
    has_key_id: bool,
}

impl CrlOrder {
    /// An empty list with a number.
    pub fn new(number: u64, validity: Validity) -> Self {
        Self {
            number: Some(number),
            this_update: validity.not_before,
            next_update: Some(validity.not_after),
            revoked: Vec::new(),
            extensions: Vec::new(),
            entry_extensions: Vec::new(),
            digest: Digest::Sha256,
            is_forged: false,
            has_key_id: true,
        }
    }

    /// With these certificates on it.
    #[must_use]
    pub fn revoked(self, revoked: Vec<RevokedCertificate>) -> Self {
        Self { revoked, ..self }
    }

    /// Without a number.
    #[must_use]
    pub fn unnumbered(self) -> Self {
        Self { number: None, ..self }
    }

    /// Without a next update.
    #[must_use]
    pub fn endless(self) -> Self {
        Self { next_update: None, ..self }
    }

    /// With one more extension: the content of its OID, and its value in DER.
    #[must_use]
    pub fn extension(mut self, oid: &[u8], is_critical: bool, value: &[u8]) -> Self {
        self.extensions.push(der::extension(oid, is_critical, value));
        self
    }

    /// With one more extension in each entry.
    #[must_use]
    pub fn entry_extension(mut self, oid: &[u8], is_critical: bool, value: &[u8]) -> Self {
        self.entry_extensions.push(der::extension(oid, is_critical, value));
        self
    }

    /// Another digest.
    #[must_use]
    pub fn digest(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }

    /// With a signature of somebody else.
    #[must_use]
    pub fn forged(self) -> Self {
        Self { is_forged: true, ..self }
    }

    /// Without the issuer's key identifier.
    #[must_use]
    pub fn without_key_id(self) -> Self {
        Self { has_key_id: false, ..self }
    }

    fn entries(&self) -> Vec<u8> {
        let entry = |revoked: &RevokedCertificate| {
            let reason = der::extension(REASON_CODE, false, &der::tlv(der::ENUMERATED, &[revoked.reason.0]));
            let extensions = der::sequence(&[vec![reason], self.entry_extensions.clone()].concat());
            der::sequence(&[der::tlv(der::INTEGER, &revoked.serial), der::time(revoked.date), extensions])
        };
        der::sequence(&self.revoked.iter().map(entry).collect::<Vec<_>>())
    }
}

/// What a responder says.
#[derive(Debug, Clone)]
pub enum OcspAnswer {
    /// The certificate is good.
    Good,
    /// The certificate was revoked.
    Revoked(Timestamp, RevocationReason),
    /// The responder does not know it.
    Unknown,
}

/// What a new OCSP response shall be.
#[derive(Debug, Clone)]
pub struct OcspOrder {
    answer: OcspAnswer,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    digest: Digest,
}

impl OcspOrder {
    /// An answer for a time.
    pub fn new(answer: OcspAnswer, validity: Validity) -> Self {
        let (this_update, next_update) = (validity.not_before, Some(validity.not_after));
        Self { answer, this_update, next_update, digest: Digest::Sha256 }
    }

    /// Without a next update.
    #[must_use]
    pub fn endless(self) -> Self {
        Self { next_update: None, ..self }
    }

    /// Another digest under the signature.
    #[must_use]
    pub fn digest(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }

    /// `SingleResponse`. (RFC 6960 4.2.1)
    fn single(&self, id: Vec<u8>) -> Vec<u8> {
        let status = match &self.answer {
            OcspAnswer::Good => vec![0x80, 0],
            OcspAnswer::Revoked(date, reason) => {
                let reason = der::tlv(0xA0, &der::tlv(der::ENUMERATED, &[reason.0]));
                der::tlv(0xA1, &[der::generalized_time(*date), reason].concat())
            }
            OcspAnswer::Unknown => vec![0x82, 0],
        };
        let next = self.next_update.map(|next| der::tlv(0xA0, &der::generalized_time(next)));
        der::sequence(&[id, status, der::generalized_time(self.this_update), next.unwrap_or_default()])
    }
}

impl Issued {
    /// The certificate in DER, then the CAs below the root.
    pub fn ders(&self) -> Result<Vec<Vec<u8>>, PkiError> {
        let all = std::iter::once(&self.certificate).chain(&self.above);
        Ok(all.map(|certificate| certificate.to_der()).collect::<Result<_, _>>()?)
    }

    /// The serial number as encoded.
    pub fn serial(&self) -> Result<Vec<u8>, PkiError> {
        serial(&self.certificate)
    }

    /// Its holder, acting as a CA.
    #[must_use]
    pub fn as_authority(&self, key: &Key) -> Authority {
        let below_root = [vec![self.certificate.clone()], self.above.clone()].concat();
        Authority { certificate: self.certificate.clone(), key: key.clone(), below_root }
    }
}

/// The serial number of a certificate as encoded.
pub(super) fn serial(certificate: &X509Ref) -> Result<Vec<u8>, PkiError> {
    let der = certificate.to_der()?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| PkiError::NotACertificate)?;
    Ok(parsed.raw_serial().to_vec())
}

impl Authority {
    /// The CA's certificate in DER.
    pub fn der(&self) -> Result<Vec<u8>, PkiError> {
        Ok(self.certificate.to_der()?)
    }

    /// Its serial number as encoded.
    pub fn serial(&self) -> Result<Vec<u8>, PkiError> {
        serial(&self.certificate)
    }

    /// A revocation list in DER.
    pub fn crl(&self, order: &CrlOrder) -> Result<Vec<u8>, PkiError> {
        let mut extensions = Vec::new();
        if let Some(id) = self.certificate.subject_key_id().filter(|_| order.has_key_id) {
            let value = der::sequence(&[der::tlv(0x80, id.as_slice())]);
            extensions.push(der::extension(AUTHORITY_KEY, false, &value));
        }
        if let Some(number) = order.number {
            extensions.push(der::extension(CRL_NUMBER, false, &der::integer(&number.to_be_bytes())));
        }
        extensions.extend(order.extensions.iter().cloned());
        let list = der::sequence(&[
            der::integer(&[1]),
            signature_algorithm(order.digest),
            self.certificate.subject_name().to_der()?,
            der::time(order.this_update),
            order.next_update.map(der::time).unwrap_or_default(),
            if order.revoked.is_empty() { Vec::new() } else { order.entries() },
            if extensions.is_empty() { Vec::new() } else { der::tlv(0xA0, &der::sequence(&extensions)) },
        ]);
        let stranger = if order.is_forged { Some(Key::generate(super::LAB_BITS)?) } else { None };
        Ok(signed(list, order.digest, stranger.as_ref().unwrap_or(&self.key), &[])?)
    }

    /// An OCSP response about a certificate of this CA, signed by it or by another.
    pub fn ocsp(
        &self,
        order: &OcspOrder,
        about: &Issued,
        delegate: Option<(&Issued, &Key)>,
    ) -> Result<Vec<u8>, PkiError> {
        let signer = delegate.map_or(&self.certificate, |(issued, _)| &issued.certificate);
        let id = der::sequence(&[
            der::algorithm(SHA1),
            der::tlv(der::OCTET_STRING, &sha1(&self.certificate.subject_name().to_der()?)),
            der::tlv(der::OCTET_STRING, &key_hash(&self.certificate)?),
            der::tlv(der::INTEGER, &about.serial()?),
        ]);
        let answer = der::sequence(&[
            der::tlv(0xA2, &der::tlv(der::OCTET_STRING, &key_hash(signer)?)),
            der::generalized_time(order.this_update),
            der::sequence(&[order.single(id)]),
        ]);
        let certificates = delegate.map(|(issued, _)| issued.certificate.clone());
        let key = delegate.map_or(&self.key, |(_, key)| key);
        let basic = signed(answer, order.digest, key, certificates.as_slice())?;
        let body = der::sequence(&[der::oid(BASIC_RESPONSE), der::tlv(der::OCTET_STRING, &basic)]);
        Ok(der::sequence(&[der::tlv(der::ENUMERATED, &[0]), der::tlv(0xA0, &body)]))
    }
}

/// SHA-1 of the public key without its wrapping. (RFC 6960 4.1.1)
fn key_hash(certificate: &X509Ref) -> Result<[u8; 20], PkiError> {
    let der = certificate.to_der()?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| PkiError::NotACertificate)?;
    Ok(sha1(&parsed.public_key().subject_public_key.data))
}

fn signature_algorithm(digest: Digest) -> Vec<u8> {
    der::algorithm(match digest {
        Digest::Md5 => MD5_WITH_RSA,
        Digest::Sha1 => SHA1_WITH_RSA,
        Digest::Sha256 => SHA256_WITH_RSA,
    })
}

/// `SEQUENCE { content, algorithm, signature, certificates [0] OPTIONAL }`.
fn signed(content: Vec<u8>, digest: Digest, key: &Key, certificates: &[X509]) -> Result<Vec<u8>, ErrorStack> {
    let mut signer = Signer::new(digest.engine(), &key.0)?;
    let signature = signer.sign_oneshot_to_vec(&content)?;
    let mut parts = vec![content, signature_algorithm(digest), der::bits(&signature)];
    if !certificates.is_empty() {
        let ders =
            certificates.iter().map(|certificate| certificate.to_der()).collect::<Result<Vec<_>, _>>()?;
        parts.push(der::tlv(0xA0, &der::sequence(&ders)));
    }
    Ok(der::sequence(&parts))
}
