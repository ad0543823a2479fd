//! Two images: which one boots, what brings the other back, and what a power cut leaves.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::{fs, sync::Arc, time::Duration};

use cwmp::{CpeMethod, CpeResponse, Download, FaultCode, Reboot, Value, Witness};
use henb::{Alarm, ImageStatus, State, config::FirmwareCare, device::path};
use hyper::Method;
use jiff::Timestamp;
use profile::FirmwareManifest;
use scripted::{
    Oddity,
    manufacturer::{BROKEN, Factory, IMAGE, download, events, manifest, shown, statuses, told},
    set,
};

#[tokio::test]
async fn w07_an_image_that_does_not_boot_gives_way_to_the_old_one() {
    let factory = Factory::new().await;
    assert_eq!(factory.fetch(&factory.file(BROKEN)).await, FaultCode::DOWNLOAD_FAILURE.0);
    let state = factory.state();
    assert_eq!(statuses(&state), [ImageStatus::Active, ImageStatus::ActivationFailed]);
    assert_eq!(shown(&state, path::SOFTWARE), env!("CARGO_PKG_VERSION"));
    assert!(state.alarms.has(Alarm::FirmwareFallback));
    let informs = factory.world.acs.informs();
    assert_eq!(events(&informs[1])[..2], ["7 TRANSFER COMPLETE", "M Download"]);
    assert!(events(&informs[1]).contains(&"1 BOOT"));
    let log = shown(&state, "Device.DeviceInfo.FirmwareImage.2.BootFailureLog");
    assert!(log.contains("found no kernel"), "{log}");
    // What was said to boot stays said, and is not tried again by itself. (TR-181)
    assert_eq!(shown(&state, path::BOOT_IMAGE), "Device.DeviceInfo.FirmwareImage.2");
    let mut cell = factory.world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    assert_eq!(statuses(&factory.state()), statuses(&state));
    // A good one ends the alarm.
    assert_eq!(factory.fetch(&factory.file(IMAGE)).await, 0);
    assert!(!factory.state().alarms.has(Alarm::FirmwareFallback));
}

#[tokio::test]
async fn w07_an_image_that_reaches_nobody_gives_way_to_the_old_one() {
    let mut factory = Factory::new().await;
    factory.world.config.firmware.trial = Duration::from_millis(500);
    let acs = &factory.world.acs;
    acs.file(&factory.file(IMAGE));
    let quick = set(&[("Device.ManagementServer.CWMPRetryMinimumWaitInterval", Value::unsigned_int(1))]);
    acs.script_once(vec![quick, download(&format!("{}image", acs.url()), 0)]);
    let refuse = acs.oddities();
    acs.watch(move |post| {
        let is_new = post.method == Method::POST && String::from_utf8_lossy(&post.body).contains(">2.0.0<");
        if is_new {
            refuse(Oddity::Status(503, "x-why", "nobody is home".to_owned()));
        }
    });
    let mut cell = factory.world.start();
    cell.until(|status| status.sessions >= 2 && status.failures >= 1).await;
    cell.stop().await;
    assert_eq!(told(&factory.world), [FaultCode::DOWNLOAD_FAILURE.0]);
    let state = factory.state();
    assert_eq!(statuses(&state), [ImageStatus::Active, ImageStatus::ActivationFailed]);
    assert!(state.alarms.has(Alarm::FirmwareFallback) && !state.firmware.is_on_trial());
}

#[tokio::test]
async fn w06_w07_an_acs_chooses_the_image_and_the_one_it_has_is_exempt_from_the_rules() {
    let factory = Factory::new().await;
    assert_eq!(factory.fetch(&factory.file(IMAGE)).await, 0);
    let first = "Device.DeviceInfo.FirmwareImage.1";
    let available = "Device.DeviceInfo.FirmwareImage.2.Available";
    factory.world.acs.script_once(vec![
        set(&[(path::BOOT_IMAGE, Value::string("Device.DeviceInfo.FirmwareImage.3"))]),
        set(&[(path::BOOT_IMAGE, Value::string(""))]),
        set(&[(available, Value::boolean(false))]),
        set(&[(path::BOOT_IMAGE, Value::string(first))]),
        Reboot { command_key: "back".into() }.into(),
    ]);
    let before = factory.world.acs.outcomes().len();
    let mut cell = factory.world.start();
    cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    let outcomes = factory.world.acs.outcomes();
    for refused in &outcomes[before..before + 3] {
        let fault = refused.clone().unwrap_err();
        assert_eq!(fault.details[0].fault_code, FaultCode::INVALID_PARAMETER_VALUE, "{fault:?}");
    }
    assert!(matches!(outcomes[before + 3], Ok(CpeResponse::SetParameterValues(_))));
    let state = factory.state();
    assert_eq!(statuses(&state), [ImageStatus::Active, ImageStatus::Available]);
    assert_eq!(shown(&state, path::SOFTWARE), env!("CARGO_PKG_VERSION"));
    let informs = factory.world.acs.informs();
    let last = informs.iter().rfind(|inform| events(inform).contains(&"M Reboot")).unwrap();
    assert!(events(last).contains(&"4 VALUE CHANGE") && !events(last).contains(&"7 TRANSFER COMPLETE"));
}

