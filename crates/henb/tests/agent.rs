//! The agent against a scripted H(e)MS over real TLS: what it says, what it refuses, and what it keeps.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "the fleet tests need the rest of it")]
mod scripted;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cwmp::{
    CpeMethod, CpeResponse, Download, FactoryReset, FaultCode, FromCpe, GetParameterValues, Reboot, Text,
    Upload, Value, Witness,
};
use henb::device::{CONFIGURATION, FIRMWARE, path};
use hyper::{Method, header};
use jiff::{Timestamp, ToSpan};
use profile::{FixedClock, SystemClock, pki};
use scripted::{Acs, IDENTITY, Oddity, World, read_state, set, unlock};

fn events(inform: &cwmp::Inform) -> Vec<&str> {
    inform.event.iter().map(|event| event.event_code.as_str()).collect()
}

fn informed<'i>(inform: &'i cwmp::Inform, name: &str) -> &'i str {
    &inform.parameter_list.iter().find(|entry| entry.name == name).unwrap().value.text
}

#[tokio::test]
async fn c01_d03_h02_h03_p01_a_first_session_on_the_wire() {
    let world = World::new().await;
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let posts = world.acs.posts();
    let [inform, empty] = &posts[..] else { panic!("{posts:#?}") };
    let message = inform.inform().unwrap();
    assert_eq!(events(&message), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!((&*message.device_id.oui, &*message.device_id.serial_number), ("00005E", "00005E005301"));
    assert_eq!(inform.header("soapaction"), Some(""));
    assert_eq!(inform.header("content-type"), Some("text/xml; charset=\"utf-8\""));
    assert_eq!((&inform.method, inform.target.as_str()), (&Method::POST, "/"));
    assert_eq!(empty.message(), FromCpe::Empty);
    assert_eq!((empty.header("soapaction"), empty.header("content-type")), (None, None));
    assert_eq!(empty.header("content-length"), Some("0"));
    assert_eq!((inform.connection, empty.connection), (1, 1));
}

#[tokio::test]
async fn d05_the_first_management_system_names_the_serving_one_and_the_gateways() {
    let world = World::new().await;
    let (pki, clock) = (world.pki(), Arc::new(SystemClock));
    let pair = pki::issue_hems(&pki, "localhost").unwrap();
    let serving = Acs::start(&pair, &pki.join("manufacturer.pem"), clock).await;
    let gateway = [(path::PLACES[1], "seg.serving.example"), (path::S1_SERVERS, "192.0.2.1")];
    let places = [(path::URL, &*serving.url()), gateway[0], gateway[1]]
        .map(|(place, text)| (place, Value::string(text)));
    world.acs.script_once(vec![set(&places)]);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    assert_eq!(world.acs.informs().len(), 1, "it was told where to go");
    assert!(events(&serving.informs()[0]).contains(&"0 BOOTSTRAP"));
    let state = world.state();
    let value = |place: &str| state.device.tree.values[&place.parse().unwrap()].clone();
    assert_eq!(value(path::URL), serving.url());
    assert!(gateway.iter().all(|(place, text)| value(place) == *text));
    assert_eq!(state.contacted, Some(serving.url()));
}

#[tokio::test]
async fn p19_the_cell_shows_its_certificate() {
    let world = World::new().await;
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    assert!(world.acs.posts().iter().all(|post| post.identity == IDENTITY));
}

#[tokio::test]
async fn p11_a_plain_http_url_by_setparametervalues_is_refused_with_9007() {
    let world = World::new().await;
    world.acs.script(vec![set(&[(path::URL, Value::string("http://localhost/"))])]);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let fault = world.acs.outcomes()[0].clone().unwrap_err();
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE);
    assert_eq!(world.state().device.tree.values[&path::URL.parse().unwrap()], world.acs.url());
}

