//! A H(e)MS that follows a script, over real TLS, and a cell to talk to it.
//!
//! Each session: InformResponse, a response to each call, then the script's calls one by one, then the empty reply. An
//! [`Oddity`] takes the place of the next reply. Everything that arrived is kept as it stood on the wire.
#![expect(clippy::unwrap_used, reason = "a test's world stops at the first thing that is not as expected")]
#![expect(unreachable_pub, reason = "a module that several test binaries include")]

pub mod manufacturer;
pub mod namespace;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Child,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use cwmp::{
    AcsMethod, AcsResponse, CpeMethod, CpeResponse, Envelope, Fault, FromAcs, FromCpe, Header, Inform,
    InformResponse, Limits, ParameterValueStruct, SetParameterValues, Text, TransferCompleteResponse, Value,
    Version, Witness,
};
use datamodel::Model;
use henb::{
    Agent, Config, DaemonError, State, Status,
    config::{Care, DeviceKind, Names},
    device::{Radio, path},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use profile::{Acceptor, Clock, HemsUrl, KeyPair, SystemClock, Terms, TransportMode, TrustAnchor, pki};
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Post {
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub identity: String,
    /// Counts TLS connections from 1.
    pub connection: usize,
}

impl Post {
    pub fn message(&self) -> FromCpe {
        Envelope::<FromCpe>::decode(self.body.clone(), &Limits::default()).unwrap().envelope.body
    }

    pub fn inform(&self) -> Option<Inform> {
        match self.message() {
            FromCpe::Call(AcsMethod::Inform(inform)) => Some(inform),
            FromCpe::Call(_) | FromCpe::Response(_) | FromCpe::Fault(_) | FromCpe::Empty => None,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A reply that is not by the script.
#[derive(Debug, Clone)]
pub enum Oddity {
    /// This status with this header, and no body.
    Status(u16, &'static str, String),
    /// This body with status 200.
    Body(String),
}

type Watcher = Box<dyn Fn(&Post) + Send + Sync>;

/// What the server shares with the test.
#[derive(Default)]
struct Shared {
    posts: Mutex<Vec<Post>>,
    oddities: Mutex<VecDeque<Oddity>>,
    script: Mutex<Vec<CpeMethod>>,
    /// How many sessions still follow the script; nothing for all.
    sessions: Mutex<Option<u32>>,
    outcomes: Mutex<Vec<Result<CpeResponse, Fault>>>,
    /// How far in the script each cell is.
    next: Mutex<BTreeMap<String, usize>>,
    headers: Mutex<Vec<(HeaderName, HeaderValue)>>,
    file: Mutex<Bytes>,
    watcher: Mutex<Option<Watcher>>,
    /// Ends the connection that is open; it must be at rest.
    close: Notify,
    /// How many connections have ended.
    closed: watch::Sender<usize>,
    count: watch::Sender<usize>,
}

/// The scripted H(e)MS.
pub struct Acs {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Acs {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Acs {
    pub async fn start(own: &KeyPair, manufacturer: &Path, clock: Arc<dyn Clock>) -> Self {
        let realms = vec!["hnb.example".to_owned()];
        let anchors = [TrustAnchor::new("manufacturer", manufacturer.to_owned(), realms)];
        let acceptor = Acceptor::new(&Terms { lab: true, ..Terms::new(clock) }, own, &anchors).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(serve(listener, acceptor, Arc::clone(&shared)));
        Self { address, shared, task }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    /// A listener without TLS that follows the same script; gives its URL.
    pub async fn listen_in_the_tunnel(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            while let Ok((tcp, from)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let from = from.ip().to_string();
                    let service = service_fn(|request| answer(request, &from, 1, &shared));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await;
                });
            }
        });
        url
    }

    /// The calls of every session from now on.
    pub fn script(&self, calls: Vec<CpeMethod>) {
        *self.shared.script.lock().unwrap() = calls;
    }

    /// The calls of the next session alone.
    pub fn script_once(&self, calls: Vec<CpeMethod>) {
        *self.shared.sessions.lock().unwrap() = Some(1);
        self.script(calls);
    }

    /// What comes instead of the next reply.
    pub fn next_is(&self, oddity: Oddity) {
        self.shared.oddities.lock().unwrap().push_back(oddity);
    }

    /// The same from within a watcher: what comes instead of the reply to the post that it looks at.
    pub fn oddities(&self) -> impl Fn(Oddity) + use<> {
        let shared = Arc::downgrade(&self.shared);
        move |oddity| shared.upgrade().unwrap().oddities.lock().unwrap().push_back(oddity)
    }

    /// A header of every reply from now on.
    pub fn header(&self, name: HeaderName, value: &str) {
        self.shared.headers.lock().unwrap().push((name, HeaderValue::from_str(value).unwrap()));
    }

    /// What a GET gets.
    pub fn file(&self, content: &[u8]) {
        *self.shared.file.lock().unwrap() = Bytes::copy_from_slice(content);
    }

    /// Looks at each post before it is answered.
    pub fn watch(&self, watcher: impl Fn(&Post) + Send + Sync + 'static) {
        *self.shared.watcher.lock().unwrap() = Some(Box::new(watcher));
    }

    pub fn posts(&self) -> Vec<Post> {
        self.shared.posts.lock().unwrap().clone()
    }

    pub fn informs(&self) -> Vec<Inform> {
        self.posts().iter().filter(|post| post.method == Method::POST).filter_map(Post::inform).collect()
    }

    /// What the calls came to, in their order.
    pub fn outcomes(&self) -> Vec<Result<CpeResponse, Fault>> {
        self.shared.outcomes.lock().unwrap().clone()
    }

    /// Ends the open connection in order and without a word in HTTP; gives how many have ended.
    pub fn close(&self) -> watch::Receiver<usize> {
        let closed = self.shared.closed.subscribe();
        self.shared.close.notify_one();
        closed
    }

    /// Waits until so many requests arrived that `wanted` holds.
    pub async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        let mut count = self.shared.count.subscribe();
        let arrived = timeout(PATIENCE, count.wait_for(|_| wanted(self))).await;
        assert!(arrived.is_ok(), "what was waited for did not come: {:#?}", self.posts());
    }
}

async fn serve(listener: TcpListener, acceptor: Acceptor, shared: Arc<Shared>) {
    let mut connection = 0;
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        connection += 1;
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok((stream, peer)) = acceptor.accept(tcp).await else { return };
            let identity = peer.identity.to_string();
            let service = service_fn(|request| answer(request, &identity, connection, &shared));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => {}
                () = shared.close.notified() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
            shared.closed.send_modify(|count| *count += 1);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    identity: &str,
    connection: usize,
    shared: &Shared,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let target = head.uri.to_string();
    let identity = identity.to_owned();
    let post = Post { method: head.method, target, headers: head.headers, body, identity, connection };
    if let Some(watcher) = &*shared.watcher.lock().unwrap() {
        watcher(&post);
    }
    let oddity = shared.oddities.lock().unwrap().pop_front();
    let mut response = match oddity {
        Some(Oddity::Status(status, name, value)) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
            response
        }
        Some(Oddity::Body(body)) => Response::new(Full::from(body)),
        None if post.method == Method::PUT => Response::new(Full::default()),
        None if post.method == Method::GET => Response::new(Full::new(shared.file.lock().unwrap().clone())),
        None => by_script(&post, shared),
    };
    for (name, value) in &*shared.headers.lock().unwrap() {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    shared.posts.lock().unwrap().push(post);
    shared.count.send_modify(|count| *count += 1);
    Ok(response)
}

fn by_script(post: &Post, shared: &Shared) -> Response<Full<Bytes>> {
    let decoded = Envelope::<FromCpe>::decode(post.body.clone(), &Limits::default()).unwrap().envelope;
    let body = match decoded.body {
        FromCpe::Call(AcsMethod::Inform(_)) => {
            shared.next.lock().unwrap().insert(post.identity.clone(), 0);
            match &mut *shared.sessions.lock().unwrap() {
                Some(0) => shared.script.lock().unwrap().clear(),
                Some(left) => *left -= 1,
                None => {}
            }
            FromAcs::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 }))
        }
        FromCpe::Call(AcsMethod::TransferComplete(_)) => {
            FromAcs::Response(AcsResponse::TransferComplete(TransferCompleteResponse {}))
        }
        FromCpe::Call(_) => FromAcs::Fault(Fault::new(cwmp::FaultCode(8000), "no")),
        FromCpe::Response(response) => {
            shared.outcomes.lock().unwrap().push(Ok(response));
            next_call(&post.identity, shared)
        }
        FromCpe::Fault(fault) => {
            shared.outcomes.lock().unwrap().push(Err(fault));
            next_call(&post.identity, shared)
        }
        FromCpe::Empty => next_call(&post.identity, shared),
    };
    let id =
        if matches!(body, FromAcs::Call(_)) { Some(Text::from_static("acs-1")) } else { decoded.header.id };
    let text = Envelope { version: Version::V1_1, header: Header::with_id(id), body }.encode();
    let mut response = Response::new(Full::from(text.clone()));
    if text.is_empty() {
        *response.status_mut() = StatusCode::NO_CONTENT;
    } else {
        let xml = HeaderValue::from_static("text/xml; charset=\"utf-8\"");
        response.headers_mut().insert(header::CONTENT_TYPE, xml);
    }
    response
}

