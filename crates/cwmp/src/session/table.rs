//! The state and message matrix of both machines, printed and compared.
//!
//! The table `session_table.txt` is reviewed like the standard's: each cell says what the machine
//! does with that message in that state, or which clause the message breaks.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use super::{Violation, acs, cpe};
use crate::{
    AcsMethod, AcsResponse, CpeMethod, CpeResponse, Envelope, Fault, FaultCode, FromAcs, FromCpe,
    GetRPCMethods, GetRPCMethodsResponse, Header, InformResponse, Reboot, RebootResponse, Version,
    sample::Seed, wire::Wire,
};

fn inform() -> crate::Inform {
    Wire::sample(&mut Seed(1, Version::V1_1), "Inform")
}

fn methods() -> GetRPCMethodsResponse {
    GetRPCMethodsResponse { method_list: Vec::new() }
}

fn from_cpe() -> Vec<(&'static str, FromCpe)> {
    vec![
        ("Inform", FromCpe::Call(inform().into())),
        ("other call", FromCpe::Call(GetRPCMethods {}.into())),
        ("expected response", FromCpe::Response(RebootResponse {}.into())),
        ("other response", FromCpe::Response(CpeResponse::GetRPCMethods(methods()))),
        ("fault", FromCpe::Fault(Fault::from(FaultCode::INTERNAL_ERROR))),
        ("empty", FromCpe::Empty),
    ]
}

fn from_acs() -> Vec<(&'static str, FromAcs)> {
    vec![
        ("call", FromAcs::Call(Reboot { command_key: "".into() }.into())),
        ("InformResponse", FromAcs::Response(InformResponse { max_envelopes: 1 }.into())),
        ("other response", FromAcs::Response(AcsResponse::GetRPCMethods(methods()))),
        ("fault 8002", FromAcs::Fault(Fault::from(FaultCode::ACS_INTERNAL_ERROR))),
        ("fault 8005", FromAcs::Fault(Fault::from(FaultCode::RETRY_REQUEST))),
        ("empty", FromAcs::Empty),
    ]
}

fn envelope<B>(body: B) -> Envelope<B> {
    Envelope { version: Version::V1_1, header: Header::default(), body }
}

#[expect(clippy::disallowed_methods, reason = "only differences to it are ever used")]
fn now() -> Instant {
    Instant::now()
}

fn acs_in(state: &str) -> acs::Session {
    let mut session = acs::Session::new(Duration::from_secs(60), now());
    let posts = [FromCpe::Call(inform().into()), FromCpe::Empty];
    let steps = ["AwaitInform", "CpeTurn", "AcsTurn", "Called", "Released", "Over"]
        .iter()
        .position(|name| *name == state)
        .unwrap();
    session.hold(state == "Released");
    for body in posts.into_iter().take(steps.min(2)) {
        let is_inform = body != FromCpe::Empty;
        session.receive(envelope(body), now()).unwrap();
        if is_inform {
            session.respond(Ok(InformResponse { max_envelopes: 1 }.into()));
        }
    }
    match state {
        "Called" => drop(session.call(Reboot { command_key: "".into() }.into())),
        "Released" | "Over" => drop(session.close()),
        _ => {}
    }
    session
}

fn cpe_in(state: &str) -> cpe::Session {
    let calls: Vec<AcsMethod> =
        if matches!(state, "Calling" | "Held") { vec![GetRPCMethods {}.into()] } else { vec![] };
    let (mut session, _) = cpe::Session::open(inform(), calls);
    let mut response = envelope(FromAcs::Response(InformResponse { max_envelopes: 1 }.into()));
    response.header.hold_requests = (state == "Held").then_some(true);
    if state != "Informing" {
        session.receive(response).unwrap();
    }
    if state == "Over" {
        session.receive(envelope(FromAcs::Empty)).unwrap();
    }
    session
}

fn acs_cell(outcome: Result<acs::Demand, Violation>) -> String {
    match outcome {
        Ok(acs::Demand::Respond(call)) => format!("respond to {}", call.name()),
        Ok(acs::Demand::Choose { last: None }) => "choose".to_owned(),
        Ok(acs::Demand::Choose { last: Some(Ok(response)) }) => {
            format!("choose after {}", response.element())
        }
        Ok(acs::Demand::Choose { last: Some(Err(fault)) }) => format!("choose after fault {}", fault.code),
        Err(violation) => format!("violation of {}", violation.clause),
    }
}

fn cpe_cell(outcome: Result<cpe::Turn, Violation>) -> String {
    let turn = match outcome {
        Ok(turn) => turn,
        Err(violation) => return format!("violation of {}", violation.clause),
    };
    let answered =
        turn.answered.map(|answered| format!("{} answered, ", answered.call.name())).unwrap_or_default();
    let demand = match turn.demand {
        cpe::Demand::Post(post) => format!("post {}", post.body.element().unwrap_or("empty")),
        cpe::Demand::Execute(method) => format!("execute {}", CpeMethod::name(&method)),
        cpe::Demand::Closed => "closed".to_owned(),
    };
    answered + &demand
}

#[test]
fn c08_c09_s03_the_matrix_of_states_and_messages_is_as_reviewed() {
    let mut table = String::new();
    for state in ["AwaitInform", "CpeTurn", "AcsTurn", "Called", "Released", "Over"] {
        for (name, body) in from_cpe() {
            let cell = acs_cell(acs_in(state).receive(envelope(body), now()));
            writeln!(table, "ACS  {state:<12} {name:<18} {cell}").unwrap();
        }
    }
    for state in ["Informing", "Calling", "Held", "Serving", "Over"] {
        for (name, body) in from_acs() {
            let cell = cpe_cell(cpe_in(state).receive(envelope(body)));
            writeln!(table, "CPE  {state:<12} {name:<18} {cell}").unwrap();
        }
    }
    expect_test::expect_file!["../../testdata/session_table.txt"].assert_eq(&table);
}
