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

/// A chain that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// DER, leaf first.
    pub(crate) chain: Vec<Vec<u8>>,
    /// Under which trust.
    pub(crate) generation: u64,
}

#[derive(Debug)]
struct Entry {
    leaf: Vec<u8>,
    above: Above,
    generation: u64,
}

/// The chains by the SHA-256 of their leaf.
#[derive(Debug, Default)]
pub(crate) struct KnownChains(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<String, Entry>,
    old: HashMap<String, Entry>,
    above: Vec<Above>,
}

impl KnownChains {
    /// Remembers a chain that was verified under the trust of that generation: DER, leaf first.
    pub(crate) fn remember(&self, fingerprint: &str, chain: &[Vec<u8>], generation: u64) {
        let Some((leaf, above)) = chain.split_first() else {
            return;
        };
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.young.len() >= HALF {
            halves.old = std::mem::take(&mut halves.young);
            halves.above.retain(|above| Arc::strong_count(above) > 1);
        }
        let above = halves.intern(above);
        halves.young.insert(fingerprint.to_owned(), Entry { leaf: leaf.clone(), above, generation });
    }

    /// The chain of a leaf.
    pub(crate) fn find(&self, fingerprint: &str) -> Option<Known> {
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = halves.young.get(fingerprint).or_else(|| halves.old.get(fingerprint))?;
        let chain = std::iter::once(&entry.leaf).chain(entry.above.iter()).cloned().collect();
        Some(Known { chain, generation: entry.generation })
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
            chains.remember(&leaf.to_string(), &chain(leaf), 7);
        }
        assert_eq!(chains.find("0"), None);
        let known = |leaf| Some(Known { chain: chain(leaf), generation: 7 });
        assert_eq!(chains.find(&HALF.to_string()), known(HALF));
        assert_eq!(chains.find(&(2 * HALF).to_string()), known(2 * HALF));
        let halves = chains.0.lock().unwrap();
        assert!(halves.young.len() + halves.old.len() <= 2 * HALF && halves.above.len() == 1);
    }
}
