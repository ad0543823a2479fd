//! Where a H(e)NB finds its H(e)MS. [`HemsUrl::parse`] is the one constructor. (TS 33.320 8.3.4, P-11)
//!
//! Configuration, SetParameterValues, DHCP, redirects and templates all come through here, so that a plain HTTP
//! URL in a TLS mode has no way in, and no password can hide in one. The grammar is a narrow part of RFC 3986:
//! what two readers could read differently is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use crate::identity::is_label;
use crate::mode::TransportMode;

/// The longest URL: what TR-098 and TR-181 allow for ManagementServer.URL. (H-27)
const MAX_URL: usize = 256;

/// A URL of the H(e)MS that its transport mode permits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HemsUrl {
    is_https: bool,
    host: String,
    port: Option<u16>,
    path: String,
}

impl HemsUrl {
    /// Reads a URL under the rules of `mode`.
    pub fn parse(text: &str, mode: TransportMode) -> Result<Self, UrlError> {
        if text.len() > MAX_URL {
            return Err(UrlError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte)) {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return Err(UrlError::Scheme);
        }
        if !is_https && !mode.allows_plain_http() {
            return Err(UrlError::PlainHttp(mode));
        }
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = read_authority(authority)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { is_https, host, port, path })
    }

    /// The host in lower case; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where the URL leaves it out.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.is_https { 443 } else { 80 })
    }

    /// The path with its query, as the request line wants it; at least `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the session runs over TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// The host and, where it is not the default, the port: the Host header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        self.port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
    }
}

fn read_authority(authority: &str) -> Result<(String, Option<u16>), UrlError> {
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(UrlError::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| UrlError::Host)?;
        let port = match port.strip_prefix(':') {
            Some(port) => Some(read_port(port)?),
            None if port.is_empty() => None,
            None => return Err(UrlError::Port),
        };
        return Ok((address.to_string(), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(read_port(port)?)),
        None => (authority, None),
    };
    // A last label of digits is an address to some readers and a name to others: only the dotted quad is both.
    let looks_numeric =
        host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    let is_host = host.len() <= 253 && host.split('.').all(is_label);
    if !is_host || (looks_numeric && host.parse::<Ipv4Addr>().is_err()) {
        return Err(UrlError::Host);
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn read_port(text: &str) -> Result<u16, UrlError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0).ok_or(UrlError::Port)
}

/// The address where a host is a literal and not a name. (T-10, A-05)
pub(crate) fn address_literal(host: &str) -> Option<IpAddr> {
    host.parse().ok()
}

impl fmt::Display for HemsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl Serialize for HemsUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is no URL of a H(e)MS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// (TS 33.320 8.3.4, P-09 to P-11)
    #[error("the transport mode \"{0}\" demands https (TS 33.320 8.3.4)")]
    PlainHttp(TransportMode),
    /// Neither https nor http.
    #[error("the URL does not begin with https://")]
    Scheme,
    /// (P-07)
    #[error("the URL holds a user name or password; certificates alone authenticate here (P-07)")]
    UserInfo,
    /// A fragment never reaches a server.
    #[error("the URL has a fragment")]
    Fragment,
    /// Neither a name, a dotted quad nor a bracketed IPv6 address.
    #[error("the host is neither a domain name nor an address")]
    Host,
    /// Not 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A space, a control character or another that a URL has only escaped.
    #[error("the URL has a character that must be escaped")]
    Character,
    /// Longer than the data model's type.
    #[error("the URL is longer than 256 characters")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS_MODES: [TransportMode; 2] = [TransportMode::Public, TransportMode::IpsecTls];

    #[test]
    fn p09_p10_p11_a_tls_mode_knows_no_plain_http() {
        for mode in TLS_MODES {
            for url in ["http://hems.example/", "HTTP://hems.example", "http://[::1]:7547/"] {
                assert_eq!(HemsUrl::parse(url, mode), Err(UrlError::PlainHttp(mode)), "{url}");
            }
        }
        let plain = HemsUrl::parse("http://hems.example", TransportMode::Ipsec).unwrap();
        assert_eq!((plain.is_https(), plain.port()), (false, 80));
    }

    #[test]
    fn p07_a_url_holds_no_password() {
        for url in ["https://u:p@hems.example/", "https://u@hems.example/", "https://@hems.example/"] {
            assert_eq!(HemsUrl::parse(url, TransportMode::Public), Err(UrlError::UserInfo), "{url}");
        }
    }

    #[test]
    fn a_url_has_its_parts() {
        let parts = |text| {
            let url = HemsUrl::parse(text, TransportMode::Public).unwrap();
            (url.host().to_owned(), url.port(), url.path().to_owned(), url.to_string())
        };
        let expect = |host: &str, port, path: &str, text: &str| (host.into(), port, path.into(), text.into());
        assert_eq!(
            parts("https://Localhost:7547/"),
            expect("localhost", 7547, "/", "https://localhost:7547/")
        );
        assert_eq!(parts("HTTPS://a.example"), expect("a.example", 443, "/", "https://a.example/"));
        assert_eq!(parts("https://[::1]:7547/x?y"), expect("::1", 7547, "/x?y", "https://[::1]:7547/x?y"));
        assert_eq!(parts("https://127.0.0.1?y"), expect("127.0.0.1", 443, "/?y", "https://127.0.0.1/?y"));
        assert_eq!(
            parts("https://3gpp.example/a@b"),
            expect("3gpp.example", 443, "/a@b", "https://3gpp.example/a@b")
        );
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (text, error) in [
            ("ftp://hems.example/", UrlError::Scheme),
            ("hems.example", UrlError::Scheme),
            ("https:/hems.example", UrlError::Scheme),
            ("https://", UrlError::Host),
            ("https:///path", UrlError::Host),
            ("https://hems.example./", UrlError::Host),
            ("https://127.1/", UrlError::Host),
            ("https://0x7f.0.0.1/", UrlError::Host),
            ("https://2130706433/", UrlError::Host),
            ("https://hems_a.example/", UrlError::Host),
            ("https://[::1/", UrlError::Host),
            ("https://[::1]7547/", UrlError::Port),
            ("https://a.example:/", UrlError::Port),
            ("https://a.example:0/", UrlError::Port),
            ("https://a.example:+1/", UrlError::Port),
            ("https://a.example:65536/", UrlError::Port),
            ("https://a.example/#x", UrlError::Fragment),
            ("https://a.example\\@b.example/", UrlError::Character),
            ("https://a.example/ b", UrlError::Character),
            ("https://a.example/\r\nX: y", UrlError::Character),
            ("https://exämple.example/", UrlError::Character),
        ] {
            assert_eq!(HemsUrl::parse(text, TransportMode::Public), Err(error), "{text}");
        }
        let long = format!("https://a.example/{}", "a".repeat(MAX_URL));
        assert_eq!(HemsUrl::parse(&long, TransportMode::Public), Err(UrlError::TooLong));
    }
}
