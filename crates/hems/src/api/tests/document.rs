//! The OpenAPI document, made of the table of operations: what a handler's types tell, with the words that stand above
//! it. What is served and committed is this and nothing else.
//!
//! ```text
//!  Rule: path, method, id, right, scope ─┐
//!  Words: what the types tell           ─┼─▶ docs/openapi.json ─▶ GET /api/v1/openapi.json
//!  `///` above the handler              ─┘
//! ```

use std::{collections::BTreeMap, fs, path::Path};

use expect_test::expect_file;
use serde_json::{Map, Value, json};

use super::super::{
    Operation, Problem, Right,
    describe::Sketch,
    operation::{Rule, Words},
    operations,
};

/// What any operation may refuse with: a parameter that it does not know, too slow, too often, our fault, no database.
const ALWAYS: [u16; 5] = [400, 408, 429, 500, 503];
/// And any that asks who one is.
const TO_STRANGERS: [u16; 2] = [401, 403];

/// The document as text.
fn document() -> String {
    let mut sketch = Sketch::new();
    let mut paths = Map::new();
    for Operation { rule, words, .. } in operations() {
        sketch.clear();
        (words.describe)(&mut sketch);
        let path = paths.entry(rule.path).or_insert_with(|| json!({}));
        path[rule.method.to_ascii_lowercase()] = operation(&rule, &words, &sketch);
    }
    let problem = sketch.given::<Problem>().to_value();
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hearth H(e)MS",
            "summary": "The API of operators.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"login": []}, {"certificate": []}],
        "paths": paths,
        "components": {
            "schemas": sketch.schemas(),
            "responses": {"Problem": {
                "description": "What was wrong, and what would be right. (RFC 9457)",
                "content": {"application/problem+json": {"schema": problem}},
            }},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "login": {
                    "type": "apiKey", "in": "cookie", "name": "hearth",
                    "description": "With TLS its name is `__Host-hearth`. What changes something has an `Origin` too.",
                },
                "certificate": {"type": "mutualTLS"},
            },
        },
    });
    serde_json::to_string_pretty(&document).unwrap() + "\n"
}

fn operation(rule: &Rule, words: &Words, sketch: &Sketch) -> Value {
    let mut operation = json!({
        "operationId": rule.id,
        "tags": [rule.path.split('/').nth(3).unwrap()],
        "summary": summary(rule.id),
        "description": said(sketch.handler),
        "parameters": parameters(rule, sketch),
        "responses": responses(rule, words, sketch),
        "x-right": format!("{:?}", rule.right).to_lowercase(),
        "x-scoped": rule.is_for_any_scope(),
        "x-audited": rule.is_change && rule.right != Right::Open,
    });
    if rule.right == Right::Open {
        operation["security"] = json!([]);
    }
    let of_type = |schema: &Value| json!({"schema": schema});
    let body: Map<_, _> = match words.takes {
        [] => sketch.body.iter().map(|(kind, schema)| ((*kind).to_owned(), of_type(schema))).collect(),
        kinds => kinds.iter().map(|kind| ((*kind).to_owned(), of_type(&json!({"type": "string"})))).collect(),
    };
    if !body.is_empty() {
        operation["requestBody"] = json!({"required": true, "content": body});
    }
    operation
}

/// The names in the path with the handler's types, and what else is heeded.
fn parameters(rule: &Rule, sketch: &Sketch) -> Vec<Value> {
    let names = rule.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let names: Vec<_> = names.collect();
    assert_eq!(names.len(), sketch.path.len(), "{}: the handler takes what the path names", rule.id);
    let named = names
        .into_iter()
        .zip(&sketch.path)
        .map(|(name, schema)| json!({"name": name, "in": "path", "required": true, "schema": schema}));
    named.chain(sketch.parameters.iter().cloned()).collect()
}

