//! Every transition of the two images, and no other.

use super::*;
use crate::transfer::Order;

const EVENTS: [Event; 12] = [
    Event::DownloadBegins,
    Event::DownloadFails,
    Event::Received,
    Event::ValidationFails,
    Event::InstallationFails,
    Event::Installed,
    Event::Starts,
    Event::Rests,
    Event::ActivationFails,
    Event::Selected,
    Event::PowerOn,
    Event::Lost,
];

#[test]
fn w06_the_transitions_of_a_status_are_these_and_no_others() {
    use ImageStatus as S;
    let known = [
        (S::Downloading, Event::DownloadFails, S::DownloadFailed),
        (S::Downloading, Event::PowerOn, S::DownloadFailed),
        (S::Downloading, Event::Received, S::Validating),
        (S::Validating, Event::ValidationFails, S::ValidationFailed),
        (S::Validating, Event::InstallationFails, S::InstallationFailed),
        (S::Validating, Event::Installed, S::Available),
        (S::Validating, Event::PowerOn, S::DownloadFailed),
        (S::Available, Event::Starts, S::Active),
        (S::Available, Event::Lost, S::NoImage),
        (S::Available, Event::ActivationFails, S::ActivationFailed),
        (S::Active, Event::Rests, S::Available),
        (S::Active, Event::ActivationFails, S::ActivationFailed),
        (S::ActivationFailed, Event::Selected, S::Available),
    ];
    for from in S::ALL {
        for event in EVENTS {
            let listed = known.iter().find(|(one, what, _)| (one, what) == (from, &event));
            let begins = event == Event::DownloadBegins && *from != S::Active;
            let expected = listed.map(|(_, _, to)| *to).or_else(|| begins.then_some(S::Downloading));
            assert_eq!(from.after(event), expected, "{from:?} {event:?}");
        }
    }
}

fn manifest(version: &str) -> FirmwareManifest {
    FirmwareManifest {
        version: version.to_owned(),
        size: 5,
        sha256: "AB".repeat(32),
        revokes: vec!["old key".to_owned()],
        ..FirmwareManifest::default()
    }
}

fn upgrade() -> Upgrade {
    let call = serde_json::json!({
        "CommandKey": "k", "FileType": "1 Firmware Upgrade Image", "URL": "https://files.example/x",
        "Username": "", "Password": "", "FileSize": 0, "TargetFileName": "", "DelaySeconds": 0,
        "SuccessURL": "", "FailureURL": "",
    });
    let order = Order::Download(serde_json::from_value(call).unwrap());
    let transfer = Transfer { order, not_before: Timestamp::UNIX_EPOCH, windows: Vec::new() };
    Upgrade { transfer, started: Timestamp::UNIX_EPOCH, told: None }
}

fn statuses(firmware: &Firmware) -> [&'static str; 2] {
    Slot::ALL.map(|slot| firmware.image(slot).status.name())
}

/// As from the factory, and with `version` installed beside it.
fn installed(version: &str) -> Firmware {
    let mut firmware = Firmware::default();
    firmware.named("1.0");
    install(&mut firmware, version);
    firmware
}

fn install(firmware: &mut Firmware, version: &str) {
    firmware.download_begins();
    firmware.download_went(Event::Received, "");
    firmware.installed(&manifest(version), upgrade());
}

#[test]
fn w06_an_image_is_fetched_checked_booted_and_confirmed() {
    let mut firmware = Firmware::default();
    firmware.named("1.0");
    firmware.named("2.0");
    assert_eq!((statuses(&firmware), firmware.wanted()), (["Active", "NoImage"], None));
    assert_eq!(firmware.download_begins(), Slot::Second);
    assert_eq!(statuses(&firmware), ["Active", "Downloading"]);
    firmware.download_went(Event::Received, "");
    assert_eq!(statuses(&firmware), ["Active", "Validating"]);
    firmware.installed(&manifest("2.0"), upgrade());
    assert_eq!((statuses(&firmware), firmware.wanted()), (["Active", "Available"], Some(Slot::Second)));
    firmware.started();
    assert_eq!(statuses(&firmware), ["Available", "Active"]);
    assert!(firmware.is_on_trial() && firmware.upgrade.is_some());
    assert!(firmware.confirmed() && !firmware.confirmed());
    assert_eq!((firmware.active(), firmware.upgrade.is_none()), (Slot::Second, true));
    assert_eq!((firmware.image(Slot::First).version.as_str(), firmware.revoked().len()), ("1.0", 1));
    install(&mut firmware, "3.0");
    assert_eq!((statuses(&firmware), firmware.boot()), (["Available", "Active"], Slot::First));
}

#[test]
fn w07_a_boot_that_fails_leaves_the_old_image_and_what_was_said_to_boot() {
    let mut firmware = installed("2.0");
    firmware.gave_up("no kernel");
    assert_eq!((statuses(&firmware), firmware.active()), (["Active", "ActivationFailed"], Slot::First));
    assert_eq!((firmware.boot(), firmware.wanted()), (Slot::Second, None));
    assert_eq!(firmware.image(Slot::Second).failure, "no kernel");
    // Who wants it once more says so.
    firmware.select(Some(Slot::Second), [true, true]);
    assert_eq!((statuses(&firmware), firmware.wanted()), (["Active", "Available"], Some(Slot::Second)));
    firmware.started();
    assert!(firmware.image(Slot::Second).failure.is_empty());
}

#[test]
fn w07_a_trial_without_an_answer_brings_the_old_image_back() {
    let mut firmware = installed("2.0");
    firmware.started();
    firmware.gave_up("nobody answered");
    assert_eq!((statuses(&firmware), firmware.is_on_trial()), (["Active", "ActivationFailed"], false));
    assert_eq!(firmware.active(), Slot::First);
}

#[test]
fn w07_an_image_on_trial_boots_three_times_at_most() {
    let mut firmware = installed("2.0");
    assert!(!firmware.powered_on(), "it has not booted yet");
    firmware.started();
    let gives_up: Vec<bool> = (0..4).map(|_| firmware.powered_on()).collect();
    assert_eq!(gives_up, [false, false, true, true]);
    firmware.confirmed();
    assert!(!firmware.powered_on());
}

#[test]
fn w06_each_way_to_fail_has_its_status_and_harms_nothing() {
    for (before, event, status) in [
        (None, Event::DownloadFails, "DownloadFailed"),
        (Some(Event::Received), Event::ValidationFails, "ValidationFailed"),
        (Some(Event::Received), Event::InstallationFails, "InstallationFailed"),
        (None, Event::PowerOn, "DownloadFailed"),
    ] {
        let mut firmware = installed("2.0");
        firmware.started();
        firmware.confirmed();
        firmware.download_begins();
        assert_eq!(firmware.boot(), Slot::Second, "what is overwritten is not booted");
        before.into_iter().for_each(|event| firmware.download_went(event, ""));
        if event == Event::PowerOn {
            firmware.powered_on();
        } else {
            firmware.download_went(event, "why");
        }
        assert_eq!((statuses(&firmware), firmware.wanted()), ([status, "Active"], None));
        assert!(!firmware.may_select(Slot::First) && firmware.may_select(Slot::Second));
    }
}

#[test]
fn w06_an_image_that_may_not_boot_does_not() {
    let mut firmware = installed("2.0");
    firmware.select(Some(Slot::Second), [true, false]);
    assert_eq!(firmware.wanted(), None);
    firmware.select(Some(Slot::First), [true, true]);
    assert_eq!(firmware.wanted(), None);
    firmware.select(Some(Slot::Second), [true, true]);
    assert_eq!(firmware.wanted(), Some(Slot::Second));
}
