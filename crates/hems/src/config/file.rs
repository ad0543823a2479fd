//! What was typed: each key of the configuration file with its line, its unit, its default and its bound.
//!
//! Nothing is opened or judged here; [`Config`](super::Config) is what it means.

mod events;
mod files;
mod wake;

pub use events::{Admin, Alarms, Events, Nats};
pub use files::{Files, Recordings};
pub use wake::Wake;

use super::reader::{At, ConfigError, Reader, Section};

/// The whole file.
#[derive(Clone, Debug)]
pub struct File {
    /// Whether this is a laboratory: lab CAs and lab policies are allowed. Default: false.
    pub lab: At<bool>,
    /// The folder for the API token and, without `store`, for the database; made where it is missing.
    pub state_dir: At<String>,
    /// The PostgreSQL database, 15 or later, that the nodes of a deployment share, such as
    /// `postgres:///hearth?host=/run/postgresql` or `postgres://hearth@db.example/hearth?sslrootcert=/etc/hearth/db.pem`.
    /// Over a network the server's certificate is verified unless `sslmode` says otherwise.
    /// Default: SQLite, the file `hearth.sqlite3` in `state_dir`.
    pub store: Option<At<String>>,
    /// The file with the password for `store`, readable by its owner only; a password in the URL is refused, and one in
    /// the environment not read. Default: none.
    pub store_password_file: Option<At<String>>,
    /// How cells reach every node of this deployment: `public`, `ipsec-tls` or `ipsec`. Default: `public`.
    pub mode: At<String>,
    /// A file with more quirks of products than the known ones. Default: none.
    pub quirks: Option<At<String>>,
    /// A list of tables that `hearth model import` made, of a vendor's model or a later edition: templates are checked
    /// against them too. Default: none.
    pub models: Vec<At<String>>,
    /// The listeners for cells.
    pub cwmp: Cwmp,
    /// Who vouches for what comes out of the tunnel.
    pub tunnel: Option<Tunnel>,
    /// How cells are asked for a session at once.
    pub wake: Wake,
    /// The listener for operators.
    pub api: Api,
    /// Who is admitted.
    pub admission: Admission,
    /// Whether a cell may transmit where it stands.
    pub gate: Gate,
    /// What holds changes back.
    pub changes: Changes,
    /// What is told of what happens.
    pub events: Events,
    /// From when on something is worth an alarm.
    pub alarms: Alarms,
    /// Files that go to cells and come from them.
    pub files: Files,
    /// Sessions that were recorded because somebody asked for it.
    pub recordings: Recordings,
    /// The listener for metrics and health.
    pub admin: Admin,
    /// Bounds.
    pub limits: Limits,
}

/// `[cwmp]`: the listeners for cells.
#[derive(Clone, Debug)]
pub struct Cwmp {
    /// Addresses with ports, at least one; port 0 takes a free one.
    pub listen: Vec<At<String>>,
    /// The certificate chain, PEM, leaf first. Not in mode `ipsec`, which has no TLS.
    pub certificate: Option<At<String>>,
    /// The private key: PEM, readable by its owner only, or a PKCS#11 URI, which `ts33320` cannot use. Not in mode `ipsec`.
    pub key: Option<At<String>>,
    /// The TLS profile of these listeners: `ts33320`, clause 8.3.4, or `ts33210`, the later one. Default: `ts33320`.
    pub profile: At<String>,
    /// Which suites come first: `fs-first` for forward secrecy, or `fast-first`. Default: `fs-first`.
    pub suite_order: At<String>,
    /// Whether cells may resume sessions by tickets: `on` or `off`. Default: `on`.
    pub resumption: At<String>,
    /// An OCSP response about the certificate, DER, to staple; put a new one there in time. Default: none.
    pub staple: Option<At<String>>,
    /// The URL that cells are given: https, and http only in mode `ipsec`.
    pub url: At<String>,
    /// Who vouches for cells, at least one. None in mode `ipsec`.
    pub anchors: Vec<Anchor>,
    /// Addresses of balancers: each connection comes from one of them and begins with a PROXY header, v1 or v2. Not in
    /// mode `ipsec`. Default: none, and no header is read.
    pub proxy_from: Vec<At<String>>,
    /// More listeners with a certificate, a key and perhaps a profile of their own.
    pub also: Vec<Also>,
}

