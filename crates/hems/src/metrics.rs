//! What `/metrics` shows: one table of metrics, in the classic text of Prometheus.
//!
//! Labels are names of ours or of the standard, so that there are few. No label and no value tells who a cell is.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use profile::{Evidence, Refusal};
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result,
    TextEncoder,
};

use crate::{
    alarm::Severity,
    store::{Fate, Store, StoreError},
};

/// How old the count of devices may be: it walks an index of a million rows.
const COUNT_AGE: Duration = Duration::from_secs(60);
/// Seconds of a session: from one exchange on a good line to the longest that a session may last.
const SESSION_SECONDS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Seconds until a certificate ends: a day, a week, a month, a quarter, a year, five, twenty.
const CERTIFICATE_SECONDS: [f64; 8] =
    [0.0, 86_400.0, 604_800.0, 2_592_000.0, 7_776_000.0, 31_536_000.0, 157_680_000.0, 630_720_000.0];
/// Fault codes that are told apart, the ACS's and the CPE's; others are `other`. (TR-069 A.5)
const FAULTS_TOLD: [std::ops::RangeInclusive<u32>; 2] = [8000..=8006, 9000..=9032];

/// Every metric; clones share them.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    sessions: IntCounterVec,
    session_seconds: Histogram,
    rpc: IntCounterVec,
    informs: IntCounterVec,
    handshakes: IntCounterVec,
    certificates: Histogram,
    deliveries: IntCounterVec,
    knocks: IntCounterVec,
    requests: IntCounterVec,
    too_many: IntCounterVec,
    devices: IntGaugeVec,
    alarms: IntGaugeVec,
    is_store_up: IntGauge,
    lag: Gauge,
    connections: IntGaugeVec,
    counted: std::sync::Arc<Mutex<Option<Instant>>>,
}

impl Default for Metrics {
    #[expect(clippy::expect_used, reason = "the names are ours, and a test makes them all")]
    fn default() -> Self {
        Self::new().expect("every metric has a name of its own")
    }
}

impl Metrics {
    fn new() -> Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| counter(&registry, name, help, labels);
        let gauge = |name: &str, help: &str, labels: &[&str]| gauge(&registry, name, help, labels);
        let histogram = |name: &str, help: &str, buckets: &[f64]| histogram(&registry, name, help, buckets);
        let (lag, is_store_up) = singles(&registry)?;
        gauge("hems_build_info", "The software that runs.", &["version", "engine"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION"), profile::engine()])
            .set(1);
        Ok(Self {
            sessions: counter("hems_cwmp_sessions_total", "Sessions that ended, by outcome.", &["result"])?,
            session_seconds: histogram(
                "hems_cwmp_session_duration_seconds",
                "How long sessions lasted.",
                &SESSION_SECONDS,
            )?,
            rpc: counter(
                "hems_cwmp_rpc_total",
                "Calls that were answered; in: the cell's, out: ours.",
                &["rpc", "direction", "fault_code"],
            )?,
            informs: counter("hems_inform_total", "Events of Informs.", &["event"])?,
            handshakes: counter(
                "hems_tls_handshake_total",
                "Connections that got an identity, or why they got none.",
                &["result", "version", "cipher"],
            )?,
            certificates: histogram(
                "hems_tls_client_cert_not_after_seconds",
                "Time until the certificates end that cells connected with.",
                &CERTIFICATE_SECONDS,
            )?,
            deliveries: counter(
                "hems_webhook_deliveries_total",
                "Attempts to deliver an event.",
                &["result"],
            )?,
            knocks: counter("hems_connection_requests_total", "Connection Requests.", &["result"])?,
            requests: counter(
                "hems_api_requests_total",
                "Requests to the API, by operation and the first digit of the status.",
                &["operation", "method", "status"],
            )?,
            too_many: counter("hems_api_too_many_requests_total", "Answers of 429.", &["operation"])?,
            devices: gauge("hems_devices", "Devices, counted once a minute.", &["state"])?,
            alarms: gauge("hems_alarms_active", "Alarms that stand.", &["severity"])?,
            connections: gauge(
                "hems_db_pool_connections",
                "Connections that read from the database.",
                &["state"],
            )?,
            is_store_up,
            lag,
            registry,
            counted: std::sync::Arc::default(),
        })
    }

    /// A session ended.
    pub(crate) fn session(&self, result: &str, lasted: Duration) {
        self.sessions.with_label_values(&[result]).inc();
        self.session_seconds.observe(lasted.as_secs_f64());
    }

    /// A call of the cell was answered.
    pub(crate) fn heard(&self, rpc: &str, fault: Option<u32>) {
        self.rpc.with_label_values(&[rpc, "in", &code(fault)]).inc();
    }

    /// A call of ours was answered.
    pub(crate) fn called(&self, rpc: &str, fault: Option<u32>) {
        self.rpc.with_label_values(&[rpc, "out", &code(fault)]).inc();
    }

    /// An Inform had this event.
    pub(crate) fn informed(&self, event: &cwmp::EventCode) {
        let is_known = cwmp::EventCode::all().contains(event);
        self.informs.with_label_values(&[if is_known { event.as_str() } else { "other" }]).inc();
    }

    /// A connection got an identity.
    pub(crate) fn accepted(&self, evidence: Option<&Evidence>, now: jiff::Timestamp) {
        let Some(evidence) = evidence else {
            self.handshakes.with_label_values(&["accepted", "none", "none"]).inc();
            return;
        };
        self.handshakes.with_label_values(&["accepted", evidence.tls_version, evidence.suite]).inc();
        self.certificates.observe(evidence.certificate.not_after.duration_since(now).as_secs_f64());
    }

    /// A connection was refused.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.handshakes.with_label_values(&[refusal.reason.code(), "none", "none"]).inc();
    }

