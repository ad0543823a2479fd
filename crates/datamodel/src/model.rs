//! The table of definitions, read once.
//!
//! `fap.txt` carries facts of the standard's data models only. What the product narrows stands here, with its clause:
//! credentials can hold nothing, and the tampering latch and the certificates belong to the device.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::{Access, Definition, Kind, Notification, Object, Parameter, Path};

/// Parameters for a shared secret: they exist, read as empty and refuse writes. (TS 33.320 8.3.4, P-07, M-05)
pub const CREDENTIALS: [&str; 4] = [
    "Device.ManagementServer.Username",
    "Device.ManagementServer.Password",
    "Device.ManagementServer.ConnectionRequestUsername",
    "Device.ManagementServer.ConnectionRequestPassword",
];

/// Latches for ever, by the device alone, although the model calls it writable. (TR-196, M-09, G-13)
const TAMPER_LATCH: &str = "Device.Services.FAPService.{i}.FAPControl.EnclosureTamperingDetected";

/// A cell's trust changes by a signed bundle alone, whatever the model says. (A-06, A-20)
const CERTIFICATE_SWITCH: &str = "Device.Security.Certificate.{i}.Enable";

static CELL: LazyLock<Model> = LazyLock::new(|| Model::read(include_str!("fap.txt")));

/// What exists on a kind of device, by schema path.
#[derive(Debug)]
pub struct Model {
    definitions: BTreeMap<Path, Definition>,
}

impl Model {
    /// The LTE H(e)NB of this product: TR-181 and TR-196, as far as it goes, and its vendor parameters.
    #[must_use]
    pub fn cell() -> &'static Self {
        &CELL
    }

    /// Everything, objects before what they contain.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.values()
    }

    /// What is known of a path, concrete or schema.
    #[must_use]
    pub fn definition(&self, path: &Path) -> Option<&Definition> {
        self.definitions.get(&path.schema())
    }

    /// The parameter of that path, concrete or schema.
    #[must_use]
    pub fn parameter(&self, path: &Path) -> Option<&Parameter> {
        match self.definition(path)? {
            Definition::Parameter(parameter) => Some(parameter),
            Definition::Object(_) => None,
        }
    }

    /// The object of that path, concrete or schema; a table by its `{i}.` path or by a row's.
    #[must_use]
    pub fn object(&self, path: &Path) -> Option<&Object> {
        match self.definition(path)? {
            Definition::Object(object) => Some(object),
            Definition::Parameter(_) => None,
        }
    }

    /// The table of which `path` is the object without row number, as AddObject names it.
    #[must_use]
    pub fn table(&self, path: &Path) -> Option<&Object> {
        if !path.is_partial() {
            return None;
        }
        let rows = Path::parse(&format!("{}{{i}}.", path.schema())).ok()?;
        self.object(&rows)
    }

    fn read(text: &'static str) -> Self {
        let rows = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let definitions = rows.filter_map(read_row).map(|row| (row.path().clone(), row));
        Self { definitions: definitions.collect() }
    }
}

impl Definition {
    /// The schema path.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Object(object) => &object.path,
            Self::Parameter(parameter) => &parameter.path,
        }
    }
}

/// A row that cannot be read gives nothing; a test counts that none is lost.
fn read_row(line: &str) -> Option<Definition> {
    let (facts, words) = match line.split_once("  [") {
        Some((facts, words)) => (facts, words.strip_suffix(']')?),
        None => (line, ""),
    };
    let mut columns = facts.split_whitespace();
    let path = Path::parse(columns.next()?).ok()?;
    let sort = columns.next()?;
    let access = match columns.next()? {
        "rw" => Access::ReadWrite,
        "ro" => Access::ReadOnly,
        _ => return None,
    };
    match sort {
        "object" => read_object(path, access, columns).map(Definition::Object),
        "parameter" => read_parameter(path, access, columns, words).map(Definition::Parameter),
        _ => None,
    }
}

fn read_object<'a>(path: Path, access: Access, facts: impl Iterator<Item = &'a str>) -> Option<Object> {
    let mut object = Object { path, access, most_rows: None, count: None };
    for fact in facts {
        match fact.split_once('=')? {
            ("rows", range) => object.most_rows = range.split_once("..")?.1.parse().ok(),
            ("count", name) => object.count = Some(name.to_owned()),
            _ => return None,
        }
    }
    Some(object)
}

