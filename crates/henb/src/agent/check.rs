//! What a vendor asks who installs a cell: would it work here? `henbd check`.
//!
//! One rule: everything is looked at and left as it was. No state is written, no program is run, and of the network
//! only addresses of this machine are tried; a file is written where the state will be, and a socket of a vendor's
//! process opened, and both are gone again.

use std::{
    fmt, fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use datamodel::Model;
use jiff::{SignedDuration, Timestamp};
use profile::{CertificateFacts, Clock, Connector, RestoredClock, RootCertificate};
use rustix::fs::{Access, access};
use serde::Serialize;

use super::{Agent, DaemonError, chain, firmware, trust};
use crate::{
    Overview, Slot, State,
    config::{Config, DeviceKind, Entrance},
    device::{Device, Memory, Stack, Way},
    dialler::{Dialler, Sockets},
    discovery, durable,
    firmware::store::Stored,
    state,
    tunnel::TunnelEnd,
};

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// The cell works, and somebody should know this.
    Note,
    /// The cell would not work.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in one word.
    pub topic: &'static str,
    /// How good it is.
    pub verdict: Verdict,
    /// What was found, and where it is wrong what would be right.
    pub text: String,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Report(Vec<Finding>);

impl Agent {
    /// Says whether a cell could start with this configuration, and touches no state.
    ///
    /// # Errors
    /// The certificate, its key or the anchors.
    pub fn check(config: &Config) -> Result<(), DaemonError> {
        let clock = Arc::new(RestoredClock::restore(None, profile::build_time(), Instant::now()));
        firmware::keys(config)?;
        let connector = trust::check(config, &clock)?;
        trust::check_listener(config, &clock, &connector)?;
        trust::recovery(config, &clock, &sockets()).map(drop)
    }
}

/// Nothing is called by a check; what a connection is made of is only looked at.
fn sockets() -> Arc<dyn Dialler> {
    Arc::new(Sockets)
}

impl Report {
    /// Looks at all that a configuration names.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut report = Self(Vec::new());
        report.add("hems", Ok(hems(config)));
        report.discovery(config);
        report.tunnel(config.tunnel.as_ref());
        let clock = report.clock(config);
        match trust::check(config, &clock) {
            Ok(connector) => report.certificates(config, &clock, &connector),
            Err(error) => report.add("identity", Err(chain(&error))),
        }
        if let Some(endpoint) = &config.trust.recovery {
            let way = trust::recovery(config, &clock, &sockets());
            report.add("recovery", said(way.map(|_| endpoint.url.to_string())));
        }
        report.firmware(config);
        report.device(config);
        report
    }

    /// What was found, in the order in which it was looked at.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }

    /// Whether the cell would work.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.0.iter().all(|finding| finding.verdict != Verdict::Wrong)
    }

    fn add(&mut self, topic: &'static str, found: Result<String, String>) {
        let verdict = if found.is_ok() { Verdict::Ok } else { Verdict::Wrong };
        let text = found.unwrap_or_else(|text| text);
        self.0.push(Finding { topic, verdict, text });
    }

    fn note(&mut self, topic: &'static str, text: String) {
        self.0.push(Finding { topic, verdict: Verdict::Note, text });
    }

    fn discovery(&mut self, config: &Config) {
        let Some(path) = &config.discovery else { return };
        match discovery::read(path) {
            Ok(Some(url)) => {
                self.add("discovery", Ok(format!("{url}, until a H(e)MS has taken the cell in")));
            }
            Ok(None) => self.note("discovery", format!("{} says nothing yet", path.display())),
            Err(error) => self.note("discovery", format!("passed over: {}", chain(&error))),
        }
    }

    fn tunnel(&mut self, tunnel: Option<&TunnelEnd>) {
        let Some(end) = tunnel else { return };
        let address = end.address;
        match end.socket() {
            Ok(_) => self.add("tunnel", Ok(format!("{address} is there"))),
            Err(error) => {
                self.note("tunnel", format!("{address} cannot be used now, the cell waits for it: {error}"));
            }
        }
    }

    /// The clock that the next start goes on from: everything with a date is judged by it. (K-01)
    fn clock(&mut self, config: &Config) -> Arc<RestoredClock> {
        self.add("state", keeping(&config.state_dir));
        let overview = Overview::read(config);
        let kept = overview.as_ref().ok().and_then(Option::as_ref);
        for note in kept.into_iter().flat_map(|kept| kept.note.iter().chain(&kept.clock.notes)) {
            self.note("state", note.clone());
        }
        let saved = kept.map(|kept| kept.clock.at);
        let clock = Arc::new(RestoredClock::restore(saved, profile::build_time(), Instant::now()));
        let now = clock.now();
        match overview {
            Err(error) => self.add("state", Err(chain(&error))),
            Ok(None) => self
                .add("clock", Ok(format!("no cell ran here yet; it starts at {now}, when henbd was built"))),
            Ok(Some(_)) => self.add("clock", Ok(format!("goes on at {now}"))),
        }
        clock
    }

    fn certificates(&mut self, config: &Config, clock: &Arc<RestoredClock>, connector: &Connector) {
        let own = connector.certificate();
        let name = connector.identity();
        self.add("identity", Ok(format!("{name}, {}, the key fits, until {}", own.key, own.not_after)));
        self.ending("identity", &own, clock.now(), config);
        let roots = fs::read(&config.anchors).ok().and_then(|pem| RootCertificate::read_all(&pem).ok());
        for root in roots.unwrap_or_default().iter().filter_map(RootCertificate::facts) {
            self.add("anchor", Ok(format!("{}, until {}", root.subject, root.not_after)));
            self.ending("anchor", &root, clock.now(), config);
        }
        self.listener(config, clock, connector);
    }

    /// A date that is over, or soon will be.
    fn ending(&mut self, topic: &'static str, facts: &CertificateFacts, now: Timestamp, config: &Config) {
        let warn = SignedDuration::try_from(config.trust.warn).unwrap_or(SignedDuration::MAX);
        let left = facts.not_after.duration_since(now);
        if left <= SignedDuration::ZERO {
            self.add(topic, Err(format!("{} has ended by the cell's clock", facts.subject)));
        } else if left <= warn {
            self.note(topic, format!("{} ends in {} days", facts.subject, left.as_hours() / 24));
        }
    }

    fn listener(&mut self, config: &Config, clock: &Arc<RestoredClock>, connector: &Connector) {
        let Some(wanted) = &config.connection_request else {
            return self.add("listener", Ok("none: no port is open".to_owned()));
        };
        let kind = match wanted.entrance {
            Entrance::Tls(_) => "over TLS",
            Entrance::Tunnel(_) => "in the tunnel",
        };
        let good = trust::check_listener(config, clock, connector);
        self.add("listener", said(good.map(|()| format!("Connection Requests at {} {kind}", wanted.listen))));
        let end = TunnelEnd { address: wanted.listen.ip(), interface: None };
        if let Err(error) = end.socket() {
            self.note("listener", format!("{} is no address of this machine now: {error}", end.address));
        }
    }

    fn firmware(&mut self, config: &Config) {
        let nothing = "the cell takes no firmware";
        match firmware::keys(config) {
            Ok(keys) if keys.is_empty() => self.note("firmware", format!("no keys: {nothing}")),
            Ok(keys) => match config.device.unstarted() {
                Some(missing) => self.note("firmware", format!("{missing}: {nothing}")),
                None => self.add("firmware", Ok(format!("keys that may sign: {}", keys.len()))),
            },
            Err(error) => self.add("firmware", Err(chain(&error))),
        }
        for text in
            state::newest(&config.state_dir).iter().flat_map(|(state, _)| state).flat_map(lost(config))
        {
            self.note("firmware", text);
        }
    }

    fn device(&mut self, config: &Config) {
        let beside = config.model.parameters().count() - Model::cell().parameters().count();
        if beside > 0 {
            self.add("models", Ok(format!("{beside} parameters of the vendor's")));
        }
        let is_real = matches!(config.device, DeviceKind::Command(_) | DeviceKind::File(_));
        let played = if is_real { config.names.played() } else { Vec::new() };
        if !played.is_empty() {
            let keys = played.join(", ");
            self.add(
                "names",
                Err(format!("{keys}: what this cell is has to be said, it is no simulated one")),
            );
        }
        let found = match &config.device {
            DeviceKind::Memory => Ok("values without a radio".to_owned()),
            DeviceKind::Simulated(_) => Ok("a simulated radio".to_owned()),
            DeviceKind::Command(Way::Program { program, .. }) => {
                Ok(format!("{} is there; it was not run", program.file.display()))
            }
            DeviceKind::Command(Way::Socket { path, .. }) => answering(path),
            DeviceKind::File(stack) => {
                self.add("template", rendering(config, stack));
                let place = stack.output.parent().unwrap_or_else(|| Path::new("."));
                let said = |_| format!("a radio stack that reads {}", stack.output.display());
                folder("device.file.output", place).map(said)
            }
        };
        self.add("device", found);
    }
}

