//! The transport modes at the H(e)MS: whom a tunnel vouches for, whom a balancer speaks for, and one mode for all.

use std::sync::Arc;

use cwmp::{AcsMethod, EventCode, FaultCode, FromAcs, FromCpe};
use hems::{Config, ServeError, Server};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::{
    cell::{Cell, Tree, inform},
    world::{World, identity, serial},
};

const TLS: &str = "certificate = \"pki/hems/localhost.pem\"\nkey = \"pki/hems/localhost.key\"\n";
const ANCHORS: &str = "[[cwmp.anchors]]\nname = \"manufacturer\"\ncertificates = \"pki/manufacturer.pem\"\n\
                       realms = [\"hnb.example\"]\n";
const TUNNEL: &str = "[tunnel]\naddresses = [\"127.0.0.1\"]\ntable = \"tunnel.csv\"\n";

fn table(rows: &[(&str, u8)]) -> String {
    let rows = rows.iter().map(|(address, number)| format!("{address},{}\n", identity(*number)));
    format!("inner_address,identity\n{}", rows.collect::<String>())
}

/// A H(e)MS in mode `ipsec` with cells 1 and 2 at 127.0.0.11 and .12, both admitted.
async fn tunnel_world() -> World {
    let rows = table(&[("127.0.0.11", 1), ("127.0.0.12", 2)]);
    let world = World::in_mode("ipsec", "", TUNNEL, &[("tunnel.csv", &rows)]).await;
    (1..3).for_each(|number| drop(world.certificate(number)));
    world
}

fn has_refusal(list: &Value, reason: &str, detail: &str) -> bool {
    let is_it = |row: &Value| row["reason"] == reason && row["detail"].as_str().unwrap().contains(detail);
    list["items"].as_array().unwrap().iter().any(is_it)
}

async fn until_refused(world: &World, reason: &str, detail: &str) {
    world.until("/api/v1/refusals", |list| has_refusal(list, reason, detail)).await;
}

#[tokio::test]
async fn x03_x04_a14_i08_p10_in_the_tunnel_the_inner_address_is_the_identity() {
    let world = tunnel_world().await;
    let mut cell = Cell::over(world.connect_from("127.0.0.12").await, 2).await;
    let reply = cell.inform(&[EventCode::BOOTSTRAP]).await;
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && !cookie.contains("Secure"), "{cookie}");
    assert!(matches!(cell.empty().await.message(), FromAcs::Call(_)));
    let list = world.get(&format!("/api/v1/sessions?identity={}", identity(2))).await;
    let session = &list["items"][0];
    assert_eq!((&session["transport"], &session["voucher"]), (&json!("ipsec"), &json!("table")));
    for nothing in
        ["tls_version", "suite", "resumed", "certificate_sha256", "certificate_not_after", "ike_sa"]
    {
        assert_eq!(session[nothing], Value::Null, "{nothing}");
    }
    assert_eq!(session["protected_to"], "gateway");
    assert!(session["peer"].as_str().unwrap().starts_with("127.0.0.12:"), "{session}");
}

#[tokio::test]
async fn p20_in_the_tunnel_too_an_inform_that_names_another_device_is_refused() {
    let world = tunnel_world().await;
    let mut cell = Cell::over(world.connect_from("127.0.0.11").await, 1).await;
    let lie = inform(&serial(2), &[EventCode::BOOTSTRAP]);
    let reply = cell.post("i", FromCpe::Call(AcsMethod::Inform(lie))).await;
    let FromAcs::Fault(fault) = reply.message() else { panic!("{reply:?}") };
    assert_eq!(fault.code, FaultCode::ACS_REQUEST_DENIED);
    until_refused(&world, "device_id_mismatch", &identity(1)).await;
}

#[tokio::test]
async fn i08_x03_an_address_without_a_mapping_gets_no_answer() {
    let world = tunnel_world().await;
    let mut cell = Cell::over(world.connect_from("127.0.0.13").await, 1).await;
    assert!(cell.try_post("").await.is_err());
    until_refused(&world, "no_tunnel_identity", "127.0.0.13").await;
}

#[tokio::test]
async fn i08_x03_a_mapping_that_goes_ends_the_session_at_its_next_request() {
    for rows in [table(&[("127.0.0.12", 2)]), table(&[("127.0.0.11", 2)])] {
        let world = tunnel_world().await;
        let mut cell = Cell::over(world.connect_from("127.0.0.11").await, 1).await;
        assert_eq!(cell.inform(&[EventCode::BOOTSTRAP]).await.status, StatusCode::OK);
        std::fs::write(world.path("tunnel.csv"), rows).unwrap();
        assert!(cell.try_post("").await.is_err(), "no answer");
        until_refused(&world, "no_tunnel_identity", "127.0.0.11").await;
        let path = format!("/api/v1/sessions?identity={}", identity(1));
        world.until(&path, |list| list["items"][0]["outcome"] == "tunnel_gone").await;
    }
}

#[tokio::test]
async fn x02_p20_the_tunnel_and_the_certificate_must_be_of_one_cell() {
    let rows = table(&[("127.0.0.11", 1), ("127.0.0.12", 2)]);
    let world =
        World::in_mode("ipsec-tls", TLS, &format!("{TUNNEL}{ANCHORS}"), &[("tunnel.csv", &rows)]).await;
    let own = world.certificate(1);
    let stream = world.shake(&own, world.connect_from("127.0.0.11").await).await.unwrap();
    let mut cell = Cell::over(stream, 1).await;
    cell.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let list = world.get("/api/v1/sessions").await;
    let session = &list["items"][0];
    assert_eq!((&session["transport"], &session["voucher"]), (&json!("tls"), &json!("table")));
    let stream = world.shake(&own, world.connect_from("127.0.0.12").await).await.unwrap();
    assert!(Cell::over(stream, 1).await.try_post("").await.is_err());
    until_refused(&world, "tunnel_of_another", &identity(2)).await;
}

