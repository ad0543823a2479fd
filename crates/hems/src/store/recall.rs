//! What a session begins with, by one statement: who the device is, what is known of it, and whether there is more.
//!
//! Each statement costs a way to the database and back, on SQLite to its thread; a periodic session reads little else.
//! Intents, faults and calls are read only where there are some.

use sqlx::FromRow;

use super::{
    CallRow, DeviceRow, FaultRow, Remembered, Store, StoreError, at, chunk, device::devices, fault::faults,
    known::IntentRow, parse, query_as,
};
use crate::plan::{Known, Verdict};

/// Between an object and its values, and between two objects: no path has them, and JSON writes them otherwise.
const SEPARATORS: [&str; 2] = ["\u{1f}", "\u{1e}"];

/// A device as its session begins.
pub(crate) struct Recalled {
    pub(crate) row: DeviceRow,
    pub(crate) remembered: Remembered,
    /// Calls that are not finished for good, oldest first.
    pub(crate) calls: Vec<CallRow>,
    /// Whether a session of it is open, on whichever node.
    pub(crate) is_held: bool,
}

#[derive(FromRow)]
struct RecalledRow {
    #[sqlx(flatten)]
    row: DeviceRow,
    chunks: Option<String>,
    has_intents: bool,
    has_faults: bool,
    has_calls: bool,
    is_held: bool,
    gate_passed: Option<i64>,
    gate_policy: Option<String>,
    gate_latitude: Option<String>,
    gate_longitude: Option<String>,
    gate_at: Option<i64>,
}

impl Store {
    /// Everything that a session of this identity begins with; nothing where nobody knows it.
    pub(crate) async fn recall(&self, identity: &str) -> Result<Option<Recalled>, StoreError> {
        let query = query_as(devices!(
            ", (SELECT string_agg(object || $2 || body, $3) FROM known WHERE identity = $1) AS chunks, \
             EXISTS (SELECT 1 FROM intent WHERE identity = $1) AS has_intents, \
             EXISTS (SELECT 1 FROM fault WHERE identity = $1) AS has_faults, \
             EXISTS (SELECT 1 FROM call WHERE identity = $1 \
             AND state IN ('queued', 'sent', 'accepted', 'unknown')) AS has_calls, EXISTS (SELECT 1 FROM session WHERE identity = $1 \
             AND ended_at IS NULL) AS is_held, gate.passed AS gate_passed, \
             gate.policy AS gate_policy, gate.latitude AS gate_latitude, gate.longitude AS gate_longitude, \
             gate.at AS gate_at",
            "LEFT JOIN gate ON gate.identity = device.identity WHERE device.identity = $1"
        ));
        let query = SEPARATORS.into_iter().fold(query.bind(identity), |query, one| query.bind(one));
        let row: Option<RecalledRow> = query.fetch_optional(&self.reads).await?;
        let Some(row) = row else { return Ok(None) };
        let intents = if row.has_intents { self.intents(identity).await? } else { Vec::new() };
        let faults = if row.has_faults { self.faults(identity).await? } else { Vec::new() };
        let calls = if row.has_calls { self.open_calls(identity).await? } else { Vec::new() };
        let known = row.known()?;
        let (is_held, remembered) = (row.is_held, Remembered { known, intents, faults });
        Ok(Some(Recalled { row: row.row, remembered, calls, is_held }))
    }

    async fn intents(&self, identity: &str) -> Result<Vec<IntentRow>, StoreError> {
        let query = query_as("SELECT object FROM intent WHERE identity = $1 ORDER BY id").bind(identity);
        Ok(query.fetch_all(&self.reads).await?)
    }

    async fn faults(&self, identity: &str) -> Result<Vec<FaultRow>, StoreError> {
        let query = query_as(faults!("", "WHERE identity = $1"));
        Ok(query.bind(identity).fetch_all(&self.reads).await?)
    }
}

impl RecalledRow {
    fn known(&self) -> Result<Known, StoreError> {
        let [inner, outer] = SEPARATORS;
        let chunks = self.chunks.as_deref().unwrap_or_default().split(outer);
        let chunks = chunks.filter_map(|chunk| chunk.split_once(inner));
        let chunks = chunks.map(|(object, body)| Ok((object.to_owned(), chunk::read(body)?)));
        let methods = self.row.methods.as_deref().map(|text| parse("list of methods", text)).transpose()?;
        Ok(Known::restore(chunks.collect::<Result<_, StoreError>>()?, self.gate(), methods))
    }

    fn gate(&self) -> Option<Verdict> {
        Some(Verdict {
            passed: self.gate_passed? != 0,
            policy: self.gate_policy.clone()?,
            latitude: self.gate_latitude.clone()?,
            longitude: self.gate_longitude.clone()?,
            at: at(self.gate_at?),
        })
    }
}
