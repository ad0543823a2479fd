//! The agent: one cell, its state file, and the loop that waits for the next thing to do.
//!
//! ```text
//!   tick ─▶ session due? ─▶ transfer due? ─▶ else wait for the earliest of agenda, device and clock save
//! ```
//!
//! It never waits for the time of day: the cell's clock is the restored one, from the first moment (P-17, P-18). A
//! session that fails waits by the retry table; a state that cannot be saved ends the agent.

mod time;
mod trust;

use std::{
    error::Error,
    fmt::Write,
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use cwmp::{Fault, FaultCode, FaultStruct, Witness};
use profile::{ChainDates, HemsUrl, Identity, RestoredClock, Watched};
use tokio::sync::{Notify, watch};
use tracing::Instrument;

use crate::{
    alarms::Alarm,
    cell::Cell,
    config::{Config, DeviceKind},
    device::{CLOCK_CORRECTION, Device, Memory, Simulated, TRUST_BUNDLE},
    link::{Link, Way},
    quirk,
    recovery::Target,
    session::{Desk, SessionError},
    state::{STATE_FILE, State, StateError, StateFile},
    transfer::{self, MOST_BYTES, Transfer},
};

/// How often the clock is saved while nothing else happens. (K-01)
const CLOCK_SAVE: Duration = Duration::from_secs(300);

/// Why the agent cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The certificate, its key or the anchors.
    #[error("cannot set up TLS")]
    Tls(#[from] profile::ContextError),
    /// The state.
    #[error("cannot keep the cell's state")]
    State(#[from] StateError),
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
    files: Watched,
    again: Arc<Notify>,
    status: watch::Sender<Status>,
    saved: Instant,
}

impl Agent {
    /// Switches a cell on, with what its state folder kept.
    ///
    /// # Errors
    /// Something that it cannot work without is missing or wrong.
    pub fn start(config: &Config, witness: Arc<dyn Witness>) -> Result<Self, DaemonError> {
        let (file, state) = StateFile::open(&config.state_dir, Arc::clone(&witness))?;
        let clock = Arc::new(RestoredClock::resume(file.kept_time(), profile::build_time(), Instant::now()));
        let kept = state.as_ref().map(|state| state.trust.clone()).unwrap_or_default();
        let (trust, connector) = trust::start(config, &clock, kept)?;
        let recovery = trust::recovery(config, &clock)?;
        let device = device(config, connector.identity(), state.as_ref());
        let mut cell = Cell::power_on(device, state, &config.url, config.mode, Arc::clone(&clock));
        cell.trust = trust;
        cell.discards_credentials = config.discards_credentials;
        cell.quirks = config.quirk.iter().cloned().collect();
        for leniency in config.quirk.iter().flat_map(quirk::unplayed) {
            tracing::warn!(leniency = leniency.name(), "a part of the quirk cannot be played");
        }
        for note in file.clock_notes() {
            cell.raise(Alarm::ClockFile, note);
        }
        let mut agent = Self {
            cell,
            file,
            way: Way { connector, mode: config.mode, tunnel: config.tunnel.clone() },
            clock,
            witness,
            config: config.clone(),
            recovery,
            servers: time::Servers::default(),
            unsure: None,
            files: trust::files(config),
            again: Arc::default(),
            status: watch::Sender::default(),
            saved: Instant::now(),
        };
        agent.show_certificates();
        Ok(agent)
    }

    /// Says whether a cell could start with this configuration, and touches no state.
    ///
    /// # Errors
    /// The certificate, its key or the anchors.
    pub fn check(config: &Config) -> Result<(), DaemonError> {
        let clock = Arc::new(RestoredClock::restore(None, profile::build_time(), Instant::now()));
        trust::check(config, &clock)
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
        self.save().await?;
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                step = Box::pin(self.step()) => step?,
            }
        }
        self.save().await
    }

    async fn step(&mut self) -> Result<(), DaemonError> {
        let has_news = self.cell.tick();
        self.look_at_certificates();
        if has_news || self.saved.elapsed() >= CLOCK_SAVE {
            self.save().await?;
        }
        if self.files.has_changed() {
            self.read_again();
            self.save().await?;
        }
        if self.cell.is_due() {
            return self.session().await;
        }
        if self.cell.transfers.first().is_some_and(|transfer| transfer.not_before <= self.cell.now()) {
            return self.transfer().await;
        }
        // Last of all: nothing waits for the time. (P-17)
        if self.ask_the_time().await {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(self.cell.idle(CLOCK_SAVE.min(self.servers.wait()))) => Ok(()),
            () = self.again.notified() => {
                self.read_again();
                self.save().await
            }
        }
    }

    async fn session(&mut self) -> Result<(), DaemonError> {
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
            tracing::info!("restarted as the H(e)MS asked");
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
            Ok(true) => Some(self.carry(&transfer).await),
            Ok(false) => None,
            Err(fault) => Some(Err(fault)),
        };
        self.cell.transfers.remove(0);
        let ended = match outcome {
            None => None,
            Some(Err(_)) if transfer.may_retry(self.cell.now()) => None,
            Some(Err(fault)) => Some(fault),
            Some(Ok(())) => Some(FaultStruct::success()),
        };
        match ended {
            None => self.cell.queue_transfer(transfer),
            Some(outcome) => {
                tracing::info!(fault = outcome.fault_code.0, "a transfer ended");
                self.cell.end_transfer(&transfer, started, outcome);
            }
        }
        self.save().await
    }

    /// Moves the file and takes it in, over a connection of its own. (C-25)
    async fn carry(&mut self, transfer: &Transfer) -> Result<(), FaultStruct> {
        let as_told = |fault: Fault| FaultStruct { fault_code: fault.code, fault_string: fault.text };
        let url = HemsUrl::parse(transfer.url(), self.way.mode)
            .map_err(|error| transfer::fault(FaultCode::UNSUPPORTED_PROTOCOL, error.to_string()))?;
        let mut link = Link::new(self.way_to(&url), url);
        let file_type = transfer.summary().file_type;
        if !transfer.is_download() {
            let content = self.cell.device.upload(&file_type).map_err(as_told)?;
            return link.upload(content.into()).await.map_err(|error| transfer.link_fault(&error));
        }
        let content = link.fetch(MOST_BYTES).await.map_err(|error| transfer.link_fault(&error))?;
        transfer.check(&content)?;
        match &*file_type {
            TRUST_BUNDLE => self.take_bundle(&content),
            CLOCK_CORRECTION => self.take_correction(&content),
            _ => self.cell.device.install(&file_type, &content).map_err(as_told),
        }
    }

    async fn save(&mut self) -> Result<(), DaemonError> {
        self.saved = Instant::now();
        Ok(self.file.save(self.cell.state()).await?)
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
    agent.run(shutdown).await
}

fn device(config: &Config, identity: &Identity, state: Option<&State>) -> Box<dyn Device> {
    let kept = state.map(|state| &state.device);
    let factory = config.names.factory(identity);
    match &config.device {
        DeviceKind::Memory => Box::new(Memory::new(&factory, kept)),
        DeviceKind::Simulated(radio) => Box::new(Simulated::new(&factory, radio.clone(), kept)),
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
