//! Webhooks, their secrets, and the deliveries on their way to them.
//!
//! ```text
//!  outbox ─(handed over with the position)─▶ waiting ──▶ delivered
//!                                              │  ▲         (kept for a while, bounded)
//!                                     claimed ─┘  └─ again, later
//!                                              └──▶ dead ──▶ waiting, when an operator says so
//! ```
//!
//! A claim moves `next_at`: whoever dies with a delivery in its hands gives it back by time.

use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::{
    Condition, Edited, OutboxRow, Store, StoreError, Tag, Tx, json, link::Target, ms, parse, query, query_as,
};
use crate::event::{Envelope, Kind};

/// Webhooks of a deployment: each event is written once for each.
const WEBHOOKS_MAX: i64 = 50;
/// Secrets that one webhook signs with: the new one, and those that it replaces.
const SECRETS_MAX: i64 = 4;
/// Events that are handed over at once.
const HANDED_MAX: u32 = 500;
/// Deliveries that wait for one webhook; beyond it events wait in the outbox.
const WAITING_MAX: i64 = 10_000;
/// Deliveries of one webhook and one end that are kept for operators.
const KEPT: i64 = 1000;
/// Deliveries that a list shows.
const SHOWN: i64 = 200;

/// Whether a webhook gets events.
pub(crate) const ACTIVE: &str = "active";
/// It said 410: it wants no more.
pub(crate) const GONE: &str = "gone";

#[derive(FromRow)]
struct Row {
    id: i64,
    url: String,
    types: String,
    state: String,
    made_at: i64,
    position: i64,
    missed_before: Option<i64>,
}

/// A webhook.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) id: i64,
    pub(crate) url: String,
    /// The types that it gets; empty for all.
    pub(crate) types: Vec<String>,
    pub(crate) state: String,
    pub(crate) made_at: i64,
    /// The last event that was handed over.
    pub(crate) position: i64,
    /// Events up to this one were gone before they could be handed over.
    pub(crate) missed_before: Option<i64>,
}

impl TryFrom<Row> for Webhook {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let Row { id, url, types, state, made_at, position, missed_before } = row;
        Ok(Self { id, url, types: parse("types", &types)?, state, made_at, position, missed_before })
    }
}

/// A delivery.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Delivery {
    pub(crate) id: i64,
    pub(crate) event: String,
    #[sqlx(rename = "type")]
    pub(crate) kind: String,
    pub(crate) body: String,
    pub(crate) state: String,
    pub(crate) made_at: i64,
    pub(crate) next_at: i64,
    pub(crate) attempts: i64,
    pub(crate) said: Option<String>,
    pub(crate) ended_at: Option<i64>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    /// Once more, then.
    Again(Timestamp),
    Dead,
    /// The webhook wants nothing more.
    Unsubscribed,
}

