//! One HTTP request of a cell, and its answer.
//!
//! What is no POST of an envelope to our path is refused by HTTP. What is one goes to the session of the caller's
//! identity: the connection or the cookie finds it, an Inform on another connection replaces it. An Authorization
//! header is never read: that it is there is counted, and that is all. (P-07, A-15)

use std::time::Duration;

use cwmp::{
    AcsMethod, DecodeError, DecodeErrorKind, Decoded, Envelope, FromAcs, FromCpe, Header,
    Limits as EnvelopeLimits, Role, session::Violation,
};
use hyper::{
    Method, Request, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE as COOKIE_HEADER, HeaderMap},
};
use profile::Identity;

use super::{
    body::{self, BodyError},
    reply::{self, COOKIE, Reply},
};
use crate::{
    Hems,
    config::Limits,
    session::{Caller, Outcome, Session, SessionError},
};

/// Answers one request.
pub(super) async fn answer(
    hems: &Hems,
    caller: &Caller,
    limits: &Limits,
    request: Request<Incoming>,
) -> Reply {
    let identity = &caller.peer.identity;
    if request.headers().contains_key(AUTHORIZATION) {
        count(hems, identity, "authorization").await;
    }
    if let Some((status, why)) = objection(hems, &request) {
        count(hems, identity, "no_cwmp_request").await;
        return reply::refused(status, why);
    }
    let cookie = cookie(request.headers());
    if cookie.as_ref().is_some_and(|token| hems.registry.is_of_another(token, identity)) {
        count(hems, identity, "cookie_of_another").await;
        return reply::refused(StatusCode::FORBIDDEN, "this cookie belongs to another device\n");
    }
    let bytes_max = usize::try_from(limits.envelope_bytes).unwrap_or(usize::MAX);
    let patience = Duration::from_secs(limits.body_seconds.into());
    let has_type = request.headers().contains_key(CONTENT_TYPE);
    match body::read(request.into_body(), bytes_max, patience, &hems.budget).await {
        Ok(taken) => {
            if !has_type && !taken.bytes.is_empty() {
                count(hems, identity, "no_content_type").await;
            }
            hems.witness.message(Role::Cpe, &taken.bytes);
            let limits = EnvelopeLimits { bytes: bytes_max, ..EnvelopeLimits::default() };
            let decoded = Envelope::<FromCpe>::decode(taken.bytes, &limits);
            enter(hems, caller, cookie.as_deref(), decoded).await
        }
        Err(error) => {
            let (status, kind, why) = failure(error);
            count(hems, identity, kind).await;
            reply::refused(status, why)
        }
    }
}

/// Why a request is none of ours.
fn objection(hems: &Hems, request: &Request<Incoming>) -> Option<(StatusCode, &'static str)> {
    let path = hems.url.path().split('?').next().unwrap_or("/");
    if request.uri().path() != path {
        return Some((StatusCode::NOT_FOUND, "there is nothing here\n"));
    }
    if request.method() != Method::POST {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "CWMP is spoken by POST\n"));
    }
    let kind = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
    let is_xml = |kind: &[u8]| {
        [b"text/xml".as_slice(), b"application/xml", b"application/soap+xml"]
            .iter()
            .any(|xml| kind.starts_with(xml))
    };
    if kind.is_some_and(|kind| !is_xml(&kind)) {
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "CWMP is text/xml\n"));
    }
    None
}

fn failure(error: BodyError) -> (StatusCode, &'static str, &'static str) {
    match error {
        BodyError::TooLong => {
            (StatusCode::PAYLOAD_TOO_LARGE, "oversized_body", "the envelope is too large\n")
        }
        BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "slow_body", "the body took too long\n"),
        BodyError::Broken => (StatusCode::BAD_REQUEST, "broken_body", "the body is broken\n"),
        BodyError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy_body", "try again later\n"),
    }
}

