//! Records and hellos, made and read by hand. (RFC 5246 6.2 and 7.4.1)
//!
//! What is read is checked: a peer that sends nonsense yields `None` or a [`Farewell`], never a panic.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::AuditError;

/// Long enough for a loaded machine; only a peer that says nothing at all costs so much.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// TLS 1.1 on the wire.
pub const TLS11: u16 = 0x0302;
/// TLS 1.2 on the wire.
pub const TLS12: u16 = 0x0303;
/// TLS 1.3 where versions are listed.
pub const TLS13: u16 = 0x0304;

pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION: u8 = 23;

pub(crate) const SERVER_HELLO: u8 = 2;
const SUPPORTED_VERSIONS: u16 = 43;
/// `client_random` of every hello.
pub(crate) const CLIENT_RANDOM: [u8; 32] = [0x5A; 32];

/// One record, still as it was on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// 20 to 23: change cipher spec, alert, handshake, application data.
    pub kind: u8,
    /// The version in the record's head.
    pub version: u16,
    /// The content.
    pub body: Vec<u8>,
}

/// A content behind its length in two bytes; longer than that is cut.
pub(crate) fn sized(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let mut out = length.to_be_bytes().to_vec();
    out.extend_from_slice(content.get(..usize::from(length)).unwrap_or_default());
    out
}

fn short(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    [&[length], content.get(..usize::from(length)).unwrap_or_default()].concat()
}

/// A content behind its length in three bytes.
pub(crate) fn sized3(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    [length.get(1..).unwrap_or_default(), content].concat()
}

pub(crate) fn codes(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A record in bytes.
pub fn record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    [&[kind], &version.to_be_bytes()[..], &sized(body)].concat()
}

/// A handshake message in bytes. (RFC 5246 7.4)
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &sized3(body)].concat()
}

/// An extension of a hello in bytes.
pub fn extension(number: u16, content: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &sized(content)].concat()
}

/// What a client offers. (RFC 5246 7.4.1.2)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The version in the record's head.
    pub record_version: u16,
    /// The highest version, as the hello has it.
    pub version: u16,
    /// The suites in order.
    pub suites: Vec<u16>,
    /// The compression methods.
    pub compression: Vec<u8>,
    /// The extensions in order.
    pub extensions: Vec<(u16, Vec<u8>)>,
}

impl ClientHello {
    /// An ordinary hello: no name, no compression, renegotiation information, groups and, at TLS 1.2, signatures.
    pub fn new(version: u16, suites: &[u16]) -> Self {
        let schemes = codes(&[0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201, 0x0403]);
        let groups = codes(&[0x001D, 0x0017, 0x0100]);
        let mut extensions = vec![(10, sized(&groups)), (11, vec![1, 0]), (0xFF01, vec![0])];
        if version >= TLS12 {
            extensions.push((13, sized(&schemes)));
        }
        let record_version = if version > 0x0300 { 0x0301 } else { 0x0300 };
        Self { record_version, version, suites: suites.to_vec(), compression: vec![0], extensions }
    }

    /// With other compression methods.
    #[must_use]
    pub fn compression(self, methods: &[u8]) -> Self {
        Self { compression: methods.to_vec(), ..self }
    }

    /// With one extension more.
    #[must_use]
    pub fn with(mut self, number: u16, content: &[u8]) -> Self {
        self.extensions.push((number, content.to_vec()));
        self
    }

    /// With a host name. (RFC 6066 3)
    #[must_use]
    pub fn named(self, host: &str) -> Self {
        let entry = [&[0][..], &sized(host.as_bytes())].concat();
        self.with(0, &sized(&entry))
    }

    /// The content of one extension.
    pub fn extension(&self, number: u16) -> Option<&[u8]> {
        self.extensions.iter().find(|(found, _)| *found == number).map(|(_, content)| content.as_slice())
    }

    /// The handshake message.
    pub fn message(&self) -> Vec<u8> {
        let extensions: Vec<u8> =
            self.extensions.iter().flat_map(|(number, content)| extension(*number, content)).collect();
        let body = [
            &self.version.to_be_bytes()[..],
            &CLIENT_RANDOM,
            &[0],
            &sized(&codes(&self.suites)),
            &short(&self.compression),
            &sized(&extensions),
        ];
        message(1, &body.concat())
    }

    /// The message in one record.
    pub fn bytes(&self) -> Vec<u8> {
        record(HANDSHAKE, self.record_version, &self.message())
    }

    /// Reads the hello that opens a connection, with its random.
    pub async fn read(tcp: &mut TcpStream) -> Result<(Self, [u8; 32]), AuditError> {
        let first = timeout(PATIENCE, read_record(tcp)).await.ok().and_then(Result::ok).flatten();
        let record = first.ok_or(AuditError::Peer("sends no hello"))?;
        Self::parse(&record).ok_or(AuditError::Peer("sends a hello that cannot be read"))
    }

    fn parse(record: &Record) -> Option<(Self, [u8; 32])> {
        let mut hello = Reader(record.body.get(4..)?);
        let version = hello.number()?;
        let random = hello.take(32)?.try_into().ok()?;
        hello.short()?;
        let suites = hello.long()?.chunks_exact(2).filter_map(number_of).collect();
        let compression = hello.short()?.to_vec();
        let mut rest = Reader(hello.long().unwrap_or_default());
        let mut extensions = Vec::new();
        while !rest.0.is_empty() {
            extensions.push((rest.number()?, rest.long()?.to_vec()));
        }
        let hello = Self { record_version: record.version, version, suites, compression, extensions };
        Some((hello, random))
    }
}

