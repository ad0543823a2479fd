//! One request on one connection: a GET of the one path and nothing with it, or a refusal. (TR-069 3.2.2, R-01)
//!
//! ```text
//!   GET path, no content ─▶ not too often? ─▶ 204 · 503
//!   anything else ─▶ 400 · 404 · 405 · 431, or no answer for who is slow
//! ```
//!
//! Nothing of the request is kept, and no header of it is read but those that say where it ends.

use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::Refused;

/// How long a request may take with its answer: it is one packet each way.
pub(super) const REQUEST_WAIT: Duration = Duration::from_secs(5);

/// Most bytes of a request: the least that the HTTP library takes, and forty times what an ACS sends.
const MOST_BYTES: usize = 8192;

/// Most headers of a request.
const MOST_HEADERS: usize = 32;

/// Takes one request and answers it; `may` is asked last, whether it comes too often.
pub(super) async fn take<S>(stream: S, path: &str, may: impl Fn() -> bool) -> Result<(), Refused>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let outcome = Mutex::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        let judged = judge(&request, path).and_then(|()| if may() { Ok(()) } else { Err(Refused::Often) });
        outcome.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(judged);
        std::future::ready(Ok::<_, Infallible>(answer(judged)))
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .header_read_timeout(None)
        .max_buf_size(MOST_BYTES)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let ended = timeout(REQUEST_WAIT, connection).await;
    let judged = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    judged.unwrap_or_else(|| match ended {
        Err(_) => Err(Refused::Slow),
        Ok(Err(error)) if error.is_parse_too_large() => Err(Refused::Oversized),
        Ok(_) => Err(Refused::Malformed),
    })
}

fn judge(request: &Request<Incoming>, path: &str) -> Result<(), Refused> {
    let uri = request.uri();
    if uri.path() != path || uri.query().is_some() || uri.authority().is_some() {
        return Err(Refused::Path);
    }
    if request.method() != Method::GET {
        return Err(Refused::Method);
    }
    if request.body().is_end_stream() { Ok(()) } else { Err(Refused::Content) }
}

fn answer(judged: Result<(), Refused>) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = match judged {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(Refused::Path) => StatusCode::NOT_FOUND,
        Err(Refused::Method) => StatusCode::METHOD_NOT_ALLOWED,
        Err(Refused::Often) => StatusCode::SERVICE_UNAVAILABLE,
        Err(_) => StatusCode::BAD_REQUEST,
    };
    if judged == Err(Refused::Method) {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Says `text`, then nothing more; gives what came back and what was made of it.
    async fn ask(text: &str, may: bool) -> (String, Result<(), Refused>) {
        let (mut near, far) = duplex(64 * 1024);
        near.write_all(text.as_bytes()).await.unwrap();
        let outcome = take(far, "/right", || may).await;
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        (answer.lines().next().unwrap_or_default().to_owned(), outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn r01_r05_only_a_get_of_the_one_path_with_nothing_in_it_is_taken() {
        let long = format!("GET /right HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000));
        let many = format!("GET /right HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(40));
        for (text, status, outcome) in [
            ("GET /right HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", "204 No Content", Ok(())),
            ("GET /right HTTP/1.0\r\n\r\n", "204 No Content", Ok(())),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found", Err(Refused::Path)),
            ("GET /right/ HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found", Err(Refused::Path)),
            (
                "GET /right?url=https://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
                "404 Not Found",
                Err(Refused::Path),
            ),
            (
                "GET https://evil.example/right HTTP/1.1\r\nHost: a\r\n\r\n",
                "404 Not Found",
                Err(Refused::Path),
            ),
            (
                "POST /right HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                "405 Method Not Allowed",
                Err(Refused::Method),
            ),
            ("HEAD /right HTTP/1.1\r\nHost: a\r\n\r\n", "405 Method Not Allowed", Err(Refused::Method)),
            (
                "GET /right HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nurl",
                "400 Bad Request",
                Err(Refused::Content),
            ),
            (
                "GET /right HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nurl\r\n0\r\n\r\n",
                "400 Bad Request",
                Err(Refused::Content),
            ),
            ("\x16\x03\x01 a hello", "400 Bad Request", Err(Refused::Malformed)),
            (&long, "431 Request Header Fields Too Large", Err(Refused::Oversized)),
            (&many, "431 Request Header Fields Too Large", Err(Refused::Oversized)),
        ] {
            let shown = text.get(..60).unwrap_or(text);
            let (said, found) = ask(text, true).await;
            assert_eq!((said.get(9..), found), (Some(status), outcome), "{shown}");
        }
        let (said, found) = ask("GET /right HTTP/1.1\r\nHost: a\r\n\r\n", false).await;
        assert_eq!((said.get(9..), found), (Some("503 Service Unavailable"), Err(Refused::Often)));
    }

    #[tokio::test(start_paused = true)]
    async fn r05_who_is_slow_or_silent_is_left_and_gets_no_answer() {
        for text in ["", "GET /ri", "GET /right HTTP/1.1\r\nHost: a\r\n"] {
            let (mut near, far) = duplex(1024);
            near.write_all(text.as_bytes()).await.unwrap();
            let start = tokio::time::Instant::now();
            let drip = async {
                while near.write_all(b"X").await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            };
            let drip = timeout(Duration::from_secs(60), drip);
            let (outcome, _) = tokio::join!(take(far, "/right", || true), drip);
            assert_eq!(outcome, Err(Refused::Slow), "{text:?}");
            assert!(start.elapsed() >= REQUEST_WAIT);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn r05_one_connection_carries_one_request() {
        let two = "GET /right HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2);
        let (mut near, far) = duplex(64 * 1024);
        near.write_all(two.as_bytes()).await.unwrap();
        let asked = std::cell::Cell::new(0);
        let outcome = take(far, "/right", || asked.replace(asked.get() + 1) < 9).await;
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        assert_eq!((outcome, asked.get(), answer.matches("HTTP/1.1 204").count()), (Ok(()), 1, 1));
    }
}
