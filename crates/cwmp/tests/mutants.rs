//! Strict reading against the Broadband Forum's schemas, over mutants of the golden messages.
//!
//! ```text
//!  golden message × namespace × element × mutation ──▶ decode_strict ─┐
//!                                                  └──▶ xmllint ──────┴──▶ both find something, or neither
//! ```
//!
//! One rule: a mutation is a row here, and what may differ is a row with its reason.

#![expect(clippy::unwrap_used, reason = "a broken file must stop the test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use cwmp::{AnyBody, Envelope, Finding, Limits, Version, first_in};
use roxmltree::{Document, Node};

/// What is written instead of an element's text.
const TEXTS: &[&str] = &[
    "",
    " ",
    "\n",
    "0",
    "1",
    "2",
    "3",
    "4",
    "6",
    "7",
    "-1",
    "+1",
    "01",
    " 1 ",
    "1.0",
    "4294967295",
    "4294967296",
    "true",
    "false",
    "TRUE",
    "yes",
    "x",
    "Device.",
    "Device.A",
    "a b",
    "2026-11-28T24:00:00Z",
    "2026-11-28T24:00:01Z",
    "-0001-01-01T00:00:00Z",
    "0000-00-00T00:00:00",
    "2026-02-30T00:00:00",
    "2026-11-28T00:00:00+14:00",
    "2026-11-28T00:00:00-15:00",
    "2026-11-28T00:00:60Z",
    "2026-11-28T00:00:00.5",
    "12026-11-28T00:00:00Z",
    "2026-11-28T00:00:00.Z",
    " 2026-11-28T00:00:00Z ",
    "1 BOOT",
    "10 AUTONOMOUS TRANSFER COMPLETE",
    "14 HEARTBEAT",
    "77 SOMETHING",
    "M Reboot",
    "M Some",
    "M X_00005E_Do",
    "X 00005E Rain",
    "X 00005e Rain",
    "X CT-COM BIND",
    "X 00005E ",
    "1  BOOT",
    " 1 BOOT",
    "1 Firmware Upgrade Image",
    "2 Web Content",
    "3 Vendor Configuration File",
    "3 Vendor Configuration File 1",
    "1 Vendor Configuration File",
    "2 Vendor Log File",
    "4 Vendor Log File 2",
    "4 Tone File",
    "0 Nothing",
    "7 X",
    "1 At Any Time",
    "5 Never",
    "Subscriber",
    "Installed",
    "Install",
    "00005E",
    "00005e",
    "5eb63bbb-e01e-5ed0-93cb-22bb8f5acdc3",
    "5eb63bbbe01e-5ed0-93cb-22bb8f5-acdc3",
    "8000",
    "8006",
    "8799",
    "8850",
    "8900",
    "9000",
    "9003",
    "9010",
    "9014",
    "9021",
    "9033",
    "9800",
    "9899",
    "9900",
    "aGk=",
    "aGk",
    "a\u{3000}b",
];

/// Texts as long as the schema's bounds, and one longer.
const LENGTHS: &[usize] = &[32, 33, 64, 65, 256, 257, 1024, 1025];

/// What is put into an element's start tag.
const ATTRIBUTES: &[&str] = &[
    "xsi:nil=\"true\"",
    "xsi:nil=\"false\"",
    "xsi:type=\"xsd:string\"",
    "xsi:type=\"xsd:token\"",
    "xsi:type=\"xsd:int\"",
    "xsi:type=\"xsd:unsignedInt\"",
    "xsi:type=\"xsd:unsignedShort\"",
    "xsi:type=\"xsd:boolean\"",
    "xsi:type=\"xsd:dateTime\"",
    "xsi:type=\"SOAP-ENC:base64\"",
    "xsi:type=\"SOAP-ENC:Array\"",
    "xsi:type=\"cwmp:EventStruct\"",
    "xsi:type=\"cwmp:CommandKeyType\"",
    "xsi:type=\"cwmp:Nothing\"",
    "id=\"1\"",
    "SOAP-ENV:encodingStyle=\"x\"",
    "SOAP-ENV:mustUnderstand=\"1\"",
    "SOAP-ENC:arrayType=\"xsd:string[1]\"",
];

