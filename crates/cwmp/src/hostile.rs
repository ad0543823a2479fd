//! What a peer could send to hurt, and what it gets.
//!
//! One rule: an error that says what and where; never a panic, never more memory than the bounds
//! allow. Every bound has a test at the bound and one past it.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::{
    AcsMethod, AcsResponse, AnyBody, CpeMethod, CpeResponse, DecodeError, Envelope, Fault, FaultCode,
    FromAcs, FromCpe, Header, Leniency, Limits, Role, Version, sample::Seed,
};

const GOLDEN: &str = include_str!("../testdata/spec/Inform.xml");

fn decode(body: &str) -> Result<Envelope<AnyBody>, DecodeError> {
    Envelope::<AnyBody>::decode(body, &Limits::default()).map(|decoded| decoded.envelope)
}

fn refused(body: &str, expected: &str) {
    let error = decode(body).expect_err(body).to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
}

fn envelope(inside: &str) -> String {
    let names = "xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:c='urn:dslforum-org:cwmp-1-0'";
    format!("<s:Envelope {names}>{inside}</s:Envelope>")
}

fn body(inside: &str) -> String {
    envelope(&format!("<s:Body>{inside}</s:Body>"))
}

fn reboot(key: &str) -> String {
    body(&format!("<c:Reboot><CommandKey>{key}</CommandKey></c:Reboot>"))
}

#[test]
fn s12_a_message_cut_anywhere_is_an_error_that_says_where() {
    let end = GOLDEN.trim_end().len();
    for at in (1..end).filter(|at| GOLDEN.is_char_boundary(*at)) {
        let error = decode(&GOLDEN[..at]).expect_err("cut short");
        assert!(error.offset() <= at, "{error}");
    }
}

#[test]
fn h26_document_types_and_entities_are_refused() {
    let bomb = "<!DOCTYPE b [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>]>";
    refused(&format!("{bomb}{}", reboot("&b;")), "document type declaration");
    refused(&reboot("&#0;"), "a reference to no character of XML");
    // Nothing is ever put in for a name that XML does not define: it is text that was not escaped.
    let said = format!("{:?}", decode(&reboot("&b;")).unwrap());
    assert!(said.contains("\"&b;\""), "{said}");
    assert!(decode(&reboot("&amp;&#65;&#x42;")).is_ok());
}

#[test]
fn s12_every_bound_holds_at_the_bound_and_not_one_past_it() {
    let most = Limits { bytes: 4096, depth: 8, elements: 20, attributes: 4 };
    let says = |body: &str| match Envelope::<AnyBody>::decode(body, &most) {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.kind.to_string(),
    };
    let header = |inside: &str| envelope(&format!("<s:Header>{inside}</s:Header>"));
    let nested = |depth: usize| header(&["<x>".repeat(depth), "</x>".repeat(depth)].concat());
    assert_eq!(says(&nested(6)), "`Body` is missing");
    assert_eq!(says(&nested(7)), "more than 8 elements inside each other");
    assert_eq!(says(&header(&"<x/>".repeat(18))), "`Body` is missing");
    assert_eq!(says(&header(&"<x/>".repeat(19))), "more than 20 elements");
    let attributes = |count: usize| {
        let mut list = String::new();
        (0..count).for_each(|at| write!(list, " a{at}=''").unwrap());
        header(&format!("<x{list}/>"))
    };
    assert_eq!(says(&attributes(4)), "`Body` is missing");
    assert_eq!(says(&attributes(5)), "more than 4 attributes of an element");
    let padded = |bytes: usize| format!("{}{}", reboot("k"), " ".repeat(bytes - reboot("k").len()));
    assert_eq!(says(&padded(4096)), "taken");
    assert_eq!(says(&padded(4097)), "more than 4096 bytes");
}

#[test]
fn h13_h16_h19_what_is_no_cwmp_envelope_is_refused_by_name() {
    refused("<html/>", "`html` where a SOAP 1.1 Envelope must stand");
    refused(&body("<Reboot xmlns='urn:x'/>"), "`Reboot` is in no CWMP namespace");
    refused(&GOLDEN.replace("xmlns:cwmp", "xmlns:other"), "undeclared prefix `cwmp`");
    refused(&body("<c:Reboot><CommandKey/></c:Reboot><c:Reboot/>"), "more than one element");
    refused(&envelope(""), "`Body` is missing");
    refused(&[reboot("a"), reboot("b")].concat(), "a second root element");
    refused(&reboot("<b/>"), "where text must stand");
}

#[test]
fn s02_an_unknown_method_is_answered_with_the_fault_of_the_side_that_answers() {
    let id = "<s:Header><c:ID s:mustUnderstand='1'>7</c:ID></s:Header>";
    let error = decode(&envelope(&format!("{id}<s:Body><c:Fly/></s:Body>"))).expect_err("unknown");
    assert_eq!(error.id.as_deref(), Some("7"));
    assert_eq!(error.version, Some(Version::V1_0));
    let expected = |code| Some(Fault::new(code, "unknown method `Fly`"));
    assert_eq!(error.fault(Role::Acs), expected(FaultCode::ACS_METHOD_NOT_SUPPORTED));
    assert_eq!(error.fault(Role::Cpe), expected(FaultCode::METHOD_NOT_SUPPORTED));
}

