//! Devices: who is admitted as what, and the columns of the list.

use jiff::Timestamp;
use profile::Identity;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, ms};

/// Quarantined identities kept: each needed a certificate of a trusted CA, so more is an attack or a mistake.
const QUARANTINED_MAX: i64 = 10_000;

/// What an identity must say of itself in Inform. (I-07, P-20)
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Binding {
    pub(crate) oui: String,
    pub(crate) product_class: String,
    pub(crate) serial: String,
}

/// What became of an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is admitted now.
    New,
    /// It was already, with the same binding.
    Same,
    /// It is admitted with another binding; that one stays.
    OtherBinding,
    /// Another identity has this binding; both are left as they are.
    BindingTaken,
}

/// A device as the list shows it.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct DeviceRow {
    pub(crate) identity: String,
    pub(crate) state: String,
    pub(crate) oui: Option<String>,
    pub(crate) product_class: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) claimed: Option<String>,
    pub(crate) first_seen_at: i64,
    pub(crate) last_inform_at: Option<i64>,
    pub(crate) provisioning_since: Option<i64>,
    pub(crate) in_service_at: Option<i64>,
    pub(crate) is_in_service: bool,
    pub(crate) methods: Option<String>,
    pub(crate) tls_version: Option<String>,
    pub(crate) suite: Option<String>,
    pub(crate) software: Option<String>,
    pub(crate) plmn: Option<String>,
    pub(crate) tac: Option<String>,
    pub(crate) pci: Option<String>,
    pub(crate) admin_state: Option<String>,
    pub(crate) op_state: Option<String>,
    pub(crate) rf_tx_status: Option<String>,
}

impl DeviceRow {
    /// The binding, where the device is admitted.
    pub(crate) fn binding(&self) -> Option<Binding> {
        let is_admitted = self.state == "admitted";
        is_admitted.then_some(())?;
        Some(Binding {
            oui: self.oui.clone()?,
            product_class: self.product_class.clone()?,
            serial: self.serial.clone()?,
        })
    }
}

/// What the list repeats of what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) software: Option<String>,
    pub(crate) plmn: Option<String>,
    pub(crate) tac: Option<String>,
    pub(crate) pci: Option<String>,
    pub(crate) admin_state: Option<String>,
    pub(crate) op_state: Option<String>,
    pub(crate) rf_tx_status: Option<String>,
    pub(crate) is_in_service: bool,
}

impl Store {
    /// Admits identities with their bindings, all in one commit.
    pub(crate) async fn admit(
        &self,
        rows: Vec<(Identity, Binding)>,
        now: Timestamp,
    ) -> Result<Vec<Admission>, StoreError> {
        self.writer
            .commit(move |tx| {
                Box::pin(async move {
                    let mut outcomes = Vec::with_capacity(rows.len());
                    for (identity, binding) in rows {
                        outcomes.push(admit(tx, &identity.to_string(), &binding, now).await?);
                    }
                    Ok(outcomes)
                })
            })
            .await
    }

    /// One device.
    pub(crate) async fn device(&self, identity: &str) -> Result<Option<DeviceRow>, StoreError> {
        let query = sqlx::query_as("SELECT * FROM device WHERE identity = $1").bind(identity);
        Ok(query.fetch_optional(&self.reads).await?)
    }

    /// Devices after an identity, in order.
    pub(crate) async fn devices(&self, after: &str, limit: u32) -> Result<Vec<DeviceRow>, StoreError> {
        let query = sqlx::query_as("SELECT * FROM device WHERE identity > $1 ORDER BY identity LIMIT $2");
        Ok(query.bind(after).bind(limit).fetch_all(&self.reads).await?)
    }
}

async fn admit(
    tx: &mut Tx,
    identity: &str,
    binding: &Binding,
    now: Timestamp,
) -> Result<Admission, StoreError> {
    let Binding { oui, product_class, serial } = binding;
    let there: Option<DeviceRow> = sqlx::query_as("SELECT * FROM device WHERE identity = $1")
        .bind(identity)
        .fetch_optional(&mut *tx)
        .await?;
    match there.as_ref().and_then(DeviceRow::binding) {
        Some(bound) if bound == *binding => return Ok(Admission::Same),
        Some(_) => return Ok(Admission::OtherBinding),
        None => {}
    }
    let taken: Option<(String,)> =
        sqlx::query_as("SELECT identity FROM device WHERE oui = $1 AND product_class = $2 AND serial = $3")
            .bind(oui)
            .bind(product_class)
            .bind(serial)
            .fetch_optional(&mut *tx)
            .await?;
    if taken.is_some() {
        return Ok(Admission::BindingTaken);
    }
    sqlx::query(
        "INSERT INTO device (identity, state, oui, product_class, serial, first_seen_at) \
         VALUES ($1, 'admitted', $2, $3, $4, $5) \
         ON CONFLICT (identity) DO UPDATE SET state = 'admitted', oui = excluded.oui, \
         product_class = excluded.product_class, serial = excluded.serial",
    )
    .bind(identity)
    .bind(oui)
    .bind(product_class)
    .bind(serial)
    .bind(ms(now))
    .execute(&mut *tx)
    .await?;
    Ok(Admission::New)
}

/// Remembers that an identity nobody admitted called, and what it claims to be. (S-11)
pub(super) async fn quarantine(
    tx: &mut Tx,
    identity: &str,
    claimed: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO device (identity, state, claimed, first_seen_at, last_inform_at) \
         SELECT $1, 'quarantined', $2, $3, $3 \
         WHERE (SELECT count(*) FROM device WHERE state = 'quarantined') < $4 \
         ON CONFLICT (identity) DO UPDATE SET claimed = excluded.claimed, last_inform_at = excluded.last_inform_at",
    )
    .bind(identity)
    .bind(claimed)
    .bind(now)
    .bind(QUARANTINED_MAX)
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that a device called; `0 BOOTSTRAP` starts its provisioning anew.
pub(super) async fn informed(
    tx: &mut Tx,
    identity: &str,
    now: i64,
    is_bootstrap: bool,
    tls: (&str, &str),
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE device SET last_inform_at = $2, tls_version = $3, suite = $4, \
         provisioning_since = CASE WHEN $5 THEN $2 ELSE COALESCE(provisioning_since, $2) END, \
         in_service_at = CASE WHEN $5 THEN NULL ELSE in_service_at END \
         WHERE identity = $1",
    )
    .bind(identity)
    .bind(now)
    .bind(tls.0)
    .bind(tls.1)
    .bind(is_bootstrap)
    .execute(tx)
    .await?;
    Ok(())
}

/// Repeats what is known in the columns of the list.
pub(super) async fn summarise(
    tx: &mut Tx,
    identity: &str,
    now: i64,
    summary: &Summary,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE device SET software = $2, plmn = $3, tac = $4, pci = $5, admin_state = $6, op_state = $7, \
         rf_tx_status = $8, is_in_service = $9, \
         in_service_at = CASE WHEN $9 <> 0 THEN COALESCE(in_service_at, $10) ELSE in_service_at END \
         WHERE identity = $1",
    )
    .bind(identity)
    .bind(&summary.software)
    .bind(&summary.plmn)
    .bind(&summary.tac)
    .bind(&summary.pci)
    .bind(&summary.admin_state)
    .bind(&summary.op_state)
    .bind(&summary.rf_tx_status)
    .bind(i64::from(summary.is_in_service))
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}
