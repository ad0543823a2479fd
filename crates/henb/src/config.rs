//! The configuration of `henbd`: what was typed ([`File`]) and what it means ([`Config`]).
//!
//! One TOML file. Unknown keys are errors, and all errors are told at once, each with its line and what would be right.
//! Relative paths are relative to the file.
//!
//! ```text
//!   text ─▶ reader: lines, types, unknown keys ─▶ File ─▶ URLs parsed, files found, bounds kept ─▶ Config
//! ```

mod connection_request;
mod device;
mod diagnostics;
mod discovery;
mod firmware;
mod meaning;
mod models;
mod reader;
mod stack;

pub use meaning::{
    Care, Config, ConnectionRequest, DeviceKind, DiagnosticsCare, Entrance, FirmwareCare, Names,
    RecoveryEndpoint,
};

use std::{
    fmt, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use cwmp::Quirk;
use profile::{HemsUrl, KeySource, OwnCertificate, Profile, StaplePolicy, TransportMode};
use reader::{Reader, Typed};

use crate::{quirk, tunnel::TunnelEnd};

/// Everything that was typed, with the line where it stands.
#[derive(Debug, Default)]
pub struct File {
    /// `lab`: lab certificates are accepted. Default false.
    lab: Option<Typed<bool>>,
    /// `state_dir`: folder, made where it is missing. Required.
    state_dir: Option<Typed<String>>,
    /// `models`: tables of a vendor's own parameters, at most 8 files, see [Data models](models.md). Default none.
    models: Vec<Typed<String>>,
    /// `mode`: "public", "ipsec-tls" or "ipsec", as the H(e)MS has it. Default "public".
    mode: Option<Typed<String>>,
    /// `tunnel.address`: the cell's inner address; every connection leaves by it or not at all. Required in mode "ipsec",
    /// not in "public".
    tunnel_address: Option<Typed<String>>,
    /// `tunnel.interface`: the interface that has this address, and that no packet may bypass. Default none.
    tunnel_interface: Option<Typed<String>>,
    /// `hems.url`: an https URL; http only in mode "ipsec". Required.
    url: Option<Typed<String>>,
    /// `hems.anchors`: PEM file with the operator's CAs. Required.
    anchors: Option<Typed<String>>,
    /// `identity.certificate`: PEM file with the cell's chain. Required.
    certificate: Option<Typed<String>>,
    /// `identity.key`: PEM file, readable by its owner only, or a PKCS#11 URI:
    /// `pkcs11:token=T;object=K?module-path=/…/lib.so&pin-source=file:/…`. Required.
    key: Option<Typed<String>>,
    /// `trust.warn_days`: how long before the end of the cell's certificate an alarm is raised, 1 to 365. Default 30.
    warn_days: Option<Typed<i64>>,
    /// `trust.crls`: PEM or DER files with revocation lists of the operator's CAs; where one is named, every chain of a
    /// H(e)MS has to be covered. Default none.
    crls: Vec<Typed<String>>,
    /// `trust.staple`: "if-there" asks the H(e)MS for a stapled OCSP answer and checks it, "required" refuses a H(e)MS
    /// without one. Default "if-there".
    staple: Option<Typed<String>>,
    /// `trust.profile`: the TLS rules, "ts33320" or "ts33210"; the latter is outside the clause's list of suites. Default
    /// "ts33320".
    profile: Option<Typed<String>>,
    /// `trust.recovery_url`: an https URL that the cell calls when it refuses its H(e)MS. Default none.
    recovery_url: Option<Typed<String>>,
    /// `trust.recovery_anchors`: PEM file with the CAs of that endpoint alone. Required with `trust.recovery_url`.
    recovery_anchors: Option<Typed<String>>,
    /// `trust.recovery_after`: refusals of the H(e)MS's certificate in a row, 1 to 100. Default 5.
    recovery_after: Option<Typed<i64>>,
    /// `firmware.keys`: PEM files with the certificates of the keys that sign firmware for this product, at most two; the
    /// second may revoke the first. Default none: then the cell takes no firmware.
    firmware_keys: Vec<Typed<String>>,
    /// `firmware.revoked`: ids of keys that sign no more, as `hearth firmware verify` prints them. Default none.
    firmware_revoked: Vec<Typed<String>>,
    /// `firmware.dir`: folder of the two images, made where it is missing. Default "firmware" in the state folder.
    firmware_dir: Option<Typed<String>>,
    /// `firmware.trial_s`: seconds that a new image has to reach a management system before the other one comes back,
    /// 60 to 86400. Default 3600.
    trial_s: Option<Typed<i64>>,
    /// `firmware.most_mb`: the largest image in megabytes, 1 to 4096. Default 64.
    most_mb: Option<Typed<i64>>,
    /// `device.kind`: "simulated" plays a radio, "memory" has none, "command" is a vendor's software, "file" a radio
    /// stack with a configuration file. Default "simulated".
    kind: Option<Typed<String>>,
    /// `device.credentials`: "refuse" answers a user name or password that an ACS writes with a fault that names it,
    /// "discard" throws it away and takes what stands beside it. Default "refuse".
    credentials: Option<Typed<String>>,
    /// `device.quirk`: the name of a known quirk, which the cell plays; its manufacturer, model and software are then the
    /// product's where they are not said. Default: none.
    quirk: Option<Typed<String>>,
    /// `device.oui`: six upper-case hex digits. Default: from the certificate.
    oui: Option<Typed<String>>,
    /// `device.manufacturer`, `product_class`, `serial`, `model_name`, `hardware_version`, `software_version`: 1 to 64
    /// characters. Default: "Hearth", "SimulatedCell", the certificate's EUI in upper case, "Hearth simulated cell",
    /// "1", the version of `henbd`.
    texts: Vec<(&'static str, Typed<String>)>,
    /// `device.latitude`: millionths of a degree, -90000000 to 90000000. Default: 52520008.
    latitude: Option<Typed<i64>>,
    /// `device.longitude`: millionths of a degree, -180000000 to 180000000. Default: 13404954.
    longitude: Option<Typed<i64>>,
    /// `device.radio.delay_ms`: from AdminState to OpState, 0 to 600000. Default 1000.
    delay_ms: Option<Typed<i64>>,
    /// `device.radio.seed`: 0 or more. Default 0.
    seed: Option<Typed<i64>>,
    /// `device.radio.gps_ahead_s`: at power-on the played receiver finds a time so many seconds ahead of the cell's clock,
    /// -1000000000 to 1000000000. Default none: it finds no time.
    gps_ahead_s: Option<Typed<i64>>,
    /// `device.radio.faults`: a list of "s1-never-up", "s1-lost-once", "s1-lost", "no-hosting-party",
    /// "install-fails". Default none.
    faults: Vec<Typed<String>>,
    /// `device.command.program`: a list of a program's path and its arguments; it is run for each operation, see
    /// [Drive a radio](../how-to/drive-a-radio.md). Either this or `device.command.socket`.
    program: Vec<Typed<String>>,
    /// `device.command.socket`: the Unix socket on which a vendor's process listens.
    socket: Option<Typed<String>>,
    /// `device.command.timeout_ms`: how long an operation may take, 100 to 25000. Default 10000.
    command_timeout_ms: Option<Typed<i64>>,
    /// `device.command.poll_s`: how often the program is asked for news, 0 to 3600; 0 for never. Default 10.
    poll_s: Option<Typed<i64>>,
    stack: stack::Section,
    requests: connection_request::Section,
    diagnostics: diagnostics::Section,
    discovery: discovery::Section,
}

/// The texts of the device section.
const TEXTS: [&str; 6] =
    ["manufacturer", "product_class", "serial", "model_name", "hardware_version", "software_version"];

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, counting from 1.
    pub line: usize,
    /// What, and what would be right.
    pub text: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What stands in it.
    #[error("{}", Listed(path, problems))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong.
        problems: Vec<Problem>,
    },
}