impl Store {
    /// Every webhook.
    pub(crate) async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let rows: Vec<Row> = query_as("SELECT * FROM webhook ORDER BY id").fetch_all(&self.reads).await?;
        rows.into_iter().map(Webhook::try_from).collect()
    }

    /// One webhook.
    pub(crate) async fn webhook(&self, id: i64) -> Result<Option<Webhook>, StoreError> {
        found(&self.reads, id).await
    }

    /// Makes a webhook that gets what happens from now on; nothing where there are too many.
    pub(crate) async fn make_webhook(
        &self,
        url: String,
        types: Vec<String>,
        secret: String,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let types = json(&types);
        self.writer
            .commit(move |tx| Box::pin(async move { make(tx, &url, &types, &secret, ms(now)).await }))
            .await
    }

    /// Removes a webhook with everything of it; whether it was there.
    pub(crate) async fn delete_webhook(&self, id: i64, condition: Condition) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    condition.check(found(&mut *tx, id).await?.as_ref())?;
                    delete(tx, id).await
                })
            })
            .await
    }

    /// Gives a webhook a further secret; those before it end after `grace`. False where it is not there.
    pub(crate) async fn rotate_secret(
        &self,
        webhook: i64,
        secret: String,
        now: Timestamp,
        grace: SignedDuration,
    ) -> Result<bool, StoreError> {
        let end = ms(now + grace);
        self.writer
            .commit(move |tx| Box::pin(async move { rotate(tx, webhook, &secret, ms(now), end).await }))
            .await
    }

    /// The secrets that a webhook's deliveries are signed with, the newest first.
    pub(crate) async fn secrets(&self, webhook: i64, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let query = query_as(
            "SELECT secret FROM webhook_secret WHERE webhook = $1 AND (ends_at IS NULL OR ends_at > $2) \
             ORDER BY made_at DESC LIMIT $3",
        );
        let rows: Vec<(String,)> =
            query.bind(webhook).bind(ms(now)).bind(SECRETS_MAX).fetch_all(&self.reads).await?;
        Ok(rows.into_iter().map(|(secret,)| secret).collect())
    }

    /// Takes events from the outbox for one webhook; whether there may be more.
    pub(crate) async fn hand_over(
        &self,
        webhook: i64,
        source: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| Box::pin(async move { hand_over(tx, webhook, &source, ms(now)).await }))
            .await
    }

    /// Puts one event on its way that stands in no outbox.
    pub(crate) async fn send_test(
        &self,
        webhook: i64,
        source: String,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let row = OutboxRow {
                        sequence: 0,
                        kind: Kind::WebhookTest.name().to_owned(),
                        subject: String::new(),
                        at: ms(now),
                        body: serde_json::json!({"webhook": webhook}).to_string(),
                    };
                    queue(tx, webhook, &row, &source, ms(now)).await
                })
            })
            .await
    }

    /// Whether something is due for a webhook.
    pub(crate) async fn is_due(&self, webhook: i64, now: Timestamp) -> Result<bool, StoreError> {
        let query = query_as(
            "SELECT 1 FROM delivery WHERE webhook = $1 AND state = 'waiting' AND next_at <= $2 LIMIT 1",
        );
        let rows: Vec<()> = query.bind(webhook).bind(ms(now)).fetch_all(&self.reads).await?;
        Ok(!rows.is_empty())
    }

    /// Takes what is due for a webhook; it is due again after `span` where nothing is heard of it.
    pub(crate) async fn claim_deliveries(
        &self,
        webhook: i64,
        now: Timestamp,
        span: SignedDuration,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let until = ms(now + span);
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let query = query_as(
                        "UPDATE delivery SET next_at = $3, attempts = attempts + 1 WHERE id IN (SELECT id FROM delivery \
                         WHERE webhook = $1 AND state = 'waiting' AND next_at <= $2 ORDER BY next_at, id LIMIT $4) \
                         RETURNING *",
                    );
                    Ok(query.bind(webhook).bind(ms(now)).bind(until).bind(limit).fetch_all(tx).await?)
                })
            })
            .await
    }

    /// Writes what became of an attempt, and what the receiver said.
    pub(crate) async fn settle_delivery(
        &self,
        webhook: i64,
        delivery: i64,
        (fate, said): (Fate, String),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move { settle(tx, (webhook, delivery), &fate, &said, ms(now)).await })
            })
            .await
    }

    /// The deliveries of a webhook in one state or in any, the newest first.
    pub(crate) async fn deliveries(
        &self,
        webhook: i64,
        state: Option<&str>,
    ) -> Result<Vec<Delivery>, StoreError> {
        let query = query_as(
            "SELECT * FROM delivery WHERE webhook = $1 AND ($2 IS NULL OR state = $2) ORDER BY id DESC LIMIT $3",
        );
        Ok(query.bind(webhook).bind(state).bind(SHOWN).fetch_all(&self.reads).await?)
    }

    /// Sends an ended delivery once more; whether there was one, and the webhook takes any.
    pub(crate) async fn resend(
        &self,
        webhook: i64,
        delivery: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let done = query(
                        "UPDATE delivery SET state = 'waiting', made_at = $3, next_at = $3, attempts = 0, ended_at = NULL \
                         WHERE id = $2 AND webhook = $1 AND state <> 'waiting' \
                         AND EXISTS (SELECT 1 FROM webhook WHERE webhook.id = $1 AND webhook.state = 'active')",
                    );
                    let done = done.bind(webhook).bind(delivery).bind(ms(now)).execute(tx).await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }
}

