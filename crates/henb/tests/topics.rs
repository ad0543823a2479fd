//! Procedures of our own for topics of the Broadband Forum's TP-181, over real TLS; the rest stand where their subject is.
//!
//! A test that names a topic has its number behind the rows that it proves; docs/topics.md lists all of them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::fs;

use cwmp::{
    AcsMethod, AddObject, CpeMethod, CpeResponse, Download, FactoryReset, Fault, FaultCode, FromCpe,
    GetParameterNames, GetParameterValues, GetRPCMethods, ParameterValueStruct, Reboot, ScheduleInform,
    SetParameterValues, Value, ValueKind,
};
use datamodel::import::Library;
use henb::device::{RESTORATION, path};
use hyper::{Method, header};
use jiff::{Timestamp, ToSpan};
use profile::{HemsUrl, KeySource, OwnCertificate, TransportMode};
use scripted::{
    IDENTITY, World,
    manufacturer::{download, events, shown},
    set,
};
use tokio::{io::AsyncReadExt, net::TcpListener};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

/// One character of two octets, of three and of four, and one that is built of two.
const TEXTS: [&str; 5] = ["straße", "Größe µ", "基地局", "cell 📡", "e\u{301}té"];

/// What these calls came to in one session.
async fn outcomes(world: &World, calls: Vec<CpeMethod>) -> Vec<Result<CpeResponse, Fault>> {
    let (before, wanted) = (world.acs.outcomes().len(), calls.len());
    world.acs.script_once(calls);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 1).await;
    cell.stop().await;
    let outcomes = world.acs.outcomes().split_off(before);
    assert_eq!(outcomes.len(), wanted);
    outcomes
}

fn get(names: &[&str]) -> CpeMethod {
    let parameter_names = names.iter().map(|name| (*name).to_owned().into()).collect();
    GetParameterValues { parameter_names }.into()
}

fn read(outcome: &Result<CpeResponse, Fault>) -> Vec<(String, Value)> {
    let Ok(CpeResponse::GetParameterValues(response)) = outcome else { panic!("{outcome:?}") };
    response.parameter_list.iter().map(|entry| (entry.name.to_string(), entry.value.clone())).collect()
}

fn texts(outcome: &Result<CpeResponse, Fault>) -> Vec<String> {
    read(outcome).into_iter().map(|(_, value)| value.text.to_string()).collect()
}

fn refused(outcome: &Result<CpeResponse, Fault>) -> Vec<FaultCode> {
    let fault = outcome.as_ref().unwrap_err();
    assert_eq!(fault.code, FaultCode::INVALID_ARGUMENTS);
    fault.details.iter().map(|detail| detail.fault_code).collect()
}

#[tokio::test]
async fn c21_d10_topic_5_1_1_a_factory_reset_forgets_and_begins_anew() {
    let world = World::new().await;
    world.acs.script_once(vec![
        set(&[(CODE, Value::string("A")), (path::PERIODIC_INTERVAL, Value::unsigned_int(77))]),
        FactoryReset {}.into(),
    ]);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    assert!(world.acs.outcomes().iter().all(Result::is_ok));
    assert_eq!(events(&world.acs.informs()[1]), ["0 BOOTSTRAP", "1 BOOT"]);
    let state = world.state();
    let now = [CODE, path::PERIODIC_INTERVAL, path::PARAMETER_KEY].map(|name| shown(&state, name).to_owned());
    assert_eq!(now, ["", "3600", ""]);
    assert_eq!(state.device.journal.factory_resets, 1);
}

