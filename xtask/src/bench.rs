//! `./x bench NAME`: figures of a benchmark beside their goals.
//!
//! One rule: a benchmark measures and prints, this compares. The benchmark is a `harness = false` target that
//! prints one JSON line a figure (`id`, `what`, `measured`, `unit`, and the spread of its rounds); goals stand in
//! `xtask/goals.toml` and nowhere else. A goal that does not hold makes the answer no.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cargo::{Engine, build_hearth, build_henbd, cargo};
use crate::{Answer, project};

/// The benchmarks: a name for people, the package and the target.
const BENCHES: [(&str, &str, &str); 4] =
    [("codec", "cwmp", "codec"), ("tls", "profile", "tls"), ("henb", "henb", HENB), ("hems", "hems", HEMS)];

/// The benchmarks that measure what is shipped, which their own build is not: the agent, and `hearth serve`.
const HENB: &str = "henb";
const HEMS: &str = "hems";

/// What a figure is held to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Goal {
    least: Option<f64>,
    most: Option<f64>,
    /// For the reader of the file.
    #[serde(rename = "why")]
    _why: String,
}

/// A line of a benchmark.
#[derive(Debug, Deserialize)]
struct Figure {
    id: String,
    what: String,
    measured: f64,
    unit: String,
    least: f64,
    most: f64,
}

/// A figure beside its goal.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    what: String,
    goal: Option<f64>,
    measured: f64,
    unit: String,
    /// Nothing where there is no goal.
    holds: Option<bool>,
    #[serde(skip)]
    spread: (f64, f64),
}

/// How a benchmark is run.
#[derive(Debug, PartialEq, Eq)]
struct Options<'o> {
    engine: Engine,
    is_json: bool,
    /// What the benchmark itself is told.
    arguments: Vec<&'o str>,
}

impl<'o> Options<'o> {
    /// `--static` links the newer engine, `--output json` is for programs, `--devices N` is a smaller trial of `hems`.
    fn read(name: &str, words: &[&'o str]) -> Result<Self, String> {
        let mut options = Self { engine: Engine::System, is_json: false, arguments: Vec::new() };
        let mut words = words;
        loop {
            words = match words {
                [] => return Ok(options),
                ["--static", rest @ ..] => {
                    options.engine = Engine::Static;
                    rest
                }
                ["--output", "json", rest @ ..] => {
                    options.is_json = true;
                    rest
                }
                ["--devices", count, rest @ ..] if name == HEMS && count.parse::<u32>().is_ok() => {
                    options.arguments.extend(["--devices", count]);
                    rest
                }
                _ => {
                    let unknown = words.join(" ");
                    return Err(format!(
                        "unknown: `{unknown}`; there is --static, --output json, and --devices N of hems"
                    ));
                }
            }
        }
    }
}

/// Runs a benchmark and compares.
pub(crate) fn run(name: &str, words: &[&str]) -> Answer {
    let options = Options::read(name, words)?;
    let known = || BENCHES.map(|(name, ..)| name).join(", ");
    let bench = BENCHES.iter().find(|(known, ..)| *known == name);
    let (_, package, target) =
        bench.ok_or_else(|| format!("no benchmark `{name}`; there is: {}", known()))?;
    let goals = std::fs::read_to_string(project::root().join("xtask/goals.toml"))?;
    let goals: BTreeMap<String, Goal> = toml::from_str(&goals)?;
    let mut command = cargo(&["bench", "--locked", "-q", "-p", package, "--bench", target, "--"]);
    command.args(&options.arguments);
    options.engine.link(&mut command)?;
    match *target {
        HENB => drop(command.env("HENBD_BIN", build_henbd(options.engine)?.ok_or("cannot build henbd")?)),
        HEMS => drop(command.env("HEARTH_BIN", build_hearth(options.engine)?.ok_or("cannot build hearth")?)),
        _ => {}
    }
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the benchmark `{name}` ended with {}", output.status).into());
    }
    let rows = rows(&String::from_utf8(output.stdout)?, &goals)?;
    if options.is_json {
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        print!("{}", table(&rows));
    }
    Ok(rows.iter().all(|row| row.holds != Some(false)))
}

fn rows(lines: &str, goals: &BTreeMap<String, Goal>) -> Result<Vec<Row>, serde_json::Error> {
    let figures = lines.lines().filter(|line| line.starts_with('{')).map(serde_json::from_str::<Figure>);
    figures.map(|figure| Ok(compare(figure?, goals))).collect()
}

fn compare(figure: Figure, goals: &BTreeMap<String, Goal>) -> Row {
    let goal = goals.get(&figure.id);
    let keeps = |goal: &Goal| {
        let (least, most) = (goal.least.unwrap_or(f64::MIN), goal.most.unwrap_or(f64::MAX));
        (least..=most).contains(&figure.measured)
    };
    Row {
        holds: goal.map(keeps),
        goal: goal.and_then(|goal| goal.least.or(goal.most)),
        spread: (figure.least, figure.most),
        id: figure.id,
        what: figure.what,
        measured: figure.measured,
        unit: figure.unit,
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:>10}  {:>10}  {:>6}  {:<5}  {:<17}  what\n",
        "goal", "measured", "ratio", "holds", "spread"
    );
    for row in rows {
        let goal = row.goal.map_or_else(|| "-".to_owned(), |goal| format!("{goal:.3}"));
        let ratio = row.goal.map_or_else(|| "-".to_owned(), |goal| format!("{:.2}", row.measured / goal));
        let holds = row.holds.map_or("-", |holds| if holds { "yes" } else { "NO" });
        let spread = format!("{:.3}..{:.3}", row.spread.0, row.spread.1);
        text += &format!(
            "{goal:>10}  {:>10.3}  {ratio:>6}  {holds:<5}  {spread:<17}  {} {}\n",
            row.measured, row.what, row.unit
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_benchmark_is_told_reaches_it_and_nothing_else_does() {
        let all = ["--output", "json", "--devices", "2000", "--static"];
        let options = Options::read(HEMS, &all).unwrap();
        let expected =
            Options { engine: Engine::Static, is_json: true, arguments: vec!["--devices", "2000"] };
        assert_eq!(options, expected);
        for (name, words) in [("codec", &all[2..4]), (HEMS, &["--devices", "many"]), (HEMS, &["--output"])] {
            assert!(Options::read(name, words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn a_figure_holds_by_its_goal_alone() {
        let goals = toml::from_str("[a]\nleast = 2.0\nwhy = \"\"\n[b]\nmost = 2.0\nwhy = \"\"\n").unwrap();
        let line = |id: &str, measured: f64| {
            format!(
                "{{\"id\":\"{id}\",\"what\":\"w\",\"measured\":{measured},\"unit\":\"\",\"least\":0,\"most\":9}}\n"
            )
        };
        let text =
            [line("a", 1.9), line("a", 2.0), line("b", 2.1), line("c", 7.0), "noise\n".to_owned()].concat();
        let holds: Vec<_> = rows(&text, &goals).unwrap().into_iter().map(|row| row.holds).collect();
        assert_eq!(holds, [Some(false), Some(true), Some(false), None]);
    }
}
