//! One CWMP session as the CPE sees it. (TR-069 3.7.1)
//!
//! ```text
//!  Informing ──InformResponse──▶ Calling ⟲ ──nothing left──▶ Serving ⟲ ──empty──▶ Over
//! ```
//!
//! One rule: a call leaves the agenda when its response arrived. A session keeps the same list
//! ([`Session::into_unanswered`]): wherever it ends, the two agree, as the pair simulation shows.

use std::{collections::VecDeque, mem};

use super::{Violation, version};
use crate::{
    AcsMethod, AcsResponse, CpeMethod, CpeResponse, Envelope, Fault, FaultCode, FromAcs, FromCpe, Header,
    Inform, Text, Version,
};

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq)]
enum State {
    Informing(Box<Inform>),
    Calling(Box<AcsMethod>),
    /// The ACS holds our calls back: we gave it the turn and keep them. (C-08)
    Held,
    Serving,
    Over,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Informing(_) => "Informing",
            Self::Calling(_) => "Calling",
            Self::Held => "Held",
            Self::Serving => "Serving",
            Self::Over => "Over",
        }
    }
}

/// What one reply of the ACS leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The call that this reply answered, if it answered one.
    pub answered: Option<Answered>,
    /// What is to do next.
    pub demand: Demand,
}

/// A call of ours and its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// What we called.
    pub call: AcsMethod,
    /// What the ACS said.
    pub outcome: Result<AcsResponse, Fault>,
}

/// What the CPE owes the session.
#[derive(Debug, Clone, PartialEq)]
pub enum Demand {
    /// Post this.
    Post(Envelope<FromCpe>),
    /// Carry this out and post what [`Session::respond`] makes of it.
    Execute(CpeMethod),
    /// Nothing: the session ended well.
    Closed,
}

/// One session with one ACS.
#[derive(Debug)]
pub struct Session {
    state: State,
    version: Version,
    calls: VecDeque<AcsMethod>,
    sent: u32,
    /// Versions were offered and the ACS has not answered yet.
    offers: bool,
    /// The ID of the ACS's call, which our response repeats. (H-20)
    asked: Option<Text>,
}

impl Session {
    /// Opens a session in the namespace of CWMP 1.1: the Inform to post, and the calls that follow it. (C-01, S-07)
    #[must_use]
    pub fn open(inform: Inform, calls: Vec<AcsMethod>) -> (Self, Envelope<FromCpe>) {
        let state = State::Informing(Box::new(inform.clone()));
        let version = Version::V1_1;
        let mut session = Self { state, version, calls: calls.into(), sent: 0, offers: false, asked: None };
        let post = session.post(AcsMethod::Inform(inform));
        (session, post)
    }

    /// Opens a session that offers every version we speak, in the youngest namespace. (TR-069 3.6.2, H-24)
    #[must_use]
    pub fn open_offering(inform: Inform, calls: Vec<AcsMethod>) -> (Self, Envelope<FromCpe>) {
        let (mut session, mut post) = Self::open(inform, calls);
        (session.version, post.version) = (Version::V1_2, Version::V1_2);
        post.header.supported_cwmp_versions = Some(version::offer());
        session.offers = true;
        (session, post)
    }

