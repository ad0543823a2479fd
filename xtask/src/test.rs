//! The whole test run, in stages, quick first; `./x test` and CI are this file.
//!
//! Every stage runs even where an earlier one failed: one run tells everything. The end is always the slowest
//! ten, the skips, and one closing line.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cargo::{binary, cargo, target_directory};
use crate::skips::{self, Place};
use crate::{Answer, junit, project, tidy};

/// What has been seen so far.
#[derive(Debug, Default)]
struct Tally {
    failed_steps: Vec<&'static str>,
    cases: Vec<junit::Case>,
    /// Examples in the documentation: passed, failed.
    examples: (usize, usize),
    skips: Vec<skips::Skip>,
}

/// A stage: its name, how long it may take on two cores from a warm cache, and what it runs.
struct Stage {
    name: &'static str,
    budget: Duration,
    run: fn(&mut Tally) -> Result<(), Box<dyn Error>>,
}

const STAGES: [Stage; 3] = [
    Stage { name: "tidy", budget: Duration::from_secs(20), run: stage_tidy },
    Stage { name: "lints", budget: Duration::from_secs(180), run: stage_lints },
    Stage { name: "tests", budget: Duration::from_secs(1500), run: stage_tests },
];

/// Runs all stages, or the one with this name or number.
pub(crate) fn run(only: Option<&str>) -> Answer {
    let numbered = STAGES.iter().zip(1_usize..);
    let chosen: Vec<_> = numbered
        .filter(|(stage, number)| only.is_none_or(|only| only == stage.name || only == number.to_string()))
        .collect();
    if chosen.is_empty() {
        let names = STAGES.map(|stage| stage.name).join(", ");
        return Err(format!("no such stage; there are {names}").into());
    }
    let mut tally = Tally::default();
    let mut times = Vec::new();
    for (stage, number) in chosen {
        println!("\n== stage {number}: {}", stage.name);
        let start = Instant::now();
        (stage.run)(&mut tally)?;
        times.push((stage, start.elapsed()));
    }
    Ok(report(&tally, &times))
}

fn stage_tidy(tally: &mut Tally) -> Result<(), Box<dyn Error>> {
    if !tidy::run()? {
        tally.failed_steps.push("tidy");
    }
    step(tally, "format", &mut cargo(&["fmt", "--all", "--check"]))
}

