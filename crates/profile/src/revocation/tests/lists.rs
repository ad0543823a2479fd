//! What a list says of a chain.

use super::super::crl::Crl;
use super::*;
use crate::pki::{Digest, Usage};
use crate::verify;

#[test]
fn a11_a_chain_whose_lists_are_in_force_stands() {
    assert_eq!(Desk::with(&empty(1)).judge(), Ok(CrlStanding::Current));
    let other = revoked(vec![0x41, 0x42], "superseded");
    assert_eq!(Desk::with(&empty(1).revoked(vec![other])).judge(), Ok(CrlStanding::Current));
}

#[test]
fn a11_a_revoked_leaf_is_refused_with_reason_and_date() {
    let entry = revoked(WORLD.leaf.serial().unwrap(), "keyCompromise");
    let refusal = check(&Desk::with(&empty(7).revoked(vec![entry])).load().0).unwrap_err();
    assert_eq!(refusal.reason, Reason::CertificateRevoked);
    for part in ["the peer's own certificate", "KeyCompromise", "2060-05-31T00:00:00Z", "list 0x07"] {
        assert!(refusal.detail.contains(part), "{part} in {refusal}");
    }
}

#[test]
fn a11_a_revoked_ca_is_refused_before_anything_else() {
    let stale = CrlOrder::new(1, years(2030, 2031));
    let mut desk = Desk::with(&stale);
    assert_eq!(desk.judge(), Err(Reason::CrlStale));
    let entry = revoked(WORLD.ca.serial().unwrap(), "cACompromise");
    desk.put("root", &WORLD.root.crl(&empty(2).revoked(vec![entry])).unwrap());
    let refusal = check(&desk.load().0).unwrap_err();
    assert_eq!(refusal.reason, Reason::CertificateRevoked);
    assert!(refusal.detail.contains("the CA certificate"), "{refusal}");
}

#[test]
fn a11_a_hold_revokes_and_a_removal_does_not() {
    let serial = WORLD.leaf.serial().unwrap();
    for (reason, expected) in [
        ("certificateHold", Err(Reason::CertificateRevoked)),
        ("unspecified", Err(Reason::CertificateRevoked)),
        ("removeFromCRL", Ok(CrlStanding::Current)),
    ] {
        let order = empty(1).revoked(vec![revoked(serial.clone(), reason)]);
        assert_eq!(Desk::with(&order).judge(), expected, "{reason}");
    }
}

#[test]
fn a11_revoked_counts_on_a_list_that_is_stale_or_early() {
    for valid in [years(2030, 2031), years(2061, 2062)] {
        let entry = revoked(WORLD.leaf.serial().unwrap(), "keyCompromise");
        let (book, _) = Desk::with(&CrlOrder::new(1, valid).revoked(vec![entry])).load();
        for synchronised in [true, false] {
            let refusal = book.check(&WORLD.chain, CrlPolicy::default(), now(), synchronised).unwrap_err();
            assert_eq!(refusal.reason, Reason::CertificateRevoked);
        }
    }
}

#[test]
fn a11_a_stale_list_counts_within_grace_and_is_refused_after_it_unless_extended() {
    let since = now() - 24.hours();
    let (book, _) =
        Desk::with(&CrlOrder::new(1, Validity { not_before: since - 1.hour(), not_after: since })).load();
    let day = std::time::Duration::from_secs(24 * 3600);
    let at = |moment, grace, extended_until| {
        let policy = CrlPolicy { grace, extended_until };
        // The root's list is in force at `now` only.
        book.check_one(
            0,
            &WORLD.chain[0],
            &WORLD.chain[1],
            &super::super::At { policy, now: moment, synchronised: true },
        )
        .map_err(|refusal| refusal.reason)
    };
    let stale = |until| Ok(CrlStanding::Stale { since, until });
    assert_eq!(at(since, day, None), Ok(CrlStanding::Current));
    assert_eq!(at(since + 1.second(), day, None), stale(since + 24.hours()));
    assert_eq!(at(since + 24.hours(), day, None), stale(since + 24.hours()));
    assert_eq!(at(since + 24.hours() + 1.second(), day, None), Err(Reason::CrlStale));
    let extended = since + 72.hours();
    assert_eq!(at(since + 71.hours(), day, Some(extended)), stale(extended));
    assert_eq!(at(extended + 1.second(), day, Some(extended)), Err(Reason::CrlStale));
    assert_eq!(at(since + 1.second(), std::time::Duration::ZERO, None), Err(Reason::CrlStale));
    assert_eq!(at(Timestamp::MAX, std::time::Duration::MAX, None), stale(Timestamp::MAX));
    assert_eq!(verdict(&book), stale(since + 7 * 24.hours()));
}

