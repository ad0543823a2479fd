//! What real devices get wrong, one row each: what they send, and what is forgiven or refused.
//!
//! One rule: every [`Leniency`] has a row. A row changes one thing in a message that is right.

use std::collections::BTreeSet;

use cwmp::{AnyBody, Decoded, Envelope, Leniency, Limits};

const INFORM: &str = include_str!("../testdata/spec/Inform.xml");
const FAULT: &str = include_str!("../testdata/spec/Fault.xml");
const ANSWER: &str = include_str!("../testdata/spec/SetParameterValuesResponse.xml");
const NAMES: &str = include_str!("../testdata/spec/GetParameterNames.xml");
const REBOOTED: &str = include_str!("../testdata/spec/RebootResponse.xml");
const DOWNLOAD: &str = include_str!("../testdata/spec/Download.xml");
const ADDED: &str = include_str!("../testdata/spec/AddObjectResponse.xml");
const COMPLETE: &str = include_str!("../testdata/spec/TransferComplete.xml");
const VALUES: &str = include_str!("../testdata/spec/GetParameterValues.xml");

fn read(message: impl Into<Vec<u8>>) -> Result<Decoded<AnyBody>, cwmp::DecodeError> {
    Envelope::<AnyBody>::decode(message, &Limits::default())
}

/// The message with `from` replaced once by `to`.
fn changed(message: &str, from: &str, to: &str) -> String {
    assert!(message.contains(from), "no `{from}` to replace");
    message.replacen(from, to, 1)
}

use Leniency::{
    AliasForm, ArrayCount, ArrayMember, ArrayTypeMissing, ArrayTypeName, AttributeNamespace, BooleanCase,
    ControlCharacter, DeclaredEncoding, EmptyElement, EncodingStyle, FaultForm, MalformedTime, MethodVersion,
    MissingElement, MissingId, Misspelt, MustUnderstand, Nil, NoMoreRequests, OddValue, OldNamespace, Order,
    OuiForm, Padding, QualifiedChild, RawAmpersand, Repeated, StrayText, Surroundings, TextForm, TooFew,
    TooLong, TypeAttribute, TypeName, TypePrefix, UnknownAttribute, UnknownElement, UnknownHeader,
    UnknownNumber, UnknownVersion, Unqualified, Unwrapped, ValueForm, ValueType, Wrapped,
};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const VALUE: &str = "<Value xsi:type=\"xsd:boolean\">false";
const EVENTS: &str = "SOAP-ENC:arrayType=\"cwmp:EventStruct[2]\"";
/// A list of parameters' names, from its count through its end.
const NAMED: &str = "SOAP-ENC:arrayType=\"xsd:string[2]\">
        <string>Device.DeviceInfo.</string>
        <string>Device.Services.FAPService.1.FAPControl.LTE.OpState</string>
      </ParameterNames>";
const ID: &str = "<cwmp:ID SOAP-ENV:mustUnderstand=\"1\">1</cwmp:ID>";
const TIME: &str = "0001-01-01T00:00:42";

