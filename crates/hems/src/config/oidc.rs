//! What the file says of the identity provider.

use profile::WebConnector;

use super::{At, Check, chain_of, file};
use crate::people::oidc::is_loopback;

/// Where the provider sends browsers back to.
const CALLBACK: &str = "/api/v1/oidc/callback";

/// An identity provider.
#[derive(Clone)]
pub(crate) struct OidcConfig {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) secret: Option<String>,
    /// Where browsers come back to.
    pub(crate) redirect: String,
    pub(crate) connector: WebConnector,
}

impl Check {
    /// Checks the identity provider's part of the file.
    pub(super) fn oidc(&mut self, typed: &file::Oidc) -> Option<OidcConfig> {
        let secret = typed.client_secret_file.as_ref().map(|at| self.password(at).ok_or(()));
        let anchors = typed.anchors.as_ref().map(|at| self.file(at).ok_or(()));
        let issuer = self.web_url("issuer", &typed.issuer);
        let external = self.web_url("external_url", &typed.external_url);
        let anchors = anchors.transpose().ok()?;
        let connector = WebConnector::new(anchors.as_deref(), None).map_or_else(
            |error| self.complain(typed.issuer.line, format!("`api.oidc.anchors`: {}", chain_of(&error))),
            Some,
        );
        Some(OidcConfig {
            issuer: issuer?,
            client_id: Some(typed.client_id.value.clone()).filter(|id| !id.is_empty())?,
            secret: secret.transpose().ok()?,
            redirect: format!("{}{CALLBACK}", external?.trim_end_matches('/')),
            connector: connector?,
        })
    }

    /// An https URL without a query; http on this machine only, for proxies and tests.
    fn web_url(&mut self, key: &str, at: &At<String>) -> Option<String> {
        if at.value.is_empty() {
            return None;
        }
        let uri: Option<hyper::Uri> = at.value.parse().ok();
        let is_good = uri.is_some_and(|uri| {
            let host = uri.host().unwrap_or_default();
            let is_private = uri.scheme_str() == Some("https") || is_loopback(host);
            !host.is_empty() && is_private && uri.query().is_none()
        });
        if is_good {
            return Some(at.value.clone());
        }
        let right = "an https URL without a query, or http on a loopback address";
        self.complain(at.line, format!("`api.oidc.{key}` is {right}, not \"{}\"", at.value))
    }
}
