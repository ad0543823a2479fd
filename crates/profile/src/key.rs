//! Where a private key is: in a file, or in a token that never gives it away. (A-13, decision 9)
//!
//! One trait stands between the rest and the two: what it gives is a handle that signs, and only a file's handle
//! could be written down. A token is reached by PKCS#11 (RFC 7512); its PIN stands in a file of its own.
//!
//! ```text
//!   "…/key.pem"          ─▶ FileKey  ─┐
//!   "pkcs11:token=…;…"   ─▶ TokenKey ─┴─ KeyProvider::open ─▶ a handle
//! ```

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use openssl::pkey::{PKey, Private};
use serde::{Deserialize, Serialize};

use crate::context::{ContextError, KeyPair};
use crate::ffi;

/// Where a private key is. As text it is a path, or a PKCS#11 URI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum KeySource {
    /// A PEM file; only its owner may read it.
    File(PathBuf),
    /// A key in a token: `pkcs11:token=…;object=…?module-path=…&pin-source=…`.
    Token(String),
}

impl From<String> for KeySource {
    fn from(text: String) -> Self {
        if text.starts_with(SCHEME) { Self::Token(text) } else { Self::File(text.into()) }
    }
}

impl From<KeySource> for String {
    fn from(source: KeySource) -> Self {
        source.to_string()
    }
}

impl From<PathBuf> for KeySource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Token(uri) => f.write_str(uri),
        }
    }
}

impl KeySource {
    /// The file, where the key is in one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Token(_) => None,
        }
    }

    /// Whether the key signs and does no more: a token's engine knows no RSA decryption for TLS. (Decision 9)
    pub(crate) fn only_signs(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    pub(crate) fn open(&self) -> Result<PKey<Private>, ContextError> {
        let provider: Box<dyn KeyProvider> = match self {
            Self::File(path) => Box::new(FileKey(path)),
            Self::Token(uri) => Box::new(TokenKey::parse(uri)?),
        };
        provider.open()
    }
}

/// Our own certificate chain and where its key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnCertificate {
    /// A PEM file: the leaf first, then the CAs below the root.
    pub chain: PathBuf,
    /// The private key.
    pub key: KeySource,
}

impl From<&KeyPair> for OwnCertificate {
    fn from(pair: &KeyPair) -> Self {
        Self { chain: pair.chain.clone(), key: KeySource::File(pair.key.clone()) }
    }
}

impl From<&Self> for OwnCertificate {
    fn from(this: &Self) -> Self {
        this.clone()
    }
}

/// What gives a handle on a private key.
trait KeyProvider {
    fn open(&self) -> Result<PKey<Private>, ContextError>;
}

/// A key in a PEM file.
struct FileKey<'a>(&'a Path);

/// The text of a file that nobody but its owner may read.
fn secret(path: &Path) -> Result<Vec<u8>, ContextError> {
    let read = |source| ContextError::Read { path: path.into(), source };
    let mode = fs::metadata(path).map_err(read)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(ContextError::OpenKey { path: path.into(), mode });
    }
    fs::read(path).map_err(read)
}

impl KeyProvider for FileKey<'_> {
    fn open(&self) -> Result<PKey<Private>, ContextError> {
        // An encrypted key would make the engine ask on the terminal: the callback says that nobody answers.
        PKey::private_key_from_pem_callback(&secret(self.0)?, |_| Ok(0))
            .map_err(|_| ContextError::Pem { path: self.0.into(), wanted: "unencrypted private key" })
    }
}

const SCHEME: &str = "pkcs11:";

/// A key in a token.
#[derive(Debug, PartialEq, Eq)]
struct TokenKey {
    /// The URI without its query: which token, which object.
    object: String,
    module: PathBuf,
    pin: Option<PathBuf>,
}

impl TokenKey {
    /// Reads a URI; the PIN never stands in it. (RFC 7512)
    fn parse(uri: &str) -> Result<Self, ContextError> {
        let bad = |detail| ContextError::Token { uri: uri.to_owned(), detail };
        let (object, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut parts = object.strip_prefix(SCHEME).unwrap_or_default().split(';');
        if !parts.any(|part| part.starts_with("object=") || part.starts_with("id=")) {
            return Err(bad("it names no key: add object=… or id=…".to_owned()));
        }
        let (mut module, mut pin) = (None, None);
        for attribute in query.split('&').filter(|attribute| !attribute.is_empty()) {
            match attribute.split_once('=') {
                Some(("module-path", path)) => module = Some(decoded(path).into()),
                Some(("pin-source", path)) => {
                    let path = decoded(path);
                    pin = Some(path.strip_prefix("file:").unwrap_or(&path).into());
                }
                Some(("pin-value", _)) => {
                    return Err(bad("a PIN does not belong into a URI: use pin-source=file:…".to_owned()));
                }
                Some(_) | None => return Err(bad(format!("\"{attribute}\" is not understood"))),
            }
        }
        let missing = || bad("it names no module: add ?module-path=/…/lib….so".to_owned());
        Ok(Self { object: object.to_owned(), module: module.ok_or_else(missing)?, pin })
    }
}

/// Percent-encoding taken off. (RFC 3986 2.1)
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let pair = more.split_at_checked(2).filter(|_| *first == b'%');
        let value =
            pair.and_then(|(digits, _)| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = match pair.filter(|_| value.is_some()) {
            Some((_, after)) => after,
            None => more,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl KeyProvider for TokenKey {
    fn open(&self) -> Result<PKey<Private>, ContextError> {
        let pin = self.pin.as_deref().map(secret).transpose()?;
        let pin = pin.map(|pin| String::from_utf8_lossy(&pin).trim_end().to_owned());
        ffi::engine::private_key(&self.module, &self.object, pin.as_deref())
            .map_err(|detail| ContextError::Token { uri: self.object.clone(), detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_path_or_a_token() {
        for (text, is_token) in [("/etc/hems.key", false), ("pkcs11:object=k?module-path=/m.so", true)] {
            let source = KeySource::from(text.to_owned());
            assert_eq!(matches!(source, KeySource::Token(_)), is_token);
            assert_eq!(source.to_string(), text);
        }
    }

    #[test]
    fn a13_a_token_is_named_by_its_uri_and_its_pin_by_a_file() {
        let parsed =
            TokenKey::parse("pkcs11:token=a%20b;object=k?module-path=/lib/m%2Eso&pin-source=file:/run/pin");
        let expected = TokenKey {
            object: "pkcs11:token=a%20b;object=k".to_owned(),
            module: "/lib/m.so".into(),
            pin: Some("/run/pin".into()),
        };
        assert_eq!(parsed.unwrap(), expected);
        for (uri, why) in [
            ("pkcs11:token=a?module-path=/m.so", "names no key"),
            ("pkcs11:object=k", "names no module"),
            ("pkcs11:object=k?module-path=/m.so&pin-value=1234", "a PIN does not belong"),
            ("pkcs11:object=k?module-path=/m.so&x", "\"x\" is not understood"),
        ] {
            let error = TokenKey::parse(uri).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }
}
