//! Whether a believed manifest is for this cell as it is now: model, board, version. (decision 10, W-02)
//!
//! The image that the cell already has is exempt: to fall back needs nobody's leave.

use std::cmp::Ordering;

use cwmp::{FaultCode, FaultStruct};
use jiff::Timestamp;
use profile::FirmwareManifest;

use super::version::compare;
use crate::transfer::fault;

/// What the cell is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) oui: String,
    pub(crate) product_class: String,
    pub(crate) hardware_version: String,
    /// The version that runs.
    pub(crate) version: String,
}

/// Says whether the image may be installed.
///
/// # Errors
/// 9018 with what does not fit: the file is authentic, and of no use here.
pub(crate) fn admit(
    manifest: &FirmwareManifest,
    product: &Product,
    now: Timestamp,
) -> Result<(), FaultStruct> {
    let refused = |text: String| Err(fault(FaultCode::FILE_CORRUPTED, text));
    let Product { oui, product_class, hardware_version, version } = product;
    if !manifest.oui.eq_ignore_ascii_case(oui) || manifest.product_class != *product_class {
        let (found, class) = (&manifest.oui, &manifest.product_class);
        return refused(format!("the image is for {found} {class}, and this is {oui} {product_class}"));
    }
    if !manifest.hardware_versions.contains(hardware_version) {
        let known = manifest.hardware_versions.join(", ");
        return refused(format!("the image is for hardware {known}, and this is {hardware_version}"));
    }
    let minimum = manifest.minimum_version.as_deref().unwrap_or_default();
    if compare(version, minimum) == Ordering::Less {
        return refused(format!("the image goes onto {minimum} or newer, and {version} runs"));
    }
    let is_permitted = manifest.downgrade_until.is_some_and(|until| now <= until);
    if compare(&manifest.version, version) == Ordering::Less && !is_permitted {
        let found = &manifest.version;
        return refused(format!(
            "{found} is older than {version}, and its manifest permits no downgrade now"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product() -> Product {
        let text = str::to_owned;
        Product {
            oui: text("00005E"),
            product_class: text("Cell"),
            hardware_version: text("2"),
            version: text("1.9"),
        }
    }

    fn manifest(version: &str) -> FirmwareManifest {
        FirmwareManifest {
            version: version.to_owned(),
            oui: "00005e".to_owned(),
            product_class: "Cell".to_owned(),
            hardware_versions: vec!["1".to_owned(), "2".to_owned()],
            ..FirmwareManifest::default()
        }
    }

    fn refusal(manifest: &FirmwareManifest) -> String {
        let refused = admit(manifest, &product(), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(refused.fault_code, FaultCode::FILE_CORRUPTED);
        refused.fault_string.to_string()
    }

    #[test]
    fn w02_an_image_for_another_model_or_board_is_refused() {
        assert_eq!(admit(&manifest("1.10"), &product(), Timestamp::UNIX_EPOCH), Ok(()));
        let other = FirmwareManifest { product_class: "Router".to_owned(), ..manifest("2") };
        assert!(refusal(&other).contains("Router"));
        let other = FirmwareManifest { oui: "0002B3".to_owned(), ..manifest("2") };
        assert!(refusal(&other).contains("0002B3"));
        let other = FirmwareManifest { hardware_versions: vec!["3".to_owned()], ..manifest("2") };
        assert!(refusal(&other).contains("hardware 3"));
    }

    #[test]
    fn w02_an_image_wants_its_minimum_version_first() {
        let later = FirmwareManifest { minimum_version: Some("1.10".to_owned()), ..manifest("2") };
        assert!(refusal(&later).contains("1.10 or newer"));
        let now = FirmwareManifest { minimum_version: Some("1.9".to_owned()), ..manifest("2") };
        assert_eq!(admit(&now, &product(), Timestamp::UNIX_EPOCH), Ok(()));
    }

    #[test]
    fn w02_a_downgrade_needs_a_signed_permission_that_has_not_ended() {
        assert!(refusal(&manifest("1.8")).contains("older"));
        assert_eq!(admit(&manifest("1.9"), &product(), Timestamp::UNIX_EPOCH), Ok(()));
        let until = |second| FirmwareManifest {
            downgrade_until: Timestamp::from_second(second).ok(),
            ..manifest("1.8")
        };
        assert_eq!(admit(&until(0), &product(), Timestamp::UNIX_EPOCH), Ok(()));
        assert!(refusal(&until(-1)).contains("no downgrade now"));
    }
}