/// `[[cwmp.also]]`: listeners beside the first ones: another profile for newer cells, or an endpoint for recovery
/// whose certificate outlives the clock of a cell that lay in a drawer. Anchors, order and resumption are those of `[cwmp]`.
#[derive(Clone, Debug)]
pub struct Also {
    /// What the operator calls them.
    pub name: At<String>,
    /// Addresses with ports, at least one.
    pub listen: Vec<At<String>>,
    /// The certificate chain, PEM, leaf first.
    pub certificate: At<String>,
    /// The private key, which no other listener has.
    pub key: At<String>,
    /// `ts33320` or `ts33210`. Default: `ts33320`.
    pub profile: At<String>,
}

/// `[tunnel]`: who vouches for what comes out of the tunnel. Needed in mode `ipsec`; in `ipsec-tls` the tunnel must be
/// the one of the certificate's cell.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// This machine's addresses that only the tunnel reaches; in mode `ipsec` every `cwmp.listen` is one of them.
    pub addresses: Vec<At<String>>,
    /// A CSV file with the columns inner_address and identity, read again when it changes. Either this or `vici`.
    pub table: Option<At<String>>,
    /// The VICI socket of strongSwan on this machine, such as `/run/charon.vici`.
    pub vici: Option<At<String>>,
}

/// `[[cwmp.anchors]]`: CA certificates, and the realms that they may issue for.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// What the operator calls it.
    pub name: At<String>,
    /// A bundle of CA certificates, PEM.
    pub certificates: At<String>,
    /// The realms, at least one; there is no "any".
    pub realms: Vec<At<String>>,
    /// Files of revocation lists, PEM or DER, read again when they change; they cover every CA of a chain. Default: none,
    /// and nothing is revoked.
    pub crls: Vec<At<String>>,
    /// Days that a list may be overdue: 0 to 365. Default: 7.
    pub crl_grace_days: u32,
    /// The smallest RSA key in bits: 2048 to 16384. Default: 2048.
    pub min_rsa_bits: u32,
    /// The kinds of key that its certificates may hold: `rsa`, `p256`, `p384`. Default: what the profile permits.
    pub keys: Vec<At<String>>,
    /// Rules that its certificates may break for a while.
    pub exceptions: Vec<Exception>,
}

/// `[[cwmp.anchors.exceptions]]`: outside the profile, and shown as such.
#[derive(Clone, Debug)]
pub struct Exception {
    /// `weak_key`, `weak_signature`, `key_usage`, `extended_key_usage`, or `not_an_identity` for the common name.
    pub allow: At<String>,
    /// The last day, such as `2027-06-30`.
    pub until: At<String>,
}

/// `[api]`: the listener for operators.
#[derive(Clone, Debug)]
pub struct Api {
    /// An address with its port: a loopback one, or any where there is a certificate. Default: `127.0.0.1:8443`.
    pub listen: At<String>,
    /// The certificate chain, PEM, leaf first; then the API speaks TLS. Default: none, and plain HTTP on loopback.
    pub certificate: Option<At<String>>,
    /// The private key, which no listener for cells has: PEM, readable by its owner only, or a PKCS#11 URI.
    pub key: Option<At<String>>,
    /// CAs that vouch for machines' certificates, PEM. Default: none, and machines are known by fingerprint.
    pub client_anchors: Option<At<String>>,
    /// Requests of one account, token, machine or, for strangers, address within a minute: 60 to 1000000. All of them may
    /// come at once. Default: 6000.
    pub requests_per_minute: u32,
    /// The identity provider.
    pub oidc: Option<Oidc>,
}

