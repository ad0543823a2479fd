//! Conditional requests: an answer with its tag, and a write only over what was read. (RFC 9110 13)
//!
//! ```text
//!  GET ─▶ 200, ETag: "edited.shown" ─┬─ GET, If-None-Match ─▶ 304 where it is the same
//!                                    └─ PUT, If-Match ──────▶ 412 where somebody edited it meanwhile
//!  PUT, If-None-Match: * ─▶ 412 where there is one: it only creates
//! ```

use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderName, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Problem,
    describe::{Gives, Sketch, Takes},
    guard::About,
};
use crate::store::{Condition, Edited, Tag};

/// What is shown of something that is edited, with its tag.
pub(super) struct Tagged<T>(Tag, T);

impl<T> Tagged<T> {
    pub(super) fn new(edited: &impl Edited, shown: T) -> Self {
        Self(edited.tag(), shown)
    }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        // Views have no maps with keys that are no text, which is all that could fail.
        let shown = serde_json::to_vec(&self.1).unwrap_or_default();
        let tag = [(header::ETAG, self.0.shown(&shown))];
        (tag, [(header::CONTENT_TYPE, "application/json")], shown).into_response()
    }
}

impl<T: JsonSchema> Gives for Tagged<T> {
    fn gives(sketch: &mut Sketch) {
        sketch.has_tag = true;
        Json::<T>::gives(sketch);
    }
}

impl<T: JsonSchema> Gives for (About, Tagged<T>) {
    fn gives(sketch: &mut Sketch) {
        Tagged::<T>::gives(sketch);
    }
}

impl<S: Sync> FromRequestParts<S> for Condition {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let named = |name| listed(&parts.headers, name);
        Ok(Self::new(named(header::IF_MATCH).as_deref(), named(header::IF_NONE_MATCH).as_deref()))
    }
}

impl Takes for Condition {
    fn takes(sketch: &mut Sketch) {
        sketch.header("If-Match", "The tag of what was read: 412 where it is no longer that.");
        sketch.header("If-None-Match", "`*`: 412 where there is one already.");
        sketch.refusals.insert(412);
    }
}

/// The lines of one header as one list. What is no text names nothing.
fn listed(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines = headers.get_all(name).into_iter().map(|line| line.to_str().unwrap_or_default());
    lines.map(str::to_owned).reduce(|all, line| all + "," + &line)
}

/// Answers 304 to whoever has what would be shown.
pub(super) async fn unchanged(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = listed(request.headers(), header::IF_NONE_MATCH).filter(|_| is_read);
    let response = next.run(request).await;
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let is_known = tag.zip(known).is_some_and(|(tag, known)| has(&known, tag));
    if response.status() != StatusCode::OK || !is_known {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    for of_the_body in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        parts.headers.remove(of_the_body);
    }
    Response::from_parts(parts, Body::empty())
}

/// Whether a list has a tag, by the weak comparison that reads are for. (RFC 9110 13.1.2)
fn has(known: &str, tag: &str) -> bool {
    known.trim() == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

impl Problem {
    /// Every write that finds something else than its caller expects says what is there.
    pub(super) fn stale(stale: &crate::store::Stale) -> Self {
        let mut problem = Self::changed(stale.to_string());
        problem.tag = stale.tag().map(String::into_boxed_str);
        problem
    }
}