    /// An event was posted.
    pub(crate) fn delivered(&self, fate: &Fate) {
        let result = match fate {
            Fate::Delivered => "delivered",
            Fate::Again(_) => "again",
            Fate::Dead => "dead",
            Fate::Unsubscribed => "unsubscribed",
        };
        self.deliveries.with_label_values(&[result]).inc();
    }

    /// A device was asked for a session, or could not be.
    pub(crate) fn knocked(&self, result: &str) {
        self.knocks.with_label_values(&[result]).inc();
    }

    /// The API was asked for an operation of its table, or for none of them.
    pub(crate) fn asked(&self, operation: &str, method: &str, status: u16) {
        let class = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        self.requests.with_label_values(&[operation, method, class]).inc();
        if status == 429 {
            self.too_many.with_label_values(&[operation]).inc();
        }
    }

    /// Takes in what the store says now.
    pub(crate) async fn ask(
        &self,
        store: &Store,
        lag: impl Future<Output = std::result::Result<Duration, StoreError>>,
    ) -> std::result::Result<(), StoreError> {
        let is_old = |at: Option<Instant>| at.is_none_or(|at| at.elapsed() > COUNT_AGE);
        if is_old(*self.counted.lock().unwrap_or_else(PoisonError::into_inner)) {
            for (state, count) in store.device_counts().await? {
                self.devices.with_label_values(&[state]).set(count);
            }
            *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        let counts = store.alarm_counts().await?;
        for severity in Severity::ALL {
            let count =
                counts.iter().find(|(rank, _)| *rank == severity.rank()).map_or(0, |(_, count)| *count);
            self.alarms.with_label_values(&[severity.name()]).set(count);
        }
        self.lag.set(lag.await?.as_secs_f64());
        Ok(())
    }

    /// Everything as text.
    pub(crate) fn text(&self, store: &Store, is_store_up: bool) -> String {
        self.is_store_up.set(i64::from(is_store_up));
        let (all, idle) = store.connections();
        self.connections.with_label_values(&["idle"]).set(idle);
        self.connections.with_label_values(&["used"]).set(all - idle);
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
    let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counter.clone())).map(|()| counter)
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
    let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauge.clone())).map(|()| gauge)
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram> {
    let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
    registry.register(Box::new(histogram.clone())).map(|()| histogram)
}

/// Those that have one value and no label.
fn singles(registry: &Registry) -> Result<(Gauge, IntGauge)> {
    let lag =
        Gauge::new("hems_outbox_lag_seconds", "Age of the oldest event that a listener was not handed.")?;
    let is_store_up = IntGauge::new(
        "hems_store_up",
        "1 where the database answered; at 0 devices, alarms and the lag are those of its last answer.",
    )?;
    registry.register(Box::new(lag.clone()))?;
    registry.register(Box::new(is_store_up.clone()))?;
    Ok((lag, is_store_up))
}

/// A fault's code as a label; a peer could make up a million.
fn code(fault: Option<u32>) -> Cow<'static, str> {
    match fault {
        None => "0".into(),
        Some(code) if FAULTS_TOLD.iter().any(|told| told.contains(&code)) => code.to_string().into(),
        Some(_) => "other".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_makes_up_is_one_label() {
        let metrics = Metrics::default();
        for number in 0..1000 {
            metrics.heard("Inform", Some(100_000 + number));
            metrics.informed(&cwmp::EventCode(format!("X {number}").into()));
        }
        metrics.informed(&cwmp::EventCode::BOOT);
        let families = metrics.registry.gather();
        let lines = |name: &str| {
            families.iter().find(|family| family.name() == name).map(|family| family.get_metric().len())
        };
        assert_eq!((lines("hems_cwmp_rpc_total"), lines("hems_inform_total")), (Some(1), Some(2)));
    }
}
