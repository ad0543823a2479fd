//! What a running `henbd` shares with its host: no port, unless its owner chose a listener, and no list of roots.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ChildStderr, Command, Stdio},
};

use profile::pki::{self, Authority, AuthorityOrder};
use scripted::{Process, World, namespace::has_namespaces};

/// A daemon and what it says.
struct Daemon {
    process: Process,
    log: BufReader<ChildStderr>,
    /// The last line that was read of it.
    said: String,
}

impl Daemon {
    /// What `command` becomes: a `henbd` of this configuration.
    fn start(mut command: Command, config: &Path) -> Self {
        command.arg("--config").arg(config).env("RUST_LOG", "info").stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { process: Process(child), log, said: String::new() }
    }

    /// Reads the log until it says this.
    fn until(mut self, words: &str) -> Self {
        while !self.said.contains(words) {
            self.said.clear();
            let read = self.log.read_line(&mut self.said).unwrap();
            assert_ne!(read, 0, "henbd ended before it said \"{words}\"");
        }
        self
    }

    /// The same beside a H(e)MS that runs in this test.
    async fn until_beside(self, words: &'static str) -> Self {
        tokio::task::spawn_blocking(move || self.until(words)).await.unwrap()
    }

    fn pid(&self) -> u32 {
        self.process.0.id()
    }

    fn end(mut self) {
        let signal = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(signal.unwrap().success());
        assert!(self.process.0.wait().unwrap().success());
    }

    /// The inodes of its sockets.
    fn sockets(&self) -> BTreeSet<String> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap();
        let targets = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let inode =
            |target: PathBuf| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
        targets.filter_map(inode).collect()
    }

    /// The local ends of its sockets in one of the kernel's tables, those in this state alone.
    fn ends(&self, table: &str, state: Option<&str>) -> Vec<String> {
        let own = self.sockets();
        let rows = fs::read_to_string(format!("/proc/{}/net/{table}", self.pid())).unwrap();
        let end = |row: &str| {
            let mut cells = row.split_whitespace().skip(1);
            let (end, _, is_in, inode) = (cells.next()?, cells.next()?, cells.next()?, cells.nth(5)?);
            (own.contains(inode) && state.is_none_or(|state| state == is_in)).then(|| end.to_owned())
        };
        rows.lines().skip(1).filter_map(end).collect()
    }

    /// Every TCP port that somebody could connect to. (0A is LISTEN)
    fn listening(&self) -> Vec<String> {
        ["tcp", "tcp6"].iter().flat_map(|table| self.ends(table, Some("0A"))).collect()
    }

    /// Every UDP port.
    fn datagrams(&self) -> Vec<String> {
        ["udp", "udp6"].iter().flat_map(|table| self.ends(table, None)).collect()
    }
}

/// An IPv4 end as the kernel's tables have it.
fn in_table(end: &str) -> String {
    let SocketAddr::V4(end) = end.parse().unwrap() else { panic!("{end} is no IPv4 address") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(end.ip().octets()), end.port())
}

/// The configuration of this world's cell as a file, with these sections after it.
fn configured(world: &World, before: &str, sections: &str) -> PathBuf {
    let own = &world.config.identity;
    let text = format!(
        "lab = true\nstate_dir = \"daemon\"\n{before}[hems]\nurl = {:?}\nanchors = {:?}\n[identity]\ncertificate = {:?}\n\
         key = {:?}\n{sections}",
        world.acs.url(),
        world.config.anchors,
        own.chain,
        own.key.to_string()
    );
    let path = world.room("henbd.toml");
    fs::write(&path, text).unwrap();
    path
}

fn henbd() -> Command {
    Command::new(env!("CARGO_BIN_EXE_henbd"))
}

#[tokio::test]
async fn r04_x08_a_cell_listens_nowhere_unless_that_was_chosen() {
    let world = World::new().await;
    let daemon = Daemon::start(henbd(), &configured(&world, "", ""));
    let daemon = daemon.until_beside("a session with the H(e)MS closed").await;
    assert_eq!((daemon.listening(), daemon.datagrams()), (vec![], vec![]));
    daemon.end();
}

#[tokio::test]
async fn a06_the_roots_of_the_host_are_no_anchors() {
    let mut world = World::new().await;
    let stranger = Authority::create(&AuthorityOrder::lab("stranger", "localhost")).unwrap();
    world.config.anchors = world.room("stranger.pem");
    fs::write(&world.config.anchors, stranger.pem().unwrap()).unwrap();
    // What OpenSSL takes for the public list knows who issued for this H(e)MS.
    let mut command = henbd();
    command.env("SSL_CERT_FILE", world.pki().join("operator.pem"));
    let daemon = Daemon::start(command, &configured(&world, "", ""));
    let daemon = daemon.until_beside("a session with the H(e)MS").await;
    assert!(daemon.said.contains("failed") && daemon.said.contains("unknown_issuer: "), "{}", daemon.said);
    daemon.end();
}

#[tokio::test]
async fn r04_a_cell_that_listens_has_that_one_port_open_and_no_other() {
    let world = World::new().await;
    let own = pki::issue_listener(&world.pki(), "00005e005301", "hnb.example").unwrap();
    let section = format!(
        "[connection_request]\nkind = \"tls\"\nlisten = \"127.0.0.47:0\"\nfrom = [\"127.0.0.1\"]\ncertificate = {:?}\nkey = {:?}\n",
        own.chain, own.key
    );
    let daemon = Daemon::start(henbd(), &configured(&world, "", &section));
    let daemon = daemon.until_beside("a session with the H(e)MS closed").await;
    let told = world.acs.informs()[0].parameter_list.clone();
    let url =
        told.iter().find(|entry| entry.name.ends_with(".ConnectionRequestURL")).unwrap().value.text.clone();
    let end = url.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap();
    assert_eq!((daemon.listening(), daemon.datagrams()), (vec![in_table(end)], vec![]));
    daemon.end();
}

#[tokio::test]
async fn r05_x03_the_listener_in_the_tunnel_goes_with_its_address_and_comes_back_with_it() {
    if !has_namespaces("r05_x03_the_listener_in_the_tunnel_goes_with_its_address_and_comes_back_with_it") {
        return;
    }
    let world = World::new().await;
    let tunnel = "[tunnel]\naddress = \"10.45.0.7\"\n[connection_request]\nkind = \"tunnel\"\n";
    let config = configured(&world, "mode = \"ipsec-tls\"\n", tunnel);
    // A network of its own, where the tunnel's address can come and go.
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_henbd"));
    let address = |daemon: &Daemon, verb: &str| {
        let inside = ["--target", &daemon.pid().to_string(), "--net"].map(str::to_owned);
        let change = ["ip", "address", verb, "10.45.0.7/32", "dev", "lo"];
        assert!(Command::new("nsenter").args(inside).args(change).status().unwrap().success());
    };
    let mut daemon = Daemon::start(command, &config).until_beside("the cell cannot listen").await;
    assert_eq!(daemon.listening(), Vec::<String>::new());
    for _ in 0..2 {
        address(&daemon, "add");
        let opened = daemon.until_beside("the cell listens for Connection Requests").await;
        assert_eq!(opened.listening(), [in_table("10.45.0.7:7547")]);
        address(&opened, "del");
        daemon = opened.until_beside("the cell listens no more").await;
        assert_eq!(daemon.listening(), Vec::<String>::new());
    }
    daemon.end();
}