/// What a device sends instead of something, and what is forgiven then.
const FORGIVEN: &[(&str, &str, &str, &[Leniency])] = &[
    // Nothing to forgive.
    (INFORM, DECLARATION, "\u{feff}<?xml version='1.0' encoding='utf-8'?><!-- hello -->", &[]),
    (INFORM, DECLARATION, "\n <!-- no declaration -->", &[]),
    (INFORM, "reboot-1", "<![CDATA[reboot-1]]>", &[]),
    (INFORM, "reboot-1", "re<!-- -->boot&#x2d;1", &[]),
    (INFORM, "Example Cells", "Caf&#233; &amp; &#xE9;", &[]),
    (INFORM, "[2]", "[0002]", &[]),
    (INFORM, TIME, "1970-01-01T00:00:00+01:00", &[]),
    (INFORM, TIME, "2026-11-23T10:00:00.123456", &[]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:boolean\">0", &[]),
    (INFORM, "<SOAP-ENV:Header>", "<!-- a header --><SOAP-ENV:Header>", &[]),
    (INFORM, "<MaxEnvelopes>1", "<MaxEnvelopes>0", &[]),
    (INFORM, "</Manufacturer>", "</Manufacturer><?target?>", &[]),
    // The bytes.
    (INFORM, DECLARATION, "\r\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", &[Surroundings]),
    (INFORM, DECLARATION, "\0\0", &[Surroundings]),
    (INFORM, "\"UTF-8\"", "\"gb2312\"", &[DeclaredEncoding]),
    (INFORM, "\"UTF-8\"", "\"windows-1252\"", &[DeclaredEncoding]),
    (INFORM, "<DeviceId>", "<DeviceId>;", &[StrayText]),
    (INFORM, "<DeviceId>", "<DeviceId>&amp;", &[StrayText]),
    // Namespaces.
    (INFORM, "2001/XMLSchema-instance", "1999/XMLSchema-instance", &[OldNamespace]),
    (INFORM, "org/2001/XMLSchema\"", "org/2000/10/XMLSchema\"", &[OldNamespace]),
    (INFORM, SOAP, "http://schemas.xmlsoap.org/soap/envelope", &[OldNamespace]),
    (INFORM, "cwmp-1-1", "cwmp-1-5", &[UnknownVersion]),
    (INFORM, "cwmp-1-1", "cwmp-1-4", &[UnknownVersion]),
    (INFORM, "cwmp-1-1", "cwmp-1-1/", &[OldNamespace]),
    (INFORM, "MaxEnvelopes>1</", "cwmp:MaxEnvelopes>1</cwmp:", &[QualifiedChild]),
    (INFORM, "<MaxEnvelopes>1", "<MaxEnvelopes xmlns=\"urn:x\">1", &[QualifiedChild]),
    (INFORM, "<EventCode>", "<EventCode xmlns=\"urn:dslforum-org:cwmp-1-1\">", &[QualifiedChild]),
    // Attributes.
    (INFORM, "xsi:type=\"xsd:boolean\"", "xsd:type=\"xsd:boolean\"", &[AttributeNamespace]),
    (INFORM, "xsi:type=\"xsd:boolean\"", "type=\"xsd:boolean\"", &[AttributeNamespace]),
    (INFORM, EVENTS, "arrayType=\"cwmp:EventStruct[2]\"", &[AttributeNamespace]),
    (INFORM, EVENTS, "SOAP-ENV:arrayType=\"cwmp:EventStruct[2]\"", &[AttributeNamespace]),
    (INFORM, "<OUI>", "<OUI id=\"1\">", &[UnknownAttribute]),
    (INFORM, "<SOAP-ENV:Body>", "<SOAP-ENV:Body SOAP-ENV:encodingStyle=\"x\">", &[EncodingStyle]),
    (INFORM, "<cwmp:Inform>", "<cwmp:Inform xsi:schemaLocation=\"urn:x x.xsd\">", &[]),
    (INFORM, VALUE, "<Value xsi:nil=\"true\">", &[Nil]),
    (INFORM, VALUE, "<Value xsi:nil=\"true\" xsi:type=\"xsd:string\">", &[Nil]),
    (
        INFORM,
        EVENTS,
        "xsi:type=\"SOAP-ENC:Array\" SOAP-ENC:arrayType=\"cwmp:EventStruct[2]\"",
        &[TypeAttribute],
    ),
    (INFORM, "<SerialNumber>", "<SerialNumber xsi:type=\"xsd:string\">", &[TypeAttribute]),
    (INFORM, "<Name>", "<Name xsi:type=\"xsd:string\">", &[TypeAttribute]),
    (INFORM, "<MaxEnvelopes>", "<MaxEnvelopes xsi:type=\"xsd:unsignedInt\">", &[]),
    (INFORM, "<DeviceId>", "<DeviceId xsi:type=\"cwmp:DeviceIdStruct\">", &[]),
    // Types of values.
    (INFORM, VALUE, "<Value>false", &[ValueType]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:float\">1.5", &[ValueType]),
    (INFORM, VALUE, "<Value xsi:type=\"\">false", &[ValueType, TypePrefix]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:unsignedint\">1", &[TypeName]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:Boolean\">false", &[TypeName]),
    (INFORM, VALUE, "<Value xsi:type=\"boolean\">false", &[TypePrefix]),
    (INFORM, VALUE, "<Value xsi:type=\"vendor:boolean\">false", &[TypePrefix]),
    (INFORM, VALUE, "<Value xsi:type=\"cwmp:boolean\">false", &[TypePrefix]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:base64\">AAAA", &[TypePrefix]),
    (INFORM, VALUE, "<Value xsi:type=\"SOAP-ENC:base64\">AAAA", &[]),
    // Arrays.
    (INFORM, EVENTS, "", &[ArrayTypeMissing]),
    (INFORM, EVENTS, "SOAP-ENC:arrayType=\"cwmp:EventStuct[2]\"", &[ArrayTypeName]),
    (INFORM, EVENTS, "SOAP-ENC:arrayType=\"EventStruct[2]\"", &[]),
    (INFORM, EVENTS, "SOAP-ENC:arrayType=\" cwmp:EventStruct [ 2 ] \"", &[Padding]),
    (INFORM, EVENTS, "SOAP-ENC:arrayType=\"cwmp:EventStruct[ ]\"", &[ArrayCount, Padding]),
    (INFORM, EVENTS, "SOAP-ENC:arrayType=\"cwmp:EventStruct[]\"", &[ArrayCount]),
    (INFORM, EVENTS, "SOAP-ENC:arrayType=\"cwmp:EventStruct\"", &[ArrayCount]),
    (INFORM, EVENTS, "SOAP-ENC:arrayType=\"cwmp:EventStruct[64]\"", &[ArrayCount]),
    (VALUES, "<string>", "<item>", &[ArrayMember]),
    (VALUES, "<string>", "<item> ", &[ArrayMember, Padding]),
    // Elements.
    (INFORM, "<MaxEnvelopes>", "<X_Vendor><Deep>1</Deep></X_Vendor><MaxEnvelopes>", &[UnknownElement]),
    (INFORM, "<OUI>", "<Vendor>x</Vendor><OUI>", &[UnknownElement]),
    (INFORM, "<RetryCount>3</RetryCount>", "", &[MissingElement]),
    (INFORM, "<MaxEnvelopes>1</MaxEnvelopes>", "", &[MissingElement]),
    (INFORM, "<CurrentTime>0001-01-01T00:00:42</CurrentTime>", "", &[MissingElement]),
    (INFORM, "<RetryCount>3</RetryCount>", "<RetryCount/>", &[EmptyElement]),
    (INFORM, "<MaxEnvelopes>1</MaxEnvelopes>", "<MaxEnvelopes></MaxEnvelopes>", &[EmptyElement]),
    (
        INFORM,
        "ProductClass>SimulatedCell</ProductClass",
        "productClass>SimulatedCell</productClass",
        &[Misspelt],
    ),
    (
        INFORM,
        "<Name>Device.RootDataModelVersion</Name>",
        "<name>Device.RootDataModelVersion</name>",
        &[Misspelt],
    ),
    (
        INFORM,
        "<RetryCount>3</RetryCount>",
        "<RetryCount>3</RetryCount><RetryCount>3</RetryCount>",
        &[Repeated],
    ),
    (
        INFORM,
        "<EventCode>1 BOOT</EventCode>\n          <CommandKey/>",
        "<CommandKey/><EventCode>1 BOOT</EventCode>",
        &[Order],
    ),
    // Values.
    (NAMES, "true</NextLevel>", "TRUE</NextLevel>", &[BooleanCase]),
    (NAMES, "true</NextLevel>", "True</NextLevel>", &[BooleanCase]),
    (INFORM, "<RetryCount>3", "<RetryCount>\n  3 ", &[Padding]),
    (INFORM, "<Name>", "<Name>\n  ", &[Padding]),
    (INFORM, "<EventCode>", "<EventCode> ", &[Padding]),
    (REBOOTED, "<cwmp:RebootResponse/>", "<cwmp:RebootResponse>\n</cwmp:RebootResponse>", &[Padding]),
    (INFORM, "<RetryCount>3", "<RetryCount>+3", &[ValueForm]),
    (INFORM, TIME, "0000-00-00T00:00:00", &[MalformedTime]),
    (INFORM, TIME, "2019-03-05T11:54::14", &[MalformedTime]),
    (INFORM, TIME, "2019-03-05 11:54:14", &[MalformedTime]),
    (INFORM, TIME, "2019-03-05T11:54", &[MalformedTime]),
    (INFORM, TIME, "20190305T115414Z", &[MalformedTime]),
    (INFORM, TIME, "2019-03-05T11:54:14+0100", &[MalformedTime]),
    (INFORM, TIME, "2019-13-05T11:54:14Z", &[MalformedTime]),
    (INFORM, TIME, "Thu Jan 1 00:00:00 1970", &[MalformedTime]),
    (INFORM, TIME, "", &[MalformedTime]),
    (INFORM, TIME, " 0001-01-01T00:00:42 ", &[Padding]),
    (ANSWER, "<Status>1", "<Status>2", &[UnknownNumber]),
    (VALUES, NAMED, "SOAP-ENC:arrayType=\"xsd:string[0]\"></ParameterNames>", &[TooFew]),
    (INFORM, "reboot-1", "a command key of thirty-four chars", &[TooLong]),
    (INFORM, "00005E<", "00005e<", &[OuiForm]),
    (INFORM, "1 BOOT", "X CT-COM BIND", &[TextForm]),
    (DOWNLOAD, "<FileType>", "<FileType>Firmware ", &[TextForm]),
    (INFORM, "Device.RootDataModelVersion", "Device.IP.Interface.[1].Enable", &[AliasForm]),
    (INFORM, "Device.RootDataModelVersion", "Device.IP.Interface.[wan].Enable", &[]),
    // What is none of its type, and what is not there.
    (INFORM, "<RetryCount>3", "<RetryCount>many", &[OddValue]),
    (INFORM, "<RetryCount>3", "<RetryCount>-1", &[OddValue]),
    (NAMES, "true</NextLevel>", "30</NextLevel>", &[OddValue]),
    (NAMES, "true</NextLevel>", "</NextLevel>", &[EmptyElement]),
    (NAMES, "<NextLevel>true</NextLevel>", "", &[MissingElement]),
    (ANSWER, "<Status>1</Status>", "", &[MissingElement]),
    (ANSWER, "<Status>1", "<Status>", &[EmptyElement]),
    (ANSWER, "<Status>1", "<Status>true", &[OddValue]),
    (COMPLETE, "<FaultCode>9016</FaultCode>", "", &[MissingElement]),
    (COMPLETE, "<FaultCode>9016", "<FaultCode>", &[EmptyElement]),
    (INFORM, "<OUI>00005E</OUI>", "", &[MissingElement]),
    (INFORM, "<Value xsi:type=\"xsd:boolean\">false</Value>", "", &[MissingElement]),
    (INFORM, "</SOAP-ENV:Envelope>", "</SOAP-ENV:Envelope>\r\n0\r\n", &[Surroundings]),
    (INFORM, "reboot-1", "a=1&b=2", &[RawAmpersand]),
    (INFORM, "reboot-1", "a&nbsp;b", &[RawAmpersand]),
    (INFORM, "reboot-1", "a&#1;b", &[ControlCharacter]),
    (INFORM, "reboot-1", "a\u{1}b", &[ControlCharacter]),
    // Values against their types.
    (INFORM, VALUE, "<Value xsi:type=\"xsd:boolean\">FALSE", &[BooleanCase]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:boolean\"> false ", &[]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:boolean\">30", &[ValueForm]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:dateTime\">0000-00-00T00:00:00", &[MalformedTime]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:dateTime\">2016-12-31T23:59:60Z", &[MalformedTime]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:dateTime\">2020-01-01T00:00:00+15:00", &[MalformedTime]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:dateTime\">2020-01-01T00:00:00+14:00", &[]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:unsignedInt\">-5", &[ValueForm]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:unsignedInt\">4294967295", &[]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:unsignedInt\">4294967296", &[ValueForm]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:int\">-2147483648", &[]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:int\">2147483648", &[ValueForm]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:long\">9223372036854775807", &[]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:long\">9223372036854775808", &[ValueForm]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:unsignedLong\">18446744073709551615", &[]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:unsignedLong\">18446744073709551616", &[ValueForm]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:base64Binary\">YWI=", &[]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:base64Binary\">***", &[ValueForm]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:hexBinary\">0aF", &[ValueForm]),
    (INFORM, VALUE, "<Value xsi:type=\"xsd:unsignedInt(4)\">7", &[TypeName]),
    (INFORM, "<SerialNumber>", "<SerialNumber>\n  ", &[Padding]),
    (INFORM, "<CommandKey>reboot-1<", "<CommandKey>\n reboot-1\n <", &[Padding]),
    // Lists.
    (
        INFORM,
        "<EventCode>1 BOOT",
        "<EventCode>4 VALUE CHANGE</EventCode><EventCode>1 BOOT",
        &[ArrayCount, MissingElement, Repeated],
    ),
    (INFORM, "</Event>", "</Event><Event SOAP-ENC:arrayType=\"cwmp:EventStruct[0]\"/>", &[Repeated]),
    (VALUES, "</ParameterNames>", "</ParameterNames><string>Device.</string>", &[Unwrapped]),
    // Headers.
    (INFORM, ID, "<cwmp:id SOAP-ENV:mustUnderstand=\"1\">1</cwmp:id>", &[Misspelt]),
    (
        INFORM,
        ID,
        "<cwmp:ID SOAP-ENV:mustUnderstand=\"1\">1</cwmp:ID><HoldRequest SOAP-ENV:mustUnderstand=\"1\">0</HoldRequest>",
        &[Unqualified, Misspelt],
    ),
    (
        INFORM,
        ID,
        "<cwmp:ID SOAP-ENV:mustUnderstand=\"1\">1</cwmp:ID><NoMoreRequests SOAP-ENV:mustUnderstand=\"1\">0</NoMoreRequests>",
        &[NoMoreRequests],
    ),
    (INFORM, ID, "", &[MissingId]),
    (INFORM, ID, "<ID SOAP-ENV:mustUnderstand=\"1\">1</ID>", &[Unqualified]),
    (INFORM, ID, "<cwmp:ID>1</cwmp:ID>", &[MustUnderstand]),
    (INFORM, ID, "<cwmp:ID SOAP-ENV:mustUnderstand=\"true\">1</cwmp:ID>", &[MustUnderstand]),
    (INFORM, ID, "<cwmp:ID SOAP-ENV:mustUnderstand=\"0\">1</cwmp:ID>", &[MustUnderstand]),
    (INFORM, ID, "<cwmp:ID mustUnderstand=\"1\">1</cwmp:ID>", &[AttributeNamespace]),
    (
        INFORM,
        ID,
        "<cwmp:ID SOAP-ENV:mustUnderstand=\"1\" xsi:type=\"xsd:string\">1</cwmp:ID>",
        &[TypeAttribute],
    ),
    (
        INFORM,
        "</SOAP-ENV:Header>",
        "<wsse:Security xmlns:wsse=\"urn:w\"><a/></wsse:Security></SOAP-ENV:Header>",
        &[UnknownHeader],
    ),
    (
        INFORM,
        "</SOAP-ENV:Header>",
        "<cwmp:NoMoreRequests>0</cwmp:NoMoreRequests></SOAP-ENV:Header>",
        &[NoMoreRequests],
    ),
    (INFORM, "</SOAP-ENV:Header>", "</SOAP-ENV:Header><SOAP-ENV:Header/>", &[Repeated]),
    (INFORM, "</SOAP-ENV:Body>", "</SOAP-ENV:Body><SOAP-ENV:Header/>", &[Order]),
    (
        INFORM,
        "</SOAP-ENV:Header>",
        "<cwmp:HoldRequests SOAP-ENV:mustUnderstand=\"1\">TRUE</cwmp:HoldRequests></SOAP-ENV:Header>",
        &[BooleanCase],
    ),
    // Faults.
    (FAULT, "<faultcode>Client", "<faultcode>SOAP-ENV:Client", &[]),
    (FAULT, "<faultcode>Client", "<faultcode>SOAP-ENV:Server", &[]),
    (FAULT, "<faultcode>Client", "<faultcode>9003", &[FaultForm]),
    (FAULT, "CWMP fault", "CWMP Fault", &[FaultForm]),
    (
        FAULT,
        "<faultstring>CWMP fault</faultstring>",
        "<SOAP-ENV:faultstring>CWMP fault</SOAP-ENV:faultstring>",
        &[QualifiedChild],
    ),
];

