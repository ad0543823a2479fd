//! What a response teaches. Only what was asked for is believed.
//!
//! A response that leaves the plan where it was would make it ask for ever: that is a [`Contradiction`], recorded
//! like a fault, and what the step touched becomes unknown. What the device's quirks make of paths and types is undone
//! here.

use std::collections::HashSet;

use cwmp::{AddObjectResponse, CpeMethod, CpeResponse, Fault, GetParameterValuesResponse, Quirks};
use jiff::Timestamp;

use super::{Known, Setting, Step, step::table_of};
use crate::{quirk, radio};

/// A response that cannot be true, or does not answer the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Contradiction {
    /// Some parameters that were asked for are not in the response.
    #[error("the response leaves out parameters that were asked for")]
    LeavesOut,
    /// Some parameters that were asked for are too large to keep.
    #[error("the response has values beyond what is kept of one device")]
    TooLarge,
    /// A row was added under a number that another row has.
    #[error("the added row has a number that another row already has")]
    SameNumber,
    /// A row was added without a number.
    #[error("the added row has the number 0, which is none")]
    NoNumber,
    /// The response belongs to another method.
    #[error("the response belongs to another method")]
    OtherMethod,
}

/// Takes up what the response to a step says.
pub(crate) fn learn(
    known: &mut Known,
    step: &Step,
    response: &CpeResponse,
    quirks: &Quirks,
    at: Timestamp,
) -> Result<(), Contradiction> {
    match (step, response) {
        (Step::Methods, CpeResponse::GetRPCMethods(response)) => {
            known.methods = Some(response.method_list.iter().take(METHODS_MAX).map(bounded).collect());
            Ok(())
        }
        (Step::Names { object }, CpeResponse::GetParameterNames(response)) => {
            let names = response.parameter_list.iter().map(|info| &*info.name);
            known.learn_list(object, &numbers(object, names, quirks));
            Ok(())
        }
        (Step::Rows { object }, CpeResponse::GetParameterValues(response)) => {
            let names = response.parameter_list.iter().map(|parameter| &*parameter.name);
            known.learn_list(object, &numbers(object, names, quirks));
            Ok(())
        }
        (Step::Read { paths }, CpeResponse::GetParameterValues(response)) => {
            read(known, paths, response, quirks, at)
        }
        (Step::Set { settings }, CpeResponse::SetParameterValues(_)) => {
            set(known, settings, at);
            Ok(())
        }
        (Step::Add { object }, CpeResponse::AddObject(response)) => added(known, object, response),
        (Step::Delete { instance }, CpeResponse::DeleteObject(_)) => {
            deleted(known, instance);
            Ok(())
        }
        _ => Err(Contradiction::OtherMethod),
    }
}

/// Takes up what a call teaches that is no step: what an operator read or set is as true as what the plan did.
pub(crate) fn overhear(
    known: &mut Known,
    method: &CpeMethod,
    answer: &Result<CpeResponse, Fault>,
    quirks: &Quirks,
    at: Timestamp,
) {
    let parameters = match (method, answer) {
        (CpeMethod::SetParameterValues(call), Ok(_)) => &call.parameter_list,
        (_, Ok(CpeResponse::GetParameterValues(response))) => &response.parameter_list,
        _ => return,
    };
    for parameter in parameters {
        let (name, kind) = quirk::heard(quirks, parameter);
        if name.starts_with("Device.") {
            known.learn(&name, &parameter.value.text, kind, at);
        }
    }
}

/// What deeds that failed concerned is unknown again.
pub(crate) fn unlearn(known: &mut Known, deeds: &[Step]) {
    deeds.iter().flat_map(Step::touches).for_each(|path| known.forget(path));
    if deeds.contains(&Step::Methods) {
        known.methods = Some(Vec::new());
    }
}

/// Methods kept of what a device offers: the standard has fewer than forty.
const METHODS_MAX: usize = 128;
/// Characters kept of a method's name.
const METHOD_CHARS: usize = 64;

fn bounded(name: &cwmp::Text) -> String {
    name.chars().take(METHOD_CHARS).collect()
}

fn numbers<'n>(object: &str, names: impl Iterator<Item = &'n str>, quirks: &Quirks) -> Vec<u32> {
    let number = |name: &str| quirks.model_path(name).strip_prefix(object)?.split('.').next()?.parse().ok();
    names.filter_map(number).collect()
}

fn read(
    known: &mut Known,
    paths: &[String],
    response: &GetParameterValuesResponse,
    quirks: &Quirks,
    at: Timestamp,
) -> Result<(), Contradiction> {
    let mut is_kept = true;
    let asked: HashSet<&str> = paths.iter().map(String::as_str).collect();
    for parameter in &response.parameter_list {
        let (name, kind) = quirk::heard(quirks, parameter);
        if asked.contains(&*name) {
            is_kept &= known.learn(&name, &parameter.value.text, kind, at);
        }
    }
    match paths.iter().all(|path| known.value(path).is_some()) {
        true => Ok(()),
        false if is_kept => Err(Contradiction::LeavesOut),
        false => Err(Contradiction::TooLarge),
    }
}

fn set(known: &mut Known, settings: &[Setting], at: Timestamp) {
    for setting in settings {
        known.learn(&setting.path, &setting.value, setting.kind, at);
        if let Some((row, _)) = setting.path.rsplit_once('.') {
            known.wrote_row(&format!("{row}."));
        }
        if setting.path == radio::ADMIN_STATE {
            known.hold_off(!known.is_true(radio::ADMIN_STATE));
            known.forget(radio::OP_STATE);
            known.forget(radio::RF_TX_STATUS);
        }
    }
}

fn added(known: &mut Known, object: &str, response: &AddObjectResponse) -> Result<(), Contradiction> {
    if response.instance_number == 0 {
        return Err(Contradiction::NoNumber);
    }
    if known.learn_row(object, response.instance_number) { Ok(()) } else { Err(Contradiction::SameNumber) }
}

fn deleted(known: &mut Known, instance: &str) {
    let Some(object) = table_of(instance) else { return };
    let number = instance.strip_prefix(object).and_then(|rest| rest.strip_suffix('.')?.parse().ok());
    let mut numbers = known.instances(object).cloned().unwrap_or_default();
    numbers.retain(|kept| Some(*kept) != number);
    known.learn_instances(object, numbers);
}
