//! Three nodes on one PostgreSQL behind a balancer: whichever dies, nothing is lost and nothing is done twice.
//!
//! ```text
//!   operator ─▶ any node that lives ─▶ PostgreSQL ◀─ three nodes ◀─ balancer ◀─ cells, which count
//!                                                     ▲ kill -9, five times; SIGTERM, once
//! ```
//!
//! The cells are the oracle: each counts how often it carried out which CommandKey.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test says what it did, and stops where it cannot go on"
)]

mod cell;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use cell::{Cell, Tally};
use cwmp::EventCode;
use e2e::{Node, OPERATOR_REALM, World, balance, wait_for};
use oracles::Postgres;
use profile::pki;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const NODES: usize = 3;
const CELLS: usize = 12;
const CALLS: usize = 240;
/// A node dies after each so manieth call, and starts again half of that later.
const KILL_EACH: usize = 40;
/// Calls that may be under way at one time: the load never ends before the last call.
const UNDER_WAY: usize = 30;
const SEED: u64 = 0x4845_4d53;
/// Every cell may be changed as often as it takes.
const NO_BUDGET: &str = "\n[changes]\ncells_per_hour = 1000000\nfleet_percent = 100\n";

/// The same choices at every run.
struct Choices(u64);

impl Choices {
    /// One of so many.
    fn of(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count
    }
}

fn identity(cell: usize) -> String {
    format!("00005e0053{cell:02x}.{OPERATOR_REALM}")
}

/// The cells and the balancer, on a thread of their own.
struct Field {
    is_over: Arc<AtomicBool>,
    tally: Tally,
    thread: Option<JoinHandle<()>>,
}

impl Field {
    fn start(world: &World, nodes: &[Node]) -> Self {
        let (is_over, tally) = (Arc::new(AtomicBool::new(false)), Tally::default());
        let cells: Vec<Cell> = (0..CELLS).map(|number| cell(world, number, &tally)).collect();
        let (place, behind) = (world.cwmp(), nodes.iter().map(|node| node.cwmp).collect());
        let end = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::spawn(balance(place, behind));
                let cells: Vec<_> =
                    cells.into_iter().map(|cell| tokio::spawn(cell.live(Arc::clone(&end)))).collect();
                for cell in cells {
                    cell.await.unwrap();
                }
            });
        });
        Self { is_over, tally, thread: Some(thread) }
    }

    /// Lets the cells finish what they say.
    fn end(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    fn executed(&self) -> usize {
        self.tally.counts().len()
    }
}

fn cell(world: &World, number: usize, tally: &Tally) -> Cell {
    let identity = identity(number);
    let eui = identity.split('.').next().unwrap();
    Cell {
        serial: eui.to_uppercase(),
        pair: pki::issue_henb(&world.pki(), eui, OPERATOR_REALM, None).unwrap(),
        anchors: world.pki().join("operator.pem"),
        hems: world.cwmp(),
        tally: tally.clone(),
        events: vec![EventCode::BOOT.into()],
    }
}

/// What a failed test leaves in its world beside the logs.
struct Evidence<'t> {
    database: &'t Postgres,
    world: &'t World,
}

impl Drop for Evidence<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.database.keep(&self.world.dir().join("database.sql"));
        }
    }
}

/// Queues one Reboot by whichever node takes it; that it may be asked for again is what its key is for.
fn queue(nodes: &[Node], choices: &mut Choices, call: usize) {
    let request = format!("POST /api/v1/devices/{}/calls", identity(choices.of(CELLS)));
    let (key, body) =
        (format!("idempotency-key: k{call}\r\n"), json!({"Reboot": {"CommandKey": format!("k{call}")}}));
    let mut turn = call;
    wait_for(&format!("call {call}"), PATIENCE, || {
        turn += 1;
        let reply = nodes[turn % NODES].ask(&request, &key, &body.to_string())?;
        assert!(reply.status < 400 || reply.status >= 500, "{reply:?}");
        (reply.status == 201).then_some(())
    });
}

/// Every call as the API shows it in the end: state by CommandKey.
fn settled(nodes: &[Node]) -> Option<BTreeMap<String, String>> {
    let mut states = BTreeMap::new();
    for cell in 0..CELLS {
        let reply =
            nodes[cell % NODES].ask(&format!("GET /api/v1/devices/{}/calls", identity(cell)), "", "")?;
        let page = Some(reply).filter(|reply| reply.status == 200)?.json();
        for call in page["items"].as_array()? {
            let text = |name: &str| call[name].as_str().map(str::to_owned);
            let (key, state) = (text("command_key")?, text("state")?);
            if !matches!(state.as_str(), "done" | "unknown" | "failed") {
                return None;
            }
            assert!(states.insert(key, state).is_none(), "queued twice: {call}");
        }
    }
    Some(states)
}

