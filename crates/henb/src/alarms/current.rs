//! Which alarms CurrentAlarm shows: those that changed last, as many as there is room for. (F-02, F-03)
//!
//! ```text
//!   all that stand ─▶ the newest MOST_CURRENT ─▶ rows; a newcomer takes the row of the one that had to go
//! ```

use crate::device::Standing;

/// Rows of CurrentAlarm: all alarms of the agent and as many of the radio, without making a tree of a fleet large.
pub(crate) const MOST_CURRENT: usize = 16;

/// What the table shall show, and who moves over for whom.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Current {
    /// The alarms that have a row.
    pub(crate) shown: Vec<Standing>,
    /// Alarms that had a row and stand still, each with the one that takes it over.
    pub(crate) replaced: Vec<(String, Standing)>,
}

impl Current {
    /// Decides by what stands and by the identifiers that have a row now.
    pub(crate) fn of(mut standing: Vec<Standing>, rows: &[String]) -> Self {
        standing.sort_by_key(|alarm| std::cmp::Reverse(alarm.changed));
        let left_out = standing.split_off(standing.len().min(MOST_CURRENT));
        let gone = left_out.into_iter().map(|alarm| alarm.alarm.alarm_identifier);
        let gone = gone.filter(|identifier| rows.contains(identifier));
        let new = standing.iter().filter(|alarm| !rows.contains(&alarm.alarm.alarm_identifier));
        let replaced = gone.zip(new.cloned()).collect();
        Self { shown: standing, replaced }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::device::sample_alarm;

    fn standing(number: usize) -> Standing {
        let at = Timestamp::from_second(i64::try_from(number).unwrap()).unwrap();
        Standing { alarm: sample_alarm(&number.to_string()), raised: at, changed: at }
    }

    fn names(list: &[Standing]) -> Vec<String> {
        list.iter().map(|alarm| alarm.alarm.alarm_identifier.clone()).collect()
    }

    #[test]
    fn f02_a_full_table_gives_the_row_of_the_oldest_change_to_the_newcomer() {
        let all: Vec<_> = (0..MOST_CURRENT).map(standing).collect();
        let full = Current::of(all.clone(), &[]);
        assert_eq!((full.shown.len(), full.replaced.len()), (MOST_CURRENT, 0));
        let mut more = all;
        more.push(standing(99));
        // The oldest one changes: it is not the oldest change any more.
        more[0].changed = Timestamp::from_second(98).unwrap();
        let over = Current::of(more, &names(&full.shown));
        assert_eq!(names(&over.shown)[..2], ["99", "0"]);
        assert_eq!(over.replaced, [("1".to_owned(), standing(99))]);
    }

    #[test]
    fn f02_what_had_to_go_comes_back_when_there_is_room() {
        let all: Vec<_> = (0..=MOST_CURRENT).map(standing).collect();
        let over = Current::of(all.clone(), &[]);
        assert!(!names(&over.shown).contains(&"0".to_owned()));
        let again = Current::of(all[..MOST_CURRENT].to_vec(), &names(&over.shown));
        assert!(names(&again.shown).contains(&"0".to_owned()) && again.replaced.is_empty());
    }
}
