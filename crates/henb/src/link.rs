//! The cell's HTTP: posts over a verified TLS connection or through the tunnel, and files. (TR-069 3.4, H-01 to H-11)
//!
//! One connection is kept; where the server closed it cleanly between two posts, the next one opens a new one (H-07).
//! A post goes out as the profile wants it: `SOAPAction` without a value beside SOAP (H-02) and absent beside an empty
//! body (H-03), cookies returned, and never an Authorization header: no function here can write one. (P-07)
//!
//! ```text
//!   Dialler ─▶ profile::Connector ─▶ hyper, HTTP/1.1 ─▶ 2xx: Reply · 302, 307: HemsUrl, again · else: the end
//! ```

use std::{error::Error, io, net::IpAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use profile::{ChainDates, Connector, HemsUrl, Refusal, TransportMode, UrlError};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout},
};

use crate::{dialler::Dialler, tunnel::TunnelEnd};

/// How long a TCP connection may take: a cell on a slow line needs a few seconds.
const CONNECT_WAIT: Duration = Duration::from_secs(15);

/// How long a response may take; the standard wants 30 s at least. (TR-069 3.4.2, H-09)
pub const RESPONSE_WAIT: Duration = Duration::from_secs(60);

/// How long a file may take.
const FILE_WAIT: Duration = Duration::from_secs(600);

/// Most bytes that a server may say about a file that it took.
const MOST_ANSWER: usize = 64 * 1024;

/// Most redirects of one session. (TR-069 3.4.2, H-11)
const MOST_REDIRECTS: u32 = 5;

/// Most cookies, and most bytes of them together; the standard wants 512 bytes at least. (H-10)
const MOST_COOKIES: (usize, usize) = (16, 4096);

