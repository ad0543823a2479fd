//! Revocation in real handshakes: lists at the H(e)MS, lists and staples at the cell. (A-11, A-12, T-08)

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use profile::pki::{
    Authority, CrlOrder, LeafOrder, OcspAnswer, OcspOrder, RevocationReason, RevokedCertificate, Validity,
};
use profile::revocation::CrlTrouble;
use profile::{
    Acceptor, Blocklist, Connector, Materials, Provision, Reason, Revocation, StaplePolicy, TicketKey,
    TicketKeys, TrustAnchor,
};

use crate::world::{HOST, Server, World, call, identity};

/// A world whose manufacturer and operator publish lists.
struct Lists {
    world: World,
    serial: Vec<u8>,
}

fn days(from: i64, to: i64) -> Validity {
    let at = |days: i64| Timestamp::now() + SignedDuration::from_hours(24 * days);
    Validity { not_before: at(from), not_after: at(to) }
}

impl Lists {
    fn new() -> Self {
        let mut world = World::new();
        let issued = world.manufacturer.issue(&LeafOrder::henb(&identity()), &world.key).unwrap();
        world.henb = issued.write(world.dir.path(), "listed", &world.key).unwrap();
        Self { serial: issued.serial().unwrap(), world }
    }

    /// The manufacturer's list of this number, with the cell on it or not.
    fn publish(&self, number: u64, validity: Validity, is_revoked: bool) {
        let date = Timestamp::now() - SignedDuration::from_hours(1);
        let reason = RevocationReason::named("keyCompromise").unwrap();
        let revoked = RevokedCertificate { serial: self.serial.clone(), date, reason };
        let order = CrlOrder::new(number, validity).revoked(if is_revoked { vec![revoked] } else { vec![] });
        std::fs::write(self.crl(), self.world.manufacturer.crl(&order).unwrap()).unwrap();
    }

    fn crl(&self) -> PathBuf {
        self.world.file("manufacturer.crl")
    }

    fn materials(&self) -> Materials {
        let anchor = TrustAnchor { crls: vec![self.crl()], ..self.world.anchor() };
        let materials = Materials::new(&self.world.hems, &[anchor]);
        Materials { kept_lists: Some(self.world.file("kept")), ..materials }
    }

    fn acceptor(&self) -> Acceptor {
        let keys = TicketKeys::default();
        keys.replace(vec![TicketKey::generate(TicketKey::period_at(Timestamp::now())).unwrap()]);
        let blocks: Arc<dyn Blocklist> = Arc::new(());
        Acceptor::with(&self.world.terms(), &self.materials(), blocks, Some(Arc::new(keys))).unwrap()
    }
}

async fn refused(lists: &Lists, server: &mut Server) -> Reason {
    call(&lists.world.connector(), server.address, HOST).await.unwrap_err();
    server.outcome().await.unwrap_err().reason
}

#[tokio::test]
async fn a11_t08_a_new_list_ends_what_a_ticket_began() {
    let lists = Lists::new();
    lists.publish(1, days(-1, 7), false);
    let acceptor = lists.acceptor();
    let mut server = Server::start(acceptor.clone()).await;
    let connector = lists.world.connector();
    for resumed in [false, true] {
        call(&connector, server.address, HOST).await.unwrap();
        let evidence = server.outcome().await.unwrap().evidence;
        assert_eq!((evidence.resumed, evidence.revocation), (resumed, Revocation::Current));
    }
    lists.publish(2, days(-1, 7), true);
    acceptor.reload(&lists.materials()).unwrap();
    let cell = call(&connector, server.address, HOST).await.unwrap_err();
    assert_eq!(cell.alert, Some(44), "certificate_revoked, {cell}");
    let refusal = server.outcome().await.unwrap_err();
    assert_eq!(refusal.reason, Reason::CertificateRevoked);
    assert!(refusal.detail.contains("KeyCompromise"), "{refusal}");
    assert!(refusal.certificate.is_some());

    // An older list comes back: the newer one stays.
    lists.publish(1, days(-1, 7), false);
    acceptor.reload(&lists.materials()).unwrap();
    let notes = acceptor.take_notes();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].0 == "manufacturer" && notes[0].1.trouble == CrlTrouble::RolledBack, "{notes:?}");
    assert_eq!(refused(&lists, &mut server).await, Reason::CertificateRevoked);
}

#[tokio::test]
async fn a11_an_overdue_list_counts_for_its_grace_and_no_longer() {
    let lists = Lists::new();
    lists.publish(1, days(-20, -1), false);
    let mut server = Server::start(lists.acceptor()).await;
    call(&lists.world.connector(), server.address, HOST).await.unwrap();
    assert_eq!(server.outcome().await.unwrap().evidence.revocation, Revocation::Stale);
    lists.world.clock.set(Timestamp::now() + SignedDuration::from_hours(24 * 8));
    assert_eq!(refused(&lists, &mut server).await, Reason::CrlStale);
}

#[tokio::test]
async fn a11_without_the_list_that_is_asked_for_nobody_comes_in() {
    let lists = Lists::new();
    std::fs::write(lists.crl(), "no list").unwrap();
    let acceptor = lists.acceptor();
    let mut server = Server::start(acceptor.clone()).await;
    assert_eq!(refused(&lists, &mut server).await, Reason::CrlMissing);
    assert_eq!(acceptor.take_notes()[0].1.trouble, CrlTrouble::Unreadable);
}

