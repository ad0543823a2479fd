//! Carries out what the ACS calls. (TR-069 A.3.2)
//!
//! A method that the table of `cwmp` knows and no arm here carries out is answered by the standard's fault, and
//! GetRPCMethods does not name it: a test compares the two. What the agent itself must agree to (a URL, a transfer) is
//! checked beside what the device says, and the ACS gets one fault that names everything.

use cwmp::{
    AddObject, AddObjectResponse, ApplyStatus, CpeMethod, CpeResponse, DeleteObject, DeleteObjectResponse,
    FactoryResetResponse, Fault, FaultCode, GetParameterAttributes, GetParameterAttributesResponse,
    GetParameterNames, GetParameterNamesResponse, GetParameterValues, GetParameterValuesResponse,
    GetRPCMethodsResponse, ParameterValueStruct, Reboot, RebootResponse, ScheduleInform,
    ScheduleInformResponse, SetParameterAttributes, SetParameterAttributesResponse, SetParameterValues,
    SetParameterValuesFault, SetParameterValuesResponse, Text,
};
use datamodel::{Path, is_credential};
use profile::HemsUrl;

use crate::{
    cell::{Cell, MOST_SCHEDULES},
    device::path,
    queue,
};

/// Most parameters in one response: thirty times what the cell has, so that repeated names cannot grow it without bound.
const MOST_VALUES: usize = 5_000;

/// Longest key of a command or a change. (TR-069 A.3.2, H-27)
const KEY_CHARACTERS: usize = 32;

/// The methods that a cell offers, as GetRPCMethods names them.
pub(crate) const OFFERED: &[&str] = &[
    "GetRPCMethods",
    "GetParameterNames",
    "GetParameterValues",
    "SetParameterValues",
    "AddObject",
    "DeleteObject",
    "Reboot",
    "Download",
    "SetParameterAttributes",
    "GetParameterAttributes",
    "FactoryReset",
    "ScheduleInform",
    "Upload",
    "ScheduleDownload",
    "GetQueuedTransfers",
    "GetAllQueuedTransfers",
    "CancelTransfer",
];

/// Carries out one call.
///
/// # Errors
/// The fault that the ACS gets.
#[expect(clippy::wildcard_enum_match_arm, reason = "what the cell does not offer has the standard's fault")]
pub(crate) fn execute(cell: &mut Cell, call: CpeMethod) -> Result<CpeResponse, Fault> {
    match call {
        CpeMethod::GetRPCMethods(_) => {
            let method_list = OFFERED.iter().map(|name| Text::from_static(name)).collect();
            Ok(CpeResponse::GetRPCMethods(GetRPCMethodsResponse { method_list }))
        }
        CpeMethod::GetParameterNames(call) => names(cell, &call).map(CpeResponse::GetParameterNames),
        CpeMethod::GetParameterValues(call) => values(cell, &call).map(CpeResponse::GetParameterValues),
        CpeMethod::SetParameterValues(call) => set(cell, &call).map(CpeResponse::SetParameterValues),
        CpeMethod::AddObject(call) => add(cell, &call).map(CpeResponse::AddObject),
        CpeMethod::DeleteObject(call) => delete(cell, &call).map(CpeResponse::DeleteObject),
        CpeMethod::Reboot(call) => reboot(cell, call).map(CpeResponse::Reboot),
        CpeMethod::Download(call) => queue::download(cell, call).map(CpeResponse::Download),
        CpeMethod::SetParameterAttributes(call) => {
            set_attributes(cell, &call).map(CpeResponse::SetParameterAttributes)
        }
        CpeMethod::GetParameterAttributes(call) => {
            attributes(cell, &call).map(CpeResponse::GetParameterAttributes)
        }
        CpeMethod::FactoryReset(_) => Ok(factory_reset(cell).into()),
        CpeMethod::ScheduleInform(call) => schedule_inform(cell, call).map(CpeResponse::ScheduleInform),
        CpeMethod::Upload(call) => queue::upload(cell, call).map(CpeResponse::Upload),
        CpeMethod::ScheduleDownload(call) => queue::schedule(cell, call).map(CpeResponse::ScheduleDownload),
        CpeMethod::GetQueuedTransfers(_) => Ok(queue::queued(cell).into()),
        CpeMethod::GetAllQueuedTransfers(_) => Ok(queue::all_queued(cell).into()),
        CpeMethod::CancelTransfer(call) => queue::cancel(cell, &call).map(CpeResponse::CancelTransfer),
        other => {
            let text = format!("this cell does not offer {}", other.name());
            Err(Fault::new(FaultCode::METHOD_NOT_SUPPORTED, text))
        }
    }
}

