//! Hellos made and read by hand: no TLS library has a say here.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::PATIENCE;

/// What a server says to one hello.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Hello { version: u16, suite: u16, compression: u8 },
    Alert(u8),
    Closed,
}

fn extension(number: u16, content: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &sized(content)].concat()
}

fn sized(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes()[..], content].concat()
}

fn codes(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A ClientHello in one record. (RFC 5246 7.4.1.2)
pub(crate) fn client_hello(version: u16, suites: &[u16], compression: &[u8], more: &[u8]) -> Vec<u8> {
    let schemes = codes(&[0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201, 0x0403]);
    let groups = codes(&[0x001D, 0x0017, 0x0100]);
    let mut extensions =
        [extension(10, &sized(&groups)), extension(11, &[1, 0]), extension(0xFF01, &[0])].concat();
    if version >= 0x0303 {
        extensions.extend(extension(13, &sized(&schemes)));
    }
    extensions.extend_from_slice(more);
    let compression = [&[u8::try_from(compression.len()).unwrap()], compression].concat();
    let parts = [
        &version.to_be_bytes()[..],
        &[0x5A; 32],
        &[0],
        &sized(&codes(suites)),
        &compression,
        &sized(&extensions),
    ];
    let body = parts.concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1, length[1], length[2], length[3]][..], &body].concat();
    [&[22, 3, u8::from(version > 0x0300)][..], &sized(&message)].concat()
}

/// Offers only TLS 1.3, with a key share.
pub(crate) fn tls13_hello() -> Vec<u8> {
    let share = [&[0, 0x1D, 0, 32][..], &[9; 32]].concat();
    let more = [extension(43, &[2, 3, 4]), extension(51, &sized(&share))].concat();
    client_hello(0x0303, &[0x1301, 0x1302, 0x1303], &[0], &more)
}

/// The same wish in the format of SSL 2.0, for TLS 1.1.
pub(crate) fn sslv2_hello() -> Vec<u8> {
    let body = [&[1, 3, 2, 0, 6, 0, 0, 0, 16, 0, 0, 0x2F, 0, 0, 0x35][..], &[7; 16]].concat();
    [&[0x80, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// Sends bytes and reads the first record of the answer.
pub(crate) async fn ask(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    // The server may refuse, and close, before it has read everything.
    tcp.write_all(bytes).await.ok();
    let record = timeout(PATIENCE, read_record(&mut tcp)).await.expect("an answer in time");
    match record {
        None => Answer::Closed,
        Some((21, body)) => Answer::Alert(body[1]),
        Some((22, body)) if body[0] == 2 => {
            let at = 39 + usize::from(body[38]);
            let suite = u16::from_be_bytes([body[at], body[at + 1]]);
            Answer::Hello {
                version: u16::from_be_bytes([body[4], body[5]]),
                suite,
                compression: body[at + 2],
            }
        }
        Some((kind, _)) => panic!("a record of kind {kind}"),
    }
}

/// One record: its kind and its content.
pub(crate) async fn read_record(tcp: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    tcp.read_exact(&mut head).await.ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    tcp.read_exact(&mut body).await.ok()?;
    Some((head[0], body))
}

/// What a client offers.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) record_version: u16,
    pub(crate) version: u16,
    pub(crate) suites: Vec<u16>,
    pub(crate) compression: Vec<u8>,
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
}

impl Offer {
    pub(crate) fn extension(&self, number: u16) -> Option<&[u8]> {
        self.extensions.iter().find(|(found, _)| *found == number).map(|(_, content)| content.as_slice())
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(size);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u16 {
        let bytes = self.take(2);
        u16::from_be_bytes([bytes[0], bytes[1]])
    }

    fn short(&mut self) -> &'a [u8] {
        let size = self.take(1)[0];
        self.take(size.into())
    }

    fn long(&mut self) -> &'a [u8] {
        let size = self.number();
        self.take(size.into())
    }
}

/// Reads the ClientHello of one connection.
pub(crate) async fn read_offer(tcp: &mut TcpStream) -> Offer {
    let mut head = [0; 5];
    tcp.read_exact(&mut head).await.unwrap();
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    tcp.read_exact(&mut body).await.unwrap();
    let mut hello = Reader(&body[4..]);
    let version = hello.number();
    hello.take(32);
    hello.short();
    let suites = hello.long().chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let compression = hello.short().to_vec();
    let mut rest = Reader(hello.long());
    let mut extensions = Vec::new();
    while !rest.0.is_empty() {
        extensions.push((rest.number(), rest.long().to_vec()));
    }
    Offer { record_version: u16::from_be_bytes([head[1], head[2]]), version, suites, compression, extensions }
}