#[tokio::test]
async fn c13_a_bad_value_leaves_all_values_as_they_were() {
    let world = World::new().await;
    let good = "Device.DeviceInfo.ProvisioningCode";
    world.acs.script(vec![
        set(&[(good, Value::string("A")), (path::OP_STATE, Value::boolean(true))]),
        GetParameterValues { parameter_names: vec![good.into(), path::PARAMETER_KEY.into()] }.into(),
    ]);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    let outcomes = world.acs.outcomes();
    assert_eq!(outcomes[0].clone().unwrap_err().details.len(), 1);
    let Ok(CpeResponse::GetParameterValues(values)) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert!(values.parameter_list.iter().all(|entry| entry.value.text.is_empty()));
}

#[tokio::test]
async fn an_executed_change_is_durable_before_its_response_leaves() {
    let world = World::new().await;
    world.acs.script(vec![unlock()]);
    let (found, state) = (Arc::new(Mutex::new(Vec::new())), world.state_path());
    let note = Arc::clone(&found);
    world.acs.watch(move |post| {
        if matches!(post.message(), FromCpe::Response(CpeResponse::SetParameterValues(_))) {
            let values = read_state(&state).device.tree.values;
            note.lock().unwrap().push(values[&path::ADMIN_STATE.parse().unwrap()].clone());
        }
    });
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    assert_eq!(found.lock().unwrap()[..1], ["true"]);
}

#[tokio::test]
async fn d08_c03_an_unlocked_cell_comes_on_air_and_says_so() {
    let world = World::new().await;
    world.acs.script(vec![unlock()]);
    let mut cell = world.start();
    cell.until(|status| status.in_service).await;
    let informs = world.acs.informs();
    let last = informs.last().unwrap();
    assert_eq!(events(last), ["4 VALUE CHANGE"]);
    assert_eq!((informed(last, path::OP_STATE), informed(last, path::RF_TX_STATUS)), ("true", "true"));
    assert_eq!(informed(last, path::PARAMETER_KEY), "plan-1");
}

#[tokio::test]
async fn g02_p17_k04_k07_a_session_needs_no_accurate_time_and_brings_it() {
    let world = World::new().await;
    let later = Timestamp::now().checked_add((24 * 40).hours()).unwrap();
    world.acs.header(header::DATE, &later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    world.acs.script(vec![unlock()]);
    let mut cell = world.start();
    cell.until(|status| status.in_service).await;
    cell.stop().await;
    let informs = world.acs.informs();
    let (first, last) = (&informs[0], informs.last().unwrap());
    assert!(first.current_time.since_boot().is_some());
    assert!(last.current_time.timestamp().unwrap().as_second() >= later.as_second());
    assert!(world.state().clock.as_second() >= later.as_second());
}

#[tokio::test]
async fn k01_k02_the_clock_goes_on_from_where_it_was_saved() {
    let world = World::new().await;
    world.start().stop().await;
    // A power cut with the machine's clock at 1970 or anywhere else changes nothing: only the saved time counts.
    let saved = world.state().clock.checked_add((24 * 100).hours()).unwrap();
    let state = henb::State { clock: saved, ..world.state() };
    std::fs::write(world.state_path(), serde_json::to_vec(&state).unwrap()).unwrap();
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    cell.stop().await;
    assert!(world.state().clock >= saved);
    let said = world.acs.informs().last().unwrap().clone();
    let clock: Timestamp = informed(&said, path::LOCAL_CLOCK).parse().unwrap();
    assert!(clock.as_second() >= saved.as_second());
}

#[tokio::test]
async fn g02_p18_k05_an_expired_hems_is_refused_by_the_restored_clock() {
    let world = World::new().await;
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let clock = Timestamp::now().checked_add((24 * 365 * 3).hours()).unwrap();
    let state = henb::State { clock, ..world.state() };
    std::fs::write(world.state_path(), serde_json::to_vec(&state).unwrap()).unwrap();
    let before = world.acs.posts().len();
    let mut cell = world.start();
    let failed = cell.until(|status| status.failures == 1).await;
    assert!(failed.last_failure.as_ref().unwrap().contains("certificate_expired"), "{failed:?}");
    assert_eq!(world.acs.posts().len(), before);
}

#[tokio::test]
async fn p18_k05_a_hems_of_the_future_is_refused_by_the_restored_clock() {
    let from = Timestamp::now().checked_add((24 * 100).hours()).unwrap();
    let until = from.checked_add((24 * 365).hours()).unwrap();
    let own = move |folder: &std::path::Path| {
        let pair = |name: &str| folder.join("operator").join(name);
        let ca = profile::KeyPair { chain: pair("localhost.pem"), key: pair("localhost.key") };
        let order =
            pki::LeafOrder::hems("localhost").valid(pki::Validity { not_before: from, not_after: until });
        let key = pki::Key::generate(2048).unwrap();
        pki::Authority::load(&ca).unwrap().issue(&order, &key).unwrap().write(folder, "future", &key).unwrap()
    };
    let clock = FixedClock::new(from.checked_add(24.hours()).unwrap());
    let world = World::with(own, Arc::new(clock)).await;
    let mut cell = world.start();
    let failed = cell.until(|status| status.failures == 1).await;
    assert!(failed.last_failure.as_ref().unwrap().contains("certificate_not_yet_valid"), "{failed:?}");
    assert!(world.acs.posts().is_empty());
}

#[tokio::test]
async fn c20_a_reboot_comes_after_the_session_and_is_told() {
    let world = World::new().await;
    world.acs.script_once(vec![unlock(), Reboot { command_key: "again".into() }.into()]);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 2).await;
    cell.stop().await;
    let informs = world.acs.informs();
    assert!(matches!(world.acs.outcomes()[1], Ok(CpeResponse::Reboot(_))));
    let told = informs.iter().find(|inform| events(inform).contains(&"M Reboot")).unwrap();
    assert!(events(told).contains(&"1 BOOT"));
    assert_eq!(
        told.event.iter().find(|event| event.event_code.as_str() == "M Reboot").unwrap().command_key,
        "again"
    );
    assert_eq!(world.state().device.journal.reboots, 1);
    assert_eq!(world.state().device.tree.values[&path::ADMIN_STATE.parse().unwrap()], "false");
}

