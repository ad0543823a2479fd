//! A running H(e)MS with its PKI, and an operator who has the token.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use hems::{Config, Server};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, client::conn::http1, http::response::Parts};
use hyper_util::rt::TokioIo;
use oracles::Postgres;
use profile::{Connector, KeyPair, Refusal, SystemClock, Terms, pki};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::document;

/// The realm of the cells.
pub(crate) const REALM: &str = "hnb.example";
/// How long a condition may take to become true.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running H(e)MS.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) cwmp: SocketAddr,
    /// The addresses of further listeners.
    pub(crate) more: Vec<SocketAddr>,
    /// Has the files of the listeners read again, as SIGHUP does.
    pub(crate) reload: Box<dyn Fn() + Send + Sync>,
    pub(crate) api: SocketAddr,
    /// Metrics and health.
    pub(crate) admin: SocketAddr,
    pub(crate) token: String,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    database: Option<Postgres>,
}

/// The database server where `$HEARTH_TEST_STORE` asks for one: `./x test` runs these tests on SQLite, and then so.
fn database() -> Option<Postgres> {
    let wanted = std::env::var("HEARTH_TEST_STORE").is_ok_and(|store| store == "postgres");
    wanted.then(|| Postgres::start("the API's tests on PostgreSQL")).flatten()
}

/// The identity of cell `number`.
pub(crate) fn identity(number: u8) -> String {
    format!("00005e0053{number:02x}.{REALM}")
}

/// The serial number that the lab gives cell `number`.
pub(crate) fn serial(number: u8) -> String {
    format!("00005E0053{number:02X}")
}

/// One request on a connection of its own; the answer is JSON or nothing, and what the OpenAPI document says.
pub(crate) async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> (Parts, Value) {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (method, target) = (request.method().clone(), request.uri().to_string());
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    document::hold(&method, &target, &parts, &value);
    (parts, value)
}

impl World {
    /// A H(e)MS that accepts declared places. What a test writes into the file `policies` stands under `[admission]`
    /// after a restart.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// A H(e)MS on PostgreSQL, whatever `$HEARTH_TEST_STORE` asks for; nothing where none is installed.
    pub(crate) async fn on_server(test: &str) -> Option<Self> {
        let database = Postgres::start(test)?;
        let folder = tempfile::tempdir().unwrap();
        pki::init(&folder.path().join("pki")).unwrap();
        pki::issue_hems(&folder.path().join("pki"), "localhost").unwrap();
        Some(Self::start(folder, Some(database), "").await)
    }

    /// The PostgreSQL below it.
    pub(crate) fn database(&mut self) -> &mut Postgres {
        self.database.as_mut().unwrap()
    }