fn hems(config: &Config) -> String {
    format!("{} in mode \"{}\", TLS as {}", config.url, config.mode, config.trust.profile.name)
}

fn said(found: Result<String, DaemonError>) -> Result<String, String> {
    found.map_err(|error| chain(&error))
}

/// What the start would find of the images that the state knows, with all of their bytes read. (W-06)
fn lost(config: &Config) -> impl Fn(&State) -> Vec<String> {
    let folder = config.firmware_dir();
    move |state| {
        let stored = |slot| Stored::of(&folder, slot, state.firmware.image(slot)).check().err();
        Slot::ALL
            .into_iter()
            .filter_map(|slot| Some(format!("image {}: {}", slot.number(), stored(slot)?)))
            .collect()
    }
}

/// Room for a large state, and the next one beside it.
const ROOM_BYTES: usize = 1 << 20;

/// Whether the state's folder keeps what is written, or where it is not made yet the folder that it will be in.
fn keeping(path: &Path) -> Result<String, String> {
    let name = "state_dir";
    let there = folder(name, path)?;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    durable::try_out(&there, ROOM_BYTES).map_err(|error| {
        format!(
            "{name}: {} does not keep {ROOM_BYTES} bytes that are written there: {error}",
            there.display()
        )
    })?;
    let will = if there == path { "is kept in" } else { "will be made:" };
    Ok(format!("{will} {}", path.display()))
}

