//! The `henbd` daemon.
fn main() {}