fn a_download(world: &World) -> CpeMethod {
    Download {
        command_key: "fetch".into(),
        file_type: FIRMWARE.into(),
        url: format!("{}image", world.acs.url()).into(),
        username: Text::new(),
        password: Text::new(),
        file_size: 0,
        target_file_name: Text::new(),
        delay_seconds: 0,
        success_url: Text::new(),
        failure_url: Text::new(),
    }
    .into()
}

#[tokio::test]
async fn c22_c24_c25_an_upload_by_certificate_is_put_once_and_told() {
    let world = World::new().await;
    let upload = Upload {
        command_key: "read".into(),
        file_type: CONFIGURATION.into(),
        url: format!("{}put", world.acs.url()).into(),
        username: Text::new(),
        password: Text::new(),
        delay_seconds: 0,
    };
    world.acs.script_once(vec![upload.into()]);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 2).await;
    cell.stop().await;
    let posts = world.acs.posts();
    let puts: Vec<_> = posts.iter().filter(|post| post.method == Method::PUT).collect();
    assert_eq!((puts.len(), puts[0].target.as_str(), puts[0].identity.as_str()), (1, "/put", IDENTITY));
    assert_eq!((puts[0].header("authorization"), puts[0].header("soapaction")), (None, None));
    assert!(String::from_utf8_lossy(&puts[0].body).contains("Device.ManagementServer."));
    assert_eq!(events(&world.acs.informs()[1]), ["7 TRANSFER COMPLETE", "M Upload"]);
    assert_eq!(world.state().agenda.calls(), Vec::new());
}

#[tokio::test]
async fn c21_a_factory_reset_comes_after_the_session_and_is_told() {
    let world = World::new().await;
    world.acs.script_once(vec![unlock(), FactoryReset {}.into()]);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 2).await;
    cell.stop().await;
    let informs = world.acs.informs();
    assert_eq!(events(&informs[1]), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!(informed(&informs[1], path::PARAMETER_KEY), "");
    assert_eq!(world.state().device.journal.factory_resets, 1);
}

