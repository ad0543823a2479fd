//! The section about Connection Requests: nothing listens unless it says how. (decision 5, R-04)
//!
//! ```text
//!   off                  no other key stands beside it
//!   tls                  listen, certificate, key, from
//!   tunnel               port, from; the address is the tunnel's
//! ```

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use profile::{OwnCertificate, TransportMode};

use super::{
    existing, key,
    meaning::{ConnectionRequest, Entrance},
    reader::{Reader, Typed},
};
use crate::tunnel::TunnelEnd;

/// Most sources: a H(e)MS has a few nodes, and each connection is compared with all of them.
const MOST_SOURCES: usize = 64;

/// Where CWMP listens. (IANA)
const PORT: u16 = 7547;

/// `[connection_request]`: whether and how the H(e)MS may ask this cell for a session.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// "tls" takes Connection Requests over TLS from who has the wake role of the cell's H(e)MS, "tunnel" takes plain ones
    /// at `tunnel.address`, "off" listens nowhere. Default "off".
    kind: Option<Typed<String>>,
    /// With "tls": an address of this cell with a port, such as "192.0.2.7:7547"; port 0 takes a free one. Required.
    listen: Option<Typed<String>>,
    /// With "tunnel": the port at `tunnel.address`, 0 to 65535. Default 7547.
    port: Option<Typed<i64>>,
    /// Addresses of the H(e)MS, at most 64; whoever comes from another one is not heard. Required with "tls"; with "tunnel"
    /// the default is everybody in the tunnel.
    from: Vec<Typed<String>>,
    /// With "tls": PEM file with the listener's chain, for the identity of the cell. Required.
    certificate: Option<Typed<String>>,
    /// With "tls": the listener's key, which is not the cell's: a PEM file, readable by its owner only, or a PKCS#11 URI.
    /// Required.
    key: Option<Typed<String>>,
}

impl Section {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        const NAME: &str = "connection_request";
        Self {
            kind: reader.text(NAME, "kind"),
            listen: reader.text(NAME, "listen"),
            port: reader.integer(NAME, "port"),
            from: reader.texts(NAME, "from"),
            certificate: reader.text(NAME, "certificate"),
            key: reader.text(NAME, "key"),
        }
    }

    /// What it means beside this end of the tunnel.
    pub(super) fn meaning(
        &self,
        reader: &mut Reader<'_>,
        base: &Path,
        mode: TransportMode,
        tunnel: Option<&TunnelEnd>,
    ) -> Option<ConnectionRequest> {
        let kind = self.kind.as_ref();
        match kind.map(|kind| kind.value.as_str()) {
            None | Some("off") => {
                let listens = [self.line_for_tls(), self.line_for_tunnel(), first_line(&self.from)];
                let right = "say kind = \"tls\" or \"tunnel\", or leave it out";
                refuse(reader, listens, "nothing listens with kind \"off\"", right);
                None
            }
            Some("tls") => {
                refuse(reader, [self.line_for_tunnel()], "kind \"tls\" has no port", "say it in listen");
                self.over_tls(reader, base)
            }
            Some("tunnel") => {
                let right = "the tunnel protects it: leave it out";
                refuse(
                    reader,
                    [self.line_for_tls()],
                    "kind \"tunnel\" has no listen, certificate or key",
                    right,
                );
                self.in_the_tunnel(reader, mode, tunnel)
            }
            Some(_) => {
                let line = kind.map_or(1, |kind| kind.line);
                let text = "connection_request.kind: \"off\", \"tls\" or \"tunnel\" is right";
                reader.complain(line, text.to_owned());
                None
            }
        }
    }

    fn over_tls(&self, reader: &mut Reader<'_>, base: &Path) -> Option<ConnectionRequest> {
        let listen = reader.required("connection_request.listen", self.listen.as_ref(), "\"192.0.2.7:7547\"");
        let listen = listen.and_then(|typed| typed.parse(reader, read_listen));
        let name = "connection_request.certificate";
        let chain = existing(reader, base, name, self.certificate.as_ref());
        let key = key(reader, base, "connection_request.key", self.key.as_ref());
        let right = "a list of the H(e)MS's addresses";
        reader.required("connection_request.from", self.from.first(), right);
        let from = self.sources(reader);
        let entrance = Entrance::Tls(OwnCertificate { chain: chain?, key: key? });
        Some(ConnectionRequest { listen: listen?, from, entrance })
    }

    fn in_the_tunnel(
        &self,
        reader: &mut Reader<'_>,
        mode: TransportMode,
        tunnel: Option<&TunnelEnd>,
    ) -> Option<ConnectionRequest> {
        let from = self.sources(reader);
        let port = self.port.as_ref().map_or(Some(PORT), |typed| {
            let port = u16::try_from(typed.value).ok();
            if port.is_none() {
                reader.complain(typed.line, "connection_request.port: 0 to 65535 is right".to_owned());
            }
            port
        });
        let Some(tunnel) = tunnel else {
            let line = self.kind.as_ref().map_or(1, |kind| kind.line);
            let right = match mode {
                TransportMode::Public => "mode \"public\" has no tunnel; \"tls\" is right with it",
                TransportMode::IpsecTls | TransportMode::Ipsec => {
                    "\"tunnel\" listens at tunnel.address, which is missing"
                }
            };
            reader.complain(line, format!("connection_request.kind: {right}"));
            return None;
        };
        let listen = SocketAddr::new(tunnel.address, port?);
        Some(ConnectionRequest { listen, from, entrance: Entrance::Tunnel(tunnel.interface.clone()) })
    }

    fn sources(&self, reader: &mut Reader<'_>) -> Vec<IpAddr> {
        if let Some(first) = self.from.get(MOST_SOURCES) {
            let text = format!("connection_request.from: at most {MOST_SOURCES} addresses are right");
            reader.complain(first.line, text);
        }
        self.from.iter().filter_map(|typed| typed.parse(reader, read_source)).collect()
    }

    fn line_for_tls(&self) -> Option<usize> {
        [&self.listen, &self.certificate, &self.key].into_iter().flatten().map(|typed| typed.line).min()
    }

    fn line_for_tunnel(&self) -> Option<usize> {
        self.port.as_ref().map(|typed| typed.line)
    }
}

fn first_line(list: &[Typed<String>]) -> Option<usize> {
    list.first().map(|typed| typed.line)
}

/// Complains once, at the first line where something stands that does not belong there.
fn refuse<const N: usize>(reader: &mut Reader<'_>, lines: [Option<usize>; N], what: &str, right: &str) {
    if let Some(line) = lines.into_iter().flatten().min() {
        reader.complain(line, format!("connection_request: {what}; {right}"));
    }
}

/// One address, because its URL is told to the H(e)MS.
fn read_listen(text: &str) -> Result<SocketAddr, String> {
    let right = "connection_request.listen: one address of this cell with a port, such as \"192.0.2.7:7547\" or \
                 \"[2001:db8::7]:7547\", is right";
    text.parse()
        .ok()
        .filter(|listen: &SocketAddr| !listen.ip().is_unspecified())
        .ok_or_else(|| right.to_owned())
}

fn read_source(text: &str) -> Result<IpAddr, String> {
    let right = || {
        format!(
            "connection_request.from: addresses such as \"192.0.2.1\" are right, not \"{}\"",
            text.escape_debug()
        )
    };
    text.parse().map_err(|_| right())
}
