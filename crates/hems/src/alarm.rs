//! The H(e)MS's own alarms: what a person should look at, worked out from facts, and compared with what stands. (F-13)
//!
//! ```text
//!  facts ──raised──▶ what should stand ─┐
//!                                       ├─compare──▶ raise, change, clear ──▶ rows and events, one commit
//!                     what stands ──────┘
//! ```
//!
//! An alarm clears by itself when its fact is gone. Nothing here reads a clock or a table: [`watch`] brings both. The
//! rows have the terms of X.733, so that alarms of cells fit beside ours.

mod rate;
pub(crate) mod watch;

use jiff::{SignedDuration, Timestamp};
use profile::CertificateFacts;

pub(crate) use rate::Rates;

use crate::{
    grace::{ListFacts, Standing as ListStanding},
    store::{CellFact, SuspicionRow, at},
};

/// Who raises these; cells will have theirs.
pub(crate) const SOURCE: &str = "hems";
/// How long before its end a certificate is worth an alarm: the lead time of most CAs.
pub(crate) const EXPIRY_WARNING: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long before its end it is urgent.
const EXPIRY_URGENT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a downgrade stays an alarm after it was seen last.
pub(crate) const DOWNGRADE_SHOWN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Alarms of one kind that name a cell each; beyond them one says how many there are: nobody reads a thousand.
const EACH_MAX: usize = 100;
/// Facts of one kind that are counted.
pub(crate) const COUNTED_MAX: u32 = 1000;

/// How bad it is. (X.733 8.1.2.3)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Critical,
    Major,
    Minor,
    Warning,
}

impl Severity {
    /// The worst first.
    pub(crate) const ALL: [Self; 4] = [Self::Critical, Self::Major, Self::Minor, Self::Warning];

    /// The standard's word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Warning => "warning",
        }
    }

    /// The number in rows: the worse the smaller.
    pub(crate) fn rank(self) -> i64 {
        match self {
            Self::Critical => 1,
            Self::Major => 2,
            Self::Minor => 3,
            Self::Warning => 4,
        }
    }

    /// The severity of a word.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }

    /// The severity of a number.
    pub(crate) fn of(rank: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.rank() == rank)
    }
}

/// Every kind: its name, its event type and its probable cause. (X.733 8.1.1 and 8.1.2.1, X.736 8.1.1 and 8.1.2.1)
macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident = $name:literal $event_type:literal $cause:literal; )*) => {
        /// What is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind { $( $(#[$doc])* $kind, )* }

        impl Kind {
            /// The name.
            pub(crate) fn name(self) -> &'static str {
                match self { $( Self::$kind => $name, )* }
            }

            /// The category.
            pub(crate) fn event_type(self) -> &'static str {
                match self { $( Self::$kind => $event_type, )* }
            }

            /// The standard's cause.
            pub(crate) fn probable_cause(self) -> &'static str {
                match self { $( Self::$kind => $cause, )* }
            }
        }
    };
}

kinds! {
    /// Our certificate ends soon.
    OwnCertificateExpiring = "own_certificate_expiring" "timeDomainViolation" "keyExpired";
    /// Cells would refuse our certificate.
    CellsRefuseUs = "cells_refuse_us" "securityServiceOrMechanismViolation" "authenticationFailure";
    /// Certificates of cells end soon.
    CellCertificatesExpiring = "cell_certificates_expiring" "timeDomainViolation" "keyExpired";
    /// A revocation list should have been replaced.
    RevocationListOverdue = "revocation_list_overdue" "timeDomainViolation" "delayedInformation";
    /// A revocation list is of no use.
    RevocationListUnusable = "revocation_list_unusable" "integrityViolation" "informationMissing";
    /// One identity seems to be two cells.
    CloneSuspected = "clone_suspected" "integrityViolation" "duplicateInformation";
    /// One DeviceId was admitted for two identities.
    DeviceIdClaimedTwice = "device_id_claimed_twice" "integrityViolation" "duplicateInformation";
    /// A cell came with a lower TLS version than before.
    TlsDowngraded = "tls_downgraded" "securityServiceOrMechanismViolation" "unexpectedInformation";
    /// A cell's clock is far from ours.
    CellClockOff = "cell_clock_off" "equipmentAlarm" "timingProblem";
    /// A cell has not called for long.
    CellLost = "cell_lost" "communicationsAlarm" "communicationsSubsystemFailure";
    /// Steps of a cell's plan are not tried any more.
    CellDeadLetters = "cell_dead_letters" "processingErrorAlarm" "configurationOrCustomizationError";
    /// Many connections are refused for one reason.
    RefusalsAboveRate = "refusals_above_rate" "securityServiceOrMechanismViolation" "unauthorizedAccessAttempt";
}