/// What is put into an element.
const CHILDREN: &[&str] = &["<X/>", "word", "<!-- -->", "<![CDATA[]]>", "<?p?>", " "];

/// Headers that may stand beside an ID.
const HEADERS: &[&str] = &[
    "<cwmp:HoldRequests SOAP-ENV:mustUnderstand=\"1\">1</cwmp:HoldRequests>",
    "<cwmp:HoldRequests SOAP-ENV:mustUnderstand=\"1\">true</cwmp:HoldRequests>",
    "<cwmp:HoldRequests SOAP-ENV:mustUnderstand=\"1\">2</cwmp:HoldRequests>",
    "<cwmp:HoldRequests SOAP-ENV:mustUnderstand=\"1\"/>",
    "<cwmp:HoldRequests SOAP-ENV:mustUnderstand=\"0\">1</cwmp:HoldRequests>",
    "<cwmp:HoldRequests>1</cwmp:HoldRequests>",
    "<cwmp:SessionTimeout SOAP-ENV:mustUnderstand=\"0\">60</cwmp:SessionTimeout>",
    "<cwmp:SessionTimeout>60</cwmp:SessionTimeout>",
    "<cwmp:SessionTimeout SOAP-ENV:mustUnderstand=\"1\">60</cwmp:SessionTimeout>",
    "<cwmp:SessionTimeout>x</cwmp:SessionTimeout>",
    "<cwmp:SessionTimeout>-1</cwmp:SessionTimeout>",
    "<cwmp:SupportedCWMPVersions SOAP-ENV:mustUnderstand=\"0\">1.0,1.4</cwmp:SupportedCWMPVersions>",
    "<cwmp:UseCWMPVersion SOAP-ENV:mustUnderstand=\"1\">1.2</cwmp:UseCWMPVersion>",
    "<cwmp:UseCWMPVersion>1.2</cwmp:UseCWMPVersion>",
    "<cwmp:NoMoreRequests SOAP-ENV:mustUnderstand=\"1\">1</cwmp:NoMoreRequests>",
    "<cwmp:ID SOAP-ENV:mustUnderstand=\"1\">2</cwmp:ID>",
    "<X xmlns=\"urn:x\"/>",
    "<cwmp:X/>",
    "<X/>",
];

/// A message, and what was done to it.
struct Mutant {
    what: String,
    version: Version,
    text: String,
}

fn golden() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/spec");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    let named = files.into_iter().map(|file| {
        (file.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(file).unwrap())
    });
    named.filter(|(name, _)| !name.starts_with("X_")).collect()
}

/// Every mutant of every golden message in every namespace that has its method.
fn mutants() -> Vec<Mutant> {
    let mut all = Vec::new();
    for (name, message) in golden() {
        let method = name.strip_suffix("Response").unwrap_or(&name);
        for version in Version::ALL.into_iter().filter(|version| first_in(method) <= *version) {
            let text =
                Version::ALL.iter().fold(message.clone(), |text, old| text.replace(old.urn(), version.urn()));
            mutate(&name, version, &text, &mut all);
        }
    }
    all
}

fn mutate(name: &str, version: Version, text: &str, all: &mut Vec<Mutant>) {
    let document = Document::parse(text).unwrap();
    let mut push =
        |what: String, text: String| all.push(Mutant { what: format!("{name}/{what}"), version, text });
    push("as it is".to_owned(), text.to_owned());
    for header in HEADERS {
        push(
            format!("header {header}"),
            text.replacen("</SOAP-ENV:Header>", &format!("{header}</SOAP-ENV:Header>"), 1),
        );
    }
    for node in document.descendants().filter(Node::is_element).skip(1) {
        let (range, local) = (node.range(), node.tag_name().name());
        let source = &text[range.clone()];
        let mut put = |what: &str, new: &str| {
            push(format!("{local} {what}"), [&text[..range.start], new, &text[range.end..]].concat());
        };
        element_mutants(source, &mut put);
        let is_leaf = node.children().all(|child| !child.is_element());
        if is_leaf {
            leaf_mutants(source, &mut put);
        }
    }
}

