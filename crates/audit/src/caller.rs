//! A client that goes through a handshake step by step, and can get each step wrong. (RFC 5246 7.3)
//!
//! ```text
//!   ClientHello ──▶
//!               ◀── ServerHello … ServerHelloDone
//!     steps     ──▶   Certificate, key exchange, CertificateVerify, ChangeCipherSpec, Finished: as listed
//!               ◀── ChangeCipherSpec, Finished ⇒ open;  an alert, or nothing more ⇒ refused
//! ```

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cipher::{self, Keys, ServerKey, Suite};
use crate::credentials::Credentials;
use crate::error::AuditError;
use crate::wire::{
    ALERT, APPLICATION, Answer, CHANGE_CIPHER_SPEC, CLIENT_RANDOM, ClientHello, End, Farewell, HANDSHAKE,
    PATIENCE, Reader, Record, SERVER_HELLO, TLS12, message, read_record, record, server_hello, sized,
};

const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
const CERTIFICATE_VERIFY: u8 = 15;
const CLIENT_KEY_EXCHANGE: u8 = 16;
pub(crate) const FINISHED: u8 = 20;
/// What stands behind the version in every premaster secret.
const PREMASTER_TAIL: [u8; 46] = [0x33; 46];
/// More of a server's handshake than this is no handshake.
const MAX_FLIGHT: usize = 256 * 1024;

/// How to call: the version, the one suite, and what is said after the server's hello.
#[derive(Debug, Clone)]
pub struct Call {
    /// The hello that opens the connection; its one suite decides the rest.
    pub hello: ClientHello,
    /// What follows.
    pub steps: Vec<Step>,
    /// How secrets are exchanged.
    pub exchange: Exchange,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The certificate chain.
    Certificate,
    /// A Certificate message without certificates.
    NoCertificate,
    /// ClientKeyExchange.
    KeyExchange,
    /// CertificateVerify.
    Verify,
    /// CertificateVerify with a signature over something else.
    WrongVerify,
    /// ChangeCipherSpec; what follows is protected.
    ChangeCipherSpec,
    /// Finished.
    Finished,
    /// Finished with other verify data.
    WrongFinished,
    /// Whatever content, in a record of this kind.
    Content(u8, Vec<u8>),
}

/// What is said, in order, in an honest handshake.
pub const STEPS: [Step; 5] =
    [Step::Certificate, Step::KeyExchange, Step::Verify, Step::ChangeCipherSpec, Step::Finished];

/// How secrets are exchanged, honestly or not. (RFC 5246 7.4.7)
#[derive(Debug, Clone, Copy)]
pub enum Exchange {
    /// As it should be.
    Honest,
    /// The encrypted block is this one, padding and all; the keys are made from the honest secret nevertheless.
    Block(fn(honest: &[u8]) -> Vec<u8>),
    /// The ciphertext is this one, made from the honest one and the modulus.
    Ciphertext(fn(honest: &[u8], modulus: &[u8]) -> Vec<u8>),
    /// The content of the message is this one, made from the honest one.
    Message(fn(honest: &[u8]) -> Vec<u8>),
    /// The Diffie-Hellman share is this one, made from the prime.
    Share(fn(prime: &[u8]) -> Vec<u8>),
}

impl Call {
    /// An honest call.
    pub fn new(version: u16, suite: u16) -> Self {
        Self { hello: ClientHello::new(version, &[suite]), steps: STEPS.to_vec(), exchange: Exchange::Honest }
    }

    /// With other steps.
    #[must_use]
    pub fn steps(self, steps: &[Step]) -> Self {
        Self { steps: steps.to_vec(), ..self }
    }

    /// With another exchange.
    #[must_use]
    pub fn exchange(self, exchange: Exchange) -> Self {
        Self { exchange, ..self }
    }

    /// With another hello.
    #[must_use]
    pub fn hello(self, hello: ClientHello) -> Self {
        Self { hello, ..self }
    }

    /// Makes the call.
    pub async fn make(&self, address: SocketAddr, own: &Credentials) -> Result<Outcome, AuditError> {
        let code = self.hello.suites.first().copied().unwrap_or_default();
        let suite = Suite::of(code).ok_or(AuditError::Unable("does not speak this suite"))?;
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let mut caller = Caller::new(tcp, self.hello.version, suite);
        match caller.shake(self, own).await? {
            None => Ok(Outcome::Open(Box::new(caller))),
            Some(farewell) => Ok(Outcome::Refused(farewell)),
        }
    }
}

