//! Values of a definition, right ones and wrong ones of each kind, and the written list of exceptions.
//!
//! ```text
//!   Parameter ─▶ good: one that it allows        ─▶ stored, and read back
//!             └▶ bad: type, form, word, range, gap, step, pattern, length, items, reference ─▶ 9006 or 9007
//! ```
//!
//! Two walks take them: one over the tree, one over the agent. What they shall be refused beside that is written in
//! docs/operate/models.md alone.

use std::fs;

use cwmp::{FaultCode, ValueKind};
use datamodel::{Kind, Model, Parameter, Path, Range, Reference, Target, Type};

/// The page with the exceptions.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate/models.md");

/// A row of the page: a good value gets this fault, or is taken for another one, for this reason.
pub(crate) struct Exception {
    pub(crate) path: Path,
    pub(crate) code: Option<FaultCode>,
    pub(crate) reason: String,
}

/// All rows of the page that open with a parameter.
pub(crate) fn exceptions() -> Vec<Exception> {
    let page = fs::read_to_string(PAGE).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let read = |row: &str| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [path, code, reason, ..] = cells.as_slice() else { panic!("{row:?} has no three cells") };
        let path = Path::parse(path.trim_end_matches('`')).unwrap();
        Exception { path, code: code.parse().ok().map(FaultCode), reason: (*reason).to_owned() }
    };
    rows.map(read).collect()
}

/// The path with row 1 of each table.
pub(crate) fn concrete(schema: &Path) -> Path {
    Path::parse(&schema.as_str().replace("{i}", "1")).unwrap()
}

/// A value that the definition allows, and that the ACS may write; a reference names row 1 of its first table.
pub(crate) fn good_value(parameter: &Parameter) -> String {
    if let Some(reference) = strong(parameter) {
        return target(reference);
    }
    let candidates = candidates(&parameter.syntax.item);
    let fits = |text: &&String| parameter.written(text).is_ok();
    candidates.iter().find(fits).cloned().unwrap_or_default()
}

/// A reference to rows that have to be there.
pub(crate) fn strong(parameter: &Parameter) -> Option<&Reference> {
    parameter.syntax.item.reference.as_ref().filter(|reference| reference.is_strong)
}

