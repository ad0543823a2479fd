//! The judge of every answer that these tests see: what the OpenAPI document does not say, no test lets through.
//!
//! ```text
//!  GET /api/v1/pools/tac ─▶ 200, JSON ─┬─ is there such an operation, with that status and that media type?
//!                                      └─ does the body fit its schema, with no field beyond it?
//! ```

use std::{cell::RefCell, collections::HashMap};

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use hyper::{Method, header, http::response::Parts};
use serde_json::{Value, json};

/// The document as the compiler knows it.
const PLACE: &str = "urn:hearth:openapi";

struct Judge {
    document: Value,
    compiler: Compiler,
    schemas: Schemas,
    known: HashMap<String, SchemaIndex>,
}

thread_local! {
    static JUDGE: RefCell<Judge> = RefCell::new(Judge::new());
}

/// Holds an answer to the document.
pub(crate) fn hold(method: &Method, target: &str, parts: &Parts, body: &Value) {
    let path = target.split('?').next().unwrap();
    let kind = parts.headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap());
    let kind = kind.map(|kind| kind.split(';').next().unwrap().trim());
    let status = parts.status.as_u16().to_string();
    let complaint = JUDGE.with_borrow_mut(|judge| judge.complaint(method, path, &status, (kind, body)));
    assert_eq!(complaint, None, "{method} {target}: {body:#}");
}

impl Judge {
    fn new() -> Self {
        let mut document: Value =
            serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap();
        close(&mut document);
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.add_resource(PLACE, document.clone()).unwrap();
        Self { document, compiler, schemas: Schemas::new(), known: HashMap::new() }
    }

    /// What is wrong with an answer, if anything.
    fn complaint(
        &mut self,
        method: &Method,
        path: &str,
        status: &str,
        (kind, body): (Option<&str>, &Value),
    ) -> Option<String> {
        let mut place = vec!["paths".to_owned(), self.path(path).unwrap_or_default()];
        place.push(method.as_str().to_ascii_lowercase());
        if self.at(&place).is_none() {
            let is_right = matches!(status, "401" | "404" | "405" | "403");
            return (!is_right).then(|| format!("{status} for what the document does not know"));
        }
        place.extend(["responses".to_owned(), status.to_owned()]);
        let Some(response) = self.at(&place) else { return Some(format!("{status} is not in the document")) };
        if let Some(reference) = response["$ref"].as_str() {
            place = reference.trim_start_matches("#/").split('/').map(str::to_owned).collect();
        }
        place.push("content".to_owned());
        let Some(kind) = kind else {
            let is_empty = body.is_null() && self.at(&place).is_none();
            return (!is_empty).then(|| format!("{status} has a body, or is said to have one"));
        };
        place.push(kind.to_owned());
        if self.at(&place).is_none() {
            return Some(format!("{status} with {kind} is not in the document"));
        }
        place.push("schema".to_owned());
        self.misfit(&place, body)
    }

    /// The path of the document that a path is one of: one with the fewest names.
    fn path(&self, path: &str) -> Option<String> {
        let paths = self.document["paths"].as_object().into_iter().flat_map(|paths| paths.keys());
        let parts: Vec<_> = path.split('/').collect();
        let fits = |template: &&String| {
            let named: Vec<_> = template.split('/').collect();
            named.len() == parts.len()
                && named.iter().zip(&parts).all(|(named, part)| named == part || named.starts_with('{'))
        };
        paths.filter(fits).min_by_key(|template| template.matches('{').count()).cloned()
    }

    fn at(&self, place: &[String]) -> Option<&Value> {
        self.document.pointer(&pointer(place))
    }

    fn misfit(&mut self, place: &[String], body: &Value) -> Option<String> {
        let place = format!("{PLACE}#{}", pointer(place));
        let Self { known, compiler, schemas, .. } = self;
        let index = known.entry(place).or_insert_with_key(|place| compiler.compile(place, schemas).unwrap());
        self.schemas.validate(body, *index).err().map(|error| error.to_string())
    }
}

/// A JSON pointer. (RFC 6901)
fn pointer(place: &[String]) -> String {
    place.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
}

/// A field that no schema names is wrong: clients of tomorrow may not mind it, but its author forgot to say it.
fn close(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        let is_object = fields.get("properties").is_some_and(Value::is_object) && fields.contains_key("type");
        if is_object && !fields.contains_key("additionalProperties") {
            fields.insert("unevaluatedProperties".to_owned(), json!(false));
        }
        // What is composed is closed by the whole.
        let is_part = |name: &str| matches!(name, "oneOf" | "anyOf" | "allOf");
        fields.iter_mut().filter(|(name, _)| !is_part(name)).for_each(|(_, field)| close(field));
    }
    value.as_array_mut().into_iter().flatten().for_each(close);
}

#[test]
fn o12_an_answer_that_the_document_does_not_know_is_found() {
    let good = json!({"name": "tac", "first": 1, "last": 9, "drawn": 0});
    let with = |name: &str, value: Value| {
        let mut other = good.clone();
        other[name] = value;
        other
    };
    let found = |path: &str, status: &str, kind: Option<&str>, body: &Value| {
        JUDGE.with_borrow_mut(|judge| judge.complaint(&Method::GET, path, status, (kind, body)))
    };
    let (path, json) = ("/api/v1/pools/tac", Some("application/json"));
    assert_eq!(found(path, "200", json, &good), None);
    assert_eq!(found("/api/v1/nothing", "404", json, &good), None);
    for (path, status, kind, body) in [
        (path, "200", json, with("colour", json!("red"))),
        (path, "200", json, with("drawn", json!("0"))),
        (path, "200", json, json!({"name": "tac"})),
        (path, "200", Some("text/plain"), good.clone()),
        (path, "200", None, Value::Null),
        (path, "201", json, good.clone()),
        (path, "404", Some("application/problem+json"), good.clone()),
        ("/api/v1/nothing", "200", json, good.clone()),
    ] {
        assert!(found(path, status, kind, &body).is_some(), "{path} {status} {kind:?} {body}");
    }
}