fn next_call(identity: &str, shared: &Shared) -> FromAcs {
    let mut cells = shared.next.lock().unwrap();
    let next = cells.entry(identity.to_owned()).or_default();
    *next += 1;
    shared.script.lock().unwrap().get(*next - 1).map_or(FromAcs::Empty, |call| FromAcs::Call(call.clone()))
}

/// A PKI, a H(e)MS and room for one cell's state; kept on disk when the test fails.
pub struct World {
    folder: tempfile::TempDir,
    pub acs: Acs,
    pub config: Config,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            tracing::error!(folder = %self.folder.path().display(), "the world of this test is kept");
        }
    }
}

pub const IDENTITY: &str = "00005e005301.hnb.example";

impl World {
    pub async fn new() -> Self {
        Self::with(|pki| pki::issue_hems(pki, "localhost").unwrap(), Arc::new(SystemClock)).await
    }

    /// A world whose H(e)MS has this certificate and this clock.
    pub async fn with(hems: impl Fn(&Path) -> KeyPair, clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pki = folder.path().join("pki");
        pki::init(&pki).unwrap();
        let identity = pki::issue_henb(&pki, "00005e005301", "hnb.example", None).unwrap();
        let acs = Acs::start(&hems(&pki), &pki.join("manufacturer.pem"), clock).await;
        let config = Config {
            lab: true,
            state_dir: folder.path().join("state"),
            mode: TransportMode::Public,
            tunnel: None,
            url: HemsUrl::parse(&acs.url(), TransportMode::Public).unwrap(),
            anchors: pki.join("operator.pem"),
            identity: (&identity).into(),
            quirk: None,
            model: Arc::clone(Model::cell()),
            device: DeviceKind::Simulated(Radio {
                delay: Duration::from_millis(20),
                seed: 1,
                ..Radio::default()
            }),
            names: Names::default(),
            trust: Care::default(),
            firmware: henb::config::FirmwareCare::default(),
            discards_credentials: false,
            diagnostics: henb::config::DiagnosticsCare::default(),
            discovery: None,
            connection_request: None,
        };
        Self { folder, acs, config }
    }