#[test]
fn h25_a_header_that_must_be_understood_and_is_not_is_refused() {
    let call = "<s:Body><c:Reboot><CommandKey/></c:Reboot></s:Body>";
    let header = |must: &str| envelope(&format!("<s:Header><x {must}>1</x></s:Header>{call}"));
    refused(&header("s:mustUnderstand='1'"), "header `x` must be understood");
    assert!(decode(&header("")).is_ok());
    let fault =
        decode(&header("s:mustUnderstand='1'")).expect_err("refused").soap_fault().expect("a SOAP fault");
    assert!(fault.contains("<faultcode>soap:MustUnderstand</faultcode>"), "{fault}");
    assert_eq!(decode("<html/>").expect_err("no envelope").soap_fault(), None);
}

#[test]
fn a_value_that_is_none_of_its_type_says_what_would_be_right() {
    let many =
        "<c:AddObjectResponse><InstanceNumber>many</InstanceNumber><Status>0</Status></c:AddObjectResponse>";
    refused(&body(many), "`many` in `InstanceNumber`, where a number from 0 to 4294967295 must stand");
}

#[test]
fn what_names_the_target_of_a_call_has_no_neutral_value() {
    let calls = [
        "<c:Inform/>",
        "<c:AddObject><ParameterKey/></c:AddObject>",
        "<c:DeleteObject><ParameterKey/></c:DeleteObject>",
        "<c:Download><FileType/></c:Download>",
        "<c:AddObjectResponse><Status>0</Status></c:AddObjectResponse>",
        "<c:GetParameterValuesResponse><ParameterList><ParameterValueStruct><Value/></ParameterValueStruct></ParameterList></c:GetParameterValuesResponse>",
    ];
    calls.iter().for_each(|call| refused(&body(call), "is missing"));
}

#[test]
fn each_tolerance_is_reported() {
    let check = |from: &str, to: &str, expected: &[Leniency]| {
        let message = GOLDEN.replace(from, to);
        let decoded = Envelope::<AnyBody>::decode(message, &Limits::default()).expect("tolerated");
        assert_eq!(decoded.leniencies, expected, "{to}");
    };
    check("<RetryCount>3</RetryCount>", "", &[Leniency::MissingElement]);
    check("DeviceId>", "DeviceID>", &[Leniency::Misspelt]);
    check("00005E<", "00005e<", &[Leniency::OuiForm]);
    check("EventStruct[2]", "EventStruct[7]", &[Leniency::ArrayCount]);
    check(" SOAP-ENC:arrayType=\"cwmp:EventStruct[2]\"", "", &[Leniency::ArrayTypeMissing]);
    check("<MaxEnvelopes>1", "<MaxEnvelopes> 1", &[Leniency::Padding]);
    check("0001-01-01T00:00:42", "0000-00-00T00:00:00", &[Leniency::MalformedTime]);
    check("reboot-1", &"k".repeat(33), &[Leniency::TooLong]);
    check("reboot-1", &"k".repeat(32), &[]);
    check(" xsi:type=\"xsd:boolean\"", "", &[Leniency::ValueType]);
    check("MaxEnvelopes>", "cwmp:MaxEnvelopes>", &[Leniency::QualifiedChild]);
}

#[test]
fn bytes_that_are_not_utf8_are_read_as_latin_1_and_reported() {
    let latin: Vec<u8> =
        reboot("caf\u{e9}").chars().map(|character| u8::try_from(character).unwrap()).collect();
    let decoded = Envelope::<AnyBody>::decode(latin, &Limits::default()).unwrap();
    assert!(decoded.leniencies.contains(&Leniency::NotUtf8));
    assert!(format!("{:?}", decoded.envelope).contains("café"));
}

proptest! {
    #[test]
    fn every_message_survives_the_wire_in_every_version(seed: u64) {
        let mut seed = Seed(seed, Version::V1_1);
        for version in Version::ALL {
            let cpe_calls = CpeMethod::samples(&mut seed).into_iter().map(|call| AnyBody::Acs(FromAcs::Call(call)));
            cpe_calls.for_each(|body| there_and_back(version, body));
            let acs_calls = AcsMethod::samples(&mut seed).into_iter().map(|call| AnyBody::Cpe(FromCpe::Call(call)));
            acs_calls.for_each(|body| there_and_back(version, body));
            let answers = CpeResponse::samples(&mut seed).into_iter().map(|answer| AnyBody::Cpe(FromCpe::Response(answer)));
            answers.for_each(|body| there_and_back(version, body));
            let answers = AcsResponse::samples(&mut seed).into_iter().map(|answer| AnyBody::Acs(FromAcs::Response(answer)));
            answers.for_each(|body| there_and_back(version, body));
        }
    }

    #[test]
    fn s12_no_input_panics(at in 0..GOLDEN.len(), byte: u8, cut in 0_usize..64) {
        let mut bytes = GOLDEN.as_bytes().to_vec();
        bytes[at] = byte;
        bytes.drain(at..(at + cut).min(GOLDEN.len()));
        let _ = Envelope::<AnyBody>::decode(bytes, &Limits::default());
    }
}

/// What both sides say alike comes back as the CPE's.
fn there_and_back(version: Version, body: AnyBody) {
    let sent = Envelope { version, header: Header::with_id(Some("1".into())), body };
    let decoded = Envelope::<AnyBody>::decode(sent.encode(), &Limits::default()).expect("our own words");
    assert_eq!(decoded.envelope.version, version);
    assert_eq!(decoded.envelope.encode(), sent.encode());
    if !sent.body.element().is_some_and(|name| name.starts_with("GetRPCMethods")) {
        assert_eq!(decoded.envelope, sent);
    }
}
