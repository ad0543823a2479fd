//! A cell that calls without rest, and keeps count of what it was told to do.
//!
//! ```text
//!   connect ─▶ Inform ─▶ its turn, theirs ─▶ closed ─▶ again at once
//!      ▲                                        │ broken: what waits to be reported is kept
//!      └────────────── a short rest ◀───────────┘
//! ```
//!
//! What it did is counted before it answers, as a cell that dies in between would have done it.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cwmp::{
    CpeMethod, CpeResponse, DateTime, DeviceId, Envelope, EventCode, EventStruct, Fault, FaultCode, FromAcs,
    FromCpe, GetRPCMethodsResponse, Inform, Limits, RebootResponse,
    session::cpe::{Demand, Session},
};
use profile::{Connector, KeyPair, SystemClock, Terms};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long a cell rests after a session that failed.
const REST: Duration = Duration::from_millis(50);

/// How long a cell takes to answer when it has done something: the moment in which a node's death hurts most.
const DEED: Duration = Duration::from_millis(50);

/// What all cells did together.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    /// How often each CommandKey was carried out.
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
    /// Answers to something that was done and that nobody heard.
    cut: Arc<AtomicUsize>,
}

impl Tally {
    fn count(&self, key: &str) {
        *self.counts.lock().unwrap().entry(key.to_owned()).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        self.counts.lock().unwrap().clone()
    }

    pub(crate) fn cut(&self) -> usize {
        self.cut.load(Ordering::Relaxed)
    }
}

/// A simulated cell.
pub(crate) struct Cell {
    pub(crate) serial: String,
    pub(crate) pair: KeyPair,
    pub(crate) anchors: PathBuf,
    pub(crate) hems: SocketAddr,
    pub(crate) tally: Tally,
    /// Events that wait for a session.
    pub(crate) events: Vec<EventStruct>,
}

impl Cell {
    /// Calls until it is told to end; a session that has begun is finished.
    pub(crate) async fn live(mut self, is_over: Arc<AtomicBool>) {
        let mut terms = Terms::new(Arc::new(SystemClock));
        terms.lab = true;
        let connector = Connector::new(&terms, &self.pair, &self.anchors).unwrap();
        while !is_over.load(Ordering::Relaxed) {
            if self.call(&connector).await.is_err() {
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// One session.
    async fn call(&mut self, connector: &Connector) -> io::Result<()> {
        let tcp = TcpStream::connect(self.hems).await?;
        let connected = connector.connect(tcp, "localhost").await;
        let (mut stream, _) = connected.map_err(|refusal| io::Error::other(refusal.to_string()))?;
        let (mut session, mut post) = Session::open(self.inform(), Vec::new());
        let (mut is_first, mut owes) = (true, false);
        loop {
            let reply = match exchange(&mut stream, &post).await {
                Ok(reply) => reply,
                Err(error) => {
                    self.tally.cut.fetch_add(usize::from(owes), Ordering::Relaxed);
                    return Err(error);
                }
            };
            let demand = session.receive(reply).map_err(|error| io::Error::other(error.to_string()))?.demand;
            if std::mem::take(&mut is_first) {
                // The answer to the Inform: what it told is stored.
                self.events.clear();
            }
            post = match demand {
                Demand::Post(post) => post,
                Demand::Execute(method) => {
                    let answer = self.execute(&method);
                    owes = matches!(method, CpeMethod::Reboot(_));
                    tokio::time::sleep(DEED).await;
                    session.respond(answer)
                }
                Demand::Closed => return Ok(()),
            };
        }
    }

    fn inform(&self) -> Inform {
        let periodic = || vec![EventCode::PERIODIC.into()];
        Inform {
            device_id: DeviceId {
                manufacturer: "Test".into(),
                oui: "00005E".into(),
                product_class: "SimulatedCell".into(),
                serial_number: self.serial.clone().into(),
            },
            event: if self.events.is_empty() { periodic() } else { self.events.clone() },
            max_envelopes: 1,
            current_time: DateTime::UNKNOWN,
            retry_count: 0,
            parameter_list: Vec::new(),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "this cell offers what the test needs")]
    fn execute(&mut self, method: &CpeMethod) -> Result<CpeResponse, Fault> {
        match method {
            CpeMethod::GetRPCMethods(_) => {
                Ok(GetRPCMethodsResponse { method_list: vec!["Reboot".into()] }.into())
            }
            CpeMethod::Reboot(call) => {
                self.tally.count(&call.command_key);
                if self.events.is_empty() {
                    self.events.push(EventCode::BOOT.into());
                }
                let event_code = EventCode::M_REBOOT;
                self.events.push(EventStruct { event_code, command_key: call.command_key.clone() });
                Ok(RebootResponse {}.into())
            }
            _ => Err(Fault::from(FaultCode::METHOD_NOT_SUPPORTED)),
        }
    }
}

async fn exchange(stream: &mut profile::Stream, post: &Envelope<FromCpe>) -> io::Result<Envelope<FromAcs>> {
    send(stream, post).await?;
    receive(stream).await
}

async fn send(stream: &mut profile::Stream, post: &Envelope<FromCpe>) -> io::Result<()> {
    let body = post.encode();
    let soap = if body.is_empty() { "" } else { "Content-Type: text/xml\r\nSOAPAction:\r\n" };
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{soap}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    stream.flush().await
}

async fn receive(stream: &mut profile::Stream) -> io::Result<Envelope<FromAcs>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    if !head.starts_with("http/1.1 20") {
        return Err(io::Error::other(head));
    }
    let decoded = Envelope::<FromAcs>::decode(body, &Limits::default());
    Ok(decoded.map_err(|error| io::Error::other(error.to_string()))?.envelope)
}