#[tokio::test]
async fn k04_k07_topic_5_1_2_the_time_is_unknown_then_set_then_off() {
    let world = World::new().await;
    let names = [path::TIME_STATUS, path::LOCAL_TIME, path::LOCAL_CLOCK];
    let later = Timestamp::now().checked_add((24 * 40).hours()).unwrap();
    world.acs.header(header::DATE, &later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    let off = set(&[(path::TIME_ENABLE, Value::boolean(false))]);
    let found = outcomes(&world, vec![get(&names), off, get(&names)]).await;
    let first = world.acs.informs()[0].current_time.clone();
    assert!(first.since_boot().is_some(), "nobody has told it the time: {first}");
    let after = texts(&found[0]);
    assert_eq!(after[0], "Synchronized");
    for said in &after[1..] {
        assert!(said.parse::<Timestamp>().unwrap().as_second() >= later.as_second(), "{said}");
    }
    assert_eq!(texts(&found[2])[0], "Disabled");
}

#[tokio::test]
async fn c40_topic_5_1_5_the_methods_that_every_cpe_has_are_named() {
    let world = World::new().await;
    let found = outcomes(&world, vec![GetRPCMethods {}.into()]).await;
    let Ok(CpeResponse::GetRPCMethods(response)) = &found[0] else { panic!("{found:?}") };
    let required = [
        "GetRPCMethods",
        "SetParameterValues",
        "GetParameterValues",
        "GetParameterNames",
        "SetParameterAttributes",
        "GetParameterAttributes",
        "AddObject",
        "DeleteObject",
        "Reboot",
        "Download",
    ];
    for name in required {
        assert!(response.method_list.iter().any(|method| method == name), "{name}");
    }
}

#[tokio::test]
async fn c13_m03_topic_5_1_9_booleans_have_four_spellings_and_one_answer() {
    let world = World::new().await;
    let name = path::PERIODIC_ENABLE;
    let spelt = |text: &str| set(&[(name, Value::new(ValueKind::Boolean, text.to_owned()))]);
    let good = [("true", "true"), ("false", "false"), ("1", "true"), ("0", "false")];
    let calls = good.iter().flat_map(|(text, _)| [spelt(text), get(&[name])]).collect();
    let found = outcomes(&world, calls).await;
    for ((text, canonical), answers) in good.iter().zip(found.chunks(2)) {
        assert!(answers[0].is_ok(), "{text}");
        assert_eq!(read(&answers[1]), [(name.to_owned(), Value::new(ValueKind::Boolean, *canonical))]);
    }
    let bad = ["TRUE", "False", "yes", "2", "-1", "", "truth", "01"];
    let mut calls: Vec<CpeMethod> = bad.iter().map(|text| spelt(text)).collect();
    calls.push(get(&[name]));
    let found = outcomes(&world, calls).await;
    for (text, outcome) in bad.iter().zip(&found) {
        assert_eq!(refused(outcome), [FaultCode::INVALID_PARAMETER_VALUE], "{text}");
    }
    assert_eq!(texts(found.last().unwrap()), ["false"], "the last good one");
}

#[tokio::test]
async fn p01_p10_p19_topic_5_1_10_nothing_of_a_session_is_readable_on_the_way() {
    let mut world = World::new().await;
    let mut cell = world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    assert!(world.acs.posts().iter().all(|post| post.identity == IDENTITY), "both ends are certain");
    // Somebody on the way hears the beginning, and cannot answer it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    world.config.url = HemsUrl::parse(&url, TransportMode::Public).unwrap();
    let cell = world.start();
    let (mut tcp, _) = listener.accept().await.unwrap();
    let mut heard = [0; 5];
    tcp.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard[..2], [22, 3], "a TLS handshake");
    let mut hello = vec![0; usize::from(u16::from_be_bytes([heard[3], heard[4]]))];
    tcp.read_exact(&mut hello).await.unwrap();
    let text = String::from_utf8_lossy(&hello).to_ascii_lowercase();
    assert!(!text.contains("inform") && !text.contains("00005e005301"), "{text}");
    drop(tcp);
    cell.stop().await;
}

/// A vendor's description of what its cells have beside the standard.
const ACME: &str = r#"<?xml version="1.0"?>
<dm:document xmlns:dm="urn:broadband-forum-org:cwmp:datamodel-1-8" spec="urn:acme-com:cell-1-0" file="acme.xml">
 <model name="X_ACME_Cell:1.0">
  <object name="Device.DeviceInfo." access="readOnly" minEntries="1" maxEntries="1">
   <parameter name="X_ACME_FanSpeed" access="readWrite"><syntax><unsignedInt><range minInclusive="0" maxInclusive="9"/></unsignedInt><default type="factory" value="3"/></syntax></parameter>
   <parameter name="X_ACME_SensorNumberOfEntries" access="readOnly"><syntax><unsignedInt/></syntax></parameter>
  </object>
  <object name="Device.DeviceInfo.X_ACME_Sensor.{i}." access="readWrite" minEntries="0" maxEntries="2" numEntriesParameter="X_ACME_SensorNumberOfEntries">
   <parameter name="Place" access="readWrite"><syntax><string><enumeration value="inlet"/><enumeration value="board"/></string></syntax></parameter>
   <parameter name="Celsius" access="readOnly"><syntax><int/></syntax></parameter>
  </object>
 </model>
</dm:document>"#;