/// Why a post or a fetch has no reply.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The name has no address.
    #[error("cannot find {host}")]
    Resolve {
        /// The URL's host.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody listens, or the network is away.
    #[error("cannot reach {host}")]
    Connect {
        /// The URL's host.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// The tunnel is down: nothing was sent. (X-03)
    #[error("the tunnel's address {address} is not there, and nothing is sent without it")]
    Tunnel {
        /// The inner address.
        address: IpAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Plain HTTP, and no tunnel to send it through. (X-03)
    #[error("plain HTTP goes through the tunnel only, and none is configured")]
    NoTunnel,
    /// The connection took too long.
    #[error("no connection within 15 seconds")]
    ConnectWait,
    /// The peer is not one that the profile allows.
    #[error("the TLS profile refuses the connection: {0}")]
    Tls(#[from] Box<Refusal>),
    /// What came is no HTTP, or ended in the middle.
    #[error("HTTP broke off")]
    Http(#[source] hyper::Error),
    /// No response in time. (H-09)
    #[error("no response in time")]
    ResponseWait,
    /// The server wants a shared secret, and there is none. (TS 33.320 8.3.4, P-07, A-17)
    #[error("the server wants a shared secret (HTTP {0}); this cell has certificates only")]
    SharedSecret(u16),
    /// Another status than success.
    #[error("the server answered with HTTP {0}")]
    Status(u16),
    /// A redirect to where the profile does not go. (P-11)
    #[error("a redirect that is not followed: {0}")]
    Redirect(UrlError),
    /// More redirects than a session may have. (H-11)
    #[error("more than five redirects")]
    Redirects,
    /// More bytes than the cell takes.
    #[error("the response has more than {0} bytes")]
    TooLarge(usize),
}

/// What the profile refuses in an open connection ends HTTP, too. (T-07)
impl From<hyper::Error> for LinkError {
    fn from(error: hyper::Error) -> Self {
        let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        let refusal = io.and_then(io::Error::get_ref).and_then(|cause| cause.downcast_ref::<Refusal>());
        match refusal.cloned() {
            Some(refusal) => Self::Tls(Box::new(refusal)),
            None => Self::Http(error),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) body: Bytes,
    /// The server's Date, where it has one. (decision 6)
    pub(crate) date: Option<Timestamp>,
}

/// How this cell reaches anybody.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) connector: Connector,
    pub(crate) mode: TransportMode,
    pub(crate) tunnel: Option<TunnelEnd>,
    pub(crate) dialler: Arc<dyn Dialler>,
}

/// One peer during one session, or one file.
pub(crate) struct Link<'a> {
    way: &'a Way,
    url: HemsUrl,
    sender: Option<SendRequest<Full<Bytes>>>,
    dates: Option<ChainDates>,
    not_after: Option<Timestamp>,
    cookies: Vec<(String, String)>,
    redirects: u32,
}

impl<'a> Link<'a> {
    pub(crate) fn new(way: &'a Way, url: HemsUrl) -> Self {
        Self { way, url, sender: None, dates: None, not_after: None, cookies: Vec::new(), redirects: 0 }
    }

    /// The end of validity of the certificate that the peer showed.
    pub(crate) fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// The dates of the chain that the peer showed last. (K-10)
    pub(crate) fn dates(&self) -> Option<&ChainDates> {
        self.dates.as_ref()
    }

    /// Posts one message of a session; an empty body is the empty message. (H-01)
    pub(crate) async fn post(&mut self, body: &Bytes, most_bytes: usize) -> Result<Reply, LinkError> {
        let ask = self.ask(&Method::POST, body, most_bytes);
        timeout(RESPONSE_WAIT + CONNECT_WAIT + profile::HANDSHAKE_BOUND, ask)
            .await
            .map_err(|_| LinkError::ResponseWait)?
    }

    /// Fetches a file, which is held in memory whole.
    pub(crate) async fn fetch(self, most_bytes: usize) -> Result<Bytes, LinkError> {
        let mut stream = self.open().await?;
        let mut content = BytesMut::new();
        while let Some(piece) = stream.next().await? {
            if content.len() + piece.len() > most_bytes {
                return Err(LinkError::TooLarge(most_bytes));
            }
            content.extend_from_slice(&piece);
        }
        Ok(content.freeze())
    }

    /// Opens a file, which comes piece by piece. (TR-069 A.3.2.8)
    pub(crate) async fn open(mut self) -> Result<FileStream, LinkError> {
        let until = Instant::now() + FILE_WAIT;
        let nothing = Bytes::new();
        let response = self.response(&Method::GET, &nothing);
        let response = timeout(RESPONSE_WAIT + CONNECT_WAIT + profile::HANDSHAKE_BOUND, response).await;
        let response = response.map_err(|_| LinkError::ResponseWait)??;
        Ok(FileStream { body: response.into_body(), until, _sender: self.sender })
    }

    /// Sends a file. (TR-069 A.4.1.5)
    pub(crate) async fn upload(&mut self, content: Bytes) -> Result<(), LinkError> {
        let ask = self.ask(&Method::PUT, &content, MOST_ANSWER);
        timeout(FILE_WAIT, ask).await.map_err(|_| LinkError::ResponseWait)?.map(drop)
    }

    async fn ask(&mut self, method: &Method, body: &Bytes, most_bytes: usize) -> Result<Reply, LinkError> {
        let response = self.response(method, body).await?;
        let is_last = response.headers().get(header::CONNECTION).is_some_and(|value| value == "close");
        let date = response.headers().get(header::DATE).and_then(read_date);
        let body = read_body(response, most_bytes).await?;
        if is_last {
            self.sender = None;
        }
        Ok(Reply { body, date })
    }

    /// The response that is no redirect, and good.
    async fn response(&mut self, method: &Method, body: &Bytes) -> Result<Response<Incoming>, LinkError> {
        loop {
            let response = self.send(method, body).await?;
            self.keep_cookies(response.headers());
            let status = response.status();
            if [StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT].contains(&status) {
                self.follow(response.headers())?;
                continue;
            }
            check_status(status)?;
            return Ok(response);
        }
    }

    /// Sends on the kept connection, or on a new one where the server closed that before it took the request. (H-07)
    async fn send(&mut self, method: &Method, body: &Bytes) -> Result<Response<Incoming>, LinkError> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(self.request(method, body)).await {
                Ok(response) => {
                    self.sender = Some(sender);
                    return Ok(response);
                }
                Err(mut error) => {
                    if error.take_message().is_none() {
                        return Err(error.into_error().into());
                    }
                }
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(self.request(method, body)).await?;
        self.sender = Some(sender);
        Ok(response)
    }

    async fn connect(&mut self) -> Result<SendRequest<Full<Bytes>>, LinkError> {
        let host = self.url.host().to_owned();
        let tunnel = self.way.tunnel.as_ref();
        if !self.url.is_https() && tunnel.is_none() {
            return Err(LinkError::NoTunnel);
        }
        let tcp = timeout(CONNECT_WAIT, self.way.dialler.open(&host, self.url.port(), tunnel))
            .await
            .map_err(|_| LinkError::ConnectWait)??;
        if !self.url.is_https() {
            tracing::debug!("connected to the H(e)MS through the tunnel");
            return speak(tcp).await;
        }
        let (stream, peer) = self.way.connector.connect(tcp, &host).await.map_err(Box::new)?;
        self.not_after = Some(peer.evidence.certificate.not_after);
        self.dates = Some(peer.dates);
        tracing::debug!(
            tls.version = peer.evidence.tls_version,
            tls.suite = peer.evidence.suite,
            "connected to the H(e)MS"
        );
        speak(stream).await
    }

    fn request(&self, method: &Method, body: &Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        // `HemsUrl` admits only what a request line takes.
        *request.uri_mut() = self.url.path().parse().unwrap_or_default();
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(&self.url.authority()) {
            headers.insert(header::HOST, host);
        }
        if method != Method::GET {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        if method == Method::PUT {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        } else if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=\"utf-8\""));
            headers.insert("soapaction", HeaderValue::from_static(""));
        }
        if let Some(cookies) = self.cookie_header() {
            headers.insert(header::COOKIE, cookies);
        }
        request
    }

    fn follow(&mut self, headers: &HeaderMap) -> Result<(), LinkError> {
        self.redirects += 1;
        if self.redirects > MOST_REDIRECTS {
            return Err(LinkError::Redirects);
        }
        let location =
            headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let absolute = if location.starts_with('/') && !location.starts_with("//") {
            let scheme = if self.url.is_https() { "https" } else { "http" };
            format!("{scheme}://{}{location}", self.url.authority())
        } else {
            location.to_owned()
        };
        let url = HemsUrl::parse(&absolute, self.way.mode).map_err(LinkError::Redirect)?;
        if url.authority() != self.url.authority() {
            // Cookies belong to the host that set them.
            self.cookies.clear();
        }
        self.sender = None;
        self.url = url;
        Ok(())
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for value in headers.get_all(header::SET_COOKIE) {
            let Some((name, value)) = value.to_str().ok().and_then(read_cookie) else { continue };
            self.cookies.retain(|(known, _)| *known != name);
            let bytes: usize = self.cookies.iter().map(|(name, value)| name.len() + value.len() + 3).sum();
            if self.cookies.len() < MOST_COOKIES.0 && bytes + name.len() + value.len() <= MOST_COOKIES.1 {
                self.cookies.push((name, value));
            }
        }
    }

    fn cookie_header(&self) -> Option<HeaderValue> {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { None } else { HeaderValue::from_str(&pairs.join("; ")).ok() }
    }
}

/// A file on its way; its connection lives as long.
#[derive(Debug)]
pub(crate) struct FileStream {
    body: Incoming,
    until: Instant,
    _sender: Option<SendRequest<Full<Bytes>>>,
}

impl FileStream {
    /// The next piece; nothing at the end. A server that says nothing for long has gone.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, LinkError> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            let frame = timeout(left.min(RESPONSE_WAIT), self.body.frame()).await;
            match frame.map_err(|_| LinkError::ResponseWait)?.transpose()? {
                None => return Ok(None),
                // Trailers say nothing of a file.
                Some(frame) => {
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }
}

/// HTTP over a stream.
async fn speak<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, LinkError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Some ACSs in the field look for "SOAPAction" with its capitals.
    let (sender, connection) =
        http1::Builder::new().title_case_headers(true).handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection ended");
        }
    });
    Ok(sender)
}

