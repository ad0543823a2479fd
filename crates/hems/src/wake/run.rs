//! Who sends Connection Requests: every node, as many in a second as it may, each device once.
//!
//! ```text
//!  due ─▶ claimed, and its actions `sent` ─▶ knock ─▶ next ─▶ written, unless a session came meanwhile
//! ```
//!
//! A claim runs out, so that another node takes up what a dead one left; a cell that is asked twice has one session more.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use profile::Identity;
use tokio::{sync::watch, task::JoinSet};

use super::{ATTEMPTS_MAX, Aim, WakeError, aim, knock::knock, next};
use crate::{
    Hems,
    config::Waking,
    store::{StoreError, WakeRow},
};

/// How often it is looked who is due: what a second may bring goes out in one go.
const LOOK: Duration = Duration::from_secs(1);
/// What a claim lasts beyond the time of a request: some slow commits.
const CLAIM_SLACK: SignedDuration = SignedDuration::from_secs(30);

/// Works until the server shuts down.
pub(crate) async fn run(hems: Arc<Hems>, mut shutdown: watch::Receiver<bool>) {
    let Some(waking) = hems.wake.clone() else { return };
    let mut flights = JoinSet::new();
    loop {
        while flights.try_join_next().is_some() {}
        if let Err(error) = launch(&hems, &waking, &mut flights).await {
            tracing::warn!(%error, "nobody is woken");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = shutdown.wait_for(|is_over| *is_over) => return,
        }
    }
}

async fn launch(hems: &Arc<Hems>, waking: &Waking, flights: &mut JoinSet<()>) -> Result<(), StoreError> {
    let now = hems.now();
    let free = u32::try_from(waking.at_once.saturating_sub(flights.len())).unwrap_or(u32::MAX);
    if free == 0 || !hems.store.is_wake_due(now).await? {
        return Ok(());
    }
    let span = SignedDuration::try_from(waking.patience).unwrap_or_default() + CLAIM_SLACK;
    for row in hems.store.claim_wakes(now, now + span, free.min(waking.per_second)).await? {
        flights.spawn(fly(Arc::clone(hems), waking.clone(), row));
    }
    Ok(())
}

async fn fly(hems: Arc<Hems>, waking: Waking, row: WakeRow) {
    let written = async {
        let outcome = attempt(&hems, &waking, &row).await?;
        let code = outcome.as_ref().err().map_or("answered", WakeError::code);
        hems.metrics.knocked(code);
        let next = next(&outcome, row.attempts, hems.now());
        if let Err(error) = &outcome {
            tracing::info!(device = row.identity, attempts = row.attempts, %error, "a device is not woken");
        }
        hems.store.settle_wake(row.clone(), next, hems.now()).await
    };
    // Its claim runs out, and it comes up again.
    if let Err(error) = written.await {
        tracing::warn!(device = row.identity, %error, "a device is woken later");
    }
}

async fn attempt(hems: &Hems, waking: &Waking, row: &WakeRow) -> Result<Result<(), WakeError>, StoreError> {
    if row.attempts > ATTEMPTS_MAX {
        return Ok(Err(WakeError::Silent));
    }
    match ready(hems, row).await? {
        Ok((aim, cell)) => Ok(knock(hems, waking, &aim, &cell).await),
        Err(error) => Ok(Err(error)),
    }
}

/// Where a device that may be woken is asked.
async fn ready(hems: &Hems, row: &WakeRow) -> Result<Result<(Aim, Identity), WakeError>, StoreError> {
    let device = hems.store.device(&row.identity).await?;
    let cell = Identity::parse(&row.identity).ok();
    let is_fine = device.is_some_and(|device| device.binding().is_some() && !device.is_blocked);
    let Some(cell) = cell.filter(|_| is_fine) else { return Ok(Err(WakeError::NotAdmitted)) };
    let remembered = hems.store.remembered(&row.identity).await?;
    let aimed = aim(hems, &row.identity, remembered.known.text(super::URL)).await?;
    Ok(aimed.map(|aim| (aim, cell)))
}
