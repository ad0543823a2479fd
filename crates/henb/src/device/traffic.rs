//! What a simulated cell's users do: counters of TS 32.425 that agree with each other, the same for the same seed. (N-09)
//!
//! ```text
//!   attempts = successes + failures, each by cause and in sum
//! ```

use super::{Measurement, Period, path, simulated::mix};

/// The object that counts.
const CELL: &str = "ENBFunction=1,EUtranGenericCell=1";

/// Attempts, successes and failures of one procedure: their counters, and where TR-196 mirrors them.
struct Procedure {
    counters: [&'static str; 3],
    stats: [&'static str; 3],
    causes: [&'static str; 2],
    /// Attempts of a cause in a minute, at most.
    most_per_minute: u64,
}

/// What a few people in a house do.
const PROCEDURES: [Procedure; 2] = [
    Procedure {
        counters: ["RRC.ConnEstabAtt", "RRC.ConnEstabSucc", "RRC.ConnEstabFail"],
        stats: ["RRC.Stats.AttConnEstab", "RRC.Stats.SuccConnEstab", "RRC.Stats.FailConnEstab"],
        causes: ["mo-Data", "mt-Access"],
        most_per_minute: 4,
    },
    Procedure {
        counters: ["ERAB.EstabInitAttNbr", "ERAB.EstabInitSuccNbr", "ERAB.EstabInitFailNbr"],
        stats: ["ERAB.Stats.EstabInitAttNbr", "ERAB.Stats.EstabInitSuccNbr", "ERAB.Stats.EstabInitFailNbr"],
        causes: ["QCI1", "QCI9"],
        most_per_minute: 3,
    },
];

/// What was counted, and what the data model says of it.
pub(super) struct Traffic {
    pub(super) measurements: Vec<Measurement>,
    /// Paths of Stats parameters, and items such as `mo-Data=3` with their `sum`.
    pub(super) stats: Vec<(String, String)>,
}

/// The traffic of a period; none where the cell serves nobody.
pub(super) fn traffic(seed: u64, period: &Period, is_serving: bool) -> Traffic {
    let seconds = period.end.duration_since(period.begin).as_secs();
    let minutes = u64::try_from(seconds).unwrap_or_default() / 60 + 1;
    let mut draws = mix(seed ^ period.begin.as_second().unsigned_abs());
    let mut draw = |most: u64| {
        draws = mix(draws);
        if is_serving { draws % most.saturating_add(1) } else { 0 }
    };
    let mut traffic = Traffic { measurements: Vec::new(), stats: Vec::new() };
    for procedure in PROCEDURES {
        let by_cause = procedure.causes.map(|_| {
            let attempts = draw(procedure.most_per_minute.saturating_mul(minutes));
            // One in twenty fails at most.
            let failures = draw(attempts / 20);
            [attempts, attempts - failures, failures]
        });
        traffic.count(&procedure, by_cause);
    }
    traffic
}

impl Traffic {
    fn count(&mut self, procedure: &Procedure, by_cause: [[u64; 3]; 2]) {
        let [first, second] = by_cause;
        let [one, other] = procedure.causes;
        let values = first.into_iter().zip(second);
        let places = procedure.counters.into_iter().zip(procedure.stats);
        for ((counter, stats), (first, second)) in places.zip(values) {
            let sum = first.saturating_add(second);
            for (cause, value) in [(one, first), (other, second), ("Sum", sum)] {
                self.measurements.push(Measurement {
                    object: CELL.to_owned(),
                    counter: format!("{counter}.{cause}"),
                    value: value.to_string(),
                });
            }
            let place = format!("{}1.CellConfig.LTE.RAN.{stats}", path::SERVICES);
            self.stats.push((place, format!("{one}={first},{other}={second},sum={sum}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn period(begin: i64) -> Period {
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        Period { begin: at(begin), end: at(begin + 900) }
    }

    fn counted(seed: u64, begin: i64, is_serving: bool) -> BTreeMap<String, u64> {
        let list = traffic(seed, &period(begin), is_serving).measurements;
        list.into_iter().map(|one| (one.counter, one.value.parse().unwrap())).collect()
    }

    #[test]
    fn n09_counters_agree_and_the_seed_decides() {
        let found = counted(7, 0, true);
        for (attempts, successes, failures) in [
            ("RRC.ConnEstabAtt", "RRC.ConnEstabSucc", "RRC.ConnEstabFail"),
            ("ERAB.EstabInitAttNbr", "ERAB.EstabInitSuccNbr", "ERAB.EstabInitFailNbr"),
        ] {
            let sum = |counter: &str| found[&format!("{counter}.Sum")];
            assert_eq!(sum(attempts), sum(successes) + sum(failures));
            assert!(sum(attempts) > 0 && sum(attempts) < 200, "{found:?}");
        }
        assert_eq!(found, counted(7, 0, true));
        assert_ne!(found, counted(7, 900, true));
        assert_ne!(found, counted(8, 0, true));
        assert!(counted(7, 0, false).values().all(|value| *value == 0));
    }

    #[test]
    fn n09_the_data_model_mirrors_the_counters() {
        let model = datamodel::Model::cell();
        for (place, value) in traffic(7, &period(0), true).stats {
            let path = datamodel::Path::parse(&place).unwrap();
            assert_eq!(model.parameter(&path).unwrap().canonical(&value).as_ref(), Ok(&value), "{place}");
            assert!(value.contains(",sum="));
        }
    }
}
