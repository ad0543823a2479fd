//! `/api/v1/webhooks`: a receiver of the test's own, which checks what a stranger would.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, body::Incoming, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{net::TcpListener, sync::mpsc};

use crate::world::World;

const HOOKS: &str = "/api/v1/webhooks";
const ALLOWED: &str = "[events]\nwebhook_networks = [\"127.0.0.0/8\"]\n";

/// What was posted.
struct Post {
    headers: HeaderMap,
    body: String,
}

impl Post {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether one of its signatures is of this secret, by the words of the specification.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(
            format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body)
                .as_bytes(),
        );
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').any(|signature| signature == expected)
    }
}

/// A receiver that answers as it is told, and with 204 when nobody told it.
struct Receiver {
    address: SocketAddr,
    posts: mpsc::UnboundedReceiver<Post>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, posts) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let to_give = Arc::clone(&answers);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (told, answers) = (told.clone(), Arc::clone(&to_give));
                let service = service_fn(move |request| take(request, told.clone(), Arc::clone(&answers)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
            }
        });
        Self { address, posts, answers }
    }

    fn answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    fn url(&self) -> String {
        format!("http://{}/events?for=us", self.address)
    }

    async fn next(&mut self) -> Post {
        tokio::time::timeout(std::time::Duration::from_secs(20), self.posts.recv()).await.unwrap().unwrap()
    }
}

async fn take(
    request: Request<Incoming>,
    told: mpsc::UnboundedSender<Post>,
    answers: Arc<Mutex<VecDeque<u16>>>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    assert_eq!((parts.method, parts.uri.to_string().as_str()), (Method::POST, "/events?for=us"));
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
    told.send(Post { headers: parts.headers, body }).unwrap();
    let status = answers.lock().unwrap().pop_front().unwrap_or(204);
    let after = if status == 503 { "3600" } else { "1" };
    Ok(Response::builder().status(status).header("retry-after", after).body(Full::default()).unwrap())
}

/// Makes a webhook; its path and its secret.
async fn hook(world: &World, receiver: &Receiver, types: &[&str]) -> (String, String) {
    let (status, made) =
        world.ask(Method::POST, HOOKS, Some(json!({"url": receiver.url(), "types": types}))).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    (format!("{HOOKS}/{}", made["id"]), made["secret"].as_str().unwrap().to_owned())
}

async fn save(world: &World, name: &str) {
    world.put(&format!("/api/v1/templates/{name}"), json!({"values": {}})).await;
}

#[tokio::test]
async fn an_event_is_posted_signed_and_with_every_secret_that_counts() {
    let (world, mut receiver) = (World::with(ALLOWED).await, Receiver::start().await);
    let (path, secret) = hook(&world, &receiver, &["template.saved"]).await;
    save(&world, "one").await;
    let post = receiver.next().await;
    let event = post.event();
    assert_eq!(
        (&event["type"], &event["subject"]),
        (&json!("org.hearth.hems.template.saved.v1"), &json!("one"))
    );
    assert_eq!(post.header("webhook-id"), event["id"]);
    assert!(post.header("content-type").starts_with("application/cloudevents+json"));
    assert!(post.is_signed_with(&secret) && !post.is_signed_with("whsec_AAAA"));

    let (status, rotated) = world.ask(Method::POST, &format!("{path}/secrets"), None).await;
    assert_eq!(status, StatusCode::CREATED);
    let second = rotated["secret"].as_str().unwrap();
    assert_ne!(second, secret);
    let (status, test) = world.ask(Method::POST, &format!("{path}/test"), None).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{test}");
    let post = receiver.next().await;
    assert_eq!(post.event()["type"], "org.hearth.hems.webhook.test.v1");
    assert!(post.is_signed_with(&secret) && post.is_signed_with(second), "the receiver has a day to change");
    let shown = world.get(&path).await;
    assert!(shown.get("secret").is_none(), "shown once: {shown}");
    let log = format!("{path}/deliveries?state=delivered");
    let log = world.until(&log, |log| log["items"].as_array().unwrap().len() == 2).await;
    assert_eq!(
        (&log["items"][0]["said"], &log["items"][1]["attempts"]),
        (&json!("204 No Content"), &json!(1))
    );
}

