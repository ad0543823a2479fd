//! Statements: who may sign them, what they say, and that another tool reads them.

use std::path::Path;
use std::process::Command;

use super::*;
use crate::pki::{self, Authority, AuthorityOrder, Key, LeafOrder, Purpose, Validity};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An operator's PKI, its signer, and the cell's anchors.
struct World {
    folder: tempfile::TempDir,
    signer: KeyPair,
    anchors: Vec<u8>,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    pki::init(folder.path()).unwrap();
    let signer = pki::issue_signer(folder.path(), "localhost").unwrap();
    let anchors = std::fs::read(folder.path().join("operator.pem")).unwrap();
    World { folder, signer, anchors }
}

fn bundle(sequence: u64, roots: &[u8]) -> TrustBundle {
    let now = Timestamp::now();
    TrustBundle {
        sequence,
        not_before: now - jiff::SignedDuration::from_hours(1),
        not_after: now + jiff::SignedDuration::from_hours(24),
        roots: RootCertificate::read_all(roots).unwrap(),
    }
}

fn issue(world: &World, order: &LeafOrder) -> KeyPair {
    let pair = |name: &str| world.folder.path().join("operator").join(name);
    let ca = KeyPair { chain: pair("localhost.pem"), key: pair("localhost.key") };
    let key = Key::generate(2048).unwrap();
    Authority::load(&ca).unwrap().issue(order, &key).unwrap().write(world.folder.path(), "odd", &key).unwrap()
}

#[test]
fn a06_a_bundle_is_believed_for_its_signer_under_an_anchor() {
    let world = world();
    let bundle = bundle(7, &world.anchors);
    let file = bundle.seal(&world.signer).unwrap();
    assert_eq!(TrustBundle::open(&file, &world.anchors, Timestamp::now()), Ok(bundle));
    let stranger = Authority::create(&AuthorityOrder::lab("stranger", "localhost")).unwrap().pem().unwrap();
    let refused = TrustBundle::open(&file, &stranger, Timestamp::now()).unwrap_err();
    assert!(matches!(refused, StatementError::Signature(_)), "{refused}");
    assert!(!refused.is_corrupted());
}

#[test]
fn a06_neither_a_hems_nor_a_code_signer_nor_a_cell_signs_for_cells() {
    let world = world();
    for order in [
        LeafOrder::hems("localhost"),
        LeafOrder::signer("localhost").purposes(&[Purpose::CodeSigning]),
        LeafOrder::signer("localhost").purposes(&[]),
        LeafOrder::signer("localhost").usages(&[]),
        LeafOrder::signer("localhost").uncritical_usage(),
        LeafOrder::signer("localhost").as_ca(),
    ] {
        let file = bundle(1, &world.anchors).seal(&issue(&world, &order)).unwrap();
        let refused = TrustBundle::open(&file, &world.anchors, Timestamp::now()).unwrap_err();
        assert!(matches!(refused, StatementError::Signer(_)), "{order:?}: {refused}");
    }
}

#[test]
fn a06_the_named_signer_is_the_one_who_signed() {
    let world = world();
    let impostor = issue(&world, &LeafOrder::hems("localhost"));
    let file = bundle(1, &world.anchors).seal(&impostor).unwrap();
    let honest = std::fs::read(&world.signer.chain).unwrap();
    let text = String::from_utf8(file).unwrap();
    let cms = &text[..text.find("-----BEGIN CERTIFICATE").unwrap()];
    let mixed = [cms.as_bytes(), honest.as_slice()].concat();
    let refused = TrustBundle::open(&mixed, &world.anchors, Timestamp::now()).unwrap_err();
    assert!(matches!(refused, StatementError::Signature(_)), "{refused}");
}

#[test]
fn p18_k05_a_statement_s_dates_are_those_of_the_cell_s_clock() {
    let world = world();
    let file = bundle(1, &world.anchors).seal(&world.signer).unwrap();
    let open = |now| TrustBundle::open(&file, &world.anchors, now).unwrap_err();
    let hours = jiff::SignedDuration::from_hours;
    assert!(matches!(open(Timestamp::now() + hours(48)), StatementError::Dates { .. }));
    assert!(matches!(open(Timestamp::now() - hours(48)), StatementError::Dates { .. }));
    for year in ["1990-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
        assert!(matches!(open(at(year)), StatementError::Signature(_)), "{year}");
    }
}

