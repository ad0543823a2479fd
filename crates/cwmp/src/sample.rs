//! Samples of what the schemas allow: the same seed gives the same messages.
//!
//! One rule: a sample is valid. What the schema restricts by pattern or enumeration is drawn from a list
//! here, by the element's name; everything else is text with entities, line ends and other scripts in it.

use crate::{EventCode, FaultCode, Version};

/// Codes that every structure of the schemas with a fault in it may carry.
pub(crate) const FAULT_CODES: &[FaultCode] =
    &[FaultCode(0), FaultCode::REQUEST_DENIED, FaultCode::TRANSFER_AUTHENTICATION_FAILURE];

/// Every event that a version knows.
pub(crate) fn events(version: Version) -> Vec<EventCode> {
    if version == Version::V1_0 { EventCode::of_cwmp_1_0().to_vec() } else { EventCode::all() }
}

/// A small generator, of messages in one namespace.
pub(crate) struct Seed(pub(crate) u64, pub(crate) Version);

impl Seed {
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound)).unwrap()
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = self.below(u32::try_from(from.len()).unwrap());
        from[at as usize].clone()
    }
}

/// How many members an array `name` has: none where the schema lets it be empty, and no more than it may.
pub(crate) fn members(seed: &mut Seed, name: &str) -> u32 {
    let (least, most) = match name {
        "TimeWindowList" => (1, 2),
        "MethodList" | "ParameterNames" | "VoucherList" => (1, 40),
        // SetParameterAttributes asks for one.
        "ParameterList" => (1, 40),
        _ => (0, 16),
    };
    // Mostly few.
    let most = if seed.below(8) == 0 { most } else { most.min(3) };
    least + seed.below(most - least + 1)
}

/// A number that the schema allows in an element `name`.
pub(crate) fn number(seed: &mut Seed, name: &str) -> u32 {
    match name {
        "Notification" => seed.below(3),
        "MaxEnvelopes" => 1,
        "State" => seed.below(2),
        "Mode" | "IsTransferable" => seed.below(2),
        _ => seed.below(1 << 20),
    }
}

/// Text that the schema allows in an element `name`.
pub(crate) fn text(seed: &mut Seed, name: &str) -> String {
    let list: &[&str] = match name {
        "OUI" => &["00005E", "ABCDEF"],
        // What Download and Upload have in common.
        "FileType" => &["X 00005E Profile", "X 00005E Neighbour list"],
        "ObjectName" => &["Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList."],
        "WindowMode" => &["1 At Any Time", "2 Immediately", "3 When Idle", "4 Confirmation Needed"],
        "UUID" => &["5eb63bbb-e01e-5ed0-93cb-22bb8f5acdc3"],
        "CurrentState" => &["Installed", "Uninstalled", "Failed"],
        "OperationPerformed" => &["Install", "Update", "Uninstall"],
        "AccessList" => &["Subscriber"],
        "URL" | "TransferURL" | "AnnounceURL" | "SuccessURL" | "FailureURL" | "NextURL" => {
            &["https://hems.example/file?a=1&b=2", "https://hems.example/"]
        }
        // Names, around which white space is padding.
        "Name" | "ParameterName" | "ParameterNames" | "MethodList" | "ParameterPath" | "EventCode"
        | "Manufacturer" | "ProductClass" | "SerialNumber" | "CommandKey" => {
            return any_text(seed).trim_ascii().to_owned();
        }
        _ => return any_text(seed),
    };
    seed.pick(list).to_owned()
}

fn any_text(seed: &mut Seed) -> String {
    const CHARACTERS: &[char] =
        &['a', 'Z', '7', '.', ' ', '<', '>', '&', '"', '\'', '\r', '\n', 'é', '漢', '🛰'];
    (0..seed.below(12)).map(|_| seed.pick(CHARACTERS)).collect()
}