/// The folder, or the one that it would be made in; it can be written to.
fn folder(name: &str, path: &Path) -> Result<PathBuf, String> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(&path);
    let cannot = |error| format!("{name}: {} cannot be written by this user: {error}", there.display());
    if !there.is_dir() {
        return Err(format!("{name}: {} is no folder", there.display()));
    }
    access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(cannot)?;
    Ok(there.to_owned())
}

fn answering(socket: &Path) -> Result<String, String> {
    let path = socket.display();
    match UnixStream::connect(socket) {
        Ok(_) => Ok(format!("a process listens on {path}")),
        Err(error) => Err(format!("no process listens on {path}, the radio's has to run: {error}")),
    }
}

/// With the values that the next start has.
fn rendering(config: &Config, stack: &Stack) -> Result<String, String> {
    let kept = state::newest(&config.state_dir).ok().and_then(|(state, _)| state).map(|state| state.device);
    let Some(factory) = identity(config).map(|identity| config.factory(&identity)) else {
        return Err("not rendered, since the certificate names no cell".to_owned());
    };
    let memory = Memory::new(&factory, kept.as_ref());
    let rendered = stack.template.render(|path| memory.value(path.as_str()));
    let count = |text: String| format!("gives {} lines for {}", text.lines().count(), stack.output.display());
    rendered.map(count).map_err(|refused| {
        let each = refused.iter().map(|bad| format!("{}: {}", bad.parameter_name, bad.fault_string));
        each.collect::<Vec<_>>().join("; ")
    })
}

fn identity(config: &Config) -> Option<profile::Identity> {
    let clock = Arc::new(RestoredClock::restore(None, profile::build_time(), Instant::now()));
    Some(trust::check(config, &clock).ok()?.identity().clone())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { topic, verdict, text } in &self.0 {
            let mark = match verdict {
                Verdict::Ok => "ok",
                Verdict::Note => "note",
                Verdict::Wrong => "WRONG",
            };
            writeln!(f, "{topic:<12}{mark:<7}{text}")?;
        }
        Ok(())
    }
}
