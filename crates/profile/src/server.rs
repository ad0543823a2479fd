//! The H(e)MS's side of a handshake.

use tokio::net::TcpStream;

use crate::context::{ContextError, KeyPair, Terms, TrustAnchor};
use crate::identity::Identity;
use crate::refusal::{Reason, Refusal};
use crate::stream::{Evidence, Stream};

/// Accepts H(e)NBs on one listener.
#[derive(Debug, Clone)]
pub struct Acceptor {}

/// A H(e)NB whose certificate was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it is. (TS 33.320 8.3.4, P-20)
    pub identity: Identity,
    /// The name of the trust anchor that vouches for it.
    pub anchor: String,
    /// What was negotiated.
    pub evidence: Evidence,
}

impl Acceptor {
    /// Checks everything that does not need a peer.
    pub fn new(_terms: &Terms, _own: &KeyPair, _anchors: &[TrustAnchor]) -> Result<Self, ContextError> {
        Ok(Self {})
    }

    /// Shakes hands on a new connection, within [`HANDSHAKE_BOUND`](crate::HANDSHAKE_BOUND).
    pub async fn accept(&self, _tcp: TcpStream) -> Result<(Stream, Peer), Refusal> {
        tokio::task::yield_now().await;
        Err(Refusal::new(Reason::Internal, "not written yet"))
    }
}