#[tokio::test]
async fn w07_an_image_that_the_flash_spoilt_is_not_booted() {
    let factory = Factory::new().await;
    assert_eq!(factory.fetch(&factory.file(IMAGE)).await, 0);
    let next = FirmwareManifest { version: "3.0".to_owned(), ..manifest(IMAGE) };
    assert_eq!(factory.fetch(&factory.signed(next, IMAGE)).await, 0);
    fs::write(factory.world.config.firmware_dir().join("image-2"), vec![b'#'; IMAGE.len()]).unwrap();
    let second = set(&[(path::BOOT_IMAGE, Value::string("Device.DeviceInfo.FirmwareImage.2"))]);
    factory.world.acs.script_once(vec![second, Reboot { command_key: "r".into() }.into()]);
    let mut cell = factory.world.start();
    cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    let state = factory.state();
    assert_eq!(statuses(&state), [ImageStatus::Active, ImageStatus::ActivationFailed]);
    assert!(state.alarms.has(Alarm::FirmwareFallback));
    assert_eq!(shown(&state, path::SOFTWARE), "3.0");
}

#[tokio::test]
async fn w06_an_image_that_the_flash_lost_is_noticed_at_the_next_start_and_by_check() {
    let factory = Factory::new().await;
    for version in ["2.0.0", "3.0"] {
        let next = FirmwareManifest { version: version.to_owned(), ..manifest(IMAGE) };
        assert_eq!(factory.fetch(&factory.signed(next, IMAGE)).await, 0);
    }
    fs::remove_file(factory.world.config.firmware_dir().join("image-2")).unwrap();
    let report = henb::Report::of(&factory.world.config);
    let is_said = |finding: &&henb::Finding| finding.text.starts_with("image 2: ");
    let found: Vec<_> = report.findings().iter().filter(is_said).collect();
    let [found] = &found[..] else { panic!("{report}") };
    assert_eq!((found.topic, found.verdict), ("firmware", henb::Verdict::Note));
    let mut cell = factory.world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let state = factory.state();
    assert_eq!(statuses(&state), [ImageStatus::Active, ImageStatus::NoImage]);
    let row = |name: &str| shown(&state, &format!("Device.DeviceInfo.FirmwareImage.2.{name}")).to_owned();
    assert_eq!(
        (row("Status"), row("Version"), row("Available")),
        ("NoImage".to_owned(), String::new(), "false".to_owned())
    );
    assert!(row("BootFailureLog").contains("image-2 is lost"), "{}", row("BootFailureLog"));
}

#[tokio::test]
async fn w08_a_file_that_lies_there_is_no_upgrade_whoever_manages_them() {
    let factory = Factory::new().await;
    let folder = factory.world.config.firmware_dir();
    fs::create_dir_all(&folder).unwrap();
    for name in ["image-1", "image-2", "image"] {
        fs::write(folder.join(name), factory.file(IMAGE)).unwrap();
    }
    for managed in [true, false] {
        let managed = Value::boolean(managed);
        factory.world.acs.script_once(vec![
            set(&[("Device.ManagementServer.UpgradesManaged", managed)]),
            Reboot { command_key: "again".into() }.into(),
        ]);
        let mut cell = factory.world.start();
        cell.until(|status| status.sessions >= 2).await;
        cell.stop().await;
        let state = factory.state();
        assert_eq!(statuses(&state), [ImageStatus::Active, ImageStatus::NoImage]);
        assert_eq!(
            (shown(&state, path::SOFTWARE), state.device.journal.installs),
            (env!("CARGO_PKG_VERSION"), 0)
        );
    }
}

#[tokio::test]
async fn a_lab_s_key_signs_for_labs_alone() {
    let factory = Factory::new().await;
    let config = henb::Config { lab: false, ..factory.world.config.clone() };
    let refused = henb::Agent::check(&config).unwrap_err();
    assert!(refused.to_string().contains("lab = true"), "{refused}");
    let none = FirmwareCare::default();
    let config = henb::Config { firmware: none, ..factory.world.config.clone() };
    assert!(henb::Agent::check(&config).is_ok());
}

/// Tells when a commit with this number was made.
struct Cut(u64, tokio::sync::watch::Sender<bool>);