/// One alarm that should stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) kind: Kind,
    pub(crate) severity: Severity,
    /// What it is about: an identity, an anchor, a reason; empty where it is about all.
    pub(crate) object: String,
    pub(crate) detail: String,
    /// When the fact began, where that is known.
    pub(crate) since: Option<i64>,
}

/// Everything that alarms are made of. Lists of cells have [`COUNTED_MAX`] and one more at most.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) now: Timestamp,
    /// Nothing in mode `ipsec`.
    pub(crate) own: Option<CertificateFacts>,
    /// The one that wakes cells, where there is one.
    pub(crate) wake: Option<CertificateFacts>,
    /// How many cells would refuse our certificate by their clocks.
    pub(crate) refusing: usize,
    pub(crate) suspicions: Vec<SuspicionRow>,
    /// With the end of their certificate.
    pub(crate) expiring: Vec<CellFact>,
    pub(crate) disputed: Vec<CellFact>,
    /// With when it was.
    pub(crate) downgraded: Vec<CellFact>,
    /// With the milliseconds by which the clock is behind ours.
    pub(crate) far: Vec<CellFact>,
    /// With when the Inform was due.
    pub(crate) lost: Vec<CellFact>,
    /// With how many steps are not tried any more.
    pub(crate) dead: Vec<CellFact>,
    pub(crate) lists: Vec<ListFacts>,
    /// What is wrong with revocation lists: the anchor, what, and since when.
    pub(crate) troubles: Vec<(String, String, Timestamp)>,
    /// Reasons with more refusals in a minute than the bound; nothing where that is not known yet.
    pub(crate) refusals: Option<Vec<(String, i64)>>,
}

/// The alarms that should stand.
pub(crate) fn raised(facts: &Facts) -> Vec<Alarm> {
    let once = [own_expiry(facts), wake_expiry(facts), cells_refuse(facts), cells_expire(facts)];
    let mut alarms: Vec<Alarm> = once
        .into_iter()
        .flatten()
        .chain(facts.lists.iter().filter_map(|list| list_overdue(list, facts.now)))
        .chain(facts.troubles.iter().map(list_trouble))
        .chain(facts.refusals.iter().flatten().map(refused))
        .collect();
    alarms.extend(each(Kind::CloneSuspected, Severity::Major, &facts.suspicions, clone_suspected));
    alarms.extend(each(Kind::DeviceIdClaimedTwice, Severity::Major, &facts.disputed, disputed));
    alarms.extend(each(Kind::TlsDowngraded, Severity::Warning, &facts.downgraded, downgraded));
    alarms.extend(each(Kind::CellClockOff, Severity::Minor, &facts.far, clock_off));
    alarms.extend(each(Kind::CellLost, Severity::Minor, &facts.lost, lost));
    alarms.extend(each(Kind::CellDeadLetters, Severity::Minor, &facts.dead, dead));
    // Two lists of one anchor are one object; the worse counts.
    alarms.sort_by(|a, b| {
        (a.kind, &a.object, a.severity, &a.detail).cmp(&(b.kind, &b.object, b.severity, &b.detail))
    });
    alarms.dedup_by(|next, first| next.kind == first.kind && next.object == first.object);
    alarms
}

