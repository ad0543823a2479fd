//! The way to the listeners of cells: our certificate with the wake role, and the anchors of our own listeners.
//!
//! ```text
//!  file changed, SIGHUP, grace ─▶ load ─┬─ good ─▶ the next Connection Request sees it
//!                                       └─ bad ──▶ said; everything stays as it was
//! ```

use std::sync::{Arc, Mutex};

use profile::{Blocklist, ContextError, WakeConnector, Watched};

use super::{lock, with_graces};
use crate::{config::WakeLine, grace::Graces};

/// What logs and reports call it.
pub(super) const NAME: &str = "wake";

/// The connector to listeners, and what it is made of.
pub(super) struct WayOut {
    line: WakeLine,
    connector: WakeConnector,
    /// The files that were loaded last, good or bad.
    files: Mutex<Watched>,
}

impl WayOut {
    pub(super) fn open(line: &WakeLine, blocks: Arc<dyn Blocklist>) -> Result<Self, ContextError> {
        let files = Mutex::new(Watched::new(line.materials.files()));
        let connector = WakeConnector::new(&line.terms, &line.materials, blocks)?;
        Ok(Self { line: line.clone(), connector, files })
    }

    pub(super) fn connector(&self) -> &WakeConnector {
        &self.connector
    }

    /// Reads the files again where one has changed or somebody asks; says whether it did.
    pub(super) fn look(&self, is_asked: bool, graces: &Graces) -> bool {
        let has_changed = lock(&self.files).has_changed();
        if has_changed || is_asked {
            self.read(graces);
        }
        has_changed || is_asked
    }

    pub(super) fn read(&self, graces: &Graces) {
        match self.connector.reload(&with_graces(&self.line.materials, graces)) {
            Ok(()) => tracing::info!("the certificate that wakes cells was read again"),
            Err(error) => tracing::error!("the old certificate wakes cells: {error}"),
        }
    }
}