#[test]
fn each_deviation_is_forgiven_by_name() {
    let mut wrong = Vec::new();
    for (message, from, to, expected) in FORGIVEN {
        let message = changed(message, from, to);
        // Where an element was opened under another name, it is closed under it.
        let message = match to.strip_prefix("<item>") {
            Some(_) => message.replacen("</string>", "</item>", 1),
            None => message,
        };
        wrong
            .extend(complaint(&message, expected).map(|complaint| format!("{from:?} → {to:?}: {complaint}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What differs from what is expected of a message.
fn complaint(message: &str, expected: &[Leniency]) -> Option<String> {
    match read(message) {
        Ok(decoded) if decoded.leniencies == expected => None,
        Ok(decoded) => Some(format!("{:?} and not {expected:?}", decoded.leniencies)),
        Err(error) => Some(error.to_string()),
    }
}

/// What is changed in more than one place.
fn rewritten() -> Vec<(String, &'static [Leniency])> {
    let soap = |text: &str| text.replace("SOAP-ENV:", "soapenv:").replace("xmlns:SOAP-ENV", "xmlns:soapenv");
    let default =
        INFORM.replace("xmlns:cwmp", "xmlns").replace("cwmp:ID", "ID").replace("cwmp:Inform", "Inform");
    let default_soap =
        INFORM.replace("SOAP-ENV:Env", "Env").replace("SOAP-ENV:Hea", "Hea").replace("SOAP-ENV:Bod", "Bod");
    let default_soap = default_soap.replace("<Envelope", &format!("<Envelope xmlns='{SOAP}'"));
    vec![
        (soap(INFORM), &[]),
        (default, &[QualifiedChild]),
        (default_soap, &[QualifiedChild]),
        (INFORM.replace("cwmp:Inform", "Inform"), &[Unqualified]),
        (INFORM.replace(SOAP, "http://www.w3.org/2003/05/soap-envelope"), &[Leniency::SoapVersion]),
        (
            INFORM.replace("SOAP-ENV:mustUnderstand", "m").replace("SOAP-ENV:", ""),
            &[Leniency::SoapVersion, UnknownAttribute, MustUnderstand],
        ),
        (INFORM.replace("urn:dslforum", "urn:DSLForum"), &[OldNamespace]),
        (format!("{ENVELOPE}<s:Header>{NUMBER}</s:Header><s:Body/></s:Envelope>"), &[Leniency::EmptyBody]),
        (VALUES.replace(&names_of(VALUES), "Device.A, Device.B"), &[Leniency::ListAsText]),
        (INFORM.replace("<EventStruct>", "").replace("</EventStruct>", ""), &[Unwrapped, Repeated]),
        (INFORM.replace("DeviceId>", "DeviceID>"), &[Misspelt]),
        (INFORM.replace("DeviceId>", "cwmp:DeviceId>"), &[QualifiedChild]),
        (INFORM.replace("EventStruct>", "Item>"), &[ArrayMember]),
        (
            INFORM
                .replace("<DeviceId>", "<DeviceId><DeviceIdStruct>")
                .replace("</DeviceId>", "</DeviceIdStruct></DeviceId>"),
            &[Wrapped],
        ),
        (format!("{}\0\0\r\n\0", INFORM.trim_end()), &[Surroundings]),
        (FAULT.replace("detail>", "Detail>"), &[FaultForm]),
        (FAULT.replace("cwmp:Fault>", "Fault>"), &[FaultForm]),
        (
            FAULT.replace("<cwmp:Fault>", "<v:Fault xmlns:v='urn:v'>").replace("</cwmp:Fault>", "</v:Fault>"),
            &[FaultForm],
        ),
        (
            include_str!("../testdata/spec/ChangeDUStateResponse.xml").replace("cwmp-1-2", "cwmp-1-0"),
            &[MethodVersion],
        ),
        (
            include_str!("../testdata/spec/GetAllQueuedTransfers.xml").replace("cwmp-1-1", "cwmp-1-0"),
            &[MethodVersion],
        ),
        (
            INFORM.replace(
                "[2]\">\n        <EventStruct>",
                &format!("[67]\">{}<EventStruct>", EVENT.repeat(65)),
            ),
            &[Leniency::TooMany],
        ),
    ]
}

const ENVELOPE: &str = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' \
    xmlns:c='urn:dslforum-org:cwmp-1-1'>";
const NUMBER: &str = "<c:ID s:mustUnderstand='1'>1</c:ID>";

/// What stands in a ParameterNames.
fn names_of(message: &str) -> String {
    let (from, to) = (message.find("<string>"), message.rfind("</ParameterNames>"));
    message[from.unwrap_or(0)..to.unwrap_or(0)].to_owned()
}

const EVENT: &str = "<EventStruct><EventCode>1 BOOT</EventCode><CommandKey/></EventStruct>";

#[test]
fn each_manner_is_forgiven_by_name() {
    let wrong: Vec<_> = rewritten()
        .into_iter()
        .filter_map(|(message, expected)| Some(format!("{}: {message}", complaint(&message, expected)?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands of a message in the text that shows it.
#[test]
fn no_content_is_lost_where_the_form_is_odd() {
    let envelope = |inside: &str| {
        format!("{ENVELOPE}<s:Header>{NUMBER}</s:Header><s:Body>{inside}</s:Body></s:Envelope>")
    };
    let fault = |inside: &str| envelope(&format!("<s:Fault>{inside}</s:Fault>"));
    let value = "<ParameterValueStruct><Name>A</Name><Value>1</Value></ParameterValueStruct>";
    let cases = [
        (
            changed(INFORM, "<EventCode>1 BOOT", "<EventCode>4 VALUE CHANGE</EventCode><EventCode>1 BOOT"),
            "\"4 VALUE CHANGE\"",
        ),
        (
            changed(INFORM, "<EventCode>1 BOOT", "<EventCode>4 VALUE CHANGE</EventCode><EventCode>1 BOOT"),
            "\"1 BOOT\"",
        ),
        (changed(INFORM, "</Event>", "</Event><Event/>"), "\"1 BOOT\""),
        (
            envelope(&format!("<c:GetParameterValuesResponse>{value}</c:GetParameterValuesResponse>")),
            "name: \"A\"",
        ),
        (
            fault("<faultcode>s:Server</faultcode><faultstring>no luck</faultstring>"),
            "FaultCode(9002), text: \"no luck\"",
        ),
        (fault("<detail><FaultCode>9005</FaultCode></detail>"), "FaultCode(9005)"),
        (fault("<detail><c:fault><faultCode>9005 odd</faultCode></c:fault></detail>"), "FaultCode(9005)"),
        (
            fault(
                "<detail><c:Fault><FaultCode>9003</FaultCode></c:Fault><SetParameterValuesFault><ParameterName>Device.A</ParameterName></SetParameterValuesFault></detail>",
            ),
            "\"Device.A\"",
        ),
        (changed(INFORM, VALUE, "<Value xsi:type=\"xsd:float\">1.5"), "Type(\"float\")"),
        (changed(INFORM, "<SerialNumber>", "<SerialNumber>\n  "), "serial_number: \"0"),
    ];
    for (message, expected) in cases {
        let decoded = read(message.clone()).unwrap_or_else(|error| panic!("{error}: {message}"));
        let said = format!("{:?}", decoded.envelope);
        assert!(said.contains(expected), "no {expected} in {said}");
        let again = read(decoded.envelope.encode()).expect("our own words");
        assert_eq!(again.envelope, decoded.envelope, "{message}");
    }
}

#[test]
fn one_byte_that_is_not_utf8_spoils_no_other() {
    let mut message = changed(INFORM, "Example Cells", "Café #").into_bytes();
    let hash = message.iter().position(|byte| *byte == b'#').expect("it is there");
    message.splice(hash..=hash, [0xe9]);
    assert!(format!("{:?}", read(message).expect("it is read")).contains("\"Café é\""));
}

#[test]
fn bytes_that_are_not_utf8_are_latin() {
    let latin = INFORM.replace("Example Cells", "Caf\u{e9}");
    let latin: Vec<u8> = latin.chars().map(|character| u8::try_from(character).expect("one byte")).collect();
    assert_eq!(read(latin).expect("it is read").leniencies, [Leniency::NotUtf8]);
}

#[test]
fn every_tolerance_has_a_row() {
    let rows = FORGIVEN.iter().flat_map(|(.., leniencies)| leniencies.iter().copied());
    let manners: Vec<_> = rewritten();
    let manners = manners.iter().flat_map(|(_, leniencies)| leniencies.iter().copied());
    let seen: BTreeSet<_> = rows.chain(manners).chain([Leniency::NotUtf8]).collect();
    let missing: Vec<_> = Leniency::ALL.iter().filter(|leniency| !seen.contains(leniency)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What a device sends instead of something, and why nobody can go on then.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (INFORM, DECLARATION, "<!DOCTYPE x>", "a document type declaration"),
    (INFORM, "xmlns:cwmp", "xmlns:other", "undeclared prefix `cwmp`"),
    (INFORM, "<RetryCount>3", "<RetryCount><x/>3", "element `x` where text must stand"),
    (INFORM, VALUE, "<Value><b>false</b>", "element `b` where text must stand"),
    (INFORM, "reboot-1", "&#0;", "not well-formed"),
    (INFORM, DECLARATION, "0", "text before the envelope"),
    (INFORM, "</SOAP-ENV:Envelope>", "</SOAP-ENV:Envelope><a/>", "a second root element"),
    (INFORM, "<DeviceId>", "<?xml version='1.0'?><DeviceId>", "not in front"),
    (INFORM, "</DeviceId>", "</DeviceID>", "not well-formed"),
    (ADDED, "<InstanceNumber>", "<InstanceNumber>x", "in `InstanceNumber`"),
    (ANSWER, "Status>", "State>", "not well-formed"),
];

#[test]
fn what_has_no_meaning_is_refused_with_its_place() {
    for (message, from, to, expected) in REFUSED {
        let message = changed(message, from, to);
        let error = read(message.clone()).expect_err(to);
        assert!(error.to_string().contains(expected), "{to}: {error}");
        assert!(error.offset() <= message.len(), "{to}: {error}");
    }
}
