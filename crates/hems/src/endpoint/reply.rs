//! HTTP answers. CWMP content is always 200, the empty message 204, and never a 401. (H-04, H-05, A-15)
//!
//! Everything else is for peers that do not speak CWMP, closes the connection, and says in one line why.

use std::pin::Pin;

use bytes::Bytes;
use cwmp::{Envelope, FromAcs};
use futures_util::stream::Stream;
use http_body_util::{Either, Full, StreamBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, SET_COOKIE},
};

/// The name of the cookie that continues a session on another connection. (H-10)
pub(super) const COOKIE: &str = "hearth";

/// A file's bytes as they are read.
type Pieces = Pin<Box<dyn Stream<Item = object_store::Result<Frame<Bytes>>> + Send>>;

/// An answer: text, or a file.
pub(super) type Reply = Response<Either<Full<Bytes>, StreamBody<Pieces>>>;

/// An envelope, or the empty message.
pub(super) fn envelope(text: Bytes) -> Reply {
    if text.is_empty() {
        return with_status(StatusCode::NO_CONTENT, Bytes::new());
    }
    let mut reply = with_status(StatusCode::OK, text);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    reply
}

/// Text of an envelope; the empty message has none.
pub(super) fn text(envelope: &Envelope<FromAcs>) -> String {
    envelope.encode()
}

/// Adds the cookie of a session; it holds random digits only, so it is always a header value.
///
/// A client that heeds `Secure` would not send it back over plain HTTP.
pub(super) fn with_cookie(mut reply: Reply, token: &str, is_secure: bool) -> Reply {
    let secure = if is_secure { "; Secure" } else { "" };
    if let Ok(value) = HeaderValue::try_from(format!("{COOKIE}={token}; Path=/; HttpOnly{secure}")) {
        reply.headers_mut().insert(SET_COOKIE, value);
    }
    reply
}

/// Ends the connection after this answer.
pub(super) fn closing(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// An answer to what is no CWMP, and the end of the connection.
pub(super) fn refused(status: StatusCode, why: &'static str) -> Reply {
    let mut reply = closing(with_status(status, Bytes::from_static(why.as_bytes())));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let extra: Option<(HeaderName, &'static str)> = match status {
        StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "POST")),
        StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, "30")),
        _ => None,
    };
    if let Some((name, value)) = extra {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

fn with_status(status: StatusCode, body: Bytes) -> Reply {
    let mut reply = Response::new(Either::Left(Full::new(body)));
    *reply.status_mut() = status;
    reply
}
