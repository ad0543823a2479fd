//! Every bound of the table, at it and one past it, against the schemas, and every list that must be complete.
//!
//! One rule: nothing is listed here twice. Each text and each array of the golden messages is stretched to each bound
//! that CWMP has, and strict reading must say of it what the Broadband Forum's schemas say.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a broken file must stop the test")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cwmp::{
    AcsMethod, AnyBody, CpeMethod, Envelope, FaultCode, FromAcs, FromCpe, GetParameterValues, Header, Inform,
    Limits, MethodFacts, Reboot, Version,
};
use roxmltree::{Document, Node};

/// The lengths that the schemas bound texts by.
const LENGTHS: [usize; 4] = [32, 64, 256, 1024];
/// The counts that they bound arrays by.
const COUNTS: [usize; 3] = [2, 16, 64];

/// Findings where no schema has a word: see `strict.rs`.
const BEYOND_SCHEMAS: [&str; 4] = ["array_count", "array_type_name", "value_type", "missing_id"];

fn spec() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/spec")
}

/// The text stretched to so many characters, its ends as they were.
fn stretched(text: &str, length: usize) -> Option<String> {
    let missing = length.checked_sub(text.chars().count())?;
    let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
    Some([&text[..last], &"a".repeat(missing), &text[last..]].concat())
}

/// The message with each of its texts stretched to each bound, and one past it.
fn texts(message: &str, document: &Document<'_>) -> Vec<String> {
    let mut cases = Vec::new();
    for text in document.descendants().filter(Node::is_text) {
        let parent = text.parent().unwrap();
        let is_leaf = parent.children().count() == 1 && parent.attributes().len() == 0;
        // A file type is one of a closed list before CWMP 1.2 and of an open one since: ours is the open one.
        if !is_leaf || matches!(parent.tag_name().name(), "faultcode" | "faultstring" | "FileType") {
            continue;
        }
        for length in LENGTHS.into_iter().flat_map(|most| [most, most + 1]) {
            let Some(longer) = stretched(text.text().unwrap_or_default(), length) else { continue };
            let mut case = message.to_owned();
            case.replace_range(text.range(), &longer);
            cases.push(case);
        }
    }
    cases
}

/// The message with each of its arrays filled to each bound, and one past it.
fn arrays(message: &str, document: &Document<'_>) -> Vec<String> {
    let mut cases = Vec::new();
    for array in document.descendants() {
        let is_array = array.attributes().any(|attribute| attribute.name() == "arrayType");
        let Some(member) = array.children().find(Node::is_element).filter(|_| is_array) else { continue };
        let others = array.children().filter(Node::is_element).count() - 1;
        for count in COUNTS.into_iter().flat_map(|most| [most, most + 1]) {
            let Some(more) = count.checked_sub(others) else { continue };
            let mut case = message.to_owned();
            case.replace_range(member.range(), &message[member.range()].repeat(more));
            cases.push(case);
        }
    }
    cases
}

fn is_taken(message: &str) -> bool {
    match Envelope::<AnyBody>::decode_strict(message, &Limits::default()) {
        Ok(_) => true,
        Err(findings) => findings.iter().all(|finding| BEYOND_SCHEMAS.contains(&finding.name)),
    }
}

/// The files that the schemas take.
fn taken_by_schemas(oracles: &Path, files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let judge =
        |files: &[PathBuf]| Command::new(oracles.join("bin/validate-cwmp")).args(files).output().unwrap();
    let verdicts = files.chunks(400).map(judge);
    let said = verdicts.flat_map(|verdict| [verdict.stdout, verdict.stderr]).collect::<Vec<_>>();
    let lines = said.iter().flat_map(|said| str::from_utf8(said).unwrap_or_default().lines());
    lines.filter_map(|line| line.strip_suffix(" validates")).map(PathBuf::from).collect()
}

#[test]
fn h27_every_bound_of_the_table_holds_at_it_and_not_one_past_it() {
    let Some(oracles) = oracles::folder("h27_every_bound_of_the_table_holds_at_it_and_not_one_past_it")
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut cases = Vec::new();
    for entry in fs::read_dir(spec()).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if file.extension().is_none_or(|extension| extension != "xml") || name.starts_with("X_") {
            continue;
        }
        let message = fs::read_to_string(&file).unwrap();
        let document = Document::parse(&message).unwrap();
        for case in texts(&message, &document).into_iter().chain(arrays(&message, &document)) {
            let file = folder.path().join(format!("{name}-{}.xml", cases.len()));
            fs::write(&file, &case).unwrap();
            cases.push((file, case));
        }
    }
    let files: Vec<PathBuf> = cases.iter().map(|(file, _)| file.clone()).collect();
    let valid = taken_by_schemas(&oracles, &files);
    let mut wrong = String::new();
    for (file, case) in &cases {
        let (ours, schemas) = (is_taken(case), valid.contains(file));
        if ours != schemas {
            let name = file.file_name().unwrap().to_string_lossy();
            writeln!(wrong, "{name}: taken by us {ours}, by the schemas {schemas}").unwrap();
        }
    }
    assert!(valid.len() > 200 && cases.len() - valid.len() > 200, "{} of {}", valid.len(), cases.len());
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn s12_h19_no_more_than_64_prefixes_are_bound_at_once() {
    let bound = |count: usize| {
        let mut names = String::new();
        (0..count).for_each(|at| write!(names, " xmlns:n{at}='urn:n'").unwrap());
        let (first, second) = names.split_at(names.find(" xmlns:n40=").unwrap());
        let call = format!("<a{first}><b{second}/></a>");
        let envelope = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' \
            xmlns:c='urn:dslforum-org:cwmp-1-0'>";
        format!("{envelope}<s:Header>{call}</s:Header><s:Body><c:Reboot/></s:Body></s:Envelope>")
    };
    let read = |message: String| Envelope::<AnyBody>::decode(message, &Limits::default());
    assert!(read(bound(62)).is_ok(), "two more are the envelope's own");
    assert_eq!(read(bound(63)).unwrap_err().kind.to_string(), "more than 64 namespace bindings");
}

