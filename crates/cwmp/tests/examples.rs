//! The two smallest programs talk to each other: the tutorial, and the proof that the API is small.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Command, Stdio},
};

/// An example's binary, which cargo builds beside this test.
fn example(name: &str) -> Command {
    let test = env::current_exe().unwrap();
    let program: PathBuf = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(program.exists(), "`cargo build -p cwmp --examples` makes {}", program.display());
    Command::new(program)
}

#[test]
fn the_smallest_acs_and_the_smallest_cpe_have_a_session() {
    let mut acs = example("smallest_acs").arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(acs.stdout.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    let address = first.trim_end().strip_prefix("listening on ").unwrap();
    let cpe = example("smallest_cpe").arg(address).output().unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(acs.wait().unwrap().success());
    assert_eq!(String::from_utf8_lossy(&cpe.stdout), "the session is over\n");
    assert!(rest.starts_with("1 informs: 1\nheard Some(Ok(GetParameterValues("), "{rest}");
}
