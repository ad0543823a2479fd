//! Whether everything that is sent is valid, asked of schemas that nobody here wrote.
//!
//! The schemas cannot check the counts of arrays: the decoder does, and reports none that is wrong.

use std::{fs, path::PathBuf, process::Command, thread};

use crate::{
    AcsMethod, AcsResponse, AnyBody, CpeMethod, CpeResponse, Envelope, FromAcs, FromCpe, Header, Limits,
    Version, methods::first_in, sample::Seed,
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

/// Writes the samples of one version, each checked to come back as it was and with nothing forgiven.
fn write_samples(folder: &std::path::Path, version: Version) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for round in 0..SAMPLES {
        let mut seed = Seed(round * 7919 + 1);
        for body in messages(&mut seed, version) {
            let sent = Envelope { version, header: Header::with_id(Some("1".into())), body };
            let text = sent.encode();
            let decoded = Envelope::<AnyBody>::decode(text.clone(), &Limits::default()).unwrap();
            assert_eq!(decoded.leniencies, [], "{text}");
            assert_eq!(decoded.envelope.encode(), text);
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
        assert!(verdict.status.success(), "{}", complaints.join("\n"));
    }
}
