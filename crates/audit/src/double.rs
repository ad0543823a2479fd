//! A scripted server, for what a client does about a bad one: it says its lines and listens. (RFC 5246 7.3)

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::credentials::Credentials;
use crate::error::AuditError;
use crate::wire::{
    ALERT, ClientHello, HANDSHAKE, PATIENCE, SERVER_HELLO, TLS12, extension, message, read_record, record,
    sized,
};

const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
/// `server_random` of every hello.
const RANDOM: [u8; 32] = [0xA6; 32];

/// What the server says after the client's hello.
#[derive(Debug, Clone)]
pub struct Script {
    /// `server_version`, and the version of its records.
    pub version: u16,
    /// The suite that it picks.
    pub suite: u16,
    /// The compression that it picks.
    pub compression: u8,
    /// Extensions of its hello.
    pub extensions: Vec<(u16, Vec<u8>)>,
    /// Prime, generator and share of a DHE suite.
    pub group: Option<[Vec<u8>; 3]>,
    /// Whether it asks for a certificate.
    pub requests: bool,
}

/// What the client did about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its hello.
    pub hello: ClientHello,
    /// Its alert.
    pub alert: Option<u8>,
    /// The first record of the handshake that it went on with.
    pub said: Option<Vec<u8>>,
}

impl Script {
    /// A script for a version and a suite, with renegotiation information and nothing else.
    pub fn new(version: u16, suite: u16) -> Self {
        Self {
            version,
            suite,
            compression: 0,
            extensions: vec![(0xFF01, vec![0])],
            group: None,
            requests: false,
        }
    }

    /// Plays the script to one client, until it objects, goes on, or leaves.
    pub async fn play(&self, tcp: &mut TcpStream, own: &Credentials) -> Result<Heard, AuditError> {
        let (hello, random) = ClientHello::read(tcp).await?;
        let flight = self.flight(own, random)?;
        // A client that leaves in the middle has said why before.
        let _ = tcp.write_all(&flight).await;
        let first = timeout(PATIENCE, read_record(tcp)).await.unwrap_or(Ok(None));
        let is_reset = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionReset;
        let first = first.or_else(|error| if is_reset(&error) { Ok(None) } else { Err(error) })?;
        let alert = first.as_ref().filter(|record| record.kind == ALERT);
        let alert = alert.and_then(|record| record.body.get(1).copied());
        let said = first.filter(|record| record.kind == HANDSHAKE).map(|record| record.body);
        Ok(Heard { hello, alert, said })
    }

    /// Its hello, certificates, share and the end of its flight, for a listener that plays on by itself.
    pub fn flight(&self, own: &Credentials, client_random: [u8; 32]) -> Result<Vec<u8>, AuditError> {
        let mut messages = [self.hello(), message(CERTIFICATE, &own.message())].concat();
        if let Some(group) = &self.group {
            let params: Vec<u8> = group.iter().flat_map(|number| sized(number)).collect();
            let signed = [&client_random[..], &RANDOM, &params].concat();
            let body = [params, own.sign(self.version, &signed)?].concat();
            messages.extend(message(SERVER_KEY_EXCHANGE, &body));
        }
        if self.requests {
            let schemes: &[u8] = if self.version >= TLS12 { &[0, 2, 4, 1] } else { &[] };
            messages.extend(message(CERTIFICATE_REQUEST, &[&[1, 1], schemes, &[0, 0]].concat()));
        }
        messages.extend(message(SERVER_HELLO_DONE, &[]));
        Ok(messages.chunks(1 << 14).flat_map(|part| record(HANDSHAKE, self.version, part)).collect())
    }

    fn hello(&self) -> Vec<u8> {
        let extensions: Vec<u8> =
            self.extensions.iter().flat_map(|(number, content)| extension(*number, content)).collect();
        let body = [
            &self.version.to_be_bytes()[..],
            &RANDOM,
            &[0],
            &self.suite.to_be_bytes(),
            &[self.compression],
            &sized(&extensions),
        ];
        message(SERVER_HELLO, &body.concat())
    }
}
