//! Calls that an operator queued, and how far each is.
//!
//! ```text
//!  queued ─┬─▶ sent ──▶ done | failed
//!     ▲    └─▶ failed                                   (cancelled: nothing of it was sent)
//!     │        ├─────▶ accepted ──▶ done | failed      (a Download that will report by TransferComplete)
//!     └────────┴─────▶ unknown ───▶ done | failed      (no answer or report; sent again only where it may be)
//! ```
//!
//! A call [`WAKE`] is sent to no session: it asks for one, and is done when the device calls; see [`wake`].

use std::borrow::Cow;

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Act, NewUrl, Store, StoreError, Tx, change, file_url, lease, link::Target, ms, outbox, query, query_as,
    wake,
};
use crate::{
    call::{self, LOCK, UNLOCK, WAKE, WAKE_ACTION},
    change::{Bounds, Spent},
    event::Kind,
    radio,
    software::ACTION,
    template::Wanted,
};

/// Calls that may wait for one device; the operator is told when there are more.
const QUEUED_MAX: i64 = 64;
/// Finished calls kept per device.
const KEPT: i64 = 100;

/// What became of a switch after which somebody wanted something else, as JSON.
const SUPERSEDED: &str = r#""superseded: another AdminState is wanted of the device by now""#;

/// A call as it stands in the store.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct CallRow {
    pub(crate) id: i64,
    pub(crate) method: String,
    pub(crate) command_key: String,
    pub(crate) body: String,
    pub(crate) state: String,
    pub(crate) queued_at: i64,
    pub(crate) sent_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) outcome: Option<String>,
    pub(crate) author: String,
    /// The action that it carries out, as JSON; nothing where somebody named the method.
    pub(crate) action: Option<String>,
}

/// A call to queue.
#[derive(Clone, Debug)]
pub(crate) struct NewCall {
    pub(crate) identity: String,
    pub(crate) method: String,
    pub(crate) command_key: String,
    /// The method as JSON; nothing where the plan does it.
    pub(crate) body: String,
    pub(crate) author: String,
    /// The action that it carries out, as JSON.
    pub(crate) action: Option<String>,
    /// The URL of ours that it names, which is worth something as long as it is open.
    pub(crate) url: Option<NewUrl>,
    pub(crate) key: Option<Keyed>,
    /// The fleet, where it counts as a changed cell of the budget. A switch that does is made a value of the device's own
    /// by the same commit.
    pub(crate) spends: Option<(Bounds, i64)>,
    /// Whether the device is asked for a session, for this call.
    pub(crate) wakes: bool,
    pub(crate) at: Timestamp,
}

/// By which a request is known when it comes again.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    pub(crate) key: String,
    /// All of it: the action as JSON, or the digest of a call.
    pub(crate) request: String,
}

/// Why a call is not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("too many calls wait for this device")]
    Full,
    #[error("the idempotency key was used for another request")]
    OtherRequest,
    #[error(transparent)]
    Budget(#[from] Spent),
}

/// Why a call is not cancelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CancelError {
    #[error("there is no such call")]
    NoCall,
    #[error("the call is {0}: only one that is queued can be cancelled")]
    State(String),
}

/// What happened to a call; the texts are JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It may be sent again.
    Queued,
    /// The same, and why it did not get there.
    Waiting(String),
    /// It is about to be sent.
    Sent,
    /// The device will report later.
    Accepted(String),
    /// It is done.
    Done(String),
    /// The device refused or could not.
    Failed(String),
    /// Somebody, who is named here, took it back before it was sent.
    Cancelled(String),
    /// Nobody says whether it was carried out; why not.
    Unknown(&'static str),
}

