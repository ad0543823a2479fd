//! What is checked of a template when it is saved; every complaint at once, each with its place.
//!
//! The management URL goes through the one constructor, and credentials are refused altogether: they would be a
//! shared secret. (TS 33.320 8.3.4, P-07, P-11) Paths and values are those of the data model. What a vendor added,
//! a path with a segment `X_…` that the model does not know, is taken as it is.

use std::collections::BTreeMap;

use datamodel::{Access, Model, Parameter, Path, is_credential};
use profile::{HemsUrl, TransportMode};

use super::{Template, Wanted, WantedObject, is_cell};
use crate::{pool::Pool, radio};

/// Values and rows of one template: more is a mistake of a script.
const ENTRIES_MAX: usize = 2_000;
/// Characters of a path. (H-27)
const PATH_MAX: usize = 256;
/// Characters of a value.
const VALUE_MAX: usize = 64 * 1024;
/// Characters of a name in the API.
const NAME_MAX: usize = 64;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub(crate) struct Complaint {
    pub(crate) place: String,
    pub(crate) message: String,
}

/// Whether a text can name a template or a pool.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// The pools that there are.
pub(crate) type Pools = BTreeMap<String, Pool>;

/// Everything that is wrong with a template.
pub(crate) fn check(
    template: &Template,
    mode: TransportMode,
    pools: &Pools,
    model: &Model,
) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let rows: usize = template.objects.iter().map(|object| object.rows.len()).sum();
    if template.values.len() + rows > ENTRIES_MAX {
        complain(&mut complaints, "", format!("a template has at most {ENTRIES_MAX} values and rows"));
    }
    for (path, wanted) in &template.values {
        check_value(&mut complaints, path, wanted, mode);
        if let Some(object) = template.objects.iter().find(|object| is_cell(&object.object, path)) {
            complain(&mut complaints, path, filled(&object.object));
        }
        check_wanted(&mut complaints, path, wanted, pools, model);
    }
    for (index, object) in template.objects.iter().enumerate() {
        let twice = template.objects.iter().take(index).any(|other| other.object == object.object);
        if twice {
            complain(&mut complaints, &object.object, "the table stands here twice");
        }
        check_object(&mut complaints, object, pools, model);
    }
    complaints
}

/// What is wrong with a value in a row of a table that a template fills.
pub(crate) fn filled(table: &str) -> String {
    format!("is in a row of {table:.256}, which a template fills: say it in the rows there")
}

fn complain(complaints: &mut Vec<Complaint>, place: &str, message: impl Into<String>) {
    let place = place.chars().take(PATH_MAX).collect();
    complaints.push(Complaint { place, message: message.into() });
}

fn check_value(complaints: &mut Vec<Complaint>, path: &str, wanted: &Wanted, mode: TransportMode) {
    if !is_path(path) || path.ends_with('.') {
        complain(complaints, path, "is no full path of a parameter, such as Device.Time.Enable");
    }
    if Path::parse(path).is_ok_and(|path| is_credential(&path)) {
        complain(
            complaints,
            path,
            "would carry a shared secret; certificates alone authenticate (TS 33.320 8.3.4)",
        );
    }
    if radio::SERVICE_STATES.contains(&path) && path != radio::ADMIN_STATE {
        complain(complaints, path, "is what the cell reports and cannot be set");
    }
    if path == radio::ADMIN_STATE
        && !matches!(wanted.literal().as_deref(), Some("true" | "false" | "1" | "0"))
    {
        complain(complaints, path, "is true or false");
    }
    if path == radio::MANAGEMENT_URL {
        check_url(complaints, wanted, mode);
    }
}

fn check_url(complaints: &mut Vec<Complaint>, wanted: &Wanted, mode: TransportMode) {
    match wanted.literal().map(|text| HemsUrl::parse(&text, mode)) {
        Some(Ok(_)) => {}
        Some(Err(error)) => complain(complaints, radio::MANAGEMENT_URL, error.to_string()),
        None => complain(complaints, radio::MANAGEMENT_URL, "is the same for every device: a text"),
    }
}

fn check_object(complaints: &mut Vec<Complaint>, object: &WantedObject, pools: &Pools, model: &Model) {
    let place = object.object.as_str();
    if !is_path(place) || !place.ends_with('.') {
        complain(complaints, place, "is no path of a table, such as Device.Users.User.");
    } else {
        check_table(complaints, object, model);
    }
    let mut keys = Vec::new();
    for row in &object.rows {
        match row.get(&object.key) {
            None => complain(complaints, place, format!("each row needs its key `{}`", object.key)),
            Some(key) if key.literal().is_some_and(|key| key.is_empty()) => {
                complain(complaints, place, "a key is never empty");
            }
            // What two expressions give is known for a device only.
            Some(Wanted::Expression(_)) => {}
            Some(key) => keys.push(key.literal()),
        }
        for (column, wanted) in row {
            if column.is_empty() || column.contains('.') || column.len() > PATH_MAX {
                complain(complaints, place, format!("`{column}` is no name of a column"));
                continue;
            }
            let cell = format!("{place}1.{column}");
            check_wanted(complaints, &cell, wanted, pools, model);
        }
    }
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    if keys.len() < count {
        complain(complaints, place, "two rows have the same key");
    }
}