async fn make(
    tx: &mut Tx,
    url: &str,
    types: &str,
    secret: &str,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let row: Option<(i64,)> = query_as(
        "INSERT INTO webhook (url, types, state, made_at, position) SELECT $1, $2, 'active', $3, \
         COALESCE((SELECT max(sequence) FROM outbox), (SELECT value FROM mark WHERE name = 'trimmed'), 0) \
         WHERE (SELECT count(*) FROM webhook) < $4 RETURNING id",
    )
    .bind(url)
    .bind(types)
    .bind(now)
    .bind(WEBHOOKS_MAX)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((id,)) = row else { return Ok(None) };
    add_secret(tx, id, secret, now).await?;
    Ok(Some(id))
}

async fn add_secret(tx: &mut Tx, webhook: i64, secret: &str, now: i64) -> Result<(), StoreError> {
    let insert = query("INSERT INTO webhook_secret (webhook, secret, made_at) VALUES ($1, $2, $3)");
    insert.bind(webhook).bind(secret).bind(now).execute(tx).await?;
    Ok(())
}

async fn rotate(tx: &mut Tx, webhook: i64, secret: &str, now: i64, end: i64) -> Result<bool, StoreError> {
    let there: Option<(i64,)> =
        query_as("SELECT id FROM webhook WHERE id = $1").bind(webhook).fetch_optional(&mut *tx).await?;
    if there.is_none() {
        return Ok(false);
    }
    let gone = query("DELETE FROM webhook_secret WHERE webhook = $1 AND ends_at <= $2");
    gone.bind(webhook).bind(now).execute(&mut *tx).await?;
    let ending = query("UPDATE webhook_secret SET ends_at = $2 WHERE webhook = $1 AND ends_at IS NULL");
    ending.bind(webhook).bind(end).execute(&mut *tx).await?;
    add_secret(tx, webhook, secret, now).await?;
    query(
        "DELETE FROM webhook_secret WHERE webhook = $1 AND secret NOT IN \
         (SELECT secret FROM webhook_secret WHERE webhook = $1 ORDER BY made_at DESC LIMIT $2)",
    )
    .bind(webhook)
    .bind(SECRETS_MAX)
    .execute(tx)
    .await?;
    Ok(true)
}

impl Edited for Webhook {
    fn tag(&self) -> Tag {
        Tag::of((&self.url, &self.types, &self.state))
    }
}

async fn found(target: impl Target, id: i64) -> Result<Option<Webhook>, StoreError> {
    let query = query_as("SELECT * FROM webhook WHERE id = $1");
    let row: Option<Row> = query.bind(id).fetch_optional(target).await?;
    row.map(Webhook::try_from).transpose()
}

async fn delete(tx: &mut Tx, id: i64) -> Result<bool, StoreError> {
    query("DELETE FROM delivery WHERE webhook = $1").bind(id).execute(&mut *tx).await?;
    query("DELETE FROM webhook_secret WHERE webhook = $1").bind(id).execute(&mut *tx).await?;
    let done = query("DELETE FROM webhook WHERE id = $1").bind(id).execute(tx).await?;
    Ok(done.rows_affected() > 0)
}

