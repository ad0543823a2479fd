//! Clients and scanners that nobody here wrote: each speaks to our listener, and what it gets is what the table
//! says. A judge that is not installed is a listed skip, and a failure in CI. (P-03, P-04, P-12 to P-16)
//!
//! `openssl s_client` judges in `suites.rs` and `versions.rs`, and `scan-suites` in `suites.rs`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use profile::pki::LeafOrder;
use profile::{Acceptor, Profile, SuiteOrder, Terms, Version};
use tokio::process::Command;
use tokio::time::timeout;

use crate::world::{CELL, HOST, Server, World, greeted};

/// A scanner asks hundreds of times.
const SCAN: Duration = Duration::from_secs(100);

/// Runs a command to its end: whether it is content, and what it printed.
async fn ran(command: &mut Command, patience: Duration) -> (bool, String) {
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(patience, command.output()).await.expect("the judge ends").unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The greeting that shows a session at a version with the mandatory suite.
fn greeting(version: &str) -> String {
    format!("00005e005301.hnb.example {version} TLS_RSA_WITH_AES_128_CBC_SHA")
}

#[tokio::test]
async fn p03_p04_p12_p14_p16_p06_p13_gnutls_gets_data_with_the_profile_only() {
    let Some(judge) = oracles::tool("p03_p04_p12_p14_p16_p06_p13_gnutls", "gnutls-cli") else { return };
    let world = World::new();
    let server = world.server().await;
    let mandatory = "+RSA:+AES-128-CBC:+SHA1";
    for (priority, expected) in [
        (format!("+VERS-TLS1.1:{mandatory}"), Some("TLSv1.1")),
        (format!("+VERS-TLS1.2:{mandatory}"), Some("TLSv1.2")),
        (format!("+VERS-TLS1.0:{mandatory}"), None),
        ("+VERS-TLS1.3:+AES-128-GCM:+AEAD:+GROUP-ALL".to_owned(), None),
        ("+VERS-TLS1.2:+RSA:+ARCFOUR-128:+SHA1".to_owned(), None),
        ("+VERS-TLS1.2:+RSA:+3DES-CBC:+SHA1".to_owned(), None),
        ("+VERS-TLS1.2:+RSA:+NULL:+SHA1".to_owned(), None),
        ("+VERS-TLS1.2:+ANON-DH:+AES-128-CBC:+SHA1".to_owned(), None),
        ("+VERS-TLS1.2:+ECDHE-RSA:+AES-128-CBC:+SHA1:+GROUP-ALL".to_owned(), None),
        ("+VERS-TLS1.2:+RSA:+AES-128-GCM:+AEAD".to_owned(), None),
        ("+VERS-TLS1.2:+RSA:+CAMELLIA-128-CBC:+SHA1".to_owned(), None),
    ] {
        let mut command = Command::new(&judge);
        command.arg("--priority").arg(format!("NONE:+COMP-NULL:+CTYPE-ALL:+SIGN-ALL:{priority}"));
        command.arg("--x509cafile").arg(world.file("operator.pem")).arg("--verify-hostname").arg(HOST);
        command.arg("--x509certfile").arg(&world.henb.chain).arg("--x509keyfile").arg(&world.henb.key);
        command.arg("-p").arg(server.address.port().to_string()).arg(server.address.ip().to_string());
        let heard = greeted(&mut command).await;
        match expected {
            Some(version) => assert!(heard.contains(&greeting(version)), "{priority}: {heard}"),
            None => assert!(!heard.contains(CELL), "{priority}: {heard}"),
        }
    }
}

/// A database of NSS with the cell's certificate and key, and the operator's root.
async fn nss_database(world: &World) -> String {
    let folder = world.file("nss");
    std::fs::create_dir(&folder).unwrap();
    let database = format!("sql:{}", folder.display());
    let bundle = world.file("cell.p12");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (chain, key) = (path(&world.henb.chain), path(&world.henb.key));
    let (bundle, root) = (path(&bundle), path(&world.file("operator.pem")));
    for arguments in [
        vec!["certutil", "-N", "-d", &database, "--empty-password"],
        vec![
            "openssl", "pkcs12", "-export", "-name", "cell", "-passout", "pass:x", "-in", &chain, "-inkey",
            &key, "-out", &bundle,
        ],
        vec!["pk12util", "-d", &database, "-W", "x", "-i", &bundle],
        vec!["certutil", "-A", "-d", &database, "-n", "operator", "-t", "C,,", "-i", &root],
    ] {
        let (is_done, text) = ran(Command::new(arguments[0]).args(&arguments[1..]), SCAN).await;
        assert!(is_done, "{arguments:?}: {text}");
    }
    database
}

#[tokio::test]
async fn p03_p04_p12_p14_p16_p06_p13_nss_gets_data_with_the_profile_only() {
    let Some(judge) = oracles::tool("p03_p04_p12_p14_p16_p06_p13_nss", "tstclnt") else { return };
    let world = World::new();
    let server = world.server().await;
    let database = nss_database(&world).await;
    for (versions, suite, expected) in [
        ("tls1.1", ":002F", Some("TLSv1.1")),
        ("tls1.2", ":002F", Some("TLSv1.2")),
        ("ssl3", ":002F", None),
        ("tls1.0", ":002F", None),
        ("tls1.3", ":1301", None),
        ("tls1.2", ":0005", None),
        ("tls1.2", ":000A", None),
        ("tls1.2", ":0002", None),
        ("tls1.2", ":C013", None),
        ("tls1.2", ":009C", None),
    ] {
        let mut command = Command::new(&judge);
        command.args(["-4", "-h", "127.0.0.1", "-p", &server.address.port().to_string(), "-a", HOST]);
        command.args(["-d", &database, "-n", "cell", "-V", &format!("{versions}:{versions}"), "-c", suite]);
        let heard = greeted(&mut command).await;
        match expected {
            Some(version) => {
                assert!(heard.contains(&greeting(version)), "{versions} {suite}: {heard}");
            }
            None => assert!(!heard.contains(CELL), "{versions} {suite}: {heard}"),
        }
    }
}

/// The suites of a profile that a version has, for a listener with an RSA key.
fn table(profile: &Profile, version: Version) -> BTreeSet<String> {
    let offered = profile.offered(SuiteOrder::FsFirst).into_iter();
    let known = offered.filter(|suite| profile.permitted(suite.code, version).is_some());
    let names = known.map(|suite| suite.standard_name).filter(|name| !name.contains("_ECDSA_"));
    // The judge's own spelling of TLS 1.3.
    names
        .map(|name| {
            name.replace("TLS_AES", if version == Version::Tls13 { "TLS_AKE_WITH_AES" } else { "TLS_AES" })
        })
        .collect()
}

/// What nmap lists below each version: its report has a table for the version, and an element for each name.
fn listed(report: &str, version: &str) -> BTreeSet<String> {
    let Some((_, below)) = report.split_once(&format!("<table key=\"{version}\">")) else {
        return BTreeSet::new();
    };
    let below = below.split("<table key=\"TLSv").next().unwrap_or_default();
    let names = below.split("<elem key=\"name\">").skip(1);
    names.filter_map(|rest| rest.split('<').next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn p13_p14_p16_t01_t12_nmap_lists_the_tables_and_nothing_else() {
    let Some(judge) = oracles::tool("p13_p14_p16_t01_t12_nmap", "nmap") else { return };
    let world = World::new();
    for profile in Profile::ALL {
        let terms = Terms { profile, ..world.terms() };
        let server = Server::start(Acceptor::new(&terms, &world.hems, &[world.anchor()]).unwrap()).await;
        nmap_lists(&judge, &server, profile).await;
    }
}

async fn nmap_lists(judge: &Path, server: &Server, profile: &Profile) {
    let port = server.address.port().to_string();
    let mut command = Command::new(judge);
    command.args(["-n", "-Pn", "-sT", "-p", &port, "--script", "+ssl-enum-ciphers", "-oX", "-", "127.0.0.1"]);
    let (is_done, report) = ran(&mut command, SCAN).await;
    assert!(is_done, "{report}");
    for (name, expected) in [
        ("SSLv3", BTreeSet::new()),
        ("TLSv1.0", BTreeSet::new()),
        ("TLSv1.1", table(profile, Version::Tls11)),
        ("TLSv1.2", table(profile, Version::Tls12)),
        ("TLSv1.3", table(profile, Version::Tls13)),
    ] {
        assert_eq!(listed(&report, name), expected, "{} {name}: {report}", profile.name);
    }
}

#[tokio::test]
async fn p13_p14_p16_p06_sslyze_finds_nothing_beyond_the_table() {
    const TEST: &str = "p13_p14_p16_p06_sslyze";
    let Some(oracles) = oracles::folder(TEST) else { return };
    let Some(judge) = oracles::tool(TEST, "sslyze") else { return };
    let world = World::new();
    let pair = world.operator.issue(&LeafOrder::hems("localhost"), &world.key).unwrap();
    let pair = pair.write(world.dir.path(), "localhost", &world.key).unwrap();
    let server = Server::start(Acceptor::new(&world.terms(), &pair, &[world.anchor()]).unwrap()).await;
    let mut command = Command::new(judge);
    command.arg("--custom_tls_config").arg(oracles.join("judges/sslyze-ts33320.json"));
    command.arg("--certinfo_ca_file").arg(world.file("operator.pem"));
    command.arg("--cert").arg(&world.henb.chain).arg("--key").arg(&world.henb.key);
    command.arg(format!("localhost:{}", server.address.port()));
    let (is_content, report) = ran(&mut command, SCAN).await;
    assert!(is_content, "{report}");
    assert!(report.contains("OK - Compliant"), "{report}");
}
