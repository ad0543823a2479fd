//! `/api/v1/identities`: lists of who is admitted, and what two claims to one DeviceId do.

use cwmp::{AcsMethod, EventCode, FromAcs, FromCpe};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::{
    cell::{Cell, Tree, inform},
    world::{World, identity, serial},
};

fn line(number: u8, serial: &str) -> String {
    format!("{},00005E,SimulatedCell,{serial}\n", identity(number))
}

const HEADER: &str = "identity,oui,product_class,serial\n";

#[tokio::test]
async fn i12_a_list_is_imported_and_each_bad_row_is_shown() {
    let world = World::new().await;
    let csv = format!("{HEADER}{}nobody,00005E,C,2\n{}{}", line(1, "1"), line(3, "3"), line(3, "4"));
    let (status, summary) = world.upload(Method::POST, "/api/v1/identities?strict=true", csv.clone()).await;
    assert_eq!((status, &summary["admitted"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(0)), "{summary}");
    assert_eq!(world.get("/api/v1/devices").await["items"], json!([]));
    assert_eq!(
        (&summary["errors"][0]["place"], &summary["conflicts"][0]["place"]),
        (&json!("line 3"), &json!("line 5")),
        "all that is wrong at once"
    );
    let (status, summary) = world.upload(Method::POST, "/api/v1/identities", csv).await;
    assert_eq!(status, StatusCode::OK, "{summary}");
    assert_eq!((&summary["admitted"], &summary["same"]), (&json!(2), &json!(0)));
    assert_eq!(
        (&summary["errors"][0]["place"], &summary["conflicts"][0]["place"]),
        (&json!("line 3"), &json!("line 5"))
    );
    let list =
        json!([{"identity": identity(1), "oui": "00005E", "product_class": "SimulatedCell", "serial": "1"}]);
    let (_, summary) = world.upload(Method::POST, "/api/v1/identities", list.to_string()).await;
    assert_eq!(summary, json!({"admitted": 0, "same": 1, "conflicts": [], "errors": []}));
}

#[tokio::test]
async fn s11_whoever_was_withdrawn_before_he_called_is_in_no_quarantine() {
    let world = World::new().await;
    let pair = world.unlisted_certificate(2);
    let list = format!("{HEADER}{}{}", line(1, "1"), line(3, "3"));
    world.upload(Method::POST, "/api/v1/identities", list).await;
    let path = format!("/api/v1/devices/{}/admission", identity(1));
    assert_eq!(world.ask(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    Cell::over(world.connect(&pair).await, 2).await.inform(&[EventCode::BOOTSTRAP]).await;
    world.until(&format!("/api/v1/devices/{}", identity(2)), |device| device["state"] == "quarantined").await;
    assert_eq!(world.device(1).await["state"], "never");
    for (state, numbers) in [("quarantined", vec![2]), ("never", vec![1, 3])] {
        let page = world.get(&format!("/api/v1/devices?filter=state%3D{state}")).await;
        let found: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|device| device["identity"].clone()).collect();
        assert_eq!(
            found,
            numbers.into_iter().map(|number| json!(identity(number))).collect::<Vec<_>>(),
            "{state}"
        );
    }
    let (_, text) = crate::admin::page(&world, "/metrics").await;
    assert!(text.contains("hems_devices{state=\"quarantined\"} 1\n"), "{text}");
}

#[tokio::test]
async fn i12_a_list_of_which_nothing_is_taken_is_answered_with_422() {
    let world = World::new().await;
    let bad = format!("{HEADER}nobody,00005E,C,2\n");
    for (path, list) in [
        ("/api/v1/identities", bad.as_str()),
        ("/api/v1/identities", "identity;oui\n"),
        ("/api/v1/places", "identity,site\nnobody,north\n"),
        ("/api/v1/places", "site\nnorth\n"),
    ] {
        for strict in [false, true] {
            let path = format!("{path}?strict={strict}");
            let (status, summary) = world.upload(Method::POST, &path, list.to_owned()).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {list}: {summary}");
            assert!(summary["errors"][0]["message"].is_string(), "{summary}");
        }
    }
}

#[tokio::test]
async fn i07_a_device_id_that_is_admitted_for_two_identities_stops_both_and_shows_both() {
    let world = World::new().await;
    let mut first = Cell::connect(&world, 1).await;
    assert_eq!(first.inform(&[EventCode::BOOTSTRAP]).await.status, StatusCode::OK);
    let pair = world.unlisted_certificate(9);
    let claim = format!("{HEADER}{}", line(9, &serial(1)));
    let (_, summary) = world.upload(Method::POST, "/api/v1/identities", claim).await;
    assert!(summary["conflicts"][0]["message"].as_str().unwrap().contains(&identity(1)), "{summary}");
    let path = format!("/api/v1/sessions?identity={}", identity(1));
    let outcome = |list: &serde_json::Value| list["items"][0]["outcome"] == "device_id_claimed_twice";
    world.until(&path, outcome).await;

    let mut second = Cell::over(world.connect(&pair).await, 9).await;
    for cell in [&mut first, &mut second] {
        let inform = inform(&serial(1), &[EventCode::BOOTSTRAP]);
        let reply = cell.post("i", FromCpe::Call(AcsMethod::Inform(inform))).await;
        assert!(matches!(reply.message(), FromAcs::Fault(_)), "{reply:?}");
    }
    for (number, other) in [(1, 9), (9, 1)] {
        let device = world.device(number).await;
        assert_eq!(
            (&device["state"], &device["disputed_with"]),
            (&json!("disputed"), &json!([identity(other)]))
        );
    }
    let list = world.until("/api/v1/refusals", |list| list["items"][0]["count"] == 2).await;
    let row = &list["items"][0];
    assert_eq!(
        (&row["reason"], &row["offer"]["act"]),
        (&json!("device_id_claimed_twice"), &json!("withdraw"))
    );

    let path = format!("/api/v1/devices/{}/admission", identity(9));
    assert_eq!(world.ask(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    Cell::connect(&world, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    assert_eq!(world.device(9).await["state"], "never", "it was refused, and no session of it was held");
    Cell::over(world.connect(&pair).await, 9).await.inform(&[EventCode::BOOTSTRAP]).await;
    let path = format!("/api/v1/devices/{}", identity(9));
    world.until(&path, |device| device["state"] == "quarantined").await;
}

#[tokio::test]
async fn i06_a_serial_that_changed_under_the_same_certificate_is_shown_on_it_and_on_whose_it_is() {
    let world = World::new().await;
    world.certificate(2);
    let pair = world.certificate(1);
    Cell::over(world.connect(&pair).await, 1).await.session(&[EventCode::BOOTSTRAP], &mut Tree::new()).await;
    let lie = inform(&serial(2), &[EventCode::BOOTSTRAP]);
    let mut cell = Cell::over(world.connect(&pair).await, 1).await;
    cell.post("i", FromCpe::Call(AcsMethod::Inform(lie))).await;
    let (liar, rightful) = (world.device(1).await, world.device(2).await);
    let claim = &liar["claims"][0];
    assert_eq!((&claim["serial"], &claim["count"]), (&json!(serial(2)), &json!(1)));
    assert_eq!(
        claim["certificate_sha256"], liar["certificate"]["fingerprint_sha256"],
        "the same certificate"
    );
    assert_eq!(rightful["claimed_by"][0]["identity"], identity(1));
    assert_eq!(rightful["state"], "never", "what a stranger says stops nobody");
}

#[tokio::test]
async fn i05_an_oui_that_is_not_the_euis_is_counted_or_refused() {
    let world = World::new().await;
    let pair = world.unlisted_certificate(9);
    let admitted =
        json!({"identity": identity(9), "oui": "0000AA", "product_class": "SimulatedCell", "serial": "9"});
    world.ask(Method::POST, "/api/v1/devices", Some(admitted)).await;
    let mut inform = inform("9", &[EventCode::BOOTSTRAP]);
    inform.device_id.oui = "0000aa".into();
    let mut cell = Cell::over(world.connect(&pair).await, 9).await;
    cell.session_of(inform.clone(), &mut Tree::new()).await;
    assert_eq!(world.misbehaviour(9, "oui_mismatch").await, 1);
    assert_eq!(world.misbehaviour(9, "oui_form").await, 1, "its digits are lower case");

    std::fs::write(world.path("policies"), "oui_mismatch = \"refuse\"\n").unwrap();
    let world = world.restart().await;
    let mut cell = Cell::over(world.connect(&pair).await, 9).await;
    let reply = cell.post("i", FromCpe::Call(AcsMethod::Inform(inform))).await;
    assert!(matches!(reply.message(), FromAcs::Fault(_)), "{reply:?}");
    world.until("/api/v1/refusals", |list| list["items"][0]["reason"] == "oui_mismatch").await;
}

#[tokio::test]
async fn i12_an_unknown_identity_comes_with_the_command_that_admits_it() {
    let world = World::new().await;
    let pair = world.unlisted_certificate(9);
    let mut strange = inform("it's 9", &[EventCode::BOOTSTRAP]);
    strange.device_id.product_class = "C; reboot".into();
    let mut cell = Cell::over(world.connect(&pair).await, 9).await;
    cell.post("i", FromCpe::Call(AcsMethod::Inform(strange))).await;
    let list = world.until("/api/v1/refusals", |list| list["items"][0]["count"] == 1).await;
    let row = &list["items"][0];
    assert_eq!(row["help"], "docs/operate/refusals.md#unknown_identity");
    let command = format!(
        "hearth device admit {} --oui 00005E --product-class='C; reboot' --serial='it'\\''s 9'",
        identity(9)
    );
    assert_eq!(row["offer"]["command"], command);
    let (status, _) = world.ask(Method::POST, "/api/v1/devices", Some(row["offer"]["body"].clone())).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(world.get("/api/v1/refusals").await["items"][0]["offer"], json!(null), "once is enough");
}
