//! Short texts that others carry for us: AES-256-GCM, each under a random nonce.
//!
//! ```text
//!  nonce (12) ‖ tag (16) ‖ hidden text, bound to what it is for
//! ```
//!
//! One key seals four thousand million texts before two of them may share a nonce with a chance worth naming.
//! (NIST SP 800-38D 8.3)

use std::fmt;

use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

const KEY: usize = 32;
const NONCE: usize = 12;
const TAG: usize = 16;

/// The engine failed.
#[derive(Debug, thiserror::Error)]
#[error("the TLS library refuses")]
pub struct SealError(#[from] ErrorStack);

/// A key of 32 bytes that seals and opens.
pub struct Seal([u8; KEY]);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

impl From<[u8; KEY]> for Seal {
    fn from(key: [u8; KEY]) -> Self {
        Self(key)
    }
}

impl Seal {
    /// Seals a text, which opens for the same `purpose` only.
    ///
    /// # Errors
    /// The engine has no randomness or no memory.
    pub fn seal(&self, purpose: &[u8], text: &[u8]) -> Result<Vec<u8>, SealError> {
        let (mut nonce, mut tag) = ([0; NONCE], [0; TAG]);
        rand_bytes(&mut nonce)?;
        let hidden = encrypt_aead(Cipher::aes_256_gcm(), &self.0, Some(&nonce), purpose, text, &mut tag)?;
        Ok([nonce.as_slice(), &tag, &hidden].concat())
    }

    /// Opens what [`seal`](Self::seal) gave; nothing where another key or purpose sealed it, or somebody changed it.
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE)?;
        let (tag, hidden) = rest.split_at_checked(TAG)?;
        decrypt_aead(Cipher::aes_256_gcm(), &self.0, Some(nonce), purpose, hidden, tag).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_unchanged_for_its_purpose_alone() {
        let seal = Seal::from([7; KEY]);
        for text in ["", "a cell of another tenant"] {
            let sealed = seal.seal(b"list", text.as_bytes()).unwrap();
            assert_eq!(seal.open(b"list", &sealed).unwrap(), text.as_bytes());
            assert!(text.is_empty() || !sealed.windows(text.len()).any(|part| part == text.as_bytes()));
            assert_ne!(seal.seal(b"list", text.as_bytes()).unwrap(), sealed);
            assert_eq!(seal.open(b"other", &sealed), None);
            assert_eq!(Seal::from([8; KEY]).open(b"list", &sealed), None);
            for at in 0..sealed.len() {
                let mut damaged = sealed.clone();
                damaged[at] ^= 1;
                assert_eq!(seal.open(b"list", &damaged), None, "{at}");
                assert_eq!(seal.open(b"list", &sealed[..at]), None, "{at}");
            }
        }
    }
}
