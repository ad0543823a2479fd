//! Carries out what the ACS calls. (TR-069 A.3.2)
//!
//! A method that the table of `cwmp` knows and no arm here carries out is answered by the standard's fault, and
//! GetRPCMethods does not name it: a test compares the two. What the agent itself must agree to (a URL, a transfer) is
//! checked beside what the device says, and the ACS gets one fault that names everything.

use cwmp::{
    AddObject, AddObjectResponse, ApplyStatus, CpeMethod, CpeResponse, DateTime, DeleteObject,
    DeleteObjectResponse, Download, DownloadResponse, Fault, FaultCode, GetParameterNames,
    GetParameterNamesResponse, GetParameterValues, GetParameterValuesResponse, GetRPCMethodsResponse,
    ParameterValueStruct, Reboot, RebootResponse, SetParameterValues, SetParameterValuesFault,
    SetParameterValuesResponse, Text, TransferStatus,
};
use datamodel::Path;
use profile::HemsUrl;

use crate::{
    cell::Cell,
    device::{CLOCK_CORRECTION, TRUST_BUNDLE, path},
    transfer::{MOST_BYTES, MOST_TRANSFERS, Transfer},
};

/// Most values in one response: thirty times what the cell has, so that repeated names cannot grow it without bound.
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
        CpeMethod::Download(call) => download(cell, call).map(CpeResponse::Download),
        other => {
            let text = format!("this cell does not offer {}", other.name());
            Err(Fault::new(FaultCode::METHOD_NOT_SUPPORTED, text))
        }
    }
}

/// Whether a call leaves the cell as it was, so that nothing must be saved before its response.
pub(crate) fn only_reads(call: &CpeMethod) -> bool {
    let reads = ["GetRPCMethods", "GetParameterNames", "GetParameterValues"];
    reads.contains(&call.name())
}

fn names(cell: &Cell, call: &GetParameterNames) -> Result<GetParameterNamesResponse, Fault> {
    let path = parse(&call.parameter_path)?;
    Ok(GetParameterNamesResponse { parameter_list: cell.device.names(&path, call.next_level)? })
}

fn values(cell: &mut Cell, call: &GetParameterValues) -> Result<GetParameterValuesResponse, Fault> {
    cell.refresh();
    let mut parameter_list = Vec::new();
    for name in &call.parameter_names {
        parameter_list.extend(cell.device.get(&parse(name)?)?);
        if parameter_list.len() > MOST_VALUES {
            let text = format!("more than {MOST_VALUES} values in one response");
            return Err(Fault::new(FaultCode::RESOURCES_EXCEEDED, text));
        }
    }
    Ok(GetParameterValuesResponse { parameter_list })
}

fn set(cell: &mut Cell, call: &SetParameterValues) -> Result<SetParameterValuesResponse, Fault> {
    check_key("ParameterKey", &call.parameter_key)?;
    let refusals = url_refusals(cell, &call.parameter_list);
    match cell.device.check(&call.parameter_list) {
        Ok(()) if refusals.is_empty() => {}
        Ok(()) => return Err(Fault { details: refusals, ..Fault::from(FaultCode::INVALID_ARGUMENTS) }),
        Err(mut fault) => {
            fault.details.extend(refusals);
            return Err(fault);
        }
    }
    cell.device.set(&call.parameter_list, cell.now())?;
    cell.device.put(path::PARAMETER_KEY, &call.parameter_key);
    cell.apply_settings();
    Ok(SetParameterValuesResponse { status: ApplyStatus::Applied })
}

/// A URL that the transport mode forbids never becomes the cell's. (TS 33.320 8.3.4, P-11)
fn url_refusals(cell: &Cell, list: &[ParameterValueStruct]) -> Vec<SetParameterValuesFault> {
    let urls = list.iter().filter(|entry| entry.name == path::URL);
    let refused = urls.filter_map(|entry| Some((entry, HemsUrl::parse(&entry.value.text, cell.mode).err()?)));
    refused
        .map(|(entry, error)| SetParameterValuesFault {
            parameter_name: entry.name.clone(),
            fault_code: FaultCode::INVALID_PARAMETER_VALUE,
            fault_string: error.to_string().into(),
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
    cell.device.put(path::PARAMETER_KEY, &call.parameter_key);
    Ok(DeleteObjectResponse { status: ApplyStatus::Applied })
}

/// The response comes first; the cell reboots after the session. (C-20)
fn reboot(cell: &mut Cell, call: Reboot) -> Result<RebootResponse, Fault> {
    check_key("CommandKey", &call.command_key)?;
    cell.reboot = Some(call.command_key);
    Ok(RebootResponse {})
}

/// The response says "later"; the file is fetched after the session. (C-22, decision 10)
fn download(cell: &mut Cell, call: Download) -> Result<DownloadResponse, Fault> {
    check_key("CommandKey", &call.command_key)?;
    check_download(cell, &call)?;
    let wait = std::time::Duration::from_secs(call.delay_seconds.into());
    let not_before = cell.now().checked_add(wait).unwrap_or(jiff::Timestamp::MAX);
    let transfer = Transfer { download: call, not_before };
    let place = cell.transfers.partition_point(|pending| pending.not_before <= not_before);
    cell.transfers.insert(place, transfer);
    Ok(DownloadResponse {
        status: TransferStatus::Later,
        start_time: DateTime::UNKNOWN,
        complete_time: DateTime::UNKNOWN,
    })
}

fn check_download(cell: &Cell, call: &Download) -> Result<(), Fault> {
    let types = [cell.device.file_types(), &[TRUST_BUNDLE, CLOCK_CORRECTION]].concat();
    if !types.contains(&&*call.file_type) {
        let text = format!("the file type is none of: {}", types.join(", "));
        return Err(Fault::new(FaultCode::INVALID_ARGUMENTS, text));
    }
    if !call.username.is_empty() || !call.password.is_empty() {
        let text = "Username and Password must be empty: certificates alone authenticate a transfer";
        return Err(Fault::new(FaultCode::INVALID_ARGUMENTS, text));
    }
    HemsUrl::parse(&call.url, cell.mode).map_err(|error| {
        Fault::new(FaultCode::UNSUPPORTED_PROTOCOL, format!("cannot use the URL: {error}"))
    })?;
    let is_too_large = usize::try_from(call.file_size).is_ok_and(|size| size > MOST_BYTES);
    if is_too_large || cell.transfers.len() >= MOST_TRANSFERS {
        let text = format!("at most {MOST_TRANSFERS} transfers wait here, of {MOST_BYTES} bytes each");
        return Err(Fault::new(FaultCode::RESOURCES_EXCEEDED, text));
    }
    Ok(())
}

fn parse(name: &str) -> Result<Path, Fault> {
    Path::parse(name).map_err(|error| Fault::new(FaultCode::INVALID_PARAMETER_NAME, error.to_string()))
}

fn check_key(name: &str, key: &str) -> Result<(), Fault> {
    if key.chars().count() <= KEY_CHARACTERS {
        return Ok(());
    }
    Err(Fault::new(FaultCode::INVALID_ARGUMENTS, format!("{name} has at most {KEY_CHARACTERS} characters")))
}

#[cfg(test)]
#[path = "execute_tests.rs"]
mod tests;
