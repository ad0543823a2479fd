//! Requests to the identity provider: small, bounded, JSON back. Redirects are not followed.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use profile::{Carrier, WebConnector};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::OidcError;

/// How long an answer may take: somebody waits before a browser.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer: keys and tokens are a few kilobytes.
const ANSWER_BYTES: usize = 256 << 10;

/// The way to the provider.
pub(super) struct Exchange {
    connector: WebConnector,
}

impl Exchange {
    pub(super) fn new(connector: WebConnector) -> Self {
        Self { connector }
    }

    /// Reads a document.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, OidcError> {
        let request = Request::builder().method(Method::GET).header(header::ACCEPT, "application/json");
        self.ask(url, request, String::new()).await
    }

    /// Sends a form.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        basic: Option<String>,
        form: String,
    ) -> Result<T, OidcError> {
        let request = Request::builder()
            .method(Method::POST)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = match basic {
            Some(basic) => request.header(header::AUTHORIZATION, basic),
            None => request,
        };
        self.ask(url, request, form).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        url: &str,
        request: hyper::http::request::Builder,
        body: String,
    ) -> Result<T, OidcError> {
        let failed = |detail: String| OidcError::Provider { url: url.to_owned(), detail };
        let asked = tokio::time::timeout(PATIENCE, self.exchange(url, request, body)).await;
        let bytes = asked.map_err(|_| failed("it does not answer".to_owned()))?.map_err(failed)?;
        serde_json::from_slice(&bytes).map_err(|error| failed(format!("its answer: {error}")))
    }

    async fn exchange(
        &self,
        url: &str,
        request: hyper::http::request::Builder,
        body: String,
    ) -> Result<Bytes, String> {
        let uri: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
        let authority = uri.authority().ok_or("it names no host")?.to_string();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let stream = self.connect(&uri).await.map_err(|error| error.to_string())?;
        let said = |error: hyper::Error| error.to_string();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
        let driver = tokio::spawn(connection);
        let request = request.uri(path).header(header::HOST, authority).body(Full::<Bytes>::from(body));
        let answer = sender.send_request(request.map_err(|error| error.to_string())?).await.map_err(said)?;
        let status = answer.status();
        let read = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        driver.abort();
        let bytes = read.map_err(|error| error.to_string())?.to_bytes();
        if status.is_success() { Ok(bytes) } else { Err(format!("it answers {status}")) }
    }

    async fn connect(&self, uri: &Uri) -> std::io::Result<Box<dyn Carrier>> {
        let host = uri.host().unwrap_or_default();
        let is_tls = uri.scheme_str() == Some("https");
        if !is_tls && !is_loopback(host) {
            return Err(std::io::Error::other("it is not https, and not on this machine"));
        }
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tcp = TcpStream::connect(format!("{host}:{port}")).await?;
        if is_tls {
            self.connector.connect(tcp, host.trim_matches(['[', ']'])).await
        } else {
            Ok(Box::new(tcp))
        }
    }
}

/// Whether a host is an address of this machine, beyond which nobody listens.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A value of a query or a form: whatever is not unreserved is escaped. (RFC 3986 2.1)
pub(super) fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}
