//! What products get wrong, as data: which product, what it does, and what is done about it.
//!
//! One rule: a quirk is a row and never a subclass. The codec, the session and the plan are given the [`Quirks`] of the
//! product that they talk to and ask them; the simulated cell is given the same and plays them. No effect touches
//! who a device is or what the TLS profile wants of it.
//!
//! ```text
//!  quirks.toml ──▶ Quirk ──Product of the Inform──▶ Quirks ──▶ H(e)MS: session, plan      cell: the same, played
//! ```

mod pattern;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use pattern::{Pattern, PatternError, Versions};

use crate::{Inform, Leniency, Version};

/// The known products, as TOML: a list of `[[quirk]]`, each a [`Quirk`].
pub const KNOWN: &str = include_str!("quirks.toml");

/// Most parameters of a call that [`Effect::AtMost`] may name: no H(e)MS of ours asks for more at once.
const PARAMETERS_MAX: usize = 64;

/// What one product gets wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    /// What it is called: 1 to 64 of a-z, 0-9 and `-`.
    pub name: String,
    /// Which manufacturers, as DeviceId says it; `*` stands for any text.
    pub manufacturer: Pattern,
    /// Which OUIs; all where it is left out.
    #[serde(default)]
    pub oui: Pattern,
    /// Which products: DeviceId's ProductClass or DeviceInfo's ModelName.
    pub product: Pattern,
    /// Which software: a pattern, or a range such as `1.2..2.0` with the second bound excluded; all where it is left out.
    #[serde(default)]
    pub software: Versions,
    /// What the product does, in a sentence.
    pub what: String,
    /// What is done about it.
    pub effects: Vec<Effect>,
    /// The messages that show it, an Inform of the product among them; required of the known products alone.
    #[serde(default)]
    pub golden: Vec<String>,
}

/// What is done about a quirk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// `{ expects = "NAME" }`: this leniency is known of the product, and not counted as misbehaviour again.
    #[serde(with = "leniency")]
    Expects(Leniency),
    /// `{ speaks = "1.0" }`: messages to it are in this CWMP namespace (1.0, 1.1 or 1.2), whatever it informs in.
    #[serde(with = "version")]
    Speaks(Version),
    /// `{ at_most = N }`: it refuses calls with more than N parameters, so they are split; 1 to 64.
    #[serde(deserialize_with = "count")]
    AtMost(usize),
    /// `{ moved = { path = "PATH", to = "PATH" } }`: a parameter, or all below an object, lies elsewhere than in the model.
    Moved(Move),
    /// `{ lacks = "PATH" }`: a parameter of the model that can be neither read nor written, or an object with all below
    /// it; `{i}` stands for every row. What is desired of it is left out, and shown as left out.
    Lacks(String),
    /// `"unlisted_rows"`: GetParameterNames does not name the rows of a table, so its values are read instead.
    UnlistedRows,
    /// `"untyped_values"`: it calls every value a string; the model says which type it has.
    UntypedValues,
}

/// From where the model has something to where the product has it; both are parameters, or both objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Where the model has it.
    pub path: String,
    /// Where the product has it.
    pub to: String,
}

/// What a device says that it is; a quirk matches it and nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Product<'a> {
    /// DeviceId.
    pub manufacturer: &'a str,
    /// DeviceId.
    pub oui: &'a str,
    /// DeviceId.
    pub product_class: &'a str,
    /// DeviceInfo, where it is known.
    pub model_name: Option<&'a str>,
    /// DeviceInfo, where it is known.
    pub software_version: Option<&'a str>,
}

impl<'a> Product<'a> {
    /// What an Inform says, whatever the root of its data model is called. (TR-069 A.3.3.1)
    #[must_use]
    pub fn of(inform: &'a Inform) -> Self {
        let fact = |wanted: &str| {
            let is_it = |name: &str| name.split_once('.').is_some_and(|(_, below)| below == wanted);
            let parameter = inform.parameter_list.iter().find(|parameter| is_it(&parameter.name));
            parameter.map(|parameter| &*parameter.value.text)
        };
        Self {
            manufacturer: &inform.device_id.manufacturer,
            oui: &inform.device_id.oui,
            product_class: &inform.device_id.product_class,
            model_name: fact("DeviceInfo.ModelName"),
            software_version: fact("DeviceInfo.SoftwareVersion"),
        }
    }
}

impl Quirk {
    /// Whether a product has it.
    #[must_use]
    pub fn matches(&self, product: &Product<'_>) -> bool {
        let is_product = self.product.matches(product.product_class)
            || product.model_name.is_some_and(|name| self.product.matches(name));
        is_product
            && self.manufacturer.matches(product.manufacturer)
            && self.oui.matches(product.oui)
            && self.software.matches(product.software_version)
    }
}

