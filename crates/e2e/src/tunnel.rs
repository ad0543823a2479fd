//! Two network namespaces and a tunnel between them, by strongSwan.
//!
//! ```text
//!   gateway: H(e)MS at 10.45.0.1 ─ charon ─ 192.0.2.1 ══════ 192.0.2.2 ─ charon ─ ipsec0: 10.45.0.17, henbd :cell
//! ```
//!
//! The kernel need not have ESP: charon's kernel-libipsec carries the packets through a TUN device. One rule: whatever
//! was made here goes with the [`Tunnel`], the daemons by their pids.

use std::{
    env,
    fs::{self, File},
    io::Write,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use profile::{
    Identity,
    pki::{Authority, AuthorityOrder, Key, LeafOrder},
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    process::{Process, wait_for},
    world::{Cell, OPERATOR_REALM, World},
};

/// The H(e)MS's address inside.
pub const HEMS_ADDRESS: &str = "10.45.0.1";
/// The cell's address inside; the pool has no other.
pub const CELL_ADDRESS: &str = "10.45.0.17";
/// The gateway's address outside.
pub const GATEWAY_OUTSIDE: &str = "192.0.2.1";
/// The cell's interface inside.
pub const INTERFACE: &str = "ipsec0";

const GATEWAY_NAME: &str = "seg.operator.example";
const CHARON: &str = "/usr/sbin/charon-systemd";
const PATIENCE: Duration = Duration::from_secs(60);

/// One end: its namespace, its daemon, its files.
#[derive(Debug)]
struct End {
    namespace: String,
    dir: PathBuf,
    charon: Option<Process>,
}

/// A tunnel between a H(e)MS and one cell.
#[derive(Debug)]
pub struct Tunnel {
    gateway: End,
    cell: End,
}

/// Whether this machine can have a tunnel; where not, the skip of `test` is noted in `$HEARTH_SKIPS`.
#[must_use]
pub fn is_possible(test: &str) -> bool {
    static PROBES: AtomicU32 = AtomicU32::new(0);
    let probe = format!("hearth-{}-{}", std::process::id(), PROBES.fetch_add(1, Ordering::Relaxed));
    let why = if !Path::new(CHARON).exists() || !Path::new("/usr/sbin/swanctl").exists() {
        "no strongSwan; install charon-systemd, strongswan-swanctl and libcharon-extra-plugins"
    } else if !Path::new("/dev/net/tun").exists() {
        "no /dev/net/tun"
    } else if !quietly(&["netns", "add", &probe]) {
        "no network namespaces; they want root"
    } else {
        quietly(&["netns", "del", &probe]);
        return true;
    };
    if let Some(skips) = env::var_os("HEARTH_SKIPS") {
        let list = File::options().append(true).create(true).open(skips);
        let _ = list.and_then(|mut list| writeln!(list, "{test}: {why}"));
    }
    false
}

fn quietly(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).output().is_ok_and(|output| output.status.success())
}

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().expect("ip is installed");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Tunnel {
    /// Lays the wire and starts both daemons; the tunnel is down still.
    #[must_use]
    pub fn new(world: &World, cell: &Cell) -> Self {
        let end = |side: &str| End {
            namespace: format!("hearth-{}-{side}", world.cwmp().port()),
            dir: world.dir().join(side),
            charon: None,
        };
        let mut tunnel = Self { gateway: end("gw"), cell: end("cell") };
        tunnel.lay_wire();
        // strongSwan 5.9 cannot read the constraint on addresses of the lab's other CAs; and a key has one role.
        let order = AuthorityOrder::lab("tunnels", OPERATOR_REALM).unconstrained();
        let authority = Authority::create(&order).unwrap();
        let identity = Identity::parse(&cell.identity).unwrap();
        tunnel.gateway.furnish(&authority, &LeafOrder::hems(GATEWAY_NAME), &gateway_conf());
        tunnel.cell.furnish(&authority, &LeafOrder::henb(&identity), &cell_conf(&cell.identity));
        tunnel.gateway.start();
        tunnel.cell.start();
        tunnel
    }

    fn lay_wire(&self) {
        let (gateway, cell) = (self.gateway.namespace.as_str(), self.cell.namespace.as_str());
        for namespace in [gateway, cell] {
            ip(&["netns", "add", namespace]);
            ip(&["-n", namespace, "link", "set", "lo", "up"]);
        }
        let (here, there) = ("02:00:00:00:00:01", "02:00:00:00:00:02");
        ip(&[
            "link", "add", "wan", "netns", gateway, "address", here, "type", "veth", "peer", "name", "wan",
            "netns", cell, "address", there,
        ]);
        for (namespace, address, peer, mac) in
            [(gateway, GATEWAY_OUTSIDE, "192.0.2.2", there), (cell, "192.0.2.2", GATEWAY_OUTSIDE, here)]
        {
            // Nothing but what a program sends shall be on the wire: no neighbour discovery.
            ip(&["-n", namespace, "link", "set", "wan", "addrgenmode", "none"]);
            ip(&["-n", namespace, "addr", "add", &format!("{address}/24"), "dev", "wan"]);
            ip(&["-n", namespace, "link", "set", "wan", "up"]);
            ip(&["-n", namespace, "neigh", "replace", peer, "lladdr", mac, "dev", "wan", "nud", "permanent"]);
        }
        ip(&["-n", gateway, "addr", "add", &format!("{HEMS_ADDRESS}/32"), "dev", "lo"]);
    }

    /// Brings the tunnel up.
    pub fn up(&self) {
        self.cell.swanctl(&["--initiate", "--child", "hems"]);
    }

    /// Takes it down.
    pub fn down(&self) {
        self.cell.swanctl(&["--terminate", "--ike", "seg"]);
        wait_for("the inner address to go", PATIENCE, || {
            let shown = ip(&["-n", &self.cell.namespace, "-o", "addr", "show"]);
            (!shown.contains(CELL_ADDRESS)).then_some(())
        });
    }

    /// The VICI socket of the gateway's daemon.
    #[must_use]
    pub fn vici(&self) -> PathBuf {
        self.gateway.vici()
    }

    /// Does something at the gateway: what it starts and connects to is there.
    pub fn at_gateway<T>(&self, work: impl FnOnce() -> T) -> T {
        self.gateway.inside(work)
    }

    /// Does something at the cell.
    pub fn at_cell<T>(&self, work: impl FnOnce() -> T) -> T {
        self.cell.inside(work)
    }

    /// Lets packets for the H(e)MS's inner address leave by the wire, past the tunnel.
    pub fn route_past(&self) {
        ip(&["-n", &self.cell.namespace, "route", "add", HEMS_ADDRESS, "via", GATEWAY_OUTSIDE]);
    }

    /// How many packets the cell has put on the wire.
    #[must_use]
    pub fn packets_on_the_wire(&self) -> u64 {
        let shown = ip(&["-n", &self.cell.namespace, "-s", "-j", "link", "show", "wan"]);
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown.pointer("/0/stats64/tx/packets").and_then(serde_json::Value::as_u64).unwrap()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        for end in [&mut self.gateway, &mut self.cell] {
            end.charon = None;
            quietly(&["netns", "del", &end.namespace]);
        }
    }
}