/// Whether the facts say anything of a kind.
pub(crate) fn is_judged(facts: &Facts, kind: &str) -> bool {
    kind != Kind::RefusalsAboveRate.name() || facts.refusals.is_some()
}

/// An alarm for each of the first cells, and one about all where there are more.
fn each<T>(
    kind: Kind,
    severity: Severity,
    facts: &[T],
    say: impl Fn(&T) -> (String, String, Option<i64>),
) -> Vec<Alarm> {
    let one = |fact| {
        let (object, detail, since) = say(fact);
        Alarm { kind, severity, object, detail, since }
    };
    let mut alarms: Vec<Alarm> = facts.iter().take(EACH_MAX).map(one).collect();
    if facts.len() > EACH_MAX {
        let count = counted(facts.len());
        let detail = format!("{count} cells in all; the first {EACH_MAX} have an alarm of their own");
        alarms.push(Alarm {
            kind,
            severity: severity.min(Severity::Major),
            object: String::new(),
            detail,
            since: None,
        });
    }
    alarms
}

fn counted(count: usize) -> String {
    let most = usize::try_from(COUNTED_MAX).unwrap_or(usize::MAX);
    if count > most { format!("more than {most}") } else { count.to_string() }
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

fn of_all(kind: Kind, severity: Severity, detail: String) -> Alarm {
    Alarm { kind, severity, object: String::new(), detail, since: None }
}

fn own_expiry(facts: &Facts) -> Option<Alarm> {
    let end = facts.own.as_ref()?.not_after;
    let detail = format!("our certificate ends at {end}; cells refuse it from then on");
    Some(of_all(Kind::OwnCertificateExpiring, urgency(end, facts.now)?, detail))
}

fn wake_expiry(facts: &Facts) -> Option<Alarm> {
    let (kind, end) = (Kind::OwnCertificateExpiring, facts.wake.as_ref()?.not_after);
    let detail = format!("the certificate that wakes cells ends at {end}; none can be woken from then on");
    Some(Alarm { object: "wake".to_owned(), ..of_all(kind, urgency(end, facts.now)?, detail) })
}

fn cells_refuse(facts: &Facts) -> Option<Alarm> {
    let count = (facts.refusing > 0).then(|| counted(facts.refusing))?;
    let detail = format!(
        "cells that would refuse our present certificate by their clocks: {count}; see `hearth trust preview`"
    );
    Some(of_all(Kind::CellsRefuseUs, Severity::Critical, detail))
}

fn cells_expire(facts: &Facts) -> Option<Alarm> {
    let first = facts.expiring.first()?;
    let (end, days) = (at(first.number?), EXPIRY_WARNING.as_hours() / 24);
    let detail = format!(
        "cells whose certificate ends within {days} days: {}, the first is {} at {end}; see `hearth trust expiry`",
        counted(facts.expiring.len()),
        first.identity
    );
    Some(of_all(Kind::CellCertificatesExpiring, urgency(end, facts.now)?, detail))
}

/// From the first moment on: a list that is not replaced revokes nobody new. (A-11)
fn list_overdue(list: &ListFacts, now: Timestamp) -> Option<Alarm> {
    let (severity, what) = match list.standing(now) {
        ListStanding::Current | ListStanding::Early => return None,
        ListStanding::Stale => (Severity::Major, "it counts until"),
        ListStanding::Over => (Severity::Critical, "what its issuer issued is refused since"),
    };
    Some(Alarm {
        kind: Kind::RevocationListOverdue,
        severity,
        object: format!("{}: {}", list.anchor, list.list.issuer),
        detail: format!(
            "the list of {} (anchor {}) should have been replaced; {what} {}; see `hearth trust lists`",
            list.list.issuer, list.anchor, list.counts_until
        ),
        since: Some(list.list.next_update.as_millisecond()),
    })
}

/// The note is part of what it is about: an anchor can have several files.
fn list_trouble((anchor, note, since): &(String, String, Timestamp)) -> Alarm {
    Alarm {
        kind: Kind::RevocationListUnusable,
        severity: Severity::Major,
        object: format!("{anchor}: {note}"),
        detail: format!("anchor {anchor}: {note}"),
        since: Some(since.as_millisecond()),
    }
}

fn refused((reason, count): &(String, i64)) -> Alarm {
    Alarm {
        kind: Kind::RefusalsAboveRate,
        severity: Severity::Major,
        object: reason.clone(),
        detail: format!(
            "{count} connections or sessions were refused within a minute: {reason}; see `hearth refusal list`"
        ),
        since: None,
    }
}

fn clone_suspected(row: &SuspicionRow) -> (String, String, Option<i64>) {
    let detail = format!("{}: {}, {} times", row.kind, row.detail, row.count);
    (row.identity.clone(), detail, Some(row.first_at))
}

fn disputed(cell: &CellFact) -> (String, String, Option<i64>) {
    let detail = "its DeviceId is admitted for another identity too; withdraw one".to_owned();
    (cell.identity.clone(), detail, cell.number)
}

fn downgraded(cell: &CellFact) -> (String, String, Option<i64>) {
    let detail = "it came with a lower TLS version than before; see `hearth session list`".to_owned();
    (cell.identity.clone(), detail, cell.number)
}

fn clock_off(cell: &CellFact) -> (String, String, Option<i64>) {
    let behind = SignedDuration::from_millis(cell.number.unwrap_or_default());
    let way = if behind.is_negative() { "ahead of" } else { "behind" };
    let detail = format!("at its last session its clock was {} hours {way} ours", behind.as_hours().abs());
    (cell.identity.clone(), detail, None)
}

fn lost(cell: &CellFact) -> (String, String, Option<i64>) {
    let due = cell.number.map(at).unwrap_or_default();
    (cell.identity.clone(), format!("it was to call at {due} and has not"), cell.number)
}

fn dead(cell: &CellFact) -> (String, String, Option<i64>) {
    let count = cell.number.unwrap_or_default();
    let detail = format!(
        "{count} steps of its plan failed too often; see `hearth device dead-letters {}`",
        cell.identity
    );
    (cell.identity.clone(), detail, None)
}

/// An alarm that stands, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) id: i64,
    pub(crate) kind: String,
    pub(crate) object: String,
    pub(crate) severity: i64,
    pub(crate) detail: String,
}