/// Sessions by outcome; nothing while one is open.
fn outcomes(node: &Node) -> Option<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for cell in 0..CELLS {
        let page =
            node.ask(&format!("GET /api/v1/sessions?identity={}&limit=50", identity(cell)), "", "")?.json();
        for session in page["items"].as_array()? {
            *counts.entry(session["outcome"].as_str()?.to_owned()).or_default() += 1;
        }
    }
    Some(counts)
}

/// What befalls the nodes at a call.
fn befall(nodes: &mut [Node], choices: &mut Choices, call: usize, down: &mut usize) {
    match call % KILL_EACH {
        0 if call > 0 => {
            nodes.iter().for_each(Node::wait);
            *down = choices.of(NODES);
            eprintln!("kill -9 of node {down} at call {call}");
            nodes[*down].kill();
        }
        moment if moment == KILL_EACH / 2 && call > KILL_EACH => nodes[*down].start(),
        _ => {}
    }
}

#[test]
fn s10_of_three_nodes_any_may_die_and_every_action_is_done_once_or_reported_unknown() {
    let Some(database) = Postgres::start("e2e::nodes") else { return };
    eprintln!("seed {SEED:#x}");
    let (world, mut choices, began) = (World::new("nodes"), Choices(SEED), Instant::now());
    let _evidence = Evidence { database: &database, world: &world };
    let mut nodes: Vec<Node> =
        (0..NODES).map(|number| Node::new(&world, number, &database.url(), NO_BUDGET)).collect();
    let mut field = Field::start(&world, &nodes);
    start(&mut nodes);
    admitted(&nodes);
    let mut down = 0;
    for call in 0..CALLS {
        befall(&mut nodes, &mut choices, call, &mut down);
        queue(&nodes, &mut choices, call);
        wait_for("the cells to keep up", PATIENCE, || (field.executed() + UNDER_WAY > call).then_some(()));
    }
    eprintln!("node 0 is asked to stop");
    nodes.iter().for_each(Node::wait);
    assert!(nodes[0].stop());
    nodes[0].start();
    nodes[0].wait();
    let states = wait_for("every call to be settled", PATIENCE, || settled(&nodes));
    field.end();
    let outcomes = wait_for("every session to be over", PATIENCE, || outcomes(&nodes[0]));
    judge(&states, &field.tally.counts());
    let cut = field.tally.cut();
    eprintln!("{cut} answers were cut off");
    assert!(cut > 0, "no death came between a deed and its answer");
    eprintln!("sessions kept: {outcomes:?}; {:?}", began.elapsed());
}

/// The first node makes what all of them share.
fn start(nodes: &mut [Node]) {
    let [first, others @ ..] = nodes else { return };
    first.start();
    first.wait();
    for node in others {
        node.join(first);
        node.start();
    }
    nodes.iter().for_each(Node::wait);
}

/// Waits until each cell has called once.
fn admitted(nodes: &[Node]) {
    wait_for("the cells", PATIENCE, || {
        let reply = nodes[0].ask("GET /api/v1/devices?limit=100", "", "")?;
        let devices: Value = Some(reply).filter(|reply| reply.status == 200)?.json();
        let informed = |device: &&Value| device["last_inform"].is_string();
        (devices["items"].as_array()?.iter().filter(informed).count() == CELLS).then_some(())
    });
}

/// Done is done once; what may have been done or not is said to be unknown; nothing else happened.
fn judge(states: &BTreeMap<String, String>, counts: &BTreeMap<String, usize>) {
    assert_eq!(states.len(), CALLS, "every call that was taken is there");
    assert!(counts.keys().all(|key| states.contains_key(key)), "done and never asked for: {counts:?}");
    let of = |key: &str| counts.get(key).copied().unwrap_or_default();
    for (key, state) in states {
        match state.as_str() {
            "done" => assert_eq!(of(key), 1, "{key} is done"),
            "unknown" => assert!(of(key) <= 1, "{key} is unknown"),
            _ => panic!("{key} is {state}"),
        }
    }
    let unknown = states.values().filter(|state| *state == "unknown").count();
    eprintln!("{} calls done once, {unknown} unknown", CALLS - unknown);
    assert!(unknown <= CALLS / 10, "unknown is for what a death cut off");
}