impl End {
    fn vici(&self) -> PathBuf {
        self.dir.join("vici")
    }

    /// Certificate, key, trusted CA, and both configurations.
    fn furnish(&self, authority: &Authority, order: &LeafOrder, connections: &str) {
        let key = Key::generate(2048).unwrap();
        let leaf = authority.issue(order, &key).unwrap();
        for (folder, name, pem) in [
            ("x509", "own.pem", leaf.pem().unwrap()),
            ("private", "own.key", key.pem().unwrap()),
            ("x509ca", "ca.pem", authority.pem().unwrap()),
        ] {
            fs::create_dir_all(self.dir.join(folder)).unwrap();
            fs::write(self.dir.join(folder).join(name), pem).unwrap();
        }
        fs::write(self.dir.join("swanctl.conf"), connections).unwrap();
        fs::write(self.dir.join("strongswan.conf"), daemon_conf(&self.dir)).unwrap();
    }

    fn start(&mut self) {
        let mut command = Command::new(CHARON);
        command.env("STRONGSWAN_CONF", self.dir.join("strongswan.conf")).env("SWANCTL_DIR", &self.dir);
        let log = self.dir.join("charon.out");
        self.charon = Some(self.inside(|| Process::start(&mut command, &log)));
        wait_for("the IKE daemon", PATIENCE, || self.vici().exists().then_some(()));
        self.swanctl(&["--load-all"]);
    }

