//! One CWMP session as the ACS sees it. (TR-069 3.7.2)
//!
//! The CPE speaks first and the last word belongs to the ACS. Each message in makes one
//! [`Demand`], and each demand is met by one message out:
//!
//! ```text
//!  AwaitInform ──Inform──▶ CpeTurn ──empty──▶ AcsTurn ⇄ Called ──close──▶ Over
//!       ▲                   │   ▲                            │
//!       └── fault 8005 ─────┘   └──────────────── Released ◀─┘ after HoldRequests: the CPE may have calls left
//! ```

use std::{
    mem,
    time::{Duration, Instant},
};

use super::{Violation, version};
use crate::{
    AcsMethod, AcsResponse, CpeMethod, CpeResponse, Envelope, Fault, FaultCode, FromAcs, FromCpe, Header,
    Text, Version,
};

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    AwaitInform,
    CpeTurn,
    AcsTurn,
    Called {
        name: &'static str,
        id: Text,
    },
    /// Calls were held back: our empty message gave the CPE the turn for them, and it may have none. (C-08)
    Released,
    Over,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::AwaitInform => "AwaitInform",
            Self::CpeTurn => "CpeTurn",
            Self::AcsTurn => "AcsTurn",
            Self::Called { .. } => "Called",
            Self::Released => "Released",
            Self::Over => "Over",
        }
    }
}

/// What the ACS owes the CPE: every demand is met by exactly one [`FromAcs`].
#[derive(Debug, Clone, PartialEq)]
pub enum Demand {
    /// Respond to this call with [`Session::respond`].
    Respond(AcsMethod),
    /// Say what comes next with [`Session::call`] or [`Session::close`].
    Choose {
        /// What the CPE made of the last call, if there was one.
        last: Option<Result<CpeResponse, Fault>>,
    },
}

/// One session of one CPE.
#[derive(Debug)]
pub struct Session {
    state: State,
    version: Version,
    /// The namespace that the device wants whatever it speaks itself: see [`Session::speak`].
    wanted: Option<Version>,
    /// The ID of the call that waits for our response, which repeats it. (H-20)
    asked: Option<Text>,
    /// The version that we chose of those that the CPE offers, or that there is none, until it is said. (H-24)
    chosen: Option<Result<Text, Fault>>,
    calls: u32,
    /// The call that waits for our response is the Inform.
    is_informing: bool,
    /// Our messages hold the CPE's calls back. (S-04)
    holds: bool,
    /// The CPE has heard so since its last turn.
    has_held: bool,
    patience: Duration,
    deadline: Instant,
}

impl Session {
    /// A session that waits for its Inform and gives the CPE `patience` between messages. (S-05)
    #[must_use]
    pub fn new(patience: Duration, now: Instant) -> Self {
        let (state, version) = (State::AwaitInform, Version::default());
        let deadline = now + patience;
        Self {
            state,
            version,
            wanted: None,
            asked: None,
            chosen: None,
            calls: 0,
            is_informing: false,
            holds: false,
            has_held: false,
            patience,
            deadline,
        }
    }

    /// Takes one message of the CPE in.
    ///
    /// # Errors
    /// It does not fit the moment; the session is over.
    pub fn receive(&mut self, post: Envelope<FromCpe>, now: Instant) -> Result<Demand, Violation> {
        self.patience = patience(&post.header).unwrap_or(self.patience);
        self.chosen = post.header.supported_cwmp_versions.as_deref().map(|offered| {
            version::choose(offered).ok_or_else(|| Fault::from(FaultCode::VERSION_INCOMPATIBLE))
        });
        self.deadline = now + self.patience;
        let id = post.header.id.clone();
        if post.body != FromCpe::Empty {
            self.version = self.wanted.unwrap_or(post.version);
        }
        let state = mem::replace(&mut self.state, State::Over);
        self.is_informing = state == State::AwaitInform;
        let (state, demand) = match (state, post.body) {
            (State::AwaitInform, FromCpe::Call(call @ AcsMethod::Inform(_))) => {
                (State::CpeTurn, Demand::Respond(call))
            }
            (State::CpeTurn | State::Released, FromCpe::Call(call))
                if !matches!(call, AcsMethod::Inform(_)) =>
            {
                (State::CpeTurn, Demand::Respond(call))
            }
            (State::CpeTurn | State::Released, FromCpe::Empty) => {
                (State::AcsTurn, Demand::Choose { last: None })
            }
            (State::Called { name, id: called }, FromCpe::Response(response))
                if response.name() == name && answers(id.as_ref(), &called) =>
            {
                (State::AcsTurn, Demand::Choose { last: Some(Ok(response)) })
            }
            (State::Called { id: called, .. }, FromCpe::Fault(fault)) if answers(id.as_ref(), &called) => {
                (State::AcsTurn, Demand::Choose { last: Some(Err(fault)) })
            }
            (state, message) => return Err(violation(&state, &message)),
        };
        self.asked = id;
        self.state = state;
        Ok(demand)
    }

