//! Which names belong to secrets. A device should have none (TS 33.320 8.3.4, P-07); some have.
//!
//! The model says so of some parameters; of the others, and of elements of messages, the last part of the name does. A
//! name that only looks like a secret's costs a recording a value; one that is overlooked would cost the secret.

use datamodel::{Model, Path, is_credential};

/// Parts of a name, in lower case.
const PARTS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "credential",
    "username",
    "userid",
    "login",
    "token",
    "psk",
    "wepkey",
    "cookie",
];
/// Whole names: numbers of a SIM, and keys that are called by a letter or two.
const NAMES: [&str; 7] = ["pass", "pin", "puk", "ki", "opc", "k", "op"];
/// What ends like this is a key of some kind,
const KEY: &str = "key";
/// but for those that everybody may know: TR-069's two, and the public half.
const OPEN_KEYS: [&str; 3] = ["parameterkey", "commandkey", "publickey"];

/// Whether a parameter's path, or an element's name, is a secret's.
pub(crate) fn is_secret(model: &Model, name: &str) -> bool {
    let last = name.rsplit('.').find(|part| !part.is_empty() && part.parse::<u32>().is_err());
    is_named_like_one(last.unwrap_or_default()) || (name.contains('.') && is_in_model(model, name))
}

fn is_named_like_one(last: &str) -> bool {
    let last = last.to_ascii_lowercase();
    PARTS.iter().any(|part| last.contains(part))
        || NAMES.contains(&last.as_str())
        || (last.ends_with(KEY) && !OPEN_KEYS.iter().any(|open| last.ends_with(open)))
}

fn is_in_model(model: &Model, name: &str) -> bool {
    let Ok(path) = Path::parse(name) else { return false };
    is_credential(&path) || model.parameter(&path).is_some_and(|parameter| parameter.syntax.is_hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p07_whatever_the_model_hides_or_a_name_gives_away_is_secret() {
        let model = Model::standard();
        for hidden in model.parameters().filter(|parameter| parameter.syntax.is_hidden) {
            assert!(is_secret(model, hidden.path.as_str()), "{}", hidden.path);
        }
        for name in [
            "Device.ManagementServer.Username",
            "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.PreSharedKey.1.PreSharedKey",
            "Device.X_VENDOR_IPsec.psk_1",
            "Device.X_VENDOR.SIM.PIN",
            "Device.WiFi.AccessPoint.1.Security.KeyPassphrase",
            "Password",
            "Username",
        ] {
            assert!(is_secret(model, name), "{name}");
        }
        for name in [
            "Device.ManagementServer.ParameterKey",
            "Device.DeviceInfo.SoftwareVersion",
            "Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC",
            "Device.ManagementServer.URL",
            "CommandKey",
            "Value",
            "Name",
            "",
        ] {
            assert!(!is_secret(model, name), "{name}");
        }
    }
}
