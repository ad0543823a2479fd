//! What is remembered, and what a worse file cannot undo.

use openssl::x509::X509Crl;

use super::*;
use crate::context::ContextError;

fn stolen(number: u64) -> CrlOrder {
    empty(number).revoked(vec![revoked(WORLD.leaf.serial().unwrap(), "keyCompromise")])
}

#[test]
fn a11_t08_an_older_list_does_not_take_a_revocation_back() {
    for is_seen_before in [true, false] {
        let mut desk = Desk::with(&stolen(5));
        let (book, _) = desk.load();
        if is_seen_before {
            assert_eq!(verdict(&book), Err(Reason::CertificateRevoked));
        }
        desk.put("ca", &WORLD.ca.crl(&empty(4)).unwrap());
        let (book, notes) = desk.load();
        assert_eq!(notes, [CrlTrouble::RolledBack]);
        assert_eq!(verdict(&book), Err(Reason::CertificateRevoked));
        desk.put("ca", &WORLD.ca.crl(&empty(6)).unwrap());
        assert_eq!((desk.load().1, desk.judge()), (vec![], Ok(CrlStanding::Current)));
    }
}

#[test]
fn a11_numbers_are_compared_as_numbers_and_none_is_the_oldest() {
    for (first, second, is_older) in [
        (empty(255), empty(256), false),
        (empty(256), empty(255), true),
        (empty(1), empty(1).unnumbered(), true),
        (empty(1).unnumbered(), empty(1), false),
        (empty(1), CrlOrder::new(1, Validity { not_before: now() - 25.hours(), ..current() }), true),
    ] {
        let mut desk = Desk::with(&first);
        desk.judge().unwrap();
        desk.put("ca", &WORLD.ca.crl(&second).unwrap());
        let expected = if is_older { vec![CrlTrouble::RolledBack] } else { vec![] };
        assert_eq!(desk.load().1, expected, "{first:?} {second:?}");
    }
}

#[test]
fn a11_a_forged_list_with_a_high_number_does_not_keep_true_ones_out() {
    let mut desk = Desk::with(&stolen(5));
    assert_eq!(desk.judge(), Err(Reason::CertificateRevoked));
    desk.put("ca", &WORLD.ca.crl(&empty(u64::MAX).forged()).unwrap());
    let (book, _) = desk.load();
    assert_eq!(verdict(&book), Err(Reason::CertificateRevoked));
    assert_eq!(troubles(&book.take_notes()), [CrlTrouble::BadSignature]);
    desk.put("ca", &WORLD.ca.crl(&empty(u64::MAX - 1).forged()).unwrap());
    desk.load();
    desk.put("ca", &WORLD.ca.crl(&empty(6)).unwrap());
    assert_eq!(desk.judge(), Ok(CrlStanding::Current));
    assert_eq!((desk.load().1, desk.judge()), (vec![], Ok(CrlStanding::Current)));
}

#[test]
fn a11_a_worse_file_leaves_the_list_before_in_force() {
    let unsupported = stolen(6).extension(&[0x2A, 0x03, 0x04], true, &[5, 0]);
    let damaged = &WORLD.ca.crl(&stolen(6)).unwrap()[..100];
    for (content, trouble) in [
        (WORLD.ca.crl(&unsupported).unwrap().as_slice(), CrlTrouble::Unsupported),
        (damaged, CrlTrouble::Unreadable),
        (b"", CrlTrouble::Unreadable),
        (b"-----BEGIN X509 CRL-----\nMIIB", CrlTrouble::Unreadable),
        (b"no list at all", CrlTrouble::Unreadable),
    ] {
        let mut desk = Desk::with(&stolen(5));
        assert_eq!(desk.judge(), Err(Reason::CertificateRevoked));
        desk.put("ca", content);
        let (book, notes) = desk.load();
        assert_eq!(notes, [trouble]);
        assert_eq!(verdict(&book), Err(Reason::CertificateRevoked));
    }
}

#[test]
fn a11_a_restart_without_the_file_remembers_the_list() {
    let desk = Desk::with(&stolen(5));
    desk.load();
    std::fs::remove_file(&desk.files[1]).unwrap();
    let (book, notes) = desk.load();
    assert_eq!(notes, [CrlTrouble::Unreadable]);
    assert_eq!(verdict(&book), Err(Reason::CertificateRevoked));
    let numbers: Vec<_> = book.facts().into_iter().map(|facts| (facts.number, facts.is_verified)).collect();
    assert!(numbers.contains(&(Some("05".to_owned()), true)), "{numbers:?}");
}

#[test]
fn a11_a_file_may_hold_several_lists_in_pem_or_der() {
    let ders = [WORLD.root.crl(&empty(1)).unwrap(), WORLD.ca.crl(&empty(1)).unwrap()];
    let pem: Vec<u8> =
        ders.iter().flat_map(|der| X509Crl::from_der(der).unwrap().to_pem().unwrap()).collect();
    for content in [ders.concat(), pem.clone(), [b"a comment\n", pem.as_slice()].concat()] {
        let mut desk = Desk { dir: tempfile::tempdir().unwrap(), files: Vec::new() };
        desk.put("both", &content);
        assert_eq!((desk.load().1, desk.judge()), (vec![], Ok(CrlStanding::Current)));
    }
}

#[test]
fn a_damaged_memory_is_a_note_and_a_folder_that_is_none_an_error() {
    let desk = Desk::with(&empty(1));
    let kept = desk.dir.path().join("kept");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("00.crl"), b"half").unwrap();
    assert_eq!(desk.load().1, [CrlTrouble::Unreadable]);
    let error = CrlBook::load(&desk.files, Some(&desk.files[0])).unwrap_err();
    assert!(matches!(error, ContextError::Read { .. }), "{error}");
}

#[test]
fn a_memory_that_cannot_be_written_is_a_note() {
    let desk = Desk::with(&empty(1));
    let (book, _) = desk.load();
    std::fs::remove_dir_all(desk.dir.path().join("kept")).unwrap();
    assert_eq!(verdict(&book), Ok(CrlStanding::Current));
    assert_eq!(troubles(&book.take_notes()), [CrlTrouble::NotKept; 2]);
}

#[test]
fn a_note_says_what_where_and_what_would_be_right() {
    let desk = Desk::with(&empty(1).endless());
    let (_, notes) = CrlBook::load(&desk.files, None).unwrap();
    let text = notes[0].to_string();
    for part in ["crl_no_next_update", "/ca", "CN=ca", "it has no next update", "have the CA publish"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for (at, trouble) in CrlTrouble::ALL.iter().enumerate() {
        assert_eq!(CrlTrouble::ALL.iter().position(|other| other.code() == trouble.code()), Some(at));
    }
}
