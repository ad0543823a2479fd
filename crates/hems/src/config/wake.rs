//! What `[wake]` means: a certificate with the wake role under the cells' own anchors, or the tunnel and none.

use std::{net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use profile::{CertificateFacts, HemsUrl, Materials, OwnCertificate, Terms, TransportMode, WakeConnector};

use super::{Check, File, Tls, Transport, chain_of, file};
use crate::{guard::Network, tunnel::Tunnel};

/// How this node sends Connection Requests.
#[derive(Clone)]
pub(crate) struct Waking {
    /// By which certificate, and whom it trusts; nothing in mode `ipsec`.
    pub(crate) line: Option<WakeLine>,
    /// Who says whose an address in the tunnel is.
    pub(crate) tunnel: Option<Arc<Tunnel>>,
    /// Where cells may listen beside where they call from.
    pub(crate) networks: Arc<[Network]>,
    pub(crate) at_once: usize,
    pub(crate) per_second: u32,
    /// How long one may take.
    pub(crate) patience: Duration,
}

/// What the connector to listeners is made of.
#[derive(Clone)]
pub(crate) struct WakeLine {
    pub(crate) terms: Terms,
    pub(crate) materials: Materials,
    /// Our certificate, as it was when the file was read.
    certificate: CertificateFacts,
}

impl Waking {
    /// What every cell would refuse in our certificate at this moment.
    pub(super) fn faults(&self, url: &HemsUrl) -> Vec<String> {
        let Some(line) = &self.line else { return Vec::new() };
        let (own, now) = (&line.certificate, line.terms.clock.now());
        let path = line.materials.own.chain.display();
        let said = |what: String| format!("{path}, which wakes cells: {what}");
        let is_named = own.dns_names.iter().any(|name| name.eq_ignore_ascii_case(url.host()));
        let name = (!is_named && url.host().parse::<IpAddr>().is_err())
            .then(|| said(format!("it is not for {}, the host that cells call", url.host())));
        name.into_iter().chain(dates(own, now).map(said)).collect()
    }
}

fn dates(own: &CertificateFacts, now: Timestamp) -> Option<String> {
    if now < own.not_before {
        return Some(format!("it is not valid before {}", own.not_before));
    }
    (now > own.not_after).then(|| format!("it ended at {}", own.not_after))
}

impl Check {
    /// How cells are woken; nothing where the file does not say by which certificate.
    pub(super) fn wake(
        &mut self,
        file: &File,
        mode: TransportMode,
        transport: Option<&Transport>,
    ) -> Result<Option<Waking>, ()> {
        let typed = &file.wake;
        let networks: Vec<_> = typed.networks.iter().map(|at| self.network("wake.networks", at)).collect();
        let line = match mode {
            TransportMode::Ipsec => self.no_certificate(typed).map(|()| None).ok_or(())?,
            TransportMode::Public | TransportMode::IpsecTls if typed.line.is_none() => return Ok(None),
            TransportMode::Public | TransportMode::IpsecTls => {
                // Without listeners that was said.
                let tls = transport.and_then(|transport| transport.tls.as_ref()).ok_or(())?;
                Some(self.wake_line(typed, tls).ok_or(())?)
            }
        };
        Ok(Some(Waking {
            line,
            tunnel: transport.and_then(|transport| transport.tunnel.clone()),
            networks: networks.into_iter().collect::<Option<_>>().ok_or(())?,
            at_once: usize::try_from(typed.at_once).unwrap_or(usize::MAX),
            per_second: typed.per_second,
            patience: Duration::from_secs(typed.seconds.into()),
        }))
    }

    fn no_certificate(&mut self, typed: &file::Wake) -> Option<()> {
        let Some(at) = typed.certificate.as_ref().or(typed.key.as_ref()) else { return Some(()) };
        self.complain(
            at.line,
            "`wake.certificate` and `wake.key` have no place in mode \"ipsec\": the tunnel protects the request",
        )
    }

    /// The anchors are those of the listeners: who may call us may be asked to.
    fn wake_line(&mut self, typed: &file::Wake, tls: &Tls) -> Option<WakeLine> {
        let (Some(certificate), Some(key)) = (&typed.certificate, &typed.key) else {
            let right = "`hearth pki wake` or `hearth pki csr --role wake` make them";
            return self.complain(typed.line, format!("[wake] has `certificate` and `key`: {right}"));
        };
        let (line, chain, key) = (certificate.line, self.file(certificate), self.key(key));
        let own = OwnCertificate { chain: chain?, key: key? };
        let listener = tls.listeners.first()?;
        let materials = Materials { own, staple: None, ..listener.materials.clone() };
        // Nothing is kept yet: this is only looked at.
        let trial = Materials { kept_lists: None, ..materials.clone() };
        let connector = WakeConnector::new(&listener.terms, &trial, Arc::new(())).map_or_else(
            |error| self.complain(line, format!("`wake.certificate`: {}", chain_of(&error))),
            Some,
        )?;
        let certificate = connector.certificate();
        let key = &certificate.public_key_sha256;
        if let Some(other) = tls.listeners.iter().find(|other| other.certificate.public_key_sha256 == *key) {
            let said = format!("`wake.key` serves the listener \"{}\" already; make another", other.name);
            return self.complain(typed.line, said);
        }
        Some(WakeLine { terms: listener.terms.clone(), materials, certificate })
    }
}
