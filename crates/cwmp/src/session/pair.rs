//! Both machines over a lossy link, in virtual time.
//!
//! ```text
//!  agenda ─▶ cpe::Session ══ bytes ══ link ══ bytes ══ acs::Session ◀─ plan
//!                      loses posts, loses replies, garbles, repeats, is slow
//! ```
//!
//! What must hold whatever the link does: nothing that the CPE has to say is lost, what it says
//! comes in order, what the ACS wants gets done, and between two failed sessions there is a wait.

use std::{
    mem,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use proptest::prelude::*;

use super::{acs, cpe};
use crate::{
    AcsMethod, AcsResponse, Agenda, CpeMethod, CpeResponse, DateTime, DeviceId, Envelope, EventCode,
    EventStruct, Fault, FaultCode, FaultStruct, FromAcs, FromCpe, Inform, InformResponse, Limits, Reboot,
    RebootResponse, TransferComplete, TransferCompleteResponse, Version,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of one exchange.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Link {
    Fine,
    LosePost,
    LoseReply,
    GarblePost,
    GarbleReply,
    /// The ACS sees the post twice, as after a proxy's retry, and the first reply is lost.
    RepeatPost,
    Slow,
}

/// How the ACS takes one message.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    /// It holds the CPE's calls back.
    Holds,
    /// It wants the call again: fault 8005.
    Again,
    /// It fails: fault 8002.
    Fails,
}

struct Pair {
    link: Box<dyn Iterator<Item = Link>>,
    moods: Box<dyn Iterator<Item = Mood>>,
    /// The CPE offers versions.
    offers: bool,
    agenda: Agenda,
    plan: Vec<CpeMethod>,
    now: Timestamp,
    clock: Instant,
    /// Calls that the ACS answered, in the order it saw them.
    delivered: Vec<AcsMethod>,
    events: Vec<EventStruct>,
    executed: Vec<CpeMethod>,
    failures: u32,
    is_refused: bool,
    waited: Duration,
    /// What the ACS heard and what the CPE carried out, in order.
    log: Vec<&'static str>,
}

impl Pair {
    fn over(link: Vec<Link>) -> Self {
        Self {
            link: Box::new(link.into_iter().chain(std::iter::repeat(Link::Fine))),
            moods: Box::new(std::iter::repeat(Mood::Fine)),
            offers: false,
            agenda: Agenda::default(),
            plan: Vec::new(),
            now: Timestamp::UNIX_EPOCH,
            clock: some_instant(),
            delivered: Vec::new(),
            events: Vec::new(),
            executed: Vec::new(),
            failures: 0,
            is_refused: false,
            waited: Duration::ZERO,
            log: Vec::new(),
        }
    }

    /// Runs until the CPE has nothing to say and the ACS wants nothing.
    fn run(&mut self, calls: &[AcsMethod], plan: &[CpeMethod]) {
        self.plan = plan.to_vec();
        self.agenda.raise(EventCode::BOOTSTRAP, "");
        calls.iter().for_each(|call| self.agenda.queue(call.clone()));
        for round in 0_u64..400 {
            if !self.agenda.is_due(self.now) {
                let Some(at) = self.agenda.deadline() else { return };
                self.waited += Duration::try_from(at.duration_since(self.now)).unwrap();
                self.pass(Duration::try_from(at.duration_since(self.now)).unwrap());
                continue;
            }
            if self.session().is_some() {
                self.agenda.closed();
            } else {
                self.failures += 1;
                self.agenda.failed(self.now, round * 7919);
            }
        }
        panic!("the pair did not come to rest");
    }

    /// One session; nothing when it failed.
    fn session(&mut self) -> Option<()> {
        let events = self.agenda.events();
        let inform = inform(events.clone(), self.agenda.retry_count());
        let open = if self.offers { cpe::Session::open_offering } else { cpe::Session::open };
        let (mut cpe, post) = open(inform, self.agenda.calls());
        let outcome = self.converse(&mut cpe, post, &events);
        // A call that was refused is the agenda's to repeat; of all others the session kept the same list.
        if !mem::take(&mut self.is_refused) {
            assert_eq!(cpe.into_unanswered(), self.agenda.calls());
        }
        outcome
    }

    fn converse(
        &mut self,
        cpe: &mut cpe::Session,
        mut post: Envelope<FromCpe>,
        events: &[EventStruct],
    ) -> Option<()> {
        let mut acs = acs::Session::new(PATIENCE, self.clock);
        loop {
            let reply = self.exchange(&mut acs, &post)?;
            let turn = cpe.receive(reply).ok()?;
            if let Some(answered) = turn.answered {
                if answered.outcome.is_err() {
                    self.is_refused = true;
                    return None;
                }
                if let AcsMethod::Inform(_) = &answered.call {
                    self.agenda.informed(events, self.now);
                } else {
                    self.agenda.answered(&answered.call);
                }
            }
            post = match turn.demand {
                cpe::Demand::Post(post) => post,
                cpe::Demand::Execute(method) => {
                    self.log.push(method.name());
                    self.executed.push(method);
                    cpe.respond(Ok(CpeResponse::Reboot(RebootResponse {})))
                }
                cpe::Demand::Closed => return Some(()),
            };
        }
    }

    fn exchange(&mut self, acs: &mut acs::Session, post: &Envelope<FromCpe>) -> Option<Envelope<FromAcs>> {
        let link = self.link.next()?;
        self.pass(if link == Link::Slow { PATIENCE / 2 } else { Duration::from_millis(20) });
        let bytes = post.encode();
        match link {
            Link::LosePost => return None,
            Link::GarblePost => {
                self.serve(acs, bytes.get(..bytes.len() / 2)?);
                return None;
            }
            Link::RepeatPost => drop(self.serve(acs, &bytes)),
            Link::Fine | Link::LoseReply | Link::GarbleReply | Link::Slow => {}
        }
        let reply = self.serve(acs, &bytes)?;
        let arrived = match link {
            Link::LoseReply => return None,
            Link::GarbleReply => reply.get(..reply.len() / 2)?,
            Link::Fine | Link::LosePost | Link::GarblePost | Link::RepeatPost | Link::Slow => &reply,
        };
        let limits = Limits::default();
        Envelope::<FromAcs>::decode(arrived, &limits).ok().map(|decoded| decoded.envelope)
    }

    /// The ACS's driver, whole.
    fn serve(&mut self, acs: &mut acs::Session, bytes: &str) -> Option<String> {
        let post = Envelope::<FromCpe>::decode(bytes, &Limits::default()).ok()?.envelope;
        let reply = match acs.receive(post, self.clock).ok()? {
            acs::Demand::Respond(call) => {
                let mood = self.moods.next()?;
                acs.hold(mood == Mood::Holds);
                match mood {
                    Mood::Fine | Mood::Holds => acs.respond(Ok(self.hear(&call))),
                    Mood::Again => acs.respond(Err(FaultCode::RETRY_REQUEST.into())),
                    Mood::Fails => acs.respond(Err(FaultCode::ACS_INTERNAL_ERROR.into())),
                }
            }
            acs::Demand::Choose { last } => {
                if last.is_some() {
                    self.plan.remove(0);
                }
                match self.plan.first().cloned() {
                    Some(method) => acs.call(method),
                    None => acs.close(),
                }
            }
        };
        Some(reply.encode())
    }

    fn hear(&mut self, call: &AcsMethod) -> AcsResponse {
        self.log.push(call.name());
        if let AcsMethod::Inform(inform) = call {
            self.events.extend(inform.event.clone());
            return InformResponse { max_envelopes: 1 }.into();
        }
        self.delivered.push(call.clone());
        TransferCompleteResponse {}.into()
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).unwrap();
        self.clock += time;
    }
}

