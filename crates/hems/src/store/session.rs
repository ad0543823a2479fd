//! Sessions: what is durable at their Inform, before a call that cannot be repeated, and at their end.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Batch, DeviceRow, FaultRow, Flag, Store, StoreError, Tx,
    call::{self, Progress},
    change,
    device::{self, Revision},
    fault, history,
    known::{self, ChunkChange},
    lease, misbehaviour, ms, outbox, query, query_as, radio_off, recording,
};
use crate::{
    change::{Bounds, Outcome},
    event::Kind,
    plan::{Change, Verdict},
    recording::Recording,
};

use super::device::Summary;

/// Sessions kept per device: two days of a cell that calls every hour.
const SESSIONS_PER_DEVICE: i64 = 50;
/// The oldest sessions of a device are removed at each so manieth one: to look at every one costs a statement.
const TRIM_EACH: i64 = 10;

/// The outcome of a session that ended as it should.
pub(crate) const COMPLETED: &str = "completed";

/// What stands for version and suite of a session without TLS.
pub(crate) const NO_TLS: &str = "none";

/// A session as the list shows it.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct SessionRow {
    pub(crate) id: i64,
    pub(crate) identity: String,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) tls_version: String,
    pub(crate) suite: String,
    #[sqlx(try_from = "Flag")]
    pub(crate) resumed: bool,
    pub(crate) fingerprint: String,
    pub(crate) not_after: i64,
    pub(crate) peer: String,
    pub(crate) events: String,
    pub(crate) messages: i64,
    pub(crate) outcome: Option<String>,
    pub(crate) anchor: Option<String>,
    pub(crate) chain: Option<String>,
    pub(crate) outside_profile: Option<String>,
    pub(crate) cell_clock: Option<i64>,
    #[sqlx(try_from = "Flag")]
    pub(crate) downgraded: bool,
    pub(crate) transport: String,
    pub(crate) voucher: Option<String>,
    pub(crate) ike_sa: Option<String>,
}

/// What of a session tells one cell from two.
#[derive(Clone, Debug)]
pub(crate) struct SightingRow {
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) peer: String,
    pub(crate) events: String,
    pub(crate) outcome: Option<String>,
    pub(crate) cell_clock: Option<i64>,
    pub(crate) up_time: Option<i64>,
}

/// What a session leaves as evidence of who it was with, beside what the list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    /// The trust anchor that vouched for it.
    pub(crate) anchor: String,
    /// The verified chain, leaf first, as JSON.
    pub(crate) chain: String,
    /// The facts of the leaf, as JSON.
    pub(crate) certificate: String,
    /// The exceptions that let it in, as JSON.
    pub(crate) outside_profile: String,
    /// What the cell's clock said.
    pub(crate) cell_clock: Option<Timestamp>,
    /// Seconds since the cell's start.
    pub(crate) up_time: Option<i64>,
}

/// What a session taught about its device, as far as the store does not have it yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lesson {
    pub(crate) changes: Vec<ChunkChange>,
    /// The values among them that are others than they were.
    pub(crate) history: Vec<Change>,
    pub(crate) gate: Option<Option<Verdict>>,
    pub(crate) methods: Option<Option<Vec<String>>>,
    pub(crate) summary: Option<Summary>,
    /// Milliseconds from an Inform until the next one is overdue.
    pub(crate) patience: Option<Option<i64>>,
    /// Whether nothing was intended that this answers.
    pub(crate) has_no_intents: bool,
    /// Whether it serves, where that is new.
    pub(crate) turned: Option<bool>,
    pub(crate) faults: Vec<FaultRow>,
    /// Deeds that are no faults any more.
    pub(crate) mended: Vec<String>,
    pub(crate) progress: Vec<(i64, Progress)>,
    /// What became of the changes that it follows, by these bounds.
    pub(crate) settled: Option<(Outcome, Bounds)>,
    /// Whether an emergency wanted it off the air, and it is.
    pub(crate) is_off: bool,
}

