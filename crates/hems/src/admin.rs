//! The listener for whoever watches the server: metrics and health, and nothing that needs a token.
//!
//! ```text
//!  /livez    the process answers
//!  /readyz   cells can be served; 503 as soon as the server stops, so that a balancer sends no more
//!  /metrics  numbers, without a name of a cell; those in memory where the database is away
//! ```
//!
//! It answers until the last session ended.

use std::{fmt::Write, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch, time::timeout};

use crate::{Hems, store::StoreError};

/// How long the database may take to answer: a probe waits no longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// What Prometheus asks for.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Admin {
    hems: Arc<Hems>,
    shutdown: watch::Receiver<bool>,
}

/// One thing that must be so, or should.
struct Check {
    name: &'static str,
    /// Nothing where all is well.
    wrong: Option<String>,
    /// Whether cells cannot be served without.
    is_vital: bool,
}

/// Serves until the task is ended.
pub(crate) async fn serve(hems: Arc<Hems>, listener: TcpListener, shutdown: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Admin { hems, shutdown });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics and health stopped");
    }
}

/// What is in memory, with what the database says where it does.
async fn metrics(State(admin): State<Admin>) -> Response {
    let hems = &admin.hems;
    let told = timeout(PATIENCE, hems.metrics.ask(&hems.store, lag(hems))).await;
    match &told {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "metrics go on without the database"),
        Err(_) => tracing::warn!("metrics go on without the database, which does not answer"),
    }
    let text = hems.metrics.text(&hems.store, matches!(told, Ok(Ok(()))));
    ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}

async fn ready(State(admin): State<Admin>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let checks = checks(&admin).await;
    let is_ready = checks.iter().all(|check| check.wrong.is_none() || !check.is_vital);
    let mut text = String::new();
    if !is_ready || query.is_some_and(|query| query == "verbose" || query.starts_with("verbose=")) {
        for Check { name, wrong, is_vital } in &checks {
            let mark = if *is_vital { "-" } else { "!" };
            let _ = match wrong {
                None => writeln!(text, "[+]{name} ok"),
                Some(wrong) => writeln!(text, "[{mark}]{name}: {wrong}"),
            };
        }
    }
    let (status, word) =
        if is_ready { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    (status, format!("{text}{word}\n"))
}

async fn checks(admin: &Admin) -> Vec<Check> {
    let hems = &admin.hems;
    let stopping = (*admin.shutdown.borrow()).then(|| "the server stops".to_owned());
    let (database, migrations) = database(hems).await;
    let outbox = if database.is_none() { outbox(hems).await } else { Some("not known".to_owned()) };
    vec![
        Check { name: "running", wrong: stopping, is_vital: true },
        Check { name: "database", wrong: database, is_vital: true },
        Check { name: "migrations", wrong: migrations, is_vital: true },
        Check { name: "certificate", wrong: certificate(hems), is_vital: true },
        // A receiver that is away is no reason to send cells elsewhere.
        Check { name: "outbox", wrong: outbox, is_vital: false },
    ]
}

/// Whether the database answers, and has what this version needs.
async fn database(hems: &Hems) -> (Option<String>, Option<String>) {
    match timeout(PATIENCE, hems.store.is_migrated()).await {
        Ok(Ok(true)) => (None, None),
        Ok(Ok(false)) => (None, Some("the schema is another version's".to_owned())),
        Ok(Err(error)) => (Some(error.to_string()), Some("not known".to_owned())),
        Err(_) => {
            (Some(format!("no answer in {} seconds", PATIENCE.as_secs())), Some("not known".to_owned()))
        }
    }
}

fn certificate(hems: &Hems) -> Option<String> {
    let (own, now) = (hems.doors.as_ref()?.certificate()?, hems.now());
    (now < own.not_before || now > own.not_after).then(|| {
        format!("valid from {} to {}, and it is {now}: every cell refuses it", own.not_before, own.not_after)
    })
}

async fn outbox(hems: &Hems) -> Option<String> {
    let late = lag(hems).await.ok()?;
    (late > LATE).then(|| format!("the oldest event waits for {} seconds", late.as_secs()))
}

/// How late events may be before it is said.
const LATE: Duration = Duration::from_secs(60);

/// How long the oldest event waits that somebody was not handed.
async fn lag(hems: &Hems) -> Result<Duration, StoreError> {
    let oldest = hems.store.oldest_waiting(hems.has_nats).await?;
    let waits = oldest.map_or(0, |at| hems.now().as_millisecond().saturating_sub(at));
    Ok(Duration::from_millis(u64::try_from(waits).unwrap_or_default()))
}
