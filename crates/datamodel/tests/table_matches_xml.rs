//! The committed table against the Broadband Forum's XML, where that is at hand: path, type and access of every row.
#![expect(clippy::unwrap_used, reason = "a test helper stops at the first thing that is not as expected")]

use std::{collections::BTreeMap, fs};

use datamodel::{Access, CREDENTIALS, Definition, Kind, Model};

/// Vendor parameters and what policy narrows further than the model.
fn is_our_own(path: &str) -> bool {
    let narrowed = [".EnclosureTamperingDetected", ".Security.Certificate.{i}.Enable"];
    path.contains(".X_") || CREDENTIALS.contains(&path) || narrowed.iter().any(|name| path.ends_with(name))
}

#[test]
fn m01_the_table_says_what_the_xml_says() {
    let Some(oracles) = oracles::folder("m01_the_table_says_what_the_xml_says") else { return };
    let files = ["tr-181-2-17-0-cwmp-full.xml", "tr-196-2-1-2-cwmp-full.xml"]
        .map(|name| oracles.join("bbf").join(name));
    let facts: BTreeMap<String, String> =
        files.iter().flat_map(|file| read(&fs::read_to_string(file).unwrap())).collect();
    let mut compared = 0;
    for definition in Model::cell().definitions().filter(|row| !is_our_own(row.path().as_str())) {
        let path = definition.path().as_str();
        let expected = facts.get(path).unwrap_or_else(|| panic!("{path} is in no XML"));
        assert_eq!(&show(definition), expected, "{path}");
        compared += 1;
    }
    assert!(compared > 120, "{compared} rows compared");
}

fn show(definition: &Definition) -> String {
    let access = |access| if access == Access::ReadWrite { "rw" } else { "ro" };
    match definition {
        Definition::Object(object) => format!("object {}", access(object.access)),
        Definition::Parameter(parameter) => {
            let kind = match parameter.kind {
                Kind::String => "string",
                Kind::Int => "int",
                Kind::UnsignedInt => "unsignedInt",
                Kind::Boolean => "boolean",
                Kind::DateTime => "dateTime",
            };
            let list = if parameter.is_list { "list " } else { "" };
            format!("{list}{kind} {}", access(parameter.access))
        }
    }
}

/// The elements that matter, read tag by tag: these files are well formed, and a reader of XML would be a dependency more.
fn read(xml: &str) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let (mut object, mut parameter) = (String::new(), None);
    let mut is_list = false;
    let is_service = xml.contains("<model name=\"FAPService:");
    let place = |name: &str| match name {
        // What the service model declares outside of its objects lands in the object that mounts it.
        name if is_service => format!("Device.Services.{name}"),
        name => name.to_owned(),
    };
    for tag in xml.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let name = tag.split_whitespace().next().unwrap_or_default().trim_end_matches('/');
        match name {
            "profile" => break,
            "object" => {
                object = attribute(tag, "name").unwrap();
                facts.insert(place(&object), format!("object {}", access(tag)));
            }
            "/object" => object = String::new(),
            "parameter" => {
                parameter = attribute(tag, "name").map(|name| (place(&object) + &name, access(tag)));
            }
            "syntax" => is_list = false,
            "list" => is_list = true,
            "string" | "int" | "unsignedInt" | "boolean" | "dateTime" | "dataType" => {
                let kind = if name == "dataType" { "string" } else { name };
                if let Some((path, access)) = parameter.take() {
                    facts.insert(path, format!("{}{kind} {access}", if is_list { "list " } else { "" }));
                }
            }
            _ => {}
        }
    }
    facts.entry("Device.Services.".to_owned()).or_insert_with(|| "object ro".to_owned());
    facts
}

fn access(tag: &str) -> &'static str {
    if attribute(tag, "access").is_some_and(|access| access != "readOnly") { "rw" } else { "ro" }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let words = tag.split_whitespace().collect::<Vec<_>>().join(" ");
    let start = words.split(&format!(" {name}=\"")).nth(1)?;
    Some(start.split('"').next()?.to_owned())
}
