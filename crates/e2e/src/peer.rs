//! Peers that are not ours: `openssl s_client`, and a CPE of a few lines that does what no cell would.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use profile::KeyPair;

use crate::http::Reply;

/// `openssl s_client`, judged by the HTTP answer: it prints a cipher even when an alert follows.
#[derive(Debug)]
pub struct SClient {
    command: Command,
}

impl SClient {
    /// A client of `address` that checks nothing; `arguments` as typed.
    #[must_use]
    pub fn new(address: SocketAddr, arguments: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-connect", &address.to_string(), "-servername", "localhost"]);
        command.args(arguments);
        Self { command }
    }

    /// With a certificate and its key.
    #[must_use]
    pub fn with(mut self, pair: &KeyPair) -> Self {
        self.command.arg("-cert").arg(&pair.chain).arg("-key").arg(&pair.key);
        self
    }

    /// Posts an empty body; gives the HTTP status, or nothing where no HTTP answer came.
    #[must_use]
    pub fn post_nothing(mut self) -> Option<u16> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("openssl is installed");
        let request = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let mut stdin = child.stdin.take();
        // Where the handshake fails the pipe is closed, which is an answer too.
        let _ = stdin.as_mut().map(|stdin| stdin.write_all(request.as_bytes()));
        let output = child.wait_with_output().expect("it ends");
        drop(stdin);
        Reply::parse(&String::from_utf8_lossy(&output.stdout)).map(|reply| reply.status)
    }
}

/// A stream that speaks whatever the test wants, over TLS made by the test.
pub struct Peer<S>(pub S);

impl<S: Read + Write> Peer<S> {
    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The other side has closed.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// Posts a body, with header lines that end in CR LF.
    ///
    /// # Errors
    /// The other side has closed.
    pub fn post(&mut self, headers: &str, body: &[u8]) -> std::io::Result<()> {
        let length = body.len();
        let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n");
        self.send(head.as_bytes())?;
        self.send(body)
    }

    /// Reads one reply; nothing when the other side closes first.
    pub fn reply(&mut self) -> Option<Reply> {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(b"\r\n\r\n") {
            if self.0.read(&mut byte).ok()? == 0 {
                return None;
            }
            text.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&text).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut body).ok()?;
        text.extend(body);
        Reply::parse(&String::from_utf8_lossy(&text))
    }
}

impl<S> std::fmt::Debug for Peer<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peer")
    }
}

/// A TCP connection that gives up after a while instead of hanging a test.
#[must_use]
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out can be set");
    stream
}

/// Reads a file that must be there.
#[must_use]
pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
