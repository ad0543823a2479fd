//! The agent's HTTP against a scripted H(e)MS: redirects, cookies, connections that end, and no shared secret.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "the agent's tests need the rest of it")]
mod scripted;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cwmp::{FromCpe, GetParameterValues, GetRPCMethods, Witness};
use henb::{Agent, Alarm, Dialler, Opening, TunnelEnd};
use hyper::header;
use profile::{Carrier, HemsUrl, TransportMode};
use scripted::{Oddity, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};

#[tokio::test]
async fn p07_a17_a_401_ends_the_session_and_is_never_answered() {
    for status in [401, 403, 407] {
        let world = World::new().await;
        world.acs.next_is(Oddity::Status(
            status,
            "www-authenticate",
            "Digest realm=\"x\", nonce=\"y\"".to_owned(),
        ));
        let mut cell = world.start();
        let failed = cell.until(|status| status.failures == 1).await;
        assert!(failed.last_failure.unwrap().contains("shared secret"));
        cell.stop().await;
        let posts = world.acs.posts();
        assert_eq!(posts.len(), 1);
        assert!(posts.iter().all(|post| post.header("authorization").is_none()));
        assert_eq!(world.state().agenda.retry_count(), 1);
        assert!(world.state().alarms.has(Alarm::SharedSecret), "{status}");
        if status == 401 {
            let mut cell = world.start();
            cell.until(|status| status.sessions == 1).await;
            cell.stop().await;
            assert!(!world.state().alarms.has(Alarm::SharedSecret), "a good session clears it");
        }
    }
}

#[tokio::test]
async fn h12_nothing_is_compressed_and_no_compressed_answer_is_asked_for() {
    let world = World::new().await;
    let everything = GetParameterValues { parameter_names: vec!["Device.".into()] };
    world.acs.script(vec![everything.into()]);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    let posts = world.acs.posts();
    assert!(posts.iter().any(|post| post.body.len() > 10_000), "one that would be worth it");
    for post in posts {
        let said = ["content-encoding", "accept-encoding", "transfer-encoding", "te"]
            .map(|name| post.header(name).is_some());
        assert_eq!(said, [false; 4], "{post:?}");
        // What is XML as it arrived was not compressed on the way.
        assert!(post.body.is_empty() || post.body.starts_with(b"<"), "{post:?}");
    }
}

#[tokio::test]
async fn p11_h11_a_redirect_to_plain_http_is_not_followed() {
    for target in ["http://localhost:1/", "//localhost/", "ftp://localhost/", "https://u:p@localhost/"] {
        let world = World::new().await;
        world.acs.next_is(Oddity::Status(302, "location", target.to_owned()));
        let mut cell = world.start();
        let failed = cell.until(|status| status.failures == 1).await;
        assert!(failed.last_failure.unwrap().contains("redirect"), "{target}");
        assert_eq!(world.acs.posts().len(), 1);
    }
}

#[tokio::test]
async fn h11_a_redirect_to_https_is_followed_five_times() {
    let world = World::new().await;
    for _ in 0..4 {
        world.acs.next_is(Oddity::Status(307, "location", format!("{}there?x", world.acs.url())));
    }
    world.acs.next_is(Oddity::Status(302, "location", "/here".to_owned()));
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    let posts = world.acs.posts();
    let targets: Vec<&str> = posts.iter().map(|post| post.target.as_str()).collect();
    assert_eq!(targets, ["/", "/there?x", "/there?x", "/there?x", "/there?x", "/here", "/here"]);
    assert!(posts[..6].iter().all(|post| post.inform().is_some()));
}

