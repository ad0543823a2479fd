//! `/api/v1/alarms`: raised by facts, seen by people, cleared when the facts are gone.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::{World, identity, serial};

const ALARMS: &str = "/api/v1/alarms";

/// Admits two cells with one DeviceId.
async fn dispute(world: &World) {
    for number in [1, 2] {
        let admission = json!({"identity": identity(number), "oui": "00005E", "product_class": "SimulatedCell",
            "serial": serial(1)});
        world.ask(Method::POST, "/api/v1/devices", Some(admission)).await;
    }
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().unwrap()
}

#[tokio::test]
async fn f13_an_alarm_is_raised_acknowledged_and_cleared_and_each_step_is_kept() {
    let world = World::new().await;
    dispute(&world).await;
    let raised = world.alarms().await;
    assert_eq!(items(&raised).len(), 2, "{raised}");
    let alarm = &items(&raised)[0];
    assert_eq!(
        (&alarm["kind"], &alarm["probable_cause"]),
        (&json!("device_id_claimed_twice"), &json!("duplicateInformation"))
    );
    let path = format!("{ALARMS}/{}", alarm["id"]);
    let say =
        async |what: &str, body: Value| world.ask(Method::POST, &format!("{path}/{what}"), Some(body)).await;

    let (status, seen) = say("acknowledge", json!({"note": "asked the installer"})).await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    let by = |alarm: &Value| (alarm["acknowledged"]["by"].clone(), alarm["acknowledged"]["note"].clone());
    assert_eq!(by(&seen), (json!("local"), json!("asked the installer")));
    assert_eq!(by(&items(&world.alarms().await)[0]), by(&seen), "another round takes nothing back");
    let (status, problem) = say("acknowledge", json!({"note": " "})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let (_, unseen) = say("unacknowledge", json!({})).await;
    assert_eq!(unseen["acknowledged"], json!(null));

    let admission = format!("/api/v1/devices/{}/admission", identity(2));
    assert_eq!(world.ask(Method::DELETE, &admission, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.alarms().await["items"], json!([]));
    let cleared = world.get(&format!("{ALARMS}?state=cleared")).await;
    assert_eq!(items(&cleared).len(), 2, "{cleared}");
    let alarm = world.get(&path).await;
    assert!(alarm["cleared_at"].is_string(), "{alarm}");
    let steps: Vec<_> =
        alarm["history"].as_array().unwrap().iter().map(|step| step["what"].clone()).collect();
    assert_eq!(steps, ["raised", "acknowledged", "unacknowledged", "cleared"]);
    assert_eq!(say("acknowledge", json!({})).await.0, StatusCode::CONFLICT);

    dispute(&world).await;
    let again = world.alarms().await;
    assert_ne!(items(&again)[0]["id"], alarm["id"], "another occasion is another alarm");
    assert_eq!(world.ask(Method::GET, &format!("{ALARMS}/none"), None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn f13_alarms_are_listed_by_severity_in_pages() {
    let world = World::new().await;
    dispute(&world).await;
    world.alarms().await;
    let first = world.get(&format!("{ALARMS}?limit=1&severity=major")).await;
    let token = first["next_page_token"].as_str().unwrap();
    let second = world.get(&format!("{ALARMS}?limit=1&page_token={token}")).await;
    assert_ne!(items(&first)[0]["id"], items(&second)[0]["id"]);
    assert_eq!(world.get(&format!("{ALARMS}?severity=critical")).await["items"], json!([]));
    for wrong in ["severity=bad", "state=all", "page_token=x", "color=red"] {
        let (status, problem) = world.ask(Method::GET, &format!("{ALARMS}?{wrong}"), None).await;
        assert!(status.is_client_error(), "{wrong}: {problem}");
    }
}

#[tokio::test]
async fn f13_many_refusals_within_a_minute_raise_an_alarm_with_their_reason() {
    let world = World::with("[alarms]\nrefusals_per_minute = 3\n").await;
    let refuse = async || {
        let mut tcp = TcpStream::connect(world.cwmp).await.unwrap();
        tcp.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    };
    // The job has looked before, or looks now.
    assert_eq!(world.alarms().await["items"], json!([]));
    for _ in 0..3 {
        refuse().await;
    }
    let is_there = |alarms: &Value| items(alarms).iter().any(|alarm| alarm["kind"] == "refusals_above_rate");
    let alarms = world.until_alarms(is_there).await;
    assert_eq!(items(&alarms)[0]["object"], "plain_http", "{alarms}");
    assert!(items(&alarms)[0].get("identity").is_none(), "a reason is no cell");
}

#[tokio::test]
async fn f13_a_node_s_job_raises_alarms_without_being_asked() {
    let world = World::new().await;
    dispute(&world).await;
    let alarms = world.until(ALARMS, |alarms| items(alarms).len() == 2).await;
    assert_eq!(items(&alarms)[0]["source"], "hems");
}