struct Listed<'a>(&'a Path, &'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.1.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{}:{}: {}", self.0.display(), problem.line, problem.text)?;
        }
        Ok(())
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        Self::parse(&text, base).map_err(|problems| ConfigError::Wrong { path: path.to_owned(), problems })
    }

    /// Reads a text whose relative paths start at `base`.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(text);
        let file = File::read(&mut reader);
        let config = file.meaning(&mut reader, base);
        let problems = reader.into_problems();
        config.filter(|_| problems.is_empty()).ok_or(problems)
    }
}

impl File {
    fn read(reader: &mut Reader<'_>) -> Self {
        let file = Self {
            lab: reader.boolean("", "lab"),
            state_dir: reader.text("", "state_dir"),
            models: reader.texts("", "models"),
            mode: reader.text("", "mode"),
            tunnel_address: reader.text("tunnel", "address"),
            tunnel_interface: reader.text("tunnel", "interface"),
            url: reader.text("hems", "url"),
            anchors: reader.text("hems", "anchors"),
            certificate: reader.text("identity", "certificate"),
            key: reader.text("identity", "key"),
            warn_days: reader.integer("trust", "warn_days"),
            crls: reader.texts("trust", "crls"),
            staple: reader.text("trust", "staple"),
            profile: reader.text("trust", "profile"),
            recovery_url: reader.text("trust", "recovery_url"),
            recovery_anchors: reader.text("trust", "recovery_anchors"),
            recovery_after: reader.integer("trust", "recovery_after"),
            firmware_keys: reader.texts("firmware", "keys"),
            firmware_revoked: reader.texts("firmware", "revoked"),
            firmware_dir: reader.text("firmware", "dir"),
            trial_s: reader.integer("firmware", "trial_s"),
            most_mb: reader.integer("firmware", "most_mb"),
            kind: reader.text("device", "kind"),
            credentials: reader.text("device", "credentials"),
            quirk: reader.text("device", "quirk"),
            oui: reader.text("device", "oui"),
            latitude: reader.integer("device", "latitude"),
            longitude: reader.integer("device", "longitude"),
            delay_ms: reader.integer("device.radio", "delay_ms"),
            seed: reader.integer("device.radio", "seed"),
            gps_ahead_s: reader.integer("device.radio", "gps_ahead_s"),
            faults: reader.texts("device.radio", "faults"),
            program: reader.texts("device.command", "program"),
            socket: reader.text("device.command", "socket"),
            command_timeout_ms: reader.integer("device.command", "timeout_ms"),
            poll_s: reader.integer("device.command", "poll_s"),
            texts: TEXTS.iter().filter_map(|name| Some((*name, reader.text("device", name)?))).collect(),
            stack: stack::Section::read(reader),
            requests: connection_request::Section::read(reader),
            diagnostics: diagnostics::Section::read(reader),
            discovery: discovery::Section::read(reader),
        };
        reader.refuse_the_rest();
        file
    }