fn check_status(status: StatusCode) -> Result<(), LinkError> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(LinkError::SharedSecret(status.as_u16()))
        }
        status if status.is_success() => Ok(()),
        status => Err(LinkError::Status(status.as_u16())),
    }
}

async fn read_body(response: Response<Incoming>, most_bytes: usize) -> Result<Bytes, LinkError> {
    match Limited::new(response.into_body(), most_bytes).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(LinkError::TooLarge(most_bytes)),
        Err(error) => Err(error
            .downcast::<hyper::Error>()
            .map_or(LinkError::ResponseWait, |error| LinkError::from(*error))),
    }
}

fn read_date(value: &HeaderValue) -> Option<Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(value.to_str().ok()?).ok()
}

/// The name and value of a Set-Cookie; its attributes do not outlive a session anyway. (RFC 6265 5.2)
fn read_cookie(text: &str) -> Option<(String, String)> {
    let pair = text.split(';').next()?;
    let (name, value) = pair.split_once('=')?;
    let name = name.trim();
    if name.is_empty() { None } else { Some((name.to_owned(), value.trim().to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_a_reply_is_read() {
        let date = read_date(&HeaderValue::from_static("Mon, 23 Nov 2026 19:00:00 GMT"));
        assert_eq!(date, Some("2026-11-23T19:00:00Z".parse().unwrap()));
        assert_eq!(read_date(&HeaderValue::from_static("yesterday")), None);
    }

    #[test]
    fn h10_a_cookie_is_its_name_and_value() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(read_cookie("session=abc; Path=/; HttpOnly"), pair("session", "abc"));
        assert_eq!(read_cookie("a=b=c"), pair("a", "b=c"));
        assert_eq!(read_cookie("=x"), None);
        assert_eq!(read_cookie("nothing"), None);
    }

    #[test]
    fn p07_a_401_asks_for_what_does_not_exist() {
        assert!(matches!(check_status(StatusCode::UNAUTHORIZED), Err(LinkError::SharedSecret(401))));
        assert!(matches!(check_status(StatusCode::FORBIDDEN), Err(LinkError::SharedSecret(403))));
        assert!(matches!(check_status(StatusCode::SERVICE_UNAVAILABLE), Err(LinkError::Status(503))));
        assert!(check_status(StatusCode::NO_CONTENT).is_ok());
    }
}
