//! The one form of error: RFC 9457, with a code that programs can rely on and a sentence for people.
//!
//! What went wrong inside goes to the log, never to the caller.

use std::error::Error;

use axum::{
    Json,
    extract::rejection::QueryRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Serialize;

use super::words;
use crate::{change::Spent, people::secret::SecretError, store::StoreError};

/// Seconds until one asks a database again that is away: its server needs some to start.
const AWAY_SECONDS: u32 = 5;

/// An error of the API; small, because everything may return it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: Box<str>,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: Box<str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<crate::template::Complaint>,
    /// The tag of what is there, where that is not what was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tag: Option<Box<str>>,
    /// Seconds after which to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:hearth:problem:{code}").into(),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into().into(),
            errors: Vec::new(),
            tag: None,
            retry_after: None,
        }
    }

    /// There is no such thing.
    pub(super) fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The resource is there and does not do this.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this resource does not do that")
    }

    /// Nobody whom we know.
    pub(super) fn unauthorised() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "log in, send a token as `Authorization: Bearer …`, or show a machine's certificate",
        )
    }

    /// One answer for whatever is wrong about it.
    pub(super) fn wrong_password() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "wrong_password", "the name or the password is wrong")
    }

    /// The identity provider vouches for nobody whom we know.
    pub(super) fn unvouched(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "unvouched", detail)
    }

    /// The identity provider cannot be asked.
    pub(super) fn no_provider() -> Self {
        let detail = "the identity provider does not answer as it should; see the log of the H(e)MS";
        Self::new(StatusCode::BAD_GATEWAY, "no_provider", detail)
    }

    /// Somebody whom we know, and who may not.
    pub(super) fn forbidden(detail: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Somebody whose scope is a part of what an operation is about.
    pub(super) fn beyond_scope(operation: &str) -> Self {
        let detail = format!("`{operation}` is about the whole deployment, and your scope is a part of it");
        Self::forbidden(detail)
    }

    /// Somebody else's page asks in the name of a login.
    pub(super) fn foreign() -> Self {
        let detail = "with a login's cookie, what changes something has an `Origin` that is this host";
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", detail)
    }

    /// The link for the first administrator is no good.
    pub(super) fn spent() -> Self {
        let detail = "the link was used, is too old or none, or there is an account already";
        Self::new(StatusCode::FORBIDDEN, "spent", detail)
    }

    /// Too many wrong passwords.
    pub(super) fn throttled(wait: SignedDuration) -> Self {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        let seconds = seconds.saturating_add(u32::from(wait.subsec_nanos() > 0));
        let detail = format!("too many tries; the next one counts in {seconds} s");
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail);
        Self { retry_after: Some(seconds), ..problem }
    }

    /// A name of a person or a machine that is none.
    pub(super) fn name() -> Self {
        let rule = "a name has 1 to 64 of a-z, 0-9 and -_.@, and is not `local`, `anonymous` or `plan`, which are ours";
        Self::invalid(rule)
    }

    /// It took longer than anything should.
    pub(super) fn slow() -> Self {
        let detail = "the request took too long; a change may have been made, see the audit log";
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow", detail)
    }

    /// Something of ours went wrong, and stands in the log.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "see the log of the H(e)MS")
    }

    /// What was sent cannot be.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// What was sent cannot be, for several reasons.
    pub(super) fn complaints(errors: Vec<crate::template::Complaint>) -> Self {
        Self { errors, ..Self::invalid("see errors") }
    }

    /// It contradicts what is there.
    pub(super) fn conflict(detail: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// Something else is there than was expected.
    pub(super) fn changed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "changed", detail)
    }

    /// Too many requests of one caller.
    pub(super) fn hasty(seconds: u32) -> Self {
        let detail = format!("you ask more often than `api.requests_per_minute` allows; wait {seconds} s");
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "hasty", detail);
        Self { retry_after: Some(seconds), ..problem }
    }

    /// What came cannot be read as what it should be.
    pub(super) fn rejected(status: StatusCode, detail: String) -> Self {
        let code = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "not_json",
            _ => "invalid",
        };
        Self::new(status, code, detail)
    }

    /// An operation reads no query, and there is one.
    pub(super) fn no_parameter(operation: &str, name: &str) -> Self {
        let detail = format!("the query: unknown parameter `{name}`: `{operation}` has none");
        Self::rejected(StatusCode::BAD_REQUEST, detail)
    }

    /// It would be right, and cannot be done now.
    pub(super) fn unavailable(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// The database cannot be asked, and what was begun is undone.
    fn away() -> Self {
        let detail = "the database does not answer; ask again, and see the log of the H(e)MS";
        Self { retry_after: Some(AWAY_SECONDS), ..Self::unavailable(detail) }
    }

    /// The database went away while something was written. Nobody is told to send it again.
    fn unsure() -> Self {
        let detail = "the database went away in the middle; see whether it was done before you ask again";
        Self::unavailable(detail)
    }

    /// What was done, or was not, could not be noted any more.
    pub(super) fn unnoted(error: StoreError) -> Self {
        let is_away = error.is_away();
        let problem = Self::from(error);
        if is_away { Self::unsure() } else { problem }
    }

    /// It is larger than it may be.
    pub(super) fn too_large(detail: String) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// There is no room for it.
    pub(super) fn no_room(detail: String) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "no_room", detail)
    }

    /// There is too much of it already.
    pub(super) fn too_many(detail: &str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", detail)
    }

    /// As many cells were changed as may be, until then.
    pub(super) fn over_budget(spent: &Spent) -> Self {
        Self { retry_after: Some(spent.wait), ..Self::too_many(&spent.to_string()) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Change(error) = error {
            return error.into();
        }
        if let StoreError::Stale(stale) = &error {
            return Self::stale(stale);
        }
        if error.is_away() {
            tracing::warn!(%error, "the API cannot answer while the database is away");
            return if matches!(error, StoreError::Unknown(_)) { Self::unsure() } else { Self::away() };
        }
        tracing::error!(%error, "the API cannot answer");
        Self::internal()
    }
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Length => Self::invalid(error.to_string()),
            SecretError::Randomness | SecretError::Hash(_) => {
                tracing::error!(%error, "the API cannot answer");
                Self::internal()
            }
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        // What is around the cause is the framework's.
        let cause = rejection.source().map(ToString::to_string);
        let detail = cause.unwrap_or_else(|| rejection.body_text());
        Self::rejected(rejection.status(), format!("the query: {}", words::plain(&detail)))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
