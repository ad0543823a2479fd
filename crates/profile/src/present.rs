//! What holds between two reloads of files: a connection keeps the one that it began with, and the next one has the new.
//!
//! ```text
//!   reload ──▶ Present ──▶ every connection from then on
//! ```

use std::sync::Arc;

use openssl::ssl::SslContext;

use crate::certificate::CertificateFacts;
use crate::trust::Trust;

/// The engine's context, whom it trusts, and our own certificate.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) context: SslContext,
    pub(crate) trust: Arc<Trust>,
    pub(crate) own: CertificateFacts,
}
