//! A client of the H(e)MS's API: one request, one connection, JSON both ways.
//!
//! One rule: the token comes from a file, never from an argument that other users of the machine could see.

mod content;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, StatusCode, Uri, header::HeaderValue};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use profile::{Carrier, KeySource, OwnCertificate, WebConnector};
use serde_json::Value;
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};

use content::{Sending, whole};

/// Bytes of an answer: the API's pages are smaller by far.
const ANSWER_BYTES: usize = 64 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes for which a second more is waited: a file goes over a slow line, too.
const SLOWEST: u64 = 64 << 10;

/// Under which helps show what every command over the API takes.
pub(crate) const HEADING: &str = "Options of every command over the API";

/// Where the API is, and who asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct Access {
    /// The API's address.
    #[arg(
        long,
        global = true,
        env = "HEARTH_API", hide_env_values = true,
        default_value = "http://127.0.0.1:8443",
        value_name = "URL",
        help_heading = HEADING
    )]
    pub(crate) api: String,
    /// The file with the API's token, which `hearth serve` writes at its first start.
    #[arg(
        long,
        global = true,
        env = "HEARTH_TOKEN_FILE", hide_env_values = true,
        default_value = "/var/lib/hearth/api.token",
        value_name = "FILE",
        help_heading = HEADING
    )]
    pub(crate) token_file: PathBuf,
    /// The CAs that may vouch for the API's certificate, PEM; those of the system where it is left out.
    #[arg(long, global = true, env = "HEARTH_CA", hide_env_values = true, value_name = "FILE", help_heading = HEADING)]
    pub(crate) ca: Option<PathBuf>,
    /// A certificate to show instead of the token, PEM, leaf first.
    #[arg(
        long,
        global = true,
        env = "HEARTH_CERTIFICATE", hide_env_values = true,
        value_name = "FILE",
        requires = "key",
        help_heading = HEADING
    )]
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate's key: PEM, readable by its owner only.
    #[arg(
        long,
        global = true,
        env = "HEARTH_KEY", hide_env_values = true,
        value_name = "FILE",
        requires = "certificate",
        help_heading = HEADING
    )]
    pub(crate) key: Option<PathBuf>,
    /// Whether neither is shown.
    #[arg(skip)]
    pub(crate) is_anonymous: bool,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    #[error("cannot read the token in {file}")]
    Token { file: PathBuf, source: io::Error },
    #[error("cannot use --ca, --certificate or --key")]
    Tls(#[from] profile::ContextError),
    #[error("no TLS with {address}; does --ca name the CA of its certificate, and --api its host?")]
    Handshake { address: String, source: io::Error },
    #[error("`{0}` is no address of an API, such as http://127.0.0.1:8443 or https://hems.example:8443")]
    Address(String),
    #[error("cannot reach the H(e)MS at {address}; is `hearth serve` running?")]
    Connect { address: String, source: io::Error },
    #[error("the H(e)MS did not answer in time")]
    Slow,
    #[error("the connection to the H(e)MS broke")]
    Http(#[from] hyper::Error),
    #[error("cannot read {file}")]
    File { file: PathBuf, source: io::Error },
    #[error("cannot write")]
    Write(#[source] io::Error),
    #[error("the answer is no JSON that can be read")]
    Answer,
    /// The API said no, with a problem document. (RFC 9457)
    #[error("{status}: {detail}")]
    Refused { status: StatusCode, detail: String },
}

impl ApiError {
    /// What is said where the thing asked for is not there: an answer, and it is no.
    pub(crate) fn absence(&self) -> Option<&str> {
        if let Self::Refused { status: StatusCode::NOT_FOUND, detail } = self { Some(detail) } else { None }
    }
}

impl Access {
    /// A H(e)MS of this machine, by the token of its file.
    pub(crate) fn local(api: String, token_file: PathBuf) -> Self {
        Self { api, token_file, ca: None, certificate: None, key: None, is_anonymous: false }
    }

    /// Reads a resource.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Sends a document to a resource.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.ask(method, path, body.to_string().into()).await
    }

    /// Deletes a resource.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, ApiError> {
        self.ask(Method::DELETE, path, Bytes::new()).await
    }

    /// Posts a file as it is, while it is read; of which kind it is shows in itself.
    pub(crate) async fn upload(&self, path: &str, file: &Path) -> Result<Value, ApiError> {
        let cannot = |source| ApiError::File { file: file.to_owned(), source };
        let (content, length) = content::of(file).await.map_err(cannot)?;
        let patience = PATIENCE + Duration::from_secs(length / SLOWEST);
        let exchange = self.exchange(Method::POST, path, content);
        timeout(patience, exchange).await.map_err(|_| ApiError::Slow)?
    }

    /// Every item of a list.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, ApiError> {
        let mut items = Vec::new();
        self.each(path, |item| items.push(item)).await?;
        Ok(items)
    }

    /// Hands over every item of a list, page after page.
    pub(crate) async fn each(&self, path: &str, mut take: impl FnMut(Value)) -> Result<(), ApiError> {
        let mut token: Option<String> = None;
        loop {
            // A list that comes whole knows no pages: what is beyond the first is asked for as it says itself.
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = token.map(|token| format!("{joint}limit=500&page_token={token}")).unwrap_or_default();
            let mut answer = self.get(&format!("{path}{page}")).await?;
            match answer.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => items.into_iter().for_each(&mut take),
                _ => return Err(ApiError::Answer),
            }
            token = answer.get("next_page_token").and_then(Value::as_str).map(str::to_owned);
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// Copies a resource as it comes, in a form that is accepted; no length of it is in memory.
    pub(crate) async fn copy(
        &self,
        path: &str,
        accept: &'static str,
        out: &mut impl io::Write,
    ) -> Result<(), ApiError> {
        let mut request = self.request(Method::GET, path, whole(Bytes::new()))?;
        request.headers_mut().insert("accept", HeaderValue::from_static(accept));
        let stream = self.connect(request.uri()).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let answer = timeout(PATIENCE, sender.send_request(request)).await.map_err(|_| ApiError::Slow)??;
        let (status, mut body) = (answer.status(), answer.into_body());
        if !status.is_success() {
            let bytes = Limited::new(body, ANSWER_BYTES).collect().await;
            let bytes = bytes.map_err(|_| ApiError::Answer)?.to_bytes();
            return Err(refused(status, &parse(&bytes, status)?));
        }
        while let Some(frame) = timeout(PATIENCE, body.frame()).await.map_err(|_| ApiError::Slow)? {
            if let Ok(bytes) = frame?.into_data() {
                match out.write_all(&bytes) {
                    // Whoever reads it has seen enough.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                    written => written.map_err(ApiError::Write)?,
                }
            }
        }
        driver.abort();
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value, ApiError> {
        timeout(PATIENCE, self.exchange(method, path, whole(body))).await.map_err(|_| ApiError::Slow)?
    }

    async fn exchange(&self, method: Method, path: &str, body: Sending) -> Result<Value, ApiError> {
        let request = self.request(method, path, body)?;
        let stream = self.connect(request.uri()).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        driver.abort();
        let bytes = bytes.map_err(|_| ApiError::Answer)?.to_bytes();
        let value = if bytes.is_empty() { Value::Null } else { parse(&bytes, status)? };
        let is_list = ["admitted", "placed"].iter().any(|count| value.get(count).is_some());
        let is_answer = status.is_success() || is_list;
        if is_answer { Ok(value) } else { Err(refused(status, &value)) }
    }

    async fn connect(&self, uri: &Uri) -> Result<Box<dyn Carrier>, ApiError> {
        let authority = uri.authority().ok_or_else(|| ApiError::Address(self.api.clone()))?;
        let is_tls = uri.scheme_str() == Some("https");
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let host = authority.host();
        let address = format!("{host}:{port}");
        let connect = TcpStream::connect(&address).await;
        let tcp = connect.map_err(|source| ApiError::Connect { address: address.clone(), source })?;
        if !is_tls {
            return Ok(Box::new(tcp));
        }
        let own = self.certificate.clone().zip(self.key.clone());
        let own = own.map(|(chain, key)| OwnCertificate { chain, key: KeySource::File(key) });
        let connector = WebConnector::new(self.ca.as_deref(), own.as_ref())?;
        let shaken = connector.connect(tcp, host.trim_matches(['[', ']'])).await;
        shaken.map_err(|source| ApiError::Handshake { address, source })
    }

    /// What is shown of whoever asks; nothing where a certificate was shown, or nobody needs to be known.
    fn token(&self) -> Result<Option<String>, ApiError> {
        if self.is_anonymous || self.certificate.is_some() {
            return Ok(None);
        }
        let read = std::fs::read_to_string(&self.token_file);
        let token = read.map_err(|source| ApiError::Token { file: self.token_file.clone(), source })?;
        Ok(Some(format!("Bearer {}", token.trim())))
    }

    fn request(&self, method: Method, path: &str, body: Sending) -> Result<Request<Sending>, ApiError> {
        let no_address = || ApiError::Address(self.api.clone());
        let uri: Uri =
            format!("{}{path}", self.api.trim_end_matches('/')).parse().map_err(|_| no_address())?;
        let is_known = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.authority().filter(|_| is_known).ok_or_else(no_address)?.to_string();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", host)
            .header("content-type", "application/json");
        let request = match self.token()? {
            Some(token) => request.header("authorization", token),
            None => request,
        };
        request.body(body).map_err(|_| no_address())
    }
}

fn parse(bytes: &[u8], status: StatusCode) -> Result<Value, ApiError> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(_) if !status.is_success() => Ok(Value::Null),
        Err(_) => Err(ApiError::Answer),
    }
}

/// What the problem document says, with each of its complaints.
fn refused(status: StatusCode, problem: &Value) -> ApiError {
    let text = |key| problem.get(key).and_then(Value::as_str).map(crate::output::harmless);
    let mut detail = text("detail").or_else(|| text("title")).unwrap_or_default();
    for complaint in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |key| crate::output::cell(complaint.get(key));
        detail = format!("{detail}\n  {}: {}", part("place"), part("message"));
    }
    ApiError::Refused { status, detail }
}

/// A value of a query: whatever is not unreserved is escaped. (RFC 3986 2.1)
pub(crate) fn escaped(text: &str) -> String {
    const OTHERS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, OTHERS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distinguished_name_survives_a_query() {
        assert_eq!(escaped("0a-ff@CN=x, O=A&B"), "0a-ff%40CN%3Dx%2C%20O%3DA%26B");
    }
}
