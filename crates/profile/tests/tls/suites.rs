//! Which suites a listener accepts: all 65,534 code points are asked, at every version. (P-12 to P-16, T-04, T-06)

use std::net::SocketAddr;

use profile::{Acceptor, Profile, SuiteOrder, Terms, Version};

use crate::wire::{Answer, ask, client_hello};
use crate::world::{PATIENCE, Server, World, pinned, s_client};

/// Signalling values are no suites: renegotiation information and fallback.
const SIGNALLING: [u16; 2] = [0x00FF, 0x5600];
const BLOCK: usize = 2000;

/// Every suite that the server picks at one version, by striking off what it picked and asking again.
async fn accepted(address: SocketAddr, version: u16) -> Vec<u16> {
    let mut found = Vec::new();
    let all: Vec<u16> = (0..=u16::MAX).filter(|code| !SIGNALLING.contains(code)).collect();
    assert_eq!(all.len(), 65_534);
    for block in all.chunks(BLOCK) {
        let mut block = block.to_vec();
        while let Answer::Hello { version: chosen, suite, .. } =
            ask(address, &client_hello(version, &block, &[0], &[])).await
        {
            assert_eq!(chosen, version);
            assert!(block.contains(&suite), "{suite:04x} was not offered");
            block.retain(|code| *code != suite);
            found.push(suite);
        }
    }
    found.sort_unstable();
    found
}

#[tokio::test]
async fn p13_p14_p15_p16_only_listed_suites_of_all_code_points() {
    let server = World::new().server().await;
    let sha1 = [0x002F, 0x0033, 0x0035, 0x0039];
    let all = [0x002F, 0x0033, 0x0035, 0x0039, 0x003C, 0x003D, 0x0067, 0x006B];
    assert_eq!(accepted(server.address, 0x0300).await, [0; 0], "SSL 3.0");
    assert_eq!(accepted(server.address, 0x0301).await, [0; 0], "TLS 1.0");
    assert_eq!(accepted(server.address, 0x0302).await, sha1, "TLS 1.1");
    assert_eq!(accepted(server.address, 0x0303).await, all, "TLS 1.2");
}

#[tokio::test]
async fn p13_the_judge_agrees() {
    let server = World::new().server().await;
    let Some(oracles) = oracles::folder("p13_the_judge_agrees") else { return };
    let judge = oracles.join("judges/scan-suites");
    let mut command = tokio::process::Command::new(judge);
    command.arg(server.address.to_string()).args(["--expect", "ts33320"]).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("the judge ends").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn p12_a_stranger_gets_data_with_the_mandatory_suite_at_both_versions() {
    let world = World::new();
    let mut server = world.server().await;
    for (version, name) in [("-tls1_1", "TLSv1.1"), ("-tls1_2", "TLSv1.2")] {
        let heard =
            s_client(server.address, Some(&world.henb), &pinned(version, "AES128-SHA:@SECLEVEL=0")).await;
        assert_eq!(heard, format!("00005e005301.hnb.example {name} TLS_RSA_WITH_AES_128_CBC_SHA\n"));
        let evidence = server.outcome().await.unwrap().evidence;
        assert_eq!((evidence.tls_version, evidence.suite_code, evidence.resumed), (name, 0x002F, false));
        assert_eq!(evidence.certificate.dns_names, ["00005e005301.hnb.example"]);
    }
}

#[tokio::test]
async fn p13_t04_a_stranger_gets_data_with_each_row_of_the_table() {
    let world = World::new();
    let mut server = world.server().await;
    for suite in Profile::TS33320.offered(SuiteOrder::FsFirst) {
        for (version, option) in [(Version::Tls11, "-tls1_1"), (Version::Tls12, "-tls1_2")] {
            let list = format!("{}:@SECLEVEL=0", suite.engine_name);
            let heard = s_client(server.address, Some(&world.henb), &pinned(option, &list)).await;
            if Profile::TS33320.permitted(suite.code, version).is_some() {
                let expected =
                    format!("00005e005301.hnb.example {} {}\n", version.name(), suite.standard_name);
                assert_eq!(heard, expected);
                assert_eq!(server.outcome().await.unwrap().evidence.suite_code, suite.code);
            } else {
                assert_eq!(heard, "", "{} at {option}", suite.engine_name);
                assert!(server.outcome().await.is_err());
            }
        }
    }
}

#[tokio::test]
async fn p13_p16_a_stranger_with_other_suites_gets_nothing() {
    let world = World::new();
    let mut server = world.server().await;
    for list in [
        "ECDHE-RSA-AES128-GCM-SHA256",
        "AES128-GCM-SHA256",
        "DHE-RSA-AES128-GCM-SHA256",
        "NULL-SHA",
        "CAMELLIA128-SHA",
    ] {
        let list = format!("{list}:@SECLEVEL=0");
        assert_eq!(s_client(server.address, Some(&world.henb), &pinned("-tls1_2", &list)).await, "");
        assert_eq!(server.outcome().await.unwrap_err().reason.code(), "no_common_suite", "{list}");
    }
}

#[tokio::test]
async fn t03_the_server_picks_dhe_first_unless_said_otherwise() {
    let world = World::new();
    let everything: Vec<u16> =
        Profile::TS33320.offered(SuiteOrder::FastFirst).iter().map(|suite| suite.code).collect();
    for (order, at_11, at_12) in
        [(SuiteOrder::FsFirst, 0x0033, 0x0067), (SuiteOrder::FastFirst, 0x002F, 0x002F)]
    {
        let terms = Terms { order, ..world.terms() };
        let server = Server::start(Acceptor::new(&terms, &world.hems, &[world.anchor()]).unwrap()).await;
        for (version, expected) in [(0x0302, at_11), (0x0303, at_12)] {
            let answer = ask(server.address, &client_hello(version, &everything, &[0], &[])).await;
            assert_eq!(answer, Answer::Hello { version, suite: expected, compression: 0 });
        }
    }
}

#[tokio::test]
async fn t06_compression_is_never_chosen() {
    let server = World::new().server().await;
    let answer = ask(server.address, &client_hello(0x0303, &[0x002F], &[1, 0], &[])).await;
    assert_eq!(answer, Answer::Hello { version: 0x0303, suite: 0x002F, compression: 0 });
}