/// Whether a call leaves the cell as it was, so that nothing must be saved before its response.
pub(crate) fn only_reads(call: &CpeMethod) -> bool {
    call.name().starts_with("Get")
}

fn names(cell: &Cell, call: &GetParameterNames) -> Result<GetParameterNamesResponse, Fault> {
    let path = parse(&call.parameter_path)?;
    Ok(GetParameterNamesResponse { parameter_list: cell.device.names(&path, call.next_level)? })
}

fn values(cell: &mut Cell, call: &GetParameterValues) -> Result<GetParameterValuesResponse, Fault> {
    cell.refresh();
    let paths = call.parameter_names.iter().map(|name| parse(name)).collect::<Result<Vec<_>, _>>()?;
    cell.device.fetch(&paths)?;
    let mut parameter_list = Vec::new();
    for path in &paths {
        parameter_list.extend(cell.device.get(path)?);
        check_count(parameter_list.len())?;
    }
    Ok(GetParameterValuesResponse { parameter_list })
}

fn set(cell: &mut Cell, call: &SetParameterValues) -> Result<SetParameterValuesResponse, Fault> {
    check_key("ParameterKey", &call.parameter_key)?;
    let list = without_discarded(cell, &call.parameter_list);
    let refusals = refusals(cell, &list);
    match cell.device.check(&list) {
        Ok(()) if refusals.is_empty() => {}
        Ok(()) => return Err(Fault { details: refusals, ..Fault::from(FaultCode::INVALID_ARGUMENTS) }),
        Err(mut fault) => {
            fault.details.extend(refusals);
            return Err(fault);
        }
    }
    cell.device.set(&list, cell.now())?;
    cell.device.put(path::PARAMETER_KEY, &call.parameter_key);
    cell.apply_settings();
    cell.apply_image_settings(&list);
    cell.diagnostics_written(&list);
    Ok(SetParameterValuesResponse { status: ApplyStatus::Applied })
}

/// What the agent itself does not agree to.
pub(crate) fn refusals(cell: &Cell, list: &[ParameterValueStruct]) -> Vec<SetParameterValuesFault> {
    [
        url_refusals(cell, list),
        listener_refusals(cell, list),
        cell.image_refusals(list),
        cell.wish_refusals(list),
        cell.performance_refusals(list),
    ]
    .concat()
}

/// The list without the shared secrets that this cell throws away unread. (P-07, decision 5)
fn without_discarded(cell: &Cell, list: &[ParameterValueStruct]) -> Vec<ParameterValueStruct> {
    let is_secret = |name: &str| Path::parse(name).is_ok_and(|path| is_credential(&path));
    let is_kept = |entry: &&ParameterValueStruct| !cell.discards_credentials || !is_secret(&entry.name);
    let kept: Vec<_> = list.iter().filter(is_kept).cloned().collect();
    if kept.len() < list.len() {
        tracing::warn!("the H(e)MS wrote user names or passwords: they were thrown away");
    }
    kept
}

/// A URL that the transport mode forbids never becomes the cell's. (TS 33.320 8.3.4, P-11)
fn url_refusals(cell: &Cell, list: &[ParameterValueStruct]) -> Vec<SetParameterValuesFault> {
    // A row of performance files may have no URL yet.
    let is_upload = |entry: &ParameterValueStruct| {
        entry.name.starts_with(path::PERFORMANCE)
            && entry.name.ends_with(".URL")
            && !entry.value.text.is_empty()
    };
    let urls = list.iter().filter(|entry| entry.name == path::URL || is_upload(entry));
    let refused = urls.filter_map(|entry| Some((entry, HemsUrl::parse(&entry.value.text, cell.mode).err()?)));
    refused
        .map(|(entry, error)| SetParameterValuesFault {
            parameter_name: entry.name.clone(),
            fault_code: FaultCode::INVALID_PARAMETER_VALUE,
            fault_string: error.to_string().into(),
        })
        .collect()
}

