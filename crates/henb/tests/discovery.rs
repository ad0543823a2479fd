//! A cell that looks for its H(e)MS where DHCP points, against a scripted H(e)MS over real TLS. (TR-069 3.1, D-11)
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::{fmt::Write, fs};

use henb::device::path;
use profile::{HemsUrl, TransportMode};
use scripted::World;

/// Nobody answers there.
const NOWHERE: &str = "https://localhost:1/";

/// A world whose cell knows `configured` from the factory and is offered `offer`.
async fn world(configured: Option<&str>, offer: impl Fn(&str) -> String) -> World {
    let mut world = World::new().await;
    let lease = world.room("lease");
    fs::write(&lease, offer(&world.acs.url())).unwrap();
    if let Some(url) = configured {
        world.config.url = HemsUrl::parse(url, TransportMode::Public).unwrap();
    }
    world.config.discovery = Some(lease);
    world
}

/// Option 43 with a provisioning code before the URL, as a DHCP client's hook writes it.
fn option43(url: &str) -> String {
    let mut text = "option43=0204686f6d6501".to_owned();
    write!(text, "{:02x}", url.len()).unwrap();
    url.bytes().for_each(|byte| write!(text, "{byte:02x}").unwrap());
    text
}

fn stored(world: &World, path: &str) -> String {
    world.state().device.tree.values.get(&path.parse().unwrap()).unwrap().clone()
}

#[tokio::test]
async fn d11_d12_a_new_cell_calls_where_dhcp_points_and_stays_with_who_took_it_in() {
    let world = world(Some(NOWHERE), option43).await;
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    assert_eq!(stored(&world, path::URL), world.acs.url());
    assert_eq!(stored(&world, "Device.DeviceInfo.ProvisioningCode"), "", "nobody vouches for it");
    fs::write(world.config.discovery.as_ref().unwrap(), format!("url={NOWHERE}")).unwrap();
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    assert_eq!(stored(&world, path::URL), world.acs.url());
}

#[tokio::test]
async fn p11_d11_what_dhcp_offers_in_plain_http_or_garbled_is_passed_over() {
    for offer in ["url=http://localhost/", "option43=01ff68", "option125=zz", "url=https://u:p@localhost/"] {
        let world = world(None, |_| offer.to_owned()).await;
        let mut cell = world.start();
        let status = cell.until(|status| status.sessions + status.failures == 1).await;
        cell.stop().await;
        assert_eq!((status.sessions, stored(&world, path::URL)), (1, world.acs.url()), "{offer}");
    }
}

#[tokio::test]
async fn d11_without_the_option_nothing_is_looked_for() {
    let mut world = world(None, |_| format!("url={NOWHERE}")).await;
    world.config.discovery = None;
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
}
