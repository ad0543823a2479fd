//! The courier: takes events to webhooks, from one node at a time, as often as it takes and no longer than three days.
//!
//! ```text
//!  outbox ─▶ deliveries ─▶ claimed ─▶ posted ─┬─ 2xx ─▶ delivered
//!                                             ├─ 410 ─▶ the webhook is gone, and all that waits for it
//!                                             └─ else ▶ again, later and later ─▶ dead, until somebody resends it
//! ```
//!
//! Each webhook has a few deliveries in the air: one that is slow holds up nobody but itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use profile::WebConnector;
use tokio::{sync::watch, task::JoinSet};

use super::{
    post::{PostError, Said, Signed, Target},
    signature,
};
use crate::{
    Hems,
    config::Telling,
    guard::Network,
    store::{ACTIVE, Delivery, Fate, StoreError, Webhook},
    turn::Turn,
};

/// How often the outbox is looked into.
const LOOK: Duration = Duration::from_millis(500);
/// Looks between two trims of the outbox: a minute.
const LOOKS_PER_TRIM: u32 = 120;
/// Deliveries of one webhook in the air.
const FLYING_MAX: u32 = 8;
/// When a delivery of which nothing is heard is taken up again: four times what an attempt may take.
const CLAIM: SignedDuration = SignedDuration::from_secs(60);
/// How long is tried. (Standard Webhooks recommends some days)
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(72);
/// The wait after the first failure; it doubles each time.
const FIRST_WAIT_MS: i64 = 5_000;
/// The longest wait.
const LONGEST_WAIT_MS: i64 = 6 * 3_600_000;

/// Works until the server shuts down.
pub(crate) async fn run(hems: Arc<Hems>, settings: Telling, mut shutdown: watch::Receiver<bool>) {
    let mut turn = Turn::new("events");
    let mut courier =
        Courier { hems: Arc::clone(&hems), settings, flights: JoinSet::new(), flying: BTreeMap::new() };
    let mut looks = 0;
    loop {
        if turn.is_ours(&hems).await {
            if let Err(error) = courier.round(&mut turn, looks % LOOKS_PER_TRIM == 0).await {
                tracing::warn!(%error, "events wait");
            }
            looks += 1;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = shutdown.wait_for(|is_over| *is_over) => break,
        }
    }
    // What is in the air is claimed: whoever goes on takes it up again, and the receiver knows its id.
    turn.leave(&hems).await;
}

struct Courier {
    hems: Arc<Hems>,
    settings: Telling,
    /// Attempts in the air; each ends with its webhook's number.
    flights: JoinSet<i64>,
    flying: BTreeMap<i64, u32>,
}

impl Courier {
    /// One look, for as long as the job is ours: a backlog may take longer than a word to the other nodes holds.
    async fn round(&mut self, turn: &mut Turn, is_trim: bool) -> Result<(), StoreError> {
        self.land();
        let (store, now) = (&self.hems.store, self.hems.now());
        let newest = store.outbox_ends().await?.newest;
        for webhook in store.webhooks().await?.into_iter().filter(|webhook| webhook.state == ACTIVE) {
            let mut behind = webhook.position < newest;
            while behind && turn.is_ours(&self.hems).await {
                behind = self.hems.store.hand_over(webhook.id, self.settings.source.clone(), now).await?;
            }
            if !turn.is_ours(&self.hems).await {
                return Ok(());
            }
            self.launch(&webhook, now).await?;
        }
        if is_trim {
            let (rows, before) = (self.settings.keep_rows, now - self.settings.keep);
            while turn.is_ours(&self.hems).await && self.hems.store.trim_outbox(rows, before).await? > 0 {}
        }
        Ok(())
    }

    fn land(&mut self) {
        while let Some(flight) = self.flights.try_join_next() {
            if let Ok(webhook) = flight
                && let Some(count) = self.flying.get_mut(&webhook)
            {
                *count = count.saturating_sub(1);
            }
        }
        if self.flights.is_empty() {
            self.flying.clear();
        }
    }

