//! Sessions whose device went silent end by themselves, and nothing of them stays.

use profile::{CertificateFacts, Evidence, Identity, SystemClock};

use super::*;
use crate::session::{Caller, Peer};

impl Hems {
    /// What sessions share, on a store of its own.
    pub(crate) async fn for_tests(folder: &Path, patience: Duration) -> Self {
        let store = Store::open(&crate::store::Place::File(folder.join("hearth.sqlite3")), Arc::new(()))
            .await
            .unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self {
            ledger: Ledger::start(store.clone(), Arc::clone(&clock)),
            store,
            registry: Registry::default(),
            roster: Roster::new(None),
            blocks: Blocks::default(),
            files: Files::for_tests(folder),
            policies: Policies::default(),
            url: HemsUrl::parse("https://localhost/", TransportMode::Public).unwrap(),
            doors: None,
            budget: Budget::default(),
            witness: Arc::new(()),
            clock,
            gate: GatePolicy::Closed,
            quirks: Vec::new(),
            model: Model::standard_with(Vec::new()),
            mode: TransportMode::Public,
            changes: crate::change::BOUNDS,
            patience,
            believes: SignedDuration::from_secs(60),
            keeps_recordings: SignedDuration::from_hours(24),
            alarms: Watch::new(1),
            feed: Feed::default(),
            metrics: Metrics::default(),
            source: "/hems".to_owned(),
            webhook_networks: Arc::new([]),
            has_nats: false,
            wake: None,
        }
    }
}

fn caller() -> Caller {
    let certificate = CertificateFacts {
        subject: String::new(),
        issuer: String::new(),
        serial: String::new(),
        fingerprint_sha256: String::new(),
        public_key_sha256: String::new(),
        not_before: Timestamp::UNIX_EPOCH,
        not_after: Timestamp::UNIX_EPOCH,
        dns_names: Vec::new(),
        key: String::new(),
        signature: String::new(),
    };
    let evidence = Evidence {
        profile: "ts33320",
        tls_version: "TLSv1.2",
        suite: "",
        suite_code: 0x2f,
        resumed: false,
        certificate,
        outside_profile: Vec::new(),
        revocation: profile::Revocation::Unchecked,
    };
    let identity = Identity::parse("00005e005301.hnb.example").unwrap();
    let tls =
        profile::Peer { identity: identity.clone(), anchor: String::new(), chain: Vec::new(), evidence };
    let peer = Peer { identity, tls: Some(tls), tunnel: None };
    Caller { peer: Arc::new(peer), address: "127.0.0.1:1".parse().unwrap(), connection: 1 }
}

async fn open(hems: &Hems) {
    let caller = caller();
    let identity = caller.peer.identity.clone();
    let token = hems.registry.issue(&identity).unwrap();
    let slot = hems.registry.slot(&identity);
    *slot.lock().await = Some(Session::new(hems, caller, token));
    hems.registry.leave(&identity, slot, false);
}

#[tokio::test]
async fn s05_a_silent_session_ends_after_its_patience_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let patient = Hems::for_tests(folder.path(), Duration::from_secs(60)).await;
    open(&patient).await;
    patient.sweep(Outcome::TimedOut).await;
    assert_eq!(patient.registry.sizes(), (1, 1));
    patient.sweep(Outcome::Shutdown).await;
    assert_eq!(patient.registry.sizes(), (0, 0));

    let folder = tempfile::tempdir().unwrap();
    let hasty = Hems::for_tests(folder.path(), Duration::ZERO).await;
    open(&hasty).await;
    hasty.sweep(Outcome::TimedOut).await;
    assert_eq!(hasty.registry.sizes(), (0, 0));
}
