//! A resumed session is judged like a new one: what changed since then ends it. (T-08, decision 8, tls.md traps 1 to 3)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};
use profile::pki::{Authority, AuthorityOrder, LeafOrder, Validity};
use profile::{
    Acceptor, Blocklist, CertificateFacts, Connector, FixedClock, Identity, Materials, Profile, Reason,
    Terms, TicketKey, TicketKeys,
};

use crate::world::{HOST, Server, World, call, identity};

/// Keys for the period of `now` and its neighbours.
fn keys(now: Timestamp) -> Arc<TicketKeys> {
    let keys = TicketKeys::default();
    let present = TicketKey::period_at(now);
    keys.replace((present - 1..present + 6).map(|period| TicketKey::generate(period).unwrap()).collect());
    Arc::new(keys)
}

struct Pair {
    world: World,
    acceptor: Acceptor,
    server: Server,
    connector: Connector,
    blocked: Arc<Blocked>,
}

#[derive(Debug, Default)]
struct Blocked(AtomicBool);

impl Blocklist for Blocked {
    fn blocked(&self, who: &Identity, chain: &[CertificateFacts]) -> Option<String> {
        assert_eq!((who, chain.len()), (&identity(), 2));
        self.0.load(Ordering::Relaxed).then(|| "stolen".to_owned())
    }
}

impl Pair {
    async fn new(world: World) -> Self {
        Self::under(world, |terms| terms).await
    }

    async fn under(world: World, change: impl Fn(Terms) -> Terms) -> Self {
        let blocked = Arc::new(Blocked::default());
        let (terms, tickets) = (change(world.terms()), keys(Timestamp::now()));
        let blocks = Arc::clone(&blocked) as Arc<dyn Blocklist>;
        let acceptor =
            Acceptor::with(&terms, &Materials::new(&world.hems, &[world.anchor()]), blocks, Some(tickets))
                .unwrap();
        let server = Server::start(acceptor.clone()).await;
        let connector = Connector::new(&terms, &world.henb, &world.file("operator.pem")).unwrap();
        Self { world, acceptor, server, connector, blocked }
    }

    /// Whether both ends say that the next session was resumed.
    async fn resumes(&mut self) -> bool {
        let (cell, _) = call(&self.connector, self.server.address, HOST).await.unwrap();
        let hems = self.server.outcome().await.unwrap();
        assert_eq!(hems.identity, identity());
        assert_eq!(hems.chain.len(), 2, "the whole chain is known after a resumption too");
        assert_eq!(hems.evidence.resumed, cell.evidence.resumed);
        hems.evidence.resumed
    }
}

#[tokio::test]
async fn t08_a_session_is_resumed_and_keeps_its_identity() {
    for profile in Profile::ALL {
        let mut pair = Pair::under(World::new(), |terms| Terms { profile, ..terms }).await;
        assert!(!pair.resumes().await, "{}", profile.name);
        assert!(pair.resumes().await, "{}", profile.name);
        assert!(pair.resumes().await, "{}", profile.name);
    }
}

#[tokio::test]
async fn t08_without_keys_or_where_the_terms_say_so_nothing_is_resumed() {
    let mut pair = Pair::under(World::new(), |terms| Terms { resumption: false, ..terms }).await;
    assert!(!pair.resumes().await && !pair.resumes().await);
    let world = World::new();
    let mut server = world.server().await;
    for _ in 0..2 {
        call(&world.connector(), server.address, HOST).await.unwrap();
        assert!(!server.outcome().await.unwrap().evidence.resumed);
    }
}

#[tokio::test]
async fn t08_a_blocked_cell_resumes_nothing_and_is_refused() {
    let mut pair = Pair::new(World::new()).await;
    assert!(!pair.resumes().await);
    let peer = {
        call(&pair.connector, pair.server.address, HOST).await.unwrap();
        pair.server.outcome().await.unwrap()
    };
    let vigil = pair.acceptor.watch(&peer).unwrap();
    assert!(vigil.check().is_ok());
    pair.blocked.0.store(true, Ordering::Relaxed);
    call(&pair.connector, pair.server.address, HOST).await.unwrap_err();
    let refusal = pair.server.outcome().await.unwrap_err();
    assert_eq!((refusal.reason, refusal.detail.as_str()), (Reason::Blocked, "stolen"));
    assert!(refusal.certificate.is_some());
    assert_eq!(pair.acceptor.watch(&peer).unwrap().check().unwrap_err().reason, Reason::Blocked);
}

