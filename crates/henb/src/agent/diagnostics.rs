//! Diagnostics that run: one at a time, in a task of its own, so that no session waits for a packet. (C-38)
//!
//! The task knows the way to the network and nothing of the cell; what it found comes back through the agent's loop. A
//! run that is no longer wanted is aborted, and its sockets close with it.

use std::{future, sync::Arc};

use profile::RestoredClock;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::Agent;
use crate::{
    diagnostics::{Failure, LONGEST, Order, Outcome, echo, file, reach::Reach, route},
    link::Way,
};

/// A diagnostic that is under way, and ends with this.
pub(super) struct Run(JoinHandle<Outcome>);

impl Drop for Run {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Agent {
    /// Gives up what nobody waits for any more, and starts what is next.
    pub(super) fn mind_diagnostics(&mut self) {
        if self.cell.diagnostics.is_stale() {
            self.running = None;
            self.cell.diagnostics.end();
        }
        let Some(kind) = self.cell.diagnostics.next(Instant::now()) else { return };
        let order = self.cell.begin_diagnostic(kind);
        let reach = self.reach();
        let (way, clock) = (self.way.clone(), Arc::clone(&self.clock));
        self.running = Some(Run(tokio::spawn(async move {
            let run = async { run(order?, reach?, &way, &clock).await };
            let ended = timeout(LONGEST, run).await.unwrap_or(Err(Failure::Timeout));
            ended.unwrap_or_else(Outcome::from)
        })));
    }

    fn reach(&self) -> Result<Reach, Failure> {
        let care = &self.config.diagnostics;
        if !care.enabled {
            return Err(Failure::Other("the configuration says diagnostics.enabled = false".to_owned()));
        }
        let hems = self.serving().host().to_owned();
        Ok(Reach { hems, networks: care.networks.clone(), tunnel: self.way.tunnel.clone() })
    }

    /// Takes in what a run found.
    pub(super) async fn diagnosed(&mut self, outcome: &Outcome) -> Result<(), super::DaemonError> {
        self.running = None;
        self.cell.end_diagnostic(outcome);
        self.save().await
    }
}

/// The end of what runs; never where nothing does.
pub(super) async fn ended(running: &mut Option<Run>) -> Outcome {
    let Some(run) = running else { return future::pending().await };
    let ended = (&mut run.0).await;
    ended.unwrap_or_else(|error| Failure::Internal(error.to_string()).into())
}

async fn run(order: Order, reach: Reach, way: &Way, clock: &RestoredClock) -> Result<Outcome, Failure> {
    let address = reach.resolve(order.host()).await?;
    let tunnel = way.tunnel.as_ref();
    match order {
        Order::Ping(probe) => echo::ping(address, &probe, tunnel).await,
        Order::TraceRoute(probe) => route::trace(address, &probe, tunnel).await,
        Order::Download(url) => file::download(way, clock, url).await,
        Order::Upload(url, bytes) => file::upload(way, clock, url, bytes).await,
    }
}
