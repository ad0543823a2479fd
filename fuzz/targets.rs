//! What a fuzzer calls with any bytes, and what must hold then. Also replayed by a test of `cwmp`.
//!
//! One rule: a target panics only where a promise is broken. A session is fed with messages that are
//! split by a NUL byte, so that one input is a whole conversation.

use std::time::{Duration, Instant};

use cwmp::{
    AcsMethod, AnyBody, DateTime, DecodeError, Decoded, DeviceId, Envelope, Fault, FaultCode, FromAcs,
    FromCpe, GetRPCMethods, Inform, InformResponse, Kicked, Leniency, Limits, Reboot,
    session::acs,
    session::cpe,
    walk::{Gait, walk},
};

/// A bound that keeps a fuzzer fast; the product's own are larger.
const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 32, elements: 10_000, attributes: 64 };

/// However an envelope is walked, it is well-formed or it is not, and no error stands outside it.
pub(crate) fn cursor(data: &[u8]) {
    let Ok(body) = str::from_utf8(data) else { return };
    let children = walk(body, &LIMITS, Gait::Children);
    let skipped = walk(body, &LIMITS, Gait::Skip);
    assert_eq!(children.as_ref().ok(), skipped.as_ref().ok(), "walking and skipping agree");
    let bits = data.iter().fold(data.len() as u64, |bits, byte| bits.rotate_left(5) ^ u64::from(*byte));
    for outcome in [children, skipped, walk(body, &LIMITS, Gait::Mixed(bits))] {
        match outcome {
            Ok(elements) => assert!(elements <= LIMITS.elements, "{elements} elements"),
            Err(error) => assert!(error.offset() <= body.len(), "{error} behind the end"),
        }
    }
}

/// Tolerances of what was said, which is kept as it is; every other is of how it was said.
const KEPT: &[Leniency] = &[
    Leniency::MethodVersion,
    Leniency::MissingId,
    Leniency::Nil,
    Leniency::ValueType,
    Leniency::ValueForm,
    Leniency::BooleanCase,
    Leniency::MalformedTime,
    Leniency::UnknownNumber,
    Leniency::TooFew,
    Leniency::TooMany,
    Leniency::TooLong,
    Leniency::OuiForm,
    Leniency::TextForm,
    Leniency::AliasForm,
];

/// Whatever is read can be written, and reads the same again: no tolerance is needed for how we say it. Only what XML
/// cannot carry does not come back.
pub(crate) fn envelope(data: &[u8]) {
    let decoded = Envelope::<AnyBody>::decode(data, &LIMITS);
    judged(data, decoded.as_ref());
    let Ok(decoded) = decoded else { return };
    let written = decoded.envelope.encode();
    let again =
        Envelope::<AnyBody>::decode(written.clone(), &Limits::default()).expect("our own words are read");
    assert_eq!(again.envelope.encode(), written, "what was written is stable");
    let is_kept = |leniency: &Leniency| KEPT.contains(leniency);
    assert!(again.leniencies.iter().all(is_kept), "{:?} for our own words", again.leniencies);
    let is_carried = !decoded.leniencies.contains(&Leniency::ControlCharacter);
    if is_carried && decoded.envelope.body.element().is_some() {
        assert_eq!(again.envelope, decoded.envelope, "nothing is lost");
    }
}

/// Strict reading finds something exactly where something was forgiven or refused, and in its place.
fn judged(data: &[u8], decoded: Result<&Decoded<AnyBody>, &DecodeError>) {
    let findings = Envelope::<AnyBody>::decode_strict(data, &LIMITS).err().unwrap_or_default();
    assert!(findings.iter().all(|finding| finding.offset <= data.len()), "{findings:?}");
    let Ok(decoded) = decoded else { return assert!(!findings.is_empty(), "an error is a finding") };
    let is_named = |name: &str| findings.iter().any(|finding| finding.name == name);
    assert_eq!(findings.is_empty(), decoded.leniencies.is_empty(), "{findings:?}");
    assert!(findings.len() == 1000 || decoded.leniencies.iter().all(|leniency| is_named(leniency.name())));
}

/// A CPE that says anything: the machine answers or ends, and stays ended.
pub(crate) fn acs_session(data: &[u8]) {
    let now = start();
    let mut session = acs::Session::new(Duration::from_secs(60), now);
    let mut calls = 0;
    for message in data.split(|byte| *byte == 0) {
        let Ok(decoded) = Envelope::<FromCpe>::decode(message, &LIMITS) else { continue };
        let was_over = session.is_over();
        match session.receive(decoded.envelope, now) {
            Err(_) => assert!(session.is_over(), "a violation ends the session"),
            Ok(_) if was_over => panic!("a session that is over takes nothing"),
            Ok(acs::Demand::Respond(AcsMethod::Inform(_))) => {
                drop(session.respond(Ok(InformResponse { max_envelopes: 1 }.into())));
            }
            Ok(acs::Demand::Respond(_)) => {
                drop(session.respond(Err(Fault::from(FaultCode::ACS_METHOD_NOT_SUPPORTED))));
            }
            Ok(acs::Demand::Choose { .. }) if calls < 3 => {
                calls += 1;
                drop(session.call(Reboot { command_key: "k".into() }.into()));
                assert_eq!(session.outstanding(), Some("Reboot"));
            }
            Ok(acs::Demand::Choose { .. }) => drop(session.close()),
        }
    }
}

/// An ACS that says anything: nothing that the CPE had to say is lost.
pub(crate) fn cpe_session(data: &[u8]) {
    let calls = vec![GetRPCMethods {}.into(), GetRPCMethods {}.into(), kicked()];
    let (mut session, _) = cpe::Session::open_offering(inform(), calls.clone());
    let mut heard: Vec<AcsMethod> = Vec::new();
    for message in data.split(|byte| *byte == 0) {
        let Ok(decoded) = Envelope::<FromAcs>::decode(message, &LIMITS) else { continue };
        let Ok(turn) = session.receive(decoded.envelope) else { break };
        let answered = turn.answered.map(|answered| answered.call);
        heard.extend(answered.filter(|call| !matches!(call, AcsMethod::Inform(_))));
        match turn.demand {
            cpe::Demand::Post(_) => {}
            cpe::Demand::Execute(_) => {
                drop(session.respond(Err(Fault::from(FaultCode::METHOD_NOT_SUPPORTED))));
            }
            cpe::Demand::Closed => break,
        }
    }
    heard.extend(session.into_unanswered());
    assert_eq!(heard, calls, "each call is answered or left, in order");
}

fn kicked() -> AcsMethod {
    let [command, referer, arg, next] = ["k"; 4].map(Into::into);
    Kicked { command, referer, arg, next }.into()
}

fn inform() -> Inform {
    let device_id = DeviceId {
        manufacturer: "Example Cells".into(),
        oui: "00005E".into(),
        product_class: "SimulatedCell".into(),
        serial_number: "00005E005301".into(),
    };
    let current_time = DateTime::UNKNOWN;
    Inform {
        device_id,
        event: Vec::new(),
        max_envelopes: 1,
        current_time,
        retry_count: 0,
        parameter_list: Vec::new(),
    }
}

/// Sessions only take differences to it.
fn start() -> Instant {
    Instant::now()
}
