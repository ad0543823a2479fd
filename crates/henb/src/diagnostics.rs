//! What an ACS may have tried from the cell: ping, trace, download, upload. Which of them runs, and with what. (C-38)
//!
//! ```text
//!            Requested                    next               ended
//!   None ────────────────▶ wanted ──────────────────▶ runs ─────────▶ Complete or Error_…, 8 DIAGNOSTICS COMPLETE
//!     ▲   another parameter, Canceled, restart  │
//!     └─────────────────────────────────────────┘
//! ```
//!
//! Pure: the agent runs one at a time in a task of its own, and what ends after it was given up is not told. Whoever
//! commands a street of cells must not have a weapon in them: each bound below is a const with its reason, and
//! [`reach`] says where a probe may go at all.

pub(crate) mod echo;
pub(crate) mod file;
pub(crate) mod reach;
pub(crate) mod route;
mod socket;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use profile::{HemsUrl, TransportMode};
use tokio::time::Instant;

use crate::device::Row;

/// Most echoes of one ping: more says nothing more, and at one a second they end within [`LONGEST`].
const MOST_REPETITIONS: u32 = 100;

/// The longest wait for one answer: who has not answered by then is not there.
const MOST_WAIT: Duration = Duration::from_secs(5);

/// Most bytes of a probe: with its headers one Ethernet frame, and no fragments.
const MOST_BLOCK: u64 = 1400;

/// Most bytes of a download, which are counted and not kept: ten seconds of a good line.
pub(crate) const MOST_DOWNLOAD: u64 = 64 << 20;

/// Most bytes of an upload, which are in memory: half of what a cell's agent may use.
const MOST_UPLOAD: u64 = 4 << 20;

/// Whatever runs longer is ended: a hundred echoes with the longest wait for each.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);

/// So many diagnostics may start within [`WINDOW`]; the next one waits.
const MOST_STARTS: usize = 10;

/// See [`MOST_STARTS`]: together they bound what a cell sends for an ACS.
const WINDOW: Duration = Duration::from_secs(600);

/// A time that is not known. (TR-106 3.2)
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Ping,
    TraceRoute,
    Download,
    Upload,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Ping, Self::TraceRoute, Self::Download, Self::Upload];

    /// Its object in the data model.
    pub(crate) fn object(self) -> &'static str {
        match self {
            Self::Ping => "Device.IP.Diagnostics.IPPing.",
            Self::TraceRoute => "Device.IP.Diagnostics.TraceRoute.",
            Self::Download => "Device.IP.Diagnostics.DownloadDiagnostics.",
            Self::Upload => "Device.IP.Diagnostics.UploadDiagnostics.",
        }
    }

    /// Results as they are before anything is known.
    pub(crate) fn blank(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Ping => &[
                ("SuccessCount", "0"),
                ("FailureCount", "0"),
                ("AverageResponseTime", "0"),
                ("MinimumResponseTime", "0"),
                ("MaximumResponseTime", "0"),
            ],
            Self::TraceRoute => &[("ResponseTime", "0")],
            Self::Download => &[
                ("TestBytesReceived", "0"),
                ("TotalBytesReceived", "0"),
                ("ROMTime", NEVER),
                ("BOMTime", NEVER),
                ("EOMTime", NEVER),
            ],
            Self::Upload => {
                &[("TotalBytesSent", "0"), ("ROMTime", NEVER), ("BOMTime", NEVER), ("EOMTime", NEVER)]
            }
        }
    }
}

/// Packets to a host, answered or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) host: String,
    /// Echoes, or tries for each hop.
    pub(crate) tries: u32,
    pub(crate) wait: Duration,
    pub(crate) bytes: usize,
    /// The six bits of the DiffServ field.
    pub(crate) dscp: u8,
    pub(crate) most_hops: u8,
}

/// What shall run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    Ping(Probe),
    TraceRoute(Probe),
    Download(HemsUrl),
    /// Where to, and how many bytes.
    Upload(HemsUrl, usize),
}

impl Order {
    /// Reads what an ACS wants from the parameters of the object.
    pub(crate) fn read(
        kind: Kind,
        mode: TransportMode,
        value: impl Fn(&str) -> String,
    ) -> Result<Self, Failure> {
        if !value("Interface").is_empty() {
            return Err(Failure::Other("Interface must be empty: the routes decide".to_owned()));
        }
        let url = |name: &str| {
            only_plain_marks(&value)?;
            HemsUrl::parse(&value(name), mode).map_err(|error| Failure::Other(format!("{name}: {error}")))
        };
        Ok(match kind {
            Kind::Ping => Self::Ping(Probe::read(&value, "NumberOfRepetitions", MOST_REPETITIONS)?),
            Kind::TraceRoute => Self::TraceRoute(Probe::read(&value, "NumberOfTries", 3)?),
            Kind::Download => Self::Download(url("DownloadURL")?),
            Kind::Upload => {
                let length = number(&value, "TestFileLength", MOST_UPLOAD)?;
                Self::Upload(url("UploadURL")?, usize::try_from(length).unwrap_or_default())
            }
        })
    }

    /// The host that it goes to.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Ping(probe) | Self::TraceRoute(probe) => &probe.host,
            Self::Download(url) | Self::Upload(url, _) => url.host(),
        }
    }
}

