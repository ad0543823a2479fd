//! The TLS listeners as they stand now: their files are watched, and their ticket keys shared with other nodes.
//!
//! ```text
//!  file changed, SIGHUP ─▶ load ─┬─ good ─▶ new connections see it; open ones go on
//!                                └─ bad ──▶ said; everything stays as it was
//!  every minute ─▶ store: the keys of this hour, the last and the next ─▶ tickets
//! ```

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use profile::{
    Acceptor, Blocklist, CertificateFacts, ContextError, TicketError, TicketKey, TicketKeys, TicketSeal,
    Watched,
};
use tokio::sync::{Notify, watch};

use crate::{
    Hems,
    config::{Listener, Tls},
    store::{Store, StoreError},
};

/// How often files are looked at: a change counts within two seconds.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two agreements on ticket keys.
const LOOKS_PER_AGREEMENT: u32 = 60;
/// The file in the state folder that seals ticket keys; the same on every node.
const SEAL: &str = "ticket.seal";

/// A listener that is open.
struct Door {
    listener: Listener,
    acceptor: Acceptor,
    /// The files that were loaded last, good or bad.
    files: Mutex<Watched>,
}

/// Every TLS listener of this node.
pub(crate) struct Doors {
    doors: Vec<Door>,
    keys: Arc<TicketKeys>,
    seal: TicketSeal,
    again: Notify,
}

/// Why the listeners cannot open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoorError {
    /// A certificate, a key, an anchor.
    #[error(transparent)]
    Tls(#[from] ContextError),
    /// The file that seals ticket keys.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Doors {
    /// Loads everything once.
    pub(crate) fn open(tls: &Tls, state_dir: &Path, blocks: &Arc<dyn Blocklist>) -> Result<Self, DoorError> {
        let (keys, seal) = (Arc::new(TicketKeys::default()), TicketSeal::load(&state_dir.join(SEAL))?);
        let mut doors = Vec::new();
        for listener in &tls.listeners {
            let files = Mutex::new(Watched::new(listener.materials.files()));
            let (blocks, keys) = (Arc::clone(blocks), Some(Arc::clone(&keys)));
            let acceptor = Acceptor::with(&listener.terms, &listener.materials, blocks, keys)?;
            doors.push(Door { listener: listener.clone(), acceptor, files });
        }
        Ok(Self { doors, keys, seal, again: Notify::new() })
    }

    /// Every address with who accepts cells there.
    pub(crate) fn places(&self) -> impl Iterator<Item = (SocketAddr, Acceptor)> {
        self.doors.iter().flat_map(|door| {
            let place = |address: &SocketAddr| (*address, door.acceptor.clone());
            door.listener.addresses.iter().map(place).collect::<Vec<_>>()
        })
    }

    /// Our certificate on the first listener, as it is now.
    pub(crate) fn certificate(&self) -> Option<CertificateFacts> {
        self.doors.first().map(|door| door.acceptor.certificate())
    }

    /// The file of that certificate's chain.
    pub(crate) fn chain(&self) -> Option<&Path> {
        self.doors.first().map(|door| door.listener.materials.own.chain.as_path())
    }

    /// Loads every file again, changed or not.
    pub(crate) fn reload(&self) {
        self.again.notify_one();
    }

    /// Agrees with the other nodes on the keys of this hour and the next.
    pub(crate) async fn agree(&self, store: &Store, now: jiff::Timestamp) -> Result<(), DoorError> {
        let present = TicketKey::period_at(now);
        let mut offered = Vec::new();
        for period in [present, present + 1] {
            offered.push((period, TicketKey::generate(period)?.sealed(&self.seal)?));
        }
        let mut keys = Vec::new();
        for (period, sealed) in store.agree_on_ticket_keys(offered, present - 1).await? {
            keys.push(TicketKey::unsealed(period, &sealed, &self.seal)?);
        }
        self.keys.replace(keys);
        Ok(())
    }

    /// Looks after files and keys until the server shuts down.
    pub(crate) async fn watch(self: Arc<Self>, hems: Arc<Hems>, mut shutdown: watch::Receiver<bool>) {
        let mut looks = 0;
        loop {
            let is_asked = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                () = self.again.notified() => true,
                _ = shutdown.wait_for(|is_over| *is_over) => return,
            };
            for door in &self.doors {
                door.look(is_asked);
            }
            looks += 1;
            if looks % LOOKS_PER_AGREEMENT == 0
                && let Err(error) = self.agree(&hems.store, hems.now()).await
            {
                tracing::error!(%error, "cells make full handshakes: there are no keys for tickets");
            }
        }
    }
}

impl Door {
    fn look(&self, is_asked: bool) {
        for (anchor, note) in self.acceptor.take_notes() {
            tracing::warn!(listener = self.listener.name, anchor, "{note}");
        }
        let has_changed = self.files.lock().unwrap_or_else(PoisonError::into_inner).has_changed();
        if !has_changed && !is_asked {
            return;
        }
        let listener = &self.listener.name;
        match self.acceptor.reload(&self.listener.materials) {
            Ok(()) => tracing::info!(listener, "certificates, anchors and revocation lists were read again"),
            Err(error) => tracing::error!(listener, "the old certificates and anchors stay: {error}"),
        }
    }
}
