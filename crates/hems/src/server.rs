//! The running H(e)MS: its listeners, its background work, and an orderly end.
//!
//! Everything a session needs is in [`Hems`]; listeners for cells and for operators share it and nothing else.

mod work;

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
use datamodel::Model;
use jiff::{SignedDuration, Timestamp};
use profile::{Acceptor, Clock, HemsUrl, Identity, TransportMode, WebAcceptor, WebMaterials};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    admin,
    admission::{Roster, RosterError},
    alarm::watch::Watch,
    api,
    blocks::Blocks,
    change::Bounds,
    config::{AdminPlace, Config, GatePolicy, Policies, Waking},
    doors::{DoorError, Doors},
    endpoint::{Budget, Endpoint},
    event::feed::Feed,
    files::Files,
    guard::Network,
    hex,
    metrics::Metrics,
    people::first,
    refusal::Ledger,
    session::{Outcome, Registry, Session},
    store::{Store, StoreError},
};

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
    pub(crate) blocks: Blocks,
    pub(crate) files: Files,
    pub(crate) policies: Policies,
    /// The URL that cells are given.
    pub(crate) url: HemsUrl,
    /// The TLS listeners; none in mode `ipsec`.
    pub(crate) doors: Option<Arc<Doors>>,
    pub(crate) budget: Budget,
    pub(crate) witness: Arc<dyn Witness>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) gate: GatePolicy,
    /// Every quirk that a device may have.
    pub(crate) quirks: Vec<Quirk>,
    /// What templates are checked against.
    pub(crate) model: Model,
    pub(crate) mode: TransportMode,
    /// What holds changes of what is desired back.
    pub(crate) changes: Bounds,
    /// How long a device may be silent in a session.
    pub(crate) patience: Duration,
    /// For how long what a device said is believed, beyond its session.
    pub(crate) believes: SignedDuration,
    /// How long recorded sessions are kept.
    pub(crate) keeps_recordings: SignedDuration,
    pub(crate) alarms: Watch,
    pub(crate) feed: Feed,
    pub(crate) metrics: Metrics,
    /// Who tells events.
    pub(crate) source: String,
    /// Where webhooks may lead beside the public network.
    pub(crate) webhook_networks: Arc<[Network]>,
    /// Whether events go to NATS, too.
    pub(crate) has_nats: bool,
    /// How devices are asked for a session; nothing where they are not.
    pub(crate) wake: Option<Waking>,
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

    /// Ends the open session of one identity, whatever is being said in it.
    pub(crate) async fn cut(&self, identity: &Identity, outcome: Outcome) {
        let slot = self.registry.slot(identity);
        let mut session = slot.lock().await;
        if let Some(session) = session.take() {
            self.end_session(session, outcome).await;
        }
        drop(session);
        self.registry.leave(identity, slot, true);
    }

    /// Takes the blocks from the store, and ends what they shut out; connections see it for themselves.
    pub(crate) async fn reload_blocks(&self) -> Result<(), StoreError> {
        if !self.blocks.refresh(&self.store).await? {
            return Ok(());
        }
        for (identity, slot) in self.registry.slots() {
            let session = slot.lock().await;
            let is_shut_out = session.as_ref().is_some_and(|session| session.is_blocked(&self.blocks));
            let is_empty = session.is_none();
            drop(session);
            self.registry.leave(&identity, slot, is_empty);
            if is_shut_out {
                self.cut(&identity, Outcome::Blocked).await;
            }
        }
        Ok(())
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
    /// Another transport mode than the whole deployment's.
    #[error(
        "this deployment's transport mode is \"{deployment}\", and the configuration says \"{configured}\": one mode \
         is for all nodes and all cells. To change it, stop every node, start one of them once with --set-mode, then all"
    )]
    Mode {
        /// What the store has.
        deployment: String,
        /// What the configuration says.
        configured: TransportMode,
    },
    /// The TLS listeners.
    #[error("cannot open the listeners")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The system gives no random numbers.
    #[error("cannot make an API token: the system gives no random numbers")]
    Randomness,
}

impl From<DoorError> for ServeError {
    fn from(error: DoorError) -> Self {
        Self::Tls(Box::new(error))
    }
}

/// A running H(e)MS.
pub struct Server {
    hems: Arc<Hems>,
    cwmp_addresses: Vec<SocketAddr>,
    api_address: SocketAddr,
    /// The API's certificate, and what it is loaded from.
    api_tls: Option<(WebAcceptor, WebMaterials)>,
    first_administrator: Option<String>,
    admin_address: Option<SocketAddr>,
    token_file: PathBuf,
    tasks: JoinSet<()>,
    /// Metrics and health, which outlive everything else.
    admin: JoinSet<()>,
    shutdown: watch::Sender<bool>,
}

