//! Devices: the columns of the list, and what each session's evidence says of its device.

use sqlx::FromRow;

use super::{
    Binding, Flag, Lesson, Opening, Store, StoreError, Tx, built, json, ms, outbox, query_as,
    sql::{Query, Value},
};
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
    /// The highest version that it ever spoke.
    pub(crate) best_tls: Option<String>,
    pub(crate) downgrades: i64,
    pub(crate) downgraded_at: Option<i64>,
    /// The kind of the suspicion that rests on it.
    pub(crate) suspicion: Option<String>,
    /// Whether another identity was admitted with its DeviceId.
    pub(crate) is_disputed: bool,
    /// Whether a block names its identity.
    pub(crate) is_blocked: bool,
    /// Whether a step failed so often that it is not tried any more.
    pub(crate) has_dead_letter: bool,
    pub(crate) site: Option<String>,
    /// JSON.
    pub(crate) tags: String,
    /// JSON.
    pub(crate) labels: String,
    /// When its next Inform is overdue.
    pub(crate) due_at: Option<i64>,
    /// How many sessions it ever had.
    pub(crate) sessions: i64,
}

/// Every device with what stands beside it, perhaps more columns, and the end of the query.
macro_rules! devices {
    ($end:literal) => {
        devices!("", $end)
    };
    ($columns:expr, $end:literal) => {
        concat!(
            "SELECT device.*, suspicion.kind AS suspicion, EXISTS \
             (SELECT 1 FROM dispute WHERE dispute.identity = device.identity) AS is_disputed, EXISTS \
             (SELECT 1 FROM block WHERE kind = 'identity' AND value = device.identity) AS is_blocked, EXISTS \
             (SELECT 1 FROM fault WHERE fault.identity = device.identity AND next_at IS NULL) AS has_dead_letter",
            $columns,
            " FROM device LEFT JOIN suspicion ON suspicion.identity = device.identity ",
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
}

impl From<&DeviceRow> for Summary {
    fn from(row: &DeviceRow) -> Self {
        Self {
            software: row.software.clone(),
            plmn: row.plmn.clone(),
            tac: row.tac.clone(),
            pci: row.pci.clone(),
            admin_state: row.admin_state.clone(),
            op_state: row.op_state.clone(),
            rf_tx_status: row.rf_tx_status.clone(),
            is_in_service: row.is_in_service,
        }
    }
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

/// What a commit changes of a device's row: what stays is not written, and its indexes are left alone.
#[derive(Default)]
pub(super) struct Revision<'q> {
    sets: Vec<String>,
    values: Vec<Value<'q>>,
}

impl<'q> Revision<'q> {
    /// Gives a column a value.
    fn put(&mut self, column: &'static str, value: impl Into<Value<'q>>) {
        self.put_in(column, "", value, "");
    }

    /// Gives a column an expression around a value.
    fn put_in(&mut self, column: &'static str, before: &str, value: impl Into<Value<'q>>, after: &str) {
        self.values.push(value.into());
        self.sets.push(format!("{column} = {before}${}{after}", self.values.len()));
    }

    /// Counts one more.
    pub(super) fn count(&mut self, column: &'static str) {
        self.sets.push(format!("{column} = {column} + 1"));
    }

    /// What the Inform and its connection say, against what stands there.
    pub(super) fn of_opening(opening: &'q Opening) -> Self {
        let (mut row, now, was) = (Self::default(), ms(opening.at), opening.stored.as_deref());
        row.put("last_inform_at", now);
        row.count("sessions");
        if opening.is_bootstrap || was.is_none_or(|was| was.provisioning_since.is_none()) {
            row.put("provisioning_since", now);
        }
        if opening.is_bootstrap {
            row.put("in_service_at", None::<i64>);
        }
        row.showed(opening, was);
        row
    }

    /// What TLS and the cell's clock showed, and the best version it ever spoke.
    fn showed(&mut self, opening: &'q Opening, was: Option<&DeviceRow>) {
        let (traces, version) = (&opening.traces, opening.tls_version());
        let is_other = |stored: fn(&DeviceRow) -> &Option<String>, text: &str| {
            was.is_none_or(|was| stored(was).as_deref() != Some(text))
        };
        if is_other(|was| &was.tls_version, version) || is_other(|was| &was.suite, opening.suite()) {
            self.put("tls_version", version);
            self.put("suite", opening.suite());
        }
        if is_other(|was| &was.certificate, &traces.certificate) {
            self.put("certificate", &traces.certificate);
            self.put("certificate_not_after", opening.tls.as_ref().map(|tls| ms(tls.not_after)));
        }
        if let Some(clock) = traces.cell_clock {
            self.put("cell_clock", ms(clock));
            self.put("cell_clock_at", ms(opening.at));
        }
        if opening.is_downgrade() {
            self.count("downgrades");
            self.put("downgraded_at", ms(opening.at));
        } else if is_other(|was| &was.best_tls, version) {
            self.put("best_tls", version);
        }
    }

    /// What was learned of the device, as far as the list repeats it.
    pub(super) fn learn(&mut self, lesson: &'q Lesson, now: i64) {
        if let Some(methods) = &lesson.methods {
            self.put("methods", methods.as_deref().map(json));
        }
        if let Some(summary) = &lesson.summary {
            self.summarise(summary, now);
        }
        if !lesson.history.is_empty() {
            self.count("changes");
        }
    }

    fn summarise(&mut self, summary: &'q Summary, now: i64) {
        self.put("software", &summary.software);
        self.put("plmn", &summary.plmn);
        self.put("tac", &summary.tac);
        self.put("pci", &summary.pci);
        self.put("admin_state", &summary.admin_state);
        self.put("op_state", &summary.op_state);
        self.put("rf_tx_status", &summary.rf_tx_status);
        self.put("is_in_service", summary.is_in_service);
        if summary.is_in_service {
            self.put_in("in_service_at", "COALESCE(in_service_at, ", now, ")");
        }
    }

    /// When its next Inform is overdue, counted from this one.
    pub(super) fn expect(&mut self, informed_at: Option<i64>, patience: Option<i64>) {
        match informed_at {
            Some(at) => self.put("due_at", patience.map(|patience| at + patience)),
            None => self.put_in("due_at", "last_inform_at + ", patience, ""),
        }
    }

    /// The statement that writes it; nothing where nothing is new.
    pub(super) fn query(self, identity: &'q str) -> Option<Query<'q, ()>> {
        let place = self.values.len() + 1;
        let sql = format!("UPDATE device SET {} WHERE identity = ${place}", self.sets.join(", "));
        let query = self.values.into_iter().fold(built(sql), Query::bind);
        (!self.sets.is_empty()).then(|| query.bind(identity))
    }
}