    fn meaning(&self, reader: &mut Reader<'_>, base: &Path) -> Option<Config> {
        let mode = self.mode(reader);
        let url = reader.required("hems.url", self.url.as_ref(), "\"https://hems.example/\"");
        let url = url.and_then(|url| {
            url.parse(reader, |text| HemsUrl::parse(text, mode).map_err(|error| format!("hems.url: {error}")))
        });
        let tunnel = self.tunnel(reader, mode);
        let state_dir = reader.required("state_dir", self.state_dir.as_ref(), "a folder");
        let anchors = existing(reader, base, "hems.anchors", self.anchors.as_ref());
        let chain = existing(reader, base, "identity.certificate", self.certificate.as_ref());
        let key = key(reader, base, "identity.key", self.key.as_ref());
        let connection_request = self.requests.meaning(reader, base, mode, tunnel.as_ref());
        let quirk = self.quirk.as_ref().and_then(|name| {
            name.parse(reader, |name| {
                quirk::find(name, None).map_err(|error| format!("device.quirk: {error}"))
            })
        });
        let names = self.names(reader, quirk.as_ref());
        let model = models::meaning(reader, base, &self.models);
        let device = self.device(reader, base, &model);
        let trust = self.care(reader, base);
        let firmware = self.firmware(reader, base);
        let discards = self.credentials.as_ref().and_then(|typed| typed.parse(reader, read_credentials));
        Some(Config {
            lab: self.lab.as_ref().is_some_and(|lab| lab.value),
            state_dir: base.join(&state_dir?.value),
            mode,
            tunnel,
            url: url?,
            anchors: anchors?,
            identity: OwnCertificate { chain: chain?, key: key? },
            device: device?,
            model,
            names,
            quirk,
            trust,
            firmware,
            discards_credentials: discards.unwrap_or_default(),
            diagnostics: self.diagnostics.meaning(reader),
            discovery: self.discovery.meaning(reader, base),
            connection_request,
        })
    }

