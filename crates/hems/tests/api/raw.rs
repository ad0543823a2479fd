//! A cell that writes its HTTP by hand: what libraries of the field do with it, and ours would not.

use std::collections::BTreeMap;

use cwmp::{AcsMethod, Envelope, EventCode, FromAcs, FromCpe, Header, Limits, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    cell::{Tree, inform},
    world::{World, serial},
};

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    /// The body follows after `100 Continue`.
    Expect,
}

/// What one cell does on HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habit {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) target: &'static str,
    /// Lines of every request.
    pub(crate) always: &'static str,
    /// Lines beside an envelope.
    pub(crate) with_soap: &'static str,
    /// Lines beside an empty body.
    pub(crate) with_nothing: &'static str,
    /// Lines that return the cookie, where `TOKEN` stands for its value.
    pub(crate) cookie: &'static str,
    pub(crate) framing: Framing,
    /// Whether each request has a connection of its own.
    pub(crate) reconnects: bool,
    /// As what it is counted in each of its three requests or so.
    pub(crate) counted: &'static str,
}

/// As the standard has it.
pub(crate) const STANDARD: Habit = Habit {
    name: "as the standard has it",
    version: "HTTP/1.1",
    target: "/",
    always: "Host: localhost\r\n",
    with_soap: "Content-Type: text/xml; charset=\"utf-8\"\r\nSOAPAction:\r\n",
    with_nothing: "",
    cookie: "Cookie: hearth=TOKEN\r\n",
    framing: Framing::Length,
    reconnects: false,
    counted: "",
};

/// A reply as it stood on the wire.
#[derive(Debug)]
pub(crate) struct RawReply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl RawReply {
    pub(crate) fn message(&self) -> FromAcs {
        Envelope::<FromAcs>::decode(self.body.clone(), &Limits::default()).unwrap().envelope.body
    }
}

/// A cell with a habit.
pub(crate) struct RawCell<'w> {
    world: &'w World,
    habit: Habit,
    pair: profile::KeyPair,
    stream: Option<profile::Stream>,
    token: Option<String>,
}

impl<'w> RawCell<'w> {
    pub(crate) fn new(world: &'w World, pair: &profile::KeyPair, habit: Habit) -> Self {
        Self { world, habit, pair: pair.clone(), stream: None, token: None }
    }

    /// Posts an envelope with an ID.
    pub(crate) async fn post(&mut self, id: &str, body: FromCpe) -> RawReply {
        let header =
            if body == FromCpe::Empty { Header::default() } else { Header::with_id(Some(id.into())) };
        let text = Envelope { version: Version::V1_1, header, body }.encode();
        self.send(text.as_bytes()).await
    }

    /// Posts an Inform of cell 1.
    pub(crate) async fn inform(&mut self, events: &[EventCode]) -> RawReply {
        self.post("i", FromCpe::Call(AcsMethod::Inform(inform(&serial(1), events)))).await
    }

    /// A whole session; gives how many calls there were.
    pub(crate) async fn session(&mut self) -> usize {
        let name = self.habit.name;
        let reply = self.inform(&[EventCode::BOOTSTRAP]).await;
        assert!(matches!(reply.message(), FromAcs::Response(_)), "{name}: {reply:?}");
        let mut tree = Tree::new();
        let mut reply = self.post("", FromCpe::Empty).await;
        for calls in 0.. {
            if reply.body.is_empty() {
                assert_eq!(reply.status, 204, "{name}");
                return calls;
            }
            let FromAcs::Call(method) = reply.message() else { panic!("{name}: {reply:?}") };
            let response = FromCpe::Response(tree.execute(&method).unwrap());
            reply = self.post(&(calls + 1).to_string(), response).await;
        }
        unreachable!("the loop ends by return")
    }

    async fn send(&mut self, body: &[u8]) -> RawReply {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.world.connect(&self.pair).await,
        };
        let head = self.head(body);
        stream.write_all(head.as_bytes()).await.unwrap();
        match self.habit.framing {
            Framing::Expect if !body.is_empty() => {
                assert_eq!(read(&mut stream).await.status, 100);
                stream.write_all(body).await.unwrap();
            }
            Framing::Chunked => {
                for chunk in body.chunks(700) {
                    stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
                    stream.write_all(chunk).await.unwrap();
                    stream.write_all(b"\r\n").await.unwrap();
                }
                stream.write_all(b"0\r\n\r\n").await.unwrap();
            }
            Framing::Length | Framing::Expect => stream.write_all(body).await.unwrap(),
        }
        let reply = read(&mut stream).await;
        if let Some(cookie) = reply.headers.get("set-cookie") {
            let value = cookie.split(';').next().and_then(|pair| pair.strip_prefix("hearth="));
            self.token = value.map(str::to_owned);
        }
        if !self.habit.reconnects {
            self.stream = Some(stream);
        }
        reply
    }

    fn head(&self, body: &[u8]) -> String {
        let Habit { version, target, always, framing, .. } = self.habit;
        let more = if body.is_empty() { self.habit.with_nothing } else { self.habit.with_soap };
        let cookie = self.token.as_ref().map(|token| self.habit.cookie.replace("TOKEN", token));
        let frame = match framing {
            Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
            Framing::Expect if !body.is_empty() => {
                format!("Expect: 100-continue\r\nContent-Length: {}\r\n", body.len())
            }
            Framing::Length | Framing::Expect => format!("Content-Length: {}\r\n", body.len()),
        };
        format!("POST {target} {version}\r\n{always}{more}{}{frame}\r\n", cookie.unwrap_or_default())
    }
}

/// Reads a reply off the wire.
pub(crate) async fn read(stream: &mut profile::Stream) -> RawReply {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> =
        pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    RawReply { status, headers, body }
}
