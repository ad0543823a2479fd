//! What the operator blocks: asked in every handshake, and again before a session resumes. (I-12)

use std::fmt;

use crate::certificate::CertificateFacts;
use crate::identity::Identity;

/// A list of blocked identities, certificates, keys and issuers.
pub trait Blocklist: Send + Sync + fmt::Debug {
    /// Why this peer is blocked, in words for the operator; none where it is not. The chain begins with the leaf
    /// and ends with the root.
    fn blocked(&self, identity: &Identity, chain: &[CertificateFacts]) -> Option<String>;
}

/// Blocks nobody.
impl Blocklist for () {
    fn blocked(&self, _: &Identity, _: &[CertificateFacts]) -> Option<String> {
        None
    }
}
