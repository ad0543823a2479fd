//! Files that change under a running cell: its anchors, the operator's revocation lists, and what SIGHUP does.

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use cwmp::{ParameterValueStruct, SetParameterValues, Text, Value};
use henb::device::path;
use jiff::{SignedDuration, Timestamp};
use profile::{
    StaplePolicy,
    pki::{self, RevocationReason, Validity},
};
use scripted::{Cell, Process, World};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A cell that calls every second.
async fn restless(world: &World) -> Cell {
    let often = ParameterValueStruct::new(path::PERIODIC_INTERVAL, Value::unsigned_int(1));
    world.acs.script_once(vec![
        SetParameterValues { parameter_list: vec![often], parameter_key: Text::new() }.into(),
    ]);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 2).await;
    cell
}

/// Waits for the next session after the failures so far.
async fn recovers(cell: &mut Cell) {
    let sessions = cell.status.borrow().sessions;
    cell.until(|status| status.sessions > sessions).await;
}

#[tokio::test]
async fn a06_changed_anchors_count_from_the_next_session_and_a_bad_file_changes_nothing() {
    let world = World::new().await;
    let old = std::fs::read(&world.config.anchors).unwrap();
    let order = pki::AuthorityOrder::lab("next operator", "localhost");
    let new = pki::Authority::create(&order).unwrap().pem().unwrap();
    let mut cell = restless(&world).await;
    std::fs::write(&world.config.anchors, "no root").unwrap();
    recovers(&mut cell).await;
    recovers(&mut cell).await;
    assert_eq!(cell.status.borrow().failures, 0);
    std::fs::write(&world.config.anchors, &new).unwrap();
    let status = cell.until(|status| status.failures == 1).await;
    assert!(status.last_failure.unwrap().contains("unknown_issuer"));
    std::fs::write(&world.config.anchors, [old, new].concat()).unwrap();
    recovers(&mut cell).await;
    cell.stop().await;
}

#[tokio::test]
async fn a12_a_revocation_of_the_hems_counts_as_soon_as_the_list_is_there() {
    let mut world = World::new().await;
    let valid = Validity { not_before: Timestamp::now() - DAY, not_after: Timestamp::now() + DAY * 7 };
    pki::write_crls(&world.pki(), valid).unwrap();
    world.config.trust.crls = vec![world.pki().join("operator.crl.pem")];
    let mut cell = restless(&world).await;
    let hems = world.pki().join("hems/localhost.pem");
    pki::revoke(&world.pki(), &hems, RevocationReason::named("keyCompromise").unwrap(), valid).unwrap();
    let status = cell.until(|status| status.failures == 1).await;
    assert!(status.last_failure.unwrap().contains("certificate_revoked"));
    cell.stop().await;
}

#[tokio::test]
async fn a12_a_cell_that_wants_a_stapled_answer_refuses_a_hems_without_one() {
    let mut world = World::new().await;
    world.config.trust.staple = StaplePolicy::Required;
    let mut cell = world.start();
    let status = cell.until(|status| status.failures == 1).await;
    assert!(status.last_failure.unwrap().contains("staple_"));
    cell.stop().await;
}

#[tokio::test]
async fn sighup_lets_the_daemon_read_its_files_again_and_ends_nothing() {
    let world = World::new().await;
    let own = &world.config.identity;
    let text = format!(
        "lab = true\nstate_dir = \"daemon\"\n[hems]\nurl = {:?}\nanchors = {:?}\n[identity]\ncertificate = {:?}\nkey = {:?}\n",
        world.acs.url(),
        world.config.anchors,
        own.chain,
        own.key.to_string()
    );
    let config = world.room("henbd.toml");
    std::fs::write(&config, text).unwrap();
    let mut henbd = Process(
        Command::new(env!("CARGO_BIN_EXE_henbd"))
            .arg("--config")
            .arg(&config)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    world.acs.until(|acs| !acs.informs().is_empty()).await;
    let pid = henbd.0.id().to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    signal("-HUP");
    let mut said = BufReader::new(henbd.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    // Beside the H(e)MS of this test, which has a session to end first.
    let read = tokio::task::spawn_blocking(move || said.any(|line| line.contains("were read again")));
    assert!(read.await.unwrap());
    signal("-TERM");
    assert!(henbd.0.wait().unwrap().success());
}
