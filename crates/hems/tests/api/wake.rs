//! Waking cells: a Connection Request to where the cell listens, and what becomes of the action.
//!
//! ```text
//!  API: wake ─▶ queued ─▶ sent ─▶ GET at the cell's listener ─▶ 6 CONNECTION REQUEST ─▶ done
//! ```

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use cwmp::{EventCode, ValueKind};
use hyper::{Method, StatusCode};
use profile::{Connector, Provision, SystemClock, Terms, WakeAcceptor, pki};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    cell::{Cell, Tree, inform, parameter},
    world::{REALM, World, identity, serial},
};

const URL: &str = "Device.ManagementServer.ConnectionRequestURL";
const WAKE: &str = "[wake]\ncertificate = \"pki/wake/localhost.pem\"\nkey = \"pki/wake/localhost.key\"\n";
const HERE: &str = "networks = [\"127.0.0.1\"]\n";

/// A listener of a cell that answers every request with one text.
struct Listener {
    address: SocketAddr,
    /// The heads of the requests.
    heard: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// Over TLS, with the certificate of cell `number`'s listener.
    async fn tls(world: &World, number: u8, answer: &'static str) -> Self {
        let eui = identity(number).split('.').next().unwrap().to_owned();
        let own = pki::issue_listener(&world.pki(), &eui, REALM).unwrap();
        let terms = Terms { lab: true, ..Terms::new(Arc::new(SystemClock)) };
        let anchors = world.pki().join("operator.pem");
        let cell = Connector::new(&terms, &world.certificate(number), &anchors).unwrap();
        let acceptor = WakeAcceptor::new(&terms, &Provision::new(&own, &anchors), &cell).unwrap();
        Self::at("127.0.0.1", Some(acceptor), answer).await
    }

    async fn at(address: &str, acceptor: Option<WakeAcceptor>, answer: &'static str) -> Self {
        let listener = TcpListener::bind(format!("{address}:0")).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::default();
        let told = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let Some(acceptor) = &acceptor else {
                    take(tcp, answer, &told).await;
                    continue;
                };
                if let Ok(stream) = acceptor.accept(tcp, "localhost").await {
                    take(stream, answer, &told).await;
                }
            }
        });
        Self { address, heard, task }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn take<S>(mut stream: S, answer: &str, heard: &Mutex<Vec<String>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    heard.lock().unwrap().push(String::from_utf8(head).unwrap());
    stream.write_all(answer.as_bytes()).await.unwrap();
    let _ = stream.shutdown().await;
}

const ANSWERED: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// A H(e)MS that wakes cells which listen on this machine.
async fn waking(more: &str) -> World {
    World::waking(&format!("{WAKE}{more}")).await
}

/// Cell 1 calls and says where it listens.
async fn call(world: &World, event: EventCode, url: &str) -> Vec<&'static str> {
    call_over(Cell::connect(world, 1).await, event, url).await
}

async fn call_over(mut cell: Cell, event: EventCode, url: &str) -> Vec<&'static str> {
    let mut inform = inform(&serial(1), &[event]);
    inform.parameter_list.push(parameter(URL, url, ValueKind::String));
    cell.session_of(inform, &mut Tree::new()).await
}

async fn ask(world: &World, action: Value) -> (StatusCode, Value) {
    world.ask(Method::POST, &format!("/api/v1/devices/{}/actions", identity(1)), Some(action)).await
}

fn calls() -> String {
    format!("/api/v1/devices/{}/calls", identity(1))
}

/// Waits until the newest Wake says this.
async fn until(world: &World, holds: impl Fn(&Value) -> bool) -> Value {
    let is_it = |call: &Value| call["method"] == "Wake" && holds(call);
    let list = world.until(&calls(), |list| list["items"].as_array().unwrap().iter().any(is_it)).await;
    list["items"].as_array().unwrap().iter().find(|call| is_it(call)).unwrap().clone()
}

/// Asks in vain; gives the failed action.
async fn failed(world: &World) -> Value {
    let (status, queued) = ask(world, json!({"action": "wake"})).await;
    assert_eq!(status, StatusCode::CREATED, "{queued}");
    until(world, |call| call["state"] == "failed").await
}

