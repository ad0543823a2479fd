//! A world in memory: its own time, a network without sockets, the operator's H(e)MSs on it, and cells with a plug.
//!
//! ```text
//!   Agent ─▶ Internet (Dialler) ─▶ duplex ─▶ Acceptor ─▶ HTTP ─▶ Hems
//!     └─ Witness: Plug              time: tokio's, which stands still while somebody works
//! ```

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use cwmp::session::acs::Session;
use datamodel::Model;
use henb::{
    Agent, Config, DaemonError, Dialler, LinkError, Opening, State, Status, TunnelEnd,
    config::{Care, DeviceKind, DiagnosticsCare, FirmwareCare, Names},
    device::Radio,
};
use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response,
    body::{Body, Frame, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::{Timestamp, ToSpan};
use profile::{
    Acceptor, Carrier, Clock, FirmwareManifest, HemsUrl, Identity, KeyPair, Materials, Sha256, Terms,
    TransportMode, TrustAnchor,
    pki::{self, Authority, Key, LeafOrder, Validity},
};
use tokio::{
    io::DuplexStream,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    hems::{Hems, Record},
    power::{Plug, PowerCut},
};

/// The H(e)MS that the factory configures.
pub(crate) const INITIAL: &str = "initial.localhost";
/// The one that the operator's cells belong to.
pub(crate) const SERVING: &str = "serving.localhost";
/// Where files come from and go to.
pub(crate) const FILES: &str = "files.localhost";

/// How long the power stays away.
const OUTAGE: Duration = Duration::from_secs(60);
/// What follows at once has then happened.
const MOMENT: Duration = Duration::from_secs(1);
/// So long may a step take.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// Times are minutes after the first cell's birth.
pub(crate) const DAY: i64 = 24 * 60;
pub(crate) const YEAR: i64 = 365 * DAY;
/// How long the cells lie in their drawers.
pub(crate) const STORAGE: i64 = 4 * YEAR;

/// When the first cell leaves the factory.
fn birth() -> Timestamp {
    static BIRTH: OnceLock<Timestamp> = OnceLock::new();
    *BIRTH.get_or_init(|| Timestamp::now().max(profile::build_time()))
}

fn after(minutes: i64) -> Timestamp {
    birth().checked_add(minutes.minutes()).unwrap()
}

/// The world's own time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorldClock(Instant);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        birth().checked_add(self.0.elapsed()).unwrap()
    }
}

/// Room for a life; in memory where that is possible, since a cell flushes each of its saves and lives are many.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Keys and certificates, made once for all lives: only reading them is cheap.
pub(crate) struct Pki {
    folder: tempfile::TempDir,
    firmware: KeyPair,
}

