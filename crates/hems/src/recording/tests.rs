//! What gets into a recording, and above all what does not.

use std::fs;

use cwmp::{ValueKind, Version};
use datamodel::Model;

use super::*;

fn at() -> Timestamp {
    Timestamp::from_second(7).unwrap()
}

fn hides(name: &str) -> bool {
    is_secret(Model::standard(), name)
}

fn said(text: &Text, from: Side) -> Said<'_> {
    Said { at: at(), from, method: None, is_operators: false, text }
}

fn recorded(texts: &[String]) -> Recording {
    let mut recording = Recording::default();
    for text in texts {
        recording.add(&said(&Text::from(text.as_str()), Side::Device), &hides);
    }
    recording
}

fn reading(value: &str) -> String {
    format!("<a><s><Name>Device.DeviceInfo.X</Name><Value>{value}</Value></s></a>")
}

/// The texts of leaves that stand beside, or in, what is named like a secret: by another reader of XML.
fn secrets_of(document: &roxmltree::Document<'_>) -> Vec<String> {
    let leaves = document
        .descendants()
        .filter(|node| node.is_element() && node.children().all(|child| child.is_text()));
    let is_named = |leaf: &roxmltree::Node<'_, '_>| {
        let names = leaf.parent().into_iter().flat_map(|parent| parent.children());
        let beside =
            names.filter(|node| node.tag_name().name().ends_with("Name")).filter_map(|node| node.text());
        let is_beside =
            leaf.tag_name().name() == "Value" && beside.into_iter().any(|name| hides(name.trim()));
        is_beside || hides(leaf.tag_name().name())
    };
    leaves
        .filter(is_named)
        .filter_map(|leaf| leaf.text())
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn p07_no_secret_of_a_message_from_the_field_is_kept_and_the_rest_of_it_is() {
    const TEST: &str = "p07_no_secret_of_a_message_from_the_field_is_kept_and_the_rest_of_it_is";
    let Some(oracles) = oracles::folder(TEST) else { return };
    let (mut kept, mut found) = (0, 0);
    for entry in fs::read_dir(oracles.join("field")).unwrap() {
        let file = entry.unwrap().path();
        let Ok(text) = String::from_utf8(fs::read(&file).unwrap()) else { continue };
        let trimmed = text.trim_matches(['\0', '\u{feff}', '\n', '\r', ' ']);
        let Ok(before) = roxmltree::Document::parse(trimmed) else { continue };
        let recording = recorded(std::slice::from_ref(&text));
        let message = &recording.messages[0];
        if message.note.is_some() {
            continue;
        }
        let after = roxmltree::Document::parse(&message.body).unwrap();
        let left: Vec<_> = secrets_of(&after).into_iter().filter(|text| text != REDACTED).collect();
        assert_eq!(left, Vec::<String>::new(), "{}", file.display());
        let elements = |document: &roxmltree::Document<'_>| {
            document.descendants().filter(|node| node.is_element()).count()
        };
        assert_eq!(elements(&before), elements(&after), "{}", file.display());
        kept += 1;
        found += secrets_of(&before).len();
    }
    assert!(kept >= 100 && found >= 2, "{kept} messages, {found} secrets");
}

#[test]
fn what_cannot_be_looked_through_has_no_text() {
    let recording = recorded(&["<a><Password>x".to_owned(), String::new()]);
    let [garbled, empty] = &recording.messages[..] else { panic!("{recording:?}") };
    assert!(garbled.body.is_empty() && garbled.note.is_some() && garbled.bytes == 14, "{garbled:?}");
    assert_eq!((empty.note.as_deref(), empty.bytes), (None, 0));
}

#[test]
fn a_recording_is_bounded_and_says_what_it_left_out() {
    let long = recorded(&[reading(&"é".repeat(MESSAGE_BYTES_MAX))]);
    let message = &long.messages[0];
    assert!(message.body.len() <= MESSAGE_BYTES_MAX && message.body.len() + message.cut == message.bytes);
    let many = recorded(&vec![reading("1"); MESSAGES_MAX + 3]);
    assert_eq!((many.messages.len(), many.left_out), (MESSAGES_MAX, 3));
    let much = recorded(&vec![reading(&"x".repeat(MESSAGE_BYTES_MAX / 2)); 12]);
    assert_eq!((much.bytes(), much.messages.len()), (SESSION_BYTES_MAX, 12));
    assert!(much.messages.iter().all(|message| message.body.len() + message.cut == message.bytes));
}

#[test]
fn what_was_known_is_kept_without_secrets_and_only_where_it_is_not_too_much() {
    let mut known = Known::restore(BTreeMap::new(), None, Some(Vec::new()));
    known.learn("Device.ManagementServer.Password", "x", ValueKind::String, at());
    known.learn("Device.ManagementServer.URL", "y", ValueKind::String, at());
    let start = Recording::begin(&known, &hides).start.unwrap().known();
    assert_eq!(start.text("Device.ManagementServer.Password"), Some(REDACTED));
    assert_eq!(start.text("Device.ManagementServer.URL"), Some("y"));
    for number in 0..20 {
        known.learn(&format!("Device.X.{number}.Y"), &"z".repeat(60_000), ValueKind::String, at());
    }
    assert_eq!(Recording::begin(&known, &hides).start, None);
}

#[test]
fn calls_are_found_again_with_the_answers_that_can_be_read() {
    let call = FromAcs::Call(cwmp::GetRPCMethods {}.into());
    let envelope = Envelope { version: Version::V1_1, header: cwmp::Header::default(), body: call };
    let call = Text::from(envelope.encode());
    let fault = FromCpe::Fault(cwmp::Fault::from(cwmp::FaultCode::REQUEST_DENIED));
    let answer = Text::from(
        Envelope { version: Version::V1_1, header: cwmp::Header::default(), body: fault }.encode(),
    );
    let mut recording = Recording::default();
    for (text, from) in [(&call, Side::Hems), (&answer, Side::Device), (&call, Side::Hems)] {
        recording.add(&said(text, from), &hides);
    }
    recording.add_garbled(at(), "malformed");
    recording.add(&said(&call, Side::Hems), &hides);
    let answers: Vec<_> =
        recording.exchanges().into_iter().map(|exchange| exchange.answer.is_some()).collect();
    assert_eq!(answers, [true, false, false]);
}

#[test]
fn a_trace_cannot_move_a_cursor() {
    let text = trace(7, "cell", &recorded(&[reading("\u{1b}[2J\u{202e}")]));
    assert!(text.contains("<Value>\\u{1b}[2J\\u{202e}</Value>\n"), "{text}");
    assert!(text.starts_with("session 7 of cell: 1 messages\n"), "{text}");
}
