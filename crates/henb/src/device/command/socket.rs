//! JSON lines over a Unix socket to a vendor's process.
//!
//! ```text
//!   call ──job──▶ thread ──{"id":7,"operation":…}──▶ process
//!        ◀─reply─        ◀─{"id":7,…}──
//!   hear ◀─mail──        ◀─{"values":…}──            whenever the process likes; the agent is woken
//! ```
//!
//! The thread has a runtime of its own, so that the caller can wait for it wherever it stands. Only `start` opens a
//! connection; whatever goes wrong closes it, and the process has to be started anew, with all values. News is merged,
//! so that what waits for the agent has a bound, and read with pauses, so that a process that cannot stop talking costs
//! little.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};

use super::{
    super::{Wake, program::MOST_BYTES},
    channel::ChannelError,
    protocol::{Request, START, Said},
};

/// Between two lines that nobody asked for: ten a second are more than an operator wants to hear of.
const PAUSE: Duration = Duration::from_millis(100);

/// How much longer than the thread its caller waits: the thread always answers first.
const SLACK: Duration = Duration::from_secs(1);

pub(super) struct Socket {
    limit: Duration,
    next_id: u64,
    /// At most one job waits: its caller does.
    jobs: UnboundedSender<Job>,
    mail: Arc<Mutex<Mail>>,
}

struct Job {
    id: u64,
    line: Vec<u8>,
    opens: bool,
    limit: Duration,
    reply: SyncSender<Result<Said, ChannelError>>,
}

#[derive(Default)]
struct Mail {
    news: Said,
    lost: Option<ChannelError>,
    wake: Option<Wake>,
}

#[derive(Serialize)]
struct Line<'r> {
    id: u64,
    #[serde(flatten)]
    request: &'r Request,
}

impl Socket {
    pub(super) fn new(path: PathBuf, limit: Duration) -> Self {
        let (jobs, inbox) = unbounded_channel();
        let mail = Arc::<Mutex<Mail>>::default();
        let shared = Arc::clone(&mail);
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(serve(&path, inbox, &shared));
            io::Result::Ok(())
        };
        // Without a thread nobody has the jobs' other end, and every call finds the process gone.
        if let Err(error) = std::thread::Builder::new().name("radio".to_owned()).spawn(run) {
            tracing::error!(%error, "cannot start the radio's thread");
        }
        Self { limit, next_id: 0, jobs, mail }
    }

    pub(super) fn call(&mut self, request: &Request, limit: Option<Duration>) -> Result<Said, ChannelError> {
        self.next_id += 1;
        let limit = limit.unwrap_or(self.limit);
        let mut line = serde_json::to_vec(&Line { id: self.next_id, request })?;
        line.push(b'\n');
        let (reply, answer) = sync_channel(1);
        let job = Job { id: self.next_id, line, opens: request.operation == START, limit, reply };
        self.jobs.send(job).map_err(|_| ChannelError::Gone)?;
        answer.recv_timeout(limit + SLACK).map_err(|_| ChannelError::Late(limit))?
    }

    pub(super) fn hear(&mut self) -> Result<Said, ChannelError> {
        let mut mail = self.mail.lock().unwrap_or_else(PoisonError::into_inner);
        match mail.lost.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut mail.news)),
        }
    }

    pub(super) fn subscribe(&mut self, wake: Wake) {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner).wake = Some(wake);
    }
}

/// Ends when the device is dropped, and the connection with it.
async fn serve(path: &Path, mut jobs: UnboundedReceiver<Job>, mail: &Mutex<Mail>) {
    let mut connection = None;
    loop {
        tokio::select! {
            job = jobs.recv() => {
                let Some(job) = job else { return };
                let exchanged = timeout(job.limit, exchange(path, &mut connection, &job, mail)).await;
                let outcome = exchanged.unwrap_or(Err(ChannelError::Late(job.limit)));
                if outcome.is_err() {
                    connection = None;
                }
                // Whoever asked may have given up.
                let _ = job.reply.send(outcome);
            }
            said = listen(&mut connection) => {
                if let Err(error) = said.and_then(|said| post(mail, said)) {
                    connection = None;
                    lose(mail, error);
                }
            }
        }
    }
}

async fn exchange(
    path: &Path,
    connection: &mut Option<Connection>,
    job: &Job,
    mail: &Mutex<Mail>,
) -> Result<Said, ChannelError> {
    if job.opens {
        *connection = Some(Connection::open(path).await?);
    }
    let connection = connection.as_mut().ok_or(ChannelError::Gone)?;
    connection.writer.write_all(&job.line).await.map_err(|source| io_error(path, source))?;
    loop {
        let said = connection.read().await?;
        if said.id == Some(job.id) {
            return Ok(said);
        }
        post(mail, said)?;
    }
}

async fn listen(connection: &mut Option<Connection>) -> Result<Said, ChannelError> {
    let Some(connection) = connection else { return std::future::pending().await };
    sleep(PAUSE).await;
    connection.read().await
}

/// Keeps what nobody asked for, and wakes the agent.
fn post(mail: &Mutex<Mail>, said: Said) -> Result<(), ChannelError> {
    if said.id.is_some() {
        return Err(ChannelError::OtherId);
    }
    let mut mail = mail.lock().unwrap_or_else(PoisonError::into_inner);
    if !mail.news.add(said) {
        mail.news = Said::default();
        return Err(ChannelError::TooMuch);
    }
    wake(&mail);
    Ok(())
}

fn lose(mail: &Mutex<Mail>, error: ChannelError) {
    let mut mail = mail.lock().unwrap_or_else(PoisonError::into_inner);
    mail.lost = Some(error);
    wake(&mail);
}

fn wake(mail: &Mail) {
    if let Some(wake) = &mail.wake {
        wake();
    }
}

fn io_error(path: &Path, source: io::Error) -> ChannelError {
    ChannelError::Io { path: path.to_owned(), source }
}

/// One connection; a line that is half read stays half read.
struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    line: Vec<u8>,
}

impl Connection {
    async fn open(path: &Path) -> Result<Self, ChannelError> {
        let stream = UnixStream::connect(path).await.map_err(|source| io_error(path, source))?;
        let (reader, writer) = stream.into_split();
        Ok(Self { reader: BufReader::new(reader), writer, line: Vec::new() })
    }

    async fn read(&mut self) -> Result<Said, ChannelError> {
        loop {
            // However the connection broke: the process is not at its other end any more.
            let chunk = self.reader.fill_buf().await.map_err(|_| ChannelError::Gone)?;
            if chunk.is_empty() {
                return Err(ChannelError::Gone);
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(chunk.len(), |at| at + 1);
            self.line.extend(chunk.iter().take(taken));
            self.reader.consume(taken);
            if u64::try_from(self.line.len()).is_ok_and(|length| length > MOST_BYTES) {
                return Err(ChannelError::TooMuch);
            }
            if end.is_some() {
                return Ok(Said::read(&std::mem::take(&mut self.line))?);
            }
        }
    }
}
