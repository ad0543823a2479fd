//! An action for many devices: a change whose devices are listed when it is ordered, each of which is asked once.
//!
//! ```text
//!  preparing ─▶ devices listed ─▶ waiting | running ─▶ a device calls ─▶ released, and its call queued, in one commit
//! ```

use cwmp::CpeMethod;
use jiff::Timestamp;

use super::{ChangeError, ChangeRow, end, find, forget_old, release, tell};
use crate::{
    call,
    change::{Bounds, Outcome, State},
    event::Kind,
    radio,
    store::{
        Act, Keyed, NewCall, Store, StoreError, Tx, at, built, link::Target, ms, query, query_as, template,
        tuples,
    },
    template::Wanted,
};

/// Devices listed by one statement.
const TOGETHER: usize = 500;

/// An action to order.
#[derive(Clone, Debug)]
pub(crate) struct NewAction {
    /// As it was typed, as JSON.
    pub(crate) action: String,
    pub(crate) filter: String,
    /// The method's name, or what the plan does.
    pub(crate) method: String,
    /// The method as JSON; nothing where the plan does it.
    pub(crate) body: String,
    /// What its change is called.
    pub(crate) name: String,
    /// By which the same request is known when it comes again.
    pub(crate) key: Option<String>,
    pub(crate) fleet: i64,
    pub(crate) days: i64,
    pub(crate) act: Act,
}

impl Store {
    /// The action that came with a key before, where the request is the same.
    pub(crate) async fn ordered_before(
        &self,
        key: &Option<String>,
        request: (&str, &str),
    ) -> Result<Result<Option<ChangeRow>, ChangeError>, StoreError> {
        before(&self.reads, key, request).await
    }

    /// Orders an action for nobody yet. The one that came with the same key, where there is one, is not prepared again.
    pub(crate) async fn prepare_action(
        &self,
        new: NewAction,
    ) -> Result<Result<ChangeRow, ChangeError>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { prepare(tx, &new).await })).await
    }

    /// Lists devices of an action, each once, while it is prepared.
    pub(crate) async fn list_for_action(&self, id: i64, identities: Vec<String>) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let change = find(tx, id).await?;
                    if change.is_none_or(|change| change.state() != State::Preparing) {
                        return Ok(());
                    }
                    for some in identities.chunks(TOGETHER) {
                        let rows = tuples(some.len(), "$1", 2, 1);
                        let sql = format!(
                            "INSERT INTO change_device (change, identity) VALUES {rows} ON CONFLICT DO NOTHING"
                        );
                        let query = some.iter().fold(built::<()>(sql).bind(id), |query, one| query.bind(one));
                        query.execute(&mut *tx).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Lets an action run whose devices are listed, or wait for a second person. One that does so stays as it is.
    pub(crate) async fn begin_action(
        &self,
        id: i64,
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<Result<ChangeRow, ChangeError>, StoreError> {
        self.writer.commit(move |tx| Box::pin(async move { begin(tx, id, &bounds, ms(now)).await })).await
    }

    /// Releases a device to an action where that is allowed, and queues what it is asked; whether it was.
    pub(crate) async fn release_to_action(
        &self,
        id: i64,
        identity: String,
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| Box::pin(async move { ask(tx, id, &identity, &bounds, ms(now)).await }))
            .await
    }
}

/// What came with a key before, of the same action for the same filter.
async fn before(
    target: impl Target,
    key: &Option<String>,
    (action, filter): (&str, &str),
) -> Result<Result<Option<ChangeRow>, ChangeError>, StoreError> {
    let query = query_as("SELECT * FROM change WHERE idempotency_key = $1");
    let row: Option<ChangeRow> = query.bind(key).fetch_optional(target).await?;
    let is_same =
        |row: &ChangeRow| row.action.as_deref() == Some(action) && row.filter.as_deref() == Some(filter);
    let is_other = row.as_ref().is_some_and(|row| !is_same(row));
    Ok(if is_other { Err(ChangeError::OtherRequest) } else { Ok(row) })
}

async fn prepare(tx: &mut Tx, new: &NewAction) -> Result<Result<ChangeRow, ChangeError>, StoreError> {
    if let Some(before) = before(&mut *tx, &new.key, (&new.action, &new.filter)).await?.transpose() {
        return Ok(before);
    }
    let (id,): (i64,) = query_as(
        "INSERT INTO change (name, from_version, to_version, state, author, reason, at, fleet, matched, days, \
         asked_at, action, filter, method, body, idempotency_key) \
         VALUES ($1, 0, 0, 'preparing', $2, $3, $4, $5, 0, $6, $4, $7, $8, $9, $10, $11) RETURNING id",
    )
    .bind(&new.name)
    .bind(&new.act.author)
    .bind(&new.act.reason)
    .bind(ms(new.act.at))
    .bind(new.fleet)
    .bind(new.days)
    .bind(&new.action)
    .bind(&new.filter)
    .bind(&new.method)
    .bind(&new.body)
    .bind(&new.key)
    .fetch_one(&mut *tx)
    .await?;
    forget_old(tx, ms(new.act.at)).await?;
    Ok(find(tx, id).await?.ok_or(ChangeError::NoChange))
}