    async fn launch(&mut self, webhook: &Webhook, now: Timestamp) -> Result<(), StoreError> {
        let store = &self.hems.store;
        let flying = self.flying.entry(webhook.id).or_default();
        let free = FLYING_MAX.saturating_sub(*flying);
        if free == 0 || !store.is_due(webhook.id, now).await? {
            return Ok(());
        }
        for delivery in store.claim_deliveries(webhook.id, now, CLAIM, free).await? {
            *flying += 1;
            let flight = Flight {
                hems: Arc::clone(&self.hems),
                webhook: webhook.clone(),
                networks: Arc::clone(&self.settings.webhook_networks),
                tls: self.settings.webhook_tls.clone(),
            };
            self.flights.spawn(flight.fly(delivery));
        }
        Ok(())
    }
}

/// One attempt.
struct Flight {
    hems: Arc<Hems>,
    webhook: Webhook,
    networks: Arc<[Network]>,
    tls: WebConnector,
}

impl Flight {
    async fn fly(self, delivery: Delivery) -> i64 {
        let id = self.webhook.id;
        let outcome = match self.attempt(&delivery).await {
            Ok(outcome) => outcome,
            // It is claimed, and comes up again.
            Err(error) => {
                tracing::warn!(%error, webhook = id, "a delivery waits");
                return id;
            }
        };
        let now = self.hems.now();
        let (fate, said) = judge(&outcome, &delivery, now, random());
        self.hems.metrics.delivered(&fate);
        tracing::debug!(webhook = id, event = delivery.event, said, "delivery");
        if let Err(error) = self.hems.store.settle_delivery(id, delivery.id, (fate, said), now).await {
            tracing::warn!(%error, webhook = id, "a delivery is made again");
        }
        id
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<Result<Said, PostError>, StoreError> {
        let now = self.hems.now();
        let secrets = self.hems.store.secrets(self.webhook.id, now).await?;
        let seconds = now.as_second();
        let signed = Signed {
            signature: signature::sign(&secrets, &delivery.event, seconds, &delivery.body),
            id: delivery.event.clone(),
            seconds,
            body: delivery.body.clone(),
        };
        Ok(match Target::parse(&self.webhook.url, &self.networks) {
            Ok(target) => target.post(&self.tls, &self.networks, signed).await,
            Err(error) => Err(error.into()),
        })
    }
}

/// What becomes of a delivery: pure.
fn judge(
    outcome: &Result<Said, PostError>,
    delivery: &Delivery,
    now: Timestamp,
    random: u16,
) -> (Fate, String) {
    let (said, at_least) = match outcome {
        Ok(said) if said.status.is_success() => return (Fate::Delivered, said.status.to_string()),
        Ok(said) if said.status == StatusCode::GONE => return (Fate::Unsubscribed, said.status.to_string()),
        Ok(said) => (said.status.to_string(), said.retry_after.unwrap_or_default()),
        Err(error) => (error.to_string(), 0),
    };
    let wait =
        wait(delivery.attempts, random).max(i64::from(at_least).saturating_mul(1000).min(LONGEST_WAIT_MS));
    let next = now + SignedDuration::from_millis(wait);
    let end = crate::store::at(delivery.made_at) + TRIED_FOR;
    if next > end { (Fate::Dead, said) } else { (Fate::Again(next), said) }
}

/// How long to wait after attempt `attempts`, in milliseconds: doubling, and up to half of it more by chance, so that
/// a receiver that comes back is not met by all at once.
fn wait(attempts: i64, random: u16) -> i64 {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 30)).unwrap_or_default();
    let base = FIRST_WAIT_MS.saturating_mul(1 << doublings).min(LONGEST_WAIT_MS);
    base + base / 2 * i64::from(random) / i64::from(u16::MAX)
}

