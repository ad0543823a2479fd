//! What a hostile ConnectionRequestURL leads to: nowhere but to the cell that told it.

use std::net::Ipv4Addr;

use super::*;

const CELL: &str = "00005e005301.hnb.example";

fn aimed(url: &str, mode: TransportMode) -> Result<String, &'static str> {
    let called = Ipv4Addr::new(9, 9, 9, 9).into();
    target(url, CELL, Some(called), mode)
        .map(|target| format!("{} {} {}", target.address, target.path, target.has_tls))
        .map_err(|error| error.code())
}

#[test]
fn r05_the_address_and_the_path_are_all_that_is_taken_from_the_url() {
    let public = |url| aimed(url, TransportMode::Public);
    assert_eq!(public("https://192.0.2.7:7547/4f0c"), Ok("192.0.2.7:7547 /4f0c true".to_owned()));
    assert_eq!(public("https://[2001:db8::7]:7547/a?b=c"), Ok("[2001:db8::7]:7547 /a?b=c true".to_owned()));
    assert_eq!(public("https://[::ffff:192.0.2.7]/"), Ok("192.0.2.7:443 / true".to_owned()));
    assert_eq!(public("https://00005E005301.hnb.example:7547/x"), Ok("9.9.9.9:7547 /x true".to_owned()));
    assert_eq!(
        aimed("http://10.45.0.17:7547/x", TransportMode::Ipsec),
        Ok("10.45.0.17:7547 /x false".to_owned())
    );
}

#[test]
fn p07_x03_a_url_that_leads_elsewhere_leads_nowhere() {
    let long = format!("https://192.0.2.7/{}", "x".repeat(URL_MAX));
    for (url, mode, expected) in [
        ("", TransportMode::Public, "no_url"),
        (long.as_str(), TransportMode::Public, "url"),
        ("http://192.0.2.7:7547/x", TransportMode::Public, "url"),
        ("http://192.0.2.7:7547/x", TransportMode::IpsecTls, "url"),
        ("https://192.0.2.7:7547/x", TransportMode::Ipsec, "url"),
        ("ftp://192.0.2.7/x", TransportMode::Public, "url"),
        ("https://me:pw@192.0.2.7/x", TransportMode::Public, "url"),
        ("https://localhost/x", TransportMode::Public, "url"),
        ("https://00005e005302.hnb.example/x", TransportMode::Public, "url"),
        ("https://2130706433/x", TransportMode::Public, "url"),
        ("https://0x7f.1/x", TransportMode::Public, "url"),
        ("https://192.0.2.7:0/x", TransportMode::Public, "url"),
        ("https://192.0.2.7:99999/x", TransportMode::Public, "url"),
        ("https://192.0.2.7:/x", TransportMode::Public, "url"),
        ("https://192.0.2.7/x#y", TransportMode::Public, "url"),
        ("https://192.0.2.7/x y", TransportMode::Public, "url"),
        ("https://192.0.2.7/x\r\nHost: y", TransportMode::Public, "url"),
        ("/x", TransportMode::Public, "url"),
        ("192.0.2.7:7547", TransportMode::Public, "url"),
        ("unix:/run/x", TransportMode::Public, "url"),
    ] {
        assert_eq!(aimed(url, mode), Err(expected), "{url}");
    }
    let nowhere = target(&format!("https://{CELL}/x"), CELL, None, TransportMode::Public);
    assert_eq!(nowhere.unwrap_err().code(), "address");
}

#[test]
fn r05_we_connect_to_where_the_cell_called_from_or_to_a_listed_network() {
    let judged = |address: &str, called: Option<&str>, listed: &[&str]| {
        let listed: Vec<Network> = listed.iter().map(|text| text.parse().unwrap()).collect();
        permit(address.parse().unwrap(), called.map(|called| called.parse().unwrap()), &listed)
            .map_err(|error| error.to_string())
    };
    assert_eq!(judged("9.9.9.9", Some("9.9.9.9"), &[]), Ok(()));
    for inside in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fe80::1", "0.0.0.0", "fd00::1"] {
        let said = judged(inside, Some(inside), &[]).unwrap_err();
        assert!(said.contains("not public") && said.contains("wake.networks"), "{said}");
    }
    let said = judged("9.9.9.8", Some("9.9.9.9"), &[]).unwrap_err();
    assert!(said.contains("9.9.9.8") && said.contains("9.9.9.9") && said.contains("wake.networks"), "{said}");
    assert!(judged("9.9.9.9", None, &[]).is_err());
    assert_eq!(judged("10.45.0.17", Some("9.9.9.9"), &["10.45.0.0/16"]), Ok(()));
    assert_eq!(judged("127.0.0.1", None, &["127.0.0.1"]), Ok(()));
    assert!(judged("127.0.0.2", None, &["127.0.0.1"]).is_err());
}

#[test]
fn r10_what_may_pass_is_tried_again_later_and_later_and_not_for_ever() {
    let now = crate::store::at(1_700_000_000_000);
    let waits = |attempts| match next(&Err(WakeError::Busy), attempts, now) {
        Next::Again(at, said) => Some((at.duration_since(now).as_secs(), said.contains("\"busy\""))),
        Next::Over(_) | Next::Awaited(_) => None,
    };
    let all: Vec<_> = (1..=6).map(waits).collect();
    let again = |seconds| Some((seconds, true));
    assert_eq!(all, [again(15), again(30), again(60), again(120), None, None]);
    assert_eq!(next(&Ok(()), 5, now), Next::Awaited(now + SESSION_WAIT));
    let refusal = |reason| Err(WakeError::Tls(Refusal::new(reason, "")));
    assert!(matches!(next(&refusal(Reason::HandshakeBroken), 1, now), Next::Again(..)), "it may be busy");
    for error in [Err(WakeError::Secret), Err(WakeError::NoUrl), refusal(Reason::WrongName)] {
        let Next::Over(said) = next(&error, 1, now) else { panic!("{error:?}") };
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(
            (said["reason"].as_str(), &said["attempts"]),
            (Some(error.unwrap_err().code()), &1.into())
        );
    }
}
