//! A cell's life as one scenario in virtual time, and the same with its power cut at every step. (issue 5)
//!
//! ```text
//!   drawer ─▶ stale clock ─▶ initial H(e)MS ─▶ serving H(e)MS ─▶ provisioned ─▶ on air ─▶ alarm ─▶ performance file
//!     ─▶ upgrade ─▶ failed upgrade, fall-back ─▶ another cell takes the site over ─▶ factory reset
//! ```
//!
//! The agent is the whole one, with its state on the disk and TLS on a network in memory; the H(e)MS is [`hems`]. A
//! life is lived again and again: in the n-th one the power is cut at the n-th message, commit or piece of a file of
//! every step, until no step has so many. Each life has to end as the one without a cut.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as expected"
)]

mod hems;
mod power;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use cwmp::{FaultCode, Value};
use hems::{Record, Want};
use henb::{Alarm, ImageStatus, Slot, device::path};
use profile::Clock;
use tokio::time::sleep;
use world::{Cell, DAY, FILES, INITIAL, Internet, Pki, SERVING, STORAGE, YEAR};

/// The first cell, and the one that replaces it.
const FIRST: &str = "00005e005301.hnb.example";
const SECOND: &str = "00005e005302.hnb.example";

const NAME: &str = "Device.Services.FAPService.1.AccessMgmt.LTE.HNBName";
const PCI: &str = "Device.Services.FAPService.1.CellConfig.LTE.RAN.RF.PhyCellID";

/// When the certificate of the first cell ends: the alarm comes thirty days before, and soon after power-up.
const END: i64 = STORAGE + 30 * DAY + 40;
/// When a good certificate ends.
const LATE: i64 = STORAGE + 4 * YEAR;

/// What the site of a cell is, whichever cell stands there.
fn site(key: &'static str, may_transmit: bool) -> Want {
    let values = [
        (NAME, Value::string("town hall")),
        (PCI, Value::string("7")),
        (path::S1_SERVERS, Value::string("192.0.2.1")),
        (path::ADMIN_STATE, Value::boolean(may_transmit)),
    ];
    Want::Values(key, values.map(|(name, value)| (name.to_owned(), value)).into())
}

/// So often it calls.
fn often() -> (String, Value) {
    (path::PERIODIC_INTERVAL.to_owned(), Value::unsigned_int(600))
}

/// What is compared between lives.
#[derive(Debug, PartialEq, Eq)]
struct End {
    rows_added: u64,
    installs: u64,
    reboots: u64,
    /// Every event of alarms that the first cell kept: which alarm, and what happened to it.
    history: Vec<(String, String)>,
    /// The same as the H(e)MS was told, with its time: nothing under two times.
    told: BTreeMap<(String, String), usize>,
    /// How each transfer ended.
    transfers: Vec<(String, u32)>,
    images: [ImageStatus; 2],
}

/// One life.
struct Life {
    net: Arc<Internet>,
    first: Cell,
    second: Cell,
    /// The point of each step at which the power is cut.
    cut_at: Option<usize>,
    cuts: usize,
    _folder: tempfile::TempDir,
}

impl Life {
    fn new(cut_at: Option<usize>) -> Self {
        let folder = world::folder();
        let image = |name: &str| format!("https://{FILES}/{name}");
        let pki = Pki::get();
        let images = BTreeMap::from([
            (image("2.0.0"), pki.image("2.0.0", "2.0.0")),
            (image("3.0.0"), pki.image("3.0.0", "broken")),
            (image("3.0.1"), pki.image("3.0.1", "3.0.1")),
        ]);
        let net = Internet::new(images);
        let first = Cell::new(&net, folder.path(), FIRST, END);
        let second = Cell::new(&net, folder.path(), SECOND, LATE);
        Self { net, first, second, cut_at, cuts: 0, _folder: folder }
    }

    async fn live(&mut self) -> End {
        self.drawer().await;
        self.discovery().await;
        self.provisioning().await;
        self.on_air().await;
        self.alarm().await;
        self.renewal().await;
        self.performance_file().await;
        self.upgrade().await;
        self.failed_upgrade().await;
        self.next_upgrade().await;
        self.silence().await;
        let end = self.end();
        self.swap().await;
        self.factory_reset().await;
        end
    }

    /// Each step has its own points.
    fn step(&mut self) {
        self.cuts = self.first.cuts.len() + self.second.cuts.len();
        self.net.plug.arm(self.cut_at);
    }

    fn record(&self, identity: &str) -> Record {
        self.net.hems.record(identity)
    }

    fn plan(&self, identity: &str, change: impl FnOnce(&mut Record)) {
        self.net.hems.plan(identity, change);
    }

