//! Power cuts: each side is killed after each of its numbered commits and messages, and started again.
//!
//! ```text
//!  reference run ─▶ list of points ─▶ for each: run, kill -9 there, restart ─▶ in service, nothing twice
//! ```
//!
//! The run brings a cell into service and reboots it once by an operator's call, so that it holds
//! AddObject, DeleteObject, SetParameterValues and Reboot: everything whose repetition would hurt.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test says what it did, and stops where it cannot go on"
)]

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use e2e::{Cell, Point, Process, World, points, wait_for};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(90);
/// Worlds at a time: most of a run is waiting for a retry.
const WORKERS: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Hems,
    Henb,
}

/// One run of one world.
struct Run {
    world: World,
    cell: Cell,
}

impl Run {
    fn new(name: &str) -> Self {
        let world = World::new(name);
        let cell = world.cell(1);
        Self { world, cell }
    }

    fn passed(&self, side: Side) -> PathBuf {
        self.world.dir().join(format!("{side:?}.points"))
    }

    fn start(&self, side: Side, at: Option<Point>) -> Process {
        let (program, config, log) = match side {
            Side::Hems => {
                (env!("CARGO_BIN_EXE_victim-hems"), self.world.hems_config(), self.world.hems_log())
            }
            Side::Henb => {
                (env!("CARGO_BIN_EXE_victim-henb"), self.cell.config.clone(), self.cell.log.clone())
            }
        };
        let mut command = Command::new(program);
        command.arg(config).arg(self.passed(side)).args(at.map(|point| point.to_string()));
        Process::start(&mut command, &log)
    }

    /// The commits that come from setting the scene are not the run's own: the list begins after them.
    fn set_the_scene(&self) {
        let hems = self.start(Side::Hems, None);
        self.world.wait_for_api();
        self.world.configure(3600);
        let call = json!({"Reboot": {"CommandKey": "once"}});
        let reply = self.world.send(&format!("POST /api/v1/devices/{}/calls", self.cell.identity), &call);
        assert_eq!(reply.status / 100, 2, "{reply:?}");
        drop(hems);
        fs::remove_file(self.passed(Side::Hems)).unwrap();
    }

    /// In service, rebooted as ordered or told to the operator as unknown, and at rest.
    fn wait_until_done(&self, since: jiff::Timestamp) -> Value {
        wait_for(&format!("{} in service again", self.cell.identity), PATIENCE, || {
            let reply = self.world.try_get(&format!("/api/v1/devices/{}", self.cell.identity))?;
            let device = Some(reply).filter(|reply| reply.status == 200)?.json();
            let at: jiff::Timestamp = device.get("last_inform")?.as_str()?.parse().ok()?;
            let call = device.get("calls")?.get(0)?.get("state")?.as_str()?.to_owned();
            let is_settled = matches!(call.as_str(), "done" | "unknown");
            let in_service = device.get("in_service") == Some(&Value::Bool(true));
            (in_service && is_settled && at >= since).then_some(device)
        })
    }

    fn journal(&self, name: &str) -> u64 {
        let text = fs::read_to_string(self.cell.state_dir.join(henb::STATE_FILE)).unwrap();
        let state: Value = serde_json::from_str(&text).unwrap();
        let count = state
            .get("device")
            .and_then(|device| device.get("journal"))
            .and_then(|journal| journal.get(name));
        count.and_then(Value::as_u64).unwrap_or_else(|| panic!("no {name} in {text}"))
    }
}

/// The points that each side passes on the way into service.
fn reference(side: Side) -> Vec<(Point, String)> {
    let run = Run::new("reference");
    run.set_the_scene();
    let hems = run.start(Side::Hems, None);
    run.world.wait_for_api();
    let henb = run.start(Side::Henb, None);
    run.wait_until_done(jiff::Timestamp::UNIX_EPOCH);
    drop((henb, hems));
    assert_eq!(run.journal("reboots"), 1);
    points(&run.passed(side))
}

/// Cuts one side's power at one point; an error says what was then done twice or not at all.
fn cut(side: Side, at: Point) {
    let run = Run::new("cut");
    run.set_the_scene();
    let hems = run.start(Side::Hems, (side == Side::Hems).then_some(at));
    if side == Side::Henb {
        run.world.wait_for_api();
    }
    let henb = run.start(Side::Henb, (side == Side::Henb).then_some(at));
    let (mut victim, survivor) = if side == Side::Hems { (hems, henb) } else { (henb, hems) };
    let died = wait_for(&format!("{side:?} to die at {at}"), PATIENCE, || victim.ended());
    assert!(!died.success(), "{side:?} ended by itself before {at}");
    let since = jiff::Timestamp::now();
    let again = run.start(side, None);
    let device = run.wait_until_done(since);
    drop((again, survivor));
    let done = |name| run.journal(name);
    assert_eq!((done("rows_added"), done("rows_deleted")), (1, 1), "rows after {side:?} died at {at}");
    assert!(done("reboots") <= 1, "rebooted twice after {side:?} died at {at}");
    let boots = done("reboots") + u64::from(side == Side::Henb);
    assert!(done("switch_ons") <= 1 + boots, "switched on too often after {side:?} died at {at}");
    assert_eq!(device.get("pci").and_then(Value::as_str), Some("0"), "one draw from the pool");
}

/// Every point of a side, a few worlds at a time.
fn cut_everywhere(side: Side) {
    let points = reference(side);
    let has = |is_it: fn(&Point) -> bool| points.iter().any(|(point, _)| is_it(point));
    let has_both =
        has(|point| matches!(point, Point::Commit(_))) && has(|point| matches!(point, Point::Message(_)));
    assert!(has_both, "{side:?} passed commits and messages: {points:?}");
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((point, _)) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let outcome = std::panic::catch_unwind(|| cut(side, *point));
                    if outcome.is_err() {
                        failures.lock().unwrap().push(*point);
                    }
                }
            });
        }
    });
    eprintln!("{side:?} was killed at {} points:", points.len());
    points.iter().for_each(|(point, what)| eprintln!("  {point}  {what}"));
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{side:?} did not recover at {failures:?}");
}

#[test]
fn s10_the_hems_may_lose_power_after_every_commit_and_every_message() {
    cut_everywhere(Side::Hems);
}

#[test]
fn c07_a_cell_may_lose_power_after_every_commit_and_every_message() {
    cut_everywhere(Side::Henb);
}
