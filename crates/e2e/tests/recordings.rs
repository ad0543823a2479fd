//! A real cell's sessions recorded by command, read as a trace, and replayed against what is desired.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

use std::{fs, time::Duration};

use e2e::{World, hearth, wait_for};
use serde_json::{Value, json};

/// How long a cell may take to call again.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command says.
fn say(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = hearth();
    command.args(arguments).arg("--token-file").arg(world.dir().join("hems/api.token"));
    let output = command.arg("--api").arg(format!("http://{}", world.api())).output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// The number of a session of the device that is over and was recorded.
fn recorded(world: &World, identity: &str) -> u64 {
    wait_for("a recorded session", PATIENCE, || {
        let sessions = world.get(&format!("/api/v1/sessions?identity={identity}"));
        let ids = sessions.get("items")?.as_array()?.iter().filter_map(|session| session.get("id")?.as_u64());
        ids.into_iter()
            .find(|id| world.get(&format!("/api/v1/sessions/{id}")).get("recording") != Some(&Value::Null))
    })
}

#[test]
fn o10_a_cells_first_session_is_recorded_shown_and_replayed() {
    let world = World::new("recordings");
    let cell = world.cell(1);
    let server = world.serve();
    let identity = cell.identity.as_str();
    world.configure(3600);
    let (code, said) = say(&world, &["session", "record", identity, "--output", "json"]);
    assert!(code == Some(0) && said.contains("\"sessions\": 1"), "{said}");
    let henbd = world.henbd(&cell);
    let _ = world.wait_in_service(identity);
    let id = recorded(&world, identity).to_string();

    let (code, trace) = say(&world, &["session", "recording", &id]);
    assert_eq!(code, Some(0), "{trace}");
    for part in ["device ▶  Inform, ", "◀ H(e)MS  AddObject, ", "device ▶  SetParameterValuesResponse, "]
    {
        assert!(trace.contains(part), "{part}: {trace}");
    }
    let (code, said) = say(&world, &["session", "replay", &id]);
    assert!(code == Some(0) && said.contains("same") && !said.contains("differs"), "{said}");

    let file = world.dir().join("other.json");
    let tac = "Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC";
    fs::write(&file, json!({"priority": 9, "values": {tac: 9}}).to_string()).unwrap();
    let other = ["session", "replay", &id, "--template", "other", "--file", file.to_str().unwrap()];
    let (code, said) = say(&world, &other);
    assert!(code == Some(1) && said.contains("unanswered"), "{said}");

    let (code, shown) = say(&world, &["session", "show", &id, "--output", "json"]);
    assert!(
        code == Some(0) && shown.contains("\"tls_version\"") && shown.contains("\"expires_at\""),
        "{shown}"
    );
    assert_eq!(say(&world, &["session", "recording", &id, "--delete"]).0, Some(0));
    assert_ne!(say(&world, &["session", "recording", &id]).0, Some(0));
    drop((henbd, server));
}
