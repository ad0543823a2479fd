//! One session, driven: the machine of `cwmp` on one side, the H(e)MS on the other. (TR-069 3.7)
//!
//! ```text
//!   post ─▶ reply ─▶ machine ─▶ Post again · Execute, save, respond · Closed
//! ```
//!
//! The cell is saved before anything leaves that depends on it. The witness sees a post just before it leaves and a
//! reply just after it came.

use std::sync::Arc;

use bytes::Bytes;
use cwmp::{
    AcsMethod, DecodeError, Envelope, Fault, FaultCode, FromAcs, FromCpe, Limits, Role, Version, Witness,
    session::{
        Violation,
        cpe::{Answered, Demand, Session},
    },
};
use profile::{Clock, HemsUrl, Refusal, RestoredClock, Source};

use crate::{
    agent::chain,
    alarms::Alarm,
    cell::Cell,
    execute,
    link::{Link, LinkError, Reply},
    quirk,
    state::{StateError, StateFile},
};

/// Most bytes of a reply: sixty times what the standard wants to be accepted. (H-17)
pub(crate) const REPLY_BYTES: usize = 2 << 20;

/// Most posts of one session, so that an ACS that never ends it cannot keep the cell for ever.
const MOST_POSTS: u32 = 2_000;

/// What a call without values may add to the state: a row of some dozen parameters, a transfer, attributes.
const CALL_BYTES: u64 = 64 << 10;