/// `[api.oidc]`: an identity provider that vouches for people, by OpenID Connect: code with PKCE.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// Its issuer, exactly as it writes it: an https URL.
    pub issuer: At<String>,
    /// What it calls us.
    pub client_id: At<String>,
    /// The file with the secret that it gave us, readable by its owner only. Default: none, and PKCE alone.
    pub client_secret_file: Option<At<String>>,
    /// Where browsers reach this API, such as `https://hems.example:8443`; the provider sends them back to
    /// `/api/v1/oidc/callback` below it.
    pub external_url: At<String>,
    /// The CAs that may vouch for its certificate, PEM. Default: those of the system.
    pub anchors: Option<At<String>>,
}

/// `[admission]`: who is admitted.
#[derive(Clone, Debug)]
pub struct Admission {
    /// A list of identities with oui, product_class and serial: CSV with these four columns, or a JSON list of objects, or one a line. Default: none.
    pub identities: Option<At<String>>,
    /// What becomes of a DeviceId whose OUI is not the first half of the EUI: `alarm` or `refuse`. Default: `alarm`. (I-05)
    pub oui_mismatch: At<String>,
    /// What becomes of an identity that seems to be two cells: `alarm` or `block`. Default: `alarm`.
    pub clones: At<String>,
}

/// `[gate]`: whether a cell may transmit where it stands.
#[derive(Clone, Debug)]
pub struct Gate {
    /// `closed`, or in a lab `accept-declared`. Default: `closed`.
    pub policy: At<String>,
}

/// `[changes]`: what holds back a change of what is desired, whatever way it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Serving cells that may follow changes within an hour: 1 to 1000000. Default: 1000.
    pub cells_per_hour: u32,
    /// The part of the fleet that may, in percent, but at least ten cells: 1 to 100. Default: 10.
    pub fleet_percent: u32,
    /// Serving cells concerned, above which a second person approves: 0 to 100000000. Default: 1000.
    pub second_person_above: u32,
    /// The part of the cells that followed which may fault, fall or be lost before a change stops by itself, in
    /// percent: 0 to 100. Default: 5.
    pub stop_percent: u32,
    /// How many of them may, however few followed: 0 to 1000000. Default: 2.
    pub stop_above: u32,
    /// Seconds for which a cell that followed is watched: 0 to 86400. Default: 900, and 0 in a laboratory.
    pub settle_seconds: u32,
    /// Days without a further cell that asks to follow, after which a change ends: 1 to 365. Default: 7.
    pub finish_days: u32,
}

/// `[limits]`: bounds, each with a reason at its definition in this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Seconds that a session waits for the next post: 30 to 600. Default: 60, twice what a cell must wait. (H-09, S-05)
    pub session_seconds: u32,
    /// Seconds for which what a cell said is believed: 0 to 31536000. A later session reads again what is desired, and so
    /// sees what other hands changed. Default: 0, and each session does.
    pub believed_seconds: u32,
    /// Bytes of one envelope: 32768 (H-17) to 64 MiB. Default: 32 MiB, a whole data model of a large cell.
    pub envelope_bytes: u32,
    /// Connections of cells at a time: 1 to 100000. Default: 4096.
    pub connections: u32,
    /// Handshakes at a time: 1 to 10000. Default: 512; beyond it the oldest gives way, and a silent one costs memory only.
    pub handshakes: u32,
    /// Seconds for the head of a request: 1 to 60. Default: 10.
    pub header_seconds: u32,
    /// Seconds for the body of a request: 1 to 600. Default: 60, 32 MiB over a slow line.
    pub body_seconds: u32,
}

