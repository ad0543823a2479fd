//! The table of routes, walked: no route answers a caller without the token.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::*;

async fn api(folder: &std::path::Path) -> (SocketAddr, watch::Sender<bool>) {
    let hems = Hems::for_tests(folder, Duration::from_secs(60)).await;
    let token = Token::load(&folder.join("api.token")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, watched) = watch::channel(false);
    tokio::spawn(serve(Arc::new(hems), token, listener, watched));
    (address, shutdown)
}

async fn status(address: SocketAddr, method: &str, path: &str, authorization: &str) -> u16 {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    // A stream of events has no end.
    let mut answer = String::new();
    BufReader::new(tcp).read_line(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_route_refuses_a_caller_without_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _shutdown) = api(folder.path()).await;
    let token = std::fs::read_to_string(folder.path().join("api.token")).unwrap();
    let right = format!("Authorization: Bearer {}\r\n", token.trim());
    let paths = routes().into_iter().map(|(path, _)| path).chain(["/", "/api/v1/nothing"]);
    for path in paths.map(|path| path.replace(['{', '}'], "")) {
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"] {
            for wrong in ["", "Authorization: Bearer 0\r\n", "Authorization: Basic YTpi\r\n"] {
                assert_eq!(status(address, method, &path, wrong).await, 401, "{method} {path} {wrong}");
            }
            assert_ne!(status(address, method, &path, &right).await, 401, "{method} {path}");
        }
    }
}
