//! What the types of a handler say of its operation: what it takes and what it gives. The OpenAPI document is made of
//! them by a test, and served as it was committed; so a handler and its document cannot disagree.
//!
//! ```text
//!  async fn put(Path<String>, Condition, Object<Pool>) -> Result<Tagged<PoolView>, Problem>
//!               └ 404         └ If-Match, 412  └ body, 413 415 422  └ 200 with an ETag
//! ```

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{
        Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{
    Api, Object, Problem,
    guard::{About, Asking, Standing},
};
use crate::people::Caller;

/// The media type of what is said in JSON.
const JSON: &str = "application/json";
/// Where the document keeps schemas of answers.
const SCHEMAS: &str = "/components/schemas";

/// An operation as its handler's types draw it.
pub(super) struct Sketch {
    /// What is taken stands where it is taken; what is given has a name and stands once.
    taken: SchemaGenerator,
    given: SchemaGenerator,
    /// The handler's path in the source.
    pub(super) handler: &'static str,
    /// The schemas of what stands in the path, in its order.
    pub(super) path: Vec<Value>,
    pub(super) parameters: Vec<Value>,
    /// The contents of the body by media type.
    pub(super) body: BTreeMap<&'static str, Value>,
    /// The answers that are none of the problems: their content by media type.
    pub(super) answers: BTreeMap<u16, BTreeMap<&'static str, Value>>,
    /// The statuses of problems.
    pub(super) refusals: BTreeSet<u16>,
    pub(super) has_tag: bool,
}

impl Sketch {
    pub(super) fn new() -> Self {
        let settings = || SchemaSettings::draft2020_12().with(|set| set.definitions_path = SCHEMAS.into());
        let taken = settings().for_deserialize().with(|set| set.inline_subschemas = true);
        Self {
            taken: taken.into_generator(),
            given: settings().for_serialize().into_generator(),
            handler: "",
            path: Vec::new(),
            parameters: Vec::new(),
            body: BTreeMap::new(),
            answers: BTreeMap::new(),
            refusals: BTreeSet::new(),
            has_tag: false,
        }
    }

    /// Begins the next operation; the schemas stay.
    pub(super) fn clear(&mut self) {
        let Self { taken, given, .. } = std::mem::replace(self, Self::new());
        (self.taken, self.given) = (taken, given);
    }

    /// The schema of what is given, by its name.
    pub(super) fn given<T: JsonSchema>(&mut self) -> Schema {
        self.given.subschema_for::<T>()
    }

    /// Every schema that has a name.
    pub(super) fn schemas(&mut self) -> serde_json::Map<String, Value> {
        self.given.take_definitions(true)
    }

    /// A header that is heeded.
    pub(super) fn header(&mut self, name: &str, description: &str) {
        self.parameters.push(json!({
            "name": name, "in": "header", "description": description, "schema": {"type": "string"},
        }));
    }

    fn refuses(&mut self, statuses: &[u16]) {
        self.refusals.extend(statuses);
    }

    fn answer(&mut self, status: u16, kind: &'static str, schema: Value) {
        self.answers.entry(status).or_default().insert(kind, schema);
    }

    /// Each field of a query is a parameter; one that is left out is not there, and never null.
    fn query<T: JsonSchema>(&mut self) {
        let schema = self.taken.subschema_for::<T>();
        let required: Vec<_> = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.parameters.push(json!({
                "name": name, "in": "query", "required": required.contains(&json!(name)),
                "schema": without_null(field.clone()),
            }));
        }
    }
}

/// The schema of a value that is there.
fn without_null(mut schema: Value) -> Value {
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
    }
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    let is_there = |one: &&Value| one.get("type").is_none_or(|kind| kind != "null");
    alternatives.and_then(|all| all.iter().find(is_there).cloned()).unwrap_or(schema)
}

/// A handler that can be drawn; `T` is what axum makes of its arguments.
#[diagnostic::on_unimplemented(
    message = "the document cannot say what `{Self}` takes and gives",
    note = "each argument is `Takes` (`super::Path`, `Object<T>`, `Result<Query<T>, …>` with `T: JsonSchema`), the answer `Gives`"
)]
pub(super) trait Describe<T> {
    /// Whether it reads the query.
    const HAS_QUERY: bool;
    /// Draws it.
    fn describe(sketch: &mut Sketch);
}

