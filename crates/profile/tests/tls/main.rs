//! The profile on real sockets: our acceptor, our connector, and Debian's `openssl` as the stranger on the other
//! end. Every case is judged by application data that arrived or did not, never by what a tool prints about it.
//!
//! Each test makes its whole world (a PKI in a folder of its own, port 0) and drops it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set up its world has failed"
)]
#![expect(clippy::indexing_slicing, reason = "the tests read hellos that they have checked the length of")]

mod alerts;
mod anchors;
mod blocks;
mod certificates;
mod clients;
mod clock;
mod handshakes;
mod hello;
mod judges;
mod load;
mod mirror;
mod probes;
mod reload;
mod resumption;
mod revocation;
mod servers;
mod suites;
mod versions;
mod wake;
mod web;
mod world;
