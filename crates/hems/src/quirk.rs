//! The quirks of one device: found by what it says of itself, and applied to what is desired of it and what it tells.
//!
//! One rule: everything that is known or desired stands at the model's paths with the model's types; a device's own
//! paths exist only in the messages to and from it. Which quirks a device has is computed, never stored.

use std::{borrow::Cow, collections::BTreeSet};

use cwmp::{Inform, ParameterValueStruct, Product, Quirk, Quirks, ValueKind};
use datamodel::{Model, Path};
use jiff::Timestamp;

use crate::{
    plan::{Desired, Known},
    radio,
    store::Binding,
};

/// The quirks of a device: who it was admitted as, and the rest as it last told.
pub(crate) fn of(table: &[Quirk], binding: &Binding, known: &Known) -> Quirks {
    let product = Product {
        manufacturer: known.text(radio::MANUFACTURER).unwrap_or_default(),
        oui: &binding.oui,
        product_class: &binding.product_class,
        model_name: known.text(radio::MODEL_NAME),
        software_version: known.text(radio::SOFTWARE),
    };
    Quirks::of(table, &product)
}

/// Takes up what an Inform says that quirks are found by, wherever it says it.
pub(crate) fn learn_product(known: &mut Known, inform: &Inform, at: Timestamp) {
    let product = Product::of(inform);
    let facts = [
        (radio::MANUFACTURER, Some(product.manufacturer)),
        (radio::MODEL_NAME, product.model_name),
        (radio::SOFTWARE, product.software_version),
    ];
    for (path, text) in facts {
        if let Some(text) = text {
            known.learn(path, text, ValueKind::String, at);
        }
    }
}

/// A parameter as the device gave it: its path in the model, and its type.
pub(crate) fn heard<'p>(quirks: &Quirks, parameter: &'p ParameterValueStruct) -> (Cow<'p, str>, ValueKind) {
    let (path, said) = (quirks.model_path(&parameter.name), parameter.value.kind);
    let kind = quirks.has_untyped_values().then(|| model_kind(&path)).flatten();
    (path, kind.unwrap_or(said))
}

fn model_kind(path: &str) -> Option<ValueKind> {
    kind(Model::standard(), path)
}

/// The type of a parameter by a model, where it has it.
pub(crate) fn kind(model: &Model, path: &str) -> Option<ValueKind> {
    Some(model.parameter(&Path::parse(path).ok()?)?.wire_kind())
}

/// Takes out of what is desired what the device lacks, and says what that was; a table without its key is none.
pub(crate) fn fit(mut desired: Desired, quirks: &Quirks) -> (Desired, Vec<String>) {
    let mut left_out = BTreeSet::new();
    let mut keeps = |path: &str| {
        let is_there = !quirks.lacks(path);
        if !is_there {
            left_out.insert(path.to_owned());
        }
        is_there
    };
    desired.values.retain(|path, _| keeps(path));
    desired.objects.retain(|table| keeps(&table.object) && keeps(&table.column(&table.key)));
    for table in &mut desired.objects {
        let object = table.object.clone();
        table.rows.iter_mut().for_each(|row| row.retain(|name, _| keeps(&format!("{object}{{i}}.{name}"))));
    }
    if desired.admin_state.is_some() && !keeps(radio::ADMIN_STATE) {
        desired.admin_state = None;
    }
    if desired.software.is_some() && !keeps(radio::SOFTWARE) {
        desired.software = None;
    }
    (desired, left_out.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cwmp::{Effect, quirk::Move};

    use super::*;
    use crate::plan::DesiredObject;

    fn quirks(effects: Vec<Effect>) -> Quirks {
        let known = datamodel::quirks::known().first().cloned().unwrap();
        Quirks::from_iter([Quirk { effects, ..known }])
    }

    #[test]
    fn what_a_device_lacks_is_left_out_and_named() {
        let row = BTreeMap::from(["K", "A"].map(|name| (name.to_owned(), "1".to_owned())));
        let table = |object: &str| DesiredObject {
            object: object.to_owned(),
            key: "K".to_owned(),
            rows: vec![row.clone()],
        };
        let desired = Desired {
            values: BTreeMap::from(["Device.P", "Device.Q"].map(|path| (path.to_owned(), String::new()))),
            objects: vec![table("Device.T."), table("Device.U.")],
            admin_state: Some(true),
            software: None,
        };
        let lacks = ["Device.P", radio::ADMIN_STATE, "Device.T.{i}.A", "Device.U.{i}.K"];
        let quirks = quirks(lacks.map(|path| Effect::Lacks(path.to_owned())).into());
        let (fitted, left_out) = fit(desired, &quirks);
        assert_eq!(left_out, lacks);
        assert_eq!(fitted.values.keys().collect::<Vec<_>>(), ["Device.Q"]);
        let tables: Vec<_> =
            fitted.objects.iter().map(|table| (&*table.object, table.rows[0].len())).collect();
        assert_eq!((tables, fitted.admin_state), (vec![("Device.T.", 1)], None));
    }

    #[test]
    fn a_type_is_the_models_where_the_device_knows_none() {
        let to = "Gateway.Time.Enable".to_owned();
        let moved = Effect::Moved(Move { path: radio::TAC.to_owned(), to: to.clone() });
        let said = ParameterValueStruct::new(to, cwmp::Value::string("7"));
        let plain = quirks(vec![moved.clone()]);
        assert_eq!(heard(&plain, &said), (radio::TAC.into(), ValueKind::String));
        let untyped = quirks(vec![moved, Effect::UntypedValues]);
        assert_eq!(heard(&untyped, &said), (radio::TAC.into(), ValueKind::UnsignedInt));
    }
}
