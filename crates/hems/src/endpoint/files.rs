//! What a cell fetches and sends beside its sessions, on the same connection and under the same identity. (decision 10)
//!
//! A URL is worth something for the identity of its call alone; for another it is not there. Nothing asks for a
//! password, and what is refused says why in one line.
//!
//! ```text
//!  GET …/files/TOKEN              ─▶ 200, 206 of a range, 416       PUT …/files/TOKEN             ─▶ 201
//!                                                                   PUT …/files/measurements/NAME ─▶ 201
//! ```

use std::{ops::Range, sync::Arc};

use futures_util::StreamExt;
use http_body_util::{Either, StreamBody};
use hyper::{
    Method, Request, StatusCode,
    body::{Frame, Incoming},
    header::{
        ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
        HeaderValue, IF_RANGE, RANGE,
    },
};
use tokio::{sync::watch, time::Instant};

use super::reply::{self, Reply};
use crate::{
    Hems,
    files::{self, Arriving, FileError, Kind, MEASUREMENTS, PATH, TRANSFER_MAX},
    session::Caller,
    store::{FileRow, UrlRow},
};

/// When the file that is sent on a connection must be over; nothing while none is.
#[derive(Clone)]
pub(super) struct Due(Arc<watch::Sender<Option<Instant>>>);

impl Default for Due {
    fn default() -> Self {
        Self(Arc::new(watch::channel(None).0))
    }
}

impl Due {
    /// Ready when a file took too long: a peer that does not read keeps its connection no longer.
    pub(super) async fn passed(&self) {
        let mut due = self.0.subscribe();
        loop {
            let at = *due.borrow_and_update();
            let passed = async {
                match at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = passed => return,
                _ = due.changed() => {}
            }
        }
    }

    fn begin(&self) -> Sending {
        self.0.send_replace(Some(Instant::now() + TRANSFER_MAX));
        Sending(self.clone())
    }
}

/// A file on its way.
struct Sending(Due);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.0.send_replace(None);
    }
}

/// What a request asks for below [`PATH`].
pub(super) fn is_file(path: &str) -> bool {
    path.starts_with(PATH)
}

/// Answers one request for a file.
pub(super) async fn answer(
    hems: &Arc<Hems>,
    caller: &Caller,
    due: &Due,
    request: Request<Incoming>,
) -> Reply {
    let identity = caller.peer.identity.as_str();
    let below = request.uri().path().strip_prefix(PATH).unwrap_or_default().to_owned();
    let (place, name) = below.split_once('/').unwrap_or((&below, ""));
    let found = match place {
        MEASUREMENTS => measurements(hems, identity, name).await,
        token => hems.store.file_url(token, identity, hems.now()).await,
    };
    let reply = match found {
        Ok(Some(url)) if url.method == request.method().as_str() => match url.file {
            Some(file) => give(hems, due, file, request.headers()).await,
            None => take(hems, identity, url, name, request).await,
        },
        Ok(Some(url)) => not_this(&url.method),
        Ok(None) => reply::refused(StatusCode::NOT_FOUND, "there is no such file for this identity\n"),
        Err(error) => {
            tracing::error!(%error, "a file's URL cannot be looked up");
            unavailable()
        }
    };
    if reply.status().is_client_error() {
        super::post::count(hems, &caller.peer.identity, "file_refused").await;
    }
    reply
}

/// The place of measurements is worth something for each cell that is admitted.
async fn measurements(hems: &Hems, identity: &str, name: &str) -> Result<Option<UrlRow>, crate::StoreError> {
    let device = hems.store.device(identity).await?;
    let is_admitted = device.is_some_and(|device| device.binding().is_some());
    Ok((is_admitted && files::is_name(name)).then(|| UrlRow {
        token: format!("{MEASUREMENTS}/{name}"),
        method: Method::PUT.to_string(),
        kind: Kind::Measurement.name().to_owned(),
        file: None,
        size_max: i64::try_from(hems.files.filing.upload_bytes).unwrap_or(i64::MAX),
    }))
}

async fn give(hems: &Hems, due: &Due, file: i64, headers: &HeaderMap) -> Reply {
    match hems.store.file(file).await {
        Ok(Some(file)) => send(hems, due, &file, headers).await,
        Ok(None) => reply::refused(StatusCode::NOT_FOUND, "the file is gone\n"),
        Err(error) => {
            tracing::error!(%error, "a file cannot be looked up");
            unavailable()
        }
    }
}