/// A number for the wait; without randomness all wait as long.
fn random() -> u16 {
    let mut bytes = [0; 2];
    let _ = getrandom::fill(&mut bytes);
    u16::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(attempts: i64, made_at: i64) -> Delivery {
        Delivery {
            id: 1,
            event: "e".to_owned(),
            kind: "alarm.raised".to_owned(),
            body: "{}".to_owned(),
            state: "waiting".to_owned(),
            made_at,
            next_at: 0,
            attempts,
            said: None,
            ended_at: None,
        }
    }

    fn said(status: StatusCode, retry_after: Option<u32>) -> Result<Said, PostError> {
        Ok(Said { status, retry_after })
    }

    #[tokio::test]
    async fn a_backlog_is_left_to_the_node_whose_job_it_is_by_now() {
        let folder = tempfile::tempdir().unwrap();
        let hems = Arc::new(Hems::for_tests(folder.path(), Duration::from_secs(60)).await);
        let url = "https://192.0.2.1/".to_owned();
        let hook = hems.store.make_webhook(url, vec![], "s".to_owned(), hems.now()).await.unwrap().unwrap();
        let identity = profile::Identity::parse("00005e005301.hnb.example").unwrap();
        let (oui, product_class) = ("00005E".to_owned(), "C".to_owned());
        let binding = crate::store::Binding { oui, product_class, serial: "1".to_owned() };
        hems.store.admit(vec![(identity, binding)], true, hems.now()).await.unwrap();
        let settings = Telling {
            source: "/hems".to_owned(),
            tells_sessions: false,
            keep_rows: 0,
            keep: SignedDuration::from_hours(1),
            webhook_networks: Arc::new([]),
            webhook_tls: WebConnector::new(None, None).unwrap(),
            nats: None,
        };
        let mut courier =
            Courier { hems: Arc::clone(&hems), settings, flights: JoinSet::new(), flying: BTreeMap::new() };
        let mut other = Turn::new("events");
        assert!(other.is_ours(&hems).await);
        let position = async || hems.store.webhook(hook).await.unwrap().unwrap().position;
        courier.round(&mut Turn::new("events"), true).await.unwrap();
        let ends = hems.store.outbox_ends().await.unwrap();
        assert_eq!((position().await, ends.trimmed, courier.flights.len()), (0, 0, 0));
        other.leave(&hems).await;
        courier.round(&mut Turn::new("events"), true).await.unwrap();
        let ends = hems.store.outbox_ends().await.unwrap();
        assert_eq!((position().await, ends.trimmed, courier.flights.len()), (ends.newest, ends.newest, 1));
    }

    #[test]
    fn waits_grow_to_six_hours_and_are_spread() {
        let waits: Vec<i64> = (1..=14).map(|attempts| wait(attempts, 0)).collect();
        assert_eq!(waits[..4], [5_000, 10_000, 20_000, 40_000]);
        assert_eq!(waits[13], LONGEST_WAIT_MS);
        assert!(waits.is_sorted());
        assert_eq!(wait(1, u16::MAX), 7_500);
        assert!(wait(i64::MAX, u16::MAX) <= LONGEST_WAIT_MS * 3 / 2);
    }

    #[test]
    fn three_days_are_tried_and_no_longer() {
        let now = crate::store::at(1_700_000_000_000);
        let ago = |hours: i64| (now - SignedDuration::from_hours(hours)).as_millisecond();
        let fate = |outcome, hours| judge(&outcome, &delivery(9, ago(hours)), now, 0).0;
        assert!(matches!(fate(said(StatusCode::INTERNAL_SERVER_ERROR, None), 1), Fate::Again(_)));
        assert!(matches!(fate(Err(PostError::Slow), 71), Fate::Again(_)));
        assert_eq!(fate(said(StatusCode::INTERNAL_SERVER_ERROR, None), 72), Fate::Dead);
        assert_eq!(fate(said(StatusCode::NO_CONTENT, None), 100), Fate::Delivered);
        assert_eq!(fate(said(StatusCode::GONE, None), 1), Fate::Unsubscribed);
        assert!(
            matches!(fate(said(StatusCode::FOUND, None), 1), Fate::Again(_)),
            "a redirect would lead past the guard"
        );
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it() {
        let now = crate::store::at(1_700_000_000_000);
        let next = |retry_after| {
            let said = said(StatusCode::TOO_MANY_REQUESTS, Some(retry_after));
            let (fate, _) = judge(&said, &delivery(1, now.as_millisecond()), now, 0);
            let Fate::Again(at) = fate else { panic!("{fate:?}") };
            at.duration_since(now).as_secs()
        };
        assert_eq!((next(1), next(600)), (5, 600));
        assert_eq!(next(u32::MAX), LONGEST_WAIT_MS / 1000);
    }
}
