//! Devices: the columns of the list, and what each session's evidence says of its device.

use sqlx::FromRow;

use super::{Binding, Flag, Opening, Store, StoreError, Tx, ms, outbox, query, query_as};
use crate::{event::Kind, inventory::Place, trust::CellClock};

/// Quarantined identities kept: each needed a certificate of a trusted CA, so more is an attack or a mistake.
const QUARANTINED_MAX: i64 = 10_000;

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
    #[sqlx(try_from = "Flag")]
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
    /// The facts of its certificate as JSON.
    pub(crate) certificate: Option<String>,
    pub(crate) certificate_not_after: Option<i64>,
    /// What its clock said, and when.
    pub(crate) cell_clock: Option<i64>,
    pub(crate) cell_clock_at: Option<i64>,
    pub(crate) downgrades: i64,
    pub(crate) downgraded_at: Option<i64>,
    /// The kind of the suspicion that rests on it.
    pub(crate) suspicion: Option<String>,
    /// Whether another identity was admitted with its DeviceId.
    pub(crate) is_disputed: bool,
    /// Whether a block names its identity.
    pub(crate) is_blocked: bool,
    pub(crate) site: Option<String>,
    /// JSON.
    pub(crate) tags: String,
    /// JSON.
    pub(crate) labels: String,
    /// When its next Inform is overdue.
    pub(crate) due_at: Option<i64>,
}

/// Every device with what stands beside it, and the end of the query.
macro_rules! devices {
    ($end:literal) => {
        concat!(
            "SELECT device.*, suspicion.kind AS suspicion, EXISTS \
             (SELECT 1 FROM dispute WHERE dispute.identity = device.identity) AS is_disputed, EXISTS \
             (SELECT 1 FROM block WHERE kind = 'identity' AND value = device.identity) AS is_blocked \
             FROM device LEFT JOIN suspicion ON suspicion.identity = device.identity ",
            $end
        )
    };
}

pub(super) use devices;

impl DeviceRow {
    /// The binding, where the device is admitted and no other was with the same.
    pub(crate) fn binding(&self) -> Option<Binding> {
        self.bound_to().filter(|_| self.state == "admitted" && !self.is_disputed)
    }

    /// Where it stands and what it is called.
    pub(crate) fn place(&self) -> Result<Place, StoreError> {
        let (tags, labels) = (super::parse("tags", &self.tags)?, super::parse("labels", &self.labels)?);
        Ok(Place { site: self.site.clone(), tags, labels })
    }

    /// What it was admitted as, disputed or not.
    pub(crate) fn bound_to(&self) -> Option<Binding> {
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
    /// Milliseconds until its next Inform is overdue.
    pub(crate) patience: Option<i64>,
}

impl Store {
    /// One device.
    pub(crate) async fn device(&self, identity: &str) -> Result<Option<DeviceRow>, StoreError> {
        let query = query_as(devices!("WHERE device.identity = $1")).bind(identity);
        Ok(query.fetch_optional(&self.reads).await?)
    }

    /// How many devices are admitted.
    pub(crate) async fn count_admitted(&self) -> Result<i64, StoreError> {
        let query = query_as("SELECT count(*) FROM device WHERE state = 'admitted'");
        let (count,): (i64,) = query.fetch_one(&self.reads).await?;
        Ok(count)
    }

    /// How many admitted devices served before.
    pub(crate) async fn count_served(&self) -> Result<i64, StoreError> {
        let query =
            query_as("SELECT count(*) FROM device WHERE state = 'admitted' AND in_service_at IS NOT NULL");
        let (count,): (i64,) = query.fetch_one(&self.reads).await?;
        Ok(count)
    }

    /// Devices whose certificate ends before a time, the nearest end first.
    pub(crate) async fn devices_expiring(
        &self,
        before: i64,
        limit: u32,
    ) -> Result<Vec<DeviceRow>, StoreError> {
        let query = query_as(devices!(
            "WHERE certificate_not_after < $1 ORDER BY certificate_not_after, device.identity LIMIT $2"
        ));
        Ok(query.bind(before).bind(limit).fetch_all(&self.reads).await?)
    }