impl Server {
    /// Opens the store and every listener.
    ///
    /// # Errors
    /// What cannot be opened. Nothing is left running then.
    pub async fn start(config: Config, witness: Arc<dyn Witness>) -> Result<Self, ServeError> {
        make_folder(&config.state_dir)?;
        let token_file = config.state_dir.join("api.token");
        let token = api::Token::load(&token_file)?;
        let store = Store::open(&config.store, Arc::clone(&witness)).await?;
        let store = store.telling_sessions(config.events.tells_sessions);
        agree_on_mode(&store, config.mode).await?;
        let pages = agree_on_page_key(&store).await?;
        let blocks = Blocks::default();
        let doors = doors(&config, &store, &blocks).await?;
        let mut listeners = Vec::new();
        for (address, acceptor) in places(&config, doors.as_deref()) {
            listeners.push((listen(address).await?, acceptor));
        }
        let api_tls = api_tls(&config)?;
        let tls = api_tls.as_ref().map(|(acceptor, _)| acceptor.clone());
        let front = api::Front::new(&config, (token, pages), tls);
        let operators = listen(config.api_listen).await?;
        let watchers = listen_for_watchers(config.admin).await?;
        let contents = files(&config)?;
        let hems = Arc::new(hems(&config, (store, contents), witness, blocks, doors.clone()));
        import(&hems).await?;
        hems.reload_blocks().await?;
        let (shutdown, watched) = watch::channel(false);
        let cwmp_addresses = addresses(listeners.iter().map(|(listener, _)| listener));
        let api_address = addresses([&operators]).first().copied().unwrap_or(config.api_listen);
        let first_administrator =
            first::link(&hems.store, &config.state_dir, (api_tls.is_some(), api_address), hems.now()).await?;
        let admin_address = addresses(&watchers).first().copied();
        let mut admin = JoinSet::new();
        if let Some(watchers) = watchers {
            admin.spawn(admin::serve(Arc::clone(&hems), watchers, watched.clone()));
        }
        let mut tasks = JoinSet::new();
        work::live(&mut tasks, &hems, &config.store, &watched);
        work::tell(&mut tasks, &hems, config.events, &watched);
        let endpoint =
            Arc::new(Endpoint::new(Arc::clone(&hems), config.transport, config.limits, watched.clone()));
        for (listener, acceptor) in listeners {
            tasks.spawn(Arc::clone(&endpoint).listen(listener, acceptor));
        }
        if let Some(doors) = doors {
            tasks.spawn(doors.watch(Arc::clone(&hems), watched.clone()));
        }
        tasks.spawn(api::serve(Arc::clone(&hems), front, operators, watched.clone()));
        tasks.spawn(work::sweep(Arc::clone(&hems), watched));
        tracing::info!(?cwmp_addresses, %api_address, "H(e)MS started");
        Ok(Self {
            hems,
            cwmp_addresses,
            api_address,
            admin_address,
            api_tls,
            first_administrator,
            token_file,
            tasks,
            admin,
            shutdown,
        })
    }

    /// Makes the configuration's transport mode the whole deployment's, and starts nothing.
    ///
    /// # Errors
    /// The state folder or the store.
    pub async fn set_mode(config: &Config) -> Result<(), ServeError> {
        make_folder(&config.state_dir)?;
        let store = Store::open(&config.store, Arc::new(())).await?;
        store.set_mode(config.mode.to_string()).await?;
        store.close().await;
        Ok(())
    }

    /// Where cells call.
    pub fn cwmp_addresses(&self) -> &[SocketAddr] {
        &self.cwmp_addresses
    }

    /// Where operators call.
    pub fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// Where metrics and health are; nothing where the usual address was taken.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// The file with the token that the API asks for.
    pub fn token_file(&self) -> &Path {
        &self.token_file
    }

    /// The link by which the first administrator comes in, where this start made one. It opens everything: it is
    /// shown to whoever started the server, and not logged.
    pub fn first_administrator(&self) -> Option<&str> {
        self.first_administrator.as_deref()
    }

    /// Reads certificates, keys, anchors and revocation lists again when it is asked to.
    pub fn reloader(&self) -> impl Fn() + Send + Sync + use<> {
        let (doors, api_tls) = (self.hems.doors.clone(), self.api_tls.clone());
        move || {
            if let Some((acceptor, materials)) = &api_tls
                && let Err(error) = acceptor.reload(materials)
            {
                tracing::error!(%error, "the API goes on with the certificate that it had");
            }
            if let Some(doors) = &doors {
                doors.reload();
            }
        }
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
        self.admin.shutdown().await;
        self.hems.store.close().await;
        tracing::info!("H(e)MS stopped");
    }
}

