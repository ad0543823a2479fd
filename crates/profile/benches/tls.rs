//! What a handshake costs: every version and suite of both profiles, full and resumed, each side's CPU.
//!
//! Prints one JSON line a figure: `{"id", "what", "measured", "unit"}`. Goals stand in `xtask/goals.toml`;
//! `./x bench tls` compares. The server is our acceptor; the client of a pinned suite is the engine's own, that of
//! a resumed session our connector. Each side runs on a thread of its own, one handshake at a time; rounds are
//! interleaved, figures are medians.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it measured")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark stops where it cannot go on")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use openssl::ssl::{Ssl, SslContext, SslFiletype, SslMethod, SslVersion};
use profile::pki::{Authority, AuthorityOrder, Key, LeafOrder};
use profile::{
    Acceptor, Connector, Exchange, Identity, KeyPair, Materials, Profile, SuiteOrder, SystemClock, Terms,
    TicketKey, TicketKeys, TrustAnchor, Version,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_openssl::SslStream;

const ROUNDS: usize = 5;
/// Handshakes of one case in one round.
const HANDSHAKES: u32 = 40;
const HOST: &str = "hems.operator.example";

fn main() {
    eprintln!("engine: {}", profile::engine());
    let lab = Lab::new();
    let cases: Vec<Case> = Profile::ALL.iter().flat_map(|profile| Case::all(profile, &lab)).collect();
    let mut rounds: Vec<Vec<Cost>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (case, costs) in cases.iter().zip(&mut rounds) {
            costs.push(case.run());
        }
    }
    for (case, costs) in cases.iter().zip(&rounds) {
        case.print(costs);
    }
    gain(&cases, &rounds);
}

/// What resumption saves our own cells: the server's CPU of a full handshake over that of a resumed one.
fn gain(cases: &[Case], rounds: &[Vec<Cost>]) {
    let of = |id: &str| cases.iter().position(|case| case.id == id).map(|at| &rounds[at]).unwrap();
    let (full, resumed) = (of("tls_ts33320_agent_full"), of("tls_ts33320_agent_resumed"));
    let ratios = full.iter().zip(resumed).map(|(full, resumed)| full.server / resumed.server).collect();
    print("tls_resumption_gain", "server CPU of a full handshake over a resumed one, our agent", ratios, "");
}

/// A PKI in a folder.
struct Lab {
    folder: tempfile::TempDir,
    hems: KeyPair,
    henb: KeyPair,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let order = |name, domain| AuthorityOrder::lab(name, domain).unconstrained();
        let operator = Authority::create(&order("operator", "operator.example")).unwrap();
        let manufacturer = Authority::create(&order("manufacturer", "hnb.example").path_length(1)).unwrap();
        let cells = manufacturer.subordinate(&order("cells", "hnb.example")).unwrap();
        let key = Key::generate(2048).unwrap();
        let hems = operator.issue(&LeafOrder::hems(HOST), &key).unwrap().write(path, "hems", &key).unwrap();
        let identity = Identity::parse("00005e005301.hnb.example").unwrap();
        let key = Key::generate(2048).unwrap();
        let henb = cells.issue(&LeafOrder::henb(&identity), &key).unwrap().write(path, "henb", &key).unwrap();
        std::fs::write(path.join("operator.pem"), operator.pem().unwrap()).unwrap();
        std::fs::write(path.join("manufacturer.pem"), manufacturer.pem().unwrap()).unwrap();
        Self { folder, hems, henb }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn terms(&self, profile: &'static Profile, resumption: bool) -> Terms {
        Terms { profile, lab: true, resumption, ..Terms::new(Arc::new(SystemClock)) }
    }

    fn acceptor(&self, profile: &'static Profile) -> Acceptor {
        let keys = TicketKeys::default();
        let present = TicketKey::period_at(jiff::Timestamp::now());
        keys.replace([present, present + 1].map(|period| TicketKey::generate(period).unwrap()).to_vec());
        let realms = vec!["hnb.example".to_owned()];
        let anchors = [TrustAnchor::new("manufacturer", self.file("manufacturer.pem"), realms)];
        let terms = self.terms(profile, true);
        Acceptor::with(&terms, &Materials::new(&self.hems, &anchors), Arc::new(()), Some(Arc::new(keys)))
            .unwrap()
    }
}

/// Seconds of CPU for one handshake.
#[derive(Clone, Copy)]
struct Cost {
    server: f64,
    client: f64,
    wall: f64,
}

/// One kind of handshake.
struct Case {
    id: String,
    what: String,
    is_resumed: bool,
    server: Server,
    client: Client,
}

enum Client {
    /// The engine's own client, pinned to one version and one suite.
    Pinned(SslContext),
    /// Our agent's connector.
    Agent(Connector),
}

