//! Every known quirk is shown by messages: how they read, whom they come from, and that they show each effect.
//!
//! The messages are made for this, with the deviation of the product and nothing else of it. `UPDATE_EXPECT=1` rewrites
//! the texts beside them.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a broken file must stop the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use cwmp::{
    AcsMethod, AnyBody, CpeResponse, Decoded, Effect, Envelope, Fault, FaultCode, FromCpe, GetRPCMethods,
    GetRPCMethodsResponse, Header, Inform, InformResponse, Limits, Product, Quirk, Quirks, ValueKind,
    Version, quirk::KNOWN, session::acs::Session,
};

fn field() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/field")
}

fn known() -> Vec<Quirk> {
    toml::from_str::<BTreeMap<String, Vec<Quirk>>>(KNOWN).unwrap().remove("quirk").unwrap()
}

fn read(golden: &str) -> Decoded<AnyBody> {
    let file = field().join(golden);
    let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Envelope::<AnyBody>::decode(bytes, &Limits::default()).unwrap_or_else(|error| panic!("{golden}: {error}"))
}

fn inform(message: &Decoded<AnyBody>) -> Option<&Inform> {
    match &message.envelope.body {
        AnyBody::Cpe(FromCpe::Call(AcsMethod::Inform(inform))) => Some(inform),
        AnyBody::Cpe(_) | AnyBody::Acs(_) => None,
    }
}

fn response(message: &Decoded<AnyBody>) -> Option<&CpeResponse> {
    match &message.envelope.body {
        AnyBody::Cpe(FromCpe::Response(response)) => Some(response),
        AnyBody::Cpe(_) | AnyBody::Acs(_) => None,
    }
}

fn fault(message: &Decoded<AnyBody>) -> Option<&Fault> {
    match &message.envelope.body {
        AnyBody::Cpe(FromCpe::Fault(fault)) => Some(fault),
        AnyBody::Cpe(_) | AnyBody::Acs(_) => None,
    }
}

#[test]
fn every_message_of_a_quirk_reads_as_its_text_says() {
    for golden in known().iter().flat_map(|quirk| &quirk.golden) {
        let Decoded { envelope, leniencies, .. } = read(golden);
        let text = format!("{envelope:#?}\nleniencies: {leniencies:?}\n");
        expect_test::expect_file![field().join(golden).with_extension("txt")].assert_eq(&text);
    }
}

#[test]
fn every_quirk_is_matched_by_its_own_inform_and_by_no_others() {
    let known = known();
    for quirk in &known {
        let messages: Vec<_> = quirk.golden.iter().map(|golden| read(golden)).collect();
        let mut informs = messages.iter().filter_map(inform).peekable();
        assert!(informs.peek().is_some(), "{}: no Inform of the product", quirk.name);
        for inform in informs {
            let quirks = Quirks::of(&known, &Product::of(inform));
            assert_eq!(quirks.names().collect::<Vec<_>>(), [&quirk.name]);
        }
    }
}

#[test]
fn every_effect_of_a_quirk_is_seen_in_its_messages() {
    for quirk in known() {
        let messages: Vec<_> = quirk.golden.iter().map(|golden| read(golden)).collect();
        for effect in &quirk.effects {
            let is_shown = messages.iter().any(|message| shows(effect, message));
            assert!(is_shown, "{}: no message shows {effect:?}", quirk.name);
        }
        let forgiven = messages.iter().flat_map(|message| &message.leniencies);
        for leniency in forgiven {
            assert!(quirk.effects.contains(&Effect::Expects(*leniency)), "{}: {leniency:?}", quirk.name);
        }
    }
}

