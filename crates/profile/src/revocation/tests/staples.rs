//! What a stapled answer says of a leaf.

use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspResponse};
use openssl::x509::X509;

use super::super::ocsp::{self, Staple, StapleError, StapleFile};
use super::*;
use crate::pki::{Digest, OcspAnswer, OcspOrder, Purpose};

fn good() -> OcspOrder {
    OcspOrder::new(OcspAnswer::Good, current())
}

fn answer(order: &OcspOrder) -> Vec<u8> {
    WORLD.ca.ocsp(order, &WORLD.leaf, None).unwrap()
}

fn judge(response: &[u8]) -> Result<Staple, Reason> {
    at(response, now(), true)
}

fn at(response: &[u8], moment: Timestamp, synchronised: bool) -> Result<Staple, Reason> {
    ocsp::check(response, &WORLD.chain[0], &WORLD.chain[1], moment, synchronised)
        .map_err(|refusal| refusal.reason)
}

fn fine() -> Result<Staple, Reason> {
    let Validity { not_before, not_after } = current();
    Ok(Staple { this_update: not_before, next_update: not_after, is_early: false })
}

#[test]
fn a12_a_good_answer_of_the_issuer_stands() {
    assert_eq!(judge(&answer(&good())), fine());
}

#[test]
fn a12_k05_the_answer_s_times_are_read_by_our_clock() {
    let response = answer(&good());
    let basic = OcspResponse::from_der(&response).unwrap().basic().unwrap();
    let [leaf, ca] = [0, 1].map(|depth| X509::from_der(&WORLD.chain[depth]).unwrap());
    let id = OcspCertId::from_cert(MessageDigest::sha1(), &leaf, &ca).unwrap();
    let status = basic.find_status(&id).unwrap();
    assert!(status.check_validity(0, None).is_err(), "the engine reads the machine's clock");
    assert_eq!(judge(&response), fine());
    let Validity { not_before, not_after } = current();
    for (moment, synchronised, expected) in [
        (not_before, true, fine()),
        (not_before - 1.second(), true, Err(Reason::StapleBad)),
        (not_before - 1.second(), false, fine().map(|staple| Staple { is_early: true, ..staple })),
        (not_after, true, fine()),
        (not_after + 1.second(), true, Err(Reason::StapleStale)),
        (not_after + 1.second(), false, Err(Reason::StapleStale)),
    ] {
        assert_eq!(at(&response, moment, synchronised), expected, "{moment}");
    }
}

#[test]
fn a12_a_revoked_certificate_is_refused_whatever_the_times() {
    let reason = RevocationReason::named("keyCompromise").unwrap();
    let revoked = OcspAnswer::Revoked(now() - 36.hours(), reason);
    for valid in [current(), years(2030, 2031), years(2061, 2062)] {
        let response = answer(&OcspOrder::new(revoked.clone(), valid));
        for synchronised in [true, false] {
            assert_eq!(at(&response, now(), synchronised), Err(Reason::CertificateRevoked));
        }
    }
    let response = answer(&OcspOrder::new(revoked, current()));
    let refusal = ocsp::check(&response, &WORLD.chain[0], &WORLD.chain[1], now(), true).unwrap_err();
    assert!(refusal.detail.contains("2060-05-31T00:00:00Z (KeyCompromise)"), "{refusal}");
}

#[test]
fn a12_an_answer_that_says_nothing_is_refused() {
    let other = WORLD.ca.issue(&henb(), &WORLD.key).unwrap();
    for (response, expected) in [
        (Vec::new(), Reason::StapleMissing),
        (answer(&OcspOrder::new(OcspAnswer::Unknown, current())), Reason::StapleBad),
        (answer(&good().endless()), Reason::StapleBad),
        (answer(&good().digest(Digest::Sha1)), Reason::StapleBad),
        (WORLD.ca.ocsp(&good(), &other, None).unwrap(), Reason::StapleBad),
        // tryLater, without a body.
        (vec![0x30, 3, 0x0A, 1, 3], Reason::StapleBad),
        ([answer(&good()), vec![0]].concat(), Reason::StapleBad),
    ] {
        assert_eq!(judge(&response), Err(expected));
    }
}

#[test]
fn a12_a_delegate_of_the_issuer_may_answer_and_nobody_else() {
    let order = || LeafOrder::hems("ocsp.example").valid(years(2020, 2090)).purposes(&[Purpose::OcspSigning]);
    let key = &WORLD.key;
    let stranger =
        Authority::create(&AuthorityOrder::lab("ca", "hnb.example").valid(years(2020, 2090))).unwrap();
    let by = |ca: &Authority, order: &LeafOrder| {
        let delegate = ca.issue(order, key).unwrap();
        judge(&WORLD.ca.ocsp(&good(), &WORLD.leaf, Some((&delegate, key))).unwrap())
    };
    assert_eq!(by(&WORLD.ca, &order()), fine());
    let bad = Err(Reason::StapleBad);
    assert_eq!(by(&WORLD.ca, &order().purposes(&[Purpose::ServerAuth])), bad, "no OCSPSigning");
    assert_eq!(by(&WORLD.ca, &order().purposes(&[])), bad, "any purpose is not this one");
    assert_eq!(by(&WORLD.ca, &order().valid(years(2020, 2060))), bad, "expired by our clock");
    assert_eq!(by(&WORLD.ca, &order().valid(years(2061, 2090))), bad, "not yet valid by our clock");
    assert_eq!(by(&WORLD.root, &order()), bad, "of the CA above");
    assert_eq!(by(&stranger, &order()), bad, "of a CA of the same name");
    assert_eq!(judge(&stranger.ocsp(&good(), &WORLD.leaf, None).unwrap()), bad);
    let weak = WORLD.ca.issue(&order().digest(Digest::Sha1), key).unwrap();
    assert_eq!(judge(&WORLD.ca.ocsp(&good(), &WORLD.leaf, Some((&weak, key))).unwrap()), bad, "weak");
    let leaf_itself = WORLD.ca.ocsp(&good(), &WORLD.leaf, Some((&WORLD.leaf, key))).unwrap();
    assert_eq!(judge(&leaf_itself), bad, "the leaf speaks for itself");
}

#[test]
fn a12_no_damaged_answer_stops_us_and_none_says_anything_new() {
    let reason = RevocationReason::named("superseded").unwrap();
    let revoked = answer(&OcspOrder::new(OcspAnswer::Revoked(now(), reason), current()));
    for (response, said) in [(answer(&good()), Some(fine())), (revoked, None)] {
        for at in 0..response.len() {
            assert!(judge(&response[..at]).is_err(), "cut at {at}");
            for value in [0x00, 0x80, 0xFF, response[at] ^ 0x01] {
                let mut damaged = response.clone();
                damaged[at] = value;
                let verdict = judge(&damaged);
                assert!(verdict.is_err() || Some(verdict) == said, "{value:02x} at {at}");
            }
        }
    }
}

#[test]
fn a12_a_server_learns_when_its_staple_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hems.ocsp");
    let load = |moment| StapleFile::load(&path, &WORLD.chain[0], &WORLD.chain[1], moment);
    assert!(matches!(load(now()), Err(StapleError::Read { .. })));
    std::fs::write(&path, answer(&good())).unwrap();
    let file = load(now()).unwrap();
    assert_eq!((file.bytes, file.staple.next_update), (answer(&good()), current().not_after));
    let error = load(current().not_after + 1.second()).unwrap_err().to_string();
    assert!(error.contains("hems.ocsp: staple_stale") && error.contains("fetch a new"), "{error}");
}
