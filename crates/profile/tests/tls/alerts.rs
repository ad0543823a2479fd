//! When a cell refuses us: its alert becomes a reason at the H(e)MS, 42 and 45 told apart. (Decision 6)

use std::sync::Arc;

use profile::pki::{Authority, AuthorityOrder};
use profile::{FixedClock, Reason, Refusal};

use crate::world::{HOST, World, call};

fn standing_at(text: &str) -> Arc<FixedClock> {
    Arc::new(FixedClock::new(text.parse().unwrap()))
}

async fn both(world: &World, clock: Arc<FixedClock>, host: &str) -> (Refusal, Refusal) {
    let mut server = world.server().await;
    let cell = call(&world.connector_at(clock), server.address, host).await.unwrap_err();
    (cell, server.outcome().await.unwrap_err())
}

#[tokio::test]
async fn p18_t18_a_cell_that_lay_in_a_drawer_refuses_us_with_42_and_one_ahead_with_45() {
    let world = World::new();
    for (at, ours, theirs, alert) in [
        ("1990-01-01T00:00:00Z", Reason::CertificateNotYetValid, Reason::PeerRefusesUsNotYetValid, 42),
        ("2099-01-01T00:00:00Z", Reason::CertificateExpired, Reason::PeerRefusesUsExpired, 45),
    ] {
        let (cell, hems) = both(&world, standing_at(at), HOST).await;
        assert_eq!((cell.reason, cell.alert), (ours, None), "{cell}");
        assert_eq!((hems.reason, hems.alert), (theirs, Some(alert)), "{hems}");
        assert!(cell.certificate.is_some() && hems.certificate.is_none());
    }
}

#[tokio::test]
async fn a06_a_cell_that_does_not_know_our_root_says_so() {
    let world = World::new();
    let stranger = Authority::create(&AuthorityOrder::lab("stranger", "operator.example")).unwrap();
    std::fs::write(world.file("operator.pem"), stranger.pem().unwrap()).unwrap();
    let (cell, hems) = both(&world, world.clock.clone(), HOST).await;
    assert_eq!(cell.reason, Reason::UnknownIssuer);
    assert_eq!((hems.reason, hems.alert), (Reason::PeerRefusesUsUnknownIssuer, Some(48)));
}

#[tokio::test]
async fn a05_a_cell_that_wants_another_host_refuses_us() {
    let world = World::new();
    let (cell, hems) = both(&world, world.clock.clone(), "other.operator.example").await;
    assert_eq!(cell.reason, Reason::WrongName);
    assert!(hems.alert.is_some(), "{hems}");
}

#[tokio::test]
async fn a_cell_learns_by_alert_that_it_was_refused() {
    let world = World::new();
    let stranger = Authority::create(&AuthorityOrder::lab("stranger", "hnb.example")).unwrap();
    std::fs::write(world.file("manufacturer.pem"), stranger.pem().unwrap()).unwrap();
    let (cell, hems) = both(&world, world.clock.clone(), HOST).await;
    assert_eq!(hems.reason, Reason::UnknownIssuer);
    assert_eq!((cell.reason, cell.alert), (Reason::PeerRefusesUsUnknownIssuer, Some(48)), "{cell}");
}

#[tokio::test]
async fn p18_a_cell_whose_certificate_ended_is_told_so() {
    let world = World::new();
    let cell_clock = world.clock.clone();
    let connector = world.connector_at(Arc::new(FixedClock::new(jiff::Timestamp::now())));
    cell_clock.set("2099-01-01T00:00:00Z".parse().unwrap());
    let mut server = world.server().await;
    let cell = call(&connector, server.address, HOST).await.unwrap_err();
    assert_eq!((cell.reason, cell.alert), (Reason::PeerRefusesUsExpired, Some(45)), "{cell}");
    assert_eq!(server.outcome().await.unwrap_err().reason, Reason::CertificateExpired);
}
