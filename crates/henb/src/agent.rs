//! The agent: one cell, its state file, and the loop that waits for the next thing to do.
//!
//! ```text
//!   tick ─▶ session due? ─▶ transfer due? ─▶ else wait for the earliest of agenda, device and clock save
//! ```
//!
//! It never waits for the time of day: the cell's clock is the restored one, from the first moment (P-17, P-18). A
//! session that fails waits by the retry table; a full disk is waited for; any other state that cannot be saved ends the
//! agent.

mod check;
mod connection_request;
mod diagnostics;
mod discovery;
mod firmware;
mod performance;
mod time;
mod trust;

use std::{
    collections::BTreeMap, error::Error, fmt::Write, future::Future, path::PathBuf, sync::Arc, time::Duration,
};

use cwmp::{Fault, FaultCode, FaultStruct, Witness};
use profile::{ChainDates, FirmwareKey, HemsUrl, RestoredClock, Watched};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tracing::Instrument;

use self::performance::Uploads;

pub use self::check::{Finding, Report, Verdict};

use crate::{
    alarms::Alarm,
    backup,
    cell::Cell,
    config::Config,
    connection_request::Requests,
    device::{CLOCK_CORRECTION, FIRMWARE, RESTORATION, TRUST_BUNDLE},
    dialler::{Dialler, Sockets},
    firmware::Event,
    link::{Link, LinkError, Way},
    performance::spool::Spool,
    quirk,
    recovery::Target,
    session::{Desk, SessionError},
    state::{STATE_FILE, StateError, StateFile},
    transfer::{self, MOST_BYTES, Transfer},
};

/// How often the clock is saved while nothing else happens. (K-01)
const CLOCK_SAVE: Duration = Duration::from_secs(300);

/// How long a full disk is left alone.
const ROOM_WAIT: Duration = Duration::from_secs(5);

