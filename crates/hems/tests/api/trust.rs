//! `/api/v1/trust`: what cells would make of a certificate before they see it.

use cwmp::{DateTime, EventCode, ValueKind};
use hyper::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use profile::pki::{Authority, AuthorityOrder, Key, LeafOrder, Validity};
use serde_json::json;

use crate::{
    cell::{Cell, Tree, inform, parameter},
    world::{World, identity, serial},
};

/// A session of a cell whose clock is some hours behind.
async fn behind(world: &World, number: u8, hours: i64) {
    let clock = DateTime::from(Timestamp::now() - SignedDuration::from_hours(hours)).0;
    let mut inform = inform(&serial(number), &[EventCode::BOOTSTRAP]);
    inform.parameter_list.push(parameter("Device.Time.X_00005E_LocalClock", &clock, ValueKind::DateTime));
    Cell::connect(world, number).await.session_of(inform, &mut Tree::new()).await;
}

/// A chain that is valid from some hours ago.
fn chain(host: &str, since_hours: i64) -> String {
    chain_of("next", host, since_hours)
}

fn chain_of(root: &str, host: &str, since_hours: i64) -> String {
    let now = Timestamp::now();
    let hours = SignedDuration::from_hours;
    let root = Authority::create(&AuthorityOrder::lab(root, "localhost").unconstrained()).unwrap();
    let validity = Validity { not_before: now - hours(since_hours), not_after: now + hours(1000) };
    let leaf = root.issue(&LeafOrder::hems(host).valid(validity), &Key::generate(2048).unwrap()).unwrap();
    String::from_utf8([leaf.pem().unwrap(), root.pem().unwrap()].concat()).unwrap()
}

#[tokio::test]
async fn p18_a_change_of_certificate_is_previewed_with_the_cells_that_would_refuse_it() {
    let world = World::new().await;
    behind(&world, 1, 0).await;
    behind(&world, 2, 48).await;
    let path = "/api/v1/trust/preview";
    let (status, preview) = world.upload(Method::POST, path, chain("localhost", 24)).await;
    assert_eq!(
        (status, &preview["cells"], &preview["refuse"]),
        (StatusCode::OK, &json!(2), &json!(1)),
        "{preview}"
    );
    let doubt = &preview["doubts"][0];
    assert_eq!(
        (&doubt["identity"], &doubt["reason"]),
        (&json!(identity(2)), &json!("certificate_not_yet_valid"))
    );
    assert!(preview["unproven_root"].as_str().unwrap().contains("next"), "{preview}");
    assert_eq!(preview["unproven"], 2, "{preview}");
    // Every lab's root is called the same; the key tells them apart.
    let (_, namesake) = world.upload(Method::POST, path, chain_of("operator", "localhost", 100)).await;
    assert_eq!((&namesake["refuse"], &namesake["unproven"]), (&json!(0), &json!(2)), "{namesake}");
    let (_, wrong) = world.upload(Method::POST, path, chain("elsewhere.example", 100)).await;
    assert_eq!((&wrong["refuse"], wrong["faults"].as_array().unwrap().len()), (&json!(2), 1), "{wrong}");
    let present = std::fs::read_to_string(world.path("pki/hems/localhost.pem")).unwrap();
    let (_, same) = world.upload(Method::POST, path, present).await;
    assert_eq!((&same["refuse"], &same["unproven"]), (&json!(0), &json!(0)), "{same}");
    let (status, problem) =
        world.upload(Method::POST, &format!("{path}?listener=x"), chain("localhost", 24)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().unwrap().contains("one of: cwmp"), "{problem}");
    let (status, problem) = world.upload(Method::POST, path, "nonsense".to_owned()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid")));
}

#[tokio::test]
async fn f13_a19_certificates_that_end_soon_are_reported_ours_first() {
    let world = World::new().await;
    behind(&world, 1, 0).await;
    let soon = world.get("/api/v1/trust/expiry?within_days=1").await;
    assert_eq!(soon["items"], json!([]));
    let late = world.get("/api/v1/trust/expiry?within_days=3650").await;
    let ending = &late["items"][0];
    assert_eq!(ending["identity"], identity(1));
    assert!(ending["days_left"].as_i64().unwrap() > 300, "{ending}");
    assert_eq!(ending["certificate"]["dns_names"][0], identity(1));
    assert_eq!(late["own"]["certificate"]["dns_names"][0], "localhost");
    assert_eq!(world.alarms().await["items"], json!([]), "a healthy deployment has none");
}

#[tokio::test]
async fn f13_cells_whose_clock_is_outside_our_certificate_raise_an_alarm() {
    let world = World::new().await;
    behind(&world, 1, 24 * 365 * 20).await;
    let alarms = world.alarms().await;
    let alarm = &alarms["items"][0];
    assert_eq!(
        (&alarm["kind"], &alarm["severity"]),
        (&json!("cells_refuse_us"), &json!("critical")),
        "{alarms}"
    );
    assert!(alarm["detail"].as_str().unwrap().contains("by their clocks: 1;"), "{alarm}");
    let off = &alarms["items"][1];
    assert_eq!((&off["kind"], &off["identity"]), (&json!("cell_clock_off"), &json!(identity(1))), "{alarms}");
}

#[tokio::test]
async fn a09_a_certificate_is_previewed_under_the_rules_of_its_listener() {
    let world = World::with_later().await;
    let root = Authority::create(&AuthorityOrder::lab("next", "localhost").unconstrained()).unwrap();
    let leaf = root.issue(&LeafOrder::hems("localhost"), &Key::generate_ec().unwrap()).unwrap();
    let pem = String::from_utf8([leaf.pem().unwrap(), root.pem().unwrap()].concat()).unwrap();
    for (query, faults) in [("", 1), ("?listener=cwmp", 1), ("?listener=newer%20cells", 0)] {
        let (_, preview) =
            world.upload(Method::POST, &format!("/api/v1/trust/preview{query}"), pem.clone()).await;
        assert_eq!(preview["faults"].as_array().unwrap().len(), faults, "{query}: {preview}");
    }
}
