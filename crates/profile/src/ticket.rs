//! The keys that seal session tickets: random, shared by all nodes, and good for two hours at most. (Decision 8)
//!
//! ```text
//!   period     │  seals  │  opens  │  forgotten
//!              0        1 h       2 h
//! ```
//!
//! A key seals for the hour of its period and opens for one more, by our clock; so no ticket lives longer than
//! two hours. Nodes share keys through their store, where each lies [`sealed`](TicketKey::sealed) under a file
//! that only the nodes can read: who copies the store can open no session.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;

use crate::ffi::ticket::Sealing;
use crate::seal::{Seal, SealError};

/// How long a key seals.
pub const TICKET_PERIOD: Duration = Duration::from_secs(3600);
/// How long a ticket can live: the period it was sealed in, and the next.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(2 * 3600);

/// The bytes of a name, a cipher key and a MAC key.
const KEY_BYTES: usize = 16 + 32 + 32;

/// Why keys cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// The file of the sealing key.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file has another form, or others may read it.
    #[error("{path} is no sealing key: it has 32 bytes and mode 600; delete it and a new one is made")]
    Form {
        /// Which.
        path: PathBuf,
    },
    /// Another sealing key made it, or somebody changed it.
    #[error("the ticket key of period {0} was sealed by another key: give every node the same sealing file")]
    Foreign(i64),
    /// The engine failed.
    #[error("the TLS library refuses")]
    Engine(#[from] ErrorStack),
    /// The same, where a key is sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What seals ticket keys at rest: 32 bytes in a file of mode 0600, the same on every node.
pub struct TicketSeal(Seal);

impl fmt::Debug for TicketSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSeal(..)")
    }
}

impl TicketSeal {
    /// Reads the file; makes it where it is missing.
    pub fn load(path: &Path) -> Result<Self, TicketError> {
        let failed = |source| TicketError::File { path: path.to_owned(), source };
        match fs::read(path) {
            Ok(bytes) => {
                let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
                let bytes: Option<[u8; 32]> = bytes.try_into().ok().filter(|_| mode & 0o077 == 0);
                bytes
                    .map(|bytes| Self(bytes.into()))
                    .ok_or_else(|| TicketError::Form { path: path.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(failed(error)),
        }
    }

    fn create(path: &Path) -> Result<Self, TicketError> {
        let failed = |source| TicketError::File { path: path.to_owned(), source };
        let mut bytes = [0; 32];
        rand_bytes(&mut bytes)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self(bytes.into()))
    }
}

/// The key of one period.
#[derive(Clone)]
pub struct TicketKey {
    period: i64,
    keys: Sealing,
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketKey({})", self.period)
    }
}

impl TicketKey {
    /// The number of the period that `now` lies in; every node counts the same.
    pub fn period_at(now: Timestamp) -> i64 {
        now.as_second().div_euclid(3600)
    }

    /// A new random key for a period.
    pub fn generate(period: i64) -> Result<Self, TicketError> {
        let mut bytes = [0; KEY_BYTES];
        rand_bytes(&mut bytes)?;
        Self::of(period, &bytes).ok_or(TicketError::Foreign(period))
    }

    fn of(period: i64, bytes: &[u8]) -> Option<Self> {
        let (name, rest) = bytes.split_first_chunk()?;
        let (cipher, rest) = rest.split_first_chunk()?;
        let keys = Sealing { name: *name, cipher: *cipher, mac: rest.try_into().ok()? };
        Some(Self { period, keys })
    }

    /// The period that it belongs to.
    pub fn period(&self) -> i64 {
        self.period
    }

    /// The key as it may lie in a store: AES-256-GCM, bound to its period.
    pub fn sealed(&self, seal: &TicketSeal) -> Result<Vec<u8>, TicketError> {
        let plain = [self.keys.name.as_slice(), &self.keys.cipher, &self.keys.mac].concat();
        Ok(seal.0.seal(&self.period.to_be_bytes(), &plain)?)
    }

    /// Reads what [`sealed`](Self::sealed) wrote.
    pub fn unsealed(period: i64, bytes: &[u8], seal: &TicketSeal) -> Result<Self, TicketError> {
        let plain = seal.0.open(&period.to_be_bytes(), bytes);
        plain.and_then(|plain| Self::of(period, &plain)).ok_or(TicketError::Foreign(period))
    }
}

/// The keys that one node knows at present; shared by its listeners.
#[derive(Debug, Default)]
pub struct TicketKeys(RwLock<Vec<TicketKey>>);

impl TicketKeys {
    /// Takes over what the nodes agreed on.
    pub fn replace(&self, keys: Vec<TicketKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    pub(crate) fn sealing(&self, now: Timestamp) -> Option<Sealing> {
        self.find(|key| key.period == TicketKey::period_at(now))
    }

    pub(crate) fn opening(&self, name: &[u8; 16], now: Timestamp) -> Option<Sealing> {
        let present = TicketKey::period_at(now);
        let is_good = |key: &TicketKey| key.period == present || key.period == present.saturating_sub(1);
        self.find(|key| is_good(key) && key.keys.name == *name)
    }

    fn find(&self, wanted: impl Fn(&TicketKey) -> bool) -> Option<Sealing> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().find(|key| wanted(key)).map(|key| key.keys.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600 + 59).unwrap()
    }

    #[test]
    fn t08_a_key_seals_for_an_hour_and_opens_for_two() {
        let keys = TicketKeys::default();
        let key = TicketKey::generate(100).unwrap();
        keys.replace(vec![key.clone()]);
        assert!(keys.sealing(at(100)).is_some_and(|sealing| sealing == key.keys));
        assert!(keys.sealing(at(99)).is_none() && keys.sealing(at(101)).is_none());
        for (hours, opens) in [(99, false), (100, true), (101, true), (102, false)] {
            assert_eq!(keys.opening(&key.keys.name, at(hours)).is_some(), opens, "{hours}");
        }
        assert!(keys.opening(&[0; 16], at(100)).is_none());
    }

    #[test]
    fn t08_a_key_at_rest_is_sealed_and_bound_to_its_period() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal");
        let seal = TicketSeal::load(&path).unwrap();
        let key = TicketKey::generate(7).unwrap();
        let bytes = key.sealed(&seal).unwrap();
        let again = TicketSeal::load(&path).unwrap();
        assert!(TicketKey::unsealed(7, &bytes, &again).unwrap().keys == key.keys);
        assert!(matches!(TicketKey::unsealed(8, &bytes, &seal), Err(TicketError::Foreign(8))));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(TicketKey::unsealed(7, &damaged, &seal).is_err(), "{at}");
            assert!(TicketKey::unsealed(7, &bytes[..at], &seal).is_err(), "{at}");
        }
        let other = TicketSeal::load(&folder.path().join("other")).unwrap();
        assert!(TicketKey::unsealed(7, &bytes, &other).is_err());
    }

    #[test]
    fn t08_a_sealing_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal");
        TicketSeal::load(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(TicketSeal::load(&path), Err(TicketError::Form { .. })));
        fs::write(&path, "short").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(TicketSeal::load(&path), Err(TicketError::Form { .. })));
    }
}
