//! A PKI, a listener that greets, and the two ways to call it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use audit::Credentials;
use jiff::{SignedDuration, Timestamp};
use profile::pki::{Authority, AuthorityOrder, Key, LeafOrder, Validity};
use profile::{
    Acceptor, Blocklist, Clock, Connector, FixedClock, Identity, KeyPair, Materials, Peer, Refusal,
    ServerPeer, Terms, TrustAnchor,
};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(crate) const HOST: &str = "hems.operator.example";
pub(crate) const CELL: &str = "00005e005301.hnb.example";
/// Long enough for a loaded machine; nothing waits this long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) operator: Authority,
    pub(crate) manufacturer: Authority,
    pub(crate) hems: KeyPair,
    pub(crate) henb: KeyPair,
    pub(crate) key: Key,
    pub(crate) clock: Arc<FixedClock>,
}

pub(crate) fn identity() -> Identity {
    Identity::parse(CELL).unwrap()
}

pub(crate) fn past() -> Validity {
    let now = Timestamp::now();
    Validity {
        not_before: now - SignedDuration::from_hours(48),
        not_after: now - SignedDuration::from_hours(24),
    }
}

pub(crate) fn future() -> Validity {
    let now = Timestamp::now();
    Validity {
        not_before: now + SignedDuration::from_hours(24),
        not_after: now + SignedDuration::from_hours(48),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let operator =
            Authority::create(&AuthorityOrder::lab("operator", "operator.example").unconstrained()).unwrap();
        let manufacturer = Authority::create(&AuthorityOrder::lab("manufacturer", "hnb.example")).unwrap();
        let (key, cell_key) = (Key::generate(2048).unwrap(), Key::generate(2048).unwrap());
        let path = dir.path();
        let hems = operator.issue(&LeafOrder::hems(HOST), &key).unwrap().write(path, "hems", &key).unwrap();
        let order = LeafOrder::henb(&identity());
        let henb = manufacturer.issue(&order, &cell_key).unwrap().write(path, "henb", &cell_key).unwrap();
        std::fs::write(path.join("operator.pem"), operator.pem().unwrap()).unwrap();
        std::fs::write(path.join("manufacturer.pem"), manufacturer.pem().unwrap()).unwrap();
        let clock = Arc::new(FixedClock::new(Timestamp::now()));
        Self { dir, operator, manufacturer, hems, henb, key: cell_key, clock }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn terms(&self) -> Terms {
        Terms { lab: true, ..Terms::new(self.clock.clone()) }
    }

    pub(crate) fn anchor(&self) -> TrustAnchor {
        self.anchor_of("manufacturer", &["hnb.example"])
    }

    pub(crate) fn anchor_of(&self, name: &str, realms: &[&str]) -> TrustAnchor {
        let realms = realms.iter().map(|realm| (*realm).to_owned()).collect();
        TrustAnchor::new(name, self.file(&format!("{name}.pem")), realms)
    }

    pub(crate) fn acceptor(&self) -> Acceptor {
        Acceptor::new(&self.terms(), &self.hems, &[self.anchor()]).unwrap()
    }

    pub(crate) fn acceptor_with(&self, blocks: Arc<dyn Blocklist>) -> Acceptor {
        let materials = Materials::new(&self.hems, &[self.anchor()]);
        Acceptor::with(&self.terms(), &materials, blocks, None).unwrap()
    }

    pub(crate) async fn server(&self) -> Server {
        Server::start(self.acceptor()).await
    }

    pub(crate) fn connector(&self) -> Connector {
        self.connector_at(self.clock.clone())
    }

    pub(crate) fn connector_at(&self, clock: Arc<dyn Clock>) -> Connector {
        let terms = Terms { lab: true, ..Terms::new(clock) };
        Connector::new(&terms, &self.henb, &self.file("operator.pem")).unwrap()
    }

    /// A certificate for the cell's key, as ordered.
    pub(crate) fn cell(&self, name: &str, authority: &Authority, order: &LeafOrder) -> KeyPair {
        authority.issue(order, &self.key).unwrap().write(self.dir.path(), name, &self.key).unwrap()
    }
}

/// What the prober shows and signs with; a key that it cannot use is one that it does not hold.
pub(crate) fn credentials(pair: &KeyPair) -> Credentials {
    let read = |path: &Path| std::fs::read(path).unwrap();
    let chain = read(&pair.chain);
    Credentials::new(&chain, &read(&pair.key)).or_else(|_| Credentials::without_key(&chain)).unwrap()
}

/// A listener of the product that answers one line with who called and how.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    outcomes: mpsc::UnboundedReceiver<Result<Peer, Refusal>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(acceptor: Acceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, outcomes) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                tokio::spawn(greet(acceptor.clone(), tcp, sender.clone()));
            }
        });
        Self { address, outcomes, task }
    }

    /// What became of the next connection.
    pub(crate) async fn outcome(&mut self) -> Result<Peer, Refusal> {
        timeout(PATIENCE, self.outcomes.recv()).await.expect("an outcome in time").expect("a listener")
    }
}

