//! Claims about what a cell tells: in its Informs as its ACS wishes, and of its models.

use super::*;

/// A row that the ACS makes in a table.
fn add_row(cell: &mut Cell, table: &str, values: &[(&str, &str)]) -> Result<String, Fault> {
    let call = AddObject { object_name: table.into(), parameter_key: "k".into() };
    let Ok(CpeResponse::AddObject(made)) = execute(cell, call.into()) else { panic!("no row") };
    let row = format!("{table}{}.", made.instance_number);
    let kind = |name: &str| if name == "Enable" { Value::boolean(true) } else { Value::string("") };
    let entry = |(name, text): &(&str, &str)| {
        let value = Value { text: (*text).to_owned().into(), ..kind(name) };
        ParameterValueStruct::new(format!("{row}{name}"), value)
    };
    let list = values.iter().map(entry).collect();
    execute(cell, SetParameterValues { parameter_list: list, parameter_key: "k".into() }.into()).map(|_| row)
}

#[test]
fn c05_an_inform_carries_what_the_acs_wants_with_its_events() {
    const WISHES: &str = "Device.ManagementServer.InformParameter.";
    let mut cell = cell();
    let wish = |name, events| [("ParameterName", name), ("EventList", events), ("Enable", "true")];
    let plmns = "Device.Services.FAPService.*.CellConfig.LTE.EPC.PLMNList.*.PLMNID";
    add_row(&mut cell, WISHES, &wish(plmns, "1 BOOT,2 PERIODIC")).unwrap();
    add_row(&mut cell, WISHES, &wish("Device.Time.Status", "8 DIAGNOSTICS COMPLETE")).unwrap();
    let names = |cell: &mut Cell| {
        cell.inform().parameter_list.iter().map(|entry| entry.name.to_string()).collect::<Vec<_>>()
    };
    let plmn = plmns.replace('*', "1");
    assert!(names(&mut cell).contains(&plmn), "it starts with 1 BOOT");
    assert!(!names(&mut cell).contains(&"Device.Time.Status".to_owned()));
    cell.informed(&cell.agenda.events(), &url("https://hems.example/"));
    cell.agenda.raise(EventCode::DIAGNOSTICS_COMPLETE, "");
    assert!(names(&mut cell).contains(&"Device.Time.Status".to_owned()) && !names(&mut cell).contains(&plmn));
    for (name, events, right) in [
        ("Device.DeviceInfo.SoftwareVersion", "1 BOOT", "another parameter is right"),
        ("Device.DeviceInfo.", "1 BOOT", "another parameter is right"),
        ("Device.*x.Y", "1 BOOT", "in place of instance numbers"),
        ("Device.Time.Enable", "4 VALUE CHANGE", "another event is right"),
    ] {
        let fault = add_row(&mut cell, WISHES, &wish(name, events)).unwrap_err();
        assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE);
        assert!(fault.details[0].fault_string.contains(right), "{name}: {fault:?}");
    }
}

#[test]
fn m10_a_cell_names_the_models_that_it_has_a_part_of() {
    let cell = cell();
    let value = |name: &str| cell.device.value(&format!("Device.DeviceInfo.SupportedDataModel{name}"));
    assert_eq!(value("NumberOfEntries"), "2");
    assert_eq!(value(".1.URN"), "urn:broadband-forum-org:tr-181-2-17-0-cwmp");
    assert_eq!(value(".2.URL"), "http://www.broadband-forum.org/cwmp/tr-196-2-1-2-cwmp.xml");
}
