//! The fleet's certificates: made where they are missing, on a few shared keys.
//!
//! An RSA key costs tens of milliseconds, a certificate on it next to nothing; that cells share a key changes no
//! handshake, and only a lab does it.

use std::path::Path;

use profile::{
    KeyPair,
    pki::{Fleet, Key, PkiError},
};

/// How many keys the fleet shares.
const KEYS: usize = 4;

/// The RSA size that TS 33.310 asks for at least.
const BITS: u32 = 2048;

/// Makes certificates, and the keys for them when the first is missing.
pub(crate) struct Press<'p> {
    pki: &'p Path,
    realm: &'p str,
    fleet: Fleet,
    keys: Vec<Key>,
    next: usize,
}

impl<'p> Press<'p> {
    pub(crate) fn open(pki: &'p Path, realm: &'p str) -> Result<Self, PkiError> {
        Ok(Self { pki, realm, fleet: Fleet::open(pki, realm)?, keys: Vec::new(), next: 0 })
    }

    /// The certificate of one cell.
    pub(crate) fn certificate(&mut self, eui: &str) -> Result<KeyPair, PkiError> {
        let is_there = self.pki.join("henb").join(format!("{eui}.{}.pem", self.realm)).exists();
        if !is_there && self.keys.len() < KEYS {
            self.keys.push(Key::generate(BITS)?);
        }
        self.next += 1;
        let key = self.keys.get(self.next % self.keys.len().max(1));
        self.fleet.issue(eui, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_made_once_on_a_few_keys() {
        let folder = tempfile::tempdir().unwrap();
        profile::pki::init(folder.path()).unwrap();
        let issue = || -> Vec<KeyPair> {
            let mut press = Press::open(folder.path(), "hnb.example").unwrap();
            (1..=6).map(|number| press.certificate(&format!("02000000000{number}")).unwrap()).collect()
        };
        let read = |pairs: &[KeyPair]| -> Vec<Vec<u8>> {
            pairs.iter().map(|pair| std::fs::read(&pair.key).unwrap()).collect()
        };
        let first = read(&issue());
        assert_eq!(first, read(&issue()));
        let distinct: std::collections::BTreeSet<&Vec<u8>> = first.iter().collect();
        assert!(distinct.len() <= KEYS);
        let list = std::fs::read_to_string(folder.path().join("identities.csv")).unwrap();
        assert_eq!(list.lines().count(), 7);
    }
}
