//! The H(e)MS's own alarms: what a person should look at, worked out anew each time it is asked for. (F-13)
//!
//! An alarm is a fact of the store or of our certificate seen through a threshold; it clears by itself when the
//! fact does. Nothing here reads a clock or a table: the caller brings both.

use jiff::{SignedDuration, Timestamp};
use profile::CertificateFacts;
use serde::Serialize;

use crate::{
    grace::{ListFacts, Standing},
    store::{DeviceRow, SuspicionRow, at},
    trust::Forecast,
};

/// How long before its end a certificate is worth an alarm: the lead time of most CAs.
pub(crate) const EXPIRY_WARNING: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long before its end it is urgent.
const EXPIRY_URGENT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How bad it is. (X.733 8.1.2.3)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Critical,
    Major,
    Minor,
    Warning,
}

/// One alarm that is raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Alarm {
    pub(crate) kind: &'static str,
    pub(crate) severity: Severity,
    /// The cell that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<String>,
    pub(crate) detail: String,
    /// Since when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
}

/// Everything that alarms are made of.
pub(crate) struct Facts {
    pub(crate) now: Timestamp,
    /// Nothing in mode `ipsec`.
    pub(crate) own: Option<CertificateFacts>,
    /// What the cells make of our present certificate, where its file can be read.
    pub(crate) forecast: Option<Forecast>,
    pub(crate) suspicions: Vec<SuspicionRow>,
    /// Devices whose certificate ends within [`EXPIRY_WARNING`].
    pub(crate) expiring: Vec<DeviceRow>,
    pub(crate) disputed: Vec<DeviceRow>,
    pub(crate) downgraded: Vec<DeviceRow>,
    pub(crate) lists: Vec<ListFacts>,
    /// What is wrong with revocation lists: the anchor, what, and since when.
    pub(crate) troubles: Vec<(String, String, Timestamp)>,
}

/// The alarms, the worst first.
pub(crate) fn raised(facts: &Facts) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = [own_expiry(facts), cells_refuse(facts), cells_expire(facts)]
        .into_iter()
        .flatten()
        .chain(facts.lists.iter().filter_map(|list| list_overdue(list, facts.now)))
        .chain(facts.troubles.iter().map(list_trouble))
        .chain(facts.suspicions.iter().map(clone_suspected))
        .chain(facts.disputed.iter().map(disputed))
        .chain(facts.downgraded.iter().map(downgraded))
        .collect();
    alarms.sort_by_key(|alarm| alarm.severity);
    alarms
}

/// How urgent an end is; nothing for one that is far away.
fn urgency(end: Timestamp, now: Timestamp) -> Option<Severity> {
    let left = end.duration_since(now);
    match left {
        left if left.is_negative() => Some(Severity::Critical),
        left if left < EXPIRY_URGENT => Some(Severity::Major),
        left if left < EXPIRY_WARNING => Some(Severity::Minor),
        _ => None,
    }
}

fn own_expiry(facts: &Facts) -> Option<Alarm> {
    let end = facts.own.as_ref()?.not_after;
    Some(Alarm {
        kind: "own_certificate_expiring",
        severity: urgency(end, facts.now)?,
        identity: None,
        detail: format!("our certificate ends at {end}; cells refuse it from then on"),
        since: None,
    })
}

fn cells_refuse(facts: &Facts) -> Option<Alarm> {
    let forecast = facts.forecast.as_ref().filter(|forecast| forecast.refuse > 0)?;
    Some(Alarm {
        kind: "cells_refuse_us",
        severity: Severity::Critical,
        identity: None,
        detail: format!(
            "{} of {} cells would refuse our present certificate by their clocks; see `hearth trust preview`",
            forecast.refuse, forecast.cells
        ),
        since: None,
    })
}

fn cells_expire(facts: &Facts) -> Option<Alarm> {
    let first = facts.expiring.first()?;
    let end = at(first.certificate_not_after?);
    Some(Alarm {
        kind: "cell_certificates_expiring",
        severity: urgency(end, facts.now)?,
        identity: Some(first.identity.clone()),
        detail: format!(
            "{} cells have a certificate that ends within {} days, the first at {end}; see `hearth trust expiry`",
            facts.expiring.len(),
            EXPIRY_WARNING.as_hours() / 24
        ),
        since: None,
    })
}

/// From the first moment on: a list that is not replaced revokes nobody new.
fn list_overdue(list: &ListFacts, now: Timestamp) -> Option<Alarm> {
    let (severity, what) = match list.standing(now) {
        Standing::Current | Standing::Early => return None,
        Standing::Stale => (Severity::Major, "it counts until"),
        Standing::Over => (Severity::Critical, "what its issuer issued is refused since"),
    };
    Some(Alarm {
        kind: "revocation_list_overdue",
        severity,
        identity: None,
        detail: format!(
            "the list of {} (anchor {}) should have been replaced; {what} {}; see `hearth trust lists`",
            list.list.issuer, list.anchor, list.counts_until
        ),
        since: Some(list.list.next_update.to_string()),
    })
}

fn list_trouble((anchor, note, since): &(String, String, Timestamp)) -> Alarm {
    Alarm {
        kind: "revocation_list_unusable",
        severity: Severity::Major,
        identity: None,
        detail: format!("anchor {anchor}: {note}"),
        since: Some(since.to_string()),
    }
}

fn clone_suspected(row: &SuspicionRow) -> Alarm {
    Alarm {
        kind: "clone_suspected",
        severity: Severity::Major,
        identity: Some(row.identity.clone()),
        detail: format!("{}: {}, {} times", row.kind, row.detail, row.count),
        since: Some(at(row.first_at).to_string()),
    }
}

fn disputed(row: &DeviceRow) -> Alarm {
    Alarm {
        kind: "device_id_claimed_twice",
        severity: Severity::Major,
        identity: Some(row.identity.clone()),
        detail: "its DeviceId is admitted for another identity too; withdraw one".to_owned(),
        since: None,
    }
}

fn downgraded(row: &DeviceRow) -> Alarm {
    let version = row.tls_version.as_deref().unwrap_or("a lower version");
    Alarm {
        kind: "tls_downgraded",
        severity: Severity::Warning,
        identity: Some(row.identity.clone()),
        detail: format!("it came with {version} and can do better, {} times", row.downgrades),
        since: row.downgraded_at.map(|ms| at(ms).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f13_the_nearer_the_end_of_a_certificate_the_more_urgent() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365);
        let days = |days: i64| urgency(now + SignedDuration::from_hours(24 * days), now);
        assert_eq!(days(-1), Some(Severity::Critical));
        assert_eq!(days(6), Some(Severity::Major));
        assert_eq!(days(29), Some(Severity::Minor));
        assert_eq!(days(31), None);
    }
}
