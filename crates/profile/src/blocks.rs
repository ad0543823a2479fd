//! Peers that an operator shuts out although their certificates are good. (Decision 7, I-12)
//!
//! Whether somebody is blocked changes from one minute to the next, so the H(e)MS is asked each time: in the
//! handshake, where the peer can still be told by an alert, and once more on what the handshake left, so that a
//! session that is continued without certificates gets no further than a full handshake would.

use std::fmt::Debug;

use crate::certificate::CertificateFacts;
use crate::identity::Identity;

/// Knows who is shut out.
pub trait Blocklist: Send + Sync + Debug {
    /// Why a peer with this identity and this verified chain (leaf first, root last) is shut out; `None` lets it in.
    ///
    /// It is called inside the handshake: it answers from memory.
    fn blocked(&self, identity: &Identity, chain: &[CertificateFacts]) -> Option<String>;
}

/// Shuts nobody out.
impl Blocklist for () {
    fn blocked(&self, _: &Identity, _: &[CertificateFacts]) -> Option<String> {
        None
    }
}
