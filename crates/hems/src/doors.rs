//! The TLS listeners as they stand now: their files are watched, and their ticket keys shared with other nodes.
//!
//! ```text
//!  file changed, SIGHUP ─▶ load ─┬─ good ─▶ new connections see it; open ones go on
//!                                └─ bad ──▶ said; everything stays as it was
//!  every minute ─▶ store: the keys of this hour, the last and the next ─▶ tickets
//! ```

mod way_out;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use profile::{
    Acceptor, Blocklist, CertificateFacts, ContextError, Materials, Profile, TicketError, TicketKey,
    TicketKeys, TicketSeal, WakeConnector, Watched, revocation::CrlNote,
};
use tokio::sync::{Notify, watch};
use way_out::WayOut;

use crate::{
    Hems,
    config::{Listener, Tls, WakeLine},
    grace::{self, Graces, ListFacts},
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
    /// The way to the listeners of cells.
    way_out: Option<WayOut>,
    /// What operators added to the grace of stale lists.
    graces: Mutex<Graces>,
    /// What is wrong with revocation lists since they were read last, and since when.
    troubles: Mutex<Troubles>,
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
    pub(crate) fn open(
        tls: &Tls,
        wake: Option<&WakeLine>,
        state_dir: &Path,
        blocks: &Arc<dyn Blocklist>,
    ) -> Result<Self, DoorError> {
        let (keys, seal) = (Arc::new(TicketKeys::default()), TicketSeal::load(&state_dir.join(SEAL))?);
        let mut doors = Vec::new();
        for listener in &tls.listeners {
            let files = Mutex::new(Watched::new(listener.materials.files()));
            let (blocks, keys) = (Arc::clone(blocks), Some(Arc::clone(&keys)));
            let acceptor = Acceptor::with(&listener.terms, &listener.materials, blocks, keys)?;
            doors.push(Door { listener: listener.clone(), acceptor, files });
        }
        let way_out = wake.map(|line| WayOut::open(line, Arc::clone(blocks))).transpose()?;
        let (graces, troubles) = Default::default();
        Ok(Self { doors, way_out, graces, troubles, keys, seal, again: Notify::new() })
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

    /// The profile of the listener of that name; of the first where nobody says.
    pub(crate) fn profile(&self, listener: Option<&str>) -> Option<&'static Profile> {
        self.door(listener).map(|door| door.listener.terms.profile)
    }

    fn door(&self, listener: Option<&str>) -> Option<&Door> {
        self.doors.iter().find(|door| listener.is_none_or(|name| door.listener.name == name))
    }

    /// Connects to the listeners of cells, where the configuration says by which certificate.
    pub(crate) fn way_out(&self) -> Option<&WakeConnector> {
        self.way_out.as_ref().map(WayOut::connector)
    }

    /// The names of the listeners.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.doors.iter().map(|door| door.listener.name.as_str()).collect()
    }

    /// The file with the chain of the listener of that name; of the first where nobody says.
    pub(crate) fn chain(&self, listener: Option<&str>) -> Option<&Path> {
        self.door(listener).map(|door| door.listener.materials.own.chain.as_path())
    }

    /// Loads every file again, changed or not.
    pub(crate) fn reload(&self) {
        self.again.notify_one();
    }

    /// Agrees with the other nodes on the keys of this hour and the next.
    pub(crate) async fn agree(&self, store: &Store, now: Timestamp) -> Result<(), DoorError> {
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
            self.look(is_asked, hems.now());
            looks += 1;
            if looks % LOOKS_PER_AGREEMENT == 0 {
                self.meet_the_others(&hems).await;
            }
        }
    }

    /// What other nodes wrote into the store.
    async fn meet_the_others(&self, hems: &Hems) {
        if let Err(error) = self.agree(&hems.store, hems.now()).await {
            tracing::error!(%error, "cells make full handshakes: there are no keys for tickets");
        }
        if let Err(error) = self.share_graces(&hems.store).await {
            tracing::error!(%error, "what operators decided about stale lists cannot be read");
        }
    }

    fn look(&self, is_asked: bool, now: Timestamp) {
        let graces = lock(&self.graces).clone();
        for door in &self.doors {
            let is_read_again = door.look(is_asked, &graces);
            self.note(&door.listener.name, is_read_again, door.acceptor.take_notes(), now);
        }
        if let Some(way_out) = &self.way_out {
            let is_read_again = way_out.look(is_asked, &graces);
            self.note(way_out::NAME, is_read_again, way_out.connector().take_notes(), now);
        }
    }

    /// What is wrong with revocation lists; where they were read again, what is still wrong is said again.
    fn note(&self, listener: &str, is_read_again: bool, notes: Vec<(String, CrlNote)>, now: Timestamp) {
        let mut troubles = lock(&self.troubles);
        if is_read_again {
            troubles.retain(|(other, ..), _| other != listener);
        }
        for (anchor, note) in notes {
            tracing::warn!(listener, anchor, "{note}");
            if troubles.len() < TROUBLES_MAX {
                troubles.entry((listener.to_owned(), anchor, note.to_string())).or_insert(now);
            }
        }
    }

    /// Lets the lists count as operators decided; open connections go on.
    pub(crate) async fn share_graces(&self, store: &Store) -> Result<(), StoreError> {
        let graces = grace::in_force(&store.graces().await?);
        if *lock(&self.graces) != graces {
            self.doors.iter().for_each(|door| door.read(&graces));
            self.way_out.iter().for_each(|way_out| way_out.read(&graces));
            *lock(&self.graces) = graces;
        }
        Ok(())
    }

    /// The anchors that have revocation lists.
    pub(crate) fn anchors_with_lists(&self) -> Vec<String> {
        let anchors = self.doors.iter().flat_map(|door| &door.listener.materials.anchors);
        let names = anchors.filter(|anchor| !anchor.crls.is_empty()).map(|anchor| anchor.name.clone());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Every revocation list; listeners share them.
    pub(crate) fn lists(&self) -> Vec<ListFacts> {
        let graces = lock(&self.graces).clone();
        let mut lists: Vec<ListFacts> = Vec::new();
        for door in &self.doors {
            let anchors = door.materials(&graces).anchors;
            let policy = |name: &str| anchors.iter().find(|anchor| anchor.name == name);
            for (anchor, list) in door.acceptor.lists() {
                let policy = policy(&anchor).map(|anchor| anchor.crl_policy).unwrap_or_default();
                let facts = ListFacts::new(anchor, list, policy);
                if !lists.contains(&facts) {
                    lists.push(facts);
                }
            }
        }
        lists
    }

    /// What is wrong with revocation lists: the anchor, what, and since when.
    pub(crate) fn troubles(&self) -> Vec<(String, String, Timestamp)> {
        let troubles = lock(&self.troubles);
        let shown = troubles.iter().map(|((_, anchor, note), since)| (anchor.clone(), note.clone(), *since));
        let distinct: BTreeSet<_> = shown.collect();
        distinct.into_iter().collect()
    }
}

