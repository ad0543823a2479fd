//! The demo's world on disk: certificates, configurations, and what the H(e)MS is told to want.
//!
//! ```text
//!  DIR/pki/            the lab's certificates, identities.csv
//!  DIR/hems.toml  hems/  hems.log        the H(e)MS: configuration, database and token, log
//!  DIR/cells/EUI.toml  EUI/  EUI.log     a cell: the same
//! ```
//!
//! One rule: nothing leaves the machine. Every listener is on loopback, under the name `localhost`.

use std::{
    error::Error,
    fs::{self, File, TryLockError},
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use hyper::Method;
use profile::{KeyPair, pki};
use serde_json::{Value, json};

use crate::api::Access;

/// The realm of the lab's cells.
const REALM: &str = "hnb.example";
/// The cells' serial numbers come from the block that is set aside for documentation: 00-00-5E-00-53-xx.
const EUI_BLOCK: &str = "00005e0053";
/// The identity that no cell uses, for a stranger's tool to connect with.
const SPARE: u8 = 0xff;
/// The port of CWMP, where it is free.
const CWMP_PORT: u16 = 7547;
/// The port of the API, where it is free.
const API_PORT: u16 = 8443;

/// The demo's world.
#[derive(Debug)]
pub(super) struct Lab {
    dir: PathBuf,
    cwmp: Vec<SocketAddr>,
    api: SocketAddr,
    cells: Vec<String>,
    spare: KeyPair,
    /// Held as long as this demo lives: a second one in the same folder would empty it.
    _lock: File,
}

impl Lab {
    /// Makes the world in `dir`, which is emptied first unless `keep`.
    pub(super) fn make(dir: &Path, cells: u8, keep: bool) -> Result<Self, Box<dyn Error>> {
        let lock = take(dir)?;
        if !keep {
            empty(dir)?;
        }
        fs::create_dir_all(dir.join("cells"))?;
        let dir = dir.canonicalize()?;
        let pki = dir.join("pki");
        pki::init(&pki)?;
        pki::issue_hems(&pki, "localhost")?;
        let spare = pki::issue_henb(&pki, &eui(SPARE), REALM, None)?;
        for name in pki::FIRMWARE_SIGNERS {
            pki::issue_firmware_signer(&pki, name)?;
        }
        let cells: Vec<String> = (1..=cells).map(eui).collect();
        let (cwmp, api) = (addresses(CWMP_PORT)?, addresses(API_PORT)?);
        let api = *api.first().ok_or("no loopback address")?;
        let lab = Self { dir, cwmp, api, cells, spare, _lock: lock };
        lab.write_hems()?;
        for cell in &lab.cells {
            lab.write_cell(cell, &pki::issue_henb(&pki, cell, REALM, None)?)?;
        }
        Ok(lab)
    }

    pub(super) fn cells(&self) -> &[String] {
        &self.cells
    }

    /// Whether a device of the list is one of this run's cells.
    pub(super) fn is_cell(&self, device: &Value) -> bool {
        let identity = device.get("identity").and_then(Value::as_str).unwrap_or_default();
        let eui = identity.split('.').next().unwrap_or_default();
        self.cells.iter().any(|cell| cell == eui)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn access(&self) -> Access {
        Access::local(format!("http://{}", self.api), self.path("hems/api.token"))
    }

    pub(super) fn cwmp_url(&self) -> String {
        let port = self.cwmp.first().map_or(CWMP_PORT, SocketAddr::port);
        format!("https://localhost:{port}/")
    }

    /// A word on the port where it is not CWMP's own.
    pub(super) fn why_this_port(&self) -> String {
        let is_usual = self.cwmp.first().is_some_and(|address| address.port() == CWMP_PORT);
        if is_usual { String::new() } else { format!(": somebody has port {CWMP_PORT} already") }
    }

    /// Tells the H(e)MS what is desired of every simulated cell.
    pub(super) async fn configure(&self, access: &Access) -> Result<(), Box<dyn Error>> {
        let pool = json!({"first": 0, "last": 503});
        access.send(Method::PUT, "/api/v1/pools/pci", &pool).await?;
        access.send(Method::PUT, "/api/v1/templates/demo", &template()).await?;
        Ok(())
    }

    pub(super) fn hems_as_json(&self) -> Value {
        let access = self.access();
        json!({"cwmp_url": self.cwmp_url(), "api_url": access.api, "token_file": access.token_file})
    }

    pub(super) fn pki_as_json(&self) -> Value {
        json!({
            "dir": self.path("pki"),
            "ca": self.path("pki/operator.pem"),
            "spare_cert": self.spare.chain,
            "spare_key": self.spare.key,
        })
    }

    pub(super) fn how_to_look_around(&self) -> String {
        let access = self.access();
        let (api, token) = (&access.api, access.token_file.display());
        let hearth = std::env::current_exe().unwrap_or_else(|_| "hearth".into());
        let first = self.cells.first().map_or("", String::as_str);
        format!(
            "\nCells connect to {url}, operators to {api}. Look around in another terminal:\n\n  \
             export HEARTH_API={api} HEARTH_TOKEN_FILE={token}\n  \
             {hearth} device list\n  \
             {hearth} device show {first}.{REALM}\n  \
             {hearth} device call {first}.{REALM} '{{\"Reboot\": {{\"CommandKey\": \"hello\"}}}}'\n  \
             {hearth} refusal list\n  \
             openssl s_client -connect localhost:{port} -tls1_2 -cipher AES128-SHA:@SECLEVEL=0\n\n\
             The last one is refused for want of a certificate, and shows in the refusals. Logs are in {dir}.\n\
             Ctrl-C ends everything.\n",
            url = self.cwmp_url(),
            hearth = hearth.display(),
            port = self.cwmp.first().map_or(CWMP_PORT, SocketAddr::port),
            dir = self.dir.display(),
        )
    }

    fn write_hems(&self) -> Result<(), Box<dyn Error>> {
        let listen: Vec<String> = self.cwmp.iter().map(ToString::to_string).collect();
        let text = format!(
            "# Written by `hearth demo`.\n\
             lab = true\n\
             state_dir = \"hems\"\n\n\
             [cwmp]\n\
             listen = {listen:?}\n\
             certificate = \"pki/hems/localhost.pem\"\n\
             key = \"pki/hems/localhost.key\"\n\
             url = {url:?}\n\n\
             [[cwmp.anchors]]\n\
             name = \"manufacturer\"\n\
             certificates = \"pki/manufacturer.pem\"\n\
             realms = [{REALM:?}]\n\n\
             [api]\n\
             listen = {api:?}\n\n\
             [admission]\n\
             identities = \"pki/identities.csv\"\n\n\
             [gate]\n\
             policy = \"accept-declared\"\n",
            url = self.cwmp_url(),
            api = self.api.to_string(),
        );
        Ok(fs::write(self.path("hems.toml"), text)?)
    }

    fn write_cell(&self, eui: &str, pair: &KeyPair) -> Result<(), Box<dyn Error>> {
        let number = eui.get(EUI_BLOCK.len()..).unwrap_or_default();
        let seed = u64::from_str_radix(number, 16)?;
        let text = format!(
            "# Written by `hearth demo`.\n\
             lab = true\n\
             state_dir = {eui:?}\n\n\
             [hems]\n\
             url = {url:?}\n\
             anchors = \"../pki/operator.pem\"\n\n\
             [identity]\n\
             certificate = {certificate:?}\n\
             key = {key:?}\n\n\
             [firmware]\n\
             keys = {keys:?}\n\n\
             [device]\n\
             kind = \"simulated\"\n\
             oui = \"00005E\"\n\
             product_class = \"SimulatedCell\"\n\
             serial = {serial:?}\n\n\
             [device.radio]\n\
             seed = {seed}\n",
            url = self.cwmp_url(),
            certificate = pair.chain,
            key = pair.key,
            keys = pki::FIRMWARE_SIGNERS.map(|name| format!("../pki/firmware/{name}.pem")),
            serial = eui.to_uppercase(),
        );
        Ok(fs::write(self.path(&format!("cells/{eui}.toml")), text)?)
    }
}

/// What is desired: one network, one area, one carrier, a physical cell identity of its own, and on air.
fn template() -> Value {
    const SERVICE: &str = "Device.Services.FAPService.1.";
    let value = |path: &str| format!("{SERVICE}{path}");
    json!({
        "selector": "product_class = \"SimulatedCell\"",
        "priority": 10,
        "values": {
            "Device.ManagementServer.PeriodicInformInterval": 10,
            (value("CellConfig.LTE.EPC.TAC")): 4711,
            (value("CellConfig.LTE.RAN.RF.EARFCNDL")): 3100,
            (value("CellConfig.LTE.RAN.RF.PhyCellID")): {"pool": "pci"},
            (value("FAPControl.LTE.Gateway.S1SigLinkServerList")): "192.0.2.10,192.0.2.11",
            (value("FAPControl.LTE.AdminState")): true,
        },
        "objects": [{
            "object": value("CellConfig.LTE.EPC.PLMNList."),
            "key": "PLMNID",
            "rows": [{"PLMNID": "99970", "Enable": true, "IsPrimary": true}],
        }],
    })
}

/// A file by which the demo knows a folder as its own, and that it is in use.
const MARKER: &str = ".hearth-demo";

/// Takes a folder that is new, empty, or an earlier demo's; any other is left alone.
fn take(dir: &Path) -> Result<File, Box<dyn Error>> {
    let marker = dir.join(MARKER);
    let is_foreign = !marker.exists() && fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if is_foreign {
        return Err(format!(
            "{} is not empty and no demo made it: name another folder with --dir",
            dir.display()
        )
        .into());
    }
    fs::create_dir_all(dir)?;
    let file = File::options().create(true).write(true).truncate(false).open(&marker)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(format!("a demo runs in {}: end it, or name another folder with --dir", dir.display()).into())
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Empties the folder but for its marker, which is locked.
fn empty(dir: &Path) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if !path.ends_with(MARKER) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn eui(number: u8) -> String {
    format!("{EUI_BLOCK}{number:02x}")
}

/// `localhost`'s addresses on `port`, or on a free port where somebody has that one already.
fn addresses(port: u16) -> Result<Vec<SocketAddr>, Box<dyn Error>> {
    for port in [port, 0, 0, 0] {
        let Ok(first) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else { continue };
        let first = first.local_addr()?;
        match TcpListener::bind((Ipv6Addr::LOCALHOST, first.port())) {
            Ok(second) => return Ok(vec![first, second.local_addr()?]),
            // Somebody else would answer half of those who ask for `localhost`.
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(_) => return Ok(vec![first]),
        }
    }
    Err("no free port on loopback".into())
}
