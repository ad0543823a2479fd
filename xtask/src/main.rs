//! Developer tasks: what `./x` runs once the machine has what it needs.
//!
//! What CI runs and what a person runs are the same code: a rule, a stage or a generated page exists here
//! once. Exit codes are those of the product: 0 as asked, 1 asked and the answer is no, 2 could not do it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer's tool talks to the terminal")]

mod bench;
mod cargo;
mod generate;
mod junit;
mod project;
mod requirements;
mod rust;
mod skips;
mod switches;
mod test;
mod tidy;

use std::error::Error;
use std::process::ExitCode;

use crate::cargo::Engine;

/// A command's answer: yes, no, or why there is none.
type Answer = Result<bool, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[&str]) -> Answer {
    match words {
        ["build"] => cargo::build(Engine::System),
        ["build", "--static"] => cargo::build(Engine::Static),
        ["demo", arguments @ ..] => cargo::demo(arguments),
        ["test"] => test::run(None),
        ["test", stage] => test::run(Some(stage)),
        ["bench", name, options @ ..] => bench::run(name, options),
        ["tidy"] => tidy::run(),
        ["tidy", "--figures"] => tidy::figures(),
        ["prove", rows @ ..] => switches::run(rows),
        ["requirements"] => requirements::run(),
        ["gen"] => generate::run(),
        _ => Err(format!("unknown: `{}`; ./x without a word lists the commands", words.join(" ")).into()),
    }
}