#[tokio::test]
async fn h11_h07_a_redirect_in_a_session_moves_its_rest_and_a_307_repeats_the_post() {
    for status in [302, 307] {
        let world = World::new().await;
        world.acs.script(vec![GetRPCMethods {}.into()]);
        let mut cell = world.start();
        world.acs.watch({
            let moved = AtomicBool::new(false);
            let oddities = world.acs.oddities();
            move |post| {
                let is_empty = post.body.is_empty() && !moved.swap(true, Ordering::SeqCst);
                if is_empty {
                    oddities(Oddity::Status(status, "location", "/there".to_owned()));
                }
            }
        });
        cell.until(|status| status.sessions == 1).await;
        let posts = world.acs.posts();
        let targets: Vec<&str> = posts.iter().take(4).map(|post| post.target.as_str()).collect();
        assert_eq!(targets, ["/", "/", "/there", "/there"]);
        assert_eq!((posts[1].message(), posts[2].message()), (FromCpe::Empty, FromCpe::Empty));
    }
}

#[tokio::test]
async fn h11_no_other_status_is_a_redirect() {
    for status in [300, 301, 303, 304, 308] {
        let world = World::new().await;
        world.acs.next_is(Oddity::Status(status, "location", "/there".to_owned()));
        let mut cell = world.start();
        let failed = cell.until(|status| status.failures == 1).await;
        assert_eq!(failed.last_failure, Some(format!("the server answered with HTTP {status}")));
        assert_eq!(world.acs.posts().len(), 1);
    }
}

#[tokio::test]
async fn h11_six_redirects_are_one_too_many() {
    let world = World::new().await;
    (0..6).for_each(|_| world.acs.next_is(Oddity::Status(302, "location", "/again".to_owned())));
    let mut cell = world.start();
    let failed = cell.until(|status| status.failures == 1).await;
    assert!(failed.last_failure.unwrap().contains("five redirects"));
}

#[tokio::test]
async fn h07_a_server_that_closes_after_each_reply_gets_a_new_connection() {
    let world = World::new().await;
    world.acs.header(header::CONNECTION, "close");
    world.acs.script(vec![GetRPCMethods {}.into()]);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    let posts = world.acs.posts();
    let connections: Vec<usize> = posts.iter().take(3).map(|post| post.connection).collect();
    assert_eq!(connections, [1, 2, 3]);
    assert_eq!(cell.status.borrow().failures, 0);
}

/// Lets the server end its connection once the first reply has arrived, and waits until it has.
struct CloseAfterFirst(Arc<World>, Mutex<bool>);

