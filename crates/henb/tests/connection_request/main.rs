//! Connection Requests from outside: by curl and openssl, over real TLS and in a tunnel, right ones and wrong ones.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
#[path = "../scripted/mod.rs"]
mod scripted;

mod certificates;
mod requests;
mod settings;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
};

use cwmp::{
    CpeMethod, EventCode, FactoryReset, FaultCode, Inform, ParameterValueStruct, Reboot, SetParameterValues,
    Value,
};
use henb::{
    Agent, Alarm, DaemonError, TunnelEnd,
    config::{ConnectionRequest, Entrance},
    device::path,
};
use jiff::{SignedDuration, Timestamp};
use profile::{ContextError, HemsUrl, KeyPair, TransportMode, pki};
use scripted::{Cell, IDENTITY, Oddity, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

const LOOPBACK: &str = "127.0.0.1";

/// A cell that listens over TLS, and hears this source.
async fn tls(from: &str) -> World {
    let mut world = World::new().await;
    let own = pki::issue_listener(&world.pki(), "00005e005301", "hnb.example").unwrap();
    world.config.connection_request = Some(ConnectionRequest {
        listen: SocketAddr::new(LOOPBACK.parse().unwrap(), 0),
        from: vec![from.parse().unwrap()],
        entrance: Entrance::Tls((&own).into()),
    });
    world
}

/// A cell whose tunnel ends at this address, and that listens there.
async fn tunnel(address: &str) -> World {
    let mut world = World::new().await;
    let address: IpAddr = address.parse().unwrap();
    world.config.mode = TransportMode::IpsecTls;
    world.config.url = HemsUrl::parse(&world.acs.url(), TransportMode::IpsecTls).unwrap();
    world.config.tunnel = Some(TunnelEnd { address, interface: None });
    world.config.connection_request = Some(ConnectionRequest {
        listen: SocketAddr::new(address, 0),
        from: Vec::new(),
        entrance: Entrance::Tunnel(None),
    });
    world
}

fn wake(world: &World) -> KeyPair {
    pki::issue_wake(&world.pki(), "localhost").unwrap()
}

fn operator(pki: &Path) -> pki::Authority {
    let pair = |name: &str| pki.join("operator").join(name);
    pki::Authority::load(&KeyPair { chain: pair("localhost.pem"), key: pair("localhost.key") }).unwrap()
}

fn manufacturer(world: &World) -> pki::Authority {
    let pair = |name: &str| world.pki().join("manufacturer").join(name);
    pki::Authority::load(&KeyPair { chain: pair("hnb.example.pem"), key: pair("hnb.example.key") }).unwrap()
}

/// The ConnectionRequestURL of an Inform.
fn url(inform: &Inform) -> String {
    let shown = inform.parameter_list.iter().find(|entry| entry.name == path::CONNECTION_REQUEST_URL);
    shown.unwrap().value.text.to_string()
}

/// Where an Inform says that the cell listens, and on which path.
fn listening(inform: &Inform) -> (SocketAddr, String) {
    let url = url(inform);
    let (_, rest) = url.split_once("://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    (address.parse().unwrap(), format!("/{path}"))
}

/// The same of the last Inform.
fn place(world: &World) -> (SocketAddr, String) {
    listening(world.acs.informs().last().unwrap())
}

fn codes(inform: &Inform) -> Vec<EventCode> {
    inform.event.iter().map(|event| event.event_code.clone()).collect()
}

/// A cell that was switched on and has told where it listens.
async fn start(world: &World) -> Cell {
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    cell
}

/// A curl that asks the cell at this address for this path, with this certificate, and prints the HTTP status.
fn request(pki: &Path, pair: Option<&KeyPair>, (address, path): (SocketAddr, &str)) -> std::process::Command {
    let mut curl = std::process::Command::new("curl");
    curl.args(["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"]);
    // The certificate of the listener is for the cell, wherever it is.
    curl.args(["--connect-to", &format!("::{address}"), "--cacert"]).arg(pki.join("manufacturer.pem"));
    if let Some(pair) = pair {
        curl.arg("--cert").arg(&pair.chain).arg("--key").arg(&pair.key);
    }
    curl.arg(format!("https://{IDENTITY}{path}"));
    curl
}

/// What curl gets from the cell: 0 for no answer.
async fn curl(world: &World, pair: Option<&KeyPair>, path: &str, more: &[&str]) -> u16 {
    let curl = request(&world.pki(), pair, (place(world).0, path));
    let said = Command::from(curl).args(more).output().await.unwrap();
    String::from_utf8(said.stdout).unwrap().parse().unwrap()
}

/// A Connection Request as it should be.
async fn ask(world: &World) -> u16 {
    curl(world, Some(&wake(world)), &place(world).1, &[]).await
}

/// The first line that a plain listener says to these bytes.
async fn plain(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut said = String::new();
    // A listener that refuses may close before everything was read.
    let _ = stream.read_to_string(&mut said).await;
    said.lines().next().unwrap_or_default().to_owned()
}

async fn refused(cell: &mut Cell, reason: &'static str, count: u64) {
    cell.until(|status| status.refused_requests.get(reason) == Some(&count)).await;
}

fn set(name: &str, value: bool) -> CpeMethod {
    let entry = ParameterValueStruct::new(name.to_owned(), Value::boolean(value));
    SetParameterValues { parameter_list: vec![entry], parameter_key: "plan".into() }.into()
}
