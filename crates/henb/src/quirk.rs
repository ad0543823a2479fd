//! Plays a quirk: the simulated cell does wrong what a product does wrong, so that a H(e)MS can be tried against it.
//!
//! One rule: the cell itself does everything right, at the model's paths with the model's types. What the product does
//! wrong is put between it and the wire, where a real product has it too.
//!
//! ```text
//!   call ──hear: too many, lacking, elsewhere? faults──▶ execute ──say: elsewhere, untyped, unlisted──▶ response
//! ```

use std::fs;

use cwmp::{
    CpeMethod, CpeResponse, DateTime, Effect, Envelope, Fault, FaultCode, FromAcs, FromCpe, Inform, Leniency,
    ParameterValueStruct, Quirk, Quirks, Text, ValueKind,
};
use datamodel::{Path, quirks};

use crate::{cell::Cell, config::Names, device::path, execute};

/// The leniencies that a cell can ask of its H(e)MS; others are in the mark-up, which `cwmp` never writes wrong.
const PLAYED: [Leniency; 3] = [Leniency::MissingId, Leniency::MalformedTime, Leniency::OuiForm];

/// Finds a quirk by its name, among the known ones and those of a file.
///
/// # Errors
/// What is wrong with the file, or which names there are.
pub fn find(name: &str, more: Option<&std::path::Path>) -> Result<Quirk, String> {
    let mut table = quirks::known().to_vec();
    if let Some(file) = more {
        let text =
            fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let said = |errors: Vec<quirks::QuirkError>| {
            let lines = errors.iter().map(|error| format!("{}:{error}", file.display()));
            lines.collect::<Vec<_>>().join("\n")
        };
        table.extend(quirks::read(&text, &table).map_err(said)?);
    }
    let names = table.iter().map(|quirk| quirk.name.as_str()).collect::<Vec<_>>().join(", ");
    let unknown = || format!("there is no quirk \"{}\": one of {names} is right", name.escape_debug());
    table.iter().find(|quirk| quirk.name == name).cloned().ok_or_else(unknown)
}

/// The leniencies of a quirk that cannot be played.
pub fn unplayed(quirk: &Quirk) -> impl Iterator<Item = Leniency> {
    quirk.effects.iter().filter_map(|effect| match effect {
        Effect::Expects(leniency) if !PLAYED.contains(leniency) => Some(*leniency),
        Effect::Expects(_)
        | Effect::Speaks(_)
        | Effect::AtMost(_)
        | Effect::Moved(_)
        | Effect::Lacks(_)
        | Effect::UnlistedRows
        | Effect::UntypedValues => None,
    })
}

/// The names of a cell that plays a quirk: by them the H(e)MS finds it. The product is its ModelName, because the
/// ProductClass belongs to the identity that the cell was admitted with.
#[must_use]
pub fn names(quirk: &Quirk) -> Names {
    let names = Names::default();
    let example = |text: String, default: String| if text.is_empty() { default } else { text };
    Names {
        manufacturer: example(quirk.manufacturer.example(), names.manufacturer),
        model_name: example(quirk.product.example(), names.model_name),
        software_version: quirk.software.example().unwrap_or(names.software_version),
        ..names
    }
}

/// The Inform of the product, which says its ModelName so that it can be told what it is.
pub(crate) fn inform(cell: &mut Cell) -> Inform {
    let mut inform = cell.inform();
    let quirks = &cell.quirks;
    if quirks.effects().next().is_none() {
        return inform;
    }
    let name = cwmp::Value::string(cell.device.value(path::MODEL_NAME));
    inform.parameter_list.push(ParameterValueStruct::new(path::MODEL_NAME, name));
    if quirks.expects(Leniency::OuiForm.name()) {
        inform.device_id.oui = inform.device_id.oui.to_ascii_lowercase().into();
    }
    if quirks.expects(Leniency::MalformedTime.name()) {
        inform.current_time = DateTime("0000-00-00T00:00:00".into());
    }
    say_values(quirks, &mut inform.parameter_list);
    inform
}

