//! The distinguished names of a cell and its parts, in alarms and performance files alike. (TS 32.300, F-10, N-06)
//!
//! ```text
//!   DC=example,SubNetwork=1 , ManagedElement=00005E005301 , ENBFunction=1
//!   └ DNPrefix of FAPService ┘ └─────────── local name ────────────────┘
//! ```

use crate::device::Device;

/// The operator's prefix; empty where none is set.
pub(crate) fn prefix(device: &dyn Device, service: u32) -> String {
    device.value(&format!("Device.Services.FAPService.{service}.DNPrefix"))
}

/// The local name of the cell as a whole.
pub(crate) fn element(device: &dyn Device) -> String {
    format!("ManagedElement={}", escaped(&device.value("Device.DeviceInfo.SerialNumber")))
}

/// The whole name of an object that is said as a path of the data model or as the end of a name. (F-10)
pub(crate) fn whole(device: &dyn Device, said: &str) -> String {
    let service = service(said);
    let prefix = prefix(device, service.unwrap_or(1));
    if !prefix.is_empty() && said.starts_with(&format!("{prefix},")) {
        return said.to_owned();
    }
    let element = element(device);
    let local = match service {
        _ if said.starts_with("ManagedElement=") => said.to_owned(),
        _ if said.contains('=') => format!("{element},{said}"),
        Some(number) => format!("{element},ENBFunction={number}"),
        None => element,
    };
    if prefix.is_empty() { local } else { format!("{prefix},{local}") }
}

/// The FAPService that a path lies in.
fn service(said: &str) -> Option<u32> {
    said.strip_prefix("Device.Services.FAPService.")?.split('.').next()?.parse().ok()
}

/// A value of a name with its special characters marked. (TS 32.300 7)
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for character in value.chars() {
        if ",=+<>#;\"\\".contains(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Memory, sample};

    #[test]
    fn f10_an_object_has_a_distinguished_name_below_the_operator_s_prefix() {
        let mut device = Memory::new(&sample(), None);
        let service = "Device.Services.FAPService.1.";
        assert_eq!(whole(&device, "Device."), "ManagedElement=00005E005301");
        device.put(&format!("{service}DNPrefix"), "DC=example,SubNetwork=1");
        for (said, expected) in [
            ("Device.", "DC=example,SubNetwork=1,ManagedElement=00005E005301"),
            (service, "DC=example,SubNetwork=1,ManagedElement=00005E005301,ENBFunction=1"),
            ("ENBFunction=1", "DC=example,SubNetwork=1,ManagedElement=00005E005301,ENBFunction=1"),
            ("ManagedElement=7", "DC=example,SubNetwork=1,ManagedElement=7"),
            ("DC=example,SubNetwork=1,ManagedElement=7", "DC=example,SubNetwork=1,ManagedElement=7"),
        ] {
            assert_eq!(whole(&device, said), expected, "{said}");
        }
        assert_eq!(escaped("a,b=c"), "a\\,b\\=c");
    }
}
