//! The configuration: what was typed is a [`File`], what it means a [`Config`].
//!
//! Everything that can be wrong is found before the first socket opens, and said at once: keys, addresses, URLs,
//! files, permissions, certificates. Relative paths start at the configuration file's folder.

mod api;
mod events;
mod file;
mod files;
mod oidc;
mod reader;
mod store;
mod tls;
mod transport;
mod wake;

use std::{
    fmt,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use cwmp::Quirk;
use datamodel::Table;
use profile::{Clock, HemsUrl, KeySource, SystemClock, TransportMode, WebMaterials};

pub(crate) use events::{AdminPlace, NatsLine, Telling};
pub use file::{
    Admin, Admission, Alarms, Also, Anchor, Api, Changes, Cwmp, Events, Exception, File, Files, Gate, Limits,
    Nats, Oidc, Tunnel, Wake,
};
pub(crate) use files::Filing;
pub(crate) use oidc::OidcConfig;
pub use reader::{At, ConfigError};
pub(crate) use tls::{Listener, Tls};
pub(crate) use transport::Transport;
pub(crate) use wake::{WakeLine, Waking};

use crate::store::Place;

/// Everything that is wrong with a configuration file.
#[derive(Debug)]
pub struct ConfigErrors {
    /// The file.
    pub path: PathBuf,
    /// At least one.
    pub errors: Vec<ConfigError>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let end = if index + 1 < self.errors.len() { "\n" } else { "" };
            let line = error.line.map_or_else(String::new, |line| format!("{line}:"));
            write!(f, "{}:{line} {}{end}", self.path.display(), error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Whether a cell may transmit where it says it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatePolicy {
    /// No place is good enough.
    Closed,
    /// Any declared place is; for a lab only.
    AcceptDeclared,
}

impl GatePolicy {
    /// The policy as it is written in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::AcceptDeclared => "accept-declared",
        }
    }
}

/// What the operator wants of identities that are odd. (decision 7)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// Whether a DeviceId whose OUI is not the EUI's is refused; else it is counted. (I-05)
    pub refuses_other_oui: bool,
    /// Whether an identity that seems to be two cells is blocked; else there is an alarm.
    pub blocks_clones: bool,
}

/// What a configuration file means; everything in it was checked.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Whether this is a laboratory.
    pub lab: bool,
    /// The folder for the API token and what else is this node's.
    pub state_dir: PathBuf,
    /// Where the database is.
    pub(crate) store: Place,
    /// The transport mode of the whole deployment.
    pub mode: TransportMode,
    /// Where cells call.
    pub cwmp_listen: Vec<SocketAddr>,
    /// What cells are given.
    pub url: HemsUrl,
    /// Where operators call.
    pub api_listen: SocketAddr,
    /// With which certificate; none on loopback.
    pub api_tls: Option<WebMaterials>,
    /// How often one caller may ask the API.
    pub requests_per_minute: u32,
    /// Who else vouches for people.
    pub(crate) oidc: Option<OidcConfig>,
    /// Who is admitted.
    pub identities: Option<PathBuf>,
    /// What becomes of odd identities.
    pub policies: Policies,
    /// Whether a cell may transmit where it stands.
    pub gate: GatePolicy,
    /// Every quirk that a cell may have: the known ones, and the operator's.
    pub quirks: Vec<Quirk>,
    /// Models beside the standard ones.
    pub models: Vec<Table>,
    /// What holds changes back.
    pub changes: Changes,
    /// Bounds.
    pub limits: Limits,
    /// From when on something is worth an alarm.
    pub alarms: Alarms,
    /// What is told of what happens, and to whom.
    pub(crate) events: Telling,
    /// Where files lie, and what they may take.
    pub(crate) files: Filing,
    /// Where metrics and health are.
    pub(crate) admin: AdminPlace,
    /// By what cells are known; its certificates, anchors and tables are loaded and checked.
    pub(crate) transport: Transport,
    /// How cells are woken; nothing where they are not.
    pub(crate) wake: Option<Waking>,
    /// The clock of the whole server.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigErrors {
            path: path.to_owned(),
            errors: vec![ConfigError { line: None, message: format!("cannot be read: {error}") }],
        })?;
        Self::parse(&text, path)
    }

    /// What every cell would refuse as things are: our certificate is over, or names another host than the URL.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let listeners = self.transport.tls.as_ref().map(|tls| tls.faults(&self.url));
        let wake = self.wake.as_ref().map(|wake| wake.faults(&self.url));
        listeners.into_iter().chain(wake).flatten().collect()
    }

    /// Checks a text as if it stood in the file `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        let failed = |errors| ConfigErrors { path: path.to_owned(), errors };
        let (file, errors) = File::parse(text).map_err(failed)?;
        let folder = path.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        let mut check = Check { folder, errors };
        let config = check.config(&file);
        match config {
            Some(config) if check.errors.is_empty() => Ok(config),
            _ => {
                check.errors.sort_by_key(|error| error.line);
                Err(failed(check.errors))
            }
        }
    }
}