impl Progress {
    /// The state's name.
    pub(crate) fn state(&self) -> &'static str {
        match self {
            Self::Queued | Self::Waiting(_) => "queued",
            Self::Sent => "sent",
            Self::Accepted(_) => "accepted",
            Self::Done(_) => "done",
            Self::Failed(_) | Self::Cancelled(_) => "failed",
            Self::Unknown(_) => "unknown",
        }
    }

    fn is_finished(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_) | Self::Cancelled(_) | Self::Unknown(_))
    }

    fn outcome(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Accepted(text) | Self::Done(text) | Self::Failed(text) | Self::Waiting(text) => {
                Some(text.into())
            }
            Self::Cancelled(by) => Some(serde_json::json!({"CancelledBy": by}).to_string().into()),
            Self::Unknown(why) => Some(serde_json::json!({"Unknown": why}).to_string().into()),
            Self::Queued | Self::Sent => None,
        }
    }
}

impl Store {
    /// Queues a call, once for each idempotency key.
    pub(crate) async fn queue_call(&self, call: NewCall) -> Result<Result<i64, QueueError>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { queue(tx, &call).await })).await
    }

    /// The call that a request queued before, where it came with its key.
    pub(crate) async fn queued_before(
        &self,
        identity: &str,
        keyed: &Keyed,
    ) -> Result<Result<Option<CallRow>, QueueError>, StoreError> {
        match before(&self.reads, identity, keyed).await? {
            Some(Ok(id)) => Ok(Ok(self.call(identity, id).await?)),
            Some(Err(error)) => Ok(Err(error)),
            None => Ok(Ok(None)),
        }
    }

    /// The calls of a device, newest first.
    pub(crate) async fn calls(&self, identity: &str) -> Result<Vec<CallRow>, StoreError> {
        let query = query_as("SELECT * FROM call WHERE identity = $1 ORDER BY id DESC");
        Ok(query.bind(identity).fetch_all(&self.reads).await?)
    }

    /// One call of a device.
    pub(crate) async fn call(&self, identity: &str, id: i64) -> Result<Option<CallRow>, StoreError> {
        find(&self.reads, identity, id).await
    }

    /// Cancels a call that is queued, and gives it as it is then.
    pub(crate) async fn cancel_call(
        &self,
        identity: String,
        id: i64,
        act: Act,
    ) -> Result<Result<CallRow, CancelError>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { cancel(tx, &identity, id, &act).await })).await
    }

    /// The calls of a device that are not finished for good, oldest first.
    pub(crate) async fn open_calls(&self, identity: &str) -> Result<Vec<CallRow>, StoreError> {
        let query = query_as(
            "SELECT * FROM call WHERE identity = $1 AND state IN ('queued', 'sent', 'accepted', 'unknown') ORDER BY id",
        );
        Ok(query.bind(identity).fetch_all(&self.reads).await?)
    }

    /// The latest Download that the plan queued for a device.
    pub(crate) async fn latest_fetch(&self, identity: &str) -> Result<Option<CallRow>, StoreError> {
        let query =
            query_as("SELECT * FROM call WHERE identity = $1 AND action LIKE $2 ORDER BY id DESC LIMIT 1");
        Ok(query.bind(identity).bind(format!("{ACTION}%")).fetch_optional(&self.reads).await?)
    }

    /// Writes what a TransferComplete says, before it is answered.
    pub(crate) async fn advance_calls(
        &self,
        session: i64,
        progress: Vec<(i64, Progress)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    lease::hold(tx, session).await?;
                    for (id, progress) in &progress {
                        advance(tx, *id, progress, ms(now)).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// Queues a call, once for each idempotency key.
pub(super) async fn queue(tx: &mut Tx, call: &NewCall) -> Result<Result<i64, QueueError>, StoreError> {
    if let Some(keyed) = &call.key
        && let Some(before) = before(&mut *tx, &call.identity, keyed).await?
    {
        return Ok(before);
    }
    let switch = call.spends.zip(call::wanted_state(&call.method));
    if let Some((bounds, fleet)) = &call.spends
        && switch.is_none()
        && let Err(spent) = change::spend(tx, &call.identity, bounds, *fleet, ms(call.at)).await?
    {
        return Ok(Err(spent.into()));
    }
    let Some(id) = insert(tx, call).await? else { return Ok(Err(QueueError::Full)) };
    if let Some((spends, is_on)) = switch {
        let act = Act { author: call.author.clone(), reason: call.method.clone(), at: call.at };
        let value = (radio::ADMIN_STATE, Wanted::Boolean(is_on));
        change::want(tx, &call.identity, value, spends, act).await?;
    }
    if let Some(url) = &call.url {
        file_url::give(tx, url, &call.identity, &call.command_key).await?;
    }
    if call.wakes {
        ask_for_a_session(tx, call).await?;
    }
    query(
        "DELETE FROM call WHERE identity = $1 AND state IN ('done', 'failed', 'unknown') AND id <= \
         (SELECT id FROM call WHERE identity = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
    )
    .bind(&call.identity)
    .bind(KEPT)
    .execute(tx)
    .await?;
    Ok(Ok(id))
}

async fn find(target: impl Target, identity: &str, id: i64) -> Result<Option<CallRow>, StoreError> {
    let query = query_as("SELECT * FROM call WHERE identity = $1 AND id = $2");
    Ok(query.bind(identity).bind(id).fetch_optional(target).await?)
}

async fn cancel(
    tx: &mut Tx,
    identity: &str,
    id: i64,
    act: &Act,
) -> Result<Result<CallRow, CancelError>, StoreError> {
    let Some(row) = find(&mut *tx, identity, id).await? else { return Ok(Err(CancelError::NoCall)) };
    let progress = Progress::Cancelled(act.author.clone());
    let is_cancelled = row.state == "queued" && advance(tx, id, &progress, ms(act.at)).await?;
    // Read again: another node may have sent it while this one waited for its row.
    let row = find(tx, identity, id).await?.ok_or(CancelError::NoCall);
    Ok(row.and_then(|row| if is_cancelled { Ok(row) } else { Err(CancelError::State(row.state)) }))
}

/// Cancels what a device was not asked for yet; it is not asked for a session any more either.
pub(super) async fn cancel_all(tx: &mut Tx, identity: &str, by: &str, now: i64) -> Result<(), StoreError> {
    let query = query_as(
        "SELECT id FROM call WHERE identity = $1 AND (state = 'queued' OR (state = 'sent' AND method = $2)) ORDER BY id",
    );
    let rows: Vec<(i64,)> = query.bind(identity).bind(WAKE).fetch_all(&mut *tx).await?;
    for (id,) in rows {
        advance(tx, id, &Progress::Cancelled(by.to_owned()), now).await?;
    }
    Ok(())
}

/// The call that came with the same key, if it was the same request.
async fn before(
    target: impl Target,
    identity: &str,
    keyed: &Keyed,
) -> Result<Option<Result<i64, QueueError>>, StoreError> {
    let query = query_as(
        "SELECT id, COALESCE(request, action) FROM call WHERE identity = $1 AND idempotency_key = $2",
    );
    let row: Option<(i64, Option<String>)> =
        query.bind(identity).bind(&keyed.key).fetch_optional(target).await?;
    let is_same = |request: Option<String>| request.as_ref() == Some(&keyed.request);
    Ok(row.map(|(id, request)| if is_same(request) { Ok(id) } else { Err(QueueError::OtherRequest) }))
}

/// Fails the switches that wait for another value than is wanted of the device alone by now: nobody carries them out.
pub(super) async fn supersede(
    tx: &mut Tx,
    identity: &str,
    wanted: Option<bool>,
    now: i64,
) -> Result<(), StoreError> {
    let query = query_as(
        "SELECT id, method FROM call WHERE identity = $1 AND state = 'queued' AND method IN ($2, $3) ORDER BY id",
    );
    let rows: Vec<(i64, String)> = query.bind(identity).bind(LOCK).bind(UNLOCK).fetch_all(&mut *tx).await?;
    for (id, _) in rows.iter().filter(|(_, method)| call::wanted_state(method) != wanted) {
        advance(tx, *id, &Progress::Failed(SUPERSEDED.to_owned()), now).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, call: &NewCall) -> Result<Option<i64>, StoreError> {
    let row: Option<(i64,)> = query_as(
        "INSERT INTO call (identity, method, command_key, body, state, queued_at, author, action, idempotency_key, \
         request) SELECT $1, $2, $3, $4, 'queued', $5, $7, $8, $9, $10 \
         WHERE (SELECT count(*) FROM call WHERE identity = $1 AND (state = 'queued' OR (state = 'sent' AND method = $2))) \
         < $6 RETURNING id",
    )
    .bind(&call.identity)
    .bind(&call.method)
    .bind(&call.command_key)
    .bind(&call.body)
    .bind(ms(call.at))
    .bind(QUEUED_MAX)
    .bind(&call.author)
    .bind(&call.action)
    .bind(call.key.as_ref().map(|keyed| keyed.key.as_str()))
    .bind(call.key.as_ref().map(|keyed| keyed.request.as_str()).filter(|_| call.action.is_none()))
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|(id,)| id))
}

/// Has the device asked, with a call beside this one that shows how far that is, where there is none.
async fn ask_for_a_session(tx: &mut Tx, call: &NewCall) -> Result<(), StoreError> {
    query(
        "INSERT INTO call (identity, method, command_key, body, state, queued_at, author, action) \
         SELECT $1, $2, '', '', 'queued', $3, $4, $5 WHERE NOT EXISTS \
         (SELECT 1 FROM call WHERE identity = $1 AND method = $2 AND state IN ('queued', 'sent'))",
    )
    .bind(&call.identity)
    .bind(WAKE)
    .bind(ms(call.at))
    .bind(&call.author)
    .bind(WAKE_ACTION)
    .execute(&mut *tx)
    .await?;
    wake::want(tx, &call.identity, ms(call.at)).await
}

/// Writes how far a device is that is asked for a session, to every call that waits for it.
pub(super) async fn waking(
    tx: &mut Tx,
    identity: &str,
    progress: &Progress,
    now: i64,
) -> Result<(), StoreError> {
    let query = query_as(
        "SELECT id FROM call WHERE identity = $1 AND method = $2 AND state IN ('queued', 'sent') ORDER BY id",
    );
    let rows: Vec<(i64,)> = query.bind(identity).bind(WAKE).fetch_all(&mut *tx).await?;
    for (id,) in rows {
        advance(tx, id, progress, now).await?;
    }
    Ok(())
}

/// Writes what happened to a call; whether it did: what failed stays so, and what was sent is not cancelled.
pub(super) async fn advance(tx: &mut Tx, id: i64, progress: &Progress, now: i64) -> Result<bool, StoreError> {
    let is_sent = matches!(progress, Progress::Sent);
    let is_finished = progress.is_finished();
    let cancelled_by = if let Progress::Cancelled(by) = progress { Some(by) } else { None };
    let row: Option<(String, String, String)> = query_as(
        "UPDATE call SET state = $2, outcome = COALESCE($3, outcome), sent_at = COALESCE($4, sent_at), \
         finished_at = $5 WHERE id = $1 AND state <> 'failed' \
         AND (CAST($6 AS BIGINT) = 0 OR state = 'queued' OR method = $7) RETURNING identity, method, command_key",
    )
    .bind(id)
    .bind(progress.state())
    .bind(progress.outcome().as_deref())
    .bind(is_sent.then_some(now))
    .bind(is_finished.then_some(now))
    .bind(cancelled_by.is_some())
    .bind(WAKE)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((identity, method, command_key)) = row else { return Ok(false) };
    if !is_finished {
        return Ok(true);
    }
    if method == WAKE {
        wake::over(tx, &identity).await?;
    }
    let state = progress.state();
    let mut data =
        serde_json::json!({"call": id, "method": method, "command_key": command_key, "state": state});
    if let (Some(by), Some(data)) = (cancelled_by, data.as_object_mut()) {
        data.insert("cancelled_by".to_owned(), by.as_str().into());
    }
    outbox::tell(tx, Kind::CallFinished, &identity, now, &data).await?;
    Ok(true)
}