/// Listener, anchor and note.
type Troubles = BTreeMap<(String, String, String), Timestamp>;

/// Troubles that are kept: as many as lists.
const TROUBLES_MAX: usize = profile::revocation::MAX_CRLS;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Materials with what operators added to the grace of their anchors' lists.
fn with_graces(materials: &Materials, graces: &Graces) -> Materials {
    let mut materials = materials.clone();
    for anchor in &mut materials.anchors {
        let policy = &mut anchor.crl_policy;
        policy.extended_until = policy.extended_until.max(graces.get(&anchor.name).copied());
    }
    materials
}

impl Door {
    /// Reads the files again where one has changed or somebody asks; says whether it did.
    fn look(&self, is_asked: bool, graces: &Graces) -> bool {
        let has_changed = lock(&self.files).has_changed();
        if has_changed || is_asked {
            self.read(graces);
        }
        has_changed || is_asked
    }

    /// What the listener is made of, with what operators added to the grace of its anchors' lists.
    fn materials(&self, graces: &Graces) -> Materials {
        with_graces(&self.listener.materials, graces)
    }

    fn read(&self, graces: &Graces) {
        let listener = &self.listener.name;
        match self.acceptor.reload(&self.materials(graces)) {
            Ok(()) => tracing::info!(listener, "certificates, anchors and revocation lists were read again"),
            Err(error) => tracing::error!(listener, "the old certificates and anchors stay: {error}"),
        }
    }
}