fn target(reference: &Reference) -> String {
    let anywhere = |parent: &&String| parent.as_str() != "Device.";
    let parent = reference.parents.first().filter(anywhere).map_or("Device.IP.Interface.", String::as_str);
    let table = parent.strip_suffix("{i}.").unwrap_or(parent).replace("{i}", "1");
    format!("{table}1")
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

/// Every way in which a value of this definition can be wrong, with its type on the wire and the fault.
pub(crate) fn bad_values(parameter: &Parameter) -> Vec<(ValueKind, String, FaultCode)> {
    let kind = parameter.wire_kind();
    let other = if kind == ValueKind::Boolean { ValueKind::Int } else { ValueKind::Boolean };
    let item = &parameter.syntax.item;
    let wrong = [
        wrong_forms(item.kind),
        wrong_words(item),
        wrong_numbers(&item.ranges),
        wrong_pattern(item),
        wrong_lengths(parameter),
        wrong_lists(parameter),
        wrong_references(parameter),
    ];
    let wrong = wrong.concat().into_iter().map(|text| (kind, text, FaultCode::INVALID_PARAMETER_VALUE));
    [(other, "1".to_owned(), FaultCode::INVALID_PARAMETER_TYPE)].into_iter().chain(wrong).collect()
}

fn wrong_forms(kind: Kind) -> Vec<String> {
    let texts: &[&str] = match kind {
        Kind::Int => &["neither", "2147483648"],
        Kind::UnsignedInt => &["neither", "4294967296"],
        Kind::Long => &["neither", "9223372036854775808"],
        Kind::UnsignedLong => &["neither", "18446744073709551616"],
        Kind::DateTime => &["neither", "2026-13-01T00:00:00Z"],
        Kind::Decimal | Kind::Boolean => &["neither"],
        Kind::HexBinary => &["0g"],
        Kind::Base64 => &["*"],
        Kind::String => &[],
    };
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn wrong_words(item: &Type) -> Vec<String> {
    let unknown = (!item.words.is_empty()).then(|| "no such word".to_owned());
    let own = item.words.iter().filter(|word| word.is_read_only).map(|word| word.text.clone());
    unknown.into_iter().chain(own).collect()
}

/// Whole numbers beside the bounds of each range, and between its steps, that no other range holds.
fn wrong_numbers(ranges: &[Range]) -> Vec<String> {
    let beside = |range: &Range| {
        let between = range.from.filter(|_| range.step.is_some_and(|step| step > 1.0));
        [range.from.map(|from| from - 1.0), range.to.map(|to| to + 1.0), between.map(|from| from + 1.0)]
    };
    let holds = |range: &Range, number: f64| {
        let from = range.from.unwrap_or(f64::MIN);
        let is_step = range.step.is_none_or(|step| ((number - from) / step).fract() == 0.0);
        number >= from && number <= range.to.unwrap_or(f64::MAX) && is_step
    };
    let numbers = ranges.iter().flat_map(beside).flatten();
    let wrong = numbers.filter(|number| !ranges.iter().any(|range| holds(range, *number)));
    wrong.map(|number| number.to_string()).collect()
}

/// A text of the right length that no pattern of the standard matches.
fn wrong_pattern(item: &Type) -> Vec<String> {
    let least = item.sizes.first().map_or(1, |size| size.0.max(1));
    let text = "?".repeat(usize::try_from(least).unwrap());
    if item.patterns.is_empty() { Vec::new() } else { vec![text] }
}

/// Too short, too long, and of a length between two that are right.
fn wrong_lengths(parameter: &Parameter) -> Vec<String> {
    let item = &parameter.syntax.item;
    let beside = |(least, most): &(u32, Option<u32>)| [least.checked_sub(1), most.map(|most| most + 1)];
    let holds = |length: u32| {
        item.sizes.iter().any(|(least, most)| (*least..=most.unwrap_or(u32::MAX)).contains(&length))
    };
    let units = [(Kind::HexBinary, "00"), (Kind::Base64, "AAAA")];
    let unit = units.iter().find(|(kind, _)| *kind == item.kind).map_or("x", |(_, unit)| *unit);
    let lengths = item.sizes.iter().flat_map(beside).flatten().filter(|length| !holds(*length));
    // A list of nothing has no item that could be too short, and a unit of base 64 is three octets.
    let is_told = |length: &u32| !(parameter.is_list() && *length == 0);
    let is_whole = |length: &u32| item.kind != Kind::Base64 || *length == 0 || item.sizes.len() == 1;
    lengths
        .filter(is_told)
        .filter(is_whole)
        .map(|length| unit.repeat(usize::try_from(length).unwrap()))
        .collect()
}

/// One item too many, too few, and too many characters.
fn wrong_lists(parameter: &Parameter) -> Vec<String> {
    let Some(list) = &parameter.syntax.list else { return Vec::new() };
    let good = good_value(parameter);
    let item = if good.is_empty() { "1" } else { good.as_str() };
    let items = |count: u32| vec![item; usize::try_from(count).unwrap()].join(",");
    let few = Some(list.items.0).filter(|least| *least > 1).map(|least| items(least - 1));
    let many = list.items.1.map(|most| items(most + 1));
    let long = list.characters.1.map(|most| items(most + 1));
    [few, many, long].into_iter().flatten().collect()
}

/// What is not there, what is there and elsewhere, and what is spelt with a dot at its end.
fn wrong_references(parameter: &Parameter) -> Vec<String> {
    let Some(reference) = strong(parameter) else { return Vec::new() };
    if matches!(reference.target, Target::Word | Target::Number) {
        return Vec::new();
    }
    let right = target(reference);
    let elsewhere = "Device.DeviceInfo.VendorLogFile.1";
    let is_elsewhere = !reference.parents.iter().any(|parent| elsewhere.starts_with(parent.as_str()));
    let is_elsewhere = is_elsewhere && !reference.parents.is_empty();
    let absent = format!("{}7", right.trim_end_matches('1'));
    let table = right.trim_end_matches(".1").to_owned();
    let mut wrong = vec!["Device.Nowhere.1".to_owned(), format!("{right}."), absent, table];
    wrong.extend(is_elsewhere.then(|| elsewhere.to_owned()));
    wrong
}

/// Every table of the standard, outer ones first, by its path with row 1 of those around it.
pub(crate) fn tables() -> Vec<Path> {
    let tables = Model::standard().definitions().filter_map(|definition| match definition {
        datamodel::Definition::Object(object) if object.is_table() => Some(concrete(&object.path.parent())),
        datamodel::Definition::Object(_) | datamodel::Definition::Parameter(_) => None,
    });
    tables.collect()
}
