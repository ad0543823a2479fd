//! One session with one device: the ACS's machine, driven by what was said and what is wanted.
//!
//! ```text
//!  post ─▶ protocol (whose turn) ─┬─ Respond ─▶ hear   (commit, then answer)
//!                                 └─ Choose ──▶ choose (learn, next step, intent, call)
//! ```
//!
//! It belongs to the identity of the connection that opened it. What it learned is written once, at its end;
//! what must not be done twice is written before it is sent.

mod choose;
mod hear;
mod identity;
mod record;
mod registry;
mod software;
mod stumble;
mod summary;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use cwmp::{
    CpeMethod, CpeResponse, Envelope, Fault, FromAcs, FromCpe, Quirks,
    session::{
        Violation,
        acs::{Demand, Session as Protocol},
    },
};
use profile::{CertificateFacts, Identity};

pub(crate) use registry::Registry;
pub(crate) use stumble::software;

use crate::{
    Hems,
    blocks::Blocks,
    change,
    desire::Missing,
    plan::{Desired, Known, Spared, Step, Verdict},
    radio,
    recording::Recording,
    store::{CallRow, Closing, FaultRow, Lesson, Progress, StoreError, Summary},
    template::Subject,
    tunnel::Vouched,
};

/// Misbehaviours after which a session is not worth continuing.
const PATIENCE_COUNT: usize = 8;

/// A cell whose identity somebody vouched for.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Who it is. (TS 33.320 8.3.4, P-20)
    pub(crate) identity: Identity,
    /// What TLS showed; nothing in mode `ipsec`.
    pub(crate) tls: Option<profile::Peer>,
    /// What the gateway says of its tunnel, where it was asked.
    pub(crate) tunnel: Option<Vouched>,
}

impl Peer {
    /// Its certificate, where TLS showed one.
    pub(crate) fn certificate(&self) -> Option<&CertificateFacts> {
        self.tls.as_ref().map(|peer| &peer.evidence.certificate)
    }

    /// Its verified chain, leaf first; empty where the tunnel alone vouches.
    pub(crate) fn chain(&self) -> &[CertificateFacts] {
        self.tls.as_ref().map_or(&[], |peer| &peer.chain)
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) peer: Arc<Peer>,
    pub(crate) address: SocketAddr,
    /// Our number of the connection.
    pub(crate) connection: u64,
}

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The device said something out of turn.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// We cannot make durable what must be.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Quarantined,
    DeviceIdMismatch,
    Disputed,
    OuiMismatch,
    CloneSuspected,
    Blocked,
    TunnelGone,
    TrustGone,
    Violation,
    Malformed,
    Interrupted,
    Replaced,
    TimedOut,
    Shutdown,
    StoreFailed,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Completed => crate::store::COMPLETED,
            Self::Quarantined => "quarantined",
            Self::DeviceIdMismatch => "device_id_mismatch",
            Self::Disputed => "device_id_claimed_twice",
            Self::OuiMismatch => "oui_mismatch",
            Self::CloneSuspected => "clone_suspected",
            Self::Blocked => "blocked",
            Self::TunnelGone => "tunnel_gone",
            Self::TrustGone => "trust_gone",
            Self::Violation => "violation",
            Self::Malformed => "malformed",
            Self::Interrupted => "interrupted",
            Self::Replaced => "replaced",
            Self::TimedOut => "timed_out",
            Self::Shutdown => "shutdown",
            Self::StoreFailed => "store_failed",
        }
    }
}

/// What waits for the device's answer.
#[derive(Clone, Debug)]
enum Outstanding {
    Step(Step),
    /// A queued call; the deed of the plan that it carries out, where it is not an operator's.
    Call {
        id: i64,
        object: Option<String>,
        method: Box<CpeMethod>,
        deed: Option<Step>,
    },
}

/// What we know and want of an admitted device while its session lasts.
#[derive(Debug)]
struct Device {
    subject: Subject,
    stored: Stored,
    known: Known,
    desired: Result<Arc<Desired>, Missing>,
    /// Nothing of it may be changed.
    is_frozen: bool,
    /// An emergency wants it off the air.
    is_shut: bool,
    /// It follows a change that is under way.
    is_following: bool,
    /// An action for many asks something of it.
    is_asked: bool,
    quirks: Quirks,
    /// What failed before.
    failed: Vec<FaultRow>,
    /// Deeds that are not tried (again) in this session.
    spared: Spared,
    /// A bound stopped the plan.
    is_stalled: bool,
    /// The plan had nothing more to do but what is spared.
    is_at_end: bool,
    /// How often each step was taken in this session.
    taken: BTreeMap<String, usize>,
    calls: VecDeque<CallRow>,
    faults: Vec<FaultRow>,
    progress: Vec<(i64, Progress)>,
    outstanding: Option<Outstanding>,
}

