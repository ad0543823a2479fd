//! What a session begins with, by one statement: who the device is, what is known of it, and whether there is more.
//!
//! Each statement costs a way to the database and back, on SQLite to its thread; a periodic session reads little else.
//! Intents, faults and calls are read only where there are some.

use sqlx::FromRow;

use super::{
    CallRow, DeviceRow, FaultRow, Remembered, SightingRow, Store, StoreError, Wishes, at, chunk,
    device::devices,
    fault::faults,
    known::IntentRow,
    parse, query_as,
    wish::{Glimpse, glimpse},
};
use crate::{
    clones::LOOK_BACK,
    plan::{Known, Verdict},
};

/// Between the parts of one thing, and between two things: no name has them, and JSON writes them otherwise.
pub(super) const SEPARATORS: [&str; 2] = ["\u{1f}", "\u{1e}"];

/// The latest sessions of the device `$1`, `$4` of them, as one text.
///
/// Where an argument alone is the limit, SQLite prepares the statement anew at each use, as its plan might be another;
/// that costs as much as all of SQLite's other work for a session.
macro_rules! sightings {
    () => {
        "(SELECT string_agg(id || $2 || started_at || $2 || COALESCE(ended_at || '', '') || $2 || \
         COALESCE(outcome, '') || $2 || COALESCE(cell_clock || '', '') || $2 || COALESCE(up_time || '', '') || $2 || \
         peer || $2 || events, $3) FROM (SELECT * FROM session WHERE identity = $1 ORDER BY id DESC \
         LIMIT CAST($4 AS BIGINT)) AS latest) AS sightings"
    };
}

/// A device as its session begins.
pub(crate) struct Recalled {
    pub(crate) row: DeviceRow,
    pub(crate) remembered: Remembered,
    /// Calls that are not finished for good, oldest first.
    pub(crate) calls: Vec<CallRow>,
    /// Whether a session of it is open, on whichever node.
    pub(crate) is_held: bool,
    /// What its latest sessions showed, newest first.
    pub(crate) sightings: Vec<SightingRow>,
    pub(crate) wishes: Wishes,
    /// Until when its sessions shall be recorded.
    pub(crate) recorded_until: Option<i64>,
}

#[derive(FromRow)]
struct RecalledRow {
    #[sqlx(flatten)]
    row: DeviceRow,
    #[sqlx(flatten)]
    glimpse: Glimpse,
    chunks: Option<String>,
    sightings: Option<String>,
    has_intents: bool,
    has_faults: bool,
    has_calls: bool,
    is_held: bool,
    recorded_until: Option<i64>,
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
            concat!(
                ", (SELECT string_agg(object || $2 || body, $3) FROM known WHERE identity = $1) AS chunks, ",
                sightings!(),
                ", ",
                glimpse!(),
                ", EXISTS (SELECT 1 FROM intent WHERE identity = $1) AS has_intents, \
                 EXISTS (SELECT 1 FROM fault WHERE identity = $1) AS has_faults, \
                 EXISTS (SELECT 1 FROM call WHERE identity = $1 \
                 AND state IN ('queued', 'sent', 'accepted', 'unknown')) AS has_calls, EXISTS \
                 (SELECT 1 FROM session WHERE identity = $1 AND ended_at IS NULL) AS is_held, \
                 (SELECT until_at FROM recording_order WHERE identity = $1) AS recorded_until, \
                 gate.passed AS gate_passed, gate.policy AS gate_policy, gate.latitude AS gate_latitude, \
                 gate.longitude AS gate_longitude, gate.at AS gate_at"
            ),
            "LEFT JOIN gate ON gate.identity = device.identity WHERE device.identity = $1"
        ));
        let query = SEPARATORS.into_iter().fold(query.bind(identity), |query, one| query.bind(one));
        let row: Option<RecalledRow> = query.bind(LOOK_BACK).fetch_optional(&self.reads).await?;
        let Some(row) = row else { return Ok(None) };
        let intents = if row.has_intents { self.intents(identity).await? } else { Vec::new() };
        let faults = if row.has_faults { self.faults(identity).await? } else { Vec::new() };
        let calls = if row.has_calls { self.open_calls(identity).await? } else { Vec::new() };
        let remembered = Remembered { known: row.known()?, intents, faults };
        let sightings = row.sightings.as_deref().map(sightings).unwrap_or_default();
        let (is_held, recorded_until) = (row.is_held, row.recorded_until);
        let wishes = self.look(identity, row.glimpse).await?;
        Ok(Some(Recalled { row: row.row, remembered, calls, is_held, sightings, wishes, recorded_until }))
    }

    /// What is remembered of a device; nothing of one that nobody knows.
    pub(crate) async fn remembered(&self, identity: &str) -> Result<Remembered, StoreError> {
        Ok(self.recall(identity).await?.map(|recalled| recalled.remembered).unwrap_or_default())
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

/// The latest sessions, newest first, from what [`sightings!`] gives.
fn sightings(text: &str) -> Vec<SightingRow> {
    let [inner, outer] = SEPARATORS;
    let mut sessions: Vec<(i64, SightingRow)> =
        text.split(outer).filter_map(|one| sighting(&mut one.split(inner))).collect();
    sessions.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    sessions.into_iter().map(|(_, row)| row).collect()
}

fn sighting<'t>(parts: &mut impl Iterator<Item = &'t str>) -> Option<(i64, SightingRow)> {
    let id = parts.next()?.parse().ok()?;
    let started_at = parts.next()?.parse().ok()?;
    let ended_at = parts.next()?.parse().ok();
    let outcome = parts.next().filter(|outcome| !outcome.is_empty()).map(str::to_owned);
    let (cell_clock, up_time) = (parts.next()?.parse().ok(), parts.next()?.parse().ok());
    let (peer, events) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    Some((id, SightingRow { started_at, ended_at, peer, events, outcome, cell_clock, up_time }))
}
