//! Where cells call: TCP, then TLS under the profile or a tunnel that vouches, then HTTP/1.1, then a session.
//!
//! ```text
//!  accept ─▶ queue: the oldest gives way ─▶ PROXY? ─▶ profile? ─▶ tunnel? ─┬─ refusal ─▶ ledger
//!                                                                          └─ peer ────▶ bounded connections ─▶ hyper ─┬▶ post
//!                                                                                                          └▶ files
//! ```
//!
//! The identity is the TLS peer's, or in mode `ipsec` the tunnel's, and comes from nowhere else (TS 33.320 8.3.4, P-20). Nothing a cell sends makes
//! another cell wait, or a buffer grow beyond its bound. Strangers take no connection of a cell's: see [`queue`].

mod body;
mod files;
mod post;
mod proxy;
mod queue;
mod reply;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use profile::{Acceptor, Reason, Refusal, Vigil};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

pub(crate) use body::Budget;
use queue::Queue;

use crate::{
    Hems,
    config::{Limits, Transport},
    session::{Caller, Outcome, Peer},
};

/// Bytes of a request's head: a cell's is a few hundred.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header fields of a request.
const HEADERS_MAX: usize = 64;
/// How long to wait after accept itself failed, which is nearly always a lack of file descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);

/// Bytes to and from a cell, inside TLS or inside the tunnel.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

/// What vouched for a connection is gone: it ends without an answer, as it would have been refused.
#[derive(Debug, thiserror::Error)]
#[error("nobody vouches for this connection any more")]
struct Gone;

/// A connection whose peer has an identity.
struct Arrival {
    stream: Box<dyn Wire>,
    peer: Peer,
    /// Watches over its certificate; nothing where the tunnel alone vouches.
    vigil: Option<Vigil>,
}