/// The quirks of one product; none for one that does nothing wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quirks(Vec<Quirk>);

impl FromIterator<Quirk> for Quirks {
    fn from_iter<I: IntoIterator<Item = Quirk>>(quirks: I) -> Self {
        Self(quirks.into_iter().collect())
    }
}

impl Quirks {
    /// Those of a table that a product has.
    #[must_use]
    pub fn of(table: &[Quirk], product: &Product<'_>) -> Self {
        table.iter().filter(|quirk| quirk.matches(product)).cloned().collect()
    }

    /// What they are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|quirk| quirk.name.as_str())
    }

    /// What is done about all of them.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.0.iter().flat_map(|quirk| &quirk.effects)
    }

    /// Whether a leniency, by its name, is known of the product.
    #[must_use]
    pub fn expects(&self, name: &str) -> bool {
        self.effects().any(|effect| matches!(effect, Effect::Expects(leniency) if leniency.name() == name))
    }

    /// The namespace that the product wants, where it wants another than its own; the oldest of several.
    #[must_use]
    pub fn speaks(&self) -> Option<Version> {
        let wanted =
            |effect: &Effect| if let Effect::Speaks(version) = effect { Some(*version) } else { None };
        self.effects().filter_map(wanted).min()
    }

    /// How many parameters a call may have, where that is less than usual.
    #[must_use]
    pub fn at_most(&self) -> Option<usize> {
        let bound = |effect: &Effect| if let Effect::AtMost(count) = effect { Some(*count) } else { None };
        self.effects().filter_map(bound).min()
    }

    /// Whether the rows of a table are only seen in its values.
    #[must_use]
    pub fn has_unlisted_rows(&self) -> bool {
        self.has(&Effect::UnlistedRows)
    }

    /// Whether the product's word on types counts for nothing.
    #[must_use]
    pub fn has_untyped_values(&self) -> bool {
        self.has(&Effect::UntypedValues)
    }

    /// Whether the product has nothing at a path of the model.
    #[must_use]
    pub fn lacks(&self, path: &str) -> bool {
        self.effects().any(|effect| matches!(effect, Effect::Lacks(lacking) if covers(lacking, path)))
    }

    /// Where the product has what the model has at `path`.
    #[must_use]
    pub fn wire_path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let mut moves = self.moves();
        moves.find_map(|entry| rebased(path, &entry.path, &entry.to)).map_or_else(|| path.into(), Cow::Owned)
    }

    /// Where the model has what the product has at `path`.
    #[must_use]
    pub fn model_path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let mut moves = self.moves();
        moves.find_map(|entry| rebased(path, &entry.to, &entry.path)).map_or_else(|| path.into(), Cow::Owned)
    }

    fn moves(&self) -> impl Iterator<Item = &Move> {
        self.effects().filter_map(|effect| if let Effect::Moved(entry) = effect { Some(entry) } else { None })
    }

    fn has(&self, effect: &Effect) -> bool {
        self.effects().any(|one| one == effect)
    }
}

/// `path` below `to` instead of `from`; nothing where it is not at or below `from`.
fn rebased(path: &str, from: &str, to: &str) -> Option<String> {
    let rest = path.strip_prefix(from)?;
    (rest.is_empty() || from.ends_with('.')).then(|| format!("{to}{rest}"))
}

/// Whether `path` is the schema path, or lies at or below it where that is an object.
fn covers(schema: &str, path: &str) -> bool {
    let mut path = path.split('.');
    let is_number = |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let mut wanted = schema.split('.').peekable();
    while let Some(name) = wanted.next() {
        let is_end_of_object = name.is_empty() && wanted.peek().is_none();
        match path.next() {
            Some(_) if is_end_of_object => return true,
            Some(segment)
                if segment == name || (name == "{i}" && (is_number(segment) || segment == "{i}")) => {}
            _ => return false,
        }
    }
    path.next().is_none()
}

/// Leniencies by the names that counters have.
mod leniency {
    use super::{Deserialize, Deserializer, Leniency, Serializer, de};

