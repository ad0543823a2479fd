//! Answers that are put together by hand and still say what they are, and the arguments that refuse in our own form.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequestParts, rejection::BytesRejection},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Visitor},
    forward_to_deserialize_any,
};
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

/// A body that is an object: what is derived for a struct takes an array for its fields, and an empty one for nothing
/// but what may be left out.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Braced(deserializer)).map(Self)
    }
}

struct Braced<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Braced<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
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
        Self::rejected(rejection.status(), rejection.body_text())
    }
}