#[test]
fn a06_nothing_of_a_damaged_statement_is_believed() {
    let world = world();
    let file = bundle(1, &world.anchors).seal(&world.signer).unwrap();
    for cut in (0..file.len()).step_by(97) {
        assert!(TrustBundle::open(&file[..cut], &world.anchors, Timestamp::now()).is_err(), "{cut}");
    }
    for place in (0..file.len()).step_by(53).filter(|place| file[*place].is_ascii_alphanumeric()) {
        let mut damaged = file.clone();
        damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
        if let Ok(opened) = TrustBundle::open(&damaged, &world.anchors, Timestamp::now()) {
            // A change of what carries no meaning, or of the copy of the signer's certificate inside.
            assert_eq!(opened.sequence, 1, "{place}");
        }
    }
    let huge = vec![b'x'; statement::MOST_STATEMENT_BYTES + 1];
    assert!(TrustBundle::open(&huge, &world.anchors, Timestamp::now()).unwrap_err().is_corrupted());
}

fn correction() -> ClockCorrection {
    ClockCorrection {
        sequence: 3,
        clock_after: Timestamp::now() + jiff::SignedDuration::from_hours(24 * 60),
        time: Timestamp::now(),
        cells: vec!["00005e005301.hnb.example".to_owned()],
    }
}

#[test]
fn k02_a_correction_is_for_named_cells_whose_clock_is_wrong() {
    let world = world();
    let correction = correction();
    let file = correction.seal(&world.signer).unwrap();
    let wrong = Timestamp::now() + jiff::SignedDuration::from_hours(24 * 90);
    let opened = ClockCorrection::open(&file, &world.anchors, wrong).unwrap();
    assert_eq!(opened, correction);
    let cell = |eui: &str| Identity::new(eui, "hnb.example").unwrap();
    assert_eq!(opened.concerns(&cell("00005e005301"), wrong), Ok(()));
    assert!(opened.concerns(&cell("00005e005302"), wrong).is_err());
    assert!(opened.concerns(&cell("00005e005301"), Timestamp::now()).is_err());
    let all = ClockCorrection { cells: Vec::new(), ..opened };
    assert_eq!(all.concerns(&cell("00005e005302"), wrong), Ok(()));
}

#[test]
fn k02_a_correction_to_when_its_signer_was_not_valid_is_refused() {
    let world = world();
    let now = Timestamp::now();
    let valid = Validity { not_before: now, not_after: now + jiff::SignedDuration::from_hours(24 * 300) };
    let young = issue(&world, &LeafOrder::signer("localhost").valid(valid));
    let back = now - jiff::SignedDuration::from_hours(24 * 10);
    let file = ClockCorrection { time: back, ..correction() }.seal(&young).unwrap();
    let refused = ClockCorrection::open(&file, &world.anchors, now + jiff::SignedDuration::from_hours(1));
    assert!(matches!(refused, Err(StatementError::Signature(_))), "{refused:?}");
}

#[test]
fn k02_one_statement_is_never_taken_for_another() {
    let world = world();
    let correction = correction().seal(&world.signer).unwrap();
    let bundle = bundle(1, &world.anchors).seal(&world.signer).unwrap();
    let now = Timestamp::now();
    assert!(TrustBundle::open(&correction, &world.anchors, now).unwrap_err().is_corrupted());
    assert!(ClockCorrection::open(&bundle, &world.anchors, now).unwrap_err().is_corrupted());
}