    /// It was tried at the factory, without a network, and then lay in a drawer for years.
    async fn drawer(&mut self) {
        self.step();
        self.net.plug_in(false);
        self.first.run_for(Duration::from_secs(120)).await;
        assert_eq!((self.first.status().sessions, self.record(FIRST).heard.len()), (0, 0));
        self.net.plug.arm(None);
        self.first.switch_off().await;
        assert_eq!(self.first.value(path::RF_TX_STATUS), "false");
        for _ in 0..8 {
            sleep(Duration::from_secs(u64::try_from(STORAGE / 8).unwrap() * 60)).await;
        }
        self.net.plug_in(true);
    }

    /// By its old clock the serving H(e)MS has no certificate yet; the initial one tells the time and where to go.
    async fn discovery(&mut self) {
        self.step();
        self.plan(FIRST, |record| {
            record.serving = Some("https://serving.localhost/");
            record.wants = vec![Want::Values("often", vec![often()])];
        });
        let heard_by_both =
            |record: &Record| record.is_content() && record.heard.iter().any(|heard| heard.host == SERVING);
        self.first.run_until(heard_by_both).await;
        let heard = self.record(FIRST).heard;
        let (first, served) = (&heard[0], heard.iter().find(|heard| heard.host == SERVING).unwrap());
        assert!(first.host == INITIAL && first.has("0 BOOTSTRAP") && first.has("1 BOOT"));
        assert!(first.inform.current_time.since_boot().is_some(), "nobody has told it the time");
        let clock = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let stale = clock(first.value(path::LOCAL_CLOCK).unwrap());
        assert!(first.at.duration_since(stale).as_secs() / 60 >= STORAGE - 1);
        assert!(served.has("0 BOOTSTRAP"));
        let kept = clock(served.value(path::LOCAL_CLOCK).unwrap());
        assert!(
            served.at.duration_since(kept).as_secs().abs() <= 120,
            "what it was told outlives a power cut"
        );
        assert_eq!(self.record(FIRST).known[path::TIME_STATUS], "Synchronized");
        assert_eq!(self.first.value(path::URL), "https://serving.localhost/");
        self.is_silent(&self.first);
    }

    async fn provisioning(&mut self) {
        self.step();
        self.plan(FIRST, |record| record.wants = vec![site("site", false)]);
        self.first.run_until(|record| record.is_content()).await;
        self.has_the_site(&self.first);
        self.is_silent(&self.first);
    }

    async fn on_air(&mut self) {
        self.step();
        self.plan(FIRST, |record| record.wants = vec![site("air", true)]);
        self.first.run_until(is_on_air).await;
        self.is_serving(&self.first);
        assert_eq!(self.record(FIRST).alarms(), BTreeSet::new());
    }

    /// Its own certificate ends in thirty days.
    async fn alarm(&mut self) {
        self.step();
        let has_alarm = |record: &Record| record.alarms() == BTreeSet::from(["certificate-ends".to_owned()]);
        self.first.run_until(|record| has_alarm(record) && is_on_air(record)).await;
        self.is_serving(&self.first);
        assert!(self.first.state().alarms.has(Alarm::CertificateEnds));
        let left = self.net.clock.now() - jiff::SignedDuration::from_hours(1);
        assert!(self.record(FIRST).heard.last().unwrap().at >= left);
    }

    /// A new one takes effect while it runs.
    async fn renewal(&mut self) {
        self.step();
        self.first.certify(LATE);
        self.first.run_until(|record| record.alarms().is_empty() && is_on_air(record)).await;
        self.is_serving(&self.first);
        assert!(!self.first.state().alarms.has(Alarm::CertificateEnds));
    }

    async fn performance_file(&mut self) {
        self.step();
        self.plan(FIRST, |record| record.wants.push(Want::Performance("https://files.localhost/pm/")));
        self.first.run_until(|record| !record.files.is_empty() && is_on_air(record)).await;
        self.is_serving(&self.first);
        for (url, contents) in self.record(FIRST).files {
            assert!(
                url.starts_with("https://files.localhost/pm/A20") && url.ends_with("_00005E005301.xml"),
                "{url}"
            );
            assert!(contents.iter().all(|content| *content == contents[0]), "{url} is sent again as it was");
            let text = std::str::from_utf8(&contents[0]).unwrap();
            assert!(text.contains("<measType p=\"1\">"), "{text}");
        }
    }

    async fn upgrade(&mut self) {
        self.fetch("fw-2", "https://files.localhost/2.0.0", "2.0.0").await;
        assert_eq!(self.images(), [ImageStatus::Available, ImageStatus::Active]);
    }

    /// The new image does not boot: the one before it runs again, and an alarm says so.
    async fn failed_upgrade(&mut self) {
        self.fetch("fw-3", "https://files.localhost/3.0.0", "2.0.0").await;
        assert_eq!(self.images(), [ImageStatus::ActivationFailed, ImageStatus::Active]);
        assert_eq!(self.record(FIRST).alarms(), BTreeSet::from(["firmware-fallback".to_owned()]));
        assert!(self.first.state().alarms.has(Alarm::FirmwareFallback));
    }