#[tokio::test]
async fn r10_a_wake_is_queued_sent_and_done_when_the_cell_says_that_it_was_asked() {
    let world = waking(HERE).await;
    let listener = Listener::tls(&world, 1, ANSWERED).await;
    let url = format!("https://{}/4f0c", listener.address);
    call(&world, EventCode::BOOTSTRAP, &url).await;
    assert_eq!(world.device(1).await["wake"], json!({"is_possible": true}));
    let (status, queued) = ask(&world, json!({"action": "wake"})).await;
    assert_eq!((status, &queued["state"]), (StatusCode::CREATED, &json!("queued")), "{queued}");
    until(&world, |call| call["state"] == "sent").await;
    world.until(&calls(), |_| !listener.heard().is_empty()).await;
    let heard = listener.heard();
    let host = format!("host: {}\r\n", identity(1));
    assert!(heard[0].starts_with("GET /4f0c HTTP/1.1\r\n") && heard[0].contains(&host), "{heard:?}");
    assert!(!heard[0].to_ascii_lowercase().contains("authorization"), "{heard:?}");
    call(&world, EventCode::PERIODIC, &url).await;
    assert_eq!(until(&world, |_| true).await["state"], "sent", "that was another session");
    call(&world, EventCode::CONNECTION_REQUEST, &url).await;
    let done = until(&world, |call| call["state"] == "done").await;
    assert_eq!((&done["id"], &done["action"]), (&queued["id"], &json!({"action": "wake"})));
    assert_eq!(listener.heard().len(), 1);
}