#[tokio::test]
async fn t08_a_session_does_not_outlive_the_certificate_of_the_cell() {
    let world = World::new();
    let now = Timestamp::now();
    let hour = SignedDuration::from_hours(1);
    let valid = Validity { not_before: now - hour, not_after: now + SignedDuration::from_mins(10) };
    let order = LeafOrder::henb(&identity()).valid(valid);
    let henb = world.cell("short", &world.manufacturer, &order);
    let mut pair = Pair::new(World { henb, ..world }).await;
    // The cell's own clock stands still, so that it offers its session again.
    let terms = Terms { clock: Arc::new(FixedClock::new(now)), ..pair.world.terms() };
    pair.connector = Connector::new(&terms, &pair.world.henb, &pair.world.file("operator.pem")).unwrap();
    assert!(!pair.resumes().await && pair.resumes().await);
    pair.world.clock.set(valid.not_after + SignedDuration::from_secs(1));
    call(&pair.connector, pair.server.address, HOST).await.unwrap_err();
    let refusal = pair.server.outcome().await.unwrap_err();
    assert_eq!(refusal.reason, Reason::CertificateExpired);
}

#[tokio::test]
async fn t08_k10_a_cell_judges_the_hems_again_before_it_resumes() {
    let mut pair = Pair::new(World::new()).await;
    let clock = Arc::new(FixedClock::new(Timestamp::now()));
    pair.connector = pair.world.connector_at(Arc::clone(&clock) as Arc<dyn profile::Clock>);
    assert!(!pair.resumes().await && pair.resumes().await);
    // The clock was synchronised: by it the H(e)MS has expired.
    clock.set("2099-01-01T00:00:00Z".parse().unwrap());
    let refusal = call(&pair.connector, pair.server.address, HOST).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::CertificateExpired);
    assert_eq!(pair.server.outcome().await.unwrap_err().reason, Reason::PeerRefusesUsExpired);
}

#[tokio::test]
async fn t08_a_session_lives_two_hours_at_most_by_either_clock() {
    let mut pair = Pair::new(World::new()).await;
    assert!(!pair.resumes().await && pair.resumes().await);
    let later = Timestamp::now() + SignedDuration::from_mins(121);
    pair.world.clock.set(later);
    assert!(!pair.resumes().await, "both clocks");
    assert!(pair.resumes().await);
    let still = Terms { clock: Arc::new(FixedClock::new(later)), ..pair.world.terms() };
    pair.connector = Connector::new(&still, &pair.world.henb, &pair.world.file("operator.pem")).unwrap();
    assert!(!pair.resumes().await && pair.resumes().await);
    pair.world.clock.set(later + SignedDuration::from_mins(121));
    assert!(!pair.resumes().await, "the H(e)MS alone");
}

#[tokio::test]
async fn t08_a_session_of_one_listener_or_profile_never_resumes_at_another() {
    let world = World::new();
    let tickets = keys(Timestamp::now());
    let own = world.operator.issue(&LeafOrder::hems(HOST), &world.key).unwrap();
    let second = own.write(world.dir.path(), "second", &world.key).unwrap();
    let acceptor = |pair, profile| {
        let terms = Terms { profile, ..world.terms() };
        let blocks: Arc<dyn Blocklist> = Arc::new(());
        Acceptor::with(&terms, &Materials::new(pair, &[world.anchor()]), blocks, Some(Arc::clone(&tickets)))
            .unwrap()
    };
    let first = Server::start(acceptor(&world.hems, &Profile::TS33320)).await;
    let other = Server::start(acceptor(&second, &Profile::TS33320)).await;
    let mut servers = [first, other];
    let connector = world.connector();
    for (at, resumed) in [(0, false), (1, false), (1, true)] {
        let server = &mut servers[at];
        call(&connector, server.address, HOST).await.unwrap();
        assert_eq!(server.outcome().await.unwrap().evidence.resumed, resumed);
    }
}