/// Why the agent cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The certificate, its key or the anchors.
    #[error("cannot set up TLS")]
    Tls(#[from] profile::ContextError),
    /// The state.
    #[error("cannot keep the cell's state")]
    State(#[from] StateError),
    /// A lab's key signs firmware for no other cell. (decision 12)
    #[error("{} is a lab's key for firmware, and the configuration does not say `lab = true`", .0.display())]
    LabKey(PathBuf),
    /// No randomness: retry waits of a whole street would fall together.
    #[error("cannot draw a random number")]
    Random(#[source] getrandom::Error),
}

/// What one can see of a running agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// AdminState, OpState and RFTxStatus are true, and a session that reported it closed. (decision 23)
    pub in_service: bool,
    /// Sessions that closed well.
    pub sessions: u64,
    /// Sessions that failed.
    pub failures: u64,
    /// Why the last one failed.
    pub last_failure: Option<String>,
    /// The disk took no state, and none since.
    pub waits_for_room: bool,
    /// Connection Requests that were taken. (R-07)
    pub connection_requests: u64,
    /// Connections of the same kind that were refused, by reason: a word of ours, or a code of the profile's refusals.
    pub refused_requests: BTreeMap<&'static str, u64>,
}

/// A running cell.
pub struct Agent {
    cell: Cell,
    file: StateFile,
    way: Way,
    clock: Arc<RestoredClock>,
    witness: Arc<dyn Witness>,
    config: Config,
    recovery: Option<Way>,
    servers: time::Servers,
    /// The dates of a H(e)MS that was trusted by a clock nobody had confirmed. (K-10)
    unsure: Option<ChainDates>,
    keys: Vec<FirmwareKey>,
    files: Watched,
    requests: Option<Requests>,
    uploads: Uploads,
    running: Option<diagnostics::Run>,
    again: Arc<Notify>,
    /// The device has news.
    pushed: Arc<Notify>,
    status: watch::Sender<Status>,
    /// When the cell was last saved; nothing where what it holds is not durable yet.
    saved: Option<Instant>,
}

impl Agent {
    /// Switches a cell on, with what its state folder kept.
    ///
    /// # Errors
    /// Something that it cannot work without is missing or wrong.
    pub fn start(config: &Config, witness: Arc<dyn Witness>) -> Result<Self, DaemonError> {
        Self::start_over(config, witness, Arc::new(Sockets))
    }

    /// [`start`](Self::start) over another network than the kernel's.
    ///
    /// # Errors
    /// Something that it cannot work without is missing or wrong.
    pub fn start_over(
        config: &Config,
        witness: Arc<dyn Witness>,
        dialler: Arc<dyn Dialler>,
    ) -> Result<Self, DaemonError> {
        let (file, state) = StateFile::open(&config.state_dir, Arc::clone(&witness))?;
        let started = Instant::now().into_std();
        let clock = Arc::new(RestoredClock::resume(file.kept_time(), profile::build_time(), started));
        let kept = state.as_ref().map(|state| state.trust.clone()).unwrap_or_default();
        let (trust, connector) = trust::start(config, &clock, kept)?;
        let recovery = trust::recovery(config, &clock, &dialler)?;
        let keys = firmware::keys(config)?;
        let status = watch::Sender::default();
        let listener = connection_request::provision(config, &trust::anchors(config, &trust));
        let acceptor = connection_request::acceptor(config, &clock, listener, &connector)?;
        let requests = connection_request::requests(config, acceptor, &status)?;
        let factory = config.factory(connector.identity());
        let kept = state.as_ref().map(|state| &state.device);
        let mut device = config.device.start(&factory, &config.state_dir, kept);
        let pushed = Arc::new(Notify::new());
        let waker = Arc::clone(&pushed);
        device.subscribe(Arc::new(move || waker.notify_one()));
        let mut cell = Cell::power_on(device, state, &config.url, config.mode, Arc::clone(&clock));
        cell.trust = trust;
        cell.discards_credentials = config.discards_credentials;
        cell.may_listen(requests.is_some());
        cell.quirks = config.quirk.iter().cloned().collect();
        for leniency in config.quirk.iter().flat_map(quirk::unplayed) {
            tracing::warn!(leniency = leniency.name(), "a part of the quirk cannot be played");
        }
        look_around(&mut cell, config, &file);
        let mut agent = Self {
            cell,
            file,
            way: Way { connector, mode: config.mode, tunnel: config.tunnel.clone(), dialler },
            clock,
            witness,
            config: config.clone(),
            recovery,
            servers: time::Servers::default(),
            unsure: None,
            keys,
            files: trust::files(config),
            requests,
            uploads: Uploads::new(Spool::new(&config.state_dir)),
            running: None,
            again: Arc::default(),
            pushed,
            status,
            saved: None,
        };
        agent.show_certificates();
        Ok(agent)
    }

    /// Watches the agent from outside.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Runs until `shutdown`, then saves.
    ///
    /// # Errors
    /// The state cannot be kept.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), DaemonError> {
        let span = tracing::info_span!("cell", identity = %self.way.connector.identity());
        self.live(shutdown).instrument(span).await
    }

    async fn live(mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), DaemonError> {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                step = Box::pin(self.step_when_there_is_room()) => step?,
            }
        }
        self.save().await
    }

    /// A full disk ends a session, and not the cell: nothing was told that is not durable, and it goes on later.
    async fn step_when_there_is_room(&mut self) -> Result<(), DaemonError> {
        match self.step().await {
            Err(DaemonError::State(error)) if error.is_full() => {
                tracing::warn!("the state cannot be saved now: {}", chain(&error));
                self.status.send_modify(|status| status.waits_for_room = true);
                tokio::time::sleep(ROOM_WAIT).await;
                Ok(())
            }
            outcome => outcome,
        }
    }

    async fn step(&mut self) -> Result<(), DaemonError> {
        self.look_at_certificates();
        let has_news = self.cell.tick() | self.mind_connection_requests();
        self.keep_performance_files().await;
        if has_news || self.saved.is_none_or(|saved| saved.elapsed() >= CLOCK_SAVE) {
            self.save().await?;
        }
        if self.files.has_changed() {
            self.read_again();
            self.save().await?;
        }
        self.mind_diagnostics();
        if self.cell.is_due() {
            return self.session().await;
        }
        if self.cell.transfers.first().is_some_and(|transfer| transfer.not_before <= self.cell.now()) {
            return self.transfer().await;
        }
        if self.send_performance_file().await {
            return Ok(());
        }
        // Last of all: nothing waits for the time. (P-17)
        if self.ask_the_time().await {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(self.cell.idle(CLOCK_SAVE.min(self.servers.wait()).min(self.uploads.wait()))) => Ok(()),
            () = self.pushed.notified() => Ok(()),
            outcome = diagnostics::ended(&mut self.running) => self.diagnosed(&outcome).await,
            () = self.again.notified() => {
                self.read_again();
                self.save().await
            }
            () = connection_request::news(&mut self.requests) => Ok(()),
        }
    }

    async fn session(&mut self) -> Result<(), DaemonError> {
        self.discover();
        let places = self.cell.places();
        let target = if self.recovery.is_some() { self.cell.recovery.target() } else { Target::Serving };
        let outcome = self.hold(target).await;
        self.count(target, &outcome);
        let now = self.cell.now();
        match outcome {
            Ok(()) => {
                self.cell.agenda.closed();
                if target == Target::Serving {
                    self.cell.reach.closed(places);
                }
                tracing::info!("a session with the H(e)MS closed");
            }
            Err(SessionError::State(error)) => return Err(error.into()),
            Err(error) => {
                let reason = chain(&error);
                self.cell.agenda.failed(now, random()?);
                if target == Target::Serving {
                    self.cell.session_failed(&places);
                }
                let retries = self.cell.agenda.retry_count();
                tracing::warn!(retries, "a session with the H(e)MS failed: {reason}");
                self.save().await?;
                self.status.send_modify(|status| {
                    status.failures += 1;
                    status.last_failure = Some(reason);
                });
                return Ok(());
            }
        }
        if self.cell.restart_as_promised() {
            self.start_wanted_image().await;
        }
        self.save().await?;
        let in_service = self.cell.is_on_air() && !self.cell.has_news();
        self.status.send_modify(|status| {
            status.sessions += 1;
            status.in_service = in_service;
        });
        Ok(())
    }

    async fn hold(&mut self, target: Target) -> Result<(), SessionError> {
        let (way, url) = match (target, &self.recovery, &self.config.trust.recovery) {
            (Target::Recovery, Some(way), Some(endpoint)) => {
                tracing::warn!(url = %endpoint.url, "the cell turns to the recovery endpoint");
                (way, endpoint.url.clone())
            }
            _ => (&self.way, self.serving()),
        };
        let mut link = Link::new(way, url.clone());
        let (cell, file) = (&mut self.cell, &mut self.file);
        let outcome =
            Desk { cell, file, clock: &self.clock, witness: &self.witness, url }.hold(&mut link).await;
        let dates = link.dates().cloned().filter(|_| outcome.is_ok());
        self.learn(target, dates);
        outcome
    }

    /// What was stored may come from an older configuration: it passes the same rules, or the configured URL stands in.
    fn serving(&self) -> HemsUrl {
        self.cell.url().unwrap_or_else(|error| {
            tracing::warn!(%error, "the stored URL is refused, the configured one is used");
            self.config.url.clone()
        })
    }

    /// Tries the first transfer, which stays in the queue until its end is known: nothing is saved in between.
    async fn transfer(&mut self) -> Result<(), DaemonError> {
        let Some(mut transfer) = self.cell.transfers.first().cloned() else { return Ok(()) };
        let started = self.cell.now();
        let outcome = match transfer.may_begin(started) {
            Ok(true) => Some(self.carry_in_time(&transfer, started).await?),
            Ok(false) => None,
            Err(fault) => Some(Err(fault)),
        };
        self.cell.transfers.remove(0);
        if self.cell.wanted_image().is_some() && outcome == Some(Ok(())) {
            // The image is whole: from here on it is booted, whatever happens.
            self.save().await?;
            self.start_wanted_image().await;
            return self.save().await;
        }
        let ended = match outcome {
            None => None,
            Some(Err(_)) if transfer.may_retry(self.cell.now()) => None,
            Some(Err(fault)) => Some(fault),
            Some(Ok(())) => Some(FaultStruct::success()),
        };
        match ended {
            None => self.cell.queue_transfer(transfer),
            Some(outcome) => {
                let (key, fault) = (transfer.summary().command_key, outcome.fault_code.0);
                match fault {
                    0 => tracing::info!(?key, "a transfer ended"),
                    _ => tracing::warn!(?key, fault, "a transfer failed: {}", outcome.fault_string),
                }
                self.cell.end_transfer(&transfer, started, outcome);
            }
        }
        self.save().await
    }

    /// A window that ends ends what is under way in it. (C-26)
    async fn carry_in_time(
        &mut self,
        transfer: &Transfer,
        started: jiff::Timestamp,
    ) -> Result<Result<(), FaultStruct>, DaemonError> {
        let left = transfer.windows.first().map(|window| window.end.duration_since(started));
        let left = left.map_or(Duration::MAX, |left| Duration::try_from(left).unwrap_or_default());
        if let Ok(carried) = tokio::time::timeout(left, Box::pin(self.carry(transfer, started))).await {
            return carried;
        }
        let text = "the time window has ended before the file was there";
        self.cell.download_went(Event::DownloadFails, text);
        Ok(Err(transfer::fault(FaultCode::DOWNLOAD_WINDOW_MISSED, text.to_owned())))
    }

    /// Moves the file and takes it in, over a connection of its own. (C-25)
    async fn carry(
        &mut self,
        transfer: &Transfer,
        started: jiff::Timestamp,
    ) -> Result<Result<(), FaultStruct>, DaemonError> {
        let url = match HemsUrl::parse(transfer.url(), self.way.mode) {
            Ok(url) => url,
            Err(error) => {
                return Ok(Err(transfer::fault(FaultCode::UNSUPPORTED_PROTOCOL, error.to_string())));
            }
        };
        let mut link = Link::new(self.way_to(&url), url);
        let said = |error: LinkError| transfer.link_fault(&error);
        if !transfer.is_download() {
            let content = match self.cell.file(&transfer.summary().file_type) {
                Ok(content) => content,
                Err(fault) => return Ok(Err(as_told(fault))),
            };
            return Ok(link.upload(content.into()).await.map_err(said));
        }
        if transfer.summary().file_type == FIRMWARE {
            return match link.open().await.map_err(said) {
                Ok(stream) => self.take_image(transfer, started, stream).await,
                Err(fault) => Ok(Err(fault)),
            };
        }
        let fetched = link.fetch(MOST_BYTES).await.map_err(said);
        Ok(fetched.and_then(|content| self.take_file(transfer, &content)))
    }

    fn take_file(&mut self, transfer: &Transfer, content: &[u8]) -> Result<(), FaultStruct> {
        let summary = transfer.summary();
        transfer.check_size(u64::try_from(content.len()).unwrap_or(u64::MAX))?;
        match &*summary.file_type {
            TRUST_BUNDLE => self.take_bundle(content),
            CLOCK_CORRECTION => self.take_correction(content),
            RESTORATION => backup::restore(&mut self.cell, content),
            file_type => self.cell.device.install(file_type, content).map_err(as_told),
        }
    }

    async fn save(&mut self) -> Result<(), DaemonError> {
        self.saved = None;
        self.file.save(self.cell.state()).await?;
        self.saved = Some(Instant::now());
        self.status.send_if_modified(|status| std::mem::take(&mut status.waits_for_room));
        Ok(())
    }
}