/// What TLS showed of a peer.
#[derive(Clone, Debug)]
pub(crate) struct TlsFacts {
    pub(crate) version: String,
    pub(crate) suite: String,
    pub(crate) resumed: bool,
    pub(crate) fingerprint: String,
    pub(crate) not_after: Timestamp,
}

/// What is durable before an Inform is answered.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) identity: String,
    pub(crate) at: Timestamp,
    /// What TLS showed; nothing where the tunnel alone vouches.
    pub(crate) tls: Option<TlsFacts>,
    /// Who vouched for the tunnel, and the gateway's number of it.
    pub(crate) voucher: Option<&'static str>,
    pub(crate) ike_sa: Option<String>,
    pub(crate) peer: String,
    /// Event codes with their command keys, as JSON.
    pub(crate) events: String,
    pub(crate) is_bootstrap: bool,
    /// What a device that nobody admitted claims to be; nothing of it is believed.
    pub(crate) claimed: Option<String>,
    /// The row of an admitted device as it stands; where it is not given, all of it is written.
    pub(crate) stored: Option<Box<DeviceRow>>,
    /// What an admitted device made known.
    pub(crate) lesson: Option<Lesson>,
    pub(crate) traces: Traces,
}

/// What is durable at the end of a session.
#[derive(Clone, Debug)]
pub(crate) struct Closing {
    pub(crate) identity: String,
    pub(crate) session: i64,
    pub(crate) at: Timestamp,
    pub(crate) outcome: &'static str,
    pub(crate) messages: u32,
    pub(crate) misbehaviour: Vec<&'static str>,
    /// What was learned of an admitted device.
    pub(crate) device: Option<Lesson>,
    /// What was said, where somebody asked for it.
    pub(crate) recording: Option<Box<Recording>>,
}

/// What is durable before something is sent that must not be done twice.
#[derive(Clone, Debug)]
pub(crate) struct Intent {
    pub(crate) identity: String,
    pub(crate) session: i64,
    pub(crate) step: String,
    pub(crate) object: Option<String>,
    pub(crate) call: Option<i64>,
    pub(crate) at: Timestamp,
}

impl Opening {
    /// The version that was negotiated, or [`NO_TLS`].
    pub(super) fn tls_version(&self) -> &str {
        self.tls.as_ref().map_or(NO_TLS, |tls| tls.version.as_str())
    }

    /// The suite that was negotiated, or [`NO_TLS`].
    pub(super) fn suite(&self) -> &str {
        self.tls.as_ref().map_or(NO_TLS, |tls| tls.suite.as_str())
    }

    /// Whether this device ever spoke a higher version.
    pub(super) fn is_downgrade(&self) -> bool {
        let best = self.stored.as_ref().and_then(|row| row.best_tls.as_deref());
        best.is_some_and(|best| best > self.tls_version())
    }
}

