//! What was typed about those who watch: events, alarms, metrics.

use super::{
    super::reader::{At, Reader, Section},
    or,
};

/// `[admin]`: the listener for metrics and health, without a token and without a name of a cell.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Its address with port. Default: `127.0.0.1:9464`; where nobody typed it and it is taken, the server goes without.
    pub listen: Option<At<String>>,
}

/// `[alarms]`: from when on something is worth an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarms {
    /// Refusals for one reason within a minute: 1 to 1000000. Default: 100.
    pub refusals_per_minute: u32,
}

/// `[events]`: what is told of what happens, how long it is kept, and who may be told.
#[derive(Clone, Debug)]
pub struct Events {
    /// The source in every event, which tells deployments apart, such as `/hems/north`. Default: `/hems`.
    pub source: At<String>,
    /// Which sessions are events: `failed` for those that did not end as they should, or `all`. Default: `failed`.
    pub sessions: At<String>,
    /// Events that are kept for listeners that come back: 1000 to 100000000. Default: 1000000.
    pub keep_rows: u32,
    /// Days that they are kept: 1 to 365. Default: 7.
    pub keep_days: u32,
    /// Networks that webhooks may lead to although they are not public, such as `10.1.0.0/16`. Default: none.
    pub webhook_networks: Vec<At<String>>,
    /// The authorities that receivers' certificates come from, PEM. Default: those of the system.
    pub webhook_anchors: Option<At<String>>,
    /// The way to NATS.
    pub nats: Option<Nats>,
}

/// `[events.nats]`: every event goes to a stream of NATS JetStream, too. Default: it does not.
#[derive(Clone, Debug)]
pub struct Nats {
    /// The servers, such as `nats://127.0.0.1:4222` or `tls://nats.example`.
    pub url: At<String>,
    /// What subjects begin with: `PREFIX.TYPE.IDENTITY`. Default: `hems`.
    pub prefix: At<String>,
    /// The stream, made with the subjects `PREFIX.>` where it is missing. Default: `HEARTH`.
    pub stream: At<String>,
    /// A file of credentials that NATS' tools made, readable by its owner only. Default: none.
    pub credentials_file: Option<At<String>>,
}

impl Admin {
    pub(super) fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "admin");
        let listen = reader.text(&mut section, "listen");
        reader.finish(section);
        Self { listen }
    }
}

impl Alarms {
    pub(super) fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "alarms");
        let refusals_per_minute = reader.number(&mut section, "refusals_per_minute", 1..1_000_001, 100);
        reader.finish(section);
        Self { refusals_per_minute }
    }
}

impl Events {
    pub(super) fn read<'i>(reader: &mut Reader<'i>, root: &mut Section<'i>) -> Self {
        let mut section = reader.section(root, "events");
        let events = Self {
            source: or(reader.text(&mut section, "source"), "/hems"),
            sessions: or(reader.text(&mut section, "sessions"), "failed"),
            keep_rows: reader.number(&mut section, "keep_rows", 1000..100_000_001, 1_000_000),
            keep_days: reader.number(&mut section, "keep_days", 1..366, 7),
            webhook_networks: reader.some_texts(&mut section, "webhook_networks", "a list of networks"),
            webhook_anchors: reader.text(&mut section, "webhook_anchors"),
            nats: Nats::read(reader, &mut section),
        };
        reader.finish(section);
        events
    }
}

impl Nats {
    fn read<'i>(reader: &mut Reader<'i>, above: &mut Section<'i>) -> Option<Self> {
        let mut section = reader.section(above, "nats");
        section.line()?;
        let nats = Self {
            url: reader.required(&mut section, "url", "the servers, such as nats://127.0.0.1:4222"),
            prefix: or(reader.text(&mut section, "prefix"), "hems"),
            stream: or(reader.text(&mut section, "stream"), "HEARTH"),
            credentials_file: reader.text(&mut section, "credentials_file"),
        };
        reader.finish(section);
        Some(nats)
    }
}