const FAN: &str = "Device.DeviceInfo.X_ACME_FanSpeed";
const SENSORS: &str = "Device.DeviceInfo.X_ACME_Sensor.";

/// A cell of that vendor: its XML imported, the table named in henbd.toml.
async fn vendors_world() -> World {
    let mut world = World::new().await;
    let room = world.room("models");
    fs::create_dir_all(&room).unwrap();
    fs::write(room.join("acme.xml"), ACME).unwrap();
    let models = Library::open(&[room.join("acme.xml")]).and_then(|library| library.tables()).unwrap();
    let [table] = models.tables.as_slice() else { panic!("{models:?}") };
    fs::write(room.join("acme.txt"), table.write("")).unwrap();
    let (OwnCertificate { chain, key }, anchors) = (&world.config.identity, &world.config.anchors);
    let KeySource::File(key) = key else { panic!("the lab's keys are files") };
    let toml = format!(
        "lab = true\nmodels = [\"acme.txt\"]\nstate_dir = \"state\"\n[hems]\nurl = \"https://localhost/\"\n\
         anchors = {anchors:?}\n[identity]\ncertificate = {chain:?}\nkey = {key:?}\n"
    );
    world.config.model = henb::Config::parse(&toml, &room).unwrap().model;
    world
}

#[tokio::test]
async fn m11_topic_5_1_11_a_vendor_s_names_are_listed_and_unknown_ones_are_refused() {
    let world = vendors_world().await;
    let names = |place: &str, next_level| -> CpeMethod {
        GetParameterNames { parameter_path: place.to_owned().into(), next_level }.into()
    };
    let unknown = "Device.DeviceInfo.X_ACME_Nothing";
    let found = outcomes(
        &world,
        vec![
            names("Device.DeviceInfo.", true),
            names(unknown, false),
            get(&[unknown]),
            set(&[(unknown, Value::string("x"))]),
            names("Device.Services.FAPService.1.FAPControl.", true),
        ],
    )
    .await;
    let listed = |outcome: &Result<CpeResponse, Fault>, name: &str| {
        let Ok(CpeResponse::GetParameterNames(list)) = outcome else { panic!("{outcome:?}") };
        list.parameter_list.iter().find(|entry| entry.name == name).map(|entry| entry.writable)
    };
    assert_eq!(listed(&found[0], FAN), Some(true));
    assert_eq!(listed(&found[0], SENSORS), Some(true));
    assert_eq!(listed(&found[0], "Device.DeviceInfo.X_ACME_SensorNumberOfEntries"), Some(false));
    assert_eq!(listed(&found[4], path::LINK_LOSS_TIME), Some(true), "this product's own");
    for outcome in &found[1..3] {
        assert_eq!(outcome.as_ref().unwrap_err().code, FaultCode::INVALID_PARAMETER_NAME);
    }
    assert_eq!(refused(&found[3]), [FaultCode::INVALID_PARAMETER_NAME]);
}

#[tokio::test]
async fn m11_topic_5_1_12_a_vendor_s_values_are_set_read_and_bounded_as_others() {
    let world = vendors_world().await;
    let add = || AddObject { object_name: SENSORS.into(), parameter_key: "".into() }.into();
    let (place, celsius) = (format!("{SENSORS}1.Place"), format!("{SENSORS}1.Celsius"));
    let found = outcomes(
        &world,
        vec![
            get(&[FAN]),
            add(),
            set(&[(FAN, Value::unsigned_int(9)), (&place, Value::string("board"))]),
            set(&[(FAN, Value::unsigned_int(10))]),
            set(&[(&place, Value::string("roof"))]),
            set(&[(&celsius, Value::int(1))]),
            set(&[(FAN, Value::string("4"))]),
            add(),
            add(),
            get(&[FAN, SENSORS]),
        ],
    )
    .await;
    assert_eq!(texts(&found[0]), ["3"], "what it leaves the factory with");
    assert!(found[1].is_ok() && found[2].is_ok() && found[7].is_ok());
    assert_eq!(refused(&found[3]), [FaultCode::INVALID_PARAMETER_VALUE]);
    assert_eq!(refused(&found[4]), [FaultCode::INVALID_PARAMETER_VALUE]);
    assert_eq!(refused(&found[5]), [FaultCode::NOT_WRITABLE]);
    assert_eq!(refused(&found[6]), [FaultCode::INVALID_PARAMETER_TYPE]);
    assert_eq!(found[8].as_ref().unwrap_err().code, FaultCode::RESOURCES_EXCEEDED);
    assert_eq!(texts(&found[9]), ["9", "0", "board", "0", "inlet"]);
    // A restart keeps them: the state is read under the same model.
    let found = outcomes(&world, vec![get(&[FAN, &place])]).await;
    assert_eq!(texts(&found[0]), ["9", "board"]);
}

