//! The way to a vendor's side, whichever it is: a program for each request, or a process behind a socket.

use std::{io, path::PathBuf, time::Duration};

use super::{
    super::{INSTALL_LIMIT, Program, ProgramError, Wake},
    protocol::{BOOT, INSTALL, Request, Said},
    socket::Socket,
};

/// How the vendor's side is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A program is run for each operation.
    Program {
        /// It gets `--`, the operation and its arguments after its own.
        program: Program,
        /// How often it is asked for news; nothing for never.
        poll: Option<Duration>,
    },
    /// A process listens on a Unix socket.
    Socket {
        /// Where.
        path: PathBuf,
        /// How long an answer may take.
        limit: Duration,
    },
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChannelError {
    /// The program.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The socket.
    #[error("cannot talk over {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The process ended, or was never there.
    #[error("the radio's process is gone")]
    Gone,
    /// The process says nothing.
    #[error("the radio's process took longer than {0:?}")]
    Late(Duration),
    /// A line without end, or more news than can wait.
    #[error("the radio's process says too much")]
    TooMuch,
    /// Not the protocol.
    #[error("the radio's side does not speak the protocol")]
    Garbage(#[from] serde_json::Error),
    /// An answer to nothing that was asked.
    #[error("the radio's process answers what nobody asked")]
    OtherId,
}

pub(super) enum Channel {
    Program(Program),
    Socket(Socket),
}

impl Channel {
    pub(super) fn new(way: &Way) -> Self {
        match way {
            Way::Program { program, .. } => Self::Program(program.clone()),
            Way::Socket { path, limit } => Self::Socket(Socket::new(path.clone(), *limit)),
        }
    }

    /// Waits for the answer to one request, never longer than the way's limit.
    pub(super) fn call(&mut self, request: &Request) -> Result<Said, ChannelError> {
        let limit = [INSTALL, BOOT].contains(&request.operation).then_some(INSTALL_LIMIT);
        match self {
            Self::Program(program) => {
                let arguments = request.arguments.iter().map(String::as_str);
                let argv: Vec<&str> = ["--", request.operation].into_iter().chain(arguments).collect();
                let limit = limit.unwrap_or(program.limit);
                let program = Program { limit, ..program.clone() };
                let answer = program.ask(&argv, &serde_json::to_vec(request)?)?;
                Ok(Said::read(&answer)?)
            }
            Self::Socket(socket) => socket.call(request, limit),
        }
    }

    /// What came without having been asked for, or why the process is lost.
    pub(super) fn hear(&mut self) -> Result<Said, ChannelError> {
        match self {
            Self::Program(_) => Ok(Said::default()),
            Self::Socket(socket) => socket.hear(),
        }
    }

    pub(super) fn subscribe(&mut self, wake: Wake) {
        match self {
            Self::Program(_) => {}
            Self::Socket(socket) => socket.subscribe(wake),
        }
    }
}