#[tokio::test]
async fn t08_a_second_node_resumes_what_it_has_verified_itself() {
    let world = World::new();
    let tickets = keys(Timestamp::now());
    let node = || {
        let blocks: Arc<dyn Blocklist> = Arc::new(());
        let materials = Materials::new(&world.hems, &[world.anchor()]);
        Acceptor::with(&world.terms(), &materials, blocks, Some(Arc::clone(&tickets))).unwrap()
    };
    let mut nodes = [Server::start(node()).await, Server::start(node()).await];
    let connector = world.connector();
    let mut resumed = Vec::new();
    for at in [0, 1, 0, 1] {
        let server = &mut nodes[at];
        call(&connector, server.address, HOST).await.unwrap();
        resumed.push(server.outcome().await.unwrap().evidence.resumed);
    }
    assert_eq!(resumed, [false, false, true, true]);
}

#[tokio::test]
async fn t08_a_change_of_anchors_ends_the_tickets_of_whom_it_distrusts_and_no_others() {
    let mut pair = Pair::new(World::new()).await;
    assert!(!pair.resumes().await && pair.resumes().await);
    let stranger = Authority::create(&AuthorityOrder::lab("stranger", "other.example")).unwrap();
    std::fs::write(pair.world.file("stranger.pem"), stranger.pem().unwrap()).unwrap();
    let anchors = [pair.world.anchor(), pair.world.anchor_of("stranger", &["other.example"])];
    pair.acceptor.reload(&Materials::new(&pair.world.hems, &anchors)).unwrap();
    assert!(pair.resumes().await, "the anchor of this cell is still there");
    pair.acceptor.reload(&Materials::new(&pair.world.hems, &anchors[1..])).unwrap();
    call(&pair.connector, pair.server.address, HOST).await.unwrap_err();
    assert_eq!(pair.server.outcome().await.unwrap_err().reason, Reason::UnknownIssuer);
}

#[tokio::test]
async fn t08_p18_an_open_connection_ends_with_the_certificate_that_opened_it() {
    let world = World::new();
    let end = Timestamp::now() + SignedDuration::from_mins(10);
    let valid = Validity { not_before: end - SignedDuration::from_hours(1), not_after: end };
    let order = LeafOrder::henb(&identity()).valid(valid);
    let henb = world.cell("short", &world.manufacturer, &order);
    let mut pair = Pair::new(World { henb, ..world }).await;
    call(&pair.connector, pair.server.address, HOST).await.unwrap();
    let vigil = pair.acceptor.watch(&pair.server.outcome().await.unwrap()).unwrap();
    for (seconds, expected) in [(-1, None), (0, None), (1, Some(Reason::CertificateExpired))] {
        pair.world.clock.set(end + SignedDuration::from_secs(seconds));
        assert_eq!(vigil.check().err().map(|refusal| refusal.reason), expected, "{seconds} s after the end");
    }
    let refusal = vigil.until_refused().await;
    assert_eq!(refusal.reason, Reason::CertificateExpired);
    assert_eq!(refusal.certificate.unwrap().dns_names, [identity().as_str()]);
}

#[tokio::test]
async fn t08_a04_an_open_connection_hears_of_a_reload_that_takes_its_anchor_away() {
    let mut pair = Pair::new(World::new()).await;
    call(&pair.connector, pair.server.address, HOST).await.unwrap();
    let vigil = pair.acceptor.watch(&pair.server.outcome().await.unwrap()).unwrap();
    let same = Materials::new(&pair.world.hems, &[pair.world.anchor()]);
    let other = Authority::create(&AuthorityOrder::lab("manufacturer", "hnb.example")).unwrap();
    let waiting = vigil.until_refused();
    let mut waiting = std::pin::pin!(waiting);
    pair.acceptor.reload(&same).unwrap();
    tokio::select! {
        biased;
        refusal = &mut waiting => panic!("it is trusted as before: {refusal}"),
        () = std::future::ready(()) => {}
    }
    std::fs::write(pair.world.file("manufacturer.pem"), other.pem().unwrap()).unwrap();
    pair.acceptor.reload(&same).unwrap();
    assert_eq!(waiting.await.reason, Reason::UnknownIssuer);
    assert_eq!(vigil.check().unwrap_err().reason, Reason::UnknownIssuer);
}