impl Store {
    /// Writes the events of an Inform, and all that follows from them; gives the session's number.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] where a session of the device began since its row was read.
    pub(crate) async fn open_session(&self, opening: Opening) -> Result<i64, StoreError> {
        let (tells, node) = (self.tells_sessions, self.node);
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let session = open(tx, &opening, node).await?;
                    if tells {
                        tell_opened(tx, &opening, session).await?;
                    }
                    Ok(session)
                })
            })
            .await
    }

    /// Writes that something is about to be sent; false where its call was cancelled.
    pub(crate) async fn intend(&self, intent: Intent) -> Result<bool, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { intend(tx, &intent).await })).await
    }

    /// Writes the outcome of a session.
    pub(crate) async fn close_session(&self, closing: Closing) -> Result<(), StoreError> {
        let tells = self.tells_sessions || closing.outcome != COMPLETED;
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    close(tx, &closing).await?;
                    if tells { tell_closed(tx, &closing).await } else { Ok(()) }
                })
            })
            .await
    }

    /// Sessions before a number, newest first, of one device or of all.
    pub(crate) async fn sessions(
        &self,
        identity: Option<&str>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<SessionRow>, StoreError> {
        // One text for both would walk through everybody's sessions to find the last one of a device.
        let query = match identity {
            Some(identity) => {
                query_as("SELECT * FROM session WHERE identity = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
                    .bind(identity)
            }
            None => query_as("SELECT * FROM session WHERE id < $1 ORDER BY id DESC LIMIT $2"),
        };
        Ok(query.bind(before).bind(limit).fetch_all(&self.reads).await?)
    }

    /// One session.
    pub(crate) async fn session(&self, id: i64) -> Result<Option<SessionRow>, StoreError> {
        Ok(query_as("SELECT * FROM session WHERE id = $1").bind(id).fetch_optional(&self.reads).await?)
    }
}

async fn open(tx: &mut Tx, opening: &Opening, node: i64) -> Result<i64, StoreError> {
    let (identity, now) = (opening.identity.as_str(), ms(opening.at));
    if opening.stored.is_none() {
        lease::replace(tx, identity, now).await?;
    }
    let (session, sessions) = insert(tx, opening, node).await?;
    // What the row led to was read without a lock.
    if opening.stored.as_ref().is_some_and(|row| Some(row.sessions) != sessions) {
        return Err(StoreError::Overtaken);
    }
    if let Some(claimed) = &opening.claimed {
        trim(tx, identity).await?;
        device::quarantine(tx, identity, claimed, now).await?;
        return Ok(session);
    }
    if opening.is_bootstrap {
        fault::forget(tx, identity).await?;
    }
    let nothing = Lesson::default();
    let lesson = opening.lesson.as_ref().unwrap_or(&nothing);
    let mut row = Revision::of_opening(opening);
    row.expect(Some(now), lesson.patience.flatten());
    write_lesson(tx, Batch::default(), identity, (session, now), (lesson, row)).await?;
    if opening.stored.as_ref().is_none_or(|row| row.sessions % TRIM_EACH == 0) {
        trim(tx, identity).await?;
    }
    Ok(session)
}

async fn tell_opened(tx: &mut Tx, opening: &Opening, session: i64) -> Result<(), StoreError> {
    let events: serde_json::Value = serde_json::from_str(&opening.events).unwrap_or_default();
    let data = serde_json::json!({"session": session, "events": events});
    outbox::tell(tx, Kind::SessionOpened, &opening.identity, ms(opening.at), &data).await
}

async fn tell_closed(tx: &mut Tx, closing: &Closing) -> Result<(), StoreError> {
    let Closing { session, outcome, messages, .. } = closing;
    let data = serde_json::json!({"session": session, "outcome": outcome, "messages": messages});
    outbox::tell(tx, Kind::SessionClosed, &closing.identity, ms(closing.at), &data).await
}

/// What is desired of a cell has become true of it, or is no longer.
async fn tell_turned(
    tx: &mut Tx,
    identity: &str,
    is_in_service: bool,
    lesson: &Lesson,
    now: i64,
) -> Result<(), StoreError> {
    let kind = if is_in_service { Kind::DeviceInService } else { Kind::DeviceOutOfService };
    let states = lesson.summary.as_ref().map(|summary| (&summary.admin_state, &summary.op_state));
    let (admin_state, op_state) = states.unzip();
    let data = serde_json::json!({"admin_state": admin_state, "op_state": op_state});
    outbox::tell(tx, kind, identity, now, &data).await
}

/// Gives the session's number, and how many its device had before.
async fn insert(tx: &mut Tx, opening: &Opening, node: i64) -> Result<(i64, Option<i64>), StoreError> {
    let (tls, traces) = (opening.tls.as_ref(), &opening.traces);
    let numbers = query_as(
        "INSERT INTO session (identity, started_at, tls_version, suite, resumed, fingerprint, not_after, peer, events, \
         transport, voucher, ike_sa, anchor, chain, outside_profile, cell_clock, up_time, downgraded, node) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
         RETURNING id, (SELECT sessions FROM device WHERE identity = $1)",
    )
    .bind(&opening.identity)
    .bind(ms(opening.at))
    .bind(opening.tls_version())
    .bind(opening.suite())
    .bind(tls.is_some_and(|tls| tls.resumed))
    .bind(tls.map_or("", |tls| tls.fingerprint.as_str()))
    .bind(tls.map_or(0, |tls| ms(tls.not_after)))
    .bind(&opening.peer)
    .bind(&opening.events)
    .bind(if tls.is_some() { "tls" } else { "ipsec" })
    .bind(opening.voucher)
    .bind(&opening.ike_sa)
    .bind(&traces.anchor)
    .bind(&traces.chain)
    .bind(&traces.outside_profile)
    .bind(traces.cell_clock.map(ms))
    .bind(traces.up_time)
    .bind(opening.is_downgrade())
    .bind(node)
    .fetch_one(tx)
    .await?;
    Ok(numbers)
}

async fn trim(tx: &mut Tx, identity: &str) -> Result<(), StoreError> {
    query(
        "DELETE FROM session WHERE identity = $1 AND id <= \
         (SELECT id FROM session WHERE identity = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
    )
    .bind(identity)
    .bind(SESSIONS_PER_DEVICE)
    .execute(tx)
    .await?;
    Ok(())
}

async fn intend(tx: &mut Tx, intent: &Intent) -> Result<bool, StoreError> {
    lease::hold(tx, intent.session).await?;
    if let Some(call) = intent.call
        && !call::advance(tx, call, &Progress::Sent, ms(intent.at)).await?
    {
        return Ok(false);
    }
    if let Some(object) = &intent.object {
        known::intend(tx, intent, object).await?;
    }
    Ok(true)
}

async fn close(tx: &mut Tx, closing: &Closing) -> Result<(), StoreError> {
    let (identity, now) = (closing.identity.as_str(), ms(closing.at));
    lease::hold(tx, closing.session).await?;
    for kind in &closing.misbehaviour {
        misbehaviour::count(tx, identity, kind, now).await?;
    }
    if let Some(recording) = &closing.recording {
        recording::keep(tx, identity, (closing.session, now), recording).await?;
    }
    let mut batch = Batch::default();
    batch.add(
        query("UPDATE session SET ended_at = $2, outcome = $3, messages = $4 WHERE id = $1")
            .bind(closing.session)
            .bind(now)
            .bind(closing.outcome)
            .bind(closing.messages),
    );
    let Some(lesson) = &closing.device else { return Ok(batch.execute(tx).await?) };
    let mut row = Revision::default();
    if let Some(patience) = lesson.patience {
        row.expect(None, patience);
    }
    write_lesson(tx, batch, identity, (closing.session, now), (lesson, row)).await
}

/// Writes what was learned, and with it what else is new. What every session writes goes together, what few do alone.
async fn write_lesson<'q>(
    tx: &mut Tx,
    mut batch: Batch<'q>,
    identity: &'q str,
    (session, now): (i64, i64),
    (lesson, mut row): (&'q Lesson, Revision<'q>),
) -> Result<(), StoreError> {
    if !lesson.has_no_intents {
        known::close_intents(tx, identity).await?;
    }
    fault::mend(tx, identity, &lesson.mended).await?;
    for fault in &lesson.faults {
        fault::write(tx, identity, fault).await?;
    }
    for (id, progress) in &lesson.progress {
        call::advance(tx, *id, progress, now).await?;
    }
    if let Some((outcome, bounds)) = &lesson.settled {
        change::settle(tx, identity, *outcome, bounds, now).await?;
    }
    if lesson.is_off {
        radio_off::seen_off(tx, identity, now).await?;
    }
    if let Some(is_in_service) = lesson.turned {
        tell_turned(tx, identity, is_in_service, lesson, now).await?;
    }
    known::write(&mut batch, identity, lesson);
    row.learn(lesson, now);
    row.query(identity).into_iter().for_each(|query| batch.add(query));
    if !lesson.history.is_empty() {
        batch.add(history::insert(identity, (session, now), &lesson.history));
    }
    Ok(batch.execute(tx).await?)
}
