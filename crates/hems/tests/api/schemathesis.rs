//! A judge that nobody here wrote sends the API what nobody here thought of, made of its document: good, nearly good,
//! and bad. (O-12)
//!
//! Its seed is fixed and its time is bounded; what it finds is printed as a line for curl.

use std::process::Stdio;

use hyper::Method;
use serde_json::json;
use tokio::process::Command;

use crate::world::{World, identity};

/// Seconds for everything it does.
const BUDGET: &str = "60";
/// What is asked of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";
/// What it does not try: its answer has no end.
const LEFT_OUT: &str = "listen-to-events";

#[tokio::test]
async fn o12_schemathesis_finds_nothing_that_the_document_does_not_say() {
    const TEST: &str = "o12_schemathesis_finds_nothing_that_the_document_does_not_say";
    let Some(judge) = oracles::tool(TEST, "schemathesis") else { return };
    let world = World::new().await;
    let device = json!({"identity": identity(1), "oui": "00005E", "product_class": "C", "serial": "x"});
    world.ask(Method::POST, "/api/v1/devices", Some(device)).await;
    world.put("/api/v1/pools/tac", json!({"first": 1, "last": 9})).await;
    world.put("/api/v1/templates/lab", json!({"values": {"Device.X_A": "a"}})).await;
    let mut command = Command::new(judge);
    command.args(["run", &format!("http://{}/api/v1/openapi.json", world.api)]);
    command.arg("--header").arg(format!("Authorization: Bearer {}", world.token));
    // One worker: two that parse Python at once trip over CPython 3.11's count of recursion, and end as an error.
    command.args(["--seed", "1", "--max-time", BUDGET, "--checks", CHECKS, "--workers", "1"]);
    command.args(["--phases", "coverage,fuzzing,stateful", "--warnings", "off"]);
    command.args(["--exclude-operation-id", LEFT_OUT]);
    // It keeps what it tried beside itself.
    command.current_dir(world.folder.path()).env("NO_COLOR", "1").stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // It tried something: a judge that cannot reach us finds nothing either.
    let tried = said.lines().find_map(|line| line.trim().split_once(" generated, "));
    let count = tried.and_then(|(count, _)| count.parse::<u32>().ok());
    assert!(count.is_some_and(|count| count > 500), "{said}");
}
