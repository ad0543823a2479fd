//! Which cells would refuse a certificate of ours: asked before a change, because a cell that refuses reports nothing.
//!
//! What is known of a cell is the clock that it checks with, as it was at its last Inform. That clock runs on while
//! the cell is up; after a power cut it starts again where it was saved. A certificate that both moments lie in is
//! safe for that cell, one that only the first lies in is at risk. (decision 6)

use jiff::Timestamp;
use profile::{Candidate, Reason};
use serde::Serialize;

/// Cells that are named one by one; the numbers count them all.
const NAMED_MAX: usize = 1000;

/// What is known of one cell's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CellClock {
    pub(crate) identity: String,
    /// What it said, and when it said so; nothing where it never did.
    pub(crate) said: Option<(Timestamp, Timestamp)>,
}

impl CellClock {
    /// What it says now, if the cell stayed up.
    fn running(&self, now: Timestamp) -> Option<Timestamp> {
        let (clock, said_at) = self.said?;
        clock.checked_add(now.duration_since(said_at)).ok()
    }
}

/// One cell that would refuse, or might.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(crate) struct Doubt {
    pub(crate) identity: String,
    /// Whether it would; else only after a power cut.
    pub(crate) certain: bool,
    #[schemars(with = "String")]
    pub(crate) reason: Reason,
    pub(crate) detail: String,
}

/// What the known cells would make of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(crate) struct Forecast {
    /// How many cells are known.
    pub(crate) cells: usize,
    /// How many would refuse it now.
    pub(crate) refuse: usize,
    /// How many would refuse it after a power cut.
    pub(crate) at_risk: usize,
    /// How many never said what their clock is.
    pub(crate) unknown: usize,
    /// What every cell would refuse it for, whatever its clock.
    pub(crate) faults: Vec<String>,
    /// How many cells have not proven that they trust its root: they would refuse it unless somebody gave it to them.
    pub(crate) unproven: usize,
    /// What they have not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unproven_root: Option<String>,
    /// The first of those that would or might.
    pub(crate) doubts: Vec<Doubt>,
}

/// Asks each cell; `present` is the certificate that they accept today, where it is another one.
pub(crate) fn forecast(
    candidate: &Candidate,
    present: Option<&Candidate>,
    cells: &[CellClock],
    now: Timestamp,
) -> Forecast {
    let unproven_root = present.and_then(|present| unproven(candidate, present));
    let mut forecast = Forecast {
        cells: cells.len(),
        unproven: unproven_root.as_ref().map_or(0, |_| cells.len()),
        faults: candidate.faults().iter().map(ToString::to_string).collect(),
        unproven_root,
        ..Forecast::default()
    };
    for cell in cells {
        let doubt = doubt(candidate, cell, now);
        match &doubt {
            Some(doubt) if doubt.certain => forecast.refuse += 1,
            Some(_) => forecast.at_risk += 1,
            None if cell.said.is_none() => forecast.unknown += 1,
            None => {}
        }
        forecast.doubts.extend(doubt.filter(|_| forecast.doubts.len() < NAMED_MAX));
    }
    forecast
}

/// A cell that serves has shown that it trusts the present root, and no other: its key, whatever its name.
fn unproven(candidate: &Candidate, present: &Candidate) -> Option<String> {
    let (next, now) = (candidate.root(), present.root());
    (!candidate.shares_root(present)).then(|| match next == now {
        true => format!("its root has the name of the present one, \"{now}\", and another key"),
        false => format!("cells are known to trust \"{now}\" only, and it comes from \"{next}\""),
    })
}

fn doubt(candidate: &Candidate, cell: &CellClock, now: Timestamp) -> Option<Doubt> {
    let (saved, _) = cell.said.unzip();
    let fault = candidate.faults().first().cloned();
    let running = fault.or_else(|| candidate.refusal_at(cell.running(now)?));
    let certain = running.is_some();
    let refusal = running.or_else(|| candidate.refusal_at(saved?))?;
    Some(Doubt { identity: cell.identity.clone(), certain, reason: refusal.reason, detail: refusal.detail })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use profile::{
        HemsUrl, Profile, TransportMode,
        pki::{Authority, AuthorityOrder, Key, LeafOrder, Validity},
    };

    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 60 + hour)
    }

    /// A certificate that is valid between two hours.
    fn candidate(root: &str, host: &str, hours: std::ops::Range<i64>) -> Candidate {
        let decade = Validity { not_before: at(-90_000), not_after: at(90_000) };
        let root = Authority::create(&AuthorityOrder::lab(root, "example").valid(decade)).unwrap();
        let validity = Validity { not_before: at(hours.start), not_after: at(hours.end) };
        let leaf = root.issue(&LeafOrder::hems(host).valid(validity), &Key::generate(2048).unwrap()).unwrap();
        let pem = [leaf.pem().unwrap(), root.pem().unwrap()].concat();
        let url = HemsUrl::parse("https://hems.example/", TransportMode::Public).unwrap();
        Candidate::read(&pem, &url, &Profile::TS33320).unwrap()
    }

    fn cell(name: &str, said: Option<(i64, i64)>) -> CellClock {
        CellClock { identity: name.to_owned(), said: said.map(|(clock, when)| (at(clock), at(when))) }
    }

    #[test]
    fn p18_cells_behind_or_ahead_would_refuse_and_those_that_lost_power_might() {
        let cells = [
            cell("right", Some((99, 99))),
            cell("behind", Some((40, 99))),
            cell("ahead", Some((500, 99))),
            cell("seldom", Some((40, 40))),
            cell("silent", None),
        ];
        let forecast = forecast(&candidate("one", "hems.example", 50..200), None, &cells, at(100));
        let counts = (forecast.cells, forecast.refuse, forecast.at_risk, forecast.unknown);
        assert_eq!(counts, (5, 2, 1, 1), "{forecast:#?}");
        let named: Vec<_> = forecast
            .doubts
            .iter()
            .map(|doubt| (doubt.identity.as_str(), doubt.certain, doubt.reason))
            .collect();
        assert_eq!(
            named,
            [
                ("behind", true, Reason::CertificateNotYetValid),
                ("ahead", true, Reason::CertificateExpired),
                ("seldom", false, Reason::CertificateNotYetValid),
            ]
        );
    }

    #[test]
    fn a05_a06_a_wrong_name_is_refused_by_all_and_another_root_is_unproven() {
        let present = candidate("one", "hems.example", 0..200);
        let cells = [cell("right", Some((99, 99))), cell("silent", None)];
        let wrong = forecast(&candidate("two", "other.example", 0..200), Some(&present), &cells, at(100));
        assert_eq!((wrong.refuse, wrong.unknown), (2, 0), "{wrong:#?}");
        assert!(wrong.faults[0].starts_with("wrong_name"), "{wrong:#?}");
        assert!(wrong.unproven_root.unwrap().contains("two"));
        let namesake = candidate("one", "hems.example", 0..200);
        let namesake = forecast(&namesake, Some(&present), &cells, at(100));
        assert_eq!((namesake.refuse, namesake.unproven), (0, 2), "{namesake:#?}");
        assert!(namesake.unproven_root.unwrap().contains("another key"));
        let same = forecast(&present.clone(), Some(&present), &cells, at(100));
        assert_eq!((same.refuse, same.unproven, same.unproven_root), (0, 0, None));
    }
}
