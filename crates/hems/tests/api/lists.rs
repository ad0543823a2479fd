//! `/api/v1/trust/lists` and `/api/v1/trust/grace`: a list that nobody replaced, and who let it count for longer.

use hyper::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use profile::pki::{self, Validity};
use serde_json::{Value, json};

use crate::{blocks::is_served, world::World};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const GRACE: &str = "/api/v1/trust/grace";

/// A H(e)MS whose anchor has a file of lists that is none yet.
pub(crate) async fn world() -> World {
    with_files(&[("lists.pem", "nonsense")]).await
}

async fn with_files(files: &[(&str, &str)]) -> World {
    let cwmp = "certificate = \"pki/hems/localhost.pem\"\nkey = \"pki/hems/localhost.key\"\n";
    let anchor = "[[cwmp.anchors]]\nname = \"manufacturer\"\ncertificates = \"pki/manufacturer.pem\"\n\
                  realms = [\"hnb.example\"]\ncrls = [\"lists.pem\"]\n";
    World::in_mode("public", cwmp, anchor, files).await
}

/// Puts lists into force that should have been replaced so many days ago.
fn publish(world: &World, overdue_days: i64) {
    let now = Timestamp::now();
    let valid =
        Validity { not_before: now - DAY * 30, not_after: now - DAY * i32::try_from(overdue_days).unwrap() };
    pki::write_crls(&world.pki(), valid).unwrap();
    std::fs::copy(world.path("pki/manufacturer.crl.pem"), world.path("lists.pem")).unwrap();
    (world.reload)();
}

fn alarm<'v>(alarms: &'v Value, kind: &str) -> Option<&'v Value> {
    alarms["items"].as_array().into_iter().flatten().find(|alarm| alarm["kind"] == kind)
}

#[tokio::test]
async fn a11_a_list_of_no_use_is_an_alarm_until_a_good_one_is_there() {
    let world = world().await;
    let kind = "revocation_list_unusable";
    let alarms = world.until_alarms(|alarms| alarm(alarms, kind).is_some()).await;
    let found = alarm(&alarms, kind).unwrap();
    assert!(found["detail"].as_str().unwrap().contains("lists.pem") && found["since"].is_string(), "{found}");
    publish(&world, -7);
    world.until_alarms(|alarms| alarm(alarms, kind).is_none()).await;
    let lists = world.get("/api/v1/trust/lists").await;
    assert!(!lists["items"].as_array().unwrap().is_empty());
    assert_eq!(lists["items"][0]["standing"], "current", "{lists}");
}

#[tokio::test]
async fn a11_a_list_that_is_not_there_stops_no_start() {
    let world = with_files(&[]).await;
    let kind = "revocation_list_unusable";
    let alarms = world.until_alarms(|alarms| alarm(alarms, kind).is_some()).await;
    assert!(alarm(&alarms, kind).unwrap()["detail"].as_str().unwrap().contains("lists.pem"), "{alarms}");
    let pair = world.certificate(1);
    assert!(!is_served(&world, &pair).await, "without a list nobody comes in");
    publish(&world, -7);
    world.until("/api/v1/trust/lists", |lists| lists["items"][0]["standing"] == "current").await;
    assert!(is_served(&world, &pair).await);
}

#[tokio::test]
async fn a11_an_operator_lets_a_stale_list_count_and_that_is_on_record() {
    let world = world().await;
    let pair = world.certificate(1);
    publish(&world, 10);
    world.until("/api/v1/trust/lists", |lists| lists["items"][0]["standing"] == "over").await;
    assert!(!is_served(&world, &pair).await, "grace is over");
    world.until("/api/v1/refusals", |list| list["items"][0]["reason"] == "crl_stale").await;
    let overdue = |alarms: &Value| alarm(alarms, "revocation_list_overdue").unwrap()["severity"].clone();
    assert_eq!(overdue(&world.alarms().await), "critical");

    let until = Timestamp::now() + DAY;
    let extend = async |anchor: &str, until: Timestamp, reason: &str| {
        let body = json!({"anchor": anchor, "until": until, "reason": reason});
        world.ask(Method::POST, GRACE, Some(body)).await
    };
    for (anchor, until, reason, says) in [
        ("nobody", until, "why", "one that has revocation lists: manufacturer"),
        ("manufacturer", until + DAY * 60, "why", "within the next 30 days"),
        ("manufacturer", until - DAY * 2, "why", "within the next 30 days"),
        ("manufacturer", until, " ", "says why"),
    ] {
        let (status, problem) = extend(anchor, until, reason).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let (status, act) = extend("manufacturer", until, "their web server is down").await;
    assert_eq!((status, &act["by"]), (StatusCode::CREATED, &json!("local")), "{act}");
    assert!(is_served(&world, &pair).await, "at once");
    assert_eq!(world.get("/api/v1/trust/lists").await["items"][0]["standing"], "stale");
    assert_eq!(overdue(&world.alarms().await), "major");

    let end = format!("{GRACE}?anchor=manufacturer&reason=mended");
    assert_eq!(world.ask(Method::DELETE, &end, None).await.0, StatusCode::OK);
    assert!(!is_served(&world, &pair).await, "at once, too");
    let history = world.get(GRACE).await;
    let reasons: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|act| act["reason"].clone()).collect();
    assert_eq!(reasons, ["mended", "their web server is down"], "{history}");
}