/// The value of our cookie among those that the cell sent.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(COOKIE_HEADER).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';'));
    let ours = |pair: &str| pair.trim().strip_prefix(COOKIE)?.strip_prefix('=').map(str::to_owned);
    pairs.find_map(ours)
}

async fn count(hems: &Hems, identity: &Identity, kind: &'static str) {
    tracing::warn!(device = %identity, kind, "misbehaviour");
    if let Err(error) = hems.store.count_misbehaviour(identity.to_string(), kind, hems.now()).await {
        tracing::error!(%error, "a misbehaviour is not counted");
    }
}

/// Takes a message to the session of its identity, one at a time.
async fn enter(
    hems: &Hems,
    caller: &Caller,
    cookie: Option<&str>,
    decoded: Result<Decoded<FromCpe>, DecodeError>,
) -> Reply {
    let identity = &caller.peer.identity;
    let slot = hems.registry.slot(identity);
    let mut session = slot.lock().await;
    let reply = match decoded {
        Ok(decoded) => converse(hems, caller, cookie, &mut session, decoded).await,
        Err(error) => undecodable(hems, caller, cookie, &mut session, &error).await,
    };
    let is_empty = session.is_none();
    drop(session);
    hems.registry.leave(identity, slot, is_empty);
    reply
}

async fn converse(
    hems: &Hems,
    caller: &Caller,
    cookie: Option<&str>,
    slot: &mut Option<Session>,
    decoded: Decoded<FromCpe>,
) -> Reply {
    let is_inform = matches!(decoded.envelope.body, FromCpe::Call(AcsMethod::Inform(_)));
    if is_inform && slot.as_ref().is_some_and(|session| !session.is_on(caller.connection)) {
        end(hems, slot, Outcome::Replaced).await;
    }
    let continues = slot.as_mut().is_some_and(|session| session.continues(caller.connection, cookie));
    if !continues && !is_inform {
        count(hems, &caller.peer.identity, "no_session").await;
        return reply::refused(StatusCode::BAD_REQUEST, "a session begins with Inform\n");
    }
    let is_new = !continues;
    if is_new {
        let Some(token) = hems.registry.issue(&caller.peer.identity) else {
            return reply::refused(StatusCode::SERVICE_UNAVAILABLE, "try again later\n");
        };
        *slot = Some(Session::new(hems, caller.clone(), token));
    }
    let Some(session) = slot.as_mut() else {
        return reply::refused(StatusCode::BAD_REQUEST, "a session begins with Inform\n");
    };
    decoded.leniencies.iter().for_each(|leniency| session.forgave(leniency.name()));
    let token = session.token().to_owned();
    let answer = session.receive(hems, decoded.envelope).await;
    let is_over = session.is_over();
    let reply = match answer {
        Ok(envelope) => speak(hems, &envelope),
        Err(error) => return give_up(hems, slot, &error).await,
    };
    if is_over {
        let is_mismatch = slot.as_ref().is_some_and(Session::is_refused);
        end(hems, slot, Outcome::Completed).await;
        return if is_mismatch { reply::closing(reply) } else { reply };
    }
    if is_new { reply::with_cookie(reply, &token, !hems.mode.allows_plain_http()) } else { reply }
}

/// Ends the session that lives on a connection without a tunnel.
pub(super) async fn part(hems: &Hems, caller: &Caller) {
    let identity = &caller.peer.identity;
    let slot = hems.registry.slot(identity);
    let mut session = slot.lock().await;
    if session.as_ref().is_some_and(|session| session.is_on(caller.connection)) {
        end(hems, &mut session, Outcome::TunnelGone).await;
    }
    let is_empty = session.is_none();
    drop(session);
    hems.registry.leave(identity, slot, is_empty);
}

/// Sends an envelope.
fn speak(hems: &Hems, envelope: &Envelope<FromAcs>) -> Reply {
    let text = reply::text(envelope);
    hems.witness.message(Role::Acs, text.as_bytes());
    reply::envelope(text)
}