#[tokio::test]
async fn r10_any_action_may_be_done_now_and_a_request_with_its_key_wakes_once() {
    let world = waking(HERE).await;
    let listener = Listener::tls(&world, 1, ANSWERED).await;
    let url = format!("https://{}/x", listener.address);
    call(&world, EventCode::BOOTSTRAP, &url).await;
    let path = format!("/api/v1/devices/{}/actions", identity(1));
    let reboot = json!({"action": "reboot", "wake": true}).to_string();
    let (status, first) = world.keyed(&path, "monday", reboot.clone()).await;
    assert_eq!((status, &first["method"]), (StatusCode::CREATED, &json!("Reboot")), "{first}");
    let (_, again) = world.keyed(&path, "monday", reboot).await;
    assert_eq!(again["id"], first["id"]);
    assert_eq!(first["action"], json!({"action": "reboot", "wake": true}));
    until(&world, |call| call["state"] == "sent").await;
    assert_eq!(call(&world, EventCode::CONNECTION_REQUEST, &url).await.last(), Some(&"Reboot"));
    let list = world.get(&calls()).await;
    let states: Vec<_> = list["items"].as_array().unwrap().iter().map(|call| &call["state"]).collect();
    assert_eq!(states, ["done", "done"], "{list}");
    let (status, problem) = ask(&world, json!({"action": "reboot", "wake": true, "now": true})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
}

#[tokio::test]
async fn r10_a_cell_that_cannot_be_woken_says_why_before_anything_is_queued() {
    let world = World::new().await;
    let cases = [("", "`[wake]` in its configuration")];
    refused(&world, &cases).await;
    let world = waking("").await;
    let cases = [
        ("", "no ConnectionRequestURL"),
        ("https://127.0.0.1:7547/x", "not public; list its network in `wake.networks`"),
        ("https://9.9.9.9:7547/x", "it called from 127.0.0.1"),
        ("http://127.0.0.1:7547/x", "asked by https"),
        ("https://example.com/x", "neither an address nor the device"),
        ("https://me:pw@127.0.0.1/x", "no shared secret"),
    ];
    refused(&world, &cases).await;
    assert_eq!(world.get(&calls()).await["items"], json!([]));
}

async fn refused(world: &World, cases: &[(&str, &str)]) {
    for (url, why) in cases {
        call(world, EventCode::BOOT, url).await;
        for action in [json!({"action": "wake"}), json!({"action": "reboot", "wake": true})] {
            let (status, problem) = ask(world, action).await;
            assert_eq!(status, StatusCode::CONFLICT, "{url}: {problem}");
            assert!(problem["detail"].as_str().unwrap().contains(why), "{url}: {problem}");
        }
        let shown = world.device(1).await["wake"].clone();
        assert_eq!(shown["is_possible"], false, "{shown}");
        assert!(shown["why_not"].as_str().unwrap().contains(why), "{url}: {shown}");
    }
}

#[tokio::test]
async fn p07_g01_a_challenge_ends_it_and_gets_no_second_request() {
    let world = waking(HERE).await;
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"cell\", nonce=\"1\", qop=\"auth\"\r\n\
                     Content-Length: 0\r\n\r\n";
    let listener = Listener::tls(&world, 1, challenge).await;
    call(&world, EventCode::BOOTSTRAP, &format!("https://{}/x", listener.address)).await;
    let failed = failed(&world).await;
    assert_eq!(failed["outcome"]["reason"], "secret", "{failed}");
    assert_eq!(failed["outcome"]["attempts"], 1, "{failed}");
    assert_eq!(listener.heard().len(), 1);
}

#[tokio::test]
async fn p20_g01_the_listener_of_another_cell_hears_no_request() {
    let world = waking(HERE).await;
    let listener = Listener::tls(&world, 2, ANSWERED).await;
    call(&world, EventCode::BOOTSTRAP, &format!("https://{}/x", listener.address)).await;
    let failed = failed(&world).await;
    assert_eq!(failed["outcome"]["reason"], "wrong_name", "{failed}");
    assert!(failed["outcome"]["detail"].as_str().unwrap().contains(&identity(2)), "{failed}");
    assert!(listener.heard().is_empty());
}

#[tokio::test]
async fn r10_a_busy_or_a_redirecting_cell_is_asked_again_later_and_nowhere_else() {
    let world = waking(HERE).await;
    let elsewhere = Listener::at("127.0.0.1", None, ANSWERED).await;
    for (answer, reason) in [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n".to_owned(), "busy"),
        (format!("HTTP/1.1 302 Found\r\nLocation: http://{}/x\r\n\r\n", elsewhere.address), "status"),
    ] {
        let listener = Listener::tls(&world, 1, answer.leak()).await;
        call(&world, EventCode::BOOT, &format!("https://{}/x", listener.address)).await;
        let (status, queued) = ask(&world, json!({"action": "wake"})).await;
        assert_eq!(status, StatusCode::CREATED, "{queued}");
        let waits = until(&world, |call| call["outcome"]["reason"] == reason).await;
        assert_eq!(
            (&waits["state"], &waits["outcome"]["attempts"]),
            (&json!("queued"), &json!(1)),
            "{waits}"
        );
        call(&world, EventCode::PERIODIC, "").await;
        let done = until(&world, |call| call["id"] == queued["id"]).await;
        assert_eq!(done["state"], "done", "it came by itself: {done}");
    }
    assert!(elsewhere.heard().is_empty());
}

const TUNNEL: &str = "[tunnel]\naddresses = [\"127.0.0.1\"]\ntable = \"tunnel.csv\"\n";

#[tokio::test]
async fn x03_r10_in_the_tunnel_a_plain_request_goes_to_the_address_that_is_the_cells() {
    let rows = format!("inner_address,identity\n127.0.0.11,{}\n127.0.0.12,{}\n", identity(1), identity(2));
    let world = World::in_mode("ipsec", "", TUNNEL, &[("tunnel.csv", &rows)]).await;
    drop(world.certificate(1));
    let (own, other) =
        (Listener::at("127.0.0.11", None, ANSWERED).await, Listener::at("127.0.0.12", None, ANSWERED).await);
    let at = async || Cell::over(world.connect_from("127.0.0.11").await, 1).await;
    call_over(at().await, EventCode::BOOTSTRAP, &format!("http://{}/x", other.address)).await;
    let (status, queued) = ask(&world, json!({"action": "wake"})).await;
    assert_eq!(status, StatusCode::CREATED, "{queued}");
    let waits = until(&world, |call| call["outcome"]["reason"] == "tunnel").await;
    assert!(waits["outcome"]["detail"].as_str().unwrap().contains(&identity(2)), "{waits}");
    let url = format!("http://{}/x", own.address);
    call_over(at().await, EventCode::VALUE_CHANGE, &url).await;
    ask(&world, json!({"action": "wake"})).await;
    world.until(&calls(), |_| !own.heard().is_empty()).await;
    assert!(own.heard()[0].starts_with("GET /x HTTP/1.1\r\n"), "{:?}", own.heard());
    call_over(at().await, EventCode::CONNECTION_REQUEST, &url).await;
    let list = world.get(&calls()).await;
    let states: Vec<_> = list["items"].as_array().unwrap().iter().map(|call| &call["state"]).collect();
    assert_eq!(states, ["done", "done"], "{list}");
    assert!(other.heard().is_empty());
}
