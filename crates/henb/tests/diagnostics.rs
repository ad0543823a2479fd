//! Diagnostics that an ACS asks for over real TLS: what they find, what stops them, and where they do not go.
//!
//! Echoes need a network whose owner allows ICMP sockets: such a test runs itself again in a network of its own.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::fs;

use cwmp::{Inform, Value};
use henb::{State, device::path};
use hyper::Method;
use jiff::Timestamp;
use scripted::{
    IDENTITY, Oddity, World,
    manufacturer::{events, shown},
    namespace::{PING_GROUPS, is_inside},
    set,
};

const PING: &str = "Device.IP.Diagnostics.IPPing.";
const TRACE: &str = "Device.IP.Diagnostics.TraceRoute.";
const DOWNLOAD: &str = "Device.IP.Diagnostics.DownloadDiagnostics.";
const UPLOAD: &str = "Device.IP.Diagnostics.UploadDiagnostics.";

const COMPLETE: &str = "8 DIAGNOSTICS COMPLETE";

fn request(object: &str, values: &[(&str, Value)]) -> cwmp::CpeMethod {
    let state = [("DiagnosticsState", Value::string("Requested"))];
    let named = values.iter().chain(&state).map(|(name, value)| (format!("{object}{name}"), value.clone()));
    let named: Vec<_> = named.collect();
    let list: Vec<_> = named.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    set(&list)
}

fn completions(informs: &[Inform]) -> usize {
    informs.iter().filter(|inform| events(inform).contains(&COMPLETE)).count()
}

/// Asks for a diagnostic, and waits for the session that tells of its end.
async fn diagnose(world: &World, object: &str, values: &[(&str, Value)]) -> State {
    let before = completions(&world.acs.informs());
    world.acs.script_once(vec![request(object, values)]);
    let mut cell = world.start();
    world.acs.until(|acs| completions(&acs.informs()) > before).await;
    let sessions = world.acs.informs().len();
    cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    let informs = world.acs.informs();
    assert_eq!(events(informs.get(sessions - 1).unwrap()), [COMPLETE], "a session of its own");
    world.state()
}

fn at(state: &State, object: &str, name: &str) -> String {
    shown(state, &format!("{object}{name}")).to_owned()
}

fn host(name: &str) -> (&'static str, Value) {
    ("Host", Value::string(name.to_owned()))
}

#[tokio::test]
async fn c38_topic_5_2_1_the_hems_is_pinged() {
    if !is_inside("c38_topic_5_2_1_the_hems_is_pinged") {
        return;
    }
    let world = World::new().await;
    let values = [
        host("localhost"),
        ("NumberOfRepetitions", Value::unsigned_int(2)),
        ("DataBlockSize", Value::unsigned_int(1400)),
        ("DSCP", Value::unsigned_int(10)),
    ];
    let state = diagnose(&world, PING, &values).await;
    let found = ["DiagnosticsState", "SuccessCount", "FailureCount"].map(|name| at(&state, PING, name));
    assert_eq!(found, ["Complete", "2", "0"]);
    for name in ["AverageResponseTime", "MinimumResponseTime", "MaximumResponseTime"] {
        assert!((1..1000).contains(&at(&state, PING, name).parse().unwrap()), "{name}");
    }
}

#[tokio::test]
async fn c38_c39_topic_5_10_a_ping_that_cannot_be_says_why() {
    if !is_inside("c38_c39_topic_5_10_a_ping_that_cannot_be_says_why") {
        return;
    }
    let mut world = World::new().await;
    world.config.diagnostics.networks = vec!["198.51.100.0/24".parse().unwrap()];
    for (name, expected) in [
        ("no-such-host.invalid", "Error_CannotResolveHostName"),
        // Nothing leads there, and nobody allowed it.
        ("198.51.100.1", "Error_NoRouteToHost"),
        ("203.0.113.1", "Error_Other"),
    ] {
        let state = diagnose(&world, PING, &[host(name)]).await;
        assert_eq!(at(&state, PING, "DiagnosticsState"), expected, "{name}");
        assert_eq!(at(&state, PING, "SuccessCount"), "0");
    }
    // As most systems are delivered: a diagnostic fails, and the cell goes on.
    fs::write(PING_GROUPS, "1 0").unwrap();
    let state = diagnose(&world, PING, &[host("localhost")]).await;
    assert_eq!(at(&state, PING, "DiagnosticsState"), "Error_Internal");
}

