//! What makes an id_token good. (OpenID Connect Core 1.0, 3.1.3.7)
//!
//! Pure: the text, the provider's keys and what is expected go in; the subject, or what is wrong, comes out.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jiff::Timestamp;
use profile::WebKey;
use serde::{Deserialize, de::DeserializeOwned};

use super::OidcError;

/// Seconds by which the provider's clock and ours may differ.
const SKEW: i64 = 60;

/// What the token must say.
pub(super) struct Expected<'e> {
    pub(super) issuer: &'e str,
    pub(super) client: &'e str,
    pub(super) nonce: &'e str,
    pub(super) now: Timestamp,
}

/// The provider's keys. (RFC 7517 5)
#[derive(Deserialize)]
pub(super) struct Keys {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; we understand none. (RFC 7515 4.1.11)
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Key {
    fn read(&self) -> Option<WebKey> {
        let bytes = |text: &Option<String>| BASE64.decode(text.as_deref()?).ok();
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => WebKey::rsa(&bytes(&self.n)?, &bytes(&self.e)?),
            ("EC", Some("P-256")) => WebKey::p256(&bytes(&self.x)?, &bytes(&self.y)?),
            _ => None,
        }
    }
}

impl Audience {
    /// For us, and for others only where we are named as the one who asked.
    fn is(&self, client: &str, asked: Option<&str>) -> bool {
        let is_named = match self {
            Self::One(one) => one == client,
            Self::Many(many) => {
                many.iter().any(|one| one == client) && (many.len() == 1 || asked == Some(client))
            }
        };
        is_named && asked.is_none_or(|asked| asked == client)
    }
}

/// The subject of a good token.
pub(super) fn subject(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<String, OidcError> {
    let wrong = |what| Err(OidcError::Token(what));
    let form = OidcError::Token("is no signed token");
    let mut parts = token.splitn(3, '.');
    let (Some(head), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(form);
    };
    let signed = token.get(..head.len() + 1 + claims.len()).unwrap_or_default();
    let (head, claims): (Head, Claims) = (part(head)?, part(claims)?);
    let signature = BASE64.decode(signature).map_err(|_| form)?;
    let is_meant = |key: &&Key| head.kid.is_none() || key.kid.is_none() || key.kid == head.kid;
    let found = keys.keys.iter().filter(is_meant).filter_map(Key::read);
    let mut signers = found.filter(|key| key.algorithm() == head.alg);
    if head.crit.is_some() || !signers.any(|key| key.verifies(signed.as_bytes(), &signature)) {
        return wrong("is not signed by a key of the provider");
    }
    if claims.iss != expected.issuer {
        return wrong("is of another issuer");
    }
    if !claims.aud.is(expected.client, claims.azp.as_deref()) {
        return wrong("is meant for another client");
    }
    if claims.exp.saturating_add(SKEW) <= expected.now.as_second() {
        return wrong("is over");
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return wrong("belongs to another login");
    }
    Ok(claims.sub)
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, OidcError> {
    let form = || OidcError::Token("has a part that cannot be read");
    let bytes = BASE64.decode(text).map_err(|_| form())?;
    serde_json::from_slice(&bytes).map_err(|_| form())
}