    async fn next_upgrade(&mut self) {
        self.fetch("fw-4", "https://files.localhost/3.0.1", "3.0.1").await;
        assert_eq!(self.images(), [ImageStatus::Active, ImageStatus::Available]);
        assert_eq!(self.record(FIRST).alarms(), BTreeSet::new());
    }

    /// Wants an image, and waits until the cell is on air with this version and nothing is left to tell.
    async fn fetch(&mut self, key: &'static str, url: &'static str, version: &str) {
        self.step();
        let before = self.record(FIRST).heard.len();
        self.plan(FIRST, |record| record.wants.push(Want::Image(key, url)));
        let runs = |record: &Record| record.known.get(path::SOFTWARE).is_some_and(|found| found == version);
        self.first.run_until(|record| is_on_air(record) && runs(record)).await;
        self.is_serving(&self.first);
        assert_eq!(self.first.value(path::SOFTWARE), version);
        let heard = self.record(FIRST).heard;
        let told = heard[before..].iter().find(|heard| heard.has("M Download")).unwrap();
        assert!(told.has("7 TRANSFER COMPLETE") && told.has("1 BOOT"), "{:?}", told.inform.event);
        assert_eq!(told.value(path::SOFTWARE), Some(version));
        let state = self.first.state();
        assert!(state.transfers.is_empty() && !state.firmware.is_on_trial() && !state.firmware.has_upgrade());
        assert!(state.agenda.calls().is_empty());
    }

    /// The first cell shall leave: it is silenced while it still listens, and has no way back afterwards.
    async fn silence(&mut self) {
        self.step();
        self.plan(FIRST, |record| record.wants = vec![site("silent", false)]);
        let is_off =
            |record: &Record| record.known.get(path::RF_TX_STATUS).is_some_and(|value| value == "false");
        self.first.run_until(|record| record.is_content() && is_off(record)).await;
        self.is_silent(&self.first);
        self.net.hems.block(FIRST);
        self.first.run_until(|record| record.refused > 0).await;
        self.is_silent(&self.first);
        self.net.plug.arm(None);
        self.first.switch_off().await;
    }

    /// The second cell takes over what the first one had; that one reaches nobody and stays silent, wherever it is.
    async fn swap(&mut self) {
        self.step();
        self.plan(SECOND, |record| {
            record.serving = Some("https://serving.localhost/");
            record.wants = vec![
                Want::Values("often", vec![often()]),
                site("air", true),
                Want::Performance("https://files.localhost/pm/"),
            ];
        });
        self.second.run_until(is_on_air).await;
        self.is_serving(&self.second);
        let before = self.record(FIRST);
        self.net.plug.arm(None);
        self.first.run_for(Duration::from_secs(600)).await;
        let after = self.record(FIRST);
        assert!(after.refused > before.refused && after.heard.len() == before.heard.len());
        assert!(self.first.status().last_failure.unwrap().contains("alert"), "{:?}", self.first.status());
        self.is_silent(&self.first);
        self.first.switch_off().await;
        self.is_serving(&self.second);
    }

    /// The site is given up, and the cell is as new.
    async fn factory_reset(&mut self) {
        self.step();
        self.plan(SECOND, |record| {
            record.serving = None;
            record.wants = vec![Want::Reset];
        });
        let is_new = |record: &Record| {
            record.is_content() && record.heard.last().is_some_and(|heard| heard.host == INITIAL)
        };
        self.second.run_until(|record| is_new(record)).await;
        self.is_silent(&self.second);
        for (name, value) in
            [(path::URL, "https://initial.localhost/"), (NAME, ""), (path::S1_SERVERS, ""), (PCI, "")]
        {
            assert_eq!(self.second.value(name), value, "{name}");
        }
        let state = self.second.state();
        assert_eq!(state.device.journal.factory_resets, 1);
        assert!(state.device.tree.values.keys().all(|path| !path.as_str().starts_with(hems::PM_ROW)));
        self.net.plug.arm(None);
        self.second.switch_off().await;
    }

    fn is_silent(&self, cell: &Cell) {
        for name in [path::ADMIN_STATE, path::OP_STATE, path::RF_TX_STATUS] {
            assert_eq!(cell.value(name), "false", "{name}");
        }
        assert!(!cell.status().in_service);
    }

    fn has_the_site(&self, cell: &Cell) {
        for (name, value) in [(NAME, "town hall"), (PCI, "7"), (path::S1_SERVERS, "192.0.2.1")] {
            assert_eq!(cell.value(name), value, "{name}");
        }
    }

