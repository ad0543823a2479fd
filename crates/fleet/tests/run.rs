//! A small fleet against a scripted H(e)MS over real TLS.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[path = "../../henb/tests/scripted/mod.rs"]
#[expect(dead_code, reason = "the henb tests need more of it")]
mod scripted;

use std::{collections::BTreeSet, time::Duration};

use cwmp::{Effect, FaultCode, ParameterValueStruct, SetParameterValues, Value};
use fleet::{Options, run};
use henb::device::path;
use profile::{HemsUrl, TransportMode};
use scripted::World;

fn options(world: &World) -> Options {
    Options {
        url: HemsUrl::parse(&world.acs.url(), TransportMode::Public).unwrap(),
        pki: world.pki(),
        state: world.room("fleet"),
        cells: 5,
        once: true,
        radio_delay: Duration::from_millis(10),
        quirk: None,
    }
}

#[tokio::test]
async fn a_fleet_ends_when_all_are_in_service_each_with_its_own_identity_and_state() {
    let world = World::new().await;
    let value = |name: &'static str, value| ParameterValueStruct::new(name, value);
    let parameter_list = vec![
        value(path::S1_SERVERS, Value::string("192.0.2.1")),
        value(path::ADMIN_STATE, Value::boolean(true)),
    ];
    world.acs.script(vec![SetParameterValues { parameter_list, parameter_key: "plan".into() }.into()]);
    let report = run(options(&world), std::future::pending()).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.cells, report.in_service, report.failures), (5, 5, 0));
    assert!(report.sessions >= 10);
    let identities: BTreeSet<String> = world.acs.posts().into_iter().map(|post| post.identity).collect();
    let expected: BTreeSet<String> =
        (1..=5).map(|number| format!("02000000000{number}.hnb.example")).collect();
    assert_eq!(identities, expected);
    for number in 1..=5 {
        let state =
            scripted::read_state(&world.room("fleet").join(format!("02000000000{number}/state.json")));
        let serial = &state.device.tree.values[&"Device.DeviceInfo.SerialNumber".parse().unwrap()];
        assert_eq!(serial, &format!("02000000000{number}"));
    }
    let list = std::fs::read_to_string(world.pki().join("identities.csv")).unwrap();
    assert!(list.contains("020000000005.hnb.example,020000,SimulatedCell,020000000005"));
}

#[tokio::test]
async fn a_quirky_fleet_is_in_service_only_by_calls_that_respect_the_quirk() {
    let world = World::new().await;
    let quirk = henb::quirk::find("lab-small-memory", None).unwrap();
    assert_eq!(quirk.effects, [Effect::AtMost(4)]);
    let value = |name: &'static str, value| ParameterValueStruct::new(name, value);
    let numbers = [path::PERIODIC_INTERVAL, path::RETRY_MINIMUM, path::RETRY_MULTIPLIER, path::THROTTLE];
    let mut list: Vec<_> = numbers.map(|path| value(path, Value::unsigned_int(1000))).into();
    list.push(value(path::S1_SERVERS, Value::string("192.0.2.1")));
    let set = |parameter_list| SetParameterValues { parameter_list, parameter_key: "plan".into() }.into();
    let on = || vec![value(path::ADMIN_STATE, Value::boolean(true))];
    world.acs.script(vec![set(list.clone()), set(on())]);
    let options = Options { quirk: Some(quirk), cells: 1, once: false, ..options(&world) };
    let report = run(options.clone(), world.acs.until(|acs| acs.outcomes().len() >= 2)).await.unwrap();
    assert!(!report.is_complete(), "{report:?}");
    assert_eq!(world.acs.outcomes()[0].as_ref().unwrap_err().code, FaultCode::RESOURCES_EXCEEDED);

    world.acs.script(vec![set(list.split_off(1)), set(on())]);
    let informed = world.acs.informs().last().cloned().unwrap();
    assert_eq!(informed.parameter_list.last().unwrap().value.text, "Small memory");
    let options = Options { once: true, state: world.room("again"), ..options };
    assert!(run(options, std::future::pending()).await.unwrap().is_complete());
}

#[tokio::test]
async fn a_fleet_that_nobody_answers_says_why_and_stops_when_told() {
    let world = World::new().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = HemsUrl::parse(&format!("https://localhost:{gone}/"), TransportMode::Public).unwrap();
    let options = Options { url, once: false, cells: 2, ..options(&world) };
    let state = options.state.clone();
    let shutdown = async {
        let failed = |number| {
            let path = state.join(format!("02000000000{number}/state.json"));
            path.exists() && scripted::read_state(&path).agenda.retry_count() > 0
        };
        while !(failed(1) && failed(2)) {
            tokio::task::yield_now().await;
        }
    };
    let report = run(options, shutdown).await.unwrap();
    assert_eq!((report.in_service, report.is_complete()), (0, false));
}
