//! Four exchanges without a H(e)MS: hyper takes each post to its end and answers with what the H(e)MS answered.
//!
//! At the first and at the last it commits the rows that the H(e)MS wrote for such a session, one after the other,
//! in one transaction each, by statements that are prepared once. Nothing is read, decoded or decided.

use std::{
    cell::RefCell,
    convert::Infallible,
    fs,
    path::Path,
    rc::Rc,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue, SET_COOKIE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::rows::{Link, Rows};

/// What the baseline knows.
struct Baseline {
    replies: Vec<Response<Full<Bytes>>>,
    rows: Rows,
}

/// Serves until it is killed.
pub(super) async fn serve(store: &str, replies: &Path) {
    let mut link = Link::open(store).await;
    let rows = Rows::read(&mut link).await;
    let replies = (0..4).map(|number| reply(&replies.join(number.to_string()))).collect();
    let baseline = Rc::new(Baseline { replies, rows });
    let link = Rc::new(tokio::sync::Mutex::new(link));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    eprintln!("listening for cells address={}", listener.local_addr().unwrap());
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                tokio::task::spawn_local(converse(tcp, Rc::clone(&baseline), Rc::clone(&link)));
            }
        })
        .await;
}

async fn converse(tcp: TcpStream, baseline: Rc<Baseline>, link: Rc<tokio::sync::Mutex<Link>>) {
    tcp.set_nodelay(true).unwrap();
    let turn = AtomicUsize::new(0);
    let session = RefCell::new((0, String::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let turn = turn.fetch_add(1, Ordering::Relaxed) % 4;
        let (baseline, link, session) = (&baseline, &link, &session);
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            if turn == 0 {
                let identity = identity(&body);
                let number = baseline.rows.open(&mut *link.lock().await, &identity).await;
                session.replace((number, identity));
            }
            if turn == 3 {
                let (number, identity) = session.take();
                baseline.rows.close(&mut *link.lock().await, &identity, number).await;
            }
            Ok::<_, Infallible>(baseline.replies[turn].clone())
        }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await;
}

/// The identity of who says this Inform.
fn identity(inform: &[u8]) -> String {
    let name = b"<SerialNumber>";
    let at = inform.windows(name.len()).position(|bytes| bytes == name).unwrap() + name.len();
    format!("{}.hnb.example", std::str::from_utf8(&inform[at..at + 12]).unwrap().to_lowercase())
}

fn reply(path: &Path) -> Response<Full<Bytes>> {
    let text = fs::read_to_string(path).unwrap();
    let mut parts = text.splitn(3, '\n');
    let (kind, cookie, body) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let mut reply = Response::new(Full::new(Bytes::from(body.to_owned())));
    if body.is_empty() {
        *reply.status_mut() = StatusCode::NO_CONTENT;
    }
    for (name, value) in [(CONTENT_TYPE, kind), (SET_COOKIE, cookie)] {
        if !value.is_empty() {
            reply.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
    }
    reply
}