fn read_parameter<'a>(
    path: Path,
    access: Access,
    mut facts: impl Iterator<Item = &'a str>,
    words: &str,
) -> Option<Parameter> {
    let kind = facts.next()?;
    let is_list = kind.starts_with("list:");
    let kind = read_kind(kind.strip_prefix("list:").unwrap_or(kind))?;
    let access = narrowed(&path, access);
    let is_hidden = CREDENTIALS.contains(&path.as_str());
    let mut parameter = Parameter {
        path,
        access,
        kind,
        is_list,
        characters: (0, None),
        list_characters: None,
        ranges: Vec::new(),
        enumeration: words.split('|').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        is_forced_inform: false,
        notification: Notification::Off,
        is_hidden,
        is_command: false,
        default: None,
    };
    facts.try_for_each(|fact| parameter.read_fact(fact))?;
    Some(parameter)
}

impl Parameter {
    fn read_fact(&mut self, fact: &str) -> Option<()> {
        match fact.split_once('=').unwrap_or((fact, "")) {
            ("min", number) => self.characters.0 = number.parse().ok()?,
            ("max", number) => self.characters.1 = Some(number.parse().ok()?),
            ("total", number) => self.list_characters = Some(number.parse().ok()?),
            ("range", ranges) => self.ranges = ranges.split(',').map(read_range).collect::<Option<_>>()?,
            ("default", value) => self.default = Some(value.to_owned()),
            // How many items a list must have is a demand on a finished configuration, not on a write.
            ("items", _) => {}
            ("inform", _) => self.is_forced_inform = true,
            ("active", _) => self.notification = Notification::Active,
            ("hidden", _) => self.is_hidden = true,
            ("command", _) => self.is_command = true,
            _ => return None,
        }
        Some(())
    }
}

fn read_range(text: &str) -> Option<(Option<i64>, Option<i64>)> {
    let (from, to) = text.split_once("..")?;
    let bound = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    Some((bound(from)?, bound(to)?))
}

fn read_kind(text: &str) -> Option<Kind> {
    Some(match text {
        "string" => Kind::String,
        "int" => Kind::Int,
        "unsignedInt" => Kind::UnsignedInt,
        "boolean" => Kind::Boolean,
        "dateTime" => Kind::DateTime,
        _ => return None,
    })
}

fn narrowed(path: &Path, access: Access) -> Access {
    let is_narrowed =
        CREDENTIALS.contains(&path.as_str()) || [TAMPER_LATCH, CERTIFICATE_SWITCH].contains(&path.as_str());
    if is_narrowed { Access::ReadOnly } else { access }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn no_row_of_the_table_is_lost() {
        let rows = include_str!("fap.txt").lines().filter(|line| line.starts_with("Device."));
        assert_eq!(rows.count(), Model::cell().definitions().count());
    }

    #[test]
    fn m02_every_table_has_its_count_beside_it() {
        for definition in Model::cell().definitions() {
            let Definition::Object(object) = definition else { continue };
            assert_eq!(object.is_table(), object.count.is_some(), "{}", object.path);
            let Some(count) = &object.count else { continue };
            let count = path(&format!("{}{count}", object.path.parent().parent()));
            assert!(Model::cell().parameter(&count).is_some(), "{count}");
        }
    }

    #[test]
    fn every_definition_stands_in_an_object() {
        for definition in Model::cell().definitions() {
            let mut parent = definition.path().parent();
            if definition.path().last() == "{i}" {
                parent = parent.parent();
            }
            assert!(parent.as_str().is_empty() || Model::cell().object(&parent).is_some(), "{parent}");
        }
    }

    #[test]
    fn c04_what_every_inform_carries() {
        let forced = Model::cell().definitions().filter_map(|definition| match definition {
            Definition::Parameter(parameter) if parameter.is_forced_inform => {
                Some(parameter.path.to_string())
            }
            Definition::Parameter(_) | Definition::Object(_) => None,
        });
        expect_test::expect![[r#"
            Device.DeviceInfo.HardwareVersion
            Device.DeviceInfo.ProvisioningCode
            Device.DeviceInfo.SoftwareVersion
            Device.ManagementServer.AliasBasedAddressing
            Device.ManagementServer.ConnectionRequestURL
            Device.ManagementServer.ParameterKey
            Device.RootDataModelVersion
            Device.Services.FAPService.{i}.FAPControl.LTE.OpState
            Device.Services.FAPService.{i}.FAPControl.LTE.RFTxStatus
            Device.Time.X_00005E_LocalClock"#]]
        .assert_eq(&forced.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn p07_credentials_are_hidden_and_refuse_writes() {
        for name in CREDENTIALS {
            let parameter = Model::cell().parameter(&path(name)).unwrap();
            assert!(parameter.is_hidden && parameter.access == Access::ReadOnly, "{name}");
        }
    }

    #[test]
    fn a_table_is_found_as_addobject_names_it() {
        let rows = path("Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.");
        assert!(Model::cell().table(&rows).is_some_and(|table| table.most_rows == Some(6)));
        assert!(Model::cell().table(&path("Device.Time.")).is_none());
        assert!(Model::cell().object(&rows.row(1)).is_some());
    }
}