    fn swanctl(&self, arguments: &[&str]) {
        let mut command = Command::new("/usr/sbin/swanctl");
        command.env("STRONGSWAN_CONF", self.dir.join("strongswan.conf")).env("SWANCTL_DIR", &self.dir);
        command.args(arguments).arg("--uri").arg(format!("unix://{}", self.vici().display()));
        let output = command.output().unwrap();
        let log = || fs::read_to_string(self.dir.join("charon.log")).unwrap_or_default();
        assert!(output.status.success(), "{arguments:?}: {output:?}\n{}", log());
    }

    /// A thread may change its own namespace; what it starts and opens meanwhile stays there.
    fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        let network = Some(LinkNameSpaceType::Network);
        let home = File::open("/proc/thread-self/ns/net").unwrap();
        let there = File::open(Path::new("/run/netns").join(&self.namespace)).unwrap();
        move_into_link_name_space(there.as_fd(), network).unwrap();
        let home = Home(home);
        let outcome = work();
        drop(home);
        outcome
    }
}

/// The way home, also from a test that fails.
struct Home(File);

impl Drop for Home {
    fn drop(&mut self) {
        let _ = move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network));
    }
}

fn daemon_conf(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "charon-systemd {{\n  plugins {{\n    include /etc/strongswan.d/charon/*.conf\n\
         \x20   kernel-libipsec {{\n      load = yes\n      allow_peer_ts = yes\n    }}\n\
         \x20   vici {{\n      socket = unix://{dir}/vici\n    }}\n\
         \x20   bypass-lan {{\n      load = no\n    }}\n  }}\n\
         \x20 filelog {{\n    log {{\n      path = {dir}/charon.log\n      default = 1\n      flush_line = yes\n    }}\n  }}\n}}\n"
    )
}

fn gateway_conf() -> String {
    format!(
        "connections {{\n  cells {{\n    version = 2\n    local_addrs = {GATEWAY_OUTSIDE}\n    encap = yes\n\
         \x20   pools = inner\n    local {{\n      auth = pubkey\n      certs = own.pem\n      id = {GATEWAY_NAME}\n    }}\n\
         \x20   remote {{\n      auth = pubkey\n      id = %any\n    }}\n\
         \x20   children {{\n      cell {{\n        local_ts = {HEMS_ADDRESS}/32\n      }}\n    }}\n  }}\n}}\n\
         pools {{\n  inner {{\n    addrs = {CELL_ADDRESS}/32\n  }}\n}}\n"
    )
}

fn cell_conf(identity: &str) -> String {
    format!(
        "connections {{\n  seg {{\n    version = 2\n    local_addrs = 192.0.2.2\n    remote_addrs = {GATEWAY_OUTSIDE}\n\
         \x20   encap = yes\n    vips = 0.0.0.0\n    local {{\n      auth = pubkey\n      certs = own.pem\n\
         \x20     id = {identity}\n    }}\n    remote {{\n      auth = pubkey\n      id = {GATEWAY_NAME}\n    }}\n\
         \x20   children {{\n      hems {{\n        remote_ts = {HEMS_ADDRESS}/32\n      }}\n    }}\n  }}\n}}\n"
    )
}
