//! The chains that were verified lately, so that a resumed session is judged like a new one. (Decision 8)
//!
//! The engine keeps the leaf in a ticket and forgets the rest. What is above it is shared by a whole fleet and
//! kept once; a leaf costs its own bytes. When the young half is full, the old half is forgotten: its cells make
//! one full handshake more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Leaves in one half: with both, the cells of two hours of a large node at 1 kB each.
const HALF: usize = 50_000;

type Above = Arc<[Vec<u8>]>;

/// The chains by the SHA-256 of their leaf.
#[derive(Debug, Default)]
pub(crate) struct KnownChains(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<String, (Vec<u8>, Above)>,
    old: HashMap<String, (Vec<u8>, Above)>,
    above: Vec<Above>,
}

impl KnownChains {
    /// Remembers a chain that was verified: DER, leaf first.
    pub(crate) fn remember(&self, fingerprint: &str, chain: &[Vec<u8>]) {
        let Some((leaf, above)) = chain.split_first() else {
            return;
        };
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.young.len() >= HALF {
            halves.old = std::mem::take(&mut halves.young);
            halves.above.retain(|above| Arc::strong_count(above) > 1);
        }
        let above = halves.intern(above);
        halves.young.insert(fingerprint.to_owned(), (leaf.clone(), above));
    }

    /// The chain of a leaf: DER, leaf first.
    pub(crate) fn find(&self, fingerprint: &str) -> Option<Vec<Vec<u8>>> {
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (leaf, above) = halves.young.get(fingerprint).or_else(|| halves.old.get(fingerprint))?;
        Some(std::iter::once(leaf).chain(above.iter()).cloned().collect())
    }
}

impl Halves {
    fn intern(&mut self, above: &[Vec<u8>]) -> Above {
        if let Some(known) = self.above.iter().find(|known| ***known == *above) {
            return Arc::clone(known);
        }
        let new: Above = above.into();
        self.above.push(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t08_a_chain_is_found_again_and_a_flood_pushes_out_the_oldest_only() {
        let chains = KnownChains::default();
        let chain = |leaf: usize| vec![leaf.to_be_bytes().to_vec(), b"sub".to_vec(), b"root".to_vec()];
        for leaf in 0..=2 * HALF {
            chains.remember(&leaf.to_string(), &chain(leaf));
        }
        assert_eq!(chains.find("0"), None);
        assert_eq!(chains.find(&HALF.to_string()), Some(chain(HALF)));
        assert_eq!(chains.find(&(2 * HALF).to_string()), Some(chain(2 * HALF)));
        let halves = chains.0.lock().unwrap();
        assert!(halves.young.len() + halves.old.len() <= 2 * HALF && halves.above.len() == 1);
    }
}