impl Witness for Cut {
    fn committed(&self, number: u64) {
        if number >= self.0 {
            self.1.send_replace(true);
        }
    }
}

/// A cell that has promised a download, which is due.
async fn promised(factory: &Factory, file: &[u8]) -> State {
    factory.world.acs.file(file);
    let CpeMethod::Download(call) = download(&format!("{}image", factory.world.acs.url()), 0) else {
        unreachable!()
    };
    factory.world.acs.script_once(vec![Download { delay_seconds: 3600, ..call }.into()]);
    let mut cell = factory.world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let mut state = factory.state();
    state.transfers.first_mut().unwrap().not_before = Timestamp::UNIX_EPOCH;
    state
}

/// Cuts the power after each save of an upgrade, and gives what was told from then on.
async fn cut_everywhere(image: &[u8], expected: [ImageStatus; 2], code: u32) {
    let factory = Factory::new().await;
    let state = promised(&factory, &factory.file(image)).await;
    for step in 1..=9 {
        let _ = fs::remove_dir_all(factory.world.config.firmware_dir());
        fs::write(factory.world.state_path(), serde_json::to_vec(&state).unwrap()).unwrap();
        let before = told(&factory.world).len();
        let (cut, mut is_due) = tokio::sync::watch::channel(false);
        let cell = factory.world.start_with(Arc::new(Cut(state.number + step, cut)));
        let reached = is_due.wait_for(|is_due| *is_due);
        let is_reached = tokio::time::timeout(Duration::from_secs(3), reached).await.is_ok();
        cell.cut().await;
        let kept = factory.state();
        assert_eq!(
            statuses(&kept).iter().filter(|status| **status == ImageStatus::Active).count(),
            1,
            "save {step}"
        );
        let owed =
            !kept.transfers.is_empty() || kept.firmware.has_upgrade() || !kept.agenda.calls().is_empty();
        assert!(owed || told(&factory.world).len() > before, "save {step}: nothing is forgotten");
        let mut cell = factory.world.start();
        cell.until(|status| status.sessions >= 1).await;
        factory.world.acs.until(|_| told(&factory.world).len() > before).await;
        cell.stop().await;
        let after = factory.state();
        assert_eq!(statuses(&after), expected, "save {step}, reached {is_reached}");
        let said = told(&factory.world).split_off(before);
        assert!(!said.is_empty() && said.iter().all(|found| *found == code), "save {step}: {said:?}");
        assert!(after.transfers.is_empty() && !after.firmware.is_on_trial());
    }
}

#[tokio::test]
async fn w05_w07_a_power_cut_after_any_save_ends_in_the_new_image_and_one_word() {
    cut_everywhere(IMAGE, [ImageStatus::Available, ImageStatus::Active], 0).await;
}

#[tokio::test]
async fn w05_w07_a_power_cut_after_any_save_of_a_bad_image_ends_in_the_old_one_and_one_word() {
    cut_everywhere(BROKEN, [ImageStatus::Active, ImageStatus::ActivationFailed], 9010).await;
}

/// The largest amount of memory that a process ever had, in kilobytes.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn w02_an_image_of_any_size_goes_through_the_daemon_piece_by_piece() {
    let factory = Factory::new().await;
    let image: Vec<u8> = [IMAGE, vec![7; 48 << 20].as_slice()].concat();
    let world = &factory.world;
    world.acs.file(&factory.file(&image));
    world.acs.script_once(vec![download(&format!("{}image", world.acs.url()), 0)]);
    let pki = world.pki();
    let text = format!(
        "lab = true\nstate_dir = {:?}\n[hems]\nurl = {:?}\nanchors = {:?}\n[identity]\ncertificate = {:?}\nkey = {:?}\n[firmware]\nkeys = [{:?}]\n",
        world.config.state_dir,
        world.acs.url(),
        pki.join("operator.pem"),
        pki.join("henb/00005e005301.hnb.example.pem"),
        pki.join("henb/00005e005301.hnb.example.key"),
        pki.join("firmware/working.pem"),
    );
    let config = world.room("henbd.toml");
    fs::write(&config, text).unwrap();
    let mut daemon = tokio::process::Command::new(env!("CARGO_BIN_EXE_henbd"))
        .args(["--config", config.to_str().unwrap()])
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = daemon.id().unwrap();
    world.acs.until(|acs| !acs.posts().is_empty()).await;
    world.acs.until(|_| !told(world).is_empty()).await;
    let kilobytes = peak(pid);
    daemon.kill().await.unwrap();
    assert_eq!(told(world), [0]);
    assert!(kilobytes < MOST_KILOBYTES, "{kilobytes} kB");
}

/// The release build's goal is 15 MB; this build is not optimised, and what counts is that the image has three times as much.
const MOST_KILOBYTES: u64 = 24 << 10;
