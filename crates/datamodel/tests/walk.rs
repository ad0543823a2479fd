//! Every parameter of both standard models: read, written right, and written wrong in each way that its definition has.
//!
//! What the tree answers is compared with the tables, which a test compares with the XML; where the product narrows the
//! standard, the exception is written below with its reason.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

use std::fs;

use cwmp::{FaultCode, ParameterValueStruct, Value, ValueKind};
use datamodel::{Access, Definition, Kind, Model, Parameter, Path, Range, Table, Target, Tree, Type};

/// Writable in the standard, and not here.
const EXCEPTIONS: [(&str, &str); 10] = [
    ("Device.ManagementServer.Username", "no shared secret (P-07)"),
    ("Device.ManagementServer.Password", "no shared secret (P-07)"),
    ("Device.ManagementServer.ConnectionRequestUsername", "no shared secret (P-07)"),
    ("Device.ManagementServer.ConnectionRequestPassword", "no shared secret (P-07)"),
    ("Device.ManagementServer.STUNUsername", "no shared secret (P-07)"),
    ("Device.ManagementServer.STUNPassword", "no shared secret (P-07)"),
    ("Device.FAP.PerfMgmt.Config.{i}.Username", "no shared secret (N-05)"),
    ("Device.FAP.PerfMgmt.Config.{i}.Password", "no shared secret (N-05)"),
    ("Device.Services.FAPService.{i}.FAPControl.EnclosureTamperingDetected", "latches for ever (M-09)"),
    ("Device.Security.Certificate.{i}.Enable", "trust changes by a signed bundle (A-20)"),
];

fn tables() -> [Table; 2] {
    ["device", "fapservice"]
        .map(|name| Table::read(&fs::read_to_string(format!("tables/{name}.txt")).unwrap()).unwrap())
}

/// The standard device with one row in each table.
fn full_tree() -> Tree {
    let mut tree = Tree::new(Model::standard());
    for definition in Model::standard().definitions() {
        if let Definition::Object(object) = definition
            && object.is_table()
        {
            let table = concrete(&object.path.parent());
            assert_eq!(tree.put_row(&table), Some(1), "{table}");
        }
    }
    tree
}

fn concrete(schema: &Path) -> Path {
    Path::parse(&schema.as_str().replace("{i}", "1")).unwrap()
}

fn set(tree: &mut Tree, path: &Path, kind: ValueKind, text: &str) -> Result<(), FaultCode> {
    let value = Value::new(kind, text.to_owned());
    let entry = ParameterValueStruct { name: path.to_string().into(), value };
    tree.set(&[entry])
        .map(drop)
        .map_err(|fault| fault.details.first().map_or(fault.code, |detail| detail.fault_code))
}

#[test]
fn m03_every_parameter_obeys_its_definition() {
    let mut tree = full_tree();
    let (mut written, mut refused) = (0, 0);
    for table in tables() {
        for definition in &table.definitions {
            let Definition::Parameter(parameter) = definition else { continue };
            let path = concrete(&parameter.path);
            let found = tree.get(&path).unwrap();
            assert_eq!((found.len(), found[0].value.kind), (1, parameter.wire_kind()), "{path}");
            let is_exception = EXCEPTIONS.iter().any(|(name, _)| *name == parameter.path.as_str());
            let good = good_value(parameter);
            if parameter.access == Access::ReadOnly || is_exception {
                let outcome = set(&mut tree, &path, parameter.wire_kind(), &good);
                assert_eq!(outcome, Err(FaultCode::NOT_WRITABLE), "{path}");
                refused += 1;
                continue;
            }
            let outcome = set(&mut tree, &path, parameter.wire_kind(), &good);
            assert_eq!(outcome, Ok(()), "{path} = {good:?}");
            let held = tree.value(&path).unwrap().to_owned();
            written += 1;
            for (kind, bad, code) in bad_values(parameter) {
                assert_eq!(set(&mut tree, &path, kind, &bad), Err(code), "{path} = {bad:.60?} as {kind:?}");
                assert_eq!(tree.value(&path).unwrap(), held, "{path} keeps what it had");
                refused += 1;
            }
        }
    }
    assert!(written > 3_000 && refused > 12_000, "{written} written, {refused} refused");
}

#[test]
fn each_exception_is_one_of_the_standard() {
    let [device, service] = tables();
    let all = Model::of([device, service]);
    for (path, reason) in EXCEPTIONS {
        let path = Path::parse(path).unwrap();
        let narrowed = Model::standard().parameter(&path).unwrap();
        assert_eq!(narrowed.access, Access::ReadOnly, "{path}: {reason}");
        assert!(all.parameter(&path).is_some());
    }
}

