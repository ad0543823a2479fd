//! One HTTP request of a cell, and its answer.
//!
//! What is no POST of an envelope to our path is refused by HTTP. What is one goes to the session of the caller's
//! identity: the connection or the cookie finds it, and an Inform ends it and opens the next. An Authorization header
//! is never read: that it is there is counted, and that is all. (P-07, A-15)
//!
//! ```text
//!   Inform  ─┬─ in a session ──────────▶ it was interrupted (counted) ─┐
//!            ├─ beside a session ──────▶ it is replaced ───────────────┼─▶ a new session
//!            └─ no session ────────────────────────────────────────────┘
//!   other   ─┬─ in a session ──────────▶ its turn
//!            └─ no session ─┬─ empty, first of its connection ─▶ empty (counted)
//!                           └─ else ──────────────────────────▶ 400
//! ```

use std::time::Duration;

use bytes::Bytes;
use cwmp::{
    AcsMethod, DecodeError, DecodeErrorKind, Decoded, Envelope, FromAcs, FromCpe, Header,
    Limits as EnvelopeLimits, Role, Text, session::Violation,
};
use hyper::{
    Method, Request, StatusCode,
    body::{Body, Incoming},
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
    store::StoreError,
};

/// Where a message came from.
struct Origin {
    caller: Caller,
    /// The value of our cookie, where it came back.
    cookie: Option<String>,
    /// Whether nothing came on this connection before.
    is_first: bool,
}

impl Origin {
    fn identity(&self) -> &Identity {
        &self.caller.peer.identity
    }

    /// Whether a message belongs to this session; it then lives on this connection.
    fn continues(&self, session: &mut Session) -> bool {
        session.continues(self.caller.connection, self.cookie.as_deref())
    }
}

/// Answers one request; `is_first` on its connection.
pub(super) async fn answer(
    hems: &Hems,
    caller: Caller,
    is_first: bool,
    limits: &Limits,
    request: Request<Incoming>,
) -> Reply {
    let origin = Origin { caller, cookie: cookie(request.headers()), is_first };
    let identity = origin.identity();
    if request.headers().contains_key(AUTHORIZATION) {
        count(hems, identity, "authorization").await;
    }
    if let Some((status, why)) = objection(hems, &request) {
        count(hems, identity, "no_cwmp_request").await;
        return reply::refused(status, why);
    }
    if origin.cookie.as_ref().is_some_and(|token| hems.registry.is_of_another(token, identity)) {
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
            enter(hems, &origin, decoded).await
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
    // Some libraries name a type beside every POST, an empty one too.
    let kind = request.headers().get(CONTENT_TYPE).filter(|_| !request.body().is_end_stream());
    let kind = kind.map(|value| value.as_bytes().to_ascii_lowercase());
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

/// The value of our cookie among those that the cell sent; older clients put it between quotes. (RFC 2109)
fn cookie(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(COOKIE_HEADER).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';'));
    let ours = |pair: &str| pair.trim().strip_prefix(COOKIE)?.strip_prefix('=').map(str::to_owned);
    pairs.find_map(ours).map(|value| value.trim_matches('"').to_owned())
}

/// Counts what a cell should not have done.
pub(super) async fn count(hems: &Hems, identity: &Identity, kind: &'static str) {
    tracing::warn!(device = %identity, kind, "misbehaviour");
    if let Err(error) = hems.store.count_misbehaviour(identity.to_string(), kind, hems.now()).await {
        tracing::error!(%error, "a misbehaviour is not counted");
    }
}

/// Takes a message to the session of its identity, one at a time.
async fn enter(hems: &Hems, origin: &Origin, decoded: Result<Decoded<FromCpe>, DecodeError>) -> Reply {
    let identity = origin.identity();
    let slot = hems.registry.slot(identity);
    let mut session = slot.lock().await;
    let reply = match decoded {
        Ok(decoded) => converse(hems, origin, &mut session, decoded).await,
        Err(error) => undecodable(hems, origin, &mut session, &error).await,
    };
    let is_empty = session.is_none();
    drop(session);
    hems.registry.leave(identity, slot, is_empty);
    reply
}

async fn converse(
    hems: &Hems,
    origin: &Origin,
    slot: &mut Option<Session>,
    decoded: Decoded<FromCpe>,
) -> Reply {
    let body = &decoded.envelope.body;
    let is_new = matches!(body, FromCpe::Call(AcsMethod::Inform(_)));
    if is_new {
        make_way(hems, origin, slot).await;
        let Some(token) = hems.registry.issue(origin.identity()) else {
            return reply::refused(StatusCode::SERVICE_UNAVAILABLE, "try again later\n");
        };
        *slot = Some(Session::new(hems, origin.caller.clone(), token));
    } else if !slot.as_mut().is_some_and(|session| origin.continues(session)) {
        return sessionless(hems, origin, slot.is_some(), *body == FromCpe::Empty).await;
    }
    let Some(session) = slot.as_mut() else {
        return reply::refused(StatusCode::BAD_REQUEST, "a session begins with Inform\n");
    };
    decoded.leniencies.iter().for_each(|leniency| session.forgave(leniency.name()));
    let token = session.token().to_owned();
    let (came_at, method) = (hems.now(), decoded.envelope.body.element());
    let answer = session.receive(hems, decoded.envelope).await;
    session.record(hems, (Role::Cpe, came_at), method, &decoded.text);
    let is_over = session.is_over();
    let reply = match answer {
        Ok(envelope) => {
            let text = say(hems, &envelope);
            session.record(hems, (Role::Acs, hems.now()), envelope.body.element(), &text);
            reply::envelope(text.into_bytes())
        }
        Err(error) => return give_up(hems, slot, &error).await,
    };
    if is_over {
        let is_mismatch = slot.as_ref().is_some_and(Session::is_refused);
        end(hems, slot, Outcome::Completed).await;
        return if is_mismatch { reply::closing(reply) } else { reply };
    }
    if is_new { reply::with_cookie(reply, &token, !hems.mode.allows_plain_http()) } else { reply }
}

