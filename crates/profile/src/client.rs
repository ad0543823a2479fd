//! The H(e)NB's side of a handshake.

use std::path::Path;

use tokio::net::TcpStream;

use crate::context::{ContextError, KeyPair, Terms};
use crate::identity::Identity;
use crate::refusal::{Reason, Refusal};
use crate::stream::{Evidence, Stream};

/// Connects one H(e)NB to its H(e)MS.
#[derive(Debug, Clone)]
pub struct Connector {
    identity: Identity,
}

/// A H(e)MS whose certificate was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPeer {
    /// What was negotiated.
    pub evidence: Evidence,
}

impl Connector {
    /// Checks everything that does not need a peer; `anchors` is a PEM bundle of operator CAs.
    pub fn new(_terms: &Terms, _own: &KeyPair, anchors: &Path) -> Result<Self, ContextError> {
        Err(ContextError::Read { path: anchors.into(), source: std::io::ErrorKind::Unsupported.into() })
    }

    /// Who this H(e)NB is by its own certificate.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Shakes hands with the H(e)MS `host`, within [`HANDSHAKE_BOUND`](crate::HANDSHAKE_BOUND).
    pub async fn connect(&self, _tcp: TcpStream, _host: &str) -> Result<(Stream, ServerPeer), Refusal> {
        tokio::task::yield_now().await;
        Err(Refusal::new(Reason::Internal, "not written yet"))
    }
}