/// What has to be done about one alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Raise(Alarm),
    /// Its severity is another.
    Turn(i64, Alarm),
    /// Only its text is another: no event.
    Reword(i64, String),
    Clear(i64),
}

/// From what stands to what should.
pub(crate) fn compare(
    standing: &[Standing],
    found: &[Alarm],
    is_judged: impl Fn(&str) -> bool,
) -> Vec<Change> {
    let is_same = |row: &Standing, alarm: &Alarm| row.kind == alarm.kind.name() && row.object == alarm.object;
    let mut changes = Vec::new();
    for row in standing.iter().filter(|row| is_judged(&row.kind)) {
        match found.iter().find(|alarm| is_same(row, alarm)) {
            None => changes.push(Change::Clear(row.id)),
            Some(alarm) if alarm.severity.rank() != row.severity => {
                changes.push(Change::Turn(row.id, alarm.clone()));
            }
            Some(alarm) if alarm.detail != row.detail => {
                changes.push(Change::Reword(row.id, alarm.detail.clone()));
            }
            Some(_) => {}
        }
    }
    let is_new = |alarm: &&Alarm| !standing.iter().any(|row| is_same(row, alarm));
    changes.extend(found.iter().filter(is_new).cloned().map(Change::Raise));
    changes
}

#[cfg(test)]
mod tests;