/// What the store has of a device beside its values: only what differs from that is written.
#[derive(Clone, Debug, Default, PartialEq)]
struct Stored {
    summary: Summary,
    patience: Option<i64>,
    gate: Option<Verdict>,
    methods: Option<Vec<String>>,
    has_intents: bool,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    protocol: Protocol,
    caller: Caller,
    token: String,
    /// The number in the store, once the Inform is durable.
    number: Option<i64>,
    /// Nothing for a device that nobody admitted.
    device: Option<Device>,
    /// What is said, where somebody asked for it.
    recording: Option<Box<Recording>>,
    messages: u32,
    misbehaviour: Vec<&'static str>,
    leniencies: BTreeSet<&'static str>,
    outcome: Outcome,
    begun: Instant,
}

impl Session {
    /// A session that waits for its Inform.
    pub(crate) fn new(hems: &Hems, caller: Caller, token: String) -> Self {
        Self {
            protocol: Protocol::new(hems.patience, Instant::now()),
            caller,
            token,
            number: None,
            device: None,
            recording: None,
            messages: 0,
            misbehaviour: Vec::new(),
            leniencies: BTreeSet::new(),
            outcome: Outcome::Completed,
            begun: Instant::now(),
        }
    }

    /// Takes a message in and gives the one that answers it.
    pub(crate) async fn receive(
        &mut self,
        hems: &Hems,
        post: Envelope<FromCpe>,
    ) -> Result<Envelope<FromAcs>, SessionError> {
        self.messages = self.messages.saturating_add(1);
        let called = self.protocol.outstanding();
        let reply = match self.protocol.receive(post, Instant::now())? {
            Demand::Respond(call) => {
                let name = call.name();
                let answer = self.hear(hems, call).await?;
                hems.metrics.heard(name, answer.as_ref().err().map(|fault| fault.code.0));
                self.protocol.respond(answer)
            }
            Demand::Choose { last } => match self.chosen(hems, called, last).await? {
                Some(method) => self.protocol.call(method),
                None => self.protocol.close(),
            },
        };
        Ok(reply)
    }

    async fn chosen(
        &mut self,
        hems: &Hems,
        called: Option<&'static str>,
        last: Option<Result<CpeResponse, Fault>>,
    ) -> Result<Option<CpeMethod>, SessionError> {
        if let (Some(called), Some(answer)) = (called, &last) {
            hems.metrics.called(called, answer.as_ref().err().map(|fault| fault.code.0));
        }
        self.choose(hems, last).await
    }

    /// Notes a misbehaviour; it is written with the session's end.
    pub(crate) fn misbehaved(&mut self, kind: &'static str) {
        if self.misbehaviour.len() < PATIENCE_COUNT {
            self.misbehaviour.push(kind);
        }
    }

    /// Notes a tolerance of the decoder, once; it is counted like a misbehaviour and ends nothing. One that is a known
    /// quirk of the device is not counted: its quirk is shown.
    pub(crate) fn forgave(&mut self, name: &'static str) {
        self.leniencies.insert(name);
    }