/// Ends the session that lives on a connection for which nobody vouches any more.
pub(super) async fn part(hems: &Hems, caller: &Caller, outcome: Outcome) {
    let identity = &caller.peer.identity;
    let slot = hems.registry.slot(identity);
    let mut session = slot.lock().await;
    if session.as_ref().is_some_and(|session| session.is_on(caller.connection)) {
        end(hems, &mut session, outcome).await;
    }
    let is_empty = session.is_none();
    drop(session);
    hems.registry.leave(identity, slot, is_empty);
}

/// An Inform opens a session whatever was before it: a cell restarts in the middle of one, or gives one up. What the
/// old session had reported is kept, and its open call is as lost as by a connection that broke.
async fn make_way(hems: &Hems, origin: &Origin, slot: &mut Option<Session>) {
    let Some(session) = slot else { return };
    if origin.continues(session) {
        session.misbehaved("second_inform");
        end(hems, slot, Outcome::Interrupted).await;
    } else {
        end(hems, slot, Outcome::Replaced).await;
    }
}

/// A message without a session. Who knocks with an empty one gets the empty answer, as there is nothing to say to it;
/// where a session is or was, that would close it as if all were done, and the cell would not come back soon.
async fn sessionless(hems: &Hems, origin: &Origin, has_session: bool, is_empty: bool) -> Reply {
    if is_empty && origin.is_first && origin.cookie.is_none() && !has_session {
        count(hems, origin.identity(), "empty_first").await;
        return reply::envelope(Bytes::new());
    }
    count(hems, origin.identity(), "no_session").await;
    reply::refused(StatusCode::BAD_REQUEST, "a session begins with Inform\n")
}

/// The text of an envelope that is sent.
fn say(hems: &Hems, envelope: &Envelope<FromAcs>) -> Text {
    let text = Text::from(reply::text(envelope));
    hems.witness.message(Role::Acs, text.as_bytes());
    text
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
        SessionError::Store(StoreError::Overtaken) => {
            tracing::warn!("a session ends because its device was taken over");
            end(hems, slot, Outcome::Replaced).await;
            reply::refused(StatusCode::SERVICE_UNAVAILABLE, "try again later\n")
        }
        SessionError::Store(error) => {
            tracing::error!(%error, "a session ends because the store fails");
            end(hems, slot, Outcome::StoreFailed).await;
            reply::refused(StatusCode::SERVICE_UNAVAILABLE, "try again later\n")
        }
    }
}

/// Bytes that are no message: a fault where the standard has one, else the end of the session.
async fn undecodable(hems: &Hems, origin: &Origin, slot: &mut Option<Session>, error: &DecodeError) -> Reply {
    let kind = kind_of(error);
    tracing::warn!(device = %origin.identity(), %error, "not a message");
    let continues = slot.as_mut().is_some_and(|session| origin.continues(session));
    let is_end = match slot.as_mut().filter(|_| continues) {
        Some(session) => {
            session.misbehaved(kind);
            session.record_garbled(hems, kind);
            session.is_calling() || session.is_hopeless()
        }
        None => {
            count(hems, origin.identity(), kind).await;
            let reply = fault(hems, error).map(|text| reply::envelope(text.into_bytes()));
            return reply.map_or_else(no_message, reply::closing);
        }
    };
    let is_soap = matches!(error.kind, DecodeErrorKind::MustUnderstand(_));
    let text = if is_end && !is_soap { None } else { fault(hems, error) };
    if let (Some(session), Some(text)) = (slot.as_mut(), &text) {
        session.record(hems, (Role::Acs, hems.now()), Some("Fault"), text);
    }
    match text.map(|text| reply::envelope(text.into_bytes())) {
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

/// The fault that answers bytes that are no message.
fn fault(hems: &Hems, error: &DecodeError) -> Option<Text> {
    if let Some(text) = error.soap_fault() {
        hems.witness.message(Role::Acs, text.as_bytes());
        return Some(text.into());
    }
    let fault = error.fault(Role::Acs)?;
    let envelope = Envelope {
        version: error.version.unwrap_or_default(),
        header: Header::with_id(error.id.clone()),
        body: FromAcs::Fault(fault),
    };
    Some(say(hems, &envelope))
}

/// A stable name for what came out of turn.
fn kind_of_violation(violation: &Violation) -> &'static str {
    match violation.message {
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
