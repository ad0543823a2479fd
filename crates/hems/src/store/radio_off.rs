//! Emergencies: which devices go off the air whatever else is desired, and which were seen to be.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{
    Act, Condition, Edited, Store, StoreError, Tag, Tx, built, link::Target, ms, outbox, query, query_as,
    sql::Query, tuples,
};
use crate::event::Kind;

/// Devices named by one statement.
const TOGETHER: usize = 500;

/// An emergency with how far it is.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct EmergencyRow {
    pub(crate) id: i64,
    pub(crate) filter: String,
    pub(crate) author: String,
    pub(crate) reason: String,
    pub(crate) at: i64,
    pub(crate) lifted_by: Option<String>,
    pub(crate) lifted_at: Option<i64>,
    /// When its last device was named.
    pub(crate) listed_at: Option<i64>,
    pub(crate) devices: i64,
    pub(crate) off: i64,
}

/// A device that an emergency concerns.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ShutRow {
    pub(crate) identity: String,
    pub(crate) off_at: Option<i64>,
}

macro_rules! emergencies {
    ($end:literal) => {
        concat!(
            "SELECT e.*, (SELECT count(*) FROM radio_off_device d WHERE d.emergency = e.id) AS devices, \
             (SELECT count(*) FROM radio_off_device d WHERE d.emergency = e.id AND d.off_at IS NOT NULL) AS off \
             FROM radio_off e ",
            $end
        )
    };
}

impl Store {
    /// Orders it for nobody yet; [`shut`](Self::shut) names the devices, and [`listed`](Self::listed) says that these
    /// are all.
    pub(crate) async fn order_radio_off(&self, filter: String, act: Act) -> Result<i64, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let query = query_as(
                        "INSERT INTO radio_off (filter, author, reason, at) VALUES ($1, $2, $3, $4) RETURNING id",
                    );
                    let query = query.bind(&filter).bind(&act.author).bind(&act.reason).bind(ms(act.at));
                    let (id,): (i64,) = query.fetch_one(&mut *tx).await?;
                    let data =
                        serde_json::json!({"filter": filter, "author": act.author, "reason": act.reason});
                    outbox::tell(tx, Kind::RadioOffOrdered, &id.to_string(), ms(act.at), &data).await?;
                    Ok(id)
                })
            })
            .await
    }

    /// Names devices that it concerns. One that has a name there keeps it.
    pub(crate) async fn shut(&self, emergency: i64, identities: Vec<String>) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    for some in identities.chunks(TOGETHER) {
                        let sql = format!(
                            "INSERT INTO radio_off_device (emergency, identity) VALUES {} ON CONFLICT DO NOTHING",
                            tuples(some.len(), "$1", 2, 1)
                        );
                        let query = built::<()>(sql).bind(emergency);
                        some.iter().fold(query, Query::bind).execute(&mut *tx).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Says that every device that it concerns is named.
    pub(crate) async fn listed(&self, emergency: i64, now: Timestamp) -> Result<(), StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let query = query("UPDATE radio_off SET listed_at = $2 WHERE id = $1");
                    query.bind(emergency).bind(ms(now)).execute(tx).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Lifts it; whether it still stood.
    pub(crate) async fn lift_radio_off(
        &self,
        id: i64,
        act: Act,
        condition: Condition,
    ) -> Result<bool, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    condition.check(found(&mut *tx, id).await?.as_ref())?;
                    let query = query(
                        "UPDATE radio_off SET lifted_by = $2, lifted_at = $3 WHERE id = $1 AND lifted_at IS NULL",
                    );
                    let query = query.bind(id).bind(&act.author).bind(ms(act.at));
                    let lifted = query.execute(&mut *tx).await?.rows_affected() > 0;
                    if lifted {
                        let data = serde_json::json!({"author": act.author});
                        outbox::tell(tx, Kind::RadioOffLifted, &id.to_string(), ms(act.at), &data).await?;
                    }
                    Ok(lifted)
                })
            })
            .await
    }

    /// The emergencies, the newest first.
    pub(crate) async fn emergencies(&self, limit: u32) -> Result<Vec<EmergencyRow>, StoreError> {
        let query = query_as(emergencies!("ORDER BY e.id DESC LIMIT $1"));
        Ok(query.bind(limit).fetch_all(&self.reads).await?)
    }

    /// One of them.
    pub(crate) async fn emergency(&self, id: i64) -> Result<Option<EmergencyRow>, StoreError> {
        found(&self.reads, id).await
    }

    /// The devices of an emergency after an identity, those on the air or those seen off it.
    pub(crate) async fn shut_devices(
        &self,
        emergency: i64,
        is_off: bool,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ShutRow>, StoreError> {
        let query = query_as(
            "SELECT identity, off_at FROM radio_off_device WHERE emergency = $1 AND identity > $3 \
             AND ($2 = 1 AND off_at IS NOT NULL OR $2 = 0 AND off_at IS NULL) ORDER BY identity LIMIT $4",
        );
        Ok(query.bind(emergency).bind(is_off).bind(after).bind(limit).fetch_all(&self.reads).await?)
    }
}

impl Edited for EmergencyRow {
    fn tag(&self) -> Tag {
        Tag::of((&self.lifted_by, self.lifted_at))
    }
}

async fn found(target: impl Target, id: i64) -> Result<Option<EmergencyRow>, StoreError> {
    let query = query_as(emergencies!("WHERE e.id = $1"));
    Ok(query.bind(id).fetch_optional(target).await?)
}

/// A device was seen off the air by a session that began after the order.
pub(super) async fn seen_off(tx: &mut Tx, identity: &str, now: i64) -> Result<(), StoreError> {
    query("UPDATE radio_off_device SET off_at = $2 WHERE identity = $1 AND off_at IS NULL")
        .bind(identity)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}
