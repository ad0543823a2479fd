//! Firmware over real TLS: what is installed and told, and what is refused with which fault.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::{fs, path::Path, sync::Arc};

use cwmp::{CpeMethod, Download, FaultCode};
use henb::{ImageStatus, Order, Transfer, Window, device::path};
use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use profile::{Acceptor, FirmwareManifest, KeyPair, SystemClock, Terms, TrustAnchor, pki};
use scripted::{
    IDENTITY, World,
    manufacturer::{Factory, IMAGE, download, events, manifest, shown, statuses, told},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[tokio::test]
async fn w01_w04_w05_w06_g12_topic_5_1_4_an_image_is_installed_booted_confirmed_and_told() {
    let factory = Factory::new().await;
    assert_eq!(factory.fetch(&factory.file(IMAGE)).await, 0);
    let informs = factory.world.acs.informs();
    assert_eq!(events(&informs[1]), ["7 TRANSFER COMPLETE", "M Download", "1 BOOT", "4 VALUE CHANGE"]);
    let version = informs[1].parameter_list.iter().find(|entry| entry.name == path::SOFTWARE).unwrap();
    assert_eq!(version.value.text, "2.0.0");
    let posts = factory.world.acs.posts();
    let fetch = posts.iter().find(|post| post.method == Method::GET).unwrap();
    assert_eq!((fetch.identity.as_str(), fetch.header("authorization")), (IDENTITY, None));
    let state = factory.state();
    assert_eq!(statuses(&state), [ImageStatus::Available, ImageStatus::Active]);
    assert!(!state.firmware.is_on_trial() && state.transfers.is_empty());
    let row = |name: &str| shown(&state, &format!("Device.DeviceInfo.FirmwareImage.{name}")).to_owned();
    assert_eq!(
        (row("1.Version"), row("2.Version")),
        (env!("CARGO_PKG_VERSION").to_owned(), "2.0.0".to_owned())
    );
    assert_eq!((row("2.Status"), row("2.Available")), ("Active".to_owned(), "true".to_owned()));
    assert_eq!(shown(&state, path::ACTIVE_IMAGE), "Device.DeviceInfo.FirmwareImage.2");
    assert_eq!(shown(&state, path::BOOT_IMAGE), "Device.DeviceInfo.FirmwareImage.2");
    let stored = factory.world.config.firmware_dir().join("image-2");
    assert_eq!(fs::read(stored).unwrap(), IMAGE);
    assert_eq!((state.device.journal.installs, state.device.journal.reboots), (1, 1));
}

#[tokio::test]
async fn w02_w03_what_is_wrong_with_a_file_has_its_fault_and_changes_nothing() {
    let mut factory = Factory::new().await;
    factory.world.config.firmware.revoked.insert(factory.key_id(1));
    let good = factory.file(IMAGE);
    let older = |version: &str| FirmwareManifest { version: version.to_owned(), ..manifest(IMAGE) };
    let stranger = [manifest(IMAGE).seal(&factory.keys[1]).unwrap().as_slice(), IMAGE].concat();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut damaged = good.clone();
    damaged[200..400].fill(b'#');
    let size = |size| FirmwareManifest { size, ..manifest(IMAGE) };
    let other = |class: &str| FirmwareManifest { product_class: class.to_owned(), ..manifest(IMAGE) };
    let board = FirmwareManifest { hardware_versions: vec!["7".to_owned()], ..manifest(IMAGE) };
    let later = FirmwareManifest { minimum_version: Some("1.0".to_owned()), ..manifest(IMAGE) };
    use ImageStatus::{DownloadFailed, NoImage, ValidationFailed};
    let mut before = NoImage;
    for (case, file, code, status) in [
        ("unsigned", IMAGE.to_vec(), 9019, None),
        ("nothing", Vec::new(), 9017, None),
        ("revoked", stranger, 9019, None),
        ("damaged head", damaged, 9018, None),
        ("older", factory.signed(older("0.0.9"), IMAGE), 9018, None),
        ("another model", factory.signed(other("Router"), IMAGE), 9018, None),
        ("another board", factory.signed(board, IMAGE), 9018, None),
        ("minimum version", factory.signed(later, IMAGE), 9018, None),
        ("larger than allowed", factory.signed(size(1 << 40), IMAGE), 9010, None),
        ("cut in its head", good[..100].to_vec(), 9017, None),
        ("cut in the image", good[..good.len() - 1].to_vec(), 9017, Some(DownloadFailed)),
        ("longer than said", [good.as_slice(), b"x"].concat(), 9018, Some(DownloadFailed)),
        ("a bit flipped", flipped, 9018, Some(ValidationFailed)),
    ] {
        assert_eq!(factory.fetch(&file).await, code, "{case}");
        before = status.unwrap_or(before);
        factory.expect_untouched(before, case);
    }
}

#[tokio::test]
async fn w03_a_file_of_another_size_than_announced_is_refused() {
    let factory = Factory::new().await;
    let file = factory.file(IMAGE);
    factory.world.acs.file(&file);
    let size = u32::try_from(file.len()).unwrap();
    let url = format!("{}image", factory.world.acs.url());
    assert_eq!(factory.run(download(&url, size + 1)).await, FaultCode::FILE_CORRUPTED.0);
    factory.expect_untouched(ImageStatus::NoImage, "another size");
    assert_eq!(factory.run(download(&url, size)).await, 0);
}

#[tokio::test]
async fn w02_without_room_on_the_disk_nothing_is_lost() {
    let mut factory = Factory::new().await;
    assert_eq!(factory.fetch(&factory.file(IMAGE)).await, 0);
    let before = statuses(&factory.state());
    // The disk has no such room, which is found before the old image is touched.
    factory.world.config.firmware.most_bytes = u64::MAX;
    let huge = FirmwareManifest { version: "3".to_owned(), size: 1 << 50, ..manifest(IMAGE) };
    assert_eq!(factory.fetch(&factory.signed(huge, IMAGE)).await, FaultCode::DOWNLOAD_FAILURE.0);
    assert_eq!(statuses(&factory.state()), before);
    // A device that is always full, which is found while writing.
    let place = factory.world.config.firmware_dir().join("image-1");
    let _ = fs::remove_file(&place);
    std::os::unix::fs::symlink("/dev/full", &place).unwrap();
    let next = FirmwareManifest { version: "3".to_owned(), ..manifest(IMAGE) };
    assert_eq!(factory.fetch(&factory.signed(next.clone(), IMAGE)).await, FaultCode::DOWNLOAD_FAILURE.0);
    assert_eq!(statuses(&factory.state()), [ImageStatus::DownloadFailed, ImageStatus::Active]);
    // With room it works.
    fs::remove_file(&place).unwrap();
    assert_eq!(factory.fetch(&factory.signed(next, IMAGE)).await, 0);
    assert_eq!(statuses(&factory.state()), [ImageStatus::Active, ImageStatus::Available]);
}

/// A file server over TLS that answers every request with these bytes and ends the connection.
async fn file_server(world: &World, own: &KeyPair, answer: Vec<u8>) -> String {
    serve_file(world, own, answer, true).await
}

/// The same, or one that then says nothing more.
async fn serve_file(world: &World, own: &KeyPair, answer: Vec<u8>, ends: bool) -> String {
    let anchors = [TrustAnchor::new(
        "manufacturer",
        world.pki().join("manufacturer.pem"),
        vec!["hnb.example".to_owned()],
    )];
    let terms = Terms { lab: true, ..Terms::new(Arc::new(SystemClock)) };
    let acceptor = Acceptor::new(&terms, own, &anchors).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/image", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok((mut stream, _)) = acceptor.accept(tcp).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
            if ends {
                let _ = stream.shutdown().await;
            } else {
                std::future::pending::<()>().await;
            }
        }
    });
    url
}

