//! Who asks, whether he may, and what is noted of it.
//!
//! ```text
//!  request ─▶ identify: Caller, or nobody ─▶ operation known? ─▶ guard: rate? right? scope? ─▶ opened ─▶ handler ─▶ closed ─▶ answer
//!                                               └─ no: 401 for nobody, else 404
//! ```
//!
//! Nobody learns anything without being known, not even which routes there are. What changes something is carried out
//! and noted to its end even where the caller hangs up.

use std::net::{IpAddr, Ipv4Addr};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, IntoResponseParts, Response, ResponseParts},
};

use super::{Api, Problem, cookie, listener::Arrival, operation::Rule, rules};
use crate::{
    people::{Caller, Grant, Proof, Right, Role, Scope, audit::Event, secret},
    store::AccountRow,
};

/// Names a request, in its answer and in the audit log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How a token begins: its kind, for whoever searches for lost ones.
pub(super) const TOKEN: &str = "hearth";

/// Characters of a parameter's name in the message that there is none.
const SHOWN: usize = 64;

/// A request's name.
#[derive(Clone, Debug)]
pub(super) struct RequestId(String);

/// On what a change was, where the path does not say; goes with the answer into the audit log.
#[derive(Clone, Debug)]
pub(super) struct About(pub(super) String);

impl IntoResponseParts for About {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

/// Where a request comes from, and what names it.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) source: IpAddr,
    request: String,
}

impl<S: Sync> FromRequestParts<S> for Asking {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let request = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        Ok(Self { source: source(&parts.extensions), request })
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthorised)
    }
}

/// A request whose caller can be asked for again: what goes on after its answer began ends with what he may.
pub(super) struct Standing(Parts);

impl<S: Sync> FromRequestParts<S> for Standing {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.clone()))
    }
}

impl Standing {
    /// Whether an operation would let the caller through now.
    pub(super) async fn holds(&self, api: &Api, operation: &str) -> Result<bool, Problem> {
        let Some(caller) = who(api, &self.0).await? else { return Ok(false) };
        let rule = rules().iter().find(|rule| rule.id == operation);
        Ok(rule.is_some_and(|rule| permit(rule, &caller).is_ok()))
    }
}

fn source(extensions: &axum::http::Extensions) -> IpAddr {
    let arrival = extensions.get::<Arrival>();
    arrival.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |arrival| arrival.address.ip())
}

/// Says who asks, for everything that comes after.
pub(super) async fn identify(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let id = secret::key().map_err(|_| Problem::internal())?.0.chars().take(16).collect::<String>();
    if let Some(caller) = who(&api, &parts).await? {
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        if matches!(caller.proof, Proof::Login(_)) && !is_read && !cookie::is_own(&parts.headers) {
            return Err(Problem::foreign());
        }
        parts.extensions.insert(caller);
    }
    parts.extensions.insert(RequestId(id.clone()));
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// The caller, by the first proof that he brings; a wrong one is not made up for by another.
async fn who(api: &Api, parts: &Parts) -> Result<Option<Caller>, Problem> {
    let source = source(&parts.extensions);
    if let Some(offered) = parts.headers.get(header::AUTHORIZATION) {
        if api.desk.token.admits(offered.as_bytes()) {
            return Ok(Some(Caller::local(source)));
        }
        return by_token(api, offered, source).await;
    }
    if let Some(key) = cookie::read(&parts.headers, api.desk.is_tls) {
        return by_login(api, key, source).await;
    }
    by_certificate(api, parts.extensions.get::<Arrival>(), source).await
}

async fn by_token(api: &Api, offered: &HeaderValue, source: IpAddr) -> Result<Option<Caller>, Problem> {
    let parts = offered.to_str().ok().and_then(|text| text.split_once(' ')).and_then(|(scheme, token)| {
        let (prefix, key) = token.trim().strip_prefix(TOKEN)?.strip_prefix('_')?.split_once('_')?;
        scheme.eq_ignore_ascii_case("bearer").then_some((prefix, key))
    });
    let Some((prefix, key)) = parts else { return Ok(None) };
    let (store, now) = (&api.hems.store, api.hems.now());
    // Hashes of random keys may be compared as they are: how much of one is right helps nobody to the key.
    let row = store.token(prefix, now).await?.filter(|row| row.hash == secret::hash(key));
    let Some(row) = row else { return Ok(None) };
    let account = store.account(&row.account).await?.filter(|account| !account.is_disabled);
    let Some(account) = account else { return Ok(None) };
    store.use_token(&row, now).await?;
    let (of_account, of_token) = (grant(&account.role, account.scope), grant(&row.role, row.scope));
    let grants = of_account.into_iter().chain(of_token).collect::<Vec<_>>();
    // A scope that cannot be read must not become none.
    let caller = Caller { name: account.name, proof: Proof::Token(row.prefix), grants, source };
    Ok((caller.grants.len() == 2).then_some(caller))
}

async fn by_login(api: &Api, key: &str, source: IpAddr) -> Result<Option<Caller>, Problem> {
    let hash = secret::hash(key);
    let account = api.hems.store.login(&hash, api.hems.now()).await?;
    Ok(account.and_then(|account| of_account(account, Proof::Login(hash), source)))
}

/// Somebody by his account; nothing where what is stored cannot be read.
pub(super) fn of_account(account: AccountRow, proof: Proof, source: IpAddr) -> Option<Caller> {
    let grants = vec![grant(&account.role, account.scope)?];
    Some(Caller { name: account.name, proof, grants, source })
}

async fn by_certificate(
    api: &Api,
    arrival: Option<&Arrival>,
    source: IpAddr,
) -> Result<Option<Caller>, Problem> {
    let now = api.hems.now();
    let guest = arrival.and_then(|arrival| arrival.guest.as_ref());
    let Some(guest) =
        guest.filter(|guest| (guest.certificate.not_before..=guest.certificate.not_after).contains(&now))
    else {
        return Ok(None);
    };
    let facts = &guest.certificate;
    let subject = guest.is_vouched_for.then_some(facts.subject.as_str());
    let row = api.hems.store.machine(&facts.fingerprint_sha256, subject).await?;
    Ok(row.and_then(|row| {
        let proof = Proof::Certificate(facts.fingerprint_sha256.clone());
        let grants = vec![grant(&row.role, row.scope)?];
        Some(Caller { name: row.name, proof, grants, source })
    }))
}

/// A stored grant; nothing where its scope cannot be read.
fn grant(role: &str, scope: Option<String>) -> Option<Grant> {
    let scope = scope.map(Scope::try_from).transpose().ok()?;
    Some(Grant { role: Role::read(role), scope })
}

/// The guard of one operation.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) api: Api,
    pub(super) rule: Rule,
}

