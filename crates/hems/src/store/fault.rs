//! Deeds that failed on a device, and when each is tried again; one without a next try is a dead letter.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms, outbox, query, query_as};
use crate::{event::Kind, plan::Spared};

/// Faults remembered per device: more different deeds than fail at one time, unless everything does.
pub(crate) const FAULTS_MAX: usize = 100;

/// What a value that did not stay has for a text.
pub(crate) const NOT_KEPT: &str = "the device had it as desired and has another value now";

/// The software that runs, whether it just booted, and the time.
pub(crate) type Moment<'s> = (&'s str, bool, i64);

/// A deed that failed.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct FaultRow {
    /// What is done, and on which path.
    pub(crate) step: String,
    /// What was wanted of it.
    pub(crate) wanted: String,
    /// On which software it failed.
    pub(crate) software: String,
    pub(crate) code: i64,
    pub(crate) text: String,
    /// The parameters that the fault names, as JSON.
    pub(crate) details: String,
    pub(crate) count: i64,
    pub(crate) last_at: i64,
    /// Nothing where it is a dead letter.
    pub(crate) next_at: Option<i64>,
}

/// A dead letter of any device.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct DeadLetter {
    pub(crate) identity: String,
    #[sqlx(flatten)]
    pub(crate) fault: FaultRow,
}

/// The columns of a [`FaultRow`].
macro_rules! faults {
    ($columns:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $columns,
            "step, wanted, software, code, text, details, count, last_at, next_at FROM fault ",
            $end
        )
    };
}

pub(super) use faults;

/// Dead letters after a device's step, in the order of their index.
pub(super) const DEAD: &str = faults!(
    "identity, ",
    "WHERE next_at IS NULL AND (identity, step) > ($1, $2) ORDER BY identity, step LIMIT $3"
);
/// Those of one device.
pub(super) const DEAD_OF_DEVICE: &str =
    faults!("identity, ", "WHERE next_at IS NULL AND identity = $1 AND step > $2 ORDER BY step LIMIT $3");

impl FaultRow {
    /// What is the operator's to mend, seen like a fault of the device; every session tries it.
    pub(crate) fn of_ours(step: String, text: String, now: Timestamp) -> Self {
        let now = ms(now);
        Self {
            step,
            wanted: String::new(),
            software: String::new(),
            code: 0,
            text,
            details: "[]".to_owned(),
            count: 1,
            last_at: now,
            next_at: Some(now),
        }
    }

    /// Whether a value did not stay as it was set, and is set again at once.
    pub(crate) fn is_drift(&self) -> bool {
        self.next_at == Some(self.last_at) && self.text == NOT_KEPT
    }

    /// Whether it still counts against its deed: what ran on another software says nothing of this one, and a boot
    /// makes all due that may still be tried.
    pub(crate) fn holds(&self, (software, is_boot, now): Moment<'_>) -> bool {
        let is_waiting = self.next_at.is_none_or(|next| next > now && !is_boot);
        self.software == software && is_waiting
    }

    /// What they say is left alone.
    pub(crate) fn spared(rows: &[Self], now: Moment<'_>) -> Spared {
        let mut spared = Spared::default();
        for row in rows.iter().filter(|row| row.holds(now)) {
            spared.spare(row.step.clone(), row.wanted.clone());
        }
        spared
    }
}

impl Store {
    /// Dead letters of all devices, after a device and a step.
    pub(crate) async fn dead_letters(
        &self,
        after: (&str, &str),
        limit: u32,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(query_as(DEAD).bind(after.0).bind(after.1).bind(limit).fetch_all(&self.reads).await?)
    }

    /// Dead letters of one device, after a step.
    pub(crate) async fn dead_letters_of(
        &self,
        identity: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(query_as(DEAD_OF_DEVICE).bind(identity).bind(after).bind(limit).fetch_all(&self.reads).await?)
    }

    /// Forgets what failed on a device, one deed or all, so that its next session tries it; gives how many there were.
    pub(crate) async fn retry(&self, identity: String, step: Option<String>) -> Result<u64, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let query = query("DELETE FROM fault WHERE identity = $1 AND ($2 IS NULL OR step = $2)");
                    Ok(query.bind(&identity).bind(&step).execute(tx).await?.rows_affected())
                })
            })
            .await
    }
}

/// Writes that a deed failed again, and tells it where that was the last time.
pub(super) async fn write(tx: &mut Tx, identity: &str, fault: &FaultRow) -> Result<(), StoreError> {
    query(
        "INSERT INTO fault (identity, step, wanted, software, code, text, details, count, last_at, next_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
         WHERE (SELECT count(*) FROM fault WHERE identity = $1 AND step <> $2) < $11 \
         ON CONFLICT (identity, step) DO UPDATE SET wanted = excluded.wanted, software = excluded.software, \
         code = excluded.code, text = excluded.text, details = excluded.details, count = excluded.count, \
         last_at = excluded.last_at, next_at = excluded.next_at",
    )
    .bind(identity)
    .bind(&fault.step)
    .bind(&fault.wanted)
    .bind(&fault.software)
    .bind(fault.code)
    .bind(&fault.text)
    .bind(&fault.details)
    .bind(fault.count)
    .bind(fault.last_at)
    .bind(fault.next_at)
    .bind(i64::try_from(FAULTS_MAX).unwrap_or(i64::MAX))
    .execute(&mut *tx)
    .await?;
    if fault.next_at.is_some() {
        return Ok(());
    }
    let FaultRow { step, wanted, code, text, count, .. } = fault;
    let data =
        serde_json::json!({"step": step, "wanted": wanted, "code": code, "text": text, "count": count});
    outbox::tell(tx, Kind::DeviceDeadLetter, identity, fault.last_at, &data).await
}

/// These are no faults any more.
pub(super) async fn mend(tx: &mut Tx, identity: &str, steps: &[String]) -> Result<(), StoreError> {
    for step in steps {
        let query = query("DELETE FROM fault WHERE identity = $1 AND step = $2");
        query.bind(identity).bind(step).execute(&mut *tx).await?;
    }
    Ok(())
}

/// A device that was reset gets a new chance with every step.
pub(super) async fn forget(tx: &mut Tx, identity: &str) -> Result<(), StoreError> {
    query("DELETE FROM fault WHERE identity = $1").bind(identity).execute(tx).await?;
    Ok(())
}