    /// A H(e)MS with more configuration.
    pub(crate) async fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        pki::init(&folder.path().join("pki")).unwrap();
        pki::issue_hems(&folder.path().join("pki"), "localhost").unwrap();
        Self::start(folder, database(), more).await
    }

    /// A H(e)MS that has a certificate with the wake role too, and this configuration.
    pub(crate) async fn waking(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        pki::init(&folder.path().join("pki")).unwrap();
        pki::issue_hems(&folder.path().join("pki"), "localhost").unwrap();
        pki::issue_wake(&folder.path().join("pki"), "localhost").unwrap();
        Self::start(folder, database(), more).await
    }

    /// A H(e)MS whose transport is this: `mode`, what `[cwmp]` has of TLS, and more sections.
    pub(crate) async fn in_mode(mode: &str, cwmp: &str, more: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        pki::init(&folder.path().join("pki")).unwrap();
        pki::issue_hems(&folder.path().join("pki"), "localhost").unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        let scheme = if mode == "ipsec" { "http" } else { "https" };
        let text = format!(
            "lab = true\nstate_dir = \"state\"\nmode = \"{mode}\"\n\
             [cwmp]\nlisten = [\"127.0.0.1:0\"]\nurl = \"{scheme}://localhost:7547/\"\n{cwmp}\
             [api]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[admission]\nidentities = \"pki/identities.csv\"\n\
             [gate]\npolicy = \"accept-declared\"\n{more}"
        );
        Self::run(folder, database(), &text).await
    }

    /// A H(e)MS whose API has a certificate, and knows machines by the manufacturer's CA too.
    pub(crate) async fn northbound() -> Self {
        let folder = tempfile::tempdir().unwrap();
        pki::init(&folder.path().join("pki")).unwrap();
        for host in ["localhost", "api.localhost"] {
            pki::issue_hems(&folder.path().join("pki"), host).unwrap();
        }
        let text = format!(
            "lab = true\nstate_dir = \"state\"\n\
             [cwmp]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"pki/hems/localhost.pem\"\n\
             key = \"pki/hems/localhost.key\"\nurl = \"https://localhost:7547/\"\n\
             [[cwmp.anchors]]\nname = \"manufacturer\"\ncertificates = \"pki/manufacturer.pem\"\nrealms = [\"{REALM}\"]\n\
             [api]\nlisten = \"127.0.0.1:0\"\ncertificate = \"pki/hems/api.localhost.pem\"\n\
             key = \"pki/hems/api.localhost.key\"\nclient_anchors = \"pki/manufacturer.pem\"\n\
             [admission]\nidentities = \"pki/identities.csv\"\n"
        );
        Self::run(folder, database(), &text).await
    }

    /// A H(e)MS with a second listener for `later.localhost`, of the later profile.
    pub(crate) async fn with_later() -> Self {
        let folder = tempfile::tempdir().unwrap();
        pki::init(&folder.path().join("pki")).unwrap();
        for host in ["localhost", "later.localhost"] {
            pki::issue_hems(&folder.path().join("pki"), host).unwrap();
        }
        let more = "[[cwmp.also]]\nname = \"newer cells\"\nprofile = \"ts33210\"\nlisten = [\"127.0.0.1:0\"]\n\
                    certificate = \"pki/hems/later.localhost.pem\"\nkey = \"pki/hems/later.localhost.key\"\n";
        Self::start(folder, database(), more).await
    }

    async fn start(folder: tempfile::TempDir, database: Option<Postgres>, more: &str) -> Self {
        let policies = std::fs::read_to_string(folder.path().join("policies")).unwrap_or_default();
        let text = format!(
            "lab = true\nstate_dir = \"state\"\n\
             [cwmp]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"pki/hems/localhost.pem\"\n\
             key = \"pki/hems/localhost.key\"\nurl = \"https://localhost:7547/\"\n\
             [[cwmp.anchors]]\nname = \"manufacturer\"\ncertificates = \"pki/manufacturer.pem\"\nrealms = [\"{REALM}\"]\n\
             [api]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[admission]\nidentities = \"pki/identities.csv\"\n{policies}\
             [gate]\npolicy = \"accept-declared\"\n{more}"
        );
        Self::run(folder, database, &text).await
    }

    async fn run(folder: tempfile::TempDir, database: Option<Postgres>, text: &str) -> Self {
        let store = database.as_ref().map(|database| format!("store = {:?}\n", database.url()));
        // A port of its own: many of these run at once.
        let admin = if text.contains("[admin]") { "" } else { "[admin]\nlisten = \"127.0.0.1:0\"\n" };
        // The sessions of a test follow one another at once; that each reads again what is desired is drift's to prove.
        let limits = if text.contains("[limits]") { "" } else { "[limits]\nbelieved_seconds = 60\n" };
        let text = store.unwrap_or_default() + text + admin + limits;
        let config = Config::parse(&text, &folder.path().join("hems.toml")).unwrap();
        let server = Server::start(config, Arc::new(())).await.unwrap();
        let token = std::fs::read_to_string(server.token_file()).unwrap().trim().to_owned();
        let (cwmp, api) = (server.cwmp_addresses()[0], server.api_address());
        let admin = server.admin_address().unwrap();
        let (more, reload) = (server.cwmp_addresses()[1..].to_vec(), Box::new(server.reloader()));
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server.run_until(async {
            let _ = stopped.await;
        }));
        Self { folder, cwmp, more, reload, api, admin, token, stop: Some(stop), server, database }
    }

    /// Begins the end of the H(e)MS; the future is ready when it is over.
    pub(crate) fn stop(&mut self) -> impl Future<Output = ()> + use<> {
        self.stop.take().unwrap().send(()).unwrap();
        let server = std::mem::replace(&mut self.server, tokio::spawn(async {}));
        async { server.await.unwrap() }
    }

    /// Stops the H(e)MS in order and starts it again on the same folder.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with("").await
    }

    /// The same with more configuration.
    pub(crate) async fn restart_with(mut self, more: &str) -> Self {
        self.stop().await;
        self.again(more).await
    }

    /// Starts a H(e)MS that was stopped again on the same folder.
    pub(crate) async fn again(self, more: &str) -> Self {
        Self::start(self.folder, self.database, more).await
    }

    /// The certificate of cell `number`, which is on the roster from then on.
    pub(crate) fn certificate(&self, number: u8) -> KeyPair {
        let eui = identity(number).split('.').next().unwrap().to_owned();
        pki::issue_henb(&self.pki(), &eui, REALM, None).unwrap()
    }

    /// The certificate of cell `number`, which nobody admits.
    pub(crate) fn unlisted_certificate(&self, number: u8) -> KeyPair {
        let roster = self.pki().join("identities.csv");
        let before = std::fs::read(&roster).unwrap();
        let pair = self.certificate(number);
        std::fs::write(roster, before).unwrap();
        pair
    }

    pub(crate) fn pki(&self) -> std::path::PathBuf {
        self.folder.path().join("pki")
    }

    /// A connection with a certificate.
    pub(crate) async fn connect(&self, own: &KeyPair) -> profile::Stream {
        self.try_connect(own).await.unwrap()
    }

    /// A connection with a certificate that may be refused. The refusal of a client comes after its own handshake,
    /// so that only what the H(e)MS shows says whose fault it was.
    pub(crate) async fn try_connect(&self, own: &KeyPair) -> Result<profile::Stream, Refusal> {
        self.shake(own, TcpStream::connect(self.cwmp).await.unwrap()).await
    }

    /// TLS with a certificate over a connection that is there.
    pub(crate) async fn shake(&self, own: &KeyPair, tcp: TcpStream) -> Result<profile::Stream, Refusal> {
        let mut terms = Terms::new(Arc::new(SystemClock));
        terms.lab = true;
        let connector = Connector::new(&terms, own, &self.pki().join("operator.pem")).unwrap();
        Ok(connector.connect(tcp, "localhost").await?.0)
    }

    /// A TCP connection from an address of this machine.
    pub(crate) async fn connect_from(&self, address: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        socket.connect(self.cwmp).await.unwrap()
    }

    /// Asks the API; the answer is JSON or nothing.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.upload(method, path, body.map(|body| body.to_string()).unwrap_or_default()).await
    }

    /// Sends any text.
    pub(crate) async fn upload(&self, method: Method, path: &str, body: String) -> (StatusCode, Value) {
        let (status, _, value) = self.request(method, path, None, body).await;
        (status, value)
    }

    /// Posts with an idempotency key.
    pub(crate) async fn keyed(&self, path: &str, key: &str, body: String) -> (StatusCode, Value) {
        let (status, _, value) =
            self.exchange(Method::POST, path, Some(("idempotency-key", key)), body).await;
        (status, value)
    }

    /// Asks for a change of what `if_match` names, and gives the tag of what is there then too.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        if_match: Option<&str>,
        body: String,
    ) -> (StatusCode, Option<String>, Value) {
        self.exchange(method, path, if_match.map(|tag| ("if-match", tag)), body).await
    }

    /// Asks under any condition.
    pub(crate) async fn conditional(
        &self,
        method: Method,
        path: &str,
        condition: (&str, &str),
        body: String,
    ) -> (StatusCode, Option<String>, Value) {
        self.exchange(method, path, Some(condition), body).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        header: Option<(&str, &str)>,
        body: String,
    ) -> (StatusCode, Option<String>, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        let request = match header {
            Some((name, value)) => request.header(name, value),
            None => request,
        };
        let tcp = TcpStream::connect(self.api).await.unwrap();
        let (parts, value) = send(tcp, request.body(Full::new(Bytes::from(body))).unwrap()).await;
        let tag = parts.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        (parts.status, tag, value)
    }

    /// Gets what must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, value) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {value}");
        value
    }

    /// Puts what must be right.
    pub(crate) async fn put(&self, path: &str, body: Value) {
        let (status, value) = self.ask(Method::PUT, path, Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {value}");
    }

    /// The alarms that stand, worked out now.
    pub(crate) async fn alarms(&self) -> Value {
        let (status, summary) = self.ask(Method::POST, "/api/v1/alarms/evaluation", None).await;
        assert_eq!(status, StatusCode::OK, "{summary}");
        self.get("/api/v1/alarms").await
    }

    /// Works alarms out until a condition on them holds.
    pub(crate) async fn until_alarms(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let alarms = self.alarms().await;
            if holds(&alarms) {
                return alarms;
            }
            assert!(tokio::time::Instant::now() < deadline, "alarms stay {alarms:#}");
            tokio::task::yield_now().await;
        }
    }

    /// Asks until a condition on the answer holds.
    pub(crate) async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let value = self.get(path).await;
            if holds(&value) {
                return value;
            }
            assert!(tokio::time::Instant::now() < deadline, "{path} stays {value:#}");
            tokio::task::yield_now().await;
        }
    }

    /// The page of a device.
    pub(crate) async fn device(&self, number: u8) -> Value {
        self.get(&format!("/api/v1/devices/{}", identity(number))).await
    }

    /// How often a device misbehaved in one way.
    pub(crate) async fn misbehaviour(&self, number: u8, kind: &str) -> i64 {
        let device = self.get(&format!("/api/v1/devices/{}", identity(number))).await;
        let found = device["misbehaviour"].as_array().unwrap().iter().find(|row| row["kind"] == kind);
        found.map_or(0, |row| row["count"].as_i64().unwrap())
    }

    /// A file below the world's folder.
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
