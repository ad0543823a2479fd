//! Processes that cut their own power at a numbered point.
//!
//! One rule: the product has no fault switch. A victim is the product's library with a witness that
//! kills its own process, by SIGKILL, right after the commit or the message that it was told; it also
//! notes every point it passes, so that a run without a cut gives the list of points.

use std::{
    env, fmt,
    fs::{self, File},
    io::Write,
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use cwmp::{Role, Witness};
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// A point of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// After the commit with this number is durable.
    Commit(u64),
    /// After the message with this number was sent or received here.
    Message(u64),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(number) => write!(f, "commit {number}"),
            Self::Message(number) => write!(f, "message {number}"),
        }
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, number) = text.split_once(' ').ok_or_else(|| format!("`{text}` is no point"))?;
        let number = number.parse().map_err(|_| format!("`{number}` is no number"))?;
        match kind {
            "commit" => Ok(Self::Commit(number)),
            "message" => Ok(Self::Message(number)),
            _ => Err(format!("`{kind}` is neither commit nor message")),
        }
    }
}

/// The witness that kills.
#[derive(Debug)]
pub struct Victim {
    at: Option<Point>,
    messages: AtomicU64,
    passed: Mutex<File>,
}

impl Victim {
    /// Dies at `at`, and notes each point in `passed`.
    #[must_use]
    pub fn new(at: Option<Point>, passed: &PathBuf) -> Self {
        let file = File::options().create(true).append(true).open(passed).expect("the list can be opened");
        Self { at, messages: AtomicU64::new(0), passed: Mutex::new(file) }
    }

    fn pass(&self, point: Point, what: &str) {
        let mut file = self.passed.lock().expect("no holder panics");
        writeln!(file, "{point}\t{what}").expect("the list can be written");
        if self.at == Some(point) {
            kill_process(getpid(), Signal::KILL).expect("a process may end itself");
        }
    }
}

impl Witness for Victim {
    fn message(&self, from: Role, body: &[u8]) {
        let number = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
        self.pass(Point::Message(number), &format!("{from:?} says {}", element(body)));
    }

    fn committed(&self, number: u64) {
        self.pass(Point::Commit(number), "");
    }
}

/// The element in the SOAP body, for the list.
fn element(body: &[u8]) -> &'static str {
    let decoded = cwmp::Envelope::<cwmp::AnyBody>::decode(body, &cwmp::Limits::default());
    decoded.ok().and_then(|decoded| decoded.envelope.body.element()).unwrap_or("nothing")
}

/// What a victim is told: its configuration, where to note points, and where to die.
fn arguments() -> (PathBuf, Arc<Victim>) {
    let mut words = env::args().skip(1);
    let config = PathBuf::from(words.next().expect("the configuration is named"));
    let passed = PathBuf::from(words.next().expect("the list is named"));
    let at = words.next().map(|point| point.parse().expect("it is a point"));
    (config, Arc::new(Victim::new(at, &passed)))
}

async fn told_to_end() {
    signal(SignalKind::terminate()).expect("signals can be heard").recv().await;
}

fn log_to_stderr() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
}

/// A H(e)MS that dies where it is told.
pub fn run_hems() {
    log_to_stderr();
    let (config, victim) = arguments();
    let config = hems::config::Config::load(&config).expect("the configuration is good");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let server = hems::Server::start(config, victim).await.expect("the H(e)MS starts");
        server.run_until(told_to_end()).await;
    });
}

/// A cell that dies where it is told.
pub fn run_henb() {
    log_to_stderr();
    let (config, victim) = arguments();
    let config = henb::Config::read(&config).expect("the configuration is good");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        henb::run(config, victim, Arc::default(), told_to_end()).await.expect("the cell ends");
    });
}

/// The points that a run passed, in order.
///
/// # Panics
/// The list is not there.
#[must_use]
pub fn points(passed: &PathBuf) -> Vec<(Point, String)> {
    let text = fs::read_to_string(passed).expect("the list is there");
    let lines = text.lines().map(|line| line.split_once('\t').expect("it is a point and what it was"));
    lines.map(|(point, what)| (point.parse().expect("it is a point"), what.to_owned())).collect()
}
