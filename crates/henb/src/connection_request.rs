//! The listener for Connection Requests: there by choice only, and with one effect. (decision 5, R-03 to R-07)
//!
//! ```text
//!   TCP ─▶ a listed source? ─▶ not too often, a free place? ─▶ tls: the wake role of this H(e)MS? ─▶ the one GET? ─▶ 204
//!               └───────────────────┴── no: counted by reason, and nothing else ──┴─────────────────┘       │
//!                                                                             a session to the cell's own URL ◀┘
//! ```
//!
//! It stands on one address, looks again and again whether the cell still has it, and closes when not: a tunnel that is
//! down leaves no door open. Nothing that arrives gets further than a count and the word "somebody asked".

mod rate;
mod request;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use profile::WakeAcceptor;
use rate::Rate;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use tracing::Instrument;

use crate::{
    agent::Status,
    config::{ConnectionRequest, Entrance},
};

/// How often the listener looks whether its address is still there.
const LOOK: Duration = Duration::from_secs(2);

/// Connections at a time: the H(e)MS needs one, and a stranger in its network shall not take every place of it.
const MOST_CONNECTIONS: usize = 8;

/// Connections that the kernel keeps ready.
const BACKLOG: u32 = 16;

/// Connections at once, and one more in every so long: each may cost a handshake.
const CONNECTIONS: (u32, Duration) = (20, Duration::from_secs(1));

/// Connection Requests at once, and one more in every so long. (TR-069 3.2.2, R-01)
const REQUESTS: (u32, Duration) = (5, Duration::from_secs(12));

/// Why a connection came to nothing; each is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// From an address that is not listed.
    Source,
    /// All places are taken.
    Busy,
    /// More than the rate.
    Often,
    /// The handshake: the profile says why.
    Tls(profile::Reason),
    /// No whole request in time.
    Slow,
    /// No HTTP.
    Malformed,
    /// A head that is too large.
    Oversized,
    /// Another path.
    Path,
    /// Another method than GET.
    Method,
    /// A GET that carries something.
    Content,
}

impl Refused {
    /// The word that it is counted by.
    const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Busy => "busy",
            Self::Often => "often",
            Self::Tls(reason) => reason.code(),
            Self::Slow => "slow",
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::Path => "path",
            Self::Method => "method",
            Self::Content => "content",
        }
    }
}

/// What a listener says to the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct News {
    /// Connection Requests that were taken so far.
    taken: u64,
    /// Where it stands, or stood last; a new port only where a free one was asked for.
    address: Option<SocketAddr>,
}

/// What the listener and the agent share.
struct Door {
    wanted: ConnectionRequest,
    acceptor: Option<WakeAcceptor>,
    path: String,
    /// The host of the H(e)MS that the cell calls now.
    hems: Mutex<String>,
    news: watch::Sender<News>,
    status: watch::Sender<Status>,
    connections: Mutex<Rate>,
    requests: Mutex<Rate>,
}

/// The agent's end of a listener, open or not.
pub(crate) struct Requests {
    door: Arc<Door>,
    news: watch::Receiver<News>,
    taken: u64,
    task: Option<JoinHandle<()>>,
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.close();
    }
}

impl Requests {
    /// A closed one, whose URL will have this number in it.
    pub(crate) fn new(
        wanted: ConnectionRequest,
        acceptor: Option<WakeAcceptor>,
        number: u128,
        status: watch::Sender<Status>,
    ) -> Self {
        let (news, heard) = watch::channel(News::default());
        let now = Instant::now();
        let rate = |(most, every)| Mutex::new(Rate::new(most, every, now));
        let door = Door {
            wanted,
            acceptor,
            path: format!("/{number:032x}"),
            hems: Mutex::default(),
            news,
            status,
            connections: rate(CONNECTIONS),
            requests: rate(REQUESTS),
        };
        Self { door: Arc::new(door), news: heard, taken: 0, task: None }
    }

    /// Opens it; `hems` is the host whose Connection Requests count from now on.
    pub(crate) fn open(&mut self, hems: &str) {
        hems.clone_into(&mut self.door.hems.lock().unwrap_or_else(PoisonError::into_inner));
        if self.task.is_none() {
            // At once, so that the first Inform has the URL.
            let listener = self.door.bind(self.door.wanted.listen);
            self.task = Some(tokio::spawn(Arc::clone(&self.door).listen(listener).in_current_span()));
        }
    }