impl Probe {
    fn read(value: &impl Fn(&str) -> String, tries: &str, most_tries: u32) -> Result<Self, Failure> {
        let small = |name: &str, most: u64| number(value, name, most);
        let most_wait = u64::try_from(MOST_WAIT.as_millis()).unwrap_or(u64::MAX);
        let hops = if tries == "NumberOfTries" { small("MaxHopCount", 64)? } else { 64 };
        let probe = Self {
            host: value("Host"),
            tries: u32::try_from(small(tries, most_tries.into())?).unwrap_or(1),
            wait: Duration::from_millis(small("Timeout", most_wait)?),
            bytes: usize::try_from(small("DataBlockSize", MOST_BLOCK)?).unwrap_or(0),
            dscp: u8::try_from(small("DSCP", 63)?).unwrap_or(0),
            most_hops: u8::try_from(hops).unwrap_or(64),
        };
        if probe.host.is_empty() {
            return Err(Failure::CannotResolve("Host is empty".to_owned()));
        }
        Ok(probe)
    }
}

/// HTTP of this cell marks no packets.
fn only_plain_marks(value: &impl Fn(&str) -> String) -> Result<(), Failure> {
    for name in ["DSCP", "EthernetPriority"] {
        number(value, name, 0)?;
    }
    Ok(())
}

/// A number of the object's, within what this cell does.
fn number(value: &impl Fn(&str) -> String, name: &str, most: u64) -> Result<u64, Failure> {
    let found = value(name).parse().unwrap_or(0);
    if found > most {
        return Err(Failure::Other(format!("{name}: at most {most} is done here, not {found}")));
    }
    Ok(found)
}

/// Why there is no result, for the log; an ACS sees the model's word alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the name has no address: {0}")]
    CannotResolve(String),
    #[error("no route: {0}")]
    NoRoute(String),
    #[error("no connection: {0}")]
    NoConnection(String),
    #[error("no response")]
    NoResponse,
    #[error("the server wants a shared secret")]
    Login,
    #[error("the transfer failed: {0}")]
    Transfer(String),
    #[error("more than {MOST_DOWNLOAD} bytes came")]
    TooLong,
    #[error("the end was not reached in time")]
    Timeout,
    #[error("there are more hops than MaxHopCount")]
    MostHops,
    #[error("this system does not allow it: {0}")]
    Internal(String),
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// The model's word, as far as the object has one.
    pub(crate) fn state(&self, kind: Kind) -> &'static str {
        let is_transfer = matches!(kind, Kind::Download | Kind::Upload);
        match (self, kind) {
            (Self::CannotResolve(_), _) => "Error_CannotResolveHostName",
            (Self::NoRoute(_), _) => "Error_NoRouteToHost",
            (Self::Internal(_), _) => "Error_Internal",
            (Self::NoConnection(_), _) if is_transfer => "Error_InitConnectionFailed",
            (Self::NoResponse, _) if is_transfer => "Error_NoResponse",
            (Self::Login, _) if is_transfer => "Error_LoginFailed",
            (Self::Timeout, _) if is_transfer => "Error_Timeout",
            (Self::Transfer(_), Kind::Download) => "Error_TransferFailed",
            (Self::Transfer(_), Kind::Upload) => "Error_NoTransferComplete",
            (Self::TooLong, Kind::Download) => "Error_IncorrectSize",
            (Self::MostHops, Kind::TraceRoute) => "Error_MaxHopCountExceeded",
            _ => "Error_Other",
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Names within the object, and values; what is not named is blank.
    pub(crate) values: Vec<(&'static str, String)>,
    /// The rows of RouteHops.
    pub(crate) hops: Vec<Row>,
    /// Nothing when it is complete.
    pub(crate) failure: Option<Failure>,
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// Which diagnostics an ACS waits for, and which one runs.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    /// By the number of the request: a second one is another run.
    wanted: BTreeMap<Kind, u64>,
    running: Option<(Kind, u64)>,
    requests: u64,
    starts: VecDeque<Instant>,
}

impl Diagnostics {
    /// An ACS asks; what runs of this kind is given up.
    pub(crate) fn request(&mut self, kind: Kind) {
        self.requests += 1;
        self.wanted.insert(kind, self.requests);
    }

    /// It is given up.
    pub(crate) fn stop(&mut self, kind: Kind) {
        self.wanted.remove(&kind);
    }

    /// The next to start, oldest first, where nothing runs and the rate allows one.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Kind> {
        if !self.wait(now)?.is_zero() {
            return None;
        }
        let (kind, request) = self.wanted.iter().min_by_key(|(_, request)| **request)?;
        self.running = Some((*kind, *request));
        self.starts.truncate(MOST_STARTS - 1);
        self.starts.push_front(now);
        Some(*kind)
    }

    /// Whether something runs that nobody waits for any more.
    pub(crate) fn is_stale(&self) -> bool {
        self.running.is_some_and(|(kind, request)| self.wanted.get(&kind) != Some(&request))
    }

    /// What ran has ended; its kind, where it was still wanted.
    pub(crate) fn end(&mut self) -> Option<Kind> {
        let is_stale = self.is_stale();
        let (kind, _) = self.running.take().filter(|_| !is_stale)?;
        self.wanted.remove(&kind);
        Some(kind)
    }

    /// How long until [`Diagnostics::next`] has something; nothing while one runs or none is wanted.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        let oldest = self.starts.get(MOST_STARTS - 1);
        let wait = oldest.map(|start| (*start + WINDOW).saturating_duration_since(now));
        (self.running.is_none() && !self.wanted.is_empty()).then(|| wait.unwrap_or_default())
    }
}

#[cfg(test)]
#[path = "diagnostics/tests.rs"]
mod tests;
