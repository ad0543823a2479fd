//! What exists on a kind of device: the tables, found by path.
//!
//! The tables are generated from the Broadband Forum's XML and carry facts only. What the product narrows stands
//! here, with its clause: credentials can hold nothing, and the tampering latch and the certificates belong to the device.
//!
//! ```text
//!   tables/device.txt, fapservice.txt ─▶ Model::standard    all that the standards know: the H(e)MS
//!   tables/cell.txt, selected of them ─▶ Model::cell        what a cell of this product has: the agent
//!   a vendor's tables beside it       ─▶ Model::cell_with   what a cell of that vendor has
//! ```

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use crate::{Access, Definition, Object, Parameter, Path, Profile, Table};

/// Parameters for a shared secret: they exist, read as empty and refuse writes. (TS 33.320 8.3.4, P-07, M-05)
const CREDENTIALS: [&str; 8] = [
    "Device.ManagementServer.Username",
    "Device.ManagementServer.Password",
    "Device.ManagementServer.ConnectionRequestUsername",
    "Device.ManagementServer.ConnectionRequestPassword",
    "Device.ManagementServer.STUNUsername",
    "Device.ManagementServer.STUNPassword",
    "Device.FAP.PerfMgmt.Config.{i}.Username",
    "Device.FAP.PerfMgmt.Config.{i}.Password",
];

/// The device's alone, although the model calls them writable.
const DEVICES_OWN: [&str; 2] = [
    // Latches for ever. (TR-196, M-09, G-13)
    "Device.Services.FAPService.{i}.FAPControl.EnclosureTamperingDetected",
    // A cell's trust changes by a signed bundle alone, whatever the model says. (A-06, A-20)
    "Device.Security.Certificate.{i}.Enable",
];

static CELL: LazyLock<Arc<Model>> = LazyLock::new(|| Arc::new(Model::of(committed(&CELL_TABLES))));

static STANDARD: LazyLock<Arc<Model>> = LazyLock::new(|| Arc::new(Model::standard_with(Vec::new())));

const CELL_TABLES: [&str; 2] = [include_str!("../tables/cell.txt"), include_str!("../tables/vendor.txt")];

const STANDARD_TABLES: [&str; 3] = [
    include_str!("../tables/device.txt"),
    include_str!("../tables/fapservice.txt"),
    include_str!("../tables/vendor.txt"),
];

/// True for a parameter that would hold a shared secret, concrete or schema path.
#[must_use]
pub fn is_credential(path: &Path) -> bool {
    CREDENTIALS.contains(&path.schema().as_str())
}

/// What exists on a kind of device, by schema path.
#[derive(Debug, Default, PartialEq)]
pub struct Model {
    /// In the order of their paths, so that what lies below an object is contiguous.
    definitions: Vec<Definition>,
    places: HashMap<Path, usize>,
    profiles: HashMap<String, Profile>,
}

impl Model {
    /// The LTE H(e)NB of this product: what its selection takes of TR-181 and TR-196, and its vendor parameters.
    #[must_use]
    pub fn cell() -> &'static Arc<Self> {
        &CELL
    }

    /// The same with a vendor's tables beside it: what the cell has already stays as the agent lives by it.
    #[must_use]
    pub fn cell_with(mut imported: Vec<Table>) -> Self {
        for table in &mut imported {
            table.definitions.retain(|definition| CELL.definition(definition.path()).is_none());
        }
        Self::of(committed(&CELL_TABLES).chain(imported))
    }

    /// Device:2 and FAPService:2 as they are, and the vendor parameters of this product.
    #[must_use]
    pub fn standard() -> &'static Arc<Self> {
        &STANDARD
    }

    /// The same with what an operator imported: a vendor's parameters, or a later edition.
    #[must_use]
    pub fn standard_with(imported: Vec<Table>) -> Self {
        Self::of(committed(&STANDARD_TABLES).chain(imported))
    }

    /// A model of several tables: of an object that two define the first one counts, of a parameter the last one.
    #[must_use]
    pub fn of(tables: impl IntoIterator<Item = Table>) -> Self {
        let mut definitions: HashMap<Path, Definition> = HashMap::new();
        let mut model = Self::default();
        for table in tables {
            for definition in table.definitions {
                let is_known = definitions.contains_key(definition.path());
                if !is_known || matches!(definition, Definition::Parameter(_)) {
                    definitions.insert(definition.path().clone(), definition);
                }
            }
            model.profiles.extend(table.profiles.into_iter().map(|profile| (profile.name.clone(), profile)));
        }
        model.definitions = definitions.into_values().map(narrowed).collect();
        model.definitions.sort_by(|left, right| left.path().cmp(right.path()));
        let places = model.definitions.iter().enumerate().map(|(at, one)| (one.path().clone(), at));
        model.places = places.collect();
        model
    }

    /// Everything, objects before what they contain.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.iter()
    }

    /// Everything at and below a schema path.
    pub fn below<'a>(&'a self, schema: &'a Path) -> impl Iterator<Item = &'a Definition> {
        let start = self.definitions.partition_point(|one| one.path() < schema);
        let rest = self.definitions.get(start..).unwrap_or_default();
        rest.iter().take_while(move |one| schema.contains(one.path()))
    }

    /// All parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.definitions().filter_map(|definition| match definition {
            Definition::Parameter(parameter) => Some(parameter),
            Definition::Object(_) => None,
        })
    }

    /// What is known of a path, concrete or schema.
    #[must_use]
    pub fn definition(&self, path: &Path) -> Option<&Definition> {
        self.definitions.get(*self.places.get(&path.schema())?)
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

    /// The profiles, in no order.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// The profile of that name.
    #[must_use]
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }
}

/// A committed table is as the generator wrote it, which a test reads; anything else would be nothing.
fn committed<'a>(texts: &'a [&str]) -> impl Iterator<Item = Table> + 'a {
    texts.iter().filter_map(|text| Table::read(text).ok())
}

fn narrowed(definition: Definition) -> Definition {
    let Definition::Parameter(mut parameter) = definition else { return definition };
    let is_credential = CREDENTIALS.contains(&parameter.path.as_str());
    if is_credential || DEVICES_OWN.contains(&parameter.path.as_str()) {
        parameter.access = Access::ReadOnly;
    }
    parameter.syntax.is_hidden |= is_credential;
    Definition::Parameter(parameter)
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