/// Runs a cell until `shutdown`; whoever notifies `again` lets it read its files again.
///
/// # Errors
/// It cannot start, or its state cannot be kept.
pub async fn run(
    config: Config,
    witness: Arc<dyn Witness>,
    again: Arc<Notify>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), DaemonError> {
    let state: PathBuf = config.state_dir.join(STATE_FILE);
    let agent = Agent { again, ..Agent::start(&config, witness)? };
    tracing::info!(
        identity = %agent.way.connector.identity(),
        url = %config.url,
        state = %state.display(),
        engine = profile::engine(),
        "the cell is on"
    );
    Box::pin(agent.run(shutdown)).await
}

fn as_told(fault: Fault) -> FaultStruct {
    FaultStruct { fault_code: fault.code, fault_string: fault.text }
}

/// What a cell finds at power-on: its images, and what of its files had to be passed over.
fn look_around(cell: &mut Cell, config: &Config, file: &StateFile) {
    cell.images.folder = config.firmware_dir();
    (cell.images.trial, cell.images.most_bytes) = (config.firmware.trial, config.firmware.most_bytes);
    cell.images_after_power_on();
    if let Some(wanted) = cell.wanted_image() {
        cell.start_image(wanted.check());
    }
    cell.look_for_images();
    for note in file.clock_notes() {
        cell.raise(Alarm::ClockFile, note);
    }
    if let Some(note) = file.note() {
        cell.raise(Alarm::StateFile, note);
    }
}

fn random() -> Result<u64, DaemonError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(DaemonError::Random)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// An error with its causes, in one line; what an error has said of its cause is not said again.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            let _ = write!(text, ": {next}");
        }
        cause = error.source();
    }
    text
}