/// The listeners' shared part.
pub(crate) struct Endpoint {
    hems: Arc<Hems>,
    transport: Transport,
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
        transport: Transport,
        limits: Limits,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let permits = |count: u32| usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            hems,
            transport,
            limits,
            connections: Semaphore::new(permits(limits.connections)),
            handshakes: Queue::new(permits(limits.handshakes)),
            numbers: AtomicU64::new(1),
            shutdown,
        }
    }

    /// Accepts connections until the server shuts down. A TLS listener brings its acceptor; without one the
    /// tunnel alone vouches.
    pub(crate) async fn listen(self: Arc<Self>, listener: TcpListener, acceptor: Option<Acceptor>) {
        let mut shutdown = self.shutdown.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = shutdown.wait_for(|is_over| *is_over) => return,
            };
            match accepted {
                Ok((tcp, address)) => self.admit(tcp, address, acceptor.clone()),
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_WAIT).await;
                }
            }
        }
    }

    /// Beyond the bound a connection is closed at once: a cell tries again, an attacker gains nothing.
    fn admit(self: &Arc<Self>, tcp: TcpStream, address: SocketAddr, acceptor: Option<Acceptor>) {
        if self.connections.available_permits() == 0 {
            tracing::warn!(%address, "too many connections");
            return;
        }
        let endpoint = Arc::clone(self);
        tokio::spawn(async move { endpoint.connect(tcp, address, acceptor).await });
    }

    async fn connect(self: Arc<Self>, tcp: TcpStream, address: SocketAddr, acceptor: Option<Acceptor>) {
        // Envelopes are written whole; waiting for more to send only costs a round trip.
        let _ = tcp.set_nodelay(true);
        let mut source = address;
        let arrival = self.in_a_place(async { self.arrive(tcp, acceptor, &mut source).await }).await;
        match arrival {
            Ok(None) => {}
            Ok(Some(Arrival { stream, peer, vigil })) => {
                self.hems.metrics.accepted(peer.tls.as_ref().map(|tls| &tls.evidence), self.hems.now());
                // Only who has an identity counts among the connections.
                let Ok(_permit) = self.connections.try_acquire() else {
                    tracing::warn!(address = %source, "too many connections");
                    return;
                };
                let connection = self.numbers.fetch_add(1, Ordering::Relaxed);
                let caller = Caller { peer: Arc::new(peer), address: source, connection };
                self.serve_while_good(stream, caller, vigil.as_ref()).await;
            }
            Err(refusal) => {
                self.hems.metrics.refused(&refusal);
                self.hems.ledger.note(&refusal, source.ip());
            }
        }
    }

    /// Does what comes before a connection has an identity, until a newer one needs the place.
    async fn in_a_place<T>(&self, work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        let mut place = self.handshakes.enter();
        tokio::select! {
            outcome = work => outcome,
            () = place.gave_way() => Err(Refusal::new(Reason::HandshakeTimeout, "gave way to newer handshakes")),
        }
    }

    /// A block ends what is open at once: the connection with whatever is said on it, and the session. (I-12) So
    /// does what a new handshake would be refused for, with the session that lives on the connection. (T-08)
    async fn serve_while_good(&self, stream: Box<dyn Wire>, caller: Caller, vigil: Option<&Vigil>) {
        let peer = Arc::clone(&caller.peer);
        tokio::select! {
            // First, so that nothing more is said once the block is there.
            biased;
            why = self.hems.blocks.until_blocked(&peer.identity, peer.chain()) => {
                let facts = peer.certificate().cloned();
                self.hems.ledger.note(&Refusal::new(Reason::Blocked, why).about(facts), caller.address.ip());
                self.hems.cut(&peer.identity, Outcome::Blocked).await;
            }
            refusal = until_refused(vigil) => self.part(&caller, &refusal, Outcome::TrustGone).await,
            () = self.serve(stream, caller.clone(), vigil) => {}
        }
    }

    /// Ends the session of a connection that would be refused now.
    async fn part(&self, caller: &Caller, refusal: &Refusal, outcome: Outcome) {
        self.hems.ledger.note(refusal, caller.address.ip());
        post::part(&self.hems, caller, outcome).await;
    }

    /// From a TCP connection to a stream and who is at its end; `source` becomes what a balancer says. Nothing where
    /// the peer leaves before its first byte: some cells try the line first, and hang when an alert answers that. It
    /// is nobody's fault and no refusal.
    async fn arrive(
        &self,
        mut tcp: TcpStream,
        acceptor: Option<Acceptor>,
        source: &mut SocketAddr,
    ) -> Result<Option<Arrival>, Refusal> {
        let patience = Duration::from_secs(self.limits.header_seconds.into());
        if !self.transport.proxy_from.is_empty() {
            let header = proxy::source(&mut tcp, *source, &self.transport.proxy_from);
            let late = |_| Refusal::new(Reason::ProxyHeader, "the PROXY header took too long");
            *source = tokio::time::timeout(patience, header).await.map_err(late)??;
        }
        let (stream, tls, vigil): (Box<dyn Wire>, _, _) = match acceptor {
            Some(acceptor) => {
                let silent = |_| Refusal::new(Reason::HandshakeTimeout, "nothing was sent");
                if let Ok(0) | Err(_) =
                    tokio::time::timeout(patience, tcp.peek(&mut [0])).await.map_err(silent)?
                {
                    return Ok(None);
                }
                let (stream, peer) = acceptor.accept(tcp).await?;
                let vigil = acceptor.watch(&peer)?;
                (Box::new(stream), Some(peer), Some(vigil))
            }
            None => (Box::new(tcp), None, None),
        };
        let peer = self.identify(tls, source.ip()).await?;
        Ok(Some(Arrival { stream, peer, vigil }))
    }

    /// The certificate says who it is, and the tunnel must agree; without TLS the tunnel alone says it. (P-20, X-03)
    async fn identify(&self, tls: Option<profile::Peer>, address: IpAddr) -> Result<Peer, Refusal> {
        let tunnel = match &self.transport.tunnel {
            Some(tunnel) => Some(tunnel.vouch(address).await?),
            None => None,
        };
        let of_certificate = tls.as_ref().map(|tls| &tls.identity);
        let of_tunnel = tunnel.as_ref().map(|tunnel| &tunnel.identity);
        let identity = match (of_certificate, of_tunnel) {
            (Some(certificate), Some(tunnel)) if certificate != tunnel => {
                let detail = format!("{certificate} came through the tunnel of {tunnel}");
                let facts = tls.map(|tls| tls.evidence.certificate);
                return Err(Refusal::new(Reason::TunnelOfAnother, detail).about(facts));
            }
            (Some(identity), _) | (None, Some(identity)) => identity.clone(),
            (None, None) => return Err(Refusal::new(Reason::Internal, "nobody vouches for this listener")),
        };
        Ok(Peer { identity, tls, tunnel })
    }

    /// What was true at the connection's begin is asked again at each request. (T-08, decision 4)
    async fn confirm(&self, caller: &Caller, vigil: Option<&Vigil>) -> Result<(), Gone> {
        if let Some(Err(refusal)) = vigil.map(Vigil::check) {
            self.part(caller, &refusal, Outcome::TrustGone).await;
            return Err(Gone);
        }
        let (Some(tunnel), Some(vouched)) = (&self.transport.tunnel, &caller.peer.tunnel) else {
            return Ok(());
        };
        if let Err(refusal) = tunnel.confirm(caller.address.ip(), vouched).await {
            self.part(caller, &refusal, Outcome::TunnelGone).await;
            return Err(Gone);
        }
        Ok(())
    }

    async fn serve(&self, stream: Box<dyn Wire>, caller: Caller, vigil: Option<&Vigil>) {
        let has_spoken = Arc::new(AtomicBool::new(false));
        let spoken = Arc::clone(&has_spoken);
        let due = files::Due::default();
        let sending = due.clone();
        let service = service_fn(move |request| {
            let is_first = !spoken.swap(true, Ordering::Relaxed);
            let (caller, due) = (caller.clone(), sending.clone());
            async move {
                self.confirm(&caller, vigil).await?;
                if files::is_file(request.uri().path()) {
                    return Ok(files::answer(&self.hems, &caller, &due, request).await);
                }
                Ok::<_, Gone>(post::answer(&self.hems, caller, is_first, &self.limits, request).await)
            }
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
                () = due.passed() => return,
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

/// Never ready where no certificate vouches: the tunnel is asked at each request.
async fn until_refused(vigil: Option<&Vigil>) -> Refusal {
    match vigil {
        Some(vigil) => vigil.until_refused().await,
        None => std::future::pending().await,
    }
}
