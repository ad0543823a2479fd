//! The cookie of a login, and the rule against forged requests.
//!
//! A browser sends the cookie with requests of our own pages alone (SameSite=Strict, RFC 6265bis 5.2); what changes
//! something must also name us as its origin, and a script cannot read it.

use axum::http::{HeaderMap, HeaderValue, header};

/// How long a login lasts: a shift.
pub(super) const LIFETIME: jiff::SignedDuration = jiff::SignedDuration::from_hours(8);

/// Under TLS the name itself, with the prefix `__Host-`, keeps any other host and path from setting it.
fn name(is_tls: bool) -> &'static str {
    if is_tls { "__Host-hearth" } else { "hearth" }
}

/// The key in a request's cookie.
pub(super) fn read(headers: &HeaderMap, is_tls: bool) -> Option<&str> {
    find(headers, name(is_tls))
}

fn find<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The header that gives a browser a key; an empty key takes it away.
pub(super) fn write(key: &str, is_tls: bool) -> Option<HeaderValue> {
    let age = if key.is_empty() { 0 } else { LIFETIME.as_secs() };
    let secure = if is_tls { "; Secure" } else { "" };
    let name = name(is_tls);
    let text = format!("{name}={key}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

/// How long somebody may take at the identity provider, in seconds.
const BEGINNING: i64 = 600;

fn beginning(is_tls: bool) -> &'static str {
    if is_tls { "__Host-hearth-oidc" } else { "hearth-oidc" }
}

/// What a browser keeps while it is at the identity provider; nothing takes it away. It comes back from another site,
/// so the rule is Lax: sent where a link leads here, and with nothing that changes anything.
pub(super) fn write_beginning(text: &str, is_tls: bool) -> Option<HeaderValue> {
    let (age, secure) = (if text.is_empty() { 0 } else { BEGINNING }, if is_tls { "; Secure" } else { "" });
    let name = beginning(is_tls);
    let text = format!("{name}={text}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).ok()
}

/// What a browser kept.
pub(super) fn read_beginning(headers: &HeaderMap, is_tls: bool) -> Option<&str> {
    find(headers, beginning(is_tls))
}

/// Whether a request says that one of our own pages sends it.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, origin)| text(header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(origin)))
}

/// Whether a request says that somebody else's page sends it.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) && !is_own(headers)
}
