//! The same lists and answers before Debian's openssl, which nobody here wrote.

use std::path::Path;
use std::process::Command;

use openssl::x509::{X509, X509Crl};

use super::super::ocsp;
use super::*;
use crate::pki::{OcspAnswer, OcspOrder};

/// Runs openssl and gives whether it was content, and all it said.
fn openssl(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl").args(arguments).current_dir(dir).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn pem(der: &[u8]) -> Vec<u8> {
    X509::from_der(der).unwrap().to_pem().unwrap()
}

fn world(dir: &Path) {
    for (name, der) in ["leaf.pem", "ca.pem", "root.pem"].into_iter().zip(&WORLD.chain) {
        std::fs::write(dir.join(name), pem(der)).unwrap();
    }
    std::fs::write(dir.join("ca.key"), WORLD.ca.key().pem().unwrap()).unwrap();
}

#[test]
fn a11_openssl_agrees_about_lists() {
    let leaf = || vec![revoked(WORLD.leaf.serial().unwrap(), "keyCompromise")];
    let ca = || vec![revoked(WORLD.ca.serial().unwrap(), "cACompromise")];
    let foreign = empty(1).extension(&[0x2A, 0x03, 0x04], true, &[5, 0]);
    for (of_root, of_ca, ours, theirs) in [
        (empty(1), empty(1), Ok(CrlStanding::Current), "leaf.pem: OK"),
        (empty(1), empty(1).revoked(leaf()), Err(Reason::CertificateRevoked), "error 23 at 0"),
        (empty(1).revoked(ca()), empty(1), Err(Reason::CertificateRevoked), "error 23 at 1"),
        (empty(1), CrlOrder::new(1, years(2030, 2031)), Err(Reason::CrlStale), "error 12 at 0"),
        (empty(1), CrlOrder::new(1, years(2061, 2062)), Err(Reason::CrlNotYetValid), "error 11 at 0"),
        (empty(1), empty(1).forged(), Err(Reason::CrlBad), "error 8 at 0"),
        (empty(1), foreign, Err(Reason::CrlBad), "error 36 at 0"),
    ] {
        let mut desk = Desk::with(&of_ca);
        desk.put("root", &WORLD.root.crl(&of_root).unwrap());
        assert_eq!(desk.judge(), ours);
        let dir = desk.dir.path();
        world(dir);
        let lists = [WORLD.root.crl(&of_root).unwrap(), WORLD.ca.crl(&of_ca).unwrap()];
        let pems = lists.map(|der| X509Crl::from_der(&der).unwrap().to_pem().unwrap());
        std::fs::write(dir.join("crl.pem"), pems.concat()).unwrap();
        let at = now().as_second().to_string();
        let verify =
            ["verify", "-crl_check_all", "-attime", &at, "-CAfile", "root.pem", "-untrusted", "ca.pem"];
        let (_, said) = openssl(dir, &[verify.as_slice(), &["-CRLfile", "crl.pem", "leaf.pem"]].concat());
        assert!(said.contains(theirs), "expected {theirs}: {said}");
    }
}

#[test]
fn a11_openssl_verifies_the_signature_of_our_lists() {
    let dir = tempfile::tempdir().unwrap();
    world(dir.path());
    for (order, expected) in [(empty(1), "verify OK"), (empty(1).forged(), "verify failure")] {
        std::fs::write(dir.path().join("ca.crl"), WORLD.ca.crl(&order).unwrap()).unwrap();
        let arguments = ["crl", "-inform", "DER", "-in", "ca.crl", "-CAfile", "ca.pem", "-verify", "-noout"];
        assert!(openssl(dir.path(), &arguments).1.contains(expected), "{expected}");
    }
}

/// openssl reads answers by the machine's clock only.
fn present() -> Validity {
    let now = Timestamp::now();
    Validity { not_before: now - 1.hour(), not_after: now + 1.hour() }
}

#[test]
fn a12_openssl_agrees_about_our_answers() {
    let dir = tempfile::tempdir().unwrap();
    world(dir.path());
    let reason = RevocationReason::named("keyCompromise").unwrap();
    let revoked = OcspAnswer::Revoked(present().not_before, reason);
    for (answer, said) in [(OcspAnswer::Good, "good"), (revoked, "revoked"), (OcspAnswer::Unknown, "unknown")]
    {
        let response = WORLD.ca.ocsp(&OcspOrder::new(answer, present()), &WORLD.leaf, None).unwrap();
        std::fs::write(dir.path().join("staple"), response).unwrap();
        let arguments = ["ocsp", "-respin", "staple", "-issuer", "ca.pem", "-cert", "leaf.pem"];
        let trust = ["-CAfile", "root.pem", "-verify_other", "ca.pem"];
        let (_, output) = openssl(dir.path(), &[arguments.as_slice(), &trust].concat());
        assert!(output.contains("Response verify OK"), "{output}");
        assert!(output.contains(&format!("leaf.pem: {said}")), "{output}");
    }
}

#[test]
fn a12_we_understand_the_answers_of_openssl() {
    let dir = tempfile::tempdir().unwrap();
    world(dir.path());
    let serial = crate::certificate::hex(&WORLD.leaf.serial().unwrap()).to_uppercase();
    let expired_at = "900101000000Z";
    for (row, expected) in [
        (format!("V\t{expired_at}\t\t{serial}\tunknown\t/CN=leaf\n"), Ok(())),
        (
            format!("R\t{expired_at}\t260101000000Z,keyCompromise\t{serial}\tunknown\t/CN=leaf\n"),
            Err(Reason::CertificateRevoked),
        ),
        (format!("V\t{expired_at}\t\t01\tunknown\t/CN=other\n"), Err(Reason::StapleBad)),
    ] {
        std::fs::write(dir.path().join("index.txt"), row).unwrap();
        let request = ["ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-no_nonce", "-respout", "staple"];
        let responder = ["-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca.key"];
        let output = openssl(dir.path(), &[&request, responder.as_slice(), &["-ndays", "1"]].concat());
        let response = std::fs::read(dir.path().join("staple")).unwrap_or_else(|_| panic!("{output:?}"));
        let now = Timestamp::now() + 1.hour();
        let verdict = ocsp::check(&response, &WORLD.chain[0], &WORLD.chain[1], now, true);
        assert_eq!(verdict.map(|_| ()).map_err(|refusal| refusal.reason), expected);
    }
}