#[tokio::test]
async fn h26_m03_topic_5_7_1_to_5_7_6_values_keep_every_character() {
    let world = World::new().await;
    let calls = TEXTS.iter().flat_map(|text| [set(&[(CODE, Value::string(*text))]), get(&[CODE])]).collect();
    let found = outcomes(&world, calls).await;
    for (text, answers) in TEXTS.iter().zip(found.chunks(2)) {
        assert!(answers[0].is_ok(), "{text}");
        assert_eq!(texts(&answers[1]), [*text]);
    }
    // Sizes are characters, not octets.
    let longest = "局".repeat(64);
    let longer = format!("{longest}局");
    let calls = [&longest, &longer].map(|text| set(&[(CODE, Value::string(text.clone()))])).to_vec();
    let found = outcomes(&world, calls).await;
    assert!(found[0].is_ok());
    assert_eq!(refused(&found[1]), [FaultCode::INVALID_PARAMETER_VALUE]);
    assert_eq!(shown(&world.state(), CODE), longest);
}

#[tokio::test]
async fn c14_h26_h27_topic_5_7_1_to_5_7_6_a_parameter_key_keeps_every_character() {
    let world = World::new().await;
    let keyed = |key: &str| -> CpeMethod {
        let parameter_list = vec![ParameterValueStruct::new(CODE, Value::string("x"))];
        SetParameterValues { parameter_list, parameter_key: key.to_owned().into() }.into()
    };
    let longest = "局".repeat(32);
    let keys: Vec<&str> = TEXTS.into_iter().chain([longest.as_str()]).collect();
    let calls = keys.iter().flat_map(|key| [keyed(key), get(&[path::PARAMETER_KEY])]).collect();
    let found = outcomes(&world, calls).await;
    for (key, answers) in keys.iter().zip(found.chunks(2)) {
        assert!(answers[0].is_ok(), "{key}");
        assert_eq!(texts(&answers[1]), [*key]);
    }
    assert!(outcomes(&world, vec![keyed(&"局".repeat(33))]).await[0].is_err());
    let informs = world.acs.informs();
    let said = informs[1].parameter_list.iter().find(|entry| entry.name == path::PARAMETER_KEY).unwrap();
    assert_eq!(said.value.text, longest.as_str());
}

#[tokio::test]
async fn c20_c22_h26_topic_5_7_1_to_5_7_6_a_command_key_keeps_every_character() {
    for key in TEXTS {
        let world = World::new().await;
        let CpeMethod::Download(call) = download(&format!("{}file", world.acs.url()), 0) else {
            unreachable!()
        };
        let transfer = Download { command_key: key.into(), file_type: RESTORATION.into(), ..call };
        world.acs.file(b"no configuration");
        world.acs.script_once(vec![
            ScheduleInform { delay_seconds: 1, command_key: key.into() }.into(),
            Reboot { command_key: key.into() }.into(),
            transfer.into(),
        ]);
        let cell = world.start();
        let all = ["M Reboot", "M ScheduleInform", "M Download"];
        let keys = |informs: &[cwmp::Inform], code: &str| -> Vec<String> {
            let events = informs.iter().flat_map(|inform| &inform.event);
            let named = events.filter(|event| event.event_code.as_str() == code);
            named.map(|event| event.command_key.to_string()).collect()
        };
        let told = |post: &scripted::Post| match post.message() {
            FromCpe::Call(AcsMethod::TransferComplete(call)) => Some(call.command_key.to_string()),
            FromCpe::Call(_) | FromCpe::Response(_) | FromCpe::Fault(_) | FromCpe::Empty => None,
        };
        let completed = |acs: &scripted::Acs| -> Vec<String> {
            acs.posts().iter().filter(|post| post.method == Method::POST).filter_map(told).collect()
        };
        world
            .acs
            .until(|acs| {
                let informs = acs.informs();
                all.iter().all(|code| !keys(&informs, code).is_empty()) && !completed(acs).is_empty()
            })
            .await;
        cell.stop().await;
        let informs = world.acs.informs();
        for code in all {
            assert!(keys(&informs, code).iter().all(|said| said == key), "{code}: {key}");
        }
        assert!(completed(&world.acs).iter().all(|said| said == key), "{key}");
    }
}
