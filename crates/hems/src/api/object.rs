//! A body that is one JSON object; what cannot be read is told with its place and what would be right.
//!
//! ```text
//!  said to be JSON? ─415  within its bound? ─413  JSON, each key once? ─400  what is asked for? ─422 ─▶ Object
//! ```

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Visitor},
    forward_to_deserialize_any,
};
use serde_path_to_error::Track;

use super::{Problem, words};
use crate::{keys::Once, template::Complaint};

/// A body that is an object: what is derived for a struct takes an array for its fields, and an empty one for nothing
/// but what may be left out.
pub(super) struct Object<T>(pub(super) T);

/// What is wrong with a body.
#[derive(Debug)]
pub(super) struct Unreadable {
    status: StatusCode,
    /// Such as `objects[0].rows`; empty for the whole.
    place: String,
    message: String,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Object<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Ok(Self(read(&bytes(request, state).await?)?))
    }
}

/// The bytes of a body that is said to be JSON.
pub(super) async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        let detail = "a body is JSON, and says so: `Content-Type: application/json`";
        return Err(Problem::rejected(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail.to_owned()));
    }
    Ok(Bytes::from_request(request, state).await?)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Reads an object.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    if body.trim_ascii().is_empty() {
        let message = "is empty, and is a JSON object".to_owned();
        return Err(Unreadable { status: StatusCode::BAD_REQUEST, place: String::new(), message });
    }
    tracked::<Once>(body, StatusCode::BAD_REQUEST)?;
    tracked::<Braced<T>>(body, StatusCode::UNPROCESSABLE_ENTITY).map(|braced| braced.0)
}

/// Reads all of a body, and knows where it stopped.
fn tracked<T: DeserializeOwned>(body: &[u8], status: StatusCode) -> Result<T, Unreadable> {
    let (mut json, mut track) = (serde_json::Deserializer::from_slice(body), Track::new());
    let read = T::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let read = read.and_then(|read| json.end().map(|()| read));
    read.map_err(|error| {
        let place = track.path().to_string();
        // A whole has the place `.`, and what was not read to its end a `?`.
        let place = place.trim_end_matches(['.', '?']).to_owned();
        Unreadable { status, place, message: words::plain(&error.to_string()) }
    })
}

impl From<Unreadable> for Problem {
    fn from(unreadable: Unreadable) -> Self {
        let Unreadable { status, place, message } = unreadable;
        let place = if place.is_empty() { "the body".to_owned() } else { format!("`{place}`") };
        Self::rejected(status, format!("{place}: {message}"))
    }
}

impl From<Unreadable> for Complaint {
    fn from(unreadable: Unreadable) -> Self {
        Self { place: unreadable.place, message: unreadable.message }
    }
}

/// What stands in braces.
struct Braced<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Braced<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Braces(deserializer)).map(Self)
    }
}

struct Braces<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Braces<D> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is read and not used")]
    struct Sample {
        name: String,
        #[serde(default)]
        rows: Vec<Row>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is read and not used")]
    struct Row {
        count: u8,
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_would_be_right() {
        for (body, status, says) in [
            ("", 400, "the body: is empty"),
            ("{", 400, "the body: EOF while parsing"),
            ("{\"name\": \"a\"} x", 400, "the body: trailing characters"),
            (r#"{"name": "a", "name": "b"}"#, 400, "the key `name` stands there twice"),
            (r#"{"name": "a", "rows": [{"count": 1, "count": 1}]}"#, 400, "`rows[0]"),
            ("[]", 422, "the body: invalid type: a list, expected an object"),
            ("{}", 422, "the body: missing field `name`"),
            (r#"{"name": 5}"#, 422, "`name`: invalid type: integer `5`, expected a text"),
            (r#"{"name": "a", "rows": [{"count": 1}, {"count": 256}]}"#, 422, "`rows[1].count`: "),
            (r#"{"nam": "a"}"#, 422, "`nam`: unknown field `nam`, expected `name` or `rows`"),
        ] {
            let unreadable = read::<Sample>(body.as_bytes()).unwrap_err();
            assert_eq!(unreadable.status.as_u16(), status, "{body}: {unreadable:?}");
            let shown = serde_json::to_value(Problem::from(unreadable)).unwrap();
            let detail = shown["detail"].as_str().unwrap();
            assert!(detail.contains(says), "{body}: {detail}");
        }
        assert!(read::<Sample>(br#" {"name": "a", "rows": [{"count": 1}]} "#).is_ok());
    }
}