async fn greet(acceptor: Acceptor, tcp: TcpStream, outcomes: mpsc::UnboundedSender<Result<Peer, Refusal>>) {
    match acceptor.accept(tcp).await {
        Ok((stream, peer)) => {
            let evidence = &peer.evidence;
            let greeting = format!("{} {} {}\n", peer.identity, evidence.tls_version, evidence.suite);
            outcomes.send(Ok(peer)).ok();
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            // The caller may be gone by now, which its own test judges.
            if stream.read_line(&mut line).await.is_ok_and(|size| size > 0) {
                stream.write_all(greeting.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            }
        }
        Err(refusal) => {
            outcomes.send(Err(refusal)).ok();
        }
    }
}

/// Calls with our connector and gives what the other end said.
pub(crate) async fn call(
    connector: &Connector,
    address: SocketAddr,
    host: &str,
) -> Result<(ServerPeer, String), Refusal> {
    let tcp = TcpStream::connect(address).await.unwrap();
    let (mut stream, peer) = connector.connect(tcp, host).await?;
    stream.write_all(b"hello\n").await.unwrap();
    let mut reply = String::new();
    BufReader::new(&mut stream).read_line(&mut reply).await.unwrap();
    Ok((peer, reply))
}

/// Calls with Debian's client and gives the application data that it received.
pub(crate) async fn s_client(address: SocketAddr, pair: Option<&KeyPair>, arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-connect", &address.to_string()]).args(arguments);
    if let Some(pair) = pair {
        command.arg("-cert").arg(&pair.chain).arg("-cert_chain").arg(&pair.chain).arg("-key").arg(&pair.key);
    }
    let mut child = spawn(&mut command);
    let mut input = child.stdin.take().unwrap();
    // A client that was refused may be gone before it reads this.
    input.write_all(b"hello\n").await.ok();
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("s_client ends").unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Lets a client say one line, and gives what it printed up to our greeting or, without one, up to its end.
pub(crate) async fn greeted(command: &mut Command) -> String {
    let mut child = spawn(command);
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // A client that was refused may be gone before it reads this.
    input.write_all(b"hello\n").await.ok();
    let mut heard = String::new();
    let session = async {
        // Some clients stay although the server has left: what counts is heard by then.
        while !heard.contains(CELL)
            && let Some(line) = lines.next_line().await.unwrap()
        {
            heard.push_str(&line);
        }
    };
    timeout(PATIENCE, session).await.expect("the client speaks or ends");
    heard
}

/// Has Debian's client renegotiate at once, and then speak: everything it prints.
pub(crate) async fn renegotiate(address: SocketAddr, world: &World) -> String {
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-tls1_2",
        "-cipher",
        "AES128-SHA:@SECLEVEL=0",
        "-connect",
        &address.to_string(),
    ]);
    command.arg("-cert").arg(&world.henb.chain).arg("-key").arg(&world.henb.key);
    let mut child = spawn(&mut command);
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut errors = child.stderr.take().unwrap();
    let mut heard = String::new();
    let session = async {
        // The stranger reads commands once its handshake is over, and it says so with a line of dashes at the end.
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("Extended master secret") {
                break;
            }
        }
        input.write_all(b"R\n").await.ok();
        while let Some(line) = lines.next_line().await.unwrap() {
            heard.push_str(&line);
            if line.contains("RENEGOTIATING") {
                input.write_all(b"hello\n").await.ok();
            }
        }
        errors.read_to_string(&mut heard).await.ok();
    };
    timeout(PATIENCE, session).await.expect("s_client ends");
    heard
}

fn spawn(command: &mut Command) -> Child {
    let command =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().expect("Debian's openssl is installed")
}

/// Debian's server, which asks for a certificate and sends each line back reversed.
pub(crate) struct Foreign {
    pub(crate) address: SocketAddr,
    _child: Child,
}

pub(crate) async fn s_server(pair: &KeyPair, arguments: &[&str]) -> Foreign {
    serve(pair, &[&["-rev", "-Verify", "1"], arguments].concat()).await.0
}

/// Debian's server that takes orders, one letter a line: `R` renegotiates and asks for the certificate.
pub(crate) async fn asking_server(pair: &KeyPair, arguments: &[&str]) -> (Foreign, ChildStdin) {
    serve(pair, arguments).await
}

async fn serve(pair: &KeyPair, arguments: &[&str]) -> (Foreign, ChildStdin) {
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", "127.0.0.1:0"]).args(arguments);
    command.arg("-cert").arg(&pair.chain).arg("-key").arg(&pair.key);
    let mut child = spawn(&mut command);
    let orders = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = timeout(PATIENCE, async {
        loop {
            let line = lines.next_line().await.unwrap().expect("s_server says where it listens");
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                return address.parse().unwrap();
            }
        }
    });
    let address = address.await.expect("s_server starts");
    // Its pipes have to be read, or it stops once they are full.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let mut errors = child.stderr.take().unwrap();
    tokio::spawn(async move { errors.read_to_end(&mut Vec::new()).await });
    (Foreign { address, _child: child }, orders)
}

/// The arguments that pin a stranger to one version and one list of suites.
pub(crate) fn pinned<'a>(version: &'a str, suites: &'a str) -> [&'a str; 3] {
    [version, "-cipher", suites]
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
