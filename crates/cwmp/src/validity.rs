//! Whether everything that is sent is valid, asked of schemas that nobody here wrote.
//!
//! The schemas cannot check the counts of arrays: the decoder does, and reports none that is wrong.

use std::{fs, path::PathBuf, process::Command, thread};

use crate::{
    AcsMethod, AcsResponse, AnyBody, CpeMethod, CpeResponse, Envelope, Fault, FaultCode, FromAcs, FromCpe,
    Header, Limits, SetParameterValuesFault, Text, Version, methods::first_in, sample::Seed, wire::Wire,
};

/// Messages per method and version.
const SAMPLES: u64 = 20;

/// One message of every method that `version` has, both ways.
fn messages(seed: &mut Seed, version: Version) -> Vec<AnyBody> {
    let mut bodies: Vec<(&str, AnyBody)> = Vec::new();
    bodies.extend(
        CpeMethod::samples(seed).into_iter().map(|call| (call.name(), AnyBody::Acs(FromAcs::Call(call)))),
    );
    bodies.extend(
        AcsMethod::samples(seed).into_iter().map(|call| (call.name(), AnyBody::Cpe(FromCpe::Call(call)))),
    );
    let responses = CpeResponse::samples(seed).into_iter();
    bodies.extend(responses.map(|answer| (answer.name(), AnyBody::Cpe(FromCpe::Response(answer)))));
    let responses = AcsResponse::samples(seed).into_iter();
    bodies.extend(responses.map(|answer| (answer.name(), AnyBody::Acs(FromAcs::Response(answer)))));
    bodies
        .into_iter()
        .filter(|(name, _)| first_in(name) <= version && !name.starts_with("X_"))
        .map(|(_, body)| body)
        .collect()
}

/// A fault of either side, with a fault for each of several parameters.
fn fault(seed: &mut Seed, version: Version) -> Fault {
    let codes: Vec<_> =
        FaultCode::ALL.iter().copied().filter(|code| version > Version::V1_0 || is_old(code.0)).collect();
    let of_cpe: Vec<_> = codes.iter().copied().filter(|code| code.0 >= 9000).collect();
    let detail = |seed: &mut Seed| SetParameterValuesFault {
        parameter_name: Text::sample(seed, "ParameterName"),
        fault_code: seed.pick(&of_cpe),
        fault_string: Text::sample(seed, "FaultString"),
    };
    let details = (0..seed.below(4)).map(|_| detail(seed)).collect();
    Fault { code: seed.pick(&codes), text: Text::sample(seed, "FaultString"), details }
}

/// Whether CWMP 1.0 knows a code.
fn is_old(code: u32) -> bool {
    matches!(code, 8000..=8005 | 9000..=9013)
}

/// Every header that `version` has, each of them now and then.
fn header(seed: &mut Seed, version: Version) -> Header {
    let is_young = version == Version::V1_2;
    let text = |seed: &mut Seed, text: &'static str| (is_young && seed.below(2) == 1).then(|| text.into());
    Header {
        id: Some("1".into()),
        hold_requests: (seed.below(2) == 1).then(|| seed.below(2) == 1),
        session_timeout: (is_young && seed.below(2) == 1).then(|| seed.below(1 << 20)),
        supported_cwmp_versions: text(seed, "1.0,1.1,1.2,1.4"),
        use_cwmp_version: text(seed, "1.2"),
    }
}

/// The first seed, which a failure prints; `HEARTH_SEED` sets another.
#[expect(clippy::disallowed_methods, reason = "who replays a run sets it")]
fn first_seed() -> u64 {
    let set = std::env::var("HEARTH_SEED").ok();
    set.map_or(1, |seed| seed.parse().expect("HEARTH_SEED is a number"))
}

/// Writes the samples of one version, each checked to come back as it was and with nothing forgiven.
fn write_samples(folder: &std::path::Path, version: Version) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for round in 0..SAMPLES {
        let mut seed = Seed(round * 7919 + first_seed(), version);
        let mut bodies = messages(&mut seed, version);
        bodies.push(AnyBody::Cpe(FromCpe::Fault(fault(&mut seed, version))));
        for body in bodies {
            let sent = Envelope { version, header: header(&mut seed, version), body };
            let text = sent.encode();
            let decoded = Envelope::<AnyBody>::decode(text.clone(), &Limits::default()).unwrap();
            let replay = first_seed();
            assert_eq!(decoded.leniencies, [], "HEARTH_SEED={replay}: {text}");
            assert_eq!(decoded.envelope.header, sent.header, "HEARTH_SEED={replay}: {text}");
            assert_eq!(decoded.envelope.encode(), text, "HEARTH_SEED={replay}");
            let name = sent.body.element().unwrap();
            let file = folder.join(format!("{version:?}-{name}-{round}-{}.xml", files.len()));
            fs::write(&file, text).unwrap();
            files.push(file);
        }
    }
    files
}

#[test]
fn h14_h15_h18_everything_that_is_sent_is_valid_by_the_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> =
        Version::ALL.iter().flat_map(|version| write_samples(folder.path(), *version)).collect();
    let Some(oracles) = oracles::folder("h14_h15_h18_everything_that_is_sent_is_valid_by_the_schemas") else {
        return;
    };
    let judge =
        |files: &[PathBuf]| Command::new(oracles.join("bin/validate-cwmp")).args(files).output().unwrap();
    let (one, other) = files.split_at(files.len() / 2);
    let verdicts = thread::scope(|scope| {
        let one = scope.spawn(|| judge(one));
        [judge(other), one.join().unwrap()]
    });
    for verdict in verdicts {
        let complaints = String::from_utf8_lossy(&verdict.stderr);
        let complaints: Vec<_> = complaints.lines().filter(|line| !line.ends_with("validates")).collect();
        assert!(verdict.status.success(), "HEARTH_SEED={}: {}", first_seed(), complaints.join("\n"));
    }
}
