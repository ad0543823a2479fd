//! The questions that alarms ask of devices: each has its index, and each answer is bounded.

use jiff::Timestamp;
use sqlx::FromRow;

#[cfg(test)]
use super::fault;
use super::{Store, StoreError, SuspicionRow, ms, query_as};
use crate::alarm::COUNTED_MAX;

/// One more than is counted, to know that there are more.
const ASKED: u32 = COUNTED_MAX + 1;

// `state || ''` keeps SQLite from the index of states, which nearly every device shares.
const EXPIRING: &str = "SELECT identity, certificate_not_after AS number FROM device WHERE certificate_not_after < $1 \
     AND state || '' = 'admitted' ORDER BY certificate_not_after, identity LIMIT $2";
const DISPUTED: &str = "SELECT identity, at AS number FROM dispute ORDER BY at, identity LIMIT $1";
const DOWNGRADED: &str = "SELECT identity, downgraded_at AS number FROM device WHERE downgraded_at IS NOT NULL \
     AND downgraded_at > $1 ORDER BY downgraded_at, identity LIMIT $2";
// The hour is in the index's condition, word for word.
const FAR: &str = "SELECT identity, cell_clock_at - cell_clock AS number FROM device \
     WHERE abs(cell_clock_at - cell_clock) > 3600000 AND state || '' = 'admitted' ORDER BY identity LIMIT $1";
const LOST: &str = "SELECT identity, due_at AS number FROM device WHERE due_at < $1 AND state || '' = 'admitted' \
     AND NOT EXISTS (SELECT 1 FROM block WHERE kind = 'identity' AND value = device.identity) \
     ORDER BY due_at, identity LIMIT $2";
const DEAD: &str = "SELECT identity, count(*) AS number FROM fault WHERE next_at IS NULL \
     GROUP BY identity ORDER BY identity LIMIT $1";
const SUSPECTED: &str = "SELECT * FROM suspicion ORDER BY first_at, identity LIMIT $1";
const REFUSING: &str = "SELECT identity FROM device WHERE abs(cell_clock_at - cell_clock) > 3600000 AND state || '' = 'admitted' \
     AND (cell_clock_at - cell_clock > $1 OR cell_clock_at - cell_clock < $2) LIMIT $3";

/// Each question, and the index that answers it.
#[cfg(test)]
pub(super) const QUESTIONS: [(&str, &str); 9] = [
    (EXPIRING, "device_by_expiry"),
    (DOWNGRADED, "device_by_downgrade"),
    (FAR, "device_with_far_clock"),
    (LOST, "device_by_due"),
    (DEAD, "fault_dead"),
    (fault::DEAD, "fault_dead"),
    (fault::DEAD_OF_DEVICE, "fault_dead"),
    (SUSPECTED, "suspicion_by_begin"),
    (REFUSING, "device_with_far_clock"),
];

/// A cell and the number that the question was about.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct CellFact {
    pub(crate) identity: String,
    pub(crate) number: Option<i64>,
}

impl Store {
    /// Cells whose certificate ends before a time, with that end, the nearest first.
    pub(crate) async fn cells_expiring(&self, before: Timestamp) -> Result<Vec<CellFact>, StoreError> {
        Ok(query_as(EXPIRING).bind(ms(before)).bind(ASKED).fetch_all(&self.reads).await?)
    }

    /// Cells whose DeviceId was admitted for another one too, with since when, the oldest first.
    pub(crate) async fn cells_disputed(&self) -> Result<Vec<CellFact>, StoreError> {
        Ok(query_as(DISPUTED).bind(ASKED).fetch_all(&self.reads).await?)
    }

    /// Cells that came with a lower TLS version after a time, with when.
    pub(crate) async fn cells_downgraded(&self, after: Timestamp) -> Result<Vec<CellFact>, StoreError> {
        Ok(query_as(DOWNGRADED).bind(ms(after)).bind(ASKED).fetch_all(&self.reads).await?)
    }

    /// Cells whose clock is more than an hour off, with the milliseconds by which it is behind ours.
    pub(crate) async fn cells_with_far_clocks(&self) -> Result<Vec<CellFact>, StoreError> {
        Ok(query_as(FAR).bind(ASKED).fetch_all(&self.reads).await?)
    }

    /// How many cells would refuse, by their clocks, a certificate that is valid between two times; of those whose
    /// clock is more than an hour off.
    pub(crate) async fn cells_refusing(
        &self,
        now: Timestamp,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<usize, StoreError> {
        let rows: Vec<(String,)> = query_as(REFUSING)
            .bind(ms(now) - ms(from))
            .bind(ms(now) - ms(until))
            .bind(ASKED)
            .fetch_all(&self.reads)
            .await?;
        Ok(rows.len())
    }

    /// Cells whose Inform was due before a time, with when, the longest lost first; who is shut out is not missed.
    pub(crate) async fn cells_due_before(&self, before: i64) -> Result<Vec<CellFact>, StoreError> {
        Ok(query_as(LOST).bind(before).bind(ASKED).fetch_all(&self.reads).await?)
    }

    /// Cells with steps that are not tried any more, with how many.
    pub(crate) async fn cells_with_dead_letters(&self) -> Result<Vec<CellFact>, StoreError> {
        Ok(query_as(DEAD).bind(ASKED).fetch_all(&self.reads).await?)
    }

    /// Suspicions, the oldest first.
    pub(crate) async fn first_suspicions(&self) -> Result<Vec<SuspicionRow>, StoreError> {
        Ok(query_as(SUSPECTED).bind(ASKED).fetch_all(&self.reads).await?)
    }

    /// How many refusals of each reason the ledger has.
    pub(crate) async fn refusal_totals(&self) -> Result<std::collections::BTreeMap<String, i64>, StoreError> {
        let query = query_as("SELECT reason, CAST(sum(count) AS BIGINT) FROM refusal GROUP BY reason");
        let rows: Vec<(String, i64)> = query.fetch_all(&self.reads).await?;
        Ok(rows.into_iter().collect())
    }

    /// How many devices there are by `quarantined`, `in_service` and `out_of_service`.
    pub(crate) async fn device_counts(&self) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let query =
            query_as("SELECT state, is_in_service, count(*) FROM device GROUP BY state, is_in_service");
        let rows: Vec<(String, i64, i64)> = query.fetch_all(&self.reads).await?;
        let mut counts = [("quarantined", 0), ("in_service", 0), ("out_of_service", 0)];
        for (state, is_in_service, count) in rows {
            let name = match state.as_str() {
                "admitted" if is_in_service != 0 => "in_service",
                "admitted" => "out_of_service",
                _ => "quarantined",
            };
            counts.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, sum)| *sum += count);
        }
        // Whoever was withdrawn before he called is in no quarantine.
        let query =
            query_as("SELECT count(*) FROM device WHERE state = 'quarantined' AND last_inform_at IS NULL");
        let (unseen,): (i64,) = query.fetch_one(&self.reads).await?;
        counts[0].1 -= unseen;
        Ok(counts.to_vec())
    }
}
