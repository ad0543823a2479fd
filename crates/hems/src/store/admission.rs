//! Admission: the binding of an identity to its DeviceId, and what stops two identities with one. (decision 7)
//!
//! A DeviceId that is admitted for a second identity stops both: each gets a row in `dispute`, and no session until
//! an operator withdraws one of them. What a cell says of itself never does that; see [`claim`](super::claim).

use std::collections::HashMap;

use jiff::Timestamp;
use profile::Identity;

use super::{Act, Store, StoreError, Tx, built, call, fault, json, ms, outbox, query, query_as, tuples};
use crate::event::Kind;

/// Identities of one list that are told one by one; of a longer one their number is told.
const TOLD_MAX: usize = 16;

/// What an identity must say of itself in Inform. (I-07, P-20)
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Binding {
    pub(crate) oui: String,
    pub(crate) product_class: String,
    pub(crate) serial: String,
}

impl std::fmt::Display for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.oui, self.product_class, self.serial)
    }
}

/// What became of an admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is admitted now.
    New,
    /// It was already, with the same binding.
    Same,
    /// It is admitted with another binding; that one stays.
    OtherBinding(Binding),
    /// These identities have the same binding: all are stopped.
    ClaimedTwice(Vec<String>),
}

impl Admission {
    /// Whether it contradicts what is there.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::OtherBinding(_) | Self::ClaimedTwice(_))
    }
}

impl Store {
    /// Admits identities with their bindings, all in one commit; where `strict`, none if one contradicts.
    pub(crate) async fn admit(
        &self,
        rows: Vec<(Identity, Binding)>,
        strict: bool,
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError> {
        let keep = if strict { is_consistent } else { |_: &[Admission]| true };
        self.writer.commit(move |tx| Box::pin(async move { admit_all(tx, rows, keep, ms(now)).await })).await
    }

    /// What would become of an admission; nothing stays of it.
    pub(crate) async fn rehearse_admission(
        &self,
        rows: Vec<(Identity, Binding)>,
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError> {
        self.writer
            .commit(move |tx| Box::pin(async move { admit_all(tx, rows, |_| false, ms(now)).await }))
            .await
    }

    /// Takes an admission back with the calls that are queued; whether there was one. Whoever alone is left with the
    /// DeviceId is admitted with it.
    pub(crate) async fn withdraw(&self, identity: String, act: Act) -> Result<bool, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { withdraw(tx, &identity, &act).await })).await
    }

    /// The other identities that were admitted with the DeviceId of this one.
    pub(crate) async fn rivals(&self, identity: &str) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = query_as(
            "SELECT other.identity FROM dispute one JOIN dispute other ON other.oui = one.oui \
             AND other.product_class = one.product_class AND other.serial = one.serial \
             WHERE one.identity = $1 AND other.identity <> $1 ORDER BY other.identity",
        )
        .bind(identity)
        .fetch_all(&self.reads)
        .await?;
        Ok(rows.into_iter().map(|(identity,)| identity).collect())
    }
}

fn is_consistent(outcomes: &[Admission]) -> bool {
    !outcomes.iter().any(Admission::is_conflict)
}

async fn admit_all(
    tx: &mut Tx,
    rows: Vec<(Identity, Binding)>,
    keep: fn(&[Admission]) -> bool,
    now: i64,
) -> Result<Vec<Admission>, StoreError> {
    query("SAVEPOINT trial").execute(&mut *tx).await?;
    let mut outcomes = Vec::with_capacity(rows.len());
    for some in rows.chunks(TOGETHER) {
        let mut new = bind_new(tx, some, now).await?;
        for (identity, binding) in some {
            // Who stands there twice is new once.
            let is_new =
                new.get(identity.as_str()) == Some(binding) && new.remove(identity.as_str()).is_some();
            outcomes.push(if is_new {
                Admission::New
            } else {
                admit(tx, identity.as_str(), binding, now).await?
            });
        }
    }
    if keep(&outcomes) {
        let new = rows.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Admission::New);
        tell(tx, new.map(|(row, _)| row).collect(), now).await?;
    } else {
        query("ROLLBACK TO SAVEPOINT trial").execute(&mut *tx).await?;
    }
    query("RELEASE SAVEPOINT trial").execute(&mut *tx).await?;
    Ok(outcomes)
}

async fn tell(tx: &mut Tx, new: Vec<&(Identity, Binding)>, now: i64) -> Result<(), StoreError> {
    if new.len() > TOLD_MAX {
        let data = serde_json::json!({"count": new.len()});
        return outbox::tell(tx, Kind::ListAdmitted, "", now, &data).await;
    }
    for (identity, binding) in new {
        let data = serde_json::to_value(binding).unwrap_or_default();
        outbox::tell(tx, Kind::DeviceAdmitted, identity.as_str(), now, &data).await?;
    }
    Ok(())
}

/// Rows that one statement admits: it is bounded by what it may have of arguments.
const TOGETHER: usize = 500;

