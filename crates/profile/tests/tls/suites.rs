//! Which suites a listener accepts: all 65,534 code points are asked, at every version. (P-12 to P-16, T-04, T-06)

use audit::{Accepted, Answer, ClientHello, TLS11, TLS12, TLS13, ask, scan};
use profile::pki::{Key, LeafOrder};
use profile::{Acceptor, Profile, SuiteOrder, Terms, Version};

use crate::world::{HOST, PATIENCE, Server, World, pinned, s_client};

/// What a listener of a profile accepts: nothing at a version that it does not have.
fn table(profile: &Profile) -> Accepted {
    let suites = profile.suites.iter().filter(|suite| suite.is_offered);
    let versions = [Version::Tls11, Version::Tls12];
    let pairs = suites.flat_map(|suite| versions.map(|version| (version, suite.code)));
    let pairs = pairs.filter(|(version, code)| profile.permitted(*code, *version).is_some());
    Accepted::expect(pairs.map(|(version, code)| (version.code(), code)))
}

#[tokio::test]
async fn g08_p13_p14_p15_p16_t02_t12_only_listed_suites_of_all_code_points_at_all_versions() {
    let server = World::new().server().await;
    let sha1 = vec![0x002F, 0x0033, 0x0035, 0x0039];
    let all = vec![0x002F, 0x0033, 0x0035, 0x0039, 0x003C, 0x003D, 0x0067, 0x006B];
    let expected = Accepted([(TLS11, sha1), (TLS12, all)].into());
    assert_eq!(table(&Profile::TS33320), expected);
    assert_eq!(scan(server.address).await.unwrap(), expected);
}

/// A listener of the later profile with this key.
async fn later(world: &World, key: &Key) -> Server {
    let terms = Terms { profile: &Profile::TS33210, ..world.terms() };
    let pair = world.operator.issue(&LeafOrder::hems(HOST), key).unwrap();
    let pair = pair.write(world.dir.path(), "later", key).unwrap();
    Server::start(Acceptor::new(&terms, &pair, &[world.anchor()]).unwrap()).await
}

/// The later profile's suites for one kind of key.
fn of_the_later(authenticated_by: &str) -> Accepted {
    let suites = Profile::TS33210.suites.iter().filter(|suite| {
        suite.since == Version::Tls13 || suite.standard_name.contains(&format!("_{authenticated_by}_WITH"))
    });
    Accepted::expect(suites.map(|suite| (suite.since.code(), suite.code)))
}

#[tokio::test]
async fn t01_t12_the_later_profile_accepts_its_own_list_of_all_code_points_at_all_versions() {
    let world = World::new();
    let newest = vec![0x1301, 0x1302];
    for (key, name, tls12) in [
        (Key::generate(2048).unwrap(), "RSA", vec![0x009E, 0x009F, 0xC02F, 0xC030]),
        (Key::generate_ec().unwrap(), "ECDSA", vec![0xC02B, 0xC02C]),
    ] {
        let expected = Accepted([(TLS12, tls12), (TLS13, newest.clone())].into());
        assert_eq!(of_the_later(name), expected);
        let server = later(&world, &key).await;
        assert_eq!(scan(server.address).await.unwrap(), expected, "{name}");
    }
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
            let answer = ask(server.address, &ClientHello::new(version, &everything).bytes()).await.unwrap();
            assert_eq!(answer, Answer::Hello { version, suite: expected, compression: 0 });
        }
    }
}

#[tokio::test]
async fn t06_compression_is_never_chosen() {
    let server = World::new().server().await;
    let answer =
        ask(server.address, &ClientHello::new(TLS12, &[0x002F]).compression(&[1, 0]).bytes()).await.unwrap();
    assert_eq!(answer, Answer::Hello { version: 0x0303, suite: 0x002F, compression: 0 });
}
