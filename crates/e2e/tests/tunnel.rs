//! The transport modes with a real tunnel: strongSwan in two network namespaces, and who it says is at its end.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, TcpStream},
    time::Duration,
};

use e2e::{
    Cell, World,
    tunnel::{self, CELL_ADDRESS, HEMS_ADDRESS, INTERFACE, Tunnel},
    wait_for,
};
use profile::pki::{Authority, AuthorityOrder, Key, LeafOrder};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the H(e)MS's configuration for a mode; its listener is inside the tunnel.
fn configure_hems(world: &World, tunnel: &Tunnel, mode: &str) {
    let (tls, anchors) = if mode == "ipsec" { ("", "") } else { (TLS, ANCHORS) };
    let (scheme, port) = (scheme(mode), world.cwmp().port());
    let text = format!(
        "lab = true\nstate_dir = \"hems\"\nmode = \"{mode}\"\n\n[cwmp]\nlisten = [\"{HEMS_ADDRESS}:{port}\"]\n\
         url = \"{scheme}://{HEMS_ADDRESS}:{port}/\"\n{tls}\n[tunnel]\naddresses = [\"{HEMS_ADDRESS}\"]\n\
         vici = {:?}\n\n{anchors}[api]\nlisten = \"{}\"\n\n[admission]\nidentities = \"pki/identities.csv\"\n\n\
         [gate]\npolicy = \"accept-declared\"\n",
        tunnel.vici(),
        world.api(),
    );
    fs::write(world.hems_config(), text).unwrap();
}

const TLS: &str = "certificate = \"inside.pem\"\nkey = \"inside.key\"\n";
const ANCHORS: &str = "[[cwmp.anchors]]\nname = \"manufacturer\"\ncertificates = \"pki/manufacturer.pem\"\n\
                       realms = [\"hnb.example\"]\n\n";

fn scheme(mode: &str) -> &'static str {
    if mode == "ipsec" { "http" } else { "https" }
}

/// Tells the cell its mode, and by where it leaves.
fn configure_cell(world: &World, cell: &Cell, mode: &str) {
    let url = format!("url = \"{}://{HEMS_ADDRESS}:{}/\"", scheme(mode), world.cwmp().port());
    let text = fs::read_to_string(&cell.config).unwrap();
    let text = text.replace("[hems]", &format!("mode = \"{mode}\"\n\n[hems]"));
    let text = text.replace(&format!("url = {:?}", world.url()), &url);
    let text = if mode == "ipsec" { text } else { text.replace("pki/operator.pem", "inside-ca.pem") };
    let end = format!("\n[tunnel]\naddress = \"{CELL_ADDRESS}\"\ninterface = \"{INTERFACE}\"\n");
    fs::write(&cell.config, text + &end).unwrap();
}

fn first_session(world: &World) -> Value {
    let sessions = world.get("/api/v1/sessions?limit=500");
    sessions.pointer("/items").and_then(Value::as_array).unwrap().last().unwrap().clone()
}

fn field<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn x03_i08_p10_r10_strongswan_carries_sessions_in_ipsec_mode_and_says_whose_they_are() {
    if !tunnel::is_possible(
        "x03_i08_p10_r10_strongswan_carries_sessions_in_ipsec_mode_and_says_whose_they_are",
    ) {
        return;
    }
    let world = World::new("ipsec");
    let cell = world.cell(1);
    let tunnel = Tunnel::new(&world, &cell);
    configure_hems(&world, &tunnel, "ipsec");
    configure_cell(&world, &cell, "ipsec");
    let text = fs::read_to_string(&cell.config).unwrap();
    fs::write(&cell.config, text + "\n[connection_request]\nkind = \"tunnel\"\n").unwrap();
    tunnel.up();
    let _hems = tunnel.at_gateway(|| world.serve());
    tunnel.at_gateway(|| world.configure(3600));
    let mut henbd = tunnel.at_cell(|| world.henbd(&cell));
    let device = tunnel.at_gateway(|| world.wait_in_service(&cell.identity));
    assert_eq!(field(&device, "identity"), cell.identity);
    let session = tunnel.at_gateway(|| first_session(&world));
    assert_eq!((field(&session, "transport"), field(&session, "voucher")), ("ipsec", "vici"), "{session}");
    assert!(!field(&session, "ike_sa").is_empty() && session.get("suite") == Some(&Value::Null), "{session}");
    assert!(field(&session, "peer").starts_with(&format!("{CELL_ADDRESS}:")), "{session}");
    the_cell_is_woken_through_the_tunnel(&world, &cell, &tunnel);
    henbd.terminate();
    tunnel.down();
    nothing_leaves_without_the_tunnel(&world, &cell, &tunnel);
    nobody_gets_an_answer_past_the_tunnel(&world, &tunnel);
}

