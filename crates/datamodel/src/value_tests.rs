//! Claims about values: their one spelling, and what is said of those that are none.

use crate::{Model, Path};

fn check(path: &str, text: &str, expected: Result<&str, &str>) {
    let found = Model::cell().parameter(&Path::parse(path).unwrap()).unwrap().canonical(text);
    let found = found.map_err(|error| error.to_string());
    assert_eq!(found.as_deref().map_err(String::as_str), expected, "{path} = {text}");
}

const LTE: &str = "Device.Services.FAPService.1.";

#[test]
fn m03_values_have_one_spelling_and_errors_say_what_is_right() {
    let admin = format!("{LTE}FAPControl.LTE.AdminState");
    check(&admin, "1", Ok("true"));
    check(&admin, " false ", Ok("false"));
    check(&admin, "TRUE", Err("true or false is right"));
    let tac = format!("{LTE}CellConfig.LTE.EPC.TAC");
    check(&tac, "+007", Ok("7"));
    check(&tac, "65536", Err("a number in 0..65535 is right"));
    check(&tac, "-1", Err("a whole number of 32 bits, zero or more is right"));
    let mode = format!("{LTE}FAPControl.LTE.Gateway.S1ConnectionMode");
    check(&mode, "All", Ok("All"));
    check(&mode, "all", Err("one of One, All is right"));
    let plmn = format!("{LTE}CellConfig.LTE.EPC.PLMNList.1.PLMNID");
    check(&plmn, "0010123", Err("0 to 6 characters are right"));
    let bandwidth = format!("{LTE}CellConfig.LTE.RAN.RF.DLBandwidth");
    check(&bandwidth, "25, 50", Ok("25,50"));
    check(&bandwidth, "", Ok(""));
    check(&bandwidth, "26", Err("a number in 6, 15, 25, 50, 75, 100 is right"));
    check("Device.FAP.GPS.LockedLatitude", "-90000001", Err("a number in -90000000..90000000 is right"));
    check("Device.ManagementServer.PeriodicInformTime", "0001-01-01T00:00:00Z", Ok("0001-01-01T00:00:00Z"));
    check("Device.ManagementServer.PeriodicInformTime", "2026-11-23T19:00:00Z", Ok("2026-11-23T19:00:00Z"));
    check("Device.ManagementServer.PeriodicInformTime", "9999-12-31T23:59:59Z", Ok("9999-12-31T23:59:59Z"));
    let right = "a dateTime such as 2026-11-23T19:00:00Z is right";
    check("Device.ManagementServer.PeriodicInformTime", "yesterday", Err(right));
}

#[test]
fn what_a_parameter_starts_with_is_a_value_of_it() {
    for parameter in Model::standard().parameters() {
        let initial = parameter.initial();
        // An identity has a fixed form and no neutral value: the device puts it there at once.
        if !initial.is_empty() {
            assert_eq!(parameter.canonical(&initial).as_ref(), Ok(&initial), "{}", parameter.path);
        }
    }
}

#[test]
fn every_pattern_of_the_standard_models_is_understood() {
    for parameter in Model::standard().parameters() {
        for pattern in &parameter.syntax.item.patterns {
            assert!(super::compiled(pattern).is_ok(), "{}: {pattern}", parameter.path);
        }
    }
}

#[test]
fn m03_patterns_and_words_of_the_device_are_kept() {
    let rows = "Device.DeviceInfo.SupportedDataModel.1.";
    check(
        &format!("{rows}UUID"),
        "123e4567-e89b-12d3-a456-426614174000",
        Ok("123e4567-e89b-12d3-a456-426614174000"),
    );
    assert!(
        Model::cell()
            .parameter(&Path::parse(&format!("{rows}UUID")).unwrap())
            .unwrap()
            .canonical("x")
            .is_err()
    );
    let state = Path::parse("Device.IP.Diagnostics.IPPing.DiagnosticsState").unwrap();
    let state = Model::cell().parameter(&state).unwrap();
    assert!(state.canonical("Complete").is_ok(), "the device says it");
    let wrong = state.written("Complete").unwrap_err().to_string();
    assert!(
        wrong.starts_with("one of ") && wrong.contains("Requested") && !wrong.contains("Complete"),
        "{wrong}"
    );
    assert!(state.written("Requested").is_ok());
}