impl File {
    /// Reads a document and gives what it says with all that is wrong with its form.
    ///
    /// # Errors
    /// What is no TOML, and that alone: keys would seem to be missing that are only unreadable.
    pub fn parse(text: &str) -> Result<(Self, Vec<ConfigError>), Vec<ConfigError>> {
        let (mut reader, mut root) = Reader::new(text);
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        let lab = reader.boolean(&mut root, "lab");
        let changes = Changes::read(&mut reader, &mut root, lab.value);
        let file = Self {
            lab,
            state_dir: reader.required(&mut root, "state_dir", "a folder for the database and the API token"),
            store: reader.text(&mut root, "store"),
            store_password_file: reader.text(&mut root, "store_password_file"),
            mode: reader.text(&mut root, "mode").unwrap_or_else(|| At::default("public".to_owned())),
            quirks: reader.text(&mut root, "quirks"),
            models: reader.some_texts(&mut root, "models", "a list of tables of `hearth model import`"),
            cwmp: Cwmp::read(&mut reader, &mut root),
            tunnel: Tunnel::read(&mut reader, &mut root),
            wake: Wake::read(&mut reader, &mut root),
            api: Api::read(&mut reader, &mut root),
            admission: Admission::read(&mut reader, &mut root),
            gate: Gate::read(&mut reader, &mut root),
            changes,
            events: Events::read(&mut reader, &mut root),
            alarms: Alarms::read(&mut reader, &mut root),
            files: Files::read(&mut reader, &mut root),
            recordings: Recordings::read(&mut reader, &mut root),
            admin: Admin::read(&mut reader, &mut root),
            limits: Limits::read(&mut reader, &mut root),
        };
        reader.finish(root);
        Ok((file, reader.errors))
    }
}

impl Cwmp {
    fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "cwmp");
        let cwmp = Self {
            listen: reader.texts(&mut section, "listen", "a list of addresses such as [\"0.0.0.0:7547\"]"),
            certificate: reader.text(&mut section, "certificate"),
            key: reader.text(&mut section, "key"),
            url: reader.required(&mut section, "url", "the https URL that cells are given"),
            profile: or(reader.text(&mut section, "profile"), "ts33320"),
            suite_order: or(reader.text(&mut section, "suite_order"), "fs-first"),
            resumption: or(reader.text(&mut section, "resumption"), "on"),
            staple: reader.text(&mut section, "staple"),
            anchors: Anchor::read(reader, &mut section),
            also: Also::read(reader, &mut section),
            proxy_from: reader.some_texts(&mut section, "proxy_from", "a list of the balancers' addresses"),
        };
        reader.finish(section);
        cwmp
    }
}

fn or(at: Option<At<String>>, default: &str) -> At<String> {
    at.unwrap_or_else(|| At::default(default.to_owned()))
}

impl Also {
    fn read<'i>(reader: &mut Reader<'i>, above: &mut Section<'i>) -> Vec<Self> {
        let mut all = Vec::new();
        for mut section in reader.sections(above, "also") {
            let also = Self {
                name: reader.required(&mut section, "name", "what you call these listeners"),
                listen: reader.texts(
                    &mut section,
                    "listen",
                    "a list of addresses such as [\"0.0.0.0:7548\"]",
                ),
                certificate: reader.required(
                    &mut section,
                    "certificate",
                    "a file with the chain, PEM, leaf first",
                ),
                key: reader.required(&mut section, "key", "a file with the private key, PEM"),
                profile: or(reader.text(&mut section, "profile"), "ts33320"),
            };
            reader.finish(section);
            all.push(also);
        }
        all
    }
}

impl Exception {
    fn read<'i>(reader: &mut Reader<'i>, above: &mut Section<'i>) -> Vec<Self> {
        let mut all = Vec::new();
        for mut section in reader.sections(above, "exceptions") {
            let is_whole = ["allow", "until"].iter().all(|key| section.has_text(key));
            let exception = Self {
                allow: reader.required(
                    &mut section,
                    "allow",
                    "the reason that is excepted, such as \"weak_key\"",
                ),
                until: reader.required(&mut section, "until", "the last day, such as \"2027-06-30\""),
            };
            reader.finish(section);
            // What is missing or no text was said; it is not wrong as well.
            all.extend(is_whole.then_some(exception));
        }
        all
    }
}

impl Tunnel {
    fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Option<Self> {
        let mut section = reader.section(root, "tunnel");
        section.line()?;
        let tunnel = Self {
            addresses: reader.some_texts(&mut section, "addresses", "a list of the tunnel's addresses"),
            table: reader.text(&mut section, "table"),
            vici: reader.text(&mut section, "vici"),
        };
        reader.finish(section);
        Some(tunnel)
    }
}

