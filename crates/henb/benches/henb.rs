//! What `henbd` weighs: its binary, its memory with a large tree, and what a periodic session costs.
//!
//! Prints one JSON line a figure: `{"id", "what", "measured", "unit", "least", "most"}`. Goals stand in
//! `xtask/goals.toml`; `./x bench henb` compares. The daemon is the binary that is shipped, as a process of its own against
//! the scripted H(e)MS of the tests.
//!
//! ```text
//!   1st session   AddObject until the tree has 3,000 parameters, an interval of a second, GetParameterValues of all
//!   10 sessions   ─▶ resident memory
//!   ROUNDS        of SESSIONS periodic sessions each ─▶ CPU of one
//! ```
//!
//! A session without the TLS handshake is measured as what it is: in mode "ipsec" a cell has no TLS, so nothing has to
//! be subtracted. The same cell over TLS is printed beside it, with a whole handshake in each session.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it measured")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark stops where it cannot go on")]

#[path = "../tests/scripted/mod.rs"]
#[expect(dead_code, reason = "the tests need the rest of it")]
mod scripted;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use cwmp::{
    AddObject, CpeMethod, CpeResponse, GetParameterValues, ParameterValueStruct, SetParameterValues, Value,
};
use henb::device::path;
use scripted::{IDENTITY, World};
use tokio::sync::watch;

const PARAMETERS: usize = 3_000;
/// Tables of ten and more parameters a row, and how many rows fill the tree; the bound of a table is 256.
const TABLES: [(&str, usize); 2] = [
    ("Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborList.LTECell.", 230),
    ("Device.Services.FAPService.1.CellConfig.LTE.RAN.Mobility.IdleMode.InterFreq.Carrier.", 60),
];
const SESSIONS: usize = 8;
const ROUNDS: usize = 5;
/// Of `/proc/PID/stat` on every Linux. (`USER_HZ`)
const TICK_MS: f64 = 10.0;

/// What `./x bench henb` built as it is shipped; else what stands beside this benchmark.
fn binary() -> PathBuf {
    std::env::var_os("HENBD_BIN").map_or_else(|| env!("CARGO_BIN_EXE_henbd").into(), PathBuf::from)
}

#[tokio::main]
async fn main() {
    print("henb_binary", "the stripped binary of henbd", &[stripped()], "MB");
    let (memory, with_tls) = measure(false).await;
    print("henb_memory", "resident memory after GetParameterValues of all and ten sessions", &[memory], "MB");
    let (memory, without_tls) = measure(true).await;
    print("henb_memory_tunnel", "the same without TLS", &[memory], "MB");
    print("henb_session_cpu", "CPU of a periodic session without TLS", &without_tls, "ms");
    print("henb_session_cpu_tls", "CPU of a periodic session with a whole handshake", &with_tls, "ms");
}

/// In megabytes; what cargo builds for a benchmark keeps its symbols, whatever the profile says.
fn stripped() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let stripped = folder.path().join("henbd");
    assert!(Command::new("strip").arg("-o").arg(&stripped).arg(binary()).status().unwrap().success());
    megabytes(fs::metadata(stripped).unwrap().len())
}

/// Resident memory in megabytes, and the CPU of a periodic session in milliseconds, a round each.
async fn measure(in_tunnel: bool) -> (f64, Vec<f64>) {
    let world = World::new().await;
    world.acs.script_once(script());
    let mut informs = count_informs(&world);
    let daemon = Daemon::start(&config(&world, in_tunnel).await);
    let mut wanted = 11;
    informs.wait_for(|count| *count >= wanted).await.unwrap();
    let parameters = parameters(&world);
    assert!(parameters >= PARAMETERS, "the tree has {parameters} parameters only");
    eprintln!("{parameters} parameters, {}", if in_tunnel { "no TLS" } else { "TLS" });
    let memory = daemon.resident();
    eprintln!("{}", daemon.pages());
    let mut costs = Vec::new();
    for _ in 0..ROUNDS {
        let before = daemon.cpu_ms();
        wanted += SESSIONS;
        informs.wait_for(|count| *count >= wanted).await.unwrap();
        costs.push((daemon.cpu_ms() - before) / f64::from(u32::try_from(SESSIONS).unwrap()));
    }
    (memory, costs)
}

