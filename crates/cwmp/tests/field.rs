//! Messages from the field, read twice: by our decoder, and by another reader that knows nothing of it.
//!
//! One rule: for every file of the collection, both say the same of method, events, parameters, values, types,
//! notifications and faults. The other reader is roxmltree, which goes by local names alone.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a broken file must stop the test")]

use std::{fs, path::Path};

use cwmp::{
    AcsMethod, AnyBody, CpeMethod, CpeResponse, Decoded, Envelope, Fault, FromAcs, FromCpe, Limits,
    ParameterValueStruct,
};
use roxmltree::{Document, Node};

/// What a message says, as lines that compare.
type Content = Vec<String>;

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.tag_name().name().eq_ignore_ascii_case(name))
}

fn text<'a>(node: Node<'a, 'a>, name: &str) -> &'a str {
    child(node, name).and_then(|child| child.text()).unwrap_or_default()
}

fn below<'a>(node: Node<'a, 'a>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    node.descendants().filter(move |found| found.tag_name().name() == name)
}

/// The local part of the type that a value says, as we know it.
fn kind(value: Node<'_, '_>) -> String {
    let said = value.attributes().find(|attribute| attribute.name() == "type");
    let local = said.map_or("string", |said| said.value().rsplit(':').next().unwrap_or_default());
    if local == "base64" { "base64binary".to_owned() } else { local.to_ascii_lowercase() }
}

/// What the other reader finds in the body's element.
fn theirs(method: Node<'_, '_>) -> Content {
    let mut content = vec![method.tag_name().name().to_owned()];
    content.extend(
        below(method, "EventStruct")
            .map(|event| format!("event {} {}", text(event, "EventCode").trim(), text(event, "CommandKey"))),
    );
    content.extend(below(method, "ParameterValueStruct").map(|parameter| {
        let value = child(parameter, "Value").unwrap();
        let (name, text) = (text(parameter, "Name").trim(), value.text().unwrap_or_default());
        format!("value {name} {} {text}", kind(value))
    }));
    content.extend(below(method, "ParameterInfoStruct").map(|info| {
        let writable = text(info, "Writable").trim().to_ascii_lowercase();
        format!("info {} {}", text(info, "Name").trim(), matches!(&*writable, "1" | "true"))
    }));
    content.extend(below(method, "ParameterAttributeStruct").map(|attribute| {
        format!("attribute {} {}", text(attribute, "Name").trim(), text(attribute, "Notification").trim())
    }));
    let names = below(method, "ParameterNames").chain(below(method, "MethodList"));
    let names = names.flat_map(|list| list.children().filter(Node::is_element));
    content.extend(names.map(|name| format!("name {}", name.text().unwrap_or_default().trim())));
    content.extend(
        below(method, "DeviceId")
            .chain(below(method, "DeviceID"))
            .map(|id| format!("device {} {}", text(id, "Manufacturer"), text(id, "SerialNumber"))),
    );
    let faults = method.descendants().filter(|node| node.tag_name().name() == "FaultCode");
    if method.tag_name().name() == "Fault" {
        content.extend(faults.map(|code| format!("fault {}", code.text().unwrap_or_default().trim())));
    }
    content
}

fn values(list: &[ParameterValueStruct]) -> impl Iterator<Item = String> {
    list.iter().map(|parameter| {
        let kind = parameter.value.kind.xsi_type().trim_start_matches("xsd:").to_ascii_lowercase();
        format!("value {} {kind} {}", parameter.name, parameter.value.text)
    })
}

/// What we found.
fn ours(decoded: &Decoded<AnyBody>) -> Content {
    let body = &decoded.envelope.body;
    let mut content = vec![body.element().unwrap_or_default().to_owned()];
    match body {
        AnyBody::Cpe(FromCpe::Call(AcsMethod::Inform(inform))) => {
            let events = inform.event.iter();
            content.extend(events.map(|event| format!("event {} {}", event.event_code, event.command_key)));
            content.extend(values(&inform.parameter_list));
            let id = &inform.device_id;
            content.push(format!("device {} {}", id.manufacturer, id.serial_number));
        }
        AnyBody::Cpe(FromCpe::Call(AcsMethod::GetRPCMethods(_))) => {}
        AnyBody::Cpe(FromCpe::Response(response)) => content.extend(of_response(response)),
        AnyBody::Cpe(FromCpe::Fault(fault)) => content.extend(of_fault(fault)),
        AnyBody::Acs(FromAcs::Call(CpeMethod::SetParameterValues(call))) => {
            content.extend(values(&call.parameter_list));
        }
        AnyBody::Acs(FromAcs::Call(CpeMethod::GetParameterValues(call))) => {
            content.extend(call.parameter_names.iter().map(|name| format!("name {name}")));
        }
        AnyBody::Acs(FromAcs::Call(CpeMethod::GetParameterAttributes(call))) => {
            content.extend(call.parameter_names.iter().map(|name| format!("name {name}")));
        }
        AnyBody::Cpe(_) | AnyBody::Acs(_) => {}
    }
    content
}

#[expect(clippy::wildcard_enum_match_arm, reason = "responses without lists have nothing that is compared")]
fn of_response(response: &CpeResponse) -> Content {
    match response {
        CpeResponse::GetParameterValues(response) => values(&response.parameter_list).collect(),
        CpeResponse::GetParameterNames(response) => response
            .parameter_list
            .iter()
            .map(|info| format!("info {} {}", info.name, info.writable))
            .collect(),
        CpeResponse::GetParameterAttributes(response) => {
            let list = response.parameter_list.iter();
            list.map(|attribute| format!("attribute {} {}", attribute.name, attribute.notification)).collect()
        }
        CpeResponse::GetRPCMethods(response) => {
            response.method_list.iter().map(|name| format!("name {name}")).collect()
        }
        _ => Vec::new(),
    }
}

fn of_fault(fault: &Fault) -> Content {
    let codes = fault.details.iter().map(|detail| detail.fault_code);
    [fault.code].into_iter().chain(codes).map(|code| format!("fault {code}")).collect()
}

/// What the two readers say of a file, where both can read it.
fn both(file: &Path) -> Option<(Content, Content)> {
    let bytes = fs::read(file).unwrap();
    let decoded = Envelope::<AnyBody>::decode(bytes.clone(), &Limits::default()).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim_matches(['\0', '\u{feff}', '\n', '\r', ' ']).to_owned();
    let document = Document::parse(&text).ok()?;
    let body = document.descendants().find(|node| node.tag_name().name() == "Body")?;
    let method = body.children().find(Node::is_element)?;
    Some((ours(&decoded), theirs(method)))
}

#[test]
fn h14_h15_every_message_from_the_field_says_to_us_what_it_says_to_another_reader() {
    const TEST: &str = "h14_h15_every_message_from_the_field_says_to_us_what_it_says_to_another_reader";
    let Some(oracles) = oracles::folder(TEST) else { return };
    let (mut compared, mut lines) = (0, 0);
    for entry in fs::read_dir(oracles.join("field")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "xml") {
            continue;
        }
        let Some((ours, theirs)) = both(&file) else { continue };
        assert_eq!(ours, theirs, "{}", file.display());
        compared += 1;
        lines += ours.len();
    }
    assert!(compared >= 100 && lines >= 280, "{compared} messages with {lines} lines");
}