/// Why a session failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// TCP, TLS or HTTP.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A reply that is no message.
    #[error("the reply cannot be read")]
    Decode(#[from] DecodeError),
    /// A reply that does not fit the moment.
    #[error("the H(e)MS broke the session")]
    Violation(#[from] Violation),
    /// The ACS refused a call that delivers something.
    #[error("the H(e)MS refused {method}: {fault}")]
    Refused {
        /// What was called.
        method: &'static str,
        /// What it said.
        fault: Fault,
    },
    /// A reply in a namespace that the product which this cell plays does not know.
    #[error("the reply speaks {}, which this product cannot read", .0.urn())]
    Namespace(Version),
    /// The clock was set in mid-session, and by it the peer's certificate is not valid. (K-10)
    #[error("by the clock that was set meanwhile the H(e)MS is refused: {0}")]
    OutOfDate(Box<Refusal>),
    /// A session without end.
    #[error("the session has more than {MOST_POSTS} posts")]
    Endless,
    /// The state could not be saved: nothing may be answered.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What a session works with.
pub(crate) struct Desk<'a> {
    pub(crate) cell: &'a mut Cell,
    pub(crate) file: &'a mut StateFile,
    pub(crate) clock: &'a Arc<RestoredClock>,
    pub(crate) witness: &'a Arc<dyn Witness>,
    /// Where the session was opened, whatever redirects say.
    pub(crate) url: HemsUrl,
}

impl Desk<'_> {
    /// Holds one session; the agenda hears of its end from the caller.
    pub(crate) async fn hold(&mut self, link: &mut Link<'_>) -> Result<(), SessionError> {
        let is_unsure = !self.clock.synchronised();
        let inform = quirk::inform(self.cell);
        let (mut session, mut post) = Session::open(inform, self.cell.agenda.calls());
        for _ in 0..MOST_POSTS {
            let reply = self.post(link, &post).await?;
            if is_unsure {
                self.check_again(link)?;
            }
            let length = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
            let demand = match Envelope::<FromAcs>::decode(reply.body, &limits()) {
                Ok(decoded) if !quirk::can_read(&self.cell.quirks, &decoded.envelope) => {
                    return Err(SessionError::Namespace(decoded.envelope.version));
                }
                Ok(decoded) => {
                    let turn = session.receive(decoded.envelope)?;
                    self.take(turn.answered).await?;
                    turn.demand
                }
                // A call that cannot be understood is answered; anything else that is broken ends the session.
                Err(error) => match error.fault(Role::Cpe).filter(|_| is_serving(&post)) {
                    Some(fault) => Demand::Post(session.respond(Err(fault))),
                    None => return Err(error.into()),
                },
            };
            if self.cell.tick() {
                self.save().await?;
            }
            post = match demand {
                Demand::Post(envelope) => envelope,
                Demand::Execute(call) => {
                    let reads = execute::only_reads(&call);
                    tracing::debug!(method = call.name(), "the H(e)MS calls");
                    let outcome = match self.has_room(reads, length).await {
                        Ok(()) => quirk::execute(self.cell, call),
                        Err(fault) => Err(fault),
                    };
                    if !reads && outcome.is_ok() {
                        self.save().await?;
                    }
                    session.respond(outcome)
                }
                Demand::Closed => return Ok(()),
            };
        }
        Err(SessionError::Endless)
    }

    /// What cannot be kept is not begun: the fault that refuses a call of so many bytes.
    async fn has_room(&mut self, reads: bool, length: u64) -> Result<(), Fault> {
        if reads {
            return Ok(());
        }
        // Twice: a value may need escapes in the file.
        let reserved = self.file.reserve(length.saturating_mul(2).saturating_add(CALL_BYTES)).await;
        reserved.map_err(|error| {
            tracing::warn!("a call of the H(e)MS is refused: {}", chain(&error));
            Fault::new(
                FaultCode::INTERNAL_ERROR,
                "the cell has no room to keep a change; nothing was changed",
            )
        })
    }

    async fn post(
        &mut self,
        link: &mut Link<'_>,
        envelope: &Envelope<FromCpe>,
    ) -> Result<Reply, SessionError> {
        let body = Bytes::from(quirk::sent(&self.cell.quirks, envelope).encode());
        self.witness.message(Role::Cpe, &body);
        let reply = link.post(&body, REPLY_BYTES).await?;
        self.witness.message(Role::Acs, &reply.body);
        self.hear_the_date(&reply, link);
        Ok(reply)
    }

    /// The Date of a verified H(e)MS moves the clock forward, within its certificate's life. (decision 6, K-02)
    fn hear_the_date(&mut self, reply: &Reply, link: &Link<'_>) {
        let (Some(date), Some(not_after)) = (reply.date, link.not_after()) else { return };
        self.cell.hear_time(date, Source::HemsSession { not_after });
    }

    /// The session was opened by a clock that nobody had confirmed; once it is, the peer's dates count anew. (K-10)
    fn check_again(&mut self, link: &Link<'_>) -> Result<(), SessionError> {
        let (true, Some(dates)) = (self.clock.synchronised(), link.dates()) else { return Ok(()) };
        dates.check(self.clock.now()).map_err(|refusal| {
            self.cell.raise(Alarm::PeerOutOfDate, &refusal.to_string());
            SessionError::OutOfDate(Box::new(refusal))
        })
    }

    /// A call of ours was answered: what it delivered leaves the agenda, and that is saved. (C-07)
    async fn take(&mut self, answered: Option<Answered>) -> Result<(), SessionError> {
        let Some(Answered { call, outcome }) = answered else { return Ok(()) };
        match (&call, outcome) {
            (AcsMethod::Inform(inform), Ok(_)) => {
                self.cell.informed(&inform.event, &self.url);
            }
            (_, Ok(_)) => self.cell.agenda.answered(&call),
            (_, Err(fault)) => return Err(SessionError::Refused { method: call.name(), fault }),
        }
        self.save().await
    }

    async fn save(&mut self) -> Result<(), SessionError> {
        Ok(self.file.save(self.cell.state()).await?)
    }
}

/// Whether the last post gave the turn to the ACS.
fn is_serving(post: &Envelope<FromCpe>) -> bool {
    match post.body {
        FromCpe::Call(_) => false,
        FromCpe::Response(_) | FromCpe::Fault(_) | FromCpe::Empty => true,
    }
}

fn limits() -> Limits {
    Limits { bytes: REPLY_BYTES, elements: 50_000, ..Limits::default() }
}