/// A value that the definition allows, and that the ACS may write.
fn good_value(parameter: &Parameter) -> String {
    let item = &parameter.syntax.item;
    if item.reference.as_ref().is_some_and(|reference| reference.is_strong) {
        // Nothing is referred to: what a reference may name is another test's question.
        return String::new();
    }
    let candidates = candidates(item);
    let fits = |text: &&String| parameter.written(text).is_ok();
    candidates.iter().find(fits).cloned().unwrap_or_default()
}

fn candidates(item: &Type) -> Vec<String> {
    let least = item.sizes.first().map_or(1, |size| size.0.max(1));
    let mut texts: Vec<String> = item.words.iter().rev().map(|word| word.text.clone()).collect();
    texts.extend(
        item.ranges.iter().filter_map(|range| range.to.or(range.from)).map(|number| number.to_string()),
    );
    texts.extend(["1", "0", "true", "2026-11-23T19:00:00Z", "QUJD"].map(str::to_owned));
    texts.push("A".repeat(usize::try_from(least).unwrap()));
    texts.push("AB".repeat(usize::try_from(least).unwrap()));
    let forms = [
        "",
        "192.0.2.1",
        "192.0.2.0/24",
        "00:00:5E:00:53:01",
        "00:00:5E:FF:FE:00:53:01",
        "12:00",
        "0:0",
        "2.17",
        "1.2",
        "123e4567-e89b-12d3-a456-426614174000",
        "00005E",
        "001010123456789",
        "8931000000000000000",
        "1/2",
        "ABCD",
        "AA ",
        "10M",
        "20261123.190000",
        "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
        "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
        "1234",
    ];
    texts.extend(forms.map(str::to_owned));
    texts
}

/// Every way in which a value of this definition can be wrong.
fn bad_values(parameter: &Parameter) -> Vec<(ValueKind, String, FaultCode)> {
    let kind = parameter.wire_kind();
    let other = if kind == ValueKind::Boolean { ValueKind::Int } else { ValueKind::Boolean };
    let mut bad = vec![(other, "1".to_owned(), FaultCode::INVALID_PARAMETER_TYPE)];
    let item = &parameter.syntax.item;
    let mut wrong = |text: String| bad.push((kind, text, FaultCode::INVALID_PARAMETER_VALUE));
    if !matches!(item.kind, Kind::String | Kind::Base64 | Kind::HexBinary) {
        wrong("neither".to_owned());
    }
    match item.kind {
        Kind::Int => wrong("2147483648".to_owned()),
        Kind::UnsignedInt => wrong("4294967296".to_owned()),
        Kind::Long => wrong("9223372036854775808".to_owned()),
        Kind::UnsignedLong => wrong("18446744073709551616".to_owned()),
        Kind::DateTime => wrong("2026-13-01T00:00:00Z".to_owned()),
        Kind::HexBinary => wrong("0g".to_owned()),
        Kind::Base64 => wrong("*".to_owned()),
        Kind::String | Kind::Decimal | Kind::Boolean => {}
    }
    if !item.words.is_empty() && item.patterns.is_empty() {
        wrong("no such word".to_owned());
    }
    item.words.iter().filter(|word| word.is_read_only).for_each(|word| wrong(word.text.clone()));
    beyond(&item.ranges).into_iter().for_each(&mut wrong);
    let longest = item.sizes.iter().map(|size| size.1).max_by_key(|most| most.unwrap_or(u32::MAX)).flatten();
    if let Some(longest) = longest {
        let units = [(Kind::HexBinary, "00"), (Kind::Base64, "AAAA")];
        let unit = units.iter().find(|(kind, _)| *kind == item.kind).map_or("x", |(_, unit)| unit);
        wrong(unit.repeat(usize::try_from(longest).unwrap() + 1));
    }
    if let Some(most) = parameter.syntax.list.as_ref().and_then(|list| list.characters.1) {
        wrong(vec!["x"; usize::try_from(most).unwrap() + 1].join(","));
    }
    let reference = item.reference.as_ref().filter(|reference| reference.is_strong);
    if reference.is_some_and(|reference| !matches!(reference.target, Target::Word | Target::Number)) {
        wrong("Device.Nowhere.1".to_owned());
    }
    bad
}

/// A whole number under the lowest and over the highest bound, where its type has room for it.
fn beyond(ranges: &[Range]) -> Vec<String> {
    let lowest =
        ranges.iter().map(|range| range.from).reduce(|least, from| Some(least?.min(from?))).flatten();
    let highest = ranges.iter().map(|range| range.to).reduce(|most, to| Some(most?.max(to?))).flatten();
    [lowest.map(|from| from - 1.0), highest.map(|to| to + 1.0)]
        .into_iter()
        .flatten()
        .map(|number| number.to_string())
        .collect()
}