/// Turns texts into what they mean, and collects what they cannot mean.
struct Check {
    folder: PathBuf,
    errors: Vec<ConfigError>,
}

impl Check {
    fn config(&mut self, file: &File) -> Option<Config> {
        let store = self.store(file);
        let mode = self.mode(&file.mode);
        let listen = file.cwmp.listen.iter().map(|at| self.address(at, "7547")).collect::<Vec<_>>();
        let url = self.url(&file.cwmp.url, mode);
        let api = self.api(file);
        let oidc = file.api.oidc.as_ref().map(|typed| self.oidc(typed).ok_or(()));
        let identities = file.admission.identities.as_ref().map(|at| self.file(at).ok_or(()));
        let policies = self.policies(&file.admission);
        let gate = self.gate(file);
        let quirks = self.quirks(file.quirks.as_ref());
        let models = file.models.iter().map(|at| self.model(at)).collect::<Vec<_>>();
        let events = self.events(&file.events);
        let files = self.files(file);
        let admin = self.admin(file);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // Without a mode that is one, what is wrong by the default is said at least.
        let transport = self.transport(file, mode.unwrap_or(TransportMode::Public), &clock);
        let wake = self.wake(file, mode.unwrap_or(TransportMode::Public), transport.as_ref());
        let api_tls = api.as_ref().and_then(|(_, tls)| tls.as_ref());
        self.no_key_of_cells(file, api_tls, transport.as_ref().and_then(|transport| transport.tls.as_ref()));
        let (api_listen, api_tls) = api?;
        Some(Config {
            lab: file.lab.value,
            state_dir: self.state_dir(&file.state_dir),
            store: store?,
            mode: mode?,
            cwmp_listen: listen.into_iter().collect::<Option<_>>()?,
            url: url?,
            api_listen,
            api_tls,
            requests_per_minute: file.api.requests_per_minute,
            oidc: oidc.transpose().ok()?,
            identities: identities.transpose().ok()?,
            policies: policies?,
            gate: gate?,
            quirks: quirks?,
            models: models.into_iter().collect::<Option<_>>()?,
            changes: file.changes,
            limits: file.limits,
            alarms: file.alarms,
            events: events?,
            files: files?,
            admin: admin?,
            wake: wake.ok()?,
            transport: transport?,
            clock,
        })
    }

    fn complain<T>(&mut self, line: Option<usize>, message: impl Into<String>) -> Option<T> {
        self.errors.push(ConfigError { line, message: message.into() });
        None
    }

    fn mode(&mut self, at: &At<String>) -> Option<TransportMode> {
        let wrong = format!("`mode` is \"public\", \"ipsec-tls\" or \"ipsec\", not \"{}\"", at.value);
        at.value.parse().ok().or_else(|| self.complain(at.line, wrong))
    }

    fn address(&mut self, at: &At<String>, port: &str) -> Option<SocketAddr> {
        at.value.parse().ok().or_else(|| {
            let example = format!("such as \"127.0.0.1:{port}\" or \"[::1]:{port}\"");
            self.complain(
                at.line,
                format!("`listen` is an address with a port, {example}, not \"{}\"", at.value),
            )
        })
    }

    fn url(&mut self, at: &At<String>, mode: Option<TransportMode>) -> Option<HemsUrl> {
        let mode = mode?;
        if at.value.is_empty() {
            return None;
        }
        HemsUrl::parse(&at.value, mode)
            .map_or_else(|error| self.complain(at.line, format!("`cwmp.url`: {error}")), Some)
    }