/// Admits at once those whom nobody knows, with DeviceIds that nobody has or claims; gives who they are. Whoever is
/// left has a row already, or the DeviceId of somebody, and is looked at alone.
async fn bind_new(
    tx: &mut Tx,
    rows: &[(Identity, Binding)],
    now: i64,
) -> Result<HashMap<String, Binding>, StoreError> {
    let sql = format!(
        "INSERT INTO device (identity, state, oui, product_class, serial, first_seen_at) \
         SELECT column1, 'admitted', column2, column3, column4, $1 FROM (VALUES {}) AS list \
         WHERE NOT EXISTS (SELECT 1 FROM dispute WHERE oui = column2 AND product_class = column3 AND serial = column4) \
         ON CONFLICT DO NOTHING RETURNING identity, oui, product_class, serial",
        tuples(rows.len(), "", 2, 4)
    );
    let query = rows.iter().fold(built(sql).bind(now), |query, (identity, binding)| {
        let query = query.bind(identity.as_str()).bind(&binding.oui);
        query.bind(&binding.product_class).bind(&binding.serial)
    });
    let new: Vec<(String, String, String, String)> = query.fetch_all(tx).await?;
    let bound = |(identity, oui, product_class, serial)| (identity, Binding { oui, product_class, serial });
    Ok(new.into_iter().map(bound).collect())
}

async fn admit(tx: &mut Tx, identity: &str, binding: &Binding, now: i64) -> Result<Admission, StoreError> {
    let rivals = rivals(tx, identity, binding).await?;
    match bound(tx, identity).await? {
        Some(bound) if bound != *binding => return Ok(Admission::OtherBinding(bound)),
        Some(_) if rivals.is_empty() => return Ok(Admission::Same),
        Some(_) | None => {}
    }
    if rivals.is_empty() {
        bind(tx, identity, binding, now).await?;
        return Ok(Admission::New);
    }
    quarantine(tx, identity, binding, now).await?;
    for one in rivals.iter().map(String::as_str).chain([identity]) {
        dispute(tx, one, binding, now).await?;
    }
    Ok(Admission::ClaimedTwice(rivals))
}

async fn bound(tx: &mut Tx, identity: &str) -> Result<Option<Binding>, StoreError> {
    let row: Option<(String, String, String)> =
        query_as("SELECT oui, product_class, serial FROM device WHERE identity = $1 AND state = 'admitted'")
            .bind(identity)
            .fetch_optional(tx)
            .await?;
    Ok(row.map(|(oui, product_class, serial)| Binding { oui, product_class, serial }))
}

/// Who else has this binding, or claims it.
async fn rivals(tx: &mut Tx, identity: &str, binding: &Binding) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = query_as(
        "SELECT identity FROM device WHERE oui = $2 AND product_class = $3 AND serial = $4 AND identity <> $1 \
         UNION SELECT identity FROM dispute WHERE oui = $2 AND product_class = $3 AND serial = $4 AND identity <> $1",
    )
    .bind(identity)
    .bind(&binding.oui)
    .bind(&binding.product_class)
    .bind(&binding.serial)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(identity,)| identity).collect())
}

async fn bind(tx: &mut Tx, identity: &str, binding: &Binding, now: i64) -> Result<(), StoreError> {
    query(
        "INSERT INTO device (identity, state, oui, product_class, serial, first_seen_at) \
         VALUES ($1, 'admitted', $2, $3, $4, $5) \
         ON CONFLICT (identity) DO UPDATE SET state = 'admitted', oui = excluded.oui, \
         product_class = excluded.product_class, serial = excluded.serial",
    )
    .bind(identity)
    .bind(&binding.oui)
    .bind(&binding.product_class)
    .bind(&binding.serial)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// A claimant that was not admitted yet is seen, with what was claimed for it.
async fn quarantine(tx: &mut Tx, identity: &str, binding: &Binding, now: i64) -> Result<(), StoreError> {
    query(
        "INSERT INTO device (identity, state, claimed, first_seen_at) VALUES ($1, 'quarantined', $2, $3) \
         ON CONFLICT (identity) DO NOTHING",
    )
    .bind(identity)
    .bind(json(binding))
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

async fn dispute(tx: &mut Tx, identity: &str, binding: &Binding, now: i64) -> Result<(), StoreError> {
    query(
        "INSERT INTO dispute (oui, product_class, serial, identity, at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (identity) DO UPDATE SET oui = excluded.oui, product_class = excluded.product_class, \
         serial = excluded.serial",
    )
    .bind(&binding.oui)
    .bind(&binding.product_class)
    .bind(&binding.serial)
    .bind(identity)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

async fn withdraw(tx: &mut Tx, identity: &str, act: &Act) -> Result<bool, StoreError> {
    let now = ms(act.at);
    let disputed: Option<(String, String, String)> =
        query_as("DELETE FROM dispute WHERE identity = $1 RETURNING oui, product_class, serial")
            .bind(identity)
            .fetch_optional(&mut *tx)
            .await?;
    let unbound = query(
        "UPDATE device SET state = 'quarantined', oui = NULL, product_class = NULL, serial = NULL, \
         is_in_service = 0 WHERE identity = $1 AND state = 'admitted'",
    )
    .bind(identity)
    .execute(&mut *tx)
    .await?;
    let is_there = disputed.is_some() || unbound.rows_affected() > 0;
    if is_there {
        fault::forget(tx, identity).await?;
        call::cancel_all(tx, identity, &act.author, now).await?;
        outbox::tell(tx, Kind::DeviceWithdrawn, identity, now, &serde_json::json!({})).await?;
    }
    if let Some((oui, product_class, serial)) = disputed {
        settle(tx, &Binding { oui, product_class, serial }, now).await?;
    }
    Ok(is_there)
}

/// A DeviceId with one claimant is no dispute any more.
async fn settle(tx: &mut Tx, binding: &Binding, now: i64) -> Result<(), StoreError> {
    let left = rivals(tx, "", binding).await?;
    let [only] = left.as_slice() else { return Ok(()) };
    query("DELETE FROM dispute WHERE identity = $1").bind(only).execute(&mut *tx).await?;
    if bound(tx, only).await?.is_none() {
        bind(tx, only, binding, now).await?;
    }
    Ok(())
}