/// Lets a caller through to an operation who does not ask too often.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if guard.rule.is_unlimited {
        return pass(guard, request, next).await;
    }
    let (api, extensions) = (&guard.api, request.extensions());
    let taken = api.desk.request(extensions.get::<Caller>(), source(extensions), api.hems.now());
    let mut response = match taken.and_then(|taken| taken.refusal()) {
        Some(problem) => problem.into_response(),
        None => pass(guard, request, next).await,
    };
    if let Some(taken) = taken {
        taken.onto(response.headers_mut());
    }
    response
}

/// Lets a caller through to an operation, and has what it changes noted.
async fn pass(Guard { api, rule }: Guard, request: Request, next: Next) -> Response {
    if rule.right == Right::Open {
        return match known(&rule, request.uri()) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
    }
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return Problem::unauthorised().into_response();
    };
    let permitted = permit(&rule, &caller).and_then(|()| known(&rule, request.uri()));
    if !rule.is_change {
        return match permitted {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
    }
    let event = event(&api, &rule, &caller, &request);
    let work = async move {
        match permitted {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    };
    noted(&api, event, work).await
}

fn permit(rule: &Rule, caller: &Caller) -> Result<(), Problem> {
    if !caller.may(rule.right) {
        let roles = rule.right.roles().iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
        return Err(Problem::forbidden(format!("`{}` is for the roles {roles}", rule.id)));
    }
    if !caller.is_everywhere() && !rule.is_for_any_scope() {
        return Err(Problem::beyond_scope(rule.id));
    }
    Ok(())
}

/// Whether an operation reads what stands in the query. One that reads a query refuses itself what it does not know.
fn known(rule: &Rule, uri: &Uri) -> Result<(), Problem> {
    let first = uri.query().unwrap_or_default().split('&').find(|one| !one.is_empty());
    match first.filter(|_| !rule.has_query) {
        Some(one) => {
            let name = one.split('=').next().unwrap_or_default();
            Err(Problem::no_parameter(rule.id, &name.chars().take(SHOWN).collect::<String>()))
        }
        None => Ok(()),
    }
}

fn event(api: &Api, rule: &Rule, caller: &Caller, request: &Request) -> Event {
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    Event {
        at: api.hems.now(),
        request: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        who: caller.name.clone(),
        proof: caller.proof.name(),
        source: caller.source,
        operation: rule.id,
        target,
        status: None,
    }
}

/// What somebody does who is not known yet.
pub(super) fn unknown(api: &Api, asking: &Asking, operation: &'static str, target: String) -> Event {
    Event {
        at: api.hems.now(),
        request: asking.request.clone(),
        who: "anonymous".to_owned(),
        proof: "none".to_owned(),
        source: asking.source,
        operation,
        target,
        status: None,
    }
}

/// Carries a change out between its two lines, each durable before what comes next; to the end, whoever hangs up.
pub(super) async fn noted(
    api: &Api,
    event: Event,
    work: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let api = api.clone();
    let task = async move {
        if let Err(error) = api.hems.store.note(event.clone()).await {
            return Problem::from(error).into_response();
        }
        let response = work.await;
        let about = response.extensions().get::<About>().map(|about| format!(" {}", about.0));
        let closed = Event {
            at: api.hems.now(),
            status: Some(response.status().as_u16()),
            target: event.target.clone() + &about.unwrap_or_default(),
            ..event
        };
        match api.hems.store.note(closed).await {
            Ok(()) => response,
            Err(error) => Problem::unnoted(error).into_response(),
        }
    };
    tokio::spawn(task).await.unwrap_or_else(|_| Problem::internal().into_response())
}

/// For whom there is no route.
pub(super) async fn nothing(caller: Result<Caller, Problem>) -> Problem {
    caller.err().unwrap_or_else(|| Problem::not_found("there is no such resource"))
}

/// For whom a route does not do this.
pub(super) async fn not_this(caller: Result<Caller, Problem>) -> Problem {
    caller.err().unwrap_or_else(Problem::method_not_allowed)
}

/// The headers that every answer of the API has: nobody keeps it, frames it or guesses at its kind.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let fixed: [(HeaderName, &'static str); 3] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