impl Pki {
    pub(crate) fn get() -> &'static Self {
        static PKI: OnceLock<Pki> = OnceLock::new();
        PKI.get_or_init(|| {
            let folder = folder();
            let dir = folder.path();
            pki::init(dir).unwrap();
            let firmware = pki::issue_firmware_signer(dir, pki::FIRMWARE_SIGNERS[0]).unwrap();
            let made = Self { folder, firmware };
            let since = -30 * DAY;
            // The cell's clock has to reach this one's life first.
            let serving = STORAGE - DAY;
            for (host, begin) in [(INITIAL, since), (SERVING, serving), (FILES, serving)] {
                made.issue("operator/localhost", &LeafOrder::hems(host), (begin, 9 * YEAR), host);
            }
            made
        })
    }

    fn issue(&self, by: &str, order: &LeafOrder, (begin, end): (i64, i64), name: &str) -> KeyPair {
        let path = |end: &str| self.folder.path().join(format!("{by}.{end}"));
        let authority = Authority::load(&KeyPair { chain: path("pem"), key: path("key") }).unwrap();
        let order = order.clone().valid(Validity { not_before: after(begin), not_after: after(end) });
        let key = Key::generate(2048).unwrap();
        authority.issue(&order, &key).unwrap().write(self.folder.path(), name, &key).unwrap()
    }

    /// The certificate of a cell that ends so many minutes after the first cell's birth; made once.
    pub(crate) fn cell(&self, identity: &str, end: i64) -> KeyPair {
        static MADE: Mutex<BTreeMap<String, KeyPair>> = Mutex::new(BTreeMap::new());
        let name = format!("{identity}-{end}");
        let mut made = MADE.lock().unwrap();
        let fresh = || {
            let order = LeafOrder::henb(&identity.parse::<Identity>().unwrap());
            self.issue("manufacturer/hnb.example", &order, (-30 * DAY, end), &name)
        };
        made.entry(name.clone()).or_insert_with(fresh).clone()
    }

    fn host(&self, name: &str) -> KeyPair {
        let path = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        KeyPair { chain: path("pem"), key: path("key") }
    }

    fn anchors(&self, kind: &str) -> PathBuf {
        self.folder.path().join(kind).with_extension("pem")
    }

    /// A signed image, and what it calls itself.
    pub(crate) fn image(&self, version: &str, start: &str) -> Bytes {
        let image = format!("HEARTH-IMAGE {start}\n{}", "what a cell runs\n".repeat(1000));
        let mut hash = Sha256::new();
        hash.update(image.as_bytes());
        let manifest = FirmwareManifest {
            version: version.to_owned(),
            oui: "00005E".to_owned(),
            product_class: "SimulatedCell".to_owned(),
            hardware_versions: vec!["1".to_owned()],
            size: u64::try_from(image.len()).unwrap(),
            sha256: hash.finish(),
            ..FirmwareManifest::default()
        };
        [manifest.seal(&self.firmware).unwrap().as_slice(), image.as_bytes()].concat().into()
    }
}

/// Everything that a cell can reach.
pub(crate) struct Internet {
    pub(crate) hems: Arc<Hems>,
    pub(crate) plug: Arc<Plug>,
    pub(crate) clock: WorldClock,
    doors: BTreeMap<&'static str, Acceptor>,
    images: BTreeMap<String, Bytes>,
    /// Without it nobody is reached.
    cable: watch::Sender<bool>,
}

impl std::fmt::Debug for Internet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Internet")
    }
}

/// What a server sends, piece by piece.
struct Pieces {
    left: VecDeque<Bytes>,
    plug: Arc<Plug>,
    is_begun: bool,
    is_cut: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.is_cut |= self.is_begun && !self.left.is_empty() && self.plug.passes("file half sent");
        if self.is_cut {
            // Whoever waited for it is not there any more.
            return Poll::Pending;
        }
        self.is_begun = true;
        let Some(piece) = self.left.pop_front() else { return Poll::Ready(None) };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Internet {
    pub(crate) fn new(images: BTreeMap<String, Bytes>) -> Arc<Self> {
        let clock = WorldClock(Instant::now());
        let (hems, plug) = (Arc::new(Hems::default()), Arc::new(Plug::default()));
        let realms = vec!["hnb.example".to_owned()];
        let anchors = [TrustAnchor::new("manufacturer", Pki::get().anchors("manufacturer"), realms)];
        let door = |host: &'static str| {
            let terms = Terms { lab: true, ..Terms::new(Arc::new(clock)) };
            let materials = Materials::new(&Pki::get().host(host), &anchors);
            let acceptor = Acceptor::with(&terms, &materials, Arc::<Hems>::clone(&hems), None);
            (host, acceptor.unwrap())
        };
        let doors = [INITIAL, SERVING, FILES].map(door).into();
        let cable = watch::Sender::new(true);
        Arc::new(Self { hems, plug, clock, doors, images, cable })
    }

    pub(crate) fn plug_in(&self, is_in: bool) {
        self.cable.send_replace(is_in);
    }