/// Virtual time needs an origin, and `Instant` has no other.
#[expect(clippy::disallowed_methods, reason = "only differences to it are ever used")]
fn some_instant() -> Instant {
    Instant::now()
}

fn inform(event: Vec<EventStruct>, retry_count: u32) -> Inform {
    let device_id = DeviceId {
        manufacturer: "Example Cells".into(),
        oui: "00005E".into(),
        product_class: "SimulatedCell".into(),
        serial_number: "00005E005301".into(),
    };
    let current_time = DateTime::UNKNOWN;
    Inform { device_id, event, max_envelopes: 1, current_time, retry_count, parameter_list: Vec::new() }
}

fn transfer(number: usize) -> AcsMethod {
    TransferComplete {
        command_key: number.to_string().into(),
        fault_struct: FaultStruct::success(),
        start_time: DateTime::UNKNOWN,
        complete_time: DateTime::UNKNOWN,
    }
    .into()
}

fn reboot(number: usize) -> CpeMethod {
    Reboot { command_key: number.to_string().into() }.into()
}

fn moods() -> impl Strategy<Value = Vec<Mood>> {
    let mood = prop_oneof![
        6 => Just(Mood::Fine),
        2 => Just(Mood::Holds),
        1 => Just(Mood::Again),
        1 => Just(Mood::Fails),
    ];
    proptest::collection::vec(mood, 0..20)
}