/// A table of the model that the H(e)MS may fill, with no more rows than it can have.
fn check_table(complaints: &mut Vec<Complaint>, object: &WantedObject, model: &Model) {
    let place = object.object.as_str();
    let table = Path::parse(place).ok().and_then(|path| model.table(&path));
    match table {
        None if is_vendors(place) => {}
        None => complain(complaints, place, "the data model has no such table"),
        Some(table) if table.access == Access::ReadOnly => {
            complain(complaints, place, "only the cell itself adds rows to this table");
        }
        Some(table) => {
            let most = table.entries.1.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
            if object.rows.len() > most {
                complain(complaints, place, format!("the table has at most {most} rows"));
            }
        }
    }
}

/// A value, and whether the parameter can hold it; nothing more is said of a place with a complaint already.
fn check_wanted(complaints: &mut Vec<Complaint>, place: &str, wanted: &Wanted, pools: &Pools, model: &Model) {
    if complaints.iter().any(|complaint| complaint.place == place) {
        return;
    }
    if let Some(pool) = wanted.pools().iter().find(|pool| !pools.contains_key(*pool)) {
        return complain(complaints, place, format!("there is no pool `{pool:.64}`"));
    }
    let message = match wanted {
        Wanted::Draw(draw) => {
            let ends = pools.get(&draw.pool).into_iter().flat_map(|pool| [pool.first, pool.last]);
            ends.map(|end| check_text(place, "the pool gives", &end.to_string(), model)).find_map(Result::err)
        }
        // What it gives is known for a device only.
        Wanted::Expression(expression) => match expression.check() {
            Ok(()) => check_place(place, model).err(),
            Err(error) => Some(error.to_string()),
        },
        Wanted::Text(_) | Wanted::Boolean(_) | Wanted::Number(_) => {
            let text = wanted.literal().unwrap_or_default();
            check_text(place, "the value is", &text, model).err()
        }
    };
    if let Some(message) = message {
        complain(complaints, place, message);
    }
}

/// Whether a place can hold a text; `what` begins the complaint that it cannot.
pub(crate) fn check_text(place: &str, what: &str, text: &str, model: &Model) -> Result<(), String> {
    if text.len() > VALUE_MAX {
        return Err("the value is too long".to_owned());
    }
    if !text.chars().all(cwmp::is_carried) {
        return Err("the value has a character that XML cannot carry".to_owned());
    }
    match check_place(place, model)? {
        Some(parameter) => {
            parameter.written(text).map(drop).map_err(|error| format!("{what} \"{text:.64}\"; {error}"))
        }
        None => Ok(()),
    }
}

/// The parameter at a place that the H(e)MS may write; nothing for one that only its vendor knows.
fn check_place<'m>(place: &str, model: &'m Model) -> Result<Option<&'m Parameter>, String> {
    match Path::parse(place).ok().and_then(|path| model.parameter(&path)) {
        None if is_vendors(place) => Ok(None),
        None => Err("the data model has no such parameter".to_owned()),
        Some(parameter) if parameter.access == Access::ReadOnly => {
            Err("only the cell itself writes this parameter".to_owned())
        }
        Some(parameter) => Ok(Some(parameter)),
    }
}

fn is_vendors(path: &str) -> bool {
    path.split('.').any(|segment| segment.starts_with("X_"))
}