/// The message as the product sends it.
pub(crate) fn sent(quirks: &Quirks, envelope: &Envelope<FromCpe>) -> Envelope<FromCpe> {
    let mut envelope = envelope.clone();
    if quirks.expects(Leniency::MissingId.name()) {
        envelope.header.id = None;
    }
    envelope
}

/// Whether the product can read a message.
pub(crate) fn can_read(quirks: &Quirks, envelope: &Envelope<FromAcs>) -> bool {
    let is_spoken = quirks.speaks().is_none_or(|version| version == envelope.version);
    is_spoken || envelope.body == FromAcs::Empty
}

/// Carries out one call as the product does.
///
/// # Errors
/// The fault that the ACS gets.
pub(crate) fn execute(cell: &mut Cell, call: CpeMethod) -> Result<CpeResponse, Fault> {
    let call = hear(&cell.quirks, call)?;
    let mut response = execute::execute(cell, call)?;
    say(&cell.quirks, &mut response);
    Ok(response)
}

/// The call at the model's paths.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other method names parameters that a quirk concerns")]
fn hear(quirks: &Quirks, mut call: CpeMethod) -> Result<CpeMethod, Fault> {
    match &mut call {
        CpeMethod::GetParameterValues(call) => {
            check_count(quirks, call.parameter_names.len())?;
            call.parameter_names.iter_mut().try_for_each(|name| hear_path(quirks, name))?;
        }
        CpeMethod::SetParameterValues(call) => {
            check_count(quirks, call.parameter_list.len())?;
            call.parameter_list.iter_mut().try_for_each(|entry| hear_path(quirks, &mut entry.name))?;
        }
        CpeMethod::GetParameterNames(call) => hear_path(quirks, &mut call.parameter_path)?,
        CpeMethod::AddObject(call) => hear_path(quirks, &mut call.object_name)?,
        CpeMethod::DeleteObject(call) => hear_path(quirks, &mut call.object_name)?,
        _ => {}
    }
    Ok(call)
}

fn check_count(quirks: &Quirks, count: usize) -> Result<(), Fault> {
    match quirks.at_most() {
        Some(most) if count > most => {
            let text = format!("{count} parameters in one call: at most {most} are possible");
            Err(Fault::new(FaultCode::RESOURCES_EXCEEDED, text))
        }
        Some(_) | None => Ok(()),
    }
}

/// A path where the product has nothing is unknown, even if the model has something there.
fn hear_path(quirks: &Quirks, name: &mut Text) -> Result<(), Fault> {
    let path = quirks.model_path(name).into_owned();
    if quirks.lacks(&path) || quirks.wire_path(&path) != **name {
        return Err(Fault::new(FaultCode::INVALID_PARAMETER_NAME, format!("there is no {name}")));
    }
    *name = path.into();
    Ok(())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "no other response names parameters that a quirk concerns"
)]
fn say(quirks: &Quirks, response: &mut CpeResponse) {
    match response {
        CpeResponse::GetParameterValues(response) => say_values(quirks, &mut response.parameter_list),
        CpeResponse::GetParameterNames(response) => {
            let list = &mut response.parameter_list;
            let is_hidden = |name: &str| quirks.has_unlisted_rows() && is_row(name);
            list.retain(|info| !quirks.lacks(&info.name) && !is_hidden(&info.name));
            list.iter_mut().for_each(|info| info.name = quirks.wire_path(&info.name).into_owned().into());
        }
        _ => {}
    }
}

fn say_values(quirks: &Quirks, list: &mut Vec<ParameterValueStruct>) {
    list.retain(|entry| !quirks.lacks(&entry.name));
    for entry in list {
        entry.name = quirks.wire_path(&entry.name).into_owned().into();
        if quirks.has_untyped_values() {
            entry.value.kind = ValueKind::String;
        }
    }
}

fn is_row(name: &str) -> bool {
    Path::parse(name).is_ok_and(|path| path.instance().is_some())
}

#[cfg(test)]
mod tests {
    use cwmp::{
        AddObject, GetParameterNames, GetParameterNamesResponse, GetParameterValues, ParameterInfoStruct,
        Value,
    };

    use super::*;