#[test]
fn c29_fault_codes_are_those_of_the_schema_and_an_unknown_one_is_kept() {
    let known: Vec<u32> = FaultCode::ALL.iter().map(|code| code.0).collect();
    let expected: Vec<u32> = (8000..=8006).chain(9000..=9032).collect();
    assert_eq!(known, expected);
    let message = fs::read_to_string(spec().join("Fault.xml")).unwrap().replace("9003", "9876");
    let decoded = Envelope::<AnyBody>::decode(message, &Limits::default()).unwrap();
    assert!(decoded.envelope.encode().contains("<FaultCode>9876</FaultCode>"));
}

#[test]
fn c29_the_faults_of_every_method_are_as_reviewed() {
    let mut table = String::new();
    let line = |facts: &MethodFacts| {
        let faults: Vec<_> = facts.faults.iter().map(ToString::to_string).collect();
        format!("{:<34} {:<9} {}", facts.name, facts.clause, faults.join(" "))
    };
    for facts in CpeMethod::FACTS.iter().chain(AcsMethod::FACTS) {
        writeln!(table, "{}", line(facts).trim_end()).unwrap();
    }
    let lines = table.lines();
    let ours: String =
        lines.filter(|line| !line.starts_with("X_")).fold(String::new(), |all, line| all + line + "\n");
    expect_test::expect_file![spec().join("../faults.txt")].assert_eq(&ours);
}

#[test]
fn h20_h21_h22_h23_h24_every_header_is_written_as_the_schema_has_it() {
    let header = Header {
        id: Some("7".into()),
        hold_requests: Some(true),
        session_timeout: Some(300),
        supported_cwmp_versions: Some("1.0,1.4".into()),
        use_cwmp_version: Some("1.4".into()),
    };
    let body = FromAcs::Call(Reboot { command_key: "k".into() }.into());
    let sent = Envelope { version: Version::V1_2, header, body };
    let text = sent.encode();
    let start = text.find("<soap:Header>").unwrap();
    let end = text.find("</soap:Header>").unwrap();
    assert_eq!(
        &text[start..end],
        "<soap:Header><cwmp:ID soap:mustUnderstand=\"1\">7</cwmp:ID>\
        <cwmp:HoldRequests soap:mustUnderstand=\"1\">1</cwmp:HoldRequests>\
        <cwmp:SessionTimeout soap:mustUnderstand=\"0\">300</cwmp:SessionTimeout>\
        <cwmp:SupportedCWMPVersions soap:mustUnderstand=\"0\">1.0,1.4</cwmp:SupportedCWMPVersions>\
        <cwmp:UseCWMPVersion soap:mustUnderstand=\"1\">1.4</cwmp:UseCWMPVersion>"
    );
    assert_eq!(Envelope::<FromAcs>::decode_strict(text.clone(), &Limits::default()).unwrap(), sent);
    let released = text.replace(">1</cwmp:HoldRequests", ">0</cwmp:HoldRequests");
    let released = Envelope::<FromAcs>::decode(released, &Limits::default()).unwrap().envelope.header;
    assert_eq!(released.hold_requests, Some(false));
}

#[test]
fn h22_no_more_requests_is_ignored_and_never_sent() {
    let inform = fs::read_to_string(spec().join("Inform.xml")).unwrap();
    let odd = inform.replace(
        "</SOAP-ENV:Header>",
        "<cwmp:NoMoreRequests SOAP-ENV:mustUnderstand=\"1\">1</cwmp:NoMoreRequests></SOAP-ENV:Header>",
    );
    let read = |text: &str| Envelope::<AnyBody>::decode(text, &Limits::default()).unwrap();
    assert_eq!(read(&odd).envelope, read(&inform).envelope);
    assert_eq!(read(&odd).leniencies, [cwmp::Leniency::NoMoreRequests]);
    assert!(!read(&odd).envelope.encode().contains("NoMoreRequests"));
}

#[test]
fn h17_envelopes_of_32_kib_are_taken_by_both_sides() {
    let names = vec!["Device.Services.FAPService.1.CellConfig.".into(); 600];
    let body = FromAcs::Call(GetParameterValues { parameter_names: names }.into());
    let call = Envelope { version: Version::V1_1, header: Header::with_id(Some("1".into())), body };
    assert!(call.encode().len() > 32 << 10);
    assert_eq!(Envelope::<FromAcs>::decode(call.encode(), &Limits::default()).unwrap().envelope, call);
    let inform = fs::read(spec().join("Inform.xml")).unwrap();
    let mut inform = Envelope::<FromCpe>::decode(inform, &Limits::default()).unwrap().envelope;
    let FromCpe::Call(AcsMethod::Inform(Inform { parameter_list, .. })) = &mut inform.body else { panic!() };
    *parameter_list = parameter_list.iter().cycle().take(600).cloned().collect();
    assert!(inform.encode().len() > 32 << 10);
    assert_eq!(Envelope::<FromCpe>::decode(inform.encode(), &Limits::default()).unwrap().envelope, inform);
}