#[tokio::test]
async fn c24_a_download_that_fails_is_told_with_its_fault() {
    let world = World::new().await;
    world.acs.file(b"not an image");
    world.acs.script_once(vec![a_download(&world)]);
    let mut cell = world.start();
    cell.until(|status| status.sessions == 2).await;
    let codes: Vec<u32> = world
        .acs
        .posts()
        .iter()
        .filter(|post| post.method == Method::POST)
        .filter_map(|post| match post.message() {
            FromCpe::Call(cwmp::AcsMethod::TransferComplete(call)) => Some(call.fault_struct.fault_code.0),
            FromCpe::Call(_) | FromCpe::Response(_) | FromCpe::Fault(_) | FromCpe::Empty => None,
        })
        .collect();
    assert_eq!(codes, [FaultCode::FILE_AUTHENTICATION_FAILURE.0]);
}

#[tokio::test]
async fn c07_c10_what_failed_is_told_again_after_a_wait_that_survives_a_restart() {
    let world = World::new().await;
    world.acs.next_is(Oddity::Status(503, "retry-after", "1".to_owned()));
    let mut cell = world.start();
    cell.until(|status| status.failures == 1).await;
    world.acs.until(|acs| acs.posts().len() == 1).await;
    cell.cut().await;
    let kept = world.state().agenda;
    assert_eq!(kept.retry_count(), 1);
    let wait = kept.deadline().unwrap().duration_since(world.state().clock);
    assert!((3..=10).contains(&wait.as_secs()), "{wait:?}");
    let cell = world.start();
    tokio::task::yield_now().await;
    cell.stop().await;
    assert_eq!(world.acs.posts().len(), 1);
    assert_eq!(world.state().agenda.deadline(), kept.deadline());
}

#[tokio::test]
async fn what_is_no_message_fails_the_session_and_what_is_no_method_is_answered() {
    let world = World::new().await;
    world.acs.next_is(Oddity::Body("<broken".to_owned()));
    let mut cell = world.start();
    cell.until(|status| status.failures == 1).await;
    cell.stop().await;

    let world = World::new().await;
    let unknown = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:c="urn:dslforum-org:cwmp-1-1"><s:Header><c:ID s:mustUnderstand="1">7</c:ID></s:Header><s:Body><c:MakeCoffee/></s:Body></s:Envelope>"#;
    let inform_response = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:c="urn:dslforum-org:cwmp-1-1"><s:Body><c:InformResponse><MaxEnvelopes>1</MaxEnvelopes></c:InformResponse></s:Body></s:Envelope>"#;
    world.acs.next_is(Oddity::Body(inform_response.to_owned()));
    world.acs.next_is(Oddity::Body(unknown.to_owned()));
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    assert_eq!(world.acs.outcomes()[0].clone().unwrap_err().code, FaultCode::METHOD_NOT_SUPPORTED);
}

/// Tells when a commit with this number was made.
struct Cut(u64, tokio::sync::watch::Sender<bool>);

impl Witness for Cut {
    fn committed(&self, number: u64) {
        if number >= self.0 {
            self.1.send_replace(true);
        }
    }
}

#[tokio::test]
async fn a_power_cut_after_any_save_leaves_a_cell_that_comes_into_service() {
    let world = World::new().await;
    world.acs.script(vec![unlock()]);
    for number in 1..=8 {
        let _ = std::fs::remove_dir_all(&world.config.state_dir);
        let (cut, mut is_due) = tokio::sync::watch::channel(false);
        let cell = world.start_with(Arc::new(Cut(number, cut)));
        let reached =
            tokio::time::timeout(Duration::from_secs(5), is_due.wait_for(|is_due| *is_due)).await.is_ok();
        cell.cut().await;
        let before = world.state();
        assert!(before.number >= number || !reached, "save {number}");
        let mut cell = world.start();
        cell.until(|status| status.in_service).await;
        cell.stop().await;
        let after = world.state();
        assert!(after.number > before.number && after.clock >= before.clock, "save {number}");
        assert_eq!(after.device.journal.reboots, 0);
        assert!(after.agenda.events().is_empty() && after.contacted.is_some());
    }
}