    fn care(&self, reader: &mut Reader<'_>, base: &Path) -> Care {
        let days = bounded(reader, self.warn_days.as_ref(), "trust.warn_days", (1, 365), 30);
        let after = bounded(reader, self.recovery_after.as_ref(), "trust.recovery_after", (1, 100), 5);
        let url = self.recovery_url.as_ref().and_then(|url| {
            let read = |text: &str| HemsUrl::parse(text, TransportMode::Public);
            url.parse(reader, |text| read(text).map_err(|error| format!("trust.recovery_url: {error}")))
        });
        let typed = self.recovery_anchors.as_ref().or(self.recovery_url.as_ref());
        let anchors = typed
            .and_then(|_| existing(reader, base, "trust.recovery_anchors", self.recovery_anchors.as_ref()));
        let recovery = url.zip(anchors).map(|(url, anchors)| RecoveryEndpoint { url, anchors, after });
        let crls = self.crls.iter().filter_map(|file| existing(reader, base, "trust.crls", Some(file)));
        let crls = crls.collect();
        let staple = self.staple.as_ref().and_then(|staple| staple.parse(reader, read_staple));
        let profile = self.profile.as_ref().and_then(|profile| profile.parse(reader, read_profile));
        let (staple, profile) = (staple.unwrap_or_default(), profile.unwrap_or(&Profile::TS33320));
        Care { warn: meaning::DAY * days, recovery, crls, staple, profile }
    }

    fn mode(&self, reader: &mut Reader<'_>) -> TransportMode {
        let Some(mode) = &self.mode else { return TransportMode::Public };
        let read = |text: &str| text.parse().map_err(|error| format!("mode: {error}"));
        mode.parse(reader, read).unwrap_or(TransportMode::Public)
    }

    /// Mode "ipsec" has a tunnel, "public" has none, and "ipsec-tls" may leave it to the routes. (X-01 to X-03)
    fn tunnel(&self, reader: &mut Reader<'_>, mode: TransportMode) -> Option<TunnelEnd> {
        let typed = self.tunnel_address.as_ref().or(self.tunnel_interface.as_ref());
        match (mode, typed) {
            (TransportMode::Public, Some(typed)) => {
                let text = "tunnel: mode \"public\" has none; \"ipsec-tls\" or \"ipsec\" is right with one";
                reader.complain(typed.line, text.to_owned());
                return None;
            }
            (TransportMode::Public | TransportMode::IpsecTls, None) => return None,
            (TransportMode::IpsecTls | TransportMode::Ipsec, _) => {}
        }
        let address =
            reader.required("tunnel.address", self.tunnel_address.as_ref(), "the cell's inner address")?;
        let address = address.parse(reader, read_inner_address)?;
        let interface = self.tunnel_interface.as_ref().map(|typed| typed.parse(reader, check_interface));
        Some(TunnelEnd { address, interface: interface.flatten() })
    }

    fn names(&self, reader: &mut Reader<'_>, quirk: Option<&Quirk>) -> Names {
        let mut names = quirk.map(quirk::names).unwrap_or_default();
        for (name, text) in &self.texts {
            let Some(value) = text.parse(reader, |text| check_length(name, text)) else { continue };
            match *name {
                "manufacturer" => names.manufacturer = value,
                "product_class" => names.product_class = value,
                "serial" => names.serial = Some(value),
                "model_name" => names.model_name = value,
                "hardware_version" => names.hardware_version = value,
                _ => names.software_version = value,
            }
        }
        names.oui = self.oui.as_ref().and_then(|oui| oui.parse(reader, check_oui));
        let latitude =
            self.latitude.as_ref().and_then(|typed| degrees(reader, typed, "latitude", 90_000_000));
        let longitude =
            self.longitude.as_ref().and_then(|typed| degrees(reader, typed, "longitude", 180_000_000));
        names.position = match (latitude, longitude, names.position) {
            (None, None, default) => default,
            (latitude, longitude, default) => {
                let default = default.unwrap_or_default();
                Some((latitude.unwrap_or(default.0), longitude.unwrap_or(default.1)))
            }
        };
        names
    }
}