/// What became of a call.
#[derive(Debug)]
pub enum Outcome {
    /// The server finished too.
    Open(Box<Caller>),
    /// It did not.
    Refused(Farewell),
}

impl Outcome {
    /// How the server left; none where the handshake was completed.
    pub fn refusal(&self) -> Option<Farewell> {
        match self {
            Self::Open(_) => None,
            Self::Refused(farewell) => Some(*farewell),
        }
    }
}

/// One connection of this client.
#[derive(Debug)]
pub struct Caller {
    tcp: TcpStream,
    version: u16,
    suite: Suite,
    transcript: Vec<u8>,
    /// Handshake bytes that are not yet a whole message.
    pending: Vec<u8>,
    server: Server,
    master: Vec<u8>,
    sending: Option<Keys>,
    next: Option<(Keys, Keys)>,
    receiving: Option<Keys>,
}

/// What the server's flight said.
#[derive(Debug, Default)]
struct Server {
    random: Vec<u8>,
    certificate: Vec<u8>,
    /// Prime, generator and share.
    group: Option<[Vec<u8>; 3]>,
    /// The CAs of its CertificateRequest, as distinguished names in DER.
    authorities: Vec<Vec<u8>>,
}

/// What was heard: a content, or the end.
pub(crate) enum Heard {
    Content(u8, Vec<u8>),
    End(Farewell),
}

impl Caller {
    fn new(tcp: TcpStream, version: u16, suite: Suite) -> Self {
        Self {
            tcp,
            version,
            suite,
            transcript: Vec::new(),
            pending: Vec::new(),
            server: Server::default(),
            master: Vec::new(),
            sending: None,
            next: None,
            receiving: None,
        }
    }

    /// How the server refused, or nothing.
    async fn shake(&mut self, call: &Call, own: &Credentials) -> Result<Option<Farewell>, AuditError> {
        self.transcript.extend(call.hello.message());
        self.write(&call.hello.bytes()).await?;
        if let Some(farewell) = self.server_flight().await? {
            return Ok(Some(farewell));
        }
        for step in &call.steps {
            let bytes = self.say(step, call, own)?;
            // A server that has refused already says why, which is read below.
            if self.write(&bytes).await.is_err() {
                break;
            }
        }
        loop {
            match self.hear().await? {
                Heard::Content(HANDSHAKE, message) if message.first() == Some(&FINISHED) => return Ok(None),
                Heard::Content(..) => {}
                Heard::End(farewell) => return Ok(Some(farewell)),
            }
        }
    }

    /// Everything up to ServerHelloDone.
    async fn server_flight(&mut self) -> Result<Option<Farewell>, AuditError> {
        loop {
            let message = match self.hear().await? {
                Heard::End(farewell) => return Ok(Some(farewell)),
                Heard::Content(HANDSHAKE, message) => message,
                Heard::Content(..) => return Err(AuditError::Peer("says no handshake where one belongs")),
            };
            self.transcript.extend(&message);
            match message.first() {
                Some(&SERVER_HELLO_DONE) => return Ok(None),
                Some(_) => self.note(&message).ok_or(AuditError::Peer("says what cannot be read"))?,
                None => {}
            }
        }
    }

    fn note(&mut self, message: &[u8]) -> Option<()> {
        let (kind, rest) = message.split_first()?;
        let body = Reader(rest).long3()?;
        match *kind {
            SERVER_HELLO => {
                let Answer::Hello { version, .. } = server_hello(message)? else { return None };
                self.version = version;
                self.server.random = body.get(2..34)?.to_vec();
            }
            CERTIFICATE => {
                self.server.certificate = Reader(Reader(body).long3()?).long3()?.to_vec();
            }
            SERVER_KEY_EXCHANGE => {
                let mut params = Reader(body);
                let mut number = || params.long().map(<[u8]>::to_vec);
                self.server.group = Some([number()?, number()?, number()?]);
            }
            CERTIFICATE_REQUEST => {
                let mut request = Reader(body);
                request.short()?;
                if self.version >= TLS12 {
                    request.long()?;
                }
                let mut names = Reader(request.long()?);
                while let Some(name) = names.long() {
                    self.server.authorities.push(name.to_vec());
                }
            }
            _ => {}
        }
        Some(())
    }