    pub(super) fn serialize<S: Serializer>(leniency: &Leniency, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(leniency.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Leniency, D::Error> {
        let text = String::deserialize(from)?;
        Leniency::ALL.iter().find(|one| one.name() == text).copied().ok_or_else(|| {
            let names: Vec<&str> = Leniency::ALL.iter().map(|one| one.name()).collect();
            de::Error::custom(format!("`{text}` is no leniency; known are {}", names.join(", ")))
        })
    }
}

/// Namespaces by their numbers.
mod version {
    use super::{Deserialize, Deserializer, Serializer, Version, de};

    const NUMBERS: [(&str, Version); 3] =
        [("1.0", Version::V1_0), ("1.1", Version::V1_1), ("1.2", Version::V1_2)];

    pub(super) fn serialize<S: Serializer>(version: &Version, to: S) -> Result<S::Ok, S::Error> {
        let number = NUMBERS.iter().find(|(_, known)| known == version).map_or("", |(number, _)| number);
        to.serialize_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Version, D::Error> {
        let text = String::deserialize(from)?;
        let known = NUMBERS.iter().find(|(number, _)| *number == text);
        known.map(|(_, version)| *version).ok_or_else(|| {
            de::Error::custom(format!("`{text}` is no namespace of CWMP: 1.0, 1.1 or 1.2 is right"))
        })
    }
}

fn count<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let count = usize::deserialize(from)?;
    if (1..=PARAMETERS_MAX).contains(&count) {
        return Ok(count);
    }
    Err(de::Error::custom(format!("{count} parameters: 1 to {PARAMETERS_MAX} are right")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quirks(effects: &[Effect]) -> Quirks {
        let any = Pattern::default();
        let quirk = Quirk {
            name: "one".to_owned(),
            manufacturer: any.clone(),
            oui: any.clone(),
            product: any,
            software: Versions::default(),
            what: String::new(),
            effects: effects.to_vec(),
            golden: Vec::new(),
        };
        Quirks::from_iter([quirk])
    }

    fn moved(path: &str, to: &str) -> Effect {
        Effect::Moved(Move { path: path.to_owned(), to: to.to_owned() })
    }

    #[test]
    fn what_moved_is_found_both_ways_and_nothing_else_is() {
        let quirks = quirks(&[moved("Device.A.B", "Device.X_B"), moved("Device.Info.", "Gateway.Info.")]);
        for (path, wire) in [
            ("Device.A.B", "Device.X_B"),
            ("Device.Info.Name", "Gateway.Info.Name"),
            ("Device.Info.", "Gateway.Info."),
            ("Device.A.BC", "Device.A.BC"),
            ("Device.Infos", "Device.Infos"),
        ] {
            assert_eq!(quirks.wire_path(path), wire);
            assert_eq!(quirks.model_path(wire), path);
        }
    }

    #[test]
    fn what_is_lacking_is_lacking_in_every_row_and_below_an_object() {
        let quirks = quirks(&[Effect::Lacks("Device.T.{i}.K".into()), Effect::Lacks("Device.O.".into())]);
        for path in ["Device.T.1.K", "Device.T.{i}.K", "Device.O.", "Device.O.P", "Device.O.1.Q"] {
            assert!(quirks.lacks(path), "{path}");
        }
        for path in ["Device.T.1.L", "Device.T.x.K", "Device.T.1.K.M", "Device.O", "Device.P", "Device.T.1."]
        {
            assert!(!quirks.lacks(path), "{path}");
        }
    }

    #[test]
    fn of_several_quirks_the_narrowest_bound_counts() {
        let quirks = quirks(&[
            Effect::AtMost(8),
            Effect::AtMost(3),
            Effect::Speaks(Version::V1_1),
            Effect::Speaks(Version::V1_0),
        ]);
        assert_eq!((quirks.at_most(), quirks.speaks()), (Some(3), Some(Version::V1_0)));
        assert_eq!((Quirks::default().at_most(), Quirks::default().speaks()), (None, None));
    }

    #[test]
    fn a_quirk_is_of_its_product_and_of_its_software_alone() {
        let quirk = Quirk {
            manufacturer: "Acme*".to_owned().into(),
            product: "Cell-4?".replace('?', "*").into(),
            software: Versions::try_from("1.2..2.0".to_owned()).unwrap(),
            ..quirks(&[]).0.remove(0)
        };
        let product = Product {
            manufacturer: "ACME Ltd",
            oui: "00005E",
            product_class: "Cell-40",
            model_name: None,
            software_version: Some("1.10"),
        };
        assert!(quirk.matches(&product));
        assert!(quirk.matches(&Product { product_class: "x", model_name: Some("cell-4"), ..product }));
        assert!(!quirk.matches(&Product { manufacturer: "Emca", ..product }));
        assert!(!quirk.matches(&Product { product_class: "Cell-50", ..product }));
        assert!(!quirk.matches(&Product { software_version: Some("2.0"), ..product }));
        assert!(!quirk.matches(&Product { software_version: None, ..product }));
    }
}