fn response(length: usize, content: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes(), content].concat()
}

/// A certificate of the operator's for this host.
fn issued(pki: &Path, host: &str) -> KeyPair {
    let pair = |name: &str| pki.join("operator").join(name);
    let ca = KeyPair { chain: pair("localhost.pem"), key: pair("localhost.key") };
    let key = pki::Key::generate(2048).unwrap();
    let order = pki::LeafOrder::hems(host);
    pki::Authority::load(&ca).unwrap().issue(&order, &key).unwrap().write(pki, host, &key).unwrap()
}

#[tokio::test]
async fn w03_w04_what_is_wrong_with_a_server_has_its_fault() {
    let factory = Factory::new().await;
    let world = &factory.world;
    let file = factory.file(IMAGE);
    let good = issued(&world.pki(), "localhost");
    let whole = response(file.len(), &file);
    let broken_off = file_server(world, &good, response(file.len(), &file[..file.len() - 5])).await;
    let wrong_name = file_server(world, &issued(&world.pki(), "other.localhost"), whole.clone()).await;
    let stranger = world.room("stranger");
    pki::init(&stranger).unwrap();
    let untrusted =
        file_server(world, &pki::issue_hems(&stranger, "localhost").unwrap(), whole.clone()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("https://localhost:{}/image", silent.local_addr().unwrap().port());
    drop(silent);
    let absent = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    let absent = file_server(world, &good, absent).await;
    let secret =
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n".to_vec();
    let secret = file_server(world, &good, secret).await;
    for (case, url, code, status) in [
        ("a host with another name", wrong_name, 9012, ImageStatus::NoImage),
        ("a host under another root", untrusted, 9012, ImageStatus::NoImage),
        ("a host that wants a password", secret, 9012, ImageStatus::NoImage),
        ("nobody there", gone, 9015, ImageStatus::NoImage),
        ("no such file", absent, 9016, ImageStatus::NoImage),
        ("a server that goes", broken_off, 9017, ImageStatus::DownloadFailed),
    ] {
        assert_eq!(factory.run(download(&url, 0)).await, code, "{case}");
        factory.expect_untouched(status, case);
    }
    let straight = file_server(world, &good, whole).await;
    assert_eq!(factory.run(download(&straight, 0)).await, 0);
}

#[tokio::test]
async fn w04_c23_a_plain_url_and_an_unknown_type_are_refused_at_once() {
    let factory = Factory::new().await;
    let acs = &factory.world.acs;
    let CpeMethod::Download(call) = download(&format!("{}image", acs.url()), 0) else { unreachable!() };
    let odd = Download { file_type: "9 Something Else".into(), ..call };
    acs.script_once(vec![download("http://localhost/image", 0), odd.into()]);
    let mut cell = factory.world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let codes: Vec<FaultCode> = acs.outcomes().into_iter().map(|outcome| outcome.unwrap_err().code).collect();
    assert_eq!(codes, [FaultCode::UNSUPPORTED_PROTOCOL, FaultCode::INVALID_ARGUMENTS]);
}

#[tokio::test]
async fn w02_a_downgrade_is_carried_out_with_a_signed_permission_alone() {
    let factory = Factory::new().await;
    let at = |hours| Some(Timestamp::now() + SignedDuration::from_hours(hours));
    let older = |downgrade_until| FirmwareManifest {
        version: "0.0.9".to_owned(),
        downgrade_until,
        ..manifest(IMAGE)
    };
    // The cell's clock stands at its build time or later: what ended long ago ended for it, too.
    for (until, code) in [(None, 9018), (at(-24 * 4000), 9018), (at(24), 0)] {
        assert_eq!(factory.fetch(&factory.signed(older(until), IMAGE)).await, code, "{until:?}");
    }
    assert_eq!(shown(&factory.state(), path::SOFTWARE), "0.0.9");
}

#[tokio::test]
async fn w02_an_image_of_the_reserve_key_revokes_the_working_one_for_good() {
    let factory = Factory::new().await;
    let takes = FirmwareManifest { revokes: vec![factory.key_id(0)], ..manifest(IMAGE) };
    let file = [takes.seal(&factory.keys[1]).unwrap().as_slice(), IMAGE].concat();
    assert_eq!(factory.fetch(&file).await, 0);
    let next = FirmwareManifest { version: "3.0".to_owned(), ..manifest(IMAGE) };
    let by_working = factory.signed(next.clone(), IMAGE);
    assert_eq!(factory.fetch(&by_working).await, FaultCode::FILE_AUTHENTICATION_FAILURE.0);
    let by_reserve = [next.seal(&factory.keys[1]).unwrap().as_slice(), IMAGE].concat();
    assert_eq!(factory.fetch(&by_reserve).await, 0);
}

#[tokio::test]
async fn c26_w03_a_download_that_outlasts_its_window_is_given_up_with_9020() {
    let factory = Factory::new().await;
    let file = factory.file(IMAGE);
    let half = response(file.len(), &file[..file.len() - 5]);
    let url = serve_file(&factory.world, &issued(&factory.world.pki(), "localhost"), half, false).await;
    let mut cell = factory.world.start();
    cell.until(|status| status.sessions == 1).await;
    cell.stop().await;
    let mut state = factory.state();
    let call = serde_json::json!({
        "CommandKey": "night", "FileType": "1 Firmware Upgrade Image", "URL": url, "Username": "", "Password": "",
        "FileSize": 0, "TargetFileName": "", "TimeWindowList": [],
    });
    let order = Order::ScheduleDownload(serde_json::from_value(call).unwrap());
    let window = |from: i64, to: i64| Window {
        start: state.clock + SignedDuration::from_secs(from),
        end: state.clock + SignedDuration::from_secs(to),
        retries: -1,
    };
    let windows = vec![window(-60, 5)];
    state.transfers.push(Transfer { order, not_before: state.clock, windows });
    fs::write(factory.world.state_path(), serde_json::to_vec(&state).unwrap()).unwrap();
    let mut cell = factory.world.start();
    cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    assert_eq!(told(&factory.world), [FaultCode::DOWNLOAD_WINDOW_MISSED.0]);
    factory.expect_untouched(ImageStatus::DownloadFailed, "the window ended");
    let informs = factory.world.acs.informs();
    assert!(events(informs.last().unwrap()).contains(&"M ScheduleDownload"));
}