fn responses(rule: &Rule, words: &Words, sketch: &Sketch) -> BTreeMap<String, Value> {
    let told: Vec<u16> = sketch.answers.keys().copied().collect();
    let statuses = if words.answers.is_empty() { told.as_slice() } else { words.answers };
    let mut responses: BTreeMap<u16, Value> = BTreeMap::new();
    let content = |(kind, schema): (&&str, &Value)| ((*kind).to_owned(), json!({"schema": schema}));
    for status in statuses {
        let mut response = json!({"description": phrase(*status)});
        let contents = sketch.answers.get(status).or_else(|| sketch.answers.values().next());
        let contents: Map<_, _> = contents.into_iter().flatten().map(content).collect();
        if !contents.is_empty() && ![204, 303].contains(status) {
            response["content"] = contents.into();
        }
        if sketch.has_tag && *status == 200 {
            response["headers"] = json!({"ETag": {"schema": {"type": "string"}}});
        }
        responses.insert(*status, response);
    }
    if sketch.has_tag && rule.method == "GET" {
        responses.insert(304, json!({"description": phrase(304)}));
    }
    let strangers = TO_STRANGERS.iter().filter(|_| rule.right != Right::Open);
    for status in ALWAYS.iter().chain(strangers).chain(words.refuses).chain(&sketch.refusals) {
        let response =
            responses.entry(*status).or_insert_with(|| json!({"$ref": "#/components/responses/Problem"}));
        // A list of which nothing was taken is answered with what is wrong with it, or with a problem.
        if let Some(content) = response.get_mut("content") {
            let reference = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
            content["application/problem+json"] = reference;
        }
    }
    responses.into_iter().map(|(status, response)| (status.to_string(), response)).collect()
}

/// The statuses that the document has of an operation.
pub(super) fn answers(rule: &Rule) -> Vec<u16> {
    let document: Value = serde_json::from_str(include_str!("../../../../../docs/openapi.json")).unwrap();
    let responses = &document["paths"][rule.path][rule.method.to_ascii_lowercase()]["responses"];
    responses.as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect()
}

fn phrase(status: u16) -> &'static str {
    axum::http::StatusCode::from_u16(status).unwrap().canonical_reason().unwrap()
}

/// An operation's name in words.
fn summary(id: &str) -> String {
    let (first, rest) = id.split_at(1);
    first.to_ascii_uppercase() + &rest.replace('-', " ")
}

/// What stands above a handler.
fn said(handler: &str) -> String {
    let (module, name) = handler.strip_prefix("hems::api::").unwrap().rsplit_once("::").unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/api/{module}.rs"));
    let source = fs::read_to_string(&file).unwrap();
    let (before, _) = source.split_once(&format!("async fn {name}(")).unwrap();
    let mut lines: Vec<_> = before.lines().rev().skip(1).map_while(|line| line.strip_prefix("///")).collect();
    lines.reverse();
    assert!(!lines.is_empty(), "{handler} says what it does");
    let text = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n");
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn o12_the_openapi_document_is_the_table() {
    expect_file!["../../../../../docs/openapi.json"].assert_eq(&document());
}

#[test]
fn o12_what_is_edited_is_shown_with_a_tag_and_written_under_a_condition() {
    /// What is written and never shown, and what is written once and then stays.
    const EXCEPTIONS: [&str; 3] =
        ["/api/v1/me/password", "/api/v1/accounts/{name}/password", "/api/v1/pools/{name}/draws/{identity}"];
    let document: Value = serde_json::from_str(&document()).unwrap();
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let is_shown = operations["get"]["responses"]["200"]["headers"]["ETag"].is_object();
        let is_edited = operations["put"].is_object() && !EXCEPTIONS.contains(&path.as_str());
        assert!(is_shown || !is_edited, "{path} is edited and shown without a tag");
        for method in ["put", "delete"].map(|method| &operations[method]).into_iter().filter(|_| is_shown) {
            let Some(parameters) = method["parameters"].as_array() else { continue };
            assert!(parameters.iter().any(|one| one["name"] == "If-Match"), "{path}: {method}");
            assert!(method["responses"]["412"].is_object(), "{path}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} are too few: something is not walked");
}

#[test]
fn o12_a_judge_finds_the_openapi_document_valid() {
    let Some(judge) = oracles::tool("o12_a_judge_finds_the_openapi_document_valid", "openapi-spec-validator")
    else {
        return;
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let output = std::process::Command::new(judge).arg("--schema").arg("3.1").arg(file).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