    /// Takes one reply of the ACS in.
    ///
    /// # Errors
    /// It does not fit the moment, or refuses the Inform; the session has failed.
    pub fn receive(&mut self, reply: Envelope<FromAcs>) -> Result<Turn, Violation> {
        let holds = reply.header.hold_requests == Some(true);
        self.settle_version(&reply)?;
        let state = mem::replace(&mut self.state, State::Over);
        match (state, reply.body) {
            (State::Informing(inform), FromAcs::Response(response @ AcsResponse::Inform(_))) => {
                let call = AcsMethod::Inform(*inform);
                Ok(self.answered(call, Ok(response), holds))
            }
            // A fault 8005 asks for the same call again, in the same session. (C-30)
            (State::Informing(inform), FromAcs::Fault(fault)) if fault.code == FaultCode::RETRY_REQUEST => {
                self.state = State::Informing(inform.clone());
                let demand = Demand::Post(self.post(AcsMethod::Inform(*inform)));
                Ok(Turn { answered: None, demand })
            }
            (State::Calling(call), FromAcs::Fault(fault)) if fault.code == FaultCode::RETRY_REQUEST => {
                self.state = State::Calling(call.clone());
                let demand = Demand::Post(self.post(*call));
                Ok(Turn { answered: None, demand })
            }
            (State::Calling(call), FromAcs::Response(response)) if response.name() == call.name() => {
                Ok(self.answered(*call, Ok(response), holds))
            }
            (State::Calling(call), FromAcs::Fault(fault)) => Ok(self.answered(*call, Err(fault), holds)),
            (State::Serving | State::Held, FromAcs::Call(method)) => {
                self.asked = reply.header.id;
                self.version = reply.version;
                // What was held back comes when the ACS has nothing more to say.
                let is_held = holds || !self.calls.is_empty();
                self.state = if is_held { State::Held } else { State::Serving };
                Ok(Turn { answered: None, demand: Demand::Execute(method) })
            }
            (State::Held, FromAcs::Empty) => Ok(Turn { answered: None, demand: self.next_call(holds) }),
            (State::Serving, FromAcs::Empty) => Ok(Turn { answered: None, demand: Demand::Closed }),
            (state, message) => {
                let violation = violation(&state, &message);
                if let State::Calling(call) = state {
                    self.calls.push_front(*call);
                }
                Err(violation)
            }
        }
    }

    /// Answers the ACS's call.
    pub fn respond(&mut self, outcome: Result<CpeResponse, Fault>) -> Envelope<FromCpe> {
        let header = Header::with_id(self.asked.take());
        let body = match outcome {
            Ok(response) => FromCpe::Response(response),
            Err(fault) => FromCpe::Fault(fault),
        };
        Envelope { version: self.version, header, body }
    }

    /// The calls that no response arrived for, in their order.
    #[must_use]
    pub fn into_unanswered(self) -> Vec<AcsMethod> {
        let current = match self.state {
            State::Calling(call) => Some(*call),
            State::Informing(_) | State::Held | State::Serving | State::Over => None,
        };
        current.into_iter().chain(self.calls).collect()
    }

    /// What the ACS chose of our offer; without the header its namespace says it. (S-06, H-24)
    fn settle_version(&mut self, reply: &Envelope<FromAcs>) -> Result<(), Violation> {
        if !mem::take(&mut self.offers) {
            return Ok(());
        }
        let chosen = reply.header.use_cwmp_version.as_deref();
        self.version = match chosen {
            None => reply.version,
            Some(known) if version::SPOKEN.contains(&known) => version::namespace_of(known),
            Some(_) => {
                let state = mem::replace(&mut self.state, State::Over).name();
                let message = "a version that was not offered";
                return Err(Violation { state, message, clause: "TR-069 3.6.2" });
            }
        };
        Ok(())
    }

    fn answered(&mut self, call: AcsMethod, outcome: Result<AcsResponse, Fault>, holds: bool) -> Turn {
        let demand = self.next_call(holds);
        Turn { answered: Some(Answered { call, outcome }), demand }
    }

    fn next_call(&mut self, holds: bool) -> Demand {
        let next = if holds { None } else { self.calls.pop_front() };
        let Some(call) = next else {
            self.state = if self.calls.is_empty() { State::Serving } else { State::Held };
            return Demand::Post(Envelope::<FromCpe>::empty(self.version));
        };
        self.state = State::Calling(Box::new(call.clone()));
        Demand::Post(self.post(call))
    }

    fn post(&mut self, call: AcsMethod) -> Envelope<FromCpe> {
        self.sent += 1;
        let header = Header::with_id(Some(self.sent.to_string().into()));
        Envelope { version: self.version, header, body: FromCpe::Call(call) }
    }
}

fn violation(state: &State, message: &FromAcs) -> Violation {
    let (message, clause) = match message {
        FromAcs::Call(_) => ("a call", "TR-069 3.7.1.3"),
        FromAcs::Response(_) => ("a response to no call of ours", "TR-069 3.7.1.3"),
        FromAcs::Fault(_) => ("a fault", "TR-069 3.7.1.4"),
        FromAcs::Empty => ("an empty message", "TR-069 3.7.1.4"),
    };
    Violation { state: state.name(), message, clause }
}
