//! Metrics and health, as whoever watches the server sees them.

use std::{io::Write, process::Stdio};

use bytes::Bytes;
use cwmp::EventCode;
use http_body_util::{BodyExt, Empty};
use hyper::{Method, Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{
    cell::{Cell, Tree},
    world::{World, identity},
};

/// The status and the text of a page.
pub(crate) async fn page(world: &World, path: &str) -> (u16, String) {
    let tcp = TcpStream::connect(world.admin).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "x").body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn metrics_count_what_happens_name_nobody_and_please_promtool() {
    let world = World::new().await;
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let pair = world.unlisted_certificate(9);
    Cell::over(world.connect(&pair).await, 9).await.inform(&[EventCode::BOOTSTRAP]).await;
    world.until("/api/v1/devices", |devices| devices["items"].as_array().unwrap().len() == 2).await;
    world.alarms().await;
    for (method, path) in
        [(Method::GET, "/api/v1/pools/none"), (Method::PATCH, "/api/v1/pools"), (Method::GET, "/x")]
    {
        world.ask(method, path, None).await;
    }
    let (status, text) = page(&world, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "hems_cwmp_sessions_total{result=\"completed\"} 1",
        "hems_cwmp_session_duration_seconds_count 1",
        "hems_inform_total{event=\"0 BOOTSTRAP\"} 2",
        "hems_cwmp_rpc_total{direction=\"in\",fault_code=\"0\",rpc=\"Inform\"} 2",
        "hems_cwmp_rpc_total{direction=\"out\",fault_code=\"0\",rpc=\"GetRPCMethods\"} 1",
        "hems_tls_client_cert_not_after_seconds_count 2",
        "hems_devices{state=\"quarantined\"} 1",
        "hems_alarms_active{severity=\"critical\"} 0",
        "hems_outbox_lag_seconds 0",
        "hems_store_up 1",
        "hems_api_requests_total{method=\"POST\",operation=\"evaluate-alarms\",status=\"2xx\"} 1",
        "hems_api_requests_total{method=\"GET\",operation=\"show-pool\",status=\"4xx\"} 1",
        "hems_api_requests_total{method=\"other\",operation=\"none\",status=\"4xx\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let handshakes = "hems_tls_handshake_total{cipher=\"TLS_";
    assert!(
        text.contains(handshakes)
            && text.contains("hems_db_pool_connections{")
            && text.contains("hems_build_info{"),
        "{text}"
    );
    let name = identity(1);
    for secret in ["127.0.0.1", "S1", name.as_str(), "00005e0053", "00005E0053"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    judged(&text);
}

/// Has Prometheus's own judge look at a page of metrics.
pub(crate) fn judged(text: &str) {
    let Some(promtool) = oracles::tool("metrics please promtool", "promtool") else { return };
    let mut judge = std::process::Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    judge.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && words.is_empty(), "{words}\n{text}");
}

#[tokio::test]
async fn a_server_that_can_serve_cells_is_ready_and_says_why() {
    let world = World::new().await;
    assert_eq!(page(&world, "/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(page(&world, "/readyz").await, (200, "ok\n".to_owned()));
    let (_, verbose) = page(&world, "/readyz?verbose").await;
    let expected = "[+]running ok\n[+]database ok\n[+]migrations ok\n[+]certificate ok\n[+]outbox ok\nok\n";
    assert_eq!(verbose, expected);
    assert_eq!(page(&world, "/api/v1/devices").await.0, 404, "the operators' API is not here");
}
