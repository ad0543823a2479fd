//! What does not start, and what it says. (P-12, T-14, A-09, decisions 7, 9 and 12)

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use profile::pki::{Authority, AuthorityOrder, Digest, Key, LeafOrder, Purpose, Usage};
use profile::{Acceptor, Connector, ContextError, KeyPair, Reason, Terms, is_lab};

use crate::world::{HOST, World, identity};

fn serve(world: &World, pair: &KeyPair) -> Result<Acceptor, ContextError> {
    Acceptor::new(&world.terms(), pair, &[world.anchor()])
}

fn server(world: &World, order: &LeafOrder, key: &Key) -> KeyPair {
    world.operator.issue(order, key).unwrap().write(world.dir.path(), "own", key).unwrap()
}

fn reason(outcome: Result<Acceptor, ContextError>) -> Reason {
    let Err(ContextError::Own { reason, .. }) = outcome else {
        panic!("{outcome:?}");
    };
    reason
}

#[test]
fn p12_t14_a_listener_without_an_rsa_key_for_key_encipherment_does_not_start_and_says_so() {
    let world = World::new();
    let order = LeafOrder::hems(HOST).usages(&[Usage::DigitalSignature]);
    let error = serve(&world, &server(&world, &order, &world.key)).unwrap_err();
    assert!(matches!(error, ContextError::NoKeyEncipherment { .. }));
    let text = error.to_string();
    assert!(text.contains("own.pem") && text.contains("keyEncipherment") && text.contains("8.3.4"), "{text}");
    let key = Key::generate_ec().unwrap();
    assert_eq!(reason(serve(&world, &server(&world, &LeafOrder::hems(HOST), &key))), Reason::KeyType);
}

#[test]
fn a09_our_own_weak_or_wrong_certificate_is_refused_at_load() {
    let world = World::new();
    let order = LeafOrder::hems(HOST);
    let small = Key::generate(1024).unwrap();
    assert_eq!(reason(serve(&world, &server(&world, &order, &small))), Reason::WeakKey);
    for (order, expected) in [
        (order.clone().digest(Digest::Sha1), Reason::WeakSignature),
        (order.clone().purposes(&[Purpose::ClientAuth]), Reason::ExtendedKeyUsage),
        (order.clone().usages(&[Usage::KeyEncipherment]), Reason::KeyUsage),
        (order.clone().usages(&[]), Reason::KeyUsage),
        (order.clone().as_ca(), Reason::CaCertificate),
        (order.dns_names::<&str>(&[]), Reason::WrongName),
    ] {
        assert_eq!(reason(serve(&world, &server(&world, &order, &world.key))), expected);
    }
}

#[test]
fn a02_a_cell_without_an_identity_does_not_start() {
    let world = World::new();
    let pair = world.cell(
        "nobody",
        &world.manufacturer,
        &LeafOrder::henb(&identity()).dns_names(&["cell.hnb.example"]),
    );
    let error = Connector::new(&world.terms(), &pair, &world.file("operator.pem")).unwrap_err();
    assert!(matches!(error, ContextError::Own { reason: Reason::NotAnIdentity, .. }), "{error}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let world = World::new();
    for mode in [0o640, 0o604, 0o660, 0o644] {
        set_permissions(&world.hems.key, Permissions::from_mode(mode)).unwrap();
        let error = serve(&world, &world.hems).unwrap_err();
        assert!(matches!(error, ContextError::OpenKey { mode: found, .. } if found == mode), "{error}");
        assert!(error.to_string().contains("chmod 600"));
    }
    set_permissions(&world.hems.key, Permissions::from_mode(0o400)).unwrap();
    serve(&world, &world.hems).unwrap();
}

#[test]
fn a_key_of_another_certificate_and_files_of_another_kind_are_refused() {
    let world = World::new();
    let mixed = KeyPair { chain: world.hems.chain.clone(), key: world.henb.key.clone() };
    assert!(matches!(serve(&world, &mixed), Err(ContextError::KeyMismatch { .. })));
    let swapped = KeyPair { chain: world.hems.key.clone(), key: world.hems.key.clone() };
    assert!(matches!(serve(&world, &swapped), Err(ContextError::Pem { .. })));
    let absent = KeyPair { chain: world.file("absent.pem"), key: world.hems.key.clone() };
    assert!(matches!(serve(&world, &absent), Err(ContextError::Read { .. })));
}

#[test]
fn every_anchor_names_its_realms() {
    let world = World::new();
    let make = |anchors: &[_]| Acceptor::new(&world.terms(), &world.hems, anchors).unwrap_err();
    assert!(matches!(make(&[]), ContextError::NoAnchors));
    let error = make(&[world.anchor_of("manufacturer", &[])]);
    assert!(matches!(error, ContextError::NoRealms { .. }));
    assert!(error.to_string().contains("no \"any\""), "{error}");
    for realm in ["*", "", "example", "hnb.example.", "*.hnb.example"] {
        assert!(
            matches!(make(&[world.anchor_of("manufacturer", &[realm])]), ContextError::BadRealm { .. }),
            "{realm}"
        );
    }
    std::fs::copy(world.file("manufacturer.pem"), world.file("twin.pem")).unwrap();
    let twins = [world.anchor(), world.anchor_of("twin", &["other.example"])];
    assert!(matches!(make(&twins), ContextError::SharedAnchor { .. }));
}

#[test]
fn a10_an_anchor_is_a_strong_self_signed_ca() {
    let world = World::new();
    let small = Authority::create(&AuthorityOrder::lab("small", "hnb.example").bits(1024)).unwrap();
    let between = world.manufacturer.subordinate(&AuthorityOrder::lab("between", "hnb.example")).unwrap();
    let leaf = Authority::self_signed(&LeafOrder::henb(&identity()), &world.key).unwrap();
    for pem in [small.pem(), between.pem(), leaf.pem()] {
        std::fs::write(world.file("manufacturer.pem"), pem.unwrap()).unwrap();
        assert!(matches!(serve(&world, &world.hems), Err(ContextError::Anchor { .. })));
    }
}

#[test]
fn a_lab_ca_is_refused_without_lab_on_both_sides() {
    let world = World::new();
    let strict = Terms { lab: false, ..world.terms() };
    assert!(matches!(Acceptor::new(&strict, &world.hems, &[world.anchor()]), Err(ContextError::Lab { .. })));
    let cell = Connector::new(&strict, &world.henb, &world.file("operator.pem"));
    assert!(matches!(cell, Err(ContextError::Lab { .. })));
    let real = Authority::create(&AuthorityOrder::lab("real", "operator.example").unmarked()).unwrap();
    let pair = real
        .issue(&LeafOrder::hems(HOST), &world.key)
        .unwrap()
        .write(world.dir.path(), "real", &world.key)
        .unwrap();
    // Our own certificate is a real one; the anchor of the cells is still a lab CA.
    assert!(matches!(Acceptor::new(&strict, &pair, &[world.anchor()]), Err(ContextError::Lab { .. })));
    std::fs::write(world.file("manufacturer.pem"), real.pem().unwrap()).unwrap();
    Acceptor::new(&strict, &pair, &[world.anchor()]).unwrap();
    assert!(is_lab(&world.file("operator.pem")).unwrap() && !is_lab(&pair.chain).unwrap());
}