/// An argument of a handler.
pub(super) trait Takes {
    /// Whether it reads the query, and refuses what it does not know there.
    const HAS_QUERY: bool = false;
    /// Draws what it takes of a request.
    fn takes(sketch: &mut Sketch);
}

/// What a handler answers.
pub(super) trait Gives {
    /// Draws the answers.
    fn gives(sketch: &mut Sketch);
}

macro_rules! handlers {
    ($( ($($argument:ident)*) )*) => { $(
        impl<F, Answered, M, $($argument),*> Describe<(M, $($argument,)*)> for F
        where
            F: FnOnce($($argument),*) -> Answered,
            Answered: Future<Output: Gives>,
            $($argument: Takes,)*
        {
            const HAS_QUERY: bool = $( $argument::HAS_QUERY || )* false;

            fn describe(sketch: &mut Sketch) {
                sketch.handler = std::any::type_name::<F>();
                $( $argument::takes(sketch); )*
                Answered::Output::gives(sketch);
            }
        }
    )* };
}

handlers! { () (A) (A B) (A B C) (A B C D) (A B C D E) }

impl<A: Takes, B: Takes> Takes for (A, B) {
    const HAS_QUERY: bool = A::HAS_QUERY || B::HAS_QUERY;

    fn takes(sketch: &mut Sketch) {
        A::takes(sketch);
        B::takes(sketch);
    }
}

macro_rules! take_nothing {
    ($($argument:ty),*) => { $( impl Takes for $argument { fn takes(_: &mut Sketch) {} } )* };
}

take_nothing!(State<Api>, Caller, Asking, Standing, HeaderMap);

impl<T: JsonSchema> Takes for Object<T> {
    fn takes(sketch: &mut Sketch) {
        let schema = sketch.taken.subschema_for::<T>().to_value();
        sketch.body.insert(JSON, schema);
        sketch.refuses(&[400, 413, 415, 422]);
    }
}

impl<T: JsonSchema> Takes for Result<Query<T>, QueryRejection> {
    const HAS_QUERY: bool = true;

    fn takes(sketch: &mut Sketch) {
        sketch.query::<T>();
        sketch.refuses(&[422]);
    }
}

/// What the table of operations says of such a body is its media types.
impl Takes for Result<Bytes, BytesRejection> {
    fn takes(sketch: &mut Sketch) {
        Body::takes(sketch);
        sketch.refuses(&[400, 413, 422]);
    }
}

impl Takes for Body {
    fn takes(sketch: &mut Sketch) {
        sketch.body.insert("application/octet-stream", json!({}));
    }
}

impl<T: Gives> Gives for Result<T, Problem> {
    fn gives(sketch: &mut Sketch) {
        T::gives(sketch);
    }
}

impl<T: JsonSchema> Gives for Json<T> {
    fn gives(sketch: &mut Sketch) {
        let schema = sketch.given::<T>().to_value();
        sketch.answer(200, JSON, schema);
    }
}

impl<T: JsonSchema> Gives for (StatusCode, Json<T>) {
    fn gives(sketch: &mut Sketch) {
        let schema = sketch.given::<T>().to_value();
        sketch.answer(201, JSON, schema);
    }
}

impl<T: JsonSchema> Gives for (StatusCode, About, Json<T>) {
    fn gives(sketch: &mut Sketch) {
        <(StatusCode, Json<T>)>::gives(sketch);
    }
}

impl Gives for StatusCode {
    fn gives(sketch: &mut Sketch) {
        sketch.answers.insert(204, BTreeMap::new());
    }
}

impl Gives for (StatusCode, About, ()) {
    fn gives(sketch: &mut Sketch) {
        StatusCode::gives(sketch);
    }
}

impl<S> Gives for axum::response::sse::Sse<S> {
    fn gives(sketch: &mut Sketch) {
        sketch.answer(200, "text/event-stream", json!({"type": "string"}));
    }
}

/// What comes in any of these media types.
pub(super) fn any(sketch: &mut Sketch, kinds: &[&'static str], schema: Value) {
    kinds.iter().for_each(|kind| sketch.answer(200, kind, schema.clone()));
}
