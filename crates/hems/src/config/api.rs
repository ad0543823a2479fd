//! What the file says of the listener for operators: loopback, or TLS.

use std::net::SocketAddr;

use profile::{OwnCertificate, WebAcceptor, WebMaterials};

use super::{At, Check, File, Tls, chain_of};

impl Check {
    /// Where operators call, and with which certificate.
    pub(super) fn api(&mut self, file: &File) -> Option<(SocketAddr, Option<WebMaterials>)> {
        let listen = self.address(&file.api.listen, "8443");
        let Ok(materials) = self.api_certificate(file) else { return None };
        let listen = listen?;
        if materials.is_some() || listen.ip().is_loopback() {
            return Some((listen, materials));
        }
        self.complain(
            file.api.listen.line,
            format!(
                "`api.listen` is a loopback address, or there are `api.certificate` and `api.key`: in plain HTTP \
                 {listen} would show passwords and tokens to the network"
            ),
        )
    }

    fn api_certificate(&mut self, file: &File) -> Result<Option<WebMaterials>, ()> {
        let api = &file.api;
        let (certificate, key) = match (&api.certificate, &api.key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) => return self.no_anchors(api.client_anchors.as_ref()),
            (Some(one), None) | (None, Some(one)) => {
                self.complain::<()>(
                    one.line,
                    "`api.certificate` and `api.key` belong together: one is missing",
                );
                return Err(());
            }
        };
        let anchors = api.client_anchors.as_ref().map(|at| self.file(at).ok_or(()));
        let (chain, key) = (self.file(certificate).ok_or(())?, self.key(key).ok_or(())?);
        let own = OwnCertificate { chain, key };
        let materials = WebMaterials { own, client_anchors: anchors.transpose()?, lab: file.lab.value };
        match WebAcceptor::new(&materials) {
            Ok(_) => Ok(Some(materials)),
            Err(error) => {
                self.complain::<()>(certificate.line, format!("`api.certificate`: {}", chain_of(&error)));
                Err(())
            }
        }
    }

    fn no_anchors(&mut self, anchors: Option<&At<String>>) -> Result<Option<WebMaterials>, ()> {
        let Some(at) = anchors else { return Ok(None) };
        self.complain::<()>(
            at.line,
            "`api.client_anchors` needs `api.certificate`: without TLS nobody shows one",
        );
        Err(())
    }

    /// What a cell may make our key decrypt must not sign for operators. (decision 9)
    pub(super) fn no_key_of_cells(&mut self, file: &File, api: Option<&WebMaterials>, tls: Option<&Tls>) {
        let key =
            api.and_then(|api| WebAcceptor::new(api).ok()).map(|web| web.certificate().public_key_sha256);
        let listeners = tls.map(|tls| tls.listeners.as_slice()).unwrap_or_default();
        let shared = listeners.iter().find(|one| Some(&one.certificate.public_key_sha256) == key.as_ref());
        if let Some(listener) = shared {
            let other = &listener.name;
            self.complain::<()>(
                file.api.key.as_ref().and_then(|at| at.line),
                format!("`api.key` serves the cells' listener \"{other}\" already; make another"),
            );
        }
    }
}