impl Witness for CloseAfterFirst {
    fn message(&self, from: cwmp::Role, _body: &[u8]) {
        let is_first = from == cwmp::Role::Acs && !std::mem::replace(&mut *self.1.lock().unwrap(), true);
        if is_first {
            let mut closed = self.0.acs.close();
            let wait = async { closed.wait_for(|count| *count == 1).await.map(|_| ()) };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(wait)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h07_h10_a_server_that_closes_in_order_after_inform_gets_the_rest_on_a_new_connection() {
    let world = Arc::new(World::new().await);
    world.acs.header(header::SET_COOKIE, "session=abc; Path=/; Secure");
    world.acs.script(vec![GetRPCMethods {}.into()]);
    let mut cell = world.start_with(Arc::new(CloseAfterFirst(Arc::clone(&world), Mutex::new(false))));
    let status = cell.until(|status| status.sessions + status.failures == 1).await;
    assert_eq!((status.sessions, status.last_failure), (1, None));
    cell.stop().await;
    let posts = world.acs.posts();
    let seen: Vec<_> = posts.iter().take(3).map(|post| (post.connection, post.header("cookie"))).collect();
    assert_eq!(seen, [(1, None), (2, Some("session=abc")), (2, Some("session=abc"))]);
    assert_eq!(posts[1].message(), FromCpe::Empty);
}

#[tokio::test]
async fn h10_cookies_come_back_in_the_session() {
    let world = World::new().await;
    world.acs.header(header::SET_COOKIE, "session=abc; Path=/; Secure");
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    let posts = world.acs.posts();
    assert_eq!((posts[0].header("cookie"), posts[1].header("cookie")), (None, Some("session=abc")));
}

#[test]
fn h09_a_reply_may_take_half_a_minute() {
    assert!(henb::RESPONSE_WAIT >= Duration::from_secs(30));
}

#[tokio::test]
async fn p07_a16_no_request_of_a_session_carries_a_secret() {
    let world = World::new().await;
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let posts = world.acs.posts();
    assert!(posts.len() > 1, "a whole session");
    for name in posts.iter().flat_map(|post| post.headers.keys()) {
        let name = name.as_str();
        assert!(!name.contains("auth") && !name.contains("token") && !name.contains("secret"), "{name}");
    }
}

#[tokio::test]
async fn t13_an_offer_to_upgrade_the_connection_is_not_taken() {
    let world = World::new().await;
    world.acs.header(header::UPGRADE, "TLS/1.2, HTTP/1.1");
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let posts = world.acs.posts();
    assert!(posts.iter().all(|post| post.header("upgrade").is_none() && post.header("connection").is_none()));

    let world = World::new().await;
    world.acs.next_is(Oddity::Status(426, "upgrade", "TLS/1.2, HTTP/1.1".to_owned()));
    let mut cell = world.start();
    let failed = cell.until(|status| status.failures == 1).await;
    cell.stop().await;
    assert_eq!(failed.last_failure.unwrap(), "the server answered with HTTP 426");
    assert_eq!(world.acs.posts().len(), 1, "the session has failed, and nobody upgrades");
}

/// A network that hands the other end of each connection to the test.
#[derive(Debug)]
struct Wire(mpsc::UnboundedSender<DuplexStream>);

impl Dialler for Wire {
    fn open<'a>(&'a self, _: &'a str, _: u16, _: Option<&'a TunnelEnd>) -> Opening<'a> {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        self.0.send(theirs).unwrap();
        Box::pin(async move { Ok(Box::new(ours) as Box<dyn Carrier>) })
    }
}

/// One post, by its length.
async fn read_post(stream: &mut DuplexStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(text).unwrap();
    let length =
        head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn h06_the_next_post_waits_for_the_reply_however_long_it_takes() {
    let mut world = World::new().await;
    world.config.mode = TransportMode::Ipsec;
    world.config.url = HemsUrl::parse("http://hems.example/", TransportMode::Ipsec).unwrap();
    world.config.tunnel = Some(TunnelEnd { address: "127.0.0.1".parse().unwrap(), interface: None });
    let (wire, mut connections) = mpsc::unbounded_channel();
    let agent = Agent::start_over(&world.config, Arc::new(()), Arc::new(Wire(wire))).unwrap();
    tokio::time::pause();
    let task = tokio::spawn(agent.run(std::future::pending()));
    let mut stream = connections.recv().await.unwrap();
    let call = |body: &str| {
        format!(
            "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:cwmp=\"urn:dslforum-org:cwmp-1-1\"><soapenv:Header><cwmp:ID soapenv:mustUnderstand=\"1\">ID</cwmp:ID></soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
        )
    };
    let informed = call("<cwmp:InformResponse><MaxEnvelopes>1</MaxEnvelopes></cwmp:InformResponse>");
    let methods = call("<cwmp:GetRPCMethods/>");
    for (expected, reply) in [
        ("<cwmp:Inform", informed),
        ("content-length: 0", methods.clone()),
        ("GetRPCMethodsResponse", methods),
    ] {
        let post = read_post(&mut stream).await;
        assert!(post.to_lowercase().contains(&expected.to_lowercase()), "{expected}: {post}");
        // Time goes on only while nobody has anything to do: half a minute of it is proof.
        let more = tokio::time::timeout(Duration::from_secs(30), stream.read_u8()).await;
        assert!(more.is_err() && connections.try_recv().is_err(), "after {expected}");
        let id = post.split_once("mustUnderstand=\"1\">").and_then(|(_, rest)| rest.split_once('<'));
        let reply = reply.replace(">ID<", &format!(">{}<", id.map_or("acs", |(id, _)| id)));
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n", reply.len());
        stream.write_all((head + &reply).as_bytes()).await.unwrap();
    }
    task.abort();
}
