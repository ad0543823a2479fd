//! The pure part: what is read, what is refused, what runs next, and how often.

use datamodel::{Model, Path};

use super::*;

fn order(kind: Kind, values: &[(&str, &str)]) -> Result<Order, Failure> {
    let value = |name: &str| {
        values
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
            .unwrap_or_default()
    };
    Order::read(kind, TransportMode::Public, value)
}

#[test]
fn c38_one_at_a_time_in_their_order_and_a_second_request_is_another_run() {
    let (mut diagnostics, now) = (Diagnostics::default(), Instant::now());
    assert_eq!((diagnostics.next(now), diagnostics.wait(now)), (None, None));
    diagnostics.request(Kind::Upload);
    diagnostics.request(Kind::Ping);
    assert_eq!(diagnostics.next(now), Some(Kind::Upload));
    assert_eq!((diagnostics.next(now), diagnostics.wait(now)), (None, None), "one runs");
    diagnostics.request(Kind::Upload);
    assert!(diagnostics.is_stale());
    assert_eq!((diagnostics.end(), diagnostics.next(now)), (None, Some(Kind::Ping)));
    diagnostics.stop(Kind::Ping);
    assert!(diagnostics.is_stale());
    assert_eq!((diagnostics.end(), diagnostics.next(now)), (None, Some(Kind::Upload)));
    assert!(!diagnostics.is_stale());
    assert_eq!((diagnostics.end(), diagnostics.next(now)), (Some(Kind::Upload), None));
}

#[test]
fn c39_no_more_than_ten_start_in_ten_minutes() {
    let (mut diagnostics, mut now) = (Diagnostics::default(), Instant::now());
    for _ in 0..MOST_STARTS {
        diagnostics.request(Kind::Ping);
        assert!(diagnostics.next(now).is_some() && diagnostics.end().is_some());
        now += Duration::from_secs(1);
    }
    diagnostics.request(Kind::Ping);
    assert_eq!(diagnostics.next(now), None);
    let wait = diagnostics.wait(now).unwrap();
    assert_eq!(wait, WINDOW - Duration::from_secs(10));
    assert!(diagnostics.next(now + wait).is_some());
    assert!(diagnostics.starts.len() <= MOST_STARTS);
}

#[test]
fn c39_what_is_too_much_is_not_begun() {
    let ping = [
        ("Host", "h"),
        ("NumberOfRepetitions", "100"),
        ("Timeout", "5000"),
        ("DataBlockSize", "1400"),
        ("DSCP", "63"),
    ];
    assert!(order(Kind::Ping, &ping).is_ok());
    for (at, value) in [(1, "101"), (2, "5001"), (3, "1401"), (4, "64")] {
        let mut more = ping;
        more[at].1 = value;
        assert!(matches!(order(Kind::Ping, &more), Err(Failure::Other(_))), "{:?}", more[at]);
    }
    assert!(matches!(order(Kind::Ping, &ping[1..]), Err(Failure::CannotResolve(_))));
    assert!(matches!(order(Kind::Ping, &[("Interface", "x"), ("Host", "h")]), Err(Failure::Other(_))));
    let upload = |length| order(Kind::Upload, &[("UploadURL", "https://h/"), ("TestFileLength", length)]);
    assert!(upload("4194304").is_ok());
    assert!(matches!(upload("4194305"), Err(Failure::Other(_))));
}

#[test]
fn p07_p11_a_test_file_comes_by_https_and_certificate() {
    for url in ["http://hems.example/", "ftp://hems.example/", "https://u:p@hems.example/", ""] {
        let refused = order(Kind::Download, &[("DownloadURL", url)]);
        assert!(matches!(refused, Err(Failure::Other(_))), "{url}: {refused:?}");
    }
    let marked = [("DownloadURL", "https://hems.example/"), ("DSCP", "1")];
    assert!(matches!(order(Kind::Download, &marked), Err(Failure::Other(_))));
}

#[test]
fn c38_every_end_has_a_word_of_the_model() {
    let text = String::new;
    for failure in [
        Failure::CannotResolve(text()),
        Failure::NoRoute(text()),
        Failure::NoConnection(text()),
        Failure::NoResponse,
        Failure::Login,
        Failure::Transfer(text()),
        Failure::TooLong,
        Failure::Timeout,
        Failure::MostHops,
        Failure::Internal(text()),
        Failure::Other(text()),
    ] {
        for kind in Kind::ALL {
            let path = Path::parse(&format!("{}DiagnosticsState", kind.object())).unwrap();
            let word = failure.state(kind);
            assert!(Model::cell().parameter(&path).unwrap().canonical(word).is_ok(), "{path}: {word}");
        }
    }
}

#[test]
fn c39_a_ping_with_the_longest_waits_ends_in_time() {
    assert!(MOST_WAIT * MOST_REPETITIONS < LONGEST);
}
