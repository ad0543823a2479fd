//! Login by an identity provider: OpenID Connect, authorization code with PKCE.
//!
//! What the browser has to bring back (state, nonce, PKCE's verifier) stays in a cookie of its own, so that any node
//! can end what another began and nothing is kept for whoever does not come back.
//!
//! ```text
//!  browser ─▶ begin: cookie, and away to the provider ─▶ … ─▶ back with a code and the state
//!                                                               │ state is the cookie's?
//!  claims ◀─ signature, iss, aud, nonce, exp ◀─ id_token ◀─ token endpoint: code, verifier
//! ```

mod exchange;
mod token;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::secret;
use crate::config::OidcConfig;
pub(crate) use exchange::is_loopback;
use exchange::{Exchange, escaped};

/// How long what the provider says of itself is believed.
const DISCOVERY: SignedDuration = SignedDuration::from_hours(1);

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    #[error("the system gives no random numbers")]
    Randomness,
    #[error("the identity provider at {url}: {detail}")]
    Provider { url: String, detail: String },
    #[error("the id_token {0}")]
    Token(&'static str),
    #[error("the answer does not belong to a login that this browser began")]
    State,
}

/// What the provider says of itself. (OpenID Connect Discovery 1.0, 3)
#[derive(Clone, Debug, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// The identity provider of this deployment.
pub(crate) struct Oidc {
    config: OidcConfig,
    exchange: Exchange,
    known: Mutex<Option<(Timestamp, Arc<Discovery>)>>,
}

/// A login that a browser begins.
pub(crate) struct Beginning {
    /// Where the browser goes.
    pub(crate) location: String,
    /// What it brings back, for its cookie.
    pub(crate) cookie: String,
}

/// What the browser comes back with.
pub(crate) struct Return<'r> {
    pub(crate) code: &'r str,
    pub(crate) state: &'r str,
    /// Who the provider says it is. (RFC 9207)
    pub(crate) issuer: Option<&'r str>,
    pub(crate) cookie: &'r str,
}

impl Oidc {
    pub(crate) fn new(config: OidcConfig) -> Self {
        let exchange = Exchange::new(config.connector.clone());
        Self { config, exchange, known: Mutex::new(None) }
    }

    /// Begins a login.
    pub(crate) async fn begin(&self, now: Timestamp) -> Result<Beginning, OidcError> {
        let discovery = self.discovery(now).await?;
        let fresh = || secret::key().map(|(key, _)| key).map_err(|_| OidcError::Randomness);
        let (state, nonce, verifier) = (fresh()?, fresh()?, fresh()?);
        let challenge = BASE64.encode(Sha256::digest(verifier.as_bytes()));
        let OidcConfig { client_id, redirect, .. } = &self.config;
        let joint = if discovery.authorization_endpoint.contains('?') { '&' } else { '?' };
        let location = format!(
            "{}{joint}response_type=code&scope=openid&client_id={}&redirect_uri={}&state={state}&nonce={nonce}\
             &code_challenge={challenge}&code_challenge_method=S256",
            discovery.authorization_endpoint,
            escaped(client_id),
            escaped(redirect),
        );
        Ok(Beginning { location, cookie: format!("{state}.{nonce}.{verifier}") })
    }

    /// Ends a login: the subject that the provider vouches for.
    pub(crate) async fn end(&self, back: Return<'_>, now: Timestamp) -> Result<String, OidcError> {
        let mut parts = back.cookie.splitn(3, '.');
        let (Some(state), Some(nonce), Some(verifier)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(OidcError::State);
        };
        let is_ours = !state.is_empty() && secret::hash(state) == secret::hash(back.state);
        if !is_ours || back.issuer.is_some_and(|issuer| issuer != self.config.issuer) {
            return Err(OidcError::State);
        }
        let discovery = self.discovery(now).await?;
        let tokens = self.redeem(&discovery, back.code, verifier).await?;
        let keys = self.exchange.get(&discovery.jwks_uri).await?;
        let expected =
            token::Expected { issuer: &self.config.issuer, client: &self.config.client_id, nonce, now };
        token::subject(&tokens.id_token, &keys, &expected)
    }

    async fn redeem(&self, discovery: &Discovery, code: &str, verifier: &str) -> Result<Tokens, OidcError> {
        let OidcConfig { client_id, secret, redirect, .. } = &self.config;
        let mut form = format!(
            "grant_type=authorization_code&code={}&redirect_uri={}&code_verifier={}",
            escaped(code),
            escaped(redirect),
            escaped(verifier),
        );
        let basic = secret.as_ref().map(|secret| {
            let pair = format!("{}:{}", escaped(client_id), escaped(secret));
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        });
        if basic.is_none() {
            form.push_str("&client_id=");
            form.push_str(&escaped(client_id));
        }
        self.exchange.post(&discovery.token_endpoint, basic, form).await
    }

    async fn discovery(&self, now: Timestamp) -> Result<Arc<Discovery>, OidcError> {
        let mut known = self.known.lock().await;
        if let Some((_, discovery)) = known.as_ref().filter(|(at, _)| now.duration_since(*at) < DISCOVERY) {
            return Ok(Arc::clone(discovery));
        }
        let issuer = &self.config.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery: Discovery = self.exchange.get(&url).await?;
        if discovery.issuer != *issuer {
            let detail = format!("it says that it is {:?}, and `issuer` is {issuer:?}", discovery.issuer);
            return Err(OidcError::Provider { url, detail });
        }
        let discovery = Arc::new(discovery);
        *known = Some((now, Arc::clone(&discovery)));
        Ok(discovery)
    }
}
