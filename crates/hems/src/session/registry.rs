//! The sessions that are open: one per identity at most, each found by its identity and never by what HTTP says.
//!
//! A slot is locked while a post of its identity is answered, so that two connections of one device take turns. A
//! cookie only continues a session of the identity that got it; the table of tokens exists to tell a stale cookie
//! (harmless) from one of another identity (theft). (S-08)

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use profile::Identity;

use super::Session;
use crate::hex;

/// Where the session of one identity is, if there is one.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Option<Session>>>;

/// Bytes of randomness in a cookie.
const TOKEN_BYTES: usize = 16;

/// All open sessions.
#[derive(Default)]
pub(crate) struct Registry {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    slots: HashMap<Identity, Slot>,
    tokens: HashMap<String, Identity>,
}

impl Registry {
    /// The slot of an identity.
    pub(crate) fn slot(&self, identity: &Identity) -> Slot {
        Arc::clone(self.tables().slots.entry(identity.clone()).or_default())
    }

    /// A fresh token for a session of this identity; nothing when the system has no randomness.
    pub(crate) fn issue(&self, identity: &Identity) -> Option<String> {
        let token = hex::random::<TOKEN_BYTES>()?;
        self.tables().tokens.insert(token.clone(), identity.clone());
        Some(token)
    }

    /// The token's session is over.
    pub(crate) fn revoke(&self, token: &str) {
        self.tables().tokens.remove(token);
    }

    /// Whether a token belongs to the open session of another identity.
    pub(crate) fn is_of_another(&self, token: &str, identity: &Identity) -> bool {
        self.tables().tokens.get(token).is_some_and(|owner| owner != identity)
    }

    /// Gives a slot back; the last who leaves an empty one takes it away.
    pub(crate) fn leave(&self, identity: &Identity, slot: Slot, is_empty: bool) {
        let mut tables = self.tables();
        // The table's own, and ours: clones are made under this lock only.
        if is_empty && Arc::strong_count(&slot) == 2 {
            tables.slots.remove(identity);
        }
    }

    /// All slots, to look for sessions that are overdue or to end them all.
    pub(crate) fn slots(&self) -> Vec<(Identity, Slot)> {
        self.tables().slots.iter().map(|(identity, slot)| (identity.clone(), Arc::clone(slot))).collect()
    }

    /// How many slots and tokens there are: none when nothing is open.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let tables = self.tables();
        (tables.slots.len(), tables.tokens.len())
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s08_a_token_belongs_to_one_identity_while_its_session_lasts() {
        let registry = Registry::default();
        let mine = Identity::parse("00005e005301.hnb.example").unwrap();
        let other = Identity::parse("00005e005302.hnb.example").unwrap();
        let token = registry.issue(&mine).unwrap();
        assert!(registry.is_of_another(&token, &other));
        assert!(!registry.is_of_another(&token, &mine));
        registry.revoke(&token);
        assert!(!registry.is_of_another(&token, &other));
        assert_eq!(registry.sizes(), (0, 0));
    }

    #[test]
    fn an_empty_slot_is_taken_away_by_the_last_who_leaves_it() {
        let registry = Registry::default();
        let mine = Identity::parse("00005e005301.hnb.example").unwrap();
        let (first, second) = (registry.slot(&mine), registry.slot(&mine));
        registry.leave(&mine, first, true);
        assert_eq!(registry.sizes(), (1, 0));
        registry.leave(&mine, second, true);
        assert_eq!(registry.sizes(), (0, 0));
    }
}
