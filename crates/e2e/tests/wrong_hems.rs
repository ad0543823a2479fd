//! The daemon against every wrong H(e)MS that Debian's `openssl s_server` can play, and one that is right.
//!
//! ```text
//!   henbd ──hello──▶ s_server with one thing wrong ──▶ no byte of HTTP, and the reason of the table in the log
//!         ──hello──▶ s_server with nothing wrong   ──▶ its Inform
//! ```
//!
//! The server is a process that nobody here wrote, and what it received is what it printed itself.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use e2e::{Cell, Process, World, wait_for};
use jiff::SignedDuration;
use profile::{
    KeyPair, Reason,
    pki::{
        Authority, AuthorityOrder, Digest, Issued, Key, LeafOrder, OcspAnswer, OcspOrder, Purpose,
        RevocationReason, Usage, Validity,
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

/// How a session that TLS ended is told in the log; the reason and its text follow.
const REFUSED: &str = "the TLS profile refuses the connection: ";

/// What a right H(e)MS says of itself, so that one thing is wrong at a time; level 0 lets it have weak keys.
const RIGHT: [&str; 4] = ["-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-Verify"];

/// One cell, the operator's CA, and a folder for what strangers show.
struct Lab {
    world: World,
    cell: Cell,
    operator: Authority,
    key: Key,
}

impl Lab {
    fn new(name: &str) -> Self {
        let world = World::new(name);
        let file = |extension| world.pki().join(format!("operator/localhost.{extension}"));
        let operator = Authority::load(&KeyPair { chain: file("pem"), key: file("key") }).unwrap();
        let cell = world.cell(1);
        assert!(Command::new("mkfifo").arg(world.dir().join("orders")).status().unwrap().success());
        Self { cell, operator, key: Key::generate(2048).unwrap(), world }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.dir().join(name)
    }

    /// What the operator's CA issues for this order and the lab's key.
    fn issue(&self, order: &LeafOrder) -> KeyPair {
        self.keep(&self.operator.issue(order, &self.key).unwrap(), &self.key)
    }

    fn keep(&self, issued: &Issued, key: &Key) -> KeyPair {
        issued.write(self.world.dir(), "server", key).unwrap()
    }

    fn right(&self) -> KeyPair {
        self.issue(&LeafOrder::hems("localhost"))
    }

    /// Starts the server; it listens when this returns.
    fn serve(&self, pair: &KeyPair, arguments: &[&str]) -> (Process, SocketAddr) {
        let log = self.file("server.log");
        let _ = fs::remove_file(&log);
        let mut command = Command::new("/bin/sh");
        // Its input never ends: where it does, this server ends each connection.
        command.args(["-c", "exec openssl s_server \"$@\" 0<>\"$0\""]).arg(self.file("orders"));
        command.args(["-accept", "127.0.0.1:0", "-cert"]).arg(&pair.chain).arg("-key").arg(&pair.key);
        let server = Process::start(command.args(arguments), &log);
        let address = wait_for("s_server", PATIENCE, || {
            server.log().lines().find_map(|line| line.strip_prefix("ACCEPT ")?.parse().ok())
        });
        (server, address)
    }

    /// Starts the cell, as from the factory, with this server as its H(e)MS: one that remembers a failure waits first.
    fn call(&self, address: SocketAddr) -> Process {
        let text = fs::read_to_string(&self.cell.config).unwrap();
        let url = format!("url = \"https://localhost:{}/\"", address.port());
        let line = |line: &str| if line.starts_with("url = ") { url.clone() } else { line.to_owned() };
        fs::write(&self.cell.config, text.lines().map(line).collect::<Vec<_>>().join("\n")).unwrap();
        let _ = (fs::remove_file(&self.cell.log), fs::remove_dir_all(&self.cell.state_dir));
        self.world.henbd(&self.cell)
    }

    /// The reason for which the cell refuses whoever is at this address.
    fn refusal(&self, address: SocketAddr) -> Reason {
        let henbd = self.call(address);
        let said = wait_for("the end of the first session", PATIENCE, || {
            let log = henbd.log();
            log.lines()
                .find_map(|line| Some(line.split_once("a session with the H(e)MS failed: ")?.1.to_owned()))
        });
        let reason = said.split_once(REFUSED).and_then(|(_, reason)| reason.split_once(": "));
        let (code, _) = reason.unwrap_or_else(|| panic!("TLS is not what ended it: {said}"));
        code.parse().unwrap()
    }

    /// Plays a server with one thing wrong; it must not hear a byte of HTTP.
    fn expect(&self, case: &str, pair: &KeyPair, arguments: &[&str], reason: Reason) {
        let (server, address) = self.serve(pair, arguments);
        assert_eq!(self.refusal(address), reason, "{case}");
        assert!(!server.log().contains("HTTP/1.1"), "{case}: {}", server.log());
    }

    /// With a certificate that has one thing wrong.
    fn expect_certificate(&self, case: &str, pair: &KeyPair, reason: Reason) {
        self.expect(case, pair, &[&RIGHT[..], &["1"]].concat(), reason);
    }
}

fn days(from: i64, to: i64) -> Validity {
    let at = |days: i64| profile::build_time() + SignedDuration::from_hours(24 * days);
    Validity { not_before: at(from), not_after: at(to) }
}

/// Whether this machine's OpenSSL has a suite at all: Debian's has neither RC4 nor 3DES.
fn can_play(suite: &str) -> bool {
    Command::new("openssl").args(["ciphers", suite]).output().unwrap().status.success()
}

#[test]
fn p01_p02_p03_a_right_server_gets_the_inform() {
    let lab = Lab::new("right");
    for (version, suite) in
        [("-tls1_2", "AES128-SHA"), ("-tls1_1", "AES128-SHA"), ("-tls1_2", "DHE-RSA-AES128-SHA256")]
    {
        let suite = format!("{suite}:@SECLEVEL=0");
        let anchors = lab.world.pki().join("manufacturer.pem");
        let anchors = ["-CAfile", anchors.to_str().unwrap(), "-verify_return_error"];
        let arguments = [&[version, "-cipher", &suite, "-Verify", "1"], &anchors[..]].concat();
        let (server, address) = lab.serve(&lab.right(), &arguments);
        let _henbd = lab.call(address);
        wait_for(&format!("an Inform over {version} {suite}"), PATIENCE, || {
            let heard = server.log();
            (heard.contains("POST / HTTP/1.1") && heard.contains("<cwmp:Inform")).then_some(())
        });
    }
}

#[test]
fn p02_p03_p06_p12_p13_p14_other_versions_and_suites_get_nothing() {
    let lab = Lab::new("suites");
    let right = lab.right();
    for version in ["-tls1", "-tls1_3"] {
        let arguments = [version, "-cipher", "ALL:@SECLEVEL=0", "-Verify", "1"];
        lab.expect(version, &right, &arguments, Reason::ProtocolVersion);
    }
    let played = [
        "NULL-SHA",
        "NULL-MD5",
        "NULL-SHA256",
        "ADH-AES128-SHA",
        "AECDH-AES128-SHA",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-SHA",
        "AES128-GCM-SHA256",
        "CAMELLIA128-SHA",
        "PSK-AES128-CBC-SHA",
        "RC4-SHA",
        "RC4-MD5",
        "DES-CBC3-SHA",
    ];
    for suite in played.map(|suite| format!("{suite}:@SECLEVEL=0")).iter().filter(|suite| can_play(suite)) {
        let arguments = ["-tls1_2", "-cipher", suite, "-psk", "00ff", "-Verify", "1"];
        let ends = if suite.starts_with("PSK") {
            &arguments[..]
        } else {
            &[&arguments[..3], &arguments[5..]].concat()
        };
        lab.expect(suite, &right, ends, Reason::PeerRefusesUs);
    }
}

#[test]
fn p08_a14_t05_t14_a_server_that_asks_for_no_certificate_or_has_weak_parameters_gets_nothing() {
    let lab = Lab::new("handshakes");
    let right = lab.right();
    lab.expect(
        "no request",
        &right,
        &["-tls1_2", "-cipher", "ALL:@SECLEVEL=0"],
        Reason::NoCertificateRequest,
    );
    let group = lab.file("dh1024.pem");
    let mut maker = Command::new("openssl");
    maker.args(["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "dh_rfc5114:1", "-out"]).arg(&group);
    assert!(maker.status().unwrap().success());
    let suite = "DHE-RSA-AES128-SHA256:@SECLEVEL=0";
    let weak = ["-tls1_2", "-cipher", suite, "-dhparam", group.to_str().unwrap(), "-Verify", "1"];
    lab.expect("a DH group of 1024 bits", &right, &weak, Reason::WeakDhGroup);
    let stranger = Authority::create(&AuthorityOrder::lab("a stranger", "hnb.example")).unwrap();
    let anchors = lab.file("stranger.pem");
    fs::write(&anchors, stranger.pem().unwrap()).unwrap();
    let picky = ["-CAfile", anchors.to_str().unwrap(), "-verify_return_error"];
    let picky = [&RIGHT[..], &["1"], &picky[..]].concat();
    lab.expect("it does not know our issuer", &right, &picky, Reason::PeerRefusesUsUnknownIssuer);
    let key = Key::generate_ec().unwrap();
    let ec = lab.keep(&lab.operator.issue(&LeafOrder::hems("localhost"), &key).unwrap(), &key);
    lab.expect_certificate("an EC key, for which no suite is left", &ec, Reason::PeerRefusesUs);
}

#[test]
fn p18_a05_a07_a08_a09_a10_a_certificate_of_the_right_issuer_with_one_thing_wrong_is_refused() {
    let lab = Lab::new("leaves");
    let good = || LeafOrder::hems("localhost");
    for (case, order, reason) in [
        ("expired", good().valid(days(-60, -1)), Reason::CertificateExpired),
        ("not yet valid", good().valid(days(3650, 4000)), Reason::CertificateNotYetValid),
        ("key period", good().key_period(days(-60, -1)), Reason::KeyPeriod),
        ("wrong name", LeafOrder::hems("other.localhost"), Reason::WrongName),
        ("a wildcard", good().dns_names(&["*.localhost"]), Reason::WrongName),
        ("name only in CN", good().dns_names::<&str>(&[]), Reason::WrongName),
        ("serverAuth missing", good().purposes(&[Purpose::ClientAuth]), Reason::ExtendedKeyUsage),
        ("key usage without signatures", good().usages(&[Usage::KeyEncipherment]), Reason::KeyUsage),
        ("key usage not critical", good().uncritical_usage(), Reason::KeyUsage),
        ("a CA's certificate", good().as_ca(), Reason::CaCertificate),
        ("signed with SHA-1", good().digest(Digest::Sha1), Reason::WeakSignature),
        ("signed with MD5", good().digest(Digest::Md5), Reason::WeakSignature),
    ] {
        lab.expect_certificate(case, &lab.issue(&order), reason);
    }
    let weak = Key::generate(1024).unwrap();
    let pair = lab.keep(&lab.operator.issue(&good(), &weak).unwrap(), &weak);
    lab.expect_certificate("an RSA key of 1024 bits", &pair, Reason::WeakKey);
}

#[test]
fn a04_a06_a_certificate_of_another_issuer_or_its_own_is_refused() {
    let lab = Lab::new("issuers");
    let good = LeafOrder::hems("localhost");
    let own = lab.keep(&Authority::self_signed(&good, &lab.key).unwrap(), &lab.key);
    lab.expect_certificate("self-signed", &own, Reason::SelfSigned);
    // The operator's name on a stranger's key.
    for name in ["a stranger", "localhost"] {
        let stranger = Authority::create(&AuthorityOrder::lab(name, "localhost")).unwrap();
        let pair = lab.keep(&stranger.issue(&good, &lab.key).unwrap(), &lab.key);
        lab.expect_certificate(name, &pair, Reason::UnknownIssuer);
    }
    let file = |extension| lab.world.pki().join(format!("manufacturer/hnb.example.{extension}"));
    let manufacturer = Authority::load(&KeyPair { chain: file("pem"), key: file("key") }).unwrap();
    let pair = lab.keep(&manufacturer.issue(&good, &lab.key).unwrap(), &lab.key);
    lab.expect_certificate("the CA of the cells", &pair, Reason::UnknownIssuer);
}

#[test]
fn a11_a12_a_bad_staple_is_refused() {
    let lab = Lab::new("staples");
    let issued = lab.operator.issue(&LeafOrder::hems("localhost"), &lab.key).unwrap();
    let pair = lab.keep(&issued, &lab.key);
    let staple = lab.file("staple.der");
    let arguments = ["1", "-status_file", staple.to_str().unwrap()];
    let arguments = [&RIGHT[..], &arguments[..]].concat();
    let revoked =
        OcspAnswer::Revoked(profile::build_time(), RevocationReason::named("keyCompromise").unwrap());
    for (case, answer, validity, reason) in [
        ("revoked", revoked, days(-1, 3650), Reason::CertificateRevoked),
        ("overdue", OcspAnswer::Good, days(-60, -1), Reason::StapleStale),
        ("unknown to its issuer", OcspAnswer::Unknown, days(-1, 3650), Reason::StapleBad),
    ] {
        let order = OcspOrder::new(answer, validity);
        fs::write(&staple, lab.operator.ocsp(&order, &issued, None).unwrap()).unwrap();
        lab.expect(case, &pair, &arguments, reason);
    }
}

#[test]
fn p09_p11_plain_http_is_refused_by_the_url_and_by_the_handshake() {
    let lab = Lab::new("plain");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A server that speaks HTTP whatever comes: `s_server` cannot.
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = vec![0; 4096];
        let length = stream.read(&mut heard).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        heard.truncate(length);
        heard
    });
    assert_eq!(lab.refusal(address), Reason::HandshakeBroken);
    let heard = server.join().unwrap();
    assert_eq!(heard.first(), Some(&22), "a TLS record, and no HTTP");
    let said = check(&lab.cell.config, address);
    assert!(said.contains("hems.url: the transport mode \"public\" demands https"), "{said}");
}

/// What `henbd check` says of the same server with an http URL.
fn check(config: &Path, address: SocketAddr) -> String {
    let text = fs::read_to_string(config).unwrap();
    let (secure, plain) =
        (format!("https://localhost:{}", address.port()), format!("http://localhost:{}", address.port()));
    fs::write(config, text.replace(&secure, &plain)).unwrap();
    let output = e2e::henbd().arg("check").arg("--config").arg(config).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}