#[tokio::test]
async fn g11_every_mode_with_tls_wants_the_certificate_of_the_cell() {
    let Some(openssl) = oracles::tool("g11_every_mode_with_tls_wants_the_certificate_of_the_cell", "openssl")
    else {
        return;
    };
    let rows = table(&[("127.0.0.11", 1)]);
    for (mode, tunnel, files) in
        [("public", "", vec![]), ("ipsec-tls", TUNNEL, vec![("tunnel.csv", rows.as_str())])]
    {
        let world = World::in_mode(mode, TLS, &format!("{tunnel}{ANCHORS}"), &files).await;
        drop(world.certificate(1));
        let mut client = std::process::Command::new(&openssl);
        client.args(["s_client", "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0", "-bind", "127.0.0.11:0"]);
        client.args(["-connect", &world.cwmp.to_string()]).stdin(std::process::Stdio::null());
        let said = tokio::task::spawn_blocking(move || client.output().unwrap()).await.unwrap();
        assert!(!said.status.success(), "{mode}: {said:?}");
        until_refused(&world, "no_client_certificate", "").await;
        assert_eq!(world.get("/api/v1/sessions").await["items"], json!([]), "{mode}");
    }
}

#[tokio::test]
async fn x01_a_balancer_s_header_is_mandatory_and_names_the_source() {
    let cwmp = format!("{TLS}proxy_from = [\"127.0.0.1\"]\n");
    let world = World::in_mode("public", &cwmp, ANCHORS, &[]).await;
    let own = world.certificate(1);
    let mut tcp = world.connect_from("127.0.0.1").await;
    tcp.write_all(b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 7547\r\n").await.unwrap();
    let stream = world.shake(&own, tcp).await.unwrap();
    Cell::over(stream, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    assert_eq!(world.get("/api/v1/sessions").await["items"][0]["peer"], "192.0.2.7:40000");
    assert!(world.shake(&own, world.connect_from("127.0.0.1").await).await.is_err(), "no header");
    until_refused(&world, "proxy_header", "something else came first").await;
    let mut stranger = world.connect_from("127.0.0.2").await;
    stranger.write_all(b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 7547\r\n").await.unwrap();
    assert!(world.shake(&own, stranger).await.is_err(), "no balancer");
    until_refused(&world, "proxy_header", "no listed balancer").await;
    // A refusal behind the balancer counts for who came, not for the balancer.
    let mut tcp = world.connect_from("127.0.0.1").await;
    tcp.write_all(b"PROXY TCP4 198.51.100.7 127.0.0.1 40000 7547\r\nGET / HTTP/1.1\r\n\r\n").await.unwrap();
    let list = world.until("/api/v1/refusals", |list| has_refusal(list, "plain_http", "")).await;
    let rows = list["items"].as_array().unwrap();
    assert!(
        rows.iter().any(|row| row["reason"] == "plain_http" && row["network"] == "198.51.100.0/24"),
        "{list}"
    );
}

#[tokio::test]
async fn p09_p10_p11_a_template_pushes_http_only_where_the_mode_has_it() {
    for (mode, status) in [("ipsec", StatusCode::OK), ("ipsec-tls", StatusCode::UNPROCESSABLE_ENTITY)] {
        let rows = table(&[]);
        let (cwmp, more) = if mode == "ipsec" { ("", "") } else { (TLS, ANCHORS) };
        let world = World::in_mode(mode, cwmp, &format!("{TUNNEL}{more}"), &[("tunnel.csv", &rows)]).await;
        let template = json!({"values": {"Device.ManagementServer.URL": "http://hems.example/"}});
        let (found, answer) = world.ask(Method::PUT, "/api/v1/templates/url", Some(template)).await;
        assert_eq!(found, status, "{mode}: {answer}");
    }
}

#[tokio::test]
async fn x01_x02_x03_one_mode_is_the_whole_deployment_s_until_it_is_set_anew() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tunnel.csv"), table(&[])).unwrap();
    profile::pki::init(&folder.path().join("pki")).unwrap();
    profile::pki::issue_hems(&folder.path().join("pki"), "localhost").unwrap();
    let config = |mode: &str| {
        let (scheme, cwmp, more) =
            if mode == "ipsec" { ("http", "", TUNNEL) } else { ("https", TLS, ANCHORS) };
        let text = format!(
            "lab = true\nstate_dir = \"state\"\nmode = \"{mode}\"\n[cwmp]\nlisten = [\"127.0.0.1:0\"]\n\
             url = \"{scheme}://localhost/\"\n{cwmp}{more}[api]\nlisten = \"127.0.0.1:0\"\n"
        );
        Config::parse(&text, &folder.path().join("hems.toml")).unwrap()
    };
    let start = async |mode: &str| Server::start(config(mode), Arc::new(())).await;
    start("public").await.ok().unwrap().run_until(async {}).await;
    for other in ["ipsec", "ipsec-tls"] {
        let error = start(other).await.err().unwrap();
        assert!(matches!(&error, ServeError::Mode { deployment, .. } if deployment == "public"), "{error}");
        assert!(error.to_string().contains("--set-mode"), "{error}");
    }
    Server::set_mode(&config("ipsec")).await.unwrap();
    start("ipsec").await.ok().unwrap().run_until(async {}).await;
    assert!(start("public").await.is_err());
}
