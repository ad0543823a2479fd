//! What moves a cell's clock, what does not, and what it remembers.

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn restored(saved: &str) -> (RestoredClock, Instant) {
    let started = Instant::now();
    (RestoredClock::restore(Some(at(saved)), at("2020-01-01T00:00:00Z"), started), started)
}

#[test]
fn k01_k06_p18_the_clock_goes_on_from_the_larger_of_saved_and_built() {
    let floor = at("2026-01-01T00:00:00Z");
    for (saved, expected) in [
        (None, floor),
        (Some("1970-01-01T00:00:00Z"), floor),
        (Some("2027-05-01T00:00:00Z"), at("2027-05-01T00:00:00Z")),
    ] {
        let started = Instant::now();
        let clock = RestoredClock::restore(saved.map(at), floor, started);
        assert_eq!(clock.now_at(started), expected);
        assert_eq!(clock.now_at(started + DAY), expected + DAY);
    }
}

#[test]
fn p17_an_unsynchronised_clock_tells_a_time_at_once() {
    let (clock, _) = restored("2026-06-01T00:00:00Z");
    assert!(!clock.synchronised());
    assert!(clock.now() >= at("2026-06-01T00:00:00Z"));
}

#[test]
fn k02_k04_a_trusted_source_moves_the_clock_forward_only() {
    let (clock, started) = restored("2026-06-01T00:00:00Z");
    assert_eq!(
        clock.advance_at(at("2026-05-01T00:00:00Z"), Source::Gps, started),
        Err(ClockError::Backwards)
    );
    assert!(!clock.synchronised());
    clock.advance_at(at("2026-06-02T00:00:00Z"), Source::TunnelNtp, started).unwrap();
    assert!(clock.synchronised());
    assert_eq!(clock.now_at(started), at("2026-06-02T00:00:00Z"));
    clock.advance_at(at("2026-06-01T23:59:00Z"), Source::Gps, started).unwrap();
    assert_eq!(clock.now_at(started), at("2026-06-02T00:00:00Z"));
}

#[test]
fn k03_a_far_jump_needs_two_sources_that_agree() {
    let (clock, started) = restored("2026-06-01T00:00:00Z");
    let far = at("2056-06-01T00:00:00Z");
    let refused = Err(ClockError::NeedsSecondSource);
    assert_eq!(clock.advance_at(far, Source::TunnelNtp, started), refused);
    assert_eq!(clock.advance_at(far, Source::TunnelNtp, started), refused);
    assert_eq!(clock.advance_at(far + DAY, Source::Gps, started), refused);
    assert_eq!(clock.now_at(started), at("2026-06-01T00:00:00Z"));
    clock.advance_at(far + DAY, Source::TunnelNtp, started).unwrap();
    assert_eq!(clock.now_at(started), far + DAY);
}

#[test]
fn k03_the_hems_moves_the_clock_within_its_certificate() {
    let (clock, started) = restored("2026-06-01T00:00:00Z");
    let session = Source::HemsSession { not_after: at("2028-01-01T00:00:00Z") };
    let late = clock.advance_at(at("2028-01-02T00:00:00Z"), session, started);
    assert_eq!(late, Err(ClockError::OutsideCertificate));
    clock.advance_at(at("2027-12-01T00:00:00Z"), session, started).unwrap();
    assert_eq!(clock.now_at(started), at("2027-12-01T00:00:00Z"));
}

#[test]
fn k06_the_build_time_is_a_past_time_of_this_century() {
    assert!(build_time() > at("2020-01-01T00:00:00Z"));
    assert!(build_time() <= Timestamp::now());
}

#[test]
fn k03_small_steps_of_one_source_add_up_until_somebody_confirms_them() {
    let (clock, started) = restored("2026-06-01T00:00:00Z");
    for step in 1..=3 {
        clock.advance_at(at("2026-06-01T00:00:00Z") + DAY * 10 * step, Source::TunnelNtp, started).unwrap();
    }
    let next = at("2026-07-02T00:00:00Z");
    let refused = Err(ClockError::NeedsSecondSource);
    assert_eq!(clock.advance_at(next, Source::TunnelNtp, started), refused);
    // A power cut forgives nothing.
    let clock = RestoredClock::resume(Some(clock.kept()), at("2020-01-01T00:00:00Z"), started);
    assert_eq!(clock.advance_at(next, Source::Gps, started), refused);
    let session = Source::HemsSession { not_after: at("2028-01-01T00:00:00Z") };
    clock.advance_at(at("2026-07-01T12:00:00Z"), session, started).unwrap();
    clock.advance_at(next, Source::TunnelNtp, started).unwrap();
    assert_eq!(clock.now_at(started), next);
}

#[test]
fn k03_spoofed_ntp_moves_the_clock_neither_back_nor_to_2040() {
    let (clock, started) = restored("2026-06-01T00:00:00Z");
    for (spoofed, error) in [
        ("2025-06-01T00:00:00Z", ClockError::Backwards),
        ("1970-01-01T00:00:00Z", ClockError::Backwards),
        ("2040-01-01T00:00:00Z", ClockError::NeedsSecondSource),
    ] {
        assert_eq!(clock.advance_at(at(spoofed), Source::TunnelNtp, started), Err(error), "{spoofed}");
        assert_eq!(clock.now_at(started), at("2026-06-01T00:00:00Z"));
    }
    assert_eq!(clock.standing(), Standing::Failed);
}

#[test]
fn k04_the_standing_is_unsynchronised_then_failed_or_synchronised() {
    let (clock, started) = restored("2026-06-01T00:00:00Z");
    assert_eq!(clock.standing(), Standing::Unsynchronised);
    clock.missed();
    assert_eq!(clock.standing(), Standing::Failed);
    clock.advance_at(at("2026-06-01T01:00:00Z"), Source::Gps, started).unwrap();
    clock.missed();
    assert_eq!(clock.standing(), Standing::Synchronised);
}

#[test]
fn k02_a_correction_goes_back_once_and_never_behind_the_build() {
    let (clock, started) = restored("2040-06-01T00:00:00Z");
    let right = at("2026-06-01T00:00:00Z");
    assert_eq!(clock.correct(at("2019-01-01T00:00:00Z"), 1), Err(ClockError::BeforeBuild));
    assert_eq!(clock.correct(right, 5), Ok(true));
    assert!(clock.now() >= right && clock.now() < right + DAY && !clock.synchronised());
    clock.advance(right + DAY, Source::Gps).unwrap();
    assert_eq!(clock.correct(right, 5), Ok(false));
    assert_eq!(clock.correct(right, 4), Err(ClockError::Replayed));
    assert!(clock.now() >= right + DAY);
    let clock = RestoredClock::resume(Some(clock.kept()), at("2020-01-01T00:00:00Z"), started);
    assert_eq!(clock.correct(right, 4), Err(ClockError::Replayed));
}

#[test]
fn k01_a_correction_outweighs_what_was_saved_before_it() {
    let kept = |time: &str, corrections| KeptTime { at: at(time), corrections, ..KeptTime::default() };
    let (wrong, right) = (kept("2040-01-01T00:00:00Z", 0), kept("2026-01-01T00:00:00Z", 1));
    assert_eq!((wrong.newest(right), right.newest(wrong)), (right, right));
    let later = kept("2026-02-01T00:00:00Z", 1);
    assert_eq!((later.newest(right), right.newest(later)), (later, later));
}