/// A plain request to its inner address, for which the gateway vouches.
fn the_cell_is_woken_through_the_tunnel(world: &World, cell: &Cell, tunnel: &Tunnel) {
    let device = format!("/api/v1/devices/{}", cell.identity);
    let wake = serde_json::json!({"action": "wake"});
    let reply = tunnel.at_gateway(|| world.send(&format!("POST {device}/actions"), &wake));
    assert_eq!(reply.status, 201, "{reply:?}");
    let done = wait_for("the wake", PATIENCE, || {
        let calls = tunnel.at_gateway(|| world.get(&format!("{device}/calls")));
        calls.pointer("/items/0").filter(|call| field(call, "state") == "done").cloned()
    });
    assert_eq!(done.pointer("/outcome/Event"), Some(&Value::from("6 CONNECTION REQUEST")), "{done}");
}

/// The cell boots, wants a session, and the wire stays silent.
fn nothing_leaves_without_the_tunnel(world: &World, cell: &Cell, tunnel: &Tunnel) {
    tunnel.route_past();
    let before = tunnel.packets_on_the_wire();
    let mut henbd = tunnel.at_cell(|| world.henbd(cell));
    wait_for("the session to fail", PATIENCE, || {
        henbd.log().contains("nothing is sent without it").then_some(())
    });
    henbd.terminate();
    assert_eq!(tunnel.packets_on_the_wire(), before);
}

/// Who comes by the wire has an address for which no SA vouches.
fn nobody_gets_an_answer_past_the_tunnel(world: &World, tunnel: &Tunnel) {
    let answer = tunnel.at_cell(|| {
        let mut tcp = TcpStream::connect((HEMS_ADDRESS, world.cwmp().port())).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // A reset is no answer either.
        let _ = tcp.read_to_end(&mut answer);
        answer
    });
    assert_eq!(answer, b"");
    let row = tunnel.at_gateway(|| world.wait_refusal("no_tunnel_identity", 1));
    assert!(field(&row, "detail").contains("192.0.2.2"), "{row}");
}

#[test]
fn x02_a03_p10_p20_strongswan_carries_a_session_in_ipsec_tls_mode_and_both_name_one_cell() {
    if !tunnel::is_possible(
        "x02_a03_p10_p20_strongswan_carries_a_session_in_ipsec_tls_mode_and_both_name_one_cell",
    ) {
        return;
    }
    let world = World::new("ipsec-tls");
    let (cell, other) = (world.cell(1), world.cell(2));
    let address: IpAddr = HEMS_ADDRESS.parse().unwrap();
    // The lab's own operator CA excludes addresses.
    let operator = Authority::create(&AuthorityOrder::lab("inside", "localhost").unconstrained()).unwrap();
    fs::write(world.dir().join("inside-ca.pem"), operator.pem().unwrap()).unwrap();
    let key = Key::generate(2048).unwrap();
    let order = LeafOrder::hems("localhost").addresses(&[address]);
    operator.issue(&order, &key).unwrap().write(world.dir(), "inside", &key).unwrap();
    let tunnel = Tunnel::new(&world, &cell);
    configure_hems(&world, &tunnel, "ipsec-tls");
    [&cell, &other].into_iter().for_each(|cell| configure_cell(&world, cell, "ipsec-tls"));
    tunnel.up();
    let _hems = tunnel.at_gateway(|| world.serve());
    tunnel.at_gateway(|| world.configure(3600));
    let mut henbd = tunnel.at_cell(|| world.henbd(&cell));
    let device = tunnel.at_gateway(|| world.wait_in_service(&cell.identity));
    assert_eq!(field(&device, "tls_version"), "TLSv1.2");
    let session = tunnel.at_gateway(|| first_session(&world));
    assert_eq!((field(&session, "transport"), field(&session, "voucher")), ("tls", "vici"), "{session}");
    assert_eq!(field(&session, "identity"), cell.identity);
    henbd.terminate();
    let _stranger = tunnel.at_cell(|| world.henbd(&other));
    let row = tunnel.at_gateway(|| world.wait_refusal("tunnel_of_another", 1));
    assert!(field(&row, "detail").contains(&other.identity), "{row}");
}