fn existing(
    reader: &mut Reader<'_>,
    base: &Path,
    name: &str,
    typed: Option<&Typed<String>>,
) -> Option<PathBuf> {
    let typed = reader.required(name, typed, "a PEM file")?;
    let path = base.join(&typed.value);
    if !path.is_file() {
        reader.complain(typed.line, format!("{name}: there is no file {}", path.display()));
        return None;
    }
    Some(path)
}

/// A key in a file, or in a token that holds it for good. (A-13)
fn key(reader: &mut Reader<'_>, base: &Path, name: &str, typed: Option<&Typed<String>>) -> Option<KeySource> {
    match typed.map(|typed| KeySource::from(typed.value.clone())) {
        Some(token @ KeySource::Token(_)) => Some(token),
        Some(KeySource::File(_)) | None => existing(reader, base, name, typed).map(KeySource::File),
    }
}

/// A number within bounds, or a complaint and the default.
fn bounded(
    reader: &mut Reader<'_>,
    typed: Option<&Typed<i64>>,
    name: &str,
    (least, most): (u32, u32),
    default: u32,
) -> u32 {
    let Some(typed) = typed else { return default };
    let found = u32::try_from(typed.value).ok().filter(|number| (least..=most).contains(number));
    if found.is_none() {
        reader.complain(typed.line, format!("{name}: {least} to {most} is right"));
    }
    found.unwrap_or(default)
}

fn check_length(name: &str, text: &str) -> Result<String, String> {
    let is_right = (1..=64).contains(&text.chars().count());
    if is_right { Ok(text.to_owned()) } else { Err(format!("device.{name}: 1 to 64 characters are right")) }
}

fn read_inner_address(text: &str) -> Result<IpAddr, String> {
    let right = "tunnel.address: an address of this cell, such as \"10.45.0.7\", is right".to_owned();
    text.parse().ok().filter(|address: &IpAddr| !address.is_unspecified()).ok_or(right)
}

/// The kernel's bound is 15 bytes.
fn check_interface(text: &str) -> Result<String, String> {
    let is_right =
        (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if is_right {
        Ok(text.to_owned())
    } else {
        Err("tunnel.interface: 1 to 15 characters such as \"ipsec0\" are right".to_owned())
    }
}

fn check_oui(text: &str) -> Result<String, String> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    if text.len() == 6 && text.bytes().all(is_digit) {
        Ok(text.to_owned())
    } else {
        Err("device.oui: six upper-case hex digits are right, for instance \"00005E\"".to_owned())
    }
}

fn degrees(reader: &mut Reader<'_>, typed: &Typed<i64>, name: &str, most: i32) -> Option<i32> {
    let number = i32::try_from(typed.value).ok().filter(|number| (-most..=most).contains(number));
    if number.is_none() {
        reader.complain(
            typed.line,
            format!("device.{name}: -{most} to {most} millionths of a degree are right"),
        );
    }
    number
}

/// Whether they are discarded.
fn read_credentials(text: &str) -> Result<bool, String> {
    match text {
        "refuse" => Ok(false),
        "discard" => Ok(true),
        _ => Err("device.credentials: \"refuse\" or \"discard\" is right".to_owned()),
    }
}

fn read_staple(text: &str) -> Result<StaplePolicy, String> {
    match text {
        "if-there" => Ok(StaplePolicy::IfThere),
        "required" => Ok(StaplePolicy::Required),
        _ => Err("trust.staple: \"if-there\" or \"required\" is right".to_owned()),
    }
}

fn read_profile(text: &str) -> Result<&'static Profile, String> {
    Profile::named(text).ok_or_else(|| {
        let names: Vec<&str> = Profile::ALL.iter().map(|profile| profile.name).collect();
        format!("trust.profile: one of {} is right, not \"{}\"", names.join(", "), text.escape_debug())
    })
}

#[cfg(test)]
#[path = "config_models_tests.rs"]
mod models_tests;
#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