#[tokio::test]
async fn c38_topic_5_12_periodic_sessions_go_on_during_a_ping() {
    if !is_inside("c38_topic_5_12_periodic_sessions_go_on_during_a_ping") {
        return;
    }
    let world = World::new().await;
    let soon = set(&[(path::PERIODIC_INTERVAL, Value::unsigned_int(1))]);
    let ping = request(PING, &[host("localhost"), ("NumberOfRepetitions", Value::unsigned_int(4))]);
    world.acs.script_once(vec![soon, ping]);
    let cell = world.start();
    world.acs.until(|acs| completions(&acs.informs()) == 1).await;
    cell.stop().await;
    let informs = world.acs.informs();
    let kinds: Vec<_> = informs.iter().map(events).collect();
    let end = kinds.iter().position(|events| events.contains(&COMPLETE)).unwrap();
    let periodic = kinds[1..end].iter().filter(|events| events[..] == ["2 PERIODIC"]).count();
    assert!(periodic >= 1, "{kinds:?}");
    assert_eq!(at(&world.state(), PING, "SuccessCount"), "4");
}

#[tokio::test]
async fn c38_another_parameter_stops_what_runs_and_nothing_is_told() {
    if !is_inside("c38_another_parameter_stops_what_runs_and_nothing_is_told") {
        return;
    }
    let world = World::new().await;
    let soon = set(&[(path::PERIODIC_INTERVAL, Value::unsigned_int(1))]);
    let ping = request(PING, &[host("localhost"), ("NumberOfRepetitions", Value::unsigned_int(100))]);
    world.acs.script_once(vec![soon, ping]);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    world.acs.script_once(vec![set(&[(&format!("{PING}Timeout"), Value::unsigned_int(900))])]);
    world.acs.until(|acs| acs.outcomes().len() >= 3).await;
    // The next diagnostic needs not wait for a hundred echoes.
    world.acs.script_once(vec![request(PING, &[("NumberOfRepetitions", Value::unsigned_int(1))])]);
    world.acs.until(|acs| completions(&acs.informs()) == 1).await;
    cell.stop().await;
    let state = world.state();
    let found = ["DiagnosticsState", "SuccessCount"].map(|name| at(&state, PING, name));
    assert_eq!(found, ["Complete", "1"]);
}

#[tokio::test]
async fn c38_a_power_cut_ends_what_ran_and_the_results_of_what_ended_stay() {
    let world = World::new().await;
    let state = diagnose(&world, TRACE, &[host("localhost")]).await;
    assert_eq!(at(&state, TRACE, "DiagnosticsState"), "Complete");
    let cut = format!("{PING}DiagnosticsState").parse().unwrap();
    let mut torn = state.clone();
    torn.device.tree.values.insert(cut, "Requested".to_owned());
    fs::write(world.state_path(), serde_json::to_vec(&torn).unwrap()).unwrap();
    world.start().stop().await;
    let state = world.state();
    assert_eq!(at(&state, PING, "DiagnosticsState"), "None");
    assert_eq!(at(&state, TRACE, "DiagnosticsState"), "Complete");
}