#[test]
fn a11_every_ca_of_the_chain_needs_its_list() {
    let mut desk = Desk::with(&empty(1));
    desk.files.pop();
    assert_eq!(desk.judge(), Err(Reason::CrlMissing));
    let mut desk = Desk::with(&empty(1));
    desk.files.remove(0);
    assert_eq!(desk.judge(), Err(Reason::CrlMissing));
    let (book, _) = Desk::with(&empty(1)).load();
    for short in [&WORLD.chain[..0], &WORLD.chain[2..]] {
        let refusal = book.check(short, CrlPolicy::default(), now(), true).unwrap_err();
        assert_eq!(refusal.reason, Reason::CrlMissing);
    }
    let mut broken = WORLD.chain.clone();
    broken[0].truncate(100);
    let refusal = book.check(&broken, CrlPolicy::default(), now(), true).unwrap_err();
    assert_eq!(refusal.reason, Reason::MalformedCertificate);
}

#[test]
fn a11_k05_a_list_of_the_future_is_tolerated_by_an_unsynchronised_clock_only() {
    let this_update = now() + 1.second();
    let order = CrlOrder::new(1, Validity { not_before: this_update, not_after: now() + 24.hours() });
    let (book, _) = Desk::with(&order).load();
    assert_eq!(verdict(&book), Err(Reason::CrlNotYetValid));
    let early = book.check(&WORLD.chain, CrlPolicy::default(), now(), false).unwrap();
    assert_eq!(early, CrlStanding::Early { this_update });
    assert_eq!(
        book.check(&WORLD.chain, CrlPolicy::default(), this_update, true).unwrap(),
        CrlStanding::Current
    );
}

#[test]
fn a11_a_list_that_its_issuer_did_not_sign_is_bad() {
    let desk = Desk::with(&empty(1).forged());
    let (book, notes) = desk.load();
    assert_eq!(notes, []);
    for _ in 0..2 {
        assert_eq!(verdict(&book), Err(Reason::CrlBad));
    }
    assert_eq!(troubles(&book.take_notes()), [CrlTrouble::BadSignature]);
    assert_eq!(book.take_notes(), []);
}

#[test]
fn a11_a_ca_of_the_same_name_is_another_issuer() {
    let twin = Authority::create(&AuthorityOrder::lab("ca", "hnb.example").valid(years(2020, 2090))).unwrap();
    for (order, expected) in [(empty(1), Reason::CrlMissing), (empty(1).without_key_id(), Reason::CrlBad)] {
        let mut desk = Desk::with(&empty(1));
        desk.put("ca", &twin.crl(&order).unwrap());
        assert_eq!(desk.judge(), Err(expected));
        desk.put("own", &WORLD.ca.crl(&empty(1)).unwrap());
        assert_eq!(desk.judge(), Ok(CrlStanding::Current));
    }
    let mut desk = Desk::with(&empty(1));
    desk.put("ca", &WORLD.root.crl(&empty(1)).unwrap());
    assert_eq!(Desk { files: desk.files.split_off(1), ..desk }.judge(), Err(Reason::CrlMissing));
}

#[test]
fn a11_a_weak_signature_is_refused_when_the_list_is_read() {
    for digest in [Digest::Md5, Digest::Sha1] {
        let desk = Desk::with(&empty(1).digest(digest));
        assert_eq!(desk.load().1, [CrlTrouble::WeakSignature]);
        assert_eq!(desk.judge(), Err(Reason::CrlBad));
    }
}

#[test]
fn a11_an_issuer_whose_key_usage_lacks_crl_sign_signs_no_lists() {
    let order = LeafOrder::hems("odd.example").as_ca().valid(years(2020, 2090));
    for (usages, expected) in
        [(vec![Usage::KeyCertSign], Err(Reason::CrlBad)), (vec![], Ok(CrlStanding::Current))]
    {
        let odd =
            WORLD.root.issue(&order.clone().usages(&usages), &WORLD.key).unwrap().as_authority(&WORLD.key);
        let leaf = odd.issue(&henb(), &WORLD.key).unwrap();
        let mut desk = Desk::with(&empty(1));
        desk.put("ca", &odd.crl(&empty(1)).unwrap());
        let chain = [leaf.ders().unwrap(), vec![WORLD.root.der().unwrap()]].concat();
        let verdict = desk.load().0.check(&chain, CrlPolicy::default(), now(), true);
        assert_eq!(verdict.map_err(|refusal| refusal.reason), expected);
    }
}

