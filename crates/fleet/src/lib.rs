//! Many simulated H(e)NBs in one process, each an agent of its own: its certificate, its state folder, its radio.
//!
//! ```text
//!   Options ─▶ certificates (made where missing) ─▶ one Agent a cell ─▶ Status ─▶ Report
//! ```
//!
//! A cell in here is exactly what `henbd` runs; what differs is that thousands share a process, a few private keys, and
//! one question: are all in service? What this crate does not do: it plays no scenarios and makes no load curves yet.

mod certificates;

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use cwmp::Quirk;
use datamodel::Model;
use henb::{
    Agent, Config, DaemonError, Status,
    config::{Care, DeviceKind, DiagnosticsCare, FirmwareCare},
    device::Radio,
};
use profile::{
    HemsUrl, KeyPair, TransportMode,
    pki::{FIRMWARE_SIGNERS, PkiError},
};
use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// How long `once` waits for all cells. (issue 2)
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The realm of the fleet's identities.
pub const REALM: &str = "hnb.example";

/// Where the fleet's EUIs begin: a locally administered block, which no maker owns.
const FIRST_EUI: u64 = 0x0200_0000_0000;

/// Most reasons in a report: it is for people.
const MOST_REASONS: usize = 10;

/// What a fleet is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its H(e)MS.
    pub url: HemsUrl,
    /// The lab PKI; missing certificates are made there and listed in its `identities.csv`.
    pub pki: PathBuf,
    /// Where each cell gets a folder for its state.
    pub state: PathBuf,
    /// How many cells, numbered from 1.
    pub cells: u32,
    /// End when all are in service, or after [`PATIENCE`].
    pub once: bool,
    /// From unlocking to S1 up.
    pub radio_delay: Duration,
    /// What all the cells do wrong, if anything.
    pub quirk: Option<Quirk>,
}

/// What became of a fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// How many cells ran.
    pub cells: u32,
    /// How many were in service at the end, as the cells see it. (decision 23)
    pub in_service: u32,
    /// From the first start to the end.
    pub seconds: f64,
    /// Sessions that closed well.
    pub sessions: u64,
    /// Sessions that failed.
    pub failures: u64,
    /// Why sessions failed lately, by cell; at most ten.
    pub reasons: Vec<Reason>,
}

/// Why a cell's last failed session failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The cell.
    pub identity: String,
    /// What it saw.
    pub reason: String,
}

impl Report {
    /// Whether all cells are in service.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.in_service == self.cells
    }
}

/// Why a fleet cannot run.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The certificates.
    #[error("cannot make the fleet's certificates")]
    Pki(#[from] PkiError),
    /// A cell.
    #[error("cannot run the cell {eui}")]
    Cell {
        /// Which.
        eui: String,
        /// Why.
        source: DaemonError,
    },
    /// The runtime ended under the fleet.
    #[error("cannot go on: the runtime is ending")]
    Interrupted,
}