fn stage_lints(tally: &mut Tally) -> Result<(), Box<dyn Error>> {
    let mut clippy = cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    step(tally, "clippy", &mut clippy)?;
    let mut rustdoc = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    step(tally, "rustdoc", rustdoc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn stage_tests(tally: &mut Tally) -> Result<(), Box<dyn Error>> {
    let target = target_directory()?;
    // One call for binaries and tests: both then see the same features, and nothing is compiled twice.
    step(
        tally,
        "build",
        &mut cargo(&["build", "--workspace", "--bins", "--tests", "--examples", "--locked"]),
    )?;

    let world = World::new(&target)?;
    let mut all = cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
    nextest(tally, "tests", world.hand_to(&mut all), &target.join("nextest/default/junit.xml"))?;
    // The same features as before, or everything would be compiled again.
    let mut api =
        cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--profile", "postgres"]);
    api.args(["-E", "package(hems) & binary(api)"]).env("HEARTH_TEST_STORE", "postgres");
    let report = target.join("nextest/postgres/junit.xml");
    nextest(tally, "tests of the API on PostgreSQL", world.hand_to(&mut api), &report)?;

    let mut examples = cargo(&["test", "--workspace", "--doc", "--locked", "--no-fail-fast"]);
    let output = world.hand_to(&mut examples).output()?;
    tally.examples = examples_of(&String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        tally.failed_steps.push("documentation examples");
    }
    let lines = fs::read_to_string(&world.skips).unwrap_or_default();
    tally.skips = skips::judge(&lines, world.place());
    Ok(())
}

/// Runs tests and takes in their report.
fn nextest(
    tally: &mut Tally,
    name: &'static str,
    command: &mut Command,
    report: &Path,
) -> Result<(), Box<dyn Error>> {
    remove(report)?;
    step(tally, name, command)?;
    let cases = junit::cases(&fs::read_to_string(report).unwrap_or_default());
    if cases.is_empty() {
        tally.failed_steps.push("nextest's report");
    }
    tally.cases.extend(cases);
    Ok(())
}

/// Runs a command on the terminal and notes whether it failed.
fn step(tally: &mut Tally, name: &'static str, command: &mut Command) -> Result<(), Box<dyn Error>> {
    println!("-- {name}");
    if !command.status()?.success() {
        tally.failed_steps.push(name);
    }
    Ok(())
}

/// What tests are told about the machine, by environment variables.
struct World {
    hearth: PathBuf,
    henbd: PathBuf,
    skips: PathBuf,
    oracles: Option<PathBuf>,
}

impl World {
    fn new(target: &Path) -> Result<Self, Box<dyn Error>> {
        let skips = target.join("hearth-skips.txt");
        remove(&skips)?;
        let oracles = env::var_os("HEARTH_ORACLES").map_or_else(|| "../shared".into(), PathBuf::from);
        let oracles = project::root().join(oracles).canonicalize().ok().filter(|folder| folder.is_dir());
        let (hearth, henbd) = (binary(target, "debug", "hearth"), binary(target, "debug", "henbd"));
        Ok(Self { hearth, henbd, skips, oracles })
    }

    fn hand_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("HEARTH_BIN", &self.hearth).env("HENBD_BIN", &self.henbd);
        command.env("HEARTH_SKIPS", &self.skips);
        match &self.oracles {
            Some(folder) => command.env("HEARTH_ORACLES", folder),
            None => command.env_remove("HEARTH_ORACLES"),
        }
    }

    fn place(&self) -> Place {
        let is_ci = env::var("CI").is_ok_and(|value| value == "true" || value == "1");
        Place { has_oracles: self.oracles.is_some(), is_ci }
    }
}

fn remove(file: &Path) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Passed and failed of all `test result: ok. 3 passed; 0 failed; …` lines.
fn examples_of(output: &str) -> (usize, usize) {
    let count = |line: &str, what: &str| -> Option<usize> {
        line.split([';', '.']).find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
    };
    let results = output.lines().filter(|line| line.starts_with("test result:"));
    results.fold((0, 0), |(passed, failed), line| {
        (passed + count(line, "passed").unwrap_or(0), failed + count(line, "failed").unwrap_or(0))
    })
}

/// Prints the end of the run; says whether all is well.
fn report(tally: &Tally, times: &[(&Stage, Duration)]) -> bool {
    let slowest = junit::slowest(tally.cases.clone(), 10);
    if !slowest.is_empty() {
        println!("\nslowest tests:");
        slowest.iter().for_each(|case| println!("{:9.2} s  {}", case.seconds, case.name));
    }
    println!("\nskips: {}", if tally.skips.is_empty() { "none" } else { "" });
    tally.skips.iter().for_each(|skip| println!("  {skip}"));
    println!("\nstages:");
    for (stage, time) in times {
        let over = if *time > stage.budget { "  over its budget" } else { "" };
        println!("{:9.1} s of {:3} s  {}{over}", time.as_secs_f64(), stage.budget.as_secs(), stage.name);
    }
    let failed_cases = tally.cases.iter().filter(|case| case.failed).count();
    let failed = failed_cases + tally.examples.1;
    let passed = tally.cases.len() - failed_cases + tally.examples.0;
    tally.cases.iter().filter(|case| case.failed).for_each(|case| println!("FAILED test: {}", case.name));
    tally.failed_steps.iter().for_each(|step| println!("FAILED step: {step}"));
    let forgiven = tally.skips.iter().all(|skip| skip.failure.is_none());
    let is_well = tally.failed_steps.is_empty() && failed == 0 && forgiven;
    let verdict = if is_well { "all well" } else { "not well" };
    println!("\n{passed} passed, {failed} failed, {} skipped: {verdict}", tally.skips.len());
    is_well
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_summed_over_crates() {
        let output = "test result: ok. 3 passed; 0 failed; 1 ignored; finished in 0.1s\n\
                      test result: FAILED. 2 passed; 1 failed; 0 ignored; finished in 1.25s\n";
        assert_eq!(examples_of(output), (5, 1));
    }

    #[test]
    fn a_failed_step_an_unforgiven_skip_and_a_failed_test_each_fail_the_run() {
        let clean = || Tally::default();
        assert!(report(&clean(), &[]));
        assert!(!report(&Tally { failed_steps: vec!["format"], ..clean() }, &[]));
        let failure = Some("it could have run");
        assert!(!report(
            &Tally { skips: vec![skips::Skip { line: "a: b".into(), failure }], ..clean() },
            &[]
        ));
        let case = junit::Case { name: "a".into(), seconds: 0.0, failed: true };
        assert!(!report(&Tally { cases: vec![case], ..clean() }, &[]));
    }

    #[test]
    fn an_unknown_stage_is_an_error_that_lists_them() {
        let error = run(Some("nonsense")).unwrap_err().to_string();
        assert_eq!(error, "no such stage; there are tidy, lints, tests");
    }
}