    /// What is known of the clock of every admitted device.
    pub(crate) async fn cell_clocks(&self) -> Result<Vec<CellClock>, StoreError> {
        let rows: Vec<(String, Option<i64>, Option<i64>)> = query_as(
            "SELECT identity, cell_clock, cell_clock_at FROM device WHERE state = 'admitted' ORDER BY identity",
        )
        .fetch_all(&self.reads)
        .await?;
        let clock = |(identity, clock, said_at): (String, Option<i64>, Option<i64>)| CellClock {
            identity,
            said: clock.map(super::at).zip(said_at.map(super::at)),
        };
        Ok(rows.into_iter().map(clock).collect())
    }
}

/// Remembers that an identity nobody admitted called, and what it claims to be. (S-11)
pub(super) async fn quarantine(
    tx: &mut Tx,
    identity: &str,
    claimed: &str,
    now: i64,
) -> Result<(), StoreError> {
    let seen: Option<(i64,)> = query_as(
        "INSERT INTO device (identity, state, claimed, first_seen_at, last_inform_at) \
         SELECT $1, 'quarantined', $2, $3, $3 \
         WHERE (SELECT count(*) FROM device WHERE state = 'quarantined') < $4 \
         ON CONFLICT (identity) DO UPDATE SET claimed = excluded.claimed, last_inform_at = excluded.last_inform_at \
         RETURNING first_seen_at",
    )
    .bind(identity)
    .bind(claimed)
    .bind(now)
    .bind(QUARANTINED_MAX)
    .fetch_optional(&mut *tx)
    .await?;
    if seen != Some((now,)) {
        return Ok(());
    }
    let claimed: serde_json::Value = serde_json::from_str(claimed).unwrap_or_default();
    let data = serde_json::json!({"claimed": claimed});
    outbox::tell(tx, Kind::DeviceQuarantined, identity, now, &data).await
}

/// Notes that a device called; `0 BOOTSTRAP` starts its provisioning anew.
pub(super) async fn informed(
    tx: &mut Tx,
    identity: &str,
    now: i64,
    is_bootstrap: bool,
    tls: (&str, &str),
) -> Result<(), StoreError> {
    query(
        "UPDATE device SET last_inform_at = $2, tls_version = $3, suite = $4, \
         provisioning_since = CASE WHEN $5 <> 0 THEN $2 ELSE COALESCE(provisioning_since, $2) END, \
         in_service_at = CASE WHEN $5 <> 0 THEN NULL ELSE in_service_at END \
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

/// Whether this device ever spoke a higher version.
pub(super) async fn is_downgrade(tx: &mut Tx, identity: &str, version: &str) -> Result<bool, StoreError> {
    let query = query_as("SELECT count(*) FROM device WHERE identity = $1 AND best_tls > $2");
    let (count,): (i64,) = query.bind(identity).bind(version).fetch_one(tx).await?;
    Ok(count > 0)
}

/// Keeps what a session showed of its device: certificate, clock, and the best version it ever spoke.
pub(super) async fn showed(tx: &mut Tx, opening: &Opening, is_downgrade: bool) -> Result<(), StoreError> {
    let traces = &opening.traces;
    query(
        "UPDATE device SET certificate = $2, certificate_not_after = $3, \
         cell_clock = COALESCE($4, cell_clock), \
         cell_clock_at = CASE WHEN $4 IS NULL THEN cell_clock_at ELSE $5 END, \
         best_tls = CASE WHEN best_tls > $6 THEN best_tls ELSE $6 END, \
         downgrades = downgrades + $7, downgraded_at = CASE WHEN $7 <> 0 THEN $5 ELSE downgraded_at END \
         WHERE identity = $1",
    )
    .bind(&opening.identity)
    .bind(&traces.certificate)
    .bind(opening.tls.as_ref().map(|tls| ms(tls.not_after)))
    .bind(traces.cell_clock.map(ms))
    .bind(ms(opening.at))
    .bind(opening.tls_version())
    .bind(is_downgrade)
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
    let turned: Option<(i64,)> = query_as(
        "UPDATE device SET software = $2, plmn = $3, tac = $4, pci = $5, admin_state = $6, op_state = $7, \
         rf_tx_status = $8, is_in_service = $9, due_at = $10 + $11, \
         in_service_at = CASE WHEN $9 <> 0 THEN COALESCE(in_service_at, $10) ELSE in_service_at END, \
         service_turned = CASE WHEN is_in_service <> $9 THEN 1 ELSE 0 END \
         WHERE identity = $1 RETURNING service_turned",
    )
    .bind(identity)
    .bind(&summary.software)
    .bind(&summary.plmn)
    .bind(&summary.tac)
    .bind(&summary.pci)
    .bind(&summary.admin_state)
    .bind(&summary.op_state)
    .bind(&summary.rf_tx_status)
    .bind(summary.is_in_service)
    .bind(now)
    .bind(summary.patience)
    .fetch_optional(&mut *tx)
    .await?;
    if turned != Some((1,)) {
        return Ok(());
    }
    let kind = if summary.is_in_service { Kind::DeviceInService } else { Kind::DeviceOutOfService };
    let data = serde_json::json!({"admin_state": summary.admin_state, "op_state": summary.op_state});
    outbox::tell(tx, kind, identity, now, &data).await
}
