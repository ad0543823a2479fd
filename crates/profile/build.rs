//! Writes the build time into the crate, the floor of a cell's clock, and whether OpenSSL has engines. (TS 33.320 6.3.1, K-06)
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
    println!("cargo::rustc-check-cfg=cfg(has_engines)");
    // What openssl-sys found, as a number in hexadecimal: 4.0 took the engines away.
    let version = env::var("DEP_OPENSSL_VERSION_NUMBER").ok();
    if version.and_then(|text| u64::from_str_radix(&text, 16).ok()).is_some_and(|number| number < 0x4000_0000)
    {
        println!("cargo::rustc-cfg=has_engines");
    }
}
