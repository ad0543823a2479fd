//! Which suites a listener picks: all code points are offered at every version, and what it picks is struck off
//! and the rest offered again, until it picks nothing. (TS 33.320 8.3.4, P-13)

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::error::AuditError;
use crate::wire::{Answer, ClientHello, TLS13, ask, tls13_hello};

/// SSL 3.0 to TLS 1.3.
pub const VERSIONS: [u16; 5] = [0x0300, 0x0301, 0x0302, 0x0303, TLS13];
/// Renegotiation information and fallback: signals, no suites.
const SIGNALS: [u16; 2] = [0x00FF, 0x5600];
/// (RFC 7627)
const EXTENDED_MASTER_SECRET: u16 = 23;
/// Suites in one hello: more would not fit one record of every server.
const BLOCK: usize = 2000;

/// What a listener accepts: the suites of each version, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted(pub BTreeMap<u16, Vec<u16>>);

impl Accepted {
    /// A list of what is expected, for comparing: versions without suites are left out.
    pub fn expect(pairs: impl IntoIterator<Item = (u16, u16)>) -> Self {
        let mut accepted = Self::default();
        for (version, suite) in pairs {
            accepted.0.entry(version).or_default().push(suite);
        }
        accepted.0.values_mut().for_each(|suites| suites.sort_unstable());
        accepted
    }
}

/// Asks for all 65,534 code points at SSL 3.0 to TLS 1.3; about 170 hellos.
pub async fn scan(address: SocketAddr) -> Result<Accepted, AuditError> {
    let mut accepted = Vec::new();
    for version in VERSIONS {
        for suite in picked(address, version).await? {
            accepted.push((version, suite));
        }
    }
    Ok(Accepted::expect(accepted))
}

async fn picked(address: SocketAddr, version: u16) -> Result<Vec<u16>, AuditError> {
    let all: Vec<u16> = (0..=u16::MAX).filter(|code| !SIGNALS.contains(code)).collect();
    let mut found = Vec::new();
    for block in all.chunks(BLOCK) {
        let mut block = block.to_vec();
        while let Answer::Hello { version: chosen, suite, .. } = ask(address, &hello(version, &block)).await?
        {
            if chosen != version || !block.contains(&suite) {
                return Err(AuditError::Peer("picks what was not offered"));
            }
            block.retain(|code| *code != suite);
            found.push(suite);
        }
    }
    Ok(found)
}

fn hello(version: u16, suites: &[u16]) -> Vec<u8> {
    let hello = if version == TLS13 { tls13_hello(suites) } else { ClientHello::new(version, suites) };
    // A listener that demands the extended master secret would refuse everything else.
    hello.with(EXTENDED_MASTER_SECRET, &[]).bytes()
}