    async fn serve(self: Arc<Self>, host: &'static str, stream: DuplexStream) {
        let Some(acceptor) = self.doors.get(host) else { return };
        let Ok((stream, peer)) = acceptor.accept(stream).await else { return };
        let (identity, session) = (peer.identity.to_string(), Mutex::new(None));
        let service = service_fn(|request| self.answer(request, host, &identity, &session));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        host: &'static str,
        identity: &str,
        session: &Mutex<Option<Session>>,
    ) -> Result<Response<Pieces>, hyper::Error> {
        let (head, body) = request.into_parts();
        let url = format!("https://{host}{}", head.uri);
        let body = body.collect().await?.to_bytes();
        let mut response = match head.method {
            Method::POST => {
                let session = &mut *session.lock().unwrap();
                let reply = self.hems.hear(identity, (host, self.clock.now()), body, session);
                let status = if reply.is_empty() { 204 } else { 200 };
                Response::builder().status(status).body(self.pieces([reply])).unwrap()
            }
            Method::PUT => {
                self.hems.keep(identity, url, body);
                self.point("file taken").await;
                Response::new(self.pieces([]))
            }
            _ => {
                self.point("file asked").await;
                Response::new(self.file(&url))
            }
        };
        let date = self.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        response.headers_mut().insert(header::DATE, date.parse().unwrap());
        Ok(response)
    }

    /// Where the power goes here, nothing more is heard.
    async fn point(&self, point: &str) {
        if self.plug.passes(point) {
            std::future::pending::<()>().await;
        }
    }

    /// A file that comes in two pieces.
    fn file(&self, url: &str) -> Pieces {
        let whole = self.images.get(url).unwrap_or_else(|| panic!("nobody has {url}"));
        let half = whole.len() / 2;
        self.pieces([whole.slice(..half), whole.slice(half..)])
    }

    fn pieces<const COUNT: usize>(&self, pieces: [Bytes; COUNT]) -> Pieces {
        Pieces { left: pieces.into(), plug: Arc::clone(&self.plug), is_begun: false, is_cut: false }
    }
}

/// The cell's end of the network; the other end is a task.
#[derive(Debug)]
pub(crate) struct Cable(Arc<Internet>);

impl Dialler for Cable {
    fn open<'a>(&'a self, host: &'a str, _: u16, _: Option<&'a TunnelEnd>) -> Opening<'a> {
        Box::pin(async move {
            let door = self.0.doors.keys().find(|door| **door == host).filter(|_| *self.0.cable.borrow());
            let Some(door) = door else {
                let source = io::ErrorKind::NetworkUnreachable.into();
                return Err(LinkError::Connect { host: host.to_owned(), source });
            };
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            tokio::spawn(Arc::clone(&self.0).serve(door, theirs));
            Ok(Box::new(ours) as Box<dyn Carrier>)
        })
    }
}

/// A cell that is switched on.
struct Running {
    status: watch::Receiver<Status>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), DaemonError>>,
}

/// One cell, on or off.
pub(crate) struct Cell {
    pub(crate) identity: String,
    pub(crate) config: Config,
    net: Arc<Internet>,
    running: Option<Running>,
    /// Where its power was cut.
    pub(crate) cuts: Vec<String>,
}

impl Cell {
    /// A cell as it leaves the factory; its certificate ends so many minutes later.
    pub(crate) fn new(net: &Arc<Internet>, folder: &Path, identity: &str, end: i64) -> Self {
        let pki = Pki::get();
        let folder = folder.join(identity);
        fs::create_dir_all(&folder).unwrap();
        let own = KeyPair { chain: folder.join("cell.pem"), key: folder.join("cell.key") };
        let config = Config {
            lab: true,
            state_dir: folder.join("state"),
            mode: TransportMode::Public,
            tunnel: None,
            url: HemsUrl::parse(&format!("https://{INITIAL}/"), TransportMode::Public).unwrap(),
            anchors: pki.anchors("operator"),
            identity: (&own).into(),
            quirk: None,
            model: Arc::clone(Model::cell()),
            device: DeviceKind::Simulated(Radio {
                delay: Duration::from_secs(20),
                seed: 1,
                ..Radio::default()
            }),
            names: Names { software_version: "1.0.0".to_owned(), ..Names::default() },
            trust: Care::default(),
            firmware: FirmwareCare { keys: vec![pki.firmware.chain.clone()], ..FirmwareCare::default() },
            discards_credentials: false,
            discovery: None,
            diagnostics: DiagnosticsCare::default(),
            connection_request: None,
        };
        let cell = Self {
            identity: identity.to_owned(),
            config,
            net: Arc::clone(net),
            running: None,
            cuts: Vec::new(),
        };
        cell.certify(end);
        cell
    }

