//! Why a check could not be made; what a peer answers is never an error.

use std::io;

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The connection could not be made, or broke where the peer had no reason to break it.
    #[error("the connection fails")]
    Connection(#[from] io::Error),
    /// A file is not what it should be.
    #[error("cannot read the {0}")]
    Credentials(&'static str),
    /// The peer did not play its part as far as the check needs it.
    #[error("the peer {0}")]
    Peer(&'static str),
    /// The check was asked for something that it cannot do.
    #[error("this prober {0}")]
    Unable(&'static str),
}
