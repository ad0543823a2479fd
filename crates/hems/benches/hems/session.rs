//! What a session costs the server, against hyper that answers with the same bytes and commits the same rows.
//!
//! One session at a time, so that both sides have as many transactions as sessions need; rounds are interleaved.
//! What many sessions at once cost, where commits share a transaction, is printed beside it.

use std::{fs, path::Path, process::Command};

use futures_util::future::join_all;

use super::{
    FEW,
    cell::{Cell, Reply},
    print,
    process::Process,
    world::{CELLS, World},
};

const ROUNDS: usize = 5;
/// Cells that have a session at the same time, where many have.
const AT_ONCE: usize = 25;

/// A server under test with the cells that are connected to it.
struct Side {
    process: Option<Process>,
    cells: Vec<Cell>,
    /// Microseconds of a session, a round each.
    costs: Vec<f64>,
}

/// Prints (a) and (c).
pub(super) async fn measure(large: &World, of: impl Fn(&str) -> String) {
    let few = World::filled(FEW).await;
    let server = World::on_server().await;
    let replies = tempfile::tempdir().unwrap();
    record(&few, replies.path()).await;
    let mut ours = vec![Side::ours(&few).await, Side::ours(large).await];
    let mut bases = vec![Side::baseline(&few, replies.path()).await];
    let mut worlds = vec![&few, large];
    if let Some(server) = &server {
        ours.push(Side::ours(server).await);
        bases.push(Side::baseline(server, replies.path()).await);
        worlds.push(server);
    }
    for _ in 0..ROUNDS {
        for (side, world) in ours.iter_mut().zip(&worlds) {
            world.forget().await;
            side.round(&world.server).await;
        }
        for base in &mut bases {
            few.empty_log().await;
            let process = base.process.take().unwrap();
            base.round(&process).await;
            base.process = Some(process);
        }
    }
    tell(&ours, &bases, of);
    let mut shared = Vec::new();
    for _ in 0..ROUNDS {
        few.forget().await;
        shared.push(together(&mut ours[0].cells, &few.server).await);
    }
    let what = format!("server CPU of a session, SQLite, {AT_ONCE} at once");
    print("hems_session_at_once", &what, &shared, "us");
}

fn tell(ours: &[Side], bases: &[Side], of: impl Fn(&str) -> String) {
    let ratios = |over: &Side, under: &Side| {
        over.costs.iter().zip(&under.costs).map(|(over, under)| over / under).collect::<Vec<_>>()
    };
    let cpu = "server CPU of a session";
    print("hems_session_sqlite", &format!("{cpu}, SQLite"), &ours[0].costs, "us");
    print("hems_baseline_sqlite", "the same bytes and rows by hand, SQLite", &bases[0].costs, "us");
    let ratio = ratios(&ours[0], &bases[0]);
    print("hems_session_sqlite_ratio", &format!("{cpu} against the same by hand, SQLite"), &ratio, "");
    if let (Some(ours), Some(base)) = (ours.get(2), bases.get(1)) {
        print("hems_session_postgres", &format!("{cpu}, PostgreSQL"), &ours.costs, "us");
        print("hems_baseline_postgres", "the same bytes and rows by hand, PostgreSQL", &base.costs, "us");
        let ratio = ratios(ours, base);
        let what = format!("{cpu} against the same by hand, PostgreSQL");
        print("hems_session_postgres_ratio", &what, &ratio, "");
    }
    let what = of("server CPU of a session among a million devices, SQLite");
    print("hems_session_large", &what, &ours[1].costs, "us");
    let what = of("the same against a thousand devices");
    print("hems_session_large_ratio", &what, &ratios(&ours[1], &ours[0]), "");
}

impl Side {
    async fn ours(world: &World) -> Self {
        world.forget().await;
        Self { process: None, cells: connect(world.cwmp, world.devices).await, costs: Vec::new() }
    }

    async fn baseline(world: &World, replies: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let (process, addresses) = Process::start(command.arg("baseline").arg(world.url()).arg(replies), 1);
        let cells = connect(addresses[0], world.devices).await;
        Self { process: Some(process), cells, costs: Vec::new() }
    }

    /// One session of each cell, one after the other.
    async fn round(&mut self, server: &Process) {
        let before = server.cpu();
        for cell in &mut self.cells {
            cell.session().await;
        }
        let cost = (server.cpu() - before) * 1e6 / f64::from(CELLS);
        self.costs.push(cost);
    }
}

/// Connects every cell. Each has a session at once, which warms up: who connects and says nothing is sent away.
async fn connect(to: std::net::SocketAddr, devices: u32) -> Vec<Cell> {
    let mut cells = Vec::new();
    for cell in 0..CELLS {
        let mut cell = Cell::connect(to, cell, devices).await;
        cell.session().await;
        cells.push(cell);
    }
    cells
}

/// Microseconds of a session where many are open at once.
async fn together(cells: &mut [Cell], server: &Process) -> f64 {
    let before = server.cpu();
    for some in cells.chunks_mut(AT_ONCE) {
        join_all(some.iter_mut().map(Cell::session)).await;
    }
    (server.cpu() - before) * 1e6 / f64::from(CELLS)
}

/// Keeps what the server says in a session, for the baseline to say.
async fn record(world: &World, folder: &Path) {
    world.forget().await;
    let mut cell = Cell::connect(world.cwmp, 0, world.devices).await;
    for (number, Reply { headers, body }) in cell.session().await.into_iter().enumerate() {
        let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let text = [header("content-type"), header("set-cookie"), String::from_utf8(body.to_vec()).unwrap()];
        fs::write(folder.join(number.to_string()), text.join("\n")).unwrap();
    }
}