/// How many bytes of an element come before the end of its start tag.
fn start_of(source: &str) -> usize {
    let close = source.find('>').unwrap();
    close - usize::from(source[..close].ends_with('/'))
}

fn element_mutants(source: &str, put: &mut impl FnMut(&str, &str)) {
    let (start, rest) = source.split_at(start_of(source));
    put("deleted", "");
    put("doubled", &source.repeat(2));
    for attribute in ATTRIBUTES {
        put(attribute, &format!("{start} {attribute}{rest}"));
    }
    if let Some((name, _)) = start.split_once(' ') {
        put("without attributes", &format!("{name}{rest}"));
    }
    let Some((before, end)) = source.rfind("</").map(|close| source.split_at(close)) else { return };
    for child in CHILDREN {
        put(&format!("with {child}"), &format!("{before}{child}{end}"));
        put(&format!("begins with {child}"), &format!("{start}>{child}{}", &rest[1..]));
    }
}

fn leaf_mutants(source: &str, put: &mut impl FnMut(&str, &str)) {
    let start = &source[..start_of(source)];
    let name = start[1..].split([' ', '\n']).next().unwrap();
    let mut write = |what: &str, text: &str| put(what, &format!("{start}>{text}</{name}>"));
    TEXTS.iter().for_each(|text| write(&format!("`{text}`"), text));
    LENGTHS.iter().for_each(|length| write(&format!("of {length}"), &"a".repeat(*length)));
}

/// Which of the files the schema refuses.
fn refused(oracles: &Path, version: Version, files: &[PathBuf]) -> Vec<bool> {
    let schema = match version {
        Version::V1_0 => "cwmp-1-0.xsd",
        Version::V1_1 => "cwmp-1-1.xsd",
        Version::V1_2 => "cwmp-1-4.xsd",
    };
    let bbf = oracles.join("bbf");
    let verdicts = files.chunks(1000).flat_map(|files| {
        let verdict = Command::new("xmllint")
            .env("XML_CATALOG_FILES", bbf.join("catalog.xml"))
            .args(["--nonet", "--noout", "--schema"])
            .arg(bbf.join(schema))
            .args(files)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verdict.stderr).into_owned();
        let valid: BTreeSet<_> =
            said.lines().filter_map(|line| line.strip_suffix(" validates")).map(PathBuf::from).collect();
        files.iter().map(|file| !valid.contains(file)).collect::<Vec<_>>()
    });
    verdicts.collect()
}

