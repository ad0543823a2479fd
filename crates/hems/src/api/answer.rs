//! Answers that are put together by hand and still say what they are, and the arguments that refuse in our own form.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequestParts, rejection::BytesRejection},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    Problem,
    describe::{Gives, Sketch, Takes},
};

/// A response that is a `T` to whoever reads it.
pub(super) struct As<T>(Response, PhantomData<fn() -> T>);

impl<T> From<Response> for As<T> {
    fn from(response: Response) -> Self {
        Self(response, PhantomData)
    }
}

impl<T> IntoResponse for As<T> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<T: Gives> Gives for As<T> {
    fn gives(sketch: &mut Sketch) {
        T::gives(sketch);
    }
}

/// What stands in a path.
pub(super) struct Path<T>(pub(super) T);

/// Something that names a thing in a path.
pub(super) trait Named {
    /// Its schema.
    fn schema() -> serde_json::Value;
}

impl Named for String {
    fn schema() -> serde_json::Value {
        json!({"type": "string"})
    }
}

impl Named for i64 {
    fn schema() -> serde_json::Value {
        json!({"type": "integer", "format": "int64"})
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // A text that cannot be what names a thing names none.
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| Problem::not_found("there is no such resource"))
    }
}

impl<T: Named> Takes for Path<T> {
    fn takes(sketch: &mut Sketch) {
        sketch.path.push(T::schema());
        sketch.refusals.insert(404);
    }
}

impl<T: Named, U: Named> Takes for Path<(T, U)> {
    fn takes(sketch: &mut Sketch) {
        Path::<T>::takes(sketch);
        Path::<U>::takes(sketch);
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        let detail = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than it may be".to_owned(),
            _ => rejection.body_text(),
        };
        Self::rejected(rejection.status(), detail)
    }
}
