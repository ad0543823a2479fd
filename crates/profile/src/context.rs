//! Terms, keys and anchors: everything that is checked once, before the first connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::profile::{Profile, SuiteOrder};

/// The terms under which one side talks TLS.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The table.
    pub profile: &'static Profile,
    /// Which suites come first.
    pub order: SuiteOrder,
    /// The clock that certificates are checked with.
    pub clock: Arc<dyn Clock>,
    /// Whether lab CAs are accepted. (Decision 12)
    pub lab: bool,
}

impl Terms {
    /// The default terms: `ts33320`, DHE first, no lab.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { profile: &Profile::TS33320, order: SuiteOrder::default(), clock, lab: false }
    }
}

/// A certificate chain and its private key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// The leaf first, then the CAs below the root.
    pub chain: PathBuf,
    /// The private key; only its owner may read the file.
    pub key: PathBuf,
}

/// CA certificates and the realms that they may issue for. (Decision 7)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustAnchor {
    /// What the operator calls it.
    pub name: String,
    /// A PEM bundle of self-signed CA certificates.
    pub certificates: PathBuf,
    /// The realms; never empty for a server.
    pub realms: Vec<String>,
}

/// Why a context cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Whether the first certificate of a PEM file carries the lab marker. (Decision 12)
pub fn is_lab(_pem: &Path) -> Result<bool, ContextError> {
    Ok(false)
}
