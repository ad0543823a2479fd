//! Events on NATS JetStream: a real server on loopback, and a reader of its own.

use std::time::Duration;

use async_nats::jetstream::{self, consumer, stream::Stream};
use futures_util::StreamExt;
use oracles::Nats;
use serde_json::{Value, json};

use crate::world::World;

const TEST: &str = "hems::api::nats";

/// The stream that the H(e)MS makes, as soon as it is there.
async fn stream(url: &str) -> Stream {
    let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let context = jetstream::new(options.connect(url).await.unwrap());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        match context.get_stream("HEARTH").await {
            Ok(stream) => return stream,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
    }
}

/// The next messages: their subject, id and event.
async fn read(stream: &Stream, count: usize) -> Vec<(String, String, Value)> {
    let config =
        consumer::pull::OrderedConfig { filter_subject: "hems.template.>".to_owned(), ..Default::default() };
    let mut messages = stream.create_consumer(config).await.unwrap().messages().await.unwrap();
    let mut all = Vec::new();
    while all.len() < count {
        let message =
            tokio::time::timeout(Duration::from_secs(30), messages.next()).await.unwrap().unwrap().unwrap();
        let id = message.headers.as_ref().unwrap().get("Nats-Msg-Id").unwrap().to_string();
        all.push((message.subject.to_string(), id, serde_json::from_slice(&message.payload).unwrap()));
    }
    all
}

async fn save(world: &World, name: &str) {
    world.put(&format!("/api/v1/templates/{name}"), json!({"values": {}})).await;
}

#[tokio::test]
async fn events_reach_a_stream_once_in_order_and_after_the_server_was_away() {
    let Some(mut nats) = Nats::start(TEST) else { return };
    let url = nats.url();
    let world = World::with(&format!("[events.nats]\nurl = \"{url}\"\n")).await;
    save(&world, "a").await;
    save(&world, "b").await;
    let there = stream(&url).await;
    let messages = read(&there, 2).await;
    let subjects: Vec<_> = messages.iter().map(|(subject, ..)| subject.as_str()).collect();
    assert_eq!(subjects, ["hems.template.saved.a", "hems.template.saved.b"]);
    assert!(
        messages.iter().all(|(_, id, event)| event["id"] == id.as_str() && event["specversion"] == "1.0"),
        "{messages:?}"
    );

    nats.crash();
    save(&world, "c").await;
    nats.recover();
    let there = stream(&url).await;
    let messages = read(&there, 3).await;
    assert_eq!(messages[2].0, "hems.template.saved.c", "what happened meanwhile");

    // The mark is durable: a server that starts again publishes nothing twice, and goes on.
    let world = world.restart_with(&format!("[events.nats]\nurl = \"{url}\"\n")).await;
    save(&world, "d").await;
    let messages = read(&there, 4).await;
    let ids: std::collections::BTreeSet<_> = messages.iter().map(|(_, id, _)| id).collect();
    assert_eq!((messages[3].0.as_str(), ids.len()), ("hems.template.saved.d", 4));
}
