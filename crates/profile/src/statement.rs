//! What the operator signs for cells: a file that is believed for its signature and not for the way it came. (Decision 28)
//!
//! A statement is PEM: a CMS that carries the content, the signature and the chain, then the signer's certificate, so
//! that it is known whose purpose counts. The signer has a certificate of its own under an anchor of the cell, with [`STATEMENT_PURPOSE`]; no
//! H(e)MS and no cell can sign one. Dates are checked by the cell's clock.
//!
//! ```text
//!   file ─▶ signer: purpose, usage ─▶ CMS: signature, chain to an anchor, dates ─▶ content
//! ```

use std::fmt::Display;
use std::path::Path;

use jiff::Timestamp;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId};
use x509_parser::extensions::ExtendedKeyUsage;
use x509_parser::prelude::X509Certificate;

use crate::certificate::{MAX_TEXT, bounded};
use crate::context::KeyPair;
use crate::pki::{Key, PkiError};
use crate::verify;

/// The extended key usage of who signs statements for cells; an identifier of its own, from a UUID. (X.667 6.3)
pub const STATEMENT_PURPOSE: &str = "2.25.147695766788486404113840294756463057474";

/// The largest statement that is read: [`MOST_ROOTS`](crate::MOST_ROOTS) certificates and a signature fit in.
pub const MOST_STATEMENT_BYTES: usize = 256 << 10;

/// Chains are verified at 112 bits: RSA of 2048 bits and SHA-256.
const AUTH_LEVEL: i32 = 2;

/// Why a statement is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The file is no statement, or not one of the kind that was expected.
    #[error("the file is no statement of this kind: {0}")]
    Malformed(String),
    /// A root that no cell could trust.
    #[error("cells cannot trust a root of it: {0}")]
    Root(String),
    /// The signer has no right to sign statements.
    #[error("the signer may not sign for cells: {0}")]
    Signer(String),
    /// The signature or the signer's chain, by the cell's clock.
    #[error("the signature is not accepted: {0}")]
    Signature(String),
    /// Not yet, or no longer.
    #[error("the statement is for {from} to {until}, and the clock says {now}")]
    Dates {
        /// The first moment.
        from: Timestamp,
        /// The last moment.
        until: Timestamp,
        /// The cell's time.
        now: Timestamp,
    },
    /// A statement that is for others.
    #[error("the statement is not for this cell: {0}")]
    Concern(String),
    /// A statement that was overtaken.
    #[error("the statement has the number {found}, and {known} was carried out before")]
    Replayed {
        /// Its number.
        found: u64,
        /// The last one.
        known: u64,
    },
}

impl StatementError {
    /// Whether the file itself is broken, rather than not authentic. The faults are 9018 and 9019. (TR-069 A.5.1)
    #[must_use]
    pub const fn is_corrupted(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Root(_))
    }
}

pub(crate) fn malformed(error: impl Display) -> StatementError {
    StatementError::Malformed(bounded(&error.to_string(), MAX_TEXT))
}

pub(crate) fn unsigned(error: impl Display) -> StatementError {
    StatementError::Signature(bounded(&error.to_string(), MAX_TEXT))
}

/// Opens a statement whose signer stands under one of `anchors` (PEM) at `now`, and gives its content.
pub(crate) fn open(file: &[u8], anchors: &[u8], now: Timestamp) -> Result<Vec<u8>, StatementError> {
    let signed = Signed::read(file)?;
    signed.may_sign("statements for cells", |purposes| {
        let wanted = openssl::asn1::Asn1Object::from_str(STATEMENT_PURPOSE);
        wanted.is_ok_and(|wanted| purposes.other.iter().any(|oid| oid.as_bytes() == wanted.as_slice()))
    })?;
    signed.content(&store(anchors, now, X509VerifyFlags::empty()).map_err(unsigned)?, CMSOptions::empty())
}

/// A file in its two parts, and nothing of it believed.
pub(crate) struct Signed {
    cms: CmsContentInfo,
    pub(crate) signer: X509,
}