/// A session that cannot go on.
async fn give_up(hems: &Hems, slot: &mut Option<Session>, error: &SessionError) -> Reply {
    match error {
        SessionError::Violation(violation) => {
            tracing::warn!(%violation, "a session ends by violation");
            if let Some(session) = slot {
                session.misbehaved(kind_of_violation(violation));
            }
            end(hems, slot, Outcome::Violation).await;
            reply::refused(StatusCode::BAD_REQUEST, "out of turn\n")
        }
        SessionError::Store(error) => {
            tracing::error!(%error, "a session ends because the store fails");
            end(hems, slot, Outcome::StoreFailed).await;
            reply::refused(StatusCode::SERVICE_UNAVAILABLE, "try again later\n")
        }
    }
}

/// Bytes that are no message: a fault where the standard has one, else the end of the session.
async fn undecodable(
    hems: &Hems,
    caller: &Caller,
    cookie: Option<&str>,
    slot: &mut Option<Session>,
    error: &DecodeError,
) -> Reply {
    let kind = kind_of(error);
    tracing::warn!(device = %caller.peer.identity, %error, "not a message");
    let continues = slot.as_mut().is_some_and(|session| session.continues(caller.connection, cookie));
    let is_end = match slot.as_mut().filter(|_| continues) {
        Some(session) => {
            session.misbehaved(kind);
            session.is_calling() || session.is_hopeless()
        }
        None => {
            count(hems, &caller.peer.identity, kind).await;
            return fault(hems, error).map_or_else(no_message, reply::closing);
        }
    };
    let is_soap = matches!(error.kind, DecodeErrorKind::MustUnderstand(_));
    let reply = if is_end && !is_soap { None } else { fault(hems, error) };
    match reply {
        Some(reply) if !is_end => reply,
        reply => {
            end(hems, slot, Outcome::Malformed).await;
            reply.map_or_else(no_message, reply::closing)
        }
    }
}

fn no_message() -> Reply {
    reply::refused(StatusCode::BAD_REQUEST, "this is no CWMP message\n")
}

fn fault(hems: &Hems, error: &DecodeError) -> Option<Reply> {
    if let Some(text) = error.soap_fault() {
        hems.witness.message(Role::Acs, text.as_bytes());
        return Some(reply::envelope(text));
    }
    let fault = error.fault(Role::Acs)?;
    let envelope = Envelope {
        version: error.version.unwrap_or_default(),
        header: Header::with_id(error.id.clone()),
        body: FromAcs::Fault(fault),
    };
    Some(speak(hems, &envelope))
}

/// A stable name for what came out of turn.
fn kind_of_violation(violation: &Violation) -> &'static str {
    match violation.message {
        "an Inform" => "second_inform",
        "a call" => "call_out_of_turn",
        "an empty message" => "empty_out_of_turn",
        "a fault to no call of ours" => "fault_to_no_call",
        _ => "response_to_no_call",
    }
}

fn kind_of(error: &DecodeError) -> &'static str {
    match error.kind {
        DecodeErrorKind::UnknownMethod(_) => "unknown_method",
        DecodeErrorKind::DocumentType => "document_type",
        DecodeErrorKind::Limit { .. } => "beyond_limits",
        DecodeErrorKind::Missing(_) | DecodeErrorKind::BadValue { .. } => "bad_arguments",
        DecodeErrorKind::MustUnderstand(_) => "must_understand",
        DecodeErrorKind::NotAnEnvelope(_) | DecodeErrorKind::NotCwmp(_) => "wrong_namespace",
        DecodeErrorKind::Malformed(_)
        | DecodeErrorKind::UndeclaredPrefix(_)
        | DecodeErrorKind::BodyCount(_) => "malformed",
    }
}

/// Ends the session of a slot and writes its outcome.
async fn end(hems: &Hems, slot: &mut Option<Session>, outcome: Outcome) {
    if let Some(session) = slot.take() {
        hems.end_session(session, outcome).await;
    }
}
