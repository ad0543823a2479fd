//! `/api/v1/refusals`: who was turned away, and what would help.

use cwmp::EventCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{cell::Cell, world::World};

#[tokio::test]
async fn plain_http_is_refused_and_shows_with_a_remedy() {
    let world = World::new().await;
    for _ in 0..2 {
        let mut tcp = TcpStream::connect(world.cwmp).await.unwrap();
        tcp.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    }
    let list = world.until("/api/v1/refusals", |list| list["items"][0]["count"] == 2).await;
    let row = &list["items"][0];
    assert_eq!(row["reason"], "plain_http");
    assert_eq!(row["network"], "127.0.0.0/24");
    assert!(row["remedy"].as_str().unwrap().contains("https"), "{row}");
    assert!(row["clause"].as_str().unwrap().contains("P-09"), "{row}");
}

#[tokio::test]
async fn s11_an_unknown_cell_shows_with_its_certificate() {
    let world = World::new().await;
    let pair = world.unlisted_certificate(9);
    Cell::over(world.connect(&pair).await, 9).await.inform(&[EventCode::BOOTSTRAP]).await;
    let list = world.until("/api/v1/refusals", |list| list["items"][0]["count"] == 1).await;
    let row = &list["items"][0];
    assert_eq!(row["reason"], "unknown_identity");
    assert!(row["issuer"].as_str().unwrap().contains("Hearth lab CA"), "{row}");
    assert_eq!(row["certificate"]["dns_names"][0], crate::world::identity(9));
}