    /// The bytes of one step.
    fn say(&mut self, step: &Step, call: &Call, own: &Credentials) -> Result<Vec<u8>, AuditError> {
        let (kind, body) = match step {
            Step::Content(kind, content) => return Ok(self.seal(*kind, content)),
            Step::ChangeCipherSpec => {
                let bytes = self.seal(CHANGE_CIPHER_SPEC, &[1]);
                let keys = self.keys();
                self.sending = Some(keys.0.clone());
                self.next = Some(keys);
                return Ok(bytes);
            }
            Step::Certificate => (CERTIFICATE, own.message()),
            Step::NoCertificate => (CERTIFICATE, vec![0; 3]),
            Step::KeyExchange => (CLIENT_KEY_EXCHANGE, self.key_exchange(&call.exchange)?),
            Step::Verify => (CERTIFICATE_VERIFY, own.sign(self.version, &self.transcript)?),
            Step::WrongVerify => (CERTIFICATE_VERIFY, own.sign(self.version, b"something else")?),
            Step::Finished => (FINISHED, self.verify_data("client finished")),
            Step::WrongFinished => (FINISHED, self.verify_data("server finished")),
        };
        let message = message(kind, &body);
        self.transcript.extend(&message);
        Ok(self.seal(HANDSHAKE, &message))
    }

    fn key_exchange(&mut self, exchange: &Exchange) -> Result<Vec<u8>, AuditError> {
        let (secret, message) =
            if self.suite.is_dhe { self.shared_secret(exchange)? } else { self.premaster(exchange)? };
        let randoms = [&CLIENT_RANDOM[..], &self.server.random].concat();
        self.master = cipher::prf(self.version, &secret, "master secret", &randoms, 48);
        Ok(if let Exchange::Message(spoil) = exchange { spoil(&message) } else { message })
    }

    /// (RFC 5246 7.4.7.1)
    fn premaster(&self, exchange: &Exchange) -> Result<(Vec<u8>, Vec<u8>), AuditError> {
        let key = ServerKey::of(&self.server.certificate)?;
        let secret = [&self.version.to_be_bytes()[..], &PREMASTER_TAIL].concat();
        let filler = vec![0xA5; key.size().saturating_sub(secret.len() + 3)];
        let honest = [&[0, 2][..], &filler, &[0], &secret].concat();
        let block = if let Exchange::Block(spoil) = exchange { spoil(&honest) } else { honest };
        let mut ciphertext = key.encrypt(&block)?;
        if let Exchange::Ciphertext(spoil) = exchange {
            ciphertext = spoil(&ciphertext, &key.modulus());
        }
        Ok((secret, sized(&ciphertext)))
    }

    /// The honest exponent is one: the share is the generator, and the secret the server's share.
    fn shared_secret(&self, exchange: &Exchange) -> Result<(Vec<u8>, Vec<u8>), AuditError> {
        let [prime, generator, theirs] =
            self.server.group.as_ref().ok_or(AuditError::Peer("sends no Diffie-Hellman group"))?;
        let share = if let Exchange::Share(spoil) = exchange { spoil(prime) } else { generator.clone() };
        let secret: Vec<u8> = theirs.iter().copied().skip_while(|byte| *byte == 0).collect();
        Ok((secret, sized(&share)))
    }

    fn keys(&self) -> (Keys, Keys) {
        cipher::keys(self.version, self.suite, &self.master, [&CLIENT_RANDOM, &self.server.random])
    }

    fn verify_data(&self, label: &str) -> Vec<u8> {
        cipher::verify_data(self.version, &self.master, label, &self.transcript)
    }

