//! What one anchor asks for beyond the profile, and what it lets pass for a while. (Decision 7)

use jiff::SignedDuration;
use profile::pki::{Authority, AuthorityOrder, Digest, Key, LeafOrder, Usage};
use profile::{Acceptor, ContextError, Exception, KeyKind, KeyPair, Profile, Reason, Terms, TrustAnchor};

use crate::world::{Server, World, identity, pinned, s_client};

struct Case {
    allow: Reason,
    pair: KeyPair,
}

/// Certificates that an old fleet might have, each outside the profile in one way.
fn cases(world: &World) -> Vec<Case> {
    let henb = || LeafOrder::henb(&identity());
    let cell = |name, order: &LeafOrder| world.cell(name, &world.manufacturer, order);
    let small = Key::generate(1024).unwrap();
    let small = world.manufacturer.issue(&henb(), &small).unwrap().write(world.dir.path(), "small", &small);
    vec![
        Case { allow: Reason::WeakKey, pair: small.unwrap() },
        Case { allow: Reason::WeakSignature, pair: cell("sha1", &henb().digest(Digest::Sha1)) },
        Case { allow: Reason::KeyUsage, pair: cell("usage", &henb().uncritical_usage()) },
        Case {
            allow: Reason::NotAnIdentity,
            pair: cell("name", &henb().dns_names::<&str>(&[]).common_name(identity().as_str())),
        },
    ]
}

async fn greeted(server: &Server, pair: &KeyPair) -> bool {
    let mut arguments = pinned("-tls1_2", "AES128-SHA:@SECLEVEL=0").to_vec();
    arguments.extend(["-sigalgs", "RSA+SHA256"]);
    s_client(server.address, Some(pair), &arguments).await.contains(identity().as_str())
}

#[tokio::test]
async fn a09_a08_a02_an_exception_lets_one_rule_pass_for_one_anchor_until_its_date() {
    let world = World::new();
    let until = world.terms().clock.now() + SignedDuration::from_hours(24);
    for Case { allow, pair } in cases(&world) {
        world.clock.set(until - SignedDuration::from_hours(24));
        let exceptions = vec![Exception { allow, until }];
        let anchor = TrustAnchor { exceptions, ..world.anchor() };
        let acceptor = Acceptor::new(&world.terms(), &world.hems, &[anchor]).unwrap();
        let mut server = Server::start(acceptor).await;
        assert!(greeted(&server, &pair).await, "{allow}");
        let peer = server.outcome().await.unwrap();
        assert_eq!(peer.evidence.outside_profile, [allow]);
        assert!(greeted(&server, &world.henb).await);
        assert_eq!(server.outcome().await.unwrap().evidence.outside_profile, []);

        world.clock.set(until + SignedDuration::from_secs(1));
        assert!(!greeted(&server, &pair).await, "{allow} after its date");
        assert_eq!(server.outcome().await.unwrap_err().reason, allow);

        let mut strict = world.server().await;
        world.clock.set(until - SignedDuration::from_hours(24));
        assert!(!greeted(&strict, &pair).await, "{allow} without an exception");
        assert_eq!(strict.outcome().await.unwrap_err().reason, allow);
    }
}

#[test]
fn what_is_not_on_the_list_cannot_be_excepted() {
    let world = World::new();
    for reason in Reason::ALL {
        let exceptions = vec![Exception { allow: *reason, until: jiff::Timestamp::MAX }];
        let anchor = TrustAnchor { exceptions, ..world.anchor() };
        let made = Acceptor::new(&world.terms(), &world.hems, &[anchor]);
        assert_eq!(made.is_ok(), Exception::POSSIBLE.contains(reason), "{reason}");
        if let Err(error) = made {
            assert!(matches!(error, ContextError::Exception { .. }));
            assert!(error.to_string().contains("weak_key, weak_signature"), "{error}");
        }
    }
}

#[tokio::test]
async fn a09_an_anchor_may_ask_for_longer_keys_and_for_fewer_kinds() {
    let world = World::new();
    let anchor = TrustAnchor { min_rsa_bits: Some(3072), ..world.anchor() };
    let mut server = Server::start(Acceptor::new(&world.terms(), &world.hems, &[anchor]).unwrap()).await;
    assert!(!greeted(&server, &world.henb).await);
    let refusal = server.outcome().await.unwrap_err();
    assert_eq!(refusal.to_string(), "weak_key: the RSA key has 2048 bits, fewer than 3072");

    let terms = Terms { profile: &Profile::TS33210, ..world.terms() };
    let anchor = TrustAnchor { keys: Some(vec![KeyKind::P256]), ..world.anchor() };
    let mut server = Server::start(Acceptor::new(&terms, &world.hems, &[anchor]).unwrap()).await;
    let curve = Key::generate_ec().unwrap();
    let order = LeafOrder::henb(&identity()).usages(&[Usage::DigitalSignature]);
    let curve_pair = world.manufacturer.issue(&order, &curve).unwrap();
    let curve_pair = curve_pair.write(world.dir.path(), "curve", &curve).unwrap();
    for (pair, expected) in [(&world.henb, Some(Reason::KeyType)), (&curve_pair, None)] {
        s_client(server.address, Some(pair), &["-tls1_3"]).await;
        assert_eq!(server.outcome().await.err().map(|refusal| refusal.reason), expected);
    }
}

#[tokio::test]
async fn a04_each_anchor_speaks_for_its_own_realms() {
    let world = World::new();
    let second = Authority::create(&AuthorityOrder::lab("second", "hnb.example")).unwrap();
    std::fs::write(world.file("second.pem"), second.pem().unwrap()).unwrap();
    let anchors = [world.anchor(), world.anchor_of("second", &["femto.example"])];
    let mut server = Server::start(Acceptor::new(&world.terms(), &world.hems, &anchors).unwrap()).await;
    let stray = world.cell("stray", &second, &LeafOrder::henb(&identity()));
    assert!(!greeted(&server, &stray).await);
    assert_eq!(server.outcome().await.unwrap_err().reason, Reason::RealmNotOfAnchor);
    assert!(greeted(&server, &world.henb).await);
    assert_eq!(server.outcome().await.unwrap().anchor, "manufacturer");
}