fn findings(text: &str) -> Vec<Finding> {
    match Envelope::<AnyBody>::decode_strict(text, &Limits::default()) {
        Ok(_) => Vec::new(),
        Err(findings) => findings,
    }
}
/// What may differ: which element, which mutation or finding (`*` for any), and why.
type Excuse = (&'static str, &'static str, &'static str);

/// Findings where the schemas find nothing.
const BEYOND_SCHEMAS: &[Excuse] = &[
    ("*", "array_count", "a schema cannot count the members that an attribute promises"),
    ("*", "array_type_name", "to the schema an arrayType is any text"),
    ("*", "value_type", "to the schema a Value without a type is any simple value"),
    ("*", "missing_id", "to the schema the header's blocks are optional"),
    ("*", "must_understand", "the judge does not look at an attribute's fixed value"),
    ("ID", "repeated", "to the schema the header's blocks may repeat"),
    ("header", "repeated", "to the schema the header's blocks may repeat"),
    ("EventCode", "`X 00005E `", "white space around a name is not looked at twice"),
    ("*", "padding", "white space around a name is text to the schema, and none that anybody means"),
    ("faultcode", "*", "TR-069 wants Client or Server, the schema any name"),
    ("faultstring", "*", "TR-069 wants CWMP fault, the schema any text"),
    ("Fault", "*", "to the schema a detail may hold anything, or nothing"),
    ("detail", "*", "to the schema a fault needs no detail"),
    ("CommandKey", "missing_element", "optional in the schema of deployment units, not in TR-069 A.4.1.10"),
    ("base64", "text_form", "the judge passes over what base 64 has not"),
    ("FaultString", "type_attribute", "a bounded type of CWMP's is derived to plain text too"),
    ("Notification", "value_form", "the schema restricts a signed number to positive ones"),
    ("IsTransferable", "value_form", "the schema restricts a signed number to positive ones"),
    ("Mode", "value_form", "the schema restricts a signed number to positive ones"),
    ("Name", "nil", "the judge takes `xsi:nil` of false on an empty path"),
    ("ParameterPath", "nil", "the judge takes `xsi:nil` of false on an empty path"),
];

/// What the schemas refuse and no finding says.
const BEYOND_US: &[Excuse] = &[
    ("URL", "*", "what is no URL is for whoever fetches it to say"),
    ("Value", "*", "white space around a value is XML Schema's to ignore, which the judge does not do here"),
    ("*", "xsi:type=\"xsd:unsignedShort\"", "a value is held against the schema's type, not a smaller one"),
    ("OperationPerformed", "*", "any text, but as a union, from which no type is derived"),
];

fn is_excused(excuses: &[Excuse], element: &str, what: &str) -> bool {
    excuses.iter().any(|(on, of, _)| ["*", element].contains(on) && ["*", what].contains(of))
}

/// Every so many of the mutants are tried, so that the test takes seconds; the number has no factor in common with
/// the tables' lengths. 1 tries all 90,000.
const EVERY: usize = 23;

/// The mutants of a version with the schema's word on each.
fn judged(oracles: &Path, version: Version, mutants: &[Mutant]) -> Vec<bool> {
    let folder = tempfile::tempdir().unwrap();
    let write = |(at, mutant): (usize, &Mutant)| {
        let file = folder.path().join(format!("{at}.xml"));
        fs::write(&file, &mutant.text).unwrap();
        file
    };
    let files: Vec<_> = mutants.iter().enumerate().map(write).collect();
    refused(oracles, version, &files)
}

/// Where strict reading and the schema differ without an excuse.
fn differences(oracles: &Path, version: Version) -> Vec<String> {
    let mutants: Vec<_> =
        mutants().into_iter().filter(|mutant| mutant.version == version).step_by(EVERY).collect();
    let mut differences = Vec::new();
    for (mutant, is_refused) in mutants.iter().zip(judged(oracles, version, &mutants)) {
        let (element, what) = mutant.what.split_once('/').unwrap().1.split_once(' ').unwrap();
        let found = findings(&mutant.text);
        let is_ours = |finding: &&Finding| {
            ![finding.name, what].iter().any(|of| is_excused(BEYOND_SCHEMAS, element, of))
        };
        let ours = found.iter().find(is_ours);
        match ours {
            Some(finding) if !is_refused => {
                differences.push(format!("{version:?} {}: only we find {finding}", mutant.what));
            }
            None if is_refused && found.is_empty() && !is_excused(BEYOND_US, element, what) => {
                differences.push(format!("{version:?} {}: only the schema refuses it", mutant.what));
            }
            _ => {}
        }
    }
    differences
}

#[test]
fn h27_strict_reading_and_the_schemas_agree_on_mutants_of_every_message() {
    let name = "h27_strict_reading_and_the_schemas_agree_on_mutants_of_every_message";
    let Some(oracles) = oracles::folder(name) else { return };
    let differences: Vec<_> = thread::scope(|scope| {
        let jobs = Version::ALL.map(|version| {
            let oracles = &oracles;
            scope.spawn(move || differences(oracles, version))
        });
        jobs.into_iter().flat_map(|job| job.join().unwrap()).collect()
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