/// A hello that offers TLS 1.3, with a key share, and nothing below. (RFC 8446 4.1.2)
pub fn tls13_hello(suites: &[u16]) -> ClientHello {
    let share = [&[0, 0x1D, 0, 32][..], &[9; 32]].concat();
    ClientHello::new(TLS12, suites).with(SUPPORTED_VERSIONS, &[2, 3, 4]).with(51, &sized(&share))
}

/// A hello in the format of SSL 2.0, for TLS 1.1. (RFC 5246 E.2)
pub fn sslv2_hello() -> Vec<u8> {
    let body = [&[1, 3, 2, 0, 6, 0, 0, 0, 16, 0, 0, 0x2F, 0, 0, 0x35][..], &[7; 16]].concat();
    [&[0x80][..], &short(&body)].concat()
}

/// A slice that is eaten from the front; `None` where it is too short.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn number(&mut self) -> Option<u16> {
        self.take(2).and_then(number_of)
    }

    pub(crate) fn short(&mut self) -> Option<&'a [u8]> {
        let size = *self.take(1)?.first()?;
        self.take(size.into())
    }

    pub(crate) fn long(&mut self) -> Option<&'a [u8]> {
        let size = self.number()?;
        self.take(size.into())
    }

    pub(crate) fn long3(&mut self) -> Option<&'a [u8]> {
        let size = self.take(3)?.iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
        self.take(size)
    }
}

fn number_of(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

/// Reads one record; none where the connection ends before it.
pub async fn read_record(tcp: &mut TcpStream) -> io::Result<Option<Record>> {
    let mut head = [0; 5];
    match tcp.read_exact(&mut head).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let [kind, major, minor, high, low] = head;
    let mut body = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    tcp.read_exact(&mut body).await?;
    Ok(Some(Record { kind, version: u16::from_be_bytes([major, minor]), body }))
}

/// What a server says to one hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It goes on.
    Hello {
        /// What it chose, also by extension.
        version: u16,
        /// What it chose.
        suite: u16,
        /// What it chose.
        compression: u8,
    },
    /// It refuses.
    Alert(u8),
    /// It leaves without a word.
    Closed,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// In order.
    Closed,
    /// By a reset.
    Reset,
    /// Not at all, within [`PATIENCE`].
    Open,
}

/// The last that is heard of a peer: its fatal alert, where it sent one, and how it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Farewell {
    /// The description of its alert. (RFC 5246 7.2)
    pub alert: Option<u8>,
    /// How it left.
    pub end: End,
}

/// Sends bytes and reads the first record of the answer.
pub async fn ask(address: SocketAddr, bytes: &[u8]) -> Result<Answer, AuditError> {
    let mut tcp = TcpStream::connect(address).await?;
    // The server may refuse, and close, before it has read everything.
    let _ = tcp.write_all(bytes).await;
    let record = timeout(PATIENCE, read_record(&mut tcp)).await;
    let Ok(record) = record else { return Err(AuditError::Peer("does not answer a hello")) };
    let Some(record) = record.ok().flatten() else { return Ok(Answer::Closed) };
    match (record.kind, record.body.as_slice()) {
        (ALERT, [_, description]) => Ok(Answer::Alert(*description)),
        (HANDSHAKE, [SERVER_HELLO, ..]) => {
            server_hello(&record.body).ok_or(AuditError::Peer("sends a hello that cannot be read"))
        }
        _ => Err(AuditError::Peer("answers a hello with something else")),
    }
}

/// Reads a ServerHello; at TLS 1.3 the version stands in an extension.
pub(crate) fn server_hello(message: &[u8]) -> Option<Answer> {
    let mut hello = Reader(Reader(message.get(1..)?).long3()?);
    let mut version = hello.number()?;
    hello.take(32)?;
    hello.short()?;
    let suite = hello.number()?;
    let compression = *hello.take(1)?.first()?;
    let mut extensions = Reader(hello.long().unwrap_or_default());
    while let Some(number) = extensions.number() {
        let content = extensions.long()?;
        if number == SUPPORTED_VERSIONS {
            version = number_of(content)?;
        }
    }
    Some(Answer::Hello { version, suite, compression })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_read_as_it_was_written() {
        let hello = ClientHello::new(TLS12, &[0x002F, 0x00FF]).named("a.example").compression(&[1, 0]);
        let body = hello.message();
        let record = Record { kind: HANDSHAKE, version: 0x0301, body };
        assert_eq!(ClientHello::parse(&record), Some((hello, CLIENT_RANDOM)));
    }

    #[test]
    fn no_damaged_hello_stops_us() {
        let good = tls13_hello(&[0x1301]).message();
        for end in 0..good.len() {
            let cut = Record { kind: HANDSHAKE, version: 0x0301, body: good[..end].to_vec() };
            ClientHello::parse(&cut);
            server_hello(&good[..end]);
        }
    }

    #[test]
    fn the_version_of_tls_13_stands_in_an_extension() {
        let extensions = sized(&extension(SUPPORTED_VERSIONS, &[3, 4]));
        let body = [&[3, 3][..], &[0; 32], &[0, 0x13, 1, 0], &extensions].concat();
        let answer = server_hello(&message(SERVER_HELLO, &body));
        assert_eq!(answer, Some(Answer::Hello { version: 0x0304, suite: 0x1301, compression: 0 }));
    }
}