#[tokio::test]
async fn c38_the_way_to_the_hems_is_traced() {
    let world = World::new().await;
    for _ in 0..2 {
        let state =
            diagnose(&world, TRACE, &[host("localhost"), ("NumberOfTries", Value::unsigned_int(2))]).await;
        assert_eq!(at(&state, TRACE, "DiagnosticsState"), "Complete");
        // How long the way takes is the machine's affair; that it was measured shows in no nought.
        let is_time = |text: &str| text.parse::<u32>().is_ok_and(|ms| ms > 0);
        assert!(is_time(&at(&state, TRACE, "ResponseTime")));
        assert_eq!(at(&state, TRACE, "RouteHopsNumberOfEntries"), "1");
        let rows = &state.device.tree.tables[&format!("{TRACE}RouteHops.").parse().unwrap()].numbers;
        let row = format!("{TRACE}RouteHops.{}.", rows.first().unwrap());
        let times = at(&state, &row, "RTTimes");
        assert!(times.split(',').count() == 2 && times.split(',').all(is_time), "{times}");
        assert!(["127.0.0.1", "::1"].contains(&&*at(&state, &row, "Host")));
    }
}

#[tokio::test]
async fn c38_p19_files_are_fetched_and_sent_with_the_certificate_and_timed() {
    let world = World::new().await;
    world.acs.file(&vec![7; 100_000]);
    let url = |name: &'static str| (name, Value::string(format!("{}test", world.acs.url())));
    let state = diagnose(&world, DOWNLOAD, &[url("DownloadURL")]).await;
    let sent = diagnose(
        &world,
        UPLOAD,
        &[url("UploadURL"), ("TestFileLength", Value::new(cwmp::ValueKind::UnsignedLong, "50000"))],
    )
    .await;
    let found = ["DiagnosticsState", "TestBytesReceived"].map(|name| at(&state, DOWNLOAD, name));
    assert_eq!(found, ["Complete", "100000"]);
    let found = ["DiagnosticsState", "TotalBytesSent"].map(|name| at(&sent, UPLOAD, name));
    assert_eq!(found, ["Complete", "50000"]);
    for (state, object) in [(&state, DOWNLOAD), (&sent, UPLOAD)] {
        let time = |name: &str| at(state, object, name).parse::<Timestamp>().unwrap();
        assert!(time("ROMTime") <= time("BOMTime") && time("BOMTime") <= time("EOMTime"));
        assert!(time("EOMTime").duration_since(time("ROMTime")) < jiff::SignedDuration::from_secs(30));
    }
    let posts = world.acs.posts();
    let get = posts.iter().find(|post| post.method == Method::GET).unwrap();
    let put = posts.iter().find(|post| post.method == Method::PUT).unwrap();
    assert_eq!((get.identity.as_str(), get.target.as_str()), (IDENTITY, "/test"));
    assert_eq!((put.identity.as_str(), put.body.len()), (IDENTITY, 50_000));
    assert_eq!((get.header("authorization"), put.header("authorization")), (None, None));
}

#[tokio::test]
async fn c39_p07_p11_a_file_from_elsewhere_by_http_or_by_a_secret_is_not_had() {
    let mut world = World::new().await;
    let own = world.acs.url();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = format!("https://localhost:{closed}/");
    for (url, expected) in [
        ("http://localhost/file", "Error_Other"),
        ("https://192.0.2.1/file", "Error_Other"),
        (&own, "Error_LoginFailed"),
        (&refused, "Error_InitConnectionFailed"),
    ] {
        if url == own {
            let shield = world.acs.oddities();
            world.acs.watch(move |post| {
                if post.method == Method::GET {
                    shield(Oddity::Status(401, "www-authenticate", "Basic".to_owned()));
                }
            });
        }
        let state = diagnose(&world, DOWNLOAD, &[("DownloadURL", Value::string(url.to_owned()))]).await;
        assert_eq!(at(&state, DOWNLOAD, "DiagnosticsState"), expected, "{url}");
    }
    world.config.diagnostics.enabled = false;
    let state = diagnose(&world, DOWNLOAD, &[("DownloadURL", Value::string(own))]).await;
    assert_eq!(at(&state, DOWNLOAD, "DiagnosticsState"), "Error_Other");
}
