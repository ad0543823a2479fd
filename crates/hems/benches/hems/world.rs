//! A H(e)MS with its store: `hearth serve` as it is shipped, in mode "ipsec", which has no TLS.
//!
//! The cells of the benchmark are spread over all devices, and a table of inner addresses knows them.

use std::{fs, net::Ipv4Addr, path::PathBuf, process::Command, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use oracles::Postgres;
use tokio::net::TcpStream;

use super::{
    FEW,
    cell::{self, Cell},
    fill,
    process::Process,
    rows::Link,
};

/// Cells that have sessions.
pub(super) const CELLS: u32 = 200;

/// Where the rows are.
pub(super) enum Store {
    File(PathBuf),
    Server(Postgres),
}

/// A running H(e)MS.
pub(super) struct World {
    pub(super) server: Process,
    pub(super) cwmp: std::net::SocketAddr,
    pub(super) api: std::net::SocketAddr,
    pub(super) store: Store,
    pub(super) devices: u32,
    token: String,
    folder: tempfile::TempDir,
}

/// The identity of a device.
pub(super) fn identity(device: u32) -> String {
    format!("{}.hnb.example", serial(device).to_lowercase())
}

/// What a device says of itself.
pub(super) fn serial(device: u32) -> String {
    format!("00005E{device:06X}")
}

/// The device that a cell is, in a world of so many.
pub(super) fn device(cell: u32, devices: u32) -> u32 {
    cell * (devices / CELLS)
}

/// The inner address of a cell.
pub(super) fn address(cell: u32) -> Ipv4Addr {
    let [.., high, low] = (cell + 1).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

impl World {
    /// One whose devices are copies of one that had a session, on SQLite.
    pub(super) async fn filled(devices: u32) -> Self {
        let world = Self::new(None, devices);
        world.admit(&[0]).await;
        world.wish().await;
        Cell::connect(world.cwmp, 0, 0).await.first_session().await;
        let (folder, file) = world.stop();
        fill::copy(&file, devices).await;
        Self::start(folder, Store::File(file), devices)
    }

    /// One with few devices that were admitted and told their methods, on PostgreSQL; nothing where there is none.
    pub(super) async fn on_server() -> Option<Self> {
        let world = Self::new(Some(Postgres::start("the benchmark of hems on PostgreSQL")?), FEW);
        world.admit(&(0..FEW).collect::<Vec<_>>()).await;
        world.wish().await;
        Cell::connect(world.cwmp, 0, 0).await.first_session().await;
        world.run("UPDATE device SET methods = (SELECT max(methods) FROM device)").await;
        Some(world)
    }

    /// One without devices.
    pub(super) fn new(server: Option<Postgres>, devices: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rows = (0..CELLS).map(|cell| format!("{},{}\n", address(cell), identity(device(cell, devices))));
        let table = format!("inner_address,identity\n{}", rows.collect::<String>());
        fs::write(folder.path().join("tunnel.csv"), table).unwrap();
        let file = folder.path().join("state/hearth.sqlite3");
        Self::start(folder, server.map_or(Store::File(file), Store::Server), devices)
    }

    fn start(folder: tempfile::TempDir, store: Store, devices: u32) -> Self {
        let line = match &store {
            Store::File(_) => String::new(),
            Store::Server(server) => format!("store = {:?}\n", server.url()),
        };
        let text = format!(
            "{line}state_dir = \"state\"\nmode = \"ipsec\"\n\
             [cwmp]\nlisten = [\"127.0.0.1:0\"]\nurl = \"http://localhost:7547/\"\n\
             [tunnel]\naddresses = [\"127.0.0.1\"]\ntable = \"tunnel.csv\"\n[api]\nlisten = \"127.0.0.1:0\"\n\
             [limits]\nsession_seconds = 600\n"
        );
        let config = folder.path().join("hems.toml");
        fs::write(&config, text).unwrap();
        let binary = std::env::var_os("HEARTH_BIN");
        let binary = binary.unwrap_or_else(|| panic!("HEARTH_BIN names hearth; ./x bench hems builds it"));
        let (server, addresses) =
            Process::start(Command::new(binary).arg("serve").arg("--config").arg(&config), 2);
        let token = fs::read_to_string(folder.path().join("state/api.token")).unwrap().trim().to_owned();
        Self { server, cwmp: addresses[0], api: addresses[1], store, devices, token, folder }
    }

    fn stop(self) -> (tempfile::TempDir, PathBuf) {
        self.server.stop();
        let file = self.folder.path().join("state/hearth.sqlite3");
        (self.folder, file)
    }

    /// The store's URL.
    pub(super) fn url(&self) -> String {
        match &self.store {
            Store::File(file) => format!("sqlite://{}", file.display()),
            Store::Server(server) => server.url(),
        }
    }

    /// Runs a statement beside the server.
    pub(super) async fn run(&self, sql: &str) {
        let mut link = Link::open(&self.url()).await;
        link.run(sql).await;
        link.close().await;
    }

    /// Moves what is in SQLite's log to its place: each side pays for its own pages.
    pub(super) async fn empty_log(&self) {
        if matches!(self.store, Store::File(_)) {
            self.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
        }
    }

    /// Makes the cells' values unknown, as if each had been reset.
    pub(super) async fn forget(&self) {
        let cells = (0..CELLS).map(|cell| format!("'{}'", identity(device(cell, self.devices))));
        let cells = cells.collect::<Vec<_>>().join(",");
        self.run(&format!(
            "DELETE FROM known WHERE identity IN ({cells}); UPDATE device SET tac = NULL, pci = NULL, admin_state = NULL, \
             op_state = NULL, rf_tx_status = NULL WHERE identity IN ({cells})"
        ))
        .await;
        self.empty_log().await;
    }

    async fn admit(&self, devices: &[u32]) {
        let (status, answer) = self.ask(Method::POST, "/api/v1/identities", roster(devices)).await;
        assert_eq!(status, StatusCode::OK, "{answer:?}");
    }

    /// Says what is desired of every cell.
    async fn wish(&self) {
        let (status, answer) = self.ask(Method::PUT, "/api/v1/templates/bench", cell::template()).await;
        assert_eq!(status, StatusCode::OK, "{answer:?}");
    }

    /// Asks the API over a connection of its own.
    pub(super) async fn ask(&self, method: Method, path: &str, body: String) -> (StatusCode, Bytes) {
        Asker::connect(self).await.ask(method, path, body).await
    }
}

/// A list of devices as an import takes it.
pub(super) fn roster(devices: &[u32]) -> String {
    let rows = devices
        .iter()
        .map(|device| format!("{},00005E,SimulatedCell,{}\n", identity(*device), serial(*device)));
    format!("identity,oui,product_class,serial\n{}", rows.collect::<String>())
}

/// A kept connection to the API.
pub(super) struct Asker {
    sender: http1::SendRequest<Full<Bytes>>,
    token: String,
}

impl Asker {
    pub(super) async fn connect(world: &World) -> Self {
        let tcp = TcpStream::connect(world.api).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, token: world.token.clone() }
    }

    pub(super) async fn ask(&mut self, method: Method, path: &str, body: String) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let patience = Duration::from_secs(600);
        let answer =
            tokio::time::timeout(patience, self.sender.send_request(request)).await.unwrap().unwrap();
        (answer.status(), answer.into_body().collect().await.unwrap().to_bytes())
    }
}
