//! What a configuration means: every URL parsed, every file found, every default filled in.
//!
//! Whoever starts an agent without a file, a fleet or a test, writes a [`Config`] by hand.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cwmp::Quirk;
use datamodel::Model;
use profile::{HemsUrl, Identity, OwnCertificate, Profile, StaplePolicy, TransportMode};

use crate::{
    device::{Command, Device, Factory, FileDevice, Memory, Radio, Simulated, Snapshot, Stack, Way},
    diagnostics::reach::Network,
    tunnel::TunnelEnd,
};

/// What an agent is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Lab certificates are accepted. (decision 12)
    pub lab: bool,
    /// Where the cell keeps its state.
    pub state_dir: PathBuf,
    /// How the deployment reaches its H(e)MS.
    pub mode: TransportMode,
    /// The cell's end of the tunnel; every connection leaves by it.
    pub tunnel: Option<TunnelEnd>,
    /// The first H(e)MS. (P-11)
    pub url: HemsUrl,
    /// The operator's CAs.
    pub anchors: PathBuf,
    /// The cell's certificate and key.
    pub identity: OwnCertificate,
    /// What it drives.
    pub device: DeviceKind,
    /// Which parameters it has. (M-11)
    pub model: Arc<Model>,
    /// Who it says it is.
    pub names: Names,
    /// What it does wrong, to try a H(e)MS with.
    pub quirk: Option<Quirk>,
    /// How it watches over certificates.
    pub trust: Care,
    /// Who signs firmware, and how a new image is tried.
    pub firmware: FirmwareCare,
    /// User names and passwords that an ACS writes are thrown away; else what they stand in is refused. (P-07, A-16)
    pub discards_credentials: bool,
    /// What an ACS may have tried from the cell. (C-39)
    pub diagnostics: DiagnosticsCare,
    /// Where a DHCP client leaves a hint of where the H(e)MS is; nowhere unless that was chosen. (D-11)
    pub discovery: Option<PathBuf>,
    /// Where it listens for Connection Requests; nowhere unless that was chosen.
    pub connection_request: Option<ConnectionRequest>,
}

/// Where a cell listens for Connection Requests, and to whom. (decision 5)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRequest {
    /// One address of this cell; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whoever comes from another address is not heard; empty hears everybody.
    pub from: Vec<IpAddr>,
    /// What protects it.
    pub entrance: Entrance,
}

/// What protects the listener for Connection Requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entrance {
    /// TLS, with a certificate and a key of the listener's own.
    Tls(OwnCertificate),
    /// The tunnel, and its interface where the kernel shall hold packets to it.
    Tunnel(Option<String>),
}

impl Config {
    /// The factory's facts of the cell with this identity.
    #[must_use]
    pub fn factory(&self, identity: &Identity) -> Factory {
        Factory { model: Arc::clone(&self.model), ..self.names.factory(identity) }
    }

    /// Where images are.
    #[must_use]
    pub fn firmware_dir(&self) -> PathBuf {
        self.firmware.dir.clone().unwrap_or_else(|| self.state_dir.join("firmware"))
    }
}

/// Whether and where to diagnostics may go. (decision 29)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosticsCare {
    /// Else each ends with an error.
    pub enabled: bool,
    /// Where they may go to beside the H(e)MS's own host.
    pub networks: Vec<Network>,
}

impl Default for DiagnosticsCare {
    fn default() -> Self {
        Self { enabled: true, networks: Vec::new() }
    }
}

/// Who signs firmware for a cell, and how it tries a new image. (decision 10)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmwareCare {
    /// Certificates of the keys that sign, at most two; the later one can revoke the earlier.
    pub keys: Vec<PathBuf>,
    /// Ids of keys that sign no more.
    pub revoked: BTreeSet<String>,
    /// Where images are; a folder in the state folder, where nothing is said.
    pub dir: Option<PathBuf>,
    /// How long a H(e)MS may be silent to a new image, before the other one comes back. (W-07)
    pub trial: Duration,
    /// The largest image.
    pub most_bytes: u64,
}

impl Default for FirmwareCare {
    fn default() -> Self {
        let most_bytes = 64 << 20;
        Self { keys: Vec::new(), revoked: BTreeSet::new(), dir: None, trial: TRIAL, most_bytes }
    }
}

/// Longer than what an upgrade of the H(e)MS takes it away, shorter than a night.
const TRIAL: Duration = Duration::from_secs(3600);