async fn send(hems: &Hems, due: &Due, file: &FileRow, headers: &HeaderMap) -> Reply {
    let size = u64::try_from(file.size).unwrap_or_default();
    let tag = format!("\"{}\"", file.sha256);
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_same = text(IF_RANGE).is_none_or(|known| known == tag);
    let asked = text(RANGE).filter(|_| is_same).map_or(Asked::All, |text| Asked::read(text, size));
    let (status, part) = match asked {
        Asked::All => (StatusCode::OK, 0..size),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Asked::Beyond => {
            let reply = reply::refused(StatusCode::RANGE_NOT_SATISFIABLE, "the file ends before that\n");
            return with(reply, [(CONTENT_RANGE, format!("bytes */{size}"))]);
        }
    };
    let Ok(content) = hems.files.read(&file.content, Some(part.clone())).await else {
        tracing::error!(file = file.id, "a file's content cannot be read");
        return unavailable();
    };
    let sending = due.begin();
    let frames = content.map(move |piece| {
        let _sending = &sending;
        piece.map(Frame::data)
    });
    let mut reply = Reply::new(Either::Right(StreamBody::new(Box::pin(frames))));
    *reply.status_mut() = status;
    let length = (CONTENT_LENGTH, (part.end - part.start).to_string());
    let reply = with(reply, [length, (ETAG, tag), (ACCEPT_RANGES, "bytes".to_owned())]);
    let reply = with(reply, [(CONTENT_TYPE, "application/octet-stream".to_owned())]);
    if status != StatusCode::PARTIAL_CONTENT {
        return reply;
    }
    with(reply, [(CONTENT_RANGE, format!("bytes {}-{}/{size}", part.start, part.end - 1))])
}

async fn take(
    hems: &Arc<Hems>,
    identity: &str,
    url: UrlRow,
    name: &str,
    request: Request<Incoming>,
) -> Reply {
    let name = if files::is_name(name) { name.to_owned() } else { format!("{}-{identity}", url.kind) };
    let arriving = Arriving {
        kind: Kind::named(&url.kind).unwrap_or(Kind::Log),
        name,
        identity: Some(identity.to_owned()),
        origin: Some(url.token),
        author: identity.to_owned(),
        size_max: u64::try_from(url.size_max).unwrap_or_default(),
    };
    match files::receive(hems, arriving, request.into_body()).await {
        Ok(file) => {
            tracing::info!(device = identity, file = file.id, kind = file.kind, "a file came");
            let mut reply = reply::envelope(bytes::Bytes::new());
            *reply.status_mut() = StatusCode::CREATED;
            reply
        }
        Err(error) => not_taken(&error),
    }
}

fn not_taken(error: &FileError) -> Reply {
    let (status, why) = match error {
        FileError::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "the file is too large\n"),
        FileError::Empty => (StatusCode::BAD_REQUEST, "the file is empty\n"),
        FileError::Broken => (StatusCode::BAD_REQUEST, "the file ended early\n"),
        FileError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the file took too long\n"),
        FileError::DeviceFull | FileError::Full => {
            (StatusCode::INSUFFICIENT_STORAGE, "there is no room for more files\n")
        }
        FileError::Firmware(_) => (StatusCode::UNPROCESSABLE_ENTITY, "this is no firmware\n"),
        FileError::Busy => return unavailable(),
        FileError::Store(_) | FileError::Content(_) | FileError::Randomness(_) => {
            tracing::error!(%error, "a file is not taken");
            return unavailable();
        }
    };
    tracing::warn!(%error, "a file is not taken");
    reply::refused(status, why)
}

fn not_this(method: &str) -> Reply {
    let reply = reply::refused(StatusCode::METHOD_NOT_ALLOWED, "this URL is for another method\n");
    with(reply, [(ALLOW, method.to_owned())])
}

fn unavailable() -> Reply {
    reply::refused(StatusCode::SERVICE_UNAVAILABLE, "try again later\n")
}

/// Adds headers; each is made of digits and fixed words, so none is left out.
fn with<const N: usize>(mut reply: Reply, headers: [(HeaderName, String); N]) -> Reply {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// How much of a file is asked for. (RFC 9110 14.2)
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// All of it: without a range, or with one that may be ignored, such as several at once.
    All,
    Part(Range<u64>),
    /// Nothing that the file has.
    Beyond,
}

impl Asked {
    fn read(text: &str, size: u64) -> Self {
        let number = |digits: &str| digits.parse::<u64>().ok();
        let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::All;
        };
        let part = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
            (Some(first), None) if last.is_empty() => first..size,
            (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
            _ => return Self::All,
        };
        if part.start < part.end { Self::Part(part) } else { Self::Beyond }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_http_has_it() {
        let check = |text: &str, expected| assert_eq!(Asked::read(text, 10), expected, "{text}");
        check("bytes=0-3", Asked::Part(0..4));
        check("bytes=4-", Asked::Part(4..10));
        check("bytes=-3", Asked::Part(7..10));
        check("bytes=-30", Asked::Part(0..10));
        check("bytes=8-99", Asked::Part(8..10));
        check("bytes=0-18446744073709551615", Asked::Part(0..10));
        for beyond in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            check(beyond, Asked::Beyond);
        }
        for ignored in ["bytes=3-1", "bytes=0-1,3-4", "lines=0-1", "bytes=-", "bytes=a-b", "bytes=0-x", ""] {
            check(ignored, Asked::All);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_nobody_reads_is_over_at_its_time_and_one_that_is_sent_is_not() {
        let due = Due::default();
        let sent = due.begin();
        drop(sent);
        let passed = tokio::time::timeout(2 * TRANSFER_MAX, due.passed()).await;
        assert!(passed.is_err(), "nothing is being sent");
        let _stuck = due.begin();
        assert!(tokio::time::timeout(2 * TRANSFER_MAX, due.passed()).await.is_ok());
    }
}