    fn quirks_of(name: &str) -> Quirks {
        Quirks::from_iter([find(name, None).unwrap()])
    }

    fn code(quirks: &Quirks, call: impl Into<CpeMethod>) -> Option<FaultCode> {
        hear(quirks, call.into()).err().map(|fault| fault.code)
    }

    fn get(names: &[&'static str]) -> GetParameterValues {
        GetParameterValues { parameter_names: names.iter().map(|name| Text::from_static(name)).collect() }
    }

    const TAC: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC";
    const OLD_TAC: &str = "Device.Services.FAPService.1.X_00005E_TAC";
    const PRIMARY: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.1.IsPrimary";

    #[test]
    fn a_product_refuses_what_it_has_not_or_has_elsewhere() {
        let old = quirks_of("lab-old-model");
        assert_eq!(code(&old, get(&[TAC])), Some(FaultCode::INVALID_PARAMETER_NAME));
        assert_eq!(code(&old, get(&[PRIMARY])), Some(FaultCode::INVALID_PARAMETER_NAME));
        assert_eq!(hear(&old, get(&[OLD_TAC]).into()), Ok(get(&[TAC]).into()));
        let small = quirks_of("lab-small-memory");
        assert_eq!(code(&small, get(&[TAC; 4])), None);
        assert_eq!(code(&small, get(&[TAC; 5])), Some(FaultCode::RESOURCES_EXCEEDED));
        let gateway = quirks_of("zyxel-p2601");
        let add = |name: &'static str| AddObject { object_name: name.into(), parameter_key: Text::new() };
        let names = |name: &'static str| GetParameterNames { parameter_path: name.into(), next_level: true };
        for (wire, path) in
            [("InternetGatewayDevice.DeviceInfo.", "Device.DeviceInfo."), ("Device.FAP.", "Device.FAP.")]
        {
            assert_eq!(hear(&gateway, add(wire).into()), Ok(add(path).into()));
            assert_eq!(hear(&gateway, names(wire).into()), Ok(names(path).into()));
        }
        assert!(code(&gateway, names("Device.DeviceInfo.")).is_some());
    }

    #[test]
    fn a_product_says_things_as_it_has_them() {
        let mut list = vec![
            ParameterValueStruct::new(TAC, Value::unsigned_int(7)),
            ParameterValueStruct::new(PRIMARY, Value::boolean(true)),
        ];
        say_values(&quirks_of("lab-old-model"), &mut list);
        assert_eq!(list, [ParameterValueStruct::new(OLD_TAC, Value::unsigned_int(7))]);
        say_values(&quirks_of("lab-loose-tables"), &mut list);
        assert_eq!(list, [ParameterValueStruct::new(OLD_TAC, Value::string("7"))]);
        let info = |name: &'static str| ParameterInfoStruct { name: name.into(), writable: true };
        let parameter_list = vec![info("Device.T.1."), info(TAC)];
        let mut response = GetParameterNamesResponse { parameter_list }.into();
        say(&quirks_of("lab-loose-tables"), &mut response);
        assert_eq!(response, GetParameterNamesResponse { parameter_list: vec![info(TAC)] }.into());
    }

    #[test]
    fn whoever_plays_a_quirk_is_taken_for_its_product_and_what_cannot_be_played_is_said() {
        for quirk in quirks::known() {
            let names = names(quirk);
            let product = cwmp::Product {
                manufacturer: &names.manufacturer,
                oui: "00005E",
                product_class: &names.product_class,
                model_name: Some(&names.model_name),
                software_version: Some(&names.software_version),
            };
            assert!(quirk.matches(&product), "{product:?}");
        }
        let unplayed = |name: &str| unplayed(&find(name, None).unwrap()).collect::<Vec<_>>();
        assert_eq!(unplayed("cytco-clock"), []);
        let in_the_mark_up = [Leniency::ArrayTypeMissing, Leniency::EncodingStyle, Leniency::Padding];
        assert_eq!(unplayed("moonar-event"), in_the_mark_up);
        assert!(find("nobody", None).unwrap_err().contains("one of zyxel-p2601"));
    }
}