async fn begin(
    tx: &mut Tx,
    id: i64,
    bounds: &Bounds,
    now: i64,
) -> Result<Result<ChangeRow, ChangeError>, StoreError> {
    let Some(change) = find(tx, id).await? else { return Ok(Err(ChangeError::NoChange)) };
    match change.state() {
        State::Preparing => {}
        // The same request came twice, and the other one was faster.
        State::Waiting | State::Running | State::Stopped => return Ok(Ok(change)),
        state @ (State::Done | State::Withdrawn) => return Ok(Err(ChangeError::State(state.name()))),
    }
    let query_count = query_as("SELECT count(*) FROM change_device WHERE change = $1");
    let (matched,): (i64,) = query_count.bind(id).fetch_one(&mut *tx).await?;
    let state = if change.is_harmless() && matched > 0 { State::Running } else { bounds.begin(matched) };
    query("UPDATE change SET matched = $2, state = $3, asked_at = $4 WHERE id = $1")
        .bind(id)
        .bind(matched)
        .bind(state.name())
        .bind(now)
        .execute(&mut *tx)
        .await?;
    tell(tx, id, Kind::ChangeBegun, now).await?;
    if state == State::Done {
        end(tx, id, state, None, now).await?;
    }
    Ok(find(tx, id).await?.ok_or(ChangeError::NoChange))
}

async fn ask(tx: &mut Tx, id: i64, identity: &str, bounds: &Bounds, now: i64) -> Result<bool, StoreError> {
    let Some(change) = find(tx, id).await? else { return Ok(false) };
    let is_listed = query_as("SELECT change FROM change_device WHERE identity = $1 AND change = $2");
    let listed: Option<(i64,)> = is_listed.bind(identity).bind(id).fetch_optional(&mut *tx).await?;
    if listed.is_none() || change.state() != State::Running {
        return Ok(false);
    }
    if !change.is_harmless() && !release::release(tx, id, identity, bounds, now).await? {
        return Ok(false);
    }
    query("DELETE FROM change_device WHERE identity = $1 AND change = $2")
        .bind(identity)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    if let Some(wanted) = call::wanted_state(change.method.as_deref().unwrap_or_default()) {
        let act = Act { author: change.author.clone(), reason: change.name.clone(), at: at(now) };
        template::want(tx, identity, (radio::ADMIN_STATE, Wanted::Boolean(wanted)), &act).await?;
    }
    let is_queued = queue(tx, &change, identity, now).await?;
    if change.is_harmless() {
        let outcome = if is_queued { Outcome::Fine } else { Outcome::Faulted };
        query("UPDATE change SET released = released + 1 WHERE id = $1").bind(id).execute(&mut *tx).await?;
        release::count(tx, id, outcome, bounds, now).await?;
    } else if !is_queued {
        release::settle(tx, identity, Outcome::Faulted, bounds, now).await?;
    }
    Ok(is_queued)
}

/// Queues the call; whether there was room for it.
async fn queue(tx: &mut Tx, change: &ChangeRow, identity: &str, now: i64) -> Result<bool, StoreError> {
    let body = change.body.clone().unwrap_or_default();
    let mut method: Option<CpeMethod> = serde_json::from_str(&body).ok();
    let command_key = method.as_mut().and_then(call::command_key).map(|key| key.to_string());
    let call = NewCall {
        identity: identity.to_owned(),
        method: change.method.clone().unwrap_or_default(),
        command_key: command_key.unwrap_or_default(),
        body,
        author: change.author.clone(),
        action: change.action.clone(),
        url: None,
        key: Some(Keyed { key: change.name.clone(), request: change.action.clone().unwrap_or_default() }),
        spends: None,
        wakes: false,
        at: at(now),
    };
    Ok(crate::store::call::queue(tx, &call).await?.is_ok())
}

/// Nobody of an action's list is asked any more.
pub(super) async fn strike(tx: &mut Tx, id: i64) -> Result<(), StoreError> {
    query("DELETE FROM change_device WHERE change = $1").bind(id).execute(tx).await?;
    Ok(())
}