    fn is_serving(&self, cell: &Cell) {
        self.has_the_site(cell);
        for name in [path::ADMIN_STATE, path::OP_STATE, path::RF_TX_STATUS] {
            assert_eq!(cell.value(name), "true", "{name}");
        }
        assert!(cell.status().in_service, "{:?}", cell.status());
        let record = self.record(&cell.identity);
        assert_eq!(record.known[path::TIME_STATUS], "Synchronized");
        assert_eq!(record.faults, []);
    }

    fn images(&self) -> [ImageStatus; 2] {
        let firmware = self.first.state().firmware;
        [Slot::First, Slot::Second].map(|slot| firmware.image(slot).status)
    }

    fn end(&self) -> End {
        let (state, record) = (self.first.state(), self.record(FIRST));
        let journal = state.device.journal;
        let mut times: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for (alarm, what, at) in record.told() {
            times.entry((alarm, what)).or_default().insert(at);
        }
        let mut transfers: Vec<_> = record.completes.clone();
        transfers.dedup();
        End {
            rows_added: journal.rows_added,
            installs: journal.installs,
            reboots: journal.reboots,
            history: (1..=16).filter_map(|row| self.history(row)).collect(),
            told: times.into_iter().map(|(what, times)| (what, times.len())).collect(),
            transfers: transfers
                .into_iter()
                .map(|told| (told.command_key.to_string(), told.fault_struct.fault_code.0))
                .collect(),
            images: self.images(),
        }
    }

    fn history(&self, row: u32) -> Option<(String, String)> {
        let value = |name: &str| self.first.value(&format!("{}{row}.{name}", path::HISTORY_EVENTS));
        Some((value("AlarmIdentifier"), value("NotificationType"))).filter(|(alarm, _)| !alarm.is_empty())
    }
}

fn is_on_air(record: &Record) -> bool {
    record.is_content() && record.is_on_air()
}

/// Lives one life, and gives its end, and where the power was cut.
fn live(cut_at: Option<usize>) -> (End, Vec<String>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut life = Life::new(cut_at);
        let end = life.live().await;
        (end, [life.first.cuts, life.second.cuts].concat())
    })
}

#[test]
fn p17_k01_c02_d08_f05_a19_n02_w05_w07_i12_c21_a_life_from_the_drawer_to_the_factory_reset() {
    let (end, cuts) = live(None);
    assert_eq!(cuts, Vec::<String>::new());
    let own = |words: [&str; 2]| (words[0].to_owned(), words[1].to_owned());
    let history = [
        ["certificate-ends", "NewAlarm"],
        ["certificate-ends", "ClearedAlarm"],
        ["firmware-fallback", "NewAlarm"],
        ["firmware-fallback", "ClearedAlarm"],
    ]
    .map(own);
    let transfers = [("fw-2", 0), ("fw-3", FaultCode::DOWNLOAD_FAILURE.0), ("fw-4", 0)];
    let expected = End {
        rows_added: 1,
        // The broken image was given up by the boot loader: what follows is the old one's start.
        installs: 3,
        reboots: 3,
        told: history.iter().map(|what| (what.clone(), 1)).collect(),
        history: history.into(),
        transfers: transfers.map(|(key, code)| (key.to_owned(), code)).into(),
        images: [ImageStatus::Active, ImageStatus::Available],
    };
    assert_eq!(end, expected);
}

/// Each message, commit and file of each step is cut at once, in as many lives as the longest step has points.
#[test]
fn c07_c13_c22_c24_f05_k01_w05_w07_a_life_with_the_power_cut_at_every_point_ends_the_same() {
    let (whole, _) = live(None);
    let (next, is_over) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let (points, failures) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        let lives = || {
            loop {
                let cut_at = next.fetch_add(1, Ordering::SeqCst);
                if cut_at >= is_over.load(Ordering::SeqCst) {
                    return;
                }
                let lived = panic::catch_unwind(|| live(Some(cut_at)));
                match lived.ok().filter(|(end, _)| *end == whole) {
                    None => failures.lock().unwrap().push(cut_at),
                    Some((_, cuts)) if cuts.is_empty() => drop(is_over.fetch_min(cut_at, Ordering::SeqCst)),
                    Some((_, cuts)) => points.lock().unwrap().extend(cuts),
                }
            }
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| drop(scope.spawn(lives)));
    });
    let (points, failures) = (points.into_inner().unwrap(), failures.into_inner().unwrap());
    assert!(failures.is_empty(), "lives with a cut at these points of each step end otherwise: {failures:?}");
    println!("the power was cut {} times in {} lives", points.len(), next.into_inner());
    for kind in ["Cpe", "Acs", "commit", "file asked", "file half sent", "file taken"] {
        assert!(points.iter().any(|point| point.starts_with(kind)), "{kind}");
    }
}
