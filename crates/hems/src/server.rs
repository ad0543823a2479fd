//! The running H(e)MS: its listeners, its background work, and an orderly end.
//!
//! Everything a session needs is in [`Hems`]; listeners for cells and for operators share it and nothing else.

use std::{
    fs::DirBuilder,
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use cwmp::{Quirk, Witness};
use jiff::Timestamp;
use profile::{Clock, TransportMode};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    admission::{Roster, RosterError},
    api,
    config::{Config, GatePolicy},
    endpoint::{Budget, Endpoint},
    refusal::Ledger,
    session::{Outcome, Registry, Session},
    store::{Store, StoreError},
};

/// How often overdue sessions are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// How long sessions may take to end when the server shuts down: a few posts of a cell.
const GRACE: Duration = Duration::from_secs(3);
/// How often the end of the last session is looked for in that time.
const GRACE_STEP: Duration = Duration::from_millis(20);

/// What every session shares.
pub(crate) struct Hems {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) roster: Roster,
    pub(crate) ledger: Ledger,
    pub(crate) budget: Budget,
    pub(crate) witness: Arc<dyn Witness>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) gate: GatePolicy,
    /// Every quirk that a device may have.
    pub(crate) quirks: Vec<Quirk>,
    pub(crate) mode: TransportMode,
    /// The path of the URL that cells are given.
    pub(crate) path: String,
    /// How long a device may be silent in a session.
    pub(crate) patience: Duration,
}

impl Hems {
    /// The present, by our clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Ends a session: its cookie is worth nothing any more, its outcome is written.
    pub(crate) async fn end_session(&self, session: Session, outcome: Outcome) {
        self.registry.revoke(session.token());
        session.finish(self, outcome).await;
    }

    /// Ends sessions whose device went silent, or all of them.
    async fn sweep(&self, outcome: Outcome) {
        for (identity, slot) in self.registry.slots() {
            let Ok(mut session) = slot.try_lock() else { continue };
            let is_due =
                |session: &Session| outcome == Outcome::Shutdown || session.deadline() < Instant::now();
            if session.as_ref().is_some_and(is_due)
                && let Some(session) = session.take()
            {
                self.end_session(session, outcome).await;
            }
            let is_empty = session.is_none();
            drop(session);
            self.registry.leave(&identity, slot, is_empty);
        }
    }
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The state folder or a file in it.
    #[error("cannot use {}", path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The database.
    #[error("cannot open the store")]
    Store(#[from] StoreError),
    /// The system gives no random numbers.
    #[error("cannot make an API token: the system gives no random numbers")]
    Randomness,
}

/// A running H(e)MS.
pub struct Server {
    hems: Arc<Hems>,
    cwmp_addresses: Vec<SocketAddr>,
    api_address: SocketAddr,
    token_file: PathBuf,
    tasks: JoinSet<()>,
    shutdown: watch::Sender<bool>,
}

impl Server {
    /// Opens the store and every listener.
    ///
    /// # Errors
    /// What cannot be opened. Nothing is left running then.
    pub async fn start(config: Config, witness: Arc<dyn Witness>) -> Result<Self, ServeError> {
        make_folder(&config.state_dir)?;
        let mut listeners = Vec::new();
        for address in &config.cwmp_listen {
            listeners.push(listen(*address).await?);
        }
        let operators = listen(config.api_listen).await?;
        let token_file = config.state_dir.join("api.token");
        let token = api::Token::load(&token_file)?;
        let store = Store::open(&config.state_dir.join("hearth.sqlite3"), Arc::clone(&witness)).await?;
        let hems = Arc::new(hems(&config, store, witness));
        import(&hems).await?;
        let (shutdown, watched) = watch::channel(false);
        let cwmp_addresses = addresses(&listeners);
        let api_address =
            addresses(std::slice::from_ref(&operators)).first().copied().unwrap_or(config.api_listen);
        let mut tasks = JoinSet::new();
        let endpoint =
            Arc::new(Endpoint::new(Arc::clone(&hems), config.acceptor, config.limits, watched.clone()));
        for listener in listeners {
            tasks.spawn(Arc::clone(&endpoint).listen(listener));
        }
        tasks.spawn(api::serve(Arc::clone(&hems), token, operators, watched.clone()));
        tasks.spawn(sweep(Arc::clone(&hems), watched));
        tracing::info!(?cwmp_addresses, %api_address, "H(e)MS started");
        Ok(Self { hems, cwmp_addresses, api_address, token_file, tasks, shutdown })
    }

    /// Where cells call.
    pub fn cwmp_addresses(&self) -> &[SocketAddr] {
        &self.cwmp_addresses
    }

    /// Where operators call.
    pub fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// The file with the token that the API asks for.
    pub fn token_file(&self) -> &Path {
        &self.token_file
    }

    /// Serves until the future is ready, then lets sessions end briefly and closes the store.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        self.shutdown.send_replace(true);
        let patience = Instant::now() + GRACE;
        // An operator's request may be stuck; what is left is aborted with the set.
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, ended).await;
        while !self.hems.registry.slots().is_empty() && Instant::now() < patience {
            tokio::time::sleep(GRACE_STEP).await;
        }
        self.hems.sweep(Outcome::Shutdown).await;
        self.hems.store.close().await;
        tracing::info!("H(e)MS stopped");
    }
}

fn hems(config: &Config, store: Store, witness: Arc<dyn Witness>) -> Hems {
    Hems {
        ledger: Ledger::start(store.clone(), Arc::clone(&config.clock)),
        store,
        registry: Registry::default(),
        roster: Roster::new(config.identities.clone()),
        budget: Budget::default(),
        witness,
        clock: Arc::clone(&config.clock),
        gate: config.gate,
        quirks: config.quirks.clone(),
        mode: config.mode,
        path: config.url.path().to_owned(),
        patience: Duration::from_secs(config.limits.session_seconds.into()),
    }
}

/// A roster that cannot be read is said and does not stop the server: cells that are admitted already come first.
async fn import(hems: &Hems) -> Result<(), ServeError> {
    match hems.roster.refresh(&hems.store, hems.now()).await {
        Ok(_) => Ok(()),
        Err(RosterError::Store(error)) => Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "nobody is admitted from the roster");
            Ok(())
        }
    }
}

async fn sweep(hems: Arc<Hems>, mut shutdown: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(SWEEP);
    while !*shutdown.borrow() {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = shutdown.changed() => return,
        }
        hems.sweep(Outcome::TimedOut).await;
    }
}

/// Where cells stand is nobody else's business: a folder that is made here is its owner's alone.
fn make_folder(path: &Path) -> Result<(), ServeError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| ServeError::State { path: path.to_owned(), source })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

#[cfg(test)]
mod tests;
