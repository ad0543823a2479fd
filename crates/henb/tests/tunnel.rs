//! The transport modes from the cell's chair: by the tunnel or not at all.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use cwmp::{CpeMethod, FaultCode, ParameterValueStruct, SetParameterValues, Value};
use henb::{TunnelEnd, device::path};
use profile::{HemsUrl, TransportMode};
use scripted::{Oddity, World};

fn end(address: &str, interface: Option<&str>) -> Option<TunnelEnd> {
    Some(TunnelEnd { address: address.parse().unwrap(), interface: interface.map(str::to_owned) })
}

/// A cell in mode `ipsec` whose H(e)MS speaks plain HTTP.
async fn plain(tunnel: Option<TunnelEnd>) -> World {
    let mut world = World::new().await;
    let url = world.acs.listen_in_the_tunnel().await;
    world.config.mode = TransportMode::Ipsec;
    world.config.url = HemsUrl::parse(&url, TransportMode::Ipsec).unwrap();
    world.config.tunnel = tunnel;
    world
}

fn set_url(url: &str) -> CpeMethod {
    let entry = ParameterValueStruct::new(path::URL.to_owned(), Value::string(url));
    SetParameterValues { parameter_list: vec![entry], parameter_key: "plan-1".into() }.into()
}

#[tokio::test]
async fn x03_p10_plain_http_goes_through_the_tunnel() {
    let world = plain(end("127.0.0.45", None)).await;
    world.acs.next_is(Oddity::Status(307, "location", "/there".to_owned()));
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    let posts = world.acs.posts();
    assert!(posts.iter().all(|post| post.identity == "127.0.0.45"), "{posts:#?}");
    assert_eq!(posts[1].target, "/there", "a redirect keeps the scheme");
    assert!(posts.iter().all(|post| post.header("authorization").is_none()));
}

#[tokio::test]
async fn x03_without_its_tunnel_a_cell_sends_nothing_and_tries_again_later() {
    for (tunnel, why) in [
        (end("192.0.2.45", None), "192.0.2.45 is not there"),
        (end("127.0.0.1", Some("no-such-tunnel")), "127.0.0.1 is not there"),
        (None, "through the tunnel only"),
    ] {
        let world = plain(tunnel).await;
        let mut cell = world.start();
        let failed = cell.until(|status| status.failures == 1).await;
        assert!(failed.last_failure.as_ref().unwrap().contains(why), "{failed:?}");
        cell.stop().await;
        assert!(world.acs.posts().is_empty());
        assert_eq!(world.state().agenda.retry_count(), 1);
    }
}

#[tokio::test]
async fn x02_tls_inside_the_tunnel_leaves_by_the_tunnel_too() {
    let mut world = World::new().await;
    (world.config.mode, world.config.tunnel) = (TransportMode::IpsecTls, end("127.0.0.45", None));
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    world.config.tunnel = end("192.0.2.45", None);
    let mut cell = world.start();
    let failed = cell.until(|status| status.failures == 1).await;
    assert!(failed.last_failure.unwrap().contains("192.0.2.45 is not there"));
}

#[tokio::test]
async fn p10_p11_an_http_url_is_taken_in_the_tunnel_mode_and_refused_with_9007_in_a_tls_mode() {
    for (mode, is_taken) in [(TransportMode::IpsecTls, false), (TransportMode::Ipsec, true)] {
        let mut world = plain(end("127.0.0.45", None)).await;
        if mode == TransportMode::IpsecTls {
            world.config.mode = mode;
            world.config.url = HemsUrl::parse(&world.acs.url(), mode).unwrap();
        }
        world.acs.script_once(vec![set_url("http://127.0.0.1:1/")]);
        let mut cell = world.start();
        cell.until(|status| status.sessions == 1).await;
        cell.stop().await;
        match &world.acs.outcomes()[0] {
            Ok(_) => assert!(is_taken),
            Err(fault) => {
                assert!(!is_taken);
                assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE);
            }
        }
    }
}

#[tokio::test]
async fn p11_a_stored_http_url_from_another_mode_gives_way_to_the_configured_one() {
    let mut world = plain(end("127.0.0.45", None)).await;
    let plain_url = world.config.url.clone();
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let tls_url = HemsUrl::parse(&world.acs.url(), TransportMode::IpsecTls).unwrap();
    let mut state = world.state();
    assert!(serde_json::to_string(&state).unwrap().contains(&plain_url.to_string()));
    state.configured = tls_url.to_string();
    std::fs::write(world.state_path(), serde_json::to_vec(&state).unwrap()).unwrap();
    (world.config.mode, world.config.url) = (TransportMode::IpsecTls, tls_url);
    let before = world.acs.posts().len();
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    let posts = world.acs.posts();
    assert!(posts[before..].iter().all(|post| post.identity == scripted::IDENTITY), "by TLS alone");
}
