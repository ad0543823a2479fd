//! The daemon against the smallest ACS there is, the example of `cwmp`: both as processes, in mode `ipsec`, for the
//! example speaks plain HTTP.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

use std::{fs, path::Path, process::Command, time::Duration};

use e2e::{Process, World, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);

/// An example's binary, which cargo builds beside this test.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(program.exists(), "`cargo build -p cwmp --examples` makes {}", program.display());
    Command::new(program)
}

fn listening(log: &str) -> Option<String> {
    Some(log.lines().find_map(|line| line.strip_prefix("listening on "))?.to_owned())
}

#[test]
fn p01_x03_henbd_completes_a_session_with_the_smallest_acs() {
    let world = World::new("smallest");
    let mut acs = Process::start(example("smallest_acs").arg("127.0.0.1:0"), &world.dir().join("acs.log"));
    let address = wait_for("the smallest ACS", PATIENCE, || listening(&acs.log()));
    let cell = world.cell(1);
    point_at(&cell.config, &world.url(), &address);
    let _henbd = world.henbd(&cell);
    let end = wait_for("the end of the session", PATIENCE, || acs.ended());
    assert!(end.success(), "{}", acs.log());
    let heard = acs.log();
    assert!(heard.contains("00005E005301 informs: 2"), "0 BOOTSTRAP and 1 BOOT: {heard}");
    assert!(heard.contains("heard Some(Ok(GetParameterValues("), "{heard}");
}

/// In mode `ipsec`, with the loopback device as the tunnel.
fn point_at(config: &Path, url: &str, address: &str) {
    let text = fs::read_to_string(config).unwrap();
    let text = text.replace(&format!("url = {url:?}"), &format!("url = \"http://{address}/\""));
    let text = text.replace("[hems]", "mode = \"ipsec\"\n\n[hems]");
    fs::write(config, text + "\n[tunnel]\naddress = \"127.0.0.1\"\ninterface = \"lo\"\n").unwrap();
}