/// How a cell watches over certificates, its own and the H(e)MS's.
#[derive(Debug, Clone, PartialEq)]
pub struct Care {
    /// How long before the end of its own certificate it raises an alarm.
    pub warn: Duration,
    /// Where it turns to when it refuses its H(e)MS. (G-03)
    pub recovery: Option<RecoveryEndpoint>,
    /// The operator's revocation lists; where there is one, they have to cover every chain.
    pub crls: Vec<PathBuf>,
    /// What it does about the answer that a H(e)MS staples.
    pub staple: StaplePolicy,
    /// The TLS rules that it holds its H(e)MS to, and itself. (T-01)
    pub profile: &'static Profile,
}

impl Default for Care {
    fn default() -> Self {
        let (staple, profile) = (StaplePolicy::default(), &Profile::TS33320);
        Self { warn: DAY * 30, recovery: None, crls: Vec::new(), staple, profile }
    }
}

/// An endpoint with a long-lived certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveryEndpoint {
    /// Where.
    pub url: HemsUrl,
    /// The CAs of that endpoint alone.
    pub anchors: PathBuf,
    /// After how many refusals of the serving H(e)MS in a row.
    pub after: u32,
}

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// Which implementation of the device trait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceKind {
    /// Values, and nothing behind them.
    Memory,
    /// A played radio.
    Simulated(Radio),
    /// A vendor's software.
    Command(Way),
    /// A radio stack with a configuration file.
    File(Box<Stack>),
}

impl DeviceKind {
    /// What is missing to start a firmware image; nothing where there is something that starts it.
    pub(crate) fn unstarted(&self) -> Option<&'static str> {
        match self {
            Self::Memory => Some("device.kind \"memory\" has nothing that starts an image"),
            Self::File(stack) if stack.boot.is_none() => {
                Some("device.file.boot is missing, which starts an image")
            }
            Self::Simulated(_) | Self::Command(_) | Self::File(_) => None,
        }
    }

    /// The device as it left the factory, or as it was when `kept` was taken.
    pub(crate) fn start(
        &self,
        factory: &Factory,
        state_dir: &Path,
        kept: Option<&Snapshot>,
    ) -> Box<dyn Device> {
        match self {
            Self::Memory => Box::new(Memory::new(factory, kept)),
            Self::Simulated(radio) => Box::new(Simulated::new(factory, radio.clone(), kept)),
            Self::Command(way) => Box::new(Command::new(factory, way, state_dir, kept)),
            Self::File(stack) => Box::new(FileDevice::new(factory, (**stack).clone(), kept)),
        }
    }
}

/// The names of a cell; what is absent comes from its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Who made it.
    pub manufacturer: String,
    /// Six upper-case hex digits; else the first of the EUI. (I-05)
    pub oui: Option<String>,
    /// The product.
    pub product_class: String,
    /// Else the EUI in upper case.
    pub serial: Option<String>,
    /// The name on the box.
    pub model_name: String,
    /// The board.
    pub hardware_version: String,
    /// The image from the factory.
    pub software_version: String,
    /// Where it stands, in millionths of a degree.
    pub position: Option<(i32, i32)>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            manufacturer: "Hearth".to_owned(),
            oui: None,
            product_class: "SimulatedCell".to_owned(),
            serial: None,
            model_name: "Hearth simulated cell".to_owned(),
            hardware_version: "1".to_owned(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            position: Some((52_520_008, 13_404_954)),
        }
    }
}

impl Names {
    /// Keys of what a simulated cell calls itself, and a real one must not. (I-05)
    pub(crate) fn played(&self) -> Vec<&'static str> {
        let played = Self::default();
        let said = [
            ("device.manufacturer", &self.manufacturer, &played.manufacturer),
            ("device.product_class", &self.product_class, &played.product_class),
            ("device.model_name", &self.model_name, &played.model_name),
        ];
        said.into_iter().filter(|(_, said, played)| said == played).map(|(key, ..)| key).collect()
    }

    /// The factory's facts of the cell with this identity, without a vendor's parameters.
    #[must_use]
    pub fn factory(&self, identity: &Identity) -> Factory {
        Factory {
            manufacturer: self.manufacturer.clone(),
            oui: self.oui.clone().unwrap_or_else(|| identity.oui()),
            product_class: self.product_class.clone(),
            serial: self.serial.clone().unwrap_or_else(|| identity.eui().to_ascii_uppercase()),
            model_name: self.model_name.clone(),
            hardware_version: self.hardware_version.clone(),
            software_version: self.software_version.clone(),
            position: self.position,
            model: Arc::clone(Model::cell()),
        }
    }
}
