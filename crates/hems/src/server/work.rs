//! What the H(e)MS does without being called: it tells what happened, tidies up, and looks after time.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use super::Hems;
use crate::{
    alarm::watch::Watch,
    config::Telling,
    event::{courier, nats},
    files, node,
    session::Outcome,
    store::Place,
    wake,
};

/// How often overdue sessions are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// Starts whatever tells what happens.
pub(super) fn tell(
    tasks: &mut JoinSet<()>,
    hems: &Arc<Hems>,
    events: Telling,
    shutdown: &watch::Receiver<bool>,
) {
    tasks.spawn(hems.feed.clone().watch(hems.store.clone(), shutdown.clone()));
    tasks.spawn(Watch::run(Arc::clone(hems), shutdown.clone()));
    if let Some(nats) = events.nats.clone() {
        tasks.spawn(nats::run(Arc::clone(hems), nats, events.source.clone(), shutdown.clone()));
    }
    tasks.spawn(courier::run(Arc::clone(hems), events, shutdown.clone()));
}

/// Starts what goes on by itself; other nodes there are only where they can share a database.
pub(super) fn live(
    tasks: &mut JoinSet<()>,
    hems: &Arc<Hems>,
    place: &Place,
    shutdown: &watch::Receiver<bool>,
) {
    tasks.spawn(files::clean(Arc::clone(hems), shutdown.clone()));
    tasks.spawn(wake::run(Arc::clone(hems), shutdown.clone()));
    if matches!(place, Place::Server(_)) {
        tasks.spawn(node::run(Arc::clone(hems), shutdown.clone()));
    }
}

/// Ends what is overdue: sessions, and devices of a change that do not call again.
pub(super) async fn sweep(hems: Arc<Hems>, mut shutdown: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(SWEEP);
    while !*shutdown.borrow() {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = shutdown.changed() => return,
        }
        hems.sweep(Outcome::TimedOut).await;
        if let Err(error) = hems.store.settle_overdue(hems.changes, hems.now()).await {
            tracing::error!(%error, "what became of changes is not known");
        }
    }
}
