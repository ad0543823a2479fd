//! What a request leads to, and what everything else leads to: a count.

use super::*;

#[tokio::test]
async fn r01_r07_c02_the_wake_role_of_its_hems_leads_to_a_session_with_6_connection_request() {
    let world = tls(LOOPBACK).await;
    let mut cell = start(&world).await;
    let (address, path) = place(&world);
    assert!(url(&world.acs.informs()[0]).starts_with("https://127.0.0.1:"), "the first Inform has it");
    assert_ne!(address.port(), 0);
    assert!(path.len() == 33 && path[1..].bytes().all(|byte| byte.is_ascii_hexdigit()), "{path}");
    assert_eq!(ask(&world).await, 204);
    let status = cell.until(|status| status.sessions == 2).await;
    assert_eq!((status.connection_requests, status.refused_requests.len()), (1, 0));
    let informs = world.acs.informs();
    assert_eq!(codes(informs.last().unwrap()), [EventCode::CONNECTION_REQUEST]);
    assert_eq!(informs.len(), 2, "to the URL that it has, and once");
    cell.stop().await;
    let cell = start(&world).await;
    assert_ne!(place(&world).1, path, "nobody who once knew the path knows it for ever");
    cell.stop().await;
}

#[tokio::test]
async fn r05_the_right_certificate_with_a_wrong_request_does_nothing_but_count() {
    let world = tls(LOOPBACK).await;
    let mut cell = start(&world).await;
    let (pair, path) = (wake(&world), place(&world).1);
    let wrong = async |path: &str, more: &[&str]| curl(&world, Some(&pair), path, more).await;
    assert_eq!(wrong("/", &[]).await, 404);
    assert_eq!(wrong(&format!("{path}?url=https://evil.example/"), &[]).await, 404);
    refused(&mut cell, "path", 2).await;
    assert_eq!(wrong(&path, &["--request", "POST"]).await, 405);
    assert_eq!(wrong(&path, &["--request", "PUT"]).await, 405);
    refused(&mut cell, "method", 2).await;
    assert_eq!(wrong(&path, &["--request", "GET", "--data", "<url>https://evil.example/</url>"]).await, 400);
    refused(&mut cell, "content", 1).await;
    assert_eq!(wrong(&path, &["--header", &format!("X: {}", "x".repeat(10_000))]).await, 431);
    refused(&mut cell, "oversized", 1).await;
    assert_eq!((cell.status.borrow().sessions, cell.status.borrow().connection_requests), (1, 0));
    assert_eq!(wrong(&path, &["--header", "Host: evil.example"]).await, 204);
    cell.until(|status| status.sessions == 2).await;
    cell.stop().await;
}

#[tokio::test]
async fn r05_only_listed_sources_are_heard() {
    let world = tls("127.0.0.2").await;
    let mut cell = start(&world).await;
    assert_eq!(ask(&world).await, 0);
    refused(&mut cell, "source", 1).await;
    assert_eq!(cell.status.borrow().connection_requests, 0);
    let more = ["--interface", "127.0.0.2"];
    assert_eq!(curl(&world, Some(&wake(&world)), &place(&world).1, &more).await, 204);
    cell.until(|status| status.sessions == 2).await;
    cell.stop().await;
}

#[tokio::test]
async fn r01_more_requests_than_the_rate_get_503() {
    let world = tls(LOOPBACK).await;
    let mut cell = start(&world).await;
    for number in 1..=5 {
        assert_eq!(ask(&world).await, 204, "{number}");
    }
    assert_eq!(ask(&world).await, 503);
    let status = cell.until(|status| status.refused_requests.get("often") == Some(&1)).await;
    assert_eq!(status.connection_requests, 5);
    cell.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r07_requests_in_the_middle_of_a_session_lead_to_one_more_after_it() {
    let world = tls(LOOPBACK).await;
    let name = "Device.ManagementServer.PeriodicInformEnable";
    world.acs.script_once(vec![set(name, false)]);
    let pair = wake(&world);
    let (pki, is_done) = (world.pki(), AtomicBool::new(false));
    world.acs.watch(move |post| {
        let Some(inform) = post.inform().filter(|_| !is_done.swap(true, Ordering::Relaxed)) else { return };
        for _ in 0..2 {
            let (address, path) = listening(&inform);
            // What this thread was about to run goes to another one.
            let said = tokio::task::block_in_place(|| request(&pki, Some(&pair), (address, &path)).output());
            let said = said.unwrap();
            assert_eq!(said.stdout, b"204", "a session does not keep the listener busy");
        }
    });
    let mut cell = world.start();
    cell.until(|status| status.sessions == 2 && status.connection_requests == 2).await;
    let informs = world.acs.informs();
    assert!(!codes(&informs[0]).contains(&EventCode::CONNECTION_REQUEST), "{:?}", informs[0].event);
    assert_eq!(codes(&informs[1]), [EventCode::CONNECTION_REQUEST]);
    assert_eq!(world.acs.outcomes().len(), 1, "the session went on to its end");
    assert_eq!((cell.status.borrow().failures, informs.len()), (0, 2));
    cell.stop().await;
}

#[tokio::test]
async fn r07_a_request_ends_the_wait_after_a_session_that_failed() {
    let world = tls(LOOPBACK).await;
    world.acs.next_is(Oddity::Status(503, "x-why", "busy".to_owned()));
    let mut cell = world.start();
    cell.until(|status| status.failures == 1).await;
    assert_eq!(ask(&world).await, 204);
    cell.until(|status| status.sessions == 1).await;
    let last = world.acs.informs().pop().unwrap();
    assert!(codes(&last).contains(&EventCode::CONNECTION_REQUEST), "{:?}", last.event);
    assert_eq!(last.retry_count, 1);
    cell.stop().await;
}

#[tokio::test]
async fn r05_in_the_tunnel_a_plain_get_is_enough_and_only_there() {
    let world = tunnel("127.0.0.45").await;
    let mut cell = start(&world).await;
    let (address, path) = place(&world);
    assert!(url(&world.acs.informs()[0]).starts_with("http://127.0.0.45:"), "R-02");
    let outside = SocketAddr::new(LOOPBACK.parse().unwrap(), address.port());
    assert!(TcpStream::connect(outside).await.is_err(), "no other address of the cell listens");
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(plain(address, &get("/guess")).await, "HTTP/1.1 404 Not Found");
    refused(&mut cell, "path", 1).await;
    assert_eq!(plain(address, &get(&path)).await, "HTTP/1.1 204 No Content");
    cell.until(|status| status.sessions == 2).await;
    let last = world.acs.informs().pop().unwrap();
    assert_eq!(codes(&last), [EventCode::CONNECTION_REQUEST]);
    cell.stop().await;
}

#[tokio::test]
async fn r05_who_holds_connections_open_takes_eight_places_for_five_seconds() {
    let world = tunnel("127.0.0.46").await;
    let mut cell = start(&world).await;
    let (address, path) = place(&world);
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /").await.unwrap();
        held.push(stream);
    }
    let get = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(plain(address, &get).await, "");
    refused(&mut cell, "busy", 1).await;
    refused(&mut cell, "slow", 8).await;
    assert_eq!(plain(address, &get).await, "HTTP/1.1 204 No Content");
    cell.until(|status| status.sessions == 2).await;
    cell.stop().await;
}
