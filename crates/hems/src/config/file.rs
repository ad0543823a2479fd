//! What was typed: each key of the configuration file with its line, its unit, its default and its bound.
//!
//! Nothing is opened or judged here; [`Config`](super::Config) is what it means.

use super::reader::{At, ConfigError, Reader, Section};

/// The whole file.
#[derive(Clone, Debug)]
pub struct File {
    /// Whether this is a laboratory: lab CAs and lab policies are allowed. Default: false.
    pub lab: At<bool>,
    /// The folder for the database and the API token; made where it is missing.
    pub state_dir: At<String>,
    /// How cells reach this H(e)MS: `public` or `ipsec-tls`. Default: `public`.
    pub mode: At<String>,
    /// A file with more quirks of products than the known ones. Default: none.
    pub quirks: Option<At<String>>,
    /// The listeners for cells.
    pub cwmp: Cwmp,
    /// The listener for operators.
    pub api: Api,
    /// Who is admitted.
    pub admission: Admission,
    /// Whether a cell may transmit where it stands.
    pub gate: Gate,
    /// Bounds.
    pub limits: Limits,
}

/// `[cwmp]`: the listeners for cells.
#[derive(Clone, Debug)]
pub struct Cwmp {
    /// Addresses with ports, at least one; port 0 takes a free one.
    pub listen: Vec<At<String>>,
    /// The certificate chain, PEM, leaf first.
    pub certificate: At<String>,
    /// The private key, PEM, readable by its owner only.
    pub key: At<String>,
    /// The https URL that cells are given.
    pub url: At<String>,
    /// Who vouches for cells, at least one.
    pub anchors: Vec<Anchor>,
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
}

/// `[api]`: the listener for operators.
#[derive(Clone, Debug)]
pub struct Api {
    /// A loopback address with its port. Default: `127.0.0.1:8443`.
    pub listen: At<String>,
}

/// `[admission]`: who is admitted.
#[derive(Clone, Debug)]
pub struct Admission {
    /// A CSV file with the columns identity, oui, product_class and serial. Default: none.
    pub identities: Option<At<String>>,
}

/// `[gate]`: whether a cell may transmit where it stands.
#[derive(Clone, Debug)]
pub struct Gate {
    /// `closed`, or in a lab `accept-declared`. Default: `closed`.
    pub policy: At<String>,
}

/// `[limits]`: bounds, each with a reason at its definition in this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Seconds that a session waits for the next post: 30 to 600. Default: 60, twice what a cell must wait. (H-09, S-05)
    pub session_seconds: u32,
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
        let file = Self {
            lab: reader.boolean(&mut root, "lab"),
            state_dir: reader.required(&mut root, "state_dir", "a folder for the database and the API token"),
            mode: reader.text(&mut root, "mode").unwrap_or_else(|| At::default("public".to_owned())),
            quirks: reader.text(&mut root, "quirks"),
            cwmp: Cwmp::read(&mut reader, &mut root),
            api: Api::read(&mut reader, &mut root),
            admission: Admission::read(&mut reader, &mut root),
            gate: Gate::read(&mut reader, &mut root),
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
            certificate: reader.required(
                &mut section,
                "certificate",
                "a file with the chain, PEM, leaf first",
            ),
            key: reader.required(&mut section, "key", "a file with the private key, PEM"),
            url: reader.required(&mut section, "url", "the https URL that cells are given"),
            anchors: Anchor::read(reader, &mut section),
        };
        if cwmp.anchors.is_empty() {
            reader.complain(section.line(), "no [[cwmp.anchors]]: without one no cell can be authenticated");
        }
        reader.finish(section);
        cwmp
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
        let listen = reader.text(&mut section, "listen");
        reader.finish(section);
        Self { listen: listen.unwrap_or_else(|| At::default("127.0.0.1:8443".to_owned())) }
    }
}

impl Admission {
    fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "admission");
        let identities = reader.text(&mut section, "identities");
        reader.finish(section);
        Self { identities }
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

impl Limits {
    fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "limits");
        let mut number = |key, bounds, default| reader.number(&mut section, key, bounds, default);
        let limits = Self {
            session_seconds: number("session_seconds", 30..601, 60),
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
