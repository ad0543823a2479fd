//! Keys that we make, of which we keep a hash, and passwords that people choose, of which we keep a slow one.
//!
//! A key has 256 random bits, so one SHA-256 of it can stand in the store; a password has few, so argon2id makes each
//! guess cost 19 MiB and tens of milliseconds: the defaults of the crate, which are those of OWASP. (RFC 9106)

use std::sync::Arc;

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::hex::{hex, random};

/// Bytes of randomness in a key.
const KEY_BYTES: usize = 32;
/// Passwords that are hashed at a time: 19 MiB and a core each. Who comes then waits.
const AT_ONCE: usize = 2;
/// Characters of a password. (NIST SP 800-63B 3.1.1.2)
pub(crate) const PASSWORD: std::ops::RangeInclusive<usize> = 12..=256;

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("a password has {} to {} characters", PASSWORD.start(), PASSWORD.end())]
    Length,
    #[error("the system gives no random numbers")]
    Randomness,
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// A new key in hexadecimal, with the hash by which it is known again.
pub(crate) fn key() -> Result<(String, String), SecretError> {
    let key = random::<KEY_BYTES>().ok_or(SecretError::Randomness)?;
    let hash = hash(&key);
    Ok((key, hash))
}

/// The hash of a key.
pub(crate) fn hash(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

/// Hashes passwords, a few at a time.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// The hash of a new password, with salt and parameters.
    pub(crate) async fn hash(&self, password: String) -> Result<String, SecretError> {
        if !PASSWORD.contains(&password.chars().count()) {
            return Err(SecretError::Length);
        }
        let hashed =
            move || -> Result<PasswordHash, _> { Argon2::default().hash_password(password.as_bytes()) };
        let hashed = self.run(hashed).await?;
        hashed.map(|hash| hash.to_string()).map_err(|error| SecretError::Hash(error.to_string()))
    }

    /// Whether a password is the one; for nobody's it takes as long, so that time does not tell which accounts exist.
    pub(crate) async fn are_equal(&self, password: String, hash: Option<String>) -> bool {
        // Longer ones than we ever took are not worth the memory.
        let is_possible = password.chars().count() <= *PASSWORD.end();
        let verify = move || match hash.filter(|_| is_possible) {
            Some(hash) => Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok(),
            None => {
                let hashed: Result<PasswordHash, _> = Argon2::default().hash_password(b"nobody's");
                drop(hashed);
                false
            }
        };
        self.run(verify).await.unwrap_or(false)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SecretError> {
        let failed = |error: &dyn std::fmt::Display| SecretError::Hash(error.to_string());
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|error| failed(&error))?;
        let work = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))
    }
}