    /// Answers the call of the last [`Demand::Respond`]. Fault 8005 to an Inform asks for it once more, and any
    /// other ends the session. (C-30) A CPE that offers versions hears which one counts, or that there is none.
    /// (H-24)
    pub fn respond(&mut self, outcome: Result<AcsResponse, Fault>) -> Envelope<FromAcs> {
        let (chosen, outcome) = match self.chosen.take() {
            None => (None, outcome),
            Some(Ok(version)) => (Some(version), outcome),
            Some(Err(fault)) => (None, Err(fault)),
        };
        if let (true, Err(fault)) = (self.is_informing, &outcome) {
            let asks_again = fault.code == FaultCode::RETRY_REQUEST;
            self.state = if asks_again { State::AwaitInform } else { State::Over };
        }
        let header = Header { use_cwmp_version: chosen, ..self.header(self.asked.clone()) };
        let body = match outcome {
            Ok(response) => FromAcs::Response(response),
            Err(fault) => FromAcs::Fault(fault),
        };
        Envelope { version: self.version, header, body }
    }

    /// Speaks in this namespace from now on, instead of the one of each message: a quirk of the device.
    pub fn speak(&mut self, version: Version) {
        (self.version, self.wanted) = (version, Some(version));
    }

    /// Makes a call: there is one outstanding at most. (S-03)
    pub fn call(&mut self, method: CpeMethod) -> Envelope<FromAcs> {
        self.calls += 1;
        let id = Text::from(self.calls.to_string());
        self.state = State::Called { name: method.name(), id: id.clone() };
        Envelope { version: self.version, header: self.header(Some(id)), body: FromAcs::Call(method) }
    }

    /// Holds the CPE's calls back from the next message on, or no longer. (H-21, S-04)
    pub fn hold(&mut self, holds: bool) {
        self.holds = holds;
    }

    /// Ends the session with the empty message; where the CPE's calls were held back, it has the turn for them
    /// first, and its silence ends the session where it has none.
    pub fn close(&mut self) -> Envelope<FromAcs> {
        self.holds = false;
        self.state = if mem::take(&mut self.has_held) { State::Released } else { State::Over };
        Envelope::<FromAcs>::empty(self.version)
    }

    fn header(&mut self, id: Option<Text>) -> Header {
        self.has_held |= self.holds;
        Header { hold_requests: self.holds.then_some(true), ..Header::with_id(id) }
    }

    /// Whether nothing more will be said.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// When the CPE's silence ends the session.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The method that the CPE has not answered yet.
    #[must_use]
    pub fn outstanding(&self) -> Option<&'static str> {
        match &self.state {
            State::Called { name, .. } => Some(name),
            State::AwaitInform | State::CpeTurn | State::AcsTurn | State::Released | State::Over => None,
        }
    }
}

/// How long the CPE may stay silent, where it says so: from 30 seconds to an hour. (S-05, H-23)
fn patience(header: &Header) -> Option<Duration> {
    let seconds = header.session_timeout?;
    Some(Duration::from_secs(u64::from(seconds.clamp(30, 3600))))
}

/// Some devices leave the ID out: then the turn alone ties the response to the call.
fn answers(id: Option<&Text>, called: &Text) -> bool {
    id.is_none_or(|id| id == called)
}

fn violation(state: &State, message: &FromCpe) -> Violation {
    let (message, clause) = match message {
        FromCpe::Call(AcsMethod::Inform(_)) => ("an Inform", "TR-069 3.7.1.1"),
        FromCpe::Call(_) => ("a call", "TR-069 3.7.1.3"),
        FromCpe::Response(_) => ("a response to no call of ours", "TR-069 3.7.2.2"),
        FromCpe::Fault(_) => ("a fault to no call of ours", "TR-069 3.7.2.2"),
        FromCpe::Empty => ("an empty message", "TR-069 3.7.1.3"),
    };
    Violation { state: state.name(), message, clause }
}
