//! What is remembered of one device between sessions: values, verdict, methods, intents, faults.

use sqlx::FromRow;

use super::{Batch, FaultRow, Intent, Lesson, StoreError, Tx, built, chunk, ms, query, sql::Query, tuples};
use crate::plan::{Chunk, Known, Verdict};

/// A chunk to write, or to remove where there is none.
pub(crate) type ChunkChange = (String, Option<Chunk>);

/// What was sent without its answer being durable.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct IntentRow {
    pub(crate) object: String,
}

/// Everything remembered of one device.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) known: Known,
    pub(crate) intents: Vec<IntentRow>,
    pub(crate) faults: Vec<FaultRow>,
}

/// Chunks that one statement writes: as many as most sessions change.
const CHUNKS: usize = 16;

/// Writes the chunks and the verdict that are others than they were.
pub(super) fn write<'q>(batch: &mut Batch<'q>, identity: &'q str, lesson: &'q Lesson) {
    let there = lesson.changes.iter().filter_map(|(object, chunk)| Some((object, chunk.as_ref()?)));
    for some in there.collect::<Vec<_>>().chunks(CHUNKS) {
        batch.add(chunks_there(identity, some));
    }
    for (object, _) in lesson.changes.iter().filter(|(_, chunk)| chunk.is_none()) {
        let query = query("DELETE FROM known WHERE identity = $1 AND object = $2");
        batch.add(query.bind(identity).bind(object));
    }
    if let Some(gate) = &lesson.gate {
        batch.add(gate.as_ref().map_or_else(|| no_gate(identity), |verdict| gate_said(identity, verdict)));
    }
}

fn chunks_there<'q>(identity: &'q str, chunks: &[(&'q String, &'q Chunk)]) -> Query<'q, ()> {
    let sql = format!(
        "INSERT INTO known (identity, object, body, read_at) VALUES {} \
         ON CONFLICT (identity, object) DO UPDATE SET body = excluded.body, read_at = excluded.read_at",
        tuples(chunks.len(), "$1", 2, 3)
    );
    chunks.iter().fold(built(sql).bind(identity), |query, (object, chunk)| {
        query.bind(*object).bind(chunk::write(chunk)).bind(chunk.read_at().map(ms))
    })
}

fn no_gate(identity: &str) -> Query<'_, ()> {
    query("DELETE FROM gate WHERE identity = $1").bind(identity)
}

fn gate_said<'q>(identity: &'q str, verdict: &'q Verdict) -> Query<'q, ()> {
    query(
        "INSERT INTO gate (identity, passed, policy, latitude, longitude, at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (identity) DO UPDATE SET passed = excluded.passed, policy = excluded.policy, \
         latitude = excluded.latitude, longitude = excluded.longitude, at = excluded.at",
    )
    .bind(identity)
    .bind(verdict.passed)
    .bind(&verdict.policy)
    .bind(&verdict.latitude)
    .bind(&verdict.longitude)
    .bind(ms(verdict.at))
}

/// Remembers what is about to be sent.
pub(super) async fn intend(tx: &mut Tx, intent: &Intent, object: &str) -> Result<(), StoreError> {
    query("INSERT INTO intent (identity, session, step, object, at) VALUES ($1, $2, $3, $4, $5)")
        .bind(&intent.identity)
        .bind(intent.session)
        .bind(&intent.step)
        .bind(object)
        .bind(ms(intent.at))
        .execute(tx)
        .await?;
    Ok(())
}

/// The answers are durable, or what they concerned is unknown again.
pub(super) async fn close_intents(tx: &mut Tx, identity: &str) -> Result<(), StoreError> {
    query("DELETE FROM intent WHERE identity = $1").bind(identity).execute(tx).await?;
    Ok(())
}