    fn gate(&mut self, file: &File) -> Option<GatePolicy> {
        let at = &file.gate.policy;
        match at.value.as_str() {
            "closed" => Some(GatePolicy::Closed),
            "accept-declared" if file.lab.value => Some(GatePolicy::AcceptDeclared),
            "accept-declared" => self.complain(
                at.line,
                "`gate.policy` accept-declared believes what a cell says of its place; it needs `lab = true`",
            ),
            other => self.complain(
                at.line,
                format!("`gate.policy` is \"closed\" or \"accept-declared\", not \"{other}\""),
            ),
        }
    }

    fn policies(&mut self, admission: &Admission) -> Option<Policies> {
        let refuses_other_oui = self.is_strict("oui_mismatch", &admission.oui_mismatch, "refuse");
        let blocks_clones = self.is_strict("clones", &admission.clones, "block");
        Some(Policies { refuses_other_oui: refuses_other_oui?, blocks_clones: blocks_clones? })
    }

    /// Whether a policy is the strict one of two, the other being `alarm`.
    fn is_strict(&mut self, key: &str, at: &At<String>, strict: &str) -> Option<bool> {
        match at.value.as_str() {
            "alarm" => Some(false),
            value if value == strict => Some(true),
            other => self.complain(
                at.line,
                format!("`admission.{key}` is \"alarm\" or \"{strict}\", not \"{other}\""),
            ),
        }
    }

    /// The known quirks, with those of the operator's file.
    fn quirks(&mut self, at: Option<&At<String>>) -> Option<Vec<Quirk>> {
        let known = datamodel::quirks::known().to_vec();
        let Some(at) = at else { return Some(known) };
        let path = self.file(at)?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return self.complain(at.line, format!("cannot read {}: {error}", path.display())),
        };
        match datamodel::quirks::read(&text, &known) {
            Ok(more) => Some(known.into_iter().chain(more).collect()),
            Err(errors) => {
                let said = errors.iter().map(|error| format!("`quirks`: {}:{error}", path.display()));
                self.errors.extend(said.map(|message| ConfigError { line: at.line, message }));
                None
            }
        }
    }

    /// A table of `hearth model import`.
    fn model(&mut self, at: &At<String>) -> Option<Table> {
        let path = self.file(at)?;
        let table = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        let table = table.and_then(|text| Table::read(&text).map_err(|error| error.to_string()));
        match table {
            Ok(table) => Some(table),
            Err(error) => self.complain(at.line, format!("`models`: {}: {error}", path.display())),
        }
    }

    fn path(&self, at: &At<String>) -> PathBuf {
        self.folder.join(&at.value)
    }

    fn state_dir(&mut self, at: &At<String>) -> PathBuf {
        let path = self.path(at);
        if path.exists() && !path.is_dir() {
            self.complain::<()>(at.line, format!("`state_dir` {} is no folder", path.display()));
        }
        path
    }

    /// A file that can be read.
    fn file(&mut self, at: &At<String>) -> Option<PathBuf> {
        if at.value.is_empty() {
            return None;
        }
        let path = self.path(at);
        match std::fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(metadata) if metadata.is_file() => Some(path),
            Ok(_) => self.complain(at.line, format!("{} is no file", path.display())),
            Err(error) => self.complain(at.line, format!("cannot read {}: {error}", path.display())),
        }
    }

    /// A key in a token, or in a file that its owner alone can read.
    fn key(&mut self, at: &At<String>) -> Option<KeySource> {
        if let token @ KeySource::Token(_) = KeySource::from(at.value.clone()) {
            return Some(token);
        }
        self.secret(at, "a private key").map(KeySource::File)
    }

    /// A file that its owner alone can read.
    fn secret(&mut self, at: &At<String>, what: &str) -> Option<PathBuf> {
        let path = self.file(at)?;
        let mode = std::fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o077 == 0 {
            return Some(path);
        }
        let right = format!("only its owner may read {what}: chmod 600");
        self.complain(at.line, format!("{} has mode {:o}; {right}", path.display(), mode & 0o777))
    }
}

/// An error with its causes, in one line; a cause that its error repeats is said once.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
