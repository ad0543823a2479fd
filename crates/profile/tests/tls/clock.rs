//! Certificates are checked with the restored clock, and never wait for a better one. (P-17, P-18, K-05, K-10)

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use profile::{Reason, RestoredClock, Source};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{HOST, World, call};

fn restored(saved: Timestamp, floor: Timestamp) -> Arc<RestoredClock> {
    Arc::new(RestoredClock::restore(Some(saved), floor, Instant::now()))
}

#[tokio::test]
async fn p17_p18_k05_a_session_opens_at_once_with_the_restored_clock() {
    let world = World::new();
    let server = world.server().await;
    let clock = restored(Timestamp::UNIX_EPOCH, profile::build_time());
    call(&world.connector_at(clock.clone()), server.address, HOST).await.unwrap();
    assert!(!clock.synchronised());
}

#[tokio::test]
async fn p18_the_restored_clock_decides_and_the_system_s_does_not() {
    let world = World::new();
    let server = world.server().await;
    let years = |count: i64| SignedDuration::from_hours(count * 365 * 24);
    let now = Timestamp::now();
    for (saved, expected) in [
        (now - years(30), Some(Reason::CertificateNotYetValid)),
        (now, None),
        (now + years(30), Some(Reason::CertificateExpired)),
    ] {
        let connector = world.connector_at(restored(saved, Timestamp::UNIX_EPOCH));
        let outcome = call(&connector, server.address, HOST).await;
        assert_eq!(outcome.err().map(|refusal| refusal.reason), expected, "{saved}");
    }
}

#[tokio::test]
async fn k10_after_the_clock_moved_the_next_session_is_judged_again() {
    let world = World::new();
    let server = world.server().await;
    let clock = restored(Timestamp::now(), Timestamp::UNIX_EPOCH);
    let connector = world.connector_at(clock.clone());
    call(&connector, server.address, HOST).await.unwrap();
    let far = Timestamp::now() + SignedDuration::from_hours(30 * 365 * 24);
    clock.advance(far, Source::Gps).unwrap_err();
    clock.advance(far, Source::TunnelNtp).unwrap();
    let refusal = call(&connector, server.address, HOST).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::CertificateExpired);
}

#[tokio::test]
async fn k10_p18_a_clock_that_is_set_in_a_session_leaves_it_alone_and_judges_the_next() {
    let world = World::new();
    let server = world.server().await;
    let connector = world.connector_at(world.clock.clone());
    for (to, reason) in [
        ("2040-01-01T00:00:00Z", Reason::CertificateExpired),
        ("1970-01-01T00:00:00Z", Reason::CertificateNotYetValid),
    ] {
        world.clock.set(Timestamp::now());
        let tcp = TcpStream::connect(server.address).await.unwrap();
        let (mut stream, _) = connector.connect(tcp, HOST).await.unwrap();
        world.clock.set(to.parse().unwrap());
        stream.write_all(b"hello\n").await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("00005e005301.hnb.example"), "{reply}");
        assert_eq!(call(&connector, server.address, HOST).await.unwrap_err().reason, reason, "{to}");
    }
}
