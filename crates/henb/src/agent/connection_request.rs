//! Connection Requests from the agent's chair: when the listener is open, and what it leads to. (decision 5)
//!
//! ```text
//!   chosen in the configuration ∧ EnableCWMP ∧ HTTPConnectionRequestEnable ─▶ open, and ConnectionRequestURL says where
//!   somebody asked ─▶ 6 CONNECTION REQUEST on the agenda ─▶ a session, after the one that runs
//! ```

use std::{path::Path, sync::Arc};

use profile::{Connector, ContextError, Provision, RestoredClock, WakeAcceptor};
use tokio::sync::watch;

use super::{Agent, DaemonError, Status, trust};
use crate::{
    config::{Config, Entrance},
    connection_request::Requests,
};

/// What the listener is made of, under these anchors; nothing where it has no TLS.
pub(super) fn provision(config: &Config, anchors: &Path) -> Option<Provision> {
    match &config.connection_request.as_ref()?.entrance {
        Entrance::Tls(own) => Some(Provision { own: own.clone(), ..trust::provision(config, anchors) }),
        Entrance::Tunnel(_) => None,
    }
}

/// Who is accepted by a listener that is made of this.
pub(super) fn acceptor(
    config: &Config,
    clock: &Arc<RestoredClock>,
    provision: Option<Provision>,
    cell: &Connector,
) -> Result<Option<WakeAcceptor>, ContextError> {
    let made = provision.map(|provision| WakeAcceptor::new(&trust::terms(config, clock), &provision, cell));
    made.transpose()
}

/// The listener that the configuration wants, still closed.
pub(super) fn requests(
    config: &Config,
    acceptor: Option<WakeAcceptor>,
    status: &watch::Sender<Status>,
) -> Result<Option<Requests>, DaemonError> {
    let Some(wanted) = &config.connection_request else { return Ok(None) };
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(DaemonError::Random)?;
    let path = u128::from_ne_bytes(bytes);
    Ok(Some(Requests::new(wanted.clone(), acceptor, path, status.clone())))
}

impl Agent {
    /// Opens or closes the listener as the cell's settings are now, and takes what it heard; true when the H(e)MS shall
    /// hear of it.
    pub(super) fn mind_connection_requests(&mut self) -> bool {
        let is_on = self.cell.takes_connection_requests();
        let mut is_asked = false;
        let mut url = String::new();
        if let Some(requests) = &mut self.requests {
            if is_on {
                let hems = self.cell.url();
                requests.open(hems.as_ref().unwrap_or(&self.config.url).host());
            } else {
                requests.close();
            }
            is_asked = requests.take() && is_on;
            url = requests.url();
        }
        if is_asked {
            self.cell.agenda.connection_request();
        }
        self.cell.show_connection_request_url(&url) || is_asked
    }

    /// The listener takes these anchors and what has changed beside them; what it cannot use keeps nothing else back.
    pub(super) fn reload_listener(&self, anchors: &Path) {
        let acceptor = self.requests.as_ref().and_then(Requests::acceptor);
        let Some((acceptor, provision)) = acceptor.zip(provision(&self.config, anchors)) else { return };
        if let Err(error) = acceptor.reload(&provision, &self.way.connector) {
            let error = super::chain(&error);
            tracing::error!(
                error,
                "the listener for Connection Requests keeps its old certificate and anchors"
            );
        }
    }
}

/// Waits for what a listener says; for ever where there is none.
pub(super) async fn news(requests: &mut Option<Requests>) {
    match requests {
        Some(requests) => requests.news().await,
        None => std::future::pending().await,
    }
}