    fn seal(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        match &mut self.sending {
            Some(keys) => keys.seal(kind, self.version, content),
            None => record(kind, self.version, content),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.tcp.write_all(bytes).await
    }

    /// The CAs that the server would accept, as distinguished names in DER. (RFC 5246 7.4.4)
    pub fn authorities(&self) -> &[Vec<u8>] {
        &self.server.authorities
    }

    /// Sends a content of a kind, protected once the handshake is over.
    pub async fn send(&mut self, kind: u8, content: &[u8]) -> Result<(), AuditError> {
        let bytes = self.seal(kind, content);
        Ok(self.write(&bytes).await?)
    }

    /// Sends a record of application data whose blocks `spoil` makes from the honest content, MAC and padding.
    pub async fn send_spoilt(&mut self, content: &[u8], spoil: Spoil) -> Result<(), AuditError> {
        let version = self.version;
        let keys = self.sending.as_mut().ok_or(AuditError::Unable("has no keys yet"))?;
        let mac = keys.mac(APPLICATION, version, content);
        let padding = cipher::padding(content.len() + mac.len());
        let blocks = spoil(content, mac, padding);
        let bytes = keys.seal_blocks(APPLICATION, version, &blocks);
        Ok(self.write(&bytes).await?)
    }

    /// Listens until the server is gone, passing over whatever else it says.
    pub async fn farewell(&mut self) -> Result<Farewell, AuditError> {
        loop {
            if let Heard::End(farewell) = self.hear().await? {
                return Ok(farewell);
            }
        }
    }

    /// The next application data; none where the connection ends before.
    pub async fn data(&mut self) -> Result<Option<Vec<u8>>, AuditError> {
        loop {
            match self.hear().await? {
                Heard::Content(APPLICATION, content) => return Ok(Some(content)),
                Heard::Content(..) => {}
                Heard::End(_) => return Ok(None),
            }
        }
    }

    /// The next warning alert, or what ends the connection. (RFC 5246 7.2.2)
    pub async fn warning(&mut self) -> Result<Option<u8>, AuditError> {
        loop {
            match self.hear().await? {
                Heard::Content(ALERT, alert) => return Ok(alert.get(1).copied()),
                Heard::Content(..) => {}
                Heard::End(farewell) => return Ok(farewell.alert),
            }
        }
    }

    /// The next handshake message, other content or warning; a fatal alert is an end, and so is close_notify.
    async fn hear(&mut self) -> Result<Heard, AuditError> {
        loop {
            if let Some(message) = self.whole_message() {
                return Ok(Heard::Content(HANDSHAKE, message));
            }
            let record = match timeout(PATIENCE, read_record(&mut self.tcp)).await {
                Err(_) => return Ok(Heard::End(Farewell { alert: None, end: End::Open })),
                Ok(Err(_)) => return Ok(Heard::End(Farewell { alert: None, end: End::Reset })),
                Ok(Ok(None)) => return Ok(Heard::End(Farewell { alert: None, end: End::Closed })),
                Ok(Ok(Some(record))) => record,
            };
            let content = self.open(&record)?;
            match (record.kind, content.as_slice()) {
                (CHANGE_CIPHER_SPEC, _) => self.receiving = self.next.take().map(|(_, server)| server),
                (HANDSHAKE, _) => self.pending.extend(content),
                (ALERT, [level, alert]) if *level == 2 || *alert == 0 => {
                    let end = self.end().await;
                    return Ok(Heard::End(Farewell { alert: Some(*alert), end }));
                }
                _ => return Ok(Heard::Content(record.kind, content)),
            }
            if self.pending.len() > MAX_FLIGHT {
                return Err(AuditError::Peer("says too much"));
            }
        }
    }

    fn open(&mut self, record: &Record) -> Result<Vec<u8>, AuditError> {
        match &mut self.receiving {
            Some(keys) => keys.open(record).ok_or(AuditError::Peer("sends a record that does not hold")),
            None => Ok(record.body.clone()),
        }
    }

    fn whole_message(&mut self) -> Option<Vec<u8>> {
        let size = self.pending.get(1..4)?.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)) + 4;
        if self.pending.len() < size {
            return None;
        }
        let rest = self.pending.split_off(size);
        Some(std::mem::replace(&mut self.pending, rest))
    }

    /// How the server leaves after its last word.
    async fn end(&mut self) -> End {
        match timeout(PATIENCE, read_record(&mut self.tcp)).await {
            Err(_) => End::Open,
            Ok(Err(_)) => End::Reset,
            Ok(Ok(_)) => End::Closed,
        }
    }
}

/// Makes the blocks of a record from its content, its MAC and its padding.
pub type Spoil = fn(content: &[u8], mac: Vec<u8>, padding: Vec<u8>) -> Vec<u8>;