fn links() -> impl Strategy<Value = Vec<Link>> {
    let link = prop_oneof![
        6 => Just(Link::Fine),
        1 => Just(Link::LosePost),
        1 => Just(Link::LoseReply),
        1 => Just(Link::GarblePost),
        1 => Just(Link::GarbleReply),
        1 => Just(Link::RepeatPost),
        1 => Just(Link::Slow),
    ];
    proptest::collection::vec(link, 0..60)
}

/// The list without what it already held: a link may repeat, never reorder.
fn firsts<T: PartialEq + Clone>(seen: &[T]) -> Vec<T> {
    let mut firsts: Vec<T> = Vec::new();
    for item in seen {
        if !firsts.contains(item) {
            firsts.push(item.clone());
        }
    }
    firsts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn c07_a_lossy_link_delays_but_loses_nothing(
        link in links(), moods in moods(), offers: bool, calls in 0_usize..4, plan in 0_usize..4,
    ) {
        let calls: Vec<_> = (0..calls).map(transfer).collect();
        let plan: Vec<_> = (0..plan).map(reboot).collect();
        let mut pair = Pair::over(link);
        pair.moods = Box::new(moods.into_iter().chain(std::iter::repeat(Mood::Fine)));
        pair.offers = offers;
        pair.run(&calls, &plan);
        prop_assert_eq!(firsts(&pair.delivered), calls);
        prop_assert_eq!(firsts(&pair.executed), plan);
        prop_assert!(pair.events.contains(&EventCode::BOOTSTRAP.into()));
        prop_assert!(pair.waited >= Duration::from_secs(5) * pair.failures);
    }
}

#[test]
fn a_fine_link_says_and_does_everything_once() {
    let mut pair = Pair::over(Vec::new());
    pair.run(&[transfer(1), transfer(2)], &[reboot(1), reboot(2)]);
    assert_eq!(pair.delivered, [transfer(1), transfer(2)]);
    assert_eq!(pair.executed, [reboot(1), reboot(2)]);
    assert_eq!((pair.failures, pair.events.len()), (0, 1));
}

#[test]
fn c30_a_retry_request_repeats_the_same_call_in_the_session() {
    let (mut cpe, first) = cpe::Session::open(inform(Vec::new(), 0), Vec::new());
    let fault = FromAcs::Fault(Fault::from(FaultCode::RETRY_REQUEST));
    let turn = cpe.receive(Envelope { body: fault, ..Envelope::<FromAcs>::empty(first.version) }).unwrap();
    let cpe::Demand::Post(second) = turn.demand else { panic!("{turn:?}") };
    assert_eq!((second.body, turn.answered), (first.body, None));
}

#[test]
fn c30_the_acs_takes_the_inform_again_that_it_asked_for_and_no_other_fault_leaves_a_session() {
    let (mut cpe, first) = cpe::Session::open(inform(Vec::new(), 0), Vec::new());
    let mut acs = acs::Session::new(PATIENCE, some_instant());
    acs.receive(first, some_instant()).unwrap();
    let reply = acs.respond(Err(FaultCode::RETRY_REQUEST.into()));
    let cpe::Demand::Post(second) = cpe.receive(reply).unwrap().demand else { panic!("it posts again") };
    let demand = acs.receive(second, some_instant()).unwrap();
    assert!(matches!(demand, acs::Demand::Respond(AcsMethod::Inform(_))));
    acs.respond(Err(FaultCode::ACS_INTERNAL_ERROR.into()));
    assert!(acs.is_over());
}

#[test]
fn s04_h21_the_acs_orders_calls_with_hold_requests_and_takes_them_afterwards() {
    let mut pair = Pair::over(Vec::new());
    pair.moods = Box::new([Mood::Holds].into_iter().chain(std::iter::repeat(Mood::Fine)));
    pair.run(&[transfer(1), transfer(2)], &[reboot(1), reboot(2)]);
    assert_eq!(pair.log, ["Inform", "Reboot", "Reboot", "TransferComplete", "TransferComplete"]);
    assert_eq!(pair.failures, 0);
}

#[test]
fn c30_any_other_fault_to_an_inform_fails_the_session() {
    let (mut cpe, first) = cpe::Session::open(inform(Vec::new(), 0), vec![transfer(1)]);
    let fault = FromAcs::Fault(Fault::from(FaultCode::ACS_INTERNAL_ERROR));
    let violation =
        cpe.receive(Envelope { body: fault, ..Envelope::<FromAcs>::empty(first.version) }).unwrap_err();
    assert_eq!(violation.to_string(), "a fault in state Informing (TR-069 3.7.1.4)");
    assert_eq!(cpe.into_unanswered(), [transfer(1)]);
}