fn script() -> Vec<CpeMethod> {
    let rows = TABLES.into_iter().flat_map(|(table, rows)| vec![table; rows]);
    let add = |table: &str| AddObject { object_name: table.into(), parameter_key: "bench".into() }.into();
    let interval = ParameterValueStruct::new(path::PERIODIC_INTERVAL.to_owned(), Value::unsigned_int(1));
    let set = SetParameterValues { parameter_list: vec![interval], parameter_key: "bench".into() };
    let all = GetParameterValues { parameter_names: vec!["Device.".into()] };
    let mut script: Vec<CpeMethod> = rows.map(add).collect();
    script.extend([set.into(), all.into()]);
    script
}

/// How many sessions were opened; what arrives is not decoded for it.
fn count_informs(world: &World) -> watch::Receiver<usize> {
    let (counter, informs) = watch::channel(0);
    world.acs.watch(move |post| {
        if post.body.windows(8).any(|bytes| bytes == b":Inform>") {
            counter.send_modify(|count| *count += 1);
        }
    });
    informs
}

/// How many the answer to GetParameterValues of all held.
fn parameters(world: &World) -> usize {
    let outcomes = world.acs.outcomes();
    match outcomes.last() {
        Some(Ok(CpeResponse::GetParameterValues(response))) => response.parameter_list.len(),
        other => panic!("no values: {other:?}, after {} calls", outcomes.len()),
    }
}

async fn config(world: &World, in_tunnel: bool) -> PathBuf {
    let pki = world.pki();
    let (mode, url) = if in_tunnel {
        ("mode = \"ipsec\"\n[tunnel]\naddress = \"127.0.0.1\"", world.acs.listen_in_the_tunnel().await)
    } else {
        ("", world.acs.url())
    };
    let text = format!(
        "lab = true\nstate_dir = {:?}\n{mode}\n[hems]\nurl = {url:?}\nanchors = {:?}\n\
         [identity]\ncertificate = {:?}\nkey = {:?}\n",
        world.config.state_dir,
        pki.join("operator.pem"),
        pki.join(format!("henb/{IDENTITY}.pem")),
        pki.join(format!("henb/{IDENTITY}.key")),
    );
    let path = world.room("henbd.toml");
    fs::write(&path, text).unwrap();
    path
}

/// A running `henbd`, killed at the end.
struct Daemon(Child);

impl Daemon {
    fn start(config: &Path) -> Self {
        let mut command = Command::new(binary());
        command.arg("--config").arg(config).stdin(Stdio::null()).stderr(Stdio::null());
        // As in the unit.
        command.env("MALLOC_ARENA_MAX", "1");
        Self(command.spawn().unwrap())
    }

    fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0.id())).unwrap()
    }

    fn resident(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        megabytes(kilobytes * 1024)
    }

    /// Where the resident pages are, in kilobytes: to look at when the figure moves.
    fn pages(&self) -> String {
        let mut places: Vec<(String, u64)> = Vec::new();
        let maps = self.proc("smaps");
        let mut place = String::new();
        for line in maps.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            match fields[..] {
                [_, access, _, _, _, ref file @ ..] if access.len() == 4 => {
                    let file =
                        file.first().map_or("anonymous", |file| file.rsplit('/').next().unwrap_or(file));
                    place = format!("{file} {access}");
                }
                ["Rss:", kilobytes, "kB"] => places.push((place.clone(), kilobytes.parse().unwrap())),
                _ => {}
            }
        }
        places.sort_by_key(|(_, kilobytes)| std::cmp::Reverse(*kilobytes));
        let shown = places.iter().filter(|(_, kilobytes)| *kilobytes >= 100);
        shown.map(|(place, kilobytes)| format!("{kilobytes:8} kB  {place}\n")).collect()
    }

    /// User and system time of all threads, the ended ones too. (proc(5), fields 14 and 15)
    fn cpu_ms(&self) -> f64 {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
        f64::from(ticks) * TICK_MS
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes).unwrap()) / 1e6
}

fn print(id: &str, what: &str, rounds: &[f64], unit: &str) {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(f64::total_cmp);
    let (least, most) = (rounds[0], rounds[rounds.len() - 1]);
    let figure = serde_json::json!({
        "id": id, "what": what, "measured": rounds[rounds.len() / 2], "unit": unit, "least": least, "most": most,
    });
    println!("{figure}");
}
