//! Manifests: who may sign one, what it says, and how the file is read.

use super::*;
use crate::pki::{self, Authority, Key, LeafOrder, Purpose};

struct World {
    folder: tempfile::TempDir,
    pairs: [KeyPair; 2],
    keys: Vec<FirmwareKey>,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    pki::init(folder.path()).unwrap();
    let pairs = ["working", "reserve"].map(|name| pki::issue_firmware_signer(folder.path(), name).unwrap());
    let keys = pairs.iter().map(|pair| FirmwareKey::read(&pair.chain).unwrap()).collect();
    World { folder, pairs, keys }
}

fn manifest() -> FirmwareManifest {
    FirmwareManifest {
        version: "2.0".to_owned(),
        minimum_version: Some("1.5".to_owned()),
        oui: "00005E".to_owned(),
        product_class: "SimulatedCell".to_owned(),
        hardware_versions: vec!["1".to_owned(), "2".to_owned()],
        size: 3,
        sha256: "ab".repeat(32),
        ..FirmwareManifest::default()
    }
}

fn sealed(manifest: FirmwareManifest, pair: &KeyPair) -> Vec<u8> {
    let head = manifest.seal(pair).unwrap();
    FirmwareHead::read(&head).unwrap().unwrap().statement.to_vec()
}

fn open(world: &World, statement: &[u8]) -> Result<FirmwareManifest, StatementError> {
    FirmwareManifest::open(statement, &world.keys, &BTreeSet::new(), Timestamp::now())
}

#[test]
fn w02_a_manifest_is_believed_under_either_key_of_the_cell_until_it_is_revoked() {
    let world = world();
    for (pair, key) in world.pairs.iter().zip(&world.keys) {
        let statement = sealed(manifest(), pair);
        let opened = open(&world, &statement).unwrap();
        assert_eq!(opened, FirmwareManifest { key_id: key.id.clone(), ..manifest() });
        assert_eq!(FirmwareManifest::claimed(&statement), Ok(opened));
        let revoked = BTreeSet::from([key.id.clone()]);
        let refused = FirmwareManifest::open(&statement, &world.keys, &revoked, Timestamp::now());
        assert!(matches!(refused, Err(StatementError::Signer(text)) if text.contains("revoked")));
    }
}

#[test]
fn w02_neither_another_key_nor_another_purpose_signs_firmware() {
    let world = world();
    let issue = |order: &LeafOrder| {
        let pair = |name: &str| world.folder.path().join("manufacturer").join(name);
        let ca = KeyPair { chain: pair("hnb.example.pem"), key: pair("hnb.example.key") };
        let key = Key::generate(2048).unwrap();
        let issued = Authority::load(&ca).unwrap().issue(order, &key).unwrap();
        issued.write(world.folder.path(), "odd", &key).unwrap()
    };
    let stranger = issue(&LeafOrder::firmware("stranger"));
    let refused = open(&world, &sealed(manifest(), &stranger)).unwrap_err();
    assert!(matches!(refused, StatementError::Signer(_)), "{refused}");
    let odd = issue(&LeafOrder::firmware("odd").purposes(&[Purpose::ClientAuth]));
    let keys = [FirmwareKey::read(&odd.chain).unwrap()];
    let statement = sealed(manifest(), &odd);
    let refused = FirmwareManifest::open(&statement, &keys, &BTreeSet::new(), Timestamp::now());
    assert!(matches!(refused, Err(StatementError::Signer(text)) if text.contains("code signing")));
}

#[test]
fn w02_a_later_key_revokes_an_earlier_one_and_never_the_other_way_round() {
    let world = world();
    let revoking =
        |which: usize| FirmwareManifest { revokes: vec![world.keys[which].id.clone()], ..manifest() };
    assert!(open(&world, &sealed(revoking(0), &world.pairs[1])).is_ok());
    for (which, by) in [(1, 0), (0, 0), (1, 1)] {
        let refused = open(&world, &sealed(revoking(which), &world.pairs[by])).unwrap_err();
        assert!(matches!(refused, StatementError::Signer(_)), "{refused}");
    }
}

#[test]
fn w02_p18_a_signature_counts_within_its_certificate_s_dates_alone() {
    let world = world();
    let statement = sealed(manifest(), &world.pairs[0]);
    for year in ["1990-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
        let at = year.parse().unwrap();
        let refused = FirmwareManifest::open(&statement, &world.keys, &BTreeSet::new(), at);
        assert!(matches!(refused, Err(StatementError::Signature(_))), "{year}");
    }
}

#[test]
fn w02_nothing_of_a_damaged_manifest_is_believed() {
    let world = world();
    let statement = sealed(manifest(), &world.pairs[0]);
    for place in (0..statement.len()).step_by(37).filter(|place| statement[*place].is_ascii_alphanumeric()) {
        let mut damaged = statement.clone();
        damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
        if let Ok(opened) = open(&world, &damaged) {
            assert_eq!((opened.version.as_str(), opened.size), ("2.0", 3), "{place}");
        }
    }
}

#[test]
fn w02_a_file_is_read_as_far_as_it_came() {
    let world = world();
    let head = manifest().seal(&world.pairs[0]).unwrap();
    for cut in 0..head.len() {
        assert_eq!(FirmwareHead::read(&head[..cut]), Ok(None), "{cut}");
    }
    let file = [head.as_slice(), b"abc"].concat();
    let read = FirmwareHead::read(&file).unwrap().unwrap();
    assert_eq!((&file[read.length..], read.length), (b"abc".as_slice(), head.len()));
    let unsigned = FirmwareHead::read(b"\x7fELF").unwrap_err();
    assert!(!unsigned.is_corrupted(), "{unsigned}");
    for broken in ["HEARTH-FIRMWARE 1 99999999999\n", "HEARTH-FIRMWARE 1 x\n", "HEARTH-FIRMWARE 1 999999\n"] {
        assert!(FirmwareHead::read(broken.as_bytes()).unwrap_err().is_corrupted(), "{broken}");
    }
}

#[test]
fn w02_what_no_cell_would_read_is_not_signed() {
    let world = world();
    for odd in [
        FirmwareManifest { version: String::new(), ..manifest() },
        FirmwareManifest { hardware_versions: Vec::new(), ..manifest() },
        FirmwareManifest { oui: "nobody".to_owned(), ..manifest() },
        FirmwareManifest { size: 0, ..manifest() },
        FirmwareManifest { sha256: "ab".to_owned(), ..manifest() },
    ] {
        assert!(matches!(odd.seal(&world.pairs[0]), Err(PkiError::Manifest(_))));
    }
}
