//! Where cells call: TCP, then TLS under the profile, then HTTP/1.1, then a session.
//!
//! ```text
//!  accept ─▶ queue: the oldest gives way ─▶ profile ─┬─ refusal ─▶ ledger
//!                                                    └─ peer ────▶ bounded connections ─▶ hyper ─▶ post
//! ```
//!
//! The identity is the TLS peer's and comes from nowhere else (TS 33.320 8.3.4, P-20). Nothing a cell sends makes
//! another cell wait, or a buffer grow beyond its bound. Strangers take no connection of a cell's: see [`queue`].

mod body;
mod post;
mod queue;
mod reply;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use profile::{Acceptor, Peer, Reason, Refusal, Stream};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

pub(crate) use body::Budget;
use queue::Queue;

use crate::{Hems, config::Limits, session::Caller};

/// Bytes of a request's head: a cell's is a few hundred.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header fields of a request.
const HEADERS_MAX: usize = 64;
/// How long to wait after accept itself failed, which is nearly always a lack of file descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);

/// The listeners' shared part.
pub(crate) struct Endpoint {
    hems: Arc<Hems>,
    acceptor: Acceptor,
    limits: Limits,
    connections: Semaphore,
    handshakes: Queue,
    numbers: AtomicU64,
    shutdown: watch::Receiver<bool>,
}

impl Endpoint {
    /// An endpoint that serves until `shutdown` turns true.
    pub(crate) fn new(
        hems: Arc<Hems>,
        acceptor: Acceptor,
        limits: Limits,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let permits = |count: u32| usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            hems,
            acceptor,
            limits,
            connections: Semaphore::new(permits(limits.connections)),
            handshakes: Queue::new(permits(limits.handshakes)),
            numbers: AtomicU64::new(1),
            shutdown,
        }
    }

    /// Accepts connections until the server shuts down.
    pub(crate) async fn listen(self: Arc<Self>, listener: TcpListener) {
        let mut shutdown = self.shutdown.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = shutdown.wait_for(|is_over| *is_over) => return,
            };
            match accepted {
                Ok((tcp, address)) => self.admit(tcp, address),
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_WAIT).await;
                }
            }
        }
    }

    /// Beyond the bound a connection is closed at once: a cell tries again, an attacker gains nothing.
    fn admit(self: &Arc<Self>, tcp: TcpStream, address: SocketAddr) {
        if self.connections.available_permits() == 0 {
            tracing::warn!(%address, "too many connections");
            return;
        }
        let endpoint = Arc::clone(self);
        tokio::spawn(async move { endpoint.connect(tcp, address).await });
    }

    async fn connect(self: Arc<Self>, tcp: TcpStream, address: SocketAddr) {
        // Envelopes are written whole; waiting for more to send only costs a round trip.
        let _ = tcp.set_nodelay(true);
        match self.shake(tcp).await {
            Ok(None) => {}
            Ok(Some((stream, peer))) => {
                // Only who has shown a certificate of ours counts among the connections.
                let Ok(_permit) = self.connections.try_acquire() else {
                    tracing::warn!(%address, "too many connections");
                    return;
                };
                let connection = self.numbers.fetch_add(1, Ordering::Relaxed);
                let caller = Caller { peer: Arc::new(peer), address, connection };
                self.serve(stream, caller).await;
            }
            Err(refusal) => self.hems.ledger.note(&refusal, address.ip()),
        }
    }

    /// Nothing where the peer leaves before its first byte: some cells try the line first, and hang when an alert
    /// answers that. It is nobody's fault and no refusal.
    async fn shake(&self, tcp: TcpStream) -> Result<Option<(Stream, Peer)>, Refusal> {
        let mut place = self.handshakes.enter();
        let first = Duration::from_secs(self.limits.header_seconds.into());
        let handshake = async {
            match tokio::time::timeout(first, tcp.peek(&mut [0])).await {
                Ok(Ok(0) | Err(_)) => Ok(None),
                Ok(Ok(_)) => self.acceptor.accept(tcp).await.map(Some),
                Err(_) => Err(Refusal::new(Reason::HandshakeTimeout, "nothing was sent")),
            }
        };
        tokio::select! {
            accepted = handshake => accepted,
            () = place.gave_way() => Err(Refusal::new(Reason::HandshakeTimeout, "gave way to newer handshakes")),
        }
    }

    async fn serve(&self, stream: Stream, caller: Caller) {
        let has_spoken = Arc::new(AtomicBool::new(false));
        let spoken = Arc::clone(&has_spoken);
        let service = service_fn(move |request| {
            let is_first = !spoken.swap(true, Ordering::Relaxed);
            let (hems, caller, limits) = (Arc::clone(&self.hems), caller.clone(), self.limits);
            async move { Ok::<_, Infallible>(post::answer(&hems, caller, is_first, &limits, request).await) }
        });
        let connection = self.http().serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let first = tokio::time::sleep(Duration::from_secs(self.limits.header_seconds.into()));
        let mut first = std::pin::pin!(first);
        let mut shutdown = self.shutdown.clone();
        let (mut is_new, mut is_closing) = (true, false);
        loop {
            tokio::select! {
                _ = connection.as_mut() => return,
                // A connection that never asks anything only costs: some clients open one and hang.
                () = first.as_mut(), if is_new => {
                    is_new = false;
                    if !has_spoken.load(Ordering::Relaxed) {
                        return;
                    }
                }
                _ = shutdown.wait_for(|is_over| *is_over), if !is_closing => {
                    is_closing = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    /// The wait for a head covers the pause between two posts, in which a cell carries out a call.
    fn http(&self) -> http1::Builder {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.hems.patience)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .pipeline_flush(false);
        http
    }
}
