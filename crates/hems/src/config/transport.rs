//! What each transport mode wants to stand in the file, and what it does not let stand there. (X-01 to X-03)
//!
//! ```text
//!               certificate, key, anchors   [tunnel]              proxy_from   url
//!  public       yes                         no                    may          https
//!  ipsec-tls    yes                         may: it must agree    may          https
//!  ipsec        no                          yes                   no           http, at a tunnel address
//! ```

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use profile::{Clock, TransportMode};

use super::{At, Check, File, file, tls::Tls};
use crate::tunnel::{Table, Tunnel};

/// By what cells are known, and who may stand before us.
#[derive(Clone)]
pub(crate) struct Transport {
    /// How cells are accepted by TLS; none in mode `ipsec`.
    pub(crate) tls: Option<Tls>,
    /// Vouches for inner addresses.
    pub(crate) tunnel: Option<Arc<Tunnel>>,
    /// Whose PROXY header is read, and without whose header nothing is.
    pub(crate) proxy_from: Arc<[IpAddr]>,
}

impl Check {
    /// Checks the transport's part of the file under the rules of its mode.
    pub(super) fn transport(
        &mut self,
        file: &File,
        mode: TransportMode,
        clock: &Arc<dyn Clock>,
    ) -> Option<Transport> {
        let proxy_from: Vec<_> =
            file.cwmp.proxy_from.iter().map(|at| self.ip("cwmp.proxy_from", at)).collect();
        let tunnel = file.tunnel.as_ref().map(|section| self.tunnel(section));
        let is_plain = mode == TransportMode::Ipsec;
        let tls = if is_plain {
            self.no_tls(file);
            None
        } else {
            Some(self.tls(file, clock))
        };
        match mode {
            TransportMode::Ipsec => self.tunnel_only(file),
            TransportMode::IpsecTls => {}
            TransportMode::Public => self.no_tunnel(file),
        }
        Some(Transport {
            tls: match tls {
                Some(tls) => Some(tls?),
                None => None,
            },
            tunnel: match tunnel {
                Some(tunnel) => Some(Arc::new(tunnel?)),
                None => None,
            },
            proxy_from: proxy_from.into_iter().collect::<Option<_>>()?,
        })
    }

    /// A plain listener never stands beside a TLS one. (decision 4)
    fn no_tls(&mut self, file: &File) {
        let texts = [("certificate", &file.cwmp.certificate), ("key", &file.cwmp.key)];
        let texts = texts.into_iter().filter_map(|(key, at)| Some((key, at.as_ref()?.line)));
        let anchors = file.cwmp.anchors.iter().map(|anchor| ("anchors", anchor.name.line));
        let balancers = file.cwmp.proxy_from.iter().take(1).map(|at| ("proxy_from", at.line));
        let also = file.cwmp.also.iter().map(|also| ("also", also.name.line));
        for (key, line) in texts.chain(anchors).chain(also).chain(balancers) {
            let why = if key == "proxy_from" {
                "the tunnel's address is the identity, and a PROXY header would replace it"
            } else {
                "its listeners speak plain HTTP inside the tunnel, and no TLS listener stands beside them"
            };
            self.complain::<()>(line, format!("`cwmp.{key}` has no place in mode \"ipsec\": {why}"));
        }
    }

    fn no_tunnel(&mut self, file: &File) {
        let Some(tunnel) = &file.tunnel else { return };
        let line = [&tunnel.table, &tunnel.vici].into_iter().flatten().chain(&tunnel.addresses).next();
        self.complain::<()>(
            line.and_then(|at| at.line),
            "`tunnel` has no place in mode \"public\": cells come without one",
        );
    }

    /// Only the tunnel reaches a plain listener. (X-03)
    fn tunnel_only(&mut self, file: &File) {
        let Some(tunnel) = &file.tunnel else {
            return self
                .complain::<()>(
                    file.mode.line,
                    "mode \"ipsec\" needs [tunnel]: its `addresses`, and `table` or `vici` for the cells' identities",
                )
                .unwrap_or_default();
        };
        let addresses: Vec<IpAddr> = tunnel.addresses.iter().filter_map(|at| at.value.parse().ok()).collect();
        for at in &file.cwmp.listen {
            let listens: Option<SocketAddr> = at.value.parse().ok();
            if listens.is_some_and(|listens| !addresses.contains(&listens.ip())) {
                self.complain::<()>(
                    at.line,
                    format!("`cwmp.listen` {} is no address of `tunnel.addresses`: plain HTTP is spoken nowhere else", at.value),
                );
            }
        }
    }

    fn tunnel(&mut self, section: &file::Tunnel) -> Option<Tunnel> {
        for at in &section.addresses {
            self.tunnel_address(at);
        }
        match (&section.table, &section.vici) {
            (Some(table), None) => self.table(table),
            (None, Some(vici)) => Some(Tunnel::vici(self.path(vici))),
            (table, vici) => {
                let line = table.as_ref().or(vici.as_ref()).and_then(|at| at.line);
                self.complain(
                    line,
                    "[tunnel] has either `table` or `vici`: one of them vouches for the cells",
                )
            }
        }
    }

    fn tunnel_address(&mut self, at: &At<String>) {
        let address = self.ip("tunnel.addresses", at);
        if address.is_some_and(|address| address.is_unspecified()) {
            self.complain::<()>(
                at.line,
                format!(
                    "`tunnel.addresses` {} is every address of this machine, the public ones too",
                    at.value
                ),
            );
        }
    }

    fn table(&mut self, at: &At<String>) -> Option<Tunnel> {
        let path: PathBuf = self.file(at)?;
        match Table::load(path.clone()) {
            Ok(table) => Some(Tunnel::Table(table)),
            Err(error) => self.complain(at.line, format!("{}: {error}", path.display())),
        }
    }

    fn ip(&mut self, key: &str, at: &At<String>) -> Option<IpAddr> {
        let address: Option<IpAddr> = at.value.parse().ok();
        address.map(|address| address.to_canonical()).or_else(|| {
            self.complain(
                at.line,
                format!("`{key}` are addresses such as \"10.0.0.5\", not \"{}\"", at.value),
            )
        })
    }
}
