//! Writes the build time into the crate: the floor of a cell's clock. (TS 33.320 6.3.1, K-06)
//!
//! `SOURCE_DATE_EPOCH` wins where it is set, so that a build can be repeated to the byte.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let named = env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let seconds =
        named.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()));
    println!("cargo::rustc-env=HEARTH_BUILD_TIME={seconds}");
}
