//! The ledger of refusals: connections and sessions that were turned away, for the operator to see.
//!
//! Whoever is refused can come back as fast as the network allows. So the ledger never makes a connection wait: it
//! counts in memory by reason, issuer and network, writes what came together in one commit, and drops what its
//! bounded queue cannot take. (decision 21)

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::IpAddr,
    sync::Arc,
};

use profile::{Clock, Refusal};
use tokio::sync::mpsc;

use crate::store::{RefusalEntry, Store};

/// Refusals that may wait to be counted.
const QUEUE: usize = 1024;
/// Refusals counted together in one commit.
const BATCH: usize = 256;

/// The ledger's mouth; clones share it.
#[derive(Clone)]
pub(crate) struct Ledger {
    entries: mpsc::Sender<RefusalEntry>,
}

impl Ledger {
    /// Starts the ledger; it ends with the last of its clones.
    pub(crate) fn start(store: Store, clock: Arc<dyn Clock>) -> Self {
        let (entries, queue) = mpsc::channel(QUEUE);
        tokio::spawn(keep(store, clock, queue));
        Self { entries }
    }

    /// Counts a refusal of somebody at an address.
    pub(crate) fn note(&self, refusal: &Refusal, from: IpAddr) {
        tracing::debug!(reason = refusal.reason.code(), detail = refusal.detail, "refused");
        if self.entries.try_send(entry(refusal, from)).is_err() {
            tracing::debug!("the ledger is full; a refusal is not counted");
        }
    }
}

fn entry(refusal: &Refusal, from: IpAddr) -> RefusalEntry {
    let certificate = refusal.certificate.as_ref();
    RefusalEntry {
        reason: refusal.reason.code(),
        issuer: certificate.map(|facts| facts.issuer.clone()).unwrap_or_default(),
        network: network(from),
        count: 1,
        detail: refusal.detail.clone(),
        certificate: certificate.and_then(|facts| serde_json::to_string(facts).ok()),
    }
}

async fn keep(store: Store, clock: Arc<dyn Clock>, mut queue: mpsc::Receiver<RefusalEntry>) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let entries = aggregate(std::mem::take(&mut batch));
        if let Err(error) = store.refuse(entries, clock.now()).await {
            tracing::error!(%error, "refusals cannot be written");
        }
    }
}

fn aggregate(batch: Vec<RefusalEntry>) -> Vec<RefusalEntry> {
    let mut sums: BTreeMap<(&'static str, String, String), RefusalEntry> = BTreeMap::new();
    for entry in batch {
        match sums.entry((entry.reason, entry.issuer.clone(), entry.network.clone())) {
            Entry::Vacant(free) => {
                free.insert(entry);
            }
            Entry::Occupied(mut there) => {
                let count = there.get().count + entry.count;
                there.insert(RefusalEntry { count, ..entry });
            }
        }
    }
    sums.into_values().collect()
}

/// The /24 or /48 that an address lies in: what one subscriber or one attacker has.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use profile::Reason;

    use super::*;

    #[test]
    fn an_address_counts_as_its_network() {
        assert_eq!(network("192.0.2.77".parse().unwrap()), "192.0.2.0/24");
        assert_eq!(network("2001:db8:1:2::3".parse().unwrap()), "2001:db8:1::/48");
        assert_eq!(network("::ffff:192.0.2.77".parse().unwrap()), "192.0.2.0/24");
    }

    #[test]
    fn what_came_together_is_counted_together() {
        let refusal = Refusal::new(Reason::NoClientCertificate, "x");
        let batch = vec![
            entry(&refusal, "192.0.2.1".parse().unwrap()),
            entry(&refusal, "192.0.2.2".parse().unwrap()),
        ];
        let sums = aggregate(batch);
        assert_eq!((sums.len(), sums[0].count), (1, 2));
    }
}