    /// Whether the device misbehaved too often.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.misbehaviour.len() >= PATIENCE_COUNT
    }

    /// Whether nothing more will be said, or nothing more should be.
    pub(crate) fn is_over(&self) -> bool {
        self.protocol.is_over() || self.is_refused()
    }

    /// Whether the identity gets no session, for what the Inform said or for what is known of it.
    pub(crate) fn is_refused(&self) -> bool {
        use Outcome::{CloneSuspected, DeviceIdMismatch, Disputed, OuiMismatch};
        matches!(self.outcome, DeviceIdMismatch | Disputed | OuiMismatch | CloneSuspected)
    }

    /// Whether the device owes an answer to a call of ours.
    pub(crate) fn is_calling(&self) -> bool {
        self.protocol.outstanding().is_some()
    }

    /// When the device's silence ends it.
    pub(crate) fn deadline(&self) -> Instant {
        self.protocol.deadline()
    }

    /// The cookie's value that continues it.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Whether a post belongs to it: by its connection, or by the cookie on another one of the same identity.
    pub(crate) fn continues(&mut self, connection: u64, cookie: Option<&str>) -> bool {
        let is_mine = self.caller.connection == connection || cookie == Some(self.token.as_str());
        if is_mine {
            self.caller.connection = connection;
        }
        is_mine
    }

    /// Whether its peer is shut out.
    pub(crate) fn is_blocked(&self, blocks: &Blocks) -> bool {
        let peer = &self.caller.peer;
        blocks.blocked(&peer.identity, peer.chain()).is_some()
    }

    /// Whether it lives on this connection.
    pub(crate) fn is_on(&self, connection: u64) -> bool {
        self.caller.connection == connection
    }

    /// Writes the outcome. A session that never had a durable Inform leaves only its misbehaviour.
    pub(crate) async fn finish(mut self, hems: &Hems, outcome: Outcome) {
        let outcome = if self.outcome == Outcome::Completed { outcome } else { self.outcome };
        let identity = self.caller.peer.identity.to_string();
        tracing::info!(
            device = identity,
            outcome = outcome.name(),
            messages = self.messages,
            "session ended"
        );
        let written = match self.number {
            Some(session) => hems.store.close_session(self.closing(hems, session, outcome)).await,
            None => Self::write_misbehaviour(hems, &identity, &self.misbehaviour).await,
        };
        let outcome = match written {
            // It has its outcome already, from whoever took the device over.
            Err(StoreError::Overtaken) => Outcome::Replaced,
            Err(error) => {
                tracing::error!(device = identity, %error, "the outcome of a session is lost");
                outcome
            }
            Ok(()) => outcome,
        };
        hems.metrics.session(outcome.name(), self.begun.elapsed());
    }

    async fn write_misbehaviour(
        hems: &Hems,
        identity: &str,
        kinds: &[&'static str],
    ) -> Result<(), StoreError> {
        for kind in kinds {
            hems.store.count_misbehaviour(identity.to_owned(), kind, hems.now()).await?;
        }
        Ok(())
    }

    fn closing(&mut self, hems: &Hems, session: i64, outcome: Outcome) -> Closing {
        if let Some(device) = &self.device {
            self.leniencies.retain(|name| !device.quirks.expects(name));
        }
        let mut closing = Closing {
            identity: self.caller.peer.identity.to_string(),
            session,
            at: hems.now(),
            outcome: outcome.name(),
            messages: self.messages,
            misbehaviour: self.misbehaviour.iter().chain(&self.leniencies).copied().collect(),
            device: None,
            recording: self.recording.take(),
        };
        if let Some(mut device) = self.device.take() {
            if device.known.is_over_bounds() {
                tracing::warn!(device = closing.identity, "the device told more than is kept of it");
                closing.misbehaviour.push("too_many_values");
            }
            device.forget_unanswered();
            let mended = device.mended();
            let faults = std::mem::take(&mut device.faults);
            let has_failed = |(_, progress): &(i64, Progress)| matches!(progress, Progress::Failed(_));
            let is_fine = faults.iter().all(FaultRow::is_drift)
                && !(device.is_asked && device.progress.iter().any(has_failed));
            let lesson = device.lesson();
            let settled = device.settled(is_fine).map(|outcome| (outcome, hems.changes));
            let is_off = device.is_shut && device.is_off_the_air();
            closing.device = Some(Lesson { faults, mended, settled, is_off, ..lesson });
        }
        closing
    }
}

impl Device {
    /// A lost answer leaves unknown what it would have told.
    fn forget_unanswered(&mut self) {
        let object = match self.outstanding.take() {
            Some(Outstanding::Step(step)) => step.intent().map(str::to_owned),
            Some(Outstanding::Call { object, .. }) => object,
            None => None,
        };
        if let Some(object) = object {
            self.known.forget_unanswered(&object);
        }
    }

    /// A cell that is on the air, or that a template wants off it, is not held off.
    fn release_hold(&mut self) {
        let is_wanted =
            !self.is_shut && self.desired.as_ref().is_ok_and(|desired| desired.admin_state == Some(false));
        if is_wanted || self.known.is_true(radio::ADMIN_STATE) {
            self.known.hold_off(false);
        }
    }

    /// What the store shall remember, and has it from then on.
    fn lesson(&mut self) -> Lesson {
        self.release_hold();
        let now = Stored {
            summary: self.summary(),
            patience: summary::patience(&self.known),
            gate: self.known.gate.clone(),
            methods: self.known.methods.clone(),
            has_intents: false,
        };
        let was = std::mem::replace(&mut self.stored, now);
        let now = &self.stored;
        Lesson {
            changes: self.known.take_changed(),
            history: self.known.take_changes(),
            summary: (now.summary != was.summary).then(|| now.summary.clone()),
            patience: (now.patience != was.patience).then_some(now.patience),
            gate: (now.gate != was.gate).then(|| now.gate.clone()),
            methods: (now.methods != was.methods).then(|| now.methods.clone()),
            has_no_intents: !was.has_intents,
            progress: std::mem::take(&mut self.progress),
            turned: (now.summary.is_in_service != was.summary.is_in_service)
                .then_some(now.summary.is_in_service),
            ..Lesson::default()
        }
    }

    /// Whether this session saw it off the air.
    fn is_off_the_air(&self) -> bool {
        [radio::ADMIN_STATE, radio::RF_TX_STATUS].into_iter().all(|path| {
            self.quirks.lacks(path) || self.known.text(path).is_some() && !self.known.is_true(path)
        })
    }

    /// What became of the change that it follows, as far as this session shows.
    fn settled(&self, is_fine: bool) -> Option<change::Outcome> {
        match is_fine {
            _ if !self.is_following => None,
            false => Some(change::Outcome::Faulted),
            true if self.awaits_software() => None,
            true if self.is_off_as_desired() => Some(change::Outcome::Off),
            true => self.stored.summary.is_in_service.then_some(change::Outcome::Fine),
        }
    }

    fn is_off_as_desired(&self) -> bool {
        let is_desired = self.desired.as_ref().is_ok_and(|desired| desired.admin_state == Some(false));
        is_desired && self.is_at_end && self.is_off_the_air()
    }
}