#[tokio::test]
async fn what_does_not_arrive_comes_again_with_the_same_id_and_an_ended_one_can_be_sent_again() {
    let (world, mut receiver) = (World::with(ALLOWED).await, Receiver::start().await);
    receiver.answer(&[500]);
    let (path, secret) = hook(&world, &receiver, &["template.saved"]).await;
    save(&world, "one").await;
    let first = receiver.next().await;
    let waiting = world.until(&format!("{path}/deliveries"), |log| log["items"][0]["said"].is_string()).await;
    assert_eq!(
        (&waiting["items"][0]["state"], &waiting["items"][0]["said"]),
        (&json!("waiting"), &json!("500 Internal Server Error"))
    );
    let resend = format!("{path}/deliveries/{}/resend", waiting["items"][0]["id"]);
    let second = receiver.next().await;
    assert_eq!((first.header("webhook-id"), &first.body), (second.header("webhook-id"), &second.body));
    assert!(second.is_signed_with(&secret));
    world.until(&format!("{path}/deliveries"), |log| log["items"][0]["state"] == "delivered").await;
    assert_eq!(world.ask(Method::POST, &resend, None).await.0, StatusCode::ACCEPTED);
    assert_eq!(receiver.next().await.header("webhook-id"), first.header("webhook-id"));
    let nothing = format!("{path}/deliveries/999/resend");
    assert_eq!(world.ask(Method::POST, &nothing, None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_receiver_that_asks_for_an_hour_gets_it_and_nothing_is_sent_beside_what_waits() {
    let (world, mut receiver) = (World::with(ALLOWED).await, Receiver::start().await);
    receiver.answer(&[503]);
    let (path, _) = hook(&world, &receiver, &["template.saved"]).await;
    save(&world, "one").await;
    receiver.next().await;
    let log = world.until(&format!("{path}/deliveries"), |log| log["items"][0]["said"].is_string()).await;
    let delivery = &log["items"][0];
    let next: jiff::Timestamp = delivery["next_at"].as_str().unwrap().parse().unwrap();
    assert!(next.duration_since(jiff::Timestamp::now()).as_mins() > 30, "{delivery}");
    let resend = format!("{path}/deliveries/{}/resend", delivery["id"]);
    assert_eq!(world.ask(Method::POST, &resend, None).await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn gone_means_gone_and_the_others_go_on() {
    let (world, mut receiver, mut other) =
        (World::with(ALLOWED).await, Receiver::start().await, Receiver::start().await);
    receiver.answer(&[410]);
    let (gone, _) = hook(&world, &receiver, &["template.saved"]).await;
    let (good, _) = hook(&world, &other, &["template.deleted"]).await;
    save(&world, "one").await;
    receiver.next().await;
    world.until(&gone, |hook| hook["state"] == "gone").await;
    let dead = world.get(&format!("{gone}/deliveries?state=dead")).await;
    assert_eq!(dead["items"][0]["said"], "410 Gone", "{dead}");
    let resend = format!("{gone}/deliveries/{}/resend", dead["items"][0]["id"]);
    assert_eq!(world.ask(Method::POST, &resend, None).await.0, StatusCode::CONFLICT);
    world.ask(Method::DELETE, "/api/v1/templates/one", None).await;
    assert_eq!(
        other.next().await.event()["type"],
        "org.hearth.hems.template.deleted.v1",
        "and no other type before"
    );
    assert!(receiver.posts.try_recv().is_err());
    for path in [&gone, &good] {
        assert_eq!(world.ask(Method::DELETE, path, None).await.0, StatusCode::NO_CONTENT);
        assert_eq!(world.ask(Method::GET, path, None).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_webhook_that_leads_inside_is_refused_when_it_is_made_or_when_it_is_used() {
    let world = World::new().await;
    for (url, says) in [
        ("http://receiver.example/", "is https"),
        ("https://127.0.0.1:9/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://169.254.169.254/latest/meta-data", "not public"),
        ("https://me:secret@receiver.example/", "no user name"),
        ("nonsense", "such as https://"),
    ] {
        let (status, problem) = world.ask(Method::POST, HOOKS, Some(json!({"url": url}))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{url}: {problem}");
    }
    let wrong = json!({"url": "https://receiver.example/", "types": ["alarm.raise"]});
    let (status, problem) = world.ask(Method::POST, HOOKS, Some(wrong)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().unwrap().contains("alarm.raised"), "{problem}");
    // The name is good until it is resolved.
    let (status, made) = world.ask(Method::POST, HOOKS, Some(json!({"url": "https://localhost:9/"}))).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let path = format!("{HOOKS}/{}", made["id"]);
    world.ask(Method::POST, &format!("{path}/test"), None).await;
    let log = world.until(&format!("{path}/deliveries"), |log| log["items"][0]["said"].is_string()).await;
    assert!(log["items"][0]["said"].as_str().unwrap().contains("not public"), "{log}");
    assert_eq!(world.get(HOOKS).await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn alarms_reach_a_webhook_step_by_step() {
    let (world, mut receiver) = (World::with(ALLOWED).await, Receiver::start().await);
    let types = ["alarm.raised", "alarm.acknowledged", "alarm.cleared"];
    hook(&world, &receiver, &types).await;
    for serial in ["S1", "S1"].iter().zip([1, 2]) {
        let admission = json!({"identity": crate::world::identity(serial.1), "oui": "00005E", "product_class": "C", "serial": serial.0});
        world.ask(Method::POST, "/api/v1/devices", Some(admission)).await;
    }
    let alarms = world.alarms().await;
    let mut about = Vec::new();
    for _ in 0..2 {
        let event = receiver.next().await.event();
        assert_eq!(
            (&event["type"], &event["data"]["severity"]),
            (&json!("org.hearth.hems.alarm.raised.v1"), &json!("major"))
        );
        about.push(event["subject"].as_str().unwrap().to_owned());
    }
    about.sort();
    assert_eq!(about, [crate::world::identity(1), crate::world::identity(2)]);
    let path = format!("/api/v1/alarms/{}/acknowledge", alarms["items"][0]["id"]);
    world.ask(Method::POST, &path, Some(json!({"note": "mine"}))).await;
    let event = receiver.next().await.event();
    assert_eq!((&event["data"]["by"], &event["data"]["note"]), (&json!("local"), &json!("mine")), "{event}");
}