fn openssl(arguments: &[&str], folder: &Path) -> (bool, String) {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a06_openssl_reads_a_bundle_and_agrees() {
    let world = world();
    let folder = world.folder.path();
    std::fs::write(folder.join("bundle.pem"), bundle(7, &world.anchors).seal(&world.signer).unwrap())
        .unwrap();
    let verify = ["cms", "-verify", "-binary", "-inform", "PEM", "-in", "bundle.pem", "-purpose", "any"];
    let (is_good, content) = openssl(&[verify.as_slice(), &["-CAfile", "operator.pem"]].concat(), folder);
    assert!(is_good && content.contains("\"sequence\": 7"), "{content}");
    let (is_good, _) = openssl(&[verify.as_slice(), &["-CAfile", "manufacturer.pem"]].concat(), folder);
    assert!(!is_good);
}

#[test]
fn a01_a05_openssl_reads_a_request_and_what_it_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let (key, request) = (folder.path().join("x.key"), folder.path().join("x.csr"));
    let show = ["req", "-verify", "-noout", "-text", "-in", "x.csr"];
    let identity = Identity::new("00005e005301", "hnb.example").unwrap();
    for (order, wanted) in [
        (
            LeafOrder::hems("hems.example"),
            ["DNS:hems.example", "Digital Signature, Key Encipherment", "TLS Web Server"],
        ),
        (
            LeafOrder::hems("127.0.0.1"),
            ["IP Address:127.0.0.1\n", "Digital Signature, Key", "TLS Web Server"],
        ),
        (
            LeafOrder::hems("::1"),
            ["IP Address:0:0:0:0:0:0:0:1\n", "Digital Signature, Key", "TLS Web Server"],
        ),
        (LeafOrder::henb(&identity), ["DNS:00005e005301.hnb.example", "Digital Signature", "TLS Web Client"]),
        (
            LeafOrder::signer("example"),
            ["Subject: CN = \"statements for cells, example\"", "Digital Signature", "2.25.1476957667"],
        ),
    ] {
        pki::request(&order, &Profile::TS33320, &key, &request).unwrap();
        let (is_good, text) = openssl(&show, folder.path());
        assert!(is_good);
        for part in wanted {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("lab"), "{text}");
    }
    let before = std::fs::read(&key).unwrap();
    pki::request(&LeafOrder::henb(&identity), &Profile::TS33320, &key, &request).unwrap();
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

#[test]
fn a05_a09_t14_no_request_asks_for_what_both_ends_would_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("weak"), Key::generate(1024).unwrap().pem().unwrap()).unwrap();
    std::fs::write(place("curve"), Key::generate_ec().unwrap().pem().unwrap()).unwrap();
    std::fs::write(place("none"), "no key").unwrap();
    let (hems, signer) = (LeafOrder::hems("hems.example"), LeafOrder::signer("example"));
    for (order, profile, key, said) in [
        (
            &hems,
            &Profile::TS33320,
            "weak",
            "RSA with 1024 bits; ts33320 takes RSA of 2048 bits at least: name",
        ),
        (
            &hems,
            &Profile::TS33210,
            "weak",
            "ts33210 takes RSA of 2048 bits at least, ECDSA P-256, ECDSA P-384:",
        ),
        (&hems, &Profile::TS33320, "curve", "is ECDSA P-256; ts33320 takes RSA"),
        (&signer, &Profile::TS33320, "weak", "a cell takes"),
        (&hems, &Profile::TS33320, "none", "holds no PEM with an unencrypted private key"),
        (&LeafOrder::hems("a..b"), &Profile::TS33320, "new", "not that of a host"),
        (&LeafOrder::wake("*.example"), &Profile::TS33320, "new", "not that of a host"),
    ] {
        let refused = pki::request(order, profile, &place(key), &place("csr")).unwrap_err().to_string();
        assert!(refused.contains(said), "{said}: {refused}");
        assert!(!place("csr").exists() && !place("new").exists());
    }
    pki::request(&hems, &Profile::TS33210, &place("curve"), &place("csr")).unwrap();
    pki::request(&signer, &Profile::TS33320, &place("curve"), &place("csr")).unwrap();
}

#[test]
fn a06_a10_no_bundle_holds_what_no_cell_would_trust() {
    let world = world();
    let check = |pem: &[u8]| RootCertificate::read_all(pem).unwrap()[0].check(&Profile::TS33320);
    assert_eq!(check(&world.anchors), Ok(()));
    let weak = Authority::create(&AuthorityOrder::lab("weak", "localhost").bits(1024)).unwrap();
    for (pem, said) in [
        (std::fs::read(&world.signer.chain).unwrap(), "is not self-signed"),
        (weak.pem().unwrap(), "has an RSA key below 2048 bits"),
    ] {
        let refused = check(&pem).unwrap_err();
        assert!(refused.is_corrupted() && refused.to_string().contains(said), "{refused}");
    }
}

#[test]
fn a06_files_that_do_not_belong_together_sign_nothing() {
    let world = world();
    let other = issue(&world, &LeafOrder::signer("localhost"));
    let nothing = world.folder.path().join("nothing.pem");
    std::fs::write(&nothing, "nothing").unwrap();
    let signer = world.signer.clone();
    for (pair, said) in [
        (KeyPair { key: other.key, ..signer.clone() }, "is not the key of the certificate in"),
        (KeyPair { key: nothing.clone(), ..signer.clone() }, "holds no PEM with an unencrypted private key"),
        (KeyPair { chain: nothing, ..signer }, "holds no PEM with a certificate"),
    ] {
        let refused = bundle(1, &world.anchors).seal(&pair).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}