    /// The lab PKI.
    pub fn pki(&self) -> PathBuf {
        self.folder.path().join("pki")
    }

    /// A folder of this name that goes with the world.
    pub fn room(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn state_path(&self) -> PathBuf {
        self.config.state_dir.join(henb::STATE_FILE)
    }

    pub fn state(&self) -> State {
        read_state(&self.state_path())
    }

    pub fn start(&self) -> Cell {
        self.start_with(Arc::new(()))
    }

    pub fn start_with(&self, witness: Arc<dyn Witness>) -> Cell {
        // A save of the agent before, whose power was cut, may still be under way.
        if let Ok(lock) = std::fs::File::open(self.config.state_dir.join("lock")) {
            lock.lock().unwrap();
        }
        let agent = Agent::start(&self.config, witness).unwrap();
        let status = agent.status();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(agent.run(async {
            let _ = stopped.await;
        }));
        Cell { status, stop, task }
    }
}

pub fn read_state(path: &Path) -> State {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// One SetParameterValues of all of these.
pub fn set(list: &[(&str, Value)]) -> CpeMethod {
    let entry = |(name, value): &(&str, Value)| ParameterValueStruct::new((*name).to_owned(), value.clone());
    let parameter_list = list.iter().map(entry).collect();
    SetParameterValues { parameter_list, parameter_key: "plan-1".into() }.into()
}

/// What lets a cell on air.
pub fn unlock() -> CpeMethod {
    set(&[(path::S1_SERVERS, Value::string("192.0.2.1")), (path::ADMIN_STATE, Value::boolean(true))])
}

/// A process that does not outlive a test that failed.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running agent.
pub struct Cell {
    pub status: watch::Receiver<Status>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), DaemonError>>,
}

impl Cell {
    /// Waits until the cell's status is as wanted.
    pub async fn until(&mut self, wanted: impl FnMut(&Status) -> bool) -> Status {
        let reached = timeout(PATIENCE, self.status.wait_for(wanted)).await;
        let reached = reached.ok().map(|status| status.unwrap().clone());
        reached.unwrap_or_else(|| panic!("the cell did not come so far: {:?}", *self.status.borrow()))
    }

    /// Ends it in order.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }

    /// Cuts its power.
    pub async fn cut(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
