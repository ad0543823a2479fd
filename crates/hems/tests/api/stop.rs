//! An orderly stop: sessions end and say so, and no connection ends in the middle of a message.

use cwmp::{AcsMethod, Envelope, EventCode, FromAcs, FromCpe, Header, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    admin::page,
    cell::{Cell, inform},
    raw::read,
    world::{World, serial},
};

/// The bytes of an Inform of cell `number` by hand.
fn request(number: u8) -> String {
    let body = FromCpe::Call(AcsMethod::Inform(inform(&serial(number), &[EventCode::BOOTSTRAP])));
    let text = Envelope { version: Version::V1_1, header: Header::with_id(Some("1".into())), body }.encode();
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

#[tokio::test]
async fn a_stop_is_seen_at_once_answers_what_has_begun_and_ends_sessions_with_their_outcome() {
    let mut world = World::new().await;
    let mut idle = Cell::connect(&world, 1).await;
    idle.inform(&[EventCode::BOOTSTRAP]).await;
    let mut half = world.connect(&world.certificate(2)).await;
    let text = request(2);
    let (begin, rest) = text.split_at(text.len() - 200);
    half.write_all(begin.as_bytes()).await.unwrap();
    half.flush().await.unwrap();
    assert_eq!(page(&world, "/readyz").await.0, 200);

    let stopped = world.stop();
    let mut ready = page(&world, "/readyz").await;
    while ready.0 == 200 {
        ready = page(&world, "/readyz").await;
    }
    assert!(ready.0 == 503 && ready.1.contains("[-]running: the server stops"), "{ready:?}");
    assert!(idle.try_post("").await.is_err(), "nothing was being said on it");
    half.write_all(rest.as_bytes()).await.unwrap();
    let reply = read(&mut half).await;
    assert!(reply.status == 200 && matches!(reply.message(), FromAcs::Response(_)), "{reply:?}");
    assert_eq!(half.read(&mut [0]).await.unwrap_or(0), 0, "after its answer it ends");
    stopped.await;

    let world = world.again("").await;
    let sessions = world.get("/api/v1/sessions").await;
    let outcomes: Vec<_> =
        sessions["items"].as_array().unwrap().iter().map(|session| &session["outcome"]).collect();
    assert_eq!(outcomes, ["shutdown", "shutdown"], "{sessions:#}");
}