fn is_path(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    text.len() <= PATH_MAX && text.starts_with("Device.") && !text.contains("..") && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(json: &str) -> Vec<String> {
        let template = serde_json::from_str(json).unwrap();
        let pools = Pools::from([
            ("pci".to_owned(), Pool { first: 0, last: 503 }),
            ("large".to_owned(), Pool { first: 0, last: 70_000 }),
        ]);
        check(&template, TransportMode::Public, &pools, Model::standard())
            .into_iter()
            .map(|c| format!("{}: {}", c.place, c.message))
            .collect()
    }

    #[test]
    fn p07_a_template_carries_no_credentials() {
        let paths = ["Username", "Password", "ConnectionRequestUsername", "ConnectionRequestPassword"]
            .map(|name| format!("Device.ManagementServer.{name}"));
        for path in paths {
            let found = complaints(&format!(r#"{{"values": {{"{path}": ""}}}}"#));
            assert!(found.iter().any(|text| text.contains("shared secret")), "{path}: {found:?}");
        }
    }

    #[test]
    fn p11_a_template_pushes_no_http_url() {
        let found = complaints(r#"{"values": {"Device.ManagementServer.URL": "http://hems.example/"}}"#);
        assert!(found[0].contains("https"), "{found:?}");
        assert!(
            complaints(r#"{"values": {"Device.ManagementServer.URL": "https://hems.example/"}}"#).is_empty()
        );
        assert!(!complaints(r#"{"values": {"Device.ManagementServer.URL": {"pool": "url"}}}"#).is_empty());
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let found = complaints(
            r#"{"values": {"Device.": "x", "InternetGatewayDevice.A": "y", "Device.X_B": {"pool": "No Name"}},
                "objects": [{"object": "Device.T", "key": "X_K", "rows": [{"X_A": "1"}, {"X_K": ""}]},
                            {"object": "Device.X_U.", "key": "K", "rows": [{"K": "1"}, {"K": "1"}]}]}"#,
        );
        assert_eq!(found.len(), 7, "{found:#?}");
    }

    #[test]
    fn a_value_in_a_table_that_the_template_fills_is_refused() {
        let table = radio::PLMN_LIST;
        let found = complaints(&format!(
            r#"{{"values": {{"{table}2.Enable": false}},
                 "objects": [{{"object": "{table}", "key": "PLMNID", "rows": [{{"PLMNID": "00101"}}]}}]}}"#
        ));
        assert!(matches!(&found[..], [only] if only.contains("say it in the rows there")), "{found:#?}");
    }

    #[test]
    fn a_good_template_is_not_complained_about() {
        let (path, pci, table) = (radio::ADMIN_STATE, radio::PCI, radio::PLMN_LIST);
        let found = complaints(&format!(
            r#"{{"values": {{"{path}": true, "{pci}": {{"pool": "pci"}}, "Device.X_00005E_Lamp": "on"}},
                 "objects": [{{"object": "{table}", "key": "PLMNID",
                               "rows": [{{"PLMNID": "00101", "Enable": true, "X_A": 1}}, {{"PLMNID": {{"pool": "pci"}}}}]}},
                             {{"object": "Device.X_00005E_Beams.", "key": "K", "rows": [{{"K": "1"}}]}}]}}"#
        ));
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn what_the_data_model_does_not_allow_is_said_with_its_place() {
        let (tac, table) = (radio::TAC, radio::PLMN_LIST);
        let row = |number: u32| format!(r#"{{"PLMNID": "{number}"}}"#);
        let rows = (0..7).map(row).collect::<Vec<_>>().join(",");
        for (json, right) in [
            (r#"{"values": {"Device.Tme.Enable": true}}"#.to_owned(), "no such parameter"),
            (format!(r#"{{"values": {{"{tac}": 70000}}}}"#), "\"70000\"; a number in 0..65535 is right"),
            (format!(r#"{{"values": {{"{tac}": {{"pool": "large"}}}}}}"#), "the pool gives \"70000\""),
            (format!(r#"{{"values": {{"{tac}": {{"pool": "none"}}}}}}"#), "there is no pool `none`"),
            (r#"{"values": {"Device.DeviceInfo.SoftwareVersion": "2"}}"#.to_owned(), "only the cell itself"),
            (
                r#"{"objects": [{"object": "Device.Time.", "key": "X_K", "rows": []}]}"#.to_owned(),
                "no such table",
            ),
            (
                format!(r#"{{"objects": [{{"object": "{table}", "key": "PLMNID", "rows": [{rows}]}}]}}"#),
                "at most 6 rows",
            ),
            (
                format!(
                    r#"{{"objects": [{{"object": "{table}", "key": "PLMNID", "rows": [{{"PLMNID": "1", "Enabled": 1}}]}}]}}"#
                ),
                "1.Enabled: the data model has no such parameter",
            ),
        ] {
            let found = complaints(&json);
            assert!(matches!(&found[..], [only] if only.contains(right)), "{right}: {found:#?}");
        }
    }

    #[test]
    fn m11_a_template_is_checked_against_an_imported_model_too() {
        let table = "model x\nDevice.X_ACME_Fan. ro\n Speed rw : unsignedInt range=0..9\n";
        let model = Model::standard_with(vec![datamodel::Table::read(table).unwrap()]);
        let check = |speed: &str| {
            let json = format!(r#"{{"values": {{"Device.X_ACME_Fan.Speed": {speed}}}}}"#);
            let template = serde_json::from_str(&json).unwrap();
            check(&template, TransportMode::Public, &Pools::new(), &model)
        };
        assert!(check("9").is_empty());
        assert!(check("10")[0].message.contains("a number in 0..9 is right"), "{:?}", check("10"));
    }
}
