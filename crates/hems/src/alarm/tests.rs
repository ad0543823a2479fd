//! What becomes of facts, without a store: urgency, bounds, and what is done about a difference.

use super::*;

fn now() -> Timestamp {
    at(1_700_000_000_000)
}

fn cells(count: usize) -> Vec<CellFact> {
    (0..count).map(|number| CellFact { identity: format!("cell {number}"), number: Some(0) }).collect()
}

#[test]
fn f13_the_nearer_the_end_of_a_certificate_the_more_urgent() {
    let days = |days: i64| urgency(now() + SignedDuration::from_hours(24 * days), now());
    assert_eq!(days(-1), Some(Severity::Critical));
    assert_eq!(days(6), Some(Severity::Major));
    assert_eq!(days(29), Some(Severity::Minor));
    assert_eq!(days(31), None);
}

#[test]
fn f13_g01_the_end_of_the_certificate_that_wakes_cells_is_an_alarm_of_its_own() {
    let certificate = |days: i64| CertificateFacts {
        subject: String::new(),
        issuer: String::new(),
        serial: String::new(),
        fingerprint_sha256: String::new(),
        public_key_sha256: String::new(),
        not_before: now(),
        not_after: now() + SignedDuration::from_hours(24 * days),
        dns_names: Vec::new(),
        key: String::new(),
        signature: String::new(),
    };
    let (own, wake) = (Some(certificate(1)), Some(certificate(20)));
    let alarms = raised(&Facts { now: now(), own, wake, ..Facts::default() });
    let said: Vec<_> = alarms.iter().map(|alarm| (alarm.object.as_str(), alarm.severity)).collect();
    assert_eq!(said, [("", Severity::Major), ("wake", Severity::Minor)]);
}

#[test]
fn f13_a_hundred_cells_have_an_alarm_each_and_more_have_one_about_all() {
    let alarms = |count| raised(&Facts { now: now(), lost: cells(count), ..Facts::default() });
    assert_eq!(
        (alarms(0).len(), alarms(100).len(), alarms(101).len(), alarms(1001).len()),
        (0, 100, 101, 101)
    );
    let all =
        |count| alarms(count).into_iter().find(|alarm| alarm.object.is_empty()).map(|alarm| alarm.detail);
    assert_eq!(all(100), None);
    assert!(all(101).unwrap().starts_with("101 cells"));
    assert!(all(1001).unwrap().starts_with("more than 1000 cells"));
}

#[test]
fn f13_what_stands_and_should_not_clears_and_the_rest_is_left_alone() {
    let found = raised(&Facts { now: now(), lost: cells(3), disputed: cells(1), ..Facts::default() });
    let standing = |id, kind: Kind, object: &str, severity: Severity, detail: &str| Standing {
        id,
        kind: kind.name().to_owned(),
        object: object.to_owned(),
        severity: severity.rank(),
        detail: detail.to_owned(),
    };
    let same =
        &found.iter().find(|alarm| alarm.kind == Kind::CellLost && alarm.object == "cell 0").unwrap().detail;
    let rows = [
        standing(1, Kind::CellLost, "cell 0", Severity::Minor, same),
        standing(2, Kind::CellLost, "cell 1", Severity::Critical, ""),
        standing(3, Kind::DeviceIdClaimedTwice, "cell 0", Severity::Major, "other words"),
        standing(4, Kind::CellClockOff, "cell 0", Severity::Minor, ""),
        standing(5, Kind::RefusalsAboveRate, "no_client_certificate", Severity::Major, ""),
    ];
    let facts = Facts::default();
    let changes = compare(&rows, &found, |kind| is_judged(&facts, kind));
    let [Change::Turn(2, _), Change::Reword(3, _), Change::Clear(4), Change::Raise(new)] = changes.as_slice()
    else {
        panic!("{changes:#?}");
    };
    assert_eq!((new.kind, new.object.as_str()), (Kind::CellLost, "cell 2"));
    assert_eq!(compare(&[], &found, |_| true).len(), found.len());
}
