//! What a manufacturer signs of a firmware image, and the file that carries both. (Decision 10, TS 33.320 8.4)
//!
//! A manifest is signed like a [statement](crate::StatementError) for cells, but under keys that the cell was built with
//! and no others: whoever issues certificates for management systems cannot make firmware. The file is read from its
//! beginning, and nothing of the image is needed to judge the manifest.
//!
//! ```text
//!   HEARTH-FIRMWARE 1 <bytes of the statement>\n   CMS and signer in PEM   image
//! ```

use std::collections::BTreeSet;
use std::fmt::{Debug, Formatter, Write};
use std::path::Path;

use jiff::Timestamp;
use openssl::cms::CMSOptions;
use openssl::x509::X509;
use openssl::x509::verify::X509VerifyFlags;
use serde::{Deserialize, Serialize};

use crate::context::{ContextError, KeyPair};
use crate::pki::PkiError;
use crate::statement::{self, Signed, StatementError, malformed, unsigned};

/// Most keys that sign for one product: the one in use, and the one in the safe that revokes it.
pub const MOST_FIRMWARE_KEYS: usize = 2;

/// The largest signed manifest: names, two certificates and a signature take a tenth of it.
const MOST_HEAD_BYTES: usize = 64 << 10;

/// How the file begins, with the number of its layout.
const MARK: &str = "HEARTH-FIRMWARE 1 ";

/// The longest first line.
const MOST_LINE: usize = MARK.len() + 8;

/// The longest name in a manifest, as the data model has it. (TR-181)
const MOST_CHARACTERS: usize = 64;

/// A key that may sign firmware, by its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmwareKey {
    /// SHA-256 of the public key in hexadecimal.
    pub id: String,
    certificate: X509Equal,
}

impl FirmwareKey {
    /// The first certificate of a PEM file.
    ///
    /// # Errors
    /// There is none.
    pub fn read(path: &Path) -> Result<Self, ContextError> {
        let pem =
            std::fs::read(path).map_err(|source| ContextError::Read { path: path.to_owned(), source })?;
        let certificate = X509::from_pem(&pem)?;
        Ok(Self { id: key_id(&certificate)?, certificate: X509Equal(certificate) })
    }
}

/// A certificate that is compared by its bytes.
#[derive(Debug, Clone)]
struct X509Equal(X509);

impl PartialEq for X509Equal {
    fn eq(&self, other: &Self) -> bool {
        matches!((self.0.to_der(), other.0.to_der()), (Ok(one), Ok(two)) if one == two)
    }
}

impl Eq for X509Equal {}

fn key_id(certificate: &X509) -> Result<String, openssl::error::ErrorStack> {
    let mut hash = Sha256::new();
    hash.update(&certificate.public_key()?.public_key_to_der()?);
    Ok(hash.finish())
}

/// SHA-256 of what comes piece by piece.
#[derive(Clone, Default)]
pub struct Sha256(openssl::sha::Sha256);

impl Sha256 {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// In hexadecimal.
    #[must_use]
    pub fn finish(self) -> String {
        self.0.finish().iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl Debug for Sha256 {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sha256")
    }
}

/// What kind of statement it is, so that none is taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum FirmwareKind {
    /// A manifest of firmware.
    #[default]
    #[serde(rename = "hearth-firmware")]
    Firmware,
}

/// What is signed of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirmwareManifest {
    /// Always the same.
    pub kind: FirmwareKind,
    /// What the cell calls itself when the image runs.
    pub version: String,
    /// The oldest version that may install it.
    #[serde(default)]
    pub minimum_version: Option<String>,
    /// The manufacturer: six upper-case hexadecimal digits. (I-05)
    pub oui: String,
    /// The model.
    pub product_class: String,
    /// The boards that it runs on, at least one.
    pub hardware_versions: Vec<String>,
    /// The image's bytes.
    pub size: u64,
    /// SHA-256 of the image in hexadecimal.
    pub sha256: String,
    /// The key that signs, by its id.
    pub key_id: String,
    /// Until when a newer version may be replaced by it; never, where nothing is said.
    #[serde(default)]
    pub downgrade_until: Option<Timestamp>,
    /// Keys that sign no more, from this image on.
    #[serde(default)]
    pub revokes: Vec<String>,
}