/// An ACS opens no port on a cell whose owner did not choose that.
fn listener_refusals(cell: &Cell, list: &[ParameterValueStruct]) -> Vec<SetParameterValuesFault> {
    let opens = |entry: &&ParameterValueStruct| {
        entry.name == path::CONNECTION_REQUEST_ENABLE && ["true", "1"].contains(&entry.value.text.trim())
    };
    let refused = list.iter().filter(opens).filter(|_| !cell.listens);
    refused
        .map(|entry| SetParameterValuesFault {
            parameter_name: entry.name.clone(),
            fault_code: FaultCode::INVALID_PARAMETER_VALUE,
            fault_string: "false is right: this cell's configuration has no connection_request".into(),
        })
        .collect()
}

fn add(cell: &mut Cell, call: &AddObject) -> Result<AddObjectResponse, Fault> {
    check_key("ParameterKey", &call.parameter_key)?;
    let instance_number = cell.device.add(&parse(&call.object_name)?)?;
    cell.device.put(path::PARAMETER_KEY, &call.parameter_key);
    Ok(AddObjectResponse { instance_number, status: ApplyStatus::Applied })
}

fn delete(cell: &mut Cell, call: &DeleteObject) -> Result<DeleteObjectResponse, Fault> {
    check_key("ParameterKey", &call.parameter_key)?;
    cell.device.delete(&parse(&call.object_name)?)?;
    cell.forget_performance();
    cell.device.put(path::PARAMETER_KEY, &call.parameter_key);
    Ok(DeleteObjectResponse { status: ApplyStatus::Applied })
}

/// The response comes first; the cell reboots after the session. (C-20)
fn reboot(cell: &mut Cell, call: Reboot) -> Result<RebootResponse, Fault> {
    check_key("CommandKey", &call.command_key)?;
    cell.reboot = Some(call.command_key);
    Ok(RebootResponse {})
}

/// The response comes first; the cell is as from the factory after the session. (C-21)
fn factory_reset(cell: &mut Cell) -> FactoryResetResponse {
    cell.reset = true;
    FactoryResetResponse {}
}

/// A session of its own after the delay. (TR-069 A.4.1.2, C-02)
fn schedule_inform(cell: &mut Cell, call: ScheduleInform) -> Result<ScheduleInformResponse, Fault> {
    check_key("CommandKey", &call.command_key)?;
    if call.delay_seconds == 0 {
        return Err(Fault::new(FaultCode::INVALID_ARGUMENTS, "DelaySeconds is 1 or more"));
    }
    if cell.schedule_inform(call) {
        return Ok(ScheduleInformResponse {});
    }
    let text = format!("at most {MOST_SCHEDULES} scheduled Informs wait here");
    Err(Fault::new(FaultCode::RESOURCES_EXCEEDED, text))
}

fn set_attributes(
    cell: &mut Cell,
    call: &SetParameterAttributes,
) -> Result<SetParameterAttributesResponse, Fault> {
    cell.device.set_attributes(&call.parameter_list)?;
    Ok(SetParameterAttributesResponse {})
}

fn attributes(cell: &Cell, call: &GetParameterAttributes) -> Result<GetParameterAttributesResponse, Fault> {
    let mut parameter_list = Vec::new();
    for name in &call.parameter_names {
        parameter_list.extend(cell.device.attributes(&parse(name)?)?);
        check_count(parameter_list.len())?;
    }
    Ok(GetParameterAttributesResponse { parameter_list })
}

/// Names may be repeated, and each stands for all that is below it.
fn check_count(count: usize) -> Result<(), Fault> {
    if count <= MOST_VALUES {
        return Ok(());
    }
    let text = format!("more than {MOST_VALUES} parameters in one response");
    Err(Fault::new(FaultCode::RESOURCES_EXCEEDED, text))
}

fn parse(name: &str) -> Result<Path, Fault> {
    Path::parse(name).map_err(|error| Fault::new(FaultCode::INVALID_PARAMETER_NAME, error.to_string()))
}

pub(crate) fn check_key(name: &str, key: &str) -> Result<(), Fault> {
    if key.chars().count() <= KEY_CHARACTERS {
        return Ok(());
    }
    Err(Fault::new(FaultCode::INVALID_ARGUMENTS, format!("{name} has at most {KEY_CHARACTERS} characters")))
}

#[cfg(test)]
#[path = "execute_tests.rs"]
mod tests;