    /// Gives it a certificate that ends so many minutes after the first cell's birth.
    pub(crate) fn certify(&self, end: i64) {
        let made = Pki::get().cell(&self.identity, end);
        let own = &self.config.identity;
        fs::copy(made.key, own.key.path().unwrap()).unwrap();
        fs::copy(made.chain, &own.chain).unwrap();
    }

    pub(crate) fn state(&self) -> State {
        let path = self.config.state_dir.join(henb::STATE_FILE);
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// What its own data model says.
    pub(crate) fn value(&self, name: &str) -> String {
        self.state().device.tree.values.get(&name.parse().unwrap()).cloned().unwrap_or_default()
    }

    pub(crate) fn status(&self) -> Status {
        self.running.as_ref().unwrap().status.borrow().clone()
    }

    fn switch_on(&mut self) {
        if let Ok(lock) = fs::File::open(self.config.state_dir.join("lock")) {
            // A save that was under way when the power went is over first.
            lock.lock().unwrap();
        }
        let dialler = Arc::new(Cable(Arc::clone(&self.net)));
        let agent = Agent::start_over(&self.config, Arc::<Plug>::clone(&self.net.plug), dialler).unwrap();
        let status = agent.status();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(agent.run(async {
            let _ = stopped.await;
        }));
        self.running = Some(Running { status, stop, task });
    }

    /// Runs it until the H(e)MS knows what is wanted and nothing more follows at once, whatever its power does.
    pub(crate) async fn run_until(&mut self, wanted: impl Fn(&Record) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            if self.running.is_none() {
                self.switch_on();
            }
            let (net, running) = (Arc::clone(&self.net), self.running.as_mut().unwrap());
            let reached = async {
                sleep(MOMENT).await;
                net.hems.until(&self.identity, &wanted).await;
                sleep(MOMENT).await;
            };
            tokio::select! {
                biased;
                ended = &mut running.task => self.went_out(ended),
                () = net.plug.pulled() => {
                    running.task.abort();
                    let ended = (&mut running.task).await;
                    self.went_out(ended);
                }
                () = reached => return,
                () = tokio::time::sleep_until(end) => {
                    let heard = self.net.hems.record(&self.identity).story();
                    panic!("{} does not get there: {:?} {heard:#?}", self.identity, self.status());
                }
            }
            sleep(OUTAGE).await;
        }
    }

    /// Runs it for so long, whatever comes of it.
    pub(crate) async fn run_for(&mut self, wait: Duration) {
        assert!(timeout(wait, self.run_until(|_| false)).await.is_err());
        if self.running.is_none() {
            self.switch_on();
        }
    }

    /// Takes note of a power cut; any other end of the task is a failure.
    fn went_out(&mut self, ended: Result<Result<(), DaemonError>, tokio::task::JoinError>) {
        let error = ended.unwrap_err();
        if !error.is_cancelled() {
            let reason = error.into_panic();
            if !reason.is::<PowerCut>() {
                std::panic::resume_unwind(reason);
            }
        }
        self.running = None;
        self.cuts.extend(self.net.plug.point());
        self.net.plug.arm(None);
    }

    /// Switches it off in order.
    pub(crate) async fn switch_off(&mut self) {
        let running = self.running.take().unwrap();
        let _ = running.stop.send(());
        timeout(PATIENCE, running.task).await.unwrap().unwrap().unwrap();
    }
}
