//! The walk of `datamodel` over the agent: every parameter of both standard models as an ACS reads and writes it. (M-03)
//!
//! One rule: the agent answers as the model says. Where it refuses a value that the model allows, or holds another one,
//! that is a row of docs/operate/models.md with the reason; [`AGREED`] has a value that it takes.

use std::collections::BTreeSet;

use datamodel::{Access, Model, Parameter};

use super::*;
use crate::alarms::Alarm;

#[path = "../../../datamodel/tests/walk/values.rs"]
mod values;

use values::{Exception, bad_values, concrete, exceptions, good_value};

/// What the agent takes where not every value of the model will do.
const AGREED: [(&str, &str); 8] = [
    (path::URL, "https://other.example/"),
    (path::CONNECTION_REQUEST_ENABLE, "false"),
    ("Device.FAP.PerfMgmt.Config.{i}.URL", "https://files.example/"),
    ("Device.Services.FAPService.{i}.FAPControl.LTE.PMConfig", "Device.FAP.PerfMgmt.Config.1"),
    ("Device.IP.Diagnostics.IPPing.DiagnosticsState", "Requested"),
    ("Device.IP.Diagnostics.TraceRoute.DiagnosticsState", "Requested"),
    ("Device.IP.Diagnostics.DownloadDiagnostics.DiagnosticsState", "Requested"),
    ("Device.IP.Diagnostics.UploadDiagnostics.DiagnosticsState", "Requested"),
];

/// A cell with both standard models whole, and one row at least in each table.
fn standard_cell() -> Cell {
    let factory = Factory { model: Arc::clone(Model::standard()), ..factory() };
    let clock = Arc::new(RestoredClock::restore(None, profile::build_time(), Instant::now()));
    let memory = Box::new(Memory::new(&factory, None));
    let mut cell = Cell::power_on(memory, None, &url("https://hems.example/"), TransportMode::Public, clock);
    // The rows of CurrentAlarm are what stands.
    cell.raise(Alarm::CertificateEnds, "soon over");
    cell.refresh();
    for table in values::tables() {
        if cell.device.rows(table.as_str()).is_empty() {
            cell.device.put_rows(table.as_str(), &[vec![("", String::new())]]);
        }
        assert!(cell.device.rows(table.as_str()).contains(&1), "{table}");
    }
    cell
}

fn read(cell: &mut Cell, path: &Path) -> Value {
    let parameter_names = vec![path.to_string().into()];
    let response = execute(cell, GetParameterValues { parameter_names }.into());
    let Ok(CpeResponse::GetParameterValues(response)) = response else {
        return Value::string(format!("{response:?}"));
    };
    let [entry] = response.parameter_list.as_slice() else { panic!("{path}: {response:?}") };
    assert_eq!(entry.name, path.as_str());
    entry.value.clone()
}

fn write(cell: &mut Cell, path: &Path, kind: cwmp::ValueKind, text: &str) -> Result<(), FaultCode> {
    let outcome = set_to(cell, &[(path.as_str(), Value::new(kind, text.to_owned()))]);
    outcome.map(drop).map_err(|fault| {
        let code = fault.details.first().map(|detail| detail.fault_code);
        code.unwrap_or(fault.code)
    })
}

/// What an ACS sees that is not as model and page say.
fn surprises(cell: &mut Cell, parameter: &Parameter, exception: Option<&Exception>) -> Vec<String> {
    let path = concrete(&parameter.path);
    let kind = parameter.wire_kind();
    let mut surprises = Vec::new();
    let mut expect = |is_so: bool, text: String| surprises.extend((!is_so).then_some(text));
    let before = read(cell, &path);
    expect(before.kind == kind, format!("{path} is a {:?}", before.kind));
    let good = good_value(parameter);
    let outcome = write(cell, &path, kind, &good);
    let own = (parameter.access == Access::ReadOnly).then_some(FaultCode::NOT_WRITABLE);
    let refusal = exception.map_or(own, |exception| exception.code);
    let reason = exception.map_or("the model says so", |exception| &exception.reason);
    expect(outcome.err() == refusal, format!("{path} = {good:?} is {outcome:?}, not {refusal:?}: {reason}"));
    if refusal == Some(FaultCode::NOT_WRITABLE) {
        return surprises;
    }
    let agreed = AGREED.iter().find(|(name, _)| *name == parameter.path.as_str()).map(|(_, value)| *value);
    if let Some(agreed) = agreed {
        let held = read(cell, &path).text;
        expect(held != parameter.canonical(&good).unwrap(), format!("{path} is no exception"));
        let outcome = write(cell, &path, kind, agreed);
        expect(outcome.is_ok(), format!("{path} = {agreed:?} is {outcome:?}"));
    }
    let held = read(cell, &path).text;
    let wanted = match agreed {
        _ if parameter.syntax.is_command => before.text.to_string(),
        _ if parameter.syntax.is_hidden => String::new(),
        agreed => parameter.canonical(agreed.unwrap_or(&good)).unwrap(),
    };
    expect(held == wanted.as_str(), format!("{path} is {held:?}, not {wanted:?}"));
    for (kind, bad, code) in bad_values(parameter) {
        let outcome = write(cell, &path, kind, &bad);
        expect(outcome == Err(code), format!("{path} = {bad:.60?} is {outcome:?}, not {code:?}"));
    }
    expect(read(cell, &path).text == held, format!("{path} does not keep {held:?}"));
    surprises
}

#[test]
fn m03_c13_c15_an_acs_sees_every_parameter_obey_its_definition() {
    let mut cell = standard_cell();
    let exceptions = exceptions();
    let mut count = 0;
    let mut found = Vec::new();
    for parameter in Model::standard().parameters() {
        let exception = exceptions.iter().find(|one| one.path == parameter.path);
        found.extend(surprises(&mut cell, parameter, exception));
        count += 1;
    }
    assert!(found.is_empty(), "{}: {found:#?}", found.len());
    assert!(count > 8_000, "{count}");
}

#[test]
fn the_page_of_exceptions_names_all_that_the_agent_agrees_to_in_part() {
    let partly = exceptions().into_iter().filter(|one| one.code != Some(FaultCode::NOT_WRITABLE));
    let told: BTreeSet<String> = partly.map(|one| one.path.to_string()).collect();
    assert_eq!(told, AGREED.map(|(name, _)| name.to_owned()).into());
}