fn shows(effect: &Effect, message: &Decoded<AnyBody>) -> bool {
    let values = || match (inform(message), response(message)) {
        (Some(inform), _) => inform.parameter_list.as_slice(),
        (None, Some(CpeResponse::GetParameterValues(response))) => response.parameter_list.as_slice(),
        _ => &[],
    };
    match effect {
        Effect::Expects(leniency) => message.leniencies.contains(leniency),
        Effect::Speaks(version) => message.envelope.version == *version,
        Effect::AtMost(_) => fault(message).is_some_and(|fault| fault.code == FaultCode::RESOURCES_EXCEEDED),
        Effect::Moved(entry) => values().iter().any(|value| value.name.starts_with(&entry.to)),
        Effect::Lacks(_) => {
            fault(message).is_some_and(|fault| fault.code == FaultCode::INVALID_PARAMETER_NAME)
        }
        Effect::UnlistedRows => matches!(
            response(message),
            Some(CpeResponse::GetParameterNames(response)) if response.parameter_list.is_empty()
        ),
        Effect::UntypedValues => values().iter().any(|value| {
            value.value.kind == ValueKind::String && ["true", "false"].contains(&&*value.value.text)
        }),
    }
}

#[test]
fn every_effect_there_is_has_a_quirk_that_shows_it() {
    let kind = |effect: &Effect| match effect {
        Effect::Expects(_) => "expects",
        Effect::Speaks(_) => "speaks",
        Effect::AtMost(_) => "at_most",
        Effect::Moved(_) => "moved",
        Effect::Lacks(_) => "lacks",
        Effect::UnlistedRows => "unlisted_rows",
        Effect::UntypedValues => "untyped_values",
    };
    let shown: BTreeSet<&str> = known().iter().flat_map(|quirk| &quirk.effects).map(kind).collect();
    assert_eq!(shown.len(), 7, "{shown:?}");
}

#[test]
fn a_device_is_spoken_to_in_the_namespace_that_it_wants() {
    let inform = read("fake/Inform.xml").envelope;
    let AnyBody::Cpe(body) = inform.body else { panic!("an Inform is from a CPE") };
    let inform = Envelope { version: Version::V1_2, header: inform.header, body };
    let start = Instant::now();
    let mut session = Session::new(Duration::from_secs(30), start);
    session.receive(inform, start).unwrap();
    session.speak(Version::V1_0);
    assert_eq!(session.respond(Ok(InformResponse { max_envelopes: 1 }.into())).version, Version::V1_0);
    session.receive(Envelope::<FromCpe>::empty(Version::V1_2), start).unwrap();
    assert_eq!(session.call(GetRPCMethods {}.into()).version, Version::V1_0);
    let answer = GetRPCMethodsResponse { method_list: vec!["Inform".into()] };
    let header = Header::with_id(Some("1".into()));
    let answer = Envelope { version: Version::V1_2, header, body: FromCpe::Response(answer.into()) };
    session.receive(answer, start).unwrap();
    assert_eq!(session.close().version, Version::V1_0);
}

#[test]
fn every_message_of_the_field_belongs_to_a_quirk() {
    let known: BTreeSet<String> = known().into_iter().flat_map(|quirk| quirk.golden).collect();
    let folders = fs::read_dir(field()).unwrap().map(|entry| entry.unwrap().path());
    for file in folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()) {
        let name = file.with_extension("xml").strip_prefix(field()).unwrap().display().to_string();
        assert!(known.contains(&name), "no quirk names {name}");
    }
}

#[test]
fn recorded_products_are_known_by_what_they_say() {
    let Some(oracles) = oracles::folder("recorded_products_are_known_by_what_they_say") else { return };
    for (file, names) in [
        ("cwmp_ex-Inform-2601.xml", &["zyxel-p2601"][..]),
        ("cwmp_ex-Inform-vmg.xml", &["zyxel-vmg8924"]),
        ("cwmp_ex-Inform-cycto.xml", &["cytco-clock"]),
        ("cwmp_ex-inform_test-Inform-3.xml", &["motorola-no-id"]),
        ("rubycwmp-Inform.xml", &["moonar-event"]),
        ("freeacs-cpe-Inform.xml", &["fake-namespace"]),
        ("cwmpwalk-inform.xml", &[]),
    ] {
        let bytes = fs::read(oracles.join("field").join(file)).unwrap();
        let message = Envelope::<AnyBody>::decode(bytes, &Limits::default()).unwrap();
        let quirks = Quirks::of(&known(), &Product::of(inform(&message).unwrap()));
        assert_eq!(quirks.names().collect::<Vec<_>>(), names, "{file}");
        let unknown: Vec<_> = message.leniencies.iter().filter(|one| !quirks.expects(one.name())).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}
