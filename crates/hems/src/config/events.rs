//! What the sections about events mean: networks are networks, names can be subjects, files can be read.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use jiff::SignedDuration;
use profile::WebConnector;

use super::{Check, File, file};
use crate::guard::Network;

/// Where metrics and health are, where nobody says.
const ADMIN: &str = "127.0.0.1:9464";
/// Characters of a name of NATS.
const NAME_MAX: usize = 64;
/// Characters of the source.
const SOURCE_MAX: usize = 128;

/// Where metrics and health are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AdminPlace {
    pub(crate) listen: SocketAddr,
    /// Whether somebody typed it, and will miss it.
    pub(crate) is_typed: bool,
}

/// What is told, and to whom.
#[derive(Clone)]
pub(crate) struct Telling {
    pub(crate) source: String,
    pub(crate) tells_sessions: bool,
    pub(crate) keep_rows: i64,
    pub(crate) keep: SignedDuration,
    pub(crate) webhook_networks: Arc<[Network]>,
    pub(crate) webhook_tls: WebConnector,
    pub(crate) nats: Option<NatsLine>,
}

/// The way to NATS.
#[derive(Clone, Debug)]
pub(crate) struct NatsLine {
    pub(crate) url: String,
    pub(crate) prefix: String,
    pub(crate) stream: String,
    pub(crate) credentials_file: Option<PathBuf>,
}

impl Check {
    pub(super) fn admin(&mut self, file: &File) -> Option<AdminPlace> {
        let typed = file.admin.listen.clone();
        let is_typed = typed.is_some();
        let at = typed.unwrap_or_else(|| super::At::default(ADMIN.to_owned()));
        Some(AdminPlace { listen: self.address(&at, "9464")?, is_typed })
    }

    pub(super) fn events(&mut self, events: &file::Events) -> Option<Telling> {
        let source = self.source(&events.source);
        let tells_sessions = match events.sessions.value.as_str() {
            "failed" => Some(false),
            "all" => Some(true),
            other => self.complain(
                events.sessions.line,
                format!("`events.sessions` is \"failed\" or \"all\", not \"{other}\""),
            ),
        };
        let networks = events.webhook_networks.iter();
        let networks: Vec<_> = networks.map(|at| self.network("events.webhook_networks", at)).collect();
        let tls = self.webhook_tls(events);
        let nats = events.nats.as_ref().map(|nats| self.nats(nats).ok_or(()));
        Some(Telling {
            source: source?,
            tells_sessions: tells_sessions?,
            keep_rows: events.keep_rows.into(),
            keep: SignedDuration::from_hours(24 * i64::from(events.keep_days)),
            webhook_networks: networks.into_iter().collect::<Option<_>>()?,
            webhook_tls: tls?,
            nats: nats.transpose().ok()?,
        })
    }

    /// A reference, as RFC 3986 writes it.
    fn source(&mut self, at: &super::At<String>) -> Option<String> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/:.-_~".contains(&byte);
        if (1..=SOURCE_MAX).contains(&at.value.len()) && at.value.bytes().all(is_part) {
            return Some(at.value.clone());
        }
        let right =
            format!("1 to {SOURCE_MAX} letters, digits and any of / : . - _ ~, such as \"/hems/north\"");
        self.complain(at.line, format!("`events.source` has {right}"))
    }

    pub(super) fn network(&mut self, key: &str, at: &super::At<String>) -> Option<Network> {
        at.value.parse().map_or_else(|error| self.complain(at.line, format!("`{key}`: {error}")), Some)
    }

    fn webhook_tls(&mut self, events: &file::Events) -> Option<WebConnector> {
        let at = events.webhook_anchors.as_ref();
        let path = at.map(|at| self.file(at).ok_or(())).transpose().ok()?;
        WebConnector::new(path.as_deref(), None).map_or_else(
            |error| self.complain(at.and_then(|at| at.line), format!("`events.webhook_anchors`: {error}")),
            Some,
        )
    }

    fn nats(&mut self, nats: &file::Nats) -> Option<NatsLine> {
        let prefix = self.nats_name("prefix", &nats.prefix, ".-_");
        let stream = self.nats_name("stream", &nats.stream, "-_");
        let file = nats.credentials_file.as_ref();
        let credentials = file.map(|at| self.secret(at, "credentials").ok_or(()));
        let is_url = ["nats://", "tls://"].iter().any(|scheme| nats.url.value.starts_with(scheme));
        if !nats.url.value.is_empty() && (!is_url || nats.url.value.contains('@')) {
            let right = "begins with nats:// or tls://, and has no password: see `credentials_file`";
            return self.complain(nats.url.line, format!("`nats.url` {right}"));
        }
        Some(NatsLine {
            url: nats.url.value.clone(),
            prefix: prefix?,
            stream: stream?,
            credentials_file: credentials.transpose().ok()?,
        })
    }

    fn nats_name(&mut self, key: &str, at: &super::At<String>, more: &str) -> Option<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        let is_name = (1..=NAME_MAX).contains(&at.value.len()) && at.value.chars().all(is_part);
        // Two dots make an empty token, and one at an end.
        if is_name && at.value.split('.').all(|token| !token.is_empty()) {
            return Some(at.value.clone());
        }
        let right = format!("1 to {NAME_MAX} letters, digits and any of {more}");
        self.complain(at.line, format!("`nats.{key}` has {right}"))
    }
}