/// Runs a fleet until `shutdown`, or with `once` until it is in service.
///
/// # Errors
/// The certificates cannot be made, or a cell cannot keep its state.
pub async fn run(options: Options, shutdown: impl Future<Output = ()> + Send) -> Result<Report, FleetError> {
    let started = Instant::now();
    let configs = {
        let options = options.clone();
        tokio::task::spawn_blocking(move || configs(&options))
            .await
            .map_err(|_| FleetError::Interrupted)??
    };
    let mut fleet = Fleet::start(configs).await?;
    let outcome = {
        let patience = async {
            if options.once {
                tokio::time::sleep(PATIENCE).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = shutdown => Ok(()),
            () = patience => Ok(()),
            outcome = fleet.watch(options.once) => outcome,
        }
    };
    let report = fleet.report(started.elapsed());
    fleet.end().await?;
    outcome.map(|()| report)
}

/// A cell's EUI and what its agent is started with.
type Named = (String, Config);

fn configs(options: &Options) -> Result<Vec<Named>, PkiError> {
    let mut press = certificates::Press::open(&options.pki, REALM)?;
    let numbers = (1..=options.cells).map(u64::from);
    numbers
        .map(|number| {
            let eui = format!("{:012x}", FIRST_EUI + number);
            let identity = press.certificate(&eui)?;
            let config = config(options, &eui, number, identity);
            Ok((eui, config))
        })
        .collect()
}

fn config(options: &Options, eui: &str, seed: u64, identity: KeyPair) -> Config {
    Config {
        lab: true,
        state_dir: options.state.join(eui),
        mode: TransportMode::Public,
        tunnel: None,
        url: options.url.clone(),
        anchors: anchors(&options.pki),
        identity: (&identity).into(),
        model: Arc::clone(Model::cell()),
        device: DeviceKind::Simulated(Radio { delay: options.radio_delay, seed, ..Radio::default() }),
        names: options.quirk.as_ref().map(henb::quirk::names).unwrap_or_default(),
        quirk: options.quirk.clone(),
        trust: Care::default(),
        firmware: FirmwareCare { keys: firmware_keys(&options.pki), ..FirmwareCare::default() },
        discards_credentials: false,
        diagnostics: DiagnosticsCare::default(),
        discovery: None,
        connection_request: None,
    }
}

/// The keys for firmware that the lab has.
fn firmware_keys(pki: &Path) -> Vec<PathBuf> {
    let keys = FIRMWARE_SIGNERS.map(|name| pki.join("firmware").join(format!("{name}.pem")));
    keys.into_iter().filter(|key| key.exists()).collect()
}

fn anchors(pki: &Path) -> PathBuf {
    pki.join("operator.pem")
}

/// The running cells and what is known of them.
struct Fleet {
    tasks: JoinSet<Result<(), FleetError>>,
    cells: Vec<(String, Status)>,
    news: mpsc::Receiver<(usize, Status)>,
    end: watch::Sender<bool>,
}

impl Fleet {
    async fn start(configs: Vec<Named>) -> Result<Self, FleetError> {
        let (end, ended) = watch::channel(false);
        let (tell, news) = mpsc::channel(64);
        let mut fleet = Self { tasks: JoinSet::new(), cells: Vec::with_capacity(configs.len()), news, end };
        for (eui, config) in configs {
            let start = move || Agent::start(&config, Arc::new(()));
            let agent = tokio::task::spawn_blocking(start).await.map_err(|_| FleetError::Interrupted)?;
            let agent = agent.map_err(|source| FleetError::Cell { eui: eui.clone(), source })?;
            forward(fleet.cells.len(), agent.status(), tell.clone());
            fleet.cells.push((eui.clone(), Status::default()));
            let mut ended = ended.clone();
            fleet.tasks.spawn(async move {
                let shutdown = async {
                    let _ = ended.wait_for(|is_over| *is_over).await;
                };
                agent.run(shutdown).await.map_err(|source| FleetError::Cell { eui, source })
            });
        }
        Ok(fleet)
    }

    /// Listens until a cell cannot go on, or with `once` until all are in service.
    async fn watch(&mut self, once: bool) -> Result<(), FleetError> {
        loop {
            tokio::select! {
                Some((place, status)) = self.news.recv() => {
                    if let Some(cell) = self.cells.get_mut(place) {
                        cell.1 = status;
                    }
                    if once && self.cells.iter().all(|(_, status)| status.in_service) {
                        return Ok(());
                    }
                }
                Some(ended) = self.tasks.join_next() => ended.map_err(|_| FleetError::Interrupted)??,
                else => return Ok(()),
            }
        }
    }

    fn report(&self, took: Duration) -> Report {
        let count =
            |wanted: fn(&Status) -> bool| self.cells.iter().filter(|(_, status)| wanted(status)).count();
        let why = |(eui, status): &(String, Status)| {
            let reason = status.last_failure.clone().filter(|_| !status.in_service)?;
            Some(Reason { identity: format!("{eui}.{REALM}"), reason })
        };
        Report {
            cells: u32::try_from(self.cells.len()).unwrap_or(u32::MAX),
            in_service: u32::try_from(count(|status| status.in_service)).unwrap_or(u32::MAX),
            seconds: took.as_secs_f64(),
            sessions: self.cells.iter().map(|(_, status)| status.sessions).sum(),
            failures: self.cells.iter().map(|(_, status)| status.failures).sum(),
            reasons: self.cells.iter().filter_map(why).take(MOST_REASONS).collect(),
        }
    }

    /// Lets every cell save its state.
    async fn end(mut self) -> Result<(), FleetError> {
        self.end.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(|_| FleetError::Interrupted)??;
        }
        Ok(())
    }
}

/// Passes a cell's status on until the cell or the fleet ends.
fn forward(place: usize, mut status: watch::Receiver<Status>, tell: mpsc::Sender<(usize, Status)>) {
    tokio::spawn(async move {
        while status.changed().await.is_ok() {
            let latest = status.borrow_and_update().clone();
            if tell.send((place, latest)).await.is_err() {
                return;
            }
        }
    });
}