    /// Closes it and every connection.
    pub(crate) fn close(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// The ConnectionRequestURL; empty while it is closed. (R-01, R-03)
    pub(crate) fn url(&self) -> String {
        let scheme = if self.door.acceptor.is_some() { "https" } else { "http" };
        let address = self.news.borrow().address.filter(|_| self.task.is_some());
        address.map(|address| format!("{scheme}://{address}{}", self.door.path)).unwrap_or_default()
    }

    /// Whether somebody asked for a session since the last question.
    pub(crate) fn take(&mut self) -> bool {
        let taken = self.news.borrow_and_update().taken;
        std::mem::replace(&mut self.taken, taken) < taken
    }

    /// Waits until the listener has something to say.
    pub(crate) async fn news(&mut self) {
        // The sender lives as long as the door, which is ours too.
        let _ = self.news.changed().await;
    }

    /// Who is accepted, to read its files again.
    pub(crate) fn acceptor(&self) -> Option<&WakeAcceptor> {
        self.door.acceptor.as_ref()
    }
}

impl Door {
    /// A socket on this address, by the tunnel's interface where one is named.
    fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = self.socket(address)?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        self.news.send_if_modified(|news| news.address.replace(address) != Some(address));
        tracing::info!(%address, "the cell listens for Connection Requests");
        Ok(listener)
    }

    fn socket(&self, address: SocketAddr) -> io::Result<TcpSocket> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Entrance::Tunnel(Some(interface)) = &self.wanted.entrance {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        Ok(socket)
    }

    /// Looks whether the address is still this cell's: a socket that already listens does not notice.
    fn look(&self) -> io::Result<()> {
        let address = SocketAddr::new(self.wanted.listen.ip(), 0);
        self.socket(address)?.bind(address)
    }

    /// Listens for ever, whenever the address is there.
    async fn listen(self: Arc<Self>, mut opened: io::Result<TcpListener>) {
        let mut said = String::new();
        loop {
            match opened {
                Ok(listener) => {
                    said.clear();
                    let why = self.serve(&listener).await;
                    // Whoever reads the log finds it closed.
                    drop(listener);
                    tracing::warn!(address = %self.wanted.listen, %why, "the cell listens no more");
                }
                Err(error) if error.to_string() != said => {
                    said = error.to_string();
                    tracing::warn!(address = %self.wanted.listen, %error, "the cell cannot listen for Connection Requests");
                }
                Err(_) => {}
            }
            tokio::time::sleep(LOOK).await;
            // The port that the H(e)MS was told of, also where it was a free one.
            let address = self.news.borrow().address.unwrap_or(self.wanted.listen);
            opened = self.bind(address);
        }
    }

    /// Takes connections until the address is gone; says why it ends.
    async fn serve(self: &Arc<Self>, listener: &TcpListener) -> io::Error {
        let mut connections = JoinSet::new();
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((tcp, from)) => self.admit(tcp, from.ip(), &mut connections),
                    Err(error) => return error,
                },
                Some(_) = connections.join_next() => {}
                _ = look.tick() => if let Err(error) = self.look() {
                    return error;
                },
            }
        }
    }

    /// Lets a connection in, before a byte of it is read.
    fn admit(self: &Arc<Self>, tcp: TcpStream, from: IpAddr, connections: &mut JoinSet<()>) {
        let sources = &self.wanted.from;
        let refused = if !sources.is_empty() && !sources.contains(&from) {
            Refused::Source
        } else if connections.len() >= MOST_CONNECTIONS {
            Refused::Busy
        } else if !take(&self.connections) {
            Refused::Often
        } else {
            let door = Arc::clone(self);
            let heard = async move {
                match door.hear(tcp).await {
                    Ok(()) => door.taken(from),
                    Err((refused, detail)) => door.refuse(from, refused, &detail),
                }
            };
            connections.spawn(heard.in_current_span());
            return;
        };
        self.refuse(from, refused, "");
    }

    /// One connection from its handshake to the answer, which is out before the session begins. (R-01)
    async fn hear(&self, tcp: TcpStream) -> Result<(), (Refused, String)> {
        let may = || take(&self.requests);
        let outcome = match &self.acceptor {
            None => request::take(tcp, &self.path, may).await,
            Some(acceptor) => {
                let hems = self.hems.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let stream = acceptor.accept(tcp, &hems).await;
                let stream = stream.map_err(|refusal| (Refused::Tls(refusal.reason), refusal.detail))?;
                request::take(stream, &self.path, may).await
            }
        };
        outcome.map_err(|refused| (refused, String::new()))
    }

    fn taken(&self, from: IpAddr) {
        tracing::info!(%from, "a Connection Request");
        self.status.send_modify(|status| status.connection_requests += 1);
        self.news.send_modify(|news| news.taken += 1);
    }

    /// Counts; the log has the first of each kind, and then ever fewer.
    fn refuse(&self, from: IpAddr, refused: Refused, detail: &str) {
        let reason = refused.word();
        let mut count = 0;
        self.status.send_modify(|status| count = add(&mut status.refused_requests, reason));
        if count.is_power_of_two() {
            tracing::warn!(%from, reason, detail, count, "a Connection Request was refused");
        }
    }
}

fn add(counts: &mut BTreeMap<&'static str, u64>, reason: &'static str) -> u64 {
    let count = counts.entry(reason).or_default();
    *count += 1;
    *count
}

fn take(rate: &Mutex<Rate>) -> bool {
    rate.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
}