impl FirmwareManifest {
    /// Opens a signed manifest under one of `keys`, those in `revoked` excepted, by the cell's clock.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn open(
        statement: &[u8],
        keys: &[FirmwareKey],
        revoked: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Self, StatementError> {
        let signed = Signed::read(statement)?;
        let refused = |text: String| StatementError::Signer(text);
        let id = key_id(&signed.signer).map_err(malformed)?;
        let known = keys.iter().position(|key| key.id == id && key.certificate.0 == signed.signer);
        let place = known.ok_or_else(|| refused(format!("no key of this cell has the id {id}")))?;
        if revoked.contains(&id) {
            return Err(refused(format!("the key {id} is revoked")));
        }
        signed.may_sign("code signing", |purposes| purposes.code_signing)?;
        let anchor = signed.signer.to_pem().map_err(unsigned)?;
        // The key was built in: nobody has to vouch for it, and its dates count as everybody's do.
        let store = statement::store(&anchor, now, X509VerifyFlags::PARTIAL_CHAIN).map_err(unsigned)?;
        let manifest = Self::parse(&signed.content(&store, CMSOptions::empty())?)?;
        if manifest.key_id != id {
            return Err(malformed("it names another key than the one that signed it"));
        }
        match keys.iter().skip(place).find(|key| manifest.revokes.contains(&key.id)) {
            Some(key) => Err(refused(format!("a key revokes earlier ones only, and {} is none", key.id))),
            None => Ok(manifest),
        }
    }

    /// What a statement says of itself, whoever signed it: to look at, and for nothing else.
    ///
    /// # Errors
    /// It is no manifest.
    pub fn claimed(statement: &[u8]) -> Result<Self, StatementError> {
        let signed = Signed::read(statement)?;
        let anchor = signed.signer.to_pem().map_err(unsigned)?;
        let store =
            statement::store(&anchor, Timestamp::UNIX_EPOCH, X509VerifyFlags::empty()).map_err(unsigned)?;
        Self::parse(&signed.content(&store, CMSOptions::NO_SIGNER_CERT_VERIFY)?)
    }

    /// Signs it, and gives everything that stands before the image.
    ///
    /// # Errors
    /// The signer's files cannot be used, or the manifest says what no cell would read.
    pub fn seal(mut self, signer: &KeyPair) -> Result<Vec<u8>, PkiError> {
        let pem = std::fs::read(&signer.chain)
            .map_err(|source| PkiError::Read { path: signer.chain.clone(), source })?;
        self.key_id = key_id(&X509::from_pem(&pem)?)?;
        self.check()?;
        let content = serde_json::to_vec_pretty(&self).map_err(PkiError::Json)?;
        let statement = statement::seal(&content, signer)?;
        let mut head = format!("{MARK}{}\n", statement.len()).into_bytes();
        head.extend(statement);
        Ok(head)
    }

    fn parse(content: &[u8]) -> Result<Self, StatementError> {
        let manifest: Self = serde_json::from_slice(content).map_err(malformed)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), StatementError> {
        let is_name = |text: &String| {
            (1..=MOST_CHARACTERS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        let is_hex =
            |text: &String, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut names = [&self.version, &self.product_class]
            .into_iter()
            .chain(&self.minimum_version)
            .chain(&self.hardware_versions);
        if !names.all(is_name) || self.hardware_versions.is_empty() {
            let text = "versions, product class and at least one hardware version have 1 to 64 characters";
            return Err(malformed(text));
        }
        if !is_hex(&self.oui, 6) || !is_hex(&self.sha256, 64) || self.size == 0 {
            return Err(malformed("the OUI has 6 hexadecimal digits, the hash 64, and the image some bytes"));
        }
        Ok(())
    }
}

/// What stands before the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirmwareHead<'a> {
    /// The signed manifest.
    pub statement: &'a [u8],
    /// Where the image begins.
    pub length: usize,
}

impl<'a> FirmwareHead<'a> {
    /// Reads the head from the bytes that came so far; nothing while some are missing.
    ///
    /// # Errors
    /// The file has no signed manifest: [`StatementError::Signature`] where it does not even begin like one.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, StatementError> {
        let known = bytes.len().min(MARK.len());
        if bytes.get(..known) != MARK.as_bytes().get(..known) {
            return Err(unsigned("the file does not begin with a signed manifest"));
        }
        let line = bytes.iter().take(MOST_LINE).position(|byte| *byte == b'\n');
        let Some(line) = line else {
            let is_short = bytes.len() < MOST_LINE;
            return if is_short { Ok(None) } else { Err(malformed("the first line has no end")) };
        };
        let number = bytes.get(MARK.len()..line).and_then(|text| std::str::from_utf8(text).ok());
        let number = number.and_then(|text| text.parse().ok()).filter(|count| *count <= MOST_HEAD_BYTES);
        let count: usize = number
            .ok_or_else(|| malformed(format!("its manifest has no {MOST_HEAD_BYTES} bytes at most")))?;
        let length = line + 1 + count;
        Ok(bytes.get(line + 1..length).map(|statement| Self { statement, length }))
    }
}

#[cfg(test)]
#[path = "firmware_tests.rs"]
mod tests;