/// The usual address may be another server's on the same machine; one that somebody typed is missed.
async fn listen_for_watchers(admin: AdminPlace) -> Result<Option<TcpListener>, ServeError> {
    match listen(admin.listen).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if admin.is_typed => Err(error),
        Err(_) => {
            tracing::warn!(address = %admin.listen, "taken: no metrics and no health; `admin.listen` names another");
            Ok(None)
        }
    }
}

/// One mode for the whole deployment: it is written at the first start and compared at every other. (decision 4)
async fn agree_on_mode(store: &Store, configured: TransportMode) -> Result<(), ServeError> {
    let deployment = store.agree_on_mode(configured.to_string()).await?;
    if deployment == configured.to_string() {
        return Ok(());
    }
    store.close().await;
    Err(ServeError::Mode { deployment, configured })
}

/// One key for page tokens: what one node gave opens on every other.
async fn agree_on_page_key(store: &Store) -> Result<api::Pages, ServeError> {
    let offered = hex::random::<32>().ok_or(ServeError::Randomness)?;
    let agreed = store.agree_on_page_key(offered).await?;
    Ok(api::Pages::new(&agreed))
}

/// The TLS listeners with everything that they need, and keys for their tickets.
async fn doors(config: &Config, store: &Store, blocks: &Blocks) -> Result<Option<Arc<Doors>>, ServeError> {
    let Some(tls) = &config.transport.tls else { return Ok(None) };
    let blocks: Arc<dyn profile::Blocklist> = Arc::new(blocks.clone());
    let wake = config.wake.as_ref().and_then(|wake| wake.line.as_ref());
    let doors = Doors::open(tls, wake, &config.state_dir, &blocks)?;
    doors.agree(store, config.clock.now()).await?;
    doors.share_graces(store).await?;
    Ok(Some(Arc::new(doors)))
}

/// The API's certificate.
fn api_tls(config: &Config) -> Result<Option<(WebAcceptor, WebMaterials)>, ServeError> {
    let Some(materials) = &config.api_tls else { return Ok(None) };
    let acceptor = WebAcceptor::new(materials).map_err(|error| ServeError::Tls(Box::new(error)))?;
    Ok(Some((acceptor, materials.clone())))
}

/// The folder of files.
fn files(config: &Config) -> Result<Files, ServeError> {
    let path = &config.files.folder;
    Files::open(config.files.clone()).map_err(|source| ServeError::State { path: path.clone(), source })
}

/// Where cells call, and who accepts them there.
fn places(config: &Config, doors: Option<&Doors>) -> Vec<(SocketAddr, Option<Acceptor>)> {
    match doors {
        Some(doors) => doors.places().map(|(address, acceptor)| (address, Some(acceptor))).collect(),
        None => config.cwmp_listen.iter().map(|address| (*address, None)).collect(),
    }
}

fn hems(
    config: &Config,
    (store, files): (Store, Files),
    witness: Arc<dyn Witness>,
    blocks: Blocks,
    doors: Option<Arc<Doors>>,
) -> Hems {
    Hems {
        ledger: Ledger::start(store.clone(), Arc::clone(&config.clock)),
        store,
        registry: Registry::default(),
        roster: Roster::new(config.identities.clone()),
        blocks,
        files,
        policies: config.policies,
        url: config.url.clone(),
        doors,
        budget: Budget::default(),
        witness,
        clock: Arc::clone(&config.clock),
        gate: config.gate,
        quirks: config.quirks.clone(),
        model: Model::standard_with(config.models.clone()),
        mode: config.mode,
        changes: config.changes,
        patience: Duration::from_secs(config.limits.session_seconds.into()),
        believes: SignedDuration::from_secs(config.limits.believed_seconds.into()),
        keeps_recordings: SignedDuration::from_hours(24 * i64::from(config.recordings.keep_days)),
        alarms: Watch::new(config.alarms.refusals_per_minute),
        feed: Feed::default(),
        metrics: Metrics::default(),
        source: config.events.source.clone(),
        webhook_networks: Arc::clone(&config.events.webhook_networks),
        has_nats: config.events.nats.is_some(),
        wake: config.wake.clone(),
    }
}

/// A roster that cannot be read is said and does not stop the server: cells that are admitted already come first.
async fn import(hems: &Hems) -> Result<(), ServeError> {
    match hems.roster.refresh(&hems.store, hems.policies, hems.now()).await {
        Ok(_) => Ok(()),
        Err(RosterError::Store(error)) => Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "nobody is admitted from the roster");
            Ok(())
        }
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

fn addresses<'a>(listeners: impl IntoIterator<Item = &'a TcpListener>) -> Vec<SocketAddr> {
    listeners.into_iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

#[cfg(test)]
mod tests;
