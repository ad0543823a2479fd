//! The job that keeps alarms true: every few seconds on one node, and when somebody asks.
//!
//! Each question is answered by an index and bounded: a million cells cost what a hundred do.

use std::{sync::Arc, time::Duration};

use profile::{CertificateFacts, WakeConnector};
use tokio::sync::{Mutex, watch};

use super::{Change, DOWNGRADE_SHOWN, EXPIRY_WARNING, Facts, Rates};
use crate::{Hems, inventory::LOST_AFTER, store::StoreError, turn::Turn};

/// How often alarms are worked out.
const ROUND: Duration = Duration::from_secs(5);

/// What the job remembers between two rounds.
pub(crate) struct Watch {
    rates: Mutex<Rates>,
    refusals_per_minute: i64,
}

/// What a round changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "AlarmChanges")]
pub(crate) struct Summary {
    pub(crate) raised: usize,
    pub(crate) changed: usize,
    pub(crate) cleared: usize,
}

impl Summary {
    fn of(changes: &[Change]) -> Self {
        let count = |is: fn(&Change) -> bool| changes.iter().filter(|change| is(change)).count();
        Self {
            raised: count(|change| matches!(change, Change::Raise(_))),
            changed: count(|change| matches!(change, Change::Turn(..))),
            cleared: count(|change| matches!(change, Change::Clear(_))),
        }
    }
}

impl Watch {
    /// A watch that has seen nothing yet.
    pub(crate) fn new(refusals_per_minute: u32) -> Self {
        Self { rates: Mutex::default(), refusals_per_minute: refusals_per_minute.into() }
    }

    /// Works until the server shuts down.
    pub(crate) async fn run(hems: Arc<Hems>, mut shutdown: watch::Receiver<bool>) {
        let mut turn = Turn::new("alarms");
        loop {
            if turn.is_ours(&hems).await
                && let Err(error) = hems.alarms.evaluate(&hems).await
            {
                tracing::warn!(%error, "alarms stay as they are");
            }
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                _ = shutdown.wait_for(|is_over| *is_over) => break,
            }
        }
        turn.leave(&hems).await;
    }

    /// Makes what stands what should.
    pub(crate) async fn evaluate(&self, hems: &Hems) -> Result<Summary, StoreError> {
        // One round at a time: two that read the same would raise twice.
        let mut rates = self.rates.lock().await;
        let facts = self.facts(hems, &mut rates).await?;
        let changes = hems.store.change_alarms(&facts, super::raised(&facts)).await?;
        let summary = Summary::of(&changes);
        if summary != Summary::default() {
            tracing::info!(
                raised = summary.raised,
                changed = summary.changed,
                cleared = summary.cleared,
                "alarms"
            );
        }
        Ok(summary)
    }

    async fn facts(&self, hems: &Hems, rates: &mut Rates) -> Result<Facts, StoreError> {
        let (store, now) = (&hems.store, hems.now());
        let doors = hems.doors.as_ref();
        let own: Option<CertificateFacts> = doors.and_then(|doors| doors.certificate());
        let refusing = match &own {
            Some(own) => store.cells_refusing(now, own.not_before, own.not_after).await?,
            None => 0,
        };
        let totals = store.refusal_totals().await?;
        Ok(Facts {
            now,
            refusing,
            own,
            wake: doors.and_then(|doors| doors.way_out()).map(WakeConnector::certificate),
            suspicions: store.first_suspicions().await?,
            expiring: store.cells_expiring(now + EXPIRY_WARNING).await?,
            disputed: store.cells_disputed().await?,
            downgraded: store.cells_downgraded(now - DOWNGRADE_SHOWN).await?,
            far: store.cells_with_far_clocks().await?,
            lost: store.cells_due_before(now.as_millisecond() - LOST_AFTER).await?,
            dead: store.cells_with_dead_letters().await?,
            lists: doors.map(|doors| doors.lists()).unwrap_or_default(),
            troubles: doors.map(|doors| doors.troubles()).unwrap_or_default(),
            refusals: rates.above(now, totals, self.refusals_per_minute),
        })
    }
}
