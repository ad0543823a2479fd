//! What an ACS writes into diagnostics, and what becomes of it, without a network.

use super::*;
use crate::diagnostics::{Failure, Kind, Order, Outcome};

const STATE: &str = "Device.IP.Diagnostics.IPPing.DiagnosticsState";
const HOST: &str = "Device.IP.Diagnostics.IPPing.Host";
const TIMEOUT: &str = "Device.IP.Diagnostics.IPPing.Timeout";
const FAILED: &str = "Device.IP.Diagnostics.IPPing.FailureCount";

fn write(cell: &mut Cell, name: &str, value: Value) {
    set_to(cell, &[(name, value)]).unwrap();
}

fn started(cell: &mut Cell) -> bool {
    let kind = cell.diagnostics.next(tokio::time::Instant::now());
    kind.is_some_and(|kind| matches!(cell.begin_diagnostic(kind), Ok(Order::Ping(_))))
}

#[test]
fn c38_what_is_requested_starts_with_the_parameters_as_they_stand_and_is_told() {
    let mut cell = cell();
    delivered(&mut cell);
    write(&mut cell, HOST, Value::string("hems.example"));
    write(&mut cell, STATE, Value::string("Requested"));
    assert_eq!(cell.diagnostics.next(tokio::time::Instant::now()), Some(Kind::Ping));
    let Ok(Order::Ping(probe)) = cell.begin_diagnostic(Kind::Ping) else { panic!("no ping") };
    assert_eq!((probe.host.as_str(), probe.tries, probe.bytes), ("hems.example", 3, 56));
    assert!(codes(&cell).is_empty());
    let values = vec![("SuccessCount", "2".to_owned()), ("FailureCount", "1".to_owned())];
    cell.end_diagnostic(&Outcome { values, ..Outcome::default() });
    assert_eq!((cell.device.value(STATE).as_str(), cell.device.value(FAILED).as_str()), ("Complete", "1"));
    assert_eq!(codes(&cell), ["8 DIAGNOSTICS COMPLETE"]);
    write(&mut cell, STATE, Value::string("Requested"));
    assert!(started(&mut cell));
    assert_eq!(cell.device.value(FAILED), "0", "what the last run found is gone");
    cell.end_diagnostic(&Failure::NoResponse.into());
    assert_eq!(cell.device.value(STATE), "Error_Other");
}

#[test]
fn c38_another_parameter_and_canceled_stop_it_and_nothing_is_told() {
    for (name, value) in
        [(TIMEOUT, Value::unsigned_int(7)), (HOST, Value::string("x")), (STATE, Value::string("Canceled"))]
    {
        let mut cell = cell();
        delivered(&mut cell);
        set_to(&mut cell, &[(STATE, Value::string("Requested")), (HOST, Value::string("h"))]).unwrap();
        assert!(started(&mut cell));
        write(&mut cell, name, value);
        assert_eq!(cell.device.value(STATE), "None", "{name}");
        assert!(cell.diagnostics.is_stale());
        cell.end_diagnostic(&Outcome::default());
        assert_eq!(cell.device.value(STATE), "None", "{name}");
        assert!(codes(&cell).is_empty() && !started(&mut cell));
    }
}

#[test]
fn c38_a_restart_ends_what_was_requested_and_keeps_what_was_chosen() {
    let mut cell = cell();
    set_to(&mut cell, &[(TIMEOUT, Value::unsigned_int(1)), (HOST, Value::string("h"))]).unwrap();
    write(&mut cell, STATE, Value::string("Requested"));
    let mut cell = power_on(Some(cell.state()));
    assert_eq!((cell.device.value(STATE).as_str(), cell.device.value(TIMEOUT).as_str()), ("None", "1"));
    assert!(!started(&mut cell));
}
