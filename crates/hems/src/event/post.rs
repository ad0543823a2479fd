//! One attempt to deliver one event: a connection, a POST, its status. Nothing of the answer is kept but that.
//!
//! ```text
//!  name ─▶ addresses ─▶ guard ─▶ TCP to the address that was judged ─▶ TLS by name ─▶ POST ─▶ 2xx is delivered
//! ```
//!
//! A redirect is no delivery: it would lead past the guard.

use std::{
    net::IpAddr,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use profile::WebConnector;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::guard::{self, Network};

/// How long one attempt may take, from the name to the status.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// Characters of a URL.
const URL_MAX: usize = 1024;

/// Why a URL is none for a webhook.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("`url` is an https URL of at most {URL_MAX} characters, such as https://receiver.example/events")]
    Form,
    #[error("`url` has no user name and no password: receivers check the signature")]
    User,
    #[error("`url` is https; http only leads to a loopback address that `events.webhook_networks` lists")]
    Scheme,
    #[error(
        "`url` leads to {0}, which is not public; list its network in `events.webhook_networks` to allow it"
    )]
    Inside(IpAddr),
}

/// Why a delivery did not arrive; the text is for operators.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the name cannot be resolved: {0}")]
    Name(std::io::Error),
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    #[error("TLS: {0}")]
    Tls(std::io::Error),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Slow,
}

/// A URL that may be one of a webhook.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    uri: Uri,
    host: String,
    port: u16,
    has_tls: bool,
}

/// What a receiver said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    /// When it wants to hear again, in seconds.
    pub(crate) retry_after: Option<u32>,
}

impl Target {
    /// Checks what an operator typed. What a name leads to is judged at each connection.
    pub(crate) fn parse(text: &str, listed: &[Network]) -> Result<Self, TargetError> {
        let uri: Uri = text.parse().map_err(|_| TargetError::Form)?;
        let authority = uri.authority().filter(|_| text.len() <= URL_MAX).ok_or(TargetError::Form)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::User);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let address: Option<IpAddr> = host.parse().ok();
        let has_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(TargetError::Form),
        };
        let is_here =
            |address: IpAddr| address.to_canonical().is_loopback() && guard::is_listed(address, listed);
        if !has_tls && !address.is_some_and(is_here) {
            return Err(TargetError::Scheme);
        }
        if let Some(inside) = address.filter(|address| !guard::permits(*address, listed)) {
            return Err(TargetError::Inside(inside));
        }
        let port = authority.port_u16().unwrap_or(if has_tls { 443 } else { 80 });
        Ok(Self { uri, host, port, has_tls })
    }

    /// Posts an event with its signature.
    pub(crate) async fn post(
        &self,
        tls: &WebConnector,
        listed: &[Network],
        signed: Signed,
    ) -> Result<Said, PostError> {
        timeout(PATIENCE, self.attempt(tls, listed, signed)).await.unwrap_or(Err(PostError::Slow))
    }

    async fn attempt(
        &self,
        tls: &WebConnector,
        listed: &[Network],
        signed: Signed,
    ) -> Result<Said, PostError> {
        let tcp = self.connect(listed).await?;
        if self.has_tls {
            let stream = tls.connect(tcp, &self.host).await.map_err(PostError::Tls)?;
            self.exchange(stream, signed).await
        } else {
            self.exchange(tcp, signed).await
        }
    }

    /// Connects to an address that the guard permits, of those that the name has.
    async fn connect(&self, listed: &[Network]) -> Result<TcpStream, PostError> {
        let mut last = PostError::Name(std::io::Error::other("it has no address"));
        for address in lookup_host((self.host.as_str(), self.port)).await.map_err(PostError::Name)? {
            if !guard::permits(address.ip(), listed) {
                last = TargetError::Inside(address.ip()).into();
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => last = PostError::Connect(error),
            }
        }
        Err(last)
    }

    async fn exchange<S>(&self, stream: S, signed: Signed) -> Result<Said, PostError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(header::HOST, self.uri.authority().map_or("", |authority| authority.as_str()))
            .header(header::CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header(header::USER_AGENT, "hearth")
            .header(header::CONNECTION, "close")
            .header("webhook-id", &signed.id)
            .header("webhook-timestamp", signed.seconds)
            .header("webhook-signature", &signed.signature)
            .body(Full::new(Bytes::from(signed.body)));
        let answer = match request {
            Ok(request) => sender.send_request(request).await,
            Err(_) => return Err(TargetError::Form.into()),
        };
        driver.abort();
        let answer = answer?;
        let after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = after.and_then(|text| wait(text, signed.seconds));
        Ok(Said { status: answer.status(), retry_after })
    }
}

/// The seconds of a `Retry-After`, which is a number of them or a date. (RFC 9110 10.2.3)
fn wait(text: &str, now: i64) -> Option<u32> {
    let seconds = text.parse::<u64>().ok().or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(date.as_secs().saturating_sub(u64::try_from(now).ok()?))
    })?;
    Some(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// An event as it is posted.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) id: String,
    pub(crate) seconds: i64,
    pub(crate) signature: String,
    pub(crate) body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(url: &str, listed: &[&str]) -> String {
        let listed: Vec<Network> = listed.iter().map(|text| text.parse().unwrap()).collect();
        Target::parse(url, &listed)
            .map_or_else(|error| error.to_string(), |target| format!("{}:{}", target.host, target.port))
    }

    #[test]
    fn a_webhook_s_url_is_https_and_leads_outside() {
        assert_eq!(said("https://receiver.example/events", &[]), "receiver.example:443");
        assert_eq!(said("https://[2620:fe::fe]:8443/", &[]), "2620:fe::fe:8443");
        assert!(said("http://receiver.example/", &["0.0.0.0/0"]).contains("is https"));
        assert!(said("http://127.0.0.1:9/", &[]).contains("is https"));
        assert_eq!(said("http://127.0.0.1:9/", &["127.0.0.0/8"]), "127.0.0.1:9");
        assert!(
            said("http://10.0.0.1/", &["10.0.0.0/8"]).contains("is https"),
            "no secret crosses a network in clear"
        );
        assert!(said("https://169.254.169.254/", &[]).contains("not public"));
        assert!(said("https://[::ffff:127.0.0.1]/", &[]).contains("not public"));
        assert!(said("https://me:pw@receiver.example/", &[]).contains("no user name"));
        for wrong in ["", "receiver.example", "/events", "ftp://receiver.example/"] {
            assert!(said(wrong, &[]).contains("such as https://"), "{wrong}");
        }
    }

    #[test]
    fn a_receiver_says_when_in_seconds_or_by_a_date() {
        // Sunday, the sixth of November 1994, 08:49:37.
        let now = 784_111_777;
        for (text, expected) in [
            ("120", Some(120)),
            ("99999999999", Some(u32::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(wait(text, now), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_found_out_when_it_is_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let target = Target::parse(&url, &[]).unwrap();
        let signed = Signed { id: String::new(), seconds: 0, signature: String::new(), body: String::new() };
        let refused = target.post(&WebConnector::new(None, None).unwrap(), &[], signed).await.unwrap_err();
        assert!(refused.to_string().contains("not public"), "{refused}");
        let nobody = std::future::poll_fn(|context| {
            std::task::Poll::Ready(listener.poll_accept(context).is_pending())
        });
        assert!(nobody.await, "not even a connection was made");
    }
}