impl Anchor {
    fn read<'i>(reader: &mut Reader<'i>, above: &mut Section<'i>) -> Vec<Self> {
        let mut anchors = Vec::new();
        for mut section in reader.sections(above, "anchors") {
            let anchor = Self {
                name: reader.required(&mut section, "name", "what you call this CA"),
                certificates: reader.required(
                    &mut section,
                    "certificates",
                    "a file with CA certificates, PEM",
                ),
                realms: reader.texts(&mut section, "realms", "the realms that this CA may issue for"),
                crls: reader.some_texts(&mut section, "crls", "a list of files with revocation lists"),
                crl_grace_days: reader.number(&mut section, "crl_grace_days", 0..366, 7),
                min_rsa_bits: reader.number(&mut section, "min_rsa_bits", 2048..16_385, 2048),
                keys: reader.some_texts(&mut section, "keys", "a list of rsa, p256, p384"),
                exceptions: Exception::read(reader, &mut section),
            };
            reader.finish(section);
            anchors.push(anchor);
        }
        anchors
    }
}

impl Api {
    fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "api");
        let api = Self {
            listen: or(reader.text(&mut section, "listen"), "127.0.0.1:8443"),
            certificate: reader.text(&mut section, "certificate"),
            key: reader.text(&mut section, "key"),
            client_anchors: reader.text(&mut section, "client_anchors"),
            requests_per_minute: reader.number(&mut section, "requests_per_minute", 60..1_000_001, 6000),
            oidc: Oidc::read(reader, &mut section),
        };
        reader.finish(section);
        api
    }
}

impl Oidc {
    fn read<'i>(reader: &mut Reader<'i>, above: &mut Section<'i>) -> Option<Self> {
        let mut section = reader.section(above, "oidc");
        section.line()?;
        let oidc = Self {
            issuer: reader.required(&mut section, "issuer", "the https URL of the identity provider"),
            client_id: reader.required(&mut section, "client_id", "what the identity provider calls us"),
            client_secret_file: reader.text(&mut section, "client_secret_file"),
            external_url: reader.required(&mut section, "external_url", "where browsers reach this API"),
            anchors: reader.text(&mut section, "anchors"),
        };
        reader.finish(section);
        Some(oidc)
    }
}

impl Admission {
    fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "admission");
        let identities = reader.text(&mut section, "identities");
        let mut policy =
            |key| reader.text(&mut section, key).unwrap_or_else(|| At::default("alarm".to_owned()));
        let (oui_mismatch, clones) = (policy("oui_mismatch"), policy("clones"));
        reader.finish(section);
        Self { identities, oui_mismatch, clones }
    }
}

impl Gate {
    fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "gate");
        let policy = reader.text(&mut section, "policy");
        reader.finish(section);
        Self { policy: policy.unwrap_or_else(|| At::default("closed".to_owned())) }
    }
}

impl Changes {
    fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>, is_lab: bool) -> Self {
        let mut section = reader.section(root, "changes");
        let mut number = |key, bounds, default| reader.number(&mut section, key, bounds, default);
        let changes = Self {
            cells_per_hour: number("cells_per_hour", 1..1_000_001, 1000),
            fleet_percent: number("fleet_percent", 1..101, 10),
            second_person_above: number("second_person_above", 0..100_000_001, 1000),
            stop_percent: number("stop_percent", 0..101, 5),
            stop_above: number("stop_above", 0..1_000_001, 2),
            settle_seconds: number("settle_seconds", 0..86_401, if is_lab { 0 } else { 900 }),
            finish_days: number("finish_days", 1..366, 7),
        };
        reader.finish(section);
        changes
    }
}

impl Limits {
    fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "limits");
        let mut number = |key, bounds, default| reader.number(&mut section, key, bounds, default);
        let limits = Self {
            session_seconds: number("session_seconds", 30..601, 60),
            believed_seconds: number("believed_seconds", 0..31_536_001, 0),
            envelope_bytes: number("envelope_bytes", 32_768..(64 << 20) + 1, 32 << 20),
            connections: number("connections", 1..100_001, 4096),
            handshakes: number("handshakes", 1..10_001, 512),
            header_seconds: number("header_seconds", 1..61, 10),
            body_seconds: number("body_seconds", 1..601, 60),
        };
        reader.finish(section);
        limits
    }
}