#[tokio::test]
async fn a12_a_cell_reads_the_operators_lists() {
    let lists = Lists::new();
    let mut server = lists.world.server().await;
    let file = lists.world.file("operator.crl");
    let provision = Provision {
        crls: vec![file.clone()],
        ..Provision::new(&lists.world.henb, &lists.world.file("operator.pem"))
    };
    for (order, expected) in
        [(CrlOrder::new(1, days(-1, 7)), None), (CrlOrder::new(1, days(-20, -9)), Some(Reason::CrlStale))]
    {
        std::fs::write(&file, lists.world.operator.crl(&order).unwrap()).unwrap();
        let connector = Connector::with(&lists.world.terms(), &provision).unwrap();
        let outcome = call(&connector, server.address, HOST).await;
        assert_eq!(outcome.err().map(|refusal| refusal.reason), expected);
        server.outcome().await.ok();
    }
}

/// A H(e)MS that staples this answer of its issuer.
async fn stapling(world: &World, answer: Option<&OcspOrder>) -> Server {
    let issued = world.operator.issue(&LeafOrder::hems(HOST), &world.key).unwrap();
    let mut pair = issued.write(world.dir.path(), "stapled", &world.key).unwrap();
    pair.chain = world.file("stapled-with-root.pem");
    let chain = [issued.pem().unwrap(), world.operator.pem().unwrap()].concat();
    std::fs::write(&pair.chain, chain).unwrap();
    let staple = answer.map(|order| {
        let path = world.file("staple.der");
        std::fs::write(&path, ocsp(&world.operator, order, &issued)).unwrap();
        path
    });
    let materials = Materials { staple, ..Materials::new(&pair, &[world.anchor()]) };
    let blocks: Arc<dyn Blocklist> = Arc::new(());
    Server::start(Acceptor::with(&world.terms(), &materials, blocks, None).unwrap()).await
}

fn ocsp(authority: &Authority, order: &OcspOrder, issued: &profile::pki::Issued) -> Vec<u8> {
    authority.ocsp(order, issued, None).unwrap()
}

#[tokio::test]
async fn a12_a_stapled_answer_is_judged_by_the_cells_clock() {
    let world = World::new();
    let good = OcspOrder::new(OcspAnswer::Good, days(-1, 3));
    let mut stapled = stapling(&world, Some(&good)).await;
    let mut bare = stapling(&world, None).await;
    let later = Timestamp::now() + SignedDuration::from_hours(24 * 5);
    for (staple, expected) in
        [(StaplePolicy::IfThere, None), (StaplePolicy::Required, Some(Reason::StapleMissing))]
    {
        assert_eq!(judged(&world, &mut bare, staple, None).await, expected, "bare, {staple:?}");
    }
    for (staple, clock, expected) in [
        (StaplePolicy::Required, None, None),
        (StaplePolicy::IfThere, Some(later), Some(Reason::StapleStale)),
    ] {
        assert_eq!(judged(&world, &mut stapled, staple, clock).await, expected, "stapled, {staple:?}");
    }
}

async fn judged(
    world: &World,
    server: &mut Server,
    staple: StaplePolicy,
    clock: Option<Timestamp>,
) -> Option<Reason> {
    let provision = Provision { staple, ..Provision::new(&world.henb, &world.file("operator.pem")) };
    let mut terms = world.terms();
    if let Some(at) = clock {
        terms.clock = Arc::new(profile::FixedClock::new(at));
    }
    let connector = Connector::with(&terms, &provision).unwrap();
    let outcome = call(&connector, server.address, HOST).await;
    let outcome = outcome.err().map(|refusal| refusal.reason);
    // What a cell refuses, the H(e)MS hears: bad_certificate_status_response. (RFC 6066 8)
    let heard = server.outcome().await.err().map(|refusal| (refusal.reason, refusal.alert));
    assert_eq!(heard, outcome.map(|_| (Reason::PeerRefusesUs, Some(113))));
    outcome
}

#[test]
fn a12_an_answer_that_every_cell_would_refuse_is_not_stapled() {
    let world = World::new();
    let issued = world.operator.issue(&LeafOrder::hems(HOST), &world.key).unwrap();
    let pair = issued.write(world.dir.path(), "stapled", &world.key).unwrap();
    let path = world.file("staple.der");
    let old = OcspOrder::new(OcspAnswer::Good, days(-9, -3));
    std::fs::write(&path, ocsp(&world.operator, &old, &issued)).unwrap();
    let materials = Materials { staple: Some(path), ..Materials::new(&pair, &[world.anchor()]) };
    let error = |materials: &Materials| {
        let blocks: Arc<dyn Blocklist> = Arc::new(());
        format!("{:?}", Acceptor::with(&world.terms(), materials, blocks, None).unwrap_err())
    };
    assert!(error(&materials).contains("NoIssuer"));
    let chain = [issued.pem().unwrap(), world.operator.pem().unwrap()].concat();
    std::fs::write(&pair.chain, chain).unwrap();
    assert!(error(&materials).contains("StapleStale"));
}