/// Content of OIDs: 2.5.29.x, and one that nobody knows.
const FOREIGN: &[u8] = &[0x2A, 0x03, 0x04];
const HOLD_INSTRUCTION: &[u8] = &[0x55, 0x1D, 23];
const DELTA_INDICATOR: &[u8] = &[0x55, 0x1D, 27];
const DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1D, 28];
const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1D, 29];

#[test]
fn a11_a_list_that_narrows_or_says_something_critical_and_unknown_is_refused() {
    let entries = || vec![revoked(vec![0x41], "superseded")];
    let only_users = [0x30, 0x03, 0x81, 0x01, 0xFF];
    for (order, is_fine) in [
        (empty(1).extension(FOREIGN, true, &[5, 0]), false),
        (empty(1).extension(FOREIGN, false, &[5, 0]), true),
        (empty(1).extension(DISTRIBUTION_POINT, true, &only_users), false),
        (empty(1).extension(DISTRIBUTION_POINT, false, &only_users), false),
        (empty(1).extension(DELTA_INDICATOR, true, &[2, 1, 1]), false),
        (empty(1).extension(DELTA_INDICATOR, false, &[2, 1, 1]), false),
        (empty(1).revoked(entries()).entry_extension(FOREIGN, true, &[5, 0]), false),
        (empty(1).revoked(entries()).entry_extension(CERTIFICATE_ISSUER, true, &[0x30, 0]), false),
        (empty(1).revoked(entries()).entry_extension(HOLD_INSTRUCTION, false, &[6, 1, 0x2A]), true),
    ] {
        let desk = Desk::with(&order);
        let (notes, verdict) = (desk.load().1, desk.judge());
        if is_fine {
            assert_eq!((notes, verdict), (vec![], Ok(CrlStanding::Current)), "{order:?}");
        } else {
            assert_eq!((notes, verdict), (vec![CrlTrouble::Unsupported], Err(Reason::CrlBad)), "{order:?}");
        }
    }
}

#[test]
fn a11_a_list_without_an_end_or_with_an_extension_twice_is_refused() {
    assert_eq!(Desk::with(&empty(1).endless()).load().1, [CrlTrouble::NoNextUpdate]);
    let twice = empty(1).extension(&[0x55, 0x1D, 20], false, &[2, 1, 9]);
    assert_eq!(Desk::with(&twice).load().1, [CrlTrouble::Unreadable]);
    let negative = empty(1).unnumbered().extension(&[0x55, 0x1D, 20], false, &[2, 1, 0x80]);
    assert_eq!(Desk::with(&negative).load().1, [CrlTrouble::Unreadable]);
}

#[test]
fn a11_a_list_of_a_hundred_thousand_finds_each_of_them() {
    let serial = |n: u32| [&[0x40], n.to_be_bytes().as_slice()].concat();
    let entries = (0..100_000).map(|n| revoked(serial(n), "superseded")).collect();
    let crl = Crl::read(WORLD.ca.crl(&empty(1).revoked(entries)).unwrap()).unwrap();
    assert_eq!(crl.facts().revoked, 100_000);
    for n in [0, 1, 54_321, 99_999] {
        assert!(crl.revoked(&serial(n)).is_some(), "{n}");
    }
    assert!(crl.revoked(&serial(100_000)).is_none());
}

#[test]
fn a11_no_damaged_list_stops_us_and_none_counts() {
    let entries = vec![revoked(vec![0x41], "superseded"), revoked(vec![0, 0x81], "certificateHold")];
    let good = WORLD.ca.crl(&empty(1).revoked(entries)).unwrap();
    let issuer = verify::read(&WORLD.chain[1]).unwrap();
    let counts = |der: Vec<u8>| {
        Crl::read(der)
            .is_ok_and(|crl| crl.may_be_signed_by(&issuer) && crl.verify(&issuer, &WORLD.chain[1]).is_good)
    };
    assert!(counts(good.clone()));
    for at in 0..good.len() {
        assert!(!counts(good[..at].to_vec()), "cut at {at}");
        for value in [0x00, 0x80, 0xFF, good[at] ^ 0x01] {
            let mut damaged = good.clone();
            damaged[at] = value;
            assert!(value == good[at] || !counts(damaged), "{value:02x} at {at}");
        }
    }
    assert!(!counts([good.as_slice(), &[0]].concat()));
}