async fn hand_over(tx: &mut Tx, webhook: i64, source: &str, now: i64) -> Result<bool, StoreError> {
    let row: Option<Row> = query_as("SELECT * FROM webhook WHERE id = $1 AND state = 'active'")
        .bind(webhook)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(hook) = row.map(Webhook::try_from).transpose()? else { return Ok(false) };
    let (waiting, trimmed): (i64, i64) = query_as(
        "SELECT (SELECT count(*) FROM delivery WHERE webhook = $1 AND state = 'waiting'), \
         COALESCE((SELECT value FROM mark WHERE name = 'trimmed'), 0)",
    )
    .bind(webhook)
    .fetch_one(&mut *tx)
    .await?;
    if waiting >= WAITING_MAX {
        return Ok(false);
    }
    let missed = (hook.position < trimmed).then_some(trimmed);
    let rows: Vec<OutboxRow> =
        query_as("SELECT * FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT $2")
            .bind(hook.position)
            .bind(HANDED_MAX)
            .fetch_all(&mut *tx)
            .await?;
    for row in rows.iter().filter(|row| hook.types.is_empty() || hook.types.contains(&row.kind)) {
        queue(tx, webhook, row, source, now).await?;
    }
    let position = rows.last().map_or_else(|| hook.position.max(trimmed), |row| row.sequence);
    query("UPDATE webhook SET position = $2, missed_before = COALESCE($3, missed_before) WHERE id = $1")
        .bind(webhook)
        .bind(position)
        .bind(missed)
        .execute(tx)
        .await?;
    Ok(u32::try_from(rows.len()).is_ok_and(|count| count == HANDED_MAX))
}

async fn queue(
    tx: &mut Tx,
    webhook: i64,
    row: &OutboxRow,
    source: &str,
    now: i64,
) -> Result<i64, StoreError> {
    let envelope = Envelope::of(row, source);
    let insert = query_as(
        "INSERT INTO delivery (webhook, event, type, body, state, made_at, next_at) \
         VALUES ($1, $2, $3, $4, 'waiting', $5, $5) RETURNING id",
    );
    let (id,): (i64,) = insert
        .bind(webhook)
        .bind(&envelope.id)
        .bind(&row.kind)
        .bind(envelope.text())
        .bind(now)
        .fetch_one(tx)
        .await?;
    Ok(id)
}

async fn settle(
    tx: &mut Tx,
    (webhook, delivery): (i64, i64),
    fate: &Fate,
    said: &str,
    now: i64,
) -> Result<(), StoreError> {
    let (state, next) = match fate {
        Fate::Delivered => ("delivered", None),
        Fate::Again(at) => ("waiting", Some(ms(*at))),
        Fate::Dead | Fate::Unsubscribed => ("dead", None),
    };
    query(
        "UPDATE delivery SET state = $3, said = $4, next_at = COALESCE($5, next_at), \
         ended_at = CASE WHEN $5 IS NULL THEN $6 ELSE NULL END WHERE id = $2 AND webhook = $1",
    )
    .bind(webhook)
    .bind(delivery)
    .bind(state)
    .bind(said)
    .bind(next)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if *fate == Fate::Unsubscribed {
        unsubscribe(tx, webhook, now).await?;
    }
    if next.is_some() {
        return Ok(());
    }
    query(
        "DELETE FROM delivery WHERE webhook = $1 AND state = $2 AND id <= (SELECT id FROM delivery \
         WHERE webhook = $1 AND state = $2 ORDER BY id DESC LIMIT 1 OFFSET $3)",
    )
    .bind(webhook)
    .bind(state)
    .bind(KEPT)
    .execute(tx)
    .await?;
    Ok(())
}

async fn unsubscribe(tx: &mut Tx, webhook: i64, now: i64) -> Result<(), StoreError> {
    let waiting = query(
        "UPDATE delivery SET state = 'dead', said = 'it unsubscribed', ended_at = $2 \
         WHERE webhook = $1 AND state = 'waiting'",
    );
    waiting.bind(webhook).bind(now).execute(&mut *tx).await?;
    query("UPDATE webhook SET state = $2 WHERE id = $1").bind(webhook).bind(GONE).execute(tx).await?;
    Ok(())
}