#[test]
fn c08_calls_are_held_back_while_the_acs_holds_them() {
    let (mut cpe, first) = cpe::Session::open(inform(Vec::new(), 0), vec![transfer(1)]);
    let mut reply = Envelope::<FromAcs>::empty(first.version);
    reply.body = FromAcs::Response(InformResponse { max_envelopes: 1 }.into());
    reply.header.hold_requests = Some(true);
    let turn = cpe.receive(reply).unwrap();
    let cpe::Demand::Post(post) = turn.demand else { panic!("{:?}", turn.demand) };
    assert_eq!(post.body, FromCpe::Empty);
    let turn = cpe.receive(Envelope::<FromAcs>::empty(first.version)).unwrap();
    let cpe::Demand::Post(post) = turn.demand else { panic!("{:?}", turn.demand) };
    assert_eq!(post.body, FromCpe::Call(transfer(1)));
}

#[test]
fn s06_h24_both_sides_settle_on_the_highest_common_version() {
    let (mut cpe, first) = cpe::Session::open_offering(inform(Vec::new(), 0), vec![transfer(1)]);
    let mut acs = acs::Session::new(PATIENCE, some_instant());
    assert_eq!(first.version.urn(), "urn:dslforum-org:cwmp-1-2");
    acs.receive(first, some_instant()).unwrap();
    let reply = acs.respond(Ok(InformResponse { max_envelopes: 1 }.into()));
    assert_eq!(reply.header.use_cwmp_version.as_deref(), Some("1.4"));
    assert!(cpe.receive(reply).is_ok());
}

#[test]
fn g10_h19_every_namespace_is_answered_in_itself_and_a_session_begins_in_1_1() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let (_, mut first) = cpe::Session::open(inform(Vec::new(), 0), Vec::new());
        assert_eq!(first.version.urn(), "urn:dslforum-org:cwmp-1-1");
        first.version = version;
        let mut acs = acs::Session::new(PATIENCE, some_instant());
        acs.receive(first, some_instant()).unwrap();
        let reply = acs.respond(Ok(InformResponse { max_envelopes: 1 }.into()));
        assert_eq!(reply.version, version);
    }
}

#[test]
fn h24_no_common_version_is_fault_8006_and_ends_the_session() {
    let (mut cpe, mut first) = cpe::Session::open_offering(inform(Vec::new(), 0), Vec::new());
    first.header.supported_cwmp_versions = Some("2.0,2.1".into());
    let mut acs = acs::Session::new(PATIENCE, some_instant());
    acs.receive(first, some_instant()).unwrap();
    let reply = acs.respond(Ok(InformResponse { max_envelopes: 1 }.into()));
    assert_eq!(reply.body, FromAcs::Fault(Fault::from(FaultCode::VERSION_INCOMPATIBLE)));
    assert!(cpe.receive(reply).is_err());
}

#[test]
fn h24_a_version_that_was_not_offered_is_a_violation() {
    let (mut cpe, first) = cpe::Session::open_offering(inform(Vec::new(), 0), Vec::new());
    let mut reply = Envelope::<FromAcs>::empty(first.version);
    reply.body = FromAcs::Response(InformResponse { max_envelopes: 1 }.into());
    reply.header.use_cwmp_version = Some("3.0".into());
    assert_eq!(cpe.receive(reply).unwrap_err().message, "a version that was not offered");
}

#[test]
fn s05_h23_a_cpe_may_ask_for_patience() {
    let (_, mut first) = cpe::Session::open(inform(Vec::new(), 0), Vec::new());
    let (now, mut acs) = (some_instant(), acs::Session::new(PATIENCE, some_instant()));
    first.header.session_timeout = Some(300);
    acs.receive(first.clone(), now).unwrap();
    assert_eq!(acs.deadline() - now, Duration::from_secs(300));
    for (asked, given) in [(0, 30), (29, 30), (30, 30), (3600, 3600), (3601, 3600), (u32::MAX, 3600)] {
        let mut acs = acs::Session::new(PATIENCE, now);
        first.header.session_timeout = Some(asked);
        acs.receive(first.clone(), now).unwrap();
        assert_eq!(acs.deadline() - now, Duration::from_secs(given), "{asked}");
    }
}
