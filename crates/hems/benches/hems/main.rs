//! What the H(e)MS costs and how far it carries: a session's CPU, pages over a million devices, import, memory.
//!
//! Prints one JSON line a figure: `{"id", "what", "measured", "unit", "least", "most"}`. Goals stand in
//! `xtask/goals.toml`; `./x bench hems [--devices N]` builds `hearth`, names it in `HEARTH_BIN`, and compares.
//!
//! ```text
//!  hearth serve ◀── cells ──▶ baseline     a process each; the kernel says what each used. The baseline is this
//!       │                        │         program again: hyper that answers with the same bytes, and commits the
//!       ▼                        ▼         same rows in as many transactions
//!     store (SQLite small, SQLite large, PostgreSQL)
//! ```
//!
//! The worlds of 1,000 and of N devices are copies of one device that had a real session; see [`fill`].

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it measured")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark stops where it cannot go on")]

mod baseline;
mod cell;
mod fill;
mod operator;
mod process;
mod rows;
mod session;
mod world;

/// Devices of the large world; with fewer the figures say so.
const DEVICES: u32 = 1_000_000;
/// Devices of the small one.
const FEW: u32 = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["baseline", store, replies] => baseline::serve(store, replies.as_ref()).await,
        [] => measure(DEVICES).await,
        ["--devices", count] => measure(count.parse().unwrap()).await,
        _ => panic!("unknown: {arguments:?}; there is --devices N"),
    }
}

async fn measure(devices: u32) {
    let of = |what: &str| match devices {
        DEVICES => what.to_owned(),
        fewer => format!("{what} [{fewer} devices, not {DEVICES}]"),
    };
    operator::import(devices, of).await;
    let large = world::World::filled(devices).await;
    session::measure(&large, of).await;
    operator::pages(&large, devices, of).await;
}

/// Prints the median of some rounds.
fn print(id: &str, what: &str, rounds: &[f64], unit: &str) {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(f64::total_cmp);
    let (least, most) = (rounds[0], rounds[rounds.len() - 1]);
    print_as(id, what, rounds[rounds.len() / 2], (least, most), unit);
}

/// Prints a figure with the spread that it stands for.
fn print_as(id: &str, what: &str, measured: f64, (least, most): (f64, f64), unit: &str) {
    let figure = serde_json::json!({
        "id": id, "what": what, "measured": measured, "unit": unit, "least": least, "most": most,
    });
    println!("{figure}");
}