impl Case {
    fn all(profile: &'static Profile, lab: &Lab) -> Vec<Self> {
        let mut cases = Vec::new();
        for version in [Version::Tls11, Version::Tls12, Version::Tls13] {
            for suite in profile.offered(SuiteOrder::FsFirst) {
                let is_ours = profile.permitted(suite.code, version).is_some();
                // The lab's keys are RSA.
                if !is_ours || suite.standard_name.contains("ECDSA") {
                    continue;
                }
                let context = pinned(lab, version, suite.engine_name, suite.exchange());
                cases.push(Self {
                    id: format!("tls_{}_{}_{:04x}", profile.name, version.name(), suite.code),
                    what: format!("{} {} {}, full", profile.name, version.name(), suite.standard_name),
                    is_resumed: false,
                    server: Server::start(lab.acceptor(profile)),
                    client: Client::Pinned(context),
                });
            }
        }
        for resumed in [false, true] {
            let kind = if resumed { "resumed" } else { "full" };
            let connector =
                Connector::new(&lab.terms(profile, resumed), &lab.henb, &lab.file("operator.pem")).unwrap();
            cases.push(Self {
                id: format!("tls_{}_agent_{kind}", profile.name),
                what: format!("{} our agent, {kind}", profile.name),
                is_resumed: resumed,
                server: Server::start(lab.acceptor(profile)),
                client: Client::Agent(connector),
            });
        }
        cases
    }

    fn run(&self) -> Cost {
        let runtime = runtime();
        // The first handshake of a resuming client is a full one.
        runtime.block_on(self.client.shake(self.server.address));
        self.server.cpu();
        let (start, cpu) = (Instant::now(), thread_cpu());
        for _ in 0..HANDSHAKES {
            let is_resumed = runtime.block_on(self.client.shake(self.server.address));
            assert_eq!(is_resumed, self.is_resumed, "{}", self.what);
        }
        let each = f64::from(HANDSHAKES);
        let client = (thread_cpu() - cpu).as_secs_f64() / each;
        let wall = start.elapsed().as_secs_f64() / each;
        Cost { server: self.server.cpu().as_secs_f64() / each, client, wall }
    }

    fn print(&self, costs: &[Cost]) {
        let micros = |side: fn(&Cost) -> f64| costs.iter().map(|cost| side(cost) * 1e6).collect();
        print(
            &format!("{}_server", self.id),
            &format!("{}: server CPU", self.what),
            micros(|c| c.server),
            "us",
        );
        print(
            &format!("{}_client", self.id),
            &format!("{}: client CPU", self.what),
            micros(|c| c.client),
            "us",
        );
        let rate = costs.iter().map(|cost| 1.0 / cost.wall).collect();
        print(&format!("{}_rate", self.id), &format!("{}: one at a time", self.what), rate, "/s");
    }
}

impl Client {
    /// One handshake; whether it was a resumed one.
    async fn shake(&self, address: SocketAddr) -> bool {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        match self {
            Self::Agent(connector) => {
                let (mut stream, peer) = connector.connect(tcp, HOST).await.unwrap();
                // Tickets of TLS 1.3 come behind the handshake, with the first data.
                stream.read_exact(&mut [0]).await.unwrap();
                peer.evidence.resumed
            }
            Self::Pinned(context) => {
                let mut stream = SslStream::new(Ssl::new(context).unwrap(), tcp).unwrap();
                Pin::new(&mut stream).connect().await.unwrap();
                false
            }
        }
    }
}

fn pinned(lab: &Lab, version: Version, suite: &str, exchange: Exchange) -> SslContext {
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    context.set_security_level(0);
    let engine = match version {
        Version::Tls11 => SslVersion::TLS1_1,
        Version::Tls12 => SslVersion::TLS1_2,
        Version::Tls13 => SslVersion::TLS1_3,
    };
    context.set_min_proto_version(Some(engine)).unwrap();
    context.set_max_proto_version(Some(engine)).unwrap();
    if exchange == Exchange::Tls13 {
        context.set_ciphersuites(suite).unwrap();
    } else {
        context.set_cipher_list(suite).unwrap();
    }
    context.set_certificate_chain_file(&lab.henb.chain).unwrap();
    context.set_private_key_file(&lab.henb.key, SslFiletype::PEM).unwrap();
    context.set_ca_file(Path::new(&lab.file("operator.pem"))).unwrap();
    context.set_verify(openssl::ssl::SslVerifyMode::PEER);
    context.build()
}

/// An acceptor on a thread of its own, which says how much CPU it used since it was asked last.
struct Server {
    address: SocketAddr,
    ask: mpsc::Sender<mpsc::Sender<Duration>>,
}

impl Server {
    fn start(acceptor: Acceptor) -> Self {
        let (ask, asked) = mpsc::channel::<mpsc::Sender<Duration>>();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            runtime().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let mut since = thread_cpu();
                loop {
                    let accepted = tokio::time::timeout(Duration::from_millis(5), listener.accept()).await;
                    if let Ok(Ok((tcp, _))) = accepted {
                        tcp.set_nodelay(true).unwrap();
                        let (mut stream, _) = acceptor.accept(tcp).await.unwrap();
                        // Who only measures a handshake may be gone.
                        let _ = stream.write_all(b"!").await;
                    } else if let Ok(answer) = asked.try_recv() {
                        answer.send(thread_cpu() - since).unwrap();
                        since = thread_cpu();
                    }
                }
            });
        });
        Self { address: told.recv().unwrap(), ask }
    }

    fn cpu(&self) -> Duration {
        let (answer, answered) = mpsc::channel();
        self.ask.send(answer).unwrap();
        answered.recv().unwrap()
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The CPU that this thread has used.
fn thread_cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

fn print(id: &str, what: &str, mut values: Vec<f64>, unit: &str) {
    values.sort_by(f64::total_cmp);
    let (least, median, most) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    println!(
        "{{\"id\": \"{id}\", \"what\": \"{what}\", \"measured\": {median}, \"unit\": \"{unit}\", \
         \"least\": {least}, \"most\": {most}}}"
    );
}
