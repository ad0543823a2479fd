//! Performance files on their way: to a server that knows the cell by its certificate, and again until they are there.

#[expect(dead_code, reason = "other tests need the rest of it")]
mod scripted;

use std::sync::atomic::{AtomicBool, Ordering};

use cwmp::{AddObject, CpeMethod, FactoryReset, Value};
use henb::device::path;
use hyper::{Method, header};
use scripted::{Acs, IDENTITY, Oddity, Post, World, set};

/// What makes a cell send a file each second.
fn every_second(url: &str) -> Vec<CpeMethod> {
    let row = "Device.FAP.PerfMgmt.Config.1.";
    let column = |name: &str| format!("{row}{name}");
    vec![
        AddObject { object_name: path::PERFORMANCE.into(), parameter_key: "k".into() }.into(),
        set(&[
            (path::RETRY_MINIMUM, Value::unsigned_int(1)),
            ("Device.Services.FAPService.1.FAPControl.LTE.PMConfig", Value::string(row)),
            (&column("URL"), Value::string(format!("{url}pm/"))),
            (&column("PeriodicUploadInterval"), Value::unsigned_int(1)),
            (&column("Enable"), Value::boolean(true)),
        ]),
    ]
}

fn files(acs: &Acs) -> Vec<Post> {
    acs.posts().into_iter().filter(|post| post.method == Method::PUT).collect()
}

/// The server takes no file until it is told otherwise.
fn refuse(world: &World, is_first_alone: bool) {
    let (oddity, was_first) = (world.acs.oddities(), AtomicBool::new(false));
    world.acs.watch(move |post| {
        if post.method == Method::PUT && !(was_first.swap(true, Ordering::Relaxed) && is_first_alone) {
            oddity(Oddity::Status(503, "retry-after", "1".to_owned()));
        }
    });
}

#[tokio::test]
async fn n02_n05_n06_n11_a_file_goes_by_the_certificate_alone_and_again_where_it_was_not_taken() {
    let world = World::new().await;
    refuse(&world, true);
    world.acs.script_once(every_second(&world.acs.url()));
    let cell = world.start();
    world.acs.until(|acs| files(acs).len() >= 3).await;
    cell.stop().await;
    let files = files(&world.acs);
    assert_eq!((&files[0].target, &files[0].body), (&files[1].target, &files[1].body), "the first one again");
    assert_ne!((&files[1].body), (&files[2].body));
    for file in &files {
        assert!(file.target.starts_with("/pm/A20") && file.target.ends_with(".xml"), "{}", file.target);
        assert_eq!((file.identity.as_str(), file.headers.get(header::AUTHORIZATION)), (IDENTITY, None));
        let document = roxmltree::Document::parse(std::str::from_utf8(&file.body).unwrap()).unwrap();
        let namespace = "http://www.3gpp.org/ftp/specs/archive/32_series/32.435#measCollec";
        assert!(document.root_element().has_tag_name((namespace, "measCollecFile")));
        let counters = document.descendants().filter(|node| node.has_tag_name((namespace, "measType")));
        assert_eq!(counters.count(), 18);
    }
}

#[tokio::test]
async fn n11_a_file_that_was_not_taken_outlives_a_power_cut() {
    let world = World::new().await;
    refuse(&world, false);
    world.acs.script_once(every_second(&world.acs.url()));
    let cell = world.start();
    world.acs.until(|acs| !files(acs).is_empty()).await;
    cell.cut().await;
    let before = files(&world.acs);
    world.acs.watch(|_| {});
    let cell = world.start();
    world.acs.until(|acs| files(acs).len() > before.len()).await;
    cell.stop().await;
    let after = &files(&world.acs)[before.len()];
    assert_eq!((&after.target, &after.body), (&before[0].target, &before[0].body));
}

#[tokio::test]
async fn c21_n11_a_file_that_waits_does_not_outlive_a_factory_reset() {
    let world = World::new().await;
    refuse(&world, false);
    let mut calls = every_second(&world.acs.url());
    calls.push(set(&[(path::RETRY_MINIMUM, Value::unsigned_int(3_600))]));
    world.acs.script_once(calls);
    let cell = world.start();
    world.acs.until(|acs| !files(acs).is_empty()).await;
    cell.cut().await;
    world.acs.script_once(vec![FactoryReset {}.into()]);
    let folder = world.config.state_dir.join("performance");
    assert!(std::fs::read_dir(&folder).unwrap().count() > 0);
    let mut cell = world.start();
    cell.until(|status| status.sessions >= 2).await;
    cell.stop().await;
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}
