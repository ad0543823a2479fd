//! One lab on loopback: certificates, a H(e)MS, cells.

use std::{
    env,
    ffi::OsStr,
    fs, iter,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::Duration,
};

use profile::{KeyPair, pki};
use serde_json::{Value, json};

use crate::{
    http::{self, Reply},
    process::{Process, wait_for},
};

/// The realm of a world's cells.
pub const OPERATOR_REALM: &str = "hnb.example";

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

/// A lab of its own.
#[derive(Debug)]
pub struct World {
    dir: PathBuf,
    cwmp: SocketAddr,
    api: SocketAddr,
}

/// A cell's certificate and files.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The identity in its certificate.
    pub identity: String,
    /// Its certificate and key.
    pub pair: KeyPair,
    /// Its configuration.
    pub config: PathBuf,
    /// Where it keeps its state.
    pub state_dir: PathBuf,
    /// What it says.
    pub log: PathBuf,
}

impl World {
    /// A lab with a PKI and a configured H(e)MS that is not started yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let dir = tempfile::Builder::new().prefix(&format!("hearth-{name}-")).tempdir().unwrap().keep();
        let world = Self { dir, cwmp: free_address(), api: free_address() };
        pki::init(&world.pki()).unwrap();
        pki::issue_hems(&world.pki(), "localhost").unwrap();
        fs::write(world.hems_config(), world.hems_toml()).unwrap();
        world
    }

    /// The world's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The lab's certificates.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.dir.join("pki")
    }

    /// Where cells connect.
    #[must_use]
    pub fn cwmp(&self) -> SocketAddr {
        self.cwmp
    }

    /// Where operators connect.
    #[must_use]
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// The URL that cells are given.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}/", self.cwmp.port())
    }

    /// The H(e)MS's configuration.
    #[must_use]
    pub fn hems_config(&self) -> PathBuf {
        self.dir.join("hems.toml")
    }

    /// What the H(e)MS says.
    #[must_use]
    pub fn hems_log(&self) -> PathBuf {
        self.dir.join("hems.log")
    }

    fn hems_toml(&self) -> String {
        let (cwmp, api, url) = (self.cwmp.to_string(), self.api.to_string(), self.url());
        format!(
            "lab = true\nstate_dir = \"hems\"\n\n[cwmp]\nlisten = [{cwmp:?}]\n\
             certificate = \"pki/hems/localhost.pem\"\nkey = \"pki/hems/localhost.key\"\nurl = {url:?}\n\n\
             [[cwmp.anchors]]\nname = \"manufacturer\"\ncertificates = \"pki/manufacturer.pem\"\n\
             realms = [{OPERATOR_REALM:?}]\n\n[api]\nlisten = {api:?}\n\n\
             [admission]\nidentities = \"pki/identities.csv\"\n\n[gate]\npolicy = \"accept-declared\"\n"
        )
    }

    /// Starts `hearth serve` and waits until its API answers.
    #[must_use]
    pub fn serve(&self) -> Process {
        let mut command = Command::new(program("hearth"));
        command.arg("serve").arg("--config").arg(self.hems_config());
        let process = Process::start(&mut command, &self.hems_log());
        self.wait_for_api();
        process
    }

    /// Waits until the API answers.
    pub fn wait_for_api(&self) {
        wait_for("the API", PATIENCE, || self.try_get("/api/v1/version").filter(|reply| reply.status == 200));
    }

    /// Issues a certificate for cell `number`, admits it, and writes its configuration.
    #[must_use]
    pub fn cell(&self, number: u8) -> Cell {
        let eui = format!("00005e0053{number:02x}");
        let pair = pki::issue_henb(&self.pki(), &eui, OPERATOR_REALM, None).unwrap();
        let identity = format!("{eui}.{OPERATOR_REALM}");
        let config = self.dir.join(format!("{eui}.toml"));
        let (url, certificate, key) = (self.url(), &pair.chain, &pair.key);
        let text = format!(
            "lab = true\nstate_dir = {eui:?}\n\n[hems]\nurl = {url:?}\nanchors = \"pki/operator.pem\"\n\n\
             [identity]\ncertificate = {certificate:?}\nkey = {key:?}\n\n\
             [device]\nkind = \"simulated\"\n\n[device.radio]\nseed = {number}\ndelay_ms = 50\n"
        );
        fs::write(&config, text).unwrap();
        let (state_dir, log) = (self.dir.join(&eui), self.dir.join(format!("{eui}.log")));
        Cell { identity, pair, config, state_dir, log }
    }

    /// Starts `henbd` for a cell.
    #[must_use]
    pub fn henbd(&self, cell: &Cell) -> Process {
        self.henbd_with(cell, &[])
    }

    /// Starts `henbd` for a cell with variables in its environment.
    #[must_use]
    pub fn henbd_with(&self, cell: &Cell, variables: &[(&str, &OsStr)]) -> Process {
        let mut command = Command::new(program("henbd"));
        command.arg("--config").arg(&cell.config).envs(variables.iter().copied());
        Process::start(&mut command, &cell.log)
    }

    /// Tells the H(e)MS what every cell shall be, as the demo does; cells call every `interval` seconds.
    pub fn configure(&self, interval: u32) {
        assert_eq!(self.send("PUT /api/v1/pools/pci", &json!({"first": 0, "last": 503})).status / 100, 2);
        let service = "Device.Services.FAPService.1.";
        let template = json!({
            "values": {
                "Device.ManagementServer.PeriodicInformInterval": interval,
                (format!("{service}CellConfig.LTE.EPC.TAC")): 4711,
                (format!("{service}CellConfig.LTE.RAN.RF.EARFCNDL")): 3100,
                (format!("{service}CellConfig.LTE.RAN.RF.PhyCellID")): {"pool": "pci"},
                (format!("{service}FAPControl.LTE.Gateway.S1SigLinkServerList")): "192.0.2.10",
                (format!("{service}FAPControl.LTE.AdminState")): true,
            },
            "objects": [{
                "object": format!("{service}CellConfig.LTE.EPC.PLMNList."),
                "key": "PLMNID",
                "rows": [{"PLMNID": "99970", "Enable": true, "IsPrimary": true}],
            }],
        });
        let reply = self.send("PUT /api/v1/templates/all", &template);
        assert_eq!(reply.status / 100, 2, "{reply:?}");
    }

    /// A document of the API; panics where there is none.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        let reply = self.try_get(path).unwrap_or_else(|| panic!("no answer to {path}"));
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.json()
    }

    /// A document of the API, or nothing while nobody answers.
    #[must_use]
    pub fn try_get(&self, path: &str) -> Option<Reply> {
        http::ask(self.api, Some(&self.token()?), &format!("GET {path}"), "")
    }

    /// Sends a document; `request` is method and path.
    #[must_use]
    pub fn send(&self, request: &str, body: &Value) -> Reply {
        let token = self.token().expect("the token is there");
        http::ask(self.api, Some(&token), request, &body.to_string()).expect("the API answers")
    }

    /// A request without a token.
    #[must_use]
    pub fn ask_anonymously(&self, request: &str) -> Reply {
        http::ask(self.api, None, request, "").expect("the API answers")
    }

    /// Runs `hearth` as an operator does, with the local token.
    #[must_use]
    pub fn operate(&self, arguments: &[&str]) -> Output {
        let mut command = hearth();
        command.args(arguments).arg("--api").arg(format!("http://{}", self.api));
        command.arg("--token-file").arg(self.dir.join("hems/api.token"));
        command.output().unwrap()
    }

    fn token(&self) -> Option<String> {
        fs::read_to_string(self.dir.join("hems/api.token")).ok().map(|token| token.trim().to_owned())
    }

    /// Waits until the device is in service, and gives what the list shows of it.
    #[must_use]
    pub fn wait_in_service(&self, identity: &str) -> Value {
        wait_for(&format!("{identity} in service"), PATIENCE, || {
            let reply =
                self.try_get(&format!("/api/v1/devices/{identity}")).filter(|reply| reply.status == 200)?;
            Some(reply.json()).filter(|device| device.get("in_service") == Some(&Value::Bool(true)))
        })
    }

    /// Waits until a refusal with this reason was counted `count` times, and gives its row.
    pub fn wait_refusal(&self, reason: &str, count: u64) -> Value {
        wait_for(&format!("{count} refusals `{reason}`"), PATIENCE, || {
            let refusals = self.get("/api/v1/refusals?limit=500");
            let rows = refusals.get("items").and_then(Value::as_array)?;
            let row = rows.iter().find(|row| row.get("reason").and_then(Value::as_str) == Some(reason))?;
            (row.get("count").and_then(Value::as_u64) == Some(count)).then(|| row.clone())
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the world is kept in {}", self.dir.display());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// A binary of this workspace: named by the environment, or beside this test's own.
#[must_use]
pub(crate) fn program(name: &str) -> PathBuf {
    let named = env::var_os(format!("{}_BIN", name.to_uppercase())).map(PathBuf::from);
    let found = named.unwrap_or_else(|| {
        let here = env::current_exe().unwrap();
        here.parent().and_then(Path::parent).unwrap().join(name)
    });
    assert!(found.exists(), "{} is missing: `./x test` builds it", found.display());
    found
}

/// An address that stays free while its listener is down: below the range from which the system takes
/// ports for outgoing connections, and given out once in this process.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 1_000).unwrap() * 10;
    let candidates = iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed));
    let mut free = candidates.filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    free.next().and_then(|listener| listener.local_addr().ok()).unwrap()
}

/// The `hearth` command.
#[must_use]
pub fn hearth() -> Command {
    Command::new(program("hearth"))
}

/// The `henbd` command.
#[must_use]
pub fn henbd() -> Command {
    Command::new(program("henbd"))
}

/// `hearth demo`, whose processes stand beside it.
#[must_use]
pub fn demo_command() -> Command {
    let mut command = hearth();
    command.arg("demo");
    command
}
