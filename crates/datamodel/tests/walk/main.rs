//! Every parameter of both standard models: read, written right, and written wrong in each way that its definition has.
//!
//! What the tree answers is compared with the tables, which a test compares with the XML; where the product narrows the
//! standard, the exception stands in docs/operate/models.md with its reason.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

mod values;

use std::fs;

use cwmp::{FaultCode, ParameterValueStruct, Value, ValueKind};
use datamodel::{Access, Definition, Model, Parameter, Path, Table, Tree};
use values::{bad_values, concrete, exceptions, good_value, strong};

fn tables() -> [Table; 2] {
    ["device", "fapservice"]
        .map(|name| Table::read(&fs::read_to_string(format!("tables/{name}.txt")).unwrap()).unwrap())
}

/// The standard device with one row in each table.
fn full_tree() -> Tree {
    let mut tree = Tree::new(Model::standard());
    for table in values::tables() {
        assert_eq!(tree.put_row(&table), Some(1), "{table}");
    }
    tree
}

fn set(tree: &mut Tree, path: &Path, kind: ValueKind, text: &str) -> Result<(), FaultCode> {
    let value = Value::new(kind, text.to_owned());
    let entry = ParameterValueStruct { name: path.to_string().into(), value };
    tree.set(&[entry])
        .map(drop)
        .map_err(|fault| fault.details.first().map_or(fault.code, |detail| detail.fault_code))
}

/// What was tried of each kind.
#[derive(Debug, Default)]
struct Count {
    written: usize,
    refused: usize,
    references: usize,
}

fn try_parameter(tree: &mut Tree, parameter: &Parameter, is_refused: bool, count: &mut Count) {
    let path = concrete(&parameter.path);
    let found = tree.get(&path).unwrap();
    let [entry] = found.as_slice() else { panic!("{path}: {found:?}") };
    assert_eq!(entry.value.kind, parameter.wire_kind(), "{path}");
    let (good, before) = (good_value(parameter), tree.value(&path).unwrap().to_owned());
    let outcome = set(tree, &path, parameter.wire_kind(), &good);
    if parameter.access == Access::ReadOnly || is_refused {
        assert_eq!(outcome, Err(FaultCode::NOT_WRITABLE), "{path}");
        count.refused += 1;
        return;
    }
    assert_eq!(outcome, Ok(()), "{path} = {good:?}");
    let held = tree.value(&path).unwrap().to_owned();
    // A command acts and is not kept.
    let expected = if parameter.syntax.is_command { before } else { parameter.canonical(&good).unwrap() };
    assert_eq!(held, expected, "{path}");
    count.written += 1;
    count.references += usize::from(strong(parameter).is_some() && !held.is_empty());
    for (kind, bad, code) in bad_values(parameter) {
        assert_eq!(set(tree, &path, kind, &bad), Err(code), "{path} = {bad:.60?} as {kind:?}");
        assert_eq!(tree.value(&path).unwrap(), held, "{path} keeps what it had");
        count.refused += 1;
    }
}

#[test]
fn m03_m04_every_parameter_obeys_its_definition() {
    let mut tree = full_tree();
    let narrowed = exceptions();
    let mut count = Count::default();
    for table in tables() {
        for definition in &table.definitions {
            let Definition::Parameter(parameter) = definition else { continue };
            let is_narrowed = |one: &values::Exception| {
                one.code == Some(FaultCode::NOT_WRITABLE) && one.path == parameter.path
            };
            try_parameter(&mut tree, parameter, narrowed.iter().any(is_narrowed), &mut count);
        }
    }
    let Count { written, refused, references } = count;
    assert!(written > 3_000 && refused > 17_000 && references > 180, "{written} {refused} {references}");
}

#[test]
fn each_exception_is_one_of_the_standard_and_has_a_reason() {
    let [device, service] = tables();
    let all = Model::of([device, service]);
    let exceptions = exceptions();
    assert!(exceptions.len() >= 10, "{}", exceptions.len());
    for exception in exceptions {
        let path = &exception.path;
        assert!(all.parameter(path).is_some() && exception.reason.len() > 10, "{path}");
        let access = Model::standard().parameter(path).unwrap().access;
        let is_narrowed = exception.code == Some(FaultCode::NOT_WRITABLE);
        assert_eq!(access == Access::ReadOnly, is_narrowed, "{path}: {}", exception.reason);
    }
}