impl Signed {
    pub(crate) fn read(file: &[u8]) -> Result<Self, StatementError> {
        if file.len() > MOST_STATEMENT_BYTES {
            return Err(malformed(format!("it has more than {MOST_STATEMENT_BYTES} bytes")));
        }
        let signer =
            X509::from_pem(file).map_err(|_| malformed("there is no certificate of the signer in PEM"))?;
        let cms =
            CmsContentInfo::from_pem(file).map_err(|_| malformed("it does not begin with a CMS in PEM"))?;
        Ok(Self { cms, signer })
    }

    /// The signer's certificate has the purpose, and is nothing else that the engine would take for one.
    pub(crate) fn may_sign(
        &self,
        purpose: &str,
        has_purpose: impl Fn(&ExtendedKeyUsage<'_>) -> bool,
    ) -> Result<(), StatementError> {
        let der = self.signer.to_der().map_err(malformed)?;
        let certificate = verify::read(&der).map_err(malformed)?;
        let refused = |text: String| Err(StatementError::Signer(text));
        let Ok(Some(purposes)) = certificate.extended_key_usage() else {
            return refused("its certificate has no extended key usage".to_owned());
        };
        if !has_purpose(purposes.value) {
            return refused(format!("its extended key usage lacks the purpose of {purpose}"));
        }
        may_use(&certificate)
    }

    /// The content that this signer and no other signed; the signer's chain ends in `store`.
    pub(crate) fn content(mut self, store: &X509Store, more: CMSOptions) -> Result<Vec<u8>, StatementError> {
        let mut signers = Stack::new().map_err(unsigned)?;
        signers.push(self.signer).map_err(unsigned)?;
        let mut content = Vec::new();
        // Without the last option the engine would take any signer that the CMS itself brings along.
        let options = CMSOptions::BINARY | CMSOptions::NOINTERN | more;
        self.cms.verify(Some(&signers), Some(store), None, Some(&mut content), options).map_err(unsigned)?;
        Ok(content)
    }
}

fn may_use(certificate: &X509Certificate<'_>) -> Result<(), StatementError> {
    let refused = |text: &str| Err(StatementError::Signer(text.to_owned()));
    match verify::permits(certificate) {
        Ok(permits) if permits.digital_signature && !certificate.is_ca() => Ok(()),
        Ok(_) | Err(_) => refused("its key usage must be critical digitalSignature, and it must be no CA"),
    }
}

/// The certificates that a signer's chain ends in, at a time.
pub(crate) fn store(anchors: &[u8], now: Timestamp, flags: X509VerifyFlags) -> Result<X509Store, ErrorStack> {
    let mut builder = X509StoreBuilder::new()?;
    for root in X509::stack_from_pem(anchors)? {
        builder.add_cert(root)?;
    }
    let mut param = X509VerifyParam::new()?;
    param.set_time(now.as_second());
    param.set_auth_level(AUTH_LEVEL);
    param.set_flags(flags)?;
    // The engine would ask for e-mail protection; the purpose is checked here, by name.
    param.set_purpose(X509PurposeId::ANY)?;
    builder.set_param(&param)?;
    Ok(builder.build())
}

/// Signs a content, with the signer's chain inside.
pub(crate) fn seal(content: &[u8], signer: &KeyPair) -> Result<Vec<u8>, PkiError> {
    let missing = || PkiError::Pem { path: signer.chain.clone(), wanted: "a certificate" };
    let mut chain = X509::stack_from_pem(&read(&signer.chain)?).map_err(|_| missing())?.into_iter();
    let leaf = chain.next().ok_or_else(missing)?;
    let key = Key::load(&signer.key)?.0;
    if !leaf.public_key().is_ok_and(|public| public.public_eq(&key)) {
        return Err(PkiError::KeyMismatch { chain: signer.chain.clone(), key: signer.key.clone() });
    }
    let mut above = Stack::new()?;
    for certificate in chain {
        above.push(certificate)?;
    }
    let cms = CmsContentInfo::sign(Some(&leaf), Some(&key), Some(&above), Some(content), CMSOptions::BINARY)?;
    // The engine takes a certificate that stands first for a CMS.
    let mut file = cms.to_pem()?;
    file.extend(leaf.to_pem()?);
    Ok(file)
}

fn read(path: &Path) -> Result<Vec<u8>, PkiError> {
    std::fs::read(path).map_err(|source| PkiError::Read { path: path.into(), source })
}
